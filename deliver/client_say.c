/*
 * What the SMTP client says: commands, content, and the end of it.  Used by
 * deliver.  Never blocks, never waits without a deadline, keeps no content.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client_auth.h"
#include "reply_class.h"

#define PIECE       32768               /* bytes of content read at once */
#define CONTENT_LOW ((size_t)2 * PIECE) /* out holds less: read on */
#define COMMAND_LOW ((size_t)16384)     /* out holds less: say more */

_Static_assert(CONTENT_LOW + 2 * PIECE + 5 <= CLIENT_OUT_MAX,
    "a piece always fits");

/* ---- the end of it ---- */

bool
client_awaits(const struct client *c, enum client_said said)
{
	return c->n > 0 && c->fifo[c->head].said == said;
}

/* The words for what we wait for. */
static const char *
waiting_for(const struct client *c)
{
	if (c->part != PART_NONE && client_is_sending(c))
		return "room for the content";
	if (c->n == 0)
		return "nothing";
	return client_table[c->fifo[c->head].said].what;
}

void
client_lose(struct client *c, const struct outcome *o)
{
	struct client_owner owner = c->owner;
	bool in_mail = c->state == CLIENT_IN_MAIL;
	bool sent = c->dot_said && c->io.out.len == 0;
	struct outcome copy = *o;

	c->tls_failed = c->how.want.level == TLS_LEVEL_MAY &&
	    !c->how.want.implicit && o->code == 0 &&
	    (o->stage == STAGE_STARTTLS || o->stage == STAGE_TLS);
	client_auth_free(c);
	io_close(&c->io);
	timer_clear(&c->soon);
	c->state = CLIENT_CLOSED;
	if (in_mail && !c->decided && sent) {
		outcome_set(&copy, LATER, WIDTH_MESSAGE, 0, "4.4.2",
		    "connection lost after the final dot: may be delivered twice (%s)",
		    o->text);
		outcome_of_us(&copy, o->cause, STAGE_CONTENT);
		owner.over(owner.arg, &copy);
	} else if (in_mail && c->decided) {
		copy = c->result;
		owner.over(owner.arg, &copy);
	} else
		owner.lost(owner.arg, &copy);
}

void
client_lose_words(struct client *c, enum cause cause, const char *ecode,
    const char *what)
{
	enum stage stage =
	    c->n == 0 ? STAGE_QUIT : client_table[c->fifo[c->head].said].stage;
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_STREAM, 0, ecode,
	    "%s while waiting for %s", what, waiting_for(c));
	outcome_of_us(&o, cause, stage);
	client_lose(c, &o);
}

bool
client_deny(struct client *c, unsigned int ext, const struct client_reply *r)
{
	struct outcome o;

	reply_class(r, c->stage, &o);
	o.verdict = LATER;
	o.width = WIDTH_STREAM;
	c->denied = ext;
	/* It has said that it did not take it. */
	c->dot_said = false;
	client_lose(c, &o);
	return false;
}

/* ---- saying ---- */

/* The chunk is out, and more are to follow. */
static bool
chunk_is_out(const struct client *c)
{
	return c->bdat && c->chunk == 0 && c->unsent > 0;
}

bool
client_is_sending(const struct client *c)
{
	return (c->part != PART_NONE && !chunk_is_out(c)) || c->io.out.len > 0;
}

void
client_set_deadline(struct client *c)
{
	msec wait, left;

	if (c->n == 0) {
		io_deadline(&c->io, 0);
		return;
	}
	wait = client_table[c->fifo[c->head].said].wait;
	if ((client_awaits(c, SAID_DOT) || client_awaits(c, SAID_CHUNK)) &&
	    client_is_sending(c))
		wait = CLIENT_BLOCK_MS;
	if (c->until != 0) {
		left = c->until - loop_msec();
		if (left < wait)
			wait = left < 1 ? 1 : left;
	}
	io_deadline(&c->io, wait);
}

/* A reply to this is due. */
void
client_expect(struct client *c, enum client_said said, unsigned int rcpt)
{
	unsigned int i = (c->head + c->n) % CLIENT_FIFO;

	assert(c->n < CLIENT_FIFO);
	c->fifo[i].said = (uint8_t)said;
	c->fifo[i].rcpt = rcpt;
	if (c->n++ == 0)
		client_set_deadline(c);
}

enum client_said
client_heard(struct client *c, unsigned int *rcpt)
{
	enum client_said said = c->fifo[c->head].said;

	assert(c->n > 0);
	*rcpt = c->fifo[c->head].rcpt;
	c->head = (c->head + 1) % CLIENT_FIFO;
	c->n--;
	client_set_deadline(c);
	return said;
}

void
client_say_hello(struct client *c, enum client_said said)
{
	/* RFC 2033 4.1: LHLO, and nothing older. */
	const char *verb = said == SAID_HELO ? "HELO" :
	    c->how.lmtp                      ? "LHLO" :
					       "EHLO";

	client_forget(c);
	io_printf(&c->io, "%s %s\r\n", verb, c->how.helo);
	client_expect(c, said, 0);
}

uint64_t
client_mail_size(const struct client_mail *m)
{
	return strlen(m->field) + m->trace_len +
	    (m->source.read != NULL ? m->source.len : m->content_len);
}

/* RFC 3030 2, once it is known that it is for somebody.  False: the owner was
 * told. */
static bool
say_bdat(struct client *c)
{
	if (c->data_said || c->n > 0 || c->taken == 0)
		return true;
	c->data_said = true;
	return client_begin_content(c);
}

bool
client_say_more(struct client *c)
{
	bool pipe = (c->ext & EXT_PIPELINING) != 0;

	while (c->next_rcpt < c->mail.n_rcpt) {
		if (pipe ?
			c->n > CLIENT_FIFO - 2 || c->io.out.len > COMMAND_LOW :
			c->n > 0)
			return true;
		client_say_rcpt(c, c->next_rcpt++);
	}
	if (c->bdat)
		return say_bdat(c);
	if (c->data_said || (c->n > 0 && !pipe) || c->n == CLIENT_FIFO)
		return true;
	/* Everybody was answered, and refused. */
	if (c->n == 0 && c->taken == 0)
		return true;
	io_printf(&c->io, "DATA\r\n");
	c->data_said = true;
	client_expect(c, SAID_DATA, 0);
	return true;
}

/* ---- content ---- */

/* Moves to the next part when one is at its end. */
static void
next_part(struct client *c)
{
	c->part++;
	c->part_off = 0;
}

/* Bytes of the present part. */
static uint64_t
part_len(const struct client *c)
{
	const struct client_mail *m = &c->mail;

	if (c->part == PART_FIELD)
		return strlen(m->field);
	if (c->part == PART_TRACE)
		return m->trace_len;
	return m->source.read != NULL ? m->source.len : m->content_len;
}

/* Up to len bytes of the present part; 0 or less: it cannot be read. */
static ssize_t
part_read(const struct client *c, uint8_t *p, size_t len)
{
	const struct client_mail *m = &c->mail;
	uint64_t off = c->part_off;

	if (c->part == PART_FIELD) {
		memcpy(p, m->field + off, len);
		return (ssize_t)len;
	}
	if (c->part == PART_CONTENT && m->source.read != NULL)
		return m->source.read(m->source.arg, p, len);
	off += c->part == PART_TRACE ? m->trace_off : m->content_off;
	return pread(m->fd, p, len, (off_t)off);
}

/* Adds len bytes of the present part to out, as DATA has them. */
static ssize_t
put_stuffed(struct client *c, size_t len)
{
	uint8_t piece[PIECE], *out;
	ssize_t got = part_read(c, piece, len);

	if (got <= 0 || (out = buf_room(&c->io.out, 2 * (size_t)got)) == NULL)
		return -1;
	buf_filled(&c->io.out,
	    smtp_stuff_out(&c->stuff, piece, (size_t)got, out));
	return got;
}

/* The same as BDAT has them: as they are. */
static ssize_t
put_plain(struct client *c, size_t len)
{
	uint8_t *out;
	ssize_t got;

	if (len > c->chunk)
		len = (size_t)c->chunk;
	if ((out = buf_room(&c->io.out, len)) == NULL)
		return -1;
	if ((got = part_read(c, out, len)) <= 0)
		return -1;
	buf_filled(&c->io.out, (size_t)got);
	c->chunk -= (uint64_t)got;
	return got;
}

/* Puts some of the present part into out; false: it cannot be read. */
static bool
put_piece(struct client *c)
{
	uint64_t left = part_len(c) - c->part_off;
	size_t len = left < PIECE ? (size_t)left : PIECE;
	ssize_t got;

	if (left == 0) {
		next_part(c);
		return true;
	}
	got = c->bdat ? put_plain(c, len) : put_stuffed(c, len);
	if (got <= 0 || (uint64_t)got > left)
		return false;
	c->part_off += (uint64_t)got;
	c->unsent -= (uint64_t)got;
	return true;
}

/* Behind the last byte; false: no room. */
static bool
put_end(struct client *c)
{
	uint8_t *out;

	if (!c->bdat) {
		if ((out = buf_room(&c->io.out, 5)) == NULL)
			return false;
		buf_filled(&c->io.out, smtp_stuff_end(&c->stuff, out));
	}
	c->part = PART_NONE;
	c->dot_said = true;
	return true;
}

bool
client_say_chunk(struct client *c)
{
	bool last = c->unsent <= CLIENT_CHUNK;

	c->chunk = last ? c->unsent : CLIENT_CHUNK;
	io_printf(&c->io, "BDAT %llu%s\r\n", (unsigned long long)c->chunk,
	    last ? " LAST" : "");
	client_expect(c, last ? SAID_DOT : SAID_CHUNK, 0);
	return client_send_content(c);
}

bool
client_begin_content(struct client *c)
{
	c->stuff = (struct smtp_stuff){ 0 };
	c->part = PART_FIELD;
	c->part_off = 0;
	c->unsent = client_mail_size(&c->mail);
	if (c->bdat)
		return client_say_chunk(c);
	client_expect(c, SAID_DOT, 0);
	return client_send_content(c);
}

/* Fills out again; false: the owner was told. */
bool
client_send_content(struct client *c)
{
	while (c->part != PART_NONE && !chunk_is_out(c) &&
	    c->io.out.len < CONTENT_LOW) {
		if (c->part == PART_END ? put_end(c) : put_piece(c))
			continue;
		/* Without its final dot, or all of its chunk, it is no message
		 * (RFC 5321 4.1.1.4), so the connection ends here. */
		c->decided = true;
		outcome_set(&c->result, LATER, WIDTH_MESSAGE, 0, "4.3.0",
		    "the message cannot be read here");
		outcome_of_us(&c->result, CAUSE_SYSTEM, STAGE_PREPARE);
		client_lose(c, &c->result);
		return false;
	}
	client_set_deadline(c);
	io_kick(&c->io);
	return true;
}
