/*
 * Words of the grammar that the configuration keeps as numbers: each list is
 * written once, for the parser, smtpd -n, the log and the tests.  A part of
 * conf.h.  Columns: enum, word.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_CONF_WORDS_H
#define COMMON_CONF_WORDS_H

/* ---- tables ---- */

/* What a table can be asked (smtpd-tables(7)). */
#define CONF_SERVICES(X)                                                       \
	X(ALIAS, "alias")             /* a name: what it stands for */         \
	X(DOMAIN, "domain")           /* a domain: is it in it? */             \
	X(CREDENTIALS, "credentials") /* a user or label: its secret */        \
	X(NETADDR, "netaddr")         /* an IP address: is it in it? */        \
	X(USERINFO, "userinfo")       /* a user: uid, gid, home */             \
	X(SOURCE, "source")           /* addresses to connect from */          \
	X(MAILADDR, "mailaddr")       /* a mail address: is it in it? */       \
	X(MAILADDRMAP, "mailaddrmap") /* a user: addresses it may use */       \
	X(ADDRNAME, "addrname")       /* an IP address: a host name */         \
	X(STRING, "string")           /* a text: is it in it? */               \
	X(REGEX, "regex")             /* a text: does an expression match? */  \
	X(RELAYHOST, "relayhost")     /* a domain, or nothing: relay URLs */

enum conf_service {
#define X(name, word) SERVICE_##name,
	CONF_SERVICES(X)
#undef X
	    SERVICES
};

/* ---- filters ---- */

#define CONF_PHASES(X)                                                         \
	X(CONNECT, "connect")                                                  \
	X(HELO, "helo")                                                        \
	X(EHLO, "ehlo")                                                        \
	X(AUTH, "auth")                                                        \
	X(MAIL_FROM, "mail-from")                                              \
	X(RCPT_TO, "rcpt-to")                                                  \
	X(DATA, "data")                                                        \
	X(COMMIT, "commit")

#define CONF_FILTER_CONDS(X)                                                   \
	X(RDNS, "rdns")                                                        \
	X(FCRDNS, "fcrdns")                                                    \
	X(SRC, "src")                                                          \
	X(HELO, "helo")                                                        \
	X(AUTH, "auth")                                                        \
	X(MAIL_FROM, "mail-from")                                              \
	X(RCPT_TO, "rcpt-to")

#define CONF_DECISIONS(X)                                                      \
	X(BYPASS, "bypass")                                                    \
	X(DISCONNECT, "disconnect")                                            \
	X(JUNK, "junk")                                                        \
	X(REJECT, "reject")                                                    \
	X(REWRITE, "rewrite")                                                  \
	X(REPORT, "report")

enum conf_phase {
#define X(name, word) PHASE_##name,
	CONF_PHASES(X)
#undef X
};
enum conf_filter_cond {
#define X(name, word) FCOND_##name,
	CONF_FILTER_CONDS(X)
#undef X
};
enum conf_decision {
#define X(name, word) DECIDE_##name,
	CONF_DECISIONS(X)
#undef X
};

/* ---- actions ---- */

#define CONF_METHODS(X)                                                        \
	X(RELAY, "relay")                                                      \
	X(EXPAND_ONLY, "expand-only")                                          \
	X(FORWARD_ONLY, "forward-only")                                        \
	X(MBOX, "mbox")                                                        \
	X(MAILDIR, "maildir")                                                  \
	X(LMTP, "lmtp")                                                        \
	X(MDA, "mda")

enum conf_method {
#define X(name, word) METHOD_##name,
	CONF_METHODS(X)
#undef X
};

/* As in a relay URL.  Columns: enum, word. */
#define CONF_SCHEMES(X)                                                        \
	X(SMTP, "smtp")             /* STARTTLS if offered */                  \
	X(SMTP_TLS, "smtp+tls")     /* STARTTLS, or not at all */              \
	X(SMTP_NOTLS, "smtp+notls") /* never */                                \
	X(SMTPS, "smtps")           /* TLS from the first byte */              \
	X(LMTP, "lmtp")

enum conf_scheme {
#define X(name, word) SCHEME_##name,
	CONF_SCHEMES(X)
#undef X
};

/* ---- rules ---- */

/*
 * Columns: enum, words.  A rule has one or more of each; FROM_* and FOR_*
 * exclude others of their kind.  FROM_AUTH and FROM_MAIL_FROM stand for `from
 * any` and that condition, FOR_RCPT_TO for `for any` and that.
 */
#define CONF_CONDS(X)                                                          \
	X(FROM_ANY, "from any")                                                \
	X(FROM_LOCAL, "from local")                                            \
	X(FROM_SOCKET, "from socket")                                          \
	X(FROM_AUTH, "from auth")                                              \
	X(FROM_MAIL_FROM, "from mail-from")                                    \
	X(FROM_RDNS, "from rdns")                                              \
	X(FROM_SRC, "from src")                                                \
	X(FOR_ANY, "for any")                                                  \
	X(FOR_LOCAL, "for local")                                              \
	X(FOR_DOMAIN, "for domain")                                            \
	X(FOR_RCPT_TO, "for rcpt-to")                                          \
	X(AUTH, "auth")                                                        \
	X(HELO, "helo")                                                        \
	X(MAIL_FROM, "mail-from")                                              \
	X(RCPT_TO, "rcpt-to")                                                  \
	X(TAG, "tag")                                                          \
	X(TLS, "tls")                                                          \
	X(SPF, "auth-results spf")                                             \
	X(DKIM, "auth-results dkim")                                           \
	X(DMARC, "auth-results dmarc")                                         \
	X(ARC, "auth-results arc")

enum conf_cond_kind {
#define X(name, words) COND_##name,
	CONF_CONDS(X)
#undef X
	    CONDS
};

/* ---- who sent it ---- */

/* Columns: enum, word. */
#define CONF_DMARC_RULES(X)                                                    \
	X(RFC9989, "rfc9989") /* the tree is walked */                         \
	X(RFC7489, "rfc7489") /* a list of public suffixes, and pct */

enum conf_dmarc_rules {
#define X(name, word) DMARC_##name,
	CONF_DMARC_RULES(X)
#undef X
};

/* What is done with a message that fails, where its domain asks for
 * quarantine, for reject; with one that has no single author. */
#define CONF_DMARC_ACTS(X)                                                     \
	X(NONE, "none")     /* the results say it, and that is all */          \
	X(MARK, "mark")     /* a field X-DMARC says what was asked for */      \
	X(JUNK, "junk")     /* as a filter's `junk` */                         \
	X(HOLD, "hold")     /* kept until the operator releases it */          \
	X(REJECT, "reject") /* 550 5.7.1 */

/* What is done with a message that might be refused, if the DNS could say now
 * what is needed to know. */
#define CONF_DMARC_TEMPERRORS(X)                                               \
	X(ACCEPT, "accept") /* it is taken */                                  \
	X(LATER, "later")   /* 451: it comes again */

enum conf_dmarc_temperror {
#define X(name, word) DMARC_TEMPERROR_##name,
	CONF_DMARC_TEMPERRORS(X)
#undef X
};

enum conf_dmarc_act {
#define X(name, word) DMARC_ACT_##name,
	CONF_DMARC_ACTS(X)
#undef X
};

/* ---- tls ---- */

#define CONF_TLS_LEVELS(X)                                                     \
	X(UNSAID, "")                                                          \
	X(NO, "no")           /* without */                                    \
	X(MAY, "may")         /* if it is offered, whoever answers */          \
	X(REQUIRE, "require") /* or not at all, whoever answers */             \
	X(VERIFY, "verify")   /* ... with a good certificate for its name */

enum conf_tls_level {
#define X(name, word) TLS_LEVEL_##name,
	CONF_TLS_LEVELS(X)
#undef X
};

#endif
