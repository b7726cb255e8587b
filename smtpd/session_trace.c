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

/* "from HELO (RDNS [IP])", RFC 5321 4.4: From-domain and TCP-info. */
static bool
from_part(struct buf *out, const struct facts *f)
{
	const char *tag = strchr(f->client, ':') != NULL ? "IPv6:" : "";

	if ((f->flags & FACT_SOCKET) != 0)
		return true;
	return buf_printf(out, " from %s (%s%s[%s%s])\r\n\t", f->helo, f->rdns,
	    f->rdns[0] == '\0' ? "" : " ", tag, f->client);
}

/* "(Postern, from userid N)" instead, for who is on this machine; there is no
 * protocol to name. */
static bool
by_part(struct buf *out, const struct trace *t, const char *id)
{
	/* RFC 3848 and the registry of mail transmission types. */
	static const char *const with[] = { "SMTP", "ESMTP", "SMTP", "ESMTPS",
		"SMTP", "ESMTPA", "SMTP", "ESMTPSA" };
	const struct facts *f = t->facts;
	unsigned int row = 0;

	if ((f->flags & FACT_SOCKET) != 0)
		return buf_printf(out,
		    " by %s (Postern, from userid %lu)\r\n\tid %s", t->hostname,
		    (unsigned long)f->uid, id);
	row |= (f->flags & FACT_ESMTP) != 0 ? 1 : 0;
	row |= (f->flags & FACT_TLS) != 0 ? 2 : 0;
	row |= f->auth[0] != '\0' ? 4 : 0;
	return buf_printf(out, "by %s (Postern) with %s id %s", t->hostname,
	    with[row], id);
}

bool
trace_received(struct buf *out, const struct trace *t)
{
	char id[ID_LEN + 1];

	id_print(t->id, id);
	if (!buf_puts(out, "Received:") || !from_part(out, t->facts) ||
	    !by_part(out, t, id))
		return false;
	/* RFC 5321 7.6: more than one recipient here would tell each of the
	 * others. */
	if (t->rcpt != NULL && !buf_printf(out, "\r\n\tfor <%s>", t->rcpt))
		return false;
	return buf_puts(out, ";\r\n\t") && trace_date(out, t->when) &&
	    buf_puts(out, "\r\n");
}
