/*
 * The SMTP client against a scripted server: each stage, each class of reply,
 * with and without PIPELINING, and with a server that cheats.
 *
 * SPDX-License-Identifier: ISC
 */
#include <netinet/in.h>

#include "client_bench.h"
#include "facts.h"

/* ---- stage by class ---- */

/* clang-format off */
/* Columns: name, script (a step that closes is followed by nothing), what the
 * owner hears. */
static const struct {
	const char *name;
	struct step steps[12];
	const char *want;
} cases[] = {
	{ "all is well", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "all is well, at once", { HI, PIPE, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },

	{ "greeting 3yz", { { NULL, "354 go\r\n" } }, "lost=later/0 " },
	{ "greeting 4yz", { { NULL, "450 busy\r\n" } }, "lost=later/450 " },
	{ "greeting 421", { { NULL, "421 busy\r\n" } }, "lost=later/421 " },
	{ "greeting 554", { { NULL, "554 no mail here\r\n" } }, "lost=never/554 " },
	{ "greeting cut short", { { NULL, "22" }, { NULL, "<close>" } }, "lost=later/0 " },
	{ "no greeting", { { "<dot>", "" } }, "silence lost=later/0 " },
	{ "greeting garbage", { { NULL, "SSH-2.0-x\r\n" } }, "lost=later/0 " },
	{ "greeting of two codes", { { NULL, "220-a\r\n250 b\r\n" } }, "lost=later/0 " },

	{ "EHLO 3yz", { HI, { "EHLO ", "354 go\r\n" } }, "lost=later/0 " },
	{ "EHLO 4yz", { HI, { "EHLO ", "450 busy\r\n" } }, "lost=later/450 " },
	{ "EHLO 421", { HI, { "EHLO ", "421 busy\r\n" } }, "lost=later/421 " },
	{ "EHLO 5yz, HELO", { HI, { "EHLO ", "502 what\r\n" },
	    { "HELO me.example.com\r\n", "250 mx\r\n" }, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "EHLO and HELO 5yz", { HI, { "EHLO ", "502 what\r\n" },
	    { "HELO ", "550 go\r\n" } }, "lost=never/550 " },
	{ "HELO 4yz", { HI, { "EHLO ", "502 what\r\n" },
	    { "HELO ", "450 busy\r\n" } }, "lost=later/450 " },
	{ "closed upon EHLO", { HI, { "EHLO ", NULL } }, "lost=later/0 " },
	{ "silent upon EHLO", { HI, { "EHLO ", "" } }, "silence lost=later/0 " },

	{ "MAIL 3yz", { HI, PLAIN, { "MAIL ", "354 go\r\n" } }, "ready lost=later/0 " },
	{ "MAIL 4yz", { HI, PLAIN, { "MAIL ", "451 no\r\n" } }, "ready over=later/451 " },
	{ "MAIL 5yz", { HI, PLAIN, { "MAIL ", "550 no\r\n" } }, "ready over=never/550 " },
	{ "MAIL 421", { HI, PLAIN, { "MAIL ", "421 bye\r\n" } }, "ready lost=later/421 " },
	{ "closed upon MAIL", { HI, PLAIN, { "MAIL ", NULL } }, "ready lost=later/0 " },
	{ "silent upon MAIL", { HI, PLAIN, { "MAIL ", "" } }, "ready silence lost=later/0 " },
	{ "MAIL 4yz, at once", { HI, PIPE, { "MAIL ", "451 no\r\n" },
	    { "RCPT ", "503 no\r\n" }, { "RCPT ", "503 no\r\n" }, { "DATA\r\n", "503 no\r\n" } },
	    "ready over=later/451 " },
	{ "MAIL 5yz, yet 354, at once", { HI, PIPE, { "MAIL ", "550 no\r\n" },
	    { "RCPT ", "250 ok\r\n" }, { "RCPT ", "503 no\r\n" }, { "DATA\r\n", "354 go\r\n" },
	    { "<dot>", "250 ok\r\n" } },
	    "ready over=never/550 " },

	{ "RCPT 3yz", { HI, PLAIN, MAIL, { "RCPT ", "354 go\r\n" } }, "ready lost=later/0 " },
	{ "RCPT 4yz and 2yz", { HI, PLAIN, MAIL, { "RCPT ", "450 full\r\n" }, RCPT2, DATA, SENT },
	    "ready rcpt0=450 rcpt1=250 over=done/250 " },
	{ "RCPT 2yz and 5yz", { HI, PLAIN, MAIL, RCPT, { "RCPT ", "550 who\r\n" }, DATA, SENT },
	    "ready rcpt0=250 rcpt1=550 over=done/250 " },
	{ "RCPT 251", { HI, PLAIN, MAIL, { "RCPT ", "251 will forward\r\n" }, RCPT2, DATA, SENT },
	    "ready rcpt0=251 rcpt1=250 over=done/250 " },
	{ "RCPT all 5yz", { HI, PLAIN, MAIL, { "RCPT ", "550 a\r\n" }, { "RCPT ", "551 b\r\n" }, RSET },
	    "ready rcpt0=550 rcpt1=551 over=later/0 " },
	{ "RCPT 421", { HI, PLAIN, MAIL, RCPT, { "RCPT ", "421 bye\r\n" } },
	    "ready rcpt0=250 lost=later/421 " },
	{ "closed upon RCPT", { HI, PLAIN, MAIL, RCPT, { "RCPT ", NULL } },
	    "ready rcpt0=250 lost=later/0 " },
	{ "RCPT all 4yz, DATA 5yz, at once", { HI, PIPE, MAIL, { "RCPT ", "450 a\r\n" },
	    { "RCPT ", "451 b\r\n" }, { "DATA\r\n", "554 nobody\r\n" }, RSET },
	    "ready rcpt0=450 rcpt1=451 over=never/554 " },
	{ "RCPT all 5yz, yet 354, at once", { HI, PIPE, MAIL, { "RCPT ", "550 a\r\n" },
	    { "RCPT ", "550 b\r\n" }, DATA, { "<dot>", "554 empty\r\n" } },
	    "ready rcpt0=550 rcpt1=550 over=later/0 " },

	{ "DATA 2yz", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "250 ok\r\n" } },
	    "ready rcpt0=250 rcpt1=250 lost=later/0 " },
	{ "DATA 334", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "334 what\r\n" } },
	    "ready rcpt0=250 rcpt1=250 lost=later/0 " },
	{ "DATA 4yz", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "451 no\r\n" }, RSET },
	    "ready rcpt0=250 rcpt1=250 over=later/451 " },
	{ "DATA 5yz", { HI, PIPE, MAIL, RCPT, RCPT2, { "DATA\r\n", "554 no\r\n" }, RSET },
	    "ready rcpt0=250 rcpt1=250 over=never/554 " },
	{ "DATA 421", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "421 bye\r\n" } },
	    "ready rcpt0=250 rcpt1=250 lost=later/421 " },
	{ "silent upon DATA", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "" } },
	    "ready rcpt0=250 rcpt1=250 silence lost=later/0 " },

	{ "dot 3yz", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "354 go\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },
	{ "dot 4yz", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "451 no\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/451 " },
	{ "dot 5yz", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "554 spam\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=never/554 " },
	{ "dot 421", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "421 bye\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/421/closed " },
	{ "closed upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", NULL } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },
	{ "silent upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "" } },
	    "ready rcpt0=250 rcpt1=250 silence over=later/0/closed twice " },
	{ "garbage upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "\x16\x03\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },
	{ "half a reply upon the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250-" }, { NULL, "<close>" } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },

	{ "RSET 5yz", { HI, PLAIN, MAIL, { "RCPT ", "550 a\r\n" }, { "RCPT ", "551 b\r\n" },
	    { "RSET\r\n", "500 what\r\n" } },
	    "ready rcpt0=550 rcpt1=551 over=later/0/closed " },
	{ "closed upon RSET", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "554 no\r\n" }, { "RSET\r\n", NULL } },
	    "ready rcpt0=250 rcpt1=250 over=never/554/closed " },
	{ "a reply to nothing", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 ok\r\n421 bye\r\n" } },
	    "ready rcpt0=250 rcpt1=250 over=done/250/closed " },
	{ "bare LF in replies", { { NULL, "220 mx\n" }, { "EHLO ", "250-mx\n250 PIPELINING\n" }, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
	{ "too large for the server", { HI, { "EHLO ", "250-mx\r\n250 SIZE 10\r\n" } },
	    "ready over=never/552 " },
	{ "STARTTLS is not for us", { HI, { "EHLO ", "250-mx\r\n250 STARTTLS\r\n" }, MAIL, RCPT, RCPT2, DATA, SENT },
	    "ready rcpt0=250 rcpt1=250 over=done/250 " },
};
/* clang-format on */

static void
table(void)
{
	static struct server s;
	char name[128];
	struct run r;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		run_init(&r, spool_file("Subject: x\r\n\r\nhello\r\n", ""),
		    "Subject: x\r\n\r\nhello\r\n", "");
		play(&r, &s, cases[i].steps, NULL);
		snprintf(name, sizeof name, "client: %s", cases[i].name);
		went(name, &r, &s, cases[i].want, true);
		run_free(&r);
	}
}

/* ---- what is said ---- */

static void
content(void)
{
	static const struct step steps[] = { HI,
		{ "EHLO ",
		    "250-mx\r\n250-size 1000\r\n250-8bitmime\r\n250 PIPELINING\r\n" },
		{ "MAIL FROM:<> SIZE=65 BODY=8BITMIME\r\n", "250 ok\r\n" },
		RCPT, RCPT2, DATA, SENT, END };
	static const char body[] = "Subject: x\r\n\r\n.dot\r\n\xe4\r\n..\r\n";
	static const char trace[] = "Received: by me\r\n";
	static struct server s;
	struct run r;

	run_init(&r, spool_file(body, trace), body, trace);
	r.mail.sender = "";
	r.mail.field = "DKIM-Signature: v=1\r\n";
	r.mail.content_facts = CONTENT_8BIT | CONTENT_DOT;
	play(&r, &s, steps, NULL);
	CHECK("client: null sender, SIZE and BODY",
	    s.wrong[0] == '\0' && strstr(r.log, "over=done") != NULL);
	CHECK("client: signature, trace, content, stuffed",
	    strcmp(s.content,
		"DKIM-Signature: v=1\r\nReceived: by me\r\nSubject: x\r\n\r\n"
		"..dot\r\n\xe4\r\n...\r\n.\r\n") == 0);
	run_free(&r);
}

static void
twice(void)
{
	static const struct step steps[] = { HI, PIPE, MAIL, RCPT,
		{ "RCPT ", "550 who\r\n" }, DATA, SENT, MAIL,
		{ "RCPT ", "450 a\r\n" }, { "RCPT ", "450 b\r\n" },
		{ "DATA\r\n", "503 nobody\r\n" }, RSET, MAIL, RCPT, RCPT2, DATA,
		SENT, END };
	static struct server s;
	struct run r;

	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	r.mails = 3;
	play(&r, &s, steps, NULL);
	CHECK("client: three transactions",
	    s.wrong[0] == '\0' &&
		strcmp(r.log,
		    "ready rcpt0=250 rcpt1=550 over=done/250 rcpt0=450 "
		    "rcpt1=450 over=never/503 rcpt0=250 rcpt1=250 "
		    "over=done/250 ") == 0);
	run_free(&r);
}

/* More recipients than the FIFO is long, with a server that takes them all. */
static void
many(void)
{
	enum { MANY = 1000 };
	static struct step steps[MANY + 8] = { HI, PIPE, MAIL };
	static struct client_rcpt rcpt[MANY];
	static struct server s;
	struct run r;
	size_t i;

	for (i = 0; i < MANY; i++) {
		rcpt[i].addr = "a@example.org";
		steps[3 + i] = (struct step)RCPT;
	}
	steps[3 + MANY] = (struct step)DATA;
	steps[4 + MANY] = (struct step)SENT;
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	r.mail.rcpt = rcpt;
	r.mail.n_rcpt = MANY;
	play(&r, &s, steps, NULL);
	CHECK("client: a thousand recipients",
	    s.wrong[0] == '\0' && r.client->taken == MANY);
	run_free(&r);
}

/* A message larger than all buffers; the server reads it whole. */
static void
large(void)
{
	enum { LINES = 600 };
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2, DATA,
		SENT, END };
	static char body[LINES * 100 + 1];
	static struct server s;
	struct run r;
	int i;

	for (i = 0; i < LINES; i++)
		snprintf(body + i * 100, 101, ".%097d\r\n", i);
	run_init(&r, spool_file(body, ""), body, "");
	play(&r, &s, steps, NULL);
	CHECK("client: large content",
	    strstr(r.log, "over=done/250 ") != NULL &&
		strlen(s.content) == LINES * 101 + 3);
	run_free(&r);
}

/* The file ends before it should: no dot may be said. */
static void
unreadable(void)
{
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2, DATA,
		SENT, END };
	static struct server s;
	struct run r;

	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	r.mail.content_len = 1000;
	play(&r, &s, steps, NULL);
	CHECK("client: file too short is later, without a dot",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=later/0/closed ") ==
		    0 &&
		s.content[0] == '\0');
	run_free(&r);
}

/* A server that says why in mid-content, and closes. */
static void
last_words(void)
{
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2,
		{ "DATA\r\n", "354 go\r\n552 too much\r\n" },
		{ NULL, "<close>" } };
	static char body[500001];
	static struct server s;
	struct run r;

	memset(body, 'a', sizeof body - 1);
	run_init(&r, spool_file(body, ""), body, "");
	play(&r, &s, steps, NULL);
	CHECK("client: refused in mid-content",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=never/552/closed ") ==
		0);
	run_free(&r);
}

/* ---- without end ---- */

static void
endless(void)
{
	enum { LINE = 42 };
	static char lines[REPLY_BYTES_MAX + 10 * LINE],
	    line[REPLY_BYTES_MAX + REPLY_LINE_MAX];
	static struct step many_lines[] = { { NULL, lines }, END };
	static struct step long_line[] = { { NULL, line }, END };
	static struct server s;
	struct run r;
	size_t i;

	memset(lines, 'a', sizeof lines - 1);
	for (i = 0; i + LINE < sizeof lines; i += LINE) {
		memcpy(lines + i, "220-", 4);
		memcpy(lines + i + LINE - 2, "\r\n", 2);
	}
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	play(&r, &s, many_lines, NULL);
	CHECK("client: endless greeting",
	    strcmp(r.log, "lost=later/0 ") == 0 &&
		strstr(r.last.text, "without end") != NULL &&
		r.last.stage == STAGE_GREETING && r.last.cause == CAUSE_SYSTEM);
	run_free(&r);
	memset(line, 'a', sizeof line - 1);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	play(&r, &s, long_line, NULL);
	CHECK("client: endless line without a code",
	    strcmp(r.log, "lost=later/0 ") == 0);
	run_free(&r);
	memcpy(line, "220 ", 4);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	play(&r, &s, long_line, NULL);
	CHECK("client: endless line",
	    strcmp(r.log, "lost=later/0 ") == 0 &&
		strstr(r.last.text, "without end") != NULL);
	run_free(&r);
}

/* 100 KB of refusal are read, in lines or in one; its beginning counts. */
static void
lengthy(void)
{
	enum { LEN = 100 * 1024, LINE = 1024 };
	static char lines[LEN + 1], line[LEN + 1];
	static struct step steps[] = { HI, PLAIN, MAIL, RCPT, { "RCPT ", NULL },
		DATA, SENT, END };
	static struct server s;
	char *const replies[] = { lines, line };
	struct run r;
	size_t i;

	memset(lines, 'x', LEN);
	for (i = 0; i < LEN; i += LINE) {
		memcpy(lines + i, "550-", 4);
		memcpy(lines + i + LINE - 2, "\r\n", 2);
	}
	memcpy(lines + LEN - LINE, "550 ", 4);
	memset(line, 'x', LEN);
	memcpy(line, "550 ", 4);
	memcpy(line + LEN - 2, "\r\n", 2);
	for (i = 0; i < 2; i++) {
		steps[4].say = replies[i];
		run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
		play(&r, &s, steps, NULL);
		CHECK(i == 0 ? "client: 100 KB of lines" :
			       "client: a line of 100 KB",
		    strcmp(r.log, "ready rcpt0=250 rcpt1=550 over=done/250 ") ==
			    0 &&
			s.wrong[0] == '\0');
		run_free(&r);
	}
}

/* ---- whose fault, and where ---- */

/* clang-format off */
/* Columns: name, script, outcome at the end: cause, stage, width. */
static const struct {
	const char *name;
	struct step steps[9];
	uint8_t cause, stage, width;
} faults[] = {
	{ "closed at the greeting", { { NULL, NULL } }, CAUSE_NETWORK, STAGE_GREETING, WIDTH_STREAM },
	{ "greeting 421", { { NULL, "421 busy\r\n" } }, CAUSE_SYSTEM, STAGE_GREETING, WIDTH_STREAM },
	{ "greeting 554", { { NULL, "554 5.7.1 listed by zen.spamhaus.org\r\n" } },
	    CAUSE_REPUTATION, STAGE_GREETING, WIDTH_STREAM },
	{ "greeting is none", { { NULL, "what\r\n" } }, CAUSE_SYSTEM, STAGE_GREETING, WIDTH_STREAM },
	{ "EHLO 450", { HI, { "EHLO ", "450 busy\r\n" } }, CAUSE_SYSTEM, STAGE_EHLO, WIDTH_STREAM },
	{ "HELO 550", { HI, { "EHLO ", "502 what\r\n" }, { "HELO ", "550 go away\r\n" } },
	    CAUSE_POLICY, STAGE_EHLO, WIDTH_STREAM },
	{ "silent upon EHLO", { HI, { "EHLO ", "" } }, CAUSE_NETWORK, STAGE_EHLO, WIDTH_STREAM },
	{ "MAIL 550", { HI, PLAIN, { "MAIL ", "550 5.1.8 no such domain\r\n" } },
	    CAUSE_DNS, STAGE_MAIL, WIDTH_MESSAGE },
	{ "MAIL 530", { HI, PLAIN, { "MAIL ", "530 5.7.0 Authentication required\r\n" } },
	    CAUSE_CONFIG, STAGE_MAIL, WIDTH_MESSAGE },
	{ "RCPT 421", { HI, PLAIN, MAIL, RCPT, { "RCPT ", "421 4.7.0 try again later\r\n" } },
	    CAUSE_RATE, STAGE_RCPT, WIDTH_STREAM },
	{ "RCPT 354", { HI, PLAIN, MAIL, { "RCPT ", "354 go\r\n" } }, CAUSE_SYSTEM, STAGE_RCPT, WIDTH_STREAM },
	{ "closed at DATA", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", NULL } },
	    CAUSE_NETWORK, STAGE_DATA, WIDTH_STREAM },
	{ "DATA 451", { HI, PLAIN, MAIL, RCPT, RCPT2, { "DATA\r\n", "451 4.3.0 disk\r\n" }, RSET },
	    CAUSE_SYSTEM, STAGE_DATA, WIDTH_MESSAGE },
	{ "dot 554", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "554 5.7.1 Spam message rejected\r\n" } },
	    CAUSE_CONTENT, STAGE_CONTENT, WIDTH_MESSAGE },
	{ "dot 421", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", "421 4.3.0 shutting down\r\n" } },
	    CAUSE_SYSTEM, STAGE_CONTENT, WIDTH_MESSAGE },
	{ "closed at the dot", { HI, PLAIN, MAIL, RCPT, RCPT2, DATA, { "<dot>", NULL } },
	    CAUSE_NETWORK, STAGE_CONTENT, WIDTH_MESSAGE },
	{ "all refused", { HI, PLAIN, MAIL, { "RCPT ", "550 a\r\n" }, { "RCPT ", "550 b\r\n" }, RSET },
	    CAUSE_NONE, STAGE_RCPT, WIDTH_MESSAGE },
	{ "too large", { HI, { "EHLO ", "250-mx\r\n250 SIZE 10\r\n" } },
	    CAUSE_CONTENT, STAGE_MAIL, WIDTH_MESSAGE },
};
/* clang-format on */

static void
causes(void)
{
	static struct server s;
	char name[128];
	struct run r;
	size_t i;
	int good;

	for (i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		run_init(&r, spool_file("Subject: x\r\n", ""), "Subject: x\r\n",
		    "");
		play(&r, &s, faults[i].steps, NULL);
		snprintf(name, sizeof name, "client, cause: %s",
		    faults[i].name);
		good = r.last.cause == faults[i].cause &&
		    r.last.stage == faults[i].stage &&
		    r.last.width == faults[i].width && s.wrong[0] == '\0';
		CHECK(name, good);
		if (!good)
			printf("# %s| %s %s %u\n", r.log,
			    cause_name(r.last.cause), stage_name(r.last.stage),
			    r.last.width);
		run_free(&r);
	}
}

/* ---- from where ---- */

/* An address that is not ours: said at once, and for another one to do. */
static void
source(void)
{
	struct mx_addr addr = { .len = sizeof(struct sockaddr_in),
		.name = "mx.example.org" };
	struct sockaddr_in *to = (struct sockaddr_in *)&addr.ss;
	struct client_owner owner = bench_owner;
	struct sockaddr_in *from;
	struct run r;

	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	to->sin_family = AF_INET;
	to->sin_port = htons(25);
	to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from = (struct sockaddr_in *)&r.how.src;
	from->sin_family = AF_INET;
	from->sin_addr.s_addr = htonl(0xc0000201);
	owner.arg = &r;
	client_connect(r.client, &addr, &r.how, &owner);
	CHECK("client: nothing is told before the loop", r.log[0] == '\0');
	timer_set(r.loop, &r.end, 2000, on_silence, &r);
	loop_run(r.loop);
	CHECK("client: a source address that is not ours",
	    strcmp(r.log, "lost=later/0 ") == 0 &&
		strstr(r.last.text, "the source address") != NULL &&
		r.last.cause == CAUSE_CONFIG && r.last.stage == STAGE_CONNECT &&
		r.last.local == 1);
	run_free(&r);
}

/* A byte at a time does not stretch the deadline. */
static void
drip(void)
{
	static const struct step steps[] = { { NULL, "2" }, { "<dot>", "" } };
	static struct server s;
	struct event before;
	struct run r;
	int sv[2];

	pair(sv);
	memset(&s, 0, sizeof s);
	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	s.loop = r.loop;
	s.fd = sv[1];
	s.step = steps;
	server_go(&s);
	run_go(&r, sv[0], NULL);
	/* on_silence() has made the deadline come: nothing set it again. */
	memcpy(&before, &r.client->io.deadline.ev, sizeof before);
	CHECK("client: a byte does not stretch the wait",
	    strcmp(r.log, "silence lost=later/0 ") == 0);
	run_free(&r);
	close(sv[1]);
}

/* RFC 5321 4.5.3.2: no wait may be shorter than this. */
static void
waits(void)
{
	static const struct {
		enum client_said said;
		msec least;
	} rows[] = {
		{ SAID_GREETING, 300000 },
		{ SAID_MAIL, 300000 },
		{ SAID_RCPT, 300000 },
		{ SAID_DATA, 120000 },
		{ SAID_DOT, 600000 },
	};
	char name[80];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(name, sizeof name, "client: time for %s",
		    client_table[rows[i].said].what);
		CHECK(name, client_table[rows[i].said].wait >= rows[i].least);
	}
	CHECK("client: time for a block", CLIENT_BLOCK_MS >= 180000);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	table();
	content();
	twice();
	many();
	large();
	unreadable();
	last_words();
	endless();
	lengthy();
	causes();
	source();
	drip();
	waits();
	return unit_end();
}
