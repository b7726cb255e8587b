/*
 * Reading how long a server wants to be left alone.  Used by deliver.  Never
 * guesses: a number without its unit is none.
 *
 * SPDX-License-Identifier: ISC
 */
#include "reply_after.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NUMBER_MAX 1000000 /* more is no number of ours */

/* What stands before the time.  A row with a second word counts only where
 * that is somewhere in the text too. */
static const struct {
	const char *words, *beside;
} triggers[] = {
	{ "again in ", NULL },
	{ "again after ", NULL },
	{ "retry in ", NULL },
	{ "retry after ", NULL },
	{ "back in ", NULL },
	{ "back after ", NULL },
	{ "listed for ", "grey" },
	{ "listed for ", "gray" },
	{ "listing for ", "grey" },
	{ "listing for ", "gray" },
	{ "listing in effect for ", NULL },
	{ "deferred for ", NULL },
	{ "wait ", NULL },
	{ "retry=", NULL },
	{ "in ", "again" },
	{ "in ", "retry" },
	{ "in ", "later" },
	{ "in ", "greylist" },
	{ "for ", "again" },
	{ "for ", "retry" },
};

/* Longer names before those that they begin with. */
static const struct {
	const char *name;
	uint32_t seconds;
} units[] = {
	{ "seconds", 1 },
	{ "second", 1 },
	{ "secs", 1 },
	{ "sec", 1 },
	{ "s", 1 },
	{ "minutes", 60 },
	{ "minute", 60 },
	{ "mins", 60 },
	{ "min", 60 },
	{ "m", 60 },
	{ "hours", 3600 },
	{ "hour", 3600 },
	{ "hrs", 3600 },
	{ "hr", 3600 },
	{ "h", 3600 },
};

static const char *
skip(const char *p, const char *chars)
{
	return p + strspn(p, chars);
}

/* Digits; false: there are none, or too many. */
static bool
number(const char **p, uint32_t *n)
{
	const char *s = *p;

	*n = 0;
	for (; isdigit((unsigned char)*s) && *n < NUMBER_MAX; s++)
		*n = *n * 10 + (uint32_t)(*s - '0');
	if (s == *p || isdigit((unsigned char)*s))
		return false;
	*p = s;
	return true;
}

/* "00:05:00" or "05:00", of which the first number was read. */
static bool
clock_time(const char **p, uint32_t n, uint32_t *seconds)
{
	uint32_t more;
	int parts = 1;

	for (*seconds = n; **p == ':' && parts < 3; parts++) {
		(*p)++;
		if (!number(p, &more) || more > 59)
			return false;
		*seconds = *seconds * 60 + more;
	}
	return parts > 1;
}

static bool
unit(const char **p, uint32_t n, uint32_t *seconds)
{
	const char *s = skip(*p, " ");
	size_t i, len;

	for (i = 0; i < sizeof units / sizeof units[0]; i++) {
		len = strlen(units[i].name);
		if (strncmp(s, units[i].name, len) == 0 &&
		    !isalnum((unsigned char)s[len])) {
			*p = s + len;
			*seconds = n * units[i].seconds;
			return true;
		}
	}
	return false;
}

/* "5 minutes", "1 min 30 sec", "00:05:00"; 0: it is no time. */
static uint32_t
a_time(const char *p)
{
	static const char *const about[] = { "about ", "approximately ",
		"at least ", "another " };
	uint32_t n, seconds, sum = 0;
	size_t i;

	for (i = 0; i < sizeof about / sizeof about[0]; i++) {
		if (strncmp(p, about[i], strlen(about[i])) == 0)
			p += strlen(about[i]);
	}
	for (p = skip(p, " "); number(&p, &n); p = skip(p, " ,")) {
		if (sum == 0 && clock_time(&p, n, &seconds))
			return seconds;
		if (!unit(&p, n, &seconds))
			break;
		sum = sum > NUMBER_MAX ? sum : sum + seconds;
	}
	return sum;
}

/* "greylisted (see http://... 300)": the last words in parentheses. */
static uint32_t
in_parentheses(const char *text)
{
	const char *end = strrchr(text, ')'), *p = end;
	uint32_t n;

	if (end == NULL ||
	    (strstr(text, "greylist") == NULL &&
		strstr(text, "graylist") == NULL))
		return 0;
	while (p > text && isdigit((unsigned char)p[-1]))
		p--;
	if (p == text || strchr(" =(", p[-1]) == NULL || !number(&p, &n))
		return 0;
	return n;
}

uint32_t
reply_after(const char *text, uint32_t max)
{
	uint32_t seconds = 0;
	const char *p;
	size_t i;

	for (i = 0; i < sizeof triggers / sizeof triggers[0]; i++) {
		if (triggers[i].beside != NULL &&
		    strstr(text, triggers[i].beside) == NULL)
			continue;
		for (p = text; seconds == 0 &&
		     (p = strstr(p, triggers[i].words)) != NULL;) {
			p += strlen(triggers[i].words);
			seconds = a_time(p);
		}
		if (seconds != 0)
			break;
	}
	if (seconds == 0)
		seconds = in_parentheses(text);
	return seconds < max ? seconds : max;
}
