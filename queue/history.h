/*
 * What became of each recipient, for `smtpctl trace`: lines of text in files
 * spool/facts/history-TIME, the oldest first, bounded in age and size.
 *
 * It is told after the fact and owes nobody anything: written once a second
 * without a flush, so a power cut takes a second of it, and where the disk
 * refuses it is dropped, which is said once.
 *
 * A line is its version, then fields with a tab between them; history_line.c
 * lists them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_HISTORY_H
#define QUEUE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "buf.h"
#include "loop.h"
#include "slice.h"
#include "verdict.h"

#define HISTORY_LINE_MAX 8192       /* bytes of a line */
#define HISTORY_WHOLE    UINT32_MAX /* row.n: the message, no recipient of it */

/* Columns: enum, word. */
#define HISTORY_EVENTS(X)                                                      \
	X(ACCEPTED, "accepted") /* it came in; attempts: its recipients */     \
	X(DELIVERY, "delivery") /* an attempt, as last says */                 \
	X(EXPANDED, "expanded") /* other: its child */                         \
	X(BOUNCED, "bounced")   /* other: the notification; likewise: */       \
	X(DELAYED, "delayed")                                                  \
	X(CONFIRMED, "confirmed")                                              \
	X(REMOVED, "removed") /* by the operator */                            \
	X(EXPIRED, "expired") /* too old: no attempt follows */                \
	X(DROPPED, "dropped") /* the sender is not told of it any more */      \
	X(HELD, "held")       /* by policy, when it came in: all recipients */

enum history_event {
#define X(name, word) HISTORY_##name,
	HISTORY_EVENTS(X)
#undef X
	    HISTORY_EVENTS_N
};

struct history_row {
	int64_t when; /* microseconds since 1970 */
	uint64_t id;
	uint32_t n; /* the recipient, or HISTORY_WHOLE */
	enum history_event event;
	uint32_t attempts;
	uint64_t other; /* another message's id, or 0 */
	uint64_t size;  /* bytes of the content */
	char from[ADDR_MAX + 1];
	char to[ADDR_MAX + 1];      /* empty: the whole message */
	char orig_to[ADDR_MAX + 1]; /* whom it stood for, or empty */
	char client[HOST_MAX + IP_TEXT_MAX + 3]; /* who brought it */
	char route[ROUTE_MAX + 1];
	char relay[RELAY_MAX + 1];
	char tls[TLS_TEXT_MAX + 1];
	struct outcome last;
};

const char *history_event_name(unsigned int event);

/* ---- a line (history_line.c) ---- */

/* Adds the line and its end to out.  False: no room. */
bool history_line_print(const struct history_row *row, struct buf *out);

/* line: without its end.  NULL, or why it is none. */
const char *history_line_parse(struct slice line, struct history_row *row);

/* ---- the writer: queue ---- */

struct history;

/* Goes on where the last one stopped.  dir: the spool; keep: seconds; size:
 * bytes of all files.  NULL and *why: it cannot be written. */
struct history *history_open(struct loop *l, const char *dir, int64_t keep,
    uint64_t size, const char **why);

/* Writes what there is. */
void history_close(struct history **h);

/* h may be NULL. */
void history_add(struct history *h, const struct history_row *row);

/* ---- readers: smtpctl ---- */

/* Each row, the oldest first; lines that are none are passed over.  Ends when
 * fn returns false.  False: there is no history, or it cannot be read
 * (errno). */
typedef bool history_fn(void *arg, const struct history_row *row);
bool history_walk(const char *dir, history_fn *fn, void *arg);

/* ---- what both know (history_file.c) ---- */

#define HISTORY_FOLDER "facts"
#define HISTORY_NAME   24 /* characters of the name of a file */
#define HISTORY_FILES  4096

/* The numbers of the files in the open folder, the oldest first.  Returns how
 * many, -1 and errno; the caller frees *out. */
int history_files(int folder, uint64_t **out);
const char *history_file_name(uint64_t number, char out[HISTORY_NAME + 1]);

#endif
