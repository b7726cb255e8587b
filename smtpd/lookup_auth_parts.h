/*
 * What lookup_auth.c shares with the mechanisms: a question while it is being
 * answered, and the ways to answer it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_AUTH_PARTS_H
#define SMTPD_LOOKUP_AUTH_PARTS_H

#include <bsd/sys/queue.h>

#include "buf.h"
#include "lookup_auth.h"
#include "lookup_auth_pam.h"
#include "lookup_auth_secret.h"
#include "lookup_work.h"
#include "scram.h"

struct auth;
struct jwks;

/* A message of a client, put together. */
struct auth_part {
	TAILQ_ENTRY(auth_part) entry;
	struct auths *all;
	struct ipc_chan *from;
	uint64_t auth;
	struct timer deadline;
	bool broken; /* a piece of it made no sense */
	size_t len;
	uint8_t bytes[AUTH_MESSAGE_MAX + 1]; /* and a NUL */
};

TAILQ_HEAD(auth_part_list, auth_part);
TAILQ_HEAD(auth_list, auth);

/* What is known of a table beside what it holds. */
struct auth_row {
	/* A program's: a secret that it showed, as secrets.sample. */
	char sample[SECRET_MAX + 1];
	bool said_bad, said_weak; /* in the log, since it changed */
};

struct auths {
	const struct conf *conf;
	struct tables *tables;
	struct loop *loop;
	struct workers *workers;
	struct auth_row *rows; /* by row of conf.table */
	struct jwks **keys;    /* by row of conf.oauth */
	struct ipc_chan *sessions[PROC_MAX];
	struct auth_part_list parts;
	unsigned int n_parts;
	struct auth_list open;
	unsigned int n_open;
	struct pams pams;
	uint8_t secret[32]; /* of this process: salts of nobody */
	char setting[256];  /* for crypt(3), where no table shows one */
	msec patience;      /* AUTH_MSEC but in tests */
	int64_t now;        /* 0 but in tests: the time */
};

/* A question. */
struct auth {
	TAILQ_ENTRY(auth) entry;
	struct auths *all;
	struct ipc_chan *from; /* NULL: nobody waits any more */
	uint64_t id;
	struct auth_ask ask;
	const struct conf_listen *listen;
	struct auth_part *part; /* the client's message; NULL: none */
	struct auth_is is;
	struct timer deadline;

	/* a table is asked */
	struct table_req req;
	struct buf value;
	void (*found)(struct auth *a, const char *secret);

	/* a thread works; what it needs and finds is below */
	struct work work;
	bool working;
	void (*run)(struct auth *a);
	void (*ran)(struct auth *a);
	bool known; /* the user is one, else secret is of another */
	char secret[SECRET_MAX + 1];
	const char *password; /* in part */
	struct pam_check pam;
	enum verdict verdict;
	struct scram_secret scram;
	uint8_t signature[SCRAM_KEY];
	char name[ADDR_MAX + 1];
	char why[160]; /* for the log */
};

/* The client's message; no bytes where there is none. */
static inline struct slice
auth_message(const struct auth *a)
{
	if (a->part == NULL)
		return (struct slice){ "", 0 };
	return (struct slice){ (const char *)a->part->bytes, a->part->len };
}

/* ---- the last call of a step: one of these ---- */

/* It is user. */
void auth_passed(struct auth *a, const char *user);
/* It is not; user: who it said, may be empty. */
void auth_failed(struct auth *a, const char *user);
/* Likewise; the client is told why in the mechanism's own words first. */
void auth_failed_saying(struct auth *a, const char *user, const char *words);
/* Nobody knows. */
void auth_later(struct auth *a);
/* A challenge of len bytes, after which `before` is n_before bytes. */
void auth_challenge(struct auth *a, const void *p, size_t len,
    const void *before, size_t n_before);
/* Asks the table of the listener for a user's secret; found gets it, NULL:
 * there is no such user (or his secret fits nothing).  a->secret is then that
 * of another. */
void auth_credentials(struct auth *a, const char *user,
    void (*found)(struct auth *a, const char *secret));
/* Calls run in a thread, which touches a alone; then ran in the loop. */
void auth_work(struct auth *a, void (*run)(struct auth *a),
    void (*ran)(struct auth *a));

/* What the back end of a listener can check: bits 1 << SASL_*. */
uint32_t auths_mechs(const struct auths *as, const struct conf_listen *l);

/* Hashes that are soon guessed are said in the log, once for each table. */
void auths_warn_weak(struct auths *as);

/* The listener has a table of users; else they are the system's. */
bool auth_has_table(const struct auth *a);

/* Seconds since 1970. */
int64_t auth_now(const struct auth *a);

#endif
