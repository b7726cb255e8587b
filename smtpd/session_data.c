/*
 * Content: from the socket through the one place that knows line endings
 * into the queue's file, a piece at a time; then the trace field and the
 * trailer.  Runs in session.  Never holds more of a message than a piece, and
 * never opens the file: the descriptor was handed in.
 *
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "log.h"
#include "session.h"
#include "session_trace.h"
#include "trailer.h"

#define STEP  (16 * 1024) /* bytes looked at in one go */
#define PIECE (64 * 1024) /* bytes written in one go, about */

/* A deadline passes for so many bytes: with data_timeout it is the least rate
 * at which a message may come. */
#define BLOCK (64 * 1024)

void
data_begin(struct session *s)
{
	const struct conf *conf = session_conf(s);
	struct tx *tx = &s->tx;

	smtp_data_init(&tx->data, conf->max_line, conf->max_header);
	buf_init(&tx->piece, 0);
	if ((tx->sum = XXH3_createState()) == NULL)
		fatal("no memory for a checksum");
	XXH3_64bits_reset(tx->sum);
	session_enter(s, ST_DATA);
	session_reply(s, REPLY_DATA, NULL);
}

void
data_end(struct session *s)
{
	struct tx *tx = &s->tx;

	buf_free(&tx->piece);
	XXH3_freeState(tx->sum);
	tx->sum = NULL;
	if (tx->fd != -1)
		close(tx->fd);
	tx->fd = -1;
}

/* ---- the file ---- */

/* The reply for a write that failed. */
static enum reply
write_failed(void)
{
	int error = errno;

	log_warn("spool-write", "error=%s", q(strerror(error)));
	return error == ENOSPC || error == EDQUOT ? REPLY_NO_SPACE :
						    REPLY_LOCAL_ERROR;
}

/* Writes what is collected; sets trouble if the disk refuses. */
static void
flush(struct session *s)
{
	struct tx *tx = &s->tx;
	ssize_t n;

	while (tx->piece.len > 0 && tx->trouble == REPLY_NONE) {
		n = write(tx->fd, buf_data(&tx->piece), tx->piece.len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			tx->trouble = write_failed();
		else
			buf_drain(&tx->piece, (size_t)n);
	}
	if (tx->trouble != REPLY_NONE)
		buf_free(&tx->piece);
}

/* ---- the end of the message ---- */

/* What content may not be.  Columns: DATA_*, reply. */
static const struct {
	uint32_t seen;
	enum reply reply;
} faults[] = {
	{ DATA_BIG_HEADER, REPLY_BIG_HEADER },
	/* RFC 5321 2.3.8 and RFC 5322 4 have none; what is kept must be what
	 * every reader after us sees, and many stop at a NUL. */
	{ DATA_NUL, REPLY_NUL_CONTENT },
	{ DATA_LONG_LINE, REPLY_LONG_CONTENT },
	{ DATA_BARE_CR | DATA_BARE_LF, REPLY_BARE_CONTENT },
};

static enum reply
fault_of(struct session *s)
{
	const struct conf *conf = session_conf(s);
	const struct tx *tx = &s->tx;
	uint32_t seen = tx->data.seen;
	size_t i;

	if (tx->trouble != REPLY_NONE)
		return tx->trouble;
	if (tx->data.hops > conf->max_hops)
		return REPLY_LOOP;
	/* smtp_data_in() has already made CRLF of them. */
	if (conf->bare_newline == BARE_FIX)
		seen &= ~(uint32_t)(DATA_BARE_CR | DATA_BARE_LF);
	for (i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		if ((seen & faults[i].seen) != 0)
			return faults[i].reply;
	}
	return REPLY_NONE;
}

/* The limit that a reply names. */
static uint64_t
limit_of(const struct conf *conf, enum reply r)
{
	switch (r) {
	case REPLY_TOO_BIG:
		return conf->max_message_size;
	case REPLY_BIG_HEADER:
		return conf->max_header;
	case REPLY_LONG_CONTENT:
		return conf->max_line;
	case REPLY_LOOP:
		return conf->max_hops;
	default:
		return 0;
	}
}

static void
refuse(struct session *s, enum reply r, bool bye)
{
	struct outcome o;
	char number[24];

	snprintf(number, sizeof number, "%" PRIu64,
	    limit_of(session_conf(s), r));
	reply_outcome(&o, r, number);
	tx_drop(s, &o, bye);
}

/* Behind the content: the fields that go in front of it, and the trailer. */
static void
add_end(struct session *s)
{
	struct tx *tx = &s->tx;
	const struct rcpt *first = STAILQ_FIRST(&tx->rcpts);
	size_t before = tx->piece.len;
	struct trailer trailer = { 0 };
	uint8_t *room;

	trace_received(&tx->piece,
	    &(struct trace){ .facts = &s->facts,
		.hostname = s->hostname,
		.id = tx->id,
		.rcpt = tx->n_rcpt == 1 ? first->addr : NULL,
		.when = time(NULL) });
	tx->trace = tx->piece.len - before;
	XXH3_64bits_update(tx->sum, buf_data(&tx->piece) + before, tx->trace);
	trailer.content = tx->data.size;
	trailer.trace = tx->trace;
	trailer.content_facts = tx->data.content;
	trailer.sum = XXH3_64bits_digest(tx->sum);
	room = buf_room(&tx->piece, TRAILER_LEN);
	trailer_print(&trailer, (char *)room);
	buf_filled(&tx->piece, TRAILER_LEN);
}

/* The dot came. */
static void
finish(struct session *s)
{
	struct tx *tx = &s->tx;
	enum reply r = fault_of(s);

	if (r == REPLY_NONE) {
		add_end(s);
		flush(s);
		r = tx->trouble;
	}
	/* Some file systems say only now that there was no room. */
	if (r == REPLY_NONE) {
		if (close(tx->fd) == -1)
			r = write_failed();
		tx->fd = -1;
	}
	if (r != REPLY_NONE) {
		refuse(s, r, false);
		return;
	}
	data_end(s);
	tx_finish(s);
}

/* ---- what comes in ---- */

static void
keep(struct session *s, size_t len)
{
	struct tx *tx = &s->tx;

	XXH3_64bits_update(tx->sum, buf_data(&tx->piece) + tx->piece.len, len);
	buf_filled(&tx->piece, len);
	if (tx->data.size > session_conf(s)->max_message_size) {
		tx->trouble = REPLY_TOO_BIG;
		buf_free(&tx->piece);
	} else if (tx->piece.len >= PIECE)
		flush(s);
}

bool
data_input(struct session *s)
{
	struct tx *tx = &s->tx;
	struct buf *in = &s->io.in;
	size_t len = in->len < STEP ? in->len : STEP, used, made;
	uint64_t max = session_conf(s)->max_message_size;
	uint8_t *room;

	if (len == 0)
		return false;
	room = buf_room(&tx->piece, 2 * len + 4);
	used = smtp_data_in(&tx->data, buf_data(in), len, room, &made);
	buf_drain(in, used);
	if (tx->trouble == REPLY_NONE)
		keep(s, made);
	if (tx->data.done) {
		finish(s);
		return true;
	}
	/* Read to its end and then refused, as a client expects it; but not
	 * for ever. */
	if (tx->data.size / 2 > max) {
		s->reason = "too-large";
		refuse(s, REPLY_TOO_BIG, true);
		return false;
	}
	tx->block += used;
	if (tx->block >= BLOCK) {
		tx->block = 0;
		session_enter(s, ST_DATA);
	}
	return in->len > 0;
}
