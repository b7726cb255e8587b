/*
 * lookup_store.c, lookup_match.c, lookup_turn.c: whatever stands in a table
 * is found in it, by each service, and whatever is asked has an answer.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "lookup_match.h"
#include "lookup_turn.h"

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

/* As it was written it is there; a network's address is in it. */
static void
must_be_in(const struct store *s, const char *key)
{
	char folded[TABLE_KEY_MAX + 1], addr[TABLE_KEY_MAX + 1];
	struct table_net net;
	struct slice value;

	MUST(table_key_fold(slice_of(key), folded) == NULL);
	MUST(match_ask(s, SERVICE_STRING, key, '+', &value) == TABLE_YES);
	MUST(match_ask(s, SERVICE_ALIAS, key, '+', &value) == TABLE_YES);
	if (!table_net_parse(slice_of(folded), &net))
		return;
	MUST(slice_copy(slice_of(folded), addr, sizeof addr));
	addr[strcspn(addr, "/")] = '\0';
	MUST(match_ask(s, SERVICE_NETADDR, addr, '+', &value) == TABLE_YES);
	MUST(match_ask(s, SERVICE_ADDRNAME, addr, '+', &value) == TABLE_YES);
}

static void
ask_anything(const struct store *s, const char *key)
{
	struct slice value;
	struct buf out;
	unsigned int i;

	for (i = 0; i < SERVICES; i++) {
		enum table_answer a =
		    match_ask(s, (enum conf_service)i, key, '+', &value);

		MUST(a != TABLE_WAIT);
		if (a != TABLE_YES)
			continue;
		buf_init(&out, 0);
		(void)match_value((enum conf_service)i, false, key, value,
		    &out);
		(void)match_value((enum conf_service)i, true, key, value, &out);
		buf_free(&out);
	}
}

static bool
count(void *arg, struct slice key, struct slice value)
{
	(void)value;
	MUST(key.len > 0);
	++*(size_t *)arg;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len }, again, line, eq;
	struct store_mem *m = store_mem_new();
	struct store *s;
	size_t n = 0, added = 0;
	char *text;

	fuzz_quiet();
	again = all;
	while (all.len > 0) {
		line = fuzz_line(&all);
		eq = (struct slice){ line.p + line.len, 0 };
		if (line.len > 0 && memchr(line.p, '=', line.len) != NULL) {
			const char *p = memchr(line.p, '=', line.len);

			eq = (struct slice){ p + 1,
				(size_t)(line.p + line.len - p) - 1 };
			line.len = (size_t)(p - line.p);
		}
		added += store_mem_add(m, line, eq) == NULL;
	}
	s = store_mem_done(&m);
	MUST(s->n <= added);
	MUST(s->ops->each(s, false, count, &n) && n <= s->n);
	while (again.len > 0) {
		line = fuzz_line(&again);
		text = fuzz_text(line);
		ask_anything(s, text);
		text[strcspn(text, "=")] = '\0';
		ask_anything(s, text);
		if (text[0] != '\0' && !has_control(text) &&
		    memchr(line.p, '\0', line.len) == NULL &&
		    memchr(line.p, '"', line.len) == NULL &&
		    strlen(text) < TABLE_KEY_MAX / 4)
			must_be_in(s, text);
		free(text);
	}
	store_free(&s);
	return 0;
}
