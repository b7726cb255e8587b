/*
 * queue/smtpctl_map.c: entries sorted, written to LMDB, and found again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <fcntl.h>
#include <lmdb.h>

#include "log.h"
#include "smtpctl_makemap.h"
#include "table_file.h"
#include "table_key.h"

static int
new_file(void)
{
	char path[] = "/tmp/unit-map-XXXXXX";
	int fd = mkstemp(path);

	if (fd == -1 || unlink(path) == -1)
		abort();
	return fd;
}

static void
add(struct map *m, const char *key, const char *value, uint64_t line)
{
	if (map_add(m, slice_of(key), slice_of(value), line) != NULL)
		abort();
}

/* "LINE after FIRST;" of each. */
static void
note_dup(void *arg, const struct map_row *row, uint32_t first)
{
	buf_printf(arg, "%u after %u;", row->line, first);
}

static void
note_entry(void *arg, struct slice key, struct slice value)
{
	buf_printf(arg, "%.*s=%.*s;", (int)key.len, key.p, (int)value.len,
	    value.p);
}

static const char *
text_of(struct buf *b)
{
	static char text[4096];

	snprintf(text, sizeof(text), "%.*s", (int)b->len,
	    (const char *)buf_data(b));
	buf_drain(b, b->len);
	return text;
}

static void
test_sorting(void)
{
	struct map m = { 0 };
	struct buf said;
	size_t dups, i;
	bool sorted = true;

	buf_init(&said, 0);
	add(&m, "b", "1", 1);
	add(&m, "A", "2", 2);
	add(&m, "*.x.test", "3", 3);
	add(&m, ".x.test", "4", 4); /* beside the form of line 3 */
	add(&m, "B", "5", 5);
	add(&m, "10.0.0.0/8", "6", 6);
	add(&m, "b", "7", 7);
	add(&m, "m*.y.test", "8", 8);
	CHECK("add: no key", map_add(&m, SLICE(""), SLICE("x"), 9) != NULL);
	CHECK("add: a NUL in a value",
	    map_add(&m, SLICE("n"), (struct slice){ "a\0b", 3 }, 9) != NULL);
	dups = map_sort(&m, note_dup, &said);
	CHECK("sort: keys that stand twice are told",
	    dups == 2 && strcmp(text_of(&said), "5 after 1;7 after 1;") == 0);
	CHECK("sort: entries are counted once", m.n_entries == 6);
	for (i = 1; i < m.n; i++) {
		struct slice a = map_row(&m, i - 1).key;
		struct slice b = map_row(&m, i).key;
		size_t len = a.len < b.len ? a.len : b.len;
		int cmp = memcmp(a.p, b.p, len);

		sorted = sorted && (cmp < 0 || (cmp == 0 && a.len < b.len));
	}
	CHECK("sort: in the order of LMDB, each once", sorted);
	map_free(&m);
	buf_free(&said);
}

static void
test_writing(void)
{
	struct map m = { 0 };
	struct buf said;
	char big[20000];
	int fd = new_file();

	buf_init(&said, 0);
	memset(big, 'v', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	CHECK("write: nothing",
	    map_write(&m, fd) == NULL &&
		map_walk(fd, note_entry, &said) == NULL && said.len == 0);
	close(fd);
	fd = new_file();
	add(&m, "Root", "joe, ann", 1);
	add(&m, "*.Example.org", "", 2);
	add(&m, "192.0.2.1", "a b", 3);
	map_sort(&m, note_dup, &said);
	CHECK("write: some", map_write(&m, fd) == NULL);
	CHECK("write: read again", map_walk(fd, note_entry, &said) == NULL);
	CHECK("write: each once, as it was folded",
	    strcmp(text_of(&said),
		"*.example.org=;192.0.2.1=a b;root=joe, ann;") == 0);
	if (ftruncate(fd, lseek(fd, 0, SEEK_END) - 1) == -1)
		abort();
	CHECK("walk: cut short", map_walk(fd, note_entry, &said) != NULL);
	close(fd);
	map_free(&m);
	fd = new_file();
	add(&m, "big", big, 1);
	CHECK("write: a value of many pages",
	    map_write(&m, fd) == NULL &&
		map_walk(fd, note_entry, &said) == NULL &&
		said.len == strlen(big) + 5);
	close(fd);
	map_free(&m);
	buf_free(&said);
}

static void
count_entry(void *arg, struct slice key, struct slice value)
{
	(void)key;
	(void)value;
	++*(size_t *)arg;
}

static void
test_many(void)
{
	enum { N = 130000 };
	char key[32];
	struct map m = { 0 };
	unsigned int i;
	size_t n = 0;
	int fd = new_file();

	for (i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "user%u", i * 7919u % N);
		add(&m, key, "somebody@example.net", i + 1);
	}
	CHECK("many: none twice", map_sort(&m, note_dup, NULL) == 0);
	CHECK("many: written in several transactions",
	    map_write(&m, fd) == NULL);
	CHECK("many: all there",
	    map_walk(fd, count_entry, &n) == NULL && n == N);
	close(fd);
	map_free(&m);
}

int
main(void)
{
	log_to_stderr("unit", false);
	test_sorting();
	test_writing();
	test_many();
	return unit_end();
}
