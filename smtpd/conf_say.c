/*
 * What is said about a configuration that is wrong: what was found, what was
 * expected, and the mend where it is known.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf_parse.h"

enum {
	NEAR_MAX = 48,    /* bytes of words that are compared */
	DECLARED_MAX = 6, /* names that a message lists */
	LOOK_MAX = 1000,  /* names that are looked at for a likely one */
	WARNINGS_MAX = CONF_ERRORS_MAX - 1
};

/* Columns: place, word, what the message calls it. */
static const struct {
	enum conf_place place;
	const char *word, *text;
} not_yet[] = {
#define X(place, word, text) { PLACE_##place, word, text },
	CONF_NOT_YET(X)
#undef X
};

/* Columns: place, what was found, the mend. */
static const struct {
	enum conf_place place;
	const char *word, *mend;
} mends[] = {
#define X(place, word, mend) { PLACE_##place, word, mend },
	CONF_MENDS(X)
#undef X
};

static void say(struct conf_parser *p, const char *file, uint32_t line,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static void
say(struct conf_parser *p, const char *file, uint32_t line, const char *fmt,
    va_list ap)
{
	char text[1536];

	vsnprintf(text, sizeof(text), fmt, ap);
	conf_error(p->errors, file, line, "%s", text);
}

bool
conf_wrong(struct conf_parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, p->lex.file, p->lex.line, fmt, ap);
	va_end(ap);
	return false;
}

bool
conf_refuse(struct conf_parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(p, p->file, p->line, fmt, ap);
	va_end(ap);
	return false;
}

void
conf_warn(struct conf_parser *p, const struct conf_at *at, const char *fmt, ...)
{
	char text[1536];
	va_list ap;

	if (p->warnings.n >= WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conf_error(&p->warnings, conf_pool_text(p, at->file), at->line,
	    CONF_WARNING "%s",
	    p->warnings.n == WARNINGS_MAX - 1 ?
		"there are more that are not shown" :
		text);
}

bool
conf_expected(struct conf_parser *p, const char *what)
{
	char shown[CONF_SHOWN_SIZE], string[80] = "";

	/* The lexer has said why, or a list ended with the file. */
	if (p->lex.tok == TOK_BAD || (p->lex.cut && conf_at_end(p)))
		return false;
	if (p->lex.long_line >= p->line)
		snprintf(string, sizeof(string),
		    ": is the string that starts at line %u closed where it should be?",
		    p->lex.long_line);
	return conf_wrong(p, "found %s, expected %s%s%s",
	    conf_lex_shown(&p->lex, shown), what,
	    p->lex.tok == '<' ? ", written without `<` and `>`" : "", string);
}

/* ---- not yet ---- */

void
conf_not_yet(struct conf_parser *p, const char *text, const char *file,
    uint32_t line)
{
	char *last;
	size_t i;

	conf_error(&p->not_yet, file, line, "%s is not yet in this version",
	    text);
	/* Once for each line. */
	last = p->not_yet.text[p->not_yet.n - 1];
	for (i = 0; i + 1 < p->not_yet.n; i++) {
		if (strcmp(p->not_yet.text[i], last) == 0) {
			free(last);
			p->not_yet.n--;
			return;
		}
	}
}

void
conf_note_not_yet(struct conf_parser *p, enum conf_place place,
    const char *word, const char *file, uint32_t line)
{
	char text[CONF_SHOWN_SIZE];
	size_t i;

	for (i = 0; i < sizeof(not_yet) / sizeof(not_yet[0]); i++) {
		if (not_yet[i].place == place &&
		    strcmp(not_yet[i].word, word) == 0)
			break;
	}
	if (i == sizeof(not_yet) / sizeof(not_yet[0]))
		return;
	if (not_yet[i].text != NULL)
		snprintf(text, sizeof(text), "%s", not_yet[i].text);
	else
		snprintf(text, sizeof(text), "`%s`", word);
	conf_not_yet(p, text, file, line);
}

/* ---- mends ---- */

const char *
conf_mend(const struct conf_parser *p, enum conf_place place)
{
	char one[2] = { (char)p->lex.tok, '\0' };
	const char *found = one;
	size_t i;

	if (p->lex.tok == TOK_STRING)
		found = "\"";
	else if (p->lex.tok == TOK_WORD)
		found = p->lex.text;
	else if (p->negated)
		found = "!";
	for (i = 0; i < sizeof(mends) / sizeof(mends[0]); i++) {
		if (mends[i].place == place &&
		    strcmp(mends[i].word, found) == 0)
			return mends[i].mend;
	}
	return NULL;
}

/* Of two the lesser. */
static size_t
lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters must be put in, taken out, changed, or swapped with the
 * next one. */
static size_t
distance(const char *a, size_t m, const char *b, size_t n)
{
	size_t row[3][NEAR_MAX + 1], *now = row[0], *before, *last, i, j;

	for (j = 0; j <= n; j++)
		now[j] = j;
	for (i = 1; i <= m; i++) {
		last = row[(i - 1) % 3];
		before = row[(i + 1) % 3]; /* of i - 2 */
		now = row[i % 3];
		now[0] = i;
		for (j = 1; j <= n; j++) {
			now[j] = lesser(lesser(last[j], now[j - 1]) + 1,
			    last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				now[j] = lesser(now[j], before[j - 2] + 1);
		}
	}
	return now[n];
}

unsigned int
conf_unlike(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b), shorter = lesser(m, n), d;

	if (m > NEAR_MAX || n > NEAR_MAX || shorter == 0)
		return CONF_UNLIKE;
	if (strcasecmp(a, b) == 0)
		return 0;
	d = distance(a, m, b, n);
	/* `relaygan` and `relay` */
	if (d > (shorter + 1) / 4 &&
	    (shorter < 4 || strncmp(a, b, shorter) != 0))
		return CONF_UNLIKE;
	return (unsigned int)(2 * d + (m != n));
}

/* ---- names that nobody declared ---- */

void
conf_say_missing(struct conf_parser *p, enum conf_named kind, const char *name)
{
	uint32_t i, n = conf_count(&p->missing, sizeof(struct conf_missing));
	char shown[CONF_SHOWN_SIZE];
	struct conf_missing m;

	for (i = 0; i < n; i++) {
		m = *(struct conf_missing *)conf_item(&p->missing, i,
		    sizeof(m));
		if (m.kind == kind &&
		    strcmp(conf_pool_text(p, m.name), name) == 0)
			return;
	}
	m = (struct conf_missing){ kind, conf_pool_add(p, name), p->errors->n };
	conf_wrong(p, "no %s is named %s, expected it to be declared above",
	    conf_noun(kind), conf_shown(name, shown));
	buf_add(&p->missing, &m, sizeof(m));
}

/* What is declared, if it is not much. */
static void
list_declared(const struct conf_parser *p, enum conf_named kind,
    struct buf *hint)
{
	uint32_t i, n = conf_named_count(p, kind), listed = 0;
	char shown[CONF_SHOWN_SIZE];
	const char *name;

	for (i = 0; i < n && listed < DECLARED_MAX; i++) {
		name = conf_named_text(p, kind, i);
		if (name[0] == '\0')
			continue;
		buf_puts(hint, listed++ == 0 ? " (declared: " : ", ");
		buf_puts(hint, conf_shown(name, shown));
	}
	if (listed > 0)
		buf_puts(hint, i < n ? ", ...)" : ")");
}

static void
find_hint(const struct conf_parser *p, const struct conf_missing *m,
    struct buf *hint)
{
	const char *name = conf_pool_text(p, m->name);
	uint32_t i, like = 0, n = conf_named_count(p, m->kind);
	unsigned int far, least = CONF_UNLIKE;
	char shown[CONF_SHOWN_SIZE];

	if ((i = conf_find(p, m->kind, name)) != CONF_NONE) {
		buf_printf(hint,
		    ", but it is at line %u, below its use: move it up",
		    conf_declared(p, m->kind, i).line);
		return;
	}
	for (i = 0; i < n && i < LOOK_MAX; i++) {
		far = conf_unlike(name, conf_named_text(p, m->kind, i));
		if (far >= least)
			continue;
		least = far;
		like = i;
	}
	if (least < CONF_UNLIKE) {
		buf_printf(hint, ": is it %s?",
		    conf_shown(conf_named_text(p, m->kind, like), shown));
		return;
	}
	list_declared(p, m->kind, hint);
}

void
conf_hints(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->missing, sizeof(struct conf_missing));
	const struct conf_missing *m;
	struct buf hint;

	for (i = 0; i < n; i++) {
		m = conf_item(&p->missing, i, sizeof(*m));
		if (m->error >= p->errors->n)
			continue;
		buf_init(&hint, 0);
		find_hint(p, m, &hint);
		buf_add(&hint, "", 1);
		conf_errors_append(p->errors, m->error,
		    (const char *)buf_data(&hint));
		buf_free(&hint);
	}
}
