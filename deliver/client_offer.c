/*
 * What a server says of itself in its reply to EHLO, and what follows from
 * that for a transaction.  Used by deliver.  Never believes a number that is
 * none: it is as if nothing had been said.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_auth.h"
#include "client_parts.h"

#include <string.h>
#include <strings.h>

#include "facts.h"
#include "smtp_addr.h"

void
client_forget(struct client *c)
{
	c->ext = 0;
	c->max_size = 0;
	c->mail_max = 0;
	c->rcpt_max = 0;
	c->rcpt_domain_max = 0;
	c->auth_mechs = 0;
}

/* The first word of s, which is moved behind it. */
static struct slice
first_word(struct slice *s)
{
	struct slice word;

	*s = slice_trim(*s);
	word = (struct slice){ s->p, 0 };
	while (word.len < s->len && word.p[word.len] != ' ' &&
	    word.p[word.len] != '\t')
		word.len++;
	s->p += word.len;
	s->len -= word.len;
	return word;
}

void
client_offer(struct client *c, struct slice line)
{
	struct slice word;
	unsigned int i;

	client_auth_offer(c, line);
	word = first_word(&line);
	for (i = 0; i < client_n_exts; i++) {
		if (!slice_eqcase(word, slice_of(client_exts[i].keyword)) ||
		    (client_exts[i].flag & c->how.without) != 0)
			continue;
		c->ext |= client_exts[i].flag;
		if (client_exts[i].params != NULL)
			client_exts[i].params(c, line);
	}
}

/* RFC 1870 4: no number or 0 is no limit that is known. */
void
client_size(struct client *c, struct slice words)
{
	char number[24];

	if (!slice_copy(slice_trim(words), number, sizeof number) ||
	    num_parse(number, 0, UINT64_MAX, &c->max_size) != NULL)
		c->max_size = 0;
}

/* RFC 9422 3: NAME=number, of up to six digits and not 0. */
void
client_limits(struct client *c, struct slice words)
{
	const struct {
		struct slice name;
		uint32_t *max;
	} limits[] = {
		{ SLICE("MAILMAX="), &c->mail_max },
		{ SLICE("RCPTMAX="), &c->rcpt_max },
		{ SLICE("RCPTDOMAINMAX="), &c->rcpt_domain_max },
	};
	struct slice word, name;
	char number[8];
	uint64_t n;
	size_t i;

	while ((word = first_word(&words)).len > 0) {
		for (i = 0; i < sizeof limits / sizeof limits[0]; i++) {
			name = limits[i].name;
			if (word.len <= name.len ||
			    !slice_eqcase((struct slice){ word.p, name.len },
				name))
				continue;
			word.p += name.len;
			word.len -= name.len;
			if (slice_copy(word, number, sizeof number) &&
			    num_parse(number, 1, 999999, &n) == NULL)
				*limits[i].max = (uint32_t)n;
			break;
		}
	}
}

/* ---- public ---- */

uint32_t
client_rcpt_max(const struct client *c)
{
	return c->rcpt_max == 0 ? UINT32_MAX : c->rcpt_max;
}

uint32_t
client_mail_max(const struct client *c)
{
	return c->mail_max == 0 ? UINT32_MAX : c->mail_max;
}

bool
client_room(const struct client *c, struct client_room *room, const char *addr)
{
	uint32_t max = c->rcpt_domain_max, i;
	const char *domain;

	if (room->n >= client_rcpt_max(c))
		return false;
	if (max != 0) {
		if (max > CLIENT_DOMAINS)
			max = CLIENT_DOMAINS;
		domain = smtp_addr_domain(addr);
		for (i = 0; i < room->n_domain; i++) {
			if (strcasecmp(room->domain[i], domain) == 0)
				break;
		}
		if (i == max)
			return false;
		if (i == room->n_domain)
			room->domain[room->n_domain++] = domain;
	}
	room->n++;
	return true;
}

bool
client_needs_7bit(const struct client *c, uint32_t content_facts)
{
	return (content_facts & CONTENT_8BIT) != 0 &&
	    (c->ext & EXT_8BITMIME) == 0;
}
