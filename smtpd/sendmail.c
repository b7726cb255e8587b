/*
 * sendmail(8): how the programs of this host send mail.  Reads a message and
 * hands it to the daemon by SMTP over the local socket, as whoever calls it:
 * the daemon sees that by itself, and completes the header.
 *
 * Exit status is that of sysexits(3).  0 means that the daemon said 250, so
 * that the message is on disk; 75 that nothing was kept and the caller may try
 * again.  If one recipient is refused, nothing is sent to the others: a caller
 * that hears of a failure has the message still, whole.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bounds.h"
#include "log.h"
#include "sendmail_args.h"
#include "sendmail_message.h"
#include "session_address.h"
#include "smtp_addr.h"
#include "smtp_line.h"

#define DEFAULT_DIR "/run/postern"
#define DIR_ENV     "POSTERN_DIR"
#define SOCKET_NAME "smtpd.sock"

/* RFC 5321 4.5.3.2.6: the longest that a server may take. */
#define WAIT_SECONDS 600

#define REPLY_MAX  4096        /* bytes of a reply's line */
#define LINES_MAX  100         /* of one reply */
#define MEMORY_MAX (64 << 20)  /* addresses on the command line and in -t */
#define PIECE      (32 * 1024) /* of the body */

struct rcpt {
	STAILQ_ENTRY(rcpt) entry;
	struct slice address;
};

struct sendmail {
	struct sendmail_args args;
	struct message message;
	struct arena arena;
	STAILQ_HEAD(, rcpt) rcpts;
	struct buf header;
	char sender[ADDR_MAX + 1]; /* of the envelope */
	char host[HOST_MAX + 1];   /* what the daemon calls itself */
	int sock;
	struct buf in;
	char reply[REPLY_MAX + 1]; /* the last line of the last reply */
};

static _Noreturn void die(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static _Noreturn void
die(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("sendmail: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

/* ---- the daemon ---- */

static void
connect_daemon(struct sendmail *sm)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_SECONDS };
	const char *dir = sm->args.dir;
	int n;

	if (dir == NULL)
		dir = getenv(DIR_ENV);
	if (dir == NULL || dir[0] == '\0')
		dir = DEFAULT_DIR;
	n = snprintf(sun.sun_path, sizeof sun.sun_path, "%s/" SOCKET_NAME, dir);
	if (n < 0 || (size_t)n >= sizeof sun.sun_path)
		die(EX_USAGE, "the path of the socket is too long: %s", dir);
	sm->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sm->sock == -1 ||
	    setsockopt(sm->sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) ==
		-1 ||
	    setsockopt(sm->sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) ==
		-1)
		die(EX_OSERR, "socket: %s", strerror(errno));
	if (connect(sm->sock, (struct sockaddr *)&sun, sizeof sun) == -1)
		die(EX_TEMPFAIL,
		    "smtpd cannot be reached, nothing was sent: %s: %s",
		    sun.sun_path, strerror(errno));
}

static void
write_all(struct sendmail *sm, const void *p, size_t len)
{
	const char *at = p;
	ssize_t n;

	while (len > 0) {
		n = send(sm->sock, at, len, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			die(EX_TEMPFAIL,
			    "smtpd went away, nothing was sent: %s",
			    n == 0 ? "closed" : strerror(errno));
		at += n;
		len -= (size_t)n;
	}
}

static void
read_more(struct sendmail *sm)
{
	uint8_t *room = buf_room(&sm->in, REPLY_MAX);
	ssize_t n;

	do
		n = recv(sm->sock, room, REPLY_MAX, 0);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		die(EX_TEMPFAIL,
		    "no answer from smtpd, it must be sent again: %s",
		    n == 0 ? "closed" : strerror(errno));
	buf_filled(&sm->in, (size_t)n);
}

/* One line into sm->reply. */
static void
read_line(struct sendmail *sm)
{
	struct slice line;
	enum smtp_line got;
	size_t used;

	while ((got = smtp_line_get(buf_data(&sm->in), sm->in.len, REPLY_MAX,
		    &line, &used)) == LINE_MORE)
		read_more(sm);
	if (got != LINE_CRLF || !slice_copy(line, sm->reply, sizeof sm->reply))
		die(EX_PROTOCOL, "smtpd answers what is no reply");
	buf_drain(&sm->in, used);
}

/* A whole reply: its first digit. */
static int
read_reply(struct sendmail *sm)
{
	const char *r = sm->reply;
	int n;

	for (n = 0; n < LINES_MAX; n++) {
		read_line(sm);
		if (strlen(r) < 3 || strspn(r, "0123456789") != 3)
			break;
		if (r[3] != '-')
			return r[0] - '0';
	}
	die(EX_PROTOCOL, "smtpd answers what is no reply");
}

/*
 * What a permanent refusal is as an exit status.  Columns: the beginning of
 * subject and detail (RFC 3463), status; the first that fits.
 */
static const struct {
	const char *begins;
	int status;
} refusals[] = {
	{ "1.1", EX_NOUSER },
	{ "1.2", EX_NOHOST },
	{ "1.", EX_DATAERR },
	{ "6.", EX_DATAERR },
	{ "7.", EX_NOPERM },
	{ "", EX_UNAVAILABLE },
};

static _Noreturn void
refused(struct sendmail *sm, const char *what)
{
	const char *code = sm->reply, *detail = "";
	size_t i = 0;

	if (code[0] != '5')
		die(EX_TEMPFAIL, "%s: put off, nothing was sent: %s", what,
		    code);
	if (strncmp(code + 3, " 5.", 3) == 0)
		detail = code + 6;
	while (strncmp(detail, refusals[i].begins,
		   strlen(refusals[i].begins)) != 0)
		i++;
	die(refusals[i].status, "%s: refused, nothing was sent: %s", what,
	    code);
}

static void command(struct sendmail *sm, int expect, const char *what,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Says a line and reads the reply; ends if its first digit is another one. */
static void
command(struct sendmail *sm, int expect, const char *what, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof line - 2)
		die(EX_DATAERR, "%s: too long", what);
	memcpy(line + n, "\r\n", 2);
	write_all(sm, line, (size_t)n + 2);
	if (read_reply(sm) != expect)
		refused(sm, what);
}

/* ---- who and whom ---- */

/* An address without a domain is one of this host, whose name is what the
 * daemon calls itself: one place decides. */
static void
qualify(const struct sendmail *sm, struct slice in, char *out)
{
	const char *why;
	int n;

	if (in.len >= 2 && in.p[0] == '<' && in.p[in.len - 1] == '>')
		in = (struct slice){ in.p + 1, in.len - 2 };
	if (in.len > ADDR_MAX)
		die(EX_DATAERR, "an address is too long");
	if (in.len > 0 && memchr(in.p, '@', in.len) != NULL)
		n = snprintf(out, ADDR_MAX + 1, "%.*s", (int)in.len, in.p);
	else
		n = snprintf(out, ADDR_MAX + 1, "%.*s@%s", (int)in.len, in.p,
		    sm->host);
	if (n < 0 || n > ADDR_MAX)
		die(EX_DATAERR, "an address is too long");
	if ((why = smtp_mailbox_check(slice_of(out))) != NULL)
		die(EX_DATAERR, "%s: %s", q(out), why);
}

static const char *
add_rcpt(void *arg, struct slice address)
{
	struct sendmail *sm = arg;
	struct rcpt *r = arena_alloc(&sm->arena, sizeof *r);
	char *copy = arena_copyn(&sm->arena, address.p, address.len);

	if (r == NULL || copy == NULL)
		return "too many recipients";
	r->address = (struct slice){ copy, address.len };
	STAILQ_INSERT_TAIL(&sm->rcpts, r, entry);
	return NULL;
}

/* As in a field: "a@x, b@x" in one argument is two. */
static void
collect_rcpts(struct sendmail *sm)
{
	const char *why = NULL;
	int i;

	for (i = 0; i < sm->args.n_rcpts; i++) {
		why = list_rcpts(slice_of(sm->args.rcpts[i]), add_rcpt, sm);
		if (why != NULL)
			die(EX_DATAERR, "%s: %s", q(sm->args.rcpts[i]), why);
	}
	if (sm->args.headers)
		why = message_rcpts(&sm->message, add_rcpt, sm);
	if (why != NULL)
		die(EX_DATAERR, "recipients of the header: %s", why);
	if (STAILQ_EMPTY(&sm->rcpts))
		die(sm->args.headers ? EX_DATAERR : EX_USAGE, "no recipients");
}

/* passwd(5): the full name is what stands before the first comma, and '&' in
 * it is the login name; that is left as it is. */
static void
full_name(const struct passwd *pw, char *out, size_t size)
{
	size_t len = pw == NULL ? 0 : strcspn(pw->pw_gecos, ",");

	if (len >= size)
		len = 0;
	if (len > 0)
		memcpy(out, pw->pw_gecos, len);
	out[len] = '\0';
}

/* Fills the envelope's sender, and From where the header lacks it: the daemon
 * completes the rest, but knows nobody's full name. */
static void
complete(struct sendmail *sm)
{
	const struct passwd *pw = getpwuid(getuid());
	char user[64], user_address[ADDR_MAX + 1], name[256];
	struct message_sender who = { .name = name };
	const char *sender = sm->args.sender;

	snprintf(user, sizeof user, "uid%lu", (unsigned long)getuid());
	if (pw != NULL && strlen(pw->pw_name) < sizeof user)
		memcpy(user, pw->pw_name, strlen(pw->pw_name) + 1);
	qualify(sm, slice_of(user), user_address);
	full_name(pw, name, sizeof name);
	if (sender == NULL)
		memcpy(sm->sender, user_address, sizeof sm->sender);
	else if (sender[0] != '\0')
		qualify(sm, slice_of(sender), sm->sender);
	if (sm->args.name != NULL)
		who.name = sm->args.name;
	else if (sender != NULL)
		who.name = ""; /* it is the user's, not the sender's */
	who.address = sm->sender[0] != '\0' ? sm->sender : user_address;
	buf_init(&sm->header, 0);
	if (!message_add_from(&sm->message, &who) ||
	    !message_header(&sm->message, &sm->header))
		die(EX_DATAERR, "the header is too large");
}

/* ---- the message ---- */

static void
send_content(struct sendmail *sm)
{
	static uint8_t raw[PIECE], stuffed[2 * PIECE];
	struct smtp_stuff stuff = { 0 };
	const uint8_t *p = buf_data(&sm->header);
	size_t left = sm->header.len, len;

	while (left > 0) {
		len = left < PIECE ? left : PIECE;
		write_all(sm, stuffed, smtp_stuff_out(&stuff, p, len, stuffed));
		p += len;
		left -= len;
	}
	while ((len = fread(raw, 1, sizeof raw, sm->message.body)) > 0)
		write_all(sm, stuffed,
		    smtp_stuff_out(&stuff, raw, len, stuffed));
	/* Not a dot: what the daemon has is not the message. */
	if (ferror(sm->message.body))
		die(EX_IOERR, "the temporary file cannot be read");
	write_all(sm, stuffed, smtp_stuff_end(&stuff, stuffed));
}

/* "220 NAME ESMTP ..." */
static void
read_greeting(struct sendmail *sm)
{
	const char *name;
	size_t len;

	if (read_reply(sm) != 2)
		refused(sm, "smtpd");
	name = sm->reply + (sm->reply[3] == '\0' ? 3 : 4);
	len = strcspn(name, " ");
	if (smtp_domain_check((struct slice){ name, len }) != NULL ||
	    !slice_copy((struct slice){ name, len }, sm->host, sizeof sm->host))
		die(EX_PROTOCOL, "smtpd does not say what its name is");
}

static void
transaction(struct sendmail *sm)
{
	uint64_t size = sm->message.size + sm->header.len;
	char address[ADDR_MAX + 1];
	const struct rcpt *r;

	command(sm, 2, "EHLO", "EHLO localhost");
	command(sm, 2, "sender", "MAIL FROM:<%s> SIZE=%" PRIu64 "%s",
	    sm->sender, size,
	    sm->message.eight || sm->args.eight ? " BODY=8BITMIME" : "");
	STAILQ_FOREACH(r, &sm->rcpts, entry) {
		qualify(sm, r->address, address);
		command(sm, 2, address, "RCPT TO:<%s>", address);
	}
	command(sm, 3, "DATA", "DATA");
	send_content(sm);
	if (read_reply(sm) != 2)
		refused(sm, "message");
	/* It is kept; a failure from here on is none of the caller's. */
	(void)send(sm->sock, "QUIT\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int
main(int argc, char **argv)
{
	static struct sendmail sm;
	const char *why;
	int status;

	signal(SIGPIPE, SIG_IGN);
	log_to_stderr("sendmail", false);
	why = sendmail_args_parse(argc, argv, &sm.args);
	if (why != NULL)
		die(EX_USAGE, "%s%s%s", sm.args.at,
		    sm.args.at[0] == '\0' ? "" : ": ", why);
	if (sm.args.nothing)
		return EX_OK;
	STAILQ_INIT(&sm.rcpts);
	arena_init(&sm.arena, MEMORY_MAX);
	buf_init(&sm.in, 2 * REPLY_MAX);
	/* All of it before the daemon hears of it: who writes to us may take
	 * hours, as a cron job does. */
	why = message_read(&sm.message, stdin, sm.args.dots, &status);
	if (why != NULL)
		die(status, "%s", why);
	collect_rcpts(&sm);
	connect_daemon(&sm);
	read_greeting(&sm);
	complete(&sm);
	transaction(&sm);
	return EX_OK;
}
