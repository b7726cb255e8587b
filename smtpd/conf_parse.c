/*
 * Walks through smtpd.conf with the grammar of conf_table.h in hand: finds
 * the row for each word, has its value read, and after an error goes on with
 * the next statement, so that one run tells all that is wrong.  Runs in the
 * parent, as whoever started it; knows no directive by name.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_parse.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

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
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static const struct {
	enum conf_often often;
	bool (*end)(struct conf_parser *);
	enum conf_place then;
} places[PLACES] = {
#define X(name, often, end, then) { often, end, PLACE_##then },
	CONF_PLACES(X)
#undef X
};

/* ---- what may stand in a place ---- */

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

/* "`a`, `b` or something" */
static void
list_rows(const struct conf_word *const *row, size_t rows, char *out,
    size_t size)
{
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; i < rows; i++) {
		if (i > 0)
			append(out, size, &n, i == rows - 1 ? " or " : ", ");
		if (row[i]->word == NULL) {
			append(out, size, &n, row[i]->what);
			continue;
		}
		append(out, size, &n, "`");
		append(out, size, &n, row[i]->word);
		append(out, size, &n, "`");
	}
}

void
conf_siblings(const struct conf_word *w, char *out, size_t size)
{
	const struct conf_word *row[WORDS];
	size_t i, rows = 0;

	for (i = 0; i < WORDS; i++) {
		if (words[i].place == w->place && words[i].off == w->off)
			row[rows++] = &words[i];
	}
	list_rows(row, rows, out, size);
}

static bool
expected_in(struct conf_parser *p, enum conf_place place)
{
	const struct conf_word *row[WORDS], *like = NULL;
	unsigned int far, least = CONF_UNLIKE;
	char list[1280], meant[CONF_SHOWN_SIZE];
	size_t i, n, rows = 0;

	for (i = 0; i < WORDS; i++) {
		if (words[i].place != place)
			continue;
		row[rows++] = &words[i];
		if (words[i].word == NULL || p->lex.tok != TOK_WORD)
			continue;
		far = conf_unlike(p->lex.text, words[i].word);
		if (far >= least)
			continue;
		least = far;
		like = &words[i];
	}
	list_rows(row, rows, list, sizeof(list) - sizeof(meant));
	/* Of one that is expected it has been said. */
	if (like != NULL && rows > 1) {
		snprintf(meant, sizeof(meant), ": is it `%s`?", like->word);
		n = strlen(list);
		append(list, sizeof(list), &n, meant);
	}
	return conf_expected(p, list);
}

/* ---- the walk ---- */

bool
conf_at_end(const struct conf_parser *p)
{
	return p->lex.tok == TOK_EOL || p->lex.tok == TOK_EOF;
}

/* The row for the word at hand, or NULL; any: the row that takes any. */
static const struct conf_word *
find_word(const struct conf_parser *p, enum conf_place place,
    const struct conf_word **any)
{
	size_t i;

	*any = NULL;
	for (i = 0; i < WORDS; i++) {
		if (words[i].place != place)
			continue;
		if (words[i].word == NULL)
			*any = &words[i];
		else if (conf_lex_is(&p->lex, words[i].word))
			return &words[i];
	}
	return NULL;
}

bool
conf_is_word(const struct conf_parser *p, enum conf_place place)
{
	const struct conf_word *any;

	return find_word(p, place, &any) != NULL;
}

/* Finds the row and steps over a `!`; NULL: said why there is none. */
static const struct conf_word *
take_word(struct conf_parser *p, enum conf_place place)
{
	const struct conf_word *w, *any;
	char shown[CONF_SHOWN_SIZE];
	const char *mend;

	p->negated = p->lex.tok == '!';
	if (p->negated)
		conf_lex_next(&p->lex);
	w = find_word(p, place, &any);
	if (w == NULL && !conf_at_end(p) && p->lex.tok != TOK_BAD &&
	    (mend = conf_mend(p, place)) != NULL) {
		conf_wrong(p, "found %s: %s", conf_lex_shown(&p->lex, shown),
		    mend);
		return NULL;
	}
	if (w == NULL)
		w = any;
	if (conf_at_end(p) || p->lex.tok == TOK_BAD || w == NULL) {
		expected_in(p, place);
		return NULL;
	}
	if (p->negated && !(w->flags & CW_NOT)) {
		conf_wrong(p, "`!` cannot stand before %s",
		    conf_lex_shown(&p->lex, shown));
		return NULL;
	}
	return w;
}

/* Has each word been said that must be, and one of those that end the place
 * if it has such?  seen: bits by row of the place. */
static bool
complete(struct conf_parser *p, enum conf_place place, uint64_t seen)
{
	const struct conf_word *last[WORDS];
	size_t i, lasts = 0;
	uint64_t bit = 1;
	char list[256];
	bool ended = false;

	for (i = 0; i < WORDS; i++) {
		if (words[i].place != place)
			continue;
		if ((words[i].flags & CW_NEED) && !(seen & bit))
			return conf_wrong(p, "`%s` is missing, with %s",
			    words[i].word, words[i].what);
		if (words[i].flags & CW_LAST) {
			last[lasts++] = &words[i];
			ended = ended || (seen & bit) != 0;
		}
		bit <<= 1;
	}
	if (lasts == 0 || ended)
		return true;
	list_rows(last, lasts, list, sizeof(list));
	return conf_expected(p, list);
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
	if ((*seen & bit) && !(w->flags & CW_MANY))
		return conf_wrong(p, "`%s` stands twice in one statement",
		    w->word);
	*seen |= bit;
	return true;
}

/* The value of a word, and what it is refused for. */
static bool
read_word(struct conf_parser *p, const struct conf_word *w)
{
	const char *file = p->lex.file;
	uint32_t line = p->lex.line;

	if (w->word != NULL)
		conf_lex_next(&p->lex);
	if (w->what != NULL && conf_at_end(p) && w->word != NULL)
		return conf_expected(p, w->what);
	if (!w->read(p, w))
		return false;
	if (w->word != NULL)
		conf_note_not_yet(p, w->place, w->word, file, line);
	return true;
}

/* Depth is that of the grammar: no place leads back to itself. */
static bool
walk(struct conf_parser *p, enum conf_place place)
{
	enum conf_often often = places[place].often;
	const struct conf_word *w, *any;
	uint64_t seen = 0;

	do {
		if (conf_at_end(p) && (often >= MANY || seen != 0))
			break;
		if (often == MAYBE && find_word(p, place, &any) == NULL)
			break;
		if ((w = take_word(p, place)) == NULL || !once(p, w, &seen) ||
		    !read_word(p, w))
			return false;
		if (w->next != PLACE_TOP && !walk(p, w->next))
			return false;
	} while ((often == SOME || often == MANY) && !(w->flags & CW_LAST));
	if (!complete(p, place, seen))
		return false;
	if (places[place].then != PLACE_TOP && !walk(p, places[place].then))
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
	struct conf_stmt *s = &p->f.stmt;

	p->file = p->lex.file;
	p->line = p->lex.line;
	p->negated = false;
	buf_drain(&p->where, p->where.len);
	memset(s, 0, sizeof(*s));
	s->listen.ca = s->listen.auth_table = CONF_NONE;
	s->listen.hostnames = s->listen.senders = CONF_NONE;
	s->listen.proxy = s->listen.xclient = CONF_NONE;
	s->listen.submission_table = CONF_NONE;
	s->filter.proc = s->filter.table = CONF_NONE;
	s->action.alias = s->action.virtual_ = CONF_NONE;
	s->action.userbase = s->action.wrapper = CONF_NONE;
	s->action.host_table = s->action.domain = CONF_NONE;
	s->action.auth = s->action.src = s->action.helo_src = CONF_NONE;
	s->action.host.off = conf_count(&p->host, sizeof(struct conf_host));
	s->match.action = CONF_NONE;
	set_defaults(p, true);
	conf_lex_statement(&p->lex);
}

/* ---- after an error ---- */

/* Does the token at hand begin a statement, though a list is open?  Nobody
 * breaks a line of a list before such a word, but closing braces get lost. */
static bool
list_was_lost(const struct conf_parser *p)
{
	const struct conf_word *any;

	return p->lex.braces > 0 && p->lex.first && p->lex.tok == TOK_WORD &&
	    conf_reserved(p->lex.text) && find_word(p, PLACE_TOP, &any) != NULL;
}

/* To the end of a statement that failed. */
static void
skip(struct conf_parser *p, const char *first)
{
	p->lex.quiet = true;
	while (!conf_at_end(p) && !list_was_lost(p)) {
		if (p->old == NULL)
			conf_old_look(p, first);
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
	if (!conf_at_end(p))
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
	return conf_at_end(p) || conf_expected(p, "end of line");
}

/* Of an old file, macros and the first rule matter. */
static void
old_statement(struct conf_parser *p)
{
	if (p->lex.tok == TOK_WORD && conf_lex_assigns(&p->lex)) {
		define(p);
	} else if (conf_old_begins(p)) {
		conf_old_new_form(p);
		p->lex.stop = true;
	}
	skip(p, "");
}

/*
 * A keyword that begins no statement goes on with the one before: the
 * backslash of that line got lost.  False: it was something else.
 */
static bool
continuation_lost(struct conf_parser *p)
{
	const struct conf_word *any;

	if (p->lex.tok != TOK_WORD || !conf_reserved(p->lex.text) ||
	    find_word(p, PLACE_TOP, &any) != NULL ||
	    conf_mend(p, PLACE_TOP) != NULL || p->end_line == 0 ||
	    conf_lex_assigns(&p->lex))
		return false;
	if (p->ends_early != 0 && p->ends_early == p->errors->n)
		conf_errors_append(p->errors, p->ends_early - 1,
		    ": is a backslash missing at its end?");
	else
		conf_wrong(p,
		    "found `%s`, which begins no statement: is a backslash missing at the end of line %u?",
		    p->lex.text, p->end_line);
	return true;
}

static void
read_or_skip(struct conf_parser *p)
{
	char first[CONF_SHOWN_MAX];
	size_t had = p->errors->n;

	snprintf(first, sizeof(first), "%.*s", (int)sizeof(first) - 1,
	    p->lex.tok == TOK_WORD ? p->lex.text : "");
	if (continuation_lost(p)) {
		skip(p, first);
	} else if (!read_statement(p)) {
		p->ends_early = p->lex.tok == TOK_EOL && p->errors->n > had ?
		    p->errors->n :
		    0;
		conf_declare_anyway(p);
		p->f.stmt.include = NULL;
		skip(p, first);
	} else {
		p->ends_early = 0;
	}
	p->end_line = p->lex.line;
}

static void
statement(struct conf_parser *p)
{
	begin(p);
	if (p->old == NULL && conf_old_begins(p))
		conf_old_file(p, p->lex.text, "");
	if (p->old != NULL) {
		old_statement(p);
		return;
	}
	read_or_skip(p);
	if (p->f.stmt.include == NULL)
		return;
	conf_lex_open(&p->lex, p->f.stmt.include, p->file, p->line);
	conf_lex_next(&p->lex);
}

static void
defaults(struct conf_parser *p)
{
	static const struct conf_step steps[] = { CONF_RETRY_DEFAULT };
	struct conf_retry retry = { .max = CONF_RETRY_MAX_DEFAULT };

	set_defaults(p, false);
	p->f.conf.limit_except = p->f.conf.grey_except = CONF_NONE;
	p->f.conf.sub_addr_delim = '+';
	p->f.conf.log_facility = LOG_MAIL;
	p->f.conf.warn[0] = CONF_WARN_DEFAULT;
	conf_out_defaults(&p->f.conf);
	conf_auth_defaults(&p->f.conf);
	buf_add(&p->step, steps, sizeof(steps));
	retry.step.n = sizeof(steps) / sizeof(steps[0]);
	buf_add(&p->retry, &retry, sizeof(retry));
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
	if (p->old != NULL) {
		p->errors = p->old;
		conf_errors_free(&p->not_yet);
		return;
	}
	conf_listen_local(p);
	conf_listen_certs(p);
	conf_hints(p);
	if (p->errors->n == 0 && !p->text_alone)
		conf_check_all(p);
	if (p->errors->n == 0 && !p->text_alone)
		conf_doubt_all(p);
}
