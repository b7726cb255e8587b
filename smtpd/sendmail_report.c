/*
 * What `-oem` asks of sendmail(8): who sent a message that was refused hears
 * of it by mail, with the message, since nobody may look at the exit status:
 * cron(8) does not.  Runs in sendmail, as whoever calls it.
 *
 * It is a message like any other, from nobody, in the conversation that is
 * open.  If it is refused too, that is the end of it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/random.h>

#include <inttypes.h>
#include <stdlib.h>

#include "log.h"
#include "sendmail.h"
#include "smtp_line.h"

/* Of a larger message only the header goes back. */
#define RETURN_MAX (64 * 1024)

static void
put_begin(const struct sendmail *sm, const struct buf *why, bool some,
    const char *boundary, bool whole, struct buf *out)
{
	const char *eight = sm->message.eight ? "8bit" : "7bit";

	buf_printf(out,
	    "From: Mail Delivery System <MAILER-DAEMON>\r\n"
	    "To: <%s>\r\n"
	    "Subject: Your message was not sent\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=\"%s\"\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    sm->sender, boundary, eight);
	buf_printf(out,
	    "--%s\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n"
	    "Your message was given to sendmail(8), and was not sent to %s, because of\r\n\r\n",
	    boundary, eight, some ? "all recipients" : "anybody");
	buf_add(out, buf_data(why), why->len);
	buf_printf(out,
	    "\r\n%s follows.\r\n\r\n"
	    "--%s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    whole ? "It" : "Its header", boundary,
	    whole ? "message/rfc822" : "text/rfc822-headers", eight);
	buf_add(out, buf_data(&sm->header), sm->header.len);
}

/* The report as it goes on the wire, without dots; false: no room. */
static bool
make(struct sendmail *sm, const struct buf *why, bool some, struct buf *out)
{
	bool whole = sm->message.size <= RETURN_MAX, ok = true;
	char boundary[40];
	uint8_t piece[4096];
	uint64_t random = 0;
	size_t len;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return false;
	snprintf(boundary, sizeof boundary, "=_%016" PRIx64, random);
	put_begin(sm, why, some, boundary, whole, out);
	message_rewind(&sm->message);
	while (whole &&
	    (len = message_body(&sm->message, piece, sizeof piece, &ok)) > 0)
		buf_add(out, piece, len);
	buf_printf(out, "\r\n--%s--\r\n", boundary);
	return ok;
}

static bool
send_report(struct sendmail *sm, const struct buf *report)
{
	struct smtp_stuff stuff = { 0 };
	struct talk *t = &sm->talk;
	uint8_t *out = xcalloc(2, report->len + 8);
	size_t len;
	bool ok;

	len = smtp_stuff_out(&stuff, buf_data(report), report->len, out);
	len += smtp_stuff_end(&stuff, out + len);
	ok = talk_say(t, "RSET") == 2 &&
	    talk_say(t, "MAIL FROM:<>%s%s",
		sm->message.eight && t->eight ? " BODY=8BITMIME" : "",
		sm->utf8 ? " SMTPUTF8" : "") == 2 &&
	    talk_say(t, "RCPT TO:<%s>", sm->sender) == 2 &&
	    talk_say(t, "DATA") == 3 && talk_write(t, out, len) &&
	    talk_reply(t) == 2;
	free(out);
	return ok;
}

void
sendmail_report(struct sendmail *sm, const struct buf *why, bool some)
{
	enum sendmail_errors errors = sm->args.errors;
	struct buf report;

	if ((errors != ERRORS_MAIL && errors != ERRORS_MAIL_QUIET) ||
	    sm->sender[0] == '\0')
		return;
	buf_init(&report, 0);
	sm->reported = make(sm, why, some, &report) && send_report(sm, &report);
	buf_free(&report);
}
