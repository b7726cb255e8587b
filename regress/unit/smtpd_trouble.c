/*
 * Sessions in trouble: the queue or the client is lost, somebody sends too
 * much or too slowly, the service stops.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_world.h"

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

/* ---- bounds ---- */

static struct session *
the_session(struct world *w)
{
	return TAILQ_FIRST(&w->srv.sessions);
}

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
	test_endless_line();
	test_replies_not_read();
	test_errors();
	test_deadlines();
	test_stop();
	return unit_end();
}
