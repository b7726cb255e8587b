/*
 * Composes notifications in the queue process.  Does no input or output.
 * What strangers said is printed with other than printable ASCII as '?', so
 * that the result is 7-bit and goes anywhere; but bytes over 127 stay in one
 * about an internationalised message.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bounds.h"
#include "dsn_param.h"
#include "id.h"

#define LINE_MAX_7BIT 998 /* RFC 5322 2.1.1, without the CRLF */
#define FOLD_AT       72
#define ADDR_LINE_MAX (LINE_MAX_7BIT - 32) /* behind a field's name */

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
	[DSN_SUCCESS] = { "Your message was passed on", "relayed",
	    "Your message was passed on for the recipients below.",
	    "Nobody tells what becomes of it there." },
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
	return base | (2 * (uint64_t)n + (kind == DSN_DELAYED ? 2 : 1));
}

bool
dsn_is_double(uint64_t id)
{
	return (id & (ID_STEP - 1)) > ID_STEP - 1 - DSN_DOUBLES;
}

_Static_assert(2 + 2 * (RCPT_MAX - 1) <= ID_STEP - 1 - DSN_DOUBLES,
    "ids of notifications do not meet those of double bounces");

static const unsigned int classes[] = {
	[DSN_FAILED] = 5,
	[DSN_DELAYED] = 4,
	[DSN_DOUBLE] = 5,
	[DSN_SUCCESS] = 2,
};

const char *
dsn_status(enum dsn_kind kind, const struct outcome *last, char *out,
    size_t size)
{
	unsigned int class = classes[kind];

	if (last->ecode[0] == class)
		snprintf(out, size, "%u.%u.%u", last->ecode[0],
		    last->ecode[1] % 1000u, last->ecode[2] % 1000u);
	else if (class == 5 && last->verdict == LATER)
		/* Given up for its age: RFC 3463, a persistent transient
		 * failure that has caused abandonment. */
		snprintf(out, size, "4.4.7");
	else
		snprintf(out, size, "%u.0.0", class);
	return out;
}

/* Everything below prints with this. */
struct printer {
	struct buf *out;
	const struct dsn *d;
	const char *boundary;
};

static char
safe(const struct printer *p, char c)
{
	if (p->d->utf8 && (unsigned char)c >= 0x80)
		return c;
	return c >= 32 && c < 127 ? c : '?';
}

static bool
put_safe(const struct printer *p, const char *text)
{
	for (; *text != '\0'; text++) {
		char c = safe(p, *text);

		if (!buf_add(p->out, &c, 1))
			return false;
	}
	return true;
}

/* text and a line end, folded at blanks: a new line begins with indent.  at:
 * the column where it begins. */
static bool
put_folded(const struct printer *p, size_t at, const char *indent,
    const char *text)
{
	size_t word;
	char c;

	for (; *text != '\0'; text++) {
		word = strcspn(text + 1, " ");
		if (*text == ' ' && at > strlen(indent) &&
		    at + 1 + word > FOLD_AT) {
			if (!buf_puts(p->out, "\r\n") ||
			    !buf_puts(p->out, indent))
				return false;
			at = strlen(indent);
			continue;
		}
		c = safe(p, *text);
		if (!buf_add(p->out, &c, 1))
			return false;
		at++;
	}
	return buf_puts(p->out, "\r\n");
}

/* "Name: type; text", folded. */
static bool
put_field(const struct printer *p, const char *name, const char *type,
    const char *text)
{
	return buf_printf(p->out, "%s: %s; ", name, type) &&
	    put_folded(p, strlen(name) + strlen(type) + 4, "    ", text);
}

/* RFC 5322 3.3, in any locale. */
static bool
put_date(const struct printer *p, const char *before, int64_t when)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return true;
	return buf_printf(p->out, "%s%s, %d %s %d %02d:%02d:%02d +0000\r\n",
	    before, days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* True if something in it is beyond ASCII. */
static bool
is_8bit(const struct dsn *d)
{
	size_t i;

	for (i = 0; d->whole && i < d->original_len; i++) {
		if ((unsigned char)d->original[i] > 0x7f)
			return true;
	}
	return d->utf8;
}

static bool
put_encoding(const struct printer *p)
{
	return !is_8bit(p->d) ||
	    buf_puts(p->out, "Content-Transfer-Encoding: 8bit\r\n");
}

static bool
put_header(const struct printer *p)
{
	const struct dsn *d = p->d;
	struct buf *out = p->out;
	char id[ID_LEN + 1];

	return put_date(p, "Date: ", d->now) &&
	    buf_printf(out,
		"From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <",
		d->hostname) &&
	    put_safe(p, d->to) &&
	    buf_printf(out, ">\r\nSubject: %s\r\nMessage-ID: <%s.dsn@%s>\r\n",
		kinds[d->kind].subject, id_print(d->id, id), d->hostname) &&
	    buf_puts(out, "Auto-Submitted: auto-replied\r\n") &&
	    buf_puts(out, "MIME-Version: 1.0\r\n") && put_encoding(p) &&
	    buf_puts(out, "Content-Type: multipart/report;\r\n") &&
	    buf_printf(out, "\treport-type=%s;\r\n",
		d->utf8 ? "global-delivery-status" : "delivery-status") &&
	    buf_printf(out, "\tboundary=\"%s\"\r\n\r\n", p->boundary);
}

/* ---- for a person ---- */

/* Whom the sender wrote to, where that is another. */
static bool
put_original_words(const struct printer *p, const struct dsn_rcpt *r)
{
	char type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1];

	if (!orcpt_decode(r->orcpt, type, addr) || strcmp(addr, r->addr) == 0)
		return true;
	return buf_puts(p->out, "    for which <") && put_safe(p, addr) &&
	    buf_puts(p->out, "> stands here\r\n");
}

/* What became of it, of which the server's words do not tell. */
static const char *
more_words(const struct dsn *d, const struct dsn_rcpt *r)
{
	if (d->kind == DSN_SUCCESS)
		return r->expanded ?
		    "    It stands for several others, who are sent it.\r\n" :
		    "    The next server took it, and sends no notifications.\r\n";
	if (d->kind != DSN_DELAYED && r->last.verdict == LATER)
		return "    It was tried until it was too old.\r\n";
	return "";
}

static bool
put_rcpt_words(const struct printer *p, const struct dsn_rcpt *r)
{
	char text[OUTCOME_TEXT_MAX + 64];
	bool spoke = !r->last.local && r->last.code != 0;
	struct buf *out = p->out;

	if (!buf_puts(out, "\r\n<") || !put_safe(p, r->addr) ||
	    !buf_puts(out, ">\r\n") || !put_original_words(p, r) ||
	    !buf_puts(out, more_words(p->d, r)))
		return false;
	if (p->d->kind == DSN_SUCCESS && r->expanded)
		return true;
	outcome_print(&r->last, text, sizeof text);
	if (text[0] == '\0')
		return buf_puts(out, "    No reason is known.\r\n");
	if (spoke && r->relay[0] != '\0' &&
	    (!buf_puts(out, "    ") || !put_safe(p, r->relay) ||
		!buf_puts(out, " said:\r\n")))
		return false;
	return buf_puts(out, "    ") && put_folded(p, 4, "    ", text);
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
put_words(const struct printer *p)
{
	const struct dsn *d = p->d;
	char id[ID_LEN + 1];
	uint32_t i;

	if (!buf_printf(p->out, "Content-Type: text/plain; charset=%s\r\n",
		d->utf8 ? "utf-8" : "us-ascii") ||
	    (d->utf8 && !put_encoding(p)) ||
	    !buf_printf(p->out, "\r\n%s\r\n%s\r\n", kinds[d->kind].words,
		kinds[d->kind].more) ||
	    !put_date(p, "\r\nIt came in: ", d->arrived) ||
	    (d->kind == DSN_DELAYED &&
		!put_date(p, "It is tried until: ", until(d))) ||
	    !buf_printf(p->out, "Its id at %s: %s\r\n", d->hostname,
		id_print(d->about, id)))
		return false;
	for (i = 0; i < d->n_rcpt; i++) {
		if (!put_rcpt_words(p, &d->rcpt[i]))
			return false;
	}
	return true;
}

/* ---- for a program (RFC 3464 2) ---- */

/* RFC 6533 3: beyond ASCII the type of an address is utf-8; where the notice
 * is not, it stands in its 7-bit form. */
static bool
put_addr(const struct printer *p, const char *name, const char *type,
    const char *addr)
{
	char narrow[8 * ADDR_MAX];

	if (has_8bit(addr)) {
		type = "utf-8";
		if (!p->d->utf8)
			addr = addr_7bit(addr, narrow, sizeof narrow);
	}
	if (strlen(addr) > ADDR_LINE_MAX)
		return true; /* none of ours; RFC 3464 2.3.1: it may lack */
	return buf_printf(p->out, "%s: %s; ", name, type) &&
	    put_safe(p, addr) && buf_puts(p->out, "\r\n");
}

static bool
put_original_rcpt(const struct printer *p, const struct dsn_rcpt *r)
{
	char type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1];

	if (!orcpt_decode(r->orcpt, type, addr))
		return true;
	return put_addr(p, "Original-Recipient", type, addr);
}

/* "host[192.0.2.1]:25" is "host", and "[192.0.2.1]:25" "[192.0.2.1]". */
static bool
put_remote(const struct printer *p, const char *relay)
{
	char host[RELAY_MAX + 1];
	size_t len = strcspn(relay, "[");

	if (len == 0)
		len = strcspn(relay, "]") + (strchr(relay, ']') != NULL);
	if (len == 0)
		return true;
	snprintf(host, sizeof host, "%.*s", (int)len, relay);
	return put_field(p, "Remote-MTA", "dns", host);
}

/* RFC 3464 2.3: the fields of one recipient, in their order. */
static bool
put_rcpt_status(const struct printer *p, const struct dsn_rcpt *r)
{
	char text[OUTCOME_TEXT_MAX + 64], status[20];
	enum dsn_kind kind = p->d->kind;
	bool expanded = kind == DSN_SUCCESS && r->expanded;
	bool spoke = !r->last.local && r->last.code != 0;

	if (!buf_puts(p->out, "\r\n") || !put_original_rcpt(p, r) ||
	    !put_addr(p, "Final-Recipient", "rfc822", r->addr) ||
	    !buf_printf(p->out, "Action: %s\r\nStatus: %s\r\n",
		expanded ? "expanded" : kinds[kind].action,
		dsn_status(kind, &r->last, status, sizeof status)))
		return false;
	if (spoke && !put_remote(p, r->relay))
		return false;
	outcome_print(&r->last, text, sizeof text);
	if (text[0] != '\0' && !expanded &&
	    !put_field(p, "Diagnostic-Code", spoke ? "smtp" : "X-Postern",
		text))
		return false;
	if (r->tried != 0 && !put_date(p, "Last-Attempt-Date: ", r->tried))
		return false;
	return kind != DSN_DELAYED ||
	    put_date(p, "Will-Retry-Until: ", r->until);
}

static bool
put_envid(const struct printer *p)
{
	char envid[ENVID_MAX + 1];

	if (!xtext_decode(slice_of(p->d->envid), envid, sizeof envid) ||
	    envid[0] == '\0')
		return true;
	return buf_puts(p->out, "Original-Envelope-Id: ") &&
	    put_safe(p, envid) && buf_puts(p->out, "\r\n");
}

static bool
put_status(const struct printer *p)
{
	const struct dsn *d = p->d;
	uint32_t i;

	if (!buf_printf(p->out, "Content-Type: message/%s\r\n",
		d->utf8 ? "global-delivery-status" : "delivery-status") ||
	    (d->utf8 && !put_encoding(p)) || !buf_puts(p->out, "\r\n") ||
	    !put_envid(p) ||
	    !buf_printf(p->out, "Reporting-MTA: dns; %s\r\n", d->hostname) ||
	    !put_date(p, "Arrival-Date: ", d->arrived))
		return false;
	for (i = 0; i < d->n_rcpt; i++) {
		if (!put_rcpt_status(p, &d->rcpt[i]))
			return false;
	}
	return true;
}

/* ---- the original ---- */

/* Its header as far as the bound and its empty line. */
static bool
put_original_header(const struct printer *p)
{
	const char *at = p->d->original, *line, *nl;
	size_t left = p->d->original_len, len, i;

	if (left > DSN_HEADER_MAX)
		left = DSN_HEADER_MAX;
	while (left > 0 && (nl = memchr(at, '\n', left)) != NULL) {
		line = at;
		len = (size_t)(nl - at);
		at = nl + 1;
		left -= len + 1;
		if (len > 0 && line[len - 1] == '\r')
			len--;
		if (len == 0)
			return true;
		if (len > LINE_MAX_7BIT)
			len = LINE_MAX_7BIT;
		for (i = 0; i < len; i++) {
			char c = line[i] == '\t' ? '\t' : safe(p, line[i]);

			if (!buf_add(p->out, &c, 1))
				return false;
		}
		if (!buf_puts(p->out, "\r\n"))
			return false;
	}
	return true;
}

/* Columns: whole, internationalised. */
static const char *const original_types[2][2] = {
	{ "text/rfc822-headers", "message/global-headers" },
	{ "message/rfc822", "message/global" },
};

static bool
put_original(const struct printer *p)
{
	const struct dsn *d = p->d;

	if (!buf_printf(p->out, "Content-Type: %s\r\n",
		original_types[d->whole][d->utf8]) ||
	    !put_encoding(p) || !buf_puts(p->out, "\r\n"))
		return false;
	if (d->whole)
		return buf_add(p->out, d->original, d->original_len);
	return put_original_header(p);
}

/* ---- all of it ---- */

/* Nothing in the original ends the part that it stands in.  "=_" stands in no
 * quoted-printable or base64 text, and no header field begins with a hyphen,
 * so that only who knew the id before can have done it. */
static bool
has_boundary(const struct dsn *d, const char *boundary)
{
	return d->whole &&
	    memmem(d->original, d->original_len, boundary, strlen(boundary)) !=
	    NULL;
}

bool
dsn_print(struct buf *out, const struct dsn *d)
{
	char boundary[ID_LEN + 32], id[ID_LEN + 1];
	struct dsn bare = *d;
	struct printer p = { out, &bare, boundary };

	snprintf(boundary, sizeof boundary, "=_postern_%s",
	    id_print(d->id, id));
	if (has_boundary(d, boundary))
		bare.whole = false;
	return put_header(&p) &&
	    buf_puts(out, "This is a notification in MIME format.\r\n") &&
	    buf_printf(out, "\r\n--%s\r\n", boundary) && put_words(&p) &&
	    buf_printf(out, "\r\n--%s\r\n", boundary) && put_status(&p) &&
	    buf_printf(out, "\r\n--%s\r\n", boundary) && put_original(&p) &&
	    buf_printf(out, "\r\n--%s--\r\n", boundary);
}
