/*
 * Every reply that the server itself gives (RFC 5321 4.2, RFC 3463).  What
 * lookup and queue answer comes as a struct outcome and is passed on.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_REPLY_TABLE_H
#define SMTPD_REPLY_TABLE_H

/* clang-format off */
/*
 * Columns: name, code, enhanced code (empty: RFC 2034 4 wants none there),
 * text, in which `$` stands for what the caller adds.
 */
#define REPLY_TABLE(X) \
	X(GREETING,      220, "",      "$ ESMTP Postern") \
	X(GREETING_LMTP, 220, "",      "$ LMTP Postern") \
	X(GOODBYE,       221, "2.0.0", "$ closing connection") \
	X(HELO,          250, "",      "$") \
	X(OK,            250, "2.0.0", "Ok") \
	X(SENDER_OK,     250, "2.1.0", "Sender ok") \
	X(RCPT_OK,       250, "2.1.5", "Recipient ok") \
	X(QUEUED,        250, "2.0.0", "$ queued") \
	X(CHUNK,         250, "2.0.0", "$ bytes received") \
	X(HELP,          214, "2.0.0", "$") \
	X(VRFY,          252, "2.5.0", "Not verified; send mail and it is tried") \
	X(DATA,          354, "",      "Content, please; end with <CRLF>.<CRLF>") \
	\
	X(BARE_LINE,     500, "5.5.2", "The line holds a bare CR or LF: commands end in CRLF (RFC 5321 2.3.8)") \
	X(LONG_LINE,     500, "5.5.2", "Line too long: at most $ bytes") \
	X(BAD_BYTES,     501, "5.5.2", "Only printable ASCII, please") \
	X(UNKNOWN,       500, "5.5.1", "Command not recognized") \
	X(NOT_HERE,      502, "5.5.1", "Command not implemented") \
	X(NO_ARGUMENT,   501, "5.5.4", "$ takes no argument") \
	X(NEED_ARGUMENT, 501, "5.5.4", "$") \
	X(BAD_HELO,      501, "5.5.4", "Not a host name or address literal: $") \
	X(BAD_SENDER,    501, "5.1.7", "Sender: $") \
	X(BAD_RCPT,      501, "5.1.3", "Recipient: $") \
	X(BAD_VALUE,     501, "5.5.4", "Parameter $") \
	X(BAD_CHUNK,     501, "5.5.4", "The form is BDAT size [LAST]; what is content and what is not is lost") \
	X(BAD_XCLIENT,   501, "5.5.4", "XCLIENT: $") \
	X(NEED_UTF8,     553, "5.6.7", "An address that is not ASCII needs SMTPUTF8 (RFC 6531)") \
	X(NO_XCLIENT,    550, "5.7.0", "XCLIENT is not for you") \
	X(NO_PARAM,      555, "5.5.4", "Parameter not recognized or not implemented") \
	\
	X(HELO_FIRST,    503, "5.5.1", "Say HELO or EHLO first") \
	X(MAIL_FIRST,    503, "5.5.1", "Say MAIL first") \
	X(MAIL_TWICE,    503, "5.5.1", "The sender was given already; RSET begins anew") \
	X(IN_MAIL,       503, "5.5.1", "Not in the middle of a message") \
	X(IN_CHUNKS,     503, "5.5.1", "The content comes by BDAT: finish it, or RSET") \
	X(BINARY_DATA,   503, "5.5.1", "BODY=BINARYMIME comes by BDAT (RFC 3030 3)") \
	X(TLS_READY,     220, "2.0.0", "Ready to start TLS") \
	X(TLS_LATER,     454, "4.7.0", "TLS is not possible now, try later") \
	X(TLS_NEEDED,    530, "5.7.0", "Say STARTTLS first") \
	X(TLS_TWICE,     503, "5.5.1", "TLS is there already") \
	X(RCPT_FIRST,    503, "5.5.1", "No valid recipients") \
	\
	X(AUTH_OK,       235, "2.7.0", "Authentication succeeded") \
	X(AUTH_LATER,    454, "4.7.0", "Authentication is not possible now, try later") \
	X(AUTH_LONG,     500, "5.5.6", "Exchange ended: the line is over $ bytes, or holds a bare CR or LF") \
	X(AUTH_BASE64,   501, "5.5.2", "Not base64 (RFC 4648): $") \
	X(AUTH_WORDS,    501, "5.5.4", "The form is AUTH mechanism [base64]") \
	X(AUTH_INITIAL,  501, "5.7.0", "The server speaks first in $: no initial response") \
	X(AUTH_STAR,     501, "5.7.0", "Authentication cancelled") \
	X(AUTH_TWICE,    503, "5.5.1", "Already authenticated") \
	X(AUTH_IN_MAIL,  503, "5.5.1", "Not during a transaction; RSET ends it") \
	X(AUTH_NO_MECH,  504, "5.5.4", "Mechanism not offered: EHLO lists those that are") \
	X(AUTH_NEEDED,   530, "5.7.0", "Authentication required") \
	X(AUTH_NO_TLS,   538, "5.7.11", "AUTH needs TLS: say STARTTLS first") \
	X(AUTH_TOO_MANY, 421, "4.7.0", "Too many failed attempts, closing") \
	\
	X(TOO_MANY_RCPT, 452, "4.5.3", "Too many recipients: at most $ in one message") \
	X(SEPARATELY,    452, "4.5.3", "Other rules hold for this recipient: send it in a message of its own") \
	X(NO_MEMORY,     452, "4.3.1", "Out of memory for this session, try later") \
	X(NO_SPACE,      452, "4.3.1", "Out of space, try later") \
	X(LOCAL_ERROR,   451, "4.3.0", "Local trouble, try later") \
	X(TOO_BIG,       552, "5.3.4", "Message too large: at most $ bytes") \
	X(BIG_HEADER,    552, "5.3.4", "Header too large: at most $ bytes") \
	X(LONG_CONTENT,  550, "5.6.0", "A line of the message is too long: at most $ bytes") \
	X(NUL_CONTENT,   550, "5.6.0", "The message holds a NUL byte (RFC 5321 2.3.8, RFC 5322 4.1)") \
	X(BARE_CONTENT,  550, "5.6.11", "The message holds a bare CR or LF (RFC 5321 2.3.8)") \
	X(LISTED,        550, "5.7.1", "Refused: the client is on $") \
	X(EARLY,         554, "5.5.1", "Spoke before the greeting: that is no mail server") \
	X(HTTP,          421, "4.7.0", "This is SMTP, not HTTP: closing") \
	X(EIGHT_CONTENT, 554, "5.6.1", "The message has 8-bit bytes, but MAIL did not say BODY=8BITMIME (RFC 6152)") \
	X(LOOP,          554, "5.4.6", "Mail loop: more than $ Received fields") \
	\
	X(SHUTDOWN,      421, "4.3.2", "$ is stopping, try later") \
	X(TOO_BUSY,      421, "4.3.2", "Too many connections, try later") \
	X(LOST_QUEUE,    421, "4.3.0", "Local trouble, try later") \
	X(TIMEOUT,       421, "4.4.2", "Waited too long, closing") \
	X(TOO_MANY_BAD,  421, "4.7.0", "Too many errors, closing") \
	X(TOO_MANY_MAIL, 421, "4.7.0", "Too many messages in one session, connect again")
/* clang-format on */

enum reply {
	REPLY_NONE,
#define X(name, ...) REPLY_##name,
	REPLY_TABLE(X)
#undef X
	    REPLIES
};

#endif
