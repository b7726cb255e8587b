/*
 * Statements of smtpd.conf about what becomes of mail: `action` and `mda
 * wrapper`.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf_net.h"
#include "conf_parse.h"

static const char *const method_words[] = {
#define X(name, word) word,
	CONF_METHODS(X)
#undef X
};

/* ---- local methods ---- */

bool
conf_read_destination(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.action.method = (uint8_t)w->value;
	if (!conf_need_text(p, w->what))
		return false;
	p->f.stmt.action.arg = conf_take_text(p);
	return true;
}

/* The path may be left out: ~/Maildir. */
bool
conf_read_maildir(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.action.method = (uint8_t)w->value;
	if (conf_is_text(p))
		p->f.stmt.action.arg = conf_take_text(p);
	return true;
}

static bool
check_local(struct conf_parser *p)
{
	const struct conf_action *a = &p->f.stmt.action;

	if (a->alias != CONF_NONE && a->virtual_ != CONF_NONE)
		return conf_refuse(p,
		    "found `alias` and `virtual`, expected one of them: aliases are for users of this host, `virtual` for those of other domains");
	/* OpenSMTPD: these run as nobody, or as the recipient. */
	if (a->user != 0 &&
	    (a->method == METHOD_MBOX || a->method == METHOD_EXPAND_ONLY ||
		a->method == METHOD_FORWARD_ONLY))
		return conf_refuse(p,
		    "found `user` with `%s`, expected it with maildir, lmtp or mda only",
		    method_words[a->method]);
	return true;
}

/* ---- relay host ---- */

/* Columns: scheme of conf.h, its word, its port (0: must be said). */
static const struct {
	enum conf_scheme scheme;
	const char *word;
	uint16_t port;
} schemes[] = {
	{ SCHEME_SMTP, "", CONF_PORT_SMTP },
	{ SCHEME_SMTP, "smtp", CONF_PORT_SMTP },
	{ SCHEME_SMTP_TLS, "smtp+tls", CONF_PORT_SMTP },
	{ SCHEME_SMTP_NOTLS, "smtp+notls", CONF_PORT_SMTP },
	{ SCHEME_SMTPS, "smtps", CONF_PORT_SMTPS },
	{ SCHEME_LMTP, "lmtp", 0 },
};

/* Columns: scheme before 6.4, that of now. */
static const char *const old_schemes[][2] = {
	{ "tls", "smtp+tls" },
	{ "tls+auth", "smtp+tls" },
	{ "smtp+auth", "smtp+tls" },
	{ "smtps+auth", "smtps" },
	{ "ssl", "smtps" },
	{ "ssl+auth", "smtps" },
	{ "secure", "smtps" },
	{ "secure+auth", "smtps" },
};

/* The row of schemes, or -1, which has been said of the URL shown. */
static int
find_scheme(struct conf_parser *p, const char *shown, const char *scheme)
{
	char mend[96] = "";
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strcasecmp(schemes[i].word, scheme) == 0)
			return (int)i;
	}
	for (i = 0; i < sizeof(old_schemes) / sizeof(old_schemes[0]); i++) {
		if (strcasecmp(old_schemes[i][0], scheme) == 0)
			snprintf(mend, sizeof(mend),
			    ": `%s://` is now `%s://`, with `LABEL@` for `auth`",
			    old_schemes[i][0], old_schemes[i][1]);
	}
	conf_wrong(p,
	    "found %s, an unknown scheme, expected smtp://, smtp+tls://, smtp+notls://, smtps:// or lmtp://%s",
	    shown, mend);
	return -1;
}

/* "label@" of a URL is a key of the table of `auth`. */
static conf_str
add_label(struct conf_parser *p, const char *text)
{
	const char *begin = strstr(text, "://"), *at;
	char label[CONF_WORD_MAX + 1];

	begin = begin == NULL ? text : begin + 3;
	if ((at = strrchr(begin, '@')) == NULL)
		return 0;
	snprintf(label, sizeof(label), "%.*s", (int)(at - begin), begin);
	return conf_pool_add(p, label);
}

static void
note_url(struct conf_parser *p, const char *word)
{
	conf_note_not_yet(p, PLACE_URL, word, p->lex.file, p->lex.line);
}

/* A URL of `host` or `domain` (what) into a row, with the port that it stands
 * for. */
static bool
take_url(struct conf_parser *p, const char *what, const char *text,
    const char *shown, struct conf_host *host)
{
	struct conf_url url;
	const char *why;
	int row;

	if ((why = conf_net_url(text, &url)) != NULL)
		return conf_wrong(p,
		    "`%s`: found %s, %s, expected a URL, as smtp://HOST", what,
		    shown, why);
	if ((row = find_scheme(p, shown, url.scheme)) == -1)
		return false;
	if (url.port == 0 && schemes[row].port == 0)
		return conf_wrong(p,
		    "`%s`: found %s, expected a port behind the host, as lmtp://HOST:24",
		    what, shown);
	host->scheme = (uint8_t)schemes[row].scheme;
	host->port = url.port != 0 ? url.port : schemes[row].port;
	if (url.port != 0)
		p->f.stmt.host_port = true;
	if ((host->label = add_label(p, text)) != 0)
		note_url(p, "label");
	note_url(p, schemes[row].word);
	host->name = conf_pool_add(p, url.host);
	return true;
}

/* A URL at hand becomes a row. */
static bool
read_url(struct conf_parser *p, void *arg)
{
	char shown[CONF_SHOWN_SIZE];
	struct conf_host host = { 0 };

	(void)arg;
	if (!conf_need_text(p, "a URL, as smtp://HOST") ||
	    !take_url(p, "host", p->lex.text, conf_lex_shown(&p->lex, shown),
		&host))
		return false;
	buf_add(&p->host, &host, sizeof(host));
	p->f.stmt.action.host.n++;
	conf_lex_next(&p->lex);
	return true;
}

/* The URLs that stand in the configuration; those of a file are looked at when
 * they are used. */
bool
conf_read_routes(struct conf_parser *p, const struct conf_word *w)
{
	const struct conf_table *t;
	const struct conf_entry *e;
	char shown[CONF_SHOWN_SIZE];
	struct conf_host host;
	uint32_t i, table;
	const char *url;

	if (!conf_read_map(p, w))
		return false;
	table = p->f.stmt.action.domain;
	if (table == CONF_NONE)
		return true;
	t = conf_item(&p->table, table, sizeof(*t));
	for (i = 0; t->kind == TABLE_MAP && i < t->entries.n; i++) {
		e = conf_item(&p->entry, t->entries.off + i, sizeof(*e));
		memset(&host, 0, sizeof(host));
		url = conf_pool_text(p, e->value);
		take_url(p, "domain", url, conf_shown(url, shown), &host);
	}
	return true;
}

bool
conf_read_hosts(struct conf_parser *p, const struct conf_word *w)
{
	if (p->lex.tok == '<') {
		note_url(p, "table");
		p->use = w->word;
		return conf_set(p, w->what, SERVICE_RELAYHOST, SHAPE_LIST,
		    &p->f.stmt.action.host_table);
	}
	if (p->lex.tok != '{')
		return read_url(p, NULL);
	if (!conf_list(p, "a URL, as smtp://HOST", read_url, NULL))
		return false;
	if (p->f.stmt.action.host.n > 1)
		conf_note_not_yet(p, PLACE_URL, "list", p->file, p->line);
	return true;
}

bool
conf_read_srs(struct conf_parser *p, const struct conf_word *w)
{
	if (p->f.conf.srs_key == 0)
		conf_refuse(p,
		    "`relay srs` needs a secret: `srs key SECRET` above it");
	return conf_read_value(p, w);
}

/* ---- relay ---- */

/* Our `port`: of the MX, or of one URL that has none. */
static bool
set_port(struct conf_parser *p)
{
	struct conf_action *a = &p->f.stmt.action;
	struct conf_host *host;

	a->port = CONF_PORT_SMTP;
	if (p->f.stmt.port == 0)
		return true;
	if (a->host.n > 1)
		return conf_refuse(p,
		    "found `port` with several hosts, expected it in each URL");
	if (a->host_table != CONF_NONE || a->domain != CONF_NONE)
		return conf_refuse(p,
		    "found `port` with `%s`, expected it in the URLs of the table",
		    a->domain != CONF_NONE ? "domain" : "host");
	if (p->f.stmt.host_port)
		return conf_refuse(p,
		    "found a port in the URL and `port`, expected one of them");
	if (a->host.n == 0) {
		a->port = p->f.stmt.port;
		return true;
	}
	host = conf_item(&p->host, a->host.off, sizeof(*host));
	host->port = p->f.stmt.port;
	return true;
}

static bool
check_relay(struct conf_parser *p)
{
	const struct conf_action *a = &p->f.stmt.action;
	bool host = a->host.n > 0 || a->host_table != CONF_NONE;

	if (host && a->domain != CONF_NONE)
		return conf_refuse(p,
		    "found `host` and `domain`, expected one of them");
	host = host || a->domain != CONF_NONE;
	if (a->backup && host)
		return conf_refuse(p,
		    "found `backup` and `%s`, expected one of them: a backup finds the others by MX",
		    a->domain != CONF_NONE ? "domain" : "host");
	if (a->auth != CONF_NONE && !host)
		return conf_refuse(p,
		    "`relay auth` needs a `host`: secrets are for one server, not for every MX");
	return true;
}

bool
conf_action_end(struct conf_parser *p)
{
	struct conf_action *a = &p->f.stmt.action;

	if (a->method == METHOD_RELAY) {
		if (!check_relay(p) || !set_port(p))
			return false;
	} else if (!check_local(p)) {
		return false;
	}
	a->filter = conf_add_refs(p, p->f.stmt.chain, p->f.stmt.chained);
	return conf_add_named(p, NAMED_ACTION);
}

bool
conf_wrapper_end(struct conf_parser *p)
{
	return conf_add_named(p, NAMED_WRAPPER);
}
