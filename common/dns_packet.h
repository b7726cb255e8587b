/*
 * DNS packets (RFC 1035, 2181, 2308, 6891): questions built, answers judged
 * and read.  Packets are built and read by ldns; id, direction, question and
 * truncation are checked in the raw header before ldns sees a byte.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DNS_PACKET_H
#define COMMON_DNS_PACKET_H

#include <netinet/in.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "slice.h"

#define DNS_UDP_SIZE  1232  /* EDNS: fits a packet nobody fragments */
#define DNS_TCP_MAX   65535 /* bytes of an answer over TCP */
#define DNS_QUERY_MAX 512
#define DNS_NAME_MAX                                                           \
	253 /* of a name as text (RFC 1035 2.3.4: 255 on the wire) */
#define DNS_RR_MAX    32  /* records of an answer that are kept; MX: the best */
#define DNS_MANY_MAX  256 /* the same of TXT, and of questions about any name */
#define DNS_CNAME_MAX 8   /* links of a chain that are followed */

enum dns_type {
	DNS_A = 1,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28
};

struct dns_question {
	uint16_t type;           /* enum dns_type */
	bool any;                /* names, also in its answer, of any bytes */
	char name[HOST_MAX + 1]; /* ASCII in lower case */
};

/* Doubt is later: only the middle three come from a server's clear word. */
enum dns_status {
	DNS_LATER, /* nobody knows now; why says what went wrong */
	DNS_FOUND,
	DNS_NODATA,   /* the name exists, without such records */
	DNS_NXDOMAIN, /* there is no such name */
	DNS_ALIAS     /* a CNAME leads to rr[0].name: to be asked next */
};

struct dns_rr {
	uint16_t pref; /* MX */
	union {
		struct in_addr a;
		struct in6_addr aaaa;
		char name[HOST_MAX + 1]; /* MX ("": null MX), PTR */
		struct {
			uint32_t at, len; /* TXT: for dns_text() */
		} text;
	};
};

struct dns_answer {
	enum dns_status status;
	uint32_t ttl;    /* seconds; 0: not to be kept */
	const char *why; /* a constant text; DNS_LATER */
	unsigned int n;
	unsigned int more; /* records beyond those, which were not kept */
	uint32_t texts;    /* bytes of TXT, behind the records */
	struct dns_rr rr[];
};

/* Bytes of memory that it takes. */
size_t dns_answer_size(const struct dns_answer *a);

/* The strings of TXT record i, joined without a blank between them (RFC 7208
 * 3.3, RFC 6376 3.6.2.2); any bytes, also NUL.  In the answer's memory. */
struct slice dns_text(const struct dns_answer *a, unsigned int i);

/* What a packet is good for. */
enum dns_read {
	DNS_NOT_OURS, /* another id or question, or no answer: go on waiting */
	DNS_CUT,      /* truncated: ask again over TCP */
	DNS_PLAIN,    /* the server knows no EDNS: ask again without */
	DNS_FAILED,   /* this server cannot say: ask another */
	DNS_READ      /* *answer is set */
};

/*
 * Fills q.  NULL, or why name is no name to ask for: a constant text.  name:
 * letters, digits, '-', '_', and dots between labels.
 */
const char *dns_question_set(struct dns_question *q, const char *name,
    enum dns_type type);

/* The same for a name whose labels may have any bytes but dots and NUL, as
 * macros of SPF make them.  So may the names of MX and PTR in the answer. */
const char *dns_question_any(struct dns_question *q, const char *name,
    enum dns_type type);

/*
 * Writes the query for q into out (DNS_QUERY_MAX bytes).  Returns its length,
 * 0 if ldns refuses the name.
 */
size_t dns_packet_build(const struct dns_question *q, uint16_t id, bool edns,
    uint8_t *out);

/*
 * Reads what came in answer to query (as dns_packet_build() made it, with q).
 * DNS_READ: *answer is allocated, the caller frees it.  Else *why is a
 * constant text.
 */
enum dns_read dns_packet_read(const uint8_t *in, size_t len,
    const uint8_t *query, size_t query_len, const struct dns_question *q,
    struct dns_answer **answer, const char **why);

#endif
