/*
 * The SMTP client: one connection to one address, and the transactions on it.
 *
 * What it does next follows from two things: a FIFO of what it has said and
 * had no reply to, and client_table.h.  Pipelining makes the FIFO longer and
 * adds nothing else.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_CLIENT_H
#define DELIVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client_reply.h"
#include "client_table.h"
#include "io.h"
#include "mx.h"
#include "smtp_line.h"
#include "tls.h"
#include "verdict.h"

#define CLIENT_FIFO 128 /* commands without a reply, at most */

/* A recipient, and what is passed on to who offers DSN (RFC 3461). */
struct client_rcpt {
	const char *addr;
	const char *orcpt; /* NULL or "": none */
	uint8_t notify;    /* NOTIFY_*; 0: not said */
};

/* What is sent; all of it borrowed while the transaction lasts. */
struct client_mail {
	const char *sender; /* "" is the null sender */
	const struct client_rcpt *rcpt;
	unsigned int n_rcpt;
	uint32_t facts;    /* FACT_SMTPUTF8 counts */
	uint8_t ret;       /* enum dsn_ret */
	const char *envid; /* NULL or "": not said */
	const char *field; /* goes first, "" or with its CRLF */
	int fd;            /* the spool file, read with pread */
	uint64_t trace_off, trace_len;
	uint64_t content_off, content_len;
	uint32_t content_facts; /* CONTENT_* */
};

/*
 * What the owner hears.  After client_connect() or client_adopt(), ready or
 * lost comes once; after client_mail(), rcpt for each recipient of which the
 * server spoke and then over or lost once.  The owner may free the client in
 * all of them but rcpt.
 */
struct client_owner {
	/* A transaction may begin. */
	void (*ready)(void *arg);
	/* Recipient i is taken (DONE) or not (its outcome). */
	void (*rcpt)(void *arg, unsigned int i, const struct outcome *o);
	/* The transaction is over: o speaks for those who were taken, and for
	 * all of whom nothing was said.  client_usable() tells whether the
	 * connection lives. */
	void (*over)(void *arg, const struct outcome *o);
	/* The connection is gone and nothing was sent: o says why.  Another
	 * host may do better. */
	void (*lost)(void *arg, const struct outcome *o);
	void *arg;
};

enum client_state {
	CLIENT_CLOSED,
	CLIENT_OPENING, /* until the first transaction may begin */
	CLIENT_READY,
	CLIENT_IN_MAIL, /* a transaction */
	CLIENT_QUITTING
};

struct client {
	struct io io;
	struct loop *loop;
	struct tls *tls;  /* NULL: no TLS here */
	const char *helo; /* borrowed for life: of the configuration */
	struct client_owner owner;
	enum client_state state;
	struct mx_addr addr;
	char relay[RELAY_MAX + 1]; /* host[address]:port */
	char cipher[48];           /* "TLSv1.3:CIPHER", empty: none */
	bool tls_failed;           /* lost upon STARTTLS: try without */
	unsigned int mails;        /* transactions so far */

	/* what the server can */
	unsigned int ext; /* EXT_*; it lasts while the client does */
	uint64_t max_size;

	/* what was said: ring of head, n */
	struct {
		uint8_t said;  /* enum client_said */
		uint32_t rcpt; /* SAID_RCPT: which */
	} fifo[CLIENT_FIFO];
	unsigned int head, n;
	struct client_reply reply;

	/* the transaction */
	struct client_mail mail;
	unsigned int next_rcpt; /* the first not yet said */
	unsigned int taken;     /* recipients the server took */
	bool utf8;              /* with SMTPUTF8 */
	bool bdat;              /* by BDAT, not DATA */
	bool data_said, dot_said;
	bool in_server; /* the server has a transaction open */
	bool decided;   /* result is set: what follows cannot change it */
	struct outcome result;
	struct timer soon; /* the result is known before anything is said */
	struct smtp_stuff stuff;
	enum { PART_NONE, PART_FIELD, PART_TRACE, PART_CONTENT, PART_END } part;
	uint64_t part_off;
};

/* Makes one that is closed.  helo is borrowed. */
struct client *client_new(struct loop *l, const char *helo);

/* Closes at once, without QUIT. */
void client_free(struct client **c);

/* Connects to addr; tls NULL: does not use STARTTLS. */
void client_connect(struct client *c, const struct mx_addr *addr,
    struct tls *tls, const struct client_owner *owner);

/* Over a socket that is connected (tests).  Takes fd over. */
void client_adopt(struct client *c, int fd, const struct mx_addr *addr,
    struct tls *tls, const struct client_owner *owner);

/* Another owner for a connection that is ready. */
void client_owner(struct client *c, const struct client_owner *owner);

/* Begins a transaction; the connection is ready.  Nothing but owner->rcpt is
 * told before it returns. */
void client_mail(struct client *c, const struct client_mail *m);

/* It is ready, and has no unread input that nobody asked for. */
bool client_usable(const struct client *c);

/* The content is on its way: to end now may make a duplicate. */
bool client_in_content(const struct client *c);

/* Says QUIT; owner->lost tells when it is time to free it. */
void client_quit(struct client *c);

#endif
