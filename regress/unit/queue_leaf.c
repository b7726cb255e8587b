/*
 * Leaves as the queue reads them: the child of a part, and words.
 *
 * SPDX-License-Identifier: ISC
 */
#include "leaf.h"

#include <string.h>

#include "bounds.h"
#include "id.h"
#include "unit.h"

/* Columns: a leaf, the id of its child, whether it is one of many. */
static const struct {
	const char *leaf, *child;
	bool many;
} parts[] = {
	{ "l 3 16 r 0DZ5KQ2X4M000", "0DZ5KQ2X4M000", true },
	{ "l 0 1 a inbox team - 0DZ5KQ2X4M000", "0DZ5KQ2X4M000", false },
	{ "l 0DZ5KQ2X4M000", "0DZ5KQ2X4M000", false },
	{ "l 3 16 r", NULL, true },
	{ "l 3 16 r 0DZ5KQ2X4M00", NULL, true },
	{ "l 3 16 r 0DZ5KQ2X4M0000", NULL, true },
	{ "l 3 16 r 0DZ5KQ2X4M00U", NULL, true },
	{ "l 3 16 r ZZZZZZZZZZZZZ", NULL, true },
	{ "l 3 16 r0DZ5KQ2X4M000", NULL, true },
	{ "0DZ5KQ2X4M000", NULL, false },
	{ "m inbox 0DZ5KQ2X4M000", NULL, false },
	{ "m 0 16 x", NULL, false },
	{ "l", NULL, false },
	{ "l ", NULL, false },
	{ "l 1", NULL, false },
	{ "l 1 x", NULL, false },
	{ "", NULL, false },
};

/* Columns: a leaf, what it is in words. */
static const char *const words[][2] = {
	{ "", "" },
	{ "m inbox alice", "mailbox of alice" },
	{ "m in%20box a%25b", "mailbox of a%25b" },
	{ "p a inbox robot 0123ABCD", "program of the alias robot" },
	{ "p u inbox alice+x 0123ABCD", "program of the user alice+x" },
	{ "f a inbox archive 0123ABCD", "file of the alias archive" },
	{ "f u inbox bob 0123ABCD", "file of the user bob" },
	{ "n", "nobody: the list is empty" },
	{ "l 2 16 r 0DZ5KQ2X4M000", "part 3 of 16, whom it stands for" },
	{ "l 0 1 e -", "whom it stands for" },
	{ "l 0 1 a inbox team - 0DZ5KQ2X4M000", "whom this stands for: team" },
	{ "l 15 256 u inbox ann - 0DZ5KQ2X4M000",
	    "part 16 of 256, whom this user forwards to: ann" },
	/* not known, or cut short: as it is */
	{ "x y z", "x y z" },
	{ "m", "m" },
	{ "m inbox", "m inbox" },
	{ "m inbox ", "m inbox " },
	{ "mm inbox alice", "mm inbox alice" },
	{ "p z inbox robot 0", "p z inbox robot 0" },
	{ "p a inbox", "p a inbox" },
	{ " ", " " },
};

static const char *
guarded(const char *leaf)
{
	return (const char *)unit_guard(leaf, strlen(leaf) + 1);
}

int
main(void)
{
	char out[LEAF_WORDS_MAX], longest[LEAF_TEXT_MAX + 1];
	uint64_t id;
	size_t i;

	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		id = 0;
		if (parts[i].child != NULL)
			id_parse(parts[i].child, &id);
		CHECK(parts[i].leaf,
		    leaf_child(guarded(parts[i].leaf)) == id &&
			leaf_is_one_of_many(guarded(parts[i].leaf)) ==
			    parts[i].many);
	}
	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		leaf_words(guarded(words[i][0]), out);
		if (strcmp(out, words[i][1]) != 0)
			printf("# %s\n", out);
		CHECK(words[i][0], strcmp(out, words[i][1]) == 0);
	}
	memset(longest, 'x', LEAF_TEXT_MAX);
	longest[LEAF_TEXT_MAX] = '\0';
	memcpy(longest, "l 1 2 u a ", 10);
	CHECK("the longest",
	    strcmp(leaf_words(longest, out) + strlen(out) - 20,
		longest + LEAF_TEXT_MAX - 20) == 0);
	return unit_end();
}
