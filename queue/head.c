/*
 * The head of a spool file, printed and read.  Used by queue and smtpctl.
 * Reading allocates from the caller's arena alone, and believes nothing that
 * the sum does not cover.
 *
 * SPDX-License-Identifier: ISC
 */
#include "head.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "id.h"
#include "slice.h"

#define MAGIC       "postern 1\n"
#define ESCAPED_MAX 3   /* bytes that one byte of a value may become */
#define FIXED_MAX   256 /* the words and numbers of all fixed lines */
#define SUM_LEN     16

/* Lines with one text of struct facts; left out when it is empty. */
static const struct fact_line {
	const char *word;
	size_t off, size;
} fact_lines[] = {
	{ "helo: ", offsetof(struct facts, helo), HOST_MAX + 1 },
	{ "rdns: ", offsetof(struct facts, rdns), HOST_MAX + 1 },
	{ "tag: ", offsetof(struct facts, tag), TAG_MAX + 1 },
	{ "auth: ", offsetof(struct facts, auth), ADDR_MAX + 1 },
};
#define N_FACT_LINES (sizeof fact_lines / sizeof fact_lines[0])

/* What is still to be read, and how far it is from the start. */
struct reader {
	const char *start, *p, *end;
	bool more; /* the input ended inside a line */
};

bool
rcpt_state_end(int state)
{
	return state == RCPT_DELIVERED || state == RCPT_FAILED ||
	    state == RCPT_REMOVED || state == RCPT_EXPANDED;
}

bool
rcpt_state_open(int state)
{
	return state == RCPT_WAITING || state == RCPT_WARNED;
}

bool
rcpt_state_known(int state)
{
	return rcpt_state_end(state) || rcpt_state_open(state) ||
	    state == RCPT_HELD || state == RCPT_HELD_WARNED ||
	    state == RCPT_OWED;
}

/* ---- printing ---- */

static char *
put(char *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(p, s, n);
	return p + n;
}

static char *
put_escaped(char *p, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > ' ' && c < 0x7f && c != '%') {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	return p;
}

static size_t
room_needed(const struct head *h)
{
	size_t n = sizeof MAGIC + FIXED_MAX;
	uint32_t i;

	n += ESCAPED_MAX * (strlen(h->facts.client) + strlen(h->sender));
	if (h->of.addr != NULL)
		n += FIXED_MAX + ESCAPED_MAX * strlen(h->of.addr);
	for (i = 0; i < N_FACT_LINES; i++)
		n += sizeof "helo: \n" +
		    ESCAPED_MAX *
			strlen((const char *)&h->facts + fact_lines[i].off);
	for (i = 0; i < h->n_rcpt; i++)
		n += sizeof "rcpt: q <>\n" +
		    ESCAPED_MAX * strlen(h->rcpt[i].addr);
	return n;
}

static char *
put_of(char *p, const struct head *h)
{
	char id[ID_LEN + 1];
	int n;

	n = snprintf(p, FIXED_MAX, "of: %s %" PRIu32 " <",
	    id_print(h->of.id, id), h->of.n);
	assert(n > 0 && n < FIXED_MAX);
	return put(put_escaped(p + n, h->of.addr), ">\n");
}

static char *
put_fixed(char *p, const struct head *h)
{
	const struct facts *f = &h->facts;
	const char *text;
	char id[ID_LEN + 1];
	size_t i;
	int n;

	n = snprintf(p, FIXED_MAX,
	    MAGIC "id: %s\narrived: %" PRId64 ".%06" PRId64 "\nclient: ",
	    id_print(h->id, id), h->arrived / 1000000, h->arrived % 1000000);
	assert(n > 0 && n < FIXED_MAX);
	p = put_escaped(p + n, f->client[0] == '\0' ? "-" : f->client);
	n = snprintf(p, FIXED_MAX,
	    " port %" PRIu16 " flags %" PRIu32 " uid %" PRIu32 "\n", f->port,
	    f->flags, f->uid);
	assert(n > 0 && n < FIXED_MAX);
	p += n;
	for (i = 0; i < N_FACT_LINES; i++) {
		text = (const char *)f + fact_lines[i].off;
		if (text[0] == '\0')
			continue;
		p = put_escaped(put(p, fact_lines[i].word), text);
		*p++ = '\n';
	}
	if (h->of.addr != NULL)
		p = put_of(p, h);
	p = put_escaped(put(p, "from: <"), h->sender);
	return put(p, ">\n");
}

bool
head_print(struct buf *out, struct head *h)
{
	char *start, *p;
	uint32_t i;

	assert(h->arrived >= 0 && h->n_rcpt > 0 && h->n_rcpt <= RCPT_MAX);
	start = (char *)buf_room(out, room_needed(h));
	if (start == NULL)
		return false;
	p = put_fixed(start, h);
	for (i = 0; i < h->n_rcpt; i++) {
		p = put(p, "rcpt: ");
		h->rcpt[i].off = (size_t)(p - start);
		p = put_escaped(put(p, "q <"), h->rcpt[i].addr);
		p = put(p, ">\n");
	}
	p += snprintf(p, FIXED_MAX, "sum: %016" PRIx64 "\n\n",
	    (uint64_t)XXH3_64bits(start, (size_t)(p - start)));
	h->len = (size_t)(p - start);
	for (i = 0; i < h->n_rcpt; i++)
		start[h->rcpt[i].off] = h->rcpt[i].state;
	buf_filled(out, h->len);
	return true;
}

/* ---- reading ---- */

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
		if ((rcpt->addr = read_path(*line, a, &why)) == NULL)
			return why;
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

	if (!skip(&line, "sum: ") || line.len != SUM_LEN)
		return "head: no sum";
	for (i = 0; i < SUM_LEN; i++) {
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

/* The lines from helo to from; all but the last may be absent. */
static const char *
read_texts(struct reader *r, struct arena *a, struct head *h)
{
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
	h->sender = read_path(line, a, &why);
	return why;
}

static const char *
read_head(struct reader *r, struct arena *a, struct head *h)
{
	static const char *(*const fixed[])(struct slice,
	    struct head *) = { read_id, read_arrived, read_client };
	size_t i, len = (size_t)(r->end - r->start);
	struct slice line;
	const char *why;

	if (memcmp(r->p, MAGIC, len < strlen(MAGIC) ? len : strlen(MAGIC)) != 0)
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
