/*
 * The Sender Rewriting Scheme: senders of mail that is sent on, as addresses
 * of ours, and back.
 *
 *   SRS0=HHHH=TT=example.org=ann@our.example
 *       for ann@example.org, whose mail was sent on from our.example
 *   SRS1=HHHH=first.example==HHHH=TT=example.org=ann@our.example
 *       for SRS0=HHHH=TT=example.org=ann@first.example: the host that made
 *       that is told, and no address grows with each host on the way
 *
 * HHHH: 20 bits of HMAC-SHA256 over all that follows, our domain included, in
 * base32; TT: the day, modulo 1024, likewise.  Case does not matter, since
 * local parts are put into lower case on the way.  In the local parts of
 * others '+' or '-' may stand behind the tag.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_SRS_H
#define SMTPD_LOOKUP_SRS_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "conf.h"

/* What is needed for it. */
struct srs {
	const char *key;    /* NULL: there is none, so nothing is of it */
	const char *backup; /* good for what was made before; NULL: none */
	uint32_t days;      /* an address is good for so many */
	int64_t now;        /* seconds since 1970 */
};

/* As the configuration has it. */
struct srs srs_of(const struct conf *c, int64_t now);

/*
 * What is said for sender, which is not null, where mail is sent on from an
 * address of domain (as DNS has it).  NULL, or why it stays as it is; out is
 * then empty.
 */
const char *srs_encode(const struct srs *s, const char *sender,
    const char *domain, char out[ADDR_MAX + 1]);

enum srs_answer {
	SRS_DOUBT, /* it could not be checked */
	SRS_NONE,  /* not such an address */
	SRS_BAD,   /* one that was not made here */
	SRS_OLD,   /* one that was, too long ago; out is set */
	SRS_GOOD   /* out is set */
};

/* The sender that addr (as node_address() has it) was made for, in the same
 * form. */
enum srs_answer srs_decode(const struct srs *s, const char *addr,
    char out[ADDR_MAX + 1]);

#endif
