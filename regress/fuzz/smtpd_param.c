/*
 * Parameters of MAIL and RCPT: what is taken is within its bounds, and what is
 * not offered is never taken.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "dsn_param.h"
#include "session_param.h"

static void
must_be_mail(const struct params *p, uint32_t offers)
{
	char plain[ENVID_MAX + 1];

	MUST(p->mail.body <= BODY_BINARYMIME && p->mail.ret <= RET_HDRS);
	MUST(xtext_decode(slice_of(p->mail.envid), plain, sizeof plain));
	if ((offers & OFFER_DSN) == 0)
		MUST(p->mail.envid[0] == '\0' && p->mail.ret == RET_UNSAID);
}

static void
must_be_rcpt(const struct params *p, uint32_t offers, bool smtputf8)
{
	char type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1];
	struct slice orcpt = slice_of(p->rcpt.orcpt);
	uint8_t notify = p->rcpt.notify;

	MUST((notify & NOTIFY_NEVER) == 0 || notify == NOTIFY_NEVER);
	MUST(notify < 16);
	MUST(slice_is_utf8(orcpt) && (smtputf8 || slice_is_ascii(orcpt)));
	MUST(orcpt.len == 0 || orcpt_decode(p->rcpt.orcpt, type, addr));
	if ((offers & OFFER_DSN) == 0)
		MUST(orcpt.len == 0 && notify == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	uint8_t how = fuzz_byte(&all);
	char *copy = fuzz_copy(all.p, all.len);
	struct params p;
	const char *why;
	enum reply r;

	all.p = copy;
	r = params_of_mail(all, how & 3, &p, &why);
	MUST((r == REPLY_BAD_VALUE || r == REPLY_NEED_ARGUMENT) ==
	    (why != NULL));
	if (r == REPLY_NONE)
		must_be_mail(&p, how & 3);
	r = params_of_rcpt(all, how & 3, (how & 4) != 0, &p, &why);
	if (r == REPLY_NONE)
		must_be_rcpt(&p, how & 3, (how & 4) != 0);
	free(copy);
	return 0;
}
