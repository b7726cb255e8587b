/*
 * Our side of each SASL mechanism: what is said, and what of the server's
 * words must hold.  A step is a function of what it is given: it waits for
 * nothing and keeps nothing, so that it may run in a thread.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_SASL_TURN_H
#define SMTPD_LOOKUP_SASL_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "buf.h"
#include "ipc_table.h"

#define SASL_PASS_MAX    1023 /* bytes of a password, or of a token's name */
#define SASL_MESSAGE_MAX 9216 /* bytes of a message: 12288 in base64 */
#define SASL_NONCE       18   /* bytes of ours, for SCRAM */

/* What an auth table says of a label: "user:password", or
 * "user:{TOKEN}name". */
struct sasl_login {
	char user[ADDR_MAX + 1];
	bool has_token;
	char secret[SASL_PASS_MAX + 1]; /* password, or name of the token */
};

/* NULL, or why it is none.  The words do not hold what it is. */
const char *sasl_login_parse(const char *value, struct sasl_login *out);

/* The strongest of those offered (bits 1 << SASL_*) that serves; SASL_MECHS:
 * none does.  bindable: the channel can be bound to. */
enum sasl_mech sasl_choose(uint32_t offered, const struct sasl_login *login,
    bool bindable);

/* One step. */
struct sasl_turn {
	const struct sasl_ask *ask; /* with its mech */
	const struct sasl_login *login;
	const char *token;         /* NULL but for the first step of OAuth */
	uint8_t nonce[SASL_NONCE]; /* SCRAM, first step: random */
	/* and what comes of it */
	struct buf message; /* to be said; wiped when it is freed */
	bool proved;
	uint32_t n_before;
	uint8_t before[sizeof((struct sasl_is *)0)->before];
	char refused[160]; /* the server's own words that it will not; for the
			    * log */
};

/* A step takes long: for a thread. */
bool sasl_turn_is_slow(const struct sasl_turn *t);

/* NULL: t->message is to be said.  Or why not: the exchange is of no use. */
const char *sasl_turn(struct sasl_turn *t);

/* ---- lookup_sasl_turn_scram.c ---- */

const char *sasl_turn_scram(struct sasl_turn *t);

/* Names as SCRAM and GS2 have them (RFC 5801 4): ',' is "=2C", '=' is "=3D".
 * False: no room. */
bool sasl_put_name(struct buf *b, const char *name);

#endif
