/*
 * The fields in front of a message that say what was found about it: those of
 * RFC 8601 and RFC 7208 9.1, and ours.  Runs in session.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "session_verify.h"

const char *
session_authserv(const struct session *s)
{
	const struct conf *c = session_conf(s);

	return conf_text(c, c->admd != 0 ? c->admd : c->hostname);
}

/* What is done, and why not what the author's domain asks for. */
static const char *
applied(const struct session_verify *sv, char *out, size_t size)
{
	static const char *const acts[] = {
#define X(name, word) [DMARC_ACT_##name] = (word),
		CONF_DMARC_ACTS(X)
#undef X
	};
	static const char *const whys[] = { [OVERRIDE_NONE] = "",
		[OVERRIDE_EXCEPT] = " (except)",
		[OVERRIDE_ARC] = " (arc)",
		[OVERRIDE_LOCAL] = "" };

	out[0] = '\0';
	if (sv->v->dmarc.disposition > DMARC_P_NONE &&
	    sv->applied < sizeof acts / sizeof acts[0])
		(void)snprintf(out, size, "%s%s", acts[sv->applied],
		    sv->override < sizeof whys / sizeof whys[0] ?
			whys[sv->override] :
			"");
	return out;
}

/* `mark`: for filters of mailboxes, which read no longer fields. */
static void
print_mark(const struct session_verify *sv, struct buf *out)
{
	const struct verify *v = sv->v;

	if (v->author_is != AUTHOR_ONE)
		buf_printf(out, "X-DMARC: %s policy=none domain=none\r\n",
		    auth_result_word(v->dmarc.result));
	else
		buf_printf(out, "X-DMARC: %s policy=%s domain=%s\r\n",
		    auth_result_word(v->dmarc.result),
		    dmarc_policy_word(v->dmarc.policy), v->author);
}

void
session_verify_print(const struct session *s, struct buf *out)
{
	const struct session_verify *sv = s->tx.verify;
	struct auth_say say = { 0 };
	char done[32];

	if (sv == NULL)
		return;
	verify_say(sv->v, &say);
	say.authserv = session_authserv(s);
	say.client = s->facts.client;
	say.helo_name = s->facts.helo;
	say.sender = sv->sender;
	say.applied = applied(sv, done, sizeof done);
	(void)auth_field_print(out, &say);
	if (session_conf(s)->spf_received)
		(void)auth_field_spf(out, &say);
	if ((s->tx.disposed & DISPOSE_MARK) != 0)
		print_mark(sv, out);
}
