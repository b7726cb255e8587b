/*
 * common/arc*.c: chains of any length by two algorithms, damaged at each byte,
 * keys that do not come, sets that are none, and our own set.
 *
 * With arguments it verifies what comes on standard input, for those tests
 * that have many messages:
 *
 *	key NAME TEXT		what the DNS says, "-": it does not say now
 *	mail BYTES		and so many bytes
 *
 * prints a line for each message: result, sets, oldest-pass, why.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <openssl/evp.h>

#include "arc_parts.h"
#include "arc_world.h"
#include "cert.h"

static const char plain[] = "Received: from a.test by b.test; now\r\n"
			    "From: Ann <ann@a.test>\r\n"
			    "To: list@b.test\r\n"
			    "Subject: a  chain\r\n"
			    "Date: Sun, 22 Nov 2026 00:00:00 +0000\r\n"
			    "Message-ID: <1@a.test>\r\n"
			    "DKIM-Signature: v=1; a=rsa-sha256; d=a.test;\r\n"
			    "\ts=x; h=from; bh=eA==; b=eA==\r\n"
			    "X-Free: not signed\r\n"
			    "\r\n"
			    "Some text.  \r\n"
			    "And more.\r\n\r\n";

static EVP_PKEY *rsa, *ed;
static struct world world;

/* ---- "i=N;" ---- */

static const struct {
	const char *value;
	unsigned int i; /* 0: it is none */
	const char *rest;
} instances[] = {
	{ " i=1; b.test; none", 1, " b.test; none" },
	{ "i=50;x", 50, "x" },
	{ "\r\n\ti\r\n\t = 7 ;x", 7, "x" },
	{ " (a (b) \\) c) i (x) = (y) 3 (z) ; q", 3, " q" },
	{ " i=01;x", 1, "x" },
	{ " i=0;x", 0, NULL },
	{ " i=51;x", 0, NULL },
	{ " i=001;x", 0, NULL },
	{ " i=;x", 0, NULL },
	{ " i=a;x", 0, NULL },
	{ " i=-1;x", 0, NULL },
	{ " i=1 b.test; none", 0, NULL },
	{ " b.test; i=1; none", 0, NULL },
	{ " I=1; x", 0, NULL },
	{ " i=1", 0, NULL },
	{ " (a i=1; x", 0, NULL },
	{ " (a \\", 0, NULL },
	{ " i=99999999999999999999999;x", 0, NULL },
	{ "", 0, NULL },
};

static void
test_instances(void)
{
	struct slice s;
	unsigned int n, at;
	char name[32];
	size_t len, cut, i;
	const char *why;

	for (i = 0; i < sizeof instances / sizeof *instances; i++) {
		len = strlen(instances[i].value);
		s = (struct slice){ unit_guard(instances[i].value, len), len };
		n = 0;
		why = arc_results_instance(&s, &n);
		snprintf(name, sizeof name, "instance, row %zu", i + 1);
		CHECK(name,
		    instances[i].i == 0 ? why != NULL :
					  why == NULL && n == instances[i].i &&
			    slice_eq(s, slice_of(instances[i].rest)));
		for (cut = 0; cut < len; cut++) {
			s = (struct slice){ unit_guard(instances[i].value, cut),
				cut };
			arc_results_instance(&s, &at);
		}
	}
}

/* ---- chains ---- */

/* The i-th sealer: each second one has the other algorithm. */
static EVP_PKEY *
key_of(unsigned int i)
{
	return i % 2 == 0 ? rsa : ed;
}

/* Adds a set to text, with what is found of it, and a field of the way. */
static const char *
grow(struct buf *text, unsigned int i, const char *results)
{
	struct arc_say say = { .authserv = "b.test",
		.results = slice_of(results) };
	char domain[32];
	struct buf out;
	struct mail mail;
	const char *why;

	snprintf(domain, sizeof domain, "s%u.test", i % 4);
	buf_init(&out, 0);
	mail_open(&mail, &world, buf_data(text), text->len);
	say.cv = mail.is->result;
	why = mail_seal(&mail, key_of(i), domain, "k", &say, &out);
	mail_close(&mail);
	if (why != NULL) {
		buf_free(&out);
		return why;
	}
	buf_printf(&out, "Received: by hop%u.test; now\r\n", i);
	buf_add(&out, buf_data(text), text->len);
	buf_free(text);
	*text = out;
	return NULL;
}

static void
chain(struct buf *text, unsigned int n)
{
	unsigned int i;

	buf_init(text, 0);
	buf_puts(text, plain);
	for (i = 0; i < n; i++) {
		if (grow(text, i,
			i == 0 ?
			    "dkim=pass header.d=a.test" :
			    "spf=pass smtp.mailfrom=x@y.test;\r\n\tarc=pass") !=
		    NULL)
			abort();
	}
}

static struct arc_is
verify(const struct buf *text)
{
	return mail_verify(&world, buf_data(text), text->len);
}

static void
test_lengths(void)
{
	struct buf text;
	struct arc_is is;
	unsigned int i, good = 0;
	const char *why;

	buf_init(&text, 0);
	buf_puts(&text, plain);
	is = verify(&text);
	CHECK("no chain is none", is.result == RES_NONE && is.sets == 0);
	for (i = 0; i < ARC_SETS_MAX; i++) {
		if ((why = grow(&text, i, "arc=pass")) != NULL)
			break;
		is = verify(&text);
		good += is.result == RES_PASS && is.sets == i + 1 &&
		    is.why == NULL && !is.sealed_fail;
	}
	CHECK("chains of 1 to 50 sets pass", good == ARC_SETS_MAX);
	CHECK("a set below eight is not looked at for oldest-pass",
	    is.oldest == ARC_SETS_MAX - 8);
	why = grow(&text, i, "arc=pass");
	CHECK("there is no 51st",
	    why != NULL && strstr(why, "as many sets") != NULL);
	buf_free(&text);
}

/* Whether the byte at `at` is in a field that a chain or its signatures
 * cover. */
static bool
is_covered(const char *text, size_t at)
{
	static const char *const names[] = { "ARC-", "From:", "To:", "Subject:",
		"Date:", "Message-ID:", "DKIM-Signature:" };
	const char *body = strstr(text, "\r\n\r\n"), *line = text + at;
	size_t i;

	if (text + at >= body)
		return true;
	while (line > text &&
	    (line[-1] != '\n' || line[0] == '\t' || line[0] == ' '))
		line--;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		if (strncmp(line, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

/* One bit of each byte, and each byte left out. */
static void
test_damage(unsigned int step)
{
	struct buf text;
	struct arc_is is;
	size_t at, wrong = 0, free_ok = 0, free_all = 0, cut_wrong = 0;
	uint8_t *p, *part;
	char *all;

	chain(&text, 3);
	all = strndup((const char *)buf_data(&text), text.len);
	p = malloc(text.len);
	for (at = 0; at < text.len; at += step) {
		memcpy(p, all, text.len);
		p[at] ^= 1;
		is = mail_verify(&world, p, text.len);
		if (is_covered(all, at)) {
			/* More empty lines at the end are none. */
			if (is.result != RES_FAIL &&
			    at + strlen("\r\n\r\n") < text.len) {
				printf("# byte %zu\n", at);
				wrong++;
			}
		} else if (all[at] >= 'a' && all[at] <= 'z') {
			free_all++;
			free_ok += is.result == RES_PASS;
		}
	}
	CHECK("each byte that is covered counts", wrong == 0);
	CHECK("others do not", free_all > 0 && free_ok == free_all);
	for (at = 0; at < text.len; at += step) {
		part = (uint8_t *)unit_guard(all, at);
		is = mail_verify(&world, part, at);
		cut_wrong +=
		    is.result == RES_PASS && at + strlen("\r\n\r\n") < text.len;
	}
	CHECK("none that is cut short passes", cut_wrong == 0);
	free(p);
	free(all);
	buf_free(&text);
}

/* ---- keys ---- */

static void
test_keys(void)
{
	struct buf text;
	struct arc_is is;
	uint8_t *p;
	char name[HOST_MAX + 1];
	struct mail mail;
	unsigned int i, asked = 0;

	chain(&text, 3); /* by s0, s1, s2 */
	is = verify(&text);
	CHECK("all message signatures hold",
	    is.result == RES_PASS && is.oldest == 0);
	world_key(&world, "k._domainkey.s1.test", NULL);
	is = verify(&text);
	CHECK("the DNS does not say a key of the middle: temperror",
	    is.result == RES_TEMPERROR && is.why != NULL);
	p = malloc(text.len);
	memcpy(p, buf_data(&text), text.len);
	memcpy(strstr((char *)p, "dkim=pass"), "dkim=fail", 9);
	is = mail_verify(&world, p, text.len);
	CHECK("what another seal says is wrong fails all the same",
	    is.result == RES_FAIL);
	free(p);
	world_publish(&world, "k._domainkey.s1.test", ed);
	world_key(&world, "k._domainkey.s2.test", NULL);
	is = verify(&text);
	CHECK("the DNS does not say the newest key: temperror",
	    is.result == RES_TEMPERROR);
	world_publish(&world, "k._domainkey.s2.test", rsa);
	world_key(&world, "k._domainkey.s0.test", "v=DKIM1; p=");
	is = verify(&text);
	CHECK("a key that was revoked: fail", is.result == RES_FAIL);
	world_publish(&world, "k._domainkey.s0.test", ed);
	is = verify(&text);
	CHECK("a key of another algorithm: fail", is.result == RES_FAIL);
	world_publish(&world, "k._domainkey.s0.test", rsa);
	mail_open(&mail, NULL, buf_data(&text), text.len);
	CHECK("no answer at all: temperror",
	    mail.is->result == RES_TEMPERROR && arc_keys(mail.arc) == 3);
	mail_close(&mail);
	buf_free(&text);

	/* Four sealers, eight sets: four questions. */
	chain(&text, 8);
	mail_open(&mail, NULL, buf_data(&text), text.len);
	for (i = 0; arc_wants(mail.arc, i, name); i++)
		asked++;
	CHECK("a key is asked for once", asked == 4);
	CHECK("d= of each seal",
	    strcmp(arc_sealer(mail.arc, 1), "s0.test") == 0 &&
		strcmp(arc_sealer(mail.arc, 8), "s3.test") == 0 &&
		strcmp(arc_sealer(mail.arc, 0), "") == 0 &&
		strcmp(arc_sealer(mail.arc, 9), "") == 0);
	mail_close(&mail);
	buf_free(&text);
}

/* ---- sets that are none ---- */

/* Of a chain of two sets: old is replaced by new, `at` says in which field of
 * ARC from the top (0: everywhere). */
static const struct {
	const char *name, *old, *new;
	const char *why; /* within it; NULL: it passes */
} edits[] = {
	{ "untouched", "ARC-Seal", "ARC-Seal", NULL },
	{ "another case of names", "ARC-Seal", "arc-SEAL", NULL },
	{ "blanks before the colon", "ARC-Seal:", "ARC-Seal :", NULL },
	{ "no seal", "ARC-Seal", "X-Seal", "without ARC-Seal" },
	{ "no message signature", "ARC-Message-Signature", "X-AMS",
	    "without ARC-Message-Signature" },
	{ "no results", "ARC-Authentication-Results", "X-AAR",
	    "without ARC-Authentication-Results" },
	{ "a gap", "i=1;", "i=3;", "without" },
	{ "the same twice", "i=1;", "i=2;", "twice" },
	{ "instance 0", "i=1;", "i=0;", "instance" },
	{ "instance 51", "i=1;", "i=51;", "more than 50" },
	{ "no instance", "i=1;", "j=1;", "instance" },
	{ "cv=fail on top", "cv=pass", "cv=fail", "has failed" },
	{ "cv=none on top", "cv=pass", "cv=none", "wrong cv" },
	{ "cv=pass below", "cv=none", "cv=pass", "wrong cv" },
	{ "cv=fail below", "cv=none", "cv=fail", "wrong cv" },
	{ "no cv", "cv=", "cw=", "without a cv" },
	{ "another word in cv", "cv=pass", "cv=past", "without a cv" },
	{ "h= in a seal", "cv=pass;", "cv=pass; h=from;", "h=" },
	{ "a tag twice", "cv=pass;", "cv=pass; cv=pass;", "" },
	{ "a seal by sha1", "a=ed25519-sha256; t", "a=rsa-sha1; t",
	    "algorithm" },
	{ "a line that is no field", "X-Free:", "X-Free", "no field" },
};

/* A copy with it; to be freed. */
static char *
replace(const struct buf *text, const char *old, const char *new, size_t *len)
{
	const char *p = (const char *)buf_data(text), *end = p + text->len;
	size_t n = strlen(old);
	struct buf out;
	char *copy;

	buf_init(&out, 0);
	for (; p < end; p++) {
		if ((size_t)(end - p) >= n && memcmp(p, old, n) == 0) {
			buf_puts(&out, new);
			p += n - 1;
		} else
			buf_add(&out, p, 1);
	}
	copy = malloc(out.len + 1);
	memcpy(copy, buf_data(&out), out.len);
	copy[out.len] = '\0';
	*len = out.len;
	buf_free(&out);
	return copy;
}

static void
test_edits(void)
{
	struct buf text;
	struct arc_is is;
	char *copy;
	size_t i, len;
	bool good;

	chain(&text, 2);
	for (i = 0; i < sizeof edits / sizeof *edits; i++) {
		copy = replace(&text, edits[i].old, edits[i].new, &len);
		is = mail_verify(&world, copy, len);
		if (edits[i].why == NULL)
			good = is.result == RES_PASS;
		else
			good = is.result == RES_FAIL && is.why != NULL &&
			    strstr(is.why, edits[i].why) != NULL;
		CHECK(edits[i].name, good);
		CHECK("sealed_fail is that of the newest seal",
		    is.sealed_fail ==
			(strcmp(edits[i].name, "cv=fail on top") == 0));
		free(copy);
	}
	buf_free(&text);
}

/* Who handed it on as set 3 changed it: the chain holds, and oldest-pass says
 * since when the message does. */
static void
test_oldest(void)
{
	struct arc_say say = { .authserv = "b.test",
		.results = SLICE("arc=pass"),
		.cv = RES_PASS };
	struct buf text, next;
	struct arc_is is;
	struct mail mail;
	char *copy;
	size_t len;

	chain(&text, 2);
	copy = replace(&text, "And more.", "And a footer.", &len);
	buf_free(&text);
	is = mail_verify(&world, copy, len);
	CHECK("a changed body fails the newest message signature",
	    is.result == RES_FAIL);
	buf_init(&next, 0);
	mail_open(&mail, &world, copy, len);
	CHECK("it is sealed as it is now",
	    mail_seal(&mail, rsa, "s2.test", "k", &say, &next) == NULL);
	mail_close(&mail);
	buf_add(&next, copy, len);
	free(copy);
	is = verify(&next);
	CHECK("the chain holds, the message since the third",
	    is.result == RES_PASS && is.oldest == 3);
	CHECK("and a fourth goes on",
	    grow(&next, 3, "arc=pass") == NULL &&
		(is = verify(&next)).result == RES_PASS && is.sets == 4 &&
		is.oldest == 3);
	buf_free(&next);
}

/* ---- much of it ---- */

static void
test_much(void)
{
	struct arc_is is;
	struct buf text;
	unsigned int i;
	size_t start;

	buf_init(&text, 0);
	for (i = 0; i < 4000; i++)
		buf_printf(&text,
		    "ARC-Seal: i=%u; a=rsa-sha256; cv=pass; d=a.test; s=k;\r\n\tb=%0180u\r\n",
		    i % 50 + 1, i);
	buf_puts(&text, plain);
	is = verify(&text);
	CHECK("4000 seals fail",
	    is.result == RES_FAIL && strstr(is.why, "twice") != NULL);
	buf_free(&text);
	for (i = 0; i < 5000; i++)
		buf_printf(&text, "ARC-Seal: i=1; cv=none\r\n");
	buf_puts(&text, plain);
	is = verify(&text);
	CHECK("more fields than are told apart fail", is.result == RES_FAIL);
	buf_free(&text);
	for (i = 0; i < 3; i++) {
		buf_puts(&text, "ARC-Authentication-Results: i=1;");
		start = text.len;
		while (text.len - start < 900000)
			buf_puts(&text, " (((((((((((((((((((((((\r\n");
		buf_puts(&text, "\r\n");
	}
	buf_puts(&text, plain);
	is = verify(&text);
	CHECK("more than 2 MB fails", is.result == RES_FAIL);
	buf_free(&text);
}

/* ---- our own set ---- */

static const struct {
	const char *name, *results;
	size_t max;
	const char *has[3], *lacks[2];
} results[] = {
	{ "no results", "", 0, { "b.test;\r\n\tnone\r\n" }, { NULL } },
	{ "none", "none", 0, { "b.test;\r\n\tnone\r\n" }, { NULL } },
	{ "all there is", "spf=pass; dkim=pass;dkim=fail ; x-y=z", 0,
	    { "spf=pass;\r\n\tdkim=pass;\r\n\tdkim=fail;\r\n\tx-y=z\r\n" },
	    { NULL } },
	{ "a semicolon in a comment and in quotes",
	    "spf=pass (a;b) x=\"c;\\\";d\"; arc=none", 0,
	    { "spf=pass (a;b) x=\"c;\\\";d\";\r\n\tarc=none\r\n" }, { NULL } },
	{ "a comment without an end", "spf=pass (a;b", 0, { "spf=pass (a;b" },
	    { NULL } },
	{ "a backslash at the end", "spf=pass (\\", 0, { "spf=pass (\\" },
	    { NULL } },
	{ "too many: others go first",
	    "x-other=pass; spf=pass; dkim=pass header.d=a; dmarc=pass; arc=pass",
	    795, { "spf=pass;", "dkim=pass header.d=a", "dmarc=pass" },
	    { "x-other" } },
	{ "too many: then the last ones of dkim",
	    "spf=pass; dkim=pass header.d=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; dkim=pass header.d=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb; dmarc=pass; arc=pass",
	    845, { "spf=pass;", "header.d=a", "arc=pass\r\n" },
	    { "header.d=b" } },
};

static void
test_results(void)
{
	struct arc_say say = { .authserv = "b.test", .cv = RES_NONE };
	struct buf out;
	struct mail mail;
	const char *why;
	char *text;
	size_t i, k;
	bool good;

	mail_open(&mail, &world, plain, strlen(plain));
	for (i = 0; i < sizeof results / sizeof *results; i++) {
		buf_init(&out, 0);
		say.results = (struct slice){ unit_guard(results[i].results,
						  strlen(results[i].results)),
			strlen(results[i].results) };
		say.max = results[i].max;
		why = mail_seal(&mail, rsa, "s0.test", "k", &say, &out);
		text = strndup((const char *)buf_data(&out), out.len);
		good = why == NULL && (say.max == 0 || out.len <= say.max);
		for (k = 0; k < 3 && results[i].has[k] != NULL; k++)
			good = good && strstr(text, results[i].has[k]) != NULL;
		for (k = 0; k < 2 && results[i].lacks[k] != NULL; k++)
			good =
			    good && strstr(text, results[i].lacks[k]) == NULL;
		if (!good)
			printf("# %s\n%zu\n%s\n", why == NULL ? "" : why,
			    out.len, text);
		CHECK(results[i].name, good);
		free(text);
		buf_free(&out);
	}
	say.max = 600;
	say.results = slice_of("spf=pass");
	buf_init(&out, 0);
	CHECK("what must be there has no room",
	    mail_seal(&mail, rsa, "s0.test", "k", &say, &out) != NULL &&
		out.len == 0);
	mail_close(&mail);
}

/* Columns: name, the message, what was found when it came, why it is not
 * sealed (NULL: it is). */
static const struct {
	const char *name, *mail;
	enum auth_result cv;
	const char *why;
} refusals[] = {
	{ "a plain message", plain, RES_NONE, NULL },
	{ "none was found, and there is a chain",
	    "ARC-Seal: i=1; cv=none\r\nFrom: a@b\r\n\r\n", RES_NONE,
	    "another one" },
	{ "a chain was found, and there is none", plain, RES_PASS,
	    "another one" },
	{ "a chain failed, and there is none", plain, RES_FAIL, "another one" },
	{ "a chain failed", "ARC-Seal: i=1; cv=none\r\nFrom: a@b\r\n\r\n",
	    RES_FAIL, NULL },
	{ "it passed, and is not whole",
	    "ARC-Seal: i=1; cv=none\r\nFrom: a@b\r\n\r\n", RES_PASS,
	    "another one" },
	{ "the chain said so before",
	    "ARC-Seal: i=3; cv=fail\r\nFrom: a@b\r\n\r\n", RES_FAIL,
	    "has failed before" },
	{ "instance 50 is there",
	    "ARC-Seal: i=50; cv=pass\r\nFrom: a@b\r\n\r\n", RES_FAIL,
	    "as many sets" },
	{ "nobody looked", plain, RES_UNSAID, "not known" },
	{ "the DNS did not say", plain, RES_TEMPERROR, "not known" },
	{ "no From", "To: a@b\r\n\r\nx\r\n", RES_NONE, "From" },
	{ "two From fields", "From: a@b\r\nFrom: c@d\r\n\r\nx\r\n", RES_NONE,
	    "From" },
	{ "a line that is no field", "From: a@b\r\nnothing\r\n\r\nx\r\n",
	    RES_NONE, "no field" },
	{ "a line of a mailbox file", "From a@b now\r\nFrom: a@b\r\n\r\nx\r\n",
	    RES_NONE, "no field" },
	{ "no body", "From: a@b\r\n", RES_NONE, NULL },
};

static void
test_refusals(void)
{
	struct arc_say say = { .authserv = "b.test", .results = SLICE("none") };
	struct mail mail;
	struct buf out;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		buf_init(&out, 0);
		mail_open(&mail, &world, refusals[i].mail,
		    strlen(refusals[i].mail));
		say.cv = refusals[i].cv;
		why = mail_seal(&mail, ed, "s1.test", "k", &say, &out);
		CHECK(refusals[i].name,
		    refusals[i].why == NULL ? why == NULL && out.len > 0 :
					      why != NULL && out.len == 0 &&
			    strstr(why, refusals[i].why) != NULL);
		mail_close(&mail);
		buf_free(&out);
	}
}

/* RFC 8617 5.1.2: the seal of a chain that failed covers its own set alone, so
 * it holds whatever stands below. */
static void
test_failed(void)
{
	static const char broken[] =
	    "ARC-Seal: i=1; cv=none\r\nARC-Seal: i=2; nonsense\r\n";
	struct arc_say say = { .authserv = "b.test",
		.results = SLICE("arc=fail"),
		.cv = RES_FAIL };
	struct buf text, out;
	struct mail mail;
	struct slice b;
	struct dkim_key key;
	struct key_found found = { .status = DNS_FOUND, .n = 1 };
	struct arc_chain *c = xcalloc(1, sizeof *c);
	EVP_MD_CTX *md = arc_hash_new();
	uint8_t digest[32], sig[256];
	const char *why, *p;
	char b64[512];
	size_t i, n = 0;
	long sig_len;

	buf_init(&text, 0);
	buf_init(&out, 0);
	buf_puts(&text, broken);
	buf_puts(&text, plain);
	mail_open(&mail, &world, buf_data(&text), text.len);
	CHECK("a broken chain fails", mail.is->result == RES_FAIL);
	why = mail_seal(&mail, rsa, "s0.test", "k", &say, &out);
	mail_close(&mail);
	CHECK("it is sealed", why == NULL);
	buf_puts(&out, plain); /* our set as if it were the only one */
	mail_open(&mail, &world, buf_data(&out), out.len);
	arc_collect(c, &mail.m);
	CHECK("as the next one, and as failed",
	    c->n == 2 && c->sealed_fail && mail.is->sealed_fail);
	arc_hash_field(md, c->set[1].field[ARC_RESULTS]);
	arc_hash_field(md, c->set[1].field[ARC_SIGNATURE]);
	p = strstr(c->set[1].value[ARC_SEALED].p, "b=") + 2;
	b = (struct slice){ p,
		c->set[1].value[ARC_SEALED].len -
		    (size_t)(p - c->set[1].value[ARC_SEALED].p) };
	arc_hash_seal(md, c->set[1].field[ARC_SEALED], b, digest);
	for (i = 0; i < b.len && n < sizeof b64 - 1; i++) {
		if (!slice_is_space(b.p[i]))
			b64[n++] = b.p[i];
	}
	b64[n] = '\0';
	sig_len = EVP_DecodeBlock(sig, (uint8_t *)b64, (int)n);
	while (n > 0 && b64[--n] == '=')
		sig_len--;
	found.text = slice_of(world.key[0].text);
	CHECK("its seal covers its own set",
	    dkim_key_read(&found, DKIM_RSA_SHA256, &key, &why) == RES_PASS &&
		dkim_key_verify(&key, digest, sig, (size_t)sig_len));
	dkim_key_free(&key);
	EVP_MD_CTX_free(md);
	free(c);
	mail_close(&mail);
	buf_free(&text);
	buf_free(&out);
}

/* ---- who was vouched for ---- */

static const struct {
	const char *first, *second; /* results of set 1 and 2 */
	const char *author;
	unsigned int i;
} vouched[] = {
	{ "dmarc=pass header.from=a.test", "arc=pass", "a.test", 1 },
	{ "dmarc=pass header.from=a.test", "dmarc=fail header.from=a.test",
	    "a.test", 1 },
	{ "dmarc=pass header.from=a.test", "dmarc=pass header.from=a.test",
	    "a.test", 2 },
	{ "arc=none", "dkim=fail; dkim=pass header.i=@A.TEST", "a.test", 2 },
	{ "dkim=pass header.d=a.test (1024 bits)", "arc=pass", "a.test", 1 },
	{ "spf=pass smtp.mailfrom=x@a.test", "arc=pass", "a.test", 1 },
	{ "spf=pass smtp.mailfrom=a.test", "arc=pass", "a.test", 1 },
	{ "spf=softfail smtp.mailfrom=a.test", "arc=pass", "a.test", 0 },
	{ "spf=pass smtp.helo=a.test", "arc=pass", "a.test", 0 },
	{ "dmarc=pass header.from=b.a.test", "arc=pass", "a.test", 0 },
	{ "dkim=pass header.d=a.test.evil.test", "arc=pass", "a.test", 0 },
	{ "x=pass (dmarc=pass header.from=a.test)", "arc=pass", "a.test", 0 },
	{ "dmarc=pass", "arc=pass", "a.test", 0 },
	{ "none", "none", "a.test", 0 },
	{ "dmarc=pass header.from=\"\"", "arc=pass", "", 0 },
};

static void
test_vouched(void)
{
	struct buf text;
	struct mail mail;
	size_t i;

	for (i = 0; i < sizeof vouched / sizeof *vouched; i++) {
		buf_init(&text, 0);
		buf_puts(&text, plain);
		if (grow(&text, 0, vouched[i].first) != NULL ||
		    grow(&text, 1, vouched[i].second) != NULL)
			abort();
		mail_open(&mail, &world, buf_data(&text), text.len);
		CHECK(vouched[i].first,
		    mail.is->result == RES_PASS &&
			arc_vouches(mail.arc, vouched[i].author) ==
			    vouched[i].i);
		mail_close(&mail);
		buf_free(&text);
	}
	chain(&text, 1);
	*strstr((char *)text.mem + text.off, "And more") = 'a';
	mail_open(&mail, &world, buf_data(&text), text.len);
	CHECK("a chain that fails vouches for nobody",
	    mail.is->result == RES_FAIL &&
		arc_vouches(mail.arc, "a.test") == 0);
	mail_close(&mail);
	buf_free(&text);
}

/* ---- for others ---- */

static int
batch(void)
{
	struct world w = { 0 };
	char *line = NULL, *name, *text, *bytes;
	size_t size = 0, len;
	struct arc_is is;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) > 0) {
		line[n - 1] = '\0';
		if (strncmp(line, "key ", 4) == 0) {
			name = line + 4;
			text = strchr(name, ' ');
			*text++ = '\0';
			world_key(&w, name,
			    strcmp(text, "-") == 0 ? NULL : text);
			continue;
		}
		len = strtoul(line + strlen("mail "), NULL, 10);
		bytes = malloc(len + 1);
		if (fread(bytes, 1, len, stdin) != len)
			abort();
		is = mail_verify(&w, bytes, len);
		printf("%s %u %u %s\n", auth_result_word(is.result), is.sets,
		    is.oldest, is.why == NULL ? "" : is.why);
		free(bytes);
	}
	free(line);
	world_free(&w);
	return 0;
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return batch();
	rsa = cert_key("RSA:1024");
	ed = cert_key("ED25519");
	world_publish(&world, "k._domainkey.s0.test", rsa);
	world_publish(&world, "k._domainkey.s1.test", ed);
	world_publish(&world, "k._domainkey.s2.test", rsa);
	world_publish(&world, "k._domainkey.s3.test", ed);
	test_instances();
	test_lengths();
	test_damage(1);
	test_keys();
	test_edits();
	test_oldest();
	test_much();
	test_results();
	test_refusals();
	test_failed();
	test_vouched();
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed);
	world_free(&world);
	return unit_end();
}
