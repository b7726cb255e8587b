/*
 * What session asks of guard about who sent a message: both identities of SPF,
 * keys, DMARC; how many at once, and what of that a client has; and nothing for
 * a session that is gone.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_verify.h"

#include "auth_result.h"
#include "conf_image.h"
#include "dmarc.h"
#include "dns_fake.h"
#include "unit.h"

static char long_key[5000];

static struct fake_row zone[] = {
	{ "e.test", DNS_TXT, DNS_FOUND,
	    { "v=spf1 ip4:192.0.2.1 -all exp=x.test" } },
	{ "x.test", DNS_TXT, DNS_FOUND, { "not from %{i}" } },
	{ "h.e.test", DNS_TXT, DNS_FOUND, { "v=spf1 ?all" } },
	{ "later.test", DNS_TXT, DNS_LATER, { NULL } },
	{ "s._domainkey.e.test", DNS_TXT, DNS_FOUND, { "v=DKIM1; p=AAAA" } },
	{ "two._domainkey.e.test", DNS_TXT, DNS_FOUND, { "one", "two" } },
	{ "long._domainkey.e.test", DNS_TXT, DNS_FOUND, { long_key } },
	{ "none._domainkey.e.test", DNS_TXT, DNS_NODATA, { NULL } },
	{ "_dmarc.e.test", DNS_TXT, DNS_FOUND,
	    { "v=DMARC1; p=reject; aspf=s; rua=mailto:r@e.test" } },
};

static struct conf *conf;
static struct loop *loop;
static struct claims *claims;
static struct dns *const dns = (struct dns *)&fake; /* never looked into */
static int session, other;                          /* who asks */

/* ---- answers ---- */

static struct spf_is spf;
static struct key_is key;
static struct dmarc_is dmarc;
static unsigned int n_said;

static void
on_spf(void *from, uint64_t id, const struct spf_is *is)
{
	if (from != &session || id != 7)
		abort();
	spf = *is;
	n_said++;
}

static void
on_key(void *from, uint64_t id, const struct key_is *is)
{
	if (from != &session || id != 8)
		abort();
	key = *is;
	n_said++;
}

static void
on_dmarc(void *from, uint64_t id, const struct dmarc_is *is)
{
	if (from != &session || id != 9)
		abort();
	dmarc = *is;
	n_said++;
}

static void
ask_spf(const char *client, const char *helo, const char *sender)
{
	struct spf_ask m;

	memset(&m, 0, sizeof m);
	snprintf(m.client, sizeof m.client, "%s", client);
	snprintf(m.helo, sizeof m.helo, "%s", helo);
	snprintf(m.sender, sizeof m.sender, "%s", sender);
	snprintf(m.ours, sizeof m.ours, "mx.ours.test");
	n_said = 0;
	memset(&spf, 0xff, sizeof spf);
	claims_spf(claims, &session, 7, &m, on_spf);
}

static void
ask_key(const char *name)
{
	struct key_ask m;

	memset(&m, 0, sizeof m);
	snprintf(m.name, sizeof m.name, "%s", name);
	n_said = 0;
	memset(&key, 0xff, sizeof key);
	claims_key(claims, &session, 8, &m, on_key);
}

static void
ask_dmarc(const char *author, enum auth_result spf_result, const char *domain)
{
	struct dmarc_ask m;

	memset(&m, 0, sizeof m);
	snprintf(m.author, sizeof m.author, "%s", author);
	m.spf = spf_result;
	snprintf(m.spf_domain, sizeof m.spf_domain, "%s", domain);
	m.n_dkim = 2;
	memcpy(m.dkim, "other.test\0e.test\0", 19);
	n_said = 0;
	memset(&dmarc, 0xff, sizeof dmarc);
	claims_dmarc(claims, &session, 9, &m, on_dmarc);
}

/* ---- SPF ---- */

/* Columns: name, client, HELO, sender; results of HELO, of MAIL FROM. */
static const struct {
	const char *name, *client, *helo, *sender;
	enum auth_result of_helo, of_mail;
} both[] = {
	{ "spf: both identities", "192.0.2.1", "h.e.test", "u@e.test",
	    RES_NEUTRAL, RES_PASS },
	{ "spf: fail", "192.0.2.2", "h.e.test", "u@e.test", RES_NEUTRAL,
	    RES_FAIL },
	{ "spf: the null sender is checked once", "192.0.2.1", "h.e.test", "",
	    RES_UNSAID, RES_NEUTRAL },
	{ "spf: no HELO", "192.0.2.1", "", "u@e.test", RES_NONE, RES_PASS },
	{ "spf: nothing to check", "192.0.2.1", "[192.0.2.1]", "u@", RES_NONE,
	    RES_NONE },
	{ "spf: one of them later", "192.0.2.1", "h.e.test", "u@later.test",
	    RES_NEUTRAL, RES_TEMPERROR },
};

static void
test_spf(void)
{
	size_t i;

	for (i = 0; i < sizeof both / sizeof both[0]; i++) {
		ask_spf(both[i].client, both[i].helo, both[i].sender);
		fake_run();
		CHECK(both[i].name,
		    n_said == 1 && spf.outcome.verdict == DONE &&
			spf.helo.result == (uint32_t)both[i].of_helo &&
			spf.mail.result == (uint32_t)both[i].of_mail &&
			claims_count(claims) == 0);
	}
	ask_spf("192.0.2.2", "h.e.test", "u@e.test");
	fake_run();
	CHECK("spf: what was found",
	    strcmp(spf.mail.domain, "e.test") == 0 &&
		strcmp(spf.mail.identity, "u@e.test") == 0 &&
		strcmp(spf.mail.mechanism, "-all") == 0 &&
		strcmp(spf.mail.exp, "not from 192.0.2.2") == 0 &&
		spf.mail.why[0] != '\0' &&
		strcmp(spf.helo.identity, "postmaster@h.e.test") == 0);
}

/* ---- keys ---- */

static void
test_key(void)
{
	ask_key("s._domainkey.e.test");
	fake_run();
	CHECK("key",
	    n_said == 1 && key.status == DNS_FOUND && key.n == 1 && !key.cut &&
		key.len == 15 && memcmp(key.text, "v=DKIM1; p=AAAA", 15) == 0 &&
		key.why[0] == '\0');
	ask_key("two._domainkey.e.test");
	fake_run();
	CHECK("key: two records", key.n == 2 && key.len == 3);
	ask_key("long._domainkey.e.test");
	fake_run();
	CHECK("key: a text that is too long is cut",
	    key.n == 1 && key.cut && key.len == sizeof key.text);
	ask_key("none._domainkey.e.test");
	fake_run();
	CHECK("key: no record", key.status == DNS_NODATA && key.n == 0);
	ask_key("gone._domainkey.e.test");
	fake_run();
	CHECK("key: no name", key.status == DNS_NXDOMAIN && key.n == 0);
	ask_key("later.test");
	fake_run();
	CHECK("key: later",
	    key.status == DNS_LATER && strcmp(key.why, "silence") == 0);
	ask_key("a..e.test");
	CHECK("key: a name that cannot be is not there",
	    n_said == 1 && key.status == DNS_NXDOMAIN && fake.n_open == 0);
}

/* ---- DMARC ---- */

static void
test_dmarc(void)
{
	ask_dmarc("e.test", RES_FAIL, "e.test");
	fake_run();
	CHECK("dmarc: one of the signatures is aligned",
	    n_said == 1 && dmarc.outcome.verdict == DONE &&
		dmarc.result == RES_PASS && dmarc.dkim_aligned == 1 &&
		dmarc.spf_aligned == 0 && dmarc.p == DMARC_P_REJECT &&
		dmarc.aspf_strict == 1 && dmarc.has_rua == 1 &&
		strcmp(dmarc.policy_domain, "e.test") == 0);
	zone[8].rr[0] = "v=DMARC1; p=reject; adkim=s";
	ask_dmarc("sub.e.test", RES_PASS, "other.test");
	fake_run();
	CHECK("dmarc: none of them is",
	    n_said == 1 && dmarc.result == RES_FAIL &&
		dmarc.disposition == DMARC_P_REJECT && dmarc.has_rua == 0 &&
		claims_count(claims) == 0);
}

/* ---- at once ---- */

static void
ignored(void *from, uint64_t id, const struct key_is *is)
{
	if (is->status == DNS_LATER && strcmp(is->why, "silence") != 0)
		n_said++;
	if (from != &other || id == 0)
		abort();
}

/* Those of a session that is gone go, and others need not wait. */
static void
test_crowd(void)
{
	struct key_ask m = { .name = "s._domainkey.e.test" };
	unsigned int i;

	n_said = 0;
	for (i = 0; i < FAKE_ASKS_MAX; i++)
		claims_key(claims, &other, i + 1, &m, ignored);
	CHECK("claims: counted", claims_count(claims) == FAKE_ASKS_MAX);
	ask_spf("192.0.2.1", "", "");
	CHECK("claims: one that needs no DNS is answered at once",
	    n_said == 1 && spf.mail.result == RES_NONE);
	claims_drop(claims, &other);
	CHECK("claims: dropped with who asked",
	    claims_count(claims) == 0 && fake.n_open == 0);
}

static void
test_drop(void)
{
	unsigned int i, k, told = 0, left = 0;

	for (i = 0; i < 6; i++) {
		ask_spf("192.0.2.2", "h.e.test", "u@e.test");
		ask_key("s._domainkey.e.test");
		ask_dmarc("e.test", RES_NONE, "");
		for (k = 0; k < i; k++)
			fake_step();
		n_said = 0;
		claims_drop(claims, &other);
		claims_drop(claims, &session);
		left += claims_count(claims) + fake.n_open;
		fake_run();
		told += n_said;
	}
	CHECK("claims: dropped at each step", told == 0 && left == 0);
}

/* n questions of a client, which are lost on their way and stay; how many of
 * them were asked. */
static unsigned int
ask_silence(const char *client, unsigned int n)
{
	struct key_ask m = { .name = "s._domainkey.e.test" };
	unsigned int asked = fake.n_asked;

	snprintf(m.client, sizeof m.client, "%s", client);
	for (; n > 0; n--) {
		claims_key(claims, &other, n, &m, ignored);
		fake.n_open = 0;
	}
	return fake.n_asked - asked;
}

static struct timer late;

static void
on_late(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* One client whose DNS is silent leaves the others theirs. */
static void
test_share(void)
{
	msec begun = loop_msec();
	unsigned int asked;

	n_said = 0;
	CHECK("claims: one client has half",
	    ask_silence("2001:db8::1", 30) == 30 &&
		ask_silence("2001:db8::2", 370) == CLAIMS_AT_ONCE / 2 - 30 &&
		n_said == 0 && claims_count(claims) == 400);
	CHECK("claims: ... also of those that wait",
	    ask_silence("2001:db8::3", 400) == 0 &&
		claims_count(claims) == CLAIMS_MAX / 2 &&
		n_said == 400 - (CLAIMS_MAX / 2 - 400));
	ask_spf("192.0.2.1", "h.e.test", "u@e.test");
	fake_run();
	CHECK("claims: another does not wait",
	    n_said == 1 && spf.mail.result == RES_PASS);
	n_said = 0;
	timer_set(loop, &late, CLAIMS_WAIT_MS + 500, on_late, NULL);
	loop_run(loop);
	CHECK("claims: who waited for too long is told so",
	    loop_msec() - begun >= CLAIMS_WAIT_MS &&
		n_said == CLAIMS_MAX / 2 - CLAIMS_AT_ONCE / 2 &&
		claims_count(claims) == CLAIMS_AT_ONCE / 2);
	/* They wait, and have their turn when their session's others go. */
	asked = fake.n_asked;
	ask_spf("2001:db8::9", "h.e.test", "u@e.test");
	fake_run();
	CHECK("claims: one waits", n_said == 0 && fake.n_asked == asked);
	claims_drop(claims, &other);
	fake_run();
	CHECK("claims: ... until there is a place",
	    n_said == 1 && spf.mail.result == RES_FAIL &&
		claims_count(claims) == 0);
}

/* A table as large as may be is full. */
static void
test_full(void)
{
	struct key_ask m = { .name = "s._domainkey.e.test" };
	struct spf_ask s;
	unsigned int i;

	memset(&s, 0, sizeof s);
	n_said = 0;
	for (i = 0; i < CLAIMS_MAX; i++) {
		snprintf(m.client, sizeof m.client, "10.0.%u.%u", i / 256,
		    i % 256);
		claims_key(claims, &other, i + 1, &m, ignored);
		/* The question is lost on its way: it stays. */
		fake.n_open = 0;
	}
	CHECK("claims: as many as may be",
	    n_said == 0 && claims_count(claims) == CLAIMS_MAX);
	claims_key(claims, &other, 1, &m, ignored);
	CHECK("claims: no more keys", n_said == 1);
	ask_spf("192.0.2.1", "h.e.test", "u@e.test");
	CHECK("claims: no more SPF",
	    n_said == 1 && spf.outcome.verdict == LATER);
	ask_dmarc("e.test", RES_NONE, "");
	CHECK("claims: no more DMARC",
	    n_said == 1 && dmarc.outcome.verdict == LATER);
	claims_drop(claims, &other);
	ask_spf("192.0.2.1", "h.e.test", "u@e.test");
	fake_run();
	CHECK("claims: room again", n_said == 1 && spf.outcome.verdict == DONE);
}

int
main(void)
{
	memset(long_key, 'k', sizeof long_key - 1);
	fake.rows = zone;
	fake.n_rows = sizeof zone / sizeof zone[0];
	loop = loop_new();
	conf = image_new();
	claims = claims_new(conf, loop, dns);
	test_spf();
	test_key();
	test_dmarc();
	test_crowd();
	test_drop();
	test_share();
	test_full();
	ask_silence("192.0.2.1", 100);
	claims_free(&claims);
	claims_free(&claims);
	loop_free(&loop);
	free(conf);
	return unit_end();
}
