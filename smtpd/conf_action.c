/*
 * Statements of smtpd.conf about what becomes of mail: `action` and `mda
 * wrapper`; relays are in conf_relay.c.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_parse.h"

#include <sys/un.h>

#include <string.h>

#include "conf_net.h"

static const char *const method_words[] = {
#define X(name, word) word,
	CONF_METHODS(X)
#undef X
};

/* ---- local methods ---- */

/* What can be connected, at hand. */
static bool
is_server(struct conf_parser *p, const struct conf_word *w)
{
	const char *text = p->lex.text;
	struct sockaddr_un un;
	struct conf_url url;

	if (text[0] == '/')
		return strlen(text) < sizeof(un.sun_path) ||
		    conf_wrong(p,
			"found %s, expected the path of a socket, which has at most %zu bytes",
			text, sizeof(un.sun_path) - 1);
	if (conf_net_url(text, &url) == NULL && url.scheme[0] == '\0' &&
	    url.label.p == NULL && url.port != 0)
		return true;
	return conf_expected(p, w->what);
}

bool
conf_read_destination(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.action.method = (uint8_t)w->value;
	if (!conf_need_text(p, w->what) ||
	    (w->value == METHOD_LMTP && !is_server(p, w)))
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

/* ---- the whole ---- */

bool
conf_action_end(struct conf_parser *p)
{
	struct conf_action *a = &p->f.stmt.action;

	if (a->method == METHOD_RELAY) {
		if (!conf_relay_end(p))
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
