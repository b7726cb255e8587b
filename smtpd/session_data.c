/*
 * Content: from the socket through the one place that knows line endings, the
 * one that verifies it, and the one that completes its header or removes what
 * is forged in it, into the queue's file, a piece at a time; then the trace
 * fields and the trailer.  Runs in session.  Never holds more of a message than
 * a piece, and never opens the file: the descriptor was handed in.
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

#include "id.h"
#include "log.h"
#include "session.h"
#include "session_header.h"
#include "session_step.h"
#include "session_tls.h"
#include "session_trace.h"
#include "session_verify.h"
#include "trailer.h"

#define STEP  (16 * 1024) /* bytes looked at in one go */
#define PIECE (64 * 1024) /* bytes written in one go, about */

/* A deadline passes for so many bytes: with data_timeout it is the least rate
 * at which a message may come. */
#define BLOCK (64 * 1024)

#define FIELD_HELD (64 * 1024) /* of a header field that is rewritten */

static enum smtp_form
form_of(const struct session *s)
{
	if (s->chunk.home != ST_CHUNK)
		return FORM_DOTS;
	return s->tx.params.body == BODY_BINARYMIME ? FORM_BINARY : FORM_TEXT;
}

/* Does any listener say who sent what?  Then nobody else does so in our name,
 * whichever way it comes (RFC 8601 5). */
static bool
host_verifies(const struct conf *conf)
{
	uint32_t i;

	for (i = 0; i < conf->listen.n; i++) {
		if (CONF_LISTEN(conf, i)->auth_results)
			return true;
	}
	return false;
}

/* By TCP from this host, as a content filter gives back what it was given: the
 * results in it are ours. */
static bool
comes_back(const struct session *s)
{
	return (s->facts.flags & (FACT_LOCAL | FACT_SOCKET)) == FACT_LOCAL &&
	    s->facts.auth[0] == '\0';
}

/* A message of our own users: its header is completed on the way.  Of
 * strangers what is forged in it is removed. */
static void
header_begin(struct session *s)
{
	const struct conf *conf = session_conf(s);
	struct tx *tx = &s->tx;
	struct header_wish wish = { .sender = tx->sender,
		.hostname = s->hostname,
		.mail_name = session_mail_name(s),
		.id = tx->id,
		.when = time(NULL),
		.authserv = comes_back(s) ? NULL : session_authserv(s),
		.stranger = (s->facts.flags & FACT_SUBMIT) == 0 };

	/* A receipt, say, has no sender that From could name. */
	if (s->listen->masquerade && s->facts.auth[0] != '\0' &&
	    tx->sender[0] != '\0')
		wish.from = tx->sender;
	tx->header = header_new(&wish, FIELD_HELD);
	smtp_data_init(&tx->made,
	    form_of(s) == FORM_BINARY ? FORM_BINARY : FORM_TEXT, conf->max_line,
	    conf->max_header);
}

void
data_begin(struct session *s)
{
	const struct conf *conf = session_conf(s);
	struct tx *tx = &s->tx;

	smtp_data_init(&tx->data, form_of(s), conf->max_line, conf->max_header);
	buf_init(&tx->piece, 0);
	if ((tx->sum = XXH3_createState()) == NULL)
		fatal("no memory for a checksum");
	XXH3_64bits_reset(tx->sum);
	if ((s->facts.flags & FACT_SUBMIT) != 0 || host_verifies(conf))
		header_begin(s);
	/* Of a first chunk the bytes are on their way already. */
	session_enter(s, s->chunk.home == ST_CHUNK ? ST_BDAT : ST_DATA);
	if (s->state == ST_DATA)
		session_reply(s, REPLY_DATA, NULL);
}

void
data_end(struct session *s)
{
	struct tx *tx = &s->tx;

	header_free(&tx->header);
	buf_free(&tx->raw);
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

/* Content that the file is to hold stands behind `before` in piece: it is
 * counted, summed and sooner or later written. */
static void
keep(struct session *s, size_t before)
{
	struct tx *tx = &s->tx;
	size_t len = tx->piece.len - before;

	XXH3_64bits_update(tx->sum, buf_data(&tx->piece) + before, len);
	tx->content += len;
	/* SIZE is of what comes, not of what we add to it. */
	if (tx->data.size > session_conf(s)->max_message_size) {
		tx->trouble = REPLY_TOO_BIG;
		buf_free(&tx->piece);
	} else if (tx->piece.len >= PIECE)
		flush(s);
}

static void
log_forged(const struct session *s)
{
	struct header_forged n = header_forged(s->tx.header);
	char session[ID_LEN + 1];

	if (n.results + n.marks > 0)
		log_event(s->tx.id, "forged",
		    "session=%s client=%s results=%u marks=%u",
		    id_print(s->id, session),
		    s->facts.client[0] == '\0' ? "socket" : s->facts.client,
		    n.results, n.marks);
}

/*
 * What is in raw goes through the header; last: the content is at its end.
 * What comes out is looked at as if it had come so, since the trailer speaks
 * of what is kept.
 */
static void
complete(struct session *s, bool last)
{
	struct tx *tx = &s->tx;
	size_t before = tx->piece.len, len;
	struct buf done;
	uint8_t *room;
	bool ok;

	buf_init(&done, 0);
	ok = header_in(tx->header, buf_data(&tx->raw), tx->raw.len, &done) &&
	    (!last || header_end(tx->header, &done));
	buf_drain(&tx->raw, tx->raw.len);
	if (ok) {
		room = buf_room(&tx->piece, 2 * done.len + 4);
		smtp_data_in(&tx->made, buf_data(&done), done.len, room, &len);
		if (last)
			len += smtp_data_end(&tx->made, room + len);
		buf_filled(&tx->piece, len);
		keep(s, before);
	} else
		tx->trouble = REPLY_NO_MEMORY;
	if (last || header_done(tx->header)) {
		smtp_data_adopt(&tx->data, &tx->made);
		log_forged(s);
		header_free(&tx->header);
		buf_free(&tx->raw);
	}
	buf_free(&done);
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

/* RFC 6152 3: 8-bit content that MAIL did not speak of (with SMTPUTF8 it did:
 * RFC 6531 3.6). */
static bool
is_eight(const struct session *s)
{
	const struct tx *tx = &s->tx;

	return (tx->data.content & CONTENT_8BIT) != 0 &&
	    (s->facts.flags & FACT_SMTPUTF8) == 0 &&
	    (tx->params.body == BODY_UNSAID || tx->params.body == BODY_7BIT);
}

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
	if (session_verify_odd(s))
		return REPLY_BARE_CONTENT;
	if (conf->eight_bit == EIGHT_REJECT && is_eight(s))
		return REPLY_EIGHT_CONTENT;
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

void
data_refuse(struct session *s, enum reply r, bool bye)
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
	char tls[TLS_TEXT_MAX + 1];
	uint8_t *room;

	session_tls_print(s, tls);
	session_verify_print(s, &tx->piece);
	trace_junk(&tx->piece, &s->facts);
	trace_received(&tx->piece,
	    &(struct trace){ .facts = &s->facts,
		.hostname = s->hostname,
		.id = tx->id,
		.rcpt = tx->n_rcpt == 1 ? first->addr : NULL,
		.tls = tls,
		.when = time(NULL),
		.mask = s->listen->mask_src,
		.auth = s->listen->received_auth });
	tx->trace = tx->piece.len - before;
	XXH3_64bits_update(tx->sum, buf_data(&tx->piece) + before, tx->trace);
	trailer.content = tx->content;
	trailer.trace = tx->trace;
	trailer.content_facts = tx->data.content | session_content(s);
	trailer.sum = XXH3_64bits_digest(tx->sum);
	room = buf_room(&tx->piece, TRAILER_LEN);
	trailer_print(&trailer, (char *)room);
	buf_filled(&tx->piece, TRAILER_LEN);
}

/* What was held back, and the trace fields; then all is in the file, or r
 * says why not. */
static enum reply
write_end(struct session *s)
{
	struct tx *tx = &s->tx;

	if (tx->header != NULL)
		complete(s, true);
	if (tx->trouble != REPLY_NONE)
		return tx->trouble;
	add_end(s);
	flush(s);
	if (tx->trouble != REPLY_NONE)
		return tx->trouble;
	/* Some file systems say only now that there was no room. */
	if (close(tx->fd) == -1) {
		tx->fd = -1;
		return write_failed();
	}
	tx->fd = -1;
	return REPLY_NONE;
}

/* The dot came, or the last chunk. */
static void
data_finish(struct session *s)
{
	enum reply r = fault_of(s);

	/* RFC 2033 4.2: from here on each recipient gets a reply. */
	s->tx.after_n = session_replies(s);
	if (r != REPLY_NONE) {
		data_refuse(s, r, false);
		return;
	}
	session_verify_end(s);
	session_steps(s, steps_commit);
}

enum step
step_written(struct session *s)
{
	enum reply r = write_end(s);

	if (r != REPLY_NONE) {
		data_refuse(s, r, false);
		return STEP_STOP;
	}
	data_end(s);
	return STEP_ON;
}

/* ---- what comes in ---- */

/* Room for what smtp_data_in() makes of len bytes; kept() takes it. */
static uint8_t *
room_for(struct tx *tx, size_t len)
{
	return buf_room(tx->header != NULL ? &tx->raw : &tx->piece,
	    2 * len + 4);
}

/* What is thrown away is only counted. */
static void
kept(struct session *s, size_t made)
{
	struct tx *tx = &s->tx;
	struct buf *b = tx->header != NULL ? &tx->raw : &tx->piece;
	size_t before = tx->piece.len;

	if (tx->trouble != REPLY_NONE)
		return;
	buf_filled(b, made);
	session_verify_content(s, buf_data(b) + b->len - made, made);
	if (tx->header != NULL)
		complete(s, false);
	else
		keep(s, before);
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
	room = room_for(tx, len);
	used = smtp_data_in(&tx->data, buf_data(in), len, room, &made);
	buf_drain(in, used);
	kept(s, made);
	if (tx->data.done) {
		data_finish(s);
		return true;
	}
	/* Read to its end and then refused, as a client expects it; but not
	 * for ever. */
	if (tx->data.size / 2 > max) {
		s->reason = "too-large";
		data_refuse(s, REPLY_TOO_BIG, true);
		return false;
	}
	tx->block += used;
	if (tx->block >= BLOCK) {
		tx->block = 0;
		session_enter(s, ST_DATA);
	}
	return in->len > 0;
}

void
data_chunk(struct session *s, const uint8_t *p, size_t len)
{
	struct tx *tx = &s->tx;
	size_t made;

	if (len == 0)
		return;
	(void)smtp_data_in(&tx->data, p, len, room_for(tx, len), &made);
	kept(s, made);
}

void
data_last(struct session *s)
{
	kept(s, smtp_data_end(&s->tx.data, room_for(&s->tx, 0)));
	data_finish(s);
}
