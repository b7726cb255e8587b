/*
 * SPF: the names of the client that lead back to it (RFC 7208 5.5), the names
 * that terms make of macros (4.8), the explanation (6.2).  Used by guard and
 * smtpctl.  Never counts lookups: who asks has done so.
 *
 * SPDX-License-Identifier: ISC
 */
#include "spf_check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "log.h"
#include "smtp_addr.h"

/* ---- names of the client (RFC 7208 5.5) ---- */

bool
spf_same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, left = bits % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - left));

	if (memcmp(a, b, whole) != 0)
		return false;
	return left == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

/* One of the addresses is in the client's network of so many bits. */
bool
spf_has_client(const struct spf_check *c, const struct dns_answer *a,
    unsigned int bits4, unsigned int bits6)
{
	unsigned int i;

	for (i = 0; a->status == DNS_FOUND && i < a->n; i++) {
		if (spf_same_bits((const uint8_t *)&a->rr[i].a, c->ip,
			spf_is_v4(c) ? bits4 : bits6))
			return true;
	}
	return false;
}

/* Puts the names of an answer in hosts, as many as may be asked for. */
void
spf_take_hosts(struct spf_hosts *h, const struct dns_answer *a)
{
	unsigned int i;

	h->n = 0;
	h->at = 0;
	for (i = 0; i < a->n && h->n < SPF_NAMES_MAX; i++) {
		if (a->rr[i].name[0] == '\0') /* a null MX */
			continue;
		snprintf(h->name[h->n++], sizeof h->name[0], "%.*s",
		    DNS_NAME_MAX, a->rr[i].name);
	}
}

static void
names_end(struct spf_check *c)
{
	timer_clear(&c->names_time);
	c->names_known = true;
	c->then(c);
}

static void names_next(struct spf_check *c);

/* A name whose addresses nobody knows is passed over. */
static void
on_name(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;
	const char *name = c->hosts.name[c->hosts.at++];

	if (spf_has_client(c, a, 32, 128))
		memcpy(c->names.name[c->names.n++], name,
		    sizeof c->names.name[0]);
	names_next(c);
}

static void
names_next(struct spf_check *c)
{
	struct spf_hosts *h = &c->hosts;

	if (h->at == h->n)
		names_end(c);
	else
		dns_ask_any(c->dns, &c->ask, h->name[h->at],
		    spf_address_type(c), on_name, c);
}

static void
on_ptr(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;

	if (spf_is_nothing(a) && !c->explaining &&
	    spf_top(c)->term.kind == SPF_PTR && !spf_count_void(c))
		return;
	c->hosts.n = c->hosts.at = 0;
	if (a->status == DNS_FOUND)
		spf_take_hosts(&c->hosts, a);
	names_next(c);
}

/* Whoever sends has the servers for the names of his address, and so could use
 * up the time of the whole check: those that are known by now are all. */
static void
on_names_late(void *arg)
{
	struct spf_check *c = arg;

	dns_cancel(&c->ask);
	names_end(c);
}

/* Then goes on, when they are known. */
void
spf_names_look(struct spf_check *c, void (*then)(struct spf_check *c))
{
	const struct spf_values v = { .of = {
					  ['i' - 'a'] = c->ip_dots,
					  ['v' - 'a'] =
					      spf_is_v4(c) ? "in-addr" : "ip6",
				      } };
	char name[DNS_NAME_MAX + 1];

	c->then = then;
	if (c->names_known) {
		then(c);
		return;
	}
	timer_set(c->loop, &c->names_time, SPF_NAMES_MS, on_names_late, c);
	spf_macro_domain(SLICE("%{ir}.%{v}.arpa"), &v, name);
	dns_ask_any(c->dns, &c->ask, name, DNS_PTR, on_ptr, c);
}

/* RFC 7208 7.3 "p": that of the domain, one below it, any. */
static const char *
client_name(struct spf_check *c)
{
	const char *domain = spf_top(c)->domain, *below = NULL;
	unsigned int i;

	for (i = 0; i < c->names.n; i++) {
		if (strcasecmp(c->names.name[i], domain) == 0)
			return c->names.name[i];
		if (below == NULL &&
		    smtp_domain_is_below(c->names.name[i], domain))
			below = c->names.name[i];
	}
	if (below != NULL)
		return below;
	return c->names.n > 0 ? c->names.name[0] : "unknown";
}

/* ---- macros ---- */

static struct spf_values
values(struct spf_check *c)
{
	struct spf_values v = { 0 };

	snprintf(c->now, sizeof c->now, "%lld", (long long)time(NULL));
	v.of['s' - 'a'] = c->a.identity;
	v.of['l' - 'a'] = c->local;
	v.of['o' - 'a'] = c->domain;
	v.of['d' - 'a'] = spf_top(c)->domain;
	v.of['i' - 'a'] = c->ip_dots;
	v.of['p' - 'a'] = client_name(c);
	v.of['v' - 'a'] = spf_is_v4(c) ? "in-addr" : "ip6";
	v.of['h' - 'a'] = c->helo;
	v.of['c' - 'a'] = c->ip_text;
	v.of['r' - 'a'] = c->ours;
	v.of['t' - 'a'] = c->now;
	return v;
}

bool
spf_needs_names(const struct spf_term *t)
{
	return (t->letters & SPF_LETTER('p')) != 0;
}

enum spf_target
spf_target(struct spf_check *c, const struct spf_term *t,
    char out[DNS_NAME_MAX + 1])
{
	const uint32_t local = SPF_LETTER('s') | SPF_LETTER('l');
	struct spf_values v = values(c);
	struct dns_question q;

	if (t->domain.len == 0) {
		memcpy(out, spf_top(c)->domain, DNS_NAME_MAX + 1);
		return SPF_TARGET_GOOD;
	}
	if ((t->letters & local) != 0 && !c->local_ascii)
		return SPF_TARGET_NEVER;
	return spf_macro_domain(t->domain, &v, out) &&
		dns_question_any(&q, out, DNS_TXT) == NULL ?
	    SPF_TARGET_GOOD :
	    SPF_TARGET_BAD;
}

/* ---- the explanation (RFC 7208 6.2) ---- */

static void
explain(struct spf_check *c)
{
	struct spf_values v = values(c);

	spf_macro_explain(slice_of(c->explanation), &v, c->a.exp,
	    sizeof c->a.exp);
	spf_finish(c, RES_FAIL);
}

/* Whatever is wrong with it: then there is none. */
static void
on_explanation(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;
	struct spf_term t = { .kind = SPF_EXP };
	struct slice text;

	if (a->status != DNS_FOUND || a->n != 1 || a->more != 0) {
		spf_finish(c, RES_FAIL);
		return;
	}
	text = dns_text(a, 0);
	if (spf_macro_check(text, SPF_EXPLANATION, &t.letters) != NULL) {
		spf_finish(c, RES_FAIL);
		return;
	}
	c->explanation = xcalloc(1, text.len + 1);
	memcpy(c->explanation, text.p, text.len);
	if (spf_needs_names(&t))
		spf_names_look(c, explain);
	else
		explain(c);
}

static void
ask_explanation(struct spf_check *c)
{
	char name[DNS_NAME_MAX + 1];

	if (spf_target(c, &spf_top(c)->record.exp, name) == SPF_TARGET_GOOD)
		dns_ask_any(c->dns, &c->ask, name, DNS_TXT, on_explanation, c);
	else
		spf_finish(c, RES_FAIL);
}

void
spf_explain(struct spf_check *c)
{
	c->explaining = true;
	if (spf_needs_names(&spf_top(c)->record.exp))
		spf_names_look(c, ask_explanation);
	else
		ask_explanation(c);
}
