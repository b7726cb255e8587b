/*
 * Who sent this: a message of strangers at a listener with `auth-results` is
 * verified while it comes (common/verify.h).  What becomes of it, and of others
 * whose rules say more than where it goes, is asked before the queue has it.
 *
 *   session_verify.c          life, content, the steps that wait
 *   session_verify_ask.c      questions for the guard, in their turn
 *   session_verify_field.c    the fields that say what was found
 *   session_dispose.c         what lookup says of it; log and report
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_VERIFY_H
#define SMTPD_SESSION_VERIFY_H

#include "session_step.h"
#include "share.h"
#include "verify.h"

#define VERIFY_KEYS_AT_ONCE 4 /* of one message */

/* A question for the guard. */
struct verify_ask {
	struct share_place place; /* of none: it is not asked */
	enum verify_kind kind;
	unsigned int i; /* of a key: the number of the question */
	struct session *s;
	struct ipc_req req;
};

/* From MAIL on.  Lives as long as its transaction, or until that is given
 * up. */
struct session_verify {
	const char *sender; /* as MAIL had it, whatever filters made of it */
	struct verify *v;
	struct verify_ask spf, dmarc, key[VERIFY_KEYS_AT_ONCE];
	bool spf_known;
	bool keys_begun;            /* the header section is known */
	unsigned int next_key;      /* the question to be asked next */
	unsigned int keys_open;     /* asked, and not answered */
	bool awaited;               /* step_verify_known waits */
	uint32_t applied, override; /* as struct dispose_is has it */
	bool has_rua;               /* somebody wants a report */
};

/* ---- session_verify.c ---- */

/* MAIL: is it verified?  Then FACT_VERIFY is set. */
session_step step_verify_mail;
/* ... and SPF is asked, for which nobody waits yet. */
session_step step_verify_spf;

/* Content comes (CRLF, no dots, before anything is removed), and is at its
 * end. */
void session_verify_content(struct session *s, const uint8_t *p, size_t len);
void session_verify_end(struct session *s);
/* Is its header section read differently by each reader?  A bare CR or LF,
 * which BINARYMIME may have, ends a line to some. */
bool session_verify_odd(const struct session *s);

/* After the dot: waits for SPF and keys; verifies the signatures; asks for the
 * policy of the author. */
session_step step_verify_known, step_verify_signatures, step_verify_policy;

/* Nothing more is to be known of it; questions are forgotten. */
void session_verify_free(struct session *s);

/* ---- session_verify_ask.c ---- */

/* Asks as soon as it has its turn, of which each client has its share;
 * session_verify_is() is told.  False: there is no guard, or no room to
 * wait. */
bool verify_ask(struct session *s, struct verify_ask *a, enum verify_kind kind);
void verify_ask_forget(struct verify_ask *a);
/* The process begins. */
void verify_shares_init(struct server *srv);
/* In session_verify.c: msg is NULL if there is no answer. */
void session_verify_is(struct session *s, struct verify_ask *a,
    const struct ipc_msg *msg);

/* ---- session_verify_field.c ---- */

/* Our authserv-id (RFC 8601 2.5). */
const char *session_authserv(const struct session *s);
/* Adds Authentication-Results and what else was found, in the order in which
 * it stands in front of the message. */
void session_verify_print(const struct session *s, struct buf *out);

/* ---- session_dispose.c ---- */

/* Asks lookup, where it has something to say, and does what it says. */
session_step step_dispose;

/* Of content that was disposed of: CONTENT_*, results included. */
uint32_t session_content(const struct session *s);
/* The queue has it: what a report needs. */
void session_note(struct session *s);

#endif
