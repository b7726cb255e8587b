/*
 * Notifications: ids, structure, and what strangers put into them.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn.h"

#include <stdbool.h>

#include "bounds.h"
#include "dsn_world.h"
#include "id.h"

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

int
main(void)
{
	check_ids();
	check_message_ids();
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
	return unit_end();
}
