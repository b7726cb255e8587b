/*
 * What MAIL and RCPT say beyond the address, by what the server offers; and
 * what is not to be tried there.  Used by deliver.  Never turns content into
 * other content.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_parts.h"

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "dsn_param.h"
#include "facts.h"
#include "idn.h"
#include "smtp_addr.h"

#define PARAMS_MAX (ORCPT_MAX + ENVID_MAX + 128)

/* ---- addresses (RFC 6531) ---- */

/* Its local part has other than ASCII, which no DNS name stands for. */
static bool
local_is_8bit(const char *addr)
{
	const char *at = strrchr(addr, '@');

	for (; *addr != '\0' && addr != at; addr++) {
		if ((unsigned char)*addr > 0x7f)
			return true;
	}
	return false;
}

/* As it is said in this transaction: itself, or with the domain as DNS has it
 * (in out).  NULL: only with SMTPUTF8. */
static const char *
client_address(const struct client *c, const char *addr, char out[ADDR_MAX + 1])
{
	char domain[DOMAIN_MAX + 1];
	int len, n;

	if (c->utf8 || !has_8bit(addr))
		return addr;
	if (local_is_8bit(addr) ||
	    idn_domain(slice_of(smtp_addr_domain(addr)), domain) != NULL)
		return NULL;
	len = (int)(smtp_addr_domain(addr) - addr);
	n = snprintf(out, ADDR_MAX + 1, "%.*s%s", len, addr, domain);
	return n > 0 && n <= ADDR_MAX ? out : NULL;
}

/* RFC 6531 3.4: SMTPUTF8 is said of what was marked so, and where an address
 * needs it; not of an unmarked header with 8-bit bytes, which may be in any
 * character set, and goes on as it came. */
static bool
wants_utf8(const struct client_mail *m)
{
	unsigned int i;

	if ((m->facts & FACT_SMTPUTF8) != 0 || has_8bit(m->sender))
		return true;
	for (i = 0; i < m->n_rcpt; i++) {
		if (has_8bit(m->rcpt[i].addr))
			return true;
	}
	return false;
}

/* ---- what the server cannot have ---- */

static bool
is_too_large(const struct client *c, struct outcome *o)
{
	uint64_t size = client_mail_size(&c->mail);

	if (c->max_size == 0 || size <= c->max_size)
		return false;
	/* RFC 1870 6.1: it has said that it would refuse. */
	outcome_set(o, NEVER, WIDTH_MESSAGE, 552, "5.3.4",
	    "the message has %llu bytes, the server takes %llu",
	    (unsigned long long)size, (unsigned long long)c->max_size);
	outcome_of_us(o, CAUSE_CONTENT, STAGE_MAIL);
	return true;
}

static bool
is_too_binary(const struct client *c, struct outcome *o)
{
	const unsigned int need = EXT_BINARYMIME | EXT_CHUNKING;

	if ((c->mail.content_facts & CONTENT_BINARY) == 0 ||
	    (c->ext & need) == need)
		return false;
	/* RFC 3030 3: converted, or returned. */
	outcome_set(o, NEVER, WIDTH_MESSAGE, 554, "5.6.1",
	    "the content is binary, and the server does not offer BINARYMIME");
	outcome_of_us(o, CAUSE_CONTENT, STAGE_MAIL);
	return true;
}

/* Nobody of them can be told to this server. */
static bool
all_foreign(const struct client *c)
{
	char out[ADDR_MAX + 1];
	unsigned int i;

	for (i = 0; i < c->mail.n_rcpt; i++) {
		if (client_address(c, c->mail.rcpt[i].addr, out) != NULL)
			return false;
	}
	return true;
}

/* RFC 6531 3.5: it comes back, once no host of the list will have it. */
static bool
is_too_foreign(const struct client *c, struct outcome *o)
{
	const struct client_mail *m = &c->mail;
	char out[ADDR_MAX + 1];
	const char *what = NULL;

	if (c->utf8)
		return false;
	if ((m->facts & FACT_SMTPUTF8) != 0 &&
	    (m->content_facts & CONTENT_UTF8) != 0)
		what = "the header";
	else if (client_address(c, m->sender, out) == NULL)
		what = "the sender's address";
	else if (all_foreign(c))
		what = "the address";
	if (what == NULL)
		return false;
	outcome_set(o, NEVER, WIDTH_STREAM, 550, "5.6.7",
	    "%s needs SMTPUTF8, which the server does not offer", what);
	outcome_of_us(o, CAUSE_CONTENT, STAGE_MAIL);
	return true;
}

/* By BDAT: what DATA cannot carry, and what is large. */
static bool
by_chunks(const struct client *c)
{
	if ((c->mail.content_facts & CONTENT_BINARY) != 0)
		return true;
	/* A last line without its end gets one by DATA. */
	return (c->ext & EXT_CHUNKING) != 0 &&
	    (c->mail.content_facts & CONTENT_NO_EOL) == 0 &&
	    client_mail_size(&c->mail) >= CLIENT_CHUNK;
}

bool
client_refuses(struct client *c, struct outcome *o)
{
	static bool (*const reasons[])(const struct client *,
	    struct outcome *) = { is_too_large, is_too_binary, is_too_foreign };
	size_t i;

	c->utf8 = (c->ext & EXT_SMTPUTF8) != 0 && wants_utf8(&c->mail);
	c->bdat = by_chunks(c);
	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i](c, o))
			return true;
	}
	return false;
}

/* ---- parameters ---- */

/* " NAME=value"; false, and nothing, where it was not said, or would not be
 * one word. */
static bool
add(char *params, const char *name, const char *value)
{
	char text[PARAMS_MAX];
	const char *p;
	int n;

	for (p = value == NULL ? "" : value; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	}
	if (p == value || value == NULL)
		return false;
	n = snprintf(text, sizeof text, " %s=%s", name, value);
	return n > 0 && (size_t)n < sizeof text &&
	    strlcat(params, text, PARAMS_MAX) < PARAMS_MAX;
}

/* RFC 6152, RFC 3030.  What is still 8-bit for who does not offer 8BITMIME
 * could not be converted, and goes as it is: every server of today takes it. */
static const char *
body_of(const struct client *c)
{
	if ((c->mail.content_facts & CONTENT_BINARY) != 0)
		return body_name(BODY_BINARYMIME);
	if ((c->ext & EXT_8BITMIME) != 0 &&
	    (c->mail.content_facts & CONTENT_8BIT) != 0)
		return body_name(BODY_8BITMIME);
	return "";
}

void
client_say_mail(struct client *c)
{
	char out[ADDR_MAX + 1], size[24], params[PARAMS_MAX] = "";
	const char *sender = client_address(c, c->mail.sender, out);

	snprintf(size, sizeof size, "%llu",
	    (unsigned long long)client_mail_size(&c->mail));
	if ((c->ext & EXT_SIZE) != 0 && add(params, "SIZE", size))
		c->mail_ext |= EXT_SIZE;
	if (add(params, "BODY", body_of(c)) &&
	    (c->mail.content_facts & CONTENT_BINARY) == 0)
		c->mail_ext |= EXT_8BITMIME;
	if (c->utf8) {
		strlcat(params, " SMTPUTF8", sizeof params);
		c->mail_ext |= EXT_SMTPUTF8;
	}
	if ((c->ext & EXT_DSN) != 0) {
		if (add(params, "RET", ret_name(c->mail.ret)))
			c->mail_ext |= EXT_DSN;
		if (add(params, "ENVID", c->mail.envid))
			c->mail_ext |= EXT_DSN;
	}
	io_printf(&c->io, "MAIL FROM:<%s>%s\r\n", sender, params);
	client_expect(c, SAID_MAIL, 0);
}

void
client_say_rcpt(struct client *c, unsigned int i)
{
	const struct client_rcpt *r = &c->mail.rcpt[i];
	char out[ADDR_MAX + 1], orcpt[ORCPT_MAX + 1], params[PARAMS_MAX] = "";
	char notify[NOTIFY_TEXT_MAX];
	const char *orcpt_of = NULL;
	const char *addr = client_address(c, r->addr, out);
	struct outcome o;

	if (addr == NULL) {
		/* Others of the message can be told: it is tried again without
		 * them, and then this is one that no host may have. */
		outcome_set(&o, LATER, WIDTH_RCPT, 0, "4.6.7",
		    "the address needs SMTPUTF8, which the server does not offer");
		outcome_of_us(&o, CAUSE_CONTENT, STAGE_RCPT);
		c->owner.rcpt(c->owner.arg, i, &o);
		return;
	}
	if ((c->ext & EXT_DSN) != 0) {
		if (add(params, "NOTIFY", notify_print(r->notify, notify)))
			c->rcpt_ext |= EXT_DSN;
		if (c->utf8 || r->orcpt == NULL)
			orcpt_of = r->orcpt;
		else if (orcpt_7bit(r->orcpt, orcpt))
			orcpt_of = orcpt;
		if (add(params, "ORCPT", orcpt_of))
			c->rcpt_ext |= EXT_DSN;
	}
	io_printf(&c->io, "RCPT TO:<%s>%s\r\n", addr, params);
	client_expect(c, SAID_RCPT, i);
}

/* ---- what it refuses of its own offers ---- */

/* RFC 5321 4.1.1.11: 555 is said of parameters, the others of them too.  An
 * enhanced code says if it is about something else. */
static bool
is_of_params(const struct client_reply *r)
{
	return (r->code == 555 || r->code == 501 || r->code == 504) &&
	    (r->ecode[0] == 0 || r->ecode[1] == 5);
}

/* All that the message can do without, and only then what it cannot. */
unsigned int
client_denies_mail(const struct client *c, const struct client_reply *r)
{
	unsigned int rest = c->mail_ext & ~(unsigned int)EXT_SMTPUTF8;

	if (!is_of_params(r) || c->in_server)
		return 0;
	return rest != 0 ? rest : c->mail_ext;
}

unsigned int
client_denies_rcpt(const struct client *c, const struct client_reply *r)
{
	return is_of_params(r) ? c->rcpt_ext : 0;
}
