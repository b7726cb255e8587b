/*
 * One line per event: `id event key=value ...`.  What came from outside goes
 * through q() and comes last.  A child sends its lines to the parent over a
 * datagram socket that never blocks; what did not fit is counted and said
 * with the next line that fits.  The parent prints to stderr (-d) or syslog.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 2048

/* Lines go to fd, a datagram socket; who reads them knows whose they are. */
void log_to_socket(int fd, bool verbose);

/* Lines go to stderr, or to syslog(3) with this facility (LOG_MAIL). */
void log_to_stderr(const char *name, bool verbose);
void log_to_syslog(const char *name, int facility, bool verbose);

/* The parent: one finished line of the child `name`, without newline. */
void log_forward(const char *name, const char *line);

/*
 * id: the message or session it is about, 0 for none (printed as "-").
 * event: a name that stands in smtpd-log(5).
 */
void log_event(uint64_t id, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Something an operator should look at. */
void log_warn(const char *event, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Only with -v. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Text from outside, safe in a log line: in double quotes, other than
 * printable ASCII, '"' and '\' as \xHH, cut at 320 characters.  The result
 * lives until the eighth call after.
 */
const char *q(const char *s);

/* A bug, or no memory: says so and ends this process. */
_Noreturn void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* malloc that ends the process when there is no memory; zeroed. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);

#endif
