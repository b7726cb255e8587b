/*
 * PLAIN (RFC 4616): a name and a password, held against a table's secret or
 * given to PAM.  LOGIN comes in the same form.  Runs in lookup, the check in
 * one of its threads or in a helper of spawn's.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "lookup_auth_parts.h"
#include "lookup_sasl.h"

const char *
sasl_name_check(struct slice name)
{
	size_t i;

	if (name.len == 0)
		return "no name";
	if (name.len > ADDR_MAX)
		return "a name that is too long";
	for (i = 0; i < name.len; i++) {
		if ((uint8_t)name.p[i] < ' ' || name.p[i] == 127)
			return "a control character in a name";
	}
	return slice_is_utf8(name) ? NULL : "a name that is not UTF-8";
}

/* Takes the text before the first NUL off the front of s, and the NUL. */
static bool
take(struct slice *s, struct slice *out)
{
	const char *nul = s->len == 0 ? NULL : memchr(s->p, '\0', s->len);

	if (nul == NULL)
		return false;
	*out = (struct slice){ s->p, (size_t)(nul - s->p) };
	s->p += out->len + 1;
	s->len -= out->len + 1;
	return true;
}

/* [authzid] NUL authcid NUL passwd */
const char *
sasl_plain_parse(struct slice message, struct sasl_plain *out)
{
	struct slice rest = message;
	const char *why;

	memset(out, 0, sizeof *out);
	if (!take(&rest, &out->authzid) || !take(&rest, &out->authcid))
		return "not two NULs";
	out->password = rest;
	if (rest.len > 0 && memchr(rest.p, '\0', rest.len) != NULL)
		return "more than two NULs";
	if (out->authzid.len > 0 &&
	    (why = sasl_name_check(out->authzid)) != NULL)
		return why;
	if ((why = sasl_name_check(out->authcid)) != NULL)
		return why;
	if (rest.len == 0)
		return "no password";
	if (rest.len >= SCRAM_PASS_MAX)
		return "a password that is too long";
	return slice_is_utf8(rest) ? NULL : "a password that is not UTF-8";
}

/* ---- the check ---- */

static void
run_check(struct auth *a)
{
	a->verdict = secret_check(a->secret, a->password);
}

/* Who is not known has had as much work done as who is. */
static void
answer(struct auth *a)
{
	if (a->known && a->verdict == LATER)
		auth_later(a);
	else if (a->known && a->verdict == DONE)
		auth_passed(a, a->name);
	else
		auth_failed(a, a->name);
}

static void
found(struct auth *a, const char *secret)
{
	(void)secret; /* a->secret, or that of another */
	auth_work(a, run_check, answer);
}

static void
on_pam(void *arg, enum verdict v)
{
	struct auth *a = arg;

	a->known = true;
	a->verdict = v;
	answer(a);
}

void
sasl_plain(struct auth *a)
{
	struct sasl_plain said;

	if (sasl_plain_parse(auth_message(a), &said) != NULL) {
		auth_failed(a, "");
		return;
	}
	(void)slice_copy(said.authcid, a->name, sizeof a->name);
	/* RFC 4616 2: to act as another is nobody's right here. */
	if (said.authzid.len > 0 && !slice_eq(said.authzid, said.authcid)) {
		auth_failed(a, a->name);
		return;
	}
	/* The message has a NUL behind it. */
	a->password = said.password.p;
	if (auth_has_table(a))
		auth_credentials(a, a->name, found);
	else if (!pam_check(&a->all->pams, &a->pam, a->name, a->password,
		     on_pam, a))
		auth_later(a);
}
