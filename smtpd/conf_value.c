/*
 * Readers of values in smtpd.conf: choices, numbers, times.  Runs in the
 * parent; each reads from the token at hand, says what is wrong, and leaves
 * the token behind at hand.
 *
 * SPDX-License-Identifier: ISC
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "conf_print.h"
#include "num.h"
#include "slice.h"

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
conf_read_choice(struct conf_parser *p, const struct conf_word *w)
{
	char words[256];

	if (*(const uint8_t *)conf_field(p, w) != 0) {
		conf_siblings(w, words, sizeof(words));
		return conf_refuse(p,
		    "found `%s` besides another of its kind, expected one of %s",
		    w->word, words);
	}
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

typedef void num_printer(struct buf *out, const char *before, uint64_t v);

static void
print_number(struct buf *out, const char *before, uint64_t v)
{
	buf_printf(out, "%s%llu", before, (unsigned long long)v);
}

static bool
read_quantity(struct conf_parser *p, const struct conf_word *w,
    num_reader *parse, num_printer *print)
{
	char shown[CONF_SHOWN_SIZE];
	struct buf range;
	const char *why;
	uint64_t v;

	if (!conf_need_text(p, w->what))
		return false;
	if ((why = parse(p->lex.text, w->min, w->max, &v)) != NULL) {
		buf_init(&range, 0);
		print(&range, "from ", w->min);
		print(&range, " to ", w->max);
		buf_add(&range, "", 1);
		conf_wrong(p, "`%s`: found %s, %s, expected %s %s", w->word,
		    conf_lex_shown(&p->lex, shown), why, w->what,
		    (const char *)buf_data(&range));
		buf_free(&range);
		return false;
	}
	conf_store(p, w, v);
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_read_number(struct conf_parser *p, const struct conf_word *w)
{
	if (p->lex.tok == TOK_STRING)
		return conf_expected(p, "a number without quotes");
	return read_quantity(p, w, num_parse, print_number);
}

bool
conf_read_size(struct conf_parser *p, const struct conf_word *w)
{
	return read_quantity(p, w, num_parse_size, conf_print_size);
}

bool
conf_read_time(struct conf_parser *p, const struct conf_word *w)
{
	return read_quantity(p, w, num_parse_time, conf_print_time);
}

/* A number, or a name of services(5), which may be in quotes. */
bool
conf_read_port(struct conf_parser *p, const struct conf_word *w)
{
	uint16_t port;

	/* `smtp` and `smtps` are reserved words. */
	if (p->lex.tok != TOK_WORD && !conf_need_text(p, w->what))
		return false;
	if (p->lex.text[0] >= '0' && p->lex.text[0] <= '9')
		return conf_read_number(p, w);
	if ((port = conf_net_service(p->lex.text)) == 0)
		return conf_expected(p,
		    "a port from 1 to 65535 or a name that services(5) knows");
	conf_store(p, w, port);
	conf_lex_next(&p->lex);
	return true;
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

bool
conf_read_ttl(struct conf_parser *p, const struct conf_word *w)
{
	uint32_t seconds;

	if (!conf_need_text(p, w->what) ||
	    !read_seconds(p, w->word, p->lex.text, &seconds))
		return false;
	conf_store(p, w, seconds);
	conf_lex_next(&p->lex);
	return true;
}

/* OpenSMTPD counts it in whole days. */
bool
conf_read_srs_ttl(struct conf_parser *p, const struct conf_word *w)
{
	uint32_t *ttl = conf_field(p, w);

	if (!conf_read_ttl(p, w))
		return false;
	return *ttl >= DAY ||
	    conf_refuse(p,
		"`srs ttl`: found less than 1d, expected 1d or more");
}

/* `10/1m`; the field is followed by that of the time. */
bool
conf_read_rate(struct conf_parser *p, const struct conf_word *w)
{
	const char *slash;
	uint32_t *rate = conf_field(p, w);
	char count[16];
	uint64_t n;

	static_assert(offsetof(struct conf_limit, per) ==
		offsetof(struct conf_limit, rate) + sizeof(uint32_t),
	    "per follows rate");
	static_assert(offsetof(struct conf_rate, per) ==
		offsetof(struct conf_rate, n) + sizeof(uint32_t),
	    "per follows rate");
	if (!conf_need_text(p, w->what))
		return false;
	slash = strchr(p->lex.text, '/');
	if (slash == NULL ||
	    !slice_copy((struct slice){ p->lex.text,
			    (size_t)(slash - p->lex.text) },
		count, sizeof(count)) ||
	    num_parse(count, 1, 1000000, &n) != NULL)
		return conf_expected(p,
		    "N/TIME with N from 1 to 1000000, as in `10/1m`");
	if (!read_seconds(p, w->word, slash + 1, rate + 1))
		return false;
	*rate = (uint32_t)n;
	conf_lex_next(&p->lex);
	return true;
}

/* ---- retry ---- */

/* `5m` or `5m*2` */
static bool
read_step(struct conf_parser *p, struct conf_step *step)
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
	if (!conf_need_text(p, "a time") ||
	    !read_seconds(p, "up to", p->lex.text, out))
		return false;
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_read_retry(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_retry *retry = &p->f.stmt.retry;
	uint32_t longest = 0, ceiling = 0;
	struct conf_step step = { 0 };
	bool comma = true; /* a step must follow */

	retry->step.off = conf_count(&p->step, sizeof(step));
	while (conf_is_text(p) && (comma || !conf_lex_is(&p->lex, "up"))) {
		if (!read_step(p, &step))
			return false;
		if (++retry->step.n > CONF_STEP_MAX)
			return conf_wrong(p, "more than %d steps of `retry`",
			    CONF_STEP_MAX);
		buf_add(&p->step, &step, sizeof(step));
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
		    "`retry` has a step that is longer than what stands behind `up to`");
	if (ceiling == 0)
		ceiling = longest > CONF_RETRY_MAX_DEFAULT ?
		    longest :
		    CONF_RETRY_MAX_DEFAULT;
	retry->max = ceiling;
	return true;
}

/* ---- bounce warn-interval ---- */

/* Into the rising list; what is there already is not added, nor a fifth:
 * OpenSMTPD takes it and forgets it. */
static void
add_warning(uint32_t warn[CONF_WARN_MAX], uint32_t seconds)
{
	size_t i, at, n = 0;

	while (n < CONF_WARN_MAX && warn[n] != 0)
		n++;
	for (at = 0; at < n && warn[at] < seconds; at++)
		;
	if (n == CONF_WARN_MAX || (at < n && warn[at] == seconds))
		return;
	for (i = n; i > at; i--)
		warn[i] = warn[i - 1];
	warn[at] = seconds;
}

static bool
read_warning(struct conf_parser *p, void *arg)
{
	uint32_t seconds;

	(void)arg;
	if (!conf_need_text(p, "a time") ||
	    !read_seconds(p, "warn-interval", p->lex.text, &seconds))
		return false;
	add_warning(p->f.conf.warn, seconds);
	conf_lex_next(&p->lex);
	return true;
}

/* `1h, 4h`, in braces or without. */
bool
conf_read_warn(struct conf_parser *p, const struct conf_word *w)
{
	memset(p->f.conf.warn, 0, sizeof(p->f.conf.warn));
	if (p->lex.tok == '{')
		return conf_list(p, w->what, read_warning, NULL);
	for (;;) {
		if (!read_warning(p, NULL))
			return false;
		if (p->lex.tok != ',')
			return true;
		conf_lex_next(&p->lex);
	}
}
