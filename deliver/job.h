/*
 * One message for one route: from job_take to job_end.
 *
 *	taking      its recipients are being told
 *	preparing   its content is summed, and digested for DKIM
 *	signing     keys is asked
 *	finding     the DNS is asked
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
#include "ipc.h"
#include "mx.h"

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
	struct deliver *d;
	struct job_take take;
	enum job_state state;
	int fd;
	struct arena arena;
	struct job_rcpt_row *rcpt;
	uint32_t n_rcpt;
	struct timer soon;

	/* preparing, signing (job_prepare.c) */
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
	const char *field;      /* DKIM-Signature, or "" */
	bool signed_now;

	/* finding, talking (job.c) */
	struct mx_route route;
	const char *sender; /* as this relay is told it */
	uint32_t messages;  /* on one connection, at most */
	struct mx_find *find;
	struct mx_list list;
	unsigned int at;           /* the address being tried */
	bool no_tls;               /* its handshake failed: without */
	bool reused;               /* the connection has carried mail before */
	unsigned int broken;       /* connections lost in a transaction */
	bool all_refused;          /* every host so far: 5yz, no service */
	struct outcome trouble;    /* of the last host that failed ... */
	char relay[RELAY_MAX + 1]; /* ... and which it was */
	struct client *client;
	struct client_rcpt *to; /* recipients of this transaction */
	uint32_t *to_row;       /* ... and their rows */
	uint32_t n_to, n_taken;
	bool later; /* somebody is to be tried again */
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

/* Ending it now could make a duplicate. */
bool job_in_content(const struct job *j);

/* Queue is new: names the recipients that are in work. */
void job_hold(struct job *j);

/* job_prepare.c: begins it; job_prepared() is called when it is done. */
void job_prepare(struct job *j);
/* Lets go of what preparing held. */
void job_prepare_free(struct job *j);
/* The message is whole, and signed where it should be. */
void job_prepared(struct job *j);

#endif
