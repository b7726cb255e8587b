/*
 * DMARC (RFC 9989; RFC 7489 as an option): what the domain of the author asks
 * for, and whether the message is its own.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DMARC_H
#define COMMON_DMARC_H

#include <stdbool.h>
#include <stdint.h>

#include "auth_result.h"
#include "bounds.h"
#include "conf_words.h"
#include "dns.h"
#include "loop.h"
#include "slice.h"

/* p=, sp=, np=, and what is to be done. */
enum dmarc_policy {
	DMARC_P_UNSAID,
	DMARC_P_NONE,
	DMARC_P_QUARANTINE,
	DMARC_P_REJECT
};

#define DMARC_RUA_MAX  8   /* addresses of rua= that are kept */
#define DMARC_URI_MAX  255 /* bytes of one */
#define DMARC_DKIM_MAX 8   /* passing signatures that count */

/* A record (RFC 9989 4.7). */
struct dmarc_record {
	uint8_t p, sp, np; /* enum dmarc_policy; UNSAID: not there */
	bool adkim_strict, aspf_strict;
	char psd;     /* 'y', 'n', 'u' */
	bool testing; /* t=y */
	uint32_t pct; /* RFC 7489; 100 */
	char fo[8];   /* as it is; "" */
	unsigned int n_rua;
	char rua[DMARC_RUA_MAX][DMARC_URI_MAX + 1]; /* "mailto:..." */
	uint64_t rua_size[DMARC_RUA_MAX]; /* bytes at most; 0: not said */
};

/* Whether the text of a TXT record says that it is one of DMARC: "v=DMARC1"
 * is its first tag. */
bool dmarc_record_is(struct slice text);

/* The text of one TXT record.  NULL: *r is a record.  Else why it is none
 * (another text; or syntax, which makes no record of it).  rules: enum
 * conf_dmarc_rules. */
const char *dmarc_record_parse(struct slice text, enum conf_dmarc_rules rules,
    struct dmarc_record *r);

/* The texts stay until the check is over. */
struct dmarc_query {
	enum conf_dmarc_rules rules;
	const char *author; /* domain, A-labels, lower case */
	enum auth_result spf;
	const char *spf_domain; /* of MAIL FROM, or HELO for the null sender */
	/* d= of n_dkim signatures that passed, and then of n_later that were
	 * RES_TEMPERROR: while one of these would be aligned, the message has
	 * not failed (RFC 9989 5.3).  DMARC_DKIM_MAX in all. */
	unsigned int n_dkim, n_later;
	const char *dkim[DMARC_DKIM_MAX];
	uint32_t roll; /* 0 to 99: by chance, for pct (RFC 7489 6.6.4) */
};

struct dmarc_answer {
	enum auth_result result; /* none pass fail temperror permerror */
	char why[128];           /* for people, printable; "" */
	/* What the domain asks for if it fails, after t= (or pct) is heard:
	 * DMARC_P_NONE also where it passes. */
	enum dmarc_policy disposition;
	/* RES_TEMPERROR: the most that it may turn out to be.  REJECT where the
	 * record is not known, NONE where the message would pass by any; of
	 * another result it is the disposition. */
	enum dmarc_policy at_worst;
	enum dmarc_policy policy;           /* that applies, as published */
	char policy_domain[DOMAIN_MAX + 1]; /* whose record it is; "" none */
	/* of the author; "" where it made no difference */
	char organization[DOMAIN_MAX + 1];
	bool spf_aligned, dkim_aligned;
	bool exists; /* the author domain, as far as it was asked */
	struct dmarc_record record;
};

struct dmarc_check;
typedef void dmarc_fn(void *arg, const struct dmarc_answer *answer);

#define DMARC_TIME_MS 20000 /* for one check, all of it */

/* As spf_start().  q and its texts stay until the check is over.  What the DNS
 * cannot say now is RES_TEMPERROR, but where it makes no difference. */
struct dmarc_check *dmarc_start(struct loop *l, struct dns *d,
    const struct dmarc_query *q, dmarc_fn *fn, void *arg);
void dmarc_cancel(struct dmarc_check **c);

/* What is known without the DNS: RES_TEMPERROR, and at_worst. */
void dmarc_unknown(const struct dmarc_query *q, struct dmarc_answer *a);

/* RFC 7489 3.2, by libpsl: reads its list, before the jail.  False: there is
 * none, and rfc7489 cannot be had. */
bool dmarc_psl_load(void);
void dmarc_psl_free(void);
/* The Organizational Domain by that list, within domain; NULL: no list. */
const char *dmarc_psl_organization(const char *domain);

const char *dmarc_policy_word(enum dmarc_policy p);

#endif
