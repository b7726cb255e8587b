/*
 * All methods together: which keys are asked for, and what DMARC is asked of
 * what the others found.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_world.h"

#include "verify.h"

#define FROM "From: a@example.com\r\n"
#define BODY "\r\nhello\r\n"
/* A signature whose hash of the body is right, and the rest is not. */
#define SIGNED(domain, selector)                                               \
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=" domain      \
	"; s=" selector                                                        \
	"; h=from; bh=zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY=; b=YQ==\r\n"

/* The message, fed in pieces; its keys as the table has them. */
static struct verify *
look_at(const char *mail, size_t len, size_t piece, unsigned int *asked)
{
	struct verify *v = verify_new(65536, 1700000000);
	struct key_found found;
	unsigned int i;
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		verify_feed(v, (const uint8_t *)unit_guard(mail + at, n), n);
	}
	verify_end(v);
	*asked = verify_keys(v);
	for (i = 0; i < verify_keys(v); i++) {
		found = world_find(world_keys, verify_wants(v, i));
		verify_key(v, i, &found);
	}
	while (verify_step(v))
		continue;
	return v;
}

static enum auth_result
of(const struct verify *v, enum auth_method m)
{
	return auth_result_get(verify_results(v), m);
}

/* The examples of the RFCs pass, in pieces of any size. */
static void
test_examples(void)
{
	static const size_t pieces[] = { 1, 2, 7, 64, 100000 };
	struct verify *v;
	struct dmarc_query q;
	unsigned int asked;
	size_t i;
	int ok = 1;

	for (i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		v = look_at(rfc8463_mail, sizeof rfc8463_mail - 1, pieces[i],
		    &asked);
		ok = ok && asked == 2 && of(v, BY_DKIM) == RES_PASS &&
		    of(v, BY_ARC) == RES_NONE &&
		    of(v, BY_SPF) == RES_TEMPERROR &&
		    of(v, BY_DMARC) == RES_TEMPERROR &&
		    verify_dmarc(v, DMARC_RFC9989, &q) &&
		    strcmp(q.author, "football.example.com") == 0 &&
		    /* both have signed for the same */
		    q.n_dkim == 1 && strcmp(q.dkim[0], q.author) == 0;
		verify_free(&v);
		ok = ok && v == NULL;
	}
	CHECK("examples", ok);
}

/* A key that several want is one question. */
static void
test_questions(void)
{
	static const char same[] =
	    SIGNED("example.com", "a") SIGNED("example.com", "a")
		SIGNED("example.com", "b") SIGNED("EXAMPLE.com", "A") FROM BODY;
	static const char many[] = SIGNED("a.test", "a") SIGNED("b.test", "a")
	    SIGNED("c.test", "a") SIGNED("d.test", "a") SIGNED("e.test", "a")
		SIGNED("f.test", "a") SIGNED("g.test", "a")
		    SIGNED("h.test", "a") SIGNED("i.test", "a") FROM BODY;
	static const char last[] = SIGNED("a.test", "a") SIGNED("b.test", "a")
	    SIGNED("c.test", "a") SIGNED("anexample.com", "a")
		SIGNED("example.com", "b") "From: a@x.EXAMPLE.com\r\n" BODY;
	unsigned int asked;
	struct verify *v;

	v = look_at(same, sizeof same - 1, 100, &asked);
	CHECK("equal names are one",
	    asked == 2 &&
		strcmp(verify_wants(v, 0), "a._domainkey.example.com") == 0 &&
		v->dkim.n == 4 && of(v, BY_DKIM) == RES_PERMERROR);
	verify_free(&v);
	v = look_at(many, sizeof many - 1, 100, &asked);
	CHECK("not more than are verified",
	    asked == DKIM_VERIFY_MAX && v->dkim.n == 9);
	verify_free(&v);
	/* Who forges cannot make the key wait that says so. */
	v = look_at(last, sizeof last - 1, 100, &asked);
	CHECK("those that may speak for the author first",
	    asked == 5 &&
		strcmp(verify_wants(v, 0), "b._domainkey.example.com") == 0 &&
		strcmp(verify_wants(v, 1), "a._domainkey.a.test") == 0 &&
		strcmp(verify_wants(v, 4), "a._domainkey.anexample.com") == 0);
	verify_free(&v);
	v = look_at("", 0, 1, &asked);
	CHECK("nothing at all",
	    asked == 0 && v->known && of(v, BY_DKIM) == RES_NONE &&
		of(v, BY_ARC) == RES_NONE);
	verify_free(&v);
	v = look_at("\r\nX: y\r\n", 8, 1, &asked);
	CHECK("no header section", asked == 0 && v->known);
	verify_free(&v);
}

/* Columns: message, From fields, is there one author, DMARC's result if not. */
static const struct {
	const char *mail;
	unsigned int fields;
	bool one;
	enum auth_result result;
} authors[] = {
	{ FROM BODY, 1, true, RES_UNSAID },
	{ "To: a@example.com\r\n" BODY, 0, false, RES_NONE },
	{ "From: nobody\r\n" BODY, 1, false, RES_NONE },
	{ FROM FROM BODY, 2, false, RES_PERMERROR },
	{ "From: a@b.test, c@d.test\r\n" BODY, 1, false, RES_PERMERROR },
	{ "From: a@b.test, c@b.test\r\n" BODY, 1, true, RES_UNSAID },
};

static void
test_authors(void)
{
	struct dmarc_query q;
	unsigned int asked;
	struct verify *v;
	char name[32];
	size_t i;
	bool one;

	for (i = 0; i < sizeof authors / sizeof authors[0]; i++) {
		v = look_at(authors[i].mail, strlen(authors[i].mail), 10,
		    &asked);
		one = verify_dmarc(v, DMARC_RFC9989, &q);
		snprintf(name, sizeof name, "author %zu", i);
		CHECK(name,
		    one == authors[i].one &&
			v->from_fields == authors[i].fields &&
			v->has_dmarc == !one &&
			v->dmarc.result == authors[i].result);
		verify_free(&v);
	}
}

/* A header section that is larger than what is read: nobody knows its
 * authors. */
static void
test_too_large(void)
{
	static const char mail[] = FROM "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
					"From: c@d.test\r\n" BODY;
	struct verify *v = verify_new(40, 0);

	verify_feed(v, (const uint8_t *)mail, sizeof mail - 1);
	verify_end(v);
	while (verify_step(v))
		continue;
	CHECK("too large", v->m.why != NULL);
	verify_free(&v);
}

/* Whom DMARC is asked about: who passed first, then those whose keys the DNS
 * did not say, each once, and no others. */
static void
test_signers(void)
{
	static const char mail[] = SIGNED("b.test", "x") SIGNED("a.test", "x")
	    SIGNED("b.test", "y") SIGNED("c.test", "x") FROM BODY;
	struct verify *v = verify_new(65536, 0);
	struct key_found gone = { .status = DNS_NXDOMAIN };
	struct dmarc_query q;
	unsigned int i;

	verify_feed(v, (const uint8_t *)mail, sizeof mail - 1);
	verify_end(v);
	for (i = 0; i < verify_keys(v); i++) {
		if (strcmp(verify_wants(v, i), "c._domainkey.c.test") == 0 ||
		    strcmp(verify_wants(v, i), "x._domainkey.c.test") == 0)
			verify_key(v, i, &gone);
	}
	while (verify_step(v))
		continue;
	CHECK("signers that may pass another time",
	    verify_dmarc(v, DMARC_RFC9989, &q) && q.n_dkim == 0 &&
		q.n_later == 2 && strcmp(q.dkim[0], "b.test") == 0 &&
		strcmp(q.dkim[1], "a.test") == 0 && q.spf == RES_TEMPERROR);
	v->dkim.check[1].result = RES_PASS;
	v->dkim.check[2].result = RES_PASS;
	v->has_spf = true;
	v->spf.result = RES_SOFTFAIL;
	CHECK("those that passed stand first",
	    verify_dmarc(v, DMARC_RFC7489, &q) && q.n_dkim == 2 &&
		q.n_later == 0 && strcmp(q.dkim[0], "a.test") == 0 &&
		strcmp(q.dkim[1], "b.test") == 0 && q.spf == RES_SOFTFAIL &&
		q.rules == DMARC_RFC7489);
	verify_dmarc_is(v, NULL);
	CHECK("no answer",
	    v->has_dmarc && of(v, BY_DMARC) == RES_TEMPERROR &&
		v->dmarc.disposition <= DMARC_P_NONE);
	verify_free(&v);
}

int
main(void)
{
	test_examples();
	test_questions();
	test_authors();
	test_too_large();
	test_signers();
	return unit_end();
}
