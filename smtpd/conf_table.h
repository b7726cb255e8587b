/*
 * The grammar of smtpd.conf: each directive and each option is a row.  The
 * walk over it is in conf_parse.c, what a row reads in conf_value.c and the
 * files named after the statements; smtpd.conf(5) has the same rows in words.
 *
 * A place is where in a statement a word may stand; a row says which word,
 * what is read after it, and which place comes next.  A new option is a new
 * row.  What no program of this version does yet is a row like any other, and
 * one of CONF_NOT_YET besides: it is read, checked, and refused by its name.
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
 * MANY: any number, each once, MAYBE: one or none), what is done at its end
 * (NULL: nothing), which place comes then (TOP: none).
 */
#define CONF_PLACES(X) \
	X(TOP,          ONE,   NULL,              TOP) \
	X(INCLUDE,      ONE,   NULL,              TOP) \
	/* the way in */ \
	X(LISTEN,       ONE,   NULL,              TOP) \
	X(LISTEN_ON,    ONE,   NULL,              TOP) \
	X(LISTENER,     MANY,  conf_listen_end,   TOP) \
	X(LOCAL_SOCKET, MANY,  conf_listen_end,   TOP) \
	X(VERIFY,       MAYBE, NULL,              TOP) \
	X(SENDERS,      MAYBE, NULL,              TOP) \
	X(PKI,          ONE,   NULL,              TOP) \
	X(PKI_IS,       MANY,  conf_pki_end,      TOP) \
	X(CA,           ONE,   NULL,              TOP) \
	X(CA_IS,        SOME,  conf_ca_end,       TOP) \
	X(SMTP,         ONE,   NULL,              TOP) \
	X(SMTP_LIMIT,   SOME,  NULL,              TOP) \
	X(BARE_NEWLINE, ONE,   NULL,              TOP) \
	X(EIGHT_BIT,    ONE,   NULL,              TOP) \
	/* tables */ \
	X(TABLE,        ONE,   NULL,              TOP) \
	X(TABLE_IS,     ONE,   conf_table_end,    TOP) \
	/* actions */ \
	X(ACTION,       ONE,   conf_action_end,   TOP) \
	X(METHOD,       ONE,   NULL,              TOP) \
	X(MAILDIR,      MAYBE, NULL,              LOCAL) \
	X(LMTP,         MAYBE, NULL,              LOCAL) \
	X(LOCAL,        MANY,  NULL,              TOP) \
	X(RELAY,        MANY,  NULL,              TOP) \
	X(RELAY_TLS,    MAYBE, NULL,              TOP) \
	X(BACKUP,       MAYBE, NULL,              TOP) \
	X(MDA,          ONE,   NULL,              TOP) \
	X(WRAPPER,      ONE,   NULL,              TOP) \
	X(WRAPPER_IS,   ONE,   conf_wrapper_end,  TOP) \
	/* rules */ \
	X(MATCH,        MANY,  conf_match_end,    TOP) \
	X(FROM,         ONE,   NULL,              TOP) \
	X(FOR,          ONE,   NULL,              TOP) \
	/* filters */ \
	X(PROC,         ONE,   NULL,              TOP) \
	X(PROC_IS,      ONE,   NULL,              PROC_AS) \
	X(PROC_AS,      MANY,  conf_proc_end,     TOP) \
	X(FILTER,       ONE,   conf_filter_end,   TOP) \
	X(FILTER_IS,    ONE,   NULL,              TOP) \
	X(FILTER_AS,    MANY,  NULL,              TOP) \
	X(PHASE,        ONE,   NULL,              PHASE_MATCH) \
	X(PHASE_MATCH,  ONE,   NULL,              FILTER_COND) \
	X(FILTER_COND,  ONE,   conf_filter_cond_end, DECISION) \
	X(DECISION,     ONE,   NULL,              TOP) \
	/* queue and delivery */ \
	X(QUEUE,        ONE,   NULL,              TOP) \
	X(BOUNCE,       SOME,  NULL,              TOP) \
	X(SRS,          ONE,   NULL,              TOP) \
	X(SRS_KEY,      ONE,   NULL,              TOP) \
	X(MTA,          ONE,   NULL,              TOP) \
	X(SCHEDULER,    ONE,   NULL,              TOP) \
	/* ours */ \
	X(DKIM,         ONE,   NULL,              TOP) \
	X(DKIM_KEY,     MANY,  conf_dkim_end,     TOP) \
	X(RESOLVER,     MANY,  conf_resolver_end, TOP) \
	X(RETRY,        ONE,   conf_retry_end,    TOP) \
	X(RETRY_STEPS,  ONE,   NULL,              TOP) \
	X(LIMIT,        ONE,   NULL,              TOP) \
	X(LIMIT_OUT,    SOME,  conf_limit_end,    TOP) \
	X(LIMIT_CLIENT, SOME,  NULL,              TOP) \
	X(LIMIT_NETWORK, SOME, NULL,              TOP) \
	X(OAUTH,        MANY,  conf_oauth_end,    TOP) \
	X(DNSBL,        MANY,  conf_dnsbl_end,    TOP) \
	X(DNSWL,        MANY,  conf_dnswl_end,    TOP) \
	X(GREYLIST,     SOME,  NULL,              TOP) \
	X(METRICS,      ONE,   NULL,              TOP) \
	X(METRICS_ON,   MANY,  conf_metrics_end,  TOP) \
	X(LOG,          SOME,  NULL,              TOP) \
	X(TLS,          ONE,   NULL,              TOP) \
	X(TLS_LEVEL,    ONE,   NULL,              TLS_IS) \
	X(TLS_IS,       MANY,  conf_tls_end,      TOP) \
	X(TOKEN,        ONE,   NULL,              TOP) \
	X(TOKEN_IS,     ONE,   conf_token_end,    TOP) \
	X(TOKEN_USER,   ONE,   NULL,              TOP) \
	X(HISTORY,      SOME,  conf_history_end,  TOP) \
	X(SPF,          ONE,   NULL,              TOP) \
	X(DMARC,        ONE,   NULL,              TOP) \
	X(DMARC_RULES,  ONE,   NULL,              TOP) \
	X(DMARC_TEMPERROR, ONE, NULL,             TOP) \
	X(DMARC_EXCEPT, ONE,   NULL,              TOP) \
	X(DMARC_REPORT, MANY,  conf_report_end,   TOP) \
	X(ARC,          ONE,   NULL,              TOP) \
	X(ARC_SEAL,     ONE,   NULL,              TOP)

/* What is read, in words, of more than one row. */
#define RATE    "N/TIME, as in `10/1m`"
#define DOMAINS "a domain or { list }"
#define CLIENTS "an address, address/bits, <table> or { list }"
#define ACTS    "`none`, `mark`, `junk`, `hold` or `reject`"
#define ANSWERS "an address of 127.0.0.0/8, as 127.0.0.2 or 127.0.0.4-127.0.0.11, or { list }"

/*
 * Words.  Columns: place, word (NULL: whatever else stands there), what is
 * read, in words for a message (NULL: nothing, or it may be left out), flags,
 * reader, field, value to store, next place.
 */
#define CONF_WORDS(X) \
	X(TOP, "listen",    NULL, 0, nothing, none, 0, LISTEN) \
	X(TOP, "table",     NULL, 0, nothing, none, 0, TABLE) \
	X(TOP, "action",    NULL, 0, nothing, none, 0, ACTION) \
	X(TOP, "match",     NULL, 0, nothing, none, 0, MATCH) \
	X(TOP, "pki",       NULL, 0, nothing, none, 0, PKI) \
	X(TOP, "ca",        NULL, 0, nothing, none, 0, CA) \
	X(TOP, "filter",    NULL, 0, nothing, none, 0, FILTER) \
	X(TOP, "proc",      NULL, 0, nothing, none, 0, PROC) \
	X(TOP, "queue",     NULL, 0, nothing, none, 0, QUEUE) \
	X(TOP, "bounce",    NULL, 0, nothing, none, 0, BOUNCE) \
	X(TOP, "smtp",      NULL, 0, nothing, none, 0, SMTP) \
	X(TOP, "mta",       NULL, 0, nothing, none, 0, MTA) \
	X(TOP, "mda",       NULL, 0, nothing, none, 0, MDA) \
	X(TOP, "scheduler", NULL, 0, nothing, none, 0, SCHEDULER) \
	X(TOP, "srs",       NULL, 0, nothing, none, 0, SRS) \
	X(TOP, "admd",      "a name for this host's mail system, as mail.example.org", 0, admd, conf.admd, 0, TOP) \
	X(TOP, "include",   NULL, 0, nothing, none, 0, INCLUDE) \
	X(TOP, "hostname",  "a host name", 0, host, conf.hostname, 0, TOP) \
	X(TOP, "mailname",  "a domain, or the path of a file with one", 0, mail_name, conf.mail_name, 0, TOP) \
	X(TOP, "dkim",      NULL, 0, nothing, none, 0, DKIM) \
	X(TOP, "resolver",  "an address", 0, address, stmt.address, 0, RESOLVER) \
	X(TOP, "retry",     NULL, 0, nothing, none, 0, RETRY) \
	X(TOP, "limit",     NULL, 0, nothing, none, 0, LIMIT) \
	X(TOP, "oauth",     NULL, 0, nothing, none, 0, OAUTH) \
	X(TOP, "dnsbl",     "the domain of a list", 0, host, stmt.dnslist.domain, 0, DNSBL) \
	X(TOP, "dnswl",     "the domain of a list", 0, host, stmt.dnslist.domain, 0, DNSWL) \
	X(TOP, "greylist",  NULL, 0, nothing, none, 0, GREYLIST) \
	X(TOP, "metrics",   NULL, 0, nothing, none, 0, METRICS) \
	X(TOP, "log",       NULL, 0, nothing, none, 0, LOG) \
	X(TOP, "tls",       NULL, 0, nothing, none, 0, TLS) \
	X(TOP, "token",     NULL, 0, nothing, none, 0, TOKEN) \
	X(TOP, "history",   NULL, 0, nothing, none, 0, HISTORY) \
	X(TOP, "spf",       NULL, 0, verify, none, CONF_SAID_SPF, SPF) \
	X(TOP, "dmarc",     NULL, 0, verify, none, CONF_SAID_DMARC, DMARC) \
	X(TOP, "arc",       NULL, 0, verify, none, CONF_SAID_ARC, ARC) \
	X(INCLUDE, NULL, "a file name in quotes", 0, include, none, 0, TOP) \
	\
	X(LISTEN, "on", NULL, 0, nothing, none, 0, LISTEN_ON) \
	X(LISTEN_ON, "socket", NULL, 0, value, stmt.listen.local, 1, LOCAL_SOCKET) \
	X(LISTEN_ON, NULL, "an address without prefix length, an interface, `localhost` or `all`", 0, where, none, 0, LISTENER) \
	X(LISTENER, "inet4",         NULL, 0, choice, stmt.listen.inet, 4, TOP) \
	X(LISTENER, "inet6",         NULL, 0, choice, stmt.listen.inet, 6, TOP) \
	X(LISTENER, "tls",           NULL, 0, choice, stmt.listen.tls, LISTEN_TLS, TOP) \
	X(LISTENER, "tls-require",   NULL, 0, choice, stmt.listen.tls, LISTEN_TLS_REQUIRE, VERIFY) \
	X(LISTENER, "smtps",         NULL, 0, choice, stmt.listen.tls, LISTEN_SMTPS, VERIFY) \
	X(LISTENER, "pki",           "the name of a pki", CW_MANY, listen_pki, none, 0, TOP) \
	X(LISTENER, "ca",            "the name of a ca", 0, name_ref, stmt.listen.ca, NAMED_CA, TOP) \
	X(LISTENER, "ciphers",       "a list of ciphers", 0, text, stmt.listen.ciphers, 0, TOP) \
	X(LISTENER, "protocols",     "a list of protocols, as `TLSv1.2,TLSv1.3`", 0, protocols, stmt.listen.protocols, 0, TOP) \
	X(LISTENER, "auth",          NULL, 0, listen_auth, stmt.listen.auth, AUTH_NEEDED, TOP) \
	X(LISTENER, "auth-optional", NULL, 0, listen_auth, stmt.listen.auth, AUTH_OPTIONAL, TOP) \
	X(LISTENER, "filter",        "a filter's name, or a list of them", 0, listen_filter, none, 0, TOP) \
	X(LISTENER, "hostname",      "a host name", 0, hostname, stmt.listen.hostname, 0, TOP) \
	X(LISTENER, "hostnames",     "a table of host names by address", 0, map, stmt.listen.hostnames, SERVICE_ADDRNAME, TOP) \
	X(LISTENER, "senders",       "a table of addresses by user", 0, map, stmt.listen.senders, SERVICE_MAILADDRMAP, SENDERS) \
	X(LISTENER, "tag",           "a tag", 0, tag, stmt.listen.tag, 0, TOP) \
	X(LISTENER, "mask-src",      NULL, 0, value, stmt.listen.mask_src, 1, TOP) \
	X(LISTENER, "no-dsn",        NULL, 0, value, stmt.listen.no_dsn, 1, TOP) \
	X(LISTENER, "received-auth", NULL, 0, value, stmt.listen.received_auth, 1, TOP) \
	X(LISTENER, "proxy-v2",      NULL, 0, value, stmt.listen.proxy_v2, 1, TOP) \
	X(LISTENER, "lmtp",          NULL, 0, value, stmt.listen.lmtp, 1, TOP) \
	X(LISTENER, "auth-insecure", NULL, 0, value, stmt.listen.auth_insecure, 1, TOP) \
	X(LISTENER, "dnsbl",         NULL, 0, value, stmt.listen.dnsbl, 1, TOP) \
	X(LISTENER, "greylist",      NULL, 0, value, stmt.listen.greylist, 1, TOP) \
	X(LISTENER, "auth-results",  NULL, 0, value, stmt.listen.auth_results, 1, TOP) \
	X(LISTENER, "submission",    NULL, 0, listen_submission, none, 0, TOP) \
	X(LISTENER, "proxy",         CLIENTS, 0, list, stmt.listen.proxy, SERVICE_NETADDR, TOP) \
	X(LISTENER, "xclient",       CLIENTS, 0, list, stmt.listen.xclient, SERVICE_NETADDR, TOP) \
	X(LOCAL_SOCKET, "filter",    "a filter's name, or a list of them", 0, listen_filter, none, 0, TOP) \
	X(LOCAL_SOCKET, "mask-src",  NULL, 0, value, stmt.listen.mask_src, 1, TOP) \
	X(LOCAL_SOCKET, "no-dsn",    NULL, 0, value, stmt.listen.no_dsn, 1, TOP) \
	X(LOCAL_SOCKET, "tag",       "a tag", 0, tag, stmt.listen.tag, 0, TOP) \
	X(VERIFY, "verify",          NULL, 0, value, stmt.listen.verify, 1, TOP) \
	X(SENDERS, "masquerade",     NULL, 0, value, stmt.listen.masquerade, 1, TOP) \
	\
	X(PKI, NULL, "a host name, or \"*\"", 0, pki_name, stmt.pki.name, NAMED_PKI, PKI_IS) \
	X(PKI_IS, "cert", "the path of a certificate", CW_MANY, pki_cert, none, 0, TOP) \
	X(PKI_IS, "key",  "the path of a private key", CW_MANY, pki_key, none, 0, TOP) \
	X(PKI_IS, "dhe",  "`none`, `auto` or `legacy`", CW_MANY, dhe, none, 0, TOP) \
	X(CA, NULL, "a host name, or \"*\"", 0, pki_name, stmt.ca.name, NAMED_CA, CA_IS) \
	X(CA_IS, "cert", "the path of a certificate", 0, cert, stmt.ca.cert, 0, TOP) \
	\
	X(SMTP, "limit", NULL, 0, nothing, none, 0, SMTP_LIMIT) \
	X(SMTP, "ciphers", "a list of ciphers", 0, text, conf.smtp_ciphers, 0, TOP) \
	X(SMTP, "sub-addr-delim", "one character", 0, delimiter, conf.sub_addr_delim, 0, TOP) \
	X(SMTP, "bare-newline", NULL, 0, nothing, none, 0, BARE_NEWLINE) \
	X(BARE_NEWLINE, "reject", NULL, 0, value, conf.bare_newline, BARE_REJECT, TOP) \
	X(BARE_NEWLINE, "fix",    NULL, 0, value, conf.bare_newline, BARE_FIX, TOP) \
	X(SMTP, "eight-bit", NULL, 0, nothing, none, 0, EIGHT_BIT) \
	X(EIGHT_BIT, "accept", NULL, 0, value, conf.eight_bit, EIGHT_ACCEPT, TOP) \
	X(EIGHT_BIT, "reject", NULL, 0, value, conf.eight_bit, EIGHT_REJECT, TOP) \
	\
	X(TABLE, NULL, "the table's name", 0, new_name, stmt.table.name, NAMED_TABLE, TABLE_IS) \
	X(TABLE_IS, NULL, "`{`, TYPE:PATH or a path", 0, table_source, none, 0, TOP) \
	\
	X(ACTION, NULL, "the action's name", 0, new_name, stmt.action.name, NAMED_ACTION, METHOD) \
	X(METHOD, "expand-only",  NULL, 0, value, stmt.action.method, METHOD_EXPAND_ONLY, LOCAL) \
	X(METHOD, "forward-only", NULL, 0, value, stmt.action.method, METHOD_FORWARD_ONLY, LOCAL) \
	X(METHOD, "lmtp",    "host:port or the path of a socket", 0, destination, none, METHOD_LMTP, LMTP) \
	X(METHOD, "maildir", NULL, 0, maildir, none, METHOD_MAILDIR, MAILDIR) \
	X(METHOD, "mbox",    NULL, 0, value, stmt.action.method, METHOD_MBOX, LOCAL) \
	X(METHOD, "mda",     "a command", 0, destination, none, METHOD_MDA, LOCAL) \
	X(METHOD, "relay",   NULL, 0, value, stmt.action.method, METHOD_RELAY, RELAY) \
	X(MAILDIR, "junk", NULL, 0, value, stmt.action.junk, 1, TOP) \
	X(LMTP, "rcpt-to", NULL, 0, value, stmt.action.lmtp_rcpt_to, 1, TOP) \
	X(LOCAL, "alias",    "a table of names and what they stand for", 0, map, stmt.action.alias, SERVICE_ALIAS, TOP) \
	X(LOCAL, "virtual",  "a table of addresses and what they stand for", 0, map, stmt.action.virtual_, SERVICE_ALIAS, TOP) \
	X(LOCAL, "userbase", "a table of users", 0, map, stmt.action.userbase, SERVICE_USERINFO, TOP) \
	X(LOCAL, "user",     "a user's name", 0, text, stmt.action.user, 0, TOP) \
	X(LOCAL, "wrapper",  "the name of an `mda wrapper`", 0, name_ref, stmt.action.wrapper, NAMED_WRAPPER, TOP) \
	X(LOCAL, "ttl",      "a time", 0, ttl, stmt.action.ttl, 0, TOP) \
	X(RELAY, "host",     "URL, { list } or <table>", 0, hosts, none, 0, TOP) \
	X(RELAY, "domain",   "a table of URLs by domain", 0, routes, stmt.action.domain, SERVICE_RELAYHOST, TOP) \
	X(RELAY, "helo",     "a host name", 0, helo, stmt.action.helo, 0, TOP) \
	X(RELAY, "helo-src", "a table of host names by address", 0, map, stmt.action.helo_src, SERVICE_ADDRNAME, TOP) \
	X(RELAY, "src",      "an address, <table> or { list }", 0, list, stmt.action.src, SERVICE_SOURCE, TOP) \
	X(RELAY, "mail-from", "user@domain or @domain", 0, sender, stmt.action.mail_from, 0, TOP) \
	X(RELAY, "auth",     "a table of secrets by label", 0, map, stmt.action.auth, SERVICE_CREDENTIALS, TOP) \
	X(RELAY, "auth-insecure", NULL, 0, value, stmt.action.auth_insecure, 1, TOP) \
	X(RELAY, "tls",      NULL, 0, value, stmt.action.tls, RELAY_TLS, RELAY_TLS) \
	X(RELAY, "ca",       "the name of a ca", 0, declared_text, stmt.action.ca, NAMED_CA, TOP) \
	X(RELAY, "pki",      "the name of a pki", 0, declared_text, stmt.action.pki, NAMED_PKI, TOP) \
	X(RELAY, "ciphers",  "a list of ciphers", 0, text, stmt.action.ciphers, 0, TOP) \
	X(RELAY, "protocols", "a list of protocols, as `TLSv1.2,TLSv1.3`", 0, protocols, stmt.action.protocols, 0, TOP) \
	X(RELAY, "filter",   "a filter's name, or a list of them", 0, action_filter, none, 0, TOP) \
	X(RELAY, "backup",   NULL, 0, value, stmt.action.backup, 1, BACKUP) \
	X(RELAY, "srs",      NULL, 0, srs, stmt.action.srs, 1, TOP) \
	X(RELAY, "ttl",      "a time", 0, ttl, stmt.action.ttl, 0, TOP) \
	X(RELAY_TLS, "no-verify", NULL, 0, value, stmt.action.tls, RELAY_TLS_NO_VERIFY, TOP) \
	X(BACKUP, "mx", "a host name", 0, hostname, stmt.action.backup_mx, 0, TOP) \
	X(MDA, "wrapper", NULL, 0, nothing, none, 0, WRAPPER) \
	X(MDA, "limit", NULL, 0, limits, none, LIMITS_MDA, TOP) \
	X(WRAPPER, NULL, "the wrapper's name", 0, new_name, stmt.wrapper.name, NAMED_WRAPPER, WRAPPER_IS) \
	X(WRAPPER_IS, NULL, "a command", 0, text, stmt.wrapper.command, 0, TOP) \
	\
	X(MATCH, "from", NULL, CW_NOT, negation, stmt.not_, 0, FROM) \
	X(MATCH, "for", NULL, CW_NOT, negation, stmt.not_, 0, FOR) \
	X(MATCH, "auth", NULL, CW_NOT, cond_maybe, none, COND_AUTH, TOP) \
	X(MATCH, "helo", "a host name, <table> or { list }", CW_NOT, cond_set, none, COND_HELO, TOP) \
	X(MATCH, "mail-from", "an address, <table> or { list }", CW_NOT, cond_set, none, COND_MAIL_FROM, TOP) \
	X(MATCH, "rcpt-to", "an address, <table> or { list }", CW_NOT, cond_set, none, COND_RCPT_TO, TOP) \
	X(MATCH, "tag", "a tag, <table> or { list }", CW_NOT, cond_set, none, COND_TAG, TOP) \
	X(MATCH, "tls", NULL, CW_NOT, cond, none, COND_TLS, TOP) \
	X(MATCH, "auth-results", "a method and its result, as `dmarc fail`", CW_NOT | CW_MANY, cond_results, none, 0, TOP) \
	X(MATCH, "junk", NULL, 0, value, stmt.match.junk, 1, TOP) \
	X(MATCH, "hold", NULL, 0, value, stmt.match.hold, 1, TOP) \
	X(MATCH, "action", "the name of an action", CW_LAST, name_ref, stmt.match.action, NAMED_ACTION, TOP) \
	X(MATCH, "reject", NULL, CW_LAST, value, stmt.match.reject, 1, TOP) \
	X(FROM, "any", NULL, 0, cond, none, COND_FROM_ANY, TOP) \
	X(FROM, "local", NULL, 0, cond, none, COND_FROM_LOCAL, TOP) \
	X(FROM, "socket", NULL, 0, cond, none, COND_FROM_SOCKET, TOP) \
	X(FROM, "auth", NULL, 0, cond_maybe, none, COND_FROM_AUTH, TOP) \
	X(FROM, "mail-from", "an address, <table> or { list }", 0, cond_set, none, COND_FROM_MAIL_FROM, TOP) \
	X(FROM, "rdns", NULL, 0, cond_maybe, none, COND_FROM_RDNS, TOP) \
	X(FROM, "src", "an address, address/bits, <table> or { list }", 0, cond_set, none, COND_FROM_SRC, TOP) \
	X(FOR, "any", NULL, 0, cond, none, COND_FOR_ANY, TOP) \
	X(FOR, "local", NULL, 0, cond, none, COND_FOR_LOCAL, TOP) \
	X(FOR, "domain", "a domain, <table> or { list }", 0, cond_set, none, COND_FOR_DOMAIN, TOP) \
	X(FOR, "rcpt-to", "an address, <table> or { list }", 0, cond_set, none, COND_FOR_RCPT_TO, TOP) \
	\
	X(PROC, NULL, "the program's name", 0, new_name, stmt.proc.name, NAMED_PROC, PROC_IS) \
	X(PROC_IS, NULL, "a command", 0, text, stmt.proc.command, 0, TOP) \
	X(PROC_AS, "user",   "a user's name", 0, text, stmt.proc.user, 0, TOP) \
	X(PROC_AS, "group",  "a group's name", 0, text, stmt.proc.group, 0, TOP) \
	X(PROC_AS, "chroot", "a path", 0, text, stmt.proc.chroot, 0, TOP) \
	X(FILTER, NULL, "the filter's name", 0, new_name, stmt.filter.name, NAMED_FILTER, FILTER_IS) \
	X(FILTER_IS, "proc", "the name of a `proc`", 0, filter_proc, stmt.filter.proc, NAMED_PROC, TOP) \
	X(FILTER_IS, "proc-exec", "a command", 0, filter_exec, stmt.proc.command, 0, FILTER_AS) \
	X(FILTER_IS, "chain", "a list of filters", 0, filter_chain, none, 0, TOP) \
	X(FILTER_IS, "phase", NULL, 0, nothing, none, 0, PHASE) \
	X(FILTER_AS, "user",   "a user's name", 0, text, stmt.proc.user, 0, TOP) \
	X(FILTER_AS, "group",  "a group's name", 0, text, stmt.proc.group, 0, TOP) \
	X(FILTER_AS, "chroot", "a path", 0, text, stmt.proc.chroot, 0, TOP) \
	X(PHASE, "connect",   NULL, 0, value, stmt.filter.phase, PHASE_CONNECT, TOP) \
	X(PHASE, "helo",      NULL, 0, value, stmt.filter.phase, PHASE_HELO, TOP) \
	X(PHASE, "ehlo",      NULL, 0, value, stmt.filter.phase, PHASE_EHLO, TOP) \
	X(PHASE, "auth",      NULL, 0, value, stmt.filter.phase, PHASE_AUTH, TOP) \
	X(PHASE, "mail-from", NULL, 0, value, stmt.filter.phase, PHASE_MAIL_FROM, TOP) \
	X(PHASE, "rcpt-to",   NULL, 0, value, stmt.filter.phase, PHASE_RCPT_TO, TOP) \
	X(PHASE, "data",      NULL, 0, value, stmt.filter.phase, PHASE_DATA, TOP) \
	X(PHASE, "commit",    NULL, 0, value, stmt.filter.phase, PHASE_COMMIT, TOP) \
	X(PHASE_MATCH, "match", NULL, 0, nothing, none, 0, TOP) \
	X(FILTER_COND, "rdns",   NULL, CW_NOT, fcond_maybe, none, FCOND_RDNS, TOP) \
	X(FILTER_COND, "fcrdns", NULL, CW_NOT, fcond, none, FCOND_FCRDNS, TOP) \
	X(FILTER_COND, "src", "an address, address/bits, <table> or { list }", CW_NOT, fcond_set, none, FCOND_SRC, TOP) \
	X(FILTER_COND, "helo", "a host name, <table> or { list }", CW_NOT, fcond_set, none, FCOND_HELO, TOP) \
	X(FILTER_COND, "auth",   NULL, CW_NOT, fcond_maybe, none, FCOND_AUTH, TOP) \
	X(FILTER_COND, "mail-from", "an address, <table> or { list }", CW_NOT, fcond_set, none, FCOND_MAIL_FROM, TOP) \
	X(FILTER_COND, "rcpt-to", "an address, <table> or { list }", CW_NOT, fcond_set, none, FCOND_RCPT_TO, TOP) \
	X(DECISION, "bypass",     NULL, 0, decision, none, DECIDE_BYPASS, TOP) \
	X(DECISION, "disconnect", "a reply", 0, decision_text, none, DECIDE_DISCONNECT, TOP) \
	X(DECISION, "junk",       NULL, 0, decision, none, DECIDE_JUNK, TOP) \
	X(DECISION, "reject",     "a reply", 0, decision_text, none, DECIDE_REJECT, TOP) \
	X(DECISION, "rewrite",    "the new value", 0, decision_text, none, DECIDE_REWRITE, TOP) \
	X(DECISION, "report",     "a text", 0, decision_text, none, DECIDE_REPORT, TOP) \
	\
	X(QUEUE, "compression", NULL, 0, value, conf.queue_compression, 1, TOP) \
	X(QUEUE, "encryption",  NULL, 0, encryption, conf.queue_key, 0, TOP) \
	X(BOUNCE, "warn-interval", "a time, or up to four", 0, warn, none, 0, TOP) \
	X(BOUNCE, "rate",         RATE, 0, rate, conf.bounce_rate, 0, TOP) \
	X(BOUNCE, "address-rate", RATE, 0, rate, conf.bounce_address_rate, 0, TOP) \
	X(SRS, "key", NULL, 0, nothing, none, 0, SRS_KEY) \
	X(SRS, "ttl", "a time", 0, srs_ttl, conf.srs_ttl, 0, TOP) \
	X(SRS_KEY, "backup", "a secret", 0, secret, conf.srs_key_backup, 0, TOP) \
	X(SRS_KEY, NULL, "a secret", 0, secret, conf.srs_key, 0, TOP) \
	X(MTA, "limit", NULL, 0, limits, none, LIMITS_MTA, TOP) \
	X(SCHEDULER, "limit", NULL, 0, limits, none, LIMITS_SCHEDULER, TOP) \
	\
	X(DKIM, "domain", "a domain", 0, host, stmt.dkim.domain, 0, DKIM_KEY) \
	X(DKIM_KEY, "selector", "a selector", 0, selector, stmt.dkim.selector, 0, TOP) \
	X(DKIM_KEY, "key", "the path of a private key", 0, key, stmt.dkim.path, 0, TOP) \
	X(DKIM_KEY, "keys", "the path of a folder", 0, folder, stmt.dkim.dir, 0, TOP) \
	X(RETRY, "domain", DOMAINS, 0, domains, stmt.retry.domain, 0, RETRY_STEPS) \
	X(RETRY, NULL, "times, as in `5m*2, 1h up to 4h`", 0, retry, none, 0, TOP) \
	X(RETRY_STEPS, NULL, "times, as in `5m*2, 1h up to 4h`", 0, retry, none, 0, TOP) \
	X(LIMIT, "route", NULL, 0, nothing, none, 0, LIMIT_OUT) \
	X(LIMIT, "domain", DOMAINS, 0, domains, stmt.limit.domain, 0, LIMIT_OUT) \
	X(LIMIT, "mx", "the name of a host or { list }", 0, domains, stmt.limit.mx, 0, LIMIT_OUT) \
	X(LIMIT, "client", NULL, 0, nothing, none, 0, LIMIT_CLIENT) \
	X(LIMIT, "network", NULL, 0, nothing, none, 0, LIMIT_NETWORK) \
	X(LIMIT, "except", CLIENTS, 0, list, conf.limit_except, SERVICE_NETADDR, TOP) \
	X(LIMIT_OUT, "rate", RATE, 0, rate, stmt.limit.rate, 0, TOP) \
	X(LIMIT_OUT, "inet4", NULL, 0, choice, stmt.limit.inet, 4, TOP) \
	X(LIMIT_OUT, "inet6", NULL, 0, choice, stmt.limit.inet, 6, TOP) \
	X(LIMIT_CLIENT, "rate", RATE, 0, rate, conf.client.rate, 0, TOP) \
	X(LIMIT_CLIENT, "messages", RATE, 0, rate, conf.client.messages, 0, TOP) \
	X(LIMIT_CLIENT, "recipients", RATE, 0, rate, conf.client.rcpts, 0, TOP) \
	X(LIMIT_CLIENT, "unknown", RATE, 0, rate, conf.client.unknown, 0, TOP) \
	X(LIMIT_CLIENT, "failures", RATE, 0, rate, conf.client.failures, 0, TOP) \
	X(LIMIT_NETWORK, "rate", RATE, 0, rate, conf.network.rate, 0, TOP) \
	X(LIMIT_NETWORK, "messages", RATE, 0, rate, conf.network.messages, 0, TOP) \
	X(LIMIT_NETWORK, "recipients", RATE, 0, rate, conf.network.rcpts, 0, TOP) \
	X(LIMIT_NETWORK, "unknown", RATE, 0, rate, conf.network.unknown, 0, TOP) \
	X(LIMIT_NETWORK, "failures", RATE, 0, rate, conf.network.failures, 0, TOP) \
	X(OAUTH, "issuer", "who makes the tokens, as their `iss` has it", CW_NEED, text, stmt.oauth.issuer, 0, TOP) \
	X(OAUTH, "audience", "whom the tokens are for, as their `aud` has it", CW_NEED, text, stmt.oauth.audience, 0, TOP) \
	X(OAUTH, "keys", "the path of a JWKS file", CW_NEED, cert, stmt.oauth.path, 0, TOP) \
	X(OAUTH, "user", "the name of a claim", 0, text, stmt.oauth.user, 0, TOP) \
	X(DNSBL, "answer", ANSWERS, 0, answers, stmt.dnslist.answer, 0, TOP) \
	X(DNSWL, "answer", ANSWERS, 0, answers, stmt.dnslist.answer, 0, TOP) \
	X(GREYLIST, "except", CLIENTS, 0, list, conf.grey_except, SERVICE_NETADDR, TOP) \
	X(METRICS, "on", "an address", 0, address, stmt.address, 0, METRICS_ON) \
	X(LOG, "facility", "a facility of syslog(3)", 0, facility, conf.log_facility, 0, TOP) \
	X(LOG, "verbose", NULL, 0, value, conf.log_verbose, 1, TOP) \
	X(TLS, "domain", DOMAINS, 0, domains, stmt.tls.domain, 0, TLS_LEVEL) \
	X(TLS_LEVEL, "no",      NULL, 0, value, stmt.tls.level, TLS_LEVEL_NO, TOP) \
	X(TLS_LEVEL, "may",     NULL, 0, value, stmt.tls.level, TLS_LEVEL_MAY, TOP) \
	X(TLS_LEVEL, "require", NULL, 0, value, stmt.tls.level, TLS_LEVEL_REQUIRE, TOP) \
	X(TLS_LEVEL, "verify",  NULL, 0, value, stmt.tls.level, TLS_LEVEL_VERIFY, TOP) \
	X(TLS_IS, "name",      "the name of a host or { list }", 0, domains, stmt.tls.name, 0, TOP) \
	X(TLS_IS, "ca",        "the name of a ca", 0, declared_text, stmt.tls.ca, NAMED_CA, TOP) \
	X(TLS_IS, "pki",       "the name of a pki", 0, declared_text, stmt.tls.pki, NAMED_PKI, TOP) \
	X(TLS_IS, "ciphers",   "a list of ciphers", 0, text, stmt.tls.ciphers, 0, TOP) \
	X(TLS_IS, "protocols", "a list of protocols, as `TLSv1.2,TLSv1.3`", 0, protocols, stmt.tls.protocols, 0, TOP) \
	X(TOKEN, NULL, "the token's name", 0, new_name, stmt.token.name, NAMED_TOKEN, TOKEN_IS) \
	X(TOKEN_IS, "file",    "the path of a file", 0, token_file, stmt.token.file, 0, TOP) \
	X(TOKEN_IS, "command", "a command", 0, token_command, stmt.token.command, 0, TOKEN_USER) \
	X(TOKEN_USER, "user",  "a user's name", 0, token_user, stmt.token.user, 0, TOP) \
	X(HISTORY, "no", NULL, 0, value, stmt.history_no, 1, TOP) \
	X(SPF, "received", NULL, 0, value, conf.spf_received, 1, TOP) \
	X(DMARC, "rules",      NULL, 0, nothing, none, 0, DMARC_RULES) \
	X(DMARC, "quarantine", ACTS, 0, act, conf.dmarc_quarantine, 0, TOP) \
	X(DMARC, "reject",     ACTS, 0, act, conf.dmarc_reject, 0, TOP) \
	X(DMARC, "no-author",  ACTS, 0, act, conf.dmarc_no_author, 0, TOP) \
	X(DMARC, "temperror",  NULL, 0, verify, none, CONF_SAID_TEMPERROR, DMARC_TEMPERROR) \
	X(DMARC, "except",     NULL, 0, nothing, none, 0, DMARC_EXCEPT) \
	X(DMARC, "report",     NULL, 0, value, conf.dmarc_report, 1, DMARC_REPORT) \
	X(DMARC_RULES, "rfc9989", NULL, 0, value, conf.dmarc_rules, DMARC_RFC9989, TOP) \
	X(DMARC_RULES, "rfc7489", NULL, 0, value, conf.dmarc_rules, DMARC_RFC7489, TOP) \
	X(DMARC_TEMPERROR, "accept", NULL, 0, value, conf.dmarc_temperror, DMARC_TEMPERROR_ACCEPT, TOP) \
	X(DMARC_TEMPERROR, "later",  NULL, 0, value, conf.dmarc_temperror, DMARC_TEMPERROR_LATER, TOP) \
	X(DMARC_EXCEPT, "from", "a domain, <table> or { list }", 0, list_once, conf.dmarc_except_from, SERVICE_DOMAIN, TOP) \
	X(DMARC_EXCEPT, "src",  CLIENTS, 0, list_once, conf.dmarc_except_src, SERVICE_NETADDR, TOP) \
	X(DMARC_REPORT, "from",    "an address", 0, mailbox, conf.report_from, 0, TOP) \
	X(DMARC_REPORT, "org",     "the name of an organization", 0, text, conf.report_org, 0, TOP) \
	X(DMARC_REPORT, "contact", "where people ask, as an address or a URL", 0, text, conf.report_contact, 0, TOP) \
	X(ARC, "trust", "a domain, <table> or { list }", 0, list_once, conf.arc_trust, SERVICE_DOMAIN, TOP) \
	X(ARC, "seal", NULL, 0, verify, none, CONF_SAID_SEAL, ARC_SEAL) \
	X(ARC_SEAL, "domain", "a domain of `dkim`", 0, host, conf.arc_seal, 0, TOP)

/*
 * Settings: numbers.  Columns: place, word, reader, field, least, most,
 * default.  Sizes are bytes, times seconds.
 */
#define CONF_SETTINGS(X) \
	X(LISTENER, "port", port, stmt.port, 1, 65535, 0) \
	X(RELAY, "port", port, stmt.port, 1, 65535, 0) \
	X(RESOLVER, "port", port, stmt.port, 1, 65535, 0) \
	X(RESOLVER, "timeout", time, conf.resolver_timeout, 1, 5 * MINUTE, 10) \
	/* no service is registered for it with IANA */ \
	X(METRICS_ON, "port", port, stmt.port, 1, 65535, 0) \
	X(QUEUE, "ttl", time, conf.queue_ttl, 1, 365 * DAY, 4 * DAY) \
	X(MTA, "max-deferred", number, conf.mta_max_deferred, 1, UINT32_MAX, 0) \
	/* OpenSMTPD's default; RFC 5321 4.5.3.1.7 wants 64K at least */ \
	X(SMTP, "max-message-size", size, conf.max_message_size, 1, 1024 * 1024 * MIB, 35 * MIB) \
	/* RFC 5321 4.5.3.2.7: 5 minutes at least for a command */ \
	X(SMTP, "timeout", time, conf.smtp_timeout, 1, DAY, 5 * MINUTE) \
	X(SMTP, "data-timeout", time, conf.data_timeout, 1, DAY, 5 * MINUTE) \
	/* RFC 5321 4.5.3.1.8: 100 at least */ \
	X(SMTP_LIMIT, "max-rcpt", number, conf.max_rcpt, 1, RCPT_MAX, 1000) \
	/* RFC 9422 4.1: six digits at most */ \
	X(SMTP_LIMIT, "max-mails", number, conf.max_mails, 1, 999999, 100) \
	X(SMTP_LIMIT, "max-sessions", number, conf.max_sessions, 1, 100000, 1000) \
	/* RFC 5321 4.5.3.1.4: 512 at least, and more by extensions */ \
	X(SMTP_LIMIT, "max-command-line", size, conf.max_command, 512, 64 * KIB, 2 * KIB) \
	/* RFC 5321 4.5.3.1.6 has 1000, but mail with longer lines is common */ \
	X(SMTP_LIMIT, "max-line", size, conf.max_line, 1000, MIB, 64 * KIB) \
	X(SMTP_LIMIT, "max-header", size, conf.max_header, KIB, 64 * MIB, 256 * KIB) \
	/* RFC 5321 6.3: 100 at least */ \
	X(SMTP_LIMIT, "max-hops", number, conf.max_hops, 1, 1000, 100) \
	X(SMTP_LIMIT, "max-errors", number, conf.max_errors, 1, 1000000, 20) \
	X(LIMIT_OUT, "concurrency", number, stmt.limit.concurrency, 1, 10000, 0) \
	X(LIMIT_OUT, "messages", number, stmt.limit.messages, 1, 1000000, 0) \
	X(LIMIT_CLIENT, "sessions", number, conf.client.sessions, 1, 100000, 0) \
	X(LIMIT_CLIENT, "errors", number, conf.client.errors, 1, 1000000, 0) \
	X(LIMIT_NETWORK, "sessions", number, conf.network.sessions, 1, 100000, 0) \
	X(LIMIT_NETWORK, "errors", number, conf.network.errors, 1, 1000000, 0) \
	X(LIMIT_NETWORK, "ipv4", number, conf.network_v4, 8, 32, 24) \
	/* a site gets a /64 at least (RFC 6177) */ \
	X(LIMIT_NETWORK, "ipv6", number, conf.network_v6, 16, 128, 64) \
	/* a client waits for the greeting and for replies, RFC 5321 4.5.3.2: 5 \
	 * minutes, but not every client */ \
	X(LISTENER, "greet-delay", time, stmt.listen.greet_delay, 1, MINUTE, 0) \
	X(LISTENER, "tarpit", time, stmt.listen.tarpit, 1, MINUTE, 0) \
	X(DNSBL, "weight", number, stmt.dnslist.weight, 1, 1000, 1) \
	X(DNSWL, "weight", number, stmt.dnslist.weight, 1, 1000, 1) \
	/* 0: never */ \
	X(SMTP, "dnsbl-reject", number, conf.dnsbl_reject, 0, 1000000, 1) \
	X(SMTP, "dnsbl-junk", number, conf.dnsbl_junk, 0, 1000000, 0) \
	X(GREYLIST, "delay", time, conf.grey_delay, 1, DAY, 5 * MINUTE) \
	X(GREYLIST, "window", time, conf.grey_window, MINUTE, 30 * DAY, 2 * DAY) \
	X(GREYLIST, "keep", time, conf.grey_keep, HOUR, 365 * DAY, 35 * DAY) \
	X(HISTORY, "keep", time, stmt.history_keep, HOUR, 365 * DAY, 0) \
	X(HISTORY, "size", size, stmt.history_size, MIB, 1024 * 1024 * MIB, 0)

/* Ports where none is said. */
#define CONF_PORT_SMTP     25
#define CONF_PORT_SMTPS    465
#define CONF_PORT_RESOLVER 53
#define CONF_PORT_METRICS  9825

/* Defaults of what is a list.  Seconds, then how often; and seconds. */
#define CONF_RETRY_DEFAULT \
	{ 5 * MINUTE, 2 }, { 15 * MINUTE, 2 }, { 30 * MINUTE, 1 }, { HOUR, 1 }
#define CONF_RETRY_MAX_DEFAULT (4 * HOUR)
#define CONF_WARN_DEFAULT      (4 * HOUR)

/* ... of what is a pair, or of what more than one statement says.  As many
 * connections to one destination as Postfix has; the time is that of OpenSMTPD
 * for addresses of SRS. */
#define CONF_ROUTE_DEFAULT          20
#define CONF_SRS_TTL_DEFAULT        (4 * DAY)
#define CONF_BOUNCE_DEFAULT         { 1000, HOUR }
#define CONF_BOUNCE_ADDRESS_DEFAULT { 20, HOUR }
#define CONF_HISTORY_KEEP_DEFAULT   (7 * DAY)
#define CONF_HISTORY_SIZE_DEFAULT   (64 * MIB)

/*
 * What OpenSMTPD limits.  Columns: family, word, the field of struct
 * conf_limit that says the same: of the destination, which is their domain and
 * their relay.  NONE: our programs have no such limit.
 */
#define CONF_LIMITS(X) \
	X(MTA, "max-conn-per-domain", CONCURRENCY) \
	X(MTA, "max-conn-per-relay",  CONCURRENCY) \
	X(MTA, "session-mail-max",    MESSAGES) \
	X(MTA, "max-conn-per-host",         NONE) \
	X(MTA, "max-conn-per-route",        NONE) \
	X(MTA, "max-conn-per-source",       NONE) \
	X(MTA, "max-conn-per-connector",    NONE) \
	X(MTA, "conn-delay-host",           NONE) \
	X(MTA, "conn-delay-route",          NONE) \
	X(MTA, "conn-delay-source",         NONE) \
	X(MTA, "conn-delay-connector",      NONE) \
	X(MTA, "conn-delay-relay",          NONE) \
	X(MTA, "conn-delay-domain",         NONE) \
	X(MTA, "reconn-delay-route",        NONE) \
	X(MTA, "session-transaction-delay", NONE) \
	X(MTA, "session-keepalive",         NONE) \
	X(MTA, "max-failures-per-session",  NONE) \
	X(MTA, "task-hiwat",                NONE) \
	X(MTA, "task-lowat",                NONE) \
	X(MTA, "task-release",              NONE) \
	X(MDA, "max-session",               NONE) \
	X(MDA, "max-session-per-user",      NONE) \
	X(MDA, "task-lowat",                NONE) \
	X(MDA, "task-hiwat",                NONE) \
	X(MDA, "task-release",              NONE) \
	X(SCHEDULER, "max-inflight",        NONE) \
	X(SCHEDULER, "max-evp-batch-size",  NONE) \
	X(SCHEDULER, "max-msg-batch-size",  NONE) \
	X(SCHEDULER, "max-schedule",        NONE)

/*
 * Read and checked, but no program of this version does it: refused by name
 * at start.  Columns: place, word, what the message calls it (NULL: the word).
 */
#define CONF_NOT_YET(X) \
	X(TOP, "proc", NULL)               X(TOP, "metrics", NULL) \
	X(FILTER_IS, "proc", "`filter ... proc`") \
	X(FILTER_IS, "proc-exec", "`filter ... proc-exec`") \
	X(RELAY, "filter", "`relay filter`") \
	X(MDA, "limit", "`mda limit`") \
	X(SCHEDULER, "limit", "`scheduler limit`") \
	X(QUEUE, "compression", NULL)      X(QUEUE, "encryption", NULL)

/* Facilities of syslog(3), RFC 5424 6.2.1.  Columns: word, value. */
#define CONF_FACILITIES(X) \
	X("auth", LOG_AUTH)      X("authpriv", LOG_AUTHPRIV) \
	X("daemon", LOG_DAEMON)  X("local0", LOG_LOCAL0) \
	X("local1", LOG_LOCAL1)  X("local2", LOG_LOCAL2) \
	X("local3", LOG_LOCAL3)  X("local4", LOG_LOCAL4) \
	X("local5", LOG_LOCAL5)  X("local6", LOG_LOCAL6) \
	X("local7", LOG_LOCAL7)  X("mail", LOG_MAIL) \
	X("news", LOG_NEWS)      X("syslog", LOG_SYSLOG) \
	X("user", LOG_USER)      X("uucp", LOG_UUCP)

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
