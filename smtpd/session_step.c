/*
 * What is asked before a client is greeted or a command answered, in order.
 * Reading the lists is reading what a session goes through.  Runs in session;
 * a step never blocks.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_step.h"

#include "session_auth.h"
#include "session_filter.h"
#include "session_guard.h"
#include "session_tls.h"
#include "session_verify.h"

/* ---- names, where somebody needs them ---- */

static bool
names_wanted(const struct session *s)
{
	const uint8_t *wants = s->server->wants_names;
	const struct conf *c = session_conf(s);

	return wants != NULL && wants[s->listen - CONF_LISTEN(c, 0)] != 0;
}

/* A filter may ask for them as soon as it is asked. */
static enum step
step_names_filter(struct session *s)
{
	return s->listen->filter.n > 0 && names_wanted(s) ? step_names(s) :
							    STEP_ON;
}

static enum step
step_names_mail(struct session *s)
{
	return names_wanted(s) ? step_names(s) : STEP_ON;
}

/* ---- the lists ---- */

session_step *const steps_connect[] = {
	step_peer,
	step_proxy,
	step_proxied,
	step_client,
	step_tls,
	step_names_filter,
	step_filter_connect,
	step_greet_delay,
	step_greeting,
	NULL,
};

/* Another client from here on, who is asked about as the first one was. */
session_step *const steps_xclient[] = {
	step_peer,
	step_client,
	step_names_filter,
	step_filter_connect,
	step_greeting,
	step_xclient,
	NULL,
};

session_step *const steps_helo[] = {
	step_filter_helo,
	step_hello,
	NULL,
};

session_step *const steps_ehlo[] = {
	step_filter_ehlo,
	step_hello,
	NULL,
};

session_step *const steps_mail[] = {
	step_names_mail,
	step_may_mail,
	step_verify_mail,
	step_filter_mail,
	step_sender,
	step_verify_spf,
	step_sender_ok,
	NULL,
};

session_step *const steps_rcpt[] = {
	step_may_rcpt,
	step_lists,
	step_filter_rcpt,
	step_judge,
	step_grey,
	step_rcpt_taken,
	NULL,
};

/* Also before the first chunk of BDAT. */
session_step *const steps_data[] = {
	step_filter_data,
	step_want_file,
	NULL,
};

session_step *const steps_commit[] = {
	step_filter_commit,
	step_verify_known,
	step_verify_signatures,
	step_verify_policy,
	step_dispose,
	step_written,
	step_finish,
	NULL,
};

/* ---- the walk ---- */

/* States that a step waits in. */
static bool
is_waiting(const struct session *s)
{
	return s->state == ST_STEP || s->state == ST_PROXY ||
	    s->state == ST_SILENT || s->state == ST_HANDSHAKE;
}

void
session_walk(struct session *s)
{
	enum session_state before;
	session_step *step;

	while (s->step != NULL && *s->step != NULL) {
		step = *s->step++;
		before = s->state;
		switch (step(s)) {
		case STEP_ON:
			continue;
		case STEP_WAIT:
			/* Unless it waits in a state of its own. */
			if (s->state == before && s->state != ST_STEP)
				session_enter(s, ST_STEP);
			return;
		case STEP_STOP:
			session_stop_steps(s);
			return;
		}
	}
	session_stop_steps(s);
}

void
session_steps(struct session *s, session_step *const *steps)
{
	s->home = s->state;
	s->step = steps;
	session_walk(s);
}

void
session_stop_steps(struct session *s)
{
	s->step = NULL;
	/* The last step may have gone on to a state of its own. */
	if (is_waiting(s))
		session_enter(s, s->home);
	/* An exchange that waits for no line is over. */
	if (s->state != ST_AUTH)
		session_auth_free(s);
	/* Of a MAIL that was refused nothing is left. */
	if (s->state == ST_READY && !tx_is_open(s))
		tx_reset(s);
	/* Whom nobody has greeted gets no second word. */
	if (!s->greeted && s->state != ST_END)
		session_enter(s, ST_BYE);
}

void
session_go_on(struct session *s)
{
	session_walk(s);
	session_run(s);
}
