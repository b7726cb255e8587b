/*
 * Statements of smtpd.conf about who may come, and as whom: `oauth`, `dnsbl`,
 * `dnswl`, and what they, limits and greylisting have in common.  Runs in the
 * parent; asks no list and reads no key.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <string.h>

#include "bounds.h"
#include "conf_parse.h"
#include "slice.h"

/* ---- oauth ---- */

bool
conf_oauth_end(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->oauth, sizeof(struct conf_oauth));
	struct conf_oauth *mine = &p->f.stmt.oauth;
	const struct conf_oauth *other;

	mine->at = conf_here(p);
	for (i = 0; i < n; i++) {
		other = conf_item(&p->oauth, i, sizeof(*other));
		if (strcmp(conf_pool_text(p, other->issuer),
			conf_pool_text(p, mine->issuer)) == 0 &&
		    strcmp(conf_pool_text(p, other->audience),
			conf_pool_text(p, mine->audience)) == 0)
			return conf_refuse(p,
			    "found this issuer and audience again, expected those of line %u once",
			    other->at.line);
	}
	return conf_add(p, &p->oauth, mine, sizeof(*mine), CONF_OAUTH_MAX,
	    "`oauth`");
}

/* ---- what a list may answer ---- */

/* 127.0.0.2 as a number; false: it is no answer of a list. */
static bool
answer_address(struct slice text, uint32_t *out)
{
	char ip[INET_ADDRSTRLEN];
	struct in_addr addr;

	if (!slice_copy(text, ip, sizeof(ip)) ||
	    inet_pton(AF_INET, ip, &addr) != 1)
		return false;
	*out = ntohl(addr.s_addr);
	return *out >> 24 == 127;
}

/* NULL, or why it is none. */
static const char *
answer_check(const char *text)
{
	const char *hyphen = strchr(text, '-');
	size_t len = hyphen == NULL ? strlen(text) : (size_t)(hyphen - text);
	uint32_t first, last;

	if (!answer_address((struct slice){ text, len }, &first))
		return "not an address of 127.0.0.0/8";
	last = first;
	if (hyphen != NULL && !answer_address(slice_of(hyphen + 1), &last))
		return "whose end is not an address of 127.0.0.0/8";
	if (last < first)
		return "whose end comes before its beginning";
	/* As the large lists have it. */
	if (last >= 0x7fffff00)
		return "with which a list says that it refuses to answer";
	return NULL;
}

static bool
read_answer(struct conf_parser *p, void *arg)
{
	struct conf_dnslist *list = &p->f.stmt.dnslist;
	struct conf_entry e = { 0 };
	char shown[CONF_SHOWN_SIZE];
	const char *why;

	(void)arg;
	if (!conf_need_text(p, "an answer of the list"))
		return false;
	if ((why = answer_check(p->lex.text)) != NULL)
		return conf_wrong(p,
		    "`answer`: found %s, %s, expected one as 127.0.0.2 or 127.0.0.4-127.0.0.11",
		    conf_lex_shown(&p->lex, shown), why);
	e.key = conf_take_text(p);
	buf_add(&p->entry, &e, sizeof(e));
	list->answer.n++;
	return true;
}

bool
conf_read_answers(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.dnslist.answer.off =
	    conf_count(&p->entry, sizeof(struct conf_entry));
	if (p->lex.tok == '{')
		return conf_list(p, w->what, read_answer, NULL);
	return read_answer(p, NULL);
}

/* ---- dnsbl and dnswl ---- */

/* One list may stand in several lines, if each is about other answers. */
static bool
check_dnslist(struct conf_parser *p, const struct conf_dnslist *mine)
{
	uint32_t i, n = conf_count(&p->dnslist, sizeof(*mine));
	const char *domain = conf_pool_text(p, mine->domain);
	const struct conf_dnslist *other;
	char shown[CONF_SHOWN_SIZE];

	/* The rest of a `listen` whose backslash got lost. */
	if (strchr(domain, '.') == NULL)
		return conf_refuse(p,
		    "found the list %s, expected a domain with a dot; as an option of a listener `dnsbl` stands on its line",
		    conf_shown(domain, shown));
	for (i = 0; i < n; i++) {
		other = conf_item(&p->dnslist, i, sizeof(*other));
		if (strcmp(conf_pool_text(p, other->domain), domain) != 0 ||
		    (other->answer.n != 0 && mine->answer.n != 0))
			continue;
		return conf_refuse(p,
		    "found the list %s again, which line %u has already, expected `answer` in both",
		    conf_shown(domain, shown), other->at.line);
	}
	return true;
}

bool
conf_dnsbl_end(struct conf_parser *p)
{
	struct conf_dnslist *mine = &p->f.stmt.dnslist;

	mine->at = conf_here(p);
	return check_dnslist(p, mine) &&
	    conf_add(p, &p->dnslist, mine, sizeof(*mine), CONF_DNSLIST_MAX,
		"`dnsbl` and `dnswl`");
}

bool
conf_dnswl_end(struct conf_parser *p)
{
	p->f.stmt.dnslist.weight = -p->f.stmt.dnslist.weight;
	return conf_dnsbl_end(p);
}

/* ---- the whole ---- */

/* An option of a listener that needs a statement somewhere. */
static void
say_missing(struct conf_parser *p, struct conf_at at, const char *what)
{
	conf_error(p->errors, conf_pool_text(p, at.file), at.line, "%s", what);
}

static void
check_lists(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->listen, sizeof(struct conf_listen));
	struct conf_at last = { 0 };
	const struct conf_listen *l;

	for (i = 0; i < n && p->dnslist.len == 0; i++) {
		l = conf_item(&p->listen, i, sizeof(*l));
		if (!l->dnsbl ||
		    (l->at.line == last.line && l->at.file == last.file))
			continue;
		last = l->at;
		say_missing(p, last,
		    "`dnsbl` needs a list to ask: `dnsbl DOMAIN` on a line of its own");
	}
}

void
conf_check_clients(struct conf_parser *p)
{
	const struct conf *c = &p->f.conf;
	const char *path = conf_pool_text(p, c->path);

	check_lists(p);
	if (c->dnsbl_reject != 0 && c->dnsbl_junk >= c->dnsbl_reject)
		conf_error(p->errors, path, 0,
		    "`smtp dnsbl-junk` is %d, but from %d on `smtp dnsbl-reject` refuses: expected less, or `smtp dnsbl-reject` of more",
		    c->dnsbl_junk, c->dnsbl_reject);
	if (c->grey_window <= c->grey_delay)
		conf_error(p->errors, path, 0,
		    "`greylist`: `window` is not longer than `delay`, expected more: nobody could pass");
}
