/*
 * A job whose next server does not offer 8BITMIME: its content is made 7-bit
 * (mime_7bit.h), read once for its length and its signature, and once more to
 * be sent.  Used by deliver.  Keeps no content, and writes none anywhere.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job_7bit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job.h"
#include "log.h"

/* ---- what 8-bit text is that says nothing of it ---- */

/* Whether all of it is UTF-8 (RFC 3629); the characters may be in pieces. */
static void
look_utf8(struct job_7bit *s, const uint8_t *p, size_t len)
{
	struct slice tail = { s->tail, 0 };
	int step;
	size_t i;

	for (i = 0; i < len && s->utf8; i++) {
		if (s->n_tail == 0 && p[i] < 0x80)
			continue;
		s->tail[s->n_tail++] = (char)p[i];
		tail.len = s->n_tail;
		step = slice_utf8_step(tail);
		s->utf8 = step != 0;
		if (step > 0)
			s->n_tail = 0;
	}
}

/* RFC 1428: what nobody knows has a name. */
static const char *
charset_of(const struct job_7bit *s)
{
	return s->foreign ? "unknown-8bit" : "utf-8";
}

/* ---- the first time: length and signature ---- */

static void begin(struct job *j);

static void
on_made(void *arg, const uint8_t *p, size_t len)
{
	struct job *j = arg;

	j->seven->len += len;
	job_sign_feed(j, p, len);
}

static void
on_signed(struct job *j, const char *field)
{
	struct job_7bit *s = j->seven;

	s->field = field;
	s->ready = true;
	job_enter(j, JOB_TALKING);
	s->fn(j);
}

/* Another host may take it as it is. */
static void
refused(struct job *j, const char *why)
{
	struct outcome o;

	j->seven->why = why;
	/* RFC 3463 3.7: X.6.3, conversion required but not supported. */
	outcome_set(&o, NEVER, WIDTH_STREAM, 554, "5.6.3",
	    "the server does not take 8-bit content, which cannot be made 7-bit: %s",
	    why);
	outcome_of_us(&o, CAUSE_CONTENT, STAGE_CONTENT);
	job_unfit(j, &o);
}

/* All of it was read: as it should be, or once more in another way. */
static void
end_round(struct job *j)
{
	struct job_7bit *s = j->seven;
	const char *why = mime_7bit_end(&s->mime);
	bool again = s->mime.mislabelled;

	mime_7bit_free(&s->mime);
	s->open = false;
	/* One that broke off may have done so within a character. */
	s->foreign = s->foreign || !s->utf8 || (why == NULL && s->n_tail > 0);
	if (!again && why == NULL &&
	    s->foreign == (strcmp(s->charset, "utf-8") != 0)) {
		job_sign(j, on_signed);
		return;
	}
	if (!again && why != NULL) {
		refused(j, why);
		return;
	}
	s->all = s->all || again;
	begin(j);
}

/* The next piece of the file, for whoever converts.  0: that was all; -1: it
 * cannot be read. */
static ssize_t
read_content(const struct job *j, uint64_t at, uint8_t piece[JOB_PIECE])
{
	const struct job_take *t = &j->take;
	uint64_t left = t->content_len - at;
	ssize_t n;

	if (left == 0)
		return 0;
	n = pread(j->fd, piece, left < JOB_PIECE ? left : JOB_PIECE,
	    (off_t)(t->content_off + at));
	return n > 0 ? n : -1;
}

static void
on_turn(void *arg)
{
	struct job *j = arg;
	struct job_7bit *s = j->seven;
	uint64_t start = s->done;
	uint8_t piece[JOB_PIECE];
	ssize_t n;

	while ((n = read_content(j, s->done, piece)) > 0) {
		look_utf8(s, piece, (size_t)n);
		s->done += (uint64_t)n;
		if (mime_7bit_feed(&s->mime, piece, (size_t)n) != NULL)
			break;
		if (s->done - start >= JOB_TURN) {
			timer_set(j->d->p->loop, &s->soon, 0, on_turn, j);
			return;
		}
	}
	if (n < 0)
		job_end_later(j, "4.3.0", "the message cannot be read here");
	else
		end_round(j);
}

static void
begin(struct job *j)
{
	struct job_7bit *s = j->seven;

	s->done = s->len = 0;
	s->utf8 = true;
	s->n_tail = 0;
	s->charset = charset_of(s);
	mime_7bit_start(&s->mime, s->charset, s->all, on_made, j);
	s->open = true;
	job_sign_free(j);
	if (job_signs(j))
		job_sign_start(j);
	timer_set(j->d->p->loop, &s->soon, 0, on_turn, j);
}

/* ---- the second time: it is sent ---- */

static void
on_sent(void *arg, const uint8_t *p, size_t len)
{
	struct job *j = arg;

	(void)buf_add(&j->seven->out, p, len);
}

/* Of struct client_source. */
static ssize_t
source_read(void *arg, uint8_t *p, size_t len)
{
	struct job *j = arg;
	struct job_7bit *s = j->seven;
	uint8_t piece[JOB_PIECE];
	ssize_t n;

	while (s->out.len == 0 && s->open) {
		if ((n = read_content(j, s->done, piece)) < 0)
			return -1;
		s->done += (uint64_t)n;
		if (n == 0)
			s->open = false;
		if ((n == 0 ?
			    mime_7bit_end(&s->mime) :
			    mime_7bit_feed(&s->mime, piece, (size_t)n)) != NULL)
			return -1;
	}
	if (len > s->out.len)
		len = s->out.len;
	memcpy(p, buf_data(&s->out), len);
	buf_drain(&s->out, len);
	return (ssize_t)len;
}

/* ---- public ---- */

void
job_7bit_make(struct job *j, void (*fn)(struct job *j))
{
	struct job_7bit *s = j->seven;

	if (s == NULL)
		j->seven = s = xcalloc(1, sizeof *s);
	s->fn = fn;
	if (s->ready)
		fn(j);
	else if (s->why != NULL)
		refused(j, s->why);
	else
		begin(j);
}

bool
job_7bit_ready(const struct job *j)
{
	return j->seven != NULL && j->seven->ready;
}

void
job_7bit_mail(struct job *j, struct client_mail *m)
{
	struct job_7bit *s = j->seven;

	mime_7bit_free(&s->mime);
	mime_7bit_start(&s->mime, s->charset, s->all, on_sent, j);
	s->open = true;
	s->done = 0;
	buf_drain(&s->out, s->out.len);
	m->field = s->field;
	m->source = (struct client_source){ .read = source_read,
		.arg = j,
		.len = s->len };
	/* Another encoding has other lines. */
	m->content_facts &= ~(uint32_t)(CONTENT_8BIT | CONTENT_LONG);
	m->content_facts |= CONTENT_DOT;
}

void
job_7bit_stop(struct job *j)
{
	struct job_7bit *s = j->seven;

	if (s == NULL || s->ready)
		return;
	timer_clear(&s->soon);
	mime_7bit_free(&s->mime);
	s->open = false;
	job_sign_free(j);
}

void
job_7bit_free(struct job *j)
{
	struct job_7bit *s = j->seven;

	if (s == NULL)
		return;
	timer_clear(&s->soon);
	mime_7bit_free(&s->mime);
	buf_free(&s->out);
	free(s);
	j->seven = NULL;
}
