/*
 * Before a message goes out it is read once: its sum must be what the session
 * wrote, and the DKIM signature needs its digest.  A large one is read in
 * pieces, so that others have their turn.  Used by deliver.  Never holds a
 * private key.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

void
job_prepare_free(struct job *j)
{
	unsigned int i;

	timer_clear(&j->soon);
	XXH3_freeState(j->sum);
	j->sum = NULL;
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
	j->field = field;
	j->signed_now = true;
	job_prepare_free(j);
	job_prepared(j);
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
sign(struct job *j, int n)
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

/* Queue sets the file aside; no recipient was tried. */
static void
damaged(struct job *j, const char *why)
{
	struct outcome none;

	log_warn("damaged", "id=%llx why=%s", (unsigned long long)j->take.id,
	    why);
	outcome_set(&none, LATER, WIDTH_MESSAGE, 0, "4.3.0",
	    "the message is damaged");
	job_end(j, NULL, &none, JOB_DAMAGED);
}

/* The whole message was read. */
static void
read_all(struct job *j)
{
	int n = 0;

	if (XXH3_64bits_digest(j->sum) != j->take.sum) {
		damaged(j, "checksum");
		return;
	}
	if (j->signs)
		n = dkim_finish(&j->dkim, time(NULL));
	if (n == DKIM_LATER) {
		job_end_later(j, "4.7.5", j->dkim.why);
		return;
	}
	if (n > 0) {
		sign(j, n);
		return;
	}
	job_prepare_free(j);
	job_prepared(j);
}

/* The next piece: content first, then the trace fields, as they were summed.
 * 1; 0: the file ends before it should; -1: it cannot be read. */
static int
read_piece(struct job *j)
{
	const struct job_take *t = &j->take;
	bool content = j->done < t->content_len;
	uint64_t off = content ? t->content_off + j->done :
				 t->trace_off + (j->done - t->content_len);
	uint64_t left = content ? t->content_len - j->done :
				  t->content_len + t->trace_len - j->done;
	uint8_t piece[JOB_PIECE];
	ssize_t n;

	n = pread(j->fd, piece, left < sizeof piece ? left : sizeof piece,
	    (off_t)off);
	if (n <= 0)
		return (int)n;
	XXH3_64bits_update(j->sum, piece, (size_t)n);
	if (content && j->signs && dkim_wants(&j->dkim))
		dkim_feed(&j->dkim, piece, (size_t)n);
	j->done += (uint64_t)n;
	return 1;
}

static void
on_turn(void *arg)
{
	struct job *j = arg;
	uint64_t all = j->take.content_len + j->take.trace_len;
	uint64_t start = j->done;
	int got;

	while (j->done < all) {
		if (j->done - start >= JOB_TURN) {
			timer_set(j->d->p->loop, &j->soon, 0, on_turn, j);
			return;
		}
		if ((got = read_piece(j)) == 1)
			continue;
		if (got == 0)
			damaged(j, "cut off");
		else
			job_end_later(j, "4.3.0",
			    "the message cannot be read here");
		return;
	}
	read_all(j);
}

/* One that was signed in an earlier attempt stays as it was.  RFC 6376 5.3:
 * binary content, whose lines are none, may be turned into other content on
 * its way, and no signature would hold. */
static bool
is_signed_here(const struct job *j)
{
	if ((j->take.flags & ROUTE_ORIGIN) == 0 || j->field[0] != '\0' ||
	    j->d->conf->dkim.n == 0)
		return false;
	if ((j->take.content_facts & CONTENT_BINARY) == 0)
		return true;
	log_event(j->take.id, "unsigned", "why=%s", q("binary content"));
	return false;
}

void
job_prepare(struct job *j)
{
	job_enter(j, JOB_PREPARING);
	if ((j->sum = XXH3_createState()) == NULL)
		fatal("no memory for a checksum");
	XXH3_64bits_reset(j->sum);
	j->done = 0;
	if (is_signed_here(j)) {
		dkim_start(&j->dkim, j->d->conf, &j->d->keys, j->take.sender);
		j->signs = true;
	}
	on_turn(j);
}
