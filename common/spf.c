/*
 * SPF: the identity that is checked, the records of its domain (RFC 7208 4.1
 * to 4.5), and the end of it.  Used by guard and smtpctl.  Never waits, and
 * never asks for more than the limits of RFC 7208 4.6.4 allow.
 *
 * SPDX-License-Identifier: ISC
 */
#include "spf.h"

#include <arpa/inet.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idn.h"
#include "log.h"
#include "spf_check.h"

/* ---- the end ---- */

/* Text of others, as people, logs and fields may have it. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

/* An address may be UTF-8 (RFC 6531), and is then kept so. */
static void
make_identity(char *text)
{
	if (!slice_is_utf8(slice_of(text))) {
		make_printable(text);
		return;
	}
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
	}
}

void
spf_frame_clear(struct spf_check *c, struct spf_frame *f)
{
	c->held -= f->len;
	free(f->text);
	memset(f, 0, sizeof *f);
}

static void
check_free(struct spf_check **cp)
{
	struct spf_check *c = *cp;
	unsigned int i;

	*cp = NULL;
	timer_clear(&c->deadline);
	timer_clear(&c->names_time);
	dns_cancel(&c->ask);
	for (i = 0; i < SPF_FRAMES_MAX; i++)
		spf_frame_clear(c, &c->frame[i]);
	free(c->explanation);
	free(c);
}

/* Tells, and frees c. */
void
spf_finish(struct spf_check *c, enum auth_result result)
{
	struct spf_answer a = c->a;
	spf_fn *fn = c->fn;
	void *arg = c->arg;

	a.result = result;
	text_lower(a.domain);
	make_printable(a.domain);
	make_identity(a.identity);
	make_printable(a.mechanism);
	make_printable(a.why);
	make_printable(a.exp);
	check_free(&c);
	fn(arg, &a);
}

__attribute__((format(printf, 3, 4))) static void
finish_because(struct spf_check *c, enum auth_result result, const char *fmt,
    ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->a.why, sizeof c->a.why, fmt, ap);
	va_end(ap);
	spf_finish(c, result);
}

const char *
spf_plain(const char *name, char out[SPF_PLAIN_SIZE])
{
	size_t i;

	for (i = 0; i < SPF_PLAIN_SIZE - 1 && name[i] != '\0'; i++)
		out[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
	out[i] = '\0';
	return out;
}

void
spf_permerror(struct spf_check *c, const char *why, struct slice term)
{
	char domain[SPF_PLAIN_SIZE];
	int len = term.len < 80 ? (int)term.len : 80;

	spf_plain(spf_top(c)->domain, domain);
	if (len == 0)
		finish_because(c, RES_PERMERROR, "%s: %s", domain, why);
	else
		finish_because(c, RES_PERMERROR, "%s: %s: \"%.*s\"", domain,
		    why, len, term.p);
}

/* The DNS does not say. */
void
spf_temperror(struct spf_check *c, const struct dns_answer *a)
{
	char domain[SPF_PLAIN_SIZE];

	finish_because(c, RES_TEMPERROR, "%s: %s",
	    spf_plain(c->ask.q.name, domain),
	    a->status == DNS_LATER ? a->why :
				     "more records than are looked at");
}

/* ---- a record ---- */

/* There is none (RFC 7208 4.5, 5.2, 6.1). */
static void
no_record(struct spf_check *c)
{
	char domain[SPF_PLAIN_SIZE];

	if (c->depth == 0 && !spf_top(c)->redirected)
		finish_because(c, RES_NONE, "%s has no SPF record",
		    spf_plain(spf_top(c)->domain, domain));
	else
		spf_permerror(c, "no SPF record, and another one leads to it",
		    (struct slice){ NULL, 0 });
}

/* The one record of SPF among texts; n is how many there are. */
static struct slice
select_record(const struct dns_answer *a, unsigned int *n)
{
	struct slice terms, found = { NULL, 0 };
	unsigned int i;

	*n = 0;
	for (i = 0; a->status == DNS_FOUND && i < a->n; i++) {
		if (!spf_is_record(dns_text(a, i), &terms))
			continue;
		found = terms;
		(*n)++;
	}
	return found;
}

static void
on_record(void *arg, const struct dns_answer *a)
{
	struct spf_check *c = arg;
	struct spf_frame *f = spf_top(c);
	struct slice terms, bad;
	const char *why;
	unsigned int n;

	if (a->status == DNS_LATER || a->more > 0) {
		spf_temperror(c, a);
		return;
	}
	terms = select_record(a, &n);
	if (n == 0) {
		no_record(c);
		return;
	}
	if (n > 1 || c->held + terms.len > SPF_TEXT_MAX) {
		spf_permerror(c,
		    n > 1 ? "several SPF records" : "too much text",
		    (struct slice){ NULL, 0 });
		return;
	}
	f->text = xcalloc(1, terms.len + 1);
	f->len = terms.len;
	memcpy(f->text, terms.p, terms.len);
	c->held += f->len;
	terms = (struct slice){ f->text, f->len };
	if ((why = spf_record_read(terms, &f->record, &bad)) != NULL) {
		spf_permerror(c, why, bad);
		return;
	}
	f->rest = terms;
	spf_run(c);
}

/* RFC 7208 4.3: several labels, all of which can be in the DNS. */
static bool
is_domain(const char *name)
{
	struct dns_question q;

	return strchr(name, '.') != NULL &&
	    dns_question_any(&q, name, DNS_TXT) == NULL;
}

/* Asks for the record of domain, for the frame on top. */
void
spf_fetch(struct spf_check *c, const char *domain)
{
	struct spf_frame *f = spf_top(c);

	snprintf(f->domain, sizeof f->domain, "%s", domain);
	if (is_domain(domain))
		dns_ask_any(c->dns, &c->ask, domain, DNS_TXT, on_record, c);
	else
		no_record(c);
}

/* ---- the beginning ---- */

static bool
set_client(struct spf_check *c, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	struct in6_addr in6;
	char *out = c->ip_dots;
	int i;

	c->family = AF_INET;
	if (inet_pton(AF_INET6, text, &in6) == 1) {
		/* RFC 7208 5: a mapped address is one of IPv4. */
		c->family = IN6_IS_ADDR_V4MAPPED(&in6) ? AF_INET : AF_INET6;
		if (spf_is_v4(c))
			memcpy(c->ip, in6.s6_addr + 12, sizeof(struct in_addr));
		else
			memcpy(c->ip, in6.s6_addr, SPF_IP_BYTES);
	} else if (inet_pton(AF_INET, text, c->ip) != 1)
		return false;
	inet_ntop(c->family, c->ip, c->ip_text, sizeof c->ip_text);
	if (spf_is_v4(c)) {
		memcpy(out, c->ip_text, strlen(c->ip_text) + 1);
		return true;
	}
	for (i = 0; i < 2 * SPF_IP_BYTES; i++) {
		*out++ = hex[c->ip[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
		*out++ = i + 1 < 2 * SPF_IP_BYTES ? '.' : '\0';
	}
	return true;
}

/* RFC 7208 2.4, 4.3: local part and domain of who is checked.  NULL, or why
 * there is nothing to check. */
static const char *
set_sender(struct spf_check *c, const struct spf_query *q)
{
	bool helo = q->of_helo || q->sender[0] == '\0';
	const char *sender = helo ? q->helo : q->sender;
	const char *at = helo ? NULL : strrchr(sender, '@');
	struct slice domain = slice_of(at == NULL ? sender : at + 1);
	struct dns_question dq;

	if (strlen(sender) > ADDR_MAX)
		return "is too long";
	snprintf(c->local, sizeof c->local, "%.*s",
	    at == NULL ? 0 : (int)(at - sender), sender);
	if (c->local[0] == '\0')
		memcpy(c->local, "postmaster", sizeof "postmaster");
	c->local_ascii = slice_is_ascii(slice_of(c->local));
	if (domain.len > 0 && domain.p[domain.len - 1] == '.')
		domain.len--;
	/* ASCII stays as it was written, for the macros. */
	if (!slice_is_ascii(domain) ||
	    !slice_copy(domain, c->domain, sizeof c->domain))
		idn_domain(domain, c->domain);
	snprintf(c->a.domain, sizeof c->a.domain, "%s", c->domain);
	snprintf(c->a.identity, sizeof c->a.identity, "%.*s@%s",
	    (int)(sizeof c->a.identity - strlen(c->domain) - 2), c->local,
	    c->domain);
	if (dns_question_set(&dq, c->domain, DNS_TXT) != NULL)
		return "is no domain (RFC 7208 4.3)";
	return strchr(c->domain, '.') == NULL ?
	    "is no whole domain (RFC 7208 4.3)" :
	    NULL;
}

static void
on_deadline(void *arg)
{
	struct spf_check *c = arg;

	if (c->explaining)
		spf_finish(c, RES_FAIL);
	else
		finish_because(c, RES_TEMPERROR, "no answers in time");
}

struct spf_check *
spf_start(struct loop *l, struct dns *d, const struct spf_query *q, spf_fn *fn,
    void *arg)
{
	struct spf_check *c = xcalloc(1, sizeof *c);
	const char *why;

	c->loop = l;
	c->dns = d;
	c->fn = fn;
	c->arg = arg;
	c->helo = q->helo;
	c->ours = q->ours[0] == '\0' ? "unknown" : q->ours;
	why = set_sender(c, q);
	if (why != NULL) {
		finish_because(c, RES_NONE, "the name in %s %s",
		    q->of_helo || q->sender[0] == '\0' ? "HELO" : "MAIL FROM",
		    why);
		return NULL;
	}
	if (!set_client(c, q->client)) {
		finish_because(c, RES_NONE, "the client has no address");
		return NULL;
	}
	timer_set(l, &c->deadline, SPF_TIME_MS, on_deadline, c);
	spf_fetch(c, c->domain);
	return c;
}

void
spf_cancel(struct spf_check **c)
{
	if (*c != NULL)
		check_free(c);
}
