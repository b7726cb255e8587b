/*
 * Notifications to the sender: RFC 3464 delivery status in RFC 6522
 * multipart/report, with words for a person first (dsn_words.c, dsn_reason.c).
 * Composes, and knows the ids; writing it to the spool is bounce.c's.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "verdict.h"

#define DSN_HEADER_MAX (64 * 1024) /* bytes of the original's header */
/* RET=FULL: a larger original is returned as its header alone. */
#define DSN_WHOLE_MAX (256 * 1024)

enum dsn_kind {
	DSN_FAILED,
	DSN_DELAYED,
	DSN_DOUBLE, /* to postmaster: a notification failed */
	DSN_SUCCESS /* asked for: delivered here, relayed to who does not tell,
		     * or expanded */
};

/* "failed", "delayed", "double", "success". */
const char *dsn_kind_name(enum dsn_kind kind);

struct dsn_rcpt {
	const char *addr;  /* that was tried: Final-Recipient */
	const char *orcpt; /* as in RCPT: Original-Recipient; "": not known */
	bool expanded;     /* DSN_SUCCESS: it stands for several */
	bool here;         /* its mailbox is, or a program or file */
	const char *relay; /* host[address]:port, or empty */
	/* The host that all mail of its action goes to; "": the mail servers
	 * of its domain were asked. */
	const char *server;
	struct outcome last;
	int64_t tried; /* seconds since 1970, 0: never */
	int64_t until; /* DSN_DELAYED: given up then */
};

struct dsn {
	enum dsn_kind kind;
	uint64_t id;          /* its own */
	uint64_t about;       /* of the message it is about */
	const char *hostname; /* ours */
	const char *to;
	const char *envid; /* as in MAIL, "": not said */
	/* The original was internationalised (RFC 6531), and so is this (RFC
	 * 6533). */
	bool utf8;
	int64_t arrived, now; /* seconds since 1970 */
	/* DSN_DELAYED: told when it is so many seconds old.  It stands in the
	 * Message-ID, since each warning has the same id. */
	uint32_t warned;
	const struct dsn_rcpt *rcpt;
	uint32_t n_rcpt;
	/* The original, trace fields first: its header section counts, or,
	 * whole, all of it. */
	const char *original;
	size_t original_len;
	bool whole;
};

/*
 * The id of a notification about recipient n and those after it: of the
 * message's own id, so that the same notice has the same id after a crash.
 * The low 16 bits are 2 + 2n (delayed) or 1 + 2n (the others: a recipient
 * comes to its end but once).  DSN_DOUBLE: the
 * n-th try for a free one, from the top, where recipients do not reach.  See
 * id.h for those of the child of a notification: they stand in the unit of the
 * notification, since the child's own unit has children of double bounces.
 */
uint64_t dsn_id(uint64_t id, enum dsn_kind kind, uint32_t n);
/* The DSN_DOUBLE ids that one message can have. */
#define DSN_DOUBLES 5000u
/* True for the id of a DSN_DOUBLE. */
bool dsn_is_double(uint64_t id);

/* The status of a recipient, as RFC 3463 writes it ("4.4.7"); out holds 20
 * bytes.  Returns out. */
const char *dsn_status(enum dsn_kind kind, const struct outcome *last,
    char *out, size_t size);

/*
 * Adds the whole content, header and body, lines ended by CRLF, none over 998
 * bytes (but those of a whole original); 7-bit, but with utf8, or where a
 * whole original is not.  It is no longer than DSN_MAX, with DSN_RCPTS
 * recipients.  False: out is full.
 */
#define DSN_RCPTS 500 /* told of in one notification */
#define DSN_MAX   (4 * 1024 * 1024)
bool dsn_print(struct buf *out, const struct dsn *d);

#endif
