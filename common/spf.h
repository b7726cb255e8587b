/*
 * SPF (RFC 7208): may this address send as that domain?  Asks the DNS by
 * dns.h and never waits otherwise; one check is one object.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SPF_H
#define COMMON_SPF_H

#include <stdbool.h>
#include <stdint.h>

#include "auth_result.h"
#include "bounds.h"
#include "dns.h"
#include "loop.h"

#define SPF_LOOKUPS_MAX 10    /* RFC 7208 4.6.4 */
#define SPF_VOID_MAX    2     /* likewise */
#define SPF_NAMES_MAX   10    /* MX and PTR names of one term, likewise */
#define SPF_TIME_MS     20000 /* RFC 7208 4.6.4: all of it, 20 s at least */
#define SPF_NAMES_MS    5000  /* of it: names of the client (5.5) */
#define SPF_EXP_MAX     511   /* bytes of an explanation */
#define SPF_TEXT_MAX    65535 /* bytes of the records at work, together */

/* The texts stay until the check is over. */
struct spf_query {
	const char *client; /* an address, as inet_ntop(3) prints it */
	const char *helo;   /* as it was said, "" if never */
	const char *sender; /* of MAIL, "" for the null sender */
	const char *ours;   /* our name, for the macro "r" */
	bool of_helo;       /* the HELO identity is checked, not MAIL FROM */
};

struct spf_answer {
	enum auth_result result; /* none neutral pass fail softfail temperror
				  * permerror */
	char domain[DOMAIN_MAX + 1]; /* that was checked, A-labels */
	/* "user@domain", "postmaster@helo"; without control signs */
	char identity[ADDR_MAX + 1];
	char mechanism[256]; /* that matched, as it is written; "" */
	char why[256];       /* a reason for people, printable, never empty */
	char exp[SPF_EXP_MAX + 1];   /* of `exp=`, printable; "" */
	unsigned int lookups, voids; /* that it took */
};

struct spf_check;

/* fn is called once, from the loop or at once, unless spf_cancel() comes
 * before; answer lives until it returns.  Returns NULL if fn was called. */
typedef void spf_fn(void *arg, const struct spf_answer *answer);
struct spf_check *spf_start(struct loop *l, struct dns *d,
    const struct spf_query *q, spf_fn *fn, void *arg);
void spf_cancel(struct spf_check **c);

#endif
