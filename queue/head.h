/*
 * The head of a spool file: text that says what the envelope is.  Written
 * once by the queue; afterwards only the state bytes change, in place.
 *
 *   postern 1
 *   id: 0DZ5KQ2X4M000
 *   arrived: 1763718151.123456
 *   client: 192.0.2.7 port 51812 flags 6 uid 0
 *   helo: mail.example.org
 *   rdns: mail.example.org
 *   tag: submission
 *   auth: alice
 *   of: 0DZ5KQ2X4K000 2 <team@example.org>
 *   from: <alice@example.org>
 *   params: BODY=8BITMIME RET=HDRS ENVID=QQ314159
 *   rcpt: q <bob@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@example.net
 *   rcpt: q <carol@example.com>
 *   rcpt: q <dave@example.org> FOR=m%20inbox%20dave
 *   sum: 0123456789abcdef
 *   (an empty line)
 *
 * The sum is XXH3-64 of all before it, with each state byte as 'q'.  Empty
 * facts are left out (the client's address is then '-'), and so are parameters
 * of MAIL and RCPT that were not said.  Only a child has "of": the message,
 * the number of its recipient, and the address that stands for the recipients
 * here; and only a child's recipients have FOR, a leaf: what it is on this host
 * beside an address, in lookup's words (struct expand_is), which are kept and
 * not understood here.  Lines end in LF.
 * Bytes other than printable ASCII in a value are written %HH, and so are
 * blanks and '%'.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_HEAD_H
#define QUEUE_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "facts.h"

/* The state of a recipient, as its byte in the head. */
enum rcpt_state {
	RCPT_WAITING = 'q',
	RCPT_WARNED = 'w', /* waiting; the sender was told of the delay */
	RCPT_HELD = 'h',   /* by the operator */
	RCPT_HELD_WARNED = 'H',
	RCPT_OWED = 'b', /* failed; the sender has yet to be told */
	/* What the sender has yet to be told since he asked for it. */
	RCPT_DELIVERED_OWED = 'D',
	RCPT_EXPANDED_OWED = 'X',
	RCPT_DELIVERED = 'd', /* these four are ends */
	RCPT_FAILED = 'f',    /* and who had to be told was told */
	RCPT_REMOVED = 'r',   /* by the operator */
	RCPT_EXPANDED = 'x'   /* a child message took it over */
};

/* True for the states in which nothing more is to be done. */
bool rcpt_state_end(int state);
/* True for the states that the schedule may try. */
bool rcpt_state_open(int state);
/* True for the states in which nothing is left but to tell the sender. */
bool rcpt_state_owed(int state);
/* True for a byte that is one of the states. */
bool rcpt_state_known(int state);

/* Bytes of the longest head: all recipients, each byte escaped. */
#define HEAD_LEN_MAX                                                           \
	((size_t)(RCPT_MAX + 8) *                                              \
	    (3 * (ADDR_MAX + ORCPT_MAX + LEAF_TEXT_MAX) + 64))

struct head_rcpt {
	size_t off; /* of its state byte, from the start of the file */
	char state; /* enum rcpt_state */
	const char *addr;
	uint8_t notify;    /* NOTIFY_* */
	const char *orcpt; /* as it came; "" or NULL: not said */
	const char *leaf;  /* "" or NULL: it is an address and no more */
};

struct head {
	uint64_t id;
	int64_t arrived; /* microseconds since 1970 */
	struct facts facts;
	const char *sender; /* "" is the null sender */
	struct mail_params params;
	/* A child (FACT_EXPANDED): of which recipient; addr NULL: it is none */
	struct {
		uint64_t id;
		uint32_t n;
		const char *addr;
	} of;
	struct head_rcpt *rcpt;
	uint32_t n_rcpt;
	size_t len; /* bytes of the head */
};

/* Adds the head to out and sets off of each recipient and len.  False: out of
 * room.  1 to RCPT_MAX recipients. */
bool head_print(struct buf *out, struct head *h);

/*
 * Reads a head from the first bytes of a file.  Texts and recipients come
 * from a.  NULL, or why it is no good; *more is set when the only trouble is
 * that in ends before the head does (a head has at most HEAD_LEN_MAX bytes).
 */
const char *head_parse(const char *in, size_t len, struct arena *a,
    struct head *h, bool *more);

#endif
