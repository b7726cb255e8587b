/*
 * Macros of SPF.  Used by guard and smtpctl.  Never asks anybody: what a
 * letter stands for is given.
 *
 * SPDX-License-Identifier: ISC
 */
#include "spf_macro.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define DELIMITERS ".-+,/_="
/* Of a domain-spec, which is expanded whole: more is no name any more. */
#define SPEC_MAX 4096
/* More parts than a value can have. */
#define PARTS_MAX 100000

/* One character, or a macro that stands for a value. */
struct piece {
	const char *text; /* NULL: a value */
	size_t len;
	char letter;        /* lower case */
	bool escape;        /* it was upper case */
	unsigned int parts; /* the right-hand ones; 0: all */
	bool reverse;
	struct slice delimiters; /* none: "." */
};

/* ---- reading ---- */

static bool
is_alnum(char c)
{
	return isalnum((unsigned char)c) != 0;
}

static char
front(struct slice s)
{
	return s.len == 0 ? '\0' : s.p[0];
}

static void
step(struct slice *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

/* RFC 7208 7.1: transformers and delimiters, and the brace behind them. */
static const char *
read_transformers(struct slice *s, struct piece *p)
{
	bool digits = false;

	for (; isdigit((unsigned char)front(*s)); step(s, 1)) {
		digits = true;
		if (p->parts < PARTS_MAX)
			p->parts = p->parts * 10 + (unsigned int)(*s->p - '0');
	}
	if (digits && p->parts == 0)
		return "a macro that takes no part of its value";
	if (front(*s) == 'r' || front(*s) == 'R') {
		p->reverse = true;
		step(s, 1);
	}
	p->delimiters.p = s->p;
	while (s->len > 0 && *s->p != '\0' &&
	    strchr(DELIMITERS, *s->p) != NULL) {
		p->delimiters.len++;
		step(s, 1);
	}
	if (front(*s) != '}')
		return "a macro with what is no transformer or delimiter";
	step(s, 1);
	return NULL;
}

/* What follows a percent sign. */
static const char *
read_macro(struct slice *s, struct piece *p)
{
	/* Columns: sign, what it is. */
	static const struct {
		char sign;
		const char *text;
	} signs[] = { { '%', "%" }, { '_', " " }, { '-', "%20" } };
	size_t i;

	for (i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		if (front(*s) != signs[i].sign)
			continue;
		p->text = signs[i].text;
		p->len = strlen(p->text);
		step(s, 1);
		return NULL;
	}
	if (front(*s) != '{')
		return "a '%' that begins no macro";
	step(s, 1);
	if (!isalpha((unsigned char)front(*s)))
		return "a macro without a letter";
	p->letter = (char)tolower((unsigned char)*s->p);
	p->escape = p->letter != *s->p;
	step(s, 1);
	return read_transformers(s, p);
}

/* The next piece of *s, which is not empty; steps over it. */
static const char *
next_piece(struct slice *s, bool blanks, struct piece *p)
{
	*p = (struct piece){ .text = s->p, .len = 1 };
	if (*s->p == '%') {
		p->text = NULL;
		step(s, 1);
		return read_macro(s, p);
	}
	if (!(*s->p > ' ' && *s->p < 127) && !(blanks && *s->p == ' '))
		return "a sign that is not visible ASCII";
	step(s, 1);
	return NULL;
}

/* RFC 7208 7.1 "toplabel": as a name has them, but no number. */
static bool
is_toplabel(struct slice s)
{
	bool number = true;
	size_t i;

	if (s.len == 0 || s.p[0] == '-' || s.p[s.len - 1] == '-')
		return false;
	for (i = 0; i < s.len; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
		if (!isdigit((unsigned char)s.p[i]))
			number = false;
	}
	return !number;
}

/* RFC 7208 7.1 "domain-end": a macro, or a dot and a toplabel.  tail: what
 * stands behind the last macro. */
static const char *
check_end(struct slice spec, struct slice tail)
{
	size_t i;

	if (spec.len == 0)
		return "an empty domain";
	if (tail.len == 0)
		return NULL;
	if (tail.p[tail.len - 1] == '.')
		tail.len--;
	for (i = tail.len; i > 0 && tail.p[i - 1] != '.'; i--)
		;
	if (i == 0)
		return "a domain of one label";
	if (!is_toplabel((struct slice){ tail.p + i, tail.len - i }))
		return "a domain that ends in no top-level label";
	return NULL;
}

const char *
spf_macro_check(struct slice text, enum spf_text kind, uint32_t *letters)
{
	const uint32_t in_names = SPF_LETTER('s') | SPF_LETTER('l') |
	    SPF_LETTER('o') | SPF_LETTER('d') | SPF_LETTER('i') |
	    SPF_LETTER('p') | SPF_LETTER('h') | SPF_LETTER('v');
	const uint32_t in_texts =
	    SPF_LETTER('c') | SPF_LETTER('r') | SPF_LETTER('t');
	struct slice rest = text, tail = text;
	struct piece p;
	const char *why;
	char sign;

	*letters = 0;
	if (kind == SPF_DOMAIN_SPEC && text.len > SPEC_MAX)
		return "a domain that is too long";
	while (rest.len > 0) {
		sign = *rest.p;
		why = next_piece(&rest, kind == SPF_EXPLANATION, &p);
		if (why != NULL)
			return why;
		if (sign == '%')
			tail = rest;
		if (p.text == NULL)
			*letters |= SPF_LETTER(p.letter);
	}
	if ((*letters & ~(in_names | in_texts)) != 0)
		return "a macro of an unknown letter";
	if (kind != SPF_EXPLANATION && (*letters & in_texts) != 0)
		return "a macro that only explanations may have";
	return kind == SPF_DOMAIN_SPEC ? check_end(text, tail) : NULL;
}

/* ---- expanding ---- */

/*
 * Where it goes.  An explanation is cut where it is full.  Of a name only the
 * end can matter: when the room is full, its first half goes.
 */
struct sink {
	char *p;
	size_t len, size;
	bool is_name;
};

static void
emit(struct sink *k, char c)
{
	if (k->len == k->size) {
		if (!k->is_name)
			return;
		memmove(k->p, k->p + k->size / 2, k->size - k->size / 2);
		k->len -= k->size / 2;
	}
	k->p[k->len++] = c;
}

/* RFC 7208 7.3: upper case letters are URL escaped (RFC 3986 2.3). */
static void
emit_value(struct sink *k, char c, bool escape)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!escape || (c != '\0' && strchr("-._~", c) != NULL) ||
	    is_alnum(c)) {
		emit(k, c);
		return;
	}
	emit(k, '%');
	emit(k, hex[(unsigned char)c >> 4]);
	emit(k, hex[(unsigned char)c & 15]);
}

static bool
is_delimiter(const struct piece *p, char c)
{
	if (p->delimiters.len == 0)
		return c == '.';
	return memchr(p->delimiters.p, c, p->delimiters.len) != NULL;
}

/* The right-hand parts of what is split, in their order. */
static void
emit_forward(struct sink *k, const struct piece *p, const char *value)
{
	size_t i = strlen(value), parts = 1;

	for (; i > 0; i--) {
		if (is_delimiter(p, value[i - 1]) && parts++ == p->parts)
			break;
	}
	for (; value[i] != '\0'; i++)
		emit_value(k, is_delimiter(p, value[i]) ? '.' : value[i],
		    p->escape);
}

/* The last parts first; of that the right-hand ones, which are the first of
 * the value. */
static void
emit_reverse(struct sink *k, const struct piece *p, const char *value)
{
	size_t i, parts = 1, end = 0, start;

	for (; value[end] != '\0'; end++) {
		if (is_delimiter(p, value[end]) && parts++ == p->parts)
			break;
	}
	for (;; end = start - 1) {
		for (start = end; start > 0; start--) {
			if (is_delimiter(p, value[start - 1]))
				break;
		}
		for (i = start; i < end; i++)
			emit_value(k, value[i], p->escape);
		if (start == 0)
			break;
		emit(k, '.');
	}
}

static void
expand(struct sink *k, struct slice text, const struct spf_values *v)
{
	const char *value;
	struct piece p;
	size_t i;

	while (text.len > 0 && (k->is_name || k->len < k->size)) {
		if (next_piece(&text, true, &p) != NULL)
			return; /* it was not checked */
		for (i = 0; p.text != NULL && i < p.len; i++)
			emit(k, p.text[i]);
		if (p.text != NULL || (value = v->of[p.letter - 'a']) == NULL)
			continue;
		if (p.reverse)
			emit_reverse(k, &p, value);
		else
			emit_forward(k, &p, value);
	}
}

bool
spf_macro_domain(struct slice spec, const struct spf_values *v,
    char out[DNS_NAME_MAX + 1])
{
	char room[4 * DNS_NAME_MAX];
	struct sink k = { .p = room, .size = sizeof room, .is_name = true };
	const char *dot;

	out[0] = '\0';
	expand(&k, spec, v);
	if (k.len > 0 && k.p[k.len - 1] == '.')
		k.len--;
	while (k.len > DNS_NAME_MAX) {
		if ((dot = memchr(k.p, '.', k.len)) == NULL)
			return false;
		k.len -= (size_t)(dot + 1 - k.p);
		k.p += dot + 1 - k.p;
	}
	memcpy(out, k.p, k.len);
	out[k.len] = '\0';
	return true;
}

void
spf_macro_explain(struct slice text, const struct spf_values *v, char *out,
    size_t size)
{
	struct sink k = { .p = out, .size = size - 1 };

	assert(size > 0);
	expand(&k, text, v);
	out[k.len] = '\0';
}
