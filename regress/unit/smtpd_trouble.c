/*
 * Sessions in trouble: the queue or the client is lost, somebody sends too
 * much or too slowly, the service stops.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_world.h"

static struct session *
the_session(struct world *w)
{
	return TAILQ_FIRST(&w->srv.sessions);
}

/* Its row, to be changed. */
static struct conf_listen *
the_listener(struct world *w)
{
	return (struct conf_listen *)(uintptr_t)CONF_LISTEN(w->conf, 0);
}

/* ---- the queue is lost ---- */

static void
test_queue_lost_in_data(void)
{
	struct world *w = in_data();

	CHECK("content goes on",
	    talks(w, "one\r\n", "") && (queue_dies(w), 1) &&
		talks(w, "two\r\n", ""));
	queue_lives(w);
	CHECK("it is kept", heard(w, "keep:id listed"));
	CHECK("and committed",
	    talks(w, ".\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, "one\r\ntwo\r\n"));
	world_close(w);
}

static void
test_queue_lost_in_commit(void)
{
	struct world *w = in_data();

	w->commit = WAIT_FOR_IT;
	CHECK("no answer, no reply",
	    talks(w, "one\r\n.\r\n", "") && heard(w, "commit"));
	queue_dies(w);
	CHECK("nor without a queue", says(w, ""));
	w->commit = ANSWER;
	queue_lives(w);
	CHECK("asked again", says(w, QUEUED));
	CHECK("what the new queue hears",
	    strstr(w->heard, "keep:id listed commit") != NULL);
	CHECK("the file is the same", file_is(w, "one\r\n"));
	world_close(w);
}

static void
test_queue_lost_before_file(void)
{
	struct world *w = hello();
	uint64_t before;

	w->data = WAIT_FOR_IT;
	CHECK("no file yet",
	    talks(w, MAIL,
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n") &&
		heard(w, TOLD));
	before = w->tx;
	queue_dies(w);
	CHECK("still none", says(w, ""));
	w->data = ANSWER;
	queue_lives(w);
	CHECK("all is said again",
	    says(w, "354 Content, please; end with <CRLF>.<CRLF>\r\n") &&
		heard(w, "listed " TOLD) && w->tx != before);
	CHECK("and goes on", talks(w, ".\r\n", QUEUED));
	world_close(w);
}

/* No queue at the time of DATA. */
static void
test_queue_away(void)
{
	struct world *w = hello();

	queue_dies(w);
	CHECK("no queue",
	    talks(w, MAIL,
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"));
	queue_lives(w);
	CHECK("a queue",
	    says(w, "354 Content, please; end with <CRLF>.<CRLF>\r\n") &&
		heard(w, "listed " TOLD));
	world_close(w);
}

/* ---- the client is lost ---- */

static void
test_client_lost(void)
{
	struct world *w = in_data();

	send_client(w, "one\r\n.", 6);
	close(w->client);
	w->client = -1;
	CHECK("gone in content", heard(w, "abort:id") && over(w));
	world_close(w);

	w = hello();
	w->data = WAIT_FOR_IT;
	CHECK("gone before the file",
	    talks(w, MAIL,
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n") &&
		heard(w, TOLD));
	close(w->client);
	w->client = -1;
	w->data = ANSWER;
	give_file(w, &w->queue, w->waiting);
	CHECK("its file is dropped", heard(w, "abort:id") && over(w));
	world_close(w);

	w = in_data();
	w->commit = WAIT_FOR_IT;
	CHECK("gone in commit", talks(w, ".\r\n", "") && heard(w, "commit"));
	close(w->client);
	w->client = -1;
	CHECK("it is waited for", w->srv.n_sessions == 1);
	{
		struct tx_done done;

		memset(&done, 0, sizeof done);
		done.outcome.verdict = DONE;
		tx_done_send(&w->queue, w->waiting, &done, -1);
	}
	CHECK("and not dropped", over(w) && w->heard[0] == '\0');
	world_close(w);
}

static void
test_half_close(void)
{
	struct world *w = hello();

	send_client(w, MAIL "x\r\n.\r\nQUIT\r\n",
	    strlen(MAIL "x\r\n.\r\nQUIT\r\n"));
	shutdown(w->client, SHUT_WR);
	CHECK("all is answered",
	    says(w,
		MAILS QUEUED
		"221 2.0.0 mx.example.net closing connection\r\n") &&
		over(w));
	world_close(w);
}

/* ---- chunks ---- */

#define CHUNK  "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\na\r\n"
#define CHUNKS "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
#define BYTES  "250 2.0.0 3 bytes received\r\n"

static void
test_chunks(void)
{
	struct world *w = hello();

	CHECK("a chunk", talks(w, CHUNK, CHUNKS BYTES) && heard(w, TOLD));
	CHECK("RSET gives it up",
	    talks(w, "RSET\r\n", OK) && heard(w, "abort:id"));
	CHECK("another", talks(w, CHUNK, CHUNKS BYTES) && heard(w, TOLD));
	CHECK("so does EHLO", talks(w, HELLO, HELLOS) && heard(w, "abort:id"));
	CHECK("another", talks(w, CHUNK, CHUNKS BYTES) && heard(w, TOLD));
	CHECK("the last one",
	    talks(w, "BDAT 2 LAST\r\n.\n",
		"550 5.6.11 The message holds a bare CR or LF (RFC 5321 2.3.8)\r\n") &&
		heard(w, "abort:id"));
	CHECK("another", talks(w, CHUNK, CHUNKS BYTES) && heard(w, TOLD));
	CHECK("and a good last one",
	    talks(w, "BDAT 3 LAST\r\n.\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, "a\r\n.\r\n") &&
		w->committed.content_facts == CONTENT_DOT);
	world_close(w);
}

/* The queue says no, or is lost: the chunk is read all the same. */
static void
test_chunk_refused(void)
{
	struct world *w = hello();

	w->data = SAY_LATER;
	CHECK("no file: not before the chunk was read",
	    talks(w, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 6\r\nNO",
		CHUNKS) &&
		heard(w, TOLD));
	CHECK("then",
	    talks(w, "OP\r\n" NOOP "BDAT 2 LAST\r\n\r\n",
		"452 4.3.1 full\r\n" OK "503 5.5.1 Say MAIL first\r\n"));
	w->data = ANSWER;
	CHECK("a chunk", talks(w, CHUNK, CHUNKS BYTES) && heard(w, TOLD));
	queue_dies(w);
	CHECK("without a queue",
	    talks(w, "BDAT 1\r\nb", "250 2.0.0 1 bytes received\r\n"));
	queue_lives(w);
	CHECK("it is kept", heard(w, "keep:id listed"));
	CHECK("and whole",
	    talks(w, "BDAT 2 LAST\r\n\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, "a\r\nb\r\n"));
	CHECK("a chunk", talks(w, CHUNK, CHUNKS BYTES) && heard(w, TOLD));
	close(w->client);
	w->client = -1;
	CHECK("the client is lost between chunks",
	    heard(w, "abort:id") && over(w));
	world_close(w);

	w = hello();
	CHECK("half a chunk",
	    talks(w, CHUNK "BDAT 9\r\nab", CHUNKS BYTES) && heard(w, TOLD));
	close(w->client);
	w->client = -1;
	CHECK("the client is lost in a chunk", heard(w, "abort:id") && over(w));
	world_close(w);
}

/* ---- a reply for each recipient (RFC 2033 4.2) ---- */

#define LMAIL                                                                  \
	"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<no@d>\r\nRCPT TO:<e@d>\r\n"
#define LMAILS                                                                 \
	"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n550 5.7.1 not here\r\n250 2.1.5 Recipient ok\r\n"
#define LTOLD "open:a@b rcpt:c@d rcpt:e@d data"
#define FULL  "452 4.3.1 full\r\n"

static struct world *
lhlo(void)
{
	struct world *w = &the_world;

	world_open(w);
	the_listener(w)->lmtp = 1;
	if (!says(w, GREETS) || !talks(w, "LHLO c.example\r\n", HELLOS))
		CHECK("lhlo", 0);
	return w;
}

static void
test_each_recipient(void)
{
	struct world *w = lhlo();

	w->commit = SAY_LATER;
	CHECK("a commit that failed, by BDAT",
	    talks(w, LMAIL "BDAT 3 LAST\r\na\r\n" NOOP, LMAILS FULL FULL OK) &&
		heard(w, LTOLD " commit abort:id"));
	w->commit = ANSWER;
	w->data = SAY_LATER;
	CHECK("no file: one before the content",
	    talks(w, LMAIL "DATA\r\n" NOOP, LMAILS FULL OK) && heard(w, LTOLD));
	CHECK("each behind the last chunk",
	    talks(w, LMAIL "BDAT 3 LAST\r\na\r\n" NOOP, LMAILS FULL FULL OK) &&
		heard(w, LTOLD));
	CHECK("and one behind another",
	    talks(w, LMAIL "BDAT 3\r\na\r\n" NOOP, LMAILS FULL OK) &&
		heard(w, LTOLD));
	w->data = ANSWER;
	w->commit = WAIT_FOR_IT;
	CHECK("a chunk",
	    talks(w, LMAIL "BDAT 3\r\na\r\n", LMAILS BYTES) && heard(w, LTOLD));
	queue_dies(w);
	CHECK("no word without a queue",
	    talks(w, "BDAT 3 LAST\r\nb\r\n" NOOP, ""));
	queue_lives(w);
	CHECK("nor before its answer", heard(w, "keep:id listed commit"));
	queue_dies(w);
	w->commit = ANSWER;
	queue_lives(w);
	CHECK("each once, then the next command",
	    says(w, QUEUED QUEUED OK) && heard(w, "keep:id listed commit"));
	world_close(w);
}

/* ---- others that say what cannot be ---- */

/* A score, and no list that it is of. */
static void
test_listed(void)
{
	struct world *w = hello();

	the_listener(w)->dnsbl = 1;
	the_session(w)->score = 5;
	w->conf->dnslist.n = 1;
	w->conf->dnsbl_reject = 3;
	CHECK("refused all the same",
	    talks(w, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
		"250 2.1.0 Sender ok\r\n550 5.7.1 Refused: the client is on a list\r\n"));
	world_close(w);
}

/* ---- MAIL that is refused ---- */

/* What it said of its message is not true of what comes next. */
static void
test_mail_refused(void)
{
	struct world *w = hello();
	struct session *s = the_session(w);

	w->srv.phases[0] = 1u << PHASE_MAIL_FROM;
	w->srv.proc.peer[PROC_LOOKUP][0] = NULL;
	CHECK("refused",
	    talks(w, "MAIL FROM:<\xc3\xa4@b> SMTPUTF8\r\n",
		"451 4.3.0 Local trouble, try later\r\n"));
	CHECK("and forgotten",
	    (s->facts.flags & FACT_SMTPUTF8) == 0 && s->tx.sender == NULL);
	w->srv.proc.peer[PROC_LOOKUP][0] = &w->to_lookup;
	world_close(w);
}

/* ---- last words ---- */

/* What another process wants while the queue has the word waits for it. */
static void
test_bye_in_commit(void)
{
	struct world *w = in_data();
	struct session *s = TAILQ_FIRST(&w->srv.sessions);
	struct tx_done done;

	w->commit = WAIT_FOR_IT;
	CHECK("commit", talks(w, "x\r\n.\r\n", "") && heard(w, "commit"));
	session_bye(s, REPLY_TOO_BUSY, NULL, "busy");
	session_run(s);
	CHECK("not yet", says(w, ""));
	memset(&done, 0, sizeof done);
	done.outcome.verdict = DONE;
	tx_done_send(&w->queue, w->waiting, &done, -1);
	CHECK("after the reply",
	    says(w, QUEUED "421 4.3.2 Too many connections, try later\r\n") &&
		over(w));
	world_close(w);
}

/* ---- bounds ---- */

static void
test_endless_line(void)
{
	enum { PIECES = 160 };
	static char piece[65536];
	struct world *w = hello();
	size_t most = 0;
	int i;

	memset(piece, 'a', sizeof piece);
	for (i = 0; i < PIECES; i++) {
		send_client(w, piece, sizeof piece);
		if (the_session(w)->io.in.cap > most)
			most = the_session(w)->io.in.cap;
	}
	CHECK("10 MB without an end: bounded", most <= SESSION_IN);
	CHECK("said once, then the next line",
	    talks(w, "\r\nNOOP\r\n",
		"500 5.5.2 Line too long: at most 2048 bytes\r\n" OK));
	world_close(w);
}

static void
test_replies_not_read(void)
{
	struct world *w = hello();
	size_t most = 0;
	int i, client = w->client;

	w->client = -1; /* nobody reads */
	w->conf->max_errors = 1000000;
	for (i = 0; i < 200000; i++) {
		if (write(client, "NOOP\r\n", 6) == -1 && i % 100 == 0)
			turn(w);
		if (the_session(w)->io.out.len > most)
			most = the_session(w)->io.out.len;
	}
	CHECK("replies are bounded", most > 0 && most <= SESSION_OUT);
	CHECK("and what comes in", the_session(w)->io.in.cap <= SESSION_IN);
	CHECK("no more is handled", the_session(w)->blocked);
	w->client = client;
	for (i = 0; i < 2000 && w->srv.n_sessions > 0; i++) {
		w->n_said = 0;
		turn(w);
	}
	w->n_said = 0;
	CHECK("until they are read", !the_session(w)->blocked);
	world_close(w);
}

static void
test_errors(void)
{
	struct world *w = hello();
	static char want[4096];
	int i;

	want[0] = '\0';
	for (i = 0; i < 10; i++) {
		strncat(want, "500 5.5.1 Command not recognized\r\n",
		    sizeof want - strlen(want) - 1);
		send_client(w, "BAD\r\n", 5);
	}
	strncat(want, "421 4.7.0 Too many errors, closing\r\n",
	    sizeof want - strlen(want) - 1);
	CHECK("too many errors", talks(w, NOOP NOOP, want) && over(w));
	world_close(w);
}

/* One byte every 50 ms does not move the deadline. */
static int
drip(struct world *w, const char *byte)
{
	struct timespec ts = { .tv_nsec = 50000000 };
	msec begin = loop_msec();

	while (w->n_said == 0 && loop_msec() < begin + PATIENT_MS) {
		(void)!write(w->client, byte, 1);
		turn(w);
		nanosleep(&ts, NULL);
	}
	return loop_msec() - begin > 900 && loop_msec() - begin < 2000;
}

static void
test_deadlines(void)
{
	struct world *w = hello();

	w->conf->smtp_timeout = 1;
	CHECK("noop", talks(w, NOOP, OK));
	CHECK("a byte at a time", drip(w, "N"));
	CHECK("time-out",
	    says(w, "421 4.4.2 Waited too long, closing\r\n") && over(w));
	world_close(w);

	w = hello();
	w->conf->data_timeout = 1;
	CHECK("mail", talks(w, MAIL, MAILS) && heard(w, TOLD));
	CHECK("a byte of content at a time", drip(w, "x"));
	CHECK("time-out in content",
	    says(w, "421 4.4.2 Waited too long, closing\r\n") &&
		heard(w, "abort:id") && over(w));
	world_close(w);
}

/* ---- the service stops ---- */

static void
test_stop(void)
{
	struct world *w = hello();

	w->srv.stopping = true;
	session_stop_all(&w->srv);
	CHECK("stop between commands",
	    says(w, "421 4.3.2 mx.example.net is stopping, try later\r\n") &&
		over(w));
	world_close(w);

	w = in_data();
	w->srv.stopping = true;
	session_stop_all(&w->srv);
	CHECK("content may end",
	    talks(w, "x\r\n.\r\n",
		QUEUED "421 4.3.2 mx.example.net is stopping, try later\r\n") &&
		over(w));
	world_close(w);

	w = in_data();
	w->srv.stopping = true;
	session_stop_all(&w->srv);
	w->srv.stop_late = true;
	session_stop_all(&w->srv);
	CHECK("or is given up",
	    says(w, "421 4.3.2 mx.example.net is stopping, try later\r\n") &&
		heard(w, "abort:id") && over(w));
	world_close(w);
}

int
main(void)
{
	log_to_socket(-1, false);
	test_queue_lost_in_data();
	test_queue_lost_in_commit();
	test_queue_lost_before_file();
	test_queue_away();
	test_client_lost();
	test_half_close();
	test_chunks();
	test_chunk_refused();
	test_each_recipient();
	test_listed();
	test_mail_refused();
	test_bye_in_commit();
	test_endless_line();
	test_replies_not_read();
	test_errors();
	test_deadlines();
	test_stop();
	return unit_end();
}
