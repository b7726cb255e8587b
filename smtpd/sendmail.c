/*
 * sendmail(8): how the programs of this host send mail.  Reads a message and
 * hands it to the daemon by SMTP over the local socket, as whoever calls it:
 * the daemon sees that by itself, and completes the header.  Has no rights of
 * its own, and needs none.
 *
 * Exit status is that of sysexits(3).  0 means that the daemon said 250, so
 * that the message is on disk; 75 that nothing was kept and the caller may try
 * again.  If one recipient is refused, nothing is sent to the others: a caller
 * that hears of a failure has the message still, whole.
 *
 * SPDX-License-Identifier: ISC
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"
#include "sendmail.h"

#define MEMORY_MAX (64 << 20) /* addresses on the command line and in -t */

/* ---- what is said ---- */

static void say(const struct sendmail *sm, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* On standard error, and in the log: not everybody looks at the former. */
static void
say(const struct sendmail *sm, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t i;

	vsnprintf(line, sizeof line, fmt, ap);
	for (i = 0; line[i] != '\0'; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	}
	if (sm->args.errors != ERRORS_QUIET)
		fprintf(stderr, "sendmail: %s\n", line);
	openlog(sm->args.tag != NULL ? sm->args.tag : "sendmail", LOG_PID,
	    LOG_MAIL);
	syslog(LOG_ERR, "uid=%lu %s", (unsigned long)getuid(), line);
}

void
sendmail_say(const struct sendmail *sm, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(sm, fmt, ap);
	va_end(ap);
}

void
sendmail_end(const struct sendmail *sm, int status)
{
	if (sm->reported && sm->args.errors == ERRORS_MAIL_QUIET)
		status = EX_OK;
	exit(status);
}

void
sendmail_die(const struct sendmail *sm, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(sm, fmt, ap);
	va_end(ap);
	sendmail_end(sm, status);
}

/* ---- signals ---- */

/* Nothing is kept: the temporary file has no name, and the daemon forgets what
 * has no end. */
static void
on_signal(int number)
{
	static const char text[] = "sendmail: interrupted, nothing was sent\n";

	(void)number;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(EX_TEMPFAIL);
}

static void
catch_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction sa = { .sa_handler = on_signal }, old;
	size_t i;

	sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		/* nohup(1), and a shell's background */
		if (sigaction(numbers[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &sa, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	/* ulimit -f: the temporary file is what has no room then */
	signal(SIGXFSZ, SIG_IGN);
}

/* A caller that closed one of these would have the socket in its place. */
static void
open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_WRONLY);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

/* ---- messages ---- */

/* A session of its own, so that who writes for hours holds none meanwhile. */
static bool
ask_limit(void *arg, uint64_t *max)
{
	struct talk *t = &((struct sendmail *)arg)->talk;

	if (!talk_open(t))
		return false;
	*max = t->size;
	talk_close(t);
	return true;
}

static void
read_message(struct sendmail *sm)
{
	const struct message_how how = { .dots = sm->args.dots,
		.limit = ask_limit,
		.arg = sm };
	const char *why;
	int status;

	why = message_read(&sm->message, stdin, &how, &status);
	if (why == NULL)
		return;
	if (status == EX_TEMPFAIL && sm->talk.why[0] != '\0')
		sendmail_die(sm, status, "%s, nothing was sent", sm->talk.why);
	sendmail_die(sm, status, "%s, nothing was sent", why);
}

/* All of it before the daemon hears of it: who writes to us may take hours, as
 * a cron job does. */
static int
deliver(struct sendmail *sm)
{
	envelope_sender(sm);
	read_message(sm);
	envelope_rcpts(sm);
	envelope_from(sm);
	return sendmail_submit(sm);
}

static int
verify(struct sendmail *sm)
{
	envelope_sender(sm);
	if (sm->args.headers)
		read_message(sm);
	envelope_rcpts(sm);
	return sendmail_verify(sm);
}

static int
nothing(struct sendmail *sm)
{
	(void)sm;
	return EX_OK;
}

static int (*const modes[])(struct sendmail *sm) = {
	[MODE_DELIVER] = deliver,
	[MODE_SERVE] = sendmail_serve,
	[MODE_VERIFY] = verify,
	[MODE_TEST] = sendmail_test,
	[MODE_LIST] = sendmail_list,
	[MODE_ALIASES] = sendmail_aliases,
	[MODE_DAEMON] = sendmail_daemon,
	[MODE_HOSTS] = sendmail_hosts,
	[MODE_FLUSH] = sendmail_flush,
	[MODE_NOTHING] = nothing,
};

int
main(int argc, char **argv)
{
	static struct sendmail sm;
	const char *why;
	int status;

	open_standard();
	log_to_stderr("sendmail", false);
	STAILQ_INIT(&sm.rcpts);
	arena_init(&sm.arena, MEMORY_MAX);
	buf_init(&sm.header, 0);
	why = sendmail_args_parse(argc, argv, &sm.args);
	if (why != NULL)
		sendmail_die(&sm, EX_USAGE, "%s%s%s", sm.args.at,
		    sm.args.at[0] == '\0' ? "" : ": ", why);
	if ((why = talk_init(&sm.talk, sm.args.dir)) != NULL)
		sendmail_die(&sm, EX_USAGE, "%s", why);
	sm.talk.verbose = sm.args.verbose;
	if (sm.args.mode == MODE_DELIVER || sm.args.mode == MODE_VERIFY ||
	    sm.args.mode == MODE_SERVE)
		catch_signals();
	status = modes[sm.args.mode](&sm);
	if (fflush(stdout) == EOF) {
		sendmail_say(&sm, "standard output cannot be written to");
		/* Of a message the status says what became of it. */
		if (sm.args.mode == MODE_VERIFY)
			return EX_IOERR;
	}
	return status;
}
