/*
 * All that is found about who sent a message, while it is read once: DKIM and
 * ARC here; SPF and DMARC are asked of whoever may ask the DNS.  Session and
 * smtpctl are the two who use it, so both find the same.
 *
 *	verify_new()
 *	verify_feed() with the content, as it came
 *	v->known: keys may be asked for now: for i below verify_keys(),
 *		verify_wants(v, i), verify_key(v, i, ...)
 *	verify_end()              the content is at its end: now it is known
 *	verify_step() until false when all keys are there (or given up)
 *	v->spf, v->has_spf ...    set by the caller
 *	verify_dmarc(v, &query)   what to ask for
 *	verify_dmarc_is(v, ...)   what was answered
 *	verify_say(v, &say)       for auth_field.h
 *	verify_free()
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_VERIFY_H
#define COMMON_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "arc.h"
#include "auth_field.h"
#include "author.h"
#include "dkim_verify.h"
#include "dmarc.h"
#include "mail_read.h"
#include "spf.h"

struct verify_question;

struct verify {
	struct mail_read m;
	struct dkim_verify dkim;
	struct arc *arc;
	int64_t now;
	bool known; /* the header section was read, dkim and arc have begun */
	enum author_is author_is;
	unsigned int from_fields;
	char author[DOMAIN_MAX + 1];
	/* By the caller: */
	bool has_spf, has_helo, has_dmarc;
	struct spf_answer spf, helo;
	struct dmarc_answer dmarc;
	/* private: names of key records, and who wants each */
	struct verify_question *question;
	unsigned int n_question;
	unsigned int next; /* signature that is not yet verified */
};

/* max: bytes of the header section. */
struct verify *verify_new(size_t max, int64_t now);
void verify_free(struct verify **v);
void verify_feed(struct verify *v, const uint8_t *p, size_t len);
void verify_end(struct verify *v);

/* Questions for key records, of DKIM and ARC together; equal names are one. */
unsigned int verify_keys(const struct verify *v);
/* The name to ask for, of question i. */
const char *verify_wants(const struct verify *v, unsigned int i);
void verify_key(struct verify *v, unsigned int i,
    const struct key_found *found);
/*
 * After verify_end(), when no more keys come (those that are missing are
 * RES_TEMPERROR): one signature of DKIM or ARC.  False: that was the
 * last one, and all results are there.  Each may take a millisecond or more,
 * so who has others to serve looks at the clock between them.
 */
bool verify_step(struct verify *v);

/* Fills q, whose texts point into v; false: there is no single author, and
 * v->dmarc was set (RES_NONE where there is none, RES_PERMERROR of many). */
bool verify_dmarc(struct verify *v, enum conf_dmarc_rules rules,
    struct dmarc_query *q);

/* Takes the answer, NULL if there is none (RES_TEMPERROR). */
void verify_dmarc_is(struct verify *v, const struct dmarc_answer *answer);

/* The four results in one number (auth_result.h). */
uint32_t verify_results(const struct verify *v);

/* What there is to say, without authserv, client, names and `applied`. */
void verify_say(const struct verify *v, struct auth_say *s);

#endif
