/*
 * arc*.c: whatever a message has of ARC, its bounds hold and nothing passes
 * that nobody signed; what we seal is found whole, and what we seal upon that.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "arc_parts.h"
#include "arc_world.h"

static struct world world;
static EVP_PKEY *key;

static void
start(void)
{
	static const uint8_t secret[32] = "a key that everybody may know ..";

	if (key != NULL)
		return;
	fuzz_quiet();
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret,
	    sizeof secret);
	MUST(key != NULL);
	world_publish(&world, "k._domainkey.a.test", key);
	world_key(&world, "later._domainkey.a.test", NULL);
}

/* What comes in as a message; the set of a second one that is put on top of
 * it goes to out. */
static const char *
try_message(const void *p, size_t len, const char *results, struct buf *out,
    struct arc_is *is)
{
	struct arc_say say = { .authserv = "mx.test",
		.results = slice_of(results) };
	struct arc_chain *c = xcalloc(1, sizeof *c);
	struct mail mail;
	const char *why;
	unsigned int i;

	mail_open(&mail, &world, p, len);
	*is = *mail.is;
	arc_collect(c, &mail.m);
	MUST(is->result == RES_NONE || is->result == RES_PASS ||
	    is->result == RES_FAIL || is->result == RES_TEMPERROR);
	MUST((is->why == NULL) ==
	    (is->result == RES_NONE || is->result == RES_PASS));
	MUST(is->sets <= ARC_SETS_MAX && is->oldest <= is->sets);
	MUST(is->result != RES_NONE || (is->sets == 0 && !c->any));
	MUST(is->result != RES_PASS || (is->sets > 0 && c->why == NULL));
	MUST(arc_keys(mail.arc) <= is->sets + 1);
	for (i = 0; i <= ARC_SETS_MAX + 1; i++)
		MUST(strlen(arc_sealer(mail.arc, i)) <= DOMAIN_MAX);
	MUST(arc_vouches(mail.arc, "a.test") <= is->sets);
	MUST(arc_vouches(mail.arc, "a.test") == 0 || is->result == RES_PASS);
	say.cv = is->result;
	say.max = SIG_MAX;
	why = mail_seal(&mail, key, "a.test", "k", &say, out);
	MUST(why != NULL || out->len <= SIG_MAX);
	MUST(why != NULL || !c->sealed_fail);
	mail_close(&mail);
	free(c);
	return why;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice rest = { (const char *)in, len }, value;
	struct arc_is is, first;
	const char *why;
	struct buf once, twice;
	unsigned int i;
	char *copy, *results;

	start();
	results = fuzz_text(fuzz_take(&rest, fuzz_byte(&rest)));
	copy = fuzz_copy(rest.p, rest.len);
	value = (struct slice){ copy, rest.len };
	if (arc_results_instance(&value, &i) == NULL)
		MUST(i > 0 && i <= ARC_SETS_MAX && value.len < rest.len);
	buf_init(&once, 0);
	buf_init(&twice, 0);
	why = try_message(copy, rest.len, results, &once, &first);
	/* A line end in the results is no field of them. */
	if (why == NULL && first.result != RES_FAIL &&
	    strpbrk(results, "\r\n") == NULL) {
		buf_add(&once, copy, rest.len);
		why = try_message(buf_data(&once), once.len, "spf=pass", &twice,
		    &is);
		MUST(is.result == RES_PASS && is.sets == first.sets + 1);
		MUST(why == NULL);
		buf_add(&twice, buf_data(&once), once.len);
		is = mail_verify(&world, buf_data(&twice), twice.len);
		MUST(is.result == RES_PASS && is.sets == first.sets + 2 &&
		    is.oldest == 0);
	}
	buf_free(&once);
	buf_free(&twice);
	free(results);
	free(copy);
	return 0;
}
