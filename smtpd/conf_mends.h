/*
 * What people write into smtpd.conf that is not in its grammar, and what is
 * said of it.  Read by conf_say.c and conf_parse.c.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_MENDS_H
#define SMTPD_CONF_MENDS_H

/* clang-format off */

/*
 * What people write that is not in the grammar, and what they meant.
 * Columns: place, word (or a character), the mend.
 */
#define CONF_MENDS(X) \
	X(TOP, "filters", "a list of filters under one name is `filter NAME chain { a, b }`") \
	X(TOP, "max-message-size", "it is `smtp max-message-size`") \
	X(TOP, "ciphers", "it is `smtp ciphers`") \
	X(TOP, "bounce-warn", "it is `bounce warn-interval`") \
	X(TOP, "rbl", "it is `dnsbl DOMAIN`, and `dnsbl` on the listener") \
	X(TOP, "submission", "it is an option of a listener: `listen on ... submission`") \
	X(TOP, "certificate", "it is `pki NAME cert FILE` and `pki NAME key FILE`") \
	X(LISTENER, "verify", "`verify` stands right behind `tls-require` or `smtps`") \
	X(LISTENER, "masquerade", "`masquerade` stands right behind `senders <table>`") \
	X(LISTENER, "mask-source", "it is `mask-src`") \
	X(LISTENER, "secure", "it is `tls`, and `smtps` on another line") \
	X(LISTENER, "certificate", "it is `pki NAME`, with that pki declared above") \
	X(LISTENER, "filters", "it is `filter { a, b }`") \
	X(LISTENER, "starttls", "it is `tls`, or `tls-require` to refuse who does not use it") \
	X(LISTENER, "ssl", "it is `smtps`, on a line of its own") \
	X(LISTENER, "cert", "it is `pki NAME`, with that pki declared above") \
	X(LISTENER, "key", "it is `pki NAME`, with that pki declared above") \
	X(LISTENER, "tls-required", "it is `tls-require`") \
	X(LISTENER, "rbl", "it is `dnsbl`, with `dnsbl DOMAIN` on a line of its own") \
	X(LISTENER, "dnswl", "`dnsbl` asks lists of both kinds: `dnswl DOMAIN` stands on a line of its own") \
	X(LISTENER, "proxy-v1", "it is `proxy <table>`, which takes PROXY headers of v1 and v2") \
	X(LISTENER, "limit", "limits of clients are for all listeners: `limit client` on a line of its own") \
	X(LISTENER, "oauth", "tokens are taken where `auth` stands: `oauth issuer ...` is a line of its own") \
	X(LISTENER, "user", "users are in a table: `auth <table>`, or those of the system: `auth`") \
	X(LOCAL_SOCKET, "greylist", "nobody on this host has to wait: it is for listeners of the network") \
	X(LOCAL_SOCKET, "dnsbl", "no list knows this host: it is for listeners of the network") \
	X(LOCAL_SOCKET, "submission", "what comes by the local socket is always taken as our own") \
	X(LOCAL_SOCKET, "auth-results", "what comes by the local socket is our own: it is for listeners of the network") \
	X(LOCAL_SOCKET, "auth", "who uses the local socket is known") \
	X(LOCAL_SOCKET, "tls", "nobody can read what goes through the local socket") \
	X(LOCAL_SOCKET, "port", "the local socket has no port") \
	X(LISTENER, "spf", "SPF, DKIM, DMARC and ARC together are `auth-results`") \
	X(LISTENER, "dkim", "SPF, DKIM, DMARC and ARC together are `auth-results`; signing is `dkim domain D ...` on a line of its own") \
	X(LISTENER, "dmarc", "SPF, DKIM, DMARC and ARC together are `auth-results`") \
	X(DMARC, "policy", "it is `dmarc quarantine ACT` and `dmarc reject ACT`, by what the domain asks for") \
	X(DMARC, "none", "a domain that asks for nothing gets that") \
	X(PKI_IS, "certificate", "it is `cert`") \
	X(CA_IS, "certificate", "it is `cert`") \
	X(METHOD, "backup", "it is an option of relay: `relay backup`") \
	X(METHOD, "deliver", "an action begins with its method, as in `action NAME maildir`") \
	X(METHOD, "host", "it is an option of relay: `relay host URL`") \
	X(METHOD, "reject", "a rule rejects, not an action: `match ... reject`") \
	X(METHOD, "alias", "the method comes first, as in `action NAME mbox alias <table>`") \
	X(METHOD, "virtual", "the method comes first, as in `action NAME maildir virtual <table>`") \
	X(METHOD, "user", "the method comes first, as in `action NAME maildir user NAME`") \
	X(LOCAL, "junk", "`junk` stands right behind `maildir` and its path, before other options") \
	X(LOCAL, "rcpt-to", "`rcpt-to` stands right behind `lmtp` and its destination") \
	X(LOCAL, "host", "it is an option of relay") \
	X(LOCAL, "as", "it is `user NAME`") \
	X(RELAY, "verify", "`tls` verifies by itself; the opposite is `tls no-verify`") \
	X(RELAY, "no-verify", "it stands right behind `tls`: `tls no-verify`") \
	X(RELAY, "alias", "a relay passes addresses on as they are: aliases belong to a local method") \
	X(RELAY, "virtual", "a relay passes addresses on as they are: virtual users belong to a local method") \
	X(RELAY, "userbase", "a relay has no users: it belongs to a local method") \
	X(RELAY, "user", "a relay has no users: it belongs to a local method") \
	X(RELAY, "wrapper", "a relay runs no program: it belongs to a local method") \
	X(RELAY, "via", "it is `relay host URL`") \
	X(RELAY, "as", "it is `relay mail-from ADDRESS`") \
	X(RELAY, "hostname", "it is `relay helo NAME`") \
	X(RELAY, "source", "it is `relay src <table>`") \
	X(RELAY, "mx", "it stands right behind `backup`: `backup mx NAME`") \
	X(FROM, "domain", "senders are `from mail-from`, as in `from mail-from \"@example.org\"`; clients are `from src`") \
	X(FROM, "domains", "senders are `from mail-from`, as in `from mail-from <table>`; clients are `from src <table>`") \
	X(FROM, "source", "it is `from src`") \
	X(FROM, "<", "clients in a table are `from src <table>`, senders `from mail-from <table>`") \
	X(FOR, "<", "domains in a table are `for domain <table>`, recipients `for rcpt-to <table>`") \
	X(FOR, "domains", "it is `for domain <table>`") \
	X(MATCH, "tagged", "it is `tag`") \
	X(MATCH, "sender", "it is `mail-from`") \
	X(MATCH, "recipient", "it is `rcpt-to`") \
	X(MATCH, "spf", "a method stands behind `auth-results`, and that before `auth` and `rdns`, which take it for a name") \
	X(MATCH, "dkim", "a method stands behind `auth-results`, and that before `auth` and `rdns`, which take it for a name") \
	X(MATCH, "dmarc", "a method stands behind `auth-results`, and that before `auth` and `rdns`, which take it for a name") \
	X(MATCH, "arc", "a method stands behind `auth-results`, and that before `auth` and `rdns`, which take it for a name") \
	X(MATCH, "quarantine", "it is `junk` or `hold`") \
	X(MATCH, "domain", "it is `for domain`") \
	X(MATCH, "src", "it is `from src`") \
	X(MATCH, "any", "it is `from any` or `for any`") \
	X(MATCH, "relay", "a rule names an action that is declared above: `action NAME relay`, then `match ... action NAME`") \
	X(MATCH, "deliver", "a rule names an action that is declared above: `action NAME mbox`, then `match ... action NAME`") \
	X(PHASE, "connected", "it is `connect`") \
	X(PHASE, "rcpt", "it is `rcpt-to`") \
	X(PHASE, "mail", "it is `mail-from`") \
	X(FILTER_IS, "builtin", "it is `phase`") \
	X(FILTER_IS, "{", "a list of filters is `chain { a, b }`; greylisting and DNS lists are options of a listener: `greylist`, `dnsbl`") \
	X(PHASE_MATCH, "on", "it is `match`") \
	X(DECISION, ",", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "!", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "rdns", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "fcrdns", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "src", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "helo", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "auth", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "mail-from", "a filter has one condition: two filters, and a `chain` of them") \
	X(DECISION, "rcpt-to", "a filter has one condition: two filters, and a `chain` of them") \
	X(QUEUE, "expire", "it is `ttl`") \
	X(DNSBL, "score", "it is `weight`") \
	X(DNSBL, "reject", "from which sum of weights on a client is refused is `smtp dnsbl-reject`") \
	X(DNSBL, "junk", "from which sum of weights on mail is marked is `smtp dnsbl-junk`") \
	X(GREYLIST, "timeout", "it is `delay`, or `window` for how long a client may try again") \
	X(GREYLIST, "whitelist", "it is `except <table>`") \
	X(GREYLIST, "expire", "it is `keep`") \
	X(GREYLIST, "dnsbl", "as an option of a listener `greylist` stands on its line: is a backslash missing at its end?") \
	X(GREYLIST, "filter", "as an option of a listener `greylist` stands on its line: is a backslash missing at its end?") \
	X(GREYLIST, "greet-delay", "as an option of a listener `greylist` stands on its line: is a backslash missing at its end?") \
	X(GREYLIST, "tag", "as an option of a listener `greylist` stands on its line: is a backslash missing at its end?") \
	X(GREYLIST, "tarpit", "as an option of a listener `greylist` stands on its line: is a backslash missing at its end?") \
	X(LIMIT_CLIENT, "connections", "at once it is `sessions`, new ones in a time `rate`") \
	X(LIMIT_CLIENT, "rcpts", "it is `recipients`") \
	X(LIMIT_CLIENT, "except", "it is a line of its own: `limit except <table>`") \
	X(LIMIT_NETWORK, "connections", "at once it is `sessions`, new ones in a time `rate`") \
	X(LIMIT_NETWORK, "rcpts", "it is `recipients`") \
	X(LIMIT_NETWORK, "except", "it is a line of its own: `limit except <table>`") \
	X(OAUTH, "jwks", "it is `keys FILE`") \
	X(OAUTH, "claim", "it is `user CLAIM`") \
	X(TLS, "may", "the domain comes first, as in `tls domain example.org may`") \
	X(TLS, "require", "the domain comes first, as in `tls domain example.org require`") \
	X(TLS, "verify", "the domain comes first, as in `tls domain example.org verify`") \
	X(TLS, "no", "the domain comes first, as in `tls domain example.org no`") \
	X(TLS, "pki", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "port", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "auth", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "auth-optional", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "hostname", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "filter", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "tag", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "mask-src", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "host", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "helo", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "no-verify", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "ciphers", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "protocols", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS, "ca", "as an option of a listener or a relay `tls` stands on its line: is a backslash missing at its end?") \
	X(TLS_LEVEL, "none", "it is `no`") \
	X(TLS_LEVEL, "opportunistic", "it is `may`") \
	X(TLS_LEVEL, "encrypt", "it is `require`") \
	X(TLS_LEVEL, "required", "it is `require`") \
	X(TLS_LEVEL, "no-verify", "it is `require`: TLS, whoever answers") \
	X(TLS_LEVEL, "secure", "it is `verify`") \
	X(TLS_IS, "no-verify", "it is `require`, in the place of `verify`") \
	X(TLS_IS, "names", "it is `name`, which takes a { list } too") \
	X(TLS_IS, "host", "it is `name`") \
	X(TLS_IS, "certificate", "it is `pki NAME`, with that pki declared above") \
	X(RELAY, "tls-require", "it is `tls`: TLS, or not at all") \
	X(RELAY, "smtps", "it is the scheme of a URL: `host smtps://HOST`") \
	X(RELAY, "notls", "it is the scheme of a URL: `host smtp+notls://HOST`") \
	X(RELAY, "insecure", "it is `auth-insecure`") \
	X(RELAY, "token", "it is a line of its own: `token NAME file FILE`, and `user:{TOKEN}NAME` in the table of `auth`") \
	X(RELAY, "certificate", "it is `pki NAME`, with that pki declared above") \
	X(RELAY, "inet4", "it is a line of its own: `limit route inet4`, or `limit domain D inet4`") \
	X(RELAY, "inet6", "it is a line of its own: `limit route inet6`, or `limit domain D inet6`") \
	X(RELAY, "limit", "limits are for destinations, whatever action leads there: `limit domain D ...` on a line of its own") \
	X(BACKUP, "host", "a backup finds the others by MX; what it is called there is `mx NAME`") \
	X(LIMIT, "provider", "it is `limit mx`, with the names of the hosts: `limit mx \"*.example.net\" ...`") \
	X(LIMIT, "host", "it is `limit mx` for hosts of MX records, `limit domain` for the host of a relay") \
	X(LIMIT, "destination", "it is `limit domain`") \
	X(LIMIT, "domains", "it is `limit domain`, which takes a { list } too") \
	X(LIMIT_OUT, "connections", "it is `concurrency`") \
	X(LIMIT_OUT, "sessions", "it is `concurrency`: connections of ours at once") \
	X(LIMIT_OUT, "recipients", "it is `rate`, which counts messages") \
	X(BOUNCE, "limit", "it is `rate`, and `address-rate` for those to one address") \
	X(BOUNCE, "ttl", "it is `queue ttl`") \
	X(SRS, "secret", "it is `srs key`") \
	X(SRS, "backup", "it is `srs key backup`") \
	X(HISTORY, "off", "it is `history no`") \
	X(HISTORY, "ttl", "it is `keep`") \
	X(HISTORY, "max", "it is `size`") \
	X(DKIM_KEY, "folder", "it is `keys`") \
	X(DKIM_KEY, "directory", "it is `keys`") \
	X(TOKEN_IS, "path", "it is `file`") \
	X(TOKEN_IS, "exec", "it is `command`") \
	/* any text in quotes */ \
	X(TOKEN_IS, "\"", "it is `file FILE` or `command COMMAND`") \
	X(LOCAL, "\"", "a path or a command stands right behind its method, before other options")

/*
 * Statements that only the grammar before OpenSMTPD 6.4 had.  Columns: first
 * word, which word betrays it (counted from 0), that word, what is said of it,
 * what it is now (empty: what is said of its rule tells).
 */
#define CONF_PRE_6_4(X) \
	X("accept",           0, "accept", "accept", "") \
	X("reject",           0, "reject", "reject", "") \
	X("map",              0, "map", "map", "it is `table NAME TYPE:FILE` and ") \
	X("expire",           0, "expire", "expire", "it is `queue ttl TIME` and ") \
	X("bounce-warn",      0, "bounce-warn", "bounce-warn", "it is `bounce warn-interval TIME, ...` and ") \
	X("max-message-size", 0, "max-message-size", "max-message-size", "it is `smtp max-message-size SIZE` and ") \
	X("limit",            1, "mta", "limit mta", "it is `mta limit ...` and ") \
	X("limit",            1, "mda", "limit mda", "it is `mda limit ...` and ") \
	X("limit",            1, "scheduler", "limit scheduler", "it is `scheduler limit ...` and ") \
	X("pki",              2, "certificate", "pki ... certificate", "it is `pki NAME cert FILE` and ")

/* clang-format on */

#endif
