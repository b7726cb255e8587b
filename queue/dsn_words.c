/*
 * What a person reads of a notification: first a sentence that says what
 * happened, then whether anything is to be done, then who is concerned, and
 * the servers' own words.  Used by the queue process; does no input or output.
 *
 * There is one notification for all recipients of a message that failed in
 * one round, which is fewer than one for each cause: each cause is a
 * paragraph of it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bounds.h"
#include "dsn_own.h"
#include "dsn_param.h"
#include "dsn_reason.h"
#include "dsn_title.h"
#include "id.h"
#include "log.h"

#define WIDTH      72
#define LINE_BYTES 900 /* a word may be broken here: RFC 5322 2.1.1 */
/* So many are said to a person; the part for programs has all. */
#define PARAGRAPHS 50
#define ADDRESSES  100

/* Columns: by enum dsn_kind; what is said before several reasons, around how
 * many it is about (after NULL: without), and what is to be done. */
static const struct {
	const char *several, *after, *then;
} kinds[] = {
	[DSN_FAILED] = { "Your message could not be delivered to",
	    "recipients, for different reasons.",
	    "No further attempt is made." },
	[DSN_DELAYED] = { "Your message could not yet be delivered to",
	    "recipients, for different reasons.",
	    "Nothing needs to be done, and there is no need to send it again: it is tried until" },
	[DSN_SUCCESS] = { "Your message was passed on for", "recipients.",
	    NULL },
	[DSN_DOUBLE] = { "A notification about mail that failed could not be delivered either.",
	    NULL, "Nobody else is told." },
};

struct words {
	struct buf *out;
	const struct dsn *d;
	struct reason_group *group;
	uint32_t n_group;
	uint32_t *of; /* the group of each recipient */
};

bool
dsn_date(struct buf *out, int64_t when)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return buf_puts(out, "Thu, 1 Jan 1970 00:00:00 +0000");
	return buf_printf(out, "%s, %d %s %d %02d:%02d:%02d +0000",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* ---- lines ---- */

/* Characters, not bytes. */
static size_t
columns(const char *p, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		n += ((unsigned char)p[i] & 0xc0) != 0x80;
	return n;
}

/* One word, broken between characters where no line holds it. */
static bool
put_word(struct buf *out, const char *indent, const char *p, size_t len)
{
	size_t n;

	for (; len > LINE_BYTES; p += n, len -= n) {
		for (n = LINE_BYTES; ((unsigned char)p[n] & 0xc0) == 0x80;)
			n--;
		if (!buf_add(out, p, n) || !buf_puts(out, "\r\n") ||
		    !buf_puts(out, indent))
			return false;
	}
	return buf_add(out, p, len);
}

/* A paragraph, its lines broken at blanks; takes what text holds. */
static bool
put_lines(struct buf *out, const char *indent, struct buf *text)
{
	const char *p = (const char *)buf_data(text), *end = p + text->len;
	size_t at = strlen(indent), len, wide;
	const char *blank;
	bool ok = buf_puts(out, indent), first = true;

	for (; ok && p < end; p += len + (p + len < end)) {
		blank = memchr(p, ' ', (size_t)(end - p));
		len = (size_t)((blank == NULL ? end : blank) - p);
		wide = columns(p, len);
		if (!first && at + 1 + wide > WIDTH) {
			ok = buf_puts(out, "\r\n") && buf_puts(out, indent);
			at = strlen(indent);
		} else if (!first) {
			ok = buf_puts(out, " ");
			at++;
		}
		ok = ok && put_word(out, indent, p, len);
		at += wide;
		first = false;
	}
	buf_drain(text, text->len);
	return ok && buf_puts(out, "\r\n");
}

/* ---- who ---- */

/* Whom the sender wrote to, where that is another. */
static bool
add_original(struct buf *line, const struct dsn_rcpt *r)
{
	char type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1];

	if (!orcpt_decode(r->orcpt, type, addr) || strcmp(addr, r->addr) == 0)
		return true;
	return buf_puts(line, " (you wrote to ") && dsn_text(line, addr) &&
	    buf_puts(line, ")");
}

static bool
put_addresses(struct words *w, uint32_t g)
{
	const struct dsn *d = w->d;
	uint32_t i, n = 0;
	struct buf line;
	bool ok = true;

	buf_init(&line, 0);
	for (i = 0; ok && i < d->n_rcpt; i++) {
		if (w->of[i] != g || n++ >= ADDRESSES)
			continue;
		ok = buf_puts(&line, "<") && dsn_text(&line, d->rcpt[i].addr) &&
		    buf_puts(&line, ">") && add_original(&line, &d->rcpt[i]) &&
		    put_lines(w->out, "    ", &line);
	}
	if (ok && n > ADDRESSES)
		ok = buf_printf(w->out,
		    "    and %" PRIu32 " more, listed in the next part\r\n",
		    n - ADDRESSES);
	buf_free(&line);
	return ok;
}

/* ---- why, in their words ---- */

static bool
add_who_said(struct buf *line, const struct dsn *d, const struct dsn_rcpt *r)
{
	bool spoke = !r->last.local && r->last.code != 0;

	if (!spoke || r->relay[0] == '\0')
		return buf_printf(line, "%s reported", d->hostname);
	/* A path, of a socket, tells strangers nothing. */
	if (r->relay[0] == '/')
		return buf_puts(line, "The server of its mailbox said");
	return dsn_text(line, r->relay) && buf_puts(line, " said");
}

static bool
put_reason(struct words *w, const struct reason_group *g)
{
	const struct dsn_rcpt *r = &w->d->rcpt[g->first];
	char text[OUTCOME_TEXT_MAX + 64];
	struct buf line;
	bool ok;

	dsn_said(&r->last, text, sizeof text);
	if (text[0] == '\0')
		return buf_puts(w->out, "No reason is known.\r\n");
	buf_init(&line, 0);
	ok = add_who_said(&line, w->d, r) &&
	    (r->tried == 0 ||
		(buf_puts(&line, " on ") && dsn_date(&line, r->tried))) &&
	    (g->same_words || buf_puts(&line, ", about the first of them")) &&
	    buf_puts(&line, ":") && put_lines(w->out, "", &line) &&
	    dsn_text(&line, text) && put_lines(w->out, "    ", &line);
	buf_free(&line);
	return ok;
}

static bool
put_sentence(struct words *w, const struct reason_group *g)
{
	struct buf line;
	bool ok;

	buf_init(&line, 0);
	ok = dsn_reason_print(&line, w->d, g) && put_lines(w->out, "", &line);
	buf_free(&line);
	return ok;
}

/* A reason, and whom it is about.  A single one was said at the top. */
static bool
put_group(struct words *w, uint32_t i)
{
	const struct reason_group *g = &w->group[i];
	bool said = w->n_group == 1 && w->d->kind != DSN_DOUBLE;

	bool silent = g->reason->kind == REASON_EXPANDED ||
	    g->reason->kind == REASON_DELIVERED;

	return buf_puts(w->out, "\r\n") && (said || put_sentence(w, g)) &&
	    put_addresses(w, i) && (silent || put_reason(w, g));
}

/* ---- the whole ---- */

/* When the last of them is given up. */
static int64_t
until(const struct dsn *d)
{
	int64_t last = 0;
	uint32_t i;

	for (i = 0; i < d->n_rcpt; i++) {
		if (d->rcpt[i].until > last)
			last = d->rcpt[i].until;
	}
	return last;
}

static bool
put_then(struct words *w)
{
	const char *then = kinds[w->d->kind].then;
	struct buf line;
	bool ok;

	if (then == NULL)
		return true;
	buf_init(&line, 0);
	ok = buf_puts(&line, then);
	if (w->d->kind == DSN_DELAYED)
		ok = ok && buf_puts(&line, " ") &&
		    dsn_date(&line, until(w->d)) && buf_puts(&line, ".");
	ok = ok && put_lines(w->out, "", &line);
	buf_free(&line);
	return ok;
}

/* The first sentence, and what is to be done. */
static bool
put_top(struct words *w)
{
	const struct dsn *d = w->d;
	struct buf line;
	bool ok;

	if (w->n_group == 1 && d->kind != DSN_DOUBLE)
		return put_sentence(w, &w->group[0]) && put_then(w);
	buf_init(&line, 0);
	ok = buf_puts(&line, kinds[d->kind].several) &&
	    (kinds[d->kind].after == NULL ||
		buf_printf(&line, " %" PRIu32 " %s", d->n_rcpt,
		    kinds[d->kind].after)) &&
	    put_lines(w->out, "", &line) && put_then(w);
	buf_free(&line);
	return ok;
}

/* Which message it was, as the sender knows it. */
static bool
put_about(struct words *w)
{
	const struct dsn *d = w->d;
	struct slice header = { d->original, d->original_len };
	char subject[DSN_TITLE_SIZE], date[DSN_TITLE_SIZE];
	struct buf line;
	bool ok;

	dsn_title(header, "Subject", subject);
	dsn_title(header, "Date", date);
	if (subject[0] == '\0' && date[0] == '\0')
		return true;
	buf_init(&line, 0);
	ok = buf_printf(&line, "This is about %s",
		 d->kind == DSN_DOUBLE ? "the notification" : "your message") &&
	    (subject[0] == '\0' || buf_printf(&line, " \"%s\"", subject)) &&
	    (date[0] == '\0' || buf_printf(&line, " of %s", date)) &&
	    buf_puts(&line,
		subject[0] == '\0' ? ", which has no subject." : ".") &&
	    buf_puts(w->out, "\r\n") && put_lines(w->out, "", &line);
	buf_free(&line);
	return ok;
}

static bool
put_end(struct words *w)
{
	const struct dsn *d = w->d;
	char id[ID_LEN + 1];
	struct buf line;
	bool ok;

	buf_init(&line, 0);
	ok = buf_puts(w->out, "\r\n") &&
	    buf_puts(&line, "The message came in on ") &&
	    dsn_date(&line, d->arrived) &&
	    buf_printf(&line, " and is known at %s as %s. %s", d->hostname,
		id_print(d->about, id),
		d->whole ? "It stands at the end." :
			   "Its header stands at the end.") &&
	    put_lines(w->out, "", &line);
	buf_free(&line);
	return ok;
}

static bool
put_all(struct words *w)
{
	uint32_t i;

	if (!put_top(w) || !put_about(w))
		return false;
	for (i = 0; i < w->n_group && i < PARAGRAPHS; i++) {
		if (!put_group(w, i))
			return false;
	}
	if (w->n_group > PARAGRAPHS &&
	    !buf_puts(w->out,
		"\r\nThe others are listed in the next part.\r\n"))
		return false;
	return put_end(w);
}

static void
words_init(struct words *w, struct buf *out, const struct dsn *d)
{
	*w = (struct words){ .out = out, .d = d };
	w->group = xcalloc(d->n_rcpt, sizeof *w->group);
	w->of = xcalloc(d->n_rcpt, sizeof *w->of);
	w->n_group = dsn_reason_groups(d, w->group, w->of);
}

static void
words_free(struct words *w)
{
	free(w->group);
	free(w->of);
}

bool
dsn_words(struct buf *out, const struct dsn *d)
{
	struct words w;
	bool ok;

	words_init(&w, out, d);
	ok = put_all(&w);
	words_free(&w);
	return ok;
}

const char *
dsn_brief(const struct dsn *d)
{
	const char *brief;
	struct words w;

	words_init(&w, NULL, d);
	brief = w.n_group == 1 ? w.group[0].reason->brief : NULL;
	words_free(&w);
	return brief;
}
