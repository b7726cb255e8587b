/*
 * One message for one route: from job_take to job_end.
 *
 *	taking      its recipients are being told
 *	preparing   its content is summed, and digested for DKIM or ARC
 *	signing     keys is asked
 *	finding     lookup and the DNS are asked for hosts and names
 *	talking     a server is connected, or being tried
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_JOB_H
#define DELIVER_JOB_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include <xxhash.h>

#include "arena.h"
#include "client.h"
#include "deliver.h"
#include "dkim.h"
#include "helo.h"
#include "ipc.h"
#include "mx.h"
#include "policy.h"
#include "relay.h"

#define JOB_PIECE   32768        /* bytes read at once */
#define JOB_TURN    (256 * 1024) /* bytes prepared before others' turn */
#define JOB_SIGN_MS 10000        /* keys may take so long */

enum job_state {
	JOB_TAKING,
	JOB_PREPARING,
	JOB_SIGNING,
	JOB_FINDING,
	JOB_TALKING
};

/* Where a recipient stands. */
enum job_rcpt_state {
	RCPT_OPEN,  /* nothing known */
	RCPT_TAKEN, /* by the server, in this transaction */
	RCPT_AGAIN, /* too many for this transaction */
	RCPT_ENDED  /* its result was said */
};

struct job_rcpt_row {
	const char *addr, *orcpt;
	uint8_t notify;
	uint32_t n; /* its number in the message */
	enum job_rcpt_state state;
};

struct job {
	TAILQ_ENTRY(job) entry;
	LIST_ENTRY(job) mate; /* of its number's bucket */
	struct deliver *d;
	struct job_take take;
	enum job_state state;
	int fd;
	struct arena arena;
	struct job_rcpt_row *rcpt;
	uint32_t n_rcpt;
	struct timer soon;

	/* preparing, signing (job_prepare.c, job_sign.c) */
	XXH3_state_t *sum;
	uint64_t done; /* bytes of content and trace */
	bool signs;    /* dkim is in use */
	struct dkim_sign dkim;
	struct job_sign {
		struct job *job;
		unsigned int i;
		struct ipc_req req;
	} sign[DKIM_SIGS];
	unsigned int n_signing; /* answers that are due */
	void (*signed_fn)(struct job *j, const char *field);
	struct job_seal *seal; /* NULL: it is not being sealed */
	const char *field;     /* DKIM-Signature, or a set of ARC, or "" */
	bool signed_now;
	struct job_7bit *seven; /* NULL: goes out as it is */

	/* finding (job_walk.c): hosts of the route, addresses of each */
	struct mx_route route;
	const char *sender; /* as this relay is told it */
	uint32_t messages;  /* on one connection, at most */
	uint8_t inet;       /* 4 or 6: connect by that alone */
	struct relay_wait relay;
	const struct mx_route *host;    /* the route itself, or its list ... */
	struct mx_route *list_host;     /* ... (room for it) ... */
	unsigned int n_host;            /* ... of so many, in that order */
	uint8_t order[2 * RELAY_HOSTS]; /* to try them: the dead once more */
	unsigned int n_order, host_at;  /* host_at counts those begun */
	struct mx_find *find;
	struct mx_list list;
	unsigned int at; /* counts the addresses begun */
	struct policy_ask policy;
	struct tls_want want;
	char want_of[HOST_MAX + 1]; /* want is about this host; empty: none */
	struct helo_wait helo;
	struct count_wait count;
	struct ipc_req sock; /* job_sock.c */
	struct client_how how;
	bool no_tls;                  /* its handshake failed: without */
	unsigned int without;         /* EXT_* that it offers, but not does */
	bool unfit;                   /* a host works, but not for this one */
	unsigned int unreached;       /* families that did not connect: bits */
	bool all_refused;             /* every host so far: 5yz, no service */
	struct outcome trouble;       /* of a host that failed ... */
	char relay_of[RELAY_MAX + 1]; /* ... which it was */
	char tls_of[TLS_TEXT_MAX + 1];

	/* talking (job_talk.c) */
	struct client *client;
	bool reused;            /* the connection has carried mail before */
	unsigned int broken;    /* connections lost in a transaction */
	msec since;             /* connecting since then */
	bool suspected;         /* it is long silent, and others know */
	struct client_rcpt *to; /* recipients of this transaction */
	uint32_t *to_row;       /* ... and their rows */
	uint32_t n_to, n_taken;
	bool later; /* somebody is to be tried again */

	/* how it gets on (want.c) */
	uint64_t mark; /* what changes with each step */
	msec marked;
	bool slow; /* it waits for others: its place is lent */
};

/* From queue.  fd is taken over. */
void job_take(struct deliver *d, const struct job_take *m, int fd);
void job_rcpt(struct deliver *d, const struct job_rcpt *m);
void job_field(struct deliver *d, const struct job_field *m);
void job_go(struct deliver *d, const struct job_go *m);

/* The state changes, here alone. */
void job_enter(struct job *j, enum job_state state);

/* One recipient's result. */
void job_say_result(struct job *j, struct job_rcpt_row *r,
    const struct outcome *o);

/* Gives all recipients that are open this outcome and ends the job, which is
 * free afterwards.  site: how the route did; flags: JOB_*. */
void job_end(struct job *j, const struct outcome *o, const struct outcome *site,
    uint32_t flags);

/* The same for trouble of our own: later, and it says nothing of the site. */
void job_end_later(struct job *j, const char *ecode, const char *why);

/* Frees a job without a word: queue takes it as lost. */
void job_drop(struct job *j);

/* Looked at each second: whether it gets on.  An address that does not connect,
 * or does not greet, in these times is down to other jobs, while this one goes
 * on waiting. */
#define JOB_DEAF_MS   10000
#define JOB_SILENT_MS 30000
void job_look(struct job *j, msec now);

/* Ending it now could make a duplicate. */
bool job_in_content(const struct job *j);

/* Queue is new: names the recipients that are in work. */
void job_hold(struct job *j);

/* job_walk.c: from the first host on. */
void job_walk(struct job *j);
/* The next address, or host. */
void job_walk_on(struct job *j);
/* The address that was tried last once more. */
void job_walk_again(struct job *j);
/* Its connection is no good, and nothing was sent: o says why. */
void job_walk_failed(struct job *j, const struct outcome *o);
/* It is good: the connection is up. */
void job_walk_good(struct job *j);
/* No host is left, or it is enough: the site does not work, or none of it
 * wants our mail. */
void job_walk_end(struct job *j);
/* Lets go of what is asked. */
void job_walk_free(struct job *j);

/* job_sock.c: by the socket of its route, which is all that there is. */
void job_sock(struct job *j);

/* job_talk.c: over a connection that is to be made, or is there (fd: without a
 * word yet, and taken over). */
void job_connect(struct job *j, const struct mx_addr *addr);
void job_adopt(struct job *j, const struct mx_addr *addr, int fd);
void job_reuse(struct job *j, struct client *c);
/* The server is not for this message, as o says; nothing was said of it. */
void job_unfit(struct job *j, const struct outcome *o);

/* job_sign.c: whether it is signed, or sealed, here. */
bool job_signs(const struct job *j);
/* Begins; takes content, in order. */
void job_sign_start(struct job *j);
void job_sign_feed(struct job *j, const uint8_t *p, size_t len);
/* That was all: fn has the field, "" if it was not begun or nothing of ours
 * speaks for it; or the job ends. */
void job_sign(struct job *j, void (*fn)(struct job *j, const char *field));
/* Forgets it, begun or not. */
void job_sign_free(struct job *j);

/* job_prepare.c: begins it; job_prepared() is called when it is done. */
void job_prepare(struct job *j);
/* Lets go of what preparing held. */
void job_prepare_free(struct job *j);
/* The message is whole, and signed where it should be. */
void job_prepared(struct job *j);

#endif
