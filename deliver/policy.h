/*
 * What is wanted of a host before it is connected: whether and how TLS must
 * be.  The one door for whatever may know it: the configuration now (the URL's
 * scheme, `relay tls`, `tls domain`), what a zone or a web server publishes
 * later (RFC 7672, RFC 8461); so the answer comes when it comes.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_POLICY_H
#define DELIVER_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "loop.h"
#include "verdict.h"

struct deliver;

/* All of it lives as long as the configuration. */
struct tls_want {
	enum conf_tls_level level; /* never UNSAID */
	bool implicit;             /* from the first byte (RFC 8314) */
	/* VERIFY: names that its certificate may have, struct conf_entry;
	 * none: the name of the host, or its address */
	struct conf_span name;
	uint32_t ca;  /* row of conf.ca; CONF_NONE: the system's */
	uint32_t pki; /* row of conf.pki, to be shown; CONF_NONE: none */
	const char *ciphers, *protocols; /* "": OpenSSL's, ours */
	const struct conf_at *at; /* the line that said so; NULL: none did */
	/* "default", "url", "action", "tls", "login" (policy_print()) */
	const char *source;
};

/* About which host. */
struct policy_about {
	uint32_t action;
	enum conf_scheme scheme;
	bool mx;          /* found by MX; else a host of the configuration */
	bool login;       /* we authenticate there */
	const char *dest; /* the route's destination (common/dest.h) */
	const char *host;
};

/* why: NULL, or nobody knows now and nothing is sent. */
typedef void policy_fn(void *arg, const struct tls_want *want,
    const struct outcome *why);

/* One who waits; a member of who asks. */
struct policy_ask {
	struct timer soon;
	policy_fn *fn;
	void *arg;
	struct tls_want want;
	struct outcome why;
};

/* Asks; fn is called once and from the loop, unless policy_cancel() comes
 * before.  about is needed until this returns. */
void policy_ask(struct deliver *d, struct policy_ask *a,
    const struct policy_about *about, policy_fn *fn, void *arg);
void policy_cancel(struct policy_ask *a);

/* What the configuration says, at once: policy_ask() begins with it. */
void policy_conf(const struct conf *c, const struct policy_about *about,
    struct tls_want *want);

/*
 * All ways to speak TLS that the configuration has: fn is called with each, of
 * level MAY and of level VERIFY (with at, the line that has it so), and perhaps
 * more than once.  It ends the walk by returning false.
 */
typedef bool policy_each_fn(void *arg, const struct tls_want *want);
void policy_each(const struct conf *c, policy_each_fn *fn, void *arg);

/* Two wants that a connection may serve in turn. */
bool policy_same(const struct tls_want *a, const struct tls_want *b);

/* "verify", as in the configuration. */
const char *policy_level(const struct tls_want *want);

/* A sentence for who asks what will be done: "STARTTLS or nothing, ...".
 * Returns out. */
const char *policy_say(const struct conf *c, const struct tls_want *want,
    char *out, size_t size);

/* "verify by tls domain (/etc/postern/smtpd.conf:3)".  Returns out. */
const char *policy_print(const struct conf *c, const struct tls_want *want,
    char *out, size_t size);

#endif
