/*
 * Header sections on their way in: what is added, removed, written anew, and
 * that nothing else changes, however the bytes are cut.
 *
 * SPDX-License-Identifier: ISC
 */
#include <time.h>

#include "session_header.h"
#include "unit.h"

#define WHEN 1763718151 /* 2025-11-21 09:42:31 UTC, a Friday */
#define HELD 4096

#define FROM   "From: <ann@c.test>\r\n"
#define SENDER "Sender: <ann@c.test>\r\n"
#define DATE   "Date: Fri, 21 Nov 2025 09:42:31 +0000\r\n"
#define MSGID  "Message-ID: <0000000000001@mx.test>\r\n"
/* A header section that lacks nothing. */
#define ALL  "From: a@b\r\nDate: yesterday\r\nMessage-ID: <1@b>\r\n"
#define BODY "\r\nhello\r\n"

/* Columns: input, output; NULL: the same. */
struct row {
	const char *in, *out;
};

static const struct row rows[] = {
	/* nothing is missing */
	{ ALL BODY, NULL },
	{ "Subject: x\r\n" ALL "X: y\r\n" BODY, NULL },
	{ "fRoM: a@b\r\ndATE: x\r\nmessage-id: y\r\n" BODY, NULL },
	{ "From : a@b\r\nDate\t: x\r\nMessage-ID  : y\r\n" BODY, NULL },
	{ ALL "\r\n", NULL },
	{ ALL, NULL },
	{ ALL "\r\n\r\nX: y\r\nBcc: z\r\nTo: root\r\n", NULL },
	{ ALL "X:y\r\nX-\xc3\xa9: 1\r\n" BODY,
	    ALL "X:y\r\n\r\nX-\xc3\xa9: 1\r\n" BODY },
	{ ALL "X: \xc3\xa9\r\n \xff\r\n" BODY, NULL },
	{ ALL "X:\r\n \r\n\t\r\n" BODY, NULL },
	{ ALL "Received: from a by b; c\r\n" BODY, NULL },
	/* duplicates pass */
	{ ALL ALL BODY, NULL },
	/* what is missing stands at the end */
	{ "\r\nhello\r\n", FROM DATE MSGID "\r\nhello\r\n" },
	{ "Subject: x\r\n" BODY, "Subject: x\r\n" FROM DATE MSGID BODY },
	{ "From: a@b\r\n" BODY, "From: a@b\r\n" DATE MSGID BODY },
	{ "Date: x\r\nFrom: a@b\r\n" BODY,
	    "Date: x\r\nFrom: a@b\r\n" MSGID BODY },
	{ "Message-Id: <a>\r\nX: y\r\n" BODY,
	    "Message-Id: <a>\r\nX: y\r\n" FROM DATE BODY },
	{ "Subject: a\r\n\tfolded\r\n" BODY,
	    "Subject: a\r\n\tfolded\r\n" FROM DATE MSGID BODY },
	{ "", FROM DATE MSGID },
	{ "\r\n", FROM DATE MSGID "\r\n" },
	{ "\r\n\r\n", FROM DATE MSGID "\r\n\r\n" },
	{ "Subject: x\r\n", "Subject: x\r\n" FROM DATE MSGID },
	{ "Subject: x", "Subject: x\r\n" FROM DATE MSGID },
	{ "Subject: x\r", "Subject: x\r\n" FROM DATE MSGID },
	{ "To: bob", "To: bob@mx.test\r\n" FROM DATE MSGID },
	{ "Bcc: bob", FROM DATE MSGID },
	{ "X-Date: x\r\nDates: y\r\n" BODY,
	    "X-Date: x\r\nDates: y\r\n" FROM DATE MSGID BODY },
	/* several authors need a sender */
	{ "From: a@b, c@d\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: a@b, c@d\r\nDate: x\r\nMessage-ID: y\r\n" SENDER BODY },
	{ "Sender: e@f\r\nFrom: a@b, c@d\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    NULL },
	{ "From: Us: a@b;\r\nDate: x\r\nMessage-ID: y\r\n" BODY, NULL },
	{ "From: Nobody:;\r\nDate: x\r\nMessage-ID: y\r\n" BODY, NULL },
	{ "From:\r\nDate: x\r\nMessage-ID: y\r\n" BODY, NULL },
	/* no header section, or one that ends without an empty line */
	{ "hello\r\n", FROM DATE MSGID "\r\nhello\r\n" },
	{ "hello", FROM DATE MSGID "\r\nhello" },
	{ "hello there: x\r\n", FROM DATE MSGID "\r\nhello there: x\r\n" },
	{ ": x\r\n", FROM DATE MSGID "\r\n: x\r\n" },
	{ " folded\r\n" BODY, FROM DATE MSGID "\r\n folded\r\n" BODY },
	{ "\tX: y\r\n" BODY, FROM DATE MSGID "\r\n\tX: y\r\n" BODY },
	{ "X: y\r\nno field\r\nBcc: z\r\n" BODY,
	    "X: y\r\n" FROM DATE MSGID "\r\nno field\r\nBcc: z\r\n" BODY },
	{ "X: y\r\n.\r\n" BODY, "X: y\r\n" FROM DATE MSGID "\r\n.\r\n" BODY },
	{ "X\x01: y\r\n", FROM DATE MSGID "\r\nX\x01: y\r\n" },
	{ "\rX: y\r\n", FROM DATE MSGID "\r\n\rX: y\r\n" },
	/* a line of an mbox */
	{ "From ann Fri Nov 21 09:42:31 2025\r\n" ALL BODY, ALL BODY },
	{ ">From ann Fri Nov 21 09:42:31 2025\r\n" ALL BODY, ALL BODY },
	{ "From ann Fri Nov 21 09:42:31 2025", FROM DATE MSGID },
	{ "From ", FROM DATE MSGID },
	{ ALL "From ann Fri Nov 21\r\n" BODY,
	    ALL "\r\nFrom ann Fri Nov 21\r\n" BODY },
	{ "From ann Fri\r\n folded\r\n", FROM DATE MSGID "\r\n folded\r\n" },
	/* what must not go out */
	{ "Bcc: b@c\r\n" ALL BODY, ALL BODY },
	{ ALL "Bcc: b@c\r\n" BODY, ALL BODY },
	{ ALL "bCC : b@c,\r\n d@e,\r\n\tf@g\r\nX: y\r\n" BODY,
	    ALL "X: y\r\n" BODY },
	{ ALL "Resent-Bcc: b@c\r\nBcc:\r\nBcc: x\r\n" BODY, ALL BODY },
	{ ALL "Return-Path: <x@y>\r\n" BODY, ALL BODY },
	{ ALL "X-Bcc: b\r\nBcc-X: b\r\nBc: b\r\n" BODY, NULL },
	{ ALL "Bcc: b@c\r\n folded\r\nno field\r\n", ALL "\r\nno field\r\n" },
	/* bare names */
	{ ALL "To: root\r\n" BODY, ALL "To: root@mx.test\r\n" BODY },
	{ ALL "To:root\r\n" BODY, ALL "To:root@mx.test\r\n" BODY },
	{ ALL "Cc: root , bob\r\n" BODY,
	    ALL "Cc: root@mx.test , bob@mx.test\r\n" BODY },
	{ ALL "Reply-To: <bob>\r\n" BODY,
	    ALL "Reply-To: <bob@mx.test>\r\n" BODY },
	{ ALL "Sender: Bob <bob>\r\n" BODY,
	    ALL "Sender: Bob <bob@mx.test>\r\n" BODY },
	{ "From: root (Cron Daemon)\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: root@mx.test (Cron Daemon)\r\nDate: x\r\nMessage-ID: y\r\n" BODY },
	{ ALL "Resent-To: a\r\nResent-Cc: b\r\nResent-From: c\r\n"
	      "Resent-Sender: d\r\nResent-Reply-To: e\r\n" BODY,
	    ALL
	    "Resent-To: a@mx.test\r\nResent-Cc: b@mx.test\r\nResent-From: c@mx.test\r\n"
	    "Resent-Sender: d@mx.test\r\nResent-Reply-To: e@mx.test\r\n" BODY },
	{ ALL "To: a,\r\n\tb,\r\n c@d\r\n" BODY,
	    ALL "To: a@mx.test,\r\n\tb@mx.test,\r\n c@d\r\n" BODY },
	{ ALL "To: Friends: ann, bob@x;, root;\r\n" BODY,
	    ALL "To: Friends: ann@mx.test, bob@x;, root@mx.test;\r\n" BODY },
	{ ALL "To: undisclosed-recipients:;\r\n" BODY, NULL },
	{ ALL "To: (a (nested, \\) comment) x) root\r\n" BODY,
	    ALL "To: (a (nested, \\) comment) x) root@mx.test\r\n" BODY },
	{ ALL "To: <root(a comment)>\r\n" BODY,
	    ALL "To: <root@mx.test(a comment)>\r\n" BODY },
	{ ALL "To: \"Smith, Bob\" <bob>, \"a b\"\r\n" BODY,
	    ALL "To: \"Smith, Bob\" <bob@mx.test>, \"a b\"@mx.test\r\n" BODY },
	{ ALL "To: \"x@y\"\r\n" BODY, ALL "To: \"x@y\"@mx.test\r\n" BODY },
	{ ALL "To: \"a\\\"b,\" <bob>\r\n" BODY,
	    ALL "To: \"a\\\"b,\" <bob@mx.test>\r\n" BODY },
	{ ALL "To: J. R. \"Bob\" Dobbs <bob>\r\n" BODY,
	    ALL "To: J. R. \"Bob\" Dobbs <bob@mx.test>\r\n" BODY },
	{ ALL "To: bob . smith\r\n" BODY,
	    ALL "To: bob . smith@mx.test\r\n" BODY },
	{ ALL "To: b\xc3\xb6rn\r\n" BODY,
	    ALL "To: b\xc3\xb6rn@mx.test\r\n" BODY },
	{ ALL "To: B\xc3\xb6rn <bob>\r\n" BODY,
	    ALL "To: B\xc3\xb6rn <bob@mx.test>\r\n" BODY },
	{ ALL "To: =?UTF-8?Q?B=C3=B6rn?= <bob>\r\n" BODY,
	    ALL "To: =?UTF-8?Q?B=C3=B6rn?= <bob@mx.test>\r\n" BODY },
	{ ALL "To: =?utf-8?Q?Smith,_Bob?= <bob>, =?x?B?YQ==?= <c@d>\r\n" BODY,
	    ALL "To: =?utf-8?Q?Smith,_Bob?= <bob@mx.test>,"
		" =?x?B?YQ==?= <c@d>\r\n" BODY },
	{ ALL "To: bob!joe, joe%host\r\n" BODY,
	    ALL "To: bob!joe@mx.test, joe%host@mx.test\r\n" BODY },
	/* nothing to do for them */
	{ ALL "To: <@one,@two:bob@x>\r\n" BODY, NULL },
	{ ALL "To: bob@[192.0.2.1], joe@[IPv6:::1]\r\n" BODY, NULL },
	{ ALL
	    "To: Pete(A nice \\) chap) <pete(his account)@silly.test(h)>\r\n"
	    "Cc: (Empty list)(start)Undisclosed recipients  :(no(know))  ;\r\n" BODY,
	    NULL },
	{ ALL "From: John Doe <jdoe@machine(comment).  example>\r\n" BODY,
	    NULL },
	{ ALL "To: <>, ,, c@d,\r\n" BODY, NULL },
	{ ALL "X-To: root\r\nIn-Reply-To: root\r\n" BODY, NULL },
	/* what cannot be read */
	{ ALL "To: Bob Smith, ann\r\n" BODY,
	    ALL "To: Bob Smith, ann@mx.test\r\n" BODY },
	{ ALL "To: =?UTF-8?Q?Bob?=, <bob smith>, <a b>\r\n" BODY, NULL },
	{ ALL "To: root, \"open\r\n" BODY, NULL },
	{ ALL "To: root, (open\r\n" BODY, NULL },
	{ ALL "To: root, <open\r\n" BODY, NULL },
	{ ALL "To: root, a@[open\r\n" BODY, NULL },
	{ ALL "To: root, a>\r\n" BODY, NULL },
	{ ALL "To: root, <a> <b>\r\n" BODY, NULL },
	{ ALL "To: root, \x01\r\n" BODY, NULL },
	{ ALL "To: root, \"\\\r\n" BODY, NULL },
	{ ALL "To: root, <@a:b\r\n" BODY, NULL },
	{ ALL "To:\r\nCc: \r\n" BODY, NULL },
	/* the client signed it: names stay, the rest is done */
	{ "DKIM-Signature: v=1; a=x;\r\n\tb=y\r\nTo: root\r\nBcc: z\r\n"
	  "From: a@b\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "DKIM-Signature: v=1; a=x;\r\n\tb=y\r\nTo: root\r\n"
	    "From: a@b\r\nDate: x\r\nMessage-ID: y\r\n" BODY },
	/* lines that grow are folded in front of an address */
	{ ALL "To: someone-1@a-domain.example, someone-2@a-domain.example, "
	      "root, someone-3@a-domain.example\r\n" BODY,
	    ALL "To: someone-1@a-domain.example, someone-2@a-domain.example, "
		"root@mx.test,\r\n\tsomeone-3@a-domain.example\r\n" BODY },
	{ ALL "To: a,b,c,d,e,f,g,h,i,j,k\r\n" BODY,
	    ALL "To: a@mx.test,b@mx.test,c@mx.test,d@mx.test,e@mx.test,"
		"f@mx.test,g@mx.test,\r\n\th@mx.test,i@mx.test,j@mx.test,"
		"k@mx.test\r\n" BODY },
};

/* `masquerade`: From is ann@c.test, whatever it was. */
static const struct row masked[] = {
	{ ALL BODY,
	    "From: ann@c.test\r\nDate: yesterday\r\nMessage-ID: "
	    "<1@b>\r\n" BODY },
	{ "From: Ann <x@y>\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: Ann <ann@c.test>\r\nDate: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: =?UTF-8?Q?=C3=84nn?=\r\n <x@y>\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: =?UTF-8?Q?=C3=84nn?=\r\n <ann@c.test>\r\nDate: x\r\n"
	    "Message-ID: y\r\n" BODY },
	{ "From: \"A, B\" <@one:x@y (c)> (d)\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: \"A, B\" <ann@c.test> (d)\r\nDate: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: x@y (Ann)\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: ann@c.test (Ann)\r\nDate: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: root\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: ann@c.test\r\nDate: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: A <x@y>, Us: v@w;\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: A <ann@c.test>, Us: ann@c.test;\r\nDate: x\r\n"
	    "Message-ID: y\r\n" SENDER BODY },
	{ "From: \r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    FROM "Date: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: <>\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    FROM "Date: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: Nobody:;\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    FROM "Date: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: The Boss\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    FROM "Date: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: boss@c.test, \"\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    FROM "Date: x\r\nMessage-ID: y\r\n" BODY },
	{ "From: a@b\r\nfrom : c@d\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "From: ann@c.test\r\nfrom : ann@c.test\r\nDate: x\r\n"
	    "Message-ID: y\r\n" BODY },
	{ "DKIM-Signature: x\r\nFrom: a@b\r\nDate: x\r\nMessage-ID: y\r\n" BODY,
	    "DKIM-Signature: x\r\nFrom: ann@c.test\r\nDate: x\r\n"
	    "Message-ID: y\r\n" BODY },
	{ "Sender: x@y\r\nReply-To: x@y\r\nResent-From: x@y\r\n" BODY,
	    "Sender: x@y\r\nReply-To: x@y\r\nResent-From: x@y\r\n" FROM DATE
		MSGID BODY },
};

#define AR "Authentication-Results: "
/* More than a domain has. */
#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG A50 A50 A50 A50 A50 A50

/* Of strangers, our authserv-id is mx.test: nothing is added, and what speaks
 * in our name is not there afterwards. */
static const struct row strangers[] = {
	{ ALL BODY, NULL },
	{ "", NULL },
	{ "\r\n", NULL },
	{ "\r\nhello", NULL },
	{ "Subject: x", NULL },
	{ "Subject: x\r", NULL },
	{ "Subject: x\r\n", NULL },
	{ "To: root\r\nBcc: bob\r\nReturn-Path: <a@b>\r\n" BODY, NULL },
	{ "From me\r\nX: y\r\n" BODY, NULL },
	{ "hello\r\n", NULL },
	{ " folded\r\n" BODY, NULL },
	/* others' results, and who only looks like us */
	{ AR "other.test; spf=pass\r\n" BODY, NULL },
	{ AR "amx.test; spf=pass\r\n" BODY, NULL },
	{ AR "mx.test2; spf=pass\r\n" BODY, NULL },
	{ AR "mx.test-a; spf=pass\r\n" BODY, NULL },
	{ AR "mx.test.example; spf=pass\r\n" BODY, NULL },
	{ AR "mx.test.." LONG "; spf=pass\r\n" BODY, NULL },
	{ AR LONG "/mx.test; spf=pass\r\n" BODY, NULL },
	{ AR "mx; spf=pass (mx.test)\r\n" BODY, NULL },
	{ AR "(mx.test) other.test; spf=pass\r\n" BODY, NULL },
	{ "X-" AR "mx.test; spf=pass\r\n" BODY, NULL },
	{ "ARC-" AR "i=1; mx.test; spf=pass\r\n" BODY, NULL },
	{ AR "\r\n" BODY, NULL },
	{ AR ";\r\n" BODY, NULL },
	{ AR "(mx.test\r\n" BODY, NULL },
	{ "Subject: " AR "mx.test; spf=pass\r\n" BODY, NULL },
	{ BODY AR "mx.test; spf=pass\r\n", NULL },
	/* ours */
	{ AR "mx.test; spf=pass\r\n" BODY, BODY },
	{ AR "mx.test\r\n" BODY, BODY },
	{ AR "mx.test", "" },
	{ AR "mx.test;", "" },
	{ "Authentication-Results:mx.test;none\r\n" BODY, BODY },
	{ "Authentication-Results\t : mx.test; none\r\n" BODY, BODY },
	{ "aUTHENTICATION-rESULTS: MX.Test; none\r\n" BODY, BODY },
	{ AR "\r\n mx.test;\r\n\tspf=pass\r\nX: y\r\n" BODY, "X: y\r\n" BODY },
	{ AR "(a (b)\r\n c) mx.test (d) 1; spf=pass\r\n" BODY, BODY },
	{ AR "mx.test 1; spf=pass\r\n" BODY, BODY },
	{ AR "\"mx.test\"; spf=pass\r\n" BODY, BODY },
	{ AR "\"mx\\.test\"; spf=pass\r\n" BODY, BODY },
	{ AR "mx.test.; spf=pass\r\n" BODY, BODY },
	{ AR "mx.test:25; spf=pass\r\n" BODY, BODY },
	{ AR "mx.test/1; spf=pass\r\n" BODY, BODY },
	{ AR "mx.test./1; spf=pass\r\n" BODY, BODY },
	{ AR "mx.test/" LONG "; spf=pass\r\n" BODY, BODY },
	{ AR "mx(a).test; spf=pass\r\n" BODY, BODY },
	{ AR "\"mx\".test 1; spf=pass\r\n" BODY, BODY },
	{ "X: 1\r\n" AR "mx.test; none\r\nX: 2\r\n" AR "mx.test; none\r\n" AR
	  "o.test; none\r\n" BODY,
	    "X: 1\r\nX: 2\r\n" AR "o.test; none\r\n" BODY },
	/* some readers pass over a line that is no field */
	{ "no field\r\n" AR "mx.test; none\r\n" BODY, "no field\r\n" BODY },
	{ "X: y\r\n: z\r\n folded\r\n" AR "mx.test; none\r\n" BODY,
	    "X: y\r\n: z\r\n folded\r\n" BODY },
	/* how we mark a message */
	{ "X-Spam: No\r\nx-dmarc :\r\n pass\r\nX: y\r\n" BODY,
	    "X: y\r\n" BODY },
	{ "X-Spam-Flag: NO\r\nX-DMARC-Policy: x\r\n" BODY, NULL },
	{ "X-Spam: Yes", "" },
};

/* Of our own users. */
static const struct row ours[] = {
	{ ALL AR "mx.test; spf=pass\r\n" BODY, ALL BODY },
	{ ALL AR "o.test; spf=pass\r\n" BODY, NULL },
	{ ALL AR "mx.test; spf=pass", ALL },
	{ ALL "X-Spam: Yes\r\n" BODY, NULL },
};

static struct header_wish
wish_of(int masks)
{
	return (struct header_wish){ .from = masks ? "ann@c.test" : NULL,
		.sender = "ann@c.test",
		.hostname = "mx.test",
		.mail_name = "mx.test",
		.id = 1,
		.when = WHEN };
}

/* Feeds in with a cut behind every bit that is set in cuts (and so on from
 * its beginning), or behind each byte. */
static struct buf
pass(const struct header_wish *wish, size_t held, const char *in, size_t len,
    uint32_t cuts)
{
	struct header *h = header_new(wish, held);
	struct buf out;
	size_t at = 0, i;
	int ok = 1;

	buf_init(&out, 0);
	for (i = 1; i <= len; i++) {
		if (i < len && (cuts >> (i % 32) & 1) == 0)
			continue;
		ok = ok &&
		    header_in(h, unit_guard(in + at, i - at), i - at, &out);
		at = i;
	}
	ok = ok && header_end(h, &out);
	header_free(&h);
	if (!ok || h != NULL)
		abort();
	return out;
}

static int
is(struct buf *have, const char *want, size_t len)
{
	int ok = have->len == len && memcmp(buf_data(have), want, len) == 0;

	if (!ok)
		printf("# have: %.*s\n# want: %.*s\n", (int)have->len,
		    (const char *)buf_data(have), (int)len, want);
	buf_free(have);
	return ok;
}

static void
test_wish(const char *what, const struct row *table, size_t n,
    const struct header_wish *wish)
{
	/* whole, byte by byte, and some cuts that no rule made */
	static const uint32_t cuts[] = { 0, 0xffffffff, 0x9d2c5681, 0x41c64e6d,
		0x10204081 };
	const char *want;
	char name[64];
	struct buf out;
	size_t i, k;
	int ok;

	for (i = 0; i < n; i++) {
		want = table[i].out == NULL ? table[i].in : table[i].out;
		ok = 1;
		for (k = 0; ok && k < sizeof cuts / sizeof cuts[0]; k++) {
			out = pass(wish, HELD, table[i].in, strlen(table[i].in),
			    cuts[k]);
			ok = is(&out, want, strlen(want));
		}
		/* What is complete stays as it is. */
		out = pass(wish, HELD, want, strlen(want), 0);
		ok = is(&out, want, strlen(want)) && ok;
		snprintf(name, sizeof name, "%s %zu", what, i);
		CHECK(name, ok);
	}
}

static void
test_rows(const char *what, const struct row *table, size_t n, int masks)
{
	struct header_wish wish = wish_of(masks);

	test_wish(what, table, n, &wish);
}

static void
test_strangers(void)
{
	static const char utf8[] = AR "m\xc3\xbcnchen.test; none\r\n" BODY;
	static const char counted[] =
	    AR "mx.test; none\r\n" AR "mx.test\r\nX-Spam: a\r\n\r\n";
	struct header_wish wish = { .authserv = "mx.test", .stranger = true };
	struct header_forged forged;
	struct header *h;
	struct buf out;

	test_wish("stranger", strangers, sizeof strangers / sizeof strangers[0],
	    &wish);
	wish = wish_of(0);
	wish.authserv = "mx.test";
	test_wish("ours", ours, sizeof ours / sizeof ours[0], &wish);

	wish = (struct header_wish){ .authserv = "xn--mnchen-3ya.test",
		.stranger = true };
	out = pass(&wish, HELD, utf8, sizeof utf8 - 1, 0);
	CHECK("an id as U-labels", is(&out, BODY, sizeof BODY - 1));

	wish.authserv = "mx.test";
	h = header_new(&wish, HELD);
	buf_init(&out, 0);
	(void)header_in(h, counted, sizeof counted - 1, &out);
	forged = header_forged(h);
	CHECK("counted", forged.results == 2 && forged.marks == 1);
	header_free(&h);
	buf_free(&out);
}

/* Results behind more than is held: nobody knows whose they are. */
static void
test_long_results(void)
{
	struct header_wish wish = { .authserv = "mx.test", .stranger = true };
	static char in[3000];
	struct buf out;
	size_t i, n;

	n = (size_t)snprintf(in, sizeof in, "X: y\r\n" AR);
	for (i = 0; i < 200; i++)
		n += (size_t)snprintf(in + n, sizeof in - n, "(%03zu)%s", i,
		    i % 7 == 0 ? "\r\n\t" : "");
	snprintf(in + n, sizeof in - n, " other.test; none\r\n" BODY);
	out = pass(&wish, 256, in, strlen(in), 0x10204081);
	CHECK("long results", is(&out, "X: y\r\n" BODY, sizeof BODY + 5));
}

/* Cut short anywhere, it is read to its end and no further. */
static void
test_short(void)
{
	static const char in[] =
	    "Bcc: x\r\nTo: \"a\" <b>,\r\n c (d)\r\n\r\nbody";
	struct header_wish wish = wish_of(1);
	struct buf whole, part;
	size_t len;
	int ok = 1;

	for (len = 0; len < sizeof in - 1; len++) {
		whole = pass(&wish, HELD, in, len, 0);
		part = pass(&wish, HELD, in, len, 0xffffffff);
		ok = ok && is(&part, (const char *)buf_data(&whole), whole.len);
		buf_free(&whole);
	}
	CHECK("cut short", ok);
}

/* A field longer than what is held: passes as it is; but a From that is to be
 * masqueraded names nobody else. */
static void
test_long_field(void)
{
	struct header_wish plain = wish_of(0), masks = wish_of(1);
	static char in[3000], want[3200];
	struct buf out;
	size_t i, n;

	n = (size_t)snprintf(in, sizeof in, ALL "To: root");
	for (i = 0; i < 200; i++)
		n += (size_t)snprintf(in + n, sizeof in - n, ", u%03zu%s", i,
		    i % 7 == 0 ? "\r\n\t" : "");
	snprintf(in + n, sizeof in - n, "\r\n" BODY);
	out = pass(&plain, 256, in, strlen(in), 0x10204081);
	CHECK("long To", is(&out, in, strlen(in)));

	n = (size_t)snprintf(in, sizeof in, "Date: x\r\nFrom: boss@b");
	for (i = 0; i < 200; i++)
		n +=
		    (size_t)snprintf(in + n, sizeof in - n, "\r\n\t(%03zu)", i);
	snprintf(in + n, sizeof in - n, "\r\nMessage-ID: y\r\n" BODY);
	out = pass(&plain, 256, in, strlen(in), 0x10204081);
	CHECK("long From", is(&out, in, strlen(in)));
	snprintf(want, sizeof want,
	    "Date: x\r\n" FROM "Message-ID: y\r\n" BODY);
	out = pass(&masks, 256, in, strlen(in), 0x10204081);
	CHECK("long From, masqueraded", is(&out, want, strlen(want)));
}

/* Bare names are the mail's, and the Message-ID is of this host. */
static void
test_mail_name(void)
{
	static const char in[] = "To: bob\r\nDate: x\r\n" BODY;
	static const char want[] =
	    "To: bob@home.test\r\nDate: x\r\n"
	    "From: <MAILER-DAEMON@home.test>\r\n" MSGID BODY;
	struct header_wish wish = wish_of(0);
	struct buf out;

	wish.mail_name = "home.test";
	wish.sender = "";
	out = pass(&wish, HELD, in, sizeof in - 1, 0);
	CHECK("mail name", is(&out, want, strlen(want)));
}

/* Names that would make a field many times its size are left bare. */
static void
test_growth(void)
{
	static char host[256], in[40000];
	struct header_wish wish = wish_of(0);
	struct buf out;
	size_t n, i;

	memset(host, 'h', 250);
	wish.hostname = wish.mail_name = host;
	n = (size_t)snprintf(in, sizeof in, ALL "To: a");
	for (i = 0; i < 10000; i++)
		n += (size_t)snprintf(in + n, sizeof in - n, ",a%s",
		    i % 100 == 0 ? "\r\n " : "");
	snprintf(in + n, sizeof in - n, "\r\n" BODY);
	out = pass(&wish, sizeof in, in, strlen(in), 0);
	CHECK("growth", is(&out, in, strlen(in)));
}

/* No line becomes longer than SMTP can carry because of what is added. */
static void
test_long_line(void)
{
	static char in[2000], host[256];
	struct header_wish wish = wish_of(0);
	size_t n, i, line = 0, longest = 0;
	struct buf out;

	memset(host, 'h', 60);
	wish.hostname = wish.mail_name = host;
	n = (size_t)snprintf(in, sizeof in, ALL "Cc: a");
	for (i = 0; n < 990; i++)
		n += (size_t)snprintf(in + n, sizeof in - n, ",u%zu", i);
	snprintf(in + n, sizeof in - n, "\r\n" BODY);
	out = pass(&wish, HELD, in, strlen(in), 0);
	for (i = 0; i < out.len; i++) {
		line = buf_data(&out)[i] == '\n' ? 0 : line + 1;
		longest = line > longest ? line : longest;
	}
	CHECK("long line", longest > 60 && longest <= 79);
	buf_free(&out);
}

/* Only CRLF is the end of a line: BINARYMIME may hold the others. */
static void
test_binary(void)
{
	static const char in[] = ALL "X: a\nBcc: b\rTo: root\0\r\n\r\nb\n\r\0";
	struct header_wish wish = wish_of(0);
	struct buf out = pass(&wish, HELD, in, sizeof in - 1, 0);

	CHECK("binary", is(&out, in, sizeof in - 1));
	out = pass(&wish, HELD, in, sizeof in - 1, 0xffffffff);
	CHECK("binary, byte by byte", is(&out, in, sizeof in - 1));
}

static void
test_nobody(void)
{
	static const char want[] =
	    "From: <MAILER-DAEMON@mx.test>\r\n" DATE MSGID BODY;
	static const char two[] =
	    "From: a@b, c@d\r\nDate: x\r\nMessage-ID: y\r\n" BODY;
	struct header_wish wish = wish_of(0);
	struct buf out;

	wish.sender = "";
	out = pass(&wish, HELD, BODY, sizeof BODY - 1, 0);
	CHECK("null sender", is(&out, want, sizeof want - 1));
	out = pass(&wish, HELD, two, sizeof two - 1, 0);
	CHECK("null sender, two authors", is(&out, two, sizeof two - 1));
}

/* header_done() says when the body begins, and a full buffer is told of. */
static void
test_contract(void)
{
	struct header_wish wish = wish_of(0);
	struct header *h = header_new(&wish, HELD);
	struct buf out;
	size_t max;
	int ok;

	buf_init(&out, 0);
	ok = header_in(h, ALL, sizeof ALL - 1, &out) && !header_done(h) &&
	    header_in(h, "\r", 1, &out) && !header_done(h) &&
	    header_in(h, "\n", 1, &out) && header_done(h);
	CHECK("done", ok);
	header_free(&h);
	header_free(&h);
	buf_free(&out);

	h = header_new(&wish, HELD);
	buf_init(&out, 0);
	ok = header_in(h, "no field\r\n", 10, &out) && header_done(h);
	CHECK("done without an empty line", ok);
	header_free(&h);
	buf_free(&out);

	ok = 1;
	for (max = 1; max < sizeof ALL + 11; max++) {
		h = header_new(&wish, HELD);
		buf_init(&out, max);
		ok = ok &&
		    !(header_in(h, ALL "To: ab\r\n\r\n", sizeof ALL + 9,
			  &out) &&
			header_end(h, &out));
		ok = ok && out.len <= max;
		header_free(&h);
		buf_free(&out);
	}
	CHECK("full", ok);
}

int
main(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	test_rows("plain", rows, sizeof rows / sizeof rows[0], 0);
	test_rows("masquerade", masked, sizeof masked / sizeof masked[0], 1);
	test_strangers();
	test_short();
	test_long_field();
	test_long_results();
	test_mail_name();
	test_growth();
	test_long_line();
	test_binary();
	test_nobody();
	test_contract();
	return unit_end();
}
