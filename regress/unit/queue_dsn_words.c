/*
 * Notifications: what a person reads, what is not for strangers, which message
 * it was, and bounds where many failed.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn.h"

#include <stdbool.h>

#include "bounds.h"
#include "dsn_own.h"
#include "dsn_reason.h"
#include "dsn_title.h"
#include "dsn_world.h"

/* ---- what a person reads ---- */

/* The sentence about one recipient, or about those of dsn. */
static const char *
sentence(void)
{
	static char text[4096];
	struct reason_group group[3];
	uint32_t of[3];
	struct buf out;

	buf_init(&out, sizeof text - 1);
	dsn_reason_groups(&dsn, group, of);
	dsn_reason_print(&out, &dsn, &group[0]);
	memcpy(text, buf_data(&out), out.len);
	text[out.len] = '\0';
	buf_free(&out);
	return text;
}

/* Each cause, each end of it: said, without a place left open, about one and
 * about several. */
static void
check_causes(void)
{
	static const struct {
		const char *name;
		enum dsn_kind kind;
		enum verdict verdict;
	} ends[] = {
		{ "refused", DSN_FAILED, NEVER },
		{ "expired", DSN_FAILED, LATER },
		{ "delayed", DSN_DELAYED, LATER },
		{ "double", DSN_DOUBLE, NEVER },
	};
	char name[64];
	const char *s;
	unsigned int cause, n;
	size_t i;

	for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		for (cause = 0; cause < CAUSES_N; cause++) {
			set_up(ends[i].kind);
			outcome_set(&rcpts[0].last, ends[i].verdict, WIDTH_RCPT,
			    0, NULL, "why");
			rcpts[0].last.cause = (uint8_t)cause;
			rcpts[1].last = rcpts[0].last;
			rcpts[1].relay = rcpts[0].relay;
			for (n = 1; n <= 2; n++) {
				dsn.n_rcpt = n;
				s = sentence();
				snprintf(name, sizeof name,
				    "sentence: %s, %s, %u", cause_name(cause),
				    ends[i].name, n);
				CHECK(name,
				    strlen(s) > 20 &&
					strpbrk(s, "{}") == NULL &&
					s[strlen(s) - 1] != ' ' &&
					dsn_reason_of(dsn.kind, &rcpts[0])
						->cause == cause);
			}
		}
	}
}

static void
check_sentences(void)
{
	/* Columns: cause, verdict, enhanced code, host, sentence. */
	static const struct {
		enum cause cause;
		enum verdict verdict;
		const char *code, *server, *want;
	} rows[] = {
		{ CAUSE_MAILBOX, NEVER, "5.1.1", "",
		    "The address bob@example.net does not exist at example.net, or takes no mail." },
		{ CAUSE_MAILBOX, NEVER, "5.2.2", "",
		    "The mailbox of bob@example.net is full." },
		{ CAUSE_MAILBOX, LATER, "4.2.2", "",
		    "The mailbox of bob@example.net was full for 3 minutes." },
		{ CAUSE_CONTENT, NEVER, "5.3.4", "",
		    "The message is larger than the mail server of example.net accepts." },
		{ CAUSE_CONTENT, NEVER, "5.7.1", "smart.example",
		    "The mail server smart.example refused the message as spam, or as harmful." },
		{ CAUSE_DNS, NEVER, "5.1.2", "",
		    "There is no domain example.net, or it has no mail server. Is the address spelled correctly?" },
		{ CAUSE_DNS, NEVER, "5.1.10", "",
		    "The domain example.net says that it takes no mail at all." },
		{ CAUSE_MAILBOX, NEVER, "5.1.10", "",
		    "The address bob@example.net does not exist at example.net, or takes no mail." },
		{ CAUSE_NETWORK, LATER, "4.4.1", "smart.example",
		    "The mail server smart.example could not be reached for 3 minutes." },
		{ CAUSE_TLS, LATER, "4.7.5", "",
		    "The message could not be delivered over a secure connection to the mail server of example.net for 3 minutes, and it may not be sent without one." },
		{ CAUSE_CONFIG, NEVER, "5.3.5", "",
		    "The message could not be delivered to bob@example.net because a mail server on its way is not set up right. This is not your fault." },
		{ CAUSE_CONTENT, NEVER, "5.6.7", "",
		    "The mail server of example.net did not support international addresses and headers (SMTPUTF8), which this message has." },
		{ (enum cause)200, NEVER, NULL, "",
		    "The message was refused for bob@example.net." },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set_up(DSN_FAILED);
		dsn.n_rcpt = 1;
		outcome_set(&rcpts[0].last, rows[i].verdict, WIDTH_RCPT, 550,
		    rows[i].code, "why");
		rcpts[0].last.local = 0;
		rcpts[0].last.cause = (uint8_t)rows[i].cause;
		rcpts[0].server = rows[i].server;
		CHECK(rows[i].want, strcmp(sentence(), rows[i].want) == 0);
	}
	set_up(DSN_FAILED);
	dsn.n_rcpt = 1;
	rcpts[0].relay = "";
	outcome_set(&rcpts[0].last, NEVER, WIDTH_RCPT, 550, "5.7.1", "no rule");
	rcpts[0].last.cause = CAUSE_POLICY;
	rcpts[0].last.stage = STAGE_LOOKUP;
	CHECK("what was said here is not said of others",
	    strncmp(sentence(), "The mail server mx.example.org refused", 38) ==
		0);
	rcpts[0].addr = "b\x1b[31m\xc2\x85\xff@example.net";
	CHECK("what a terminal obeys is not printed",
	    strstr(sentence(), "b?[31m??@example.net") != NULL);
}

/* Put off as a stranger, or as one who sends too much. */
static void
check_put_off(void)
{
	/* Columns: seconds that it asked for, words, what the subject ends
	 * with. */
	static const struct {
		uint32_t after;
		const char *words, *brief;
	} rows[] = {
		{ 0, "Greylisted, come again later",
		    "it was put off too long" },
		{ 0, "Graylisting in action", "it was put off too long" },
		{ 300, "come again in 5 minutes", "it was put off too long" },
		{ 300, "Too many messages, try again in 5 minutes",
		    "too much mail at once" },
		{ 60, "rate limit exceeded", "too much mail at once" },
		{ 0, "slow down", "too much mail at once" },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set_up(DSN_FAILED);
		outcome_set(&rcpts[0].last, LATER, WIDTH_RCPT, 450, "4.7.1",
		    "%s", rows[i].words);
		rcpts[0].last.local = 0;
		rcpts[0].last.cause = CAUSE_RATE;
		rcpts[0].last.after = rows[i].after;
		CHECK(rows[i].words,
		    strcmp(dsn_reason_of(DSN_FAILED, &rcpts[0])->brief,
			rows[i].brief) == 0);
	}
	rcpts[0].last.after = 300;
	snprintf(rcpts[0].last.text, sizeof rcpts[0].last.text, "wait");
	dsn.n_rcpt = 1;
	CHECK("greylisting is not called too much mail",
	    strcmp(sentence(),
		"For 3 minutes, the mail server of example.net asked for the message to be sent again later, and never took it. Some servers do so with senders that they do not know yet.") ==
		0);
}

static void
check_times(void)
{
	static const struct {
		int64_t age;
		const char *want;
	} rows[] = {
		{ -5, "for some time." },
		{ 1, "for some time." },
		{ 2, "for 2 seconds." },
		{ 119, "for 119 seconds." },
		{ 120, "for 2 minutes." },
		{ 3600, "for 60 minutes." },
		{ 7200, "for 2 hours." },
		{ 4 * 86400 + 3, "for 4 days." },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set_up(DSN_FAILED);
		dsn.rcpt = &rcpts[1];
		dsn.n_rcpt = 1;
		dsn.now = dsn.arrived + rows[i].age;
		CHECK(rows[i].want, has(sentence(), rows[i].want));
	}
}

/* ---- what is not for strangers ---- */

static void
check_own_words(void)
{
	static const char set_up_wrong[] =
	    "a mail server is not set up right; its log says more";
	static const char no_proof[] =
	    "the other mail server did not prove who it is, and no login is sent without that";
	static const char no_data[] =
	    "this mail server cannot look up now what it needs; its log says more";
	/* Columns: whose words, cause, stage, words, what is said of them;
	 * NULL: the same. */
	static const struct {
		uint8_t local, cause, stage;
		const char *text, *want;
	} rows[] = {
		{ 1, CAUSE_TLS, STAGE_STARTTLS,
		    "STARTTLS is not offered; policy: require by tls domain (/etc/postern/smtpd.conf:8)",
		    "STARTTLS is not offered; policy: require by tls domain" },
		{ 1, CAUSE_TLS, STAGE_TLS,
		    "no; policy: verify by tls domain (my conf/smtpd.conf:12); name wanted: x",
		    "no; policy: verify by tls domain; name wanted: x" },
		{ 1, CAUSE_TLS, STAGE_TLS,
		    "no; policy: verify by tls domain (/etc/a)b/smtpd.conf:12); name wanted: x",
		    "no; policy: verify by tls domain (a file here); name wanted: x" },
		{ 1, CAUSE_TLS, STAGE_TLS, "no (/etc/postern/smt", "no" },
		{ 1, CAUSE_TLS, STAGE_TLS, "no (self-signed certificate)",
		    NULL },
		{ 1, CAUSE_CONFIG, STAGE_AUTH,
		    "label carol: table secrets does not have it (/etc/smtpd.conf:14)",
		    set_up_wrong },
		{ 1, CAUSE_CONFIG, STAGE_AUTH, "token corp: the command failed",
		    set_up_wrong },
		{ 1, CAUSE_SYSTEM, STAGE_AUTH,
		    "label carol: table secrets has no answer now (/etc/smtpd.conf:14)",
		    no_data },
		{ 1, CAUSE_TLS, STAGE_AUTH,
		    "no TLS with mx.x.test[127.0.0.2]:25: label carol is not authenticated there",
		    no_proof },
		{ 1, CAUSE_CONFIG, STAGE_POLICY,
		    "/etc/smtpd.conf:3: there is no ca \"corp\"",
		    set_up_wrong },
		{ 1, CAUSE_CONFIG, STAGE_DNS,
		    "mail for x.test would come back to this host", NULL },
		{ 1, CAUSE_NONE, STAGE_LOOKUP,
		    "a table that /etc/smtpd.conf:9 needs cannot answer now",
		    no_data },
		{ 1, CAUSE_SYSTEM, STAGE_PREPARE,
		    "the key \"/etc/dkim/x.pem\" cannot be read, /a/b: c",
		    "the key \"a file here\" cannot be read, a file here: c" },
		{ 1, CAUSE_NETWORK, STAGE_CONNECT,
		    "no answer while waiting for the connection", NULL },
		{ 1, CAUSE_NETWORK, STAGE_CONTENT,
		    "connection lost after the final dot: may be delivered twice (Connection reset by peer)",
		    NULL },
		{ 1, CAUSE_NETWORK, STAGE_CONNECT, "unlabel stable a / b",
		    NULL },
		{ 1, CAUSE_NETWORK, STAGE_CONNECT, "", NULL },
		{ 0, CAUSE_CONFIG, STAGE_RCPT,
		    "label carol: see /etc/x (a.conf:3)", NULL },
	};
	char name[OUTCOME_TEXT_MAX + 32], line[OUTCOME_TEXT_MAX + 64];
	const char *want, *t;
	struct outcome o;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		outcome_set(&o, LATER, WIDTH_SITE, 0, "4.7.0", "%s",
		    rows[i].text);
		o.local = rows[i].local;
		o.cause = rows[i].cause;
		o.stage = rows[i].stage;
		want = rows[i].want != NULL ? rows[i].want : rows[i].text;
		snprintf(name, sizeof name, "own words: %s", rows[i].text);
		dsn_said(&o, line, sizeof line);
		CHECK(name,
		    strncmp(line, "4.7.0 ", 6) == 0 &&
			strcmp(line + 6, want) == 0);
	}
	/* As long as it can be. */
	memset(o.text, ' ', OUTCOME_TEXT_MAX);
	for (i = 1; i + 1 < OUTCOME_TEXT_MAX; i += 3)
		memcpy(o.text + i, "/a", 2);
	o.text[OUTCOME_TEXT_MAX] = '\0';
	o.local = 1;
	o.cause = CAUSE_NETWORK;
	dsn_said(&o, line, sizeof line);
	CHECK("own words: the longest", strchr(line, '/') == NULL);
	set_up(DSN_FAILED);
	snprintf(rcpts[1].last.text, sizeof rcpts[1].last.text,
	    "no (/etc/secret.conf:8)");
	t = printed(0);
	CHECK("own words: in neither part",
	    !has(t, "secret") && has(t, "\r\n    4.4.1 no\r\n") &&
		has(t, "Diagnostic-Code: X-Postern; 4.4.1 no\r\n"));
}

/* ---- which message it was ---- */

#define WORD100                                                                \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
check_titles(void)
{
	/* Columns: header, title. */
	static const struct {
		const char *header, *want;
	} rows[] = {
		{ "Subject: hello\r\n\r\n", "hello" },
		{ "X: 1\nsUBJECT:hello\n\n", "hello" },
		{ "Subject:  a \t b\r\n\tc  \r\n\r\n", "a b c" },
		{ "Subject:\r\n\r\n", "" },
		{ "Subject:", "" },
		{ "Subject: no line end", "no line end" },
		{ "Subjects: x\r\n\r\nSubject: body\r\n", "" },
		{ "X: y\r\n Subject: folded\r\n\r\n", "" },
		{ "Subject: one\r\nSubject: two\r\n\r\n", "one" },
		{ "Subject: =?utf-8?Q?caf=C3=A9_au=20lait?=\r\n\r\n",
		    "caf\xc3\xa9 au lait" },
		{ "Subject: =?UTF-8?b?Y2Fmw6k=?= x\r\n\r\n", "caf\xc3\xa9 x" },
		{ "Subject: =?utf-8*fr?q?caf=c3=a9?=\r\n\r\n", "caf\xc3\xa9" },
		{ "Subject: =?ISO-8859-1?Q?Gr=FC=DFe?=\r\n\r\n",
		    "Gr\xc3\xbc\xc3\x9f"
		    "e" },
		{ "Subject: =?us-ascii?q?a?=\r\n =?us-ascii?q?b?= c\r\n\r\n",
		    "ab c" },
		{ "Subject: =?utf-8?q?a=C3?= =?utf-8?q?=A9?=\r\n\r\n",
		    "a\xc3\xa9" },
		{ "Subject: =?koi8-r?B?8NLJ18XU?=\r\n\r\n",
		    "=?koi8-r?B?8NLJ18XU?=" },
		{ "Subject: =?utf-8?x?a?= =?utf-8?q?a b?= =?utf-8?b?*?=\r\n\r\n",
		    "=?utf-8?x?a?= =?utf-8?q?a b?= =?utf-8?b?*?=" },
		{ "Subject: =?utf-8?q?cut", "=?utf-8?q?cut" },
		{ "Subject: =?utf-8?q?a=4?= =?", "a=4 =?" },
		{ "Subject: caf\xc3\xa9 \xff\xc3\r\n\r\n", "caf\xc3\xa9 ??" },
		{ "Subject: =?utf-8?q?a=0D=0AX:_=00=1B[31m=C2=85?=\r\n\r\n",
		    "a??X: ??[31m?" },
		{ "Subject: =?iso-8859-1?q?=85=1b?=\r\n\r\n", "??" },
		{ "Subject: a=?utf-8?q?=E2=80=AEb=E2=81=A6=E2=80=A8?=\r\n\r\n",
		    "a?b??" },
		{ "Subject: " WORD100 "\r\n\r\n", WORD100 },
		{ "Subject: " WORD100 "b\r\n\r\n", WORD100 "..." },
	};
	static char big[70000];
	char title[DSN_TITLE_SIZE], name[64 + DSN_TITLE_SIZE];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = strlen(rows[i].header);

		dsn_title((struct slice){ unit_guard(rows[i].header, len),
			      len },
		    "Subject", title);
		snprintf(name, sizeof name, "title %zu: %s", i, rows[i].want);
		CHECK(name, strcmp(title, rows[i].want) == 0);
	}
	memcpy(big, "Subject: ", 9);
	for (i = 9; i + 1 < sizeof big; i += 2)
		memcpy(big + i, "\xc3\xa9", 2);
	dsn_title((struct slice){ unit_guard(big, sizeof big), sizeof big },
	    "Subject", title);
	CHECK("title: the longest", strlen(title) == 203);
}

static void
check_about(void)
{
	/* Columns: name, header, the paragraph; NULL: there is none. */
	static const struct {
		const char *name, *header, *want;
	} rows[] = {
		{ "about: subject and date",
		    "Subject: hello\r\nDate: Thu, 20 Nov 2025 10:00:00 +0100\r\n\r\n",
		    "This is about your message \"hello\" of Thu, 20 Nov 2025 10:00:00 +0100.\r\n" },
		{ "about: no date", "Subject: hello\r\n\r\n",
		    "This is about your message \"hello\".\r\n" },
		{ "about: no subject",
		    "Subject: \r\nDate: Thu, 20 Nov 2025\r\n\r\n",
		    "This is about your message of Thu, 20 Nov 2025, which has no subject.\r\n" },
		{ "about: beyond ASCII", "Subject: =?utf-8?q?=C3=A9?=\r\n\r\n",
		    "This is about your message \"=C3=A9\".\r\n" },
		{ "about: neither", "X: y\r\n\r\n", NULL },
	};
	const char *t;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set_up(DSN_FAILED);
		dsn.original = rows[i].header;
		dsn.original_len = strlen(rows[i].header);
		t = printed(0);
		CHECK(rows[i].name,
		    t != NULL && lines_good(t) &&
			(rows[i].want == NULL ? !has(t, "This is about") :
						has(t, rows[i].want)));
	}
}

/* ---- who failed for the same reason ---- */

static void
many_set_up(struct dsn_rcpt *r, char (*addr)[64], uint32_t n, bool named)
{
	uint32_t i;

	set_up(DSN_FAILED);
	for (i = 0; i < n; i++) {
		r[i] = rcpts[0];
		snprintf(addr[i], sizeof addr[i], "r%u@example.net", i);
		r[i].addr = addr[i];
		snprintf(r[i].last.text, sizeof r[i].last.text, "%s%s%s",
		    named ? "<" : "", named ? addr[i] : "",
		    named ? ">: no such user" : "no");
	}
	dsn.rcpt = r;
	dsn.n_rcpt = n;
}

static void
check_groups(void)
{
	static struct dsn_rcpt r[DSN_RCPTS];
	static char addr[DSN_RCPTS][64];
	static struct reason_group group[DSN_RCPTS];
	static uint32_t of[DSN_RCPTS];
	const char *t;

	many_set_up(r, addr, 3, true);
	CHECK("group: each one's address is no difference",
	    dsn_reason_groups(&dsn, group, of) == 1 && group[0].n == 3 &&
		group[0].same_domain && !group[0].same_words);
	t = printed(0);
	CHECK("group: said once",
	    count(t,
		"3 addresses do not exist at example.net, or take no mail.") ==
		    1 &&
		count(t, " said on ") == 1 &&
		has(t,
		    "    <r0@example.net>\r\n    <r1@example.net>\r\n    <r2@example.net>\r\n") &&
		has(t,
		    " +0000,\r\nabout the first of them:\r\n    550 5.1.1 <r0@example.net>: no such user\r\n"));
	CHECK("group: each has its words for programs",
	    count(t, "\r\nDiagnostic-Code: smtp; 550 5.1.1 <r") == 3);
	CHECK("group: the subject",
	    has(t,
		"Subject: Your message could not be delivered: no such address\r\n"));
	addr[2][3] = 'E';
	snprintf(addr[1], sizeof addr[1], "r1@other.example");
	CHECK("group: domains in any case, or several",
	    dsn_reason_groups(&dsn, group, of) == 2);
	many_set_up(r, addr, 2, false);
	snprintf(addr[1], sizeof addr[1], "r1@other.example");
	CHECK("group: several domains",
	    dsn_reason_groups(&dsn, group, of) == 1 && !group[0].same_domain &&
		group[0].same_words &&
		has(sentence(), "2 addresses do not exist at their domains,"));
	r[1].relay = "mx2.example.net[192.0.2.2]:25";
	CHECK("group: another server",
	    dsn_reason_groups(&dsn, group, of) == 2 && of[0] == 0 &&
		of[1] == 1);
	many_set_up(r, addr, 2, false);
	r[1].last.cause = CAUSE_POLICY;
	CHECK("group: another cause", dsn_reason_groups(&dsn, group, of) == 2);
	many_set_up(r, addr, 2, false);
	r[1].last.code = 553;
	CHECK("group: another code", dsn_reason_groups(&dsn, group, of) == 2);
	many_set_up(r, addr, 2, false);
	r[1].last.text[1] = 'x';
	CHECK("group: other words", dsn_reason_groups(&dsn, group, of) == 2);
}

/* A server that numbers its replies: no two are the same, and each is long. */
static void
check_numbered(void)
{
	static struct dsn_rcpt r[DSN_RCPTS];
	static char addr[DSN_RCPTS][64];
	size_t len = OUTCOME_TEXT_MAX - 8;
	const char *t;
	uint32_t i;

	many_set_up(r, addr, DSN_RCPTS, true);
	for (i = 0; i < DSN_RCPTS; i++) {
		memset(r[i].last.text, 'r', len);
		snprintf(r[i].last.text + len, 8, " %u", i);
	}
	t = printed(0);
	CHECK("numbered replies: each is told of",
	    count(t, "\r\nFinal-Recipient: rfc822; r") == DSN_RCPTS);
}

/* The most that there can be, and the longest: it is bounded. */
static void
check_bounds(void)
{
	static struct dsn_rcpt r[DSN_RCPTS];
	static char addr[DSN_RCPTS][64], text[DSN_WHOLE_MAX];
	static char relay[RELAY_MAX + 1], orcpt[ORCPT_MAX + 1];
	static char wide[ADDR_MAX + 1];
	const char *t;
	uint32_t i;
	size_t k;

	many_set_up(r, addr, DSN_RCPTS, false);
	t = printed(DSN_MAX);
	CHECK("bounds: all for programs, some for a person",
	    t != NULL && lines_good(t) &&
		count(t, "\r\nFinal-Recipient: ") == DSN_RCPTS &&
		count(t, "\r\n    <r") == 100 &&
		has(t, "    and 400 more, listed in the next part\r\n"));
	memset(relay, 'm', RELAY_MAX);
	memset(text, 'x', sizeof text);
	for (k = 78; k + 1 < sizeof text; k += 80)
		memcpy(text + k, "\r\n", 2);
	memcpy(orcpt, "utf-8;", 6);
	for (k = 6; k + 1 < ORCPT_MAX; k += 2)
		memcpy(orcpt + k, "\xc3\xb6", 2);
	for (k = 0; k + 1 < ADDR_MAX; k += 2)
		memcpy(wide + k, "\xc3\xb6", 2);
	wide[200] = '@';
	wide[201] = 'x';
	for (i = 0; i < DSN_RCPTS; i++) {
		r[i].addr = wide;
		r[i].orcpt = orcpt;
		r[i].relay = relay;
		/* No two are the same. */
		for (k = 0; k + 1 < OUTCOME_TEXT_MAX; k += 2)
			memcpy(r[i].last.text + k, "\xc3\xb6", 2);
		r[i].last.text[OUTCOME_TEXT_MAX] = '\0';
		r[i].last.text[0] = (char)('a' + i % 26);
		r[i].last.text[1] = (char)('a' + i / 26);
	}
	dsn.original = text;
	dsn.original_len = sizeof text;
	dsn.whole = true;
	t = printed(DSN_MAX);
	CHECK("bounds: the longest there can be",
	    t != NULL && lines_good(t) &&
		has(t, "The others are listed in the next part."));
	dsn.utf8 = true;
	t = printed(DSN_MAX);
	CHECK("bounds: and as UTF-8", t != NULL);
}

/* Words beyond ASCII come through whole, also where the notice is 7-bit. */
static void
check_words_8bit(void)
{
	const char *t;

	set_up(DSN_FAILED);
	dsn.n_rcpt = 1;
	snprintf(rcpts[0].last.text, sizeof rcpts[0].last.text,
	    "Empf\xc3\xa4nger = unbekannt \xff");
	t = printed(0);
	CHECK("8-bit words: 7-bit lines", t != NULL && lines_good(t));
	CHECK("8-bit words: quoted-printable for a person",
	    has(t,
		"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n") &&
		has(t, "    550 5.1.1 Empf=C3=A4nger =3D unbekannt ?\r\n"));
	CHECK("8-bit words: escaped for programs",
	    has(t,
		"Diagnostic-Code: smtp; 550 5.1.1 Empf\\x{E4}nger = unbekannt ?\r\n"));
	dsn.utf8 = true;
	t = printed(0);
	CHECK("8-bit words: as they are where that may be",
	    has(t, "    550 5.1.1 Empf\xc3\xa4nger = unbekannt ?\r\n") &&
		has(t, "smtp; 550 5.1.1 Empf\xc3\xa4nger = unbekannt ?\r\n"));
}

int
main(void)
{
	check_own_words();
	check_titles();
	check_about();
	check_causes();
	check_sentences();
	check_put_off();
	check_times();
	check_groups();
	check_numbered();
	check_bounds();
	check_words_8bit();
	return unit_end();
}
