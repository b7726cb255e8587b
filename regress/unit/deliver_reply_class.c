/*
 * What replies of real servers mean: cause, verdict, and when they want to be
 * tried again.  The words are such as the large providers and the usual
 * servers say.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "reply_after.h"
#include "reply_class.h"
#include "unit.h"

/* clang-format off */
/* Columns: stage, reply (lines parted by '\n'), verdict, cause, seconds. */
static const struct {
	enum stage stage;
	const char *reply;
	enum verdict verdict;
	enum cause cause;
	uint32_t after;
} rows[] = {
	/* what goes well */
	{ STAGE_RCPT, "250 2.1.5 Ok", DONE, CAUSE_NONE, 0 },
	{ STAGE_CONTENT, "250 2.0.0 Ok: queued as 4Zabc greylist", DONE, CAUSE_NONE, 0 },
	{ STAGE_RCPT, "251 2.1.5 will forward", DONE, CAUSE_NONE, 0 },

	/* Google */
	{ STAGE_RCPT, "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
	    "550-5.1.1 double-checking the recipient's email address for typos or\n"
	    "550 5.1.1 unnecessary spaces. For more information, go to https://support.google.com/mail/?p=NoSuchUser x-y - gsmtp",
	    NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "452-4.2.2 The recipient's inbox is out of storage space. Please direct the\n"
	    "452 4.2.2 recipient to https://support.google.com/mail/?p=OverQuotaTemp x - gsmtp", LATER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "552-5.2.2 The email account that you tried to reach is over quota.\n552 5.2.2 x - gsmtp",
	    NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "450-4.2.1 The user you are trying to contact is receiving mail at a rate that\n"
	    "450-4.2.1 prevents additional messages from being delivered. Please resend your\n"
	    "450 4.2.1 message at a later time. x - gsmtp", LATER, CAUSE_RATE, 0 },
	{ STAGE_CONTENT, "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from\n"
	    "421-4.7.28 your IP address. To protect our users from spam, mail sent from your IP\n"
	    "421 4.7.28 address has been temporarily rate limited. x - gsmtp", LATER, CAUSE_RATE, 0 },
	{ STAGE_CONTENT, "550-5.7.1 [192.0.2.1] Gmail has detected that this message is likely unsolicited\n"
	    "550 5.7.1 mail. To reduce the amount of spam sent to Gmail, this message has been blocked. x - gsmtp",
	    NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_CONTENT, "550-5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail\n"
	    "550 5.7.26 requires all senders to authenticate with either SPF or DKIM. x - gsmtp", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_CONTENT, "550-5.7.26 Unauthenticated email from example.org is not accepted due to\n"
	    "550 5.7.26 domain's DMARC policy. x - gsmtp", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_CONTENT, "550-5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup\n"
	    "550 5.7.25 x - gsmtp", NEVER, CAUSE_CONFIG, 0 },
	{ STAGE_CONTENT, "550-5.7.1 [192.0.2.1 19] Our system has detected that this message is likely suspicious\n"
	    "550 5.7.1 due to the very low reputation of the sending domain. x - gsmtp", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_CONTENT, "552-5.7.0 This message was blocked because its content presents a potential\n"
	    "552 5.7.0 security issue. x - gsmtp", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_CONTENT, "552 5.3.4 Your message exceeded Google's message size limits. x - gsmtp", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_GREETING, "421 4.7.0 Try again later, closing connection. x - gsmtp", LATER, CAUSE_RATE, 0 },
	{ STAGE_MAIL, "530 5.7.0 Must issue a STARTTLS command first. x - gsmtp", LATER, CAUSE_TLS, 0 },
	{ STAGE_MAIL, "530 5.7.0 Authentication Required. For more information, go to x - gsmtp", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_AUTH, "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8 x - gsmtp",
	    LATER, CAUSE_CONFIG, 0 },
	{ STAGE_AUTH, "534-5.7.9 Application-specific password required.\n534 5.7.9 x - gsmtp", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_MAIL, "550-5.7.1 Daily user sending quota exceeded. x - gsmtp\n550 5.7.1 x", NEVER, CAUSE_RATE, 0 },
	{ STAGE_CONTENT, "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail\n", NEVER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "451-4.3.0 Multiple destination domains per transaction is unsupported.  Please\n451 4.3.0 try again. x - gsmtp",
	    LATER, CAUSE_POLICY, 0 },
	{ STAGE_CONTENT, "550-5.7.1 [192.0.2.1] Messages missing a valid address in From: header, or having no\n"
	    "550 5.7.1 From: header, are not accepted. See RFC 5322 x - gsmtp", NEVER, CAUSE_CONTENT, 0 },

	/* Microsoft */
	{ STAGE_RCPT, "550 5.4.1 Recipient address rejected: Access denied. [X.prod.protection.outlook.com]", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [x.outlook.com]", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_MAIL, "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider"
	    " since part of their network is on our block list (S3140).", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_MAIL, "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S775)",
	    LATER, CAUSE_RATE, 0 },
	{ STAGE_MAIL, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", LATER, CAUSE_RATE, 0 },
	{ STAGE_CONTENT, "550 5.7.509 Access denied, sending domain example.org does not pass DMARC verification", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_CONTENT, "550 5.7.515 Access denied, sending domain EXAMPLE.ORG does not meet the required authentication level",
	    NEVER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal visit https://sender.office.com/",
	    NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_RCPT, "550 5.7.511 Access denied, banned sender[192.0.2.1]. To request removal from this list", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_RCPT, "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_CONTENT, "550 5.7.501 Service unavailable. Spam abuse detected from IP range.", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_MAIL, "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_MAIL, "550 5.7.57 Client not authenticated to send mail.", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_AUTH, "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_RCPT, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_CONTENT, "451 4.3.0 Temporary server error. Please try again later PRX5", LATER, CAUSE_SYSTEM, 0 },
	{ STAGE_CONTENT, "432 4.3.2 STOREDRV.Deliver; dynamic mailbox database throttling limit exceeded", LATER, CAUSE_RATE, 0 },
	{ STAGE_MAIL, "452 4.3.1 Insufficient system resources (UsedDiskSpace)", LATER, CAUSE_SYSTEM, 0 },
	{ STAGE_GREETING, "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing transmission channel",
	    LATER, CAUSE_RATE, 0 },
	{ STAGE_CONTENT, "554 5.4.14 Hop count exceeded - possible mail loop ATTR34", NEVER, CAUSE_CONFIG, 0 },
	{ STAGE_RCPT, "450 4.4.312 DNS query failed", LATER, CAUSE_DNS, 0 },
	{ STAGE_RCPT, "451 4.4.0 Primary target IP address responded with an error", LATER, CAUSE_NETWORK, 0 },
	{ STAGE_RCPT, "452 4.5.3 Recipients limit exceeded", LATER, CAUSE_RATE, 0 },
	{ STAGE_CONTENT, "421 4.4.1 Connection timed out. Total session duration: 00:10:20.1234567", LATER, CAUSE_NETWORK, 0 },

	/* Yahoo, AOL */
	{ STAGE_GREETING, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"
	    " - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes", LATER, CAUSE_RATE, 0 },
	{ STAGE_MAIL, "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
	    NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_CONTENT, "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes",
	    NEVER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "554 delivery error: dd Sorry, your message to b@x.test cannot be delivered. This mailbox is disabled (554.30).",
	    NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "554 30 Sorry, your message cannot be delivered. This mailbox is inactive", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "552 1 Requested mail action aborted, mailbox not found", LATER, CAUSE_MAILBOX, 0 },

	/* Apple, Comcast, others */
	{ STAGE_RCPT, "550 5.1.1 <b@icloud.test>: user does not exist", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "552 5.2.2 <b@icloud.test>: user is over quota (in reply to RCPT TO command)", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_MAIL, "550 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137",
	    NEVER, CAUSE_POLICY, 0 },
	{ STAGE_GREETING, "421 4.7.1 RL000001 192.0.2.1 Too many sessions opened", LATER, CAUSE_RATE, 0 },
	{ STAGE_GREETING, "554 resimta-po-01v.sys.comcast.net comcast 192.0.2.1 Comcast block for spam. Please see https://x BL000001",
	    NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_GREETING, "554-gmx.net (mxgmx101) Nemesis ESMTP Service not available\n"
	    "554-No SMTP service\n554-IP address is black listed.\n554 For explanation visit https://postmaster.gmx.net/",
	    NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_CONTENT, "550 5.7.1 Message rejected due to DMARC policy; authentication required", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_MAIL, "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net; Blocked - see x",
	    NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_RCPT, "550 JunkMail rejected - x [192.0.2.1] is in an RBL on b.barracudacentral.org", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_GREETING, "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1", NEVER, CAUSE_REPUTATION, 0 },
	{ STAGE_CONTENT, "454 Throttling failure: Maximum sending rate exceeded.", LATER, CAUSE_RATE, 0 },

	/* Postfix */
	{ STAGE_RCPT, "550 5.1.1 <b@x.test>: Recipient address rejected: User unknown in local recipient table", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "450 4.1.8 <a@y.test>: Sender address rejected: Domain not found", LATER, CAUSE_DNS, 0 },
	{ STAGE_RCPT, "454 4.7.1 <b@x.test>: Relay access denied", LATER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "554 5.7.1 <b@x.test>: Relay access denied", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_RCPT, "450 4.7.1 <mail>: Helo command rejected: Host not found", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_RCPT, "504 5.5.2 <mail>: Helo command rejected: need fully-qualified hostname", NEVER, CAUSE_CONFIG, 0 },
	{ STAGE_MAIL, "552 5.3.4 Message size exceeds fixed limit", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_MAIL, "452 4.3.1 Insufficient system storage", LATER, CAUSE_SYSTEM, 0 },
	{ STAGE_CONTENT, "451 4.3.0 Error: queue file write error", LATER, CAUSE_SYSTEM, 0 },
	{ STAGE_RCPT, "451 4.3.5 Server configuration problem", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_GREETING, "421 4.7.0 mx.test Error: too many connections from 192.0.2.1", LATER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "452 4.5.3 Error: too many recipients", LATER, CAUSE_RATE, 0 },
	{ STAGE_MAIL, "530 5.7.0 Must issue a STARTTLS command first", LATER, CAUSE_TLS, 0 },
	{ STAGE_RCPT, "450 4.7.1 Session encryption is required", LATER, CAUSE_TLS, 0 },
	{ STAGE_RCPT, "550 5.1.0 <a@y.test>: Sender address rejected: User unknown in virtual mailbox table", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "450 4.2.0 <b@x.test>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/x.test.html",
	    LATER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "450 4.2.0 <b@x.test>: Recipient address rejected: Greylisted for 300 seconds (see http://isg.ee.ethz.ch/x.html)",
	    LATER, CAUSE_RATE, 300 },
	{ STAGE_RCPT, "421 4.4.2 mx.test Error: timeout exceeded", LATER, CAUSE_NETWORK, 0 },
	{ STAGE_RCPT, "450 4.3.2 Service currently unavailable", LATER, CAUSE_SYSTEM, 0 },

	/* greylisting */
	{ STAGE_RCPT, "451 4.7.1 Greylisting in action, please come back in 00:05:00", LATER, CAUSE_RATE, 300 },
	{ STAGE_RCPT, "451 4.7.1 Greylisting in action, please come back later", LATER, CAUSE_RATE, 0 },
	{ STAGE_CONTENT, "451 4.7.1 Try again later", LATER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "451 Temporary failure, please try again later.", LATER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "451 Greylisted, please try again in 5 minutes", LATER, CAUSE_RATE, 300 },
	{ STAGE_RCPT, "450 4.7.1 <b@x.test>: Recipient address rejected: Greylisted for 5 minutes", LATER, CAUSE_RATE, 300 },
	{ STAGE_RCPT, "450 Greylisted (see http://x.test/greylist.html 300)", LATER, CAUSE_RATE, 300 },
	{ STAGE_RCPT, "451 4.7.1 Graylisted - please try again in 10 min", LATER, CAUSE_RATE, 600 },
	{ STAGE_RCPT, "421 You have been greylisted, retry in 4 hours", LATER, CAUSE_RATE, 14400 },
	{ STAGE_RCPT, "450 Grey listed: try again in 1 hour", LATER, CAUSE_RATE, 3600 },
	{ STAGE_RCPT, "451 4.7.0 Temporarily deferred; retry after 00:01:30", LATER, CAUSE_RATE, 90 },
	{ STAGE_RCPT, "450 4.7.1 Your connection rate is too high, wait 120 seconds", LATER, CAUSE_RATE, 120 },
	{ STAGE_RCPT, "550 5.7.1 Greylisted for 300 seconds", NEVER, CAUSE_RATE, 0 },

	/* Exim, qmail, sendmail, OpenSMTPD */
	{ STAGE_RCPT, "550 Unrouteable address", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 relay not permitted", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "451 Temporary local problem - please try later", LATER, CAUSE_SYSTEM, 0 },
	{ STAGE_RCPT, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "550 sorry, no mailbox here by that name. (#5.1.1)", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_CONTENT, "552 sorry, that message size exceeds my databytes limit (#5.3.4)", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_MAIL, "451 4.1.8 Domain of sender address a@y.test does not resolve", LATER, CAUSE_DNS, 0 },
	{ STAGE_MAIL, "553 5.1.8 <a@y.test>... Domain of sender address a@y.test does not exist", NEVER, CAUSE_DNS, 0 },
	{ STAGE_RCPT, "550 Invalid recipient: <b@x.test>", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 5.7.1 Relaying denied. Proper authentication required.", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_MAIL, "503 5.5.1 Invalid command: Command not allowed at this point.", NEVER, CAUSE_CONFIG, 0 },
	{ STAGE_CONTENT, "554 5.6.0 Message with invalid header rejected", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_CONTENT, "550 5.7.1 virus Eicar-Test-Signature detected by ClamAV", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_CONTENT, "554 5.7.1 Spam message rejected", NEVER, CAUSE_CONTENT, 0 },

	/* codes and enhanced codes alone */
	{ STAGE_RCPT, "450 busy", LATER, CAUSE_MAILBOX, 0 },
	{ STAGE_MAIL, "451 no", LATER, CAUSE_SYSTEM, 0 },
	{ STAGE_RCPT, "452 x", LATER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "552 x", LATER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "552 5.5.3 x", LATER, CAUSE_RATE, 0 },
	{ STAGE_RCPT, "552 5.2.2 x", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_CONTENT, "552 x", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_RCPT, "550 x", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_MAIL, "550 x", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_CONTENT, "550 x", NEVER, CAUSE_CONTENT, 0 },
	{ STAGE_GREETING, "554 x", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_GREETING, "521 x", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "556 5.1.10 null MX", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 5.7.27 sender has null MX", NEVER, CAUSE_POLICY, 0 },
	{ STAGE_RCPT, "450 4.4.3 x", LATER, CAUSE_DNS, 0 },
	{ STAGE_RCPT, "450 4.4.1 x", LATER, CAUSE_NETWORK, 0 },
	{ STAGE_RCPT, "550 5.7.17 x", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 5.7.5 x", NEVER, CAUSE_TLS, 0 },
	{ STAGE_MAIL, "550 5.7.30 x", NEVER, CAUSE_TLS, 0 },
	{ STAGE_MAIL, "550 5.7.10 x", LATER, CAUSE_TLS, 0 },
	{ STAGE_MAIL, "538 5.7.11 x", LATER, CAUSE_TLS, 0 },
	{ STAGE_RCPT, "550 5.99.9 x", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "559 x", NEVER, CAUSE_SYSTEM, 0 },
	{ STAGE_RCPT, "354 x", LATER, CAUSE_SYSTEM, 0 },

	/* where the sender is not at fault */
	{ STAGE_STARTTLS, "454 4.7.0 TLS not available due to local problem", LATER, CAUSE_TLS, 0 },
	{ STAGE_STARTTLS, "501 5.5.4 x", LATER, CAUSE_TLS, 0 },
	{ STAGE_STARTTLS, "554 5.7.1 x", LATER, CAUSE_TLS, 0 },
	{ STAGE_AUTH, "535 x", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_AUTH, "454 4.7.0 Temporary authentication failure", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_AUTH, "538 Encryption required for requested authentication mechanism", LATER, CAUSE_TLS, 0 },
	{ STAGE_AUTH, "503 x", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_RCPT, "535 5.7.8 x", LATER, CAUSE_CONFIG, 0 },
	{ STAGE_DATA, "530 x", LATER, CAUSE_CONFIG, 0 },

	/* an address is anybody's words */
	{ STAGE_RCPT, "550 5.1.1 <spamhaus-greylist@x.test> who?", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 5.1.1 b@authentication.needed.test: who?", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "550 5.1.1 a.b who? authentication-required@x.test", NEVER, CAUSE_MAILBOX, 0 },
	{ STAGE_RCPT, "450 4.2.1 garbled marble", LATER, CAUSE_MAILBOX, 0 },
};

/* Columns: text, seconds. */
static const struct {
	const char *text;
	uint32_t after;
} waits[] = {
	{ "", 0 },
	{ "try again in 5 minutes", 300 },
	{ "try again in about 5 minutes.", 300 },
	{ "try again in 2 min 30 sec", 150 },
	{ "try again in 1 hour, 5 minutes", 3900 },
	{ "try again in 5m", 300 },
	{ "try again in 300s", 300 },
	{ "try again in 300 (s)", 0 },
	{ "try again in 5", 0 },
	{ "try again in 5 days", 0 },
	{ "try again in 5 minutely", 0 },
	{ "try again in 0 minutes", 0 },
	{ "try again in a few minutes", 0 },
	{ "try again in -5 minutes", 0 },
	{ "try again in 5.5 minutes", 0 },
	{ "try again in 99 hours", 21600 },
	{ "try again in 999999 hours", 21600 },
	{ "try again in 1234567 seconds", 21600 },
	{ "try again in 99999999999999999999 seconds", 0 },
	{ "retry after 00:05:00", 300 },
	{ "retry after 5:00", 300 },
	{ "retry after 01:00:00", 3600 },
	{ "retry after 00:99:00", 0 },
	{ "retry after 1:2:3:4", 3723 },
	{ "retry after :00", 0 },
	{ "come back in 4 hours", 14400 },
	{ "greylisted for 300 seconds", 300 },
	{ "graylisted for 5 mins", 300 },
	{ "blacklisted for 300 seconds", 0 },
	{ "100 messages in 1 hour, try again later", 3600 },
	{ "100 messages in 1 hour", 0 },
	{ "timeout after 300 seconds", 0 },
	{ "greylisted (see http://x.test/ 300)", 300 },
	{ "greylisted (300)", 300 },
	{ "greylisted (retry=300)", 300 },
	{ "greylisted (see rfc2821)", 0 },
	{ "listed (300)", 0 },
	{ "greylisted)", 0 },
	{ "greylisted (99999999)", 0 },
	{ "wait 1 minute and try again in 10 minutes", 600 },
};
/* clang-format on */

static bool
feed(struct client_reply *r, const char *lines)
{
	struct slice line, text;
	size_t len;

	memset(r, 0, sizeof *r);
	for (; *lines != '\0' && !r->done; lines += lines[len] != '\0') {
		len = strcspn(lines, "\n");
		line = (struct slice){ unit_guard(lines, len), len };
		if (client_reply_line(r, line, &text) != NULL)
			return false;
		lines += len;
		len = 0;
	}
	return true;
}

static void
classes(void)
{
	struct client_reply r;
	struct outcome o;
	char name[120];
	size_t i;
	int good;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		good = feed(&r, rows[i].reply);
		reply_class(&r, rows[i].stage, &o);
		good = good && o.verdict == rows[i].verdict &&
		    o.cause == rows[i].cause && o.after == rows[i].after &&
		    o.stage == rows[i].stage && o.code == r.code &&
		    o.local == 0 && strcmp(o.text, r.text) == 0;
		snprintf(name, sizeof name, "reply class %zu: %.60s", i,
		    rows[i].reply);
		name[strcspn(name, "\n")] = '\0';
		CHECK(name, good);
		if (!good)
			printf("# %s %s %s after %u\n", verdict_name(o.verdict),
			    cause_name(o.cause), stage_name(o.stage), o.after);
	}
}

static void
afters(void)
{
	char name[80];
	uint32_t got;
	size_t i;

	for (i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		got = reply_after(unit_guard(waits[i].text,
				      strlen(waits[i].text) + 1),
		    REPLY_AFTER_MAX);
		snprintf(name, sizeof name, "reply after: %s", waits[i].text);
		CHECK(name, got == waits[i].after);
		if (got != waits[i].after)
			printf("# %u\n", got);
	}
}

/* How much of the work each stage speaks for. */
static void
widths(void)
{
	static const struct {
		const char *line;
		enum stage stage;
		enum width width;
	} said[] = {
		{ "554 no", STAGE_GREETING, WIDTH_STREAM },
		{ "550 no", STAGE_EHLO, WIDTH_STREAM },
		{ "454 no", STAGE_STARTTLS, WIDTH_STREAM },
		{ "535 no", STAGE_AUTH, WIDTH_STREAM },
		{ "550 no", STAGE_MAIL, WIDTH_MESSAGE },
		{ "550 no", STAGE_RCPT, WIDTH_RCPT },
		{ "250 yes", STAGE_RCPT, WIDTH_RCPT },
		{ "421 no", STAGE_RCPT, WIDTH_STREAM },
		{ "554 no", STAGE_DATA, WIDTH_MESSAGE },
		{ "554 no", STAGE_CONTENT, WIDTH_MESSAGE },
		{ "421 no", STAGE_CONTENT, WIDTH_MESSAGE },
	};
	struct client_reply r;
	struct outcome o;
	char name[40];
	size_t i;

	for (i = 0; i < sizeof said / sizeof said[0]; i++) {
		feed(&r, said[i].line);
		reply_class(&r, said[i].stage, &o);
		snprintf(name, sizeof name, "reply width %zu", i);
		CHECK(name, o.width == said[i].width);
	}
}

static void
ours(void)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_SITE, 0, "4.4.1", "nobody there");
	outcome_of_us(&o, CAUSE_NETWORK, STAGE_CONNECT);
	CHECK("outcome of us",
	    o.cause == CAUSE_NETWORK && o.stage == STAGE_CONNECT &&
		o.local == 1 && o.verdict == LATER && o.width == WIDTH_SITE);
}

int
main(void)
{
	classes();
	afters();
	widths();
	ours();
	return unit_end();
}
