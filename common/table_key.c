/*
 * Keys of tables, folded.  Runs in lookup and smtpctl; allocates nothing and
 * keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "table_key.h"

#include <arpa/inet.h>

#include <ctype.h>
#include <string.h>

#include "bounds.h"
#include "idn.h"
#include "num.h"

/* ---- addresses ---- */

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void
table_net_mask(struct table_net *net, unsigned int bits)
{
	unsigned int i;

	net->bits = (uint8_t)bits;
	for (i = 0; i < sizeof(net->addr); i++) {
		if (bits >= 8 * (i + 1))
			continue;
		net->addr[i] &= bits > 8 * i ? 0xff << (8 * (i + 1) - bits) : 0;
	}
}

static bool
addr_parse(struct slice s, struct table_net *net)
{
	char copy[IP_TEXT_MAX + 1];

	memset(net, 0, sizeof(*net));
	if (s.len >= 2 && s.p[0] == '[' && s.p[s.len - 1] == ']') {
		s.p++;
		s.len -= 2;
	}
	if (s.len > 5 &&
	    slice_eqcase((struct slice){ s.p, 5 }, SLICE("IPv6:"))) {
		s.p += 5;
		s.len -= 5;
	}
	if (!slice_copy(s, copy, sizeof(copy)))
		return false;
	if (inet_pton(AF_INET, copy, net->addr) == 1) {
		net->family = 4;
		net->bits = 32;
		return true;
	}
	if (inet_pton(AF_INET6, copy, net->addr) != 1)
		return false;
	net->family = 6;
	net->bits = 128;
	if (memcmp(net->addr, mapped, sizeof(mapped)) == 0) {
		memmove(net->addr, net->addr + 12, 4);
		memset(net->addr + 4, 0, 12);
		net->family = 4;
		net->bits = 32;
	}
	return true;
}

bool
table_addr_parse(const char *text, struct table_net *net)
{
	return addr_parse(slice_of(text), net);
}

bool
table_net_parse(struct slice key, struct table_net *net)
{
	const char *slash = memchr(key.p, '/', key.len);
	struct slice addr = key, bits;
	char text[8];
	uint64_t n;

	if (key.len == 0)
		return false;
	if (slash == NULL)
		return addr_parse(addr, net);
	addr.len = (size_t)(slash - key.p);
	bits.p = slash + 1;
	bits.len = key.len - addr.len - 1;
	if (!addr_parse(addr, net) || !slice_copy(bits, text, sizeof(text)) ||
	    num_parse(text, 0, net->bits, &n) != NULL)
		return false;
	table_net_mask(net, (unsigned int)n);
	return true;
}

/* ---- folding ---- */

/* The closing quote of a local part that begins with one; NULL: none. */
static const char *
quote_end(struct slice key)
{
	const char *p = key.p + 1, *end = key.p + key.len;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			return p;
	}
	return NULL;
}

/* Copies without quotes and their backslashes, in lower case; the length, or
 * 0 if it is no key. */
static size_t
fold_text(struct slice key, char *out)
{
	const char *quote = NULL;
	size_t i, n = 0;

	if (key.len > 0 && key.p[0] == '"')
		quote = quote_end(key);
	for (i = quote != NULL ? 1 : 0; i < key.len; i++) {
		unsigned char c = (unsigned char)key.p[i];

		if (quote != NULL && key.p + i == quote)
			continue;
		if (c == '\\' && quote != NULL && key.p + i < quote)
			c = (unsigned char)key.p[++i];
		if (c < ' ' || c == 0x7f || n == TABLE_KEY_MAX)
			return 0;
		out[n++] = (char)tolower(c);
	}
	out[n] = '\0';
	return n;
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* The domain at out + at becomes that of DNS, if it is one. */
static void
fold_domain(char *out, size_t at)
{
	char name[DOMAIN_MAX + 1];

	if (is_ascii(out + at) ||
	    idn_domain(slice_of(out + at), name) != NULL ||
	    at + strlen(name) > TABLE_KEY_MAX)
		return;
	memcpy(out + at, name, strlen(name) + 1);
}

const char *
table_key_fold(struct slice key, char out[TABLE_KEY_MAX + 1])
{
	const char *at;

	if (fold_text(key, out) == 0) {
		out[0] = '\0';
		return "not a key: empty, too long, or with control characters";
	}
	if ((at = strrchr(out, '@')) != NULL)
		fold_domain(out, (size_t)(at + 1 - out));
	return NULL;
}

/* ---- forms ---- */

/* "*." where a domain begins, and no other star: what is below it. */
static bool
is_below(const char *key)
{
	const char *star = strchr(key, '*');

	return star != NULL && star[1] == '.' && star[2] != '\0' &&
	    (star == key || star[-1] == '@') && strchr(star + 1, '*') == NULL;
}

static void
add_form(struct table_forms *f, const char *form)
{
	memcpy(f->exact[f->n_exact++], form, strlen(form) + 1);
}

const char *
table_forms(struct slice key, struct table_forms *f)
{
	char form[TABLE_KEY_MAX + 1];
	const char *why, *star;

	f->n_exact = 0;
	f->glob = f->is_net = false;
	if ((why = table_key_fold(key, f->exact[0])) != NULL)
		return why;
	f->n_exact = 1;
	f->is_net = table_net_parse(slice_of(f->exact[0]), &f->net);
	if (strchr(f->exact[0], '@') == NULL && !is_ascii(f->exact[0])) {
		memcpy(form, f->exact[0], sizeof(form));
		fold_domain(form, 0);
		if (strcmp(form, f->exact[0]) != 0)
			add_form(f, form);
	}
	/* The last form is that of DNS. */
	memcpy(form, f->exact[f->n_exact - 1], sizeof(form));
	if ((star = strchr(form, '*')) == NULL)
		return NULL;
	if (!is_below(form)) {
		f->glob = true;
		return NULL;
	}
	memmove(form + (star - form), star + 1, strlen(star));
	add_form(f, form);
	return NULL;
}
