/*
 * The mail that takes a report to the domain (RFC 9990 3.5.2).  Used by
 * smtpctl; opens and sends nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_make.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base64.h"
#include "report_row.h"

#define LINE 57 /* bytes of a line of base64: RFC 2045 6.8 */

static void
put_date(struct buf *out, int64_t now)
{
	time_t t = (time_t)now;
	struct tm tm;
	char text[64];

	/* The C locale: smtpctl sets no other. */
	if (gmtime_r(&t, &tm) != NULL &&
	    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm) > 0)
		buf_printf(out, "Date: %s\n", text);
}

static void
put_header(const struct report_words *w, const char *domain,
    const struct report_made *made, const char *to, int64_t now,
    struct buf *out)
{
	const char *host = w->text[REPORT_HOST];

	buf_printf(out, "From: <%s>\nTo: <%s>\n", w->text[REPORT_FROM], to);
	buf_printf(out,
	    "Subject: Report Domain: %s\n Submitter: %s\n Report-ID: <%s>\n",
	    domain, host, made->id);
	put_date(out, now);
	buf_printf(out, "Message-ID: <%s@%s>\n", made->id, host);
	buf_puts(out,
	    "Auto-Submitted: auto-generated\n"
	    "MIME-Version: 1.0\n");
	buf_printf(out, "Content-Type: multipart/mixed; boundary=\"%s\"\n\n",
	    made->id);
}

static void
put_text(const struct report_words *w, uint32_t day, const char *domain,
    const struct report_made *made, struct buf *out)
{
	char text[REPORT_DAY_TEXT];

	buf_printf(out, "--%s\nContent-Type: text/plain; charset=us-ascii\n\n",
	    made->id);
	buf_printf(out,
	    "This is an aggregate report of DMARC (RFC 9990), of mail that was\n"
	    "given to\n"
	    "    %s\n"
	    "on %s (UTC) as mail of\n"
	    "    %s\n"
	    "It tells of %" PRIu64 " messages in %" PRIu64 " records.\n\n",
	    w->text[REPORT_HOST], report_day_print(day, text), domain,
	    made->messages, made->rows);
}

static void
put_base64(const struct buf *body, struct buf *out)
{
	char line[BASE64_LEN(LINE) + 1];
	size_t at, n;

	for (at = 0; at < body->len; at += n) {
		n = body->len - at < LINE ? body->len - at : LINE;
		base64_print(BASE64_PLAIN, buf_data(body) + at, n, line);
		buf_puts(out, line);
		buf_puts(out, "\n");
	}
}

void
report_mail(const struct report_words *w, uint32_t day, const char *domain,
    const struct report_made *made, const char *to, int64_t now,
    struct buf *out)
{
	buf_init(out, 0);
	put_header(w, domain, made, to, now, out);
	put_text(w, day, domain, made, out);
	buf_printf(out,
	    "--%s\n"
	    "Content-Type: application/gzip\n"
	    "Content-Transfer-Encoding: base64\n"
	    "Content-Disposition: attachment;\n"
	    " filename=\"%s!%s!%" PRId64 "!%" PRId64 "!%s.xml.gz\"\n\n",
	    made->id, w->text[REPORT_HOST], domain, made->begin, made->end,
	    made->id);
	put_base64(&made->body, out);
	buf_printf(out, "--%s--\n", made->id);
}
