/*
 * Tables: read once, sorted, asked by binary search.  Runs in lookup; opens
 * nothing (the parent hands the files in), and what a file says that cannot
 * be understood is set aside, line by line.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "num.h"

enum { BAD_LOGGED = 20 }; /* bad lines of one table that get a line each */

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* ---- addresses ---- */

/* Clears what is behind the first bits. */
static void
net_mask(struct table_net *net, unsigned int bits)
{
	unsigned int i;

	net->bits = (uint8_t)bits;
	for (i = 0; i < sizeof(net->addr); i++) {
		if (bits >= 8 * (i + 1))
			continue;
		net->addr[i] &= bits > 8 * i ? 0xff << (8 * (i + 1) - bits) : 0;
	}
}

bool
table_addr_parse(const char *text, struct table_net *net)
{
	char copy[IP_TEXT_MAX + 1];
	struct slice s = slice_of(text);

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

/* "address" or "address/bits".  *not_net: it does not look like one. */
static const char *
net_parse(struct slice key, struct table_net *net, bool *not_net)
{
	const char *slash = memchr(key.p, '/', key.len);
	struct slice addr = key, bits = { NULL, 0 };
	char text[IP_TEXT_MAX + 1];
	uint64_t n;

	*not_net = slash == NULL;
	if (slash != NULL) {
		addr.len = (size_t)(slash - key.p);
		bits.p = slash + 1;
		bits.len = key.len - addr.len - 1;
	}
	if (!slice_copy(addr, text, sizeof(text)) ||
	    !table_addr_parse(text, net))
		return "not an address, or nothing that may have a slash";
	*not_net = false;
	if (slash == NULL)
		return NULL;
	if (!slice_copy(bits, text, sizeof(text)) ||
	    num_parse(text, 0, net->bits, &n) != NULL)
		return "not a number of bits that the address has";
	net_mask(net, (unsigned int)n);
	return NULL;
}

static int
net_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct table_net));
}

/* ---- reading ---- */

/* What may be a domain, a pattern or an address: nothing invisible, so that
 * a binary file is noticed, and UTF-8 left alone. */
static bool
is_key(struct slice key)
{
	size_t i;

	for (i = 0; i < key.len; i++)
		if ((unsigned char)key.p[i] <= ' ' || key.p[i] == 0x7f)
			return false;
	return key.len > 0 && key.len <= ADDR_MAX;
}

static void
text_add(struct buf *b, struct slice key)
{
	uint8_t *room = buf_room(b, key.len + 1);
	size_t i;

	if (room == NULL) /* it has no ceiling */
		fatal("no room for a table");
	for (i = 0; i < key.len; i++)
		room[i] = (uint8_t)tolower((unsigned char)key.p[i]);
	room[i] = '\0';
	buf_filled(b, key.len + 1);
}

const char *
table_add(struct table *t, struct slice key)
{
	struct table_net net;
	const char *why;
	bool not_net;

	if (!is_key(key))
		return "not a key: empty, too long, or with control characters";
	why = net_parse(key, &net, &not_net);
	if (!not_net && why != NULL)
		return why;
	if (why == NULL) {
		t->has_bits[net.family == 6][net.bits] = true;
		if (!buf_add(&t->nets, &net, sizeof(net)))
			fatal("no room for a table");
		return NULL;
	}
	/* "*.example.org" is what is below it, as ".example.org" is. */
	if (key.len > 2 && key.p[0] == '*' && key.p[1] == '.' &&
	    memchr(key.p + 1, '*', key.len - 1) == NULL) {
		key.p++;
		key.len--;
	}
	if (memchr(key.p, '*', key.len) != NULL) {
		text_add(&t->globs, key);
		return NULL;
	}
	text_add(&t->text, key);
	t->n_keys++;
	return NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *
table_line(struct slice line, struct slice *key)
{
	struct table_net net;
	const char *colon;
	bool not_net;

	while (line.len > 0 && is_blank(line.p[0])) {
		line.p++;
		line.len--;
	}
	key->p = line.p;
	key->len = 0;
	if (line.len == 0 || line.p[0] == '#')
		return NULL;
	while (key->len < line.len && !is_blank(line.p[key->len]))
		key->len++;
	if (!is_key(*key))
		return "not a key: too long, or with control characters";

	/* The colon of "key:value" ends the key, those of IPv6 do not. */
	colon = memchr(key->p, ':', key->len);
	if (colon == NULL || key->p[0] == '[')
		return NULL;
	if (net_parse(*key, &net, &not_net) == NULL)
		return NULL;
	if (key->p[key->len - 1] == ':' &&
	    net_parse((struct slice){ key->p, key->len - 1 }, &net, &not_net) ==
		NULL) {
		key->len--;
		return NULL;
	}
	key->len = (size_t)(colon - key->p);
	return key->len == 0 ? "nothing before the colon" : NULL;
}

static int
key_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
table_ready(struct table *t)
{
	const char *p = (const char *)buf_data(&t->text);
	size_t i;

	free(t->keys);
	t->keys = NULL;
	if (t->n_keys != 0)
		t->keys = xcalloc(t->n_keys, sizeof(*t->keys));
	for (i = 0; i < t->n_keys; i++, p += strlen(p) + 1)
		t->keys[i] = p;
	if (t->n_keys != 0)
		qsort(t->keys, t->n_keys, sizeof(*t->keys), key_cmp);
	if (t->nets.len != 0)
		qsort(t->nets.mem + t->nets.off,
		    t->nets.len / sizeof(struct table_net),
		    sizeof(struct table_net), net_cmp);
	t->ready = true;
}

static void
bad_line(struct table *t, uint64_t number, const char *why)
{
	if (++t->bad <= BAD_LOGGED)
		log_warn("table-line", "table=%s line=%llu error=%s",
		    q(t->name), (unsigned long long)number, q(why));
}

static void
read_line(struct table *t, struct slice line, uint64_t number)
{
	struct slice key;
	const char *why;

	why = table_line(line, &key);
	if (why == NULL && key.len != 0)
		why = table_add(t, key);
	if (why != NULL)
		bad_line(t, number, why);
}

/* Takes the lines from in, where end says that nothing follows; returns bytes
 * used.  *skip: we are in a line that is too long. */
static size_t
read_lines(struct table *t, const char *in, size_t len, bool end,
    uint64_t *number, bool *skip)
{
	const char *p = in, *nl;
	struct slice line;

	while (len > (size_t)(p - in)) {
		line.p = p;
		line.len = len - (size_t)(p - in);
		nl = memchr(p, '\n', line.len);
		if (nl == NULL && line.len < TABLE_LINE_MAX && !end)
			break;
		if (nl != NULL)
			line.len = (size_t)(nl - p) + 1;
		p += line.len;
		if (!*skip) {
			++*number;
			if (line.len > TABLE_LINE_MAX ||
			    (nl == NULL && line.len == TABLE_LINE_MAX))
				bad_line(t, *number, "line too long");
			else
				read_line(t, line, *number);
		}
		*skip = nl == NULL;
	}
	return (size_t)(p - in);
}

bool
table_read(struct table *t, int fd)
{
	char in[2 * TABLE_LINE_MAX];
	size_t have = 0, used, total = 0;
	uint64_t number = 0;
	bool skip = false;
	ssize_t n;

	for (;;) {
		n = pread(fd, in + have, sizeof(in) - have, (off_t)total);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || total > TABLE_FILE_MAX) {
			log_warn("table-unreadable", "table=%s error=%s",
			    q(t->name),
			    q(n == -1 ? strerror(errno) : "file too large"));
			return false;
		}
		total += (size_t)n;
		have += (size_t)n;
		used = read_lines(t, in, have, n == 0, &number, &skip);
		have -= used;
		memmove(in, in + used, have);
		if (n == 0)
			break;
	}
	if (t->bad != 0)
		log_warn("table-lines", "table=%s set_aside=%u", q(t->name),
		    t->bad);
	table_ready(t);
	return true;
}

void
table_init(struct table *t, const char *name)
{
	memset(t, 0, sizeof(*t));
	t->name = name;
	buf_init(&t->text, 0);
	buf_init(&t->globs, 0);
	buf_init(&t->nets, 0);
}

void
table_free(struct table *t)
{
	free(t->keys);
	buf_free(&t->text);
	buf_free(&t->globs);
	buf_free(&t->nets);
	table_init(t, t->name);
}

/* ---- asking ---- */

/* In any case of letters; a '*' stands for any bytes, dots too. */
static bool
glob(const char *text, const char *pattern)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (tolower((unsigned char)*pattern) ==
		    tolower((unsigned char)*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			/* The last star takes one more. */
			pattern = star;
			text = ++retry;
		} else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
has_key(const struct table *t, const char *key)
{
	if (t->n_keys == 0)
		return false;
	return bsearch(&key, t->keys, t->n_keys, sizeof(*t->keys), key_cmp) !=
	    NULL;
}

static bool
has_glob(const struct table *t, const char *domain)
{
	const char *p = (const char *)buf_data(&t->globs);
	const char *end = p + t->globs.len;

	for (; p < end; p += strlen(p) + 1)
		if (glob(domain, p))
			return true;
	return false;
}

enum table_answer
table_has_domain(const struct table *t, const char *domain)
{
	char lower[ADDR_MAX + 1];
	const char *p;
	size_t i;

	if (!t->ready)
		return TABLE_UNKNOWN;
	for (i = 0; domain[i] != '\0'; i++) {
		if (i == ADDR_MAX)
			return TABLE_NO;
		lower[i] = (char)tolower((unsigned char)domain[i]);
	}
	lower[i] = '\0';
	if (i == 0)
		return TABLE_NO;
	if (has_key(t, lower) || has_glob(t, lower))
		return TABLE_YES;
	for (p = strchr(lower + 1, '.'); p != NULL; p = strchr(p + 1, '.'))
		if (has_key(t, p))
			return TABLE_YES;
	return TABLE_NO;
}

enum table_answer
table_has_addr(const struct table *t, const char *ip)
{
	struct table_net net;
	int bits;

	if (!t->ready)
		return TABLE_UNKNOWN;
	if (t->nets.len == 0 || !table_addr_parse(ip, &net))
		return TABLE_NO;
	for (bits = net.bits; bits >= 0; bits--) {
		if (!t->has_bits[net.family == 6][bits])
			continue;
		net_mask(&net, (unsigned int)bits);
		if (bsearch(&net, buf_data(&t->nets), t->nets.len / sizeof(net),
			sizeof(net), net_cmp) != NULL)
			return TABLE_YES;
	}
	return TABLE_NO;
}
