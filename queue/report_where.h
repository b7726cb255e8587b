/*
 * Where a domain wants its reports: out of its record in the DNS, after those
 * who shall have them have agreed (RFC 9990 3.5, 4).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_REPORT_WHERE_H
#define QUEUE_REPORT_WHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "conf_words.h"
#include "dmarc.h"
#include "slice.h"
#include "smtpctl_asker.h"

struct report_dest {
	char addr[ADDR_MAX + 1]; /* the domain in lower case */
	uint64_t limit;          /* bytes of a message; 0: none */
};

enum report_found {
	REPORT_LATER, /* the DNS cannot say now */
	REPORT_NOBODY,
	REPORT_SOMEBODY
};

struct report_where {
	unsigned int n;
	struct report_dest dest[DMARC_RUA_MAX];
	char why[256]; /* for people: what is not used, and why; "" */
};

/* Asks, and waits for the answers. */
enum report_found report_where_find(struct asker *a,
    enum conf_dmarc_rules rules, const char *domain, struct report_where *w);

#endif
