/*
 * Walks through smtpd.conf with the grammar of conf_table.h in hand: finds
 * the row for each word, has its value read, and after an error goes on with
 * the next statement, so that one run tells all that is wrong.  Runs in the
 * parent, as whoever started it; knows no directive by name.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_parse.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIELD(member)                                                          \
	offsetof(struct conf_fields, member),                                  \
	    sizeof(((struct conf_fields *)0)->member)

static const struct conf_word words[] = {
#define X(place, word, what, flags, reader, field, value, next)                \
	{ PLACE_##place, word, what, flags, conf_read_##reader, FIELD(field),  \
		0, 0, value, PLACE_##next },
	CONF_WORDS(X)
#undef X
#define X(place, word, reader, field, min, max, def)                           \
	{ PLACE_##place, word, "a " #reader, 0, conf_read_##reader,            \
		FIELD(field), min, max, def, PLACE_TOP },
	    CONF_SETTINGS(X)
#undef X
#define X(place, word)                                                         \
	{ PLACE_##place, word, NULL, 0, NULL, FIELD(none), 0, 0, 0, PLACE_TOP },
		CONF_NOT_YET(X)
#undef X
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static const struct {
	enum conf_often often;
	bool (*end)(struct conf_parser *);
} places[PLACES] = {
#define X(name, often, end) { often, end },
	CONF_PLACES(X)
#undef X
};

static const struct {
	const char *first;
	uint32_t n;
	const char *word;
} pre_6_4[] = {
#define X(first, n, word) { first, n, word },
	CONF_PRE_6_4(X)
#undef X
};

/* ---- rows and texts ---- */

uint32_t
conf_count(const struct buf *rows, size_t size)
{
	return (uint32_t)(rows->len / size);
}

void *
conf_at(const struct buf *rows, uint32_t i, size_t size)
{
	assert(i < conf_count(rows, size));
	return rows->mem + rows->off + (size_t)i * size;
}

bool
conf_add(struct conf_parser *p, struct buf *rows, const void *row, size_t size,
    uint32_t max, const char *what)
{
	if (conf_count(rows, size) >= max)
		return conf_refuse(p, "more than %u %s", max, what);
	buf_add(rows, row, size);
	return true;
}

/* What is read is bounded, so the pool is: it needs no ceiling. */
conf_str
conf_pool_add(struct conf_parser *p, const char *text)
{
	conf_str at = (conf_str)p->pool.len;

	if (text[0] == '\0')
		return 0;
	buf_add(&p->pool, text, strlen(text) + 1);
	return at;
}

const char *
conf_pool_text(const struct conf_parser *p, conf_str s)
{
	return (const char *)buf_data(&p->pool) + s;
}

uint32_t
conf_find_table(const struct conf_parser *p, const char *name)
{
	uint32_t i, n = conf_count(&p->table, sizeof(struct conf_table));
	const struct conf_table *t;

	for (i = 0; i < n; i++) {
		t = conf_at(&p->table, i, sizeof(*t));
		if (t->name != 0 &&
		    strcmp(conf_pool_text(p, t->name), name) == 0)
			return i;
	}
	return CONF_NONE;
}

uint32_t
conf_find_action(const struct conf_parser *p, const char *name)
{
	uint32_t i, n = conf_count(&p->action, sizeof(struct conf_action));
	const struct conf_action *a;

	for (i = 0; i < n; i++) {
		a = conf_at(&p->action, i, sizeof(*a));
		if (strcmp(conf_pool_text(p, a->name), name) == 0)
			return i;
	}
	return CONF_NONE;
}

void
conf_store(struct conf_parser *p, const struct conf_word *w, uint64_t v)
{
	unsigned char *at = (unsigned char *)&p->f + w->off;
	uint8_t v8 = (uint8_t)v;
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	switch (w->size) {
	case 1:
		memcpy(at, &v8, 1);
		break;
	case 2:
		memcpy(at, &v16, 2);
		break;
	case 4:
		memcpy(at, &v32, 4);
		break;
	case 8:
		memcpy(at, &v, 8);
		break;
	default:
		assert(0);
	}
}

/* ---- what is wrong ---- */

static void say(struct conf_parser *p, const char *file, uint32_t line,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

static void
say(struct conf_parser *p, const char *file, uint32_t line, const char *fmt,
    va_list ap)
{
	char text[1024];

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

bool
conf_expected(struct conf_parser *p, const char *what)
{
	char shown[CONF_SHOWN_SIZE];

	/* The lexer has said why, or a list ended with the file. */
	if (p->lex.tok == TOK_BAD)
		return false;
	return conf_wrong(p, "found %s, expected %s",
	    conf_lex_shown(&p->lex, shown), what);
}

bool
conf_say_not_yet(struct conf_parser *p, const char *word)
{
	return conf_wrong(p, "`%s` is not yet in this version", word);
}

/* Adds a text at *n. */
static void
append(char *out, size_t size, size_t *n, const char *text)
{
	size_t len = strlen(text);

	if (len >= size - *n)
		return;
	memcpy(out + *n, text, len + 1);
	*n += len;
}

/* "`a`, `b` or something": all that may stand in a place. */
static bool
expected_in(struct conf_parser *p, enum conf_place place)
{
	const struct conf_word *row[WORDS];
	size_t i, rows = 0, n = 0;
	char list[768] = "";

	for (i = 0; i < WORDS; i++) {
		if (words[i].place == place && words[i].read != NULL)
			row[rows++] = &words[i];
	}
	for (i = 0; i < rows; i++) {
		if (i > 0)
			append(list, sizeof(list), &n,
			    i == rows - 1 ? " or " : ", ");
		if (row[i]->word == NULL) {
			append(list, sizeof(list), &n, row[i]->what);
			continue;
		}
		append(list, sizeof(list), &n, "`");
		append(list, sizeof(list), &n, row[i]->word);
		append(list, sizeof(list), &n, "`");
	}
	return conf_expected(p, list);
}

/* ---- the walk ---- */

static bool
at_end(const struct conf_parser *p)
{
	return p->lex.tok == TOK_EOL || p->lex.tok == TOK_EOF;
}

const struct conf_word *
conf_not_yet(enum conf_place place, const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < WORDS; i++) {
		if (words[i].read == NULL && words[i].place == place &&
		    strlen(words[i].word) == len &&
		    memcmp(words[i].word, word, len) == 0)
			return &words[i];
	}
	return NULL;
}

/* The row for the token at hand; a row without a word takes any. */
static const struct conf_word *
find_word(const struct conf_parser *p, enum conf_place place)
{
	const struct conf_word *any = NULL;
	size_t i;

	for (i = 0; i < WORDS; i++) {
		if (words[i].place != place)
			continue;
		if (words[i].word == NULL)
			any = &words[i];
		else if (conf_lex_is(&p->lex, words[i].word))
			return &words[i];
	}
	return any;
}

/* Finds the row and steps over its word; NULL: said why there is none. */
static const struct conf_word *
take_word(struct conf_parser *p, enum conf_place place)
{
	const struct conf_word *w;
	char shown[CONF_SHOWN_SIZE];

	p->negated = p->lex.tok == '!';
	if (p->negated)
		conf_lex_next(&p->lex);
	if (at_end(p) || p->lex.tok == TOK_BAD ||
	    (w = find_word(p, place)) == NULL) {
		expected_in(p, place);
		return NULL;
	}
	if (w->read == NULL) {
		conf_say_not_yet(p, w->word);
		return NULL;
	}
	if (p->negated && !(w->flags & CW_NOT)) {
		conf_wrong(p, "`!` cannot stand before %s",
		    conf_lex_shown(&p->lex, shown));
		return NULL;
	}
	return w;
}

/* Has each word been said that must be?  seen: bits by row of the place. */
static bool
complete(struct conf_parser *p, enum conf_place place, uint64_t seen)
{
	uint64_t bit = 1;
	size_t i;

	for (i = 0; i < WORDS; i++) {
		if (words[i].place != place)
			continue;
		if ((words[i].flags & CW_NEED) && !(seen & bit))
			return conf_wrong(p, "`%s` is missing, with %s",
			    words[i].word, words[i].what);
		bit <<= 1;
	}
	return true;
}

static bool
once(struct conf_parser *p, const struct conf_word *w, uint64_t *seen)
{
	const struct conf_word *i;
	uint64_t bit = 1;

	for (i = words; i != w; i++) {
		if (i->place == w->place)
			bit <<= 1;
	}
	if (*seen & bit)
		return conf_wrong(p, "`%s` stands twice in one statement",
		    w->word);
	*seen |= bit;
	return true;
}

/* Depth is that of the grammar: no place leads back to itself. */
static bool
walk(struct conf_parser *p, enum conf_place place)
{
	enum conf_often often = places[place].often;
	const struct conf_word *w;
	uint64_t seen = 0;

	do {
		if (at_end(p) && (often == MANY || seen != 0))
			break;
		if ((w = take_word(p, place)) == NULL || !once(p, w, &seen))
			return false;
		if (w->word != NULL)
			conf_lex_next(&p->lex);
		if (w->what != NULL && at_end(p) && w->word != NULL)
			return conf_expected(p, w->what);
		if (!w->read(p, w))
			return false;
		if (w->next != PLACE_TOP && !walk(p, w->next))
			return false;
	} while (often != ONE && !(w->flags & CW_LAST));
	if (!complete(p, place, seen))
		return false;
	return places[place].end == NULL || places[place].end(p);
}

/* ---- statements ---- */

/* Stores the defaults of settings: of one statement, or of the whole. */
static void
set_defaults(struct conf_parser *p, bool stmt)
{
	size_t i;

	for (i = 0; i < WORDS; i++) {
		if (words[i].max != 0 &&
		    stmt ==
			(words[i].off >= offsetof(struct conf_fields, stmt)))
			conf_store(p, &words[i], words[i].value);
	}
}

static void
begin(struct conf_parser *p)
{
	p->file = p->lex.file;
	p->line = p->lex.line;
	p->negated = false;
	buf_drain(&p->where, p->where.len);
	memset(&p->f.stmt, 0, sizeof(p->f.stmt));
	p->f.stmt.match.action = CONF_NONE;
	p->f.stmt.match.from_table = CONF_NONE;
	p->f.stmt.match.for_table = CONF_NONE;
	set_defaults(p, true);
	conf_lex_statement(&p->lex);
}

/* A whole file of the old grammar: this is all that is worth saying. */
static void
say_pre_6_4(struct conf_parser *p, const char *what)
{
	conf_errors_free(p->errors);
	conf_wrong(p,
	    "found `%s` of the grammar before OpenSMTPD 6.4, expected that of 6.4 and later, in which rules are `match` and `action`: see smtpd.conf(5)",
	    what);
	p->lex.stop = true;
}

/* Looks at the token at hand, which is one more of the statement. */
static void
look_for_pre_6_4(struct conf_parser *p, const char *first)
{
	size_t i;

	for (i = 0; i < sizeof(pre_6_4) / sizeof(pre_6_4[0]); i++) {
		if (strcmp(first, pre_6_4[i].first) == 0 &&
		    p->lex.count == pre_6_4[i].n &&
		    conf_lex_is(&p->lex, pre_6_4[i].word)) {
			say_pre_6_4(p, pre_6_4[i].word);
			return;
		}
	}
}

/* To the end of a statement that failed. */
static void
skip(struct conf_parser *p, const char *first)
{
	p->lex.quiet = true;
	while (!at_end(p)) {
		look_for_pre_6_4(p, first);
		conf_lex_next(&p->lex);
	}
}

/* `name = value`, with the name at hand. */
static bool
define(struct conf_parser *p)
{
	char name[CONF_MACRO_NAME_MAX + 2], shown[CONF_SHOWN_SIZE];
	const char *why;

	if (conf_reserved(p->lex.text))
		return conf_wrong(p,
		    "`%s` is a reserved word, expected another name for the macro",
		    p->lex.text);
	snprintf(name, sizeof(name), "%.*s", (int)sizeof(name) - 1,
	    p->lex.text);
	conf_lex_next(&p->lex); /* the `=` */
	conf_lex_next(&p->lex);
	if (p->lex.tok != TOK_WORD && p->lex.tok != TOK_STRING)
		return conf_expected(p, "the macro's value");
	why = conf_lex_define(&p->lex, name, p->lex.text, false);
	if (why != NULL)
		return conf_wrong(p, "macro %s: %s", conf_shown(name, shown),
		    why);
	conf_lex_next(&p->lex);
	if (!at_end(p))
		return conf_expected(p,
		    "end of line (quotes around a value of several words)");
	return true;
}

static bool
read_statement(struct conf_parser *p)
{
	if (p->lex.tok == TOK_WORD && conf_lex_assigns(&p->lex))
		return define(p);
	if (!walk(p, PLACE_TOP))
		return false;
	return at_end(p) || conf_expected(p, "end of line");
}

static void
statement(struct conf_parser *p)
{
	char first[CONF_SHOWN_MAX];

	begin(p);
	snprintf(first, sizeof(first), "%.*s", (int)sizeof(first) - 1,
	    p->lex.tok == TOK_WORD ? p->lex.text : "");
	if (!read_statement(p)) {
		conf_declare_anyway(p);
		skip(p, first);
		return;
	}
	if (p->f.stmt.include == NULL)
		return;
	conf_lex_open(&p->lex, p->f.stmt.include, p->file, p->line);
	conf_lex_next(&p->lex);
}

static void
defaults(struct conf_parser *p)
{
	static const struct conf_retry steps[] = { CONF_RETRY_DEFAULT };

	set_defaults(p, false);
	p->f.conf.retry_max = CONF_RETRY_MAX_DEFAULT;
	p->f.conf.warn[0] = CONF_WARN_DEFAULT;
	buf_add(&p->retry, steps, sizeof(steps));
	buf_add(&p->pool, "", 1);
}

void
conf_parse(struct conf_parser *p, const char *path,
    const struct conf_macro *macros, size_t n)
{
	char shown[CONF_SHOWN_SIZE];
	const char *why;
	size_t i;

	defaults(p);
	p->f.conf.path = conf_pool_add(p, path);
	for (i = 0; i < n; i++) {
		why = conf_lex_define(&p->lex, macros[i].name, macros[i].value,
		    true);
		if (why != NULL)
			conf_error(p->errors, "-D", 0, "%s: %s",
			    conf_shown(macros[i].name, shown), why);
	}
	if (!conf_lex_open(&p->lex, path, NULL, 0))
		return;
	conf_lex_next(&p->lex);
	while (p->lex.tok != TOK_EOF) {
		if (p->lex.tok == TOK_EOL)
			conf_lex_next(&p->lex);
		else
			statement(p);
	}
	conf_listen_local(p);
	if (p->errors->n == 0)
		conf_check_all(p);
}
