/*
 * sendmail(8) -bv: says of each address whether mail for it would be taken
 * now.  Runs in sendmail, as whoever calls it.  Sends nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <sysexits.h>

#include "sendmail.h"

/* Refusals in one session: not so many that the daemon takes it for
 * guessing. */
#define REFUSED_MAX 10

/* Columns: reply, word. */
static const char *const words[] = {
	[2] = "deliverable",
	[4] = "put off",
	[5] = "refused",
};

static void
print(const struct sendmail *sm, const struct rcpt *r, int reply)
{
	printf("%s... %s%s%s\n", r->address, words[reply],
	    reply == 2 ? "" : ": ", reply == 2 ? "" : sm->talk.reply);
}

/* In one session from *at on.  False: the connection is lost. */
static bool
verify(struct sendmail *sm, struct rcpt **at, bool seen[6])
{
	struct talk *t = &sm->talk;
	unsigned int refused = 0;
	int reply;

	if ((reply = talk_say(t, "MAIL FROM:<%s>%s", sm->sender,
		 sm->utf8 && t->utf8 ? " SMTPUTF8" : "")) == 0)
		return false;
	if (reply != 2)
		sendmail_die(sm, talk_status(t), "sender: %s", t->reply);
	while (*at != NULL && refused < REFUSED_MAX) {
		reply = talk_say(t, "RCPT TO:<%s>", (*at)->address);
		if (reply == 0)
			return false;
		if (reply == 3)
			sendmail_die(sm, EX_PROTOCOL, "%s", t->reply);
		print(sm, *at, reply);
		seen[reply] = true;
		refused += reply != 2;
		*at = STAILQ_NEXT(*at, entry);
	}
	(void)talk_say(t, "RSET");
	talk_close(t);
	return true;
}

int
sendmail_verify(struct sendmail *sm)
{
	struct rcpt *at = STAILQ_FIRST(&sm->rcpts);
	struct talk *t = &sm->talk;
	bool seen[6] = { false };

	while (at != NULL) {
		if (!talk_open(t) || (!verify(sm, &at, seen) && !talk_pause(t)))
			sendmail_die(sm, t->status, "%s", t->why);
	}
	if (seen[5])
		return EX_NOUSER;
	return seen[4] ? EX_TEMPFAIL : EX_OK;
}
