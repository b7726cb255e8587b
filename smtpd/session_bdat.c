/*
 * BDAT (RFC 3030): content in chunks of known size.  Runs in session.  The
 * bytes of a chunk are read before anything else is, also when they are
 * thrown away: never is one of them taken for a command.
 *
 * SPDX-License-Identifier: ISC
 */

#include "num.h"
#include "session.h"
#include "session_step.h"

#define STEP (16 * 1024) /* bytes looked at in one go */

/* A deadline passes for so many bytes, as in session_data.c. */
#define BLOCK (64 * 1024)

/* ---- the command ---- */

/* NULL, or why not.  RFC 3030 2: "BDAT" SP chunk-size [ SP end-marker ]. */
static const char *
chunk_parse(struct slice arg, struct chunk *out)
{
	struct slice size = { arg.p, 0 };
	char text[21];

	while (size.len < arg.len && arg.p[size.len] != ' ')
		size.len++;
	*out = (struct chunk){ 0 };
	arg =
	    slice_trim((struct slice){ arg.p + size.len, arg.len - size.len });
	if (!slice_copy(size, text, sizeof text))
		return "the size is too large";
	if (num_parse(text, 0, INT64_MAX, &out->left) != NULL)
		return "the size is no number, or too large";
	out->size = out->left;
	out->last = slice_eqcase(arg, SLICE("LAST"));
	return arg.len == 0 || out->last ? NULL : "LAST, or nothing";
}

/* The chunk is read and thrown away; then r is said n times, and the session
 * is at home. */
static void
waste(struct session *s, enum reply r, uint32_t n, enum session_state home)
{
	struct outcome o;

	reply_outcome(&o, r, NULL);
	s->tx.after = o;
	s->chunk.waste = true;
	s->chunk.replies = n;
	s->chunk.home = home;
	session_enter(s, ST_BDAT);
}

/* More than a message may have: said at once if it is far more. */
static void
too_big(struct session *s, uint64_t max)
{
	if (s->chunk.size / 2 > max) {
		s->reason = "too-large";
		session_bye_n(s, REPLY_TOO_BIG, max, "too-large");
		return;
	}
	data_refuse(s, REPLY_TOO_BIG, false);
}

void
cmd_bdat(struct session *s, struct slice arg)
{
	/* Why it is not legal in a state. */
	static const enum reply no[ST_COMMANDS] = {
		[ST_CONNECT] = REPLY_HELO_FIRST,
		[ST_READY] = REPLY_MAIL_FIRST,
		[ST_MAIL] = REPLY_RCPT_FIRST,
	};
	uint64_t max = session_conf(s)->max_message_size;

	/* Whatever follows may be content or commands: nobody knows. */
	if (chunk_parse(arg, &s->chunk) != NULL) {
		session_bye(s, REPLY_BAD_CHUNK, NULL, "bdat");
		return;
	}
	if (no[s->state] != REPLY_NONE) {
		if (s->chunk.size / 2 > max)
			too_big(s, max);
		else
			waste(s, no[s->state], 1, s->state);
		return;
	}
	s->chunk.replies = s->chunk.last ? session_replies(s) : 1;
	s->tx.after_n = s->chunk.replies;
	if (s->chunk.size > max || s->tx.data.size > max - s->chunk.size) {
		too_big(s, max);
		return;
	}
	s->chunk.home = ST_CHUNK;
	if (s->state == ST_CHUNK) {
		session_enter(s, ST_BDAT);
		return;
	}
	session_enter(s, ST_BDAT);
	session_steps(s, steps_data);
}

/* ---- its bytes ---- */

static void
wasted(struct session *s)
{
	enum session_state home = s->chunk.home;
	struct outcome after = s->tx.after;
	uint32_t n = s->chunk.replies;

	s->chunk = (struct chunk){ 0 };
	/* The log names whose message it was. */
	session_say_n(s, &after, n > 1 ? n : 1);
	/* RFC 3030 2: the message is lost with any of its chunks. */
	if (home == ST_READY)
		tx_reset(s);
	if (!session_gone(s))
		session_enter(s, home);
}

static void
chunk_done(struct session *s)
{
	struct tx *tx = &s->tx;

	if (s->chunk.waste)
		wasted(s);
	else if (s->chunk.last) {
		s->chunk = (struct chunk){ 0 };
		data_last(s);
	} else if (tx->trouble != REPLY_NONE)
		data_refuse(s, tx->trouble, false);
	else {
		session_enter(s, ST_CHUNK);
		session_reply_n(s, REPLY_CHUNK, s->chunk.size);
	}
}

bool
bdat_input(struct session *s)
{
	struct chunk *c = &s->chunk;
	struct buf *in = &s->io.in;
	size_t n = in->len < STEP ? in->len : STEP;

	if (n > c->left)
		n = (size_t)c->left;
	if (n == 0 && c->left > 0)
		return false;
	if (!c->waste)
		data_chunk(s, buf_data(in), n);
	buf_drain(in, n);
	c->left -= n;
	s->tx.block += n;
	if (c->left == 0) {
		chunk_done(s);
		return true;
	}
	if (s->tx.block >= BLOCK) {
		s->tx.block = 0;
		session_enter(s, ST_BDAT);
	}
	return in->len > 0;
}
