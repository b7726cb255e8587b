/*
 * What the client says, how long it waits for each reply, and what it does
 * upon each class of reply: the whole state machine.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_CLIENT_TABLE_H
#define DELIVER_CLIENT_TABLE_H

#include "num.h"

/* What is done upon a reply; client.c has a function for each. */
enum client_do {
	DO_BAD,      /* not a reply to this: the connection is of no use */
	DO_HELLO,    /* greeted: say EHLO */
	DO_REFUSED,  /* no service here, says the server: another host */
	DO_ABLE,     /* EHLO: TLS if offered, else ready */
	DO_HELO,     /* no EHLO: say HELO */
	DO_READY,    /* a transaction may begin */
	DO_TLS,      /* the handshake begins */
	DO_PLAIN,    /* no TLS after all: ready without */
	DO_MAIL,     /* the sender is taken */
	DO_NO_MAIL,  /* the message is refused, or put off */
	DO_RCPT,     /* the recipient is taken */
	DO_NO_RCPT,  /* ... or not */
	DO_CONTENT,  /* send it */
	DO_NO_DATA,  /* the message is refused for those who were taken */
	DO_SENT,     /* the server has the message */
	DO_NOT_SENT, /* it has not */
	DO_RESET,    /* the failed transaction is forgotten */
	DO_GONE,     /* nothing more to say to each other */
	CLIENT_DOES
};

/* clang-format off */
/*
 * Columns: what was said, its name in messages, milliseconds to wait for the
 * reply (RFC 5321 4.5.3.2; connecting and the TLS handshake are ours), what
 * is done upon 2yz, 3yz, 4yz, 5yz.  The reply to the end of the content is
 * awaited 10 minutes from there on; a block of content must leave within
 * CLIENT_BLOCK_MS.
 */
#define CLIENT_TABLE(X) \
	X(CONNECT,  "the connection",        30000, BAD,     BAD,     BAD,      BAD) \
	X(GREETING, "the greeting",         300000, HELLO,   BAD,     REFUSED,  REFUSED) \
	X(EHLO,     "the reply to EHLO",    300000, ABLE,    BAD,     REFUSED,  HELO) \
	X(HELO,     "the reply to HELO",    300000, READY,   BAD,     REFUSED,  REFUSED) \
	X(STARTTLS, "the reply to STARTTLS", 120000, TLS,    BAD,     PLAIN,    PLAIN) \
	X(TLS,      "the TLS handshake",    120000, BAD,     BAD,     BAD,      BAD) \
	X(MAIL,     "the reply to MAIL",    300000, MAIL,    BAD,     NO_MAIL,  NO_MAIL) \
	X(RCPT,     "the reply to RCPT",    300000, RCPT,    BAD,     NO_RCPT,  NO_RCPT) \
	X(DATA,     "the reply to DATA",    120000, BAD,     CONTENT, NO_DATA,  NO_DATA) \
	X(DOT,      "the reply to the content", 600000, SENT, BAD,    NOT_SENT, NOT_SENT) \
	X(RSET,     "the reply to RSET",    300000, RESET,   BAD,     GONE,     GONE) \
	X(QUIT,     "the reply to QUIT",      5000, GONE,    GONE,    GONE,     GONE)
/* clang-format on */

#define CLIENT_BLOCK_MS 180000

enum client_said {
#define X(name, ...) SAID_##name,
	CLIENT_TABLE(X)
#undef X
	    CLIENT_SAYS
};

struct client_row {
	const char *what; /* "the reply to MAIL" */
	msec wait;
	enum client_do on[4]; /* 2yz to 5yz */
};

extern const struct client_row client_table[CLIENT_SAYS];

/* Columns: keyword of EHLO, its flag. */
enum {
	EXT_PIPELINING = 1,
	EXT_SIZE = 2,
	EXT_8BITMIME = 4,
	EXT_STARTTLS = 8,
	EXT_DSN = 16,
	EXT_SMTPUTF8 = 32,
	EXT_CHUNKING = 64,
	EXT_BINARYMIME = 128
};

struct client_ext {
	const char *keyword;
	unsigned int flag;
};

extern const struct client_ext client_exts[];
extern const unsigned int client_n_exts;

#endif
