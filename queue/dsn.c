/*
 * Composes notifications in the queue process.  Does no input or output.
 * What strangers said is printed with other than printable ASCII as '?', so
 * that the result is 7-bit and goes anywhere.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bounds.h"
#include "id.h"

#define LINE_MAX_7BIT 998 /* RFC 5322 2.1.1, without the CRLF */
#define FOLD_AT       72

/* Columns: by enum dsn_kind; subject, Action, the first words to a person. */
static const struct {
	const char *subject, *action, *words, *more;
} kinds[] = {
	[DSN_FAILED] = { "Your message could not be delivered", "failed",
	    "Your message could not be delivered to the recipients below.",
	    "No further attempt will be made." },
	[DSN_DELAYED] = { "Your message is delayed", "delayed",
	    "Your message has not yet been delivered to the recipients below.",
	    "There is no need to send it again: more attempts are made." },
	[DSN_DOUBLE] = { "A notification could not be delivered", "failed",
	    "A notification about mail that failed could not be delivered.",
	    "Its header stands at the end. Nobody else is told." },
};

uint64_t
dsn_id(uint64_t id, enum dsn_kind kind, uint32_t n)
{
	uint64_t base = id & ~(ID_STEP - 1);

	if (kind == DSN_DOUBLE)
		return base | (ID_STEP - 1 - n % DSN_DOUBLES);
	return base | (2 * (uint64_t)n + (kind == DSN_FAILED ? 1 : 2));
}

bool
dsn_is_double(uint64_t id)
{
	return (id & (ID_STEP - 1)) > ID_STEP - 1 - DSN_DOUBLES;
}

_Static_assert(2 + 2 * (RCPT_MAX - 1) <= ID_STEP - 1 - DSN_DOUBLES,
    "ids of notifications do not meet those of double bounces");

const char *
dsn_status(enum dsn_kind kind, const struct outcome *last, char *out,
    size_t size)
{
	unsigned int class = kind == DSN_DELAYED ? 4 : 5;

	if (last->ecode[0] == class)
		snprintf(out, size, "%u.%u.%u", last->ecode[0],
		    last->ecode[1] % 1000u, last->ecode[2] % 1000u);
	else if (kind != DSN_DELAYED && last->verdict == LATER)
		/* Given up for its age: RFC 3463, a persistent transient
		 * failure that has caused abandonment. */
		snprintf(out, size, "4.4.7");
	else
		snprintf(out, size, "%u.0.0", class);
	return out;
}

static char
safe(char c)
{
	return c >= 32 && c < 127 ? c : '?';
}

static bool
put_safe(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		char c = safe(*text);

		if (!buf_add(out, &c, 1))
			return false;
	}
	return true;
}

/* text and a line end, folded at blanks: a new line begins with indent.  at:
 * the column where it begins. */
static bool
put_folded(struct buf *out, size_t at, const char *indent, const char *text)
{
	size_t word;
	char c;

	for (; *text != '\0'; text++) {
		word = strcspn(text + 1, " ");
		if (*text == ' ' && at > strlen(indent) &&
		    at + 1 + word > FOLD_AT) {
			if (!buf_puts(out, "\r\n") || !buf_puts(out, indent))
				return false;
			at = strlen(indent);
			continue;
		}
		c = safe(*text);
		if (!buf_add(out, &c, 1))
			return false;
		at++;
	}
	return buf_puts(out, "\r\n");
}

/* "Name: type; text", folded. */
static bool
put_field(struct buf *out, const char *name, const char *type, const char *text)
{
	return buf_printf(out, "%s: %s; ", name, type) &&
	    put_folded(out, strlen(name) + strlen(type) + 4, "    ", text);
}

/* RFC 5322 3.3, in any locale. */
static bool
put_date(struct buf *out, const char *before, int64_t when)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return true;
	return buf_printf(out, "%s%s, %d %s %d %02d:%02d:%02d +0000\r\n",
	    before, days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool
put_header(struct buf *out, const struct dsn *d, const char *boundary)
{
	char id[ID_LEN + 1];

	return put_date(out, "Date: ", d->now) &&
	    buf_printf(out,
		"From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <",
		d->hostname) &&
	    put_safe(out, d->to) &&
	    buf_printf(out, ">\r\nSubject: %s\r\nMessage-ID: <%s.dsn@%s>\r\n",
		kinds[d->kind].subject, id_print(d->id, id), d->hostname) &&
	    buf_puts(out, "Auto-Submitted: auto-replied\r\n") &&
	    buf_puts(out, "MIME-Version: 1.0\r\n") &&
	    buf_puts(out, "Content-Type: multipart/report;\r\n") &&
	    buf_puts(out, "\treport-type=delivery-status;\r\n") &&
	    buf_printf(out, "\tboundary=\"%s\"\r\n\r\n", boundary);
}

/* What a person reads of one recipient. */
static bool
put_rcpt_words(struct buf *out, const struct dsn *d, const struct dsn_rcpt *r)
{
	char text[OUTCOME_TEXT_MAX + 64];
	bool spoke = !r->last.local && r->last.code != 0;

	if (!buf_puts(out, "\r\n<") || !put_safe(out, r->addr) ||
	    !buf_puts(out, ">\r\n"))
		return false;
	if (r->orig != NULL &&
	    (!buf_puts(out, "    for which <") || !put_safe(out, r->orig) ||
		!buf_puts(out, "> stands here\r\n")))
		return false;
	if (d->kind != DSN_DELAYED && r->last.verdict == LATER &&
	    !buf_puts(out, "    It was tried until it was too old.\r\n"))
		return false;
	outcome_print(&r->last, text, sizeof text);
	if (text[0] == '\0')
		return buf_puts(out, "    No reason is known.\r\n");
	if (spoke && r->relay[0] != '\0' &&
	    (!buf_puts(out, "    ") || !put_safe(out, r->relay) ||
		!buf_puts(out, " said:\r\n")))
		return false;
	return buf_puts(out, "    ") && put_folded(out, 4, "    ", text);
}

/* The last of them. */
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
put_words(struct buf *out, const struct dsn *d)
{
	char id[ID_LEN + 1];
	uint32_t i;

	if (!buf_puts(out,
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n") ||
	    !buf_printf(out, "%s\r\n%s\r\n", kinds[d->kind].words,
		kinds[d->kind].more) ||
	    !put_date(out, "\r\nIt came in: ", d->arrived) ||
	    (d->kind == DSN_DELAYED &&
		!put_date(out, "It is tried until: ", until(d))) ||
	    !buf_printf(out, "Its id at %s: %s\r\n", d->hostname,
		id_print(d->about, id)))
		return false;
	for (i = 0; i < d->n_rcpt; i++) {
		if (!put_rcpt_words(out, d, &d->rcpt[i]))
			return false;
	}
	return true;
}

/* "host[192.0.2.1]:25" is "host", and "[192.0.2.1]:25" "[192.0.2.1]". */
static bool
put_remote(struct buf *out, const char *relay)
{
	char host[RELAY_MAX + 1];
	size_t len = strcspn(relay, "[");

	if (len == 0)
		len = strcspn(relay, "]") + (strchr(relay, ']') != NULL);
	if (len == 0)
		return true;
	snprintf(host, sizeof host, "%.*s", (int)len, relay);
	return put_field(out, "Remote-MTA", "dns", host);
}

/* RFC 3464 2.3: the fields of one recipient, in their order. */
static bool
put_rcpt_status(struct buf *out, const struct dsn *d, const struct dsn_rcpt *r)
{
	char text[OUTCOME_TEXT_MAX + 64], status[20];
	bool spoke = !r->last.local && r->last.code != 0;

	if (!buf_puts(out, "\r\n") ||
	    (r->orig != NULL &&
		(!buf_puts(out, "Original-Recipient: rfc822; ") ||
		    !put_safe(out, r->orig) || !buf_puts(out, "\r\n"))) ||
	    !buf_puts(out, "Final-Recipient: rfc822; ") ||
	    !put_safe(out, r->addr) ||
	    !buf_printf(out, "\r\nAction: %s\r\nStatus: %s\r\n",
		kinds[d->kind].action,
		dsn_status(d->kind, &r->last, status, sizeof status)))
		return false;
	if (spoke && !put_remote(out, r->relay))
		return false;
	outcome_print(&r->last, text, sizeof text);
	if (text[0] != '\0' &&
	    !put_field(out, "Diagnostic-Code", spoke ? "smtp" : "X-Postern",
		text))
		return false;
	if (r->tried != 0 && !put_date(out, "Last-Attempt-Date: ", r->tried))
		return false;
	return d->kind != DSN_DELAYED ||
	    put_date(out, "Will-Retry-Until: ", r->until);
}

static bool
put_status(struct buf *out, const struct dsn *d)
{
	uint32_t i;

	if (!buf_puts(out, "Content-Type: message/delivery-status\r\n\r\n") ||
	    !buf_printf(out, "Reporting-MTA: dns; %s\r\n", d->hostname) ||
	    !put_date(out, "Arrival-Date: ", d->arrived))
		return false;
	for (i = 0; i < d->n_rcpt; i++) {
		if (!put_rcpt_status(out, d, &d->rcpt[i]))
			return false;
	}
	return true;
}

/* The original's header as far as the bound and its empty line. */
static bool
put_original(struct buf *out, const struct dsn *d)
{
	const char *p = d->header, *line, *nl;
	size_t left = d->header_len, len, i;

	if (left > DSN_HEADER_MAX)
		left = DSN_HEADER_MAX;
	while (left > 0 && (nl = memchr(p, '\n', left)) != NULL) {
		line = p;
		len = (size_t)(nl - p);
		p = nl + 1;
		left -= len + 1;
		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (len == 0)
			return true;
		if (len > LINE_MAX_7BIT)
			len = LINE_MAX_7BIT;
		for (i = 0; i < len; i++) {
			char c = line[i] == '\t' ? '\t' : safe(line[i]);

			if (!buf_add(out, &c, 1))
				return false;
		}
		if (!buf_puts(out, "\r\n"))
			return false;
	}
	return true;
}

bool
dsn_print(struct buf *out, const struct dsn *d)
{
	char boundary[ID_LEN + 32], id[ID_LEN + 1];

	/* "=_" stands in no quoted-printable or base64 text, and no header
	 * field begins with a hyphen. */
	snprintf(boundary, sizeof boundary, "=_postern_%s",
	    id_print(d->id, id));
	return put_header(out, d, boundary) &&
	    buf_puts(out, "This is a notification in MIME format.\r\n") &&
	    buf_printf(out, "\r\n--%s\r\n", boundary) && put_words(out, d) &&
	    buf_printf(out, "\r\n--%s\r\n", boundary) && put_status(out, d) &&
	    buf_printf(out, "\r\n--%s\r\n", boundary) &&
	    buf_puts(out, "Content-Type: text/rfc822-headers\r\n\r\n") &&
	    put_original(out, d) && buf_printf(out, "\r\n--%s--\r\n", boundary);
}
