/*
 * Sessions that go as they should, and content that is refused: what is said,
 * what the queue hears, what is in the file.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_world.h"

static void
test_whole(void)
{
	struct world *w = in_data();

	CHECK("whole message",
	    talks(w, "Subject: x\r\n\r\n..dot\r\n.\r\n", QUEUED) &&
		heard(w, "commit"));
	CHECK("the file", file_is(w, "Subject: x\r\n\r\n.dot\r\n"));
	CHECK("facts", w->committed.content_facts == CONTENT_DOT);
	CHECK("a second one",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, ".\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, ""));
	CHECK("quit",
	    talks(w, "QUIT\r\n",
		"221 2.0.0 mx.example.net closing connection\r\n") &&
		over(w));
	world_close(w);
}

/* Commands behind the dot are handled in their order, replies leave
 * together. */
static void
test_pipelining(void)
{
	struct world *w = in_data();

	CHECK("behind the dot",
	    talks(w,
		"x\r\n.\r\nNOOP\r\nMAIL FROM:<e@f>\r\nRCPT TO:<no@d>\r\nRCPT TO:<g@h>\r\nRSET\r\nBAD\r\nQUIT\r\n",
		QUEUED OK
		"250 2.1.0 Sender ok\r\n550 5.7.1 not here\r\n250 2.1.5 Recipient ok\r\n" OK
		"500 5.5.1 Command not recognized\r\n221 2.0.0 mx.example.net closing connection\r\n") &&
		over(w));
	world_close(w);
}

/* A message larger than every buffer, in pieces. */
static void
test_large(void)
{
	enum { LINES = 1500, LEN = 64 };
	static char content[LINES * LEN + 4];
	struct world *w = in_data();
	int i;

	for (i = 0; i < LINES; i++) {
		memset(content + i * LEN, 'a' + i % 26, LEN - 2);
		memcpy(content + i * LEN + LEN - 2, "\r\n", 2);
	}
	memcpy(content, "\r\n", 2); /* a header of nothing */
	memcpy(content + LINES * LEN, ".\r\n", 4);
	CHECK("large message", talks(w, content, QUEUED) && heard(w, "commit"));
	content[LINES * LEN] = '\0';
	CHECK("its file", file_is(w, content));
	world_close(w);
}

/* Columns: content up to the dot, reply. */
static const struct {
	const char *content, *reply;
} refused[] = {
	{ "a\nb\r\n",
	    "550 5.6.11 The message holds a bare CR or LF (RFC 5321 2.3.8)\r\n" },
	{ "a\rb\r\n",
	    "550 5.6.11 The message holds a bare CR or LF (RFC 5321 2.3.8)\r\n" },
	{ "x\n.\r\nMAIL FROM:<evil@b>\r\n",
	    "550 5.6.11 The message holds a bare CR or LF (RFC 5321 2.3.8)\r\n" },
	{ "Received: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\n\r\n",
	    "554 5.4.6 Mail loop: more than 3 Received fields\r\n" },
};

static void
test_refused(void)
{
	struct world *w = hello();
	size_t i;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		CHECK("to be refused", talks(w, MAIL, MAILS) && heard(w, TOLD));
		send_client(w, refused[i].content, strlen(refused[i].content));
		CHECK("refused, and nothing is left with the queue",
		    talks(w, ".\r\n", refused[i].reply) &&
			heard(w, "abort:id"));
	}
	CHECK("the session goes on", talks(w, NOOP, OK));
	/* As the configuration says. */
	w->conf->bare_newline = BARE_FIX;
	CHECK("fixed",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, "a\nb\rc\r\n.\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, "a\r\nb\r\nc\r\n"));
	world_close(w);
}

/* Content over each limit of size.  Columns: bytes of a line, lines, is it
 * header, reply. */
static const struct {
	size_t len, n;
	const char *before, *reply;
} too_much[] = {
	{ 70, 1500, "\r\n",
	    "552 5.3.4 Message too large: at most 100000 bytes\r\n" },
	{ 2001, 1, "\r\n",
	    "550 5.6.0 A line of the message is too long: at most 2000 bytes\r\n" },
	{ 60, 100, "", "552 5.3.4 Header too large: at most 5000 bytes\r\n" },
};

static void
test_too_much(void)
{
	static char line[4096];
	struct world *w = hello();
	size_t i, n;

	for (i = 0; i < sizeof too_much / sizeof too_much[0]; i++) {
		CHECK("too much", talks(w, MAIL, MAILS) && heard(w, TOLD));
		send_client(w, too_much[i].before, strlen(too_much[i].before));
		memset(line, 'a', too_much[i].len - 2);
		memcpy(line + too_much[i].len - 2, "\r\n", 3);
		for (n = 0; n < too_much[i].n; n++)
			send_client(w, line, too_much[i].len);
		CHECK("too much is said at the dot",
		    talks(w, ".\r\n", too_much[i].reply) &&
			heard(w, "abort:id"));
	}
	/* Without an end: it is not read for ever. */
	CHECK("endless", talks(w, MAIL, MAILS) && heard(w, TOLD));
	memset(line, 'a', 998);
	memcpy(line, "\r\n", 2);
	memcpy(line + 998, "\r\n", 3);
	for (n = 0; n < 300 && !w->closed; n++)
		send_client(w, line, 1000);
	CHECK("endless is cut off",
	    says(w, too_much[0].reply) && heard(w, "abort:id") && over(w));
	world_close(w);
}

/* What lookup and queue say is what the client hears. */
static void
test_passed_on(void)
{
	struct world *w = hello();

	CHECK("recipients",
	    talks(w,
		"MAIL FROM:<>\r\nRCPT TO:<no@d>\r\nRCPT TO:<later@d>\r\nRCPT TO:<postMASTER>\r\n",
		"250 2.1.0 Sender ok\r\n550 5.7.1 not here\r\n451 4.3.0 Local trouble, try later\r\n250 2.1.5 Recipient ok\r\n"));
	w->data = SAY_LATER;
	CHECK("no file",
	    talks(w, "DATA\r\n", "452 4.3.1 full\r\n") &&
		heard(w, "open rcpt:postmaster@mx.example.net data"));
	w->data = ANSWER;
	w->commit = SAY_LATER;
	CHECK("not kept: gone before it is said",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, ".\r\n", "452 4.3.1 full\r\n") &&
		heard(w, "commit abort:id"));
	w->commit = SAY_NEVER;
	CHECK("never",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, ".\r\n", "554 5.6.0 never\r\n") &&
		heard(w, "commit abort:id"));
	CHECK("too many recipients",
	    talks(w,
		"MAIL FROM:<a@b>\r\nRCPT TO:<1@d>\r\nRCPT TO:<2@d>\r\nRCPT TO:<3@d>\r\nRCPT TO:<4@d>\r\n",
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n452 4.5.3 Too many recipients: at most 3 in one message\r\n"));
	world_close(w);
}

int
main(void)
{
	log_to_socket(-1, false);
	test_whole();
	test_pipelining();
	test_large();
	test_refused();
	test_too_much();
	test_passed_on();
	return unit_end();
}
