/*
 * Tables that are asked as a whole: source and relayhost (each entry by its
 * number), regex (all of them).  Runs in lookup.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_turn.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

void
turn_reset(struct turn *t)
{
	size_t i;

	for (i = 0; i < t->n_regex; i++)
		regfree(&t->regex[i]);
	free(t->regex);
	free(t->entry);
	free(t->value);
	memset(t, 0, sizeof(*t));
}

/* ---- by number ---- */

static bool
collect_one(void *arg, struct slice key, struct slice value)
{
	struct turn *t = arg;

	if (t->n_entries == TURN_MAX)
		return false;
	t->entry[t->n_entries] = key;
	t->value[t->n_entries++] = value;
	return true;
}

/* False: they cannot be read. */
static bool
collect(struct turn *t, const struct store *s, const char **why)
{
	if (s->n > TURN_MAX)
		*why = "too many entries";
	if (t->collected)
		return true;
	t->entry = xcalloc(TURN_MAX, sizeof(*t->entry));
	t->value = xcalloc(TURN_MAX, sizeof(*t->value));
	t->collected = s->ops->each(s, false, collect_one, t);
	if (t->collected)
		return true;
	turn_reset(t);
	*why = "the table cannot be read";
	return false;
}

enum table_answer
turn_entry(struct turn *t, const struct store *s, size_t i, struct buf *value,
    const char **why)
{
	if (!collect(t, s, why))
		return TABLE_UNKNOWN;
	if (i >= t->n_entries)
		return TABLE_NO;
	if (value == NULL)
		return TABLE_YES;
	if (!buf_add(value, t->entry[i].p, t->entry[i].len) ||
	    (t->value[i].len != 0 &&
		!(buf_puts(value, ":") &&
		    buf_add(value, t->value[i].p, t->value[i].len))))
		return TABLE_UNKNOWN;
	return TABLE_YES;
}

/* ---- expressions ---- */

/* OpenSMTPD compares in lower case, so "(?i)" says what is so anyway. */
static const char *
compile(regex_t *re, struct slice text)
{
	char pattern[TABLE_KEY_MAX + 1];
	size_t skip = 0;

	if (!slice_copy(text, pattern, sizeof(pattern)))
		return "an expression is too long";
	if (strncmp(pattern, "(?i)", 4) == 0)
		skip = 4;
	if (regcomp(re, pattern + skip, REG_EXTENDED | REG_NOSUB | REG_ICASE) !=
	    0)
		return "a bad expression";
	return NULL;
}

const char *
turn_regex_check(struct slice text)
{
	const char *why;
	regex_t re;

	if ((why = compile(&re, text)) == NULL)
		regfree(&re);
	return why;
}

/* value: the expression as it was written, where the table has that. */
static bool
compile_one(void *arg, struct slice key, struct slice value)
{
	struct turn *t = arg;
	const char *why;

	if (t->n_regex == TURN_MAX) {
		t->broken = "too many expressions";
		return false;
	}
	why = compile(&t->regex[t->n_regex], value.len != 0 ? value : key);
	if (why == NULL)
		t->n_regex++;
	else if (t->broken == NULL)
		t->broken = why;
	return true;
}

enum table_answer
turn_regex(struct turn *t, const struct store *s, const char *text,
    const char **why)
{
	size_t i;

	if (!t->compiled) {
		t->compiled = true;
		t->regex = xcalloc(TURN_MAX, sizeof(*t->regex));
		if (!s->ops->each(s, false, compile_one, t))
			t->broken = "the table cannot be read";
	}
	*why = t->broken;
	for (i = 0; i < t->n_regex; i++)
		if (regexec(&t->regex[i], text, 0, NULL, 0) == 0)
			return TABLE_YES;
	return t->broken != NULL ? TABLE_UNKNOWN : TABLE_NO;
}
