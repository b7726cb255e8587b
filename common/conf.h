/*
 * The configuration as the processes hold it: one read-only piece of memory
 * without pointers, so that it crosses exec in a sealed memfd.  Texts are
 * offsets into a pool, lists are spans.  It never changes in a running
 * process.  The parser (smtpd/conf_parse.c) makes it, the parent hands it on;
 * contents of tables go to lookup alone.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_MAGIC 0x504f5354u /* "POST" */

typedef uint32_t conf_str; /* 0 is the empty text */

struct conf_span {
	uint32_t off; /* from the start of struct conf */
	uint32_t n;
};

#define CONF_NONE UINT32_MAX /* an index that points nowhere */

struct conf_listen {
	struct sockaddr_storage ss; /* not used by LISTEN_LOCAL */
	uint32_t sslen;
	uint8_t local;     /* `listen on socket`: the path for sendmail(8) */
	conf_str name;     /* as written, for the log */
	conf_str tag;      /* empty: none */
	conf_str hostname; /* empty: conf.hostname */
	uint32_t line;
};

enum conf_table_kind { TABLE_LIST, TABLE_MAP, TABLE_FILE };

struct conf_table {
	conf_str name; /* empty: an inline list of a rule */
	uint8_t kind;
	conf_str path;            /* TABLE_FILE */
	struct conf_span entries; /* struct conf_entry; inline ones */
	uint32_t line;
};

struct conf_entry {
	conf_str key;
	conf_str value; /* TABLE_MAP */
};

enum conf_scheme { SCHEME_SMTP, SCHEME_SMTP_NOTLS };

struct conf_action {
	conf_str name;
	uint8_t scheme; /* enum conf_scheme */
	conf_str host; /* smarthost: name or address; empty: MX of the domain */
	uint16_t port; /* 25 unless said */
	conf_str helo; /* empty: conf.hostname */
	uint32_t line;
};

enum conf_from { FROM_LOCAL, FROM_ANY, FROM_SRC, FROM_SOCKET };
enum conf_for { FOR_LOCAL, FOR_ANY, FOR_DOMAIN };

struct conf_match {
	uint8_t from, not_from; /* enum conf_from */
	uint8_t for_, not_for;  /* enum conf_for */
	uint8_t reject, not_tag;
	uint32_t from_table; /* FROM_SRC: index of a table */
	uint32_t for_table;  /* FOR_DOMAIN */
	conf_str tag;        /* empty: any */
	uint32_t action;     /* index, CONF_NONE when reject */
	uint32_t line;
};

enum conf_alg { ALG_RSA, ALG_ED25519 }; /* known when keys has read the key */

struct conf_dkim {
	conf_str domain, selector;
	conf_str path; /* opened by the parent */
	uint32_t line;
};

/* `retry 5m*2, 15m, 1h up to 4h`: how long after the n-th failed attempt. */
struct conf_retry {
	uint32_t seconds;
	uint32_t times; /* this step is used so often, at least 1 */
};

#define CONF_WARN_MAX 4

struct conf {
	uint32_t magic;
	uint32_t size; /* bytes, pool included */
	conf_str path; /* the file, for messages */

	/* who we are */
	conf_str hostname;                /* in the banner, Received, EHLO */
	struct sockaddr_storage resolver; /* ss_family 0: /etc/resolv.conf */
	uint32_t resolver_timeout; /* seconds for one question, all tries */

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

	/* queue */
	uint32_t queue_ttl;           /* seconds */
	uint32_t warn[CONF_WARN_MAX]; /* seconds, 0 ends; rising */
	uint32_t retry_max;           /* ceiling of the steps, seconds */
	uint32_t route_concurrency;   /* connections per route, at most */

	struct conf_span listen, table, action, match, dkim, retry;
	struct conf_span local_addr; /* conf_entry: addresses of this host */
	struct conf_span pool;
};

/* What content with a bare CR or LF gets. */
enum conf_bare { BARE_REJECT, BARE_FIX };

/* Maps a sealed memfd for reading; takes fd over.  NULL: not a configuration
 * (the reason is in errno). */
const struct conf *conf_map(int fd);

/* The text at s; never NULL. */
const char *conf_text(const struct conf *c, conf_str s);

/* Row i of a span; i is below span.n (asserted). */
const void *conf_row(const struct conf *c, struct conf_span span, uint32_t i,
    size_t size);

#define CONF_LISTEN(c, i)                                                      \
	((const struct conf_listen *)conf_row((c), (c)->listen, (i),           \
	    sizeof(struct conf_listen)))
#define CONF_TABLE(c, i)                                                       \
	((const struct conf_table *)conf_row((c), (c)->table, (i),             \
	    sizeof(struct conf_table)))
#define CONF_ACTION(c, i)                                                      \
	((const struct conf_action *)conf_row((c), (c)->action, (i),           \
	    sizeof(struct conf_action)))
#define CONF_MATCH(c, i)                                                       \
	((const struct conf_match *)conf_row((c), (c)->match, (i),             \
	    sizeof(struct conf_match)))
#define CONF_DKIM(c, i)                                                        \
	((const struct conf_dkim *)conf_row((c), (c)->dkim, (i),               \
	    sizeof(struct conf_dkim)))
#define CONF_RETRY(c, i)                                                       \
	((const struct conf_retry *)conf_row((c), (c)->retry, (i),             \
	    sizeof(struct conf_retry)))
#define CONF_ENTRY(c, span, i)                                                 \
	((const struct conf_entry *)conf_row((c), (span), (i),                 \
	    sizeof(struct conf_entry)))

/* A file with these bytes that nobody can change any more; -1 and errno. */
int conf_seal(const void *image, size_t size);

#endif
