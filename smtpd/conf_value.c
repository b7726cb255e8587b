/*
 * Readers of values in smtpd.conf: numbers, times, names, lists.  Runs in the
 * parent; each reads from the token at hand, says what is wrong, and leaves
 * the token behind at hand.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "num.h"
#include "slice.h"
#include "smtp_addr.h"

static const char *const reserved[] = {
#define X(word) word,
	CONF_RESERVED(X)
#undef X
};

bool
conf_reserved(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (strcmp(reserved[i], word) == 0)
			return true;
	}
	return false;
}

bool
conf_is_text(const struct conf_parser *p)
{
	return p->lex.len > 0 &&
	    (p->lex.tok == TOK_WORD || p->lex.tok == TOK_STRING);
}

bool
conf_name(struct conf_parser *p, const char *what, conf_str *out)
{
	if (!conf_is_text(p))
		return conf_expected(p, what);
	if (p->lex.tok == TOK_WORD && conf_reserved(p->lex.text))
		return conf_wrong(p,
		    "`%s` is a reserved word: put it in quotes, expected %s",
		    p->lex.text, what);
	*out = conf_pool_add(p, p->lex.text);
	conf_lex_next(&p->lex);
	return true;
}

/* ---- nothing, and what the row itself says ---- */

bool
conf_read_nothing(struct conf_parser *p, const struct conf_word *w)
{
	(void)p;
	(void)w;
	return true;
}

bool
conf_read_value(struct conf_parser *p, const struct conf_word *w)
{
	conf_store(p, w, w->value);
	return true;
}

bool
conf_read_negation(struct conf_parser *p, const struct conf_word *w)
{
	conf_store(p, w, p->negated);
	return true;
}

/* ---- numbers ---- */

typedef const char *num_reader(const char *text, uint64_t min, uint64_t max,
    uint64_t *out);

static bool
read_quantity(struct conf_parser *p, const struct conf_word *w,
    num_reader *parse, const char *unit)
{
	char shown[CONF_SHOWN_SIZE];
	const char *why;
	uint64_t v;

	if (!conf_is_text(p))
		return conf_expected(p, w->what);
	if ((why = parse(p->lex.text, w->min, w->max, &v)) != NULL)
		return conf_wrong(p,
		    "`%s`: found %s, %s, expected %s from %llu to %llu%s",
		    w->word, conf_lex_shown(&p->lex, shown), why, w->what,
		    (unsigned long long)w->min, (unsigned long long)w->max,
		    unit);
	conf_store(p, w, v);
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_read_number(struct conf_parser *p, const struct conf_word *w)
{
	if (p->lex.tok == TOK_STRING)
		return conf_expected(p, "a number without quotes");
	return read_quantity(p, w, num_parse, "");
}

bool
conf_read_size(struct conf_parser *p, const struct conf_word *w)
{
	return read_quantity(p, w, num_parse_size, " bytes");
}

bool
conf_read_time(struct conf_parser *p, const struct conf_word *w)
{
	return read_quantity(p, w, num_parse_time, " seconds");
}

/* A number, or a name of services(5), which may be in quotes. */
bool
conf_read_port(struct conf_parser *p, const struct conf_word *w)
{
	uint16_t port;

	if (!conf_is_text(p))
		return conf_expected(p, w->what);
	if (p->lex.text[0] >= '0' && p->lex.text[0] <= '9')
		return conf_read_number(p, w);
	if ((port = conf_net_service(p->lex.text)) == 0)
		return conf_expected(p,
		    "a port from 1 to 65535 or a name that services(5) knows");
	conf_store(p, w, port);
	conf_lex_next(&p->lex);
	return true;
}

/* ---- texts ---- */

static bool
store_text(struct conf_parser *p, const struct conf_word *w)
{
	conf_store(p, w, conf_pool_add(p, p->lex.text));
	conf_lex_next(&p->lex);
	return true;
}

static bool
read_checked(struct conf_parser *p, const struct conf_word *w,
    const char *(*check)(struct slice))
{
	char shown[CONF_SHOWN_SIZE];
	const char *why;

	if (!conf_is_text(p))
		return conf_expected(p, w->what);
	why = check((struct slice){ p->lex.text, p->lex.len });
	if (why != NULL)
		return conf_wrong(p, "`%s`: found %s, %s, expected %s", w->word,
		    conf_lex_shown(&p->lex, shown), why, w->what);
	return store_text(p, w);
}

/* `helo` may be an address literal: RFC 5321 4.1.1.1. */
static const char *
helo_check(struct slice in)
{
	char ip[IP_TEXT_MAX + 1];

	if (in.p[0] == '[')
		return smtp_literal_parse(in, ip);
	return smtp_domain_check(in);
}

static const char *
tag_check(struct slice in)
{
	size_t i;

	if (in.len > TAG_MAX)
		return "which is longer than 32 characters";
	for (i = 0; i < in.len; i++) {
		if (in.p[i] <= ' ' || in.p[i] > '~')
			return "which has blanks or bytes that are not ASCII";
	}
	return NULL;
}

bool
conf_read_host(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, smtp_domain_check);
}

bool
conf_read_helo(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, helo_check);
}

/* RFC 6376 3.1: as a domain name. */
bool
conf_read_selector(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, smtp_domain_check);
}

bool
conf_read_tag(struct conf_parser *p, const struct conf_word *w)
{
	return read_checked(p, w, tag_check);
}

bool
conf_read_path(struct conf_parser *p, const struct conf_word *w)
{
	if (!conf_is_text(p) || p->lex.text[0] != '/')
		return conf_expected(p, "an absolute path");
	return conf_check_path(p, p->lex.text, true) && store_text(p, w);
}

/* ---- lists ---- */

/* The text at hand becomes a key or value of a table. */
static bool
read_element(struct conf_parser *p, conf_str *out)
{
	/* The lexer has said it. */
	if (p->lex.tok == TOK_EOF || p->lex.tok == TOK_EOL)
		return false;
	if (!conf_is_text(p))
		return conf_expected(p, "an element of the list");
	*out = conf_pool_add(p, p->lex.text);
	conf_lex_next(&p->lex);
	return true;
}

static bool
read_entry(struct conf_parser *p, struct conf_table *t)
{
	struct conf_entry e = { 0 };
	bool pair;

	if (!read_element(p, &e.key))
		return false;
	pair = p->lex.tok == '=' || p->lex.tok == TOK_ARROW;
	if (t->entries.n > 0 && pair != (t->kind == TABLE_MAP))
		return conf_wrong(p,
		    "found elements and `key = value` mixed, expected one or the other");
	if (pair) {
		t->kind = TABLE_MAP;
		conf_lex_next(&p->lex);
		if (!read_element(p, &e.value))
			return false;
	}
	buf_add(&p->entry, &e, sizeof(e));
	t->entries.n++;
	return true;
}

bool
conf_entries(struct conf_parser *p, struct conf_table *t)
{
	t->kind = TABLE_LIST;
	t->entries.off = conf_count(&p->entry, sizeof(struct conf_entry));
	t->entries.n = 0;
	conf_lex_next(&p->lex);
	/* Commas may be left out, but none stands before the end. */
	do {
		if (!read_entry(p, t))
			return false;
		if (p->lex.tok == ',') {
			conf_lex_next(&p->lex);
			if (p->lex.tok == '}')
				return conf_expected(p,
				    "an element after the comma");
		}
	} while (p->lex.tok != '}');
	conf_lex_next(&p->lex);
	return true;
}

/* `<name>` */
static bool
read_table_ref(struct conf_parser *p, uint32_t *table)
{
	char shown[CONF_SHOWN_SIZE];
	conf_str name;

	conf_lex_next(&p->lex);
	if (!conf_name(p, "the table's name", &name))
		return false;
	if (p->lex.tok != '>')
		return conf_expected(p, "`>` after the table's name");
	*table = conf_find_table(p, conf_pool_text(p, name));
	if (*table == CONF_NONE)
		return conf_wrong(p,
		    "no table is named %s, expected it to be declared above",
		    conf_shown(conf_pool_text(p, name), shown));
	conf_lex_next(&p->lex);
	return true;
}

/* A table, a list, or one text; the last two become a table without name. */
static bool
read_set(struct conf_parser *p, const struct conf_word *w, uint32_t *table,
    bool src)
{
	struct conf_table t = { .line = p->line, .kind = TABLE_LIST };
	struct conf_entry e = { 0 };

	if (p->lex.tok == '<')
		return read_table_ref(p, table) &&
		    conf_check_use(p, *table, src);
	if (p->lex.tok == TOK_WORD &&
	    conf_not_yet(PLACE_VALUE, p->lex.text, p->lex.len) != NULL)
		return conf_say_not_yet(p, p->lex.text);
	if (p->lex.tok == '{') {
		if (!conf_entries(p, &t))
			return false;
	} else {
		if (!conf_is_text(p))
			return conf_expected(p, w->what);
		t.entries.off =
		    conf_count(&p->entry, sizeof(struct conf_entry));
		t.entries.n = 1;
		e.key = conf_pool_add(p, p->lex.text);
		buf_add(&p->entry, &e, sizeof(e));
		conf_lex_next(&p->lex);
	}
	*table = conf_count(&p->table, sizeof(t));
	return conf_add(p, &p->table, &t, sizeof(t), CONF_TABLE_MAX,
		   "tables and lists") &&
	    conf_check_use(p, *table, src);
}

bool
conf_read_src(struct conf_parser *p, const struct conf_word *w)
{
	conf_store(p, w, w->value);
	return read_set(p, w, &p->f.stmt.match.from_table, true);
}

bool
conf_read_domain(struct conf_parser *p, const struct conf_word *w)
{
	conf_store(p, w, w->value);
	return read_set(p, w, &p->f.stmt.match.for_table, false);
}

/* ---- times ---- */

enum { TIME_MAX = 365 * 24 * 60 * 60 };

static bool
read_seconds(struct conf_parser *p, const char *what, const char *text,
    uint32_t *out)
{
	char shown[CONF_SHOWN_SIZE];
	const char *why;
	uint64_t v;

	if ((why = num_parse_time(text, 1, TIME_MAX, &v)) != NULL)
		return conf_wrong(p,
		    "`%s`: found %s, %s, expected a time as 5m or 4h", what,
		    conf_shown(text, shown), why);
	*out = (uint32_t)v;
	return true;
}

/* `5m` or `5m*2` */
static bool
read_step(struct conf_parser *p, struct conf_retry *step)
{
	char time[32], shown[CONF_SHOWN_SIZE];
	const char *star;
	uint64_t times = 1;
	size_t len = p->lex.len;

	if ((star = strchr(p->lex.text, '*')) != NULL) {
		len = (size_t)(star - p->lex.text);
		if (num_parse(star + 1, 1, 1000000, &times) != NULL)
			return conf_wrong(p,
			    "`retry`: found %s, expected TIME*N with N from 1 to 1000000",
			    conf_lex_shown(&p->lex, shown));
	}
	if (!slice_copy((struct slice){ p->lex.text, len }, time, sizeof(time)))
		return conf_expected(p, "a time");
	step->times = (uint32_t)times;
	return read_seconds(p, "retry", time, &step->seconds);
}

static bool
read_ceiling(struct conf_parser *p, uint32_t *out)
{
	conf_lex_next(&p->lex);
	if (!conf_lex_is(&p->lex, "to"))
		return conf_expected(p, "`to`, as in `up to 4h`");
	conf_lex_next(&p->lex);
	if (!conf_is_text(p))
		return conf_expected(p, "a time");
	if (!read_seconds(p, "up to", p->lex.text, out))
		return false;
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_read_retry(struct conf_parser *p, const struct conf_word *w)
{
	uint32_t longest = 0, ceiling = 0;
	struct conf_retry step = { 0 };
	bool comma = true; /* a step must follow */

	buf_drain(&p->retry, p->retry.len);
	while (conf_is_text(p) && (comma || !conf_lex_is(&p->lex, "up"))) {
		if (!read_step(p, &step) ||
		    !conf_add(p, &p->retry, &step, sizeof(step), CONF_RETRY_MAX,
			"steps of `retry`"))
			return false;
		if (step.seconds > longest)
			longest = step.seconds;
		conf_lex_next(&p->lex);
		if ((comma = p->lex.tok == ','))
			conf_lex_next(&p->lex);
	}
	if (comma)
		return conf_expected(p, w->what);
	if (conf_lex_is(&p->lex, "up") && !read_ceiling(p, &ceiling))
		return false;
	if (ceiling != 0 && longest > ceiling)
		return conf_refuse(p,
		    "`retry` has a step of %u seconds, expected none above `up to` (%u seconds)",
		    longest, ceiling);
	if (ceiling == 0)
		ceiling = longest > CONF_RETRY_MAX_DEFAULT ?
		    longest :
		    CONF_RETRY_MAX_DEFAULT;
	p->f.conf.retry_max = ceiling;
	return true;
}

/* Into the rising list; what is there already is not added, nor a fifth:
 * OpenSMTPD takes it and forgets it. */
static void
add_warning(uint32_t warn[CONF_WARN_MAX], size_t *n, uint32_t seconds)
{
	size_t i, at;

	for (at = 0; at < *n && warn[at] < seconds; at++)
		;
	if (*n == CONF_WARN_MAX || (at < *n && warn[at] == seconds))
		return;
	for (i = (*n)++; i > at; i--)
		warn[i] = warn[i - 1];
	warn[at] = seconds;
}

bool
conf_read_warn(struct conf_parser *p, const struct conf_word *w)
{
	uint32_t seconds, *warn = p->f.conf.warn;
	bool list = p->lex.tok == '{';
	size_t n = 0;

	memset(warn, 0, sizeof(p->f.conf.warn));
	if (list)
		conf_lex_next(&p->lex);
	do {
		if (list && (p->lex.tok == TOK_EOF || p->lex.tok == TOK_EOL))
			return false;
		if (!conf_is_text(p))
			return conf_expected(p, w->what);
		if (!read_seconds(p, w->word, p->lex.text, &seconds))
			return false;
		add_warning(warn, &n, seconds);
		conf_lex_next(&p->lex);
		if (list && p->lex.tok == ',') {
			conf_lex_next(&p->lex);
			if (p->lex.tok == '}')
				return conf_expected(p,
				    "a time after the comma");
		}
	} while (list && p->lex.tok != '}');
	if (list)
		conf_lex_next(&p->lex);
	return true;
}
