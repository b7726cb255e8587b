/*
 * Secrets of users, as tables hold them (table(5)): which forms there are,
 * what can be done with each, and whether a password fits.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_AUTH_SECRET_H
#define SMTPD_LOOKUP_AUTH_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"
#include "verdict.h"

#define SECRET_MAX 512 /* bytes of a secret's text */

enum secret_kind {
	SECRET_BAD,    /* none of these: nobody knows what it is */
	SECRET_LOCKED, /* begins with '*' or '!': no password ever fits */
	SECRET_CRYPT,  /* crypt(3) */
	SECRET_SCRAM,  /* scram.h */
	SECRET_PLAIN   /* "{PLAIN}": the password itself */
};

/* What is known of all secrets of a table; zeros: nothing yet. */
struct secrets {
	uint32_t kinds; /* bits 1 << SECRET_* */
	bool weak;      /* a hash is of a kind that is broken, or cheap */
	/* One of them, that of the slowest kind: an unknown user's password
	 * is tried against it, which takes as long. */
	char sample[SECRET_MAX + 1];
};

void secrets_note(struct secrets *all, const char *secret);

/* The mechanisms (bits 1 << SASL_*) that can be checked by every one of them.
 */
uint32_t secrets_mechs(const struct secrets *all);

/* The secret in the answer of a table for SERVICE_CREDENTIALS; in value. */
const char *secret_of(const char *key, const char *value);

enum secret_kind secret_kind(const char *secret);

/* The password of a {PLAIN} secret. */
const char *secret_plain(const char *secret);

/* crypt(3) of a kind that its author calls legacy, or too cheap. */
bool secret_is_weak(const char *secret);

/*
 * Is this its password?  Slow: for threads.  Takes as long whether it is or
 * not.  LATER: the secret cannot be used, or there is no memory.
 */
enum verdict secret_check(const char *secret, const char *password);

#endif
