/*
 * Tables in memory: the entries one behind the other in one piece of memory,
 * and a hash table of where they begin, 8 bytes for each of four places for
 * three entries.  Runs in lookup; made by one thread, read by another.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_store.h"

#include <sys/mman.h>

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "log.h"

#define LARGE_PAGE ((size_t)2 << 20)

/* In front of each entry in text. */
enum { ENTRY_FIRST = 'k', ENTRY_ALSO = '+' };

struct slot {
	uint32_t hash;
	uint32_t off; /* of the key in text; 0: empty */
};

struct mem_net {
	struct table_net net;
	uint32_t off;
};

struct store_mem {
	struct store s;
	struct buf text; /* mark, key, NUL, value, NUL */
	size_t n_text;   /* entries in it */
	struct slot *slots;
	size_t n_slots;
	struct buf nets;  /* struct mem_net, sorted once all is there */
	struct buf globs; /* uint32_t: offsets of keys */
};

void
store_free(struct store **s)
{
	if (*s != NULL)
		(*s)->ops->free(*s);
	*s = NULL;
}

/* ---- asking ---- */

static const char *
key_at(const struct store_mem *m, uint32_t off)
{
	return (const char *)buf_data(&m->text) + off;
}

static struct slice
value_at(const struct store_mem *m, uint32_t off)
{
	const char *key = key_at(m, off);

	return slice_of(key + strlen(key) + 1);
}

static uint32_t
hash_of(struct slice key)
{
	return (uint32_t)XXH3_64bits(key.p, key.len);
}

/* The place of a key, or the empty one where it belongs. */
static struct slot *
find_slot(const struct store_mem *m, struct slice key, uint32_t hash)
{
	size_t i = (size_t)(((uint64_t)hash * m->n_slots) >> 32);

	for (;; i = i + 1 == m->n_slots ? 0 : i + 1) {
		struct slot *slot = &m->slots[i];

		if (slot->off == 0)
			return slot;
		if (slot->hash == hash &&
		    slice_eq(slice_of(key_at(m, slot->off)), key))
			return slot;
	}
}

static enum table_answer
mem_get(const struct store *s, struct slice key, struct slice *value)
{
	const struct store_mem *m = (const struct store_mem *)(const void *)s;
	const struct slot *slot = find_slot(m, key, hash_of(key));

	if (slot->off == 0)
		return TABLE_NO;
	*value = value_at(m, slot->off);
	return TABLE_YES;
}

static int
net_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct table_net));
}

static enum table_answer
mem_net(const struct store *s, const struct table_net *addr,
    struct slice *value)
{
	const struct store_mem *m = (const struct store_mem *)(const void *)s;
	struct mem_net want = { .net = *addr }, *found;
	int bits;

	if (m->nets.len == 0)
		return TABLE_NO;
	for (bits = addr->bits; bits >= 0; bits--) {
		if (!s->has_bits[addr->family == 6][bits])
			continue;
		table_net_mask(&want.net, (unsigned int)bits);
		found = bsearch(&want, buf_data(&m->nets),
		    m->nets.len / sizeof(want), sizeof(want), net_cmp);
		if (found == NULL)
			continue;
		*value = value_at(m, found->off);
		return TABLE_YES;
	}
	return TABLE_NO;
}

static void
each_glob(const struct store_mem *m, store_fn *fn, void *arg)
{
	uint32_t off;
	size_t i;

	for (i = 0; i < m->globs.len; i += sizeof(off)) {
		memcpy(&off, buf_data(&m->globs) + i, sizeof(off));
		if (!fn(arg, slice_of(key_at(m, off)), value_at(m, off)))
			return;
	}
}

static bool
mem_each(const struct store *s, bool globs, store_fn *fn, void *arg)
{
	const struct store_mem *m = (const struct store_mem *)(const void *)s;
	struct slice key, value;
	uint32_t off = 1;
	char mark;

	if (globs) {
		each_glob(m, fn, arg);
		return true;
	}
	while (off < m->text.len) {
		mark = *key_at(m, off);
		key = slice_of(key_at(m, off + 1));
		value = value_at(m, off + 1);
		/* One that came again is passed over: its place is taken. */
		if (mark == ENTRY_FIRST &&
		    find_slot(m, key, hash_of(key))->off == off + 1 &&
		    !fn(arg, key, value))
			break;
		off += (uint32_t)(key.len + value.len) + 3;
	}
	return true;
}

static void
mem_free(struct store *s)
{
	struct store_mem *m = (struct store_mem *)(void *)s;

	buf_free(&m->text);
	buf_free(&m->nets);
	buf_free(&m->globs);
	free(m->slots);
	free(m);
}

static const struct store_ops mem_ops = { mem_get, mem_net, mem_each,
	mem_free };

/* ---- making ---- */

struct store_mem *
store_mem_new(void)
{
	struct store_mem *m = xcalloc(1, sizeof(*m));

	m->s.ops = &mem_ops;
	buf_init(&m->text, UINT32_MAX);
	buf_init(&m->nets, 0);
	buf_init(&m->globs, UINT32_MAX);
	(void)buf_add(&m->text, "", 1); /* so that no entry is at 0 */
	return m;
}

/* The offset of the key, 0: there is no room. */
static uint32_t
add_text(struct store_mem *m, char mark, const char *key, struct slice value)
{
	size_t key_len = strlen(key), at = m->text.len;
	uint8_t *p = buf_room(&m->text, key_len + value.len + 3);

	if (p == NULL)
		return 0;
	*p++ = (uint8_t)mark;
	memcpy(p, key, key_len + 1);
	p += key_len + 1;
	if (value.len != 0)
		memcpy(p, value.p, value.len);
	p[value.len] = '\0';
	buf_filled(&m->text, key_len + value.len + 3);
	m->n_text++;
	return (uint32_t)at + 1;
}

const char *
store_mem_add(struct store_mem *m, struct slice key, struct slice value)
{
	struct table_forms f;
	struct mem_net net;
	uint32_t off = 0;
	const char *why;
	unsigned int i;

	if ((why = table_forms(key, &f)) != NULL)
		return why;
	if (value.len != 0 && memchr(value.p, '\0', value.len) != NULL)
		return "a NUL byte";
	for (i = 0; i < f.n_exact; i++) {
		off = add_text(m, i == 0 ? ENTRY_FIRST : ENTRY_ALSO, f.exact[i],
		    value);
		if (off == 0)
			return "the table is too large";
	}
	if (f.glob) {
		m->s.has_globs = true;
		(void)buf_add(&m->globs, &off, sizeof(off));
	}
	if (f.is_net) {
		net = (struct mem_net){ f.net, off };
		m->s.has_bits[f.net.family == 6][f.net.bits] = true;
		(void)buf_add(&m->nets, &net, sizeof(net));
	}
	return NULL;
}

/*
 * Memory for a large table, in large pages: its entries are read in no order,
 * and half of the time of a look-up would go into finding the page.
 */
static void *
large_alloc(size_t size)
{
	void *p = NULL;

	if (size >= LARGE_PAGE) {
		if (posix_memalign(&p, LARGE_PAGE, size) != 0)
			fatal("no memory for a table of %zu bytes", size);
		/* Where it cannot be had, small ones do. */
		(void)madvise(p, size, MADV_HUGEPAGE);
		memset(p, 0, size);
		return p;
	}
	return xcalloc(1, size);
}

static bool
is_first(const struct store_mem *m, uint32_t off)
{
	return *key_at(m, off - 1) == ENTRY_FIRST;
}

/* A later entry takes the place of an earlier one with its key; a further
 * form never that of an entry. */
static void
index_one(struct store_mem *m, struct slice key, uint32_t off)
{
	uint32_t hash = hash_of(key);
	struct slot *slot = find_slot(m, key, hash);
	bool taken = slot->off != 0 && is_first(m, slot->off);

	if (is_first(m, off) && !taken)
		m->s.n++;
	if (is_first(m, off) || !taken)
		*slot = (struct slot){ hash, off };
}

static void
index_text(struct store_mem *m)
{
	uint32_t off = 1;
	struct slice key;

	/* One more than there are: a search always ends. */
	m->n_slots = m->n_text + m->n_text / 3 + 1;
	m->slots = large_alloc(m->n_slots * sizeof(*m->slots));
	while (off < m->text.len) {
		key = slice_of(key_at(m, off + 1));
		index_one(m, key, off + 1);
		off += (uint32_t)(key.len + value_at(m, off + 1).len) + 3;
	}
}

/* Text has grown by doubling: now its size is known. */
static void
settle_text(struct store_mem *m)
{
	size_t len = m->text.len;
	uint8_t *p = large_alloc(len);

	memcpy(p, buf_data(&m->text), len);
	buf_free(&m->text);
	m->text.mem = p;
	m->text.len = m->text.cap = len;
}

struct store *
store_mem_done(struct store_mem **mp)
{
	struct store_mem *m = *mp;

	*mp = NULL;
	settle_text(m);
	index_text(m);
	if (m->nets.len != 0)
		qsort(m->nets.mem + m->nets.off,
		    m->nets.len / sizeof(struct mem_net),
		    sizeof(struct mem_net), net_cmp);
	m->s.bytes = m->text.len + m->n_slots * sizeof(*m->slots) +
	    m->nets.len + m->globs.len;
	return &m->s;
}
