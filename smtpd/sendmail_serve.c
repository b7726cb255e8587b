/*
 * sendmail(8) -bs: SMTP on standard input and output, for programs that have
 * an SMTP client and no network.  Runs in sendmail, as whoever calls it: all
 * bytes are passed on as they are, and the daemon sees whose they are.
 *
 * Holds a piece of each direction and no more.  Ends when the daemon does: it
 * has a deadline for each command.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "sendmail.h"

/* A pipe that is ready to be written to takes so many at once. */
#define PIECE 4096

/* Milliseconds without a byte in either direction: longer than the daemon
 * waits for the slowest command. */
#define IDLE (2 * 3600 * 1000)

/* Bytes on their way from one descriptor to another. */
struct way {
	int from, to; /* from is -1 when nothing more comes */
	size_t off, len;
	char piece[PIECE];
};

static bool
is_full(const struct way *w)
{
	return w->len > 0;
}

/* What may be done without waiting.  False: the other side is gone. */
static bool
move(struct way *w, short in, short out)
{
	ssize_t n;

	if (!is_full(w) && w->from != -1 && in != 0) {
		n = read(w->from, w->piece, sizeof w->piece);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			return true;
		if (n <= 0) {
			w->from = -1;
			return true;
		}
		w->off = 0;
		w->len = (size_t)n;
		return true;
	}
	if (is_full(w) && out != 0) {
		n = write(w->to, w->piece + w->off, w->len);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			return true;
		if (n <= 0)
			return false;
		w->off += (size_t)n;
		w->len -= (size_t)n;
	}
	return true;
}

/* The client has said all: so hears the daemon, and may still answer. */
static void
pass_end(struct way *up, bool *ended)
{
	if (*ended || up->from != -1 || is_full(up))
		return;
	(void)shutdown(up->to, SHUT_WR);
	*ended = true;
}

/* A descriptor of -1 is not looked at. */
static int
wait_for(const struct way *up, const struct way *down, struct pollfd fds[4])
{
	fds[0] = (struct pollfd){ is_full(up) ? -1 : up->from, POLLIN, 0 };
	fds[1] = (struct pollfd){ is_full(up) ? up->to : -1, POLLOUT, 0 };
	fds[2] = (struct pollfd){ is_full(down) ? -1 : down->from, POLLIN, 0 };
	fds[3] = (struct pollfd){ is_full(down) ? down->to : -1, POLLOUT, 0 };
	return poll(fds, 4, IDLE);
}

static int
proxy(struct way *up, struct way *down)
{
	struct pollfd fds[4];
	bool ended = false;
	int n;

	while (down->from != -1 || is_full(down)) {
		pass_end(up, &ended);
		if ((n = wait_for(up, down, fds)) == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return EX_TEMPFAIL;
		/* A daemon that takes no more still has last words. */
		if (!move(up, fds[0].revents, fds[1].revents)) {
			up->from = -1;
			up->len = 0;
			ended = true;
		}
		if (!move(down, fds[2].revents, fds[3].revents))
			return EX_IOERR;
	}
	return EX_OK;
}

int
sendmail_serve(struct sendmail *sm)
{
	struct talk *t = &sm->talk;
	struct way up = { .from = STDIN_FILENO };
	struct way down = { .to = STDOUT_FILENO };
	int status;

	t->verbose = false;
	if (!talk_greet(t)) {
		printf("421 4.3.0 %s\r\n", t->why);
		fflush(stdout);
		sendmail_die(sm, t->status, "%s", t->why);
	}
	up.to = down.from = t->sock;
	/* The greeting was read, and nothing behind it: who has not been
	 * spoken to does not speak. */
	down.len = (size_t)snprintf(down.piece, sizeof down.piece, "%.900s\r\n",
	    t->reply);
	status = proxy(&up, &down);
	if (status != EX_OK)
		sendmail_die(sm, status, "the conversation was cut off");
	return status;
}
