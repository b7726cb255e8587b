/*
 * What the client says, how long it waits for each reply, and what it does
 * upon each class of reply: the whole state machine.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_CLIENT_TABLE_H
#define DELIVER_CLIENT_TABLE_H

#include "num.h"
#include "verdict.h"

/* What is done upon a reply; client.c has a function for each. */
enum client_do {
	DO_BAD,      /* not a reply to this: the connection is of no use */
	DO_HELLO,    /* greeted: say EHLO */
	DO_REFUSED,  /* no service here, says the server: another host */
	DO_ABLE,     /* EHLO: TLS if offered, else ready */
	DO_HELO,     /* no EHLO: say HELO */
	DO_READY,    /* a transaction may begin */
	DO_TLS,      /* the handshake begins */
	DO_PLAIN,    /* no TLS after all: ready without, if that may be */
	DO_AUTH,     /* a challenge: lookup has the answer */
	DO_AUTHED,   /* we are who we said */
	DO_NO_AUTH,  /* ... or not */
	DO_MAIL,     /* the sender is taken */
	DO_NO_MAIL,  /* the message is refused, or put off */
	DO_RCPT,     /* the recipient is taken */
	DO_NO_RCPT,  /* ... or not */
	DO_CONTENT,  /* send it */
	DO_NO_DATA,  /* the message is refused for those who were taken */
	DO_CHUNK,    /* the next chunk */
	DO_SENT,     /* the server has the message */
	DO_NOT_SENT, /* it has not */
	DO_RESET,    /* the failed transaction is forgotten */
	DO_GONE,     /* nothing more to say to each other */
	CLIENT_DOES
};

/* clang-format off */
/*
 * Columns: what was said, its name in messages, the stage it is of,
 * milliseconds to wait for the whole of the reply (RFC 5321 4.5.3.2;
 * connecting and the TLS handshake are ours), what is done upon 2yz, 3yz, 4yz,
 * 5yz.  The reply to the end of the content, or to a chunk of it, is awaited so
 * long from there on; a block of content must leave within CLIENT_BLOCK_MS.
 */
#define CLIENT_TABLE(X) \
	X(CONNECT,  "the connection",        CONNECT,  30000,  BAD,    BAD,     BAD,      BAD) \
	X(GREETING, "the greeting",          GREETING, 300000, HELLO,  BAD,     REFUSED,  REFUSED) \
	X(EHLO,     "the reply to EHLO",     EHLO,     300000, ABLE,   BAD,     REFUSED,  HELO) \
	X(HELO,     "the reply to HELO",     EHLO,     300000, READY,  BAD,     REFUSED,  REFUSED) \
	X(STARTTLS, "the reply to STARTTLS", STARTTLS, 120000, TLS,    BAD,     PLAIN,    PLAIN) \
	X(TLS,      "the TLS handshake",     TLS,      120000, BAD,    BAD,     BAD,      BAD) \
	X(AUTH,     "the reply to AUTH",     AUTH,     120000, AUTHED, AUTH,    NO_AUTH,  NO_AUTH) \
	X(MAIL,     "the reply to MAIL",     MAIL,     300000, MAIL,   BAD,     NO_MAIL,  NO_MAIL) \
	X(RCPT,     "the reply to RCPT",     RCPT,     300000, RCPT,   BAD,     NO_RCPT,  NO_RCPT) \
	X(DATA,     "the reply to DATA",     DATA,     120000, BAD,    CONTENT, NO_DATA,  NO_DATA) \
	X(CHUNK,    "the reply to a chunk",  CONTENT,  600000, CHUNK,  BAD,     NOT_SENT, NOT_SENT) \
	X(DOT,      "the reply to the content", CONTENT, 600000, SENT, BAD,     NOT_SENT, NOT_SENT) \
	X(RSET,     "the reply to RSET",     QUIT,     300000, RESET,  BAD,     GONE,     GONE) \
	X(QUIT,     "the reply to QUIT",     QUIT,     5000,   GONE,   GONE,    GONE,     GONE)
/* clang-format on */

#define CLIENT_BLOCK_MS 180000

/*
 * A transaction as a whole: so long for all that is said before the content,
 * and for each MiB of it that is begun.  A server for which each single wait
 * would do is gone after some hours, not days: a thousand RCPT answered in 5
 * minutes each would be three and a half, 20 MiB at a byte a second as many
 * months.  10 minutes a MiB are 1.7 KiB a second.
 */
#define CLIENT_TALK_MS 3600000
#define CLIENT_MIB_MS  600000

enum client_said {
#define X(name, ...) SAID_##name,
	CLIENT_TABLE(X)
#undef X
	    CLIENT_SAYS
};

struct client_row {
	const char *what; /* "the reply to MAIL" */
	enum stage stage;
	msec wait;
	enum client_do on[4]; /* 2yz to 5yz */
};

extern const struct client_row client_table[CLIENT_SAYS];

/* Keywords of the reply to EHLO. */
enum {
	EXT_PIPELINING = 1,
	EXT_SIZE = 2,
	EXT_8BITMIME = 4,
	EXT_STARTTLS = 8,
	EXT_DSN = 16,
	EXT_SMTPUTF8 = 32,
	EXT_CHUNKING = 64,
	EXT_BINARYMIME = 128,
	EXT_LIMITS = 256
};

struct client;
struct slice;

struct client_ext {
	const char *keyword;
	unsigned int flag;
	/* What stands behind it; NULL: that says nothing. */
	void (*params)(struct client *c, struct slice words);
};

extern const struct client_ext client_exts[];
extern const unsigned int client_n_exts;

#endif
