/*
 * Reports to the domains of authors, as the queue keeps and sends them.  A
 * part of queue.h.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_REPORT_DAY_H
#define QUEUE_REPORT_DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc.h"
#include "program_log.h"

struct queue;
struct report_store;

/* What smtpctl reads in facts/ of who reports: the configuration's words.
 * Columns: enum, name. */
#define REPORT_FACTS(X)                                                        \
	X(FROM, "report-from")                                                 \
	X(ORG, "report-org")                                                   \
	X(CONTACT, "report-contact")                                           \
	X(HOST, "report-host")                                                 \
	X(RESOLVER, "report-resolver") /* as SMTPCTL_RESOLVER has it; "" */    \
	X(RULES, "report-rules")       /* of `dmarc rules` */

enum report_fact {
#define X(name, word) REPORT_##name,
	REPORT_FACTS(X)
#undef X
	    REPORT_FACTS_N
};

extern const char *const report_facts[REPORT_FACTS_N];

#define REPORT_FACT_MAX 511 /* bytes of one; a longer one is cut */

/* When the reports of this day may be sent: some time after it, not at the same
 * time as all others.  host: our name. */
int64_t report_due(uint32_t day, const char *host);

struct reports {
	struct report_store *store; /* NULL: none are kept */
	struct timer timer;
	struct ipc_req ask; /* of spawn: sends them */
	struct program_log says;
	uint32_t asked, done; /* days: sent up to them; 0: not yet */
	uint64_t lost;        /* notes that nothing was made of */
	bool said_lost;       /* not again */
};

/* Only where the configuration says so. */
void report_start(struct queue *qu);
void report_stop(struct queue *qu);

/* smtpctl has dealt with this domain's of that day, in so many mails.  False:
 * not now. */
bool report_dealt(struct queue *qu, uint32_t day, const char *domain,
    uint64_t mails);

ipc_handler report_on_note, report_on_says;

#endif
