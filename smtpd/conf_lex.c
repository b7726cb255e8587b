/*
 * Reads smtpd.conf word by word: files and what they include, macros,
 * comments, quotes, continued lines.  Runs in the parent, as whoever started
 * it; knows no keyword.  Every file, word and depth has a bound, so that no
 * input makes it run away.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_lex.h"

#include <stdio.h>
#include <string.h>

#include "conf_source.h"

struct conf_define {
	const char *name, *value;
	bool fixed;
};

/* ---- bytes ---- */

static bool
is_name(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t';
}

/* As OpenSMTPD has it, where a bare word ends; but domains may be UTF-8. */
static bool
is_word(int c)
{
	return c > ' ' && c != 0x7f && strchr("(){}<>!=#,", c) == NULL;
}

/* Bytes of the character at p if it is one of UTF-8 that is not ASCII and no
 * control character (RFC 3629); else 0. */
static size_t
utf8_len(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i, n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	/* controls; overlong ones; surrogates; beyond the last plane */
	if ((p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xe0 && p[1] < 0xa0) ||
	    (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static struct conf_source *
top(struct conf_lex *x)
{
	return x->depth == 0 ? NULL : &x->source[x->depth - 1];
}

/* The next byte, -1 at the end of the file.  A backslash before a newline is
 * not there, wherever it stands. */
static int
peek(struct conf_lex *x)
{
	struct conf_source *s;

	if (x->macro.len > 0)
		return (unsigned char)x->macro.p[0];
	if ((s = top(x)) == NULL || x->stop)
		return -1;
	while (s->end - s->p >= 2 && s->p[0] == '\\' && s->p[1] == '\n') {
		s->p += 2;
		s->line++;
	}
	return s->p == s->end ? -1 : (unsigned char)*s->p;
}

/* Steps over the byte that peek() showed. */
static void
take(struct conf_lex *x)
{
	struct conf_source *s = top(x);

	if (x->macro.len > 0) {
		x->macro.p++;
		x->macro.len--;
		return;
	}
	if (*s->p++ == '\n')
		s->line++;
}

static void
skip_blanks(struct conf_lex *x)
{
	while (is_blank(peek(x)))
		take(x);
}

static void
bad(struct conf_lex *x, uint32_t line, const char *what, const char *shown)
{
	x->tok = TOK_BAD;
	if (!x->quiet)
		conf_error(x->errors, x->file, line, "%s%s", what, shown);
}

/* ---- files ---- */

/* As given, or in the folder of the file that is being read. */
static const char *
path_of(struct conf_lex *x, const char *path)
{
	const char *slash;

	slash = x->depth == 0 ? NULL : strrchr(top(x)->name, '/');
	if (path[0] == '/' || slash == NULL)
		return arena_copy(&x->names, path);
	return arena_printf(&x->names, "%.*s/%s", (int)(slash - top(x)->name),
	    top(x)->name, path);
}

/* Reads it; NULL, or why not. */
static const char *
load(struct conf_lex *x, const char *path, struct conf_source *s)
{
	const char *why = conf_source_read(path, x->depth == 0, s);
	size_t i;

	if (why != NULL)
		return why;
	for (i = 0; i < x->depth; i++) {
		if (x->source[i].dev == s->dev && x->source[i].ino == s->ino)
			return "the file includes itself";
	}
	x->read += (size_t)(s->end - s->p);
	return x->read > CONF_TEXT_MAX ? "more than 32 MB of text in all" :
					 NULL;
}

bool
conf_lex_open(struct conf_lex *x, const char *path, const char *file,
    uint32_t line)
{
	struct conf_source s = { .line = 1 };
	char shown[CONF_SHOWN_SIZE];
	const char *why;
	uint32_t at;

	s.name = path_of(x, path);
	why = x->depth == CONF_DEPTH_MAX ?
	    "files include one another too deep" :
	    load(x, s.name, &s);
	if (why != NULL) {
		if (line == 0)
			conf_error(x->errors, s.name, 0, "%s", why);
		else
			conf_error(x->errors, file, line, "include %s: %s",
			    conf_shown(s.name, shown), why);
		conf_source_free(&s);
		return false;
	}
	if ((at = conf_source_bad(&s, &why)) != 0) {
		conf_error(x->errors, s.name, at, "%s", why);
		conf_source_free(&s);
		return false;
	}
	x->source[x->depth++] = s;
	x->file = s.name;
	return true;
}

/* The file has ended.  An outer one goes on with a new line. */
static void
end_of_file(struct conf_lex *x)
{
	struct conf_source *s = top(x);

	x->tok = TOK_EOF;
	if (x->braces != 0 && !x->stop) {
		x->cut = true;
		conf_error(x->errors, x->file, x->brace_line,
		    "the list that starts here is not closed, expected `}`");
	}
	x->braces = 0;
	if (x->depth <= 1 || x->stop)
		return;
	conf_source_free(s);
	x->depth--;
	x->tok = TOK_EOL;
}

/* ---- macros ---- */

static struct conf_define *
find_macro(struct conf_lex *x, const char *name)
{
	struct conf_define *m = (struct conf_define *)(void *)x->macros.mem;
	size_t i, n = x->macros.len / sizeof(*m);

	for (i = 0; i < n; i++) {
		if (strcmp(m[i].name, name) == 0)
			return &m[i];
	}
	return NULL;
}

const char *
conf_lex_define(struct conf_lex *x, const char *name, const char *value,
    bool fixed)
{
	struct conf_define *m, fresh = { .fixed = fixed };
	const char *p;

	for (p = name; is_name((unsigned char)*p); p++)
		;
	if (*p != '\0' || p == name)
		return "a macro's name has only letters, digits and `_`";
	if (p - name > CONF_MACRO_NAME_MAX)
		return "a macro's name has at most 64 characters";
	for (p = value; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' && *p != '\t')
			return "a macro's value has no control characters";
	}
	if (p - value > CONF_WORD_MAX)
		return "a macro's value has at most 8191 bytes";
	if ((m = find_macro(x, name)) != NULL) {
		if (!m->fixed)
			m->value = arena_copy(&x->names, value);
		return NULL;
	}
	if (x->macros.len / sizeof(fresh) >= CONF_MACROS_MAX)
		return "more than 1024 macros";
	fresh.name = arena_copy(&x->names, name);
	fresh.value = arena_copy(&x->names, value);
	buf_add(&x->macros, &fresh, sizeof(fresh));
	return NULL;
}

/* At a `$`: its value comes next, as if typed.  False: said why not. */
static bool
expand(struct conf_lex *x, uint32_t line)
{
	char name[CONF_MACRO_NAME_MAX + 2], shown[CONF_SHOWN_SIZE];
	const struct conf_define *m;
	size_t n = 0;

	take(x);
	for (; is_name(peek(x)); take(x)) {
		if (n < sizeof(name) - 1)
			name[n++] = (char)peek(x);
	}
	name[n] = '\0';
	if (n == 0) {
		bad(x, line, "found `$` alone, expected `$name`", "");
		return false;
	}
	if ((m = find_macro(x, name)) == NULL) {
		bad(x, line, "no such macro is defined above: ",
		    conf_shown(name, shown));
		return false;
	}
	x->macro = slice_of(m->value);
	x->read += x->macro.len;
	if (x->read > CONF_TEXT_MAX && !x->stop) {
		conf_error(x->errors, x->file, line,
		    "more than 32 MB of text, macros included");
		x->tok = TOK_BAD;
		x->stop = true;
		x->macro.len = 0;
		return false;
	}
	return true;
}

/* ---- tokens ---- */

static bool
add_byte(struct conf_lex *x, int c)
{
	if (x->len >= CONF_WORD_MAX)
		return false;
	x->text[x->len++] = (char)c;
	return true;
}

/* Between quotes.  A string may go over a line's end, which is dropped. */
static void
quoted(struct conf_lex *x, int quote)
{
	char other[48] = "";
	bool over = false;
	int c, escaped;

	take(x);
	x->tok = TOK_STRING;
	while ((c = peek(x)) != quote) {
		if (c == -1) {
			if (x->long_line != 0)
				snprintf(other, sizeof(other),
				    " (or the one that starts at line %u)",
				    x->long_line);
			x->tok = TOK_BAD;
			if (!x->stop)
				conf_error(x->errors, x->file, x->line,
				    "the string that starts at line %u is not closed%s",
				    x->line, other);
			return;
		}
		take(x);
		if (c == '\n') {
			over = true;
			continue;
		}
		if (c == '\\') {
			escaped = peek(x);
			if (escaped == quote || is_blank(escaped)) {
				c = escaped;
				take(x);
			}
		}
		if (!add_byte(x, c)) {
			bad(x, x->line,
			    "a string of more than 8191 bytes: is its closing quote missing?",
			    "");
			x->quiet = true;
		}
	}
	take(x);
	if (over)
		x->long_line = x->line;
}

/* A backslash, blanks, and the line's end: one meant to go on.  Says it, and
 * does go on, so that what follows is not misunderstood. */
static bool
spoiled(struct conf_lex *x)
{
	struct conf_source *s = top(x);
	const char *p;

	if (x->macro.len > 0 || s->p == s->end || *s->p != '\\')
		return false;
	for (p = s->p + 1; p < s->end && is_blank(*p); p++)
		;
	if (p == s->p + 1 || (p < s->end && *p != '\n'))
		return false;
	if (!x->quiet)
		conf_error(x->errors, x->file, s->line,
		    "blank after a backslash: the line does not go on, expected the backslash at its very end");
	s->p = p;
	if (p < s->end)
		take(x);
	return true;
}

/* The first byte of text that is neither ASCII nor of UTF-8; 0: none. */
static int
not_utf8(const char *text)
{
	size_t n;

	for (; *text != '\0'; text += n) {
		n = (unsigned char)*text < 0x80 ? 1 : utf8_len(text);
		if (n == 0)
			return (unsigned char)*text;
	}
	return 0;
}

static void
bare(struct conf_lex *x)
{
	char shown[CONF_SHOWN_SIZE], what[128] = "";
	bool fits = true, quote = false;
	int c;

	x->tok = TOK_WORD;
	while (is_word(c = peek(x)) && !spoiled(x)) {
		fits = add_byte(x, c) && fits;
		quote = quote || c == '"';
		take(x);
	}
	x->text[x->len] = '\0';
	conf_shown(x->text, shown);
	if ((c = not_utf8(x->text)) != 0) {
		snprintf(shown, sizeof(shown), "\\x%02x", (unsigned int)c);
		bad(x, x->line, "a byte that is not UTF-8: ", shown);
	} else if (!fits)
		bad(x, x->line, "a word of more than 8191 bytes: ", shown);
	else if (quote && x->long_line == 0)
		bad(x, x->line,
		    "a quote inside a word, expected quotes around the whole of it: ",
		    shown);
	else if (quote) {
		snprintf(what, sizeof(what),
		    "a quote inside a word, or the string that starts at line %u is not closed: ",
		    x->long_line);
		bad(x, x->line, what, shown);
	}
}

/* Bytes that no word has. */
static void
strange(struct conf_lex *x)
{
	char shown[8];
	int c = peek(x);

	snprintf(shown, sizeof(shown), "\\x%02x", (unsigned int)c);
	bad(x, x->line, "a byte that may stand only in quotes: ", shown);
	while ((c = peek(x)) == 0x7f || (c >= 0 && c < ' ' && c != '\n'))
		take(x);
}

static void
punctuation(struct conf_lex *x, int c)
{
	take(x);
	x->tok = c;
	switch (c) {
	case '=':
		if (peek(x) == '>') {
			take(x);
			x->tok = TOK_ARROW;
		}
		break;
	case '{':
		if (x->braces++ == 0)
			x->brace_line = x->line;
		break;
	case '}':
		if (x->braces > 0)
			x->braces--;
		break;
	}
}

/* Blanks, comments, and in a list newlines. */
static int
skip_space(struct conf_lex *x)
{
	int c;

	for (;;) {
		skip_blanks(x);
		if ((c = peek(x)) == '#') {
			while ((c = peek(x)) != '\n' && c != -1)
				take(x);
		}
		if (c == '\\' && spoiled(x))
			continue;
		if (c != '\n' || x->braces == 0)
			return c;
		take(x);
	}
}

void
conf_lex_next(struct conf_lex *x)
{
	const char *file = x->file;
	uint32_t line = x->line;
	int c;

	x->count++;
	x->len = 0;
	x->text[0] = '\0';
	if (conf_errors_full(x->errors))
		x->stop = true;
	do {
		c = skip_space(x);
		x->file = top(x)->name;
		x->line = top(x)->line;
		/* A macro's value is not looked at for macros again. */
	} while (c == '$' && x->macro.len == 0 && expand(x, x->line));
	x->first = x->count == 1 || x->line != line || x->file != file;
	if (c == '$' && x->macro.len == 0)
		return;
	if (c == -1)
		end_of_file(x);
	else if (c == '"' || c == '\'')
		quoted(x, c);
	else if (is_word(c))
		bare(x);
	else if (c < ' ' && c != '\n')
		strange(x);
	else if (c == 0x7f)
		strange(x);
	else
		punctuation(x, c);
	x->text[x->len] = '\0';
}

void
conf_lex_statement(struct conf_lex *x)
{
	x->count = 0;
	x->braces = 0;
	x->quiet = false;
	x->cut = false;
}

bool
conf_lex_assigns(struct conf_lex *x)
{
	skip_blanks(x);
	return peek(x) == '=';
}

const char *
conf_shown(const char *text, char out[CONF_SHOWN_SIZE])
{
	size_t i = 0, n = 0, len;

	out[n++] = '`';
	while (text[i] != '\0' && i < CONF_SHOWN_MAX) {
		len = utf8_len(text + i);
		if (text[i] >= ' ' && text[i] < 0x7f)
			len = 1;
		if (len == 0)
			n += (size_t)snprintf(out + n, CONF_SHOWN_SIZE - n,
			    "\\x%02x", (unsigned char)text[i++]);
		while (len-- > 0)
			out[n++] = text[i++];
	}
	snprintf(out + n, CONF_SHOWN_SIZE - n, "%s`",
	    text[i] == '\0' ? "" : "...");
	return out;
}

const char *
conf_lex_shown(const struct conf_lex *x, char out[CONF_SHOWN_SIZE])
{
	char one[2] = { (char)x->tok, '\0' };

	switch (x->tok) {
	case TOK_EOF:
		return "end of file";
	case TOK_EOL:
		return "end of line";
	case TOK_ARROW:
		return "`=>`";
	case TOK_WORD:
		return conf_shown(x->text, out);
	case TOK_STRING:
		conf_shown(x->text, out);
		out[0] = out[strlen(out) - 1] = '"';
		return out;
	default:
		return conf_shown(one, out);
	}
}

bool
conf_lex_is(const struct conf_lex *x, const char *word)
{
	return x->tok == TOK_WORD && strcmp(x->text, word) == 0;
}

void
conf_lex_init(struct conf_lex *x, struct conf_errors *errors)
{
	memset(x, 0, sizeof(*x));
	x->errors = errors;
	buf_init(&x->macros, 0);
	arena_init(&x->names, 0);
}

void
conf_lex_free(struct conf_lex *x)
{
	struct conf_define *m = (struct conf_define *)(void *)x->macros.mem;
	size_t i, n = x->macros.len / sizeof(*m);

	while (x->depth > 0)
		conf_source_free(&x->source[--x->depth]);
	for (i = 0; i < n; i++)
		explicit_bzero((void *)(uintptr_t)m[i].value,
		    strlen(m[i].value));
	buf_free(&x->macros);
	arena_free(&x->names);
}
