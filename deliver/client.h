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

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client_reply.h"
#include "client_table.h"
#include "count.h"
#include "io.h"
#include "ipc.h"
#include "mx.h"
#include "policy.h"
#include "smtp_line.h"
#include "tls.h"
#include "verdict.h"

#define CLIENT_FIFO 128 /* commands without a reply, at most */

/*
 * Content of this size goes by BDAT where CHUNKING is offered (RFC 3030): no
 * dots to look for, and a server that does not want it says so after a chunk.
 * A smaller one has nothing of that, and BDAT cannot be said before all RCPT
 * are answered, where DATA can.
 */
#define CLIENT_CHUNK ((uint64_t)1024 * 1024)

#define CLIENT_DOMAINS 16 /* of recipients of one transaction, if limited */

/* A recipient, and what is passed on to who offers DSN (RFC 3461). */
struct client_rcpt {
	const char *addr;
	const char *orcpt; /* NULL or "": none */
	uint8_t notify;    /* NOTIFY_*; 0: not said */
};

/* Content that is not in the file as it is sent. */
struct client_source {
	/* Up to len bytes to p, in order: how many; 0 or less: it cannot be
	 * read.  Read once from its beginning, and not beyond its end. */
	ssize_t (*read)(void *arg, uint8_t *p, size_t len);
	void *arg;
	uint64_t len; /* bytes in all */
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
	/* In place of the content of the file; read NULL: there is none. */
	struct client_source source;
	uint32_t content_facts; /* CONTENT_*, of what is sent */
};

/*
 * What the owner hears.  After client_connect() or client_adopt(), ready or
 * lost comes once; after client_mail(), rcpt for each recipient of which the
 * server spoke and then over or lost once.  The owner may free the client in
 * all of them but rcpt and settled.
 */
struct client_owner {
	/* A transaction may begin. */
	void (*ready)(void *arg);
	/* LMTP (RFC 2033 4.2): what became of recipient i, who was taken, after
	 * the content.  Before over, for each of them of whom it spoke. */
	void (*settled)(void *arg, unsigned int i, const struct outcome *o);
	/* Recipient i is taken (DONE) or not (its outcome). */
	void (*rcpt)(void *arg, unsigned int i, const struct outcome *o);
	/* The transaction is over: o speaks for those who were taken, and for
	 * all of whom nothing was said.  client_usable() tells whether the
	 * connection lives. */
	void (*over)(void *arg, const struct outcome *o);
	/* The connection is gone and nothing was sent: o says why.  Another
	 * host may do better; or the same one, if the client's tls_failed or
	 * denied are set, once more.  NEVER: this host will not have the
	 * message. */
	void (*lost)(void *arg, const struct outcome *o);
	void *arg;
};

/* How a connection is made, and what must be before mail goes over it. */
struct client_how {
	const char *helo; /* borrowed for life */
	/* Connect from here; ss_family 0: from wherever.  Of another family
	 * than the address it is as good as one that we do not have. */
	struct sockaddr_storage src;
	bool lmtp;            /* RFC 2033 */
	unsigned int without; /* EXT_*, as if it did not offer them */
	struct tls *tls;      /* NULL: OpenSSL would not */
	struct tls_want want; /* with level NO no TLS is used */
	bool tls_failed;      /* here, a moment ago: so it is not used now */
	/* Authenticate (client_auth.c), or no mail goes: NULL: not. */
	struct deliver *login;
	uint32_t action;
	struct count *count[COUNT_OF]; /* by which it is counted */
	char label[LABEL_MAX + 1];
	/* AUTH also where the server has not proved who it is. */
	bool insecure;
};

enum client_state {
	CLIENT_CLOSED,
	CLIENT_OPENING, /* until the first transaction may begin */
	CLIENT_READY,
	CLIENT_IN_MAIL, /* a transaction */
	CLIENT_QUITTING
};

struct client_auth;

struct client {
	struct io io;
	struct loop *loop;
	struct client_how how;
	struct client_owner owner;
	enum client_state state;
	struct mx_addr addr;
	char relay[RELAY_MAX + 1];     /* host[address]:port */
	char cipher[TLS_TEXT_MAX + 1]; /* as tls_print(), empty: none */
	/* Lost upon STARTTLS, but may go without TLS; ready without, since the
	 * server refused STARTTLS. */
	bool tls_failed;
	unsigned int denied; /* lost: EXT_* that it offers, and does not do */
	unsigned int mails;  /* transactions so far */

	/* what the server can */
	unsigned int ext; /* EXT_*; it lasts while the client does */
	uint64_t max_size;
	/* LIMITS (RFC 9422); 0: not said */
	uint32_t mail_max, rcpt_max, rcpt_domain_max;
	uint32_t auth_mechs;      /* of AUTH: bits 1 << SASL_* */
	struct client_auth *auth; /* an exchange; NULL: none */

	/* what was said: ring of head, n */
	struct {
		uint8_t said;  /* enum client_said */
		uint32_t rcpt; /* SAID_RCPT: which */
	} fifo[CLIENT_FIFO];
	unsigned int head, n;
	struct client_reply reply;
	bool in_long_line; /* of which the rest is not looked at */
	enum stage stage;  /* of the last reply */

	/* the transaction */
	struct client_mail mail;
	unsigned int next_rcpt; /* the first not yet said */
	unsigned int taken;     /* recipients the server took */
	uint32_t *took;         /* LMTP: which */
	unsigned int settled;   /* LMTP: replies to the content */
	unsigned int mail_ext;  /* EXT_* of the parameters of MAIL */
	unsigned int rcpt_ext;  /* ... and of RCPT */
	bool utf8;              /* with SMTPUTF8 */
	bool bdat;              /* by BDAT, not DATA */
	bool data_said, dot_said;
	bool in_server; /* the server has a transaction open */
	bool decided;   /* result is set: what follows cannot change it */
	struct outcome result;
	struct timer soon; /* the result is known before anything is said */
	msec until;        /* its end, whatever the pace; 0: none */
	struct smtp_stuff stuff;
	enum { PART_NONE, PART_FIELD, PART_TRACE, PART_CONTENT, PART_END } part;
	uint64_t part_off;
	uint64_t unsent; /* bytes not yet read */
	uint64_t chunk;  /* ... of those of this chunk */
};

/* Makes one that is closed. */
struct client *client_new(struct loop *l);

/* Closes at once, without QUIT. */
void client_free(struct client **c);

/* Connects to addr.  how and addr are copied. */
void client_connect(struct client *c, const struct mx_addr *addr,
    const struct client_how *how, const struct client_owner *owner);

/* Over a socket that is connected, from wherever (tests).  Takes fd over. */
void client_adopt(struct client *c, int fd, const struct mx_addr *addr,
    const struct client_how *how, const struct client_owner *owner);

/* Another owner for a connection that is ready. */
void client_owner(struct client *c, const struct client_owner *owner);

/* Begins a transaction; the connection is ready.  Nothing but owner->rcpt is
 * told before it returns. */
void client_mail(struct client *c, const struct client_mail *m);

/*
 * What the server sets for a transaction, and for a connection (RFC 9422);
 * UINT32_MAX: nothing.  client_room() says whether addr may be one more
 * recipient beside those it was asked of with this room before (zero at
 * first), by their number and by their domains.
 */
struct client_room {
	uint32_t n, n_domain;
	const char *domain[CLIENT_DOMAINS]; /* borrowed of the addresses */
};
uint32_t client_rcpt_max(const struct client *c);
uint32_t client_mail_max(const struct client *c);
bool client_room(const struct client *c, struct client_room *room,
    const char *addr);

/* Content with these facts (CONTENT_*) has to be made 7-bit for this server
 * (RFC 6152 3); asked when it is ready, before client_mail(). */
bool client_needs_7bit(const struct client *c, uint32_t content_facts);

/* It is ready, and has no unread input that nobody asked for. */
bool client_usable(const struct client *c);

/* The content is on its way: to end now may make a duplicate. */
bool client_in_content(const struct client *c);

/* Says QUIT; owner->lost tells when it is time to free it. */
void client_quit(struct client *c);

#endif
