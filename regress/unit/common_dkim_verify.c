/*
 * common/dkim_verify.c, dkim_check.c: signatures of the RFCs, damaged ones,
 * each rule of RFC 6376 6.1.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_world.h"

/* ---- the examples ---- */

static void
test_examples(void)
{
	static const struct {
		const char *name, *mail;
		unsigned int n;
	} rows[] = {
		{ "RFC 6376 A.2", rfc6376_mail, 1 },
		{ "RFC 8463 A.3", rfc8463_mail, 2 },
	};
	struct world w = { .now = 1600000000 };
	unsigned int i, j;
	bool good;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (w.step = 0; w.step < 70; w.step += 1 + w.step / 8) {
			world_verify(&w, world_keys, rows[i].mail,
			    strlen(rows[i].mail));
			good = w.v.n == rows[i].n;
			for (j = 0; good && j < w.v.n; j++)
				good = w.v.check[j].result == RES_PASS &&
				    w.v.check[j].why == NULL;
			good = good && dkim_verify_result(&w.v) == RES_PASS;
			if (w.step == 0 || !good)
				CHECK(rows[i].name, good);
			world_free(&w);
		}
	}
	w.step = 0;
	world_verify(&w, world_keys, rfc8463_mail, sizeof(rfc8463_mail) - 1);
	CHECK("what it says of itself",
	    strcmp(w.v.check[0].domain, "football.example.com") == 0 &&
		strcmp(w.v.check[0].selector, "brisbane") == 0 &&
		strcmp(w.v.check[0].identity, "@football.example.com") == 0 &&
		strcmp(w.v.check[0].b, "/gCrinpc") == 0 &&
		w.v.check[0].alg == DKIM_ED25519_SHA256 &&
		w.v.check[1].alg == DKIM_RSA_SHA256 && !w.v.check[0].cut &&
		!w.v.check[0].testing);
	world_free(&w);
	world_verify(&w, world_keys, rfc6376_mail, sizeof(rfc6376_mail) - 1);
	CHECK("identity",
	    strcmp(w.v.check[0].identity, "joe@football.example.com") == 0);
	world_free(&w);
}

/* ---- damage ---- */

/* Every byte of what is signed and of the field itself, changed in one bit
 * or another: not one passes, but where white
 * space of b= becomes another. */
static void
test_damage(void)
{
	static const uint8_t bits[] = { 0x01, 0x04, 0x20, 0x80 };
	size_t len = sizeof(rfc6376_mail) - 1, i, j;
	char mail[sizeof(rfc6376_mail)];
	struct world w = { .now = 1600000000 };
	unsigned int passed = 0, blanks = 0;
	const char *b = strstr(rfc6376_mail, "b=AuUo") + 2;
	const char *end = strstr(rfc6376_mail, "bU4=;") + 4;

	for (i = 0; i < len; i++) {
		for (j = 0; j < sizeof(bits); j++) {
			memcpy(mail, rfc6376_mail, len);
			mail[i] = (char)(mail[i] ^ bits[j]);
			world_verify(&w, world_keys, mail, len);
			if (dkim_verify_result(&w.v) == RES_PASS) {
				/* Blanks within b= are nothing. */
				if (rfc6376_mail + i >= b &&
				    rfc6376_mail + i < end &&
				    slice_is_space(mail[i]) &&
				    slice_is_space(rfc6376_mail[i]))
					blanks++;
				else {
					printf("# byte %zu bit %02x\n", i,
					    bits[j]);
					passed++;
				}
			}
			world_free(&w);
		}
	}
	CHECK("damage: no bit may change", passed == 0);
	CHECK("damage: but blanks in b=", blanks < 70);
	for (i = 0, passed = 0; i < len; i++) {
		world_verify(&w, world_keys, rfc6376_mail, i);
		passed += dkim_verify_result(&w.v) == RES_PASS;
		world_free(&w);
	}
	/* The last CRLF is part of any body. */
	CHECK("damage: cut short", passed == 1);
}

/* Each letter of b= and bh= another: also the last, whose lower bits stand for
 * nothing. */
static void
test_letters(void)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				      "opqrstuvwxyz0123456789+/=";
	const char *tag[] = { " bh=2jU", " b=/gCr" };
	const char *second = strstr(rfc8463_mail + 1, "DKIM-Signature");
	const char *from = strstr(rfc8463_mail, "From:");
	char mail[sizeof(rfc8463_mail)];
	size_t head = (size_t)(second - rfc8463_mail), len, i, k;
	struct world w = { .now = 1600000000 };
	unsigned int passed = 0, t;

	for (t = 0; t < 2; t++) {
		i = (size_t)(strstr(rfc8463_mail, tag[t]) - rfc8463_mail) +
		    strcspn(tag[t], "=") + 1;
		for (; memcmp(rfc8463_mail + i, "DKIM", 4) != 0; i++) {
			if (rfc8463_mail[i] == ';')
				break;
			if (slice_is_space(rfc8463_mail[i]))
				continue;
			for (k = 0; letters[k] != '\0'; k++) {
				if (letters[k] == rfc8463_mail[i])
					continue;
				memcpy(mail, rfc8463_mail, head);
				len = head + strlen(from);
				memcpy(mail + head, from, strlen(from));
				mail[i] = letters[k];
				world_verify(&w, world_keys, mail, len);
				passed += w.v.check[0].result == RES_PASS;
				world_free(&w);
			}
		}
	}
	CHECK("damage: each letter of b= and bh=", passed == 0);
}

/* ---- the rules ---- */

/* A field for the message below; parts are put in for the tags of the first
 * signature of RFC 8463, so where nothing else is wrong the result is RES_FAIL
 * "does not match" or that which the row says. */
static const char tail[] =
    "From: a@football.example.com\r\nSubject: x\r\n\r\nbody\r\n";

#define BH  "bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=; "
#define B   "b=AAAA"
#define SIG "v=1; a=rsa-sha256; d=football.example.com; s=test; h=from; "

static const struct {
	const char *name, *field;
	enum auth_result result;
	const char *why; /* part of it */
} rules[] = {
	{ "whole", SIG BH B, RES_FAIL, "signature does not match" },
	{ "body", SIG "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; " B,
	    RES_FAIL, "body was changed" },
	{ "nothing", "", RES_PERMERROR, "malformed" },
	{ "no v", "a=rsa-sha256; d=a.example; s=t; h=from; " BH B,
	    RES_PERMERROR, "missing" },
	{ "no a", "v=1; d=a.example; s=t; h=from; " BH B, RES_PERMERROR,
	    "missing" },
	{ "no d", "v=1; a=rsa-sha256; s=t; h=from; " BH B, RES_PERMERROR,
	    "missing" },
	{ "no s", "v=1; a=rsa-sha256; d=a.example; h=from; " BH B,
	    RES_PERMERROR, "missing" },
	{ "no h", "v=1; a=rsa-sha256; d=a.example; s=t; " BH B, RES_PERMERROR,
	    "missing" },
	{ "no bh", SIG B, RES_PERMERROR, "missing" },
	{ "no b", SIG BH, RES_PERMERROR, "missing" },
	{ "v=2", "v=2; a=rsa-sha256; d=a.example; s=t; h=from; " BH B,
	    RES_PERMERROR, "v= is not 1" },
	{ "v=", "v=; a=rsa-sha256; d=a.example; s=t; h=from; " BH B,
	    RES_PERMERROR, "v= is not 1" },
	{ "v=01", "v=01; a=rsa-sha256; d=a.example; s=t; h=from; " BH B,
	    RES_PERMERROR, "v= is not 1" },
	{ "rsa-sha1",
	    "v=1; a=rsa-sha1; d=football.example.com; s=test; h=from; " BH B,
	    RES_PERMERROR, "rsa-sha1" },
	{ "no such algorithm",
	    "v=1; a=rsa-sha512; d=a.example; s=t; h=from; " BH B, RES_PERMERROR,
	    "unknown algorithm" },
	{ "case of the algorithm",
	    "v=1; a=RSA-SHA256; d=a.example; s=t; h=from; " BH B, RES_PERMERROR,
	    "unknown algorithm" },
	{ "another algorithm than the key's",
	    "v=1; a=ed25519-sha256; d=football.example.com; s=test; h=from; " BH
		B,
	    RES_PERMERROR, "another algorithm" },
	{ "twice", SIG BH B "; d=football.example.com", RES_PERMERROR,
	    "malformed" },
	{ "From not signed",
	    "v=1; a=rsa-sha256; d=a.example; s=t; h=to:subject; " BH B,
	    RES_PERMERROR, "From" },
	{ "h= empty", "v=1; a=rsa-sha256; d=a.example; s=t; h=; " BH B,
	    RES_PERMERROR, "h=" },
	{ "h= empty name",
	    "v=1; a=rsa-sha256; d=a.example; s=t; h=from:; " BH B,
	    RES_PERMERROR, "h=" },
	{ "h= blank in a name",
	    "v=1; a=rsa-sha256; d=a.example; s=t; h=from:a b; " BH B,
	    RES_PERMERROR, "h=" },
	{ "h= case and blanks",
	    "v=1; a=rsa-sha256; d=football.example.com; s=test; "
	    "h=To :\r\n\t FROM ; " BH B,
	    RES_FAIL, "does not match" },
	{ "d= of one label", "v=1; a=rsa-sha256; d=com; s=t; h=from; " BH B,
	    RES_PERMERROR, "d=" },
	{ "d= empty", "v=1; a=rsa-sha256; d=; s=t; h=from; " BH B,
	    RES_PERMERROR, "d=" },
	{ "d= no domain", "v=1; a=rsa-sha256; d=a..b; s=t; h=from; " BH B,
	    RES_PERMERROR, "d=" },
	{ "d= blank", "v=1; a=rsa-sha256; d=a.b c.d; s=t; h=from; " BH B,
	    RES_PERMERROR, "d=" },
	{ "d= quote", "v=1; a=rsa-sha256; d=a.\"b; s=t; h=from; " BH B,
	    RES_PERMERROR, "d=" },
	{ "s= empty", "v=1; a=rsa-sha256; d=a.b; s=; h=from; " BH B,
	    RES_PERMERROR, "s=" },
	{ "s= dots",
	    "v=1; a=rsa-sha256; d=football.example.com; s=a.b.c; h=from; " BH B,
	    RES_PERMERROR, "no key record" },
	{ "s= with a slash", "v=1; a=rsa-sha256; d=a.b; s=a/b; h=from; " BH B,
	    RES_PERMERROR, "s=" },
	{ "case of d= and s=",
	    "v=1; a=rsa-sha256; d=FOOTBALL.example.COM; s=TEST; h=from; " BH B,
	    RES_FAIL, "does not match" },
	{ "no key", "v=1; a=rsa-sha256; d=a.example; s=t; h=from; " BH B,
	    RES_PERMERROR, "no key record" },
	{ "no answer", "v=1; a=rsa-sha256; d=later.example; s=t; h=from; " BH B,
	    RES_TEMPERROR, "DNS" },
	{ "no answer, body changed",
	    "v=1; a=rsa-sha256; d=later.example; s=t; h=from; "
	    "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; " B,
	    RES_FAIL, "body was changed" },
	{ "bh= too short", SIG "bh=AAAA; " B, RES_PERMERROR, "bh=" },
	{ "bh= no base64",
	    SIG "bh=!jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; " B,
	    RES_PERMERROR, "bh=" },
	{ "b= empty", SIG BH "b=", RES_PERMERROR, "b= is empty" },
	{ "b= no base64", SIG BH "b=AAA", RES_PERMERROR, "b= is no base64" },
	{ "b= folded", SIG BH "b=AA\r\n A\tA ;", RES_FAIL, "does not match" },
	{ "c= unknown", SIG BH B "; c=nofws", RES_PERMERROR, "canonical" },
	{ "c= body unknown", SIG BH B "; c=relaxed/x", RES_PERMERROR,
	    "canonical" },
	{ "c= empty body", SIG BH B "; c=relaxed/", RES_PERMERROR,
	    "canonical" },
	{ "c= empty", SIG BH B "; c=", RES_PERMERROR, "canonical" },
	{ "c= three", SIG BH B "; c=simple/simple/simple", RES_PERMERROR,
	    "canonical" },
	{ "c= one", SIG BH B "; c=relaxed", RES_FAIL, "does not match" },
	{ "c= two", SIG BH B "; c=simple/relaxed", RES_FAIL, "does not match" },
	{ "l= all", SIG BH B "; l=6", RES_FAIL, "does not match" },
	{ "l= more", SIG BH B "; l=7", RES_PERMERROR, "l= is more" },
	{ "l= much more",
	    SIG BH B "; l=99999999999999999999999999999999999999999999",
	    RES_PERMERROR, "l= is more" },
	{ "l= 2^64 - 1", SIG BH B "; l=18446744073709551615", RES_PERMERROR,
	    "l= is more" },
	{ "l= less", SIG BH B "; l=5", RES_FAIL, "body was changed" },
	{ "l= no number", SIG BH B "; l=-1", RES_PERMERROR, "l=" },
	{ "l= empty", SIG BH B "; l=", RES_PERMERROR, "l=" },
	{ "q= unknown", SIG BH B "; q=http", RES_PERMERROR, "q=" },
	{ "q= one of several", SIG BH B "; q=http : dns/txt", RES_FAIL,
	    "does not match" },
	{ "q= empty", SIG BH B "; q=", RES_PERMERROR, "q=" },
	{ "i= below", SIG BH B "; i=a@b.football.example.com", RES_FAIL,
	    "does not match" },
	{ "i= case", SIG BH B "; i=@Football.EXAMPLE.com", RES_FAIL,
	    "does not match" },
	{ "i= above", SIG BH B "; i=@example.com", RES_PERMERROR,
	    "i= is not of d=" },
	{ "i= beside", SIG BH B "; i=@xfootball.example.com", RES_PERMERROR,
	    "i= is not of d=" },
	{ "i= without @", SIG BH B "; i=football.example.com", RES_PERMERROR,
	    "i=" },
	{ "i= no domain", SIG BH B "; i=a@", RES_PERMERROR, "i=" },
	{ "i= several @", SIG BH B "; i=\"a@b\"@football.example.com", RES_FAIL,
	    "does not match" },
	{ "x= passed", SIG BH B "; x=1599999999", RES_FAIL, "expired" },
	{ "x= now", SIG BH B "; x=1600000000", RES_FAIL, "does not match" },
	{ "x= before t=", SIG BH B "; t=1700000000; x=1650000000",
	    RES_PERMERROR, "x= is not after t=" },
	{ "x= is t=", SIG BH B "; t=1700000000; x=1700000000", RES_PERMERROR,
	    "x= is not after t=" },
	{ "x= no time", SIG BH B "; x=soon", RES_PERMERROR, "no time" },
	{ "t= too long", SIG BH B "; t=1234567890123", RES_PERMERROR,
	    "no time" },
	{ "t= in the future", SIG BH B "; t=999999999999", RES_FAIL,
	    "does not match" },
	{ "z= and unknown tags", SIG BH B "; z=From:a|To:b; xyz=?; r=y",
	    RES_FAIL, "does not match" },
	{ "a byte of no value", SIG BH B "; z=\x01", RES_PERMERROR,
	    "malformed" },
	{ "no UTF-8", SIG BH B "; z=\xff", RES_PERMERROR, "malformed" },
	{ "bad name of a tag", SIG BH B "; 1=2", RES_PERMERROR, "malformed" },
	{ "testing, fails",
	    "v=1; a=rsa-sha256; d=testing.example; s=t; h=from; " BH B,
	    RES_NEUTRAL, "testing" },
	{ "strict, below",
	    "v=1; a=rsa-sha256; d=strict.example; s=t; h=from; "
	    "i=@a.strict.example; " BH B,
	    RES_PERMERROR, "the key forbids" },
	{ "strict, itself",
	    "v=1; a=rsa-sha256; d=strict.example; s=t; h=from; "
	    "i=a@strict.example; " BH B,
	    RES_FAIL, "does not match" },
	{ "strict, without i=",
	    "v=1; a=rsa-sha256; d=strict.example; s=t; h=from; " BH B, RES_FAIL,
	    "does not match" },
	/* RFC 8616 */
	{ "IDN",
	    "v=1; a=rsa-sha256; d=b\xc3\xbc"
	    "cher.example; s=\xc3\xa4; "
	    "i=\xc3\xb6@x.B\xc3\x9c"
	    "cher.example; h=from; " BH B,
	    RES_FAIL, "does not match" },
	{ "IDN, i= as A-label",
	    "v=1; a=rsa-sha256; d=b\xc3\xbc"
	    "cher.example; s=xn--4ca; i=@xn--bcher-kva.example; h=from; " BH B,
	    RES_FAIL, "does not match" },
	{ "IDN, i= elsewhere",
	    "v=1; a=rsa-sha256; d=b\xc3\xbc"
	    "cher.example; s=t; i=@bucher.example; h=from; " BH B,
	    RES_PERMERROR, "i= is not of d=" },
};

static const struct world_key rule_keys[] = {
	{ "test._domainkey.football.example.com",
	    "v=DKIM1; k=rsa; p=" RFC8463_RSA },
	{ "t._domainkey.later.example", NULL },
	{ "t._domainkey.testing.example", "v=DKIM1; t=x:y; p=" RFC8463_RSA },
	{ "t._domainkey.strict.example", "t = y1 : s; p=" RFC8463_RSA },
	{ "xn--4ca._domainkey.xn--bcher-kva.example", "p=" RFC8463_RSA },
	{ NULL, NULL },
};

static void
test_rules(void)
{
	struct world w = { .now = 1600000000 };
	char mail[4096];
	size_t i;
	int n;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		n = snprintf(mail, sizeof(mail), "DKIM-Signature: %s\r\n%s",
		    rules[i].field, tail);
		world_verify(&w, rule_keys, unit_guard(mail, (size_t)n),
		    (size_t)n);
		if (w.v.n != 1 || w.v.check[0].result != rules[i].result)
			printf("# %s: %s %s\n", rules[i].name,
			    auth_result_word(dkim_verify_result(&w.v)),
			    w.v.n > 0 && w.v.check[0].why != NULL ?
				w.v.check[0].why :
				"");
		CHECK(rules[i].name,
		    w.v.n == 1 && w.v.check[0].result == rules[i].result &&
			w.v.check[0].why != NULL &&
			strstr(w.v.check[0].why, rules[i].why) != NULL);
		world_free(&w);
	}
}

/* ---- bounds ---- */

static void
test_many(void)
{
	struct world w = { .now = 1600000000, .max = 1 << 22 };
	const char *first = rfc8463_mail;
	size_t one = (size_t)(strstr(first + 1, "DKIM-Signature") - first);
	struct buf mail;
	unsigned int i, by[RES_RESULTS] = { 0 };

	buf_init(&mail, 0);
	for (i = 0; i < 1000; i++)
		buf_add(&mail, first, one);
	buf_puts(&mail, first);
	world_verify(&w, world_keys, buf_data(&mail), mail.len);
	for (i = 0; i < w.v.n; i++)
		by[w.v.check[i].result]++;
	CHECK("many signatures",
	    w.v.n == DKIM_SHOWN && by[RES_PASS] == DKIM_VERIFY_MAX &&
		by[RES_POLICY] == DKIM_SHOWN - DKIM_VERIFY_MAX &&
		w.asked == DKIM_VERIFY_MAX);
	world_free(&w);

	/* Those that cannot be read do not keep the others out. */
	buf_free(&mail);
	for (i = 0; i < 20; i++)
		buf_puts(&mail, "DKIM-Signature: v=2\r\n");
	buf_puts(&mail, first);
	world_verify(&w, world_keys, buf_data(&mail), mail.len);
	CHECK("many bad signatures",
	    w.v.n == 22 && dkim_verify_result(&w.v) == RES_PASS);
	world_free(&w);

	/* Names of h= that nobody can mean: each is looked for. */
	for (i = 0; i < 2; i++) {
		unsigned int n = MAIL_FIELDS_MAX - 6 + i;

		buf_free(&mail);
		buf_puts(&mail,
		    "DKIM-Signature: v=1; a=rsa-sha256; d=football.example.com; s=test; " BH
			B "; h=from");
		while (n-- > 0)
			buf_puts(&mail, ":x");
		buf_printf(&mail, ":x:x:x:x:x\r\n%s", tail);
		world_verify(&w, rule_keys, buf_data(&mail), mail.len);
		CHECK(i == 0 ? "as many names" : "too many names",
		    w.v.n == 1 &&
			(strcmp(w.v.check[0].why, "h= has too many names") ==
			    0) == (i == 1));
		world_free(&w);
	}

	/* As many hashes as signatures that are verified, at most. */
	buf_free(&mail);
	for (i = 0; i < 40; i++)
		buf_printf(&mail, "DKIM-Signature: %sl=%u\r\n", SIG BH B "; ",
		    i % 6);
	buf_puts(&mail, tail);
	world_verify(&w, rule_keys, buf_data(&mail), mail.len);
	CHECK("many lengths", w.v.n == 40 && w.m.n_hash == 6);
	world_free(&w);

	buf_free(&mail);
	buf_puts(&mail, "DKIM-Signature: ");
	while (mail.len < 1 << 20)
		buf_puts(&mail, "a=b; ");
	buf_puts(&mail, "\r\n");
	buf_puts(&mail, tail);
	world_verify(&w, rule_keys, buf_data(&mail), mail.len);
	CHECK("1 MB of tags",
	    w.v.n == 1 && w.v.check[0].result == RES_PERMERROR && w.asked == 0);
	world_free(&w);

	/* Names that are not there, and one that is there very often. */
	buf_free(&mail);
	buf_puts(&mail,
	    "DKIM-Signature: v=1; a=rsa-sha256; s=test; "
	    "d=football.example.com; " BH B "; h=from");
	while (mail.len < 1 << 20)
		buf_puts(&mail, ":a:b");
	buf_puts(&mail, "\r\n");
	for (i = 0; i < 4000; i++)
		buf_puts(&mail, "a: b\r\n");
	buf_puts(&mail, tail);
	world_verify(&w, rule_keys, buf_data(&mail), mail.len);
	CHECK("1 MB of names",
	    w.v.n == 1 && w.v.check[0].result == RES_PERMERROR && w.asked == 0);
	world_free(&w);

	w.max = 300;
	world_verify(&w, world_keys, rfc8463_mail, sizeof(rfc8463_mail) - 1);
	CHECK("header too large",
	    w.v.n == 1 && w.v.check[0].result == RES_POLICY &&
		w.v.check[0].domain[0] == '\0' && w.m.why != NULL &&
		w.m.header_done && w.asked == 0);
	world_free(&w);
	w.max = 900;
	world_verify(&w, world_keys, rfc8463_mail, sizeof(rfc8463_mail) - 1);
	CHECK("header a bit too large",
	    w.v.n == 2 && dkim_verify_result(&w.v) == RES_POLICY &&
		w.asked == 0);
	world_free(&w);
	buf_free(&mail);
}

/* Lines that are no fields, and what is no line: never verified. */
static void
test_malformed(void)
{
	static const struct {
		const char *name, *front;
		enum auth_result result;
	} rows[] = {
		{ "a field more", "X-New: a\r\n", RES_PASS },
		{ "a line of a mailbox file", "From a@b Sat Jan  1 00:00\r\n",
		    RES_PASS },
		{ "a line without a colon", "X-New a\r\n", RES_PERMERROR },
		{ "a blank in a name", "X New: a\r\n", RES_PERMERROR },
		{ "folded before any", " a: b\r\n", RES_PERMERROR },
		{ "no name", ": b\r\n", RES_PERMERROR },
		{ "8-bit name", "\xc3\xa4: b\r\n", RES_PERMERROR },
		{ "8-bit value", "X: \xe4\r\n", RES_PASS },
		{ "bare LF", "X: a\nb: c\r\n", RES_PERMERROR },
		{ "bare CR", "X: a\rb\r\n", RES_PERMERROR },
		{ "CR CR LF", "X: a\r\r\n", RES_PERMERROR },
		{ "blank before the colon", "X : a\r\n", RES_PASS },
		{ "another From on top", "From: a@b.example\r\n", RES_PASS },
	};
	struct world w = { .now = 1600000000 };
	char mail[4096];
	size_t i;
	int n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = snprintf(mail, sizeof(mail), "%s%s", rows[i].front,
		    rfc6376_mail);
		world_verify(&w, world_keys, unit_guard(mail, (size_t)n),
		    (size_t)n);
		CHECK(rows[i].name,
		    w.v.n == 1 && w.v.check[0].result == rows[i].result);
		world_free(&w);
	}
	/* RFC 8463's signature covers one From more than there is. */
	n = snprintf(mail, sizeof(mail), "From: a@b.example\r\n%s",
	    rfc8463_mail);
	world_verify(&w, world_keys, mail, (size_t)n);
	CHECK("another From on top of a signed absence",
	    dkim_verify_result(&w.v) == RES_FAIL);
	world_free(&w);
	world_verify(&w, world_keys, "X\0: y\r\n\r\n", 10);
	CHECK("NUL", w.m.malformed != NULL && w.v.n == 0);
	world_free(&w);
}

int
main(void)
{
	test_examples();
	test_damage();
	test_letters();
	test_rules();
	test_many();
	test_malformed();
	return unit_end();
}
