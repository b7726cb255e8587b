/*
 * Leaves: the id behind that of a part, and words for a person.  Used by queue
 * and smtpctl.  What is read may be of an older or a newer program.
 *
 * SPDX-License-Identifier: ISC
 */
#include "leaf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "id.h"
#include "ipc_table.h"

_Static_assert(LEAF_ID_LEN == 1 + ID_LEN, "a blank and an id");
_Static_assert(LEAF_WORDS_MAX > LEAF_TEXT_MAX + 32, "words around a name");

bool
leaf_is_part(const char *leaf)
{
	return leaf[0] == LEAF_PART;
}

uint64_t
leaf_child(const char *leaf)
{
	size_t len = strlen(leaf);
	uint64_t id;

	if (!leaf_is_part(leaf) || len <= LEAF_ID_LEN ||
	    leaf[len - LEAF_ID_LEN] != ' ' ||
	    !id_parse(leaf + len - ID_LEN, &id))
		return 0;
	return id;
}

/* Word n of it, from 0; its length in *len, 0: it has no such word. */
static const char *
word(const char *leaf, unsigned int n, int *len)
{
	for (; n > 0; n--) {
		leaf += strcspn(leaf, " ");
		leaf += *leaf == ' ';
	}
	*len = (int)strcspn(leaf, " ");
	return leaf;
}

static unsigned long
number(const char *leaf, unsigned int n)
{
	int len;

	return strtoul(word(leaf, n, &len), NULL, 10);
}

bool
leaf_is_one_of_many(const char *leaf)
{
	return leaf_is_part(leaf) && number(leaf, 2) > 1;
}

/* Columns: the first letter; the number of a word and its letter, 0: any; the
 * number of the word that is a name, 0: none; what is said before it. */
static const struct form {
	char letter;
	unsigned int at;
	char is;
	unsigned int name;
	const char *words;
} forms[] = {
	{ 'm', 0, 0, 2, "mailbox of " },
	{ 'p', 1, 'a', 3, "program of the alias " },
	{ 'p', 1, 'u', 3, "program of the user " },
	{ 'f', 1, 'a', 3, "file of the alias " },
	{ 'f', 1, 'u', 3, "file of the user " },
	{ 'n', 0, 0, 0, "nobody: the list is empty" },
	{ LEAF_PART, 3, 'a', 5, "whom this stands for: " },
	{ LEAF_PART, 3, 'u', 5, "whom this user forwards to: " },
	{ LEAF_PART, 3, 0, 0, "whom it stands for" },
};

/* NULL: nothing that is known. */
static const struct form *
form_of(const char *leaf)
{
	const struct form *f;
	const char *at;
	size_t i;
	int len;

	word(leaf, 0, &len);
	if (len != 1)
		return NULL;
	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		f = &forms[i];
		at = word(leaf, f->at, &len);
		if (f->letter != leaf[0] ||
		    (f->is != 0 && (len != 1 || *at != f->is)))
			continue;
		word(leaf, f->name, &len);
		return len > 0 ? f : NULL;
	}
	return NULL;
}

const char *
leaf_words(const char *leaf, char out[LEAF_WORDS_MAX])
{
	const struct form *f = form_of(leaf);
	const char *name = "";
	char part[64] = "";
	int len = 0;

	if (f == NULL) {
		snprintf(out, LEAF_WORDS_MAX, "%s", leaf);
		return out;
	}
	if (f->name > 0)
		name = word(leaf, f->name, &len);
	if (leaf_is_one_of_many(leaf))
		snprintf(part, sizeof part, "part %lu of %lu, ",
		    number(leaf, 1) + 1, number(leaf, 2));
	snprintf(out, LEAF_WORDS_MAX, "%s%s%.*s", part, f->words, len, name);
	return out;
}
