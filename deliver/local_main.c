/*
 * local: delivers one message to one recipient, or reads one file, says what
 * became of it; stays some seconds for the next message of the same user; ends.
 * Started by spawn.
 *
 *   runs as  the recipient, or the user that the action names, in /; for an
 *            mbox in the group mail, which may make files in /var/mail
 *   holds    one message, while it is delivered
 *   asks     nobody; queue, or lookup, reads what it says
 *   never    does more than that user could; lives longer than it was given;
 *            lets a byte of a message become text that a shell reads
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "local.h"
#include "local_format.h"
#include "write_all.h"

/* ---- what is done ---- */

static bool
refuse(struct local *l, const char *why)
{
	return local_later(l, WIDTH_SITE, CAUSE_CONFIG, "4.3.5", "%s", why);
}

static bool
by_mbox(struct local *l)
{
	return local_by(l, "mbox", l->start.take.to.user);
}

static bool
by_maildir(struct local *l)
{
	const char *arg = l->start.arg[0] == '\0' ? "~/Maildir" : l->start.arg;
	char path[FORMAT_PATH_MAX];
	const char *why = format_path(l, arg, path);

	return why == NULL ? local_by(l, "maildir", path) : refuse(l, why);
}

static bool
by_program(struct local *l)
{
	return local_program(l, l->start.arg);
}

static bool
to_mailbox(struct local *l)
{
	/* Columns: enum conf_method, what does it. */
	static const struct {
		uint32_t method;
		bool (*does)(struct local *l);
	} rows[] = {
		{ METHOD_MBOX, by_mbox },
		{ METHOD_MAILDIR, by_maildir },
		{ METHOD_MDA, by_program },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].method == l->start.method)
			return rows[i].does(l);
	return refuse(l, "the action has no mailbox here");
}

static bool
to_pipe(struct local *l)
{
	return local_program(l, l->start.take.to.text);
}

static bool
discard(void *arg, const void *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
	return true;
}

static bool
to_file(struct local *l)
{
	const char *path = l->start.take.to.text;
	struct content c;

	if (path[0] != '/')
		return refuse(l, "the file has no absolute path");
	if (strcmp(path, "/dev/null") == 0) {
		content_start(&c, 0, l->start.take.rcpt, discard, NULL);
		return local_copy(l, &c);
	}
	return local_by(l, path[strlen(path) - 1] == '/' ? "maildir" : "file",
	    path);
}

static bool
deliver(struct local *l)
{
	/* Columns: enum local_what: what does it, what is said then. */
	static const struct {
		bool (*does)(struct local *l);
		const char *words;
	} rows[] = {
		[LOCAL_MAILBOX] = { to_mailbox, "delivered to the mailbox" },
		[LOCAL_PIPE] = { to_pipe, "delivered to the program" },
		[LOCAL_FILE] = { to_file, "delivered to the file" },
	};
	uint32_t what = l->start.take.to.what;

	if (what >= sizeof rows / sizeof rows[0] || rows[what].does == NULL)
		return refuse(l, "it is not for this host");
	if (!rows[what].does(l))
		return false;
	/* What a program does with it is not known. */
	if (what == LOCAL_MAILBOX && l->start.method == METHOD_MDA)
		what = LOCAL_PIPE;
	outcome_set(&l->outcome, DONE, WIDTH_RCPT, 0, "2.0.0", "%s",
	    rows[what].words);
	return true;
}

/* ---- what we are told, what we say ---- */

static bool
read_start(struct local *l)
{
	char *at = (char *)&l->start;
	size_t len = 0;
	ssize_t n;

	while (len < sizeof l->start) {
		n = read(LOCAL_FD_START, at + len, sizeof l->start - len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	if (l->start.stays == 0)
		close(LOCAL_FD_START);
	return l->start.magic == LOCAL_START_MAGIC;
}

/* The start, with descriptors that take the place of the last delivery's.
 * False: none, or not one. */
static bool
receive_start(struct local *l)
{
	static const int place[] = { LOCAL_FD_CONTENT, LOCAL_FD_ANSWER };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof place)];
	} control = { 0 };
	struct iovec iov = { .iov_base = &l->start,
		.iov_len = sizeof l->start };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room };
	const struct cmsghdr *c = &control.head;
	int fd[sizeof place / sizeof place[0]];
	size_t i;

	if (recvmsg(LOCAL_FD_START, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) !=
		(ssize_t)sizeof l->start ||
	    (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    m.msg_controllen < CMSG_LEN(sizeof fd) ||
	    c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof fd))
		return false;
	memcpy(fd, CMSG_DATA(c), sizeof fd);
	for (i = 0; i < sizeof fd / sizeof fd[0]; i++) {
		if (dup2(fd[i], place[i]) == -1)
			return false;
		close(fd[i]);
	}
	return l->start.magic == LOCAL_START_MAGIC &&
	    l->start.doing == LOCAL_DO_DELIVER;
}

/* Waits for the next message of this user.  False: there is none. */
static bool
next_start(struct local *l)
{
	if (l->start.stays == 0 || local_ended())
		return false;
	/* Nobody writes any more what we would not read. */
	dup2(LOCAL_FD_NULL, LOCAL_FD_CONTENT);
	dup2(LOCAL_FD_NULL, LOCAL_FD_ANSWER);
	alarm(LOCAL_STAY_MAX + 5);
	l->end = local_now() + LOCAL_STAY_MAX * 1000;
	return local_wait(l, LOCAL_FD_START, POLLIN, l->end) &&
	    receive_start(l);
}

static void
answer(const struct local *l, const char *text, size_t len)
{
	struct local_says says;

	memset(&says, 0, sizeof says);
	says.magic = LOCAL_SAYS_MAGIC;
	says.bytes = (uint32_t)len;
	says.outcome = l->outcome;
	/* Who reads it may be gone. */
	if (write_all(LOCAL_FD_ANSWER, &says, sizeof says))
		(void)write_all(LOCAL_FD_ANSWER, text, len);
}

/* ---- ourselves ---- */

static void
limit(int what, rlim_t n)
{
	struct rlimit r = { n, n };

	setrlimit(what, &r);
}

static void
confine(const struct local *l)
{
	bool runs = l->start.doing == LOCAL_DO_DELIVER &&
	    (l->start.take.to.what == LOCAL_PIPE ||
		l->start.wrapper[0] != '\0' || l->start.method == METHOD_MDA);

	limit(RLIMIT_CORE, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(077);
	if (chdir("/") == -1)
		return;
	/* A user's program may need rights that its file gives it. */
	if (runs)
		return;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_NPROC, 0);
}

/* What we were told, and its answer. */
static void
act(struct local *l)
{
	char *text = NULL;
	size_t len = 0;

	memset(&l->outcome, 0, sizeof l->outcome);
	l->end = local_now() + (msec)l->start.life * 1000;
	/* What no wait of ours sees ends us some seconds later. */
	alarm(l->start.life + 5);
	if (l->start.doing == LOCAL_DO_DELIVER)
		deliver(l);
	else if (local_read(l, &text, &len))
		outcome_set(&l->outcome, DONE, WIDTH_RCPT, 0, NULL, "read");
	/* Who hears the answer may send the next at once. */
	if (l->start.stays != 0 && write(LOCAL_FD_START, "", 1) != 1)
		l->start.stays = 0;
	answer(l, text, l->outcome.verdict == DONE ? len : 0);
	free(text);
}

int
main(int argc, char *argv[])
{
	struct local l = { 0 };

	local_signals(&l);
	if (argc == 3 && strcmp(argv[1], "deliver") == 0)
		return local_again(&l, argv[2]);
	if (!read_start(&l))
		return EXIT_FAILURE;
	confine(&l);
	do
		act(&l);
	while (next_start(&l));
	return EXIT_SUCCESS;
}
