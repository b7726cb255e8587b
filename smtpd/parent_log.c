/*
 * The log of the children: each has a socket of its own, so that a line is
 * its own and a captured one cannot shut the others up.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <unistd.h>

#include "log.h"
#include "parent.h"

#define LOG_BATCH 64        /* lines before others have their turn */
#define LOG_ROOM  (4 << 20) /* bytes: a burst; a child never waits for us */

bool
parent_verbose(const struct parent *p, const struct generation *g)
{
	/* `smtpd -nv` prints, and says nothing more. */
	return !p->options->check &&
	    (p->options->verbose || g->conf->log_verbose);
}

bool
parent_has_stderr(const struct parent *p)
{
	return p->options->foreground || p->options->check;
}

bool
parent_logs_start(const struct parent *p)
{
	return p->started || !parent_has_stderr(p);
}

void
parent_log_as(const struct parent *p, const struct generation *g)
{
	bool verbose = parent_verbose(p, g);

	if (parent_has_stderr(p))
		log_to_stderr("smtpd", verbose);
	else
		log_to_syslog("smtpd", (int)g->conf->log_facility, verbose);
}

static void
on_log(int fd, int what, void *arg)
{
	struct child *ch = arg;
	char line[LOG_LINE_MAX + 1];
	ssize_t n;
	int i;

	(void)what;
	for (i = 0; i < LOG_BATCH; i++) {
		n = recv(fd, line, LOG_LINE_MAX, MSG_DONTWAIT);
		if (n <= 0)
			return;
		line[n] = '\0';
		log_forward(proc_table[ch->kind].program, line);
	}
}

void
child_log_use(struct child *ch, int fd)
{
	ch->log = fd;
	watch_set(ch->parent->loop, &ch->log_watch, fd, LOOP_READ, on_log, ch);
}

int
child_log_open(struct child *ch)
{
	int pair[2], size = LOG_ROOM;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size,
		sizeof size) == -1)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	child_log_use(ch, pair[0]);
	return pair[1];
}

void
child_log_close(struct child *ch)
{
	if (ch->log == -1)
		return;
	on_log(ch->log, LOOP_READ, ch); /* its last words */
	watch_clear(&ch->log_watch);
	close(ch->log);
	ch->log = -1;
}
