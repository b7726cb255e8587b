/*
 * What smtpctl asks of who holds the mail and of the parent, through control.
 * A part of ipc_table.h, which has the table.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_CONTROL_H
#define COMMON_IPC_CONTROL_H

#include <stdint.h>

#include "bounds.h"
#include "facts.h"
#include "verdict.h"

/* ---- smtpctl, control, queue, parent ---- */

enum ctl_verb {
	CTL_NONE,
	CTL_FLUSH,   /* due now */
	CTL_REQUEUE, /* as if new: attempts and next try forgotten, due now */
	CTL_HOLD,
	CTL_RELEASE,
	CTL_REMOVE,
	CTL_PAUSE, /* no new deliveries; survives a restart */
	CTL_RESUME,
	CTL_REBUILD, /* the index, from the files */
	CTL_STOP,
	CTL_STATUS,
	/* Reports of day n to domain text are sent, or nobody wants them. */
	CTL_REPORTED
};
enum ctl_by {
	CTL_BY_NONE,
	CTL_BY_ALL,
	CTL_BY_ID,
	CTL_BY_DOMAIN,
	CTL_BY_SENDER,
	CTL_BY_RCPT,
	CTL_BY_ROUTE
};

struct ctl_ask {
	uint32_t verb; /* enum ctl_verb */
	uint32_t by;   /* enum ctl_by */
	uint32_t n;    /* CTL_BY_ID: one recipient, CONF_NONE: all */
	uint64_t id;
	char text[ROUTE_MAX + 1]; /* domain, address or route */
};
struct ctl_is {
	struct outcome outcome; /* DONE: done, and durable where it must be */
	uint64_t matched;       /* recipients */
	uint64_t changed;
	/* Being tried now: not tried again, or as asked after. */
	uint64_t in_flight;
};
/* Control to parent: stop everything. */
struct ctl_stop {
	uint32_t unused;
};
/* Control to parent. */
enum parent_verb {
	PARENT_NONE,
	PARENT_RELOAD, /* the configuration, a new generation of processes */
	PARENT_UPDATE, /* read table `text` anew, empty: all of them */
	PARENT_STATUS,
	PARENT_WHY /* the lines of the last failure, from byte `from` on */
};
struct parent_ask {
	uint32_t verb;
	uint32_t from;
	char text[ROUTE_MAX + 1];
};
struct parent_is {
	struct outcome outcome;
	uint32_t generation; /* the one at work now */
	int64_t loaded;      /* since when, seconds since 1970 */
	uint32_t draining;   /* processes of older ones with sessions or jobs */
	uint32_t size;       /* bytes of all lines */
	char text[3072];     /* lines: what is wrong with the file */
};

/* ---- smtpctl explain ---- */

/* What would become of this recipient?  Lookup answers for rule, expansion,
 * action and route, by the same code as rcpt_ask and route_ask. */
struct explain_ask {
	struct facts facts;
	uint32_t page; /* 0 first */
	uint32_t port; /* of the listener it came to; 0: nobody said */
	char sender[ADDR_MAX + 1];
	char rcpt[ADDR_MAX + 1];
};
/* Deliver, for a route that lookup named: hosts in order, TLS, signing key;
 * queue, for the same: limits, retry. */
struct explain_route {
	uint32_t action;
	uint32_t flags; /* ROUTE_* */
	uint32_t page;
	char route[ROUTE_MAX + 1];
	char sender[ADDR_MAX + 1];
	char rcpt[ADDR_MAX + 1];
};
/* text: lines of "STEP<tab>WHERE<tab>TEXT"; smtpctl_explain.c lists the steps.
 * WHERE: the line of the configuration that decided, or empty. */
struct explain_is {
	struct outcome outcome;
	uint32_t next; /* page; 0: this was the last */
	char text[3072];
};
struct hosts_ask {
	struct explain_route about;
};
struct hosts_is {
	struct explain_is is;
};
struct limits_ask {
	struct explain_route about;
};
struct limits_is {
	struct explain_is is;
};

#endif
