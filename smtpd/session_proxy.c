/*
 * The PROXY protocol: the header is read from the socket to its last byte and
 * no further, since what follows may be for TLS; then the session is that of
 * the client whom it names.  Runs in session.  Believes only whom the
 * configuration lists, and what is no header ends the connection.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "log.h"
#include "num.h"
#include "session.h"
#include "session_filter.h"
#include "session_step.h"
#include "smtp_line.h"

#define V2_HEAD 16 /* bytes before the addresses */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

static enum proxy_got
bad(struct proxy_header *out, const char *why)
{
	out->why = why;
	return PROXY_BAD;
}

/* ---- version 1, a line of text ---- */

/* The next word of a line, whose blanks are single ones. */
static bool
take_word(struct slice *line, char *out, size_t size)
{
	struct slice word = { line->p, 0 };

	while (word.len < line->len && line->p[word.len] != ' ')
		word.len++;
	if (word.len == 0 || !slice_copy(word, out, size))
		return false;
	line->p += word.len;
	line->len -= word.len;
	if (line->len == 1)
		return false; /* a blank at the end */
	if (line->len > 0) {
		line->p++;
		line->len--;
	}
	return true;
}

static bool
take_address(struct slice *line, int family, struct sockaddr_storage *ss)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

	ss->ss_family = (sa_family_t)family;
	return take_word(line, text, sizeof text) &&
	    inet_pton(family, text,
		family == AF_INET ? (void *)&sin->sin_addr :
				    (void *)&sin6->sin6_addr) == 1;
}

static bool
take_port(struct slice *line, struct sockaddr_storage *ss)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	char text[6];
	uint64_t port;

	if (!take_word(line, text, sizeof text) ||
	    (text[0] == '0' && text[1] != '\0') ||
	    num_parse(text, 0, UINT16_MAX, &port) != NULL)
		return false;
	if (ss->ss_family == AF_INET)
		sin->sin_port = htons((uint16_t)port);
	else
		sin6->sin6_port = htons((uint16_t)port);
	return true;
}

static enum proxy_got
parse_v1(const uint8_t *in, size_t len, struct proxy_header *out)
{
	struct slice line;
	char word[8];
	int family;

	switch (smtp_line_get(in, len, PROXY_V1_MAX, &line, &out->used)) {
	case LINE_MORE:
		return PROXY_MORE;
	case LINE_LONG:
		return bad(out, "a line without an end");
	case LINE_BARE:
		return bad(out, "a line that does not end in CRLF");
	case LINE_CRLF:
		break;
	}
	(void)take_word(&line, word, sizeof word); /* PROXY */
	if (!take_word(&line, word, sizeof word))
		return bad(out, "no protocol");
	/* What follows UNKNOWN is nobody's business. */
	if (strcmp(word, "UNKNOWN") == 0)
		return PROXY_GOOD;
	if (strcmp(word, "TCP4") == 0)
		family = AF_INET;
	else if (strcmp(word, "TCP6") == 0)
		family = AF_INET6;
	else
		return bad(out, "a protocol that is not known");
	if (!take_address(&line, family, &out->src) ||
	    !take_address(&line, family, &out->dst))
		return bad(out, "an address that is none");
	if (!take_port(&line, &out->src) || !take_port(&line, &out->dst) ||
	    line.len > 0)
		return bad(out, "a port that is none");
	out->known = true;
	return PROXY_GOOD;
}

/* ---- version 2, binary ---- */

static void
v2_inet(const uint8_t *p, struct proxy_header *out)
{
	struct sockaddr_in *src = (struct sockaddr_in *)&out->src;
	struct sockaddr_in *dst = (struct sockaddr_in *)&out->dst;

	src->sin_family = dst->sin_family = AF_INET;
	memcpy(&src->sin_addr, p, 4);
	memcpy(&dst->sin_addr, p + 4, 4);
	memcpy(&src->sin_port, p + 8, 2);
	memcpy(&dst->sin_port, p + 10, 2);
}

static void
v2_inet6(const uint8_t *p, struct proxy_header *out)
{
	struct sockaddr_in6 *src = (struct sockaddr_in6 *)&out->src;
	struct sockaddr_in6 *dst = (struct sockaddr_in6 *)&out->dst;

	src->sin6_family = dst->sin6_family = AF_INET6;
	memcpy(&src->sin6_addr, p, 16);
	memcpy(&dst->sin6_addr, p + 16, 16);
	memcpy(&src->sin6_port, p + 32, 2);
	memcpy(&dst->sin6_port, p + 34, 2);
}

/* Columns: family and transport, bytes of the addresses, what reads them
 * (NULL: they say nothing). */
static const struct {
	uint8_t kind;
	size_t len;
	void (*read)(const uint8_t *p, struct proxy_header *out);
} kinds[] = {
	{ 0x00, 0, NULL },
	{ 0x11, 12, v2_inet },
	{ 0x21, 36, v2_inet6 },
};

static enum proxy_got
parse_v2(const uint8_t *in, size_t len, struct proxy_header *out)
{
	size_t body, i;

	if (len < V2_HEAD)
		return PROXY_MORE;
	/* The version, and LOCAL or PROXY. */
	if (in[12] != 0x20 && in[12] != 0x21)
		return bad(out, "a version or a command that is not known");
	body = (size_t)in[14] << 8 | in[15];
	if (V2_HEAD + body > PROXY_V2_MAX)
		return bad(out, "a header that is too long");
	if (len < V2_HEAD + body)
		return PROXY_MORE;
	out->used = V2_HEAD + body;
	/* LOCAL: the proxy itself, a health check. */
	out->local = in[12] == 0x20;
	if (out->local)
		return PROXY_GOOD;
	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (kinds[i].kind == in[13])
			break;
	}
	if (i == sizeof kinds / sizeof kinds[0])
		return bad(out, "a family that is not TCP");
	if (body < kinds[i].len)
		return bad(out, "addresses that are cut short");
	if (kinds[i].read != NULL)
		kinds[i].read(in + V2_HEAD, out);
	out->known = kinds[i].read != NULL;
	return PROXY_GOOD;
}

enum proxy_got
proxy_parse(const uint8_t *in, size_t len, bool v1, struct proxy_header *out)
{
	static const char word[] = "PROXY ";
	size_t n = len < sizeof signature - 1 ? len : sizeof signature - 1;

	memset(out, 0, sizeof *out);
	if (len == 0)
		return PROXY_MORE;
	if (memcmp(in, signature, n) == 0)
		return parse_v2(in, len, out);
	n = len < sizeof word - 1 ? len : sizeof word - 1;
	if (!v1 || memcmp(in, word, n) != 0)
		return bad(out, "no PROXY header");
	return parse_v1(in, len, out);
}

/* ---- the connection ---- */

static bool
takes_v1(const struct session *s)
{
	return (s->peer & PEER_PROXY) != 0 && !s->listen->proxy_v2;
}

/*
 * The bytes below io while the header is read: looked at first, and taken only
 * as far as they belong to it.  Who needs more owns all that is there, so that
 * no byte is looked at for ever.
 */
static long
header_read(struct io *io, void *p, size_t len, int *want)
{
	struct session *s = io->arg;
	uint8_t all[PROXY_V2_MAX];
	struct proxy_header header;
	size_t have = io->in.len, take;
	ssize_t n;

	if (s->state != ST_PROXY)
		return s->below->read(io, p, len, want);
	*want = LOOP_READ;
	if (len > sizeof all - have)
		len = sizeof all - have;
	n = recv(io->fd, p, len, MSG_PEEK);
	if (n > 0) {
		memcpy(all, buf_data(&io->in), have);
		memcpy(all + have, p, (size_t)n);
		take = (size_t)n;
		if (proxy_parse(all, have + take, takes_v1(s), &header) ==
		    PROXY_GOOD)
			take = header.used - have;
		n = recv(io->fd, p, take, 0);
	}
	if (n == -1 && errno == EINTR)
		errno = EAGAIN;
	if (n == -1 && errno != EAGAIN)
		io->error = strerror(errno);
	return n;
}

static long
header_write(struct io *io, const void *p, size_t len, int *want)
{
	struct session *s = io->arg;

	return s->below->write(io, p, len, want);
}

static const struct io_layer header_layer = { header_read, header_write, NULL };

enum step
step_proxy(struct session *s)
{
	/* XCLIENT is for who is truly there. */
	s->xclient = (s->peer & PEER_XCLIENT) != 0;
	if (!s->listen->proxy_v2 && (s->peer & PEER_PROXY) == 0)
		return STEP_ON;
	s->below = s->io.layer;
	s->io.layer = &header_layer;
	session_enter(s, ST_PROXY);
	if (s->io.paused)
		io_resume(&s->io);
	return STEP_WAIT;
}

/* The addresses that the header names. */
static bool
take_addresses(struct session *s, const struct proxy_header *h)
{
	struct facts there = { 0 };

	if (!session_claim(session_conf(s), &s->facts, &h->src) ||
	    !session_address(session_conf(s), &there, &h->dst))
		return false;
	memcpy(s->ours, there.client, sizeof s->ours);
	log_event(s->id, "proxy", "client=%s port=%u", s->facts.client,
	    s->facts.port);
	s->proxied = true;
	return true;
}

/* It cannot say who it is: somebody at the proxy's address, and nobody of this
 * host. */
static void
take_nobody(struct session *s)
{
	log_event(s->id, "proxy", "client=unknown port=0");
	s->facts.flags &= ~(uint32_t)FACT_LOCAL;
	s->proxied = true;
}

bool
proxy_input(struct session *s)
{
	struct buf *in = &s->io.in;
	struct proxy_header header;

	switch (proxy_parse(buf_data(in), in->len, takes_v1(s), &header)) {
	case PROXY_MORE:
		return false;
	case PROXY_GOOD:
		if (!header.known && !header.local)
			take_nobody(s);
		if (!header.known || take_addresses(s, &header))
			break;
		header.why = "an address that is none";
		/* FALLTHROUGH */
	case PROXY_BAD:
		log_event(s->id, "proxy-bad", "client=%s why=%s",
		    s->facts.client, q(header.why));
		session_end(s, "proxy");
		return false;
	}
	buf_drain(in, header.used);
	s->io.layer = s->below;
	session_enter(s, ST_STEP);
	/* Not a byte of what follows is read before it is clear for whom. */
	io_pause(&s->io);
	session_walk(s);
	return true;
}

enum step
step_proxied(struct session *s)
{
	if (!s->proxied)
		return STEP_ON;
	/* Asked again, for who it is now; a proxy does not lend its clients
	 * what it may do itself. */
	s->xclient = false;
	return step_peer(s);
}
