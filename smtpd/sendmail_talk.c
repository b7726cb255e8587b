/*
 * The conversation of sendmail(8) with the daemon.  Runs in sendmail, as
 * whoever calls it.  Every wait has its end, and none is for anything but the
 * daemon.
 *
 * A daemon that restarts is away for a moment: its socket is gone, or nobody
 * listens, or it says 421.  That is waited for with growing pauses, for a
 * bounded time in all.  Where systemd holds the socket a connection is taken
 * at once, and the greeting is what comes late.
 *
 * SPDX-License-Identifier: ISC
 */
#include "sendmail_talk.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "places.h"
#include "slice.h"
#include "smtp_line.h"

#define DIR_ENV     "POSTERN_DIR"
#define WAIT_ENV    "POSTERN_WAIT"
#define WAIT_MAX    3600
#define SOCKET_NAME "smtpd.sock"

/* RFC 5321 4.5.3.2.6: the longest that a server may take. */
#define REPLY_SECONDS 600

#define LINES_MAX  100 /* of one reply */
#define STEP_FIRST 100 /* milliseconds */
#define STEP_MAX   3200

static msec
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const char *
talk_init(struct talk *t, const char *dir)
{
	const char *text = getenv(WAIT_ENV);
	uint64_t wait = TALK_WAIT;
	int n;

	*t = (struct talk){ .sock = -1,
		.step = STEP_FIRST,
		.status = EX_TEMPFAIL };
	if (text != NULL && num_parse(text, 0, WAIT_MAX, &wait) != NULL)
		wait = TALK_WAIT;
	t->patience = (msec)wait * 1000;
	buf_init(&t->in, 2 * TALK_REPLY_MAX);
	if (dir == NULL)
		dir = getenv(DIR_ENV);
	if (dir == NULL || dir[0] == '\0')
		dir = places_run;
	n = snprintf(t->path, sizeof t->path, "%s/" SOCKET_NAME, dir);
	if (n < 0 || (size_t)n >= sizeof t->path)
		return "the path of the socket is too long";
	return NULL;
}

/* ---- the connection ---- */

static void lost(struct talk *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
lost(struct talk *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->why, sizeof t->why, fmt, ap);
	va_end(ap);
	if (t->sock != -1)
		close(t->sock);
	t->sock = -1;
	buf_drain(&t->in, t->in.len);
}

static bool
set_wait(struct talk *t, msec wait)
{
	struct timeval tv = { .tv_sec = (time_t)(wait / 1000),
		.tv_usec = (suseconds_t)(wait % 1000 * 1000) };

	return setsockopt(t->sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) ==
	    0 &&
	    setsockopt(t->sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) == 0;
}

/* What may pass by itself: no socket yet, nobody listens yet, or so many that
 * there is no place in the line. */
static bool
passes(int error)
{
	return error == ENOENT || error == ECONNREFUSED ||
	    error == ECONNRESET || error == EAGAIN || error == EINTR;
}

static bool
try_connect(struct talk *t, bool *again)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int error;

	memcpy(sun.sun_path, t->path, sizeof sun.sun_path);
	*again = false;
	t->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Nothing but what is left of our patience: who is in line waits for
	 * the greeting too. */
	if (t->sock == -1 ||
	    !set_wait(t, t->patience > 1000 ? t->patience : 1000)) {
		lost(t, "socket: %s", strerror(errno));
		return false;
	}
	if (connect(t->sock, (struct sockaddr *)&sun, sizeof sun) == 0)
		return true;
	error = errno;
	*again = passes(error);
	lost(t, "smtpd cannot be reached: %s: %s", t->path, strerror(error));
	return false;
}

bool
talk_pause(struct talk *t)
{
	struct timespec ts;

	if (t->patience <= 0)
		return false;
	if (t->step > t->patience)
		t->step = t->patience;
	ts.tv_sec = (time_t)(t->step / 1000);
	ts.tv_nsec = (long)(t->step % 1000) * 1000000;
	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		continue;
	t->patience -= t->step;
	t->step = t->step < STEP_MAX ? 2 * t->step : STEP_MAX;
	return true;
}

static bool
connect_daemon(struct talk *t)
{
	bool again;

	for (;;) {
		if (try_connect(t, &again))
			return true;
		if (!again || !talk_pause(t))
			return false;
	}
}

/* ---- what is said ---- */

bool
talk_write(struct talk *t, const void *p, size_t len)
{
	const char *at = p;
	ssize_t n;

	while (len > 0) {
		n = send(t->sock, at, len, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			lost(t, "smtpd went away: %s",
			    n == 0 ? "closed" : strerror(errno));
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
read_more(struct talk *t)
{
	uint8_t *room = buf_room(&t->in, TALK_REPLY_MAX);
	ssize_t n;

	if (room == NULL) {
		lost(t, "smtpd answers what is no reply");
		return false;
	}
	do
		n = recv(t->sock, room, TALK_REPLY_MAX, 0);
	while (n == -1 && errno == EINTR);
	if (n <= 0) {
		lost(t, "no answer from smtpd: %s",
		    n == 0              ? "closed" :
			errno == EAGAIN ? "time is over" :
					  strerror(errno));
		return false;
	}
	buf_filled(&t->in, (size_t)n);
	return true;
}

/* One line into t->reply. */
static bool
read_line(struct talk *t)
{
	struct slice line;
	enum smtp_line got;
	size_t used;

	while ((got = smtp_line_get(buf_data(&t->in), t->in.len, TALK_REPLY_MAX,
		    &line, &used)) == LINE_MORE) {
		if (!read_more(t))
			return false;
	}
	if (got != LINE_CRLF || !slice_copy(line, t->reply, sizeof t->reply)) {
		lost(t, "smtpd answers what is no reply");
		return false;
	}
	buf_drain(&t->in, used);
	if (t->verbose)
		printf("%s\n", t->reply);
	return true;
}

/* The number behind key in a line of the reply to EHLO; 0: there is none. */
static uint64_t
number_behind(const char *line, const char *key)
{
	const char *at = strcasestr(line, key);
	char text[24];
	uint64_t n;

	if (at == NULL)
		return 0;
	at += strlen(key);
	if (!slice_copy((struct slice){ at, strspn(at, "0123456789") }, text,
		sizeof text) ||
	    num_parse(text, 0, UINT64_MAX, &n) != NULL)
		return 0;
	return n;
}

/* "8BITMIME", "SIZE 36700160", "LIMITS MAILMAX=100 RCPTMAX=1000" */
static void
read_offer(struct talk *t, const char *line)
{
	const struct {
		const char *word;
		bool *offered;
	} words[] = {
		{ "SIZE", &t->sized },
		{ "8BITMIME", &t->eight },
		{ "SMTPUTF8", &t->utf8 },
		{ "DSN", &t->dsn },
		{ "REQUIRETLS", &t->require_tls },
	};
	struct slice word = { line, strcspn(line, " ") };
	size_t i;

	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (slice_eqcase(word, slice_of(words[i].word)))
			*words[i].offered = true;
	}
	if (slice_eqcase(word, SLICE("SIZE")))
		t->size = number_behind(line, "SIZE ");
	if (slice_eqcase(word, SLICE("LIMITS"))) {
		t->rcpt_max = (uint32_t)number_behind(line, "RCPTMAX=");
		t->mail_max = (uint32_t)number_behind(line, "MAILMAX=");
	}
}

/* RFC 5321 3.8: after 421 the server closes. */
int
talk_reply(struct talk *t)
{
	const char *r = t->reply;
	int n;

	for (n = 0; n < LINES_MAX; n++) {
		if (!read_line(t))
			return 0;
		if (strlen(r) < 3 || strspn(r, "0123456789") != 3 ||
		    r[0] < '2' || r[0] > '5')
			break;
		if (strncmp(r, "421", 3) == 0) {
			lost(t, "smtpd says: %.400s", r);
			return 0;
		}
		if (n > 0)
			read_offer(t, r + (r[3] == '\0' ? 3 : 4));
		if (r[3] != '-')
			return r[0] - '0';
	}
	lost(t, "smtpd answers what is no reply");
	return 0;
}

static bool say(struct talk *t, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static bool
say(struct talk *t, const char *fmt, va_list ap)
{
	char line[2048];
	int n = vsnprintf(line, sizeof line - 2, fmt, ap);

	/* Who calls has looked at what is in it. */
	if (n < 0 || (size_t)n >= sizeof line - 2) {
		lost(t, "a command is too long");
		return false;
	}
	if (t->verbose)
		printf(">>> %s\n", line);
	memcpy(line + n, "\r\n", 2);
	return talk_write(t, line, (size_t)n + 2);
}

int
talk_say(struct talk *t, const char *fmt, ...)
{
	va_list ap;
	bool said;

	va_start(ap, fmt);
	said = say(t, fmt, ap);
	va_end(ap);
	return said ? talk_reply(t) : 0;
}

/* ---- a session ---- */

/* The greeting waits in line as long as we wait for anybody. */
static int
greet(struct talk *t)
{
	msec before = now();
	int reply = talk_reply(t);

	t->patience -= now() - before;
	if (reply == 0 || set_wait(t, REPLY_SECONDS * 1000))
		return reply;
	lost(t, "socket: %s", strerror(errno));
	return 0;
}

bool
talk_greet(struct talk *t)
{
	int reply;

	while (connect_daemon(t)) {
		if ((reply = greet(t)) == 2)
			return true;
		if (reply != 0) {
			lost(t, "smtpd says: %.400s", t->reply);
			t->status = talk_status(t);
		}
		if (reply == 5 || !talk_pause(t))
			return false;
	}
	return false;
}

bool
talk_open(struct talk *t)
{
	int reply;

	while (talk_greet(t)) {
		t->sized = t->eight = t->utf8 = t->dsn = t->require_tls = false;
		t->size = t->rcpt_max = t->mail_max = 0;
		if ((reply = talk_say(t, "EHLO localhost")) == 2)
			return true;
		if (reply != 0) {
			lost(t, "smtpd says: %.400s", t->reply);
			t->status = talk_status(t);
		}
		if (reply == 5 || !talk_pause(t))
			return false;
	}
	return false;
}

void
talk_close(struct talk *t)
{
	if (t->sock == -1)
		return;
	if (t->verbose)
		printf(">>> QUIT\n");
	(void)send(t->sock, "QUIT\r\n", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(t->sock);
	t->sock = -1;
	buf_drain(&t->in, t->in.len);
}

/* ---- what a reply means ---- */

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

int
talk_status(const struct talk *t)
{
	const char *detail = "";
	size_t i = 0;

	if (t->reply[0] != '5')
		return EX_TEMPFAIL;
	if (strncmp(t->reply + 3, " 5.", 3) == 0)
		detail = t->reply + 6;
	while (strncmp(detail, refusals[i].begins,
		   strlen(refusals[i].begins)) != 0)
		i++;
	return refusals[i].status;
}
