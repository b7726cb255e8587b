/*
 * What the end of a user's program means.  Runs in local.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_exit.h"

#include <sys/wait.h>

#include <string.h>

/* Columns: exit status, verdict, width, cause, enhanced code.  The last one is
 * for all others. */
static const struct row {
	int status;
	enum verdict verdict;
	enum width width;
	enum cause cause;
	const char *ecode;
} rows[] = {
	{ 0, DONE, WIDTH_RCPT, CAUSE_NONE, "2.0.0" },
	{ 65, NEVER, WIDTH_RCPT, CAUSE_CONTENT, "5.6.0" },  /* DATAERR */
	{ 67, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, "5.1.1" },  /* NOUSER */
	{ 68, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, "5.1.2" },  /* NOHOST */
	{ 71, LATER, WIDTH_RCPT, CAUSE_SYSTEM, "4.3.0" },   /* OSERR */
	{ 73, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, "5.2.0" },  /* CANTCREAT */
	{ 75, LATER, WIDTH_RCPT, CAUSE_MAILBOX, "4.3.0" },  /* TEMPFAIL */
	{ 76, NEVER, WIDTH_RCPT, CAUSE_CONTENT, "5.5.0" },  /* PROTOCOL */
	{ 77, NEVER, WIDTH_RCPT, CAUSE_POLICY, "5.7.0" },   /* NOPERM */
	{ 78, NEVER, WIDTH_RCPT, CAUSE_CONFIG, "5.3.5" },   /* CONFIG */
	{ 111, LATER, WIDTH_RCPT, CAUSE_MAILBOX, "4.3.0" }, /* of qmail */
	/* The shell: it cannot be executed; there is none of that name. */
	{ 126, LATER, WIDTH_SITE, CAUSE_CONFIG, "4.3.5" },
	{ 127, LATER, WIDTH_SITE, CAUSE_CONFIG, "4.3.5" },
	{ -1, NEVER, WIDTH_RCPT, CAUSE_MAILBOX, "5.3.0" },
};

void
exit_words_add(struct exit_words *w, const char *p, size_t len)
{
	for (; len != 0 && w->len < EXIT_WORDS_MAX; p++, len--) {
		char c = *p;

		if (c == '\n' || c == '\t' || c == '\r')
			c = ' ';
		/* No blank in front, and no two. */
		if (c == ' ' && (w->len == 0 || w->text[w->len - 1] == ' '))
			continue;
		w->text[w->len++] = c < ' ' || c > '~' ? '?' : c;
	}
	w->text[w->len] = '\0';
}

/* The shell says 128 + n of a program of its own that signal n ended. */
static int
signal_of(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status);
	if (WIFEXITED(status) && WEXITSTATUS(status) > 128 &&
	    WEXITSTATUS(status) <= 128 + 64)
		return WEXITSTATUS(status) - 128;
	return 0;
}

bool
exit_outcome(struct local *l, int status, const struct exit_words *w)
{
	const struct row *r = rows;
	int sig = signal_of(status), code = WEXITSTATUS(status);
	const char *colon = w->len == 0 ? "" : ": ";

	if (sig != 0)
		return local_later(l, WIDTH_RCPT, CAUSE_SYSTEM, "4.3.0",
		    "the program was ended by signal %d (%s)%s%s", sig,
		    strsignal(sig), colon, w->text);
	while (r->status != code && r->status != -1)
		r++;
	switch (r->verdict) {
	case DONE:
		return true;
	case NEVER:
		return local_never(l, r->cause, r->ecode,
		    "the program said no, with status %d%s%s", code, colon,
		    w->text);
	default:
		return local_later(l, r->width, r->cause, r->ecode,
		    "the program said later, with status %d%s%s", code, colon,
		    w->text);
	}
}
