/*
 * Lists and tables of smtpd.conf: declared, named by <table>, or written
 * where they are used.  Runs in the parent; opens table files only to see
 * that they are there.
 *
 * SPDX-License-Identifier: ISC
 */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "conf_parse.h"
#include "idn.h"
#include "slice.h"

/* ---- lists ---- */

bool
conf_list(struct conf_parser *p, const char *what,
    bool (*element)(struct conf_parser *p, void *arg), void *arg)
{
	conf_lex_next(&p->lex);
	if (p->lex.tok == '}')
		return conf_expected(p, what);
	/* Commas may be left out, but none stands before the end. */
	do {
		/* The lexer has said it. */
		if (conf_at_end(p) || !element(p, arg))
			return false;
		if (p->lex.tok != ',')
			continue;
		conf_lex_next(&p->lex);
		if (p->lex.tok == '}')
			return conf_expected(p, "an element after the comma");
	} while (p->lex.tok != '}');
	conf_lex_next(&p->lex);
	return true;
}

/* The text at hand becomes a key or value of a table. */
static bool
read_element(struct conf_parser *p, conf_str *out)
{
	if (p->lex.tok == TOK_STRING) {
		*out = conf_take_text(p);
		return true;
	}
	if (conf_at_end(p) || !conf_need_text(p, "an element of the list"))
		return false;
	*out = conf_take_text(p);
	return true;
}

static bool
read_entry(struct conf_parser *p, void *arg)
{
	struct conf_table *t = arg;
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

static void
begin_entries(struct conf_parser *p, struct conf_table *t)
{
	t->kind = TABLE_LIST;
	t->entries.off = conf_count(&p->entry, sizeof(struct conf_entry));
	t->entries.n = 0;
}

static bool
read_entries(struct conf_parser *p, struct conf_table *t)
{
	begin_entries(p, t);
	return conf_list(p, "an element of the list", read_entry, t);
}

/* ---- what a service is asked with ---- */

/* Each in the form in which it is looked up, NULL; or why it has none. */
typedef const char *normal_fn(const char *text, char *out, size_t size);

/* A domain, or a pattern with stars.  OpenSMTPD takes what no domain has, and
 * it matches nothing. */
static const char *
normal_domain(const char *text, char *out, size_t size)
{
	char domain[DOMAIN_MAX + 1];
	const char *why;

	if (strchr(text, '$') != NULL)
		return "a macro is read only where a word begins";
	if (strchr(text, '@') != NULL)
		return "an address, as `rcpt-to` and `mail-from` take them";
	if ((why = idn_domain(slice_of(text), domain)) != NULL)
		return why;
	snprintf(out, size, "%s", domain);
	return NULL;
}

/* user@domain, @domain, or user */
static const char *
normal_address(const char *text, char *out, size_t size)
{
	const char *at = strrchr(text, '@'), *why;
	char domain[DOMAIN_MAX + 1];

	if (at == NULL || at[1] == '\0' || at[1] == '[') {
		snprintf(out, size, "%s", text);
		return NULL;
	}
	if ((why = normal_domain(at + 1, domain, sizeof(domain))) != NULL)
		return why;
	snprintf(out, size, "%.*s%s", (int)(at + 1 - text), text, domain);
	return NULL;
}

/* POSIX extended; "(?i)" in front: in any case. */
static const char *
check_regex(const char *text, char *out, size_t size)
{
	static const char any_case[] = "(?i)";
	const char *p = text;
	regex_t re;

	if (strncmp(p, any_case, sizeof(any_case) - 1) == 0)
		p += sizeof(any_case) - 1;
	if (regcomp(&re, p, REG_EXTENDED | REG_NOSUB) != 0)
		return "which is no regular expression";
	regfree(&re);
	snprintf(out, size, "%s", text);
	return NULL;
}

/* Of services whose keys have a form; addresses of hosts are looked at by
 * conf_check_use(), which sees named tables too. */
static normal_fn *const normal[SERVICES] = {
	[SERVICE_DOMAIN] = normal_domain,
	[SERVICE_MAILADDR] = normal_address,
	[SERVICE_REGEX] = check_regex,
};

/* Entries of a list that only this service asks. */
static bool
normalise(struct conf_parser *p, const struct conf_table *t,
    enum conf_service service, const char *what)
{
	char text[CONF_WORD_MAX + 1], shown[CONF_SHOWN_SIZE];
	struct conf_entry *e;
	const char *key, *why;
	uint32_t i;

	for (i = 0; normal[service] != NULL && i < t->entries.n; i++) {
		e = conf_item(&p->entry, t->entries.off + i, sizeof(*e));
		key = conf_pool_text(p, e->key);
		why = normal[service](key, text, sizeof(text));
		if (why != NULL) {
			conf_refuse(p, "found %s, %s, expected %s",
			    conf_shown(key, shown), why, what);
			continue;
		}
		if (strcmp(key, text) == 0)
			continue;
		conf_pool_wipe(p, e->key);
		e->key = conf_pool_add(p, text);
	}
	return true;
}

/* ---- sets ---- */

/* `<name>` */
static bool
read_table_ref(struct conf_parser *p, uint32_t *table)
{
	conf_lex_next(&p->lex);
	if (!conf_name_ref(p, NAMED_TABLE, "the table's name", table))
		return false;
	if (p->lex.tok != '>')
		return conf_expected(p, "`>` after the table's name");
	conf_lex_next(&p->lex);
	return true;
}

/* Expressions of a table that stands in the configuration. */
static void
check_expressions(struct conf_parser *p, uint32_t table)
{
	const struct conf_table *t = conf_item(&p->table, table, sizeof(*t));
	char text[CONF_WORD_MAX + 1], shown[CONF_SHOWN_SIZE];
	const struct conf_entry *e;
	const char *key, *why;
	uint32_t i;

	for (i = 0; t->kind == TABLE_LIST && i < t->entries.n; i++) {
		e = conf_item(&p->entry, t->entries.off + i, sizeof(*e));
		key = conf_pool_text(p, e->key);
		why = check_regex(key, text, sizeof(text));
		if (why != NULL)
			conf_refuse(p, "found %s in the table of line %u, %s",
			    conf_shown(key, shown), t->at.line, why);
	}
}

bool
conf_is_set(const struct conf_parser *p)
{
	return p->lex.tok == '<' || p->lex.tok == '{' || conf_is_text(p);
}

bool
conf_is_set_in(const struct conf_parser *p, enum conf_place place)
{
	return conf_is_set(p) && !conf_is_word(p, place);
}

bool
conf_set(struct conf_parser *p, const char *what, enum conf_service service,
    enum conf_shape shape, uint32_t *table)
{
	struct conf_table t = { .at = conf_here(p), .kind = TABLE_LIST };
	struct conf_entry e = { 0 };

	*table = CONF_NONE;
	if (p->lex.tok == '<') {
		if (!read_table_ref(p, table))
			return false;
		if (*table == CONF_NONE)
			return true;
		conf_check_use(p, *table, service, shape);
		if (service == SERVICE_REGEX)
			check_expressions(p, *table);
		return true;
	}
	if (p->lex.tok == '{') {
		if (!read_entries(p, &t))
			return false;
	} else {
		if (!conf_need_text(p, what))
			return false;
		begin_entries(p, &t);
		t.entries.n = 1;
		e.key = conf_take_text(p);
		buf_add(&p->entry, &e, sizeof(e));
	}
	*table = conf_count(&p->table, sizeof(t));
	if (!conf_add(p, &p->table, &t, sizeof(t), CONF_TABLE_MAX,
		"tables and lists"))
		return false;
	normalise(p, &t, service, what);
	conf_check_use(p, *table, service, shape);
	return true;
}

static bool
read_set(struct conf_parser *p, const struct conf_word *w,
    enum conf_shape shape)
{
	uint32_t table;

	p->use = w->word;
	if (!conf_set(p, w->what, (enum conf_service)w->value, shape, &table))
		return false;
	conf_store(p, w, table);
	return true;
}

bool
conf_read_map(struct conf_parser *p, const struct conf_word *w)
{
	return read_set(p, w, SHAPE_MAP);
}

bool
conf_read_list(struct conf_parser *p, const struct conf_word *w)
{
	return read_set(p, w, SHAPE_LIST);
}

/* ---- domains of `retry`, `limit` and `tls` ---- */

static bool
read_domain(struct conf_parser *p, void *arg)
{
	char domain[DOMAIN_MAX + 1], shown[CONF_SHOWN_SIZE];
	struct conf_entry e = { 0 };
	struct conf_span *span = arg;
	const char *why;

	if (!conf_need_text(p, "a domain"))
		return false;
	if ((why = conf_domain(p->lex.text, DOMAIN_STARS, domain)) != NULL)
		return conf_wrong(p,
		    "`%s`: found %s, %s, expected a domain, or `*.` and one",
		    p->use, conf_lex_shown(&p->lex, shown), why);
	e.key = conf_pool_add(p, domain);
	buf_add(&p->entry, &e, sizeof(e));
	span->n++;
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_read_domains(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_span *span = conf_field(p, w);

	p->use = w->word;
	*span = (struct conf_span){ .off = conf_count(&p->entry,
					sizeof(struct conf_entry)) };
	if (p->lex.tok == '{')
		return conf_list(p, w->what, read_domain, span);
	return read_domain(p, span);
}

/* ---- table ---- */

/* Columns: type, kind.  Others are programs. */
static const struct {
	const char *type;
	enum conf_table_kind kind;
} types[] = {
	{ "file", TABLE_FILE },
	{ "db", TABLE_DB },
	{ "passwd", TABLE_PASSWD },
};

/* A program: its command, or what it is told. */
static bool
read_program(struct conf_parser *p, struct conf_table *t, const char *type,
    const char *rest)
{
	char why[CONF_PROGRAM_WHY], shown[CONF_SHOWN_SIZE];

	/* It stands in the lines that its program reads. */
	if (strchr(conf_pool_text(p, t->name), '|') != NULL)
		return conf_wrong(p,
		    "a table with a program cannot have `|` in its name");
	t->kind = TABLE_PROC;
	t->type = conf_pool_add(p, type);
	t->path = conf_pool_add(p, rest);
	if (p->text_alone || conf_check_program(type, rest, why) == NULL) {
		conf_lex_next(&p->lex);
		return true;
	}
	if (strcmp(type, "proc") == 0 || strcmp(type, "proc-exec") == 0)
		conf_wrong(p, "`%s:`: %s", type, why);
	else
		conf_wrong(p,
		    "found %s, an unknown type of table, expected `file:`, `db:`, `passwd:`, `proc-exec:` or one that has a program (%s)",
		    conf_lex_shown(&p->lex, shown), why);
	conf_lex_next(&p->lex);
	return true;
}

/* `TYPE:PATH` or `PATH` at hand. */
static bool
read_source(struct conf_parser *p, struct conf_table *t)
{
	const char *text = p->lex.text, *colon = strchr(text, ':');
	char type[32], expected[96];
	size_t i;

	snprintf(type, sizeof(type), "file");
	if (text[0] != '/' && colon == NULL)
		return conf_expected(p, "`{`, TYPE:PATH or an absolute path");
	if (text[0] != '/' &&
	    !slice_copy((struct slice){ text, (size_t)(colon - text) }, type,
		sizeof(type)))
		return conf_expected(p,
		    "a type of table before the colon, as in `file:PATH`");
	if (text[0] != '/')
		text = colon + 1;
	if (*text != '/') {
		snprintf(expected, sizeof(expected),
		    "an absolute path after `%s:`", type);
		return conf_expected(p, expected);
	}
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].type, type) == 0)
			break;
	}
	if (i == sizeof(types) / sizeof(types[0]))
		return read_program(p, t, type, text);
	t->kind = (uint8_t)types[i].kind;
	if (conf_check_path(p, text, false) && t->kind == TABLE_DB &&
	    !p->text_alone)
		conf_check_db(p, text);
	t->path = conf_pool_add(p, text);
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_read_table_source(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_table *t = &p->f.stmt.table;

	if (p->lex.tok == '{')
		return read_entries(p, t);
	return conf_need_text(p, w->what) && read_source(p, t);
}

bool
conf_table_end(struct conf_parser *p)
{
	return conf_add_named(p, NAMED_TABLE);
}
