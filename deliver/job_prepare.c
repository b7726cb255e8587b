/*
 * Before a message goes out it is read once: its sum must be what the session
 * wrote, and the DKIM signature needs its digest.  A large one is read in
 * pieces, so that others have their turn.  Used by deliver.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <unistd.h>

#include "log.h"

void
job_prepare_free(struct job *j)
{
	timer_clear(&j->soon);
	XXH3_freeState(j->sum);
	j->sum = NULL;
	job_sign_free(j);
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

static void
on_signed(struct job *j, const char *field)
{
	if (field[0] != '\0') {
		j->field = field;
		j->signed_now = true;
	}
	job_prepare_free(j);
	job_prepared(j);
}

/* The whole message was read. */
static void
read_all(struct job *j)
{
	if (XXH3_64bits_digest(j->sum) != j->take.sum)
		damaged(j, "checksum");
	else
		job_sign(j, on_signed);
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
	if (content)
		job_sign_feed(j, piece, (size_t)n);
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

void
job_prepare(struct job *j)
{
	job_enter(j, JOB_PREPARING);
	if ((j->sum = XXH3_createState()) == NULL)
		fatal("no memory for a checksum");
	XXH3_64bits_reset(j->sum);
	j->done = 0;
	/* One that was signed in an earlier attempt stays as it was. */
	if (j->field[0] == '\0' && job_signs(j))
		job_sign_start(j);
	on_turn(j);
}
