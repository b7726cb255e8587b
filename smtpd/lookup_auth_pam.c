/*
 * One password at a time to a helper that spawn started, one byte back.  Runs
 * in lookup, which has no right to read what PAM reads; keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_auth_pam.h"

#include <string.h>

#include "log.h"

#define IN_MAX  16
#define OUT_MAX 16384

static void
on_told(void *arg)
{
	struct pam_check *c = arg;

	c->fn(c->arg, NEVER);
}

/* The helper is done, and another may have its place. */
static void
answer(struct pam_check *c, enum verdict v)
{
	struct loop *l = c->pams->loop;
	msec took = loop_msec() - c->began;

	pam_cancel(c);
	if (v == NEVER)
		timer_set(l, &c->told, PAM_STEP_MSEC - took % PAM_STEP_MSEC,
		    on_told, c);
	else
		c->fn(c->arg, v);
}

/* Columns: the helper's byte, what it means. */
static enum verdict
verdict_of(uint8_t byte)
{
	if (byte == '0')
		return DONE;
	return byte == '1' ? NEVER : LATER;
}

static void
on_io(struct io *io, enum io_event e, void *arg)
{
	struct pam_check *c = arg;

	switch (e) {
	case IO_READY:
	case IO_LOW:
		break;
	case IO_INPUT:
		answer(c, verdict_of(*buf_data(&io->in)));
		break;
	case IO_EOF:
	case IO_TIMEOUT:
	case IO_ERROR:
		log_warn("pam-failed", "error=%s",
		    e == IO_TIMEOUT ? "late" :
				      "\"it ended without an answer\"");
		answer(c, LATER);
		break;
	}
}

static void
on_started(void *arg, struct ipc_msg *msg)
{
	struct pam_check *c = arg;
	const struct pam_is *is = msg == NULL ? NULL : msg->body;

	if (is == NULL || is->outcome.verdict != DONE || msg->fd == -1) {
		log_warn("pam-failed", "error=%s",
		    q(is == NULL ? "no answer" : is->outcome.text));
		answer(c, LATER);
		return;
	}
	io_open(&c->io, c->pams->loop, msg->fd, IN_MAX, OUT_MAX, on_io, c);
	msg->fd = -1;
	c->io.out.wipe = true;
	io_deadline(&c->io, PAM_MSEC);
	if (!io_write(&c->io, c->user, strlen(c->user) + 1) ||
	    !io_write(&c->io, c->password, strlen(c->password) + 1))
		answer(c, NEVER); /* longer than any there is */
}

bool
pam_check(struct pams *ps, struct pam_check *c, const char *user,
    const char *password, pam_fn *fn, void *arg)
{
	struct pam_ask ask = { 0 };

	if (ps->spawn == NULL || ps->n >= PAM_MAX)
		return false;
	ps->n++;
	c->pams = ps;
	c->user = user;
	c->password = password;
	c->fn = fn;
	c->arg = arg;
	c->began = loop_msec();
	pam_ask_ask(ps->spawn, &c->req, &ask, on_started, c, PAM_MSEC);
	return true;
}

void
pam_cancel(struct pam_check *c)
{
	timer_clear(&c->told);
	if (c->pams == NULL)
		return;
	c->pams->n--;
	c->pams = NULL;
	ipc_cancel(&c->req);
	io_close(&c->io);
}
