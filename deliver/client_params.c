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

const char *
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
	return true;
}

static bool
is_too_foreign(const struct client *c, struct outcome *o)
{
	const struct client_mail *m = &c->mail;
	char out[ADDR_MAX + 1];
	bool header = (m->facts & FACT_SMTPUTF8) != 0 &&
	    (m->content_facts & CONTENT_UTF8) != 0;

	if (c->utf8 || (!header && client_address(c, m->sender, out) != NULL))
		return false;
	/* RFC 6531 3.5 */
	outcome_set(o, NEVER, WIDTH_MESSAGE, 550, "5.6.7",
	    "%s needs SMTPUTF8, which the server does not offer",
	    header ? "the header" : "the sender's address");
	return true;
}

bool
client_refuses(struct client *c, struct outcome *o)
{
	static bool (*const reasons[])(const struct client *,
	    struct outcome *) = { is_too_large, is_too_binary, is_too_foreign };
	size_t i;

	c->utf8 = (c->ext & EXT_SMTPUTF8) != 0 && wants_utf8(&c->mail);
	c->bdat = (c->mail.content_facts & CONTENT_BINARY) != 0;
	for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i](c, o))
			return true;
	}
	return false;
}

/* ---- parameters ---- */

/* " NAME=value"; nothing where it was not said, or would not be one word. */
static void
add(char *params, const char *name, const char *value)
{
	char text[PARAMS_MAX];
	const char *p;
	int n;

	for (p = value == NULL ? "" : value; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return;
	}
	if (p == value || value == NULL)
		return;
	n = snprintf(text, sizeof text, " %s=%s", name, value);
	if (n > 0 && (size_t)n < sizeof text)
		strlcat(params, text, PARAMS_MAX);
}

/* RFC 6152, RFC 3030.  8-bit content goes as it is to who does not offer
 * 8BITMIME too: every server of today takes it, and there is no conversion. */
static const char *
body_of(const struct client *c)
{
	if (c->bdat)
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
	add(params, "SIZE", (c->ext & EXT_SIZE) != 0 ? size : NULL);
	add(params, "BODY", body_of(c));
	if (c->utf8)
		strlcat(params, " SMTPUTF8", sizeof params);
	if ((c->ext & EXT_DSN) != 0) {
		add(params, "RET", ret_name(c->mail.ret));
		add(params, "ENVID", c->mail.envid);
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
	const char *addr = client_address(c, r->addr, out);
	struct outcome o;

	if (addr == NULL) {
		outcome_set(&o, NEVER, WIDTH_RCPT, 553, "5.6.7",
		    "the address needs SMTPUTF8, which the server does not offer");
		c->owner.rcpt(c->owner.arg, i, &o);
		return;
	}
	if ((c->ext & EXT_DSN) != 0) {
		add(params, "NOTIFY", notify_print(r->notify, notify));
		if (c->utf8 || r->orcpt == NULL)
			add(params, "ORCPT", r->orcpt);
		else if (orcpt_7bit(r->orcpt, orcpt))
			add(params, "ORCPT", orcpt);
	}
	io_printf(&c->io, "RCPT TO:<%s>%s\r\n", addr, params);
	client_expect(c, SAID_RCPT, i);
}
