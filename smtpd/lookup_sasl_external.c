/*
 * EXTERNAL (RFC 4422 appendix A): the client is who its certificate names, or
 * the user at the other end of the local socket.  Runs in lookup; the system's
 * user is asked for in a thread.
 *
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "lookup_auth_parts.h"
#include "lookup_sasl.h"

#define ENTRY_MAX 16384 /* bytes of a user's entry */

static void
run_uid(struct auth *a)
{
	char mem[ENTRY_MAX];
	struct passwd pw, *found = NULL;
	int rc = getpwuid_r(a->ask.facts.uid, &pw, mem, sizeof mem, &found);

	a->verdict = LATER;
	if (found != NULL &&
	    slice_copy(slice_of(pw.pw_name), a->name, sizeof a->name))
		a->verdict = DONE;
	else if (rc == 0 || rc == ENOENT || rc == ESRCH)
		a->verdict = NEVER;
}

/* The client may name the user that it wants to be: that one, or nobody. */
static void
answer(struct auth *a)
{
	struct slice wanted = auth_message(a);

	if (a->verdict == LATER)
		auth_later(a);
	else if (a->verdict == DONE && a->name[0] != '\0' &&
	    (wanted.len == 0 || slice_eq(wanted, slice_of(a->name))))
		auth_passed(a, a->name);
	else
		auth_failed(a, a->name);
}

void
sasl_external(struct auth *a)
{
	if ((a->ask.facts.flags & FACT_SOCKET) != 0) {
		auth_work(a, run_uid, answer);
		return;
	}
	a->verdict = DONE;
	memcpy(a->name, a->ask.cert, sizeof a->name);
	if (sasl_name_check(slice_of(a->name)) != NULL)
		a->verdict = NEVER;
	answer(a);
}
