/*
 * Tokens as files and commands have them.  Runs in lookup; keeps nothing,
 * logs nothing, wipes what it made on the way.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_token_text.h"

#include <string.h>
#include <time.h>

#include <jansson.h>

#include "lookup_jwt.h"
#include "num.h"

/* Beyond that a number is no time in seconds: the year 5138. */
#define TIME_MAX INT64_C(100000000000)

static const char expired[] = "it has expired";

/* ---- times ---- */

/* n digits off the front of s, low to high. */
static bool
take_number(struct slice *s, size_t n, int low, int high, int *out)
{
	size_t i;

	if (s->len < n)
		return false;
	*out = 0;
	for (i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*out = *out * 10 + (s->p[i] - '0');
	}
	s->p += n;
	s->len -= n;
	return *out >= low && *out <= high;
}

/* One byte of these. */
static bool
take_byte(struct slice *s, const char *these, char *out)
{
	if (s->len == 0 || s->p[0] == '\0' || strchr(these, s->p[0]) == NULL)
		return false;
	*out = s->p[0];
	s->p++;
	s->len--;
	return true;
}

static bool
take_fraction(struct slice *s)
{
	size_t n = 0;
	char dot;

	if (!take_byte(s, ".", &dot))
		return true;
	while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	s->p += n;
	s->len -= n;
	return n > 0;
}

/* Seconds east. */
static bool
take_zone(struct slice *s, int *out)
{
	int hours, minutes;
	char sign, colon;

	*out = 0;
	if (take_byte(s, "Zz", &sign))
		return true;
	if (!take_byte(s, "+-", &sign) || !take_number(s, 2, 0, 23, &hours) ||
	    !take_byte(s, ":", &colon) || !take_number(s, 2, 0, 59, &minutes))
		return false;
	*out = (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
	return true;
}

bool
token_time_parse(struct slice s, int64_t *out)
{
	struct tm tm = { 0 };
	int zone, day;
	char c;

	if (!take_number(&s, 4, 1970, 9999, &tm.tm_year) ||
	    !take_byte(&s, "-", &c) || !take_number(&s, 2, 1, 12, &tm.tm_mon) ||
	    !take_byte(&s, "-", &c) ||
	    !take_number(&s, 2, 1, 31, &tm.tm_mday) ||
	    !take_byte(&s, "Tt ", &c) ||
	    !take_number(&s, 2, 0, 23, &tm.tm_hour) ||
	    !take_byte(&s, ":", &c) || !take_number(&s, 2, 0, 59, &tm.tm_min) ||
	    !take_byte(&s, ":", &c) || !take_number(&s, 2, 0, 60, &tm.tm_sec) ||
	    !take_fraction(&s) || !take_zone(&s, &zone) || s.len != 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	if (tm.tm_sec == 60) /* a leap second */
		tm.tm_sec = 59;
	day = tm.tm_mday;
	*out = (int64_t)timegm(&tm) - zone;
	/* The 31st of February is some day in March, says timegm(). */
	return tm.tm_mday == day;
}

/* A number, or one that was written as a text. */
static bool
take_seconds(const json_t *json, int64_t *out)
{
	double d = json_number_value(json);
	uint64_t n;

	if (json_is_number(json)) {
		if (!(d > -(double)TIME_MAX && d < (double)TIME_MAX))
			return false;
		*out = (int64_t)d;
		return true;
	}
	if (!json_is_string(json) ||
	    num_parse(json_string_value(json), 0, TIME_MAX, &n) != NULL)
		return false;
	*out = (int64_t)n;
	return true;
}

/* ---- what an object says ---- */

/* A point in time under this name.  False: it is there, and is none. */
static bool
take_until(const json_t *json, const char *name, bool *there, int64_t *until)
{
	const json_t *value = json_object_get(json, name);

	if (value == NULL || json_is_null(value) || *there)
		return true;
	*there = true;
	return take_seconds(value, until) ||
	    (json_is_string(value) &&
		token_time_parse(slice_of(json_string_value(value)), until));
}

/* NULL, or why not; *there: it says something. */
static const char *
find_until(const json_t *json, int64_t made, bool *there, int64_t *until)
{
	const json_t *in = json_object_get(json, "expires_in");

	if (!take_until(json, "expires_at", there, until) ||
	    !take_until(json, "expiry", there, until))
		return "expires_at or expiry is neither a number nor a time of RFC 3339";
	if (*there || in == NULL || json_is_null(in))
		return NULL;
	if (!take_seconds(in, until))
		return "expires_in is no number";
	*until += made;
	*there = true;
	return NULL;
}

/* RFC 6750 2.1: b64token */
static const char *
take_token(struct slice s, struct token_text *out)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("-._~+/=", c) == NULL))
			return "there is a character in it that no token has";
	}
	if (s.len == 0)
		return "it is empty";
	if (s.len > TOKEN_MAX)
		return "it is longer than 8192 bytes";
	(void)slice_copy(s, out->token, sizeof out->token);
	return NULL;
}

static const char *
parse_object(const json_t *json, int64_t made, bool *there,
    struct token_text *out)
{
	const json_t *token = json_object_get(json, "access_token");
	const char *why;

	if (!json_is_string(token))
		return "there is no access_token in it";
	why = take_token((struct slice){ json_string_value(token),
			     json_string_length(token) },
	    out);
	return why != NULL ? why : find_until(json, made, there, &out->until);
}

const char *
token_text_parse(struct slice text, int64_t made, int64_t now,
    struct token_text *out)
{
	struct slice s = slice_strip(text);
	const char *why;
	bool there = false;
	json_t *json;

	memset(out, 0, sizeof *out);
	if (text.len > TOKEN_TEXT_MAX)
		return "it is longer than 16384 bytes";
	if (s.len > 0 && s.p[0] == '{') {
		json = json_loadb(s.p, s.len, JSON_REJECT_DUPLICATES, NULL);
		why = json == NULL ? "it is not JSON" :
				     parse_object(json, made, &there, out);
		json_decref(json);
	} else
		why = take_token(s, out);
	if (why == NULL && !there)
		there = jwt_exp(slice_of(out->token), &out->until);
	if (why == NULL && !there)
		out->until = now + TOKEN_LIFE;
	if (why == NULL && out->until <= now)
		why = expired;
	if (why != NULL)
		explicit_bzero(out, sizeof *out);
	return why;
}
