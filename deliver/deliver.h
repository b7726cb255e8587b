/*
 * What the deliver process holds.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include <sys/queue.h>

#include "count.h"
#include "dkim.h"
#include "dns.h"
#include "helo.h"
#include "pool.h"
#include "proc.h"
#include "relay.h"
#include "report.h"
#include "seen.h"
#include "tls.h"

#define JOBS_WANTED 100  /* jobs that get on at a time, by credit, at most */
#define JOBS_MAX    2000 /* ... with those that wait for others' words */
#define JOB_BUCKETS 256  /* a power of two */

TAILQ_HEAD(jobs, job);
LIST_HEAD(job_bucket, job);
TAILQ_HEAD(groups, group);
TAILQ_HEAD(client_auths, client_auth);
TAILQ_HEAD(explains, explain);

struct deliver {
	struct proc *p;
	const struct conf *conf;
	struct dns *dns;
	struct dns_server server[DNS_SERVERS_MAX]; /* of resolv.conf */
	unsigned int n_server;
	struct tls *tls; /* NULL: OpenSSL would not */
	struct pool *pool;
	struct report *report;
	struct dkim_keys keys;
	struct relays *relays;
	struct helos *helos;
	struct seen *seen;
	struct jobs jobs;
	struct job_bucket bucket[JOB_BUCKETS]; /* by number */
	/* How much we want (want.c): max_jobs that get on, and with the n_slow
	 * that do not at most most_jobs, both by our descriptors. */
	unsigned int n_jobs, max_jobs, most_jobs, n_slow;
	unsigned int asked; /* wanted, and not yet come */
	struct timer look;
	struct counts counts;      /* connections with a limit */
	struct groups groups;      /* routes that queue asks about */
	struct client_auths auths; /* that ask lookup */
	uint64_t n_auths;          /* so far: their numbers */
	struct explains explains;  /* routes that smtpctl asks about */
	unsigned int n_explains;
	bool wanting; /* queue has been told what we want */
	bool stopping;
	bool draining;         /* wants nothing more, ends with its last job */
	struct timer patience; /* with keys at the start; looks, at the end */
	struct timer end;      /* stopping: no longer than this */
};

/* A job is gone, and its place is free. */
void deliver_job_gone(struct deliver *d);

#endif
