/*
 * XCLIENT: a proxy of ours says for whom it speaks, as Postfix has it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_XCLIENT_H
#define SMTPD_SESSION_XCLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "slice.h"

/* Attributes, as they are offered. */
#define XCLIENT_TABLE(X)                                                       \
	X(NAME)                                                                \
	X(ADDR)                                                                \
	X(PORT)                                                                \
	X(PROTO)                                                               \
	X(HELO)                                                                \
	X(LOGIN)                                                               \
	X(DESTADDR)                                                            \
	X(DESTPORT)
enum xclient_attr {
#define X(name) XCLIENT_##name,
	XCLIENT_TABLE(X)
#undef X
	    XCLIENT_ATTRS
};

enum xclient_state {
	XCLIENT_UNSAID,
	XCLIENT_SAID,
	XCLIENT_UNKNOWN, /* [UNAVAILABLE] */
	XCLIENT_DOUBT    /* [TEMPUNAVAIL] */
};

struct xclient {
	struct {
		enum xclient_state state;
		char text[ADDR_MAX + 1]; /* XCLIENT_SAID */
	} attr[XCLIENT_ATTRS];
	uint16_t port; /* of PORT, 0: not said */
};

/* "XCLIENT NAME ADDR ..." */
extern const char xclient_words[];

/* Reads "NAME=value ADDR=value ...".  NULL, or why not. */
const char *xclient_parse(struct slice in, struct xclient *out);

#endif
