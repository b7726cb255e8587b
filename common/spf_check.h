/*
 * A check of SPF at work: what the files of spf.h share.
 *
 *	spf.c        the identity, records, the end
 *	spf_term.c   the terms of a record, one after the other
 *	spf_names.c  names of the client, target-names, the explanation
 *	spf_parse.c  the grammar of records
 *	spf_macro.c  macros
 *
 * Each function below that may end the check says so: c is gone then.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SPF_CHECK_H
#define COMMON_SPF_CHECK_H

#include <netinet/in.h>

#include "spf.h"
#include "spf_macro.h"
#include "spf_parse.h"

/* Each include costs a lookup, and so they end. */
#define SPF_FRAMES_MAX (SPF_LOOKUPS_MAX + 1)

enum { SPF_IP_BYTES = 16, SPF_NIBBLES_TEXT = 64, SPF_PLAIN_SIZE = 101 };

/* A record at work: that of the identity, and those that were included. */
struct spf_frame {
	char domain[DNS_NAME_MAX + 1];
	char *text;
	size_t len;
	struct spf_record record;
	struct slice rest;    /* terms to come */
	struct spf_term term; /* at work */
	bool redirected;      /* another record led to it */
};

/* Hosts whose addresses are asked for, of MX or PTR, one after the other. */
struct spf_hosts {
	char name[SPF_NAMES_MAX][DNS_NAME_MAX + 1];
	unsigned int n, at;
};

struct spf_check {
	struct loop *loop;
	struct dns *dns;
	spf_fn *fn;
	void *arg;
	struct dns_ask ask;
	struct timer deadline;
	struct spf_answer a;
	/* The client. */
	int family;
	uint8_t ip[SPF_IP_BYTES];
	char ip_text[INET6_ADDRSTRLEN];
	char ip_dots[SPF_NIBBLES_TEXT]; /* as the macro "i" has it */
	/* The sender. */
	char local[ADDR_MAX + 1], domain[DOMAIN_MAX + 1];
	bool local_ascii;
	const char *helo, *ours;
	char now[24];
	/* Records. */
	struct spf_frame frame[SPF_FRAMES_MAX];
	unsigned int depth;
	size_t held;  /* bytes of their texts */
	bool is_void; /* the term at work asked for what is not there */
	struct spf_hosts hosts;
	/* Names of the client that lead back to it (RFC 7208 5.5). */
	bool names_known;
	struct spf_hosts names;
	struct timer names_time;
	void (*then)(struct spf_check *c);
	/* The result is FAIL, and only the explanation is missing. */
	bool explaining;
	char *explanation;
};

static inline struct spf_frame *
spf_top(struct spf_check *c)
{
	return &c->frame[c->depth];
}

static inline bool
spf_is_v4(const struct spf_check *c)
{
	return c->family == AF_INET;
}

/* The type of record that an address of the client's family has. */
static inline enum dns_type
spf_address_type(const struct spf_check *c)
{
	return spf_is_v4(c) ? DNS_A : DNS_AAAA;
}

static inline bool
spf_is_nothing(const struct dns_answer *a)
{
	return a->status == DNS_NODATA || a->status == DNS_NXDOMAIN;
}

/* ---- spf.c ---- */

/* The end: why is set in c->a. */
void spf_finish(struct spf_check *c, enum auth_result result);
/* The end, because of a record; term: what is wrong in it, may be empty. */
void spf_permerror(struct spf_check *c, const char *why, struct slice term);
/* The end: the DNS does not say what was asked last. */
void spf_temperror(struct spf_check *c, const struct dns_answer *a);

/* A name, which may have any bytes, as people may see it; cut.  Returns out. */
const char *spf_plain(const char *name, char out[SPF_PLAIN_SIZE]);

/* Asks for the record of domain, for the frame on top, and runs it.  May end
 * the check. */
void spf_fetch(struct spf_check *c, const char *domain);
/* Nothing is left of a record. */
void spf_frame_clear(struct spf_check *c, struct spf_frame *f);

/* ---- spf_term.c ---- */

/* The terms of the record on top that are to come.  May end the check. */
void spf_run(struct spf_check *c);
/* The term at work asked for what is not there.  False: one too many, and the
 * check is over. */
bool spf_count_void(struct spf_check *c);

/* ---- spf_names.c ---- */

/* One of the addresses is in the client's network of so many bits. */
bool spf_has_client(const struct spf_check *c, const struct dns_answer *a,
    unsigned int bits4, unsigned int bits6);
bool spf_same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits);

/* Puts the names of an answer in h, as many as may be asked for. */
void spf_take_hosts(struct spf_hosts *h, const struct dns_answer *a);

/* Looks for the names of the client, then calls then(). */
void spf_names_look(struct spf_check *c, void (*then)(struct spf_check *c));
/* The term has the macro "p", for which they must be known. */
bool spf_needs_names(const struct spf_term *t);

/* The target-name of a term (RFC 7208 4.8). */
enum spf_target {
	SPF_TARGET_GOOD,
	SPF_TARGET_BAD,  /* there can be no such name */
	SPF_TARGET_NEVER /* RFC 8616 4: the term matches nothing */
};
enum spf_target spf_target(struct spf_check *c, const struct spf_term *t,
    char out[DNS_NAME_MAX + 1]);

/* Asks for the explanation, and ends the check with RES_FAIL. */
void spf_explain(struct spf_check *c);

#endif
