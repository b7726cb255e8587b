/*
 * What tables say of who has connected (a proxy, one of ours, one without
 * limits), of the name that we have at an address, and of the addresses of an
 * authenticated user.  Runs in lookup; trusts nobody because a table is
 * silent.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_peer.h"

#include <string.h>

#include "lookup_match.h"
#include "smtp_addr.h"

/* ---- clients ---- */

/*
 * The tables that have clients in them.  Columns: where its row stands, what
 * it means to be in it, whether the client must come again when it cannot
 * answer (else it counts as not being in it, which costs it nothing but time).
 */
struct of_client {
	uint32_t table;
	uint32_t flag;
	bool must;
};

/* False: a table is awaited. */
static bool
ask_client(struct question *q, const char *client,
    const struct of_client *about, struct peer_is *is)
{
	const char *value;

	if (about->table == CONF_NONE)
		return true;
	switch (question_table(q, about->table, SERVICE_NETADDR, client,
	    &value)) {
	case TABLE_WAIT:
		return false;
	case TABLE_YES:
		is->flags |= about->flag;
		break;
	case TABLE_NO:
		break;
	case TABLE_UNKNOWN:
		if (about->must)
			outcome_set(&is->outcome, LATER, WIDTH_MESSAGE, 421,
			    NULL, "Cannot check now who you are, try later");
		break;
	}
	return true;
}

/* A name that cannot be looked up, or is none, is the one that the listener
 * has anyway. */
static bool
ask_hostname(struct question *q, uint32_t table, const char *ours,
    struct peer_is *is)
{
	const char *value;

	if (table == CONF_NONE || ours[0] == '\0')
		return true;
	switch (question_table(q, table, SERVICE_ADDRNAME, ours, &value)) {
	case TABLE_WAIT:
		return false;
	case TABLE_YES:
		if (smtp_domain_check(slice_of(value)) == NULL)
			(void)slice_copy(slice_of(value), is->hostname,
			    sizeof(is->hostname));
		break;
	case TABLE_NO:
	case TABLE_UNKNOWN:
		break;
	}
	return true;
}

bool
judge_peer(struct question *q)
{
	const struct conf *conf = q->all->conf;
	const struct peer_ask *ask = q->ask;
	const struct conf_listen *l;
	struct peer_is is;
	bool known = true;
	size_t i;

	memset(&is, 0, sizeof(is));
	if (ask->listen >= conf->listen.n) {
		outcome_set(&is.outcome, LATER, WIDTH_MESSAGE, 421, NULL,
		    "No such listener");
		peer_is_send(q->from, q->id, &is, -1);
		return true;
	}
	outcome_set(&is.outcome, DONE, WIDTH_MESSAGE, 250, NULL, "Ok");
	l = CONF_LISTEN(conf, ask->listen);
	const struct of_client of_client[] = {
		{ l->proxy, PEER_PROXY, true },
		{ l->xclient, PEER_XCLIENT, true },
		{ l->submission_table, PEER_SUBMIT, true },
		{ conf->limit_except, PEER_EXEMPT, false },
		{ conf->grey_except, PEER_KNOWN, false },
	};
	for (i = 0; i < sizeof(of_client) / sizeof(of_client[0]); i++)
		known = ask_client(q, ask->client, &of_client[i], &is) && known;
	known = ask_hostname(q, l->hostnames, ask->ours, &is) && known;
	if (known)
		peer_is_send(q->from, q->id, &is, -1);
	return known;
}

/* ---- senders ---- */

/* An address as tables compare it, cut at its last '@'; either part may be
 * empty. */
struct parts {
	char text[TABLE_KEY_MAX + 1];
	char *user;
	const char *domain;
};

static bool
take_apart(struct slice addr, struct parts *p)
{
	char *at;

	if (table_key_fold(addr, p->text) != NULL)
		return false;
	p->user = p->text;
	p->domain = "";
	if ((at = strrchr(p->text, '@')) != NULL) {
		*at = '\0';
		p->domain = at + 1;
	}
	return true;
}

/* A part that is empty in the list is any; a tag that is not in the list is
 * any, too. */
static bool
one_of_them(const struct parts *listed, const struct parts *addr, char delim)
{
	size_t len = strlen(addr->user);

	if (listed->domain[0] != '\0' &&
	    (addr->domain[0] == '\0' ||
		!match_glob(addr->domain, listed->domain)))
		return false;
	if (listed->user[0] == '\0')
		return true;
	if (strchr(listed->user, delim) == NULL &&
	    strchr(addr->user, delim) != NULL)
		len = (size_t)(strchr(addr->user, delim) - addr->user);
	return strlen(listed->user) == len &&
	    memcmp(listed->user, addr->user, len) == 0;
}

/* The next entry off the front of the list: up to a comma that is in no
 * quotes. */
static struct slice
take_entry(const char **list)
{
	struct slice entry = { *list, 0 };
	bool quoted = false;
	const char *p;

	for (p = *list; *p != '\0' && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && p[1] != '\0')
			p++;
	}
	entry.len = (size_t)(p - *list);
	*list = p + (*p == ',' ? 1 : 0);
	return slice_strip(entry);
}

bool
sender_in(const char *list, const char *addr, char delim)
{
	struct parts said, listed;
	struct slice entry;

	if (addr[0] == '\0') {
		said.text[0] = '\0';
		said.user = said.text;
		said.domain = "";
	} else if (!take_apart(slice_of(addr), &said))
		return false;
	while (*list != '\0') {
		entry = take_entry(&list);
		if (entry.len != 0 && take_apart(entry, &listed) &&
		    one_of_them(&listed, &said, delim))
			return true;
	}
	return false;
}

bool
sender_may(struct question *q, const struct conf_listen *l, const char *user,
    const char *sender, struct outcome *o)
{
	const char *list;

	if (l->senders == CONF_NONE) {
		outcome_set(o, DONE, WIDTH_MESSAGE, 250, NULL, "Ok");
		return true;
	}
	switch (question_table(q, l->senders, SERVICE_MAILADDRMAP, user,
	    &list)) {
	case TABLE_WAIT:
		return false;
	case TABLE_YES:
		if (sender_in(list, sender,
			(char)q->all->conf->sub_addr_delim)) {
			outcome_set(o, DONE, WIDTH_MESSAGE, 250, NULL, "Ok");
			return true;
		}
		break;
	case TABLE_NO:
		break;
	case TABLE_UNKNOWN:
		outcome_set(o, LATER, WIDTH_MESSAGE, 451, "4.3.0",
		    "Cannot check now whether you may send as <%s>, try later",
		    sender);
		return true;
	}
	outcome_set(o, NEVER, WIDTH_MESSAGE, 550, "5.7.1",
	    "Not permitted to send as <%s>", sender);
	return true;
}

bool
judge_sender(struct question *q)
{
	const struct conf *conf = q->all->conf;
	const struct sender_ask *ask = q->ask;
	struct sender_is is;

	memset(&is, 0, sizeof(is));
	if (ask->listen >= conf->listen.n)
		outcome_set(&is.outcome, LATER, WIDTH_MESSAGE, 451, "4.3.5",
		    "No such listener");
	else if (!sender_may(q, CONF_LISTEN(conf, ask->listen), ask->facts.auth,
		     ask->sender, &is.outcome))
		return false;
	sender_is_send(q->from, q->id, &is, -1);
	return true;
}
