/*
 * The configuration as the processes hold it: one read-only piece of memory
 * without pointers, so that it crosses exec in a sealed memfd.  Texts are
 * offsets into a pool, lists are spans.  It never changes in a running
 * process.  The parser (smtpd/conf_parse.c) makes it, smtpd/conf_print.c
 * prints it in the grammar that it came from, the parent hands it on;
 * contents of tables go to lookup alone.
 *
 * A name of another row is its index in that row's span, CONF_NONE where
 * nothing was said.  What a rule or an option says in its own line (`domain
 * example.org`, `{ a, b }`) is a table without a name.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf_words.h"

#define CONF_MAGIC 0x504f5355u /* "POSU" */

typedef uint32_t conf_str; /* 0 is the empty text */

struct conf_span {
	uint32_t off; /* from the start of struct conf */
	uint32_t n;
};

#define CONF_NONE UINT32_MAX /* an index that points nowhere */

/* Where a statement began. */
struct conf_at {
	conf_str file;
	uint32_t line;
};

/* ---- tables ---- */

/* Of lines of passwd(5): what OpenSMTPD's table-passwd knows, and who is in
 * it. */
#define CONF_PASSWD_SERVICES                                                   \
	(1u << SERVICE_CREDENTIALS | 1u << SERVICE_USERINFO |                  \
	    1u << SERVICE_STRING)

/* LIST, MAP: in the configuration itself.  FILE: text, read by lookup at start
 * and reload.  PASSWD: the same, lines of passwd(5).  DB: LMDB, made by
 * `smtpctl makemap`.  PROC: a program. */
enum conf_table_kind {
	TABLE_LIST,
	TABLE_MAP,
	TABLE_FILE,
	TABLE_PASSWD,
	TABLE_DB,
	TABLE_PROC
};

struct conf_table {
	conf_str name; /* empty: an inline list of another statement */
	uint8_t kind;
	/* PROC: the word before the colon.  `proc` and `proc-exec`: path is a
	 * command line; any other T: path is the argument of the program
	 * table-T beside our own. */
	conf_str type;
	conf_str path;
	uint32_t services;        /* bits 1 << SERVICE_*, of who asks it */
	struct conf_span entries; /* struct conf_entry; LIST, MAP */
	struct conf_at at;
};

struct conf_entry {
	conf_str key;
	conf_str value; /* TABLE_MAP */
};

/* A list of names or rows. */
struct conf_ref {
	uint32_t i;
};

/* ---- TLS ---- */

enum conf_dhe { DHE_NONE, DHE_AUTO, DHE_LEGACY };

/* Several rows may have one name: certificates for the same host with keys of
 * several kinds, in the order of the file. */
struct conf_pki {
	conf_str name; /* in lower case; "*": for any name */
	conf_str cert, key;
	uint8_t dhe, dhe_said;
	struct conf_at at;
};

struct conf_ca {
	conf_str name, cert;
	struct conf_at at;
};

/* ---- who may come, and as whom (ours) ---- */

/* `oauth issuer U audience A keys F [user CLAIM]`: bearer tokens (RFC 7519)
 * that we take. */
struct conf_oauth {
	conf_str issuer, audience;
	conf_str path; /* JWKS (RFC 7517), opened by the parent */
	conf_str user; /* the claim that names the user; empty: "email", else
			* "sub" */
	struct conf_at at;
};

/* `dnsbl D [weight N] [answer { ... }]`, `dnswl D ...`: RFC 5782. */
struct conf_dnslist {
	conf_str domain;
	int32_t weight; /* dnswl: below 0 */
	/* struct conf_entry: "127.0.0.2", "127.0.0.4-127.0.0.11"; none: any
	 * of 127.0.0.0/8 that is no refusal */
	struct conf_span answer;
	struct conf_at at;
};

/* `limit client ...`, `limit network ...`: of one address, of one network.
 * 0: not said.  N in so many seconds. */
struct conf_rate {
	uint32_t n, per;
};
struct conf_client {
	uint32_t sessions;         /* at once */
	uint32_t errors;           /* bad commands in one hour */
	struct conf_rate rate;     /* connections */
	struct conf_rate messages; /* MAIL */
	struct conf_rate rcpts;    /* recipients accepted */
	struct conf_rate unknown;  /* recipients refused for good */
	struct conf_rate failures; /* of AUTH; also of one user */
};

/* ---- filters ---- */

struct conf_proc {
	conf_str name, command, user, group, chroot;
	struct conf_at at;
};

/* PROC_EXEC: proc is a row that this filter made for itself. */
enum conf_filter_kind {
	FILTER_BUILTIN,
	FILTER_CHAIN,
	FILTER_PROC,
	FILTER_EXEC
};

struct conf_filter {
	conf_str name;
	uint8_t kind;            /* enum conf_filter_kind */
	uint32_t proc;           /* PROC, EXEC: row of conf.proc */
	struct conf_span member; /* CHAIN: struct conf_ref, of conf.filter */
	/* BUILTIN */
	uint8_t phase, cond, not_cond, regex;
	uint8_t decision;
	uint32_t table; /* of cond; CONF_NONE: the condition alone */
	conf_str text;  /* of the decision */
	struct conf_at at;
};

/* ---- the way in ---- */

enum conf_listen_tls {
	LISTEN_CLEAR,
	LISTEN_TLS,
	LISTEN_TLS_REQUIRE,
	LISTEN_SMTPS
};
enum conf_listen_auth { AUTH_NONE, AUTH_OPTIONAL, AUTH_NEEDED };

/* One address; `listen on` an interface or a name may make several, which
 * stand together and have the same at. */
struct conf_listen {
	struct sockaddr_storage ss; /* port included; not used if local */
	uint32_t sslen;
	uint8_t local;    /* `listen on socket`: the path for sendmail(8) */
	uint8_t implicit; /* nobody wrote it: `listen on socket` always is */
	uint8_t inet;     /* 4 or 6: said so; 0: both */
	uint8_t tls;      /* enum conf_listen_tls */
	uint8_t verify;   /* of client certificates */
	uint8_t auth;     /* enum conf_listen_auth */
	uint8_t masquerade, mask_src, no_dsn, received_auth;
	uint8_t proxy_v2; /* every client begins with a PROXY header, of v2 */
	/* ours */
	uint8_t lmtp;          /* RFC 2033 instead of SMTP */
	uint8_t auth_insecure; /* AUTH without TLS too */
	uint8_t dnsbl;         /* the lists are asked, and count */
	uint8_t greylist;
	uint8_t submission;   /* every client is one of ours (RFC 6409) */
	uint8_t auth_results; /* SPF, DKIM, DMARC, ARC of strangers' mail */
	uint32_t greet_delay; /* seconds of silence that a client must stand */
	uint32_t tarpit;      /* seconds before each reply of 4xx and 5xx */
	uint32_t proxy;       /* table of clients that say PROXY, v1 or v2 */
	uint32_t xclient;     /* table of clients that may say XCLIENT */
	uint32_t submission_table;
	conf_str name;     /* as written, for the log */
	conf_str tag;      /* empty: none */
	conf_str hostname; /* empty: conf.hostname */
	conf_str ciphers, protocols;
	struct conf_span pki;    /* struct conf_ref */
	struct conf_span filter; /* struct conf_ref */
	uint32_t ca;
	uint32_t auth_table; /* CONF_NONE: users of the system */
	uint32_t hostnames;  /* table */
	uint32_t senders;    /* table */
	struct conf_at at;
};

/* ---- actions ---- */

struct conf_host {
	uint8_t scheme; /* enum conf_scheme */
	uint16_t port;  /* as it will be used */
	/* Empty: none; a key of the action's auth table, LABEL_MAX at most. */
	conf_str label;
	conf_str name; /* a host name, or an address without brackets */
};

enum conf_relay_tls { RELAY_TLS_UNSAID, RELAY_TLS, RELAY_TLS_NO_VERIFY };

struct conf_action {
	conf_str name;
	uint8_t method; /* enum conf_method */
	struct conf_at at;
	uint32_t ttl; /* seconds; 0: conf.queue_ttl */

	/* local methods */
	conf_str arg; /* maildir: path; lmtp: where to; mda: command */
	uint8_t junk, lmtp_rcpt_to;
	uint32_t alias, virtual_; /* tables: at most one of them */
	uint32_t userbase;        /* table; CONF_NONE: users of the system */
	conf_str user;
	uint32_t wrapper;

	/* relay */
	struct conf_span host; /* struct conf_host; none: MX of the domain */
	uint32_t host_table;   /* `host <t>` */
	uint32_t domain;       /* table: from domain to host URL */
	uint16_t port;         /* ours, without host: of the MX; 25 */
	uint32_t auth, src, helo_src; /* tables */
	conf_str helo;                /* empty: conf.hostname */
	conf_str mail_from;
	uint8_t tls; /* enum conf_relay_tls */
	uint8_t backup, srs;
	uint8_t auth_insecure; /* ours: AUTH also where TLS is not verified */
	conf_str backup_mx;    /* empty: conf.hostname */
	conf_str pki, ca;      /* names; they need not be declared */
	conf_str ciphers, protocols;
	struct conf_span filter; /* struct conf_ref */
};

struct conf_wrapper {
	conf_str name, command;
	struct conf_at at;
};

/* ---- rules ---- */

struct conf_cond {
	uint8_t kind; /* enum conf_cond_kind */
	uint8_t not_; /* `!` stood before it */
	uint8_t regex;
	uint8_t implicit; /* a default: `from local`, `for local` */
	uint32_t table;   /* CONF_NONE: the condition alone */
	uint32_t results; /* of `auth-results`: bits 1 << RES_* */
};

struct conf_match {
	struct conf_span cond; /* struct conf_cond, all must hold */
	uint8_t reject;
	/* ours: done once, when the message comes in */
	uint8_t junk, hold;
	uint32_t action; /* index, CONF_NONE when reject */
	struct conf_at at;
};

/* ---- ours ---- */

enum conf_alg { ALG_RSA, ALG_ED25519 }; /* known when keys has read the key */

/* `dkim domain D keys DIR`: a row for each DIR/SELECTOR.key, as the folder was
 * when the configuration was read. */
struct conf_dkim {
	conf_str domain, selector;
	conf_str path; /* opened by the parent */
	conf_str dir;  /* `keys`: DIR; empty: `key` */
	struct conf_at at;
};

/* `tls domain D may|require|verify|no ...`: what is wanted of the hosts of a
 * destination, over what the action says.  The first that names it holds. */
struct conf_tls {
	struct conf_span domain; /* struct conf_entry, as of `retry` */
	uint8_t level;           /* enum conf_tls_level */
	/* VERIFY: struct conf_entry, "mx.example.org", "*.example.org"; none:
	 * the name of the host */
	struct conf_span name;
	conf_str ca, pki;            /* names, declared; empty: the action's */
	conf_str ciphers, protocols; /* likewise */
	struct conf_at at;
};

/* `token NAME file F`, `token NAME command C user U`: what a credential
 * "user:{TOKEN}NAME" stands for (RFC 6750). */
struct conf_token {
	conf_str name;
	conf_str file;          /* empty: command */
	conf_str command, user; /* run by spawn as that user */
	struct conf_at at;
};

/* `5m*2`: how long after a failed attempt. */
struct conf_step {
	uint32_t seconds;
	uint32_t times; /* this step is used so often, at least 1 */
};

/* `retry [domain D] 5m*2, 15m, 1h up to 4h`: of a recipient's domain. */
struct conf_retry {
	struct conf_span domain; /* struct conf_entry (keys: "example.org",
				  * "*.example.org"); none: the default */
	struct conf_span step;   /* struct conf_step, at least one */
	uint32_t max;            /* ceiling, seconds */
	struct conf_at at;       /* line 0: nobody wrote it */
};

/*
 * `limit domain D concurrency N messages N rate N/TIME inet4|inet6`: of a
 * destination, which is the domain of an MX route or the host of another.
 * `limit mx M ...`: of all MX routes together whose best MX host is M
 * ("*.google.com"); it holds beside what `limit domain` says.
 */
struct conf_limit {
	struct conf_span domain; /* struct conf_entry; none: `limit route` */
	struct conf_span mx;     /* likewise; has no domain then */
	uint8_t inet;            /* 4 or 6: connect by that alone; 0: both */
	uint32_t concurrency;    /* connections at once; 0: not said */
	uint32_t messages;       /* per connection; 0: not said */
	uint32_t rate, per;      /* messages in so many seconds; 0: not said */
	struct conf_at at;
};

/* A statement that has no machinery in any of the programs, as it would be
 * printed. */
struct conf_other {
	conf_str text;
	struct conf_at at;
};

#define CONF_WARN_MAX 4

/* What content with a bare CR or LF gets. */
enum conf_bare { BARE_REJECT, BARE_FIX };

/* What 8-bit content gets whose MAIL did not say so (RFC 6152). */
enum conf_eight { EIGHT_ACCEPT, EIGHT_REJECT };

struct conf {
	uint32_t magic;
	uint32_t size; /* bytes, pool included */
	conf_str path; /* the file, for messages */

	/* who we are */
	conf_str hostname;                /* in the banner, Received, EHLO */
	conf_str mail_name;               /* empty: see conf_mail_name() */
	struct sockaddr_storage resolver; /* ss_family 0: /etc/resolv.conf */
	uint32_t resolver_timeout; /* seconds for one question, all tries */
	conf_str admd;             /* authserv-id; empty: hostname */

	/* the log */
	uint32_t log_facility; /* LOG_MAIL unless said */
	uint8_t log_verbose;

	/* smtp: limits of a session (RFC 5321 4.5.3) */
	uint64_t max_message_size; /* bytes */
	uint32_t max_rcpt;         /* recipients per message */
	uint32_t max_mails;        /* messages per session */
	uint32_t max_sessions;     /* per session process */
	uint32_t max_command;      /* bytes of a command line, CRLF included */
	uint32_t max_line;         /* bytes of a content line, CRLF included */
	uint32_t max_header;       /* bytes of the header section */
	uint32_t max_hops;         /* Received fields before it is a loop */
	uint32_t max_errors;       /* bad commands before 421 */
	uint32_t smtp_timeout;     /* seconds a command may take */
	uint32_t data_timeout;     /* seconds for each piece of content */
	uint8_t bare_newline;      /* enum conf_bare */
	uint8_t sub_addr_delim;    /* '+' unless said */
	conf_str smtp_ciphers;

	uint8_t eight_bit; /* content without BODY=8BITMIME: enum conf_eight */

	/* who may come */
	struct conf_client client, network;
	uint32_t network_v4, network_v6;  /* bits that make a network */
	uint32_t limit_except;            /* table of clients without limits */
	int32_t dnsbl_reject, dnsbl_junk; /* from this score on; 0: never */

	/* `greylist delay T window T keep T except <t>` */
	uint32_t grey_delay;  /* seconds until a triplet may pass */
	uint32_t grey_window; /* ... and before it is forgotten */
	uint32_t grey_keep;   /* a triplet that passed is known for so long */
	uint32_t grey_except; /* table of clients that need not wait */

	/* queue */
	uint32_t queue_ttl;           /* seconds */
	uint32_t warn[CONF_WARN_MAX]; /* seconds, 0 ends; rising */
	uint32_t route_concurrency;   /* connections per route, at most */
	uint8_t queue_compression;
	uint8_t queue_encryption; /* with queue_key, 32 bytes, or none */
	conf_str queue_key;

	/* srs; secrets: in the image of lookup alone */
	conf_str srs_key, srs_key_backup;
	uint32_t srs_ttl; /* seconds */

	/* Notifications to strangers, who may be forged: all of them together,
	 * and to one address.  What is over it waits. */
	struct conf_rate bounce_rate, bounce_address_rate;

	/* What became of each recipient is remembered. */
	uint32_t history_keep; /* seconds; 0: not */
	uint64_t history_size; /* bytes, at most */

	/* who sent it: `spf`, `dmarc`, `arc` */
	uint8_t spf_received;                  /* Received-SPF is written too */
	uint8_t dmarc_rules;                   /* enum conf_dmarc_rules */
	uint8_t dmarc_quarantine;              /* enum conf_dmarc_act */
	uint8_t dmarc_reject, dmarc_no_author; /* likewise */
	uint8_t dmarc_temperror;               /* enum conf_dmarc_temperror */
	uint32_t dmarc_except_from;            /* table of author domains */
	uint32_t dmarc_except_src;             /* ... of clients */
	uint32_t arc_trust;                    /* ... of sealers' domains */
	conf_str arc_seal; /* a domain of `dkim`; empty: not sealed */
	/* `dmarc report`: aggregate reports (RFC 9990) */
	uint8_t dmarc_report;
	conf_str report_from;    /* empty: dmarc-noreply@ our mail name */
	conf_str report_org;     /* empty: our mail name */
	conf_str report_contact; /* extra_contact_info; empty: none */

	uint32_t mta_max_deferred; /* 0: not said */

	/* `metrics on`; ss_family 0: not said */
	struct sockaddr_storage metrics;

	struct conf_span table, pki, ca, proc, filter, listen, wrapper, action,
	    match;
	struct conf_span dkim, retry, limit, other;
	struct conf_span tls, token;
	struct conf_span oauth, dnslist;
	struct conf_span local_addr; /* conf_entry: addresses of this host */
	struct conf_span pool;
};

/* Maps a sealed memfd for reading; takes fd over.  NULL: not a configuration
 * (the reason is in errno). */
const struct conf *conf_map(int fd);

/* The text at s; never NULL. */
const char *conf_text(const struct conf *c, conf_str s);

/* What stands behind the '@' of an address of this host that came without:
 * `mailname`, by default the host's name. */
const char *conf_mail_name(const struct conf *c);

/* Row i of a span; i is below span.n (asserted). */
const void *conf_row(const struct conf *c, struct conf_span span, uint32_t i,
    size_t size);

/* clang-format off */
/* CONF_TABLE(c, i): row i of c->table. */
#define CONF_ROW(c, i, name) \
	((const struct conf_##name *)conf_row((c), (c)->name, (i), \
	    sizeof(struct conf_##name)))
#define CONF_TABLE(c, i)   CONF_ROW(c, i, table)
#define CONF_PKI(c, i)     CONF_ROW(c, i, pki)
#define CONF_CA(c, i)      CONF_ROW(c, i, ca)
#define CONF_PROC(c, i)    CONF_ROW(c, i, proc)
#define CONF_FILTER(c, i)  CONF_ROW(c, i, filter)
#define CONF_LISTEN(c, i)  CONF_ROW(c, i, listen)
#define CONF_WRAPPER(c, i) CONF_ROW(c, i, wrapper)
#define CONF_ACTION(c, i)  CONF_ROW(c, i, action)
#define CONF_MATCH(c, i)   CONF_ROW(c, i, match)
#define CONF_DKIM(c, i)    CONF_ROW(c, i, dkim)
#define CONF_RETRY(c, i)   CONF_ROW(c, i, retry)
#define CONF_LIMIT(c, i)   CONF_ROW(c, i, limit)
#define CONF_OTHER(c, i)   CONF_ROW(c, i, other)
#define CONF_OAUTH(c, i)   CONF_ROW(c, i, oauth)
#define CONF_DNSLIST(c, i) CONF_ROW(c, i, dnslist)
#define CONF_TLS(c, i)     CONF_ROW(c, i, tls)
#define CONF_TOKEN(c, i)   CONF_ROW(c, i, token)

/* CONF_ENTRY(c, span, i): row i of a span inside a row. */
#define CONF_SUB(c, span, i, name) \
	((const struct conf_##name *)conf_row((c), (span), (i), \
	    sizeof(struct conf_##name)))
#define CONF_ENTRY(c, span, i) CONF_SUB(c, span, i, entry)
#define CONF_REF(c, span, i)   CONF_SUB(c, span, i, ref)
#define CONF_HOST(c, span, i)  CONF_SUB(c, span, i, host)
#define CONF_COND(c, span, i)  CONF_SUB(c, span, i, cond)
#define CONF_STEP(c, span, i)  CONF_SUB(c, span, i, step)
/* clang-format on */

/* "/etc/postern/smtpd.conf:12"; size: CONF_AT_MAX is enough for messages.
 * Returns out. */
#define CONF_AT_MAX 320
const char *conf_at_print(const struct conf *c, const struct conf_at *at,
    char *out, size_t size);

/* A file with these bytes that nobody can change any more; -1 and errno. */
int conf_seal(const void *image, size_t size);

#endif
