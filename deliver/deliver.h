/*
 * What the deliver process holds.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include <sys/queue.h>

#include "dkim.h"
#include "dns.h"
#include "pool.h"
#include "proc.h"
#include "report.h"
#include "tls.h"

#define JOBS_WANTED 100 /* jobs at a time, by credit, at most */
#define JOBS_MAX    400 /* ... and no more than this, whoever miscounts */

TAILQ_HEAD(jobs, job);
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
	struct jobs jobs;
	unsigned int n_jobs, max_jobs; /* max: by our descriptors */
	struct explains explains;      /* routes that smtpctl asks about */
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
