/*
 * smtpd/lookup_leaf.c: leaves, printed and read back, bad and cut short.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "ipc_table.h"
#include "lookup_leaf.h"

/* Leaves as they are printed. */
static const char *const good[] = {
	"m inbox joe",
	"m my%20box joe+x",
	"m a%25b%E9 j/",
	"p a local team 0123ABCD",
	"p u local joe+lists 00000000",
	"f a virtual user@example.org FFFFFFFF",
	"f u local joe 89ABCDEF",
	"n local",
	"l 0 1 r",
	"l 3 16 r",
	"l 65535 65536 r",
	"l 0 1 e -",
	"l 0 1 e 0123ABCD",
	"l 0 1 a local team -",
	"l 255 256 a local team 00000001,00000002",
	"l 0 1 u local joe+x 0123ABCD,89ABCDEF,00000000",
};

static const char *const bad[] = {
	"",
	" ",
	"x",
	"m",
	"m inbox",
	"m inbox ",
	"m  joe",
	"m inbox joe more",
	"mm inbox joe",
	"M inbox joe",
	"m in%box joe",
	"m in%2 joe",
	"m in%00 joe",
	"m in%2g joe",
	"m in%2a joe",
	"p",
	"p a local team",
	"p a local team 123",
	"p a local team 0123abcd",
	"p a local team 0123ABCD0",
	"p r local team 0123ABCD",
	"p e local team 0123ABCD",
	"p x local team 0123ABCD",
	"p aa local team 0123ABCD",
	"n",
	"n local x",
	"l",
	"l 0",
	"l 0 1",
	"l 0 0 r",
	"l 1 1 r",
	"l 16 16 r",
	"l -1 16 r",
	"l 0 65537 r",
	"l 0 99999999999999999999 r",
	"l 0 1 x",
	"l 0 1 e",
	"l 0 1 e ,",
	"l 0 1 e 0123ABC",
	"l 0 1 e 0123ABCD,",
	"l 0 1 e 0123ABCD;0123ABCD",
	"l 0 1 a local",
	"l 0 1 a local team",
	"l 0 1 r 0123456789ABC more",
};

static void
test_good(void)
{
	char out[LEAF_TEXT_MAX + 1], copy[LEAF_TEXT_MAX + 1];
	struct leaf leaf;
	size_t i, len, cut;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		len = strlen(good[i]);
		CHECK(good[i],
		    leaf_parse(unit_guard(good[i], len + 1), &leaf) == NULL &&
			leaf_print(&leaf, out) && strcmp(out, good[i]) == 0);
		/* Cut short anywhere: another leaf, or none. */
		for (cut = 0; cut < len; cut++) {
			memcpy(copy, good[i], cut);
			copy[cut] = '\0';
			if (leaf_parse(unit_guard(copy, cut + 1), &leaf) ==
				NULL &&
			    !leaf_print(&leaf, out))
				abort();
		}
		snprintf(copy, sizeof(copy), "%s 0123456789ABC", good[i]);
		CHECK("the queue's word is passed over, behind a list alone",
		    (leaf_parse(copy, &leaf) == NULL) ==
			    (good[i][0] == LEAF_PART) &&
			(good[i][0] != LEAF_PART ||
			    (leaf_print(&leaf, out) &&
				strcmp(out, good[i]) == 0)));
	}
}

static void
test_bad(void)
{
	struct leaf leaf;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(bad[i],
		    leaf_parse(unit_guard(bad[i], strlen(bad[i]) + 1), &leaf) !=
			NULL);
	}
}

/* A chain of n names. */
static void
long_chain(struct leaf *leaf, uint32_t n)
{
	memset(leaf, 0, sizeof(*leaf));
	leaf->kind = LEAF_LIST;
	leaf->from = FROM_USER;
	leaf->parts = 1;
	leaf->n_chain = n;
	memcpy(leaf->action, "a", 2);
	memcpy(leaf->name, "b", 2);
}

static void
test_bounds(void)
{
	char out[LEAF_TEXT_MAX + 1], text[400];
	struct leaf leaf, back;
	size_t i, n;

	long_chain(&leaf, LEAF_CHAIN_MAX);
	CHECK("a long chain",
	    leaf_print(&leaf, out) && leaf_parse(out, &back) == NULL &&
		back.n_chain == LEAF_CHAIN_MAX);
	long_chain(&leaf, LEAF_CHAIN_MAX + 1);
	CHECK("one that is too long",
	    !leaf_print(&leaf, out) && out[0] == '\0');
	n = (size_t)snprintf(text, sizeof(text), "l 0 1 e 00000000");
	for (i = 0; i < LEAF_CHAIN_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",00000000");
	CHECK("read: one that is too long", leaf_parse(text, &back) != NULL);
	text[n - 9] = '\0';
	CHECK("... and just not", leaf_parse(text, &back) == NULL);

	long_chain(&leaf, 0);
	memset(leaf.name, 'x', LEAF_NAME_MAX);
	leaf.name[LEAF_NAME_MAX] = '\0';
	CHECK("a name that is too long", !leaf_print(&leaf, out));
	leaf.name[LEAF_TEXT_MAX - 14 - (int)strlen("l 0 1 u a  -")] = '\0';
	CHECK("a list leaves room for the queue's word",
	    leaf_print(&leaf, out) && strlen(out) == LEAF_TEXT_MAX - 14);
	leaf.name[LEAF_TEXT_MAX - 14 - (int)strlen("l 0 1 u a  -")] = 'x';
	leaf.name[LEAF_TEXT_MAX - 13 - (int)strlen("l 0 1 u a  -")] = '\0';
	CHECK("and not one byte more", !leaf_print(&leaf, out));
	memset(text, 'x', sizeof(text));
	memcpy(text, "m a ", 4);
	text[sizeof(text) - 1] = '\0';
	CHECK("read: a name that is too long", leaf_parse(text, &back) != NULL);
	memset(&leaf, 0, sizeof(leaf));
	CHECK("nothing is not printed", !leaf_print(&leaf, out));
	leaf.kind = LEAF_MAILBOX;
	CHECK("nor an empty word", !leaf_print(&leaf, out));
	CHECK("a list is what the queue takes for one", LEAF_PART == 'l');
}

static void
test_hash(void)
{
	char out[64];

	CHECK("hashes differ", leaf_hash("/bin/a") != leaf_hash("/bin/b"));
	CHECK("words",
	    leaf_word("a b%", out, sizeof(out)) == 8 &&
		strcmp(out, "a%20b%25") == 0);
	CHECK("a word that does not fit", leaf_word("abcdef", out, 4) == 0);
}

int
main(void)
{
	test_good();
	test_bad();
	test_bounds();
	test_hash();
	return unit_end();
}
