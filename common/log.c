/*
 * Log lines: one per event.  A child sends them to the parent and never waits
 * for it; the parent prints.  The only state that is not a parameter: a
 * process has one log.
 *
 * SPDX-License-Identifier: ISC
 */
#include "log.h"

#include <sys/socket.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "id.h"

enum sink { TO_STDERR, TO_SYSLOG, TO_SOCKET };

static struct {
	enum sink sink;
	int fd;
	bool verbose;
	char name[32];
	unsigned long dropped;
} the_log;

static void
log_open(enum sink sink, int fd, const char *name, bool verbose)
{
	the_log.sink = sink;
	the_log.fd = fd;
	the_log.verbose = verbose;
	snprintf(the_log.name, sizeof the_log.name, "%s", name);
}

void
log_to_socket(int fd, bool verbose)
{
	log_open(TO_SOCKET, fd, "", verbose);
}

void
log_to_stderr(const char *name, bool verbose)
{
	log_open(TO_STDERR, STDERR_FILENO, name, verbose);
}

void
log_to_syslog(const char *name, int facility, bool verbose)
{
	log_open(TO_SYSLOG, -1, name, verbose);
	openlog("postern", LOG_PID | LOG_NDELAY, facility);
}

/* One line with the time in front, in one write. */
static void
print_stderr(const char *name, const char *line)
{
	char out[LOG_LINE_MAX + 64];
	struct timespec ts;
	struct tm tm;
	ssize_t done;
	int n;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	n = snprintf(out, sizeof out, "%02d:%02d:%02d.%03ld %s: %s\n",
	    tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000, name, line);
	if (n >= (int)sizeof out)
		n = (int)sizeof out - 1;
	/* Nobody can be told when standard error is gone. */
	done = write(STDERR_FILENO, out, (size_t)n);
	(void)done;
}

void
log_forward(const char *name, const char *line)
{
	if (the_log.sink == TO_SYSLOG)
		syslog(LOG_INFO, "%s: %s", name, line);
	else
		print_stderr(name, line);
}

static void
send_line(const char *line)
{
	char note[96];
	int n;

	if (the_log.dropped != 0) {
		n = snprintf(note, sizeof note, "- log-dropped lines=%lu",
		    the_log.dropped);
		if (send(the_log.fd, note, (size_t)n,
			MSG_DONTWAIT | MSG_NOSIGNAL) == n)
			the_log.dropped = 0;
	}
	if (send(the_log.fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    -1)
		the_log.dropped++;
}

static void
put(const char *line)
{
	if (the_log.sink == TO_SOCKET)
		send_line(line);
	else
		log_forward(the_log.name, line);
}

static void vlog(const char *id, const char *event, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
vlog(const char *id, const char *event, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	int n;

	n = snprintf(line, sizeof line, "%s %s%s", id, event,
	    fmt[0] == '\0' ? "" : " ");
	if (n > 0 && n < (int)sizeof line)
		vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	put(line);
}

void
log_event(uint64_t id, const char *event, const char *fmt, ...)
{
	char text[ID_LEN + 1] = "-";
	va_list ap;

	if (id != 0)
		id_print(id, text);
	va_start(ap, fmt);
	vlog(text, event, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog("!", event, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!the_log.verbose)
		return;
	va_start(ap, fmt);
	vlog("-", "debug", fmt, ap);
	va_end(ap);
}

#define Q_IN   320
#define Q_SIZE (Q_IN * 4 + 8)
#define Q_RING 8

const char *
q(const char *s)
{
	static char ring[Q_RING][Q_SIZE];
	static unsigned int turn;
	static const char hex[] = "0123456789abcdef";
	char *out = ring[turn++ % Q_RING], *p = out;
	size_t i;

	*p++ = '"';
	for (i = 0; s[i] != '\0' && i < Q_IN; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= ' ' && c < 127 && c != '"' && c != '\\')
			*p++ = (char)c;
		else {
			*p++ = '\\';
			*p++ = 'x';
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	if (s[i] != '\0') {
		*p++ = '.';
		*p++ = '.';
	}
	*p++ = '"';
	*p = '\0';
	return out;
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog("!", "fatal", fmt, ap);
	va_end(ap);
	_exit(1);
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		fatal("no memory for %zu times %zu bytes", n, size);
	return p;
}

void *
xrealloc(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n, size);
	if (p == NULL)
		fatal("no memory for %zu times %zu bytes", n, size);
	return p;
}

char *
xstrdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatal("no memory for a text of %zu bytes", strlen(s));
	return p;
}
