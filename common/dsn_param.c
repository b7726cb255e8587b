/*
 * Parameters of MAIL and RCPT as words and back.  Used by session, queue,
 * deliver and smtpctl.  Never allocates, never reads beyond what it is given.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn_param.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "num.h"

/* Columns: word, value. */
struct word {
	const char *text;
	uint8_t value;
};

static const struct word notify_words[] = {
	{ "NEVER", NOTIFY_NEVER },
	{ "SUCCESS", NOTIFY_SUCCESS },
	{ "FAILURE", NOTIFY_FAILURE },
	{ "DELAY", NOTIFY_DELAY },
	{ NULL, 0 },
};

static const struct word ret_words[] = {
	{ "FULL", RET_FULL },
	{ "HDRS", RET_HDRS },
	{ NULL, RET_UNSAID },
};

static const struct word body_words[] = {
	{ "7BIT", BODY_7BIT },
	{ "8BITMIME", BODY_8BITMIME },
	{ "BINARYMIME", BODY_BINARYMIME },
	{ NULL, BODY_UNSAID },
};

/* ---- words ---- */

/* The value of a word, 0 if it is none. */
static uint8_t
value_of(const struct word *words, struct slice in)
{
	for (; words->text != NULL; words++) {
		if (slice_eqcase(in, slice_of(words->text)))
			break;
	}
	return words->value;
}

static const char *
text_of(const struct word *words, unsigned int value)
{
	for (; words->text != NULL; words++) {
		if (words->value == value)
			return words->text;
	}
	return "";
}

const char *
notify_parse(struct slice in, uint8_t *notify)
{
	struct slice word;
	const char *comma;
	uint8_t value;

	*notify = 0;
	for (;;) {
		comma = in.len == 0 ? NULL : memchr(in.p, ',', in.len);
		word = in;
		if (comma != NULL)
			word.len = (size_t)(comma - in.p);
		if ((value = value_of(notify_words, word)) == 0)
			return "NOTIFY is NEVER, or of SUCCESS, FAILURE and DELAY";
		if ((*notify & value) != 0)
			return "a word of NOTIFY is said twice";
		*notify |= value;
		if (comma == NULL)
			break;
		in.p += word.len + 1;
		in.len -= word.len + 1;
	}
	if ((*notify & NOTIFY_NEVER) != 0 && *notify != NOTIFY_NEVER)
		return "NEVER of NOTIFY stands alone";
	return NULL;
}

const char *
ret_parse(struct slice in, uint8_t *ret)
{
	*ret = value_of(ret_words, in);
	return *ret == RET_UNSAID ? "RET is FULL or HDRS" : NULL;
}

const char *
body_parse(struct slice in, uint8_t *body)
{
	*body = value_of(body_words, in);
	return *body == BODY_UNSAID ? "BODY is 7BIT, 8BITMIME or BINARYMIME" :
				      NULL;
}

const char *
notify_print(unsigned int notify, char out[NOTIFY_TEXT_MAX])
{
	const struct word *w;
	size_t n = 0;

	out[0] = '\0';
	for (w = notify_words; w->text != NULL; w++) {
		if ((notify & w->value) == 0)
			continue;
		n += (size_t)snprintf(out + n, NOTIFY_TEXT_MAX - n, "%s%s",
		    n == 0 ? "" : ",", w->text);
		if (n >= NOTIFY_TEXT_MAX)
			break;
	}
	return out;
}

const char *
ret_name(unsigned int ret)
{
	return text_of(ret_words, ret);
}

const char *
body_name(unsigned int body)
{
	return text_of(body_words, body);
}

/* ---- xtext ---- */

bool
xtext_decode(struct slice in, char *out, size_t size)
{
	size_t i, n = 0;
	int hi, lo;
	char c;

	out[0] = '\0';
	for (i = 0; i < in.len; i++) {
		c = in.p[i];
		if (c <= ' ' || c > '~' || c == '=' || n + 1 >= size)
			break;
		if (c == '+') {
			if (in.len - i < 3)
				break;
			hi = num_hex(in.p[i + 1]);
			lo = num_hex(in.p[i + 2]);
			if (hi == -1 || lo == -1 || hi + lo == 0)
				break;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		out[n++] = c;
	}
	if (i < in.len) {
		out[0] = '\0';
		return false;
	}
	out[n] = '\0';
	return true;
}

/* Adds a character to out; false: no room for it and a NUL. */
static bool
put(char *out, size_t size, size_t *n, char c)
{
	if (*n + 1 >= size)
		return false;
	out[(*n)++] = c;
	out[*n] = '\0';
	return true;
}

static bool
put_xtext(char *out, size_t size, size_t *n, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c > ' ' && c <= '~' && c != '+' && c != '=') {
			if (!put(out, size, n, (char)c))
				return false;
		} else if (!put(out, size, n, '+') ||
		    !put(out, size, n, hex[c >> 4]) ||
		    !put(out, size, n, hex[c & 15]))
			return false;
	}
	return true;
}

/* ---- UTF-8 in an ORCPT (RFC 6533 3) ---- */

bool
has_8bit(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text > 0x7f)
			return true;
	}
	return false;
}

/* The character at the front of text, and its bytes; what is no UTF-8 is one
 * byte, as Latin-1 has it. */
static uint32_t
utf8_next(const char *text, size_t *len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text;
	uint32_t c = p[0];
	size_t want, i;

	want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
	*len = 1;
	if (want == 1)
		return c;
	c &= 0x7fu >> want;
	for (i = 1; i < want; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return p[0];
		c = c << 6 | (p[i] & 0x3f);
	}
	/* RFC 3629 3: neither longer than it need be, nor a surrogate, nor
	 * beyond Unicode. */
	if (c < least[want] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return p[0];
	*len = want;
	return c;
}

static bool
put_utf8(char *out, size_t size, size_t *n, uint32_t c)
{
	if (c < 0x80)
		return put(out, size, n, (char)c);
	if (c < 0x800)
		return put(out, size, n, (char)(0xc0 | c >> 6)) &&
		    put(out, size, n, (char)(0x80 | (c & 0x3f)));
	if (c < 0x10000)
		return put(out, size, n, (char)(0xe0 | c >> 12)) &&
		    put(out, size, n, (char)(0x80 | (c >> 6 & 0x3f))) &&
		    put(out, size, n, (char)(0x80 | (c & 0x3f)));
	return put(out, size, n, (char)(0xf0 | c >> 18)) &&
	    put(out, size, n, (char)(0x80 | (c >> 12 & 0x3f))) &&
	    put(out, size, n, (char)(0x80 | (c >> 6 & 0x3f))) &&
	    put(out, size, n, (char)(0x80 | (c & 0x3f)));
}

/* "\x{...}" for what is beyond ASCII, and with quoted also for what an ORCPT
 * cannot have. */
static bool
put_escaped(char *out, size_t size, size_t *n, const char *text, bool quoted)
{
	char escape[16];
	const char *p;
	size_t len;
	uint32_t c;

	for (; *text != '\0'; text += len) {
		c = utf8_next(text, &len);
		if (c < 0x80 &&
		    (!quoted ||
			(c > ' ' && c < 0x7f && c != '\\' && c != '+' &&
			    c != '='))) {
			if (!put(out, size, n, (char)c))
				return false;
			continue;
		}
		snprintf(escape, sizeof escape, "\\x{%02X}", (unsigned int)c);
		for (p = escape; *p != '\0'; p++) {
			if (!put(out, size, n, *p))
				return false;
		}
	}
	return true;
}

/* "\x{HEX}" at the front of in; its length, 0 if it is none. */
static size_t
escape_len(struct slice in, uint32_t *c)
{
	size_t i;
	int d;

	*c = 0;
	if (in.len < 5 || memcmp(in.p, "\\x{", 3) != 0)
		return 0;
	for (i = 3; i < in.len && i < 9 && in.p[i] != '}'; i++) {
		if ((d = num_hex(in.p[i])) == -1)
			return 0;
		*c = *c << 4 | (uint32_t)d;
	}
	if (i == 3 || i == in.len || in.p[i] != '}' || *c == 0 ||
	    *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return i + 1;
}

static bool
unescape(struct slice in, char *out, size_t size)
{
	size_t n = 0, len;
	uint32_t c;

	out[0] = '\0';
	while (in.len > 0) {
		len = 1;
		c = (unsigned char)in.p[0];
		if (c == '\\' && (len = escape_len(in, &c)) == 0)
			break;
		if (c <= ' ' && len == 1)
			break;
		if (len == 1 ? !put(out, size, &n, in.p[0]) :
			       !put_utf8(out, size, &n, c))
			break;
		in.p += len;
		in.len -= len;
	}
	if (in.len > 0)
		out[0] = '\0';
	return in.len == 0;
}

/* ---- ORCPT ---- */

bool
orcpt_decode(const char *orcpt, char type[ORCPT_TYPE_MAX],
    char addr[ORCPT_MAX + 1])
{
	const char *semicolon = strchr(orcpt, ';');
	struct slice rest;
	size_t i, len;

	type[0] = addr[0] = '\0';
	if (semicolon == NULL || semicolon == orcpt ||
	    (len = (size_t)(semicolon - orcpt)) >= ORCPT_TYPE_MAX)
		return false;
	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)orcpt[i]) && orcpt[i] != '-')
			break;
		type[i] = (char)tolower((unsigned char)orcpt[i]);
	}
	rest = slice_of(semicolon + 1);
	type[i] = '\0';
	if (i == len && rest.len > 0 &&
	    (strcmp(type, "utf-8") == 0 ?
		    unescape(rest, addr, ORCPT_MAX + 1) :
		    xtext_decode(rest, addr, ORCPT_MAX + 1)))
		return true;
	type[0] = '\0';
	return false;
}

bool
orcpt_of(const char *addr, char out[ORCPT_MAX + 1])
{
	bool utf8 = has_8bit(addr), fits;
	size_t n = (size_t)snprintf(out, ORCPT_MAX + 1, "%s;",
	    utf8 ? "utf-8" : "rfc822");

	fits = utf8 ? put_escaped(out, ORCPT_MAX + 1, &n, addr, true) :
		      put_xtext(out, ORCPT_MAX + 1, &n, addr);
	if (!fits || addr[0] == '\0')
		out[0] = '\0';
	return out[0] != '\0';
}

bool
orcpt_7bit(const char *orcpt, char out[ORCPT_MAX + 1])
{
	size_t n = 0;

	out[0] = '\0';
	if (!put_escaped(out, ORCPT_MAX + 1, &n, orcpt, false))
		out[0] = '\0';
	return out[0] != '\0';
}

const char *
addr_7bit(const char *addr, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	if (!put_escaped(out, size, &n, addr, false))
		out[0] = '\0';
	return out;
}
