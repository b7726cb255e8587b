/*
 * What session asks, and is told: of a client, a recipient, a password, a
 * handshake; and the message that it hands over.  A part of ipc_table.h,
 * which has the table.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_SESSION_H
#define COMMON_IPC_SESSION_H

#include <stdint.h>

#include "bounds.h"
#include "facts.h"
#include "verdict.h"

/* ---- session and lookup ---- */

struct rcpt_ask {
	struct facts facts;
	char sender[ADDR_MAX + 1];
	char rcpt[ADDR_MAX + 1];
};
struct rcpt_is {
	struct outcome outcome; /* DONE: 250, else the reply to give */
	/* What is done with the message, by the results of its content where
	 * there will be any (FACT_VERIFY), or because a rule says `junk` or
	 * `hold`: a hash of it; 0: it is taken, whatever they are, and no
	 * dispose_ask is needed for its rules.  Recipients of one message have
	 * the same; others are told 452 4.5.3 and come again alone. */
	uint64_t rules;
};

/* What the configuration says of this client at this listener, before it is
 * greeted; asked only where the listener has a table that says it. */
enum {
	PEER_PROXY = 1,   /* begins with a PROXY header */
	PEER_XCLIENT = 2, /* may say XCLIENT */
	PEER_SUBMIT = 4,  /* listed for submission: FACT_SUBMIT */
	PEER_EXEMPT = 8,  /* `limit except`: no limit of clients holds */
	PEER_KNOWN = 16   /* `greylist except`: it need not wait */
};
struct peer_ask {
	uint32_t listen; /* row of conf.listen */
	char client[IP_TEXT_MAX + 1];
	char ours[IP_TEXT_MAX + 1]; /* the address that it came to */
};
struct peer_is {
	struct outcome outcome;      /* DONE, or the reply to give instead */
	uint32_t flags;              /* PEER_* */
	char hostname[HOST_MAX + 1]; /* of `hostnames`; empty: none */
};

/* What do the filters of this listener say at this phase? */
struct filter_ask {
	uint32_t listen;
	uint32_t phase; /* enum conf_phase */
	struct facts facts;
	char sender[ADDR_MAX + 1]; /* from mail-from on */
	char rcpt[ADDR_MAX + 1];   /* rcpt-to */
};
enum {
	FILTER_JUNK = 1,
	FILTER_BYPASS = 2,     /* no more filters in this phase */
	FILTER_DISCONNECT = 4, /* outcome is said, and then it is over */
	FILTER_REWRITE = 8     /* text is the new value */
};
struct filter_is {
	struct outcome outcome; /* DONE: go on; else the reply to give */
	uint32_t flags;         /* FILTER_* */
	char text[512];
	char report[512]; /* for the log; empty: nothing */
};

/* May this authenticated user send as this address (`senders`)? */
struct sender_ask {
	uint32_t listen;
	struct facts facts;
	char sender[ADDR_MAX + 1];
};
struct sender_is {
	struct outcome outcome;
};

/* SASL mechanisms (RFC 4422).  Columns: enum, name, needs a user's secret in
 * the table in a form of its own (else any back end will do). */
#define SASL_TABLE(X)                                                          \
	X(PLAIN, "PLAIN", 0)                                                   \
	X(LOGIN, "LOGIN", 0)                                                   \
	X(CRAM_MD5, "CRAM-MD5", 1)                                             \
	X(SCRAM, "SCRAM-SHA-256", 1)                                           \
	X(SCRAM_PLUS, "SCRAM-SHA-256-PLUS", 1)                                 \
	X(OAUTHBEARER, "OAUTHBEARER", 1)                                       \
	X(XOAUTH2, "XOAUTH2", 1)                                               \
	X(EXTERNAL, "EXTERNAL", 1)
enum sasl_mech {
#define X(name, ...) SASL_##name,
	SASL_TABLE(X)
#undef X
	    SASL_MECHS
};

/* Lookup to session, when they meet and when a table changes: what the back
 * end of this listener can check; bits 1 << SASL_*. */
struct auth_mechs {
	uint32_t listen;
	uint32_t mechs;
};
/* A piece of the client's message, decoded; all pieces stand before their
 * auth_ask.  auth: the session's own number for it, on this channel. */
struct auth_data {
	uint64_t auth;
	uint32_t n;
	uint8_t data[3072];
};
/* The client has answered.  Lookup keeps nothing between two questions:
 * `before` is what the exchange was so far, in the mechanism's own form, as
 * the last answer had it. */
struct auth_ask {
	uint64_t auth;
	uint32_t listen;
	uint32_t mech; /* enum sasl_mech */
	uint32_t step; /* 0: the first */
	struct facts facts;
	char cert[ADDR_MAX + 1]; /* whom a verified client certificate names */
	/* Channel bindings, 0 bytes where there is none: tls-exporter (RFC
	 * 9266), tls-server-end-point (RFC 5929). */
	uint32_t n_exporter, n_end_point;
	uint8_t exporter[32], end_point[64];
	uint32_t n_before;
	uint8_t before[1536];
};
struct auth_is {
	struct outcome outcome;  /* DONE with more == 0: authenticated; else
				 * the reply to give */
	uint32_t more;           /* 1: data is a challenge, and no end */
	char user[ADDR_MAX + 1]; /* who it is; on failure, who it said */
	uint32_t n;
	uint8_t data[1024];
	uint32_t n_before;
	uint8_t before[1536];
};

/*
 * A message was read, its results are known (facts.results): what is done with
 * it?  Exceptions are looked for in tables, and the rules of its recipients are
 * asked again, who all have the same of those that results decide
 * (rcpt_is.rules): the first stands for all.
 */
struct dispose_ask {
	uint32_t listen;
	/* enum dmarc_policy (dmarc.h); at_worst: where the result of DMARC is
	 * not known now (`dmarc temperror`), else NONE or UNSAID. */
	uint32_t disposition, at_worst;
	uint32_t no_author; /* 1: no single one (`dmarc no-author`) */
	struct facts facts;
	char sender[ADDR_MAX + 1];
	char rcpt[ADDR_MAX + 1]; /* the first; empty: no rule is asked */
	char author[DOMAIN_MAX + 1];
	/* Those whom to trust would vouch for the author (arc.h), each with
	 * its NUL; n_sealer 0: nobody does. */
	uint32_t n_sealer;
	char sealer[1024];
};
enum { DISPOSE_JUNK = 1, DISPOSE_HOLD = 2, DISPOSE_MARK = 4 };
/* Why the domain's wish is not heard (RFC 9990 3.1.1, PolicyOverride). */
enum policy_override {
	OVERRIDE_NONE,
	OVERRIDE_EXCEPT, /* `dmarc except`: local_policy */
	OVERRIDE_ARC,    /* `arc trust`: local_policy, "arc=pass" */
	OVERRIDE_LOCAL   /* less is done than it asks for */
};
struct dispose_is {
	struct outcome outcome; /* DONE: take it; else the reply to give */
	uint32_t flags;         /* DISPOSE_* */
	uint32_t applied;  /* enum conf_dmarc_act, of what DMARC asked for */
	uint32_t override; /* enum policy_override */
	uint32_t line;     /* of the rule that decided; 0: none did */
};

/* ---- session and guard ---- */

/* A client has connected: do its limits allow another session?  session: the
 * session's id, by which it is known from here on. */
struct client_open {
	uint64_t session;
	uint32_t listen;
	uint32_t flags; /* PEER_EXEMPT */
	struct facts facts;
};
struct client_is {
	struct outcome outcome; /* DONE, or the reply: 421 */
};
/*
 * What it did.  Of the first four the session tells many at once, as many as
 * the last answer allowed (client_may.again): at first after none (n is 0)
 * and each, and what is left over with client_shut.
 */
enum client_did {
	DID_NONE,
	DID_MAIL,        /* said MAIL n times, and would again */
	DID_RCPT,        /* n recipients were accepted; here is another */
	DID_UNKNOWN,     /* n recipients were refused for good */
	DID_ERROR,       /* n commands were wrong */
	DIDS_COUNTED,    /* of those before there may be limits */
	DID_AUTH_TRY,    /* is about to have a password checked */
	DID_AUTH_FAILED, /* as `user` */
	DID_AUTH_PASSED
};
struct client_note {
	uint64_t session;
	uint32_t did; /* enum client_did */
	uint32_t n;
	char user[ADDR_MAX + 1];
};
struct client_may {
	struct outcome outcome; /* DONE: go on; else the reply to give */
	uint32_t bye;           /* 1: and that is the last one */
	uint32_t delay;         /* milliseconds to wait before any reply */
	uint32_t again;         /* DONE: to be told after so many more */
};
/* It is gone. */
struct client_shut {
	uint64_t session;
	uint32_t did[DIDS_COUNTED]; /* what was not yet told */
};
/* After a guard's restart: this one is here; no answer. */
struct client_here {
	uint64_t session;
	uint32_t listen;
	uint32_t flags;
	char client[IP_TEXT_MAX + 1];
};
/* Its name in the DNS, and what lists say of it. */
struct names_ask {
	uint64_t session;
	uint32_t listen;
	char client[IP_TEXT_MAX + 1];
};
struct names_is {
	struct outcome outcome;  /* DONE */
	uint32_t flags;          /* FACT_FCRDNS, FACT_RDNS_DOUBT */
	char rdns[HOST_MAX + 1]; /* empty: it has none, or nobody knows */
	int32_t score;           /* sum of weights of the lists it is on */
	uint32_t listed, clean, refused; /* how many lists said what */
	char lists[512];                 /* "zen.spamhaus.org=127.0.0.4 ..." */
};

/* SPF, of HELO and of MAIL FROM. */
struct spf_ask {
	char client[IP_TEXT_MAX + 1];
	char helo[HOST_MAX + 1];
	char sender[ADDR_MAX + 1];
	char ours[HOST_MAX + 1];
};
/* As struct spf_answer (spf.h); texts are cut. */
struct spf_found {
	uint32_t result; /* enum auth_result */
	char domain[DOMAIN_MAX + 1];
	char identity[ADDR_MAX + 1];
	char mechanism[256];
	char why[256];
	char exp[512];
};
struct spf_is {
	struct outcome outcome; /* DONE; else too many are asked for already */
	struct spf_found helo, mail;
};
/* The TXT record at a name, for a key; as struct key_found (dkim_key.h). */
struct key_ask {
	char client[IP_TEXT_MAX + 1]; /* whose message it is */
	char name[HOST_MAX + 1];
};
struct key_is {
	uint32_t status; /* enum dns_status */
	uint32_t n, cut, len;
	char why[128];
	uint8_t text[3584];
};
/* DMARC; the configuration says by which rules. */
struct dmarc_ask {
	char client[IP_TEXT_MAX + 1]; /* whose message it is */
	char author[DOMAIN_MAX + 1];
	uint32_t spf;
	char spf_domain[DOMAIN_MAX + 1];
	/* As in struct dmarc_query: first those that passed. */
	uint32_t n_dkim, n_later;
	char dkim[2176]; /* domains, each with its NUL */
};
/* As struct dmarc_answer (dmarc.h); rua is not handed on: who sends reports
 * asks the DNS himself. */
struct dmarc_is {
	struct outcome outcome; /* DONE; else too many are asked for already */
	/* enum auth_result, then enum dmarc_policy */
	uint32_t result, disposition, at_worst, policy;
	uint32_t p, sp, np; /* as published */
	uint32_t adkim_strict, aspf_strict, psd, testing, pct;
	uint32_t spf_aligned, dkim_aligned, exists, has_rua;
	char fo[8];
	char policy_domain[DOMAIN_MAX + 1];
	char organization[DOMAIN_MAX + 1];
	char why[128];
};

/* ---- session and keys ---- */

/* Signature schemes of TLS that we offer (RFC 8446 4.2.3).  Columns: enum,
 * name of the digest or "" (then data is the message itself), padding. */
#define TLS_SIGN_TABLE(X)                                                      \
	X(RSA_PKCS1_SHA256, "SHA256")                                          \
	X(RSA_PKCS1_SHA384, "SHA384")                                          \
	X(RSA_PKCS1_SHA512, "SHA512")                                          \
	X(RSA_PSS_SHA256, "SHA256")                                            \
	X(RSA_PSS_SHA384, "SHA384")                                            \
	X(RSA_PSS_SHA512, "SHA512")                                            \
	X(ECDSA_SHA256, "SHA256")                                              \
	X(ECDSA_SHA384, "SHA384")                                              \
	X(ECDSA_SHA512, "SHA512")                                              \
	X(ED25519, "")
enum tls_sign_scheme {
	TLS_SIGN_NONE,
#define X(name, digest) TLS_SIGN_##name,
	TLS_SIGN_TABLE(X)
#undef X
	    TLS_SIGNS
};
/* keys signs digests in a known form and nothing else: it is no oracle. */
struct tls_sign {
	uint32_t pki; /* row of conf.pki */
	uint32_t scheme;
	uint32_t len;
	uint8_t data[512]; /* the digest */
};
struct tls_signed {
	struct outcome outcome;
	uint32_t len;
	uint8_t sig[512];
};
/* Keys to every session process, when they meet and when a new one begins:
 * what session tickets are sealed with.  age 0: the one to use, others may
 * still be presented (RFC 5077 4). */
struct ticket_key {
	uint32_t age;
	uint8_t name[16];
	uint8_t cipher[32];
	uint8_t mac[32];
};

/* ---- session and queue ---- */

/* Greylisting: has this triplet waited long enough? */
struct grey_ask {
	char client[IP_TEXT_MAX + 1];
	char sender[ADDR_MAX + 1];
	char rcpt[ADDR_MAX + 1];
};
struct grey_is {
	struct outcome outcome; /* DONE: it may pass; LATER: 450 */
};

/* A message begins.  tx: the session's own number for it, on this channel. */
struct tx_open {
	uint64_t tx;
	struct facts facts;
	uint64_t size; /* SIZE= of MAIL, 0 if not said */
	char sender[ADDR_MAX + 1];
	struct mail_params params;
};
struct tx_rcpt {
	uint64_t tx;
	char rcpt[ADDR_MAX + 1];
	struct rcpt_params params;
};
/* All recipients are said: a file, please. */
struct tx_data {
	uint64_t tx;
};
/* DONE: fd is open for writing, at its end; id is the message's. */
struct tx_file {
	uint64_t id;
	uint64_t head; /* bytes of the head, which stand before the content */
	struct outcome outcome;
};
/* Content, trace fields and trailer are written.  Idempotent by id; asked
 * again after a queue's restart. */
struct tx_commit {
	uint64_t tx, id;
	uint64_t content, trace; /* bytes */
	uint32_t content_facts;  /* CONTENT_* */
	uint32_t hold;           /* 1: for the operator to release */
};
/* For the report to a domain, of a message that was taken or refused because
 * of its policy (RFC 9990); said only where there is `dmarc report`. */
#define REPORT_DKIM_MAX 8
struct report_note {
	int64_t when; /* seconds since 1970 */
	char client[IP_TEXT_MAX + 1];
	char author[DOMAIN_MAX + 1]; /* header_from */
	char sender[DOMAIN_MAX + 1]; /* envelope_from, the domain; "" */
	char policy_domain[DOMAIN_MAX + 1];
	uint8_t p, sp, np, adkim_strict, aspf_strict, testing, pct;
	uint8_t rules; /* enum conf_dmarc_rules: discovery_method */
	char fo[8];
	/* what was done (enum dmarc_policy) and why */
	uint8_t disposition, override; /* enum policy_override */
	uint8_t spf_aligned, dkim_aligned;
	uint8_t spf; /* enum auth_result */
	char spf_domain[DOMAIN_MAX + 1];
	uint32_t n_dkim;
	uint8_t dkim[REPORT_DKIM_MAX]; /* results, of the top ones */
	char dkim_text[1024]; /* n_dkim times: domain NUL selector NUL */
};
struct tx_done {
	struct outcome outcome; /* DONE: it would survive a power cut */
};
/* The session gives it up; answered when nothing is left of it. */
struct tx_abort {
	uint64_t tx, id;
};
struct tx_gone {
	uint64_t id;
};
/* After a queue's restart: this id of mine is still being written. */
struct tx_keep {
	uint64_t tx, id;
};
/* ... and that was all. */
struct tx_listed {
	uint32_t unused;
};

#endif
