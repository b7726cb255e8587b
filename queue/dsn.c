/*
 * Composes notifications in the queue process.  Does no input or output.
 * What strangers said is printed with other than printable ASCII as '?', so
 * that the result is 7-bit and goes anywhere; but bytes over 127 stay in one
 * about an internationalised message.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "dsn_own.h"
#include "dsn_param.h"
#include "dsn_words.h"
#include "id.h"
#include "slice.h"

#define LINE_MAX_7BIT 998 /* RFC 5322 2.1.1, without the CRLF */
#define FOLD_AT       72
#define BREAK_AT      900                  /* where there is no blank */
#define ADDR_LINE_MAX (LINE_MAX_7BIT - 32) /* behind a field's name */
#define QUOTED_MAX    76                   /* RFC 2045 6.7 */

/* Columns: by enum dsn_kind; name, subject, Action. */
static const struct {
	const char *name, *subject, *action;
} kinds[] = {
	[DSN_FAILED] = { "failed", "Your message could not be delivered",
	    "failed" },
	[DSN_DELAYED] = { "delayed", "Your message is delayed", "delayed" },
	[DSN_SUCCESS] = { "success", "Your message was passed on", "relayed" },
	[DSN_DOUBLE] = { "double", "A notification could not be delivered",
	    "failed" },
};

const char *
dsn_kind_name(enum dsn_kind kind)
{
	return kinds[kind].name;
}

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

/* RFC 3464 2.3.3: "delivered" is for who need not be told by anybody else. */
static const char *
action_of(enum dsn_kind kind, const struct dsn_rcpt *r)
{
	if (kind == DSN_SUCCESS && r->expanded)
		return "expanded";
	if (kind == DSN_SUCCESS && r->here)
		return "delivered";
	return kinds[kind].action;
}

static const char *
subject_of(const struct dsn *d)
{
	uint32_t i;

	for (i = 0; i < d->n_rcpt && d->kind == DSN_SUCCESS; i++) {
		if (d->rcpt[i].expanded || !d->rcpt[i].here)
			break;
	}
	return d->n_rcpt > 0 && i == d->n_rcpt ? "Your message was delivered" :
						 kinds[d->kind].subject;
}

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

/* Of ASCII, a blank included. */
static bool
is_print(char c)
{
	return c >= 32 && c < 127;
}

/* Everything below prints with this. */
struct printer {
	struct buf *out;
	const struct dsn *d;
	const char *boundary;
};

/* A character beyond ASCII of len bytes; 0: it is none. */
static bool
put_wide(const struct printer *p, const char *c, size_t len)
{
	char one[8], narrow[16];

	/* C1, too: what a terminal obeys. */
	if (len == 0 ||
	    (len == 2 && (unsigned char)c[0] == 0xc2 &&
		(unsigned char)c[1] < 0xa0))
		return buf_puts(p->out, "?");
	if (p->d->utf8)
		return buf_add(p->out, c, len);
	memcpy(one, c, len);
	one[len] = '\0';
	return buf_puts(p->out, addr_7bit(one, narrow, sizeof narrow));
}

/* The first character of text, safe.  Returns its bytes, 0: out is full. */
static size_t
put_char(const struct printer *p, struct slice text)
{
	size_t n;

	if ((unsigned char)text.p[0] < 0x80)
		return buf_add(p->out, is_print(text.p[0]) ? text.p : "?", 1);
	n = slice_utf8(text);
	if (!put_wide(p, text.p, n))
		return 0;
	return n == 0 ? 1 : n;
}

static bool
put_safe(const struct printer *p, const char *text)
{
	struct slice left = slice_of(text);
	size_t n;

	for (; left.len > 0; left.p += n, left.len -= n) {
		if ((n = put_char(p, left)) == 0)
			return false;
	}
	return true;
}

/* text and a line end, folded at blanks, or where no line holds it: a new line
 * begins with indent.  at: the column where it begins. */
static bool
put_folded(const struct printer *p, size_t at, const char *indent,
    const char *text)
{
	struct slice left = slice_of(text);
	size_t word, n, before;

	while (left.len > 0) {
		word = strcspn(left.p + 1, " ");
		if ((left.p[0] == ' ' && at > strlen(indent) &&
			at + 1 + word > FOLD_AT) ||
		    at > BREAK_AT) {
			if (!buf_puts(p->out, "\r\n") ||
			    !buf_puts(p->out, indent))
				return false;
			at = strlen(indent);
			n = left.p[0] == ' ';
			left.p += n;
			left.len -= n;
			continue;
		}
		before = p->out->len;
		if ((n = put_char(p, left)) == 0)
			return false;
		left.p += n;
		left.len -= n;
		at += p->out->len - before;
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

static bool
put_date(const struct printer *p, const char *before, int64_t when)
{
	return buf_puts(p->out, before) && dsn_date(p->out, when) &&
	    buf_puts(p->out, "\r\n");
}

/* True if something in it is beyond ASCII. */
static bool
is_8bit(const struct dsn *d)
{
	return d->utf8 ||
	    (d->whole &&
		!slice_is_ascii((struct slice){ d->original,
		    d->original_len }));
}

static bool
put_encoding(const struct printer *p)
{
	return !is_8bit(p->d) ||
	    buf_puts(p->out, "Content-Transfer-Encoding: 8bit\r\n");
}

/* The second warning is another message than the first: who shows no message
 * twice shows both. */
static bool
put_message_id(const struct printer *p)
{
	const struct dsn *d = p->d;
	char id[ID_LEN + 1], warned[16] = "";

	if (d->warned != 0)
		snprintf(warned, sizeof warned, ".%" PRIu32, d->warned);
	return buf_printf(p->out, "Message-ID: <%s.dsn%s@%s>\r\n",
	    id_print(d->id, id), warned, d->hostname);
}

static bool
put_header(const struct printer *p)
{
	const struct dsn *d = p->d;
	const char *brief = dsn_brief(d);
	struct buf *out = p->out;

	return put_date(p, "Date: ", d->now) &&
	    buf_printf(out,
		"From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <",
		d->hostname) &&
	    put_safe(p, d->to) &&
	    buf_printf(out, ">\r\nSubject: %s%s%s\r\n", subject_of(d),
		brief == NULL ? "" : ": ", brief == NULL ? "" : brief) &&
	    put_message_id(p) &&
	    buf_puts(out, "Auto-Submitted: auto-replied\r\n") &&
	    buf_puts(out, "MIME-Version: 1.0\r\n") && put_encoding(p) &&
	    buf_puts(out, "Content-Type: multipart/report;\r\n") &&
	    buf_printf(out, "\treport-type=%s;\r\n",
		d->utf8 ? "global-delivery-status" : "delivery-status") &&
	    buf_printf(out, "\tboundary=\"%s\"\r\n\r\n", p->boundary);
}

/* ---- for a person ---- */

/* One line of text (without its CRLF) as quoted-printable (RFC 2045 6.7). */
static bool
put_quoted_line(struct buf *out, const char *p, size_t len)
{
	size_t i, at = 0, room = QUOTED_MAX - 1; /* and a soft break */

	for (i = 0; i < len; i++) {
		bool last = i + 1 == len;
		bool plain =
		    is_print(p[i]) && p[i] != '=' && !(last && p[i] == ' ');

		if (at + (plain ? 1 : 3) > room + last) {
			if (!buf_puts(out, "=\r\n"))
				return false;
			at = 0;
		}
		if (!(plain ? buf_add(out, p + i, 1) :
			      buf_printf(out, "=%02X", (unsigned char)p[i])))
			return false;
		at += plain ? 1 : 3;
	}
	return buf_puts(out, "\r\n");
}

static bool
put_quoted(struct buf *out, struct slice text)
{
	const char *p = text.p, *end = p + text.len, *nl;

	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!put_quoted_line(out, p, (size_t)(nl - p) - 1))
			return false;
	}
	return true;
}

/* Columns: 7-bit; UTF-8 in a message that may have it; in one that may not. */
static const char *const text_types[] = {
	"us-ascii\r\n",
	"utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
	"utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
};

static bool
put_words(const struct printer *p)
{
	struct slice text;
	struct buf words;
	int type;
	bool ok;

	buf_init(&words, DSN_MAX);
	ok = dsn_words(&words, p->d);
	text = (struct slice){ (const char *)buf_data(&words), words.len };
	type = slice_is_ascii(text) ? 0 : p->d->utf8 ? 1 : 2;
	ok = ok &&
	    buf_printf(p->out, "Content-Type: text/plain; charset=%s\r\n",
		text_types[type]) &&
	    (type == 2 ? put_quoted(p->out, text) :
			 buf_add(p->out, text.p, text.len));
	buf_free(&words);
	return ok;
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

/* "host[192.0.2.1]:25" is "host", and "[192.0.2.1]:25" "[192.0.2.1]"; a path,
 * of a socket, is nobody's name. */
static bool
put_remote(const struct printer *p, const char *relay)
{
	char host[RELAY_MAX + 1];
	size_t len = strcspn(relay, "[");

	if (len == 0)
		len = strcspn(relay, "]") + (strchr(relay, ']') != NULL);
	if (len == 0 || relay[0] == '/')
		return true;
	snprintf(host, sizeof host, "%.*s", (int)len, relay);
	return put_field(p, "Remote-MTA", "dns", host);
}

/* RFC 3464 2.3: the fields of one recipient, in their order. */
static bool
put_rcpt_status(const struct printer *p, const struct dsn_rcpt *r)
{
	char text[OUTCOME_TEXT_MAX + 64], status[20], id[ID_LEN + 1];
	enum dsn_kind kind = p->d->kind;
	/* Where it is kept is the recipient's affair. */
	bool silent = kind == DSN_SUCCESS && (r->expanded || r->here);
	bool spoke = !r->last.local && r->last.code != 0;

	if (!buf_puts(p->out, "\r\n") || !put_original_rcpt(p, r) ||
	    !put_addr(p, "Final-Recipient", "rfc822", r->addr) ||
	    !buf_printf(p->out, "Action: %s\r\nStatus: %s\r\n",
		action_of(kind, r),
		dsn_status(kind, &r->last, status, sizeof status)))
		return false;
	if (spoke && !put_remote(p, r->relay))
		return false;
	dsn_said(&r->last, text, sizeof text);
	if (text[0] != '\0' && !silent &&
	    !put_field(p, "Diagnostic-Code", spoke ? "smtp" : "X-Postern",
		text))
		return false;
	if (r->tried != 0 && !put_date(p, "Last-Attempt-Date: ", r->tried))
		return false;
	if (!buf_printf(p->out, "Final-Log-ID: %s\r\n",
		id_print(p->d->about, id)))
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

/* A line of a header, without its end; what is too long is cut.  Where it may
 * not have UTF-8, it keeps its length. */
static bool
put_header_line(const struct printer *p, const char *line, size_t len)
{
	struct slice left = { line, len < LINE_MAX_7BIT ? len : LINE_MAX_7BIT };
	size_t n;
	bool good;

	for (; left.len > 0; left.p += n, left.len -= n) {
		n = slice_utf8(left);
		good = n > 1 ? p->d->utf8 :
			       n == 1 && (*left.p == '\t' || is_print(*left.p));
		if (!good)
			n = 1;
		if (!buf_add(p->out, good ? left.p : "?", n))
			return false;
	}
	return buf_puts(p->out, "\r\n");
}

/* Its header as far as the bound and its empty line. */
static bool
put_original_header(const struct printer *p)
{
	const char *at = p->d->original, *line, *nl;
	size_t left = p->d->original_len, len;

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
		if (!put_header_line(p, line, len))
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
