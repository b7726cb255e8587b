/*
 * Expansion: names that were met before are not followed twice, which ends
 * every circle; and of a list that is told by parts, who is in which.  Runs in
 * lookup.
 *
 * SPDX-License-Identifier: ISC
 */
#include <ctype.h>
#include <string.h>

#include <xxhash.h>

#include "lookup_expand_parts.h"

#define BUCKETS 4096

/* Case does not matter; sub-addresses do. */
static uint64_t
sum_of(const char *text, uint64_t seed)
{
	char low[NODE_TEXT_MAX + 1];
	size_t i;

	for (i = 0; text[i] != '\0' && i < sizeof(low); i++)
		low[i] = (char)tolower((unsigned char)text[i]);
	return XXH3_64bits_withSeed(low, i, seed);
}

bool
expand_is_mine(const struct expand_work *w, const char *text)
{
	return w->parts <= 1 || sum_of(text, 0) % w->parts == w->part;
}

uint32_t
expand_chain_hash(const struct expand_work *w, const struct expand_name *n)
{
	uint64_t sum = sum_of(n->text, (uint64_t)n->kind);
	const char *action;

	/* Aliases differ from action to action, addresses do not. */
	if (n->kind == NODE_ADDRESS)
		return (uint32_t)sum;
	action = conf_text(w->conf, expand_action(w, n->match)->name);
	return (uint32_t)XXH3_64bits_withSeed(action, strlen(action), sum);
}

/* What a file or command is run as belongs to it. */
static bool
same_user(const struct expand_name *a, const struct expand_name *b)
{
	const char *one = a->user == NULL ? "" : a->user->name;
	const char *other = b->user == NULL ? "" : b->user->name;

	return strcmp(one, other) == 0;
}

static bool
same_name(const struct expand_work *w, const struct expand_name *a,
    const struct expand_name *b)
{
	bool is_text = a->kind == NODE_PIPE || a->kind == NODE_FILE ||
	    a->kind == NODE_INCLUDE;

	if (a->kind != b->kind || a->user_only != b->user_only)
		return false;
	if (is_text ? strcmp(a->text, b->text) != 0 || !same_user(a, b) :
		      !slice_eqcase(slice_of(a->text), slice_of(b->text)))
		return false;
	return a->kind == NODE_ADDRESS ||
	    CONF_MATCH(w->conf, a->match)->action ==
	    CONF_MATCH(w->conf, b->match)->action;
}

/* Was it followed in a message before this one? */
static bool
in_chain(struct expand_work *w, const struct expand_name *n)
{
	uint32_t i, sum;

	if (w->leaf == NULL || w->leaf->n_chain == 0 ||
	    (n->kind != NODE_ADDRESS && n->kind != NODE_USER))
		return false;
	sum = expand_chain_hash(w, n);
	for (i = 0; i < w->leaf->n_chain; i++) {
		if (w->leaf->chain[i] == sum) {
			w->chained = true;
			return true;
		}
	}
	return false;
}

static bool
is_met(struct expand_work *w, const struct expand_name *n)
{
	const struct expand_name *other;

	if (w->met == NULL)
		return false;
	other = w->met[sum_of(n->text, (uint64_t)n->kind) % BUCKETS];
	for (; other != NULL; other = other->hash) {
		if (same_name(w, n, other))
			return true;
	}
	return false;
}

bool
expand_was_met(struct expand_work *w, const struct expand_name *n)
{
	if (!is_met(w, n) && !in_chain(w, n))
		return false;
	question_note(w->q, "merged", NULL, "%s: was met before", n->text);
	return true;
}

struct expand_name *
expand_keep(struct expand_work *w, struct expand_name *n)
{
	struct arena *arena = &w->q->work;
	struct expand_name *k, **bucket;

	if (n->kept != NULL)
		return n->kept;
	if (n->parent != NULL &&
	    (n->parent = expand_keep(w, n->parent)) == NULL)
		return NULL;
	if (w->met == NULL)
		w->met = arena_alloc(arena, BUCKETS * sizeof(*w->met));
	if (w->met == NULL || w->n++ >= EXPAND_NODES ||
	    (k = arena_alloc(arena, sizeof(*k))) == NULL) {
		expand_no_room(w);
		return NULL;
	}
	*k = *n;
	if ((k->text = arena_copy(arena, n->text)) == NULL) {
		expand_no_room(w);
		return NULL;
	}
	n->kept = k->kept = k;
	bucket = &w->met[sum_of(k->text, (uint64_t)k->kind) % BUCKETS];
	k->hash = *bucket;
	*bucket = k;
	return k;
}
