/*
 * Selectors: from words to what they mean.  Part of smtpctl(8); reads nothing
 * but its arguments.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_select.h"

#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "id.h"
#include "num.h"
#include "smtp_addr.h"
#include "way.h"

/* Columns: byte in the file, name.  Two bytes may have one name. */
static const struct {
	char state;
	const char *name;
} states[] = {
	{ RCPT_WAITING, "waiting" },
	{ RCPT_WARNED, "waiting" },
	{ RCPT_HELD, "held" },
	{ RCPT_HELD_WARNED, "held" },
	{ RCPT_OWED, "bouncing" },
	{ RCPT_DELIVERED_OWED, "delivered" },
	{ RCPT_EXPANDED_OWED, "expanded" },
	{ RCPT_DELIVERED, "delivered" },
	{ RCPT_FAILED, "failed" },
	{ RCPT_REMOVED, "removed" },
	{ RCPT_EXPANDED, "expanded" },
};

#define N_STATES (sizeof states / sizeof states[0])

const char *
state_name(int state)
{
	size_t i;

	for (i = 0; i < N_STATES; i++) {
		if (states[i].state == state)
			return states[i].name;
	}
	return "?";
}

static const char *
set_text(const char **where, const char *text)
{
	if (*where != NULL)
		return "the same thing is said twice";
	if (text[0] == '\0')
		return "an empty word selects nothing";
	*where = text;
	return NULL;
}

static const char *
set_state(struct selector *s, const char *text)
{
	size_t i;

	for (i = 0; i < N_STATES; i++) {
		if (strcmp(states[i].name, text) == 0)
			return set_text(&s->state, states[i].name);
	}
	return "no such state: waiting, held, bouncing, delivered, failed, removed or expanded";
}

static const char *
set_sender(struct selector *s, const char *text)
{
	if (s->sender != NULL)
		return "the same thing is said twice";
	s->sender = strcmp(text, "<>") == 0 ? "" : text;
	return NULL;
}

static const char *
set_domain(struct selector *s, const char *text)
{
	return set_text(&s->domain, text);
}

static const char *
set_route(struct selector *s, const char *text)
{
	return set_text(&s->route, text);
}

static const char *
set_rcpt(struct selector *s, const char *text)
{
	if (text[0] == '@')
		return set_domain(s, text + 1);
	if (strchr(text, '@') == NULL)
		return "an address has an @";
	return set_text(&s->rcpt, text);
}

static const char *
set_id(struct selector *s, uint64_t id, const char *number)
{
	uint64_t n = CONF_NONE;
	const char *why;

	if (s->has_id)
		return "only one id at a time";
	if (number != NULL &&
	    (why = num_parse(number, 0, RCPT_MAX, &n)) != NULL)
		return "behind the id and a colon stands the number of a recipient";
	s->has_id = true;
	s->id = id;
	s->n = (uint32_t)n;
	return NULL;
}

/* ID or ID:n. */
static bool
is_id(const char *word, uint64_t *id, const char **number)
{
	char text[ID_LEN + 1];
	size_t len = strcspn(word, ":");

	if (len != ID_LEN)
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	*number = word[len] == ':' ? word + len + 1 : NULL;
	return id_parse(text, id);
}

static bool
is_route(const char *word)
{
	static const char *const kinds[] = { "mx:", "host:", "hosts:",
		"lmtp:" };
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strncmp(word, kinds[i], strlen(kinds[i])) == 0)
			return true;
	}
	return way_where(word) == WAY_HERE;
}

static const char *
word_parse(const char *word, struct selector *s)
{
	const char *number;
	uint64_t id;

	if (word[0] == '\0')
		return "an empty word selects nothing";
	if (strcmp(word, "all") == 0) {
		s->all = true;
		return NULL;
	}
	if (is_id(word, &id, &number))
		return set_id(s, id, number);
	if (is_route(word))
		return set_route(s, word);
	if (strchr(word, '@') != NULL)
		return set_rcpt(s, word);
	/* A mistyped id must not select a domain that does not exist. */
	if (strchr(word, '.') == NULL)
		return "neither all, an id, a route, an address nor a domain with a dot (use --domain)";
	return set_domain(s, word);
}

static const char *
set_has(const char **where, const char *text)
{
	return text[strspn(text, "!")] == '\0' ?
	    "an empty word selects nothing" :
	    set_text(where, text);
}

static const char *
set_id_has(struct selector *s, const char *text)
{
	return set_has(&s->has[HAS_ID], text);
}

static const char *
set_rcpt_has(struct selector *s, const char *text)
{
	return set_has(&s->has[HAS_RCPT], text);
}

static const char *
set_sender_has(struct selector *s, const char *text)
{
	return set_has(&s->has[HAS_SENDER], text);
}

/* Columns: option, what takes its value. */
static const struct {
	const char *name;
	const char *(*set)(struct selector *s, const char *text);
} options[] = {
	{ "--domain", set_domain },
	{ "--from", set_sender },
	{ "--to", set_rcpt },
	{ "--route", set_route },
	{ "--state", set_state },
	{ "--id-has", set_id_has },
	{ "--to-has", set_rcpt_has },
	{ "--from-has", set_sender_has },
};

#define N_OPTIONS (sizeof options / sizeof options[0])

static const char *
option_parse(const char *name, const char *value, struct selector *s)
{
	size_t i;

	for (i = 0; i < N_OPTIONS; i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		return value == NULL ? "an option without its value" :
				       options[i].set(s, value);
	}
	return "no such option: --domain, --from, --to, --route, --state, --id-has, --to-has or --from-has";
}

const char *
selector_parse(int argc, char **argv, struct selector *s)
{
	const char *why;
	int i;

	*s = (struct selector){ .n = CONF_NONE };
	for (i = 0; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0) {
			why = option_parse(argv[i],
			    i + 1 < argc ? argv[i + 1] : NULL, s);
			i++;
		} else {
			why = word_parse(argv[i], s);
		}
		if (why != NULL)
			return why;
	}
	if (s->all && selector_names(s))
		return "all is everything: it has no filter";
	return NULL;
}

bool
selector_has(const struct selector *s)
{
	size_t i;

	for (i = 0; i < SELECTOR_PARTS; i++) {
		if (s->has[i] != NULL)
			return true;
	}
	return false;
}

bool
selector_names(const struct selector *s)
{
	return s->has_id || s->domain != NULL || s->sender != NULL ||
	    s->rcpt != NULL || s->route != NULL || s->state != NULL ||
	    selector_has(s);
}

bool
selector_empty(const struct selector *s)
{
	return !s->all && !selector_names(s);
}

const char *
selector_ask(const struct selector *s, struct ctl_ask *ask)
{
	/* Columns: what may be named, what it is called. */
	const struct {
		const char *text;
		enum ctl_by by;
	} texts[] = {
		{ s->domain, CTL_BY_DOMAIN },
		{ s->sender, CTL_BY_SENDER },
		{ s->rcpt, CTL_BY_RCPT },
		{ s->route, CTL_BY_ROUTE },
	};
	unsigned int said = 0;
	size_t i;

	if (selector_empty(s))
		return "say which: all, an id, an address, a domain or a route";
	if (s->state != NULL)
		return "--state is for listings";
	if (selector_has(s))
		return "who has that in his name is not known there";
	ask->by = CTL_BY_ALL;
	ask->n = CONF_NONE;
	if (s->has_id) {
		ask->by = CTL_BY_ID;
		ask->id = s->id;
		ask->n = s->n;
		said++;
	}
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (texts[i].text == NULL)
			continue;
		ask->by = texts[i].by;
		if (strlcpy(ask->text, texts[i].text, sizeof ask->text) >=
		    sizeof ask->text)
			return "longer than any address or route is";
		said++;
	}
	return said > 1 ? "one thing at a time; only listings take several" :
			  NULL;
}

/* Addresses as people mean them: case does not matter when selecting. */
static bool
same(const char *wanted, const char *is)
{
	return wanted == NULL || strcasecmp(wanted, is) == 0;
}

/* Whether wanted is a part of it, or with "!" is none. */
static bool
has(const char *wanted, const char *is)
{
	bool without = wanted != NULL && wanted[0] == '!';

	if (wanted == NULL)
		return true;
	return (strcasestr(is, wanted + (without ? 1 : 0)) != NULL) != without;
}

bool
selector_match(const struct selector *s, const struct index_msg *m,
    const struct index_rcpt *r)
{
	char id[ID_LEN + 1];

	if (s->has_id &&
	    (r->id != s->id || (s->n != CONF_NONE && r->n != s->n)))
		return false;
	if (s->state != NULL) {
		if (strcmp(s->state, state_name(r->state)) != 0)
			return false;
	} else if (rcpt_state_end(r->state) && s->n == CONF_NONE) {
		return false;
	}
	return same(s->domain, smtp_addr_domain(r->addr)) &&
	    same(s->sender, m->sender) && same(s->rcpt, r->addr) &&
	    same(s->route, r->route) &&
	    has(s->has[HAS_ID], id_print(r->id, id)) &&
	    has(s->has[HAS_RCPT], r->addr) &&
	    has(s->has[HAS_SENDER], m->sender);
}
