/*
 * The Received field.  Runs in session; the date also in sendmail(8).  Never
 * takes a word from the client that session_cmd.c has not checked.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_trace.h"

#include <string.h>
#include <time.h>

#include "id.h"

bool
trace_date(struct buf *out, int64_t when)
{
	/* Not strftime(3): these words have no locale. */
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)when;
	struct tm tm;
	long zone;

	if (localtime_r(&t, &tm) == NULL)
		return buf_puts(out, "Thu, 01 Jan 1970 00:00:00 +0000");
	zone = tm.tm_gmtoff / 60;
	return buf_printf(out, "%s, %02d %s %d %02d:%02d:%02d %c%02ld%02ld",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, zone < 0 ? '-' : '+',
	    (zone < 0 ? -zone : zone) / 60, (zone < 0 ? -zone : zone) % 60);
}

/* "from HELO (RDNS [IP])", RFC 5321 4.4: From-domain and TCP-info.  A name
 * that does not lead back is anybody's lie, and who reads it later would take
 * it for the truth. */
static bool
from_part(struct buf *out, const struct facts *f)
{
	const char *tag = strchr(f->client, ':') != NULL ? "IPv6:" : "";

	const char *rdns = (f->flags & FACT_FCRDNS) != 0 ? f->rdns : "";

	return buf_printf(out, " from %s (%s%s[%s%s])\r\n\t", f->helo, rdns,
	    rdns[0] == '\0' ? "" : " ", tag, f->client);
}

/* RFC 3848, RFC 6531 4.3 and the registry of mail transmission types; "S" for
 * TLS and "A" for AUTH are added, which plain SMTP has not. */
static const char *
protocol(const struct facts *f)
{
	bool utf8 = (f->flags & FACT_SMTPUTF8) != 0;

	if ((f->flags & FACT_LMTP) != 0)
		return utf8 ? "UTF8LMTP" : "LMTP";
	if (utf8)
		return "UTF8SMTP";
	if ((f->flags & (FACT_ESMTP | FACT_TLS)) != 0 || f->auth[0] != '\0')
		return "ESMTP";
	return "SMTP";
}

/* "(Postern, from userid N)" instead, for who is on this machine; there is no
 * protocol to name. */
static bool
by_part(struct buf *out, const struct trace *t, const char *id)
{
	const struct facts *f = t->facts;

	if ((f->flags & FACT_SOCKET) != 0 && t->mask)
		return buf_printf(out, " by %s (Postern) id %s", t->hostname,
		    id);
	if ((f->flags & FACT_SOCKET) != 0)
		return buf_printf(out,
		    " by %s (Postern, from userid %lu)\r\n\tid %s", t->hostname,
		    (unsigned long)f->uid, id);
	return buf_printf(out, "%sby %s (Postern) with %s%s%s id %s",
	    t->mask ? " " : "", t->hostname, protocol(f),
	    (f->flags & FACT_TLS) != 0 ? "S" : "",
	    f->auth[0] != '\0' ? "A" : "", id);
}

/* With which cipher, as a comment. */
static bool
tls_part(struct buf *out, const struct trace *t)
{
	return t->tls == NULL || t->tls[0] == '\0' ||
	    buf_printf(out, "\r\n\t(%s)", t->tls);
}

/* A comment (RFC 5322 3.2.2); what a name may hold is not ours to know. */
static bool
auth_part(struct buf *out, const struct facts *f)
{
	const char *p;
	bool ok;

	if (f->auth[0] == '\0')
		return buf_puts(out, "\r\n\t(auth=no)");
	ok = buf_puts(out, "\r\n\t(auth=yes user=");
	for (p = f->auth; *p != '\0'; p++) {
		if (strchr("()\\", *p) != NULL)
			ok = ok && buf_puts(out, "\\");
		ok = ok && buf_add(out, *p > ' ' && *p < 127 ? p : "?", 1);
	}
	return ok && buf_puts(out, ")");
}

bool
trace_received(struct buf *out, const struct trace *t)
{
	char id[ID_LEN + 1];

	id_print(t->id, id);
	if (!buf_puts(out, "Received:"))
		return false;
	if (!t->mask && (t->facts->flags & FACT_SOCKET) == 0 &&
	    !from_part(out, t->facts))
		return false;
	if (!by_part(out, t, id) || !tls_part(out, t) ||
	    (t->auth && !auth_part(out, t->facts)))
		return false;
	/* RFC 5321 7.6: more than one recipient here would tell each of the
	 * others. */
	if (t->rcpt != NULL && !buf_printf(out, "\r\n\tfor <%s>", t->rcpt))
		return false;
	return buf_puts(out, ";\r\n\t") && trace_date(out, t->when) &&
	    buf_puts(out, "\r\n");
}

bool
trace_junk(struct buf *out, const struct facts *f)
{
	return (f->flags & FACT_JUNK) == 0 || buf_puts(out, "X-Spam: Yes\r\n");
}
