/*
 * SPF: the terms of a record, one after the other, until one matches (RFC 7208
 * 4.6, 5, 6.1).  Used by guard and smtpctl.  Never asks for more than the
 * limits of RFC 7208 4.6.4 allow.
 *
 *	spf_run()    the terms to come
 *	look()       asks what the term at work needs to know
 *	settle()     it matches, or the next one is tried
 *	frame_end()  the result of the record, for who included it
 *
 * SPDX-License-Identifier: ISC
 */
#include "spf_check.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "smtp_addr.h"

/* ---- limits (RFC 7208 4.6.4) ---- */

/* One more term that asks the DNS.  False: it is over. */
static bool
count_lookup(struct spf_check *c, struct slice term)
{
	if (c->a.lookups == SPF_LOOKUPS_MAX) {
		spf_permerror(c, "more than 10 terms that ask the DNS", term);
		return false;
	}
	c->a.lookups++;
	c->is_void = false;
	return true;
}

/* Terms are counted, not questions: the address of an IPv6 client has nothing
 * to do with how many of the hosts of an MX have such ones.  False: it is
 * over. */
bool
spf_count_void(struct spf_check *c)
{
	if (c->is_void)
		return true;
	c->is_void = true;
	if (c->a.voids == SPF_VOID_MAX) {
		spf_permerror(c,
		    "more than 2 terms that ask for what is not there",
		    spf_top(c)->term.text);
		return false;
	}
	c->a.voids++;
	return true;
}

/* ---- the result of a record ---- */

/* By result: what the domain says, before and behind the client. */
static const struct {
	const char *before, *behind;
} says[RES_RESULTS] = {
	[RES_PASS] = { "designates", " as a sender" },
	[RES_FAIL] = { "does not let", " send" },
	[RES_SOFTFAIL] = { "would rather not let", " send" },
	[RES_NEUTRAL] = { "says neither yes nor no about", "" },
};

static void
say_result(struct spf_check *c, enum auth_result result, struct slice mechanism)
{
	char domain[SPF_PLAIN_SIZE];

	if (mechanism.len >= sizeof c->a.mechanism)
		mechanism.len = sizeof c->a.mechanism - 1;
	if (mechanism.len > 0)
		memcpy(c->a.mechanism, mechanism.p, mechanism.len);
	snprintf(c->a.why, sizeof c->a.why, "%s %s %s%s (%.60s)",
	    spf_plain(spf_top(c)->domain, domain), says[result].before,
	    c->ip_text, says[result].behind,
	    c->a.mechanism[0] == '\0' ? "no mechanism matches" :
					c->a.mechanism);
}

/* A term that matches gives its result; SPF_END: none does. */
static void
frame_end(struct spf_check *c, const struct spf_term *t)
{
	struct spf_frame *f = spf_top(c);
	enum auth_result result = t->kind == SPF_END ? RES_NEUTRAL : t->result;

	if (c->depth > 0) {
		/* RFC 7208 5.2: who includes asks only whether it passes. */
		spf_frame_clear(c, f);
		c->depth--;
		if (result == RES_PASS)
			frame_end(c, &spf_top(c)->term);
		else
			spf_run(c);
		return;
	}
	say_result(c, result, t->text);
	if (result == RES_FAIL && f->record.exp.kind != SPF_END)
		spf_explain(c);
	else
		spf_finish(c, result);
}

/* ---- terms that ask the DNS ---- */

/* The term at work matches, or the next one is tried. */
static void
settle(struct spf_check *c, bool matches)
{
	if (matches)
		frame_end(c, &spf_top(c)->term);
	else
		spf_run(c);
}

static void
on_exists(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;

	if (a->status == DNS_LATER)
		spf_temperror(c, a);
	else if (!spf_is_nothing(a) || spf_count_void(c))
		settle(c, a->status == DNS_FOUND);
}

static void mx_next(struct spf_check *c);

/* Addresses of `a`, or of a host of `mx`. */
static void
on_address(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;
	const struct spf_term *t = &spf_top(c)->term;
	bool found = spf_has_client(c, a, t->bits4, t->bits6);

	if (a->status == DNS_LATER || (!found && a->more > 0))
		spf_temperror(c, a);
	else if (spf_is_nothing(a) && !spf_count_void(c))
		return;
	else if (found || t->kind == SPF_A)
		settle(c, found);
	else
		mx_next(c);
}

static void
mx_next(struct spf_check *c)
{
	struct spf_hosts *h = &c->hosts;

	if (h->at == h->n)
		settle(c, false);
	else
		dns_ask_any(c->dns, &c->ask, h->name[h->at++],
		    spf_address_type(c), on_address, c);
}

static void
on_mx(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;

	if (a->status == DNS_LATER) {
		spf_temperror(c, a);
		return;
	}
	if (spf_is_nothing(a) && !spf_count_void(c))
		return;
	if (a->n > SPF_NAMES_MAX) {
		spf_permerror(c, "more than 10 hosts", spf_top(c)->term.text);
		return;
	}
	spf_take_hosts(&c->hosts, a);
	mx_next(c);
}

/* Names of the client are known. */
static void
ptr_compare(struct spf_check *c)
{
	char domain[DNS_NAME_MAX + 1];
	bool found = false;
	unsigned int i;

	if (spf_target(c, &spf_top(c)->term, domain) == SPF_TARGET_GOOD) {
		for (i = 0; i < c->names.n; i++)
			found = found ||
			    smtp_domain_is_below(c->names.name[i], domain);
	}
	settle(c, found);
}

static void
include(struct spf_check *c, const char *domain)
{
	assert(c->depth + 1 < SPF_FRAMES_MAX);
	c->depth++;
	spf_fetch(c, domain);
}

/* Asks what the term at work needs to know. */
static void
look(struct spf_check *c)
{
	const struct spf_term *t = &spf_top(c)->term;
	char name[DNS_NAME_MAX + 1];
	enum spf_target is = spf_target(c, t, name);

	/* RFC 7208 4.3, 5.2: no result, which is an error of who includes. */
	if (is == SPF_TARGET_BAD && t->kind == SPF_INCLUDE)
		spf_permerror(c, "no domain to include", t->text);
	else if (is != SPF_TARGET_GOOD)
		settle(c, false);
	else if (t->kind == SPF_INCLUDE)
		include(c, name);
	else if (t->kind == SPF_EXISTS)
		dns_ask_any(c->dns, &c->ask, name, DNS_A, on_exists, c);
	else if (t->kind == SPF_A)
		dns_ask_any(c->dns, &c->ask, name, spf_address_type(c),
		    on_address, c);
	else
		dns_ask_any(c->dns, &c->ask, name, DNS_MX, on_mx, c);
}

/* ---- a record, term by term ---- */

static void
redirect(struct spf_check *c)
{
	struct spf_frame *f = spf_top(c);
	char name[DNS_NAME_MAX + 1];

	if (spf_target(c, &f->record.redirect, name) != SPF_TARGET_GOOD) {
		spf_permerror(c, "no domain to redirect to",
		    f->record.redirect.text);
		return;
	}
	spf_frame_clear(c, f);
	f->redirected = true;
	spf_fetch(c, name);
}

/* No mechanism matched (RFC 7208 4.7, 6.1). */
static void
fall_through(struct spf_check *c)
{
	const struct spf_term *r = &spf_top(c)->record.redirect;

	if (r->kind == SPF_END)
		frame_end(c, r);
	else if (!count_lookup(c, r->text))
		return;
	else if (spf_needs_names(r))
		spf_names_look(c, redirect);
	else
		redirect(c);
}

/* The client is in the network of the term. */
static bool
in_network(const struct spf_check *c, const struct spf_term *t)
{
	if (t->kind == SPF_IP4)
		return spf_is_v4(c) &&
		    spf_same_bits((const uint8_t *)&t->ip4, c->ip, t->bits4);
	return !spf_is_v4(c) && spf_same_bits(t->ip6.s6_addr, c->ip, t->bits6);
}

void
spf_run(struct spf_check *c)
{
	struct spf_frame *f = spf_top(c);
	struct spf_term *t = &f->term;

	for (;;) {
		if (spf_term_next(&f->rest, t) != NULL)
			fatal("an SPF record that was good is not");
		if (t->kind == SPF_END) {
			fall_through(c);
			return;
		}
		if (t->kind == SPF_ALL ||
		    ((t->kind == SPF_IP4 || t->kind == SPF_IP6) &&
			in_network(c, t))) {
			frame_end(c, t);
			return;
		}
		if (t->kind == SPF_INCLUDE || t->kind == SPF_A ||
		    t->kind == SPF_MX || t->kind == SPF_PTR ||
		    t->kind == SPF_EXISTS)
			break;
	}
	if (!count_lookup(c, t->text))
		return;
	if (t->kind == SPF_PTR)
		spf_names_look(c, ptr_compare);
	else if (spf_needs_names(t))
		spf_names_look(c, look);
	else
		look(c);
}
