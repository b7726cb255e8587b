/*
 * Notifications: ids, structure, bounds, and what strangers put into them.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn.h"

#include <stdbool.h>

#include "bounds.h"
#include "dsn_own.h"
#include "dsn_reason.h"
#include "dsn_title.h"
#include "id.h"
#include "unit.h"

#define ID 0x0123456789ab0000u

static const char header[] =
    "Received: from a by b\r\nSubject: hello\r\n\tfolded\r\nX: caf\xc3\xa9\r\n\r\nThe body is not returned\r\n";

static struct dsn_rcpt rcpts[2];
static struct dsn dsn;

static void
set_up(enum dsn_kind kind)
{
	memset(rcpts, 0, sizeof rcpts);
	rcpts[0].addr = "bob@example.net";
	rcpts[0].orcpt = rcpts[1].orcpt = "";
	rcpts[0].server = rcpts[1].server = "";
	rcpts[0].relay = "mx.example.net[192.0.2.1]:25";
	rcpts[0].tried = 1763718151;
	outcome_set(&rcpts[0].last, NEVER, WIDTH_RCPT, 550, "5.1.1",
	    "No such user here");
	rcpts[0].last.local = 0;
	rcpts[0].last.cause = CAUSE_MAILBOX;
	rcpts[1].addr = "carol@example.net";
	rcpts[1].relay = "";
	rcpts[0].until = 1763977200;
	rcpts[1].until = 1764063600;
	outcome_set(&rcpts[1].last, LATER, WIDTH_SITE, 0, "4.4.1",
	    "no answer from any host");
	rcpts[1].last.cause = CAUSE_NETWORK;
	dsn = (struct dsn){ .kind = kind,
		.id = dsn_id(ID, kind, 0),
		.about = ID,
		.hostname = "mx.example.org",
		.to = "alice@example.org",
		.arrived = 1763718000,
		.now = 1763718200,
		.rcpt = rcpts,
		.n_rcpt = 2,
		.envid = "",
		.original = unit_guard(header, sizeof header - 1),
		.original_len = sizeof header - 1 };
}

/* The notification as a string, good until the next one. */
static const char *
printed(size_t max)
{
	static char *text;
	struct buf out;

	free(text);
	text = NULL;
	buf_init(&out, max);
	if (!dsn_print(&out, &dsn)) {
		buf_free(&out);
		return NULL;
	}
	text = calloc(1, out.len + 1);
	memcpy(text, buf_data(&out), out.len);
	buf_free(&out);
	return text;
}

static int
has(const char *text, const char *what)
{
	return text != NULL && strstr(text, what) != NULL;
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text++;
	}
	return n;
}

/* Each line ends in CRLF, is 7-bit and at most 998 long. */
static int
lines_good(const char *text)
{
	const char *nl;

	for (; *text != '\0'; text = nl + 1) {
		nl = strchr(text, '\n');
		if (nl == NULL || nl == text || nl[-1] != '\r' ||
		    nl - text > 999)
			return 0;
		for (; text < nl - 1; text++) {
			if (*text != '\t' && (*text < 32 || *text > 126))
				return 0;
		}
	}
	return 1;
}

static void
check_ids(void)
{
	CHECK("failed of the first", dsn_id(ID, DSN_FAILED, 0) == (ID | 1));
	CHECK("delayed of the first", dsn_id(ID, DSN_DELAYED, 0) == (ID | 2));
	CHECK("failed of the second", dsn_id(ID, DSN_FAILED, 1) == (ID | 3));
	CHECK("of the last one",
	    dsn_id(ID, DSN_DELAYED, RCPT_MAX - 1) == (ID | 60000));
	CHECK("a double one is known",
	    dsn_is_double(dsn_id(ID | 1, DSN_DOUBLE, 0)));
	CHECK("and the last of them",
	    dsn_is_double(dsn_id(ID | 1, DSN_DOUBLE, DSN_DOUBLES - 1)));
	CHECK("a notification is none",
	    !dsn_is_double(dsn_id(ID, DSN_DELAYED, RCPT_MAX - 1)));
	CHECK("a message is none", !dsn_is_double(ID));
	CHECK("a success has the id that a failure would have",
	    dsn_id(ID, DSN_SUCCESS, 1) == (ID | 3));
	CHECK("double ones differ",
	    dsn_id(ID | 1, DSN_DOUBLE, 0) != dsn_id(ID | 1, DSN_DOUBLE, 1));
}

/* A receiver that drops what it has seen already shows each warning. */
static void
check_message_ids(void)
{
	set_up(DSN_FAILED);
	CHECK("message id",
	    has(printed(0),
		"Message-ID: <028T5CY4TP001.dsn@mx.example.org>\r\n"));
	set_up(DSN_DELAYED);
	dsn.warned = 14400;
	CHECK("message id of a warning",
	    has(printed(0),
		"Message-ID: <028T5CY4TP002.dsn.14400@mx.example.org>\r\n"));
	dsn.warned = 86400;
	CHECK("message id of the next one",
	    has(printed(0),
		"Message-ID: <028T5CY4TP002.dsn.86400@mx.example.org>\r\n"));
}

static void
check_failed(void)
{
	const char *t;

	set_up(DSN_FAILED);
	t = printed(0);
	CHECK("lines", t != NULL && lines_good(t));
	CHECK("from",
	    has(t,
		"From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\r\n"));
	CHECK("to", has(t, "To: <alice@example.org>\r\n"));
	CHECK("date", has(t, "Date: Fri, 21 Nov 2025 09:43:20 +0000\r\n"));
	CHECK("auto", has(t, "Auto-Submitted: auto-replied\r\n"));
	CHECK("mime", has(t, "MIME-Version: 1.0\r\n"));
	CHECK("report",
	    has(t, "multipart/report;\r\n\treport-type=delivery-status;"));
	CHECK("three parts and an end", count(t, "--=_postern_") == 4);
	CHECK("words first",
	    has(t,
		"charset=us-ascii\r\n\r\nYour message could not be delivered to 2 recipients, for different\r\nreasons.\r\nNo further attempt is made.\r\n") &&
		strstr(t, "text/plain") < strstr(t, "message/delivery-status"));
	CHECK("each reason",
	    has(t,
		"\r\n\r\nThe address bob@example.net does not exist at example.net, or takes no\r\nmail.\r\n    <bob@example.net>\r\n") &&
		has(t,
		    "\r\n\r\nThe mail server of example.net could not be reached for 3 minutes.\r\n    <carol@example.net>\r\n"));
	CHECK("who said it, and when",
	    has(t,
		"mx.example.net[192.0.2.1]:25 said on Fri, 21 Nov 2025 09:42:31 +0000:\r\n    550 5.1.1 No such user here\r\n"));
	CHECK("what nobody said",
	    has(t,
		"mx.example.org reported:\r\n    4.4.1 no answer from any host\r\n"));
	CHECK("several reasons: none in the subject",
	    has(t, "Subject: Your message could not be delivered\r\n"));
	CHECK("reporting mta",
	    has(t, "Reporting-MTA: dns; mx.example.org\r\n"));
	CHECK("arrival",
	    has(t, "Arrival-Date: Fri, 21 Nov 2025 09:40:00 +0000\r\n\r\n"));
	CHECK("fields in their order",
	    has(t,
		"\r\nFinal-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user here\r\nLast-Attempt-Date: Fri, 21 Nov 2025 09:42:31 +0000\r\nFinal-Log-ID: 028T5CY4TP000\r\n"));
	CHECK("expired",
	    has(t,
		"Final-Recipient: rfc822; carol@example.net\r\nAction: failed\r\nStatus: 4.4.7\r\nDiagnostic-Code: X-Postern; 4.4.1 no answer from any host\r\n"));
	CHECK("no retry", !has(t, "Will-Retry-Until"));
	CHECK("header returned",
	    has(t,
		"Received: from a by b\r\nSubject: hello\r\n\tfolded\r\nX: caf??\r\n\r\n--"));
	CHECK("body not returned", !has(t, "The body"));
}

static void
check_delayed(void)
{
	const char *t;

	set_up(DSN_DELAYED);
	dsn.rcpt = &rcpts[1];
	dsn.n_rcpt = 1;
	t = printed(0);
	CHECK("delayed: lines", t != NULL && lines_good(t));
	CHECK("delayed: action and status",
	    has(t, "Action: delayed\r\nStatus: 4.4.1\r\n"));
	CHECK("delayed: the sentence, and that nothing is to be done",
	    has(t,
		"\r\n\r\nThe mail server of example.net could not yet be reached.\r\nNothing needs to be done, and there is no need to send it again: it is\r\ntried until Tue, 25 Nov 2025 09:40:00 +0000.\r\n\r\nThis is about your message \"hello folded\".\r\n\r\n    <carol@example.net>\r\n"));
	CHECK("delayed: the subject",
	    has(t,
		"Subject: Your message is delayed: a mail server cannot be reached yet\r\n"));
	CHECK("delayed: until when",
	    has(t, "Will-Retry-Until: Tue, 25 Nov 2025 09:40:00 +0000\r\n"));
	set_up(DSN_DOUBLE);
	dsn.to = "postmaster@mx.example.org";
	t = printed(0);
	CHECK("double: the first sentence",
	    has(t,
		"\r\n\r\nA notification about mail that failed could not be delivered either.\r\nNobody else is told.\r\n\r\nThis is about the notification \"hello folded\".\r\n\r\nThe address bob@"));
	CHECK("double: lines", t != NULL && lines_good(t));
	CHECK("double: to postmaster",
	    has(t, "To: <postmaster@mx.example.org>\r\n"));
}

/* RFC 3464 2.3.1: the original recipient stands first. */
static void
check_original(void)
{
	const char *t;

	set_up(DSN_FAILED);
	rcpts[0].orcpt = "rfc822;team@example.org";
	t = printed(0);
	CHECK("original: lines", t != NULL && lines_good(t));
	CHECK("original: fields in their order",
	    has(t,
		"\r\n\r\nOriginal-Recipient: rfc822; team@example.org\r\nFinal-Recipient: rfc822; bob@example.net\r\nAction: failed\r\n"));
	CHECK("original: said to a person",
	    has(t,
		"    <bob@example.net> (you wrote to team@example.org)\r\n"));
	CHECK("original: of one of them", count(t, "Original-Recipient") == 1);
	rcpts[0].orcpt = "rfc822;a+0D+0AX-Evil:+203@b";
	t = printed(0);
	CHECK("original: a line end does nothing",
	    t != NULL && lines_good(t) && !has(t, "\nX-Evil"));
	set_up(DSN_DELAYED);
	t = printed(0);
	CHECK("each has its own end",
	    has(t, "Will-Retry-Until: Mon, 24 Nov 2025 09:40:00 +0000\r\n") &&
		has(t,
		    "Will-Retry-Until: Tue, 25 Nov 2025 09:40:00 +0000\r\n"));
	CHECK("the last is said to a person", has(t, "until Tue, 25 Nov 2025"));
}

/* RFC 3461 and 3464: what the sender said comes back to him decoded. */
static void
check_params(void)
{
	const char *t;

	set_up(DSN_FAILED);
	dsn.envid = "QQ+3D314159";
	rcpts[0].orcpt = "RFC822;bob+2Bx@example.org";
	rcpts[1].orcpt = "rfc822;carol@example.net";
	t = printed(0);
	CHECK("params: lines", t != NULL && lines_good(t));
	CHECK("params: the envelope's id stands first",
	    has(t,
		"\r\n\r\nOriginal-Envelope-Id: QQ=314159\r\nReporting-MTA: "));
	CHECK("params: decoded",
	    has(t, "Original-Recipient: rfc822; bob+x@example.org\r\n"));
	CHECK("params: said to a person where it differs",
	    count(t, "(you wrote to ") == 1);
	dsn.envid = "a+0D+0AX-Evil:+201";
	t = printed(0);
	CHECK("params: a line end in ENVID does nothing",
	    t != NULL && lines_good(t) && !has(t, "\nX-Evil"));
	dsn.envid = "not=xtext";
	rcpts[0].orcpt = "no type";
	t = printed(0);
	CHECK("params: what is none is left out",
	    has(t, "\r\n\r\nReporting-MTA") &&
		count(t, "Original-Recipient") == 1);
}

static void
check_success(void)
{
	const char *t;

	set_up(DSN_SUCCESS);
	outcome_set(&rcpts[0].last, DONE, WIDTH_RCPT, 250, "2.0.0", "taken");
	rcpts[0].last.local = 0;
	outcome_set(&rcpts[1].last, DONE, WIDTH_RCPT, 0, "2.1.5",
	    "expanded, see message X");
	rcpts[1].expanded = true;
	t = printed(0);
	CHECK("success: lines", t != NULL && lines_good(t));
	CHECK("success: relayed",
	    has(t,
		"Final-Recipient: rfc822; bob@example.net\r\nAction: relayed\r\nStatus: 2.0.0\r\nRemote-MTA: dns; mx.example.net\r\n"));
	CHECK("success: expanded",
	    has(t,
		"Final-Recipient: rfc822; carol@example.net\r\nAction: expanded\r\nStatus: 2.1.5\r\n"));
	CHECK("success: no more is promised", !has(t, "could not"));
	CHECK("success: sentences",
	    has(t, "Your message was passed on for 2 recipients.\r\n") &&
		has(t,
		    "The message for bob@example.net was accepted by the mail server of\r\nexample.net. That server sends no notice of what becomes of it.\r\n") &&
		has(t,
		    "The address carol@example.net stands for several others, who are sent\r\nthe message.\r\n"));
	CHECK("success: what was inside is nobody's business",
	    !has(t, "see message"));
}

/* RFC 3464 2.3.3: delivered here, which is the last that is heard of it. */
static void
check_delivered(void)
{
	const char *t;

	set_up(DSN_SUCCESS);
	outcome_set(&rcpts[0].last, DONE, WIDTH_RCPT, 0, "2.0.0",
	    "delivered to /home/bob/Maildir");
	outcome_set(&rcpts[1].last, DONE, WIDTH_RCPT, 0, "2.0.0",
	    "delivered to /home/carol/Maildir");
	rcpts[0].here = rcpts[1].here = true;
	rcpts[0].relay = rcpts[1].relay = "";
	t = printed(0);
	CHECK("delivered: lines", t != NULL && lines_good(t));
	CHECK("delivered: action, and no server",
	    has(t,
		"Final-Recipient: rfc822; bob@example.net\r\nAction: delivered\r\nStatus: 2.0.0\r\n") &&
		!has(t, "Remote-MTA"));
	CHECK("delivered: subject",
	    has(t, "\r\nSubject: Your message was delivered\r\n"));
	CHECK("delivered: where is his own affair", !has(t, "/home"));
	rcpts[1].here = false;
	outcome_set(&rcpts[1].last, DONE, WIDTH_RCPT, 250, "2.0.0", "taken");
	rcpts[1].last.local = 0;
	t = printed(0);
	CHECK("delivered: one, and one that went on",
	    has(t, "Action: delivered\r\n") && has(t, "Action: relayed\r\n") &&
		has(t, "\r\nSubject: Your message was passed on\r\n") &&
		has(t, "The message was delivered to bob@example.net.\r\n"));
}

/* What failed here was no server that somebody asked. */
static void
check_failed_here(void)
{
	const char *t;

	set_up(DSN_FAILED);
	dsn.n_rcpt = 1;
	rcpts[0].here = true;
	rcpts[0].relay = "";
	outcome_set(&rcpts[0].last, NEVER, WIDTH_RCPT, 0, "5.3.0",
	    "I do not like it");
	rcpts[0].last.cause = CAUSE_SYSTEM;
	rcpts[0].last.stage = STAGE_CONTENT;
	t = printed(0);
	CHECK("failed here: no other server is blamed",
	    !has(t, "The mail server of example.net") &&
		has(t, "I do not like it") &&
		has(t, "mx.example.org reported"));
	rcpts[0].last.cause = CAUSE_MAILBOX;
	t = printed(0);
	CHECK("failed here: a program said no",
	    has(t,
		"The program that takes the mail of bob@example.net refused the message.\r\n") &&
		has(t,
		    "Diagnostic-Code: X-Postern; 5.3.0 I do not like it\r\n"));
	outcome_set(&rcpts[0].last, NEVER, WIDTH_RCPT, 0, "5.1.1",
	    "no such user here");
	rcpts[0].last.cause = CAUSE_MAILBOX;
	t = printed(0);
	CHECK("failed here: no such user",
	    has(t, "The address bob@example.net does not exist at"));
}

/* RFC 3461 4.3 */
static void
check_whole(void)
{
	static const char all[] = "Subject: hello\r\n\r\nThe body.\r\n";
	static char trap[128];
	const char *t;

	set_up(DSN_FAILED);
	dsn.original = all;
	dsn.original_len = sizeof all - 1;
	dsn.whole = true;
	t = printed(0);
	CHECK("whole: lines", t != NULL && lines_good(t));
	CHECK("whole: returned",
	    has(t,
		"Content-Type: message/rfc822\r\n\r\nSubject: hello\r\n\r\nThe body.\r\n\r\n--"));
	CHECK("whole: 7-bit stays so", !has(t, "Content-Transfer-Encoding"));
	dsn.original = "Subject: hello\r\n\r\ncaf\xc3\xa9\r\n";
	dsn.original_len = strlen(dsn.original);
	t = printed(0);
	CHECK("whole: 8-bit is said of the part and of all",
	    count(t, "Content-Transfer-Encoding: 8bit\r\n") == 2 &&
		has(t, "caf\xc3\xa9"));
	snprintf(trap, sizeof trap,
	    "Subject: x\r\n\r\n--=_postern_%s--\r\nbody\r\n",
	    id_print(dsn.id, (char[ID_LEN + 1]){ 0 }));
	dsn.original = trap;
	dsn.original_len = strlen(trap);
	t = printed(0);
	CHECK("whole: one that has our boundary is returned by its header",
	    has(t, "text/rfc822-headers") && !has(t, "body\r\n--") &&
		has(t, "Subject: x"));
}

/* RFC 6533 */
static void
check_utf8(void)
{
	const char *t;

	set_up(DSN_FAILED);
	dsn.utf8 = true;
	dsn.to = "al\xc3\xafs@example.org";
	rcpts[0].addr = "b\xc3\xb6"
			"b@example.net";
	rcpts[0].orcpt = "utf-8;b\\x{F6}b@example.com";
	t = printed(0);
	CHECK("utf8: report",
	    has(t, "report-type=global-delivery-status") &&
		has(t, "message/global-delivery-status\r\n") &&
		has(t, "message/global-headers\r\n"));
	CHECK("utf8: who it is for", has(t, "To: <al\xc3\xafs@example.org>"));
	CHECK("utf8: final",
	    has(t,
		"Final-Recipient: utf-8; b\xc3\xb6"
		"b@example.net\r\n"));
	CHECK("utf8: original",
	    has(t,
		"Original-Recipient: utf-8; b\xc3\xb6"
		"b@example.com\r\n"));
	CHECK("utf8: ASCII ones stay what they are",
	    has(t, "Final-Recipient: rfc822; carol@example.net\r\n"));
	CHECK("utf8: the header as it was", has(t, "X: caf\xc3\xa9\r\n"));
	CHECK("utf8: its parts say so",
	    count(t, "Content-Transfer-Encoding: 8bit\r\n") == 4);
	dsn.utf8 = false;
	dsn.to = "postmaster@mx.example.org";
	t = printed(0);
	CHECK("utf8: in 7-bit form for who is not", t != NULL && lines_good(t));
	CHECK("utf8: addresses escaped",
	    has(t, "Final-Recipient: utf-8; b\\x{F6}b@example.net\r\n") &&
		has(t, "Original-Recipient: utf-8; b\\x{F6}b@example.com\r\n"));
}

static void
check_strangers(void)
{
	static char big[2 * DSN_HEADER_MAX];
	const char *t;
	size_t i;

	set_up(DSN_FAILED);
	snprintf(rcpts[0].last.text, sizeof rcpts[0].last.text, "%s",
	    "a\r\nX-Evil: yes\tb\x80");
	rcpts[0].relay = "evil\r\nX-Evil: 1[192.0.2.1]:25";
	rcpts[1].addr = "a\r\nX-Evil: 2@b";
	t = printed(0);
	CHECK("line ends in words do nothing",
	    t != NULL && lines_good(t) && !has(t, "\nX-Evil"));
	memset(rcpts[0].last.text, 'x', OUTCOME_TEXT_MAX);
	rcpts[0].last.text[OUTCOME_TEXT_MAX] = '\0';
	t = printed(0);
	CHECK("a word without end", t != NULL && lines_good(t));
	for (i = 0; i < OUTCOME_TEXT_MAX; i += 5)
		rcpts[0].last.text[i] = ' ';
	t = printed(0);
	CHECK("long words are folded", has(t, "xxxx\r\n    xxxx"));
	set_up(DSN_FAILED);
	for (i = 0; i < sizeof big; i++)
		big[i] = i % 4096 == 4095 ? '\n' : 'y';
	dsn.original = unit_guard(big, sizeof big);
	dsn.original_len = sizeof big;
	t = printed(0);
	CHECK("a header without end is cut",
	    t != NULL && lines_good(t) && strlen(t) < DSN_HEADER_MAX);
	dsn.original_len = 0;
	CHECK("no header at all", printed(0) != NULL);
	dsn.original = unit_guard("Subject: cut", 12);
	dsn.original_len = 12;
	CHECK("a line that is cut off is left out",
	    !has(printed(0), "Subject: cut"));
	CHECK("out of room", printed(1000) == NULL);
}

static void
check_relays(void)
{
	/* Columns: relay, the line, or NULL for none. */
	static const struct {
		const char *relay, *line;
	} rows[] = {
		{ "mx.example.net[192.0.2.1]:25",
		    "Remote-MTA: dns; mx.example.net\r\n" },
		{ "[192.0.2.1]:25", "Remote-MTA: dns; [192.0.2.1]\r\n" },
		{ "mx.example.net", "Remote-MTA: dns; mx.example.net\r\n" },
		{ "[192.0.2.1", NULL },
		{ "", NULL },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *t;

		set_up(DSN_FAILED);
		dsn.n_rcpt = 1;
		rcpts[0].relay = rows[i].relay;
		t = printed(0);
		CHECK(rows[i].relay[0] == '\0' ? "no relay" : rows[i].relay,
		    rows[i].line == NULL ? t != NULL && lines_good(t) :
					   has(t, rows[i].line));
	}
}

static void
check_status(void)
{
	char out[20];
	struct outcome o = { 0 };

	CHECK("nothing known, failed",
	    strcmp(dsn_status(DSN_FAILED, &o, out, sizeof out), "4.4.7") == 0);
	CHECK("nothing known, delayed",
	    strcmp(dsn_status(DSN_DELAYED, &o, out, sizeof out), "4.0.0") == 0);
	o.verdict = NEVER;
	CHECK("a refusal without a code",
	    strcmp(dsn_status(DSN_FAILED, &o, out, sizeof out), "5.0.0") == 0);
	o.ecode[0] = 4;
	CHECK("a class that does not fit",
	    strcmp(dsn_status(DSN_FAILED, &o, out, sizeof out), "5.0.0") == 0);
	o.ecode[0] = 5;
	o.ecode[1] = o.ecode[2] = 65535;
	CHECK("a success without a code",
	    strcmp(dsn_status(DSN_SUCCESS, &o, out, sizeof out), "2.0.0") == 0);
	CHECK("numbers out of range",
	    strcmp(dsn_status(DSN_FAILED, &o, out, sizeof out), "5.535.535") ==
		0);
}

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
	check_ids();
	check_message_ids();
	check_own_words();
	check_titles();
	check_about();
	check_failed();
	check_delayed();
	check_original();
	check_params();
	check_success();
	check_delivered();
	check_failed_here();
	check_whole();
	check_utf8();
	check_strangers();
	check_relays();
	check_status();
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
