/*
 * lookup_table.c: a file is read like its lines, and what stands in it is
 * found.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "lookup_table.h"

static bool
is_net(struct slice key)
{
	struct table_net net;
	char text[ADDR_MAX + 1];

	return slice_copy(key, text, sizeof text) &&
	    table_addr_parse(text, &net);
}

/* A good key is in the table: as it is, its address, or with something in
 * place of each star. */
static void
must_be_in(const struct table *t, struct slice key)
{
	const char *slash = memchr(key.p, '/', key.len);
	char text[ADDR_MAX + 1], *star;

	if (slash != NULL)
		key.len = (size_t)(slash - key.p);
	MUST(slice_copy(key, text, sizeof text));
	if (slash != NULL || is_net(key)) {
		MUST(table_has_addr(t, text) == TABLE_YES);
		return;
	}
	while ((star = strchr(text, '*')) != NULL)
		*star = 'x';
	MUST(table_has_domain(t, text) == TABLE_YES);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len }, line, key;
	struct table t, scratch;
	char *copy;
	int fd;

	fuzz_quiet();
	table_init(&t, "t");
	table_init(&scratch, "s");
	fd = fuzz_file(all);
	MUST(table_read(&t, fd) && t.ready);
	while (all.len > 0) {
		line = fuzz_line(&all);
		if (line.len + 1 >= TABLE_LINE_MAX)
			continue;
		line.p = copy = fuzz_copy(line.p, line.len);
		if (table_line(line, &key) == NULL && key.len > 0) {
			MUST(key.p >= line.p &&
			    key.p + key.len <= line.p + line.len);
			if (table_add(&scratch, key) == NULL)
				must_be_in(&t, key);
		}
		free(copy);
	}
	MUST(t.n_keys >= scratch.n_keys && t.nets.len >= scratch.nets.len);
	table_free(&t);
	table_free(&scratch);
	close(fd);
	return 0;
}
