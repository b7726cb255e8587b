/*
 * Parameters of MAIL and RCPT, each checked as its RFC says.  Runs in session;
 * knows no session, allocates nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_param.h"

#include <string.h>

#include "dsn_param.h"
#include "num.h"
#include "smtp_addr.h"

/* What the values are read into, and by which rules. */
struct reading {
	struct params *out;
	bool smtputf8;
};

/* NULL, or what is wrong with the value. */
typedef const char *param_fn(struct reading *r, struct slice value);

struct param {
	struct slice name;
	param_fn *fn;
	bool bare;      /* it has no value */
	uint32_t offer; /* OFFER_* that it needs, 0: none */
};

/* ---- of MAIL ---- */

/* RFC 1870 6.1: 1 to 20 digits. */
static const char *
param_size(struct reading *r, struct slice value)
{
	char text[21];

	if (value.len == 0 || !slice_copy(value, text, sizeof text) ||
	    num_parse(text, 0, UINT64_MAX, &r->out->size) != NULL)
		return "SIZE is a number of bytes";
	return NULL;
}

static const char *
param_body(struct reading *r, struct slice value)
{
	return body_parse(value, &r->out->mail.body);
}

static const char *
param_smtputf8(struct reading *r, struct slice value)
{
	(void)value;
	r->out->smtputf8 = true;
	return NULL;
}

static const char *
param_ret(struct reading *r, struct slice value)
{
	return ret_parse(value, &r->out->mail.ret);
}

static const char *
param_envid(struct reading *r, struct slice value)
{
	char plain[ENVID_MAX + 1];

	if (value.len == 0 ||
	    !slice_copy(value, r->out->mail.envid, sizeof r->out->mail.envid))
		return "ENVID has 1 to 100 characters";
	return xtext_decode(value, plain, sizeof plain) ?
	    NULL :
	    "ENVID is xtext (RFC 3461 4)";
}

/* RFC 4954 5: who is said to have submitted it.  Nobody we know vouches for
 * that, so it is "<>" from here on, as section 5 wants. */
static const char *
param_auth(struct reading *r, struct slice value)
{
	char who[ADDR_MAX + 1];

	(void)r;
	if (slice_eq(value, SLICE("<>")))
		return NULL;
	if (!xtext_decode(value, who, sizeof who) ||
	    smtp_mailbox_check_utf8(slice_of(who)) != NULL)
		return "AUTH is <> or an address in xtext (RFC 4954 5)";
	return NULL;
}

/* ---- of RCPT ---- */

static const char *
param_notify(struct reading *r, struct slice value)
{
	return notify_parse(value, &r->out->rcpt.notify);
}

/* RFC 3461 4.2; RFC 6533 3: with SMTPUTF8 it may hold UTF-8 as it is. */
static const char *
param_orcpt(struct reading *r, struct slice value)
{
	char type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1];

	if (!slice_copy(value, r->out->rcpt.orcpt, sizeof r->out->rcpt.orcpt))
		return "ORCPT has at most 500 characters";
	if (!slice_is_ascii(value) && !r->smtputf8)
		return "ORCPT is not ASCII, and nobody said SMTPUTF8";
	if (!slice_is_utf8(value) ||
	    !orcpt_decode(r->out->rcpt.orcpt, type, addr) || addr[0] == '\0')
		return "ORCPT is type;xtext (RFC 3461 4.2, RFC 6533 3)";
	return NULL;
}

/* ---- the tables ---- */

/* clang-format off */
#define NAME(text) { text, sizeof text - 1 }

/* Columns: keyword, what reads its value, it has none, the offer it needs. */
static const struct param of_mail[] = {
	{ NAME("SIZE"),     param_size,     false, 0 },
	{ NAME("BODY"),     param_body,     false, 0 },
	{ NAME("SMTPUTF8"), param_smtputf8, true,  0 },
	{ NAME("RET"),      param_ret,      false, OFFER_DSN },
	{ NAME("ENVID"),    param_envid,    false, OFFER_DSN },
	{ NAME("AUTH"),     param_auth,     false, OFFER_AUTH },
};

static const struct param of_rcpt[] = {
	{ NAME("NOTIFY"), param_notify, false, OFFER_DSN },
	{ NAME("ORCPT"),  param_orcpt,  false, OFFER_DSN },
};
/* clang-format on */

/* Takes the text before the first stop off the front of s, and the stop. */
static struct slice
take_until(struct slice *s, char stop)
{
	const char *at = s->len == 0 ? NULL : memchr(s->p, stop, s->len);
	struct slice word = { s->p, at == NULL ? s->len : (size_t)(at - s->p) };

	s->p += word.len + (at == NULL ? 0 : 1);
	s->len -= word.len + (at == NULL ? 0 : 1);
	return word;
}

/* One "KEYWORD=value". */
static enum reply
take_param(struct reading *r, const struct param *table, size_t n,
    uint32_t offers, struct slice word, uint32_t *seen, const char **why)
{
	bool bare = memchr(word.p, '=', word.len) == NULL;
	struct slice name = take_until(&word, '=');
	size_t i;

	for (i = 0; i < n && !slice_eqcase(table[i].name, name); i++)
		;
	if (i == n || (table[i].offer & ~offers) != 0)
		return REPLY_NO_PARAM;
	if ((*seen & (uint32_t)1 << i) != 0)
		*why = "given twice";
	else if (table[i].bare != bare)
		*why = bare ? "without its value" : "SMTPUTF8 has no value";
	else
		*why = table[i].fn(r, word);
	*seen |= (uint32_t)1 << i;
	return *why == NULL ? REPLY_NONE : REPLY_BAD_VALUE;
}

static enum reply
take_params(struct reading *r, const struct param *table, size_t n,
    uint32_t offers, struct slice rest, const char **why)
{
	enum reply reply = REPLY_NONE;
	uint32_t seen = 0;
	struct slice word;

	*r->out = (struct params){ 0 };
	*why = NULL;
	if (rest.len > 0 && rest.p[0] != ' ') {
		*why = "A blank must stand between address and parameters";
		return REPLY_NEED_ARGUMENT;
	}
	while (rest.len > 0 && reply == REPLY_NONE) {
		word = take_until(&rest, ' ');
		if (word.len > 0)
			reply =
			    take_param(r, table, n, offers, word, &seen, why);
	}
	return reply;
}

enum reply
params_of_mail(struct slice in, uint32_t offers, struct params *out,
    const char **why)
{
	struct reading r = { .out = out };

	return take_params(&r, of_mail, sizeof of_mail / sizeof of_mail[0],
	    offers, in, why);
}

enum reply
params_of_rcpt(struct slice in, uint32_t offers, bool smtputf8,
    struct params *out, const char **why)
{
	struct reading r = { .out = out, .smtputf8 = smtputf8 };

	return take_params(&r, of_rcpt, sizeof of_rcpt / sizeof of_rcpt[0],
	    offers, in, why);
}
