/*
 * What the service manager hears from us, by the protocol of sd_notify(3): we
 * are at work, reload, stop, and still live.  Runs in the parent; nothing is
 * read from there.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <bsd/string.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "num.h"
#include "parent.h"

#define AGAIN_MS 100 /* it did not read: we never wait for it */

static const char *const variables[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC",
	"WATCHDOG_PID" };

#define N_VARIABLES (sizeof variables / sizeof variables[0])

/* ---- what it told us ---- */

static uint64_t
watchdog_usec(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *of = getenv("WATCHDOG_PID");
	uint64_t n = 0, pid = 0;

	if (usec == NULL || num_parse(usec, 1, INT64_MAX, &n) != NULL)
		return 0;
	/* Of another process: of the one that goes on behind us, too. */
	if (of != NULL &&
	    (num_parse(of, 1, INT32_MAX, &pid) != NULL ||
		pid != (uint64_t)getpid()))
		return 0;
	return n;
}

void
notify_init(struct parent *p)
{
	struct notify *n = &p->notify;
	const char *path = getenv("NOTIFY_SOCKET");
	size_t i;

	n->fd = -1;
	if (path != NULL && (path[0] == '/' || path[0] == '@') &&
	    strlcpy(n->path, path, sizeof n->path) < sizeof n->path) {
		n->fd = socket(AF_UNIX,
		    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		n->watchdog = watchdog_usec();
	}
	/* Who is started by us has no business there. */
	for (i = 0; i < N_VARIABLES; i++)
		unsetenv(variables[i]);
}

void
notify_pass_on(const struct parent *p, bool on)
{
	const struct notify *n = &p->notify;
	char pid[24], usec[24];
	const char *const values[N_VARIABLES] = { n->path, usec, pid };
	size_t i;

	if (n->fd == -1)
		return;
	snprintf(usec, sizeof usec, "%" PRIu64, n->watchdog);
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	for (i = 0; i < N_VARIABLES; i++) {
		if (on)
			setenv(variables[i], values[i], 1);
		else
			unsetenv(variables[i]);
	}
}

/* ---- what we tell ---- */

static bool
send_text(const struct notify *n, const char *text)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(n->path);

	memcpy(sun.sun_path, n->path, len);
	/* A name that is no path ends where its length says. */
	if (n->path[0] == '@')
		sun.sun_path[0] = '\0';
	return sendto(n->fd, text, strlen(text), MSG_NOSIGNAL,
		   (struct sockaddr *)&sun,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) !=
	    -1;
}

static void
on_again(void *arg)
{
	struct parent *p = arg;
	struct notify *n = &p->notify;

	if (send_text(n, n->unsent))
		n->unsent[0] = '\0';
	else
		timer_set(p->loop, &n->again, AGAIN_MS, on_again, p);
}

/* Lines; what cannot be sent goes before the next. */
static void tell(struct parent *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
tell(struct parent *p, const char *fmt, ...)
{
	struct notify *n = &p->notify;
	size_t have = strlen(n->unsent);
	va_list ap;

	if (n->fd == -1)
		return;
	/* It has not read for so long that only the newest counts. */
	if (have > sizeof n->unsent / 2)
		have = 0;
	va_start(ap, fmt);
	vsnprintf(n->unsent + have, sizeof n->unsent - have, fmt, ap);
	va_end(ap);
	if (p->loop != NULL)
		on_again(p);
	else if (send_text(n, n->unsent))
		n->unsent[0] = '\0';
}

void
notify_ready(struct parent *p)
{
	tell(p,
	    "READY=1\nMAINPID=%ld\nSTATUS=At work: generation %u, listeners: %u.\n",
	    (long)getpid(), p->now->number, p->now->conf->listen.n);
}

void
notify_not_reloaded(struct parent *p)
{
	tell(p,
	    "READY=1\nSTATUS=At work: generation %u. The last reload failed: see the log.\n",
	    p->now->number);
}

void
notify_reloading(struct parent *p)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	tell(p, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading.\n",
	    (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

void
notify_stopping(struct parent *p)
{
	tell(p, "STOPPING=1\nSTATUS=Stopping.\n");
}

/* ---- the watchdog ---- */

static void
on_watchdog(void *arg)
{
	struct parent *p = arg;
	struct notify *n = &p->notify;

	/* Who does not read knows that by himself. */
	if (n->unsent[0] == '\0')
		tell(p, "WATCHDOG=1\n");
	timer_set(p->loop, &n->timer, (msec)(n->watchdog / 2000) + 1,
	    on_watchdog, p);
}

void
notify_watch(struct parent *p)
{
	if (p->notify.fd != -1 && p->notify.watchdog != 0)
		on_watchdog(p);
}
