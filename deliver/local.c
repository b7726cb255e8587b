/*
 * What every delivery needs: clock, signals, outcomes, the way of the content.
 * Runs in local.  Never waits without a deadline.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONTENT_WAIT 60000 /* ms without a byte of the content */

/* ---- time and signals ---- */

static volatile sig_atomic_t ended;

static void
on_end(int sig)
{
	(void)sig;
	ended = 1;
}

/* It ends a wait, and that is all. */
static void
on_child(int sig)
{
	(void)sig;
}

void
local_signals(struct local *l)
{
	/* Columns: signal, what it does. */
	static const struct {
		int sig;
		void (*does)(int sig);
	} rows[] = {
		{ SIGTERM, on_end },
		{ SIGINT, on_end },
		{ SIGHUP, on_end },
		{ SIGCHLD, on_child },
		{ SIGPIPE, SIG_IGN },
		{ SIGXFSZ, SIG_IGN },
	};
	struct sigaction act = { 0 };
	sigset_t block;
	size_t i;

	sigemptyset(&block);
	sigemptyset(&act.sa_mask);
	sigprocmask(SIG_SETMASK, NULL, &l->mask);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		act.sa_handler = rows[i].does;
		sigaction(rows[i].sig, &act, NULL);
		sigdelset(&l->mask, rows[i].sig);
		if (rows[i].does != SIG_IGN)
			sigaddset(&block, rows[i].sig);
	}
	sigprocmask(SIG_BLOCK, &block, NULL);
}

bool
local_ended(void)
{
	return ended != 0;
}

msec
local_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (msec)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool
local_wait(const struct local *l, int fd, short events, msec until)
{
	struct pollfd p = { .fd = fd, .events = events };
	msec left = (until < l->end ? until : l->end) - local_now();
	struct timespec t;

	if (left < 0)
		left = 0;
	t.tv_sec = (time_t)(left / 1000);
	t.tv_nsec = (long)(left % 1000) * 1000000;
	return ppoll(&p, 1, &t, &l->mask) == 1;
}

/* ---- outcomes ---- */

static void __attribute__((format(printf, 6, 0)))
say(struct local *l, enum verdict v, enum width w, enum cause c,
    const char *ecode, const char *fmt, va_list ap)
{
	outcome_vset(&l->outcome, v, w, 0, ecode, fmt, ap);
	outcome_of_us(&l->outcome, c,
	    l->start.doing == LOCAL_DO_READ ? STAGE_LOOKUP : STAGE_CONTENT);
}

bool
local_later(struct local *l, enum width w, enum cause c, const char *ecode,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(l, LATER, w, c, ecode, fmt, ap);
	va_end(ap);
	return false;
}

bool
local_never(struct local *l, enum cause c, const char *ecode, const char *fmt,
    ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(l, NEVER, WIDTH_RCPT, c, ecode, fmt, ap);
	va_end(ap);
	return false;
}

bool
local_errno(struct local *l, const char *doing, const char *path)
{
	/* Columns: errno, what it is about, enhanced code (RFC 3463). */
	static const struct {
		int no;
		enum cause cause;
		const char *ecode;
	} rows[] = {
		{ EDQUOT, CAUSE_MAILBOX, "4.2.2" },
		{ EFBIG, CAUSE_MAILBOX, "4.2.2" },
		{ ENOSPC, CAUSE_SYSTEM, "4.3.1" },
		{ EACCES, CAUSE_CONFIG, "4.2.0" },
		{ EPERM, CAUSE_CONFIG, "4.2.0" },
		{ ENOENT, CAUSE_CONFIG, "4.2.0" },
		{ ENOTDIR, CAUSE_CONFIG, "4.2.0" },
		{ EISDIR, CAUSE_CONFIG, "4.2.0" },
		{ ELOOP, CAUSE_CONFIG, "4.2.0" },
		{ ENAMETOOLONG, CAUSE_CONFIG, "4.2.0" },
		{ ENXIO, CAUSE_CONFIG, "4.2.0" },
		{ EXDEV, CAUSE_CONFIG, "4.2.0" },
		{ 0, CAUSE_SYSTEM, "4.3.0" },
	};
	int no = errno;
	size_t i;

	for (i = 0; rows[i].no != 0 && rows[i].no != no; i++)
		;
	return local_later(l, WIDTH_SITE, rows[i].cause, rows[i].ecode,
	    "%s %s: %s", doing, path,
	    no == ELOOP ? "it is a symbolic link" : strerror(no));
}

/* ---- content ---- */

/* RFC 5321 4.4: the sender in Return-Path, once. */
static bool
prepend(struct local *l, struct content *c)
{
	if (l->again)
		return true;
	return content_add(c, "Return-Path: <") &&
	    content_add(c, l->start.take.sender) &&
	    content_add(c, ">\nDelivered-To: ") &&
	    content_add(c, l->start.take.rcpt) && content_add(c, "\n");
}

/* Whether the content that came is what was announced. */
static bool
is_whole(struct local *l, const struct content *c)
{
	uint64_t want = l->start.take.bytes;

	if (l->again || c->in == want)
		return true;
	return local_later(l, WIDTH_RCPT, CAUSE_SYSTEM, "4.3.0",
	    c->in < want ? "the content was cut short" :
			   "the content is longer than it was said to be");
}

bool
local_copy(struct local *l, struct content *c)
{
	uint8_t in[65536];
	ssize_t n;

	if (!prepend(l, c))
		return false;
	for (;;) {
		if (!local_wait(l, LOCAL_FD_CONTENT, POLLIN,
			local_now() + CONTENT_WAIT)) {
			if (local_ended())
				return local_later(l, WIDTH_RCPT, CAUSE_SYSTEM,
				    "4.3.2", "it was told to end");
			return local_later(l, WIDTH_RCPT, CAUSE_SYSTEM, "4.3.0",
			    "the content did not come");
		}
		n = read(LOCAL_FD_CONTENT, in, sizeof in);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == -1)
			return local_errno(l, "reading", "the content");
		if (n == 0)
			return is_whole(l, c) && content_end(c);
		if (!content_feed(c, in, (size_t)n))
			return false;
		if (c->loop)
			return local_never(l, CAUSE_CONFIG, "5.4.6",
			    "mail for %s was delivered there before: it is in a loop",
			    l->start.take.rcpt);
	}
}

bool
local_write(struct local *l, int fd, const void *p, size_t len,
    const char *path)
{
	const char *at = p;
	ssize_t n;

	while (len != 0) {
		n = write(fd, at, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return local_errno(l, "writing", path);
		at += n;
		len -= (size_t)n;
	}
	return true;
}
