/*
 * What stands behind the address in MAIL and RCPT: parameters of ESMTP (RFC
 * 1870, 3030, 3461, 4954, 6152, 6531).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_PARAM_H
#define SMTPD_SESSION_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "facts.h"
#include "reply_table.h"
#include "slice.h"

/* Extensions that a listener may not have; parameters of the others are
 * unknown there. */
enum { OFFER_DSN = 1, OFFER_AUTH = 2 };

struct params {
	uint64_t size; /* 0: not said */
	bool smtputf8;
	struct mail_params mail;
	struct rcpt_params rcpt;
};

/*
 * Reads " KEYWORD=value KEYWORD ..." of MAIL or of RCPT.  smtputf8: it was
 * said in MAIL.  REPLY_NONE, or the row to give with *why as its detail.
 */
enum reply params_of_mail(struct slice in, uint32_t offers, struct params *out,
    const char **why);
enum reply params_of_rcpt(struct slice in, uint32_t offers, bool smtputf8,
    struct params *out, const char **why);

#endif
