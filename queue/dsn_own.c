/*
 * Takes out of our own words what is not for strangers.  Used by the queue
 * process; does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn_own.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define A_FILE "a file here"

/* ---- words about the configuration ---- */

/* They have the name of something behind them. */
static const char *const namers[] = { "label ", "table " };

static bool
has_name(const char *text)
{
	const char *at;
	size_t i;

	for (i = 0; i < sizeof namers / sizeof namers[0]; i++) {
		for (at = text; (at = strstr(at, namers[i])) != NULL; at++) {
			if (at == text || at[-1] == ' ' || at[-1] == '(')
				return true;
		}
	}
	return false;
}

/* What is said instead; NULL: the words themselves. */
static const char *
instead(const struct outcome *o)
{
	/* What the DNS has of a domain is known to all. */
	if (o->cause == CAUSE_CONFIG && o->stage != STAGE_DNS)
		return "a mail server is not set up right; its log says more";
	if (!has_name(o->text))
		return NULL;
	return o->cause == CAUSE_TLS ?
	    "the other mail server did not prove who it is, and no login is sent without that" :
	    "this mail server cannot look up now what it needs; its log says more";
}

/* ---- places ---- */

/* It ends with a colon and a number. */
static bool
has_line(const char *p, size_t len)
{
	size_t n = len;

	while (n > 0 && p[n - 1] >= '0' && p[n - 1] <= '9')
		n--;
	return n > 0 && n < len && p[n - 1] == ':';
}

/* The bytes of a parenthesis at p, " (smtpd.conf:8)", that names a place; 0:
 * there is none.  The text may have been cut within it. */
static size_t
place_len(const char *p)
{
	const char *end;

	if (strncmp(p, " (", 2) != 0)
		return 0;
	end = strchr(p, ')');
	if (end == NULL)
		return p[2] == '/' ? strlen(p) : 0;
	return has_line(p + 2, (size_t)(end - p - 2)) ? (size_t)(end - p) + 1 :
							0;
}

/* The bytes of a path that begins at p, which has `before` in front of it,
 * without what ends a sentence; 0: there is none. */
static size_t
path_len(const char *p, char before)
{
	size_t len = strcspn(p, " \"'");

	if (p[0] != '/' || strchr(" (\"'=", before) == NULL)
		return 0;
	while (len > 0 && strchr(":,;.)", p[len - 1]) != NULL)
		len--;
	return len > 1 ? len : 0;
}

static void
cut_places(const char *text, char *out, size_t size)
{
	size_t used = 0, n;
	char before = ' ';

	while (*text != '\0' && used + sizeof A_FILE < size) {
		if ((n = place_len(text)) > 0) {
			text += n;
		} else if ((n = path_len(text, before)) > 0) {
			memcpy(out + used, A_FILE, sizeof A_FILE - 1);
			used += sizeof A_FILE - 1;
			text += n;
		} else {
			before = *text;
			out[used++] = *text++;
		}
	}
	out[used] = '\0';
}

/* ---- public ---- */

const char *
dsn_said(const struct outcome *o, char *out, unsigned int size)
{
	struct outcome safe = *o;
	const char *words = instead(o);

	if (!o->local || o->text[0] == '\0')
		return outcome_print(o, out, size);
	if (words != NULL)
		snprintf(safe.text, sizeof safe.text, "%s", words);
	else
		cut_places(o->text, safe.text, sizeof safe.text);
	return outcome_print(&safe, out, size);
}
