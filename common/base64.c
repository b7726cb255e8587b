/*
 * Base64 (RFC 4648), both ways.  Used by session and lookup for what clients
 * say, by smtpctl for what it prints; allocates and keeps nothing, and takes
 * no other text for the same bytes.
 *
 * SPDX-License-Identifier: ISC
 */
#include "base64.h"

static const char *const alphabets[] = {
	[BASE64_PLAIN] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	[BASE64_URL] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

size_t
base64_print(enum base64_kind kind, const void *p, size_t len, char *out)
{
	const char *letter = alphabets[kind];
	const uint8_t *in = p;
	size_t i, n = 0, left;
	uint32_t bits;

	for (i = 0; i < len; i += 3) {
		left = len - i;
		bits = (uint32_t)in[i] << 16;
		if (left > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			bits |= in[i + 2];
		out[n++] = letter[bits >> 18];
		out[n++] = letter[bits >> 12 & 63];
		if (left > 1)
			out[n++] = letter[bits >> 6 & 63];
		if (left > 2)
			out[n++] = letter[bits & 63];
	}
	while (kind == BASE64_PLAIN && n % 4 != 0)
		out[n++] = '=';
	out[n] = '\0';
	return n;
}

/* 0 to 63, or -1.  Without a table or a branch by the letter: what is decoded
 * may be a secret. */
static int
value_of(enum base64_kind kind, unsigned int c)
{
	unsigned int plus = (uint8_t)alphabets[kind][62];
	unsigned int slash = (uint8_t)alphabets[kind][63];
	int v = -1;

	v += (int)((c - 'A' < 26u) * (c - 'A' + 1));
	v += (int)((c - 'a' < 26u) * (c - 'a' + 27));
	v += (int)((c - '0' < 10u) * (c - '0' + 53));
	v += (int)((c == plus) * 63u);
	v += (int)((c == slash) * 64u);
	return v;
}

/* Takes the padding off; false: it is not what it has to be. */
static bool
unpad(enum base64_kind kind, struct slice *text)
{
	unsigned int pads = 0;

	if (kind == BASE64_URL)
		return text->len % 4 != 1;
	if (text->len % 4 != 0)
		return false;
	while (text->len > 0 && pads < 2 && text->p[text->len - 1] == '=') {
		text->len--;
		pads++;
	}
	return true;
}

const char *
base64_parse(enum base64_kind kind, struct slice text, uint8_t *out,
    size_t size, size_t *len)
{
	uint32_t bits = 0;
	unsigned int have = 0;
	size_t i, n = 0;
	int v;

	*len = 0;
	if (!unpad(kind, &text))
		return "a length that base64 does not have";
	if (text.len / 4 * 3 + (text.len % 4) * 3 / 4 > size)
		return "too long";
	for (i = 0; i < text.len; i++) {
		v = value_of(kind, (uint8_t)text.p[i]);
		if (v == -1)
			return "a character that base64 does not have";
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		out[n++] = (uint8_t)(bits >> have);
	}
	/* RFC 4648 3.5: another spelling of the same bytes. */
	if ((bits & ((1u << have) - 1)) != 0)
		return "bits beyond the last byte";
	*len = n;
	return NULL;
}
