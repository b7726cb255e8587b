/*
 * What deliver is told, asks and says: its jobs and what became of them, the
 * hosts and secrets of a relay, signatures.  A part of ipc_table.h, which has
 * the table.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_DELIVER_H
#define COMMON_IPC_DELIVER_H

#include <stdint.h>

#include "bounds.h"
#include "facts.h"
#include "ipc_session.h"
#include "verdict.h"

/* ---- queue and deliver ---- */

/* n more jobs may come. */
struct job_want {
	uint32_t n;
};
/* One message for one route; job_rcpt for each recipient and job_go follow.
 * fd: its file, for reading, a descriptor of its own. */
struct job_take {
	uint64_t job; /* number of this attempt, never used again */
	uint64_t id;
	uint64_t content_off, content_len;
	uint64_t trace_off, trace_len;
	uint64_t sum; /* XXH3-64 of content and trace */
	uint32_t content_facts;
	uint32_t action;
	uint32_t flags; /* ROUTE_* */
	uint32_t n_rcpt;
	uint32_t group; /* row of conf.limit (`limit mx`); CONF_NONE: none */
	char route[ROUTE_MAX + 1];
	char sender[ADDR_MAX + 1];
	char as_sender[ADDR_MAX + 1]; /* is said instead; empty: sender */
	uint32_t facts;               /* FACT_* of the message */
	struct mail_params params;
};
struct job_rcpt {
	uint64_t job;
	uint32_t n;              /* number of the recipient in the message */
	char rcpt[ADDR_MAX + 1]; /* what is said to the next server */
	struct rcpt_params params;
};
/* The signature of an earlier attempt: use it, do not sign again. */
struct job_field {
	uint64_t job;
	char field[SIG_MAX + 1];
};
/* The signature just made, to be kept for later attempts. */
struct job_signed {
	uint64_t job, id;
	char field[SIG_MAX + 1];
};
struct job_go {
	uint64_t job;
};
/* What became of recipient n.  Kept by deliver until job_noted. */
enum { RESULT_DSN = 1 }; /* the next server took NOTIFY over: it will tell */
struct job_result {
	uint64_t job, id;
	uint32_t n;
	uint32_t flags; /* RESULT_* */
	struct outcome outcome;
	char relay[RELAY_MAX + 1]; /* host[address]:port, empty: none reached */
	/* "TLSv1.3:CIPHER:verified", or "...:unverified"; empty: none */
	char tls[TLS_TEXT_MAX + 1];
};
struct job_noted {
	uint64_t job;
	uint32_t n;
};
enum { JOB_DAMAGED = 1 }; /* the file's checksum is wrong */
/* After the last job_result of a job: the job and its descriptor are gone.
 * site: how the route did as a whole (DONE: it answered and took mail or
 * refused only this; LATER with WIDTH_SITE: it does not work now). */
struct job_end {
	uint64_t job, id;
	uint32_t flags;
	struct outcome site;
};
/* After a queue's restart: I still hold recipient n of this job ... */
struct job_held {
	uint64_t job, id;
	uint32_t n;
	char route[ROUTE_MAX + 1];
};
/* ... and that was all (results not yet noted follow as job_result). */
struct job_listed {
	uint32_t unused;
};

/*
 * Whose limits hold for this route?  `limit mx` names hosts, so the DNS is
 * asked: the row whose pattern fits the name of the best MX.
 */
struct group_ask {
	char route[ROUTE_MAX + 1];
};
struct group_is {
	struct outcome outcome; /* DONE: known; else asked again later */
	uint32_t limit;         /* row of conf.limit; CONF_NONE: none */
	uint32_t ttl;           /* seconds that this holds, at least 60 */
};

/* ---- deliver and lookup ---- */

/* Hosts and source addresses of an action, where they stand in tables, or
 * where there are several hosts.  Kept by deliver for RELAY_KEEP seconds. */
#define RELAY_KEEP  60
#define RELAY_HOSTS 16 /* at most */
#define RELAY_SRCS  64
struct relay_ask {
	uint32_t action;
};
struct relay_is {
	struct outcome outcome; /* DONE; else nothing is sent now */
	uint32_t n_host, n_src;
	/* n_host relay URLs with their ports in the order to try them, then
	 * n_src addresses to connect from; each with its NUL */
	char text[3072];
};
/* `helo-src`: our name, where we connect from this address. */
struct helo_ask {
	uint32_t action;
	char ours[IP_TEXT_MAX + 1];
};
struct helo_is {
	struct outcome outcome;  /* DONE; else not now */
	char name[HOST_MAX + 1]; /* empty: it has none there */
};

/*
 * Our side of a SASL exchange (RFC 4422).  Lookup has the secrets and keeps
 * nothing between two questions: `before` is what the exchange was so far, as
 * the last answer had it.  A message that is long comes in sasl_data pieces,
 * all of them before their answer.
 */
struct sasl_ask {
	uint64_t sasl;   /* deliver's own number for it, on this channel */
	uint32_t action; /* of its `auth` */
	uint32_t step;   /* 0: the first, mech is chosen by lookup */
	uint32_t mechs;  /* that the server offers, bits 1 << SASL_* */
	uint32_t mech;   /* of the exchange, from step 1 on */
	uint16_t port;   /* of the server, for OAUTHBEARER */
	uint16_t fresh;  /* 1: the token was refused, get another */
	char label[LABEL_MAX + 1];
	char host[HOST_MAX + 1];
	uint32_t n_exporter; /* channel binding tls-exporter (RFC 9266) */
	uint8_t exporter[32];
	uint32_t n_before;
	uint8_t before[1024];
	uint32_t n;
	uint8_t data[1024]; /* the server's challenge, decoded */
};
struct sasl_data {
	uint64_t sasl;
	uint32_t n;
	uint8_t data[3072];
};
struct sasl_is {
	/* DONE: say the message; else why not, and nothing is said */
	struct outcome outcome;
	uint32_t mech;  /* enum sasl_mech */
	uint32_t bytes; /* of the message: all sasl_data of this answer */
	/* 1: the server has proved who it is, or need not: its 235 counts */
	uint32_t proved;
	uint32_t n_before;
	uint8_t before[1024];
};

/* ---- deliver and keys ---- */

struct sign_ask {
	uint32_t key; /* row of conf.dkim */
	uint8_t digest[32];
};
struct sign_is {
	struct outcome outcome;
	uint32_t alg; /* enum conf_alg */
	uint32_t len;
	uint8_t sig[1024];
};
/* Keys to deliver, when they meet: what row key signs with. */
struct sign_key {
	uint32_t key;
	uint32_t alg;
};

/* Of a client certificate (`relay pki`), as tls_sign of a session. */
struct cert_sign {
	struct tls_sign sign;
};
struct cert_signed {
	struct tls_signed is;
};

#endif
