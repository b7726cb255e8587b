/*
 * smtpctl(8) and the daemon: everything that changes something is asked of
 * the control process over its socket, one question and one answer.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <assert.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <bsd/string.h>

#include "ipc_wire.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

#define ANSWER_SECONDS 310 /* longer than control waits for the queue */
#define STOP_SECONDS   15  /* smtpd promises 10 */

int
smtpctl_connect(struct smtpctl *c)
{
	struct timeval tv = { .tv_sec = ANSWER_SECONDS };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s, error;

	if (c->daemon != -1)
		return 0;
	if (strlcpy(sun.sun_path, c->sock, sizeof sun.sun_path) >=
	    sizeof sun.sun_path)
		return EX_TEMPFAIL;
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s == -1)
		err(EX_OSERR, "socket");
	if (connect(s, (struct sockaddr *)&sun, sizeof sun) == -1 ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == -1 ||
	    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) == -1) {
		error = errno;
		close(s);
		return error == EACCES || error == EPERM ? EX_NOPERM :
							   EX_TEMPFAIL;
	}
	c->daemon = s;
	return 0;
}

static int
no_daemon(const struct smtpctl *c, int status)
{
	if (status == EX_NOPERM)
		warnx("only root and who started smtpd may do that");
	else
		warnx("smtpd is not running: nobody answers at %s", c->sock);
	return status;
}

int
smtpctl_reach(struct smtpctl *c)
{
	int status = smtpctl_connect(c);

	return status == 0 ? 0 : no_daemon(c, status);
}

int
smtpctl_call(struct smtpctl *c, enum ipc_type question, const void *ask,
    void *is, size_t size)
{
	enum ipc_type type = IPC_NONE;
	struct outcome *outcome = is;
	int status, fd = -1;
	long n;

	assert(size == ipc_rows[ipc_rows[question].answer].size);
	if ((status = smtpctl_reach(c)) != 0)
		return status;
	/* Also when saying it fails: why may already be there to read. */
	if (!ipc_send_block(c->daemon, question, ask, -1) && errno != EPIPE)
		warn("%s", c->sock);
	n = ipc_recv_block(c->daemon, &type, is, size, &fd);
	if (fd != -1)
		close(fd);
	if (n != (long)size || type != ipc_rows[question].answer) {
		warnx("smtpd gave no answer");
		return EX_TEMPFAIL;
	}
	outcome->text[sizeof outcome->text - 1] = '\0';
	return 0;
}

int
smtpctl_ask(struct smtpctl *c, const struct ctl_ask *ask, struct ctl_is *is)
{
	return smtpctl_call(c, IPC_CTL_ASK, ask, is, sizeof *is);
}

int
smtpctl_outcome(const struct outcome *o)
{
	if (o->verdict == DONE)
		return EX_OK;
	if (o->verdict != NEVER)
		return EX_TEMPFAIL;
	/* RFC 3463 X.7.X: security or policy. */
	return o->ecode[1] == 7 ? EX_NOPERM : EX_UNAVAILABLE;
}

static void
answer_json(struct smtpctl *c, const struct ctl_is *is)
{
	struct buf *b = &c->out;

	json_member(b, "{", "verdict", verdict_name(is->outcome.verdict));
	json_number(b, ",", "matched", is->matched);
	json_number(b, ",", "changed", is->changed);
	json_number(b, ",", "in_flight", is->in_flight);
	json_member(b, ",", "text", is->outcome.text);
	buf_puts(b, "}\n");
}

/* Columns, by enum ctl_verb: what was done, and what it means for recipients
 * that are being tried at this moment. */
static const struct {
	const char *done, *in_flight;
} words[] = {
	[CTL_FLUSH] = { "due now", "already being tried" },
	[CTL_REQUEUE] = { "requeued", "already being tried" },
	[CTL_HOLD] = { "held", "will be held if this attempt fails" },
	[CTL_RELEASE] = { "released", "already being tried" },
	[CTL_REMOVE] = { "removed", "will not be tried again" },
	[CTL_PAUSE] = { "deliveries are paused", "these go on" },
	[CTL_RESUME] = { "deliveries go on", "these never stopped" },
	[CTL_REBUILD] = { "the index is made again; mail comes in and goes out meanwhile",
	    "" },
	[CTL_STOP] = { "stopping", "" },
};

static bool
holds_route(const struct ctl_ask *ask)
{
	return ask->by == CTL_BY_ROUTE &&
	    (ask->verb == CTL_HOLD || ask->verb == CTL_RELEASE);
}

static void
answer_text(struct smtpctl *c, const struct ctl_ask *ask,
    const struct ctl_is *is)
{
	struct buf *b = &c->out;

	/* A route is held as such, with what comes later. */
	if (holds_route(ask)) {
		buf_puts(b, "route ");
		print_text(b, ask->text);
		buf_printf(b, " %s, ", words[ask->verb].done);
	}
	if (ask->by != CTL_BY_NONE)
		buf_printf(b, "%llu recipient%s ",
		    (unsigned long long)is->changed,
		    is->changed == 1 ? "" : "s");
	buf_puts(b, words[ask->verb].done);
	if (is->in_flight != 0)
		buf_printf(b, ", %llu in flight: %s",
		    (unsigned long long)is->in_flight,
		    words[ask->verb].in_flight);
	buf_puts(b, "\n");
}

/* Prints an answer.  Returns the exit status. */
static int
smtpctl_answer(struct smtpctl *c, const struct ctl_ask *ask,
    const struct ctl_is *is)
{
	int status = smtpctl_outcome(&is->outcome);

	if (c->json)
		answer_json(c, is);
	else if (status == EX_OK)
		answer_text(c, ask, is);
	/* What it could not do, or has done in part: its words. */
	if (status != EX_OK ||
	    (ask->by != CTL_BY_NONE && strcmp(is->outcome.text, "done") != 0))
		warnx("%s", is->outcome.text);
	return smtpctl_flush(c) ? status : EX_IOERR;
}

int
ask_selected(struct smtpctl *c, int argc, char **argv)
{
	struct ctl_ask ask;
	struct selector sel;
	struct ctl_is is;
	const char *why;
	int status;

	memset(&ask, 0, sizeof ask);
	ask.verb = c->verb->ctl;
	if ((why = selector_parse(argc, argv, &sel)) != NULL ||
	    (!selector_has(&sel) && (why = selector_ask(&sel, &ask)) != NULL))
		return smtpctl_usage(c, why);
	status = selector_has(&sel) ? smtpctl_ask_each(c, &sel, &ask, &is) :
				      smtpctl_ask(c, &ask, &is);
	if (status != 0)
		return status;
	status = smtpctl_answer(c, &ask, &is);
	if (status == EX_OK && is.matched == 0 && selector_names(&sel) &&
	    !holds_route(&ask)) {
		warnx("nothing matches");
		status = EXIT_NO_MATCH;
	}
	return status;
}

int
smtpctl_ask_verb(struct smtpctl *c)
{
	struct ctl_ask ask;
	struct ctl_is is;
	int status;

	memset(&ask, 0, sizeof ask);
	ask.verb = c->verb->ctl;
	ask.n = CONF_NONE;
	if ((status = smtpctl_ask(c, &ask, &is)) != 0)
		return status;
	return smtpctl_answer(c, &ask, &is);
}

int
ask_plain(struct smtpctl *c, int argc, char **argv)
{
	if (argc > 1 || (argc == 1 && strcmp(argv[0], "deliveries") != 0))
		return smtpctl_usage(c, NULL);
	return smtpctl_ask_verb(c);
}

/* ---- stop ---- */

/* True when the lock that smtpd holds while it lives is free. */
static bool
ended(int pid_file)
{
	return flock(pid_file, LOCK_SH | LOCK_NB) == 0;
}

int
do_stop(struct smtpctl *c, int argc, char **argv)
{
	int status, i, pid_file;

	(void)argv;
	if (argc > 0)
		return smtpctl_usage(c, NULL);
	pid_file = open(c->pid, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if ((status = smtpctl_ask_verb(c)) != EX_OK || pid_file == -1)
		return status;
	/* Whoever stops it wants to start the next one, or to copy the spool:
	 * come back when it is gone. */
	for (i = 0; i < STOP_SECONDS * 10; i++) {
		if (ended(pid_file))
			return EX_OK;
		poll(NULL, 0, 100);
	}
	warnx("it is still stopping");
	return EX_TEMPFAIL;
}
