/*
 * What the files of ARC share: the fields of a chain, and what a seal covers
 * of them.  Included by arc_*.c alone.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_ARC_PARTS_H
#define COMMON_ARC_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "arc.h"
#include "mail_read.h"
#include "slice.h"

struct evp_md_ctx_st;

/* The fields of a set, in the order in which a seal covers them (RFC 8617
 * 5.1.1). */
enum arc_kind { ARC_RESULTS, ARC_SIGNATURE, ARC_SEALED, ARC_KINDS };

/* Slices without a pointer: that field is missing. */
struct arc_set {
	struct slice field[ARC_KINDS]; /* all of it */
	struct slice value[ARC_KINDS]; /* ARC_RESULTS: behind "i=N;" */
	const char *cv;                /* of the seal: a constant; NULL: none */
};

/* What there is of ARC in a header section. */
struct arc_chain {
	bool any;         /* there is a field of ARC */
	unsigned int n;   /* the highest instance that a field says */
	bool sealed_fail; /* the newest seal says cv=fail */
	const char *why;  /* it is no whole chain; NULL: sets 1 to n are */
	struct arc_set set[ARC_SETS_MAX]; /* instance i in row i - 1 */
};

/* RFC 8617 5.2, steps 1 to 3.  m has its header section. */
void arc_collect(struct arc_chain *c, const struct mail_read *m);

/*
 * "i=N;" in front of ARC-Authentication-Results (RFC 8617 4.1.1), with
 * comments where they may be; steps over it.  NULL, or why not.
 */
const char *arc_results_instance(struct slice *value, unsigned int *i);

/* ---- what a seal covers: relaxed header fields (RFC 8617 4.1.3) ---- */

struct evp_md_ctx_st *arc_hash_new(void);
/* Adds a field, with its CRLF. */
void arc_hash_field(struct evp_md_ctx_st *md, struct slice field);
/* Of what was added and the seal itself without its b= value: the digest that
 * is signed.  More can be added to md afterwards. */
void arc_hash_seal(const struct evp_md_ctx_st *md, struct slice seal,
    struct slice value_b, uint8_t digest[32]);

#endif
