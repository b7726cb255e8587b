/*
 * The words of well-known servers and providers.  Used by deliver.  Never the
 * only reason to give a recipient up: a 4yz stays one.
 *
 * SPDX-License-Identifier: ISC
 */
#include "reply_words.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { ANY = 0, TEMP = 4, PERM = 5 };
enum { AS_CODE = 0, LATER_ALWAYS = 1 };

/* clang-format off */
/*
 * Columns: class of the code, cause, whether it is later whatever the code,
 * words.  The first that fits counts: narrow ones stand before wide ones.
 */
static const struct reply_word sure[] = {
	/* Rules of the sender's domain; they speak of authentication too. */
	{ ANY, CAUSE_POLICY, AS_CODE, "dmarc" },
	{ ANY, CAUSE_POLICY, AS_CODE, "spf" },
	{ ANY, CAUSE_POLICY, AS_CODE, "dkim" },
	{ ANY, CAUSE_POLICY, AS_CODE, "unauthenticated email" },
	{ ANY, CAUSE_POLICY, AS_CODE, "sender is unauthenticated" },

	/* TLS first, or a login: ours to configure, and no fault of the sender.
	 * RFC 3207 4, RFC 4954 4 and 6, Exchange, Postfix, Exim, Gmail. */
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "must issue a starttls" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "issue a starttls command first" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "starttls is required" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "starttls required" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "session encryption is required" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "encryption required" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "tls required" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "requires tls" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "tls encryption is required" },
	{ ANY, CAUSE_TLS, LATER_ALWAYS, "secure connection is required" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "client was not authenticated" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "client not authenticated" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "authentication required" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "authentication is required" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "authentication needed" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "authentication credentials invalid" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "username and password not accepted" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "smtp auth is required" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "please authenticate" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "not logged in" },
	{ ANY, CAUSE_CONFIG, LATER_ALWAYS, "application-specific password required" },

	/* Greylisting: postgrey, milter-greylist, rspamd, SQLgrey, Exim, gld. */
	{ ANY, CAUSE_RATE, AS_CODE, "greylist" },
	{ ANY, CAUSE_RATE, AS_CODE, "graylist" },
	{ ANY, CAUSE_RATE, AS_CODE, "grey-list" },
	{ ANY, CAUSE_RATE, AS_CODE, "gray-list" },
	{ ANY, CAUSE_RATE, AS_CODE, "grey listed" },
	{ ANY, CAUSE_RATE, AS_CODE, "gray listed" },
	{ ANY, CAUSE_RATE, AS_CODE, "greytrapp" },

	/* Too much, too fast: Google 421 4.7.28, 450 4.2.1 and 550 5.4.5; Yahoo
	 * TSS; Microsoft 4.7.650 and 5.7.708; Apple; Postfix anvil; Exim. */
	{ ANY, CAUSE_RATE, AS_CODE, "receiving mail at a rate" },
	{ ANY, CAUSE_RATE, AS_CODE, "unusual rate of" },
	{ ANY, CAUSE_RATE, AS_CODE, "temporarily rate limited" },
	{ ANY, CAUSE_RATE, AS_CODE, "rate limit" },
	{ ANY, CAUSE_RATE, AS_CODE, "rate-limit" },
	{ ANY, CAUSE_RATE, AS_CODE, "ratelimit" },
	{ ANY, CAUSE_RATE, AS_CODE, "too many connections" },
	{ ANY, CAUSE_RATE, AS_CODE, "too many concurrent" },
	{ ANY, CAUSE_RATE, AS_CODE, "concurrent connections" },
	{ ANY, CAUSE_RATE, AS_CODE, "too many sessions" },
	{ ANY, CAUSE_RATE, AS_CODE, "too many messages" },
	{ ANY, CAUSE_RATE, AS_CODE, "too many recipients" },
	{ ANY, CAUSE_RATE, AS_CODE, "too many emails" },
	{ ANY, CAUSE_RATE, AS_CODE, "too much mail" },
	{ ANY, CAUSE_RATE, AS_CODE, "too fast" },
	{ ANY, CAUSE_RATE, AS_CODE, "sending limit" },
	{ ANY, CAUSE_RATE, AS_CODE, "sending quota" },
	{ ANY, CAUSE_RATE, AS_CODE, "maximum sending rate" },
	{ ANY, CAUSE_RATE, AS_CODE, "connection rate" },
	{ ANY, CAUSE_RATE, AS_CODE, "message rate" },
	{ ANY, CAUSE_RATE, AS_CODE, "throttl" },
	{ TEMP, CAUSE_RATE, AS_CODE, "[tss04]" },
	{ TEMP, CAUSE_RATE, AS_CODE, "unexpected volume" },
	{ TEMP, CAUSE_RATE, AS_CODE, "excessive volume" },
	{ TEMP, CAUSE_RATE, AS_CODE, "server busy. please try again later from" },

	/* Our address or name, as lists and providers know it. */
	{ ANY, CAUSE_REPUTATION, AS_CODE, "spamhaus" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "spamcop" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "barracudacentral" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "uceprotect" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "sorbs.net" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "psbl.surriel" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "invaluement" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "mailspike" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "senderscore" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "cloudmark.com" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "proofpoint.com" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "block list" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "blocklist" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "blacklist" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "black list" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "denylist" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "dnsbl" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "rbl" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "reputation" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "banned sending ip" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "banned sender" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "part of their network is on our" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "traffic not accepted from this ip" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "ip address has been blocked" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "ip is blocked" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "ip blocked" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "poor sending history" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "block for spam" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "user complaints" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "unsolicited mail originating from your ip" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "dialup" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "dynamic ip" },

	/* A name for our address is ours to set; what they relay is theirs. */
	{ ANY, CAUSE_CONFIG, AS_CODE, "reverse dns" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "reverse hostname" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "ptr record" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "does not resolve to address" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "helo command rejected" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "invalid helo" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "loops back to myself" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "mail loop" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "too many hops" },
	{ ANY, CAUSE_CONFIG, AS_CODE, "hop count" },
	{ ANY, CAUSE_POLICY, AS_CODE, "relay access denied" },
	{ ANY, CAUSE_POLICY, AS_CODE, "relaying denied" },
	{ ANY, CAUSE_POLICY, AS_CODE, "relay not permitted" },
	{ ANY, CAUSE_POLICY, AS_CODE, "relaying not allowed" },
	{ ANY, CAUSE_POLICY, AS_CODE, "unable to relay" },
	{ ANY, CAUSE_POLICY, AS_CODE, "not permitted to relay" },
	{ ANY, CAUSE_POLICY, AS_CODE, "list of allowed rcpthosts" },
	{ ANY, CAUSE_POLICY, AS_CODE, "multiple destination domains per transaction" },
	{ ANY, CAUSE_POLICY, AS_CODE, "for policy reasons" },

	/* This recipient. */
	{ ANY, CAUSE_MAILBOX, AS_CODE, "user unknown" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "unknown user" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "no such user" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "no such recipient" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "no mailbox here" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "mailbox not found" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "mailbox unavailable" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "unrouteable address" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "account that you tried to reach" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "doesn't have a yahoo" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "invalid recipient" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "recipient unknown" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "unknown recipient" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "recipient not found" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "recipientnotfound" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "recipient address rejected: access denied" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "mailbox full" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "mailbox is full" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "over quota" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "overquota" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "quota exceeded" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "exceeded storage allocation" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "out of storage space" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "account is disabled" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "account has been disabled" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "mailbox is inactive" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "mailbox is disabled" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "mailbox disabled" },

	/* This message. */
	{ ANY, CAUSE_CONTENT, AS_CODE, "message size exceeds" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "message too large" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "message too big" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "message file too big" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "virus" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "malware" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "phish" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "spam message" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "message content rejected" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "content rejected" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "considered spam" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "classified as spam" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "identified as spam" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "looks like spam" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "likely unsolicited" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "high spam" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "blocked because its content" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "message header" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "rfc 5322" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "rfc5322" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "bare lf" },
	{ ANY, CAUSE_CONTENT, AS_CODE, "bare <lf>" },

	/* The sender's domain, as their DNS has it. */
	{ ANY, CAUSE_DNS, AS_CODE, "sender address rejected: domain not found" },
	{ ANY, CAUSE_DNS, AS_CODE, "domain of sender address" },
	{ ANY, CAUSE_DNS, AS_CODE, "sender domain must exist" },
	{ ANY, CAUSE_DNS, AS_CODE, "sender domain does not exist" },
};

/* The same, where the code says nothing in particular. */
static const struct reply_word vague[] = {
	{ ANY, CAUSE_SYSTEM, AS_CODE, "local error" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "local problem" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "internal error" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "internal server error" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "server configuration" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "queue file write error" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "insufficient system storage" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "insufficient disk space" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "shutting down" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "server too busy" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "too busy" },
	{ ANY, CAUSE_SYSTEM, AS_CODE, "timeout" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "blocked" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "banned" },
	{ ANY, CAUSE_REPUTATION, AS_CODE, "your ip" },
	{ PERM, CAUSE_CONTENT, AS_CODE, "spam" },
	{ PERM, CAUSE_MAILBOX, AS_CODE, "does not exist" },
	{ PERM, CAUSE_MAILBOX, AS_CODE, "doesn't exist" },
	{ PERM, CAUSE_MAILBOX, AS_CODE, "no such" },
	{ PERM, CAUSE_MAILBOX, AS_CODE, "unknown" },
	{ PERM, CAUSE_MAILBOX, AS_CODE, "not found" },
	{ ANY, CAUSE_MAILBOX, AS_CODE, "quota" },
	{ ANY, CAUSE_POLICY, AS_CODE, "access denied" },
	{ ANY, CAUSE_POLICY, AS_CODE, "not authorized" },
	{ ANY, CAUSE_POLICY, AS_CODE, "policy" },
	/* OpenBSD's spamd, rspamd, Exchange: later, and no more is said. */
	{ TEMP, CAUSE_RATE, AS_CODE, "try again later" },
	{ TEMP, CAUSE_RATE, AS_CODE, "try later" },
	{ TEMP, CAUSE_RATE, AS_CODE, "temporarily deferred" },
};
/* clang-format on */

/* At the beginning of a word: "rbl" is not in "marble". */
static bool
has(const char *text, const char *words)
{
	const char *p = text;

	for (; (p = strstr(p, words)) != NULL; p++) {
		if (p == text || !isalnum((unsigned char)p[-1]))
			return true;
	}
	return false;
}

static const struct reply_word *
look(const struct reply_word *rows, size_t n, unsigned int class,
    const char *text)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if ((rows[i].class == ANY || rows[i].class == class) &&
		    has(text, rows[i].words))
			return &rows[i];
	}
	return NULL;
}

const struct reply_word *
reply_words_sure(unsigned int class, const char *text)
{
	return look(sure, sizeof sure / sizeof sure[0], class, text);
}

const struct reply_word *
reply_words_vague(unsigned int class, const char *text)
{
	return look(vague, sizeof vague / sizeof vague[0], class, text);
}
