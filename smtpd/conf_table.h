/*
 * The grammar of smtpd.conf: each directive and each option is a row.  The
 * walk over it is in conf_parse.c, what a row reads in conf_value.c and
 * conf_stmt.c; smtpd.conf(5) has the same rows in words.
 *
 * A place is where in a statement a word may stand; a row says which word,
 * what is read after it, and which place comes next.  A new option is a new
 * row; a construct of OpenSMTPD 7.8 that is still missing is a row too, so
 * that it is refused by its name.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_TABLE_H
#define SMTPD_CONF_TABLE_H

#include "bounds.h"

#define KIB    UINT64_C(1024)
#define MIB    (1024 * KIB)
#define MINUTE UINT64_C(60)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* clang-format off */

/*
 * Places.  Columns: name, how many of its words (ONE, SOME: at least one,
 * MANY: any number, each once), what is done at its end (NULL: nothing).
 */
#define CONF_PLACES(X) \
	X(TOP,          ONE,  NULL) \
	X(LISTEN,       ONE,  NULL) \
	X(LISTEN_ON,    ONE,  NULL) \
	X(LISTENER,     MANY, conf_listen_end) \
	X(LOCAL_SOCKET, MANY, conf_listen_end) \
	X(TABLE,        ONE,  NULL) \
	X(TABLE_IS,     ONE,  conf_table_end) \
	X(ACTION,       ONE,  NULL) \
	X(METHOD,       ONE,  conf_action_end) \
	X(RELAY,        MANY, NULL) \
	X(MATCH,        MANY, conf_match_end) \
	X(FROM,         ONE,  NULL) \
	X(FOR,          ONE,  NULL) \
	X(DKIM,         ONE,  NULL) \
	X(DKIM_KEY,     MANY, conf_dkim_end) \
	X(RESOLVER,     MANY, conf_resolver_end) \
	X(QUEUE,        ONE,  NULL) \
	X(BOUNCE,       ONE,  NULL) \
	X(SMTP,         ONE,  NULL) \
	X(SMTP_LIMIT,   SOME, NULL) \
	X(BARE_NEWLINE, ONE,  NULL) \
	X(LIMIT,        ONE,  NULL) \
	X(LIMIT_ROUTE,  ONE,  NULL) \
	/* asked by readers of values, for names not yet there */ \
	X(TABLE_TYPE,   ONE,  NULL) \
	X(SCHEME,       ONE,  NULL) \
	X(VALUE,        ONE,  NULL)

/*
 * Words.  Columns: place, word (NULL: whatever else stands there), what is
 * read, in words for a message (NULL: nothing), flags, reader, field, value to
 * store, next place.
 */
#define CONF_WORDS(X) \
	X(TOP, "listen",   NULL,         0, nothing,  none, 0, LISTEN) \
	X(TOP, "table",    NULL,         0, nothing,  none, 0, TABLE) \
	X(TOP, "action",   NULL,         0, nothing,  none, 0, ACTION) \
	X(TOP, "match",    NULL,         0, nothing,  none, 0, MATCH) \
	X(TOP, "dkim",     NULL,         0, nothing,  none, 0, DKIM) \
	X(TOP, "resolver", "an address", 0, resolver, none, 0, RESOLVER) \
	X(TOP, "retry",    "times, as in `5m*2, 1h up to 4h`", 0, retry, none, 0, TOP) \
	X(TOP, "queue",    NULL,         0, nothing,  none, 0, QUEUE) \
	X(TOP, "bounce",   NULL,         0, nothing,  none, 0, BOUNCE) \
	X(TOP, "smtp",     NULL,         0, nothing,  none, 0, SMTP) \
	X(TOP, "limit",    NULL,         0, nothing,  none, 0, LIMIT) \
	X(TOP, "hostname", "a host name", 0, host, conf.hostname, 0, TOP) \
	X(TOP, "include",  "a file name in quotes", 0, include, none, 0, TOP) \
	\
	X(LISTEN, "on", NULL, 0, nothing, none, 0, LISTEN_ON) \
	X(LISTEN_ON, "socket", NULL, 0, value, stmt.listen.local, 1, LOCAL_SOCKET) \
	X(LISTEN_ON, NULL, "an address without prefix length, an interface, `localhost` or `all`", 0, where, none, 0, LISTENER) \
	X(LISTENER, "tag", "a tag", 0, tag, stmt.listen.tag, 0, TOP) \
	X(LISTENER, "hostname", "a host name", 0, host, stmt.listen.hostname, 0, TOP) \
	X(LOCAL_SOCKET, "tag", "a tag", 0, tag, stmt.listen.tag, 0, TOP) \
	\
	X(TABLE, NULL, "the table's name", 0, table_name, none, 0, TABLE_IS) \
	X(TABLE_IS, NULL, "`{`, `file:PATH` or a path", 0, table_source, none, 0, TOP) \
	\
	X(ACTION, NULL, "the action's name", 0, action_name, none, 0, METHOD) \
	X(METHOD, "relay", NULL, 0, nothing, none, 0, RELAY) \
	X(RELAY, "host", "smtp://HOST or smtp+notls://HOST", 0, url, none, 0, TOP) \
	X(RELAY, "helo", "a host name", 0, helo, stmt.action.helo, 0, TOP) \
	\
	X(MATCH, "from", NULL, CW_NOT, negation, stmt.match.not_from, 0, FROM) \
	X(MATCH, "for", NULL, CW_NOT, negation, stmt.match.not_for, 0, FOR) \
	X(MATCH, "tag", "a tag", CW_NOT, match_tag, stmt.match.tag, 0, TOP) \
	X(MATCH, "action", "the name of an action", CW_LAST, action_ref, stmt.match.action, 0, TOP) \
	X(MATCH, "reject", NULL, CW_LAST, value, stmt.match.reject, 1, TOP) \
	X(FROM, "local", NULL, 0, value, stmt.match.from, FROM_LOCAL, TOP) \
	X(FROM, "any", NULL, 0, value, stmt.match.from, FROM_ANY, TOP) \
	X(FROM, "socket", NULL, 0, value, stmt.match.from, FROM_SOCKET, TOP) \
	X(FROM, "src", "an address, address/bits, <table> or { list }", 0, src, stmt.match.from, FROM_SRC, TOP) \
	X(FOR, "local", NULL, 0, value, stmt.match.for_, FOR_LOCAL, TOP) \
	X(FOR, "any", NULL, 0, value, stmt.match.for_, FOR_ANY, TOP) \
	X(FOR, "domain", "a domain, <table> or { list }", 0, domain, stmt.match.for_, FOR_DOMAIN, TOP) \
	\
	X(DKIM, "domain", "a domain", 0, host, stmt.dkim.domain, 0, DKIM_KEY) \
	X(DKIM_KEY, "selector", "a selector", CW_NEED, selector, stmt.dkim.selector, 0, TOP) \
	X(DKIM_KEY, "key", "the path of a private key", CW_NEED, path, stmt.dkim.path, 0, TOP) \
	\
	X(BOUNCE, "warn-interval", "a time, or up to four in { }", 0, warn, none, 0, TOP) \
	X(SMTP, "limit", NULL, 0, nothing, none, 0, SMTP_LIMIT) \
	X(SMTP, "bare-newline", NULL, 0, nothing, none, 0, BARE_NEWLINE) \
	X(BARE_NEWLINE, "reject", NULL, 0, value, conf.bare_newline, BARE_REJECT, TOP) \
	X(BARE_NEWLINE, "fix", NULL, 0, value, conf.bare_newline, BARE_FIX, TOP) \
	X(LIMIT, "route", NULL, 0, nothing, none, 0, LIMIT_ROUTE)

/*
 * Settings: numbers.  Columns: place, word, reader, field, least, most,
 * default.  Sizes are bytes, times seconds.
 */
#define CONF_SETTINGS(X) \
	X(LISTENER, "port", port, stmt.listen_port, 1, 65535, 25) \
	X(RELAY, "port", port, stmt.action.port, 1, 65535, 0) \
	X(RESOLVER, "port", port, stmt.resolver_port, 1, 65535, 53) \
	X(RESOLVER, "timeout", time, conf.resolver_timeout, 1, 5 * MINUTE, 10) \
	X(QUEUE, "ttl", time, conf.queue_ttl, 1, 365 * DAY, 4 * DAY) \
	/* OpenSMTPD's default; RFC 5321 4.5.3.1.7 wants 64K at least */ \
	X(SMTP, "max-message-size", size, conf.max_message_size, 1, 1024 * 1024 * MIB, 35 * MIB) \
	/* RFC 5321 4.5.3.2.7: 5 minutes at least for a command */ \
	X(SMTP, "timeout", time, conf.smtp_timeout, 1, DAY, 5 * MINUTE) \
	X(SMTP, "data-timeout", time, conf.data_timeout, 1, DAY, 5 * MINUTE) \
	/* RFC 5321 4.5.3.1.8: 100 at least */ \
	X(SMTP_LIMIT, "max-rcpt", number, conf.max_rcpt, 1, RCPT_MAX, 1000) \
	X(SMTP_LIMIT, "max-mails", number, conf.max_mails, 1, 1000000, 100) \
	X(SMTP_LIMIT, "max-sessions", number, conf.max_sessions, 1, 100000, 1000) \
	/* RFC 5321 4.5.3.1.4: 512 at least, and more by extensions */ \
	X(SMTP_LIMIT, "max-command-line", size, conf.max_command, 512, 64 * KIB, 2 * KIB) \
	/* RFC 5321 4.5.3.1.6 has 1000, but mail with longer lines is common */ \
	X(SMTP_LIMIT, "max-line", size, conf.max_line, 1000, MIB, 64 * KIB) \
	X(SMTP_LIMIT, "max-header", size, conf.max_header, KIB, 64 * MIB, 256 * KIB) \
	/* RFC 5321 6.3: 100 at least */ \
	X(SMTP_LIMIT, "max-hops", number, conf.max_hops, 1, 1000, 100) \
	X(SMTP_LIMIT, "max-errors", number, conf.max_errors, 1, 1000000, 20) \
	X(LIMIT_ROUTE, "concurrency", number, conf.route_concurrency, 1, 10000, 20)

/* Defaults of what is a list.  Seconds, then how often; and seconds. */
#define CONF_RETRY_DEFAULT \
	{ 5 * MINUTE, 2 }, { 15 * MINUTE, 2 }, { 30 * MINUTE, 1 }, { HOUR, 1 }
#define CONF_RETRY_MAX_DEFAULT (4 * HOUR)
#define CONF_WARN_DEFAULT      (4 * HOUR)

/*
 * In the grammar of OpenSMTPD 7.8 and not here.  Columns: place, word.
 */
#define CONF_NOT_YET(X) \
	X(TOP, "admd")            X(TOP, "ca") \
	X(TOP, "filter")          X(TOP, "mda") \
	X(TOP, "mta")             X(TOP, "pki") \
	X(TOP, "proc")            X(TOP, "scheduler") \
	X(TOP, "srs") \
	X(QUEUE, "compression")   X(QUEUE, "encryption") \
	X(SMTP, "ciphers")        X(SMTP, "sub-addr-delim") \
	X(LISTENER, "auth")       X(LISTENER, "auth-optional") \
	X(LISTENER, "ca")         X(LISTENER, "ciphers") \
	X(LISTENER, "filter")     X(LISTENER, "hostnames") \
	X(LISTENER, "inet4")      X(LISTENER, "inet6") \
	X(LISTENER, "mask-src")   X(LISTENER, "no-dsn") \
	X(LISTENER, "pki")        X(LISTENER, "protocols") \
	X(LISTENER, "proxy-v2")   X(LISTENER, "received-auth") \
	X(LISTENER, "senders")    X(LISTENER, "smtps") \
	X(LISTENER, "tls")        X(LISTENER, "tls-require") \
	X(LOCAL_SOCKET, "filter") X(LOCAL_SOCKET, "mask-src") \
	X(LOCAL_SOCKET, "no-dsn") \
	X(METHOD, "expand-only")  X(METHOD, "forward-only") \
	X(METHOD, "lmtp")         X(METHOD, "maildir") \
	X(METHOD, "mbox")         X(METHOD, "mda") \
	X(RELAY, "auth")          X(RELAY, "backup") \
	X(RELAY, "ca")            X(RELAY, "ciphers") \
	X(RELAY, "domain")        X(RELAY, "filter") \
	X(RELAY, "helo-src")      X(RELAY, "mail-from") \
	X(RELAY, "pki")           X(RELAY, "protocols") \
	X(RELAY, "src")           X(RELAY, "srs") \
	X(RELAY, "tls")           X(RELAY, "ttl") \
	X(MATCH, "auth")          X(MATCH, "helo") \
	X(MATCH, "mail-from")     X(MATCH, "rcpt-to") \
	X(MATCH, "tls") \
	X(FROM, "auth")           X(FROM, "mail-from") \
	X(FROM, "rdns")           X(FOR, "rcpt-to") \
	X(TABLE_TYPE, "db")       X(TABLE_TYPE, "ldap") \
	X(TABLE_TYPE, "mysql")    X(TABLE_TYPE, "passwd") \
	X(TABLE_TYPE, "postgres") X(TABLE_TYPE, "proc") \
	X(TABLE_TYPE, "proc-exec") X(TABLE_TYPE, "redis") \
	X(TABLE_TYPE, "socketmap") X(TABLE_TYPE, "sqlite") \
	X(SCHEME, "lmtp")         X(SCHEME, "smtp+tls") \
	X(SCHEME, "smtps") \
	X(VALUE, "regex")

/*
 * Statements that only the grammar before OpenSMTPD 6.4 had.  Columns: first
 * word, which word betrays it (counted from 0), that word.
 */
#define CONF_PRE_6_4(X) \
	X("accept",           0, "accept") \
	X("reject",           0, "reject") \
	X("map",              0, "map") \
	X("expire",           0, "expire") \
	X("bounce-warn",      0, "bounce-warn") \
	X("max-message-size", 0, "max-message-size") \
	X("limit",            1, "mta") \
	X("pki",              2, "certificate")

/*
 * Words that OpenSMTPD reserves, bare, wherever they stand: as names they
 * need quotes.  Nothing of ours is added, or a file that works would not.
 */
#define CONF_RESERVED(X) \
	X("action") X("admd") X("alias") X("any") X("auth") \
	X("auth-optional") X("backup") X("bounce") X("bypass") X("ca") \
	X("cert") X("chain") X("chroot") X("ciphers") X("commit") \
	X("compression") X("connect") X("data") X("data-line") X("dhe") \
	X("disconnect") X("domain") X("ehlo") X("encryption") \
	X("expand-only") X("fcrdns") X("filter") X("for") X("forward-only") \
	X("from") X("group") X("helo") X("helo-src") X("host") X("hostname") \
	X("hostnames") X("include") X("inet4") X("inet6") X("junk") X("key") \
	X("limit") X("listen") X("lmtp") X("local") X("mail-from") \
	X("maildir") X("mask-src") X("masquerade") X("match") \
	X("max-deferred") X("max-message-size") X("mbox") X("mda") X("mta") \
	X("mx") X("no-dsn") X("no-verify") X("noop") X("on") X("phase") \
	X("pki") X("port") X("proc") X("proc-exec") X("protocols") \
	X("proxy-v2") X("queue") X("quit") X("rcpt-to") X("rdns") \
	X("received-auth") X("regex") X("reject") X("relay") X("report") \
	X("rewrite") X("rset") X("scheduler") X("senders") X("smtp") \
	X("smtp-in") X("smtp-out") X("smtps") X("socket") X("src") X("srs") \
	X("sub-addr-delim") X("table") X("tag") X("tls") X("tls-require") \
	X("ttl") X("user") X("userbase") X("verify") X("virtual") \
	X("warn-interval") X("wiz") X("wrapper")

/* clang-format on */

#endif
