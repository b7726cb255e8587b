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
	if (c->part != PART_NONE)
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

	io_close(&c->io);
	timer_clear(&c->soon);
	c->state = CLIENT_CLOSED;
	if (in_mail && !c->decided && sent) {
		outcome_set(&copy, LATER, WIDTH_MESSAGE, 0, "4.4.2",
		    "connection lost after the final dot: may be delivered twice (%s)",
		    o->text);
		owner.over(owner.arg, &copy);
	} else if (in_mail && c->decided) {
		copy = c->result;
		owner.over(owner.arg, &copy);
	} else
		owner.lost(owner.arg, &copy);
}

void
client_lose_words(struct client *c, const char *ecode, const char *what)
{
	struct outcome o;

	c->tls_failed =
	    client_awaits(c, SAID_STARTTLS) || client_awaits(c, SAID_TLS);
	outcome_set(&o, LATER, WIDTH_STREAM, 0, ecode,
	    "%s while waiting for %s", what, waiting_for(c));
	client_lose(c, &o);
}

/* ---- saying ---- */

void
client_set_deadline(struct client *c)
{
	enum client_said said;
	bool sending = c->part != PART_NONE || c->io.out.len > 0;

	if (c->n == 0) {
		io_deadline(&c->io, 0);
		return;
	}
	said = c->fifo[c->head].said;
	io_deadline(&c->io,
	    said == SAID_DOT && sending ? CLIENT_BLOCK_MS :
					  client_table[said].wait);
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
	c->ext = 0;
	c->max_size = 0;
	io_printf(&c->io, "%s %s\r\n", said == SAID_EHLO ? "EHLO" : "HELO",
	    c->helo);
	client_expect(c, said, 0);
}

uint64_t
client_mail_size(const struct client_mail *m)
{
	return strlen(m->field) + m->trace_len + m->content_len;
}

/* RFC 3030 2: all of it as one chunk, once it is known that it is for
 * somebody.  False: the owner was told. */
static bool
say_bdat(struct client *c)
{
	if (c->data_said || c->n > 0 || c->taken == 0)
		return true;
	io_printf(&c->io, "BDAT %llu LAST\r\n",
	    (unsigned long long)client_mail_size(&c->mail));
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

/* Adds n bytes of content to out, as DATA or BDAT has them; false: no room. */
static bool
put_content(struct client *c, const uint8_t *p, size_t n)
{
	uint8_t *out;

	if (c->bdat)
		return buf_add(&c->io.out, p, n);
	if ((out = buf_room(&c->io.out, 2 * n)) == NULL)
		return false;
	buf_filled(&c->io.out, smtp_stuff_out(&c->stuff, p, n, out));
	return true;
}

/* Moves to the next part when one is at its end. */
static void
next_part(struct client *c)
{
	c->part++;
	c->part_off = 0;
}

/* Where the bytes of the present part stand, if in the file. */
static uint64_t
part_len(const struct client *c, uint64_t *off)
{
	*off = c->part == PART_TRACE ? c->mail.trace_off : c->mail.content_off;
	return c->part == PART_TRACE ? c->mail.trace_len : c->mail.content_len;
}

/* Puts some of the present part into out; false: the file cannot be read. */
static bool
put_piece(struct client *c)
{
	uint8_t piece[PIECE], *out;
	uint64_t off, left;
	size_t n;
	ssize_t got;

	switch (c->part) {
	case PART_FIELD:
		n = strlen(c->mail.field);
		if (!put_content(c, (const uint8_t *)c->mail.field, n))
			return false;
		next_part(c);
		return true;
	case PART_TRACE:
	case PART_CONTENT:
		left = part_len(c, &off) - c->part_off;
		if (left == 0) {
			next_part(c);
			return true;
		}
		n = left < sizeof piece ? (size_t)left : sizeof piece;
		got = pread(c->mail.fd, piece, n, (off_t)(off + c->part_off));
		if (got <= 0 || !put_content(c, piece, (size_t)got))
			return false;
		c->part_off += (size_t)got;
		return true;
	case PART_END:
		if (!c->bdat) {
			if ((out = buf_room(&c->io.out, 5)) == NULL)
				return false;
			buf_filled(&c->io.out, smtp_stuff_end(&c->stuff, out));
		}
		c->part = PART_NONE;
		c->dot_said = true;
		return true;
	case PART_NONE:
		break;
	}
	return true;
}

bool
client_begin_content(struct client *c)
{
	c->stuff = (struct smtp_stuff){ 0 };
	c->part = PART_FIELD;
	c->part_off = 0;
	client_expect(c, SAID_DOT, 0);
	return client_send_content(c);
}

/* Fills out again; false: the owner was told. */
bool
client_send_content(struct client *c)
{
	while (c->part != PART_NONE && c->io.out.len < CONTENT_LOW) {
		if (put_piece(c))
			continue;
		/* Without its final dot, or all of its chunk, it is no message
		 * (RFC 5321 4.1.1.4), so the connection ends here. */
		c->decided = true;
		outcome_set(&c->result, LATER, WIDTH_MESSAGE, 0, "4.3.0",
		    "the message cannot be read here");
		client_lose(c, &c->result);
		return false;
	}
	client_set_deadline(c);
	io_kick(&c->io);
	return true;
}
