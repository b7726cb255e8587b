/*
 * A job has its content signed, or sealed (job_seal.c) if it is a stranger's:
 * digested here, signed by keys.  Used by deliver; never holds a private key.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <string.h>
#include <time.h>

#include "job_seal.h"
#include "log.h"

/* RFC 6376 5.3: binary content, whose lines are none, may be turned into other
 * content on its way, and no signature would hold. */
bool
job_signs(const struct job *j)
{
	if (j->d->conf->dkim.n == 0)
		return false;
	if ((j->take.flags & ROUTE_ORIGIN) == 0)
		return job_seals(j);
	if ((j->take.content_facts & CONTENT_BINARY) == 0)
		return true;
	log_event(j->take.id, "unsigned", "why=%s", q("binary content"));
	return false;
}

void
job_sign_start(struct job *j)
{
	if ((j->take.flags & ROUTE_ORIGIN) == 0) {
		job_seal_start(j);
		return;
	}
	dkim_start(&j->dkim, j->d->conf, &j->d->keys, j->take.sender);
	j->signs = true;
}

void
job_sign_feed(struct job *j, const uint8_t *p, size_t len)
{
	if (j->seal != NULL)
		job_seal_feed(j, p, len);
	else if (j->signs && dkim_wants(&j->dkim))
		dkim_feed(&j->dkim, p, len);
}

void
job_sign_free(struct job *j)
{
	unsigned int i;

	job_seal_free(j);
	for (i = 0; i < DKIM_SIGS; i++)
		ipc_cancel(&j->sign[i].req);
	if (j->signs)
		dkim_free(&j->dkim);
	j->signs = false;
}

/* All signatures are there. */
static void
use_field(struct job *j)
{
	char *field = arena_alloc(&j->arena, SIG_MAX + 1);

	if (field == NULL || dkim_field(&j->dkim, field, SIG_MAX + 1) == 0) {
		job_end_later(j, "4.7.5", "the message could not be signed");
		return;
	}
	job_sign_free(j);
	j->signed_fn(j, field);
}

static void
on_signed(void *arg, struct ipc_msg *answer)
{
	struct job_sign *s = arg;
	struct job *j = s->job;
	const char *why;

	why = dkim_signed(&j->dkim, s->i, answer == NULL ? NULL : answer->body);
	if (why != NULL) {
		job_end_later(j, "4.7.5", why);
		return;
	}
	if (--j->n_signing == 0)
		use_field(j);
}

static void
ask_keys(struct job *j, int n)
{
	struct ipc_chan *keys = proc_chan(j->d->p, PROC_KEYS, 0);
	struct sign_ask ask;
	int i;

	if (keys == NULL) {
		job_end_later(j, "4.7.5", "nobody is there to sign it");
		return;
	}
	job_enter(j, JOB_SIGNING);
	j->n_signing = (unsigned int)n;
	for (i = 0; i < n; i++) {
		j->sign[i].job = j;
		j->sign[i].i = (unsigned int)i;
		memset(&ask, 0, sizeof ask);
		dkim_ask(&j->dkim, (unsigned int)i, &ask);
		sign_ask_ask(keys, &j->sign[i].req, &ask, on_signed,
		    &j->sign[i], JOB_SIGN_MS);
	}
}

void
job_sign(struct job *j, void (*fn)(struct job *j, const char *field))
{
	int n;

	if (j->seal != NULL) {
		job_seal(j, fn);
		return;
	}
	n = j->signs ? dkim_finish(&j->dkim, time(NULL)) : 0;
	j->signed_fn = fn;
	if (n == DKIM_LATER) {
		job_end_later(j, "4.7.5", j->dkim.why);
		return;
	}
	if (n > 0) {
		ask_keys(j, n);
		return;
	}
	job_sign_free(j);
	fn(j, "");
}
