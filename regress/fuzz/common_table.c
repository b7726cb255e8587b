/*
 * table_line.c, table_key.c: a file gives the same entries however it comes
 * in, and each is within its line and folds to what it folds to again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "table_key.h"
#include "table_line.h"

/* All of an entry, so that two readings can be compared. */
static bool
note(void *arg, const struct table_entry *e, const char *why)
{
	struct buf *out = arg;

	buf_printf(out, "%llu %d ", (unsigned long long)e->line, why != NULL);
	buf_add(out, e->key.p, e->key.len);
	buf_add(out, "=", 1);
	buf_add(out, e->value.p, e->value.len);
	buf_add(out, "\n", 1);
	return true;
}

static void
folds_once(struct slice key)
{
	char once[TABLE_KEY_MAX + 1], twice[TABLE_KEY_MAX + 1];
	struct table_forms f;
	unsigned int i;

	if (table_forms(key, &f) != NULL)
		return;
	MUST(f.n_exact >= 1 && f.n_exact <= TABLE_EXACT_MAX);
	for (i = 0; i < f.n_exact; i++)
		MUST(strlen(f.exact[i]) <= TABLE_KEY_MAX &&
		    f.exact[i][0] != '\0');
	/* A quote that is left may be one of the next reading. */
	if (memchr(key.p, '"', key.len) != NULL)
		return;
	MUST(table_key_fold(key, once) == NULL);
	MUST(table_key_fold(slice_of(once), twice) == NULL);
	MUST(strcmp(once, twice) == 0);
}

static void
parse_lines(enum table_text text, struct slice all)
{
	struct table_entry e;
	struct slice line;
	char *copy;

	while (all.len > 0) {
		line = fuzz_line(&all);
		line.p = copy = fuzz_copy(line.p, line.len);
		if (table_entry_parse(text, line, &e) == NULL &&
		    e.key.len > 0) {
			MUST(e.key.p >= line.p &&
			    e.key.p + e.key.len <= line.p + line.len);
			MUST(e.value.len == 0 ||
			    (e.value.p >= e.key.p + e.key.len &&
				e.value.p + e.value.len <= line.p + line.len));
			folds_once(e.key);
		}
		free(copy);
	}
}

static void
feed(enum table_text text, struct slice all, size_t cut, struct buf *out)
{
	struct table_lines t = { .text = text, .fn = note, .arg = out };
	char *copy = fuzz_copy(all.p, cut);
	size_t used;

	used = table_lines_feed(&t, (struct slice){ copy, cut }, false);
	MUST(used <= cut);
	free(copy);
	copy = fuzz_copy(all.p + used, all.len - used);
	MUST(table_lines_feed(&t, (struct slice){ copy, all.len - used },
		 true) == all.len - used);
	free(copy);
	table_lines_free(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	struct buf whole, parts;
	enum table_text text;
	size_t cut;

	fuzz_quiet();
	text = (enum table_text)(fuzz_byte(&all) % 3);
	cut = fuzz_byte(&all);
	if (cut > all.len)
		cut = all.len;
	parse_lines(text, all);
	buf_init(&whole, 0);
	buf_init(&parts, 0);
	feed(text, all, 0, &whole);
	feed(text, all, cut, &parts);
	MUST(whole.len == parts.len &&
	    memcmp(buf_data(&whole), buf_data(&parts), whole.len) == 0);
	buf_free(&whole);
	buf_free(&parts);
	return 0;
}
