/*
 * Lines between lookup and a table program (smtpd-tables(7)).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_PROTOCOL_H
#define SMTPD_LOOKUP_PROTOCOL_H

#include "lookup_table.h"

#define PROTOCOL_VERSION  "0.1"
#define PROTOCOL_LINE_MAX ((size_t)256 << 10) /* bytes, line feed included */

enum protocol_op {
	PROTOCOL_CHECK,  /* is it there? */
	PROTOCOL_LOOKUP, /* what is its value? */
	PROTOCOL_FETCH,  /* the next entry, whatever it is */
	PROTOCOL_UPDATE  /* read your sources anew */
};

/* How a service is asked for a key, or ("#N") for the next entry. */
enum protocol_op protocol_op_of(enum conf_service s, const char *key);

/* What lookup says first, to the end of the handshake. */
bool protocol_hello(struct buf *out, const char *table);

/*
 * A line of the program's handshake, without its line feed.  *service: the
 * one that it registers, SERVICES if none of ours, or *ready.  NULL, or why
 * not.
 */
const char *protocol_register(struct slice line, enum conf_service *service,
    bool *ready);

/* A question; table and key are known to have no line feed.  False: no room
 * in out. */
bool protocol_ask(struct buf *out, enum protocol_op op, const char *table,
    enum conf_service s, uint64_t id, const char *key);

struct protocol_answer {
	enum protocol_op op; /* CHECK, LOOKUP, FETCH or UPDATE */
	uint64_t id;
	enum table_answer answer; /* UPDATE: YES or UNKNOWN */
	struct slice text;        /* the value, or words with an error */
};

/* A line of the program, without its line feed.  NULL, or why it is no
 * answer. */
const char *protocol_parse(struct slice line, struct protocol_answer *out);

/* Is it what answers op?  A fetch is answered as one, or as a lookup. */
bool protocol_fits(enum protocol_op op, const struct protocol_answer *a);

#endif
