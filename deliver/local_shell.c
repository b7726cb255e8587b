/*
 * Commands: the configuration's own text for /bin/sh, in which each format
 * specifier has become a reference to a positional parameter.  Runs in local.
 *
 * A value is never a part of the text.  How a reference is quoted depends on
 * what the shell makes of the place, so the quotes of the text are followed
 * (POSIX, Shell Command Language 2.2 to 2.6).  Where that is not sure, a
 * command with specifiers is refused; one without is none of our business.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "local_format.h"

#define DEPTH_MAX 16

/* What the shell is in the middle of. */
enum place {
	IN_TEXT,    /* no quotes */
	IN_PAREN,   /* the same, in ( ) */
	IN_SUBST,   /* the same, in $( ) */
	IN_SINGLE,  /* '...' */
	IN_DOUBLE,  /* "..." */
	IN_COMMENT, /* # ... */
	IN_BACK,    /* `...` */
	IN_BRACE,   /* ${...} */
	IN_ARITH    /* $((...)) */
};

struct machine {
	struct shell *sh;
	size_t len;
	enum place stack[DEPTH_MAX];
	unsigned int depth;  /* of the innermost place */
	bool left;           /* ... after the last byte ended one */
	unsigned int parens; /* IN_ARITH: open ones */
	bool escaped;        /* behind a backslash */
	bool dollar;         /* behind a $ that may begin something */
	char before;         /* the byte before, '\0' at the start */
	char word[5];        /* the word that is open, if it is short */
	size_t word_len;
	const char *why; /* what cannot be followed */
};

/* ---- places ---- */

static enum place
place(const struct machine *m)
{
	return m->stack[m->depth];
}

static bool
is_plain(enum place p)
{
	return p == IN_TEXT || p == IN_PAREN || p == IN_SUBST;
}

static void
enter(struct machine *m, enum place p)
{
	if (m->depth + 1 == DEPTH_MAX) {
		m->why = "quotes in quotes in quotes";
		return;
	}
	m->stack[++m->depth] = p;
}

/* What was quoted or substituted is in the middle of a word. */
static void
leave(struct machine *m)
{
	m->left = place(m) != IN_PAREN && place(m) != IN_COMMENT;
	m->depth--;
}

static bool
ends_word(char c)
{
	return c == '\0' || strchr(" \t\n;&|()<>", c) != NULL;
}

/* ---- bytes ---- */

/* What a $ begins.  True: c belongs to it. */
static bool
after_dollar(struct machine *m, char c)
{
	if (c == '(') {
		enter(m, IN_SUBST);
		/* Another one would make it $((. */
		m->parens = 1;
		m->word_len = 0;
		return true;
	}
	if (c == '{') {
		enter(m, IN_BRACE);
		return true;
	}
	if (c == '\'' && is_plain(place(m)))
		m->why = "$'...' is not the same in all shells";
	return c == '$';
}

/* `case` has parentheses that nothing opens. */
static void
see_word(struct machine *m, char c)
{
	if (ends_word(c)) {
		if (m->word_len == 4 && memcmp(m->word, "case", 4) == 0 &&
		    m->depth != 0)
			m->why = "a `case` in parentheses";
		m->word_len = 0;
	} else if (m->word_len < sizeof m->word)
		m->word[m->word_len++] = c;
}

/* What depends on the bytes before.  True: c means nothing more. */
static bool
plain(struct machine *m, char c)
{
	see_word(m, c);
	if (c == '(' && place(m) == IN_SUBST && m->parens == 1) {
		m->stack[m->depth] = IN_ARITH;
		m->parens = 2;
		return true;
	}
	m->parens = 0;
	if (c == '<' && m->before == '<')
		m->why = "a here-document";
	if (c != '#' || !ends_word(m->before))
		return false;
	enter(m, IN_COMMENT);
	return true;
}

static void
arith(struct machine *m, char c)
{
	if (c == '(')
		m->parens++;
	else if (c == ')' && --m->parens == 0)
		leave(m);
	else if (strchr("'\"`\\", c) != NULL)
		m->why = "quotes in $((...))";
}

enum act { ENTER, LEAVE, ESCAPE, DOLLAR, REFUSE };

#define IN(p) (1u << (p))
#define PLAIN (IN(IN_TEXT) | IN(IN_PAREN) | IN(IN_SUBST))

/* Columns: places, the bytes that mean something there, what they do; where
 * they lead to; why not. */
static const struct rule {
	unsigned int places;
	const char *bytes;
	enum act act;
	enum place to;
	const char *why;
} rules[] = {
	{ PLAIN | IN(IN_DOUBLE) | IN(IN_BACK), "\\", ESCAPE, 0, NULL },
	{ PLAIN | IN(IN_DOUBLE), "$", DOLLAR, 0, NULL },
	{ PLAIN | IN(IN_DOUBLE), "`", ENTER, IN_BACK, NULL },
	{ PLAIN, "'", ENTER, IN_SINGLE, NULL },
	{ PLAIN, "\"", ENTER, IN_DOUBLE, NULL },
	{ PLAIN, "(", ENTER, IN_PAREN, NULL },
	{ IN(IN_PAREN) | IN(IN_SUBST), ")", LEAVE, 0, NULL },
	{ IN(IN_SINGLE), "'", LEAVE, 0, NULL },
	{ IN(IN_DOUBLE), "\"", LEAVE, 0, NULL },
	{ IN(IN_COMMENT), "\n", LEAVE, 0, NULL },
	{ IN(IN_BACK), "`", LEAVE, 0, NULL },
	{ IN(IN_BRACE), "}", LEAVE, 0, NULL },
	{ IN(IN_BRACE), "'\"`\\{(", REFUSE, 0, "quotes in ${...}" },
};

static void
act(struct machine *m, char c)
{
	const struct rule *r = rules, *end = rules + sizeof rules / sizeof *r;

	while (r != end &&
	    ((r->places & IN(place(m))) == 0 || strchr(r->bytes, c) == NULL))
		r++;
	if (r == end)
		return;
	switch (r->act) {
	case ENTER:
		enter(m, r->to);
		break;
	case LEAVE:
		leave(m);
		break;
	case ESCAPE:
		m->escaped = true;
		break;
	case DOLLAR:
		m->dollar = true;
		break;
	case REFUSE:
		m->why = r->why;
		break;
	}
}

/* The shell reads c, which is not a NUL. */
static void
step(struct machine *m, char c)
{
	bool dollar = m->dollar, escaped = m->escaped;

	m->dollar = m->escaped = false;
	/* A line that goes on: neither byte was there. */
	if (escaped && c == '\n')
		return;
	m->left = false;
	if (!escaped && (!dollar || !after_dollar(m, c))) {
		if (place(m) == IN_ARITH)
			arith(m, c);
		else if (!is_plain(place(m)) || !plain(m, c))
			act(m, c);
	}
	if (!m->escaped)
		m->before = escaped || m->left ? 'x' : c;
}

static bool
add(struct machine *m, const char *text, size_t len)
{
	if (len >= sizeof m->sh->text - m->len)
		return false;
	memcpy(m->sh->text + m->len, text, len);
	m->len += len;
	m->sh->text[m->len] = '\0';
	return true;
}

/* ---- references ---- */

/* How parameter n is written here.  NULL, or why not. */
static const char *
refer(struct machine *m, unsigned int n)
{
	/* Columns: by place, what stands around it; NULL: not here. */
	static const struct {
		const char *left, *right;
	} quotes[] = {
		[IN_TEXT] = { "\"", "\"" },
		[IN_PAREN] = { "\"", "\"" },
		[IN_SUBST] = { "\"", "\"" },
		[IN_SINGLE] = { "'\"", "\"'" },
		[IN_DOUBLE] = { "", "" },
		[IN_BACK] = { NULL, NULL },
		[IN_BRACE] = { NULL, NULL },
		[IN_ARITH] = { NULL, NULL },
	};
	enum place p = place(m);
	char text[32];
	int len;

	if (m->dollar)
		return "a format behind a $";
	if (p == IN_COMMENT)
		return NULL;
	if (quotes[p].left == NULL)
		return "a format in `...`, ${...} or $((...))";
	len = snprintf(text, sizeof text, "%s${%u}%s", quotes[p].left, n,
	    quotes[p].right);
	/* A backslash in front would take a quote of ours, or the $. */
	if (m->escaped && p == IN_DOUBLE) {
		if (!add(m, "\\", 1))
			return "the command is too long";
	} else if (m->escaped)
		m->len--;
	m->escaped = false;
	m->before = 'x';
	m->word_len = sizeof m->word;
	return add(m, text, (size_t)len) ? NULL : "the command is too long";
}

/* ---- public ---- */

/* The wrapper's text with the command's in it: a template still. */
static const char *
wrap(const char *command, const char *wrapper, char out[SHELL_TEXT_MAX])
{
	struct slice part;
	struct format_piece p;
	const char *why, *from;
	size_t len = 0;

	while (*wrapper != '\0') {
		from = wrapper;
		if ((why = format_next(&wrapper, &p)) != NULL)
			return why;
		part = (struct slice){ from, (size_t)(wrapper - from) };
		if (p.is_spec && format_is_mda(p.spec))
			part = slice_of(command);
		if (part.len >= SHELL_TEXT_MAX - len)
			return "the command is too long";
		memcpy(out + len, part.p, part.len);
		len += part.len;
	}
	out[len] = '\0';
	return NULL;
}

const char *
format_command(const struct local *l, const char *command, const char *wrapper,
    struct shell *sh)
{
	char whole[SHELL_TEXT_MAX];
	struct machine m = { .sh = sh };
	const char *why, *at = command;
	struct format_piece p;

	sh->text[0] = '\0';
	sh->n = 0;
	if (wrapper[0] != '\0') {
		if ((why = wrap(command, wrapper, whole)) != NULL)
			return why;
		at = whole;
	}
	while (*at != '\0') {
		if ((why = format_next(&at, &p)) != NULL)
			return why;
		if (!p.is_spec) {
			if (!add(&m, &p.byte, 1))
				return "the command is too long";
			step(&m, p.byte);
			continue;
		}
		if (sh->n == SHELL_ARGS_MAX)
			return "too many formats";
		why = format_value(l, p.spec, sh->value[sh->n]);
		if (why == NULL)
			why = refer(&m, ++sh->n);
		if (why != NULL)
			return why;
	}
	if (sh->n == 0)
		return NULL;
	if (m.why == NULL && place(&m) == IN_COMMENT)
		m.depth--;
	if (m.why == NULL && (m.depth != 0 || m.escaped))
		m.why = "quotes that are not closed";
	return m.why;
}
