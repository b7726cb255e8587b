/*
 * Leaves: printing and reading.  Runs in lookup; what is read was written here
 * once, but by an older program perhaps, and it was on disk meanwhile.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_leaf.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "id.h"
#include "num.h"
#include "slice.h"

#define WORD_MAX (LEAF_TEXT_MAX + 1)

/* The words behind the first letter, in their order. */
enum word { END, FROM, ACTION, NAME, HASH, PART, PARTS, CHAIN };

#define WORDS_MAX 6

/* Columns: letter, kind; the words that all of it have. */
static const struct form {
	char letter;
	enum leaf_kind kind;
	enum word words[WORDS_MAX];
} forms[] = {
	{ 'm', LEAF_MAILBOX, { ACTION, NAME } },
	{ 'p', LEAF_PIPE, { FROM, ACTION, NAME, HASH } },
	{ 'f', LEAF_FILE, { FROM, ACTION, NAME, HASH } },
	{ 'n', LEAF_NOTHING, { ACTION } },
	{ 'l', LEAF_LIST, { PART, PARTS, FROM } },
};

/* Columns: letter, from; may a command be from there; the words that stand
 * behind it in a list. */
static const struct origin {
	char letter;
	enum leaf_from from;
	bool commands;
	enum word words[WORDS_MAX];
} origins[] = {
	{ 'r', FROM_RCPT, false, { END } },
	{ 'e', FROM_ADDR, false, { CHAIN } },
	{ 'a', FROM_ALIAS, true, { ACTION, NAME, CHAIN } },
	{ 'u', FROM_USER, true, { ACTION, NAME, CHAIN } },
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct origin *
origin_of(enum leaf_from from)
{
	size_t i;

	for (i = 0; i < N(origins); i++) {
		if (origins[i].from == from)
			return &origins[i];
	}
	return NULL;
}

uint32_t
leaf_hash(const char *text)
{
	return (uint32_t)XXH3_64bits(text, strlen(text));
}

/* ---- words ---- */

size_t
leaf_word(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (n + 4 > size)
			return 0;
		if (*text > ' ' && *text <= '~' && *text != '%')
			out[n++] = *text;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X",
			    (unsigned int)(unsigned char)*text);
	}
	if (n < size)
		out[n] = '\0';
	return n;
}

/* Back from leaf_word(). */
static bool
read_word(struct slice in, char out[LEAF_NAME_MAX + 1])
{
	size_t i, n = 0;
	int high, low;

	for (i = 0; i < in.len && n < LEAF_NAME_MAX; i++) {
		if (in.p[i] != '%') {
			out[n++] = in.p[i];
			continue;
		}
		if (in.len - i < 3 || (high = num_hex(in.p[i + 1])) < 0 ||
		    (low = num_hex(in.p[i + 2])) < 0 || high + low == 0)
			return false;
		out[n++] = (char)(high * 16 + low);
		i += 2;
	}
	out[n] = '\0';
	return n > 0 && i == in.len;
}

/* Eight digits. */
static bool
read_hash(struct slice in, uint32_t *hash)
{
	size_t i;
	int digit;

	*hash = 0;
	for (i = 0; i < 8 && i < in.len; i++) {
		if ((digit = num_hex(in.p[i])) < 0)
			return false;
		*hash = *hash << 4 | (uint32_t)digit;
	}
	return in.len == 8;
}

static bool
read_number(struct slice in, uint32_t *number)
{
	char text[16];
	uint64_t n;

	if (!slice_copy(in, text, sizeof(text)) ||
	    num_parse(text, 0, LEAF_PARTS_MAX, &n) != NULL)
		return false;
	*number = (uint32_t)n;
	return true;
}

static bool
read_chain(struct slice in, struct leaf *leaf)
{
	struct slice one;

	leaf->n_chain = 0;
	if (slice_eq(in, SLICE("-")))
		return true;
	for (;;) {
		one = (struct slice){ in.p, in.len < 8 ? in.len : 8 };
		if (leaf->n_chain == LEAF_CHAIN_MAX ||
		    !read_hash(one, &leaf->chain[leaf->n_chain++]))
			return false;
		in.p += 8;
		in.len -= 8;
		if (in.len == 0)
			return true;
		if (in.p[0] != ',')
			return false;
		in.p++;
		in.len--;
	}
}

static bool
read_from(struct slice in, struct leaf *leaf)
{
	size_t i;

	leaf->from = FROM_NONE;
	for (i = 0; i < N(origins); i++) {
		if (in.len == 1 && in.p[0] == origins[i].letter &&
		    (leaf->kind == LEAF_LIST || origins[i].commands))
			leaf->from = origins[i].from;
	}
	return leaf->from != FROM_NONE;
}

static bool
read_one(enum word word, struct slice in, struct leaf *leaf)
{
	switch (word) {
	case END:
		return false;
	case FROM:
		return read_from(in, leaf);
	case ACTION:
		return read_word(in, leaf->action);
	case NAME:
		return read_word(in, leaf->name);
	case HASH:
		return read_hash(in, &leaf->hash);
	case PART:
		return read_number(in, &leaf->part);
	case PARTS:
		return read_number(in, &leaf->parts) &&
		    leaf->part < leaf->parts;
	case CHAIN:
		return read_chain(in, leaf);
	}
	return false;
}

/* ---- reading ---- */

static struct slice
next_word(const char **text)
{
	struct slice word = { *text, strcspn(*text, " ") };

	*text += word.len;
	*text += **text == ' ';
	return word;
}

static bool
read_words(const enum word words[WORDS_MAX], const char **text,
    struct leaf *leaf)
{
	size_t i;

	for (i = 0; i < WORDS_MAX && words[i] != END; i++) {
		if (!read_one(words[i], next_word(text), leaf))
			return false;
	}
	return true;
}

static const struct form *
form_of(struct slice letter)
{
	size_t i;

	for (i = 0; i < N(forms); i++) {
		if (letter.len == 1 && letter.p[0] == forms[i].letter)
			return &forms[i];
	}
	return NULL;
}

const char *
leaf_parse(const char *text, struct leaf *leaf)
{
	const struct form *form = form_of(next_word(&text));

	memset(leaf, 0, sizeof(*leaf));
	if (form == NULL)
		return "a leaf of an unknown kind";
	leaf->kind = form->kind;
	if (!read_words(form->words, &text, leaf) ||
	    (form->kind == LEAF_LIST &&
		!read_words(origin_of(leaf->from)->words, &text, leaf)))
		return "a leaf with words that cannot be understood";
	if (form->kind == LEAF_LIST)
		(void)next_word(&text); /* the queue's */
	return *text == '\0' ? NULL : "a leaf with too many words";
}

/* ---- printing ---- */

static size_t
print_chain(const struct leaf *leaf, char *out, size_t size)
{
	size_t n = 0;
	uint32_t i;

	if (leaf->n_chain == 0)
		return leaf_word("-", out, size);
	for (i = 0; i < leaf->n_chain; i++) {
		if (n + 10 > size || leaf->n_chain > LEAF_CHAIN_MAX)
			return 0;
		n += (size_t)snprintf(out + n, size - n, "%s%08X",
		    i == 0 ? "" : ",", leaf->chain[i]);
	}
	return n;
}

static size_t
print_one(enum word word, const struct leaf *leaf, char *out, size_t size)
{
	const struct origin *from = origin_of(leaf->from);
	char number[16];

	switch (word) {
	case END:
		break;
	case FROM:
		snprintf(number, sizeof(number), "%c",
		    from == NULL ? '?' : from->letter);
		return leaf_word(number, out, size);
	case ACTION:
		return leaf_word(leaf->action, out, size);
	case NAME:
		return leaf_word(leaf->name, out, size);
	case HASH:
		snprintf(number, sizeof(number), "%08X", leaf->hash);
		return leaf_word(number, out, size);
	case PART:
	case PARTS:
		snprintf(number, sizeof(number), "%u",
		    word == PART ? leaf->part : leaf->parts);
		return leaf_word(number, out, size);
	case CHAIN:
		return print_chain(leaf, out, size);
	}
	return 0;
}

/* Behind the *n bytes that are there; false: no room. */
static bool
print_words(const enum word words[WORDS_MAX], const struct leaf *leaf,
    char out[LEAF_TEXT_MAX + 1], size_t *n)
{
	char word[WORD_MAX];
	size_t i, len;

	for (i = 0; i < WORDS_MAX && words[i] != END; i++) {
		len = print_one(words[i], leaf, word, sizeof(word));
		if (len == 0 || *n + 1 + len > LEAF_TEXT_MAX)
			return false;
		out[(*n)++] = ' ';
		memcpy(out + *n, word, len);
		*n += len;
	}
	return true;
}

bool
leaf_print(const struct leaf *leaf, char out[LEAF_TEXT_MAX + 1])
{
	const struct origin *from = origin_of(leaf->from);
	const struct form *form = NULL;
	bool good = false;
	size_t i, n = 1;

	for (i = 0; i < N(forms); i++) {
		if (forms[i].kind == leaf->kind)
			form = &forms[i];
	}
	if (form != NULL) {
		out[0] = form->letter;
		good = print_words(form->words, leaf, out, &n);
	}
	if (good && form->kind == LEAF_LIST)
		good = from != NULL &&
		    print_words(from->words, leaf, out, &n) &&
		    n + 1 + ID_LEN <= LEAF_TEXT_MAX;
	out[good ? n : 0] = '\0';
	return good;
}
