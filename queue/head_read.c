/*
 * The head of a spool file, read.  Used by queue and smtpctl.  Allocates from
 * the caller's arena alone, and believes nothing that the sum does not cover.
 *
 * SPDX-License-Identifier: ISC
 */
#include "head.h"

#include <assert.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dsn_param.h"
#include "head_line.h"
#include "id.h"
#include "slice.h"

static const struct head_fact fact_lines[] = { HEAD_FACTS(HEAD_FACT_ROW) };
#define N_FACT_LINES (sizeof fact_lines / sizeof fact_lines[0])

/* What is still to be read, and how far it is from the start. */
struct reader {
	const char *start, *p, *end;
	bool more; /* the input ended inside a line */
};

/* The next line, without its LF. */
static bool
next_line(struct reader *r, struct slice *line)
{
	const char *lf;

	lf =
	    r->p == r->end ? NULL : memchr(r->p, '\n', (size_t)(r->end - r->p));
	if (lf == NULL) {
		r->more = true;
		return false;
	}
	*line = (struct slice){ r->p, (size_t)(lf - r->p) };
	r->p = lf + 1;
	return true;
}

/* Steps over word at the front of s. */
static bool
skip(struct slice *s, const char *word)
{
	size_t n = strlen(word);

	if (s->len < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	s->len -= n;
	return true;
}

/* Reads digits up to max from the front of s. */
static bool
number(struct slice *s, uint64_t max, uint64_t *v)
{
	size_t n = 0;

	for (*v = 0; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		if (__builtin_mul_overflow(*v, (uint64_t)10, v) ||
		    __builtin_add_overflow(*v, (uint64_t)(s->p[n] - '0'), v) ||
		    *v > max)
			return false;
	}
	s->p += n;
	s->len -= n;
	return n > 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the value s into out (size bytes, a NUL included). */
static bool
unescape(struct slice s, char *out, size_t size)
{
	size_t i, n = 0;
	int hi, lo;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c <= ' ' || c > '~')
			return false;
		if (c == '%') {
			if (s.len - i < 3)
				return false;
			hi = hex_digit(s.p[i + 1]);
			lo = hex_digit(s.p[i + 2]);
			if (hi == -1 || lo == -1 || (hi == 0 && lo == 0))
				return false;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static const char *
read_id(struct slice line, struct head *h)
{
	char id[ID_LEN + 1];

	if (!skip(&line, "id: ") || !slice_copy(line, id, sizeof id) ||
	    !id_parse(id, &h->id))
		return "head: no id";
	return NULL;
}

static const char *
read_arrived(struct slice line, struct head *h)
{
	uint64_t sec, usec;

	if (!skip(&line, "arrived: ") ||
	    !number(&line, INT64_MAX / 1000000 - 1, &sec) ||
	    !skip(&line, ".") || line.len != 6 ||
	    !number(&line, 999999, &usec) || line.len != 0)
		return "head: no time of arrival";
	h->arrived = (int64_t)(sec * 1000000 + usec);
	return NULL;
}

static const char *
read_client(struct slice line, struct head *h)
{
	struct facts *f = &h->facts;
	struct slice ip;
	const char *blank;
	uint64_t port, flags, uid;

	if (!skip(&line, "client: "))
		return "head: no client";
	blank = line.len == 0 ? NULL : memchr(line.p, ' ', line.len);
	if (blank == NULL)
		return "head: no client";
	ip = (struct slice){ line.p, (size_t)(blank - line.p) };
	line.p += ip.len;
	line.len -= ip.len;
	if (!unescape(ip, f->client, sizeof f->client) ||
	    !skip(&line, " port ") || !number(&line, UINT16_MAX, &port) ||
	    !skip(&line, " flags ") || !number(&line, UINT32_MAX, &flags) ||
	    !skip(&line, " uid ") || !number(&line, UINT32_MAX, &uid) ||
	    line.len != 0)
		return "head: not a client";
	if (strcmp(f->client, "-") == 0)
		f->client[0] = '\0';
	f->port = (uint16_t)port;
	f->flags = (uint32_t)flags;
	f->uid = (uint32_t)uid;
	return NULL;
}

/* An address between angle brackets, copied to a.  NULL: not one. */
static const char *
read_path(struct slice s, struct arena *a, const char **why)
{
	char addr[ADDR_MAX + 1], *copy;

	if (s.len < 2 || s.p[0] != '<' || s.p[s.len - 1] != '>' ||
	    !unescape((struct slice){ s.p + 1, s.len - 2 }, addr,
		sizeof addr)) {
		*why = "head: not an address";
		return NULL;
	}
	if ((copy = arena_copy(a, addr)) == NULL)
		*why = "head: no room for it";
	return copy;
}

/* Takes " NAME=value" off the front of s.  False: it does not stand there, and
 * *value is empty. */
static bool
take_param(struct slice *s, const char *name, struct slice *value)
{
	struct slice rest = *s;
	const char *blank;

	*value = (struct slice){ s->p, 0 };
	if (!skip(&rest, " ") || !skip(&rest, name) || !skip(&rest, "="))
		return false;
	blank = rest.len == 0 ? NULL : memchr(rest.p, ' ', rest.len);
	*value = rest;
	if (blank != NULL)
		value->len = (size_t)(blank - rest.p);
	s->p = value->p + value->len;
	s->len = rest.len - value->len;
	return true;
}

/* The parameters of MAIL, behind "params:". */
static const char *
read_params(struct slice line, struct mail_params *m)
{
	struct slice value;

	if (take_param(&line, "BODY", &value) &&
	    body_parse(value, &m->body) != NULL)
		return "head: not a BODY";
	if (take_param(&line, "RET", &value) &&
	    ret_parse(value, &m->ret) != NULL)
		return "head: not a RET";
	if (take_param(&line, "ENVID", &value) &&
	    (!unescape(value, m->envid, sizeof m->envid) || value.len == 0))
		return "head: not an ENVID";
	return line.len == 0 ? NULL : "head: not a parameter of MAIL";
}

/* Those of RCPT and the leaf, behind the address. */
static const char *
read_rcpt_params(struct slice line, struct arena *a, struct head_rcpt *rcpt)
{
	char orcpt[ORCPT_MAX + 1], leaf[LEAF_TEXT_MAX + 1];
	struct slice value;

	rcpt->orcpt = rcpt->leaf = "";
	if (take_param(&line, "NOTIFY", &value) &&
	    notify_parse(value, &rcpt->notify) != NULL)
		return "head: not a NOTIFY";
	if (take_param(&line, "ORCPT", &value)) {
		if (!unescape(value, orcpt, sizeof orcpt) || value.len == 0)
			return "head: not an ORCPT";
		if ((rcpt->orcpt = arena_copy(a, orcpt)) == NULL)
			return "head: no room for it";
	}
	if (take_param(&line, "FOR", &value)) {
		if (!unescape(value, leaf, sizeof leaf) || value.len == 0)
			return "head: not a leaf";
		if ((rcpt->leaf = arena_copy(a, leaf)) == NULL)
			return "head: no room for it";
	}
	return line.len == 0 ? NULL : "head: not a parameter of RCPT";
}

/* "<address>" at the front of line, and what is behind it. */
static struct slice
take_path(struct slice *line)
{
	const char *blank =
	    line->len == 0 ? NULL : memchr(line->p, ' ', line->len);
	struct slice path = *line;

	if (blank != NULL)
		path.len = (size_t)(blank - line->p);
	line->p += path.len;
	line->len -= path.len;
	return path;
}

/* How many recipients stand in the lines from here on: as many rows are
 * needed at most. */
static size_t
count_rcpts(const struct reader *r)
{
	struct reader ahead = *r;
	struct slice line;
	size_t n = 0;

	while (next_line(&ahead, &line) && skip(&line, "rcpt: "))
		n++;
	return n;
}

/* All recipients, and *line is what stands behind them. */
static const char *
read_rcpts(struct reader *r, struct arena *a, struct head *h,
    struct slice *line)
{
	size_t max = count_rcpts(r);
	const char *why = NULL;
	struct head_rcpt *rcpt;

	if (max > RCPT_MAX)
		return "head: too many recipients";
	h->rcpt = arena_alloc(a, (max + 1) * sizeof *h->rcpt);
	if (h->rcpt == NULL)
		return "head: no room for it";
	while (next_line(r, line) && skip(line, "rcpt: ")) {
		assert(h->n_rcpt < max);
		rcpt = &h->rcpt[h->n_rcpt];
		if (line->len < 2 || !rcpt_state_known(line->p[0]) ||
		    line->p[1] != ' ')
			return "head: not a state";
		rcpt->state = line->p[0];
		rcpt->off = (size_t)(line->p - r->start);
		line->p += 2;
		line->len -= 2;
		if ((rcpt->addr = read_path(take_path(line), a, &why)) == NULL)
			return why;
		if ((why = read_rcpt_params(*line, a, rcpt)) != NULL)
			return why;
		if (rcpt->leaf[0] != '\0' && h->of.addr == NULL)
			return "head: a leaf, but no parent";
		h->n_rcpt++;
	}
	if (r->more)
		return "head: cut short";
	return h->n_rcpt == 0 ? "head: no recipient" : NULL;
}

/* XXH3 of the first len bytes, each state as if it waited. */
static uint64_t
sum_of(const char *in, size_t len, const struct head *h)
{
	XXH3_state_t state;
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < h->n_rcpt; i++)
		if (h->rcpt[i].state != RCPT_WAITING)
			break;
	if (i == h->n_rcpt)
		return XXH3_64bits(in, len);
	XXH3_64bits_reset(&state);
	for (; i < h->n_rcpt; i++) {
		XXH3_64bits_update(&state, in + at, h->rcpt[i].off - at);
		XXH3_64bits_update(&state, "q", 1);
		at = h->rcpt[i].off + 1;
	}
	XXH3_64bits_update(&state, in + at, len - at);
	return XXH3_64bits_digest(&state);
}

static const char *
read_sum(struct reader *r, struct slice line, const struct head *h)
{
	const char *sum_line = line.p;
	uint64_t sum = 0;
	size_t i;
	int d;

	if (!skip(&line, "sum: ") || line.len != HEAD_SUM_LEN)
		return "head: no sum";
	for (i = 0; i < HEAD_SUM_LEN; i++) {
		if ((d = hex_digit(line.p[i])) == -1)
			return "head: no sum";
		sum = sum << 4 | (uint64_t)d;
	}
	if (sum != sum_of(r->start, (size_t)(sum_line - r->start), h))
		return "head: wrong sum";
	if (r->p == r->end) {
		r->more = true;
		return "head: cut short";
	}
	return *r->p++ == '\n' ? NULL : "head: no empty line";
}

/* "of: ID N <address>", without the first word. */
static const char *
read_of(struct slice line, struct arena *a, struct head *h)
{
	char id[ID_LEN + 1];
	const char *why = NULL;
	uint64_t n;

	if (line.len < ID_LEN ||
	    !slice_copy((struct slice){ line.p, ID_LEN }, id, sizeof id) ||
	    !id_parse(id, &h->of.id))
		return "head: not the id of a parent";
	line.p += ID_LEN;
	line.len -= ID_LEN;
	if (!skip(&line, " ") || !number(&line, RCPT_MAX - 1, &n) ||
	    !skip(&line, " "))
		return "head: not a parent's recipient";
	h->of.n = (uint32_t)n;
	h->of.addr = read_path(line, a, &why);
	return why;
}

/* The lines from helo to params; all but the sender's may be absent. */
static const char *
read_texts(struct reader *r, struct arena *a, struct head *h)
{
	struct reader behind;
	const char *why = NULL;
	struct slice line;
	size_t i;

	if (!next_line(r, &line))
		return "head: cut short";
	for (i = 0; i < N_FACT_LINES; i++) {
		if (!skip(&line, fact_lines[i].word))
			continue;
		if (!unescape(line, (char *)&h->facts + fact_lines[i].off,
			fact_lines[i].size))
			return "head: not a fact";
		if (!next_line(r, &line))
			return "head: cut short";
	}
	if (skip(&line, "of: ")) {
		if ((why = read_of(line, a, h)) != NULL)
			return why;
		if (!next_line(r, &line))
			return "head: cut short";
	}
	if (!skip(&line, "from: "))
		return "head: no sender";
	if ((h->sender = read_path(line, a, &why)) == NULL)
		return why;
	behind = *r;
	if (!next_line(&behind, &line)) {
		*r = behind;
		return "head: cut short";
	}
	if (!skip(&line, "params:"))
		return NULL;
	*r = behind;
	return line.len == 0 ? "head: no parameter of MAIL" :
			       read_params(line, &h->params);
}

static const char *
read_head(struct reader *r, struct arena *a, struct head *h)
{
	static const char *(*const fixed[])(struct slice,
	    struct head *) = { read_id, read_arrived, read_client };
	size_t i, len = (size_t)(r->end - r->start);
	struct slice line;
	const char *why;

	if (memcmp(r->p, HEAD_MAGIC,
		len < strlen(HEAD_MAGIC) ? len : strlen(HEAD_MAGIC)) != 0)
		return "head: not a message of ours";
	if (!next_line(r, &line))
		return "head: cut short";
	for (i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (!next_line(r, &line))
			return "head: cut short";
		if ((why = fixed[i](line, h)) != NULL)
			return why;
	}
	if ((why = read_texts(r, a, h)) != NULL)
		return why;
	if ((why = read_rcpts(r, a, h, &line)) != NULL)
		return why;
	return read_sum(r, line, h);
}

const char *
head_parse(const char *in, size_t len, struct arena *a, struct head *h,
    bool *more)
{
	struct reader r = { .start = in, .p = in, .end = in + len };
	const char *why;

	*h = (struct head){ 0 };
	why = read_head(&r, a, h);
	*more = why != NULL && r.more;
	h->len = (size_t)(r.p - in);
	return why;
}
