/*
 * JSON, safe text, times and sizes for smtpctl(8).  What is printed came from
 * strangers: no byte of it reaches a terminal or a JSON reader unchecked.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth_result.h"
#include "facts.h"
#include "slice.h"

/* ---- times and sizes ---- */

const char *
print_span(int64_t seconds, char out[PRINT_TIME])
{
	/* Columns: length in seconds, letter. */
	static const struct {
		int64_t seconds;
		char letter;
	} units[] = {
		{ 24 * 60 * 60, 'd' },
		{ 60 * 60, 'h' },
		{ 60, 'm' },
		{ 1, 's' },
		{ 0, 0 },
	};
	int64_t rest;
	int i = 0;

	if (seconds < 0)
		seconds = 0;
	while (units[i].seconds > 1 && seconds < units[i].seconds)
		i++;
	rest = seconds % units[i].seconds;
	if (rest == 0 || rest < units[i + 1].seconds)
		snprintf(out, PRINT_TIME, "%lld%c",
		    (long long)(seconds / units[i].seconds), units[i].letter);
	else
		snprintf(out, PRINT_TIME, "%lld%c%lld%c",
		    (long long)(seconds / units[i].seconds), units[i].letter,
		    (long long)(rest / units[i + 1].seconds),
		    units[i + 1].letter);
	return out;
}

const char *
print_iso(int64_t when, char out[PRINT_TIME])
{
	time_t t = (time_t)when;
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&t, &tm) == NULL || tm.tm_year > 9999 - 1900 ||
	    tm.tm_year < 0)
		return out;
	if (strftime(out, PRINT_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}

const char *
print_size(uint64_t bytes, char out[PRINT_TIME])
{
	static const char units[] = "KMGTPE";
	uint64_t whole = bytes, part = 0;
	int i = -1;

	while (whole >= 1024) {
		part = whole % 1024;
		whole /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(out, PRINT_TIME, "%llu", (unsigned long long)whole);
	else
		snprintf(out, PRINT_TIME, "%llu.%llu%c",
		    (unsigned long long)whole,
		    (unsigned long long)(part * 10 / 1024), units[i]);
	return out;
}

/* ---- characters ---- */

/* C0, DEL and C1: what a terminal obeys. */
static bool
is_control(const unsigned char *p, int len)
{
	return (len == 1 && (p[0] < ' ' || p[0] == 0x7f)) ||
	    (len == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

/* Returns characters added. */
static size_t
add_text(struct buf *b, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len = strlen(s), count = 0;
	int n;

	while (len > 0) {
		n = slice_utf8_step((struct slice){ (const char *)p, len });
		if (n <= 0 || is_control(p, n)) {
			n = n <= 0 ? 1 : n;
			buf_puts(b, "?");
		} else {
			buf_add(b, p, (size_t)n);
		}
		p += n;
		len -= (size_t)n;
		count++;
	}
	return count;
}

void
print_text(struct buf *b, const char *s)
{
	add_text(b, s);
}

void
print_column(struct buf *b, const char *s, size_t width)
{
	size_t n = add_text(b, s);

	do
		buf_puts(b, " ");
	while (n++ < width);
}

const char *
print_about(const struct outcome *o, char out[PRINT_ABOUT])
{
	if (o->cause == CAUSE_NONE && o->stage == STAGE_NONE)
		snprintf(out, PRINT_ABOUT, "-");
	else
		snprintf(out, PRINT_ABOUT, "%s/%s", cause_name(o->cause),
		    stage_name(o->stage));
	return out;
}

/* ---- JSON (RFC 8259) ---- */

static void
json_char(struct buf *b, const unsigned char *p, int len)
{
	static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	const char *n;

	if (len <= 0) {
		buf_puts(b, "\\ufffd");
		return;
	}
	if (len > 1) {
		if (is_control(p, len))
			buf_printf(b, "\\u%04x", (unsigned int)p[1]);
		else
			buf_add(b, p, (size_t)len);
		return;
	}
	for (n = named; *n != '\0'; n += 2) {
		if ((unsigned char)*n == *p) {
			buf_printf(b, "\\%c", n[1]);
			return;
		}
	}
	if (is_control(p, len))
		buf_printf(b, "\\u%04x", (unsigned int)*p);
	else
		buf_add(b, p, 1);
}

size_t
json_piece(struct buf *b, const char *text, size_t len, bool last)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;
	int n;

	while (used < len) {
		n = slice_utf8_step((struct slice){ (const char *)p + used,
		    len - used });
		if (n == -1 && !last)
			break;
		json_char(b, p + used, n);
		used += n > 0 ? (size_t)n : 1;
	}
	return used;
}

void
json_string(struct buf *b, const char *s)
{
	buf_puts(b, "\"");
	json_piece(b, s, strlen(s), true);
	buf_puts(b, "\"");
}

void
json_member(struct buf *b, const char *begin, const char *name,
    const char *value)
{
	buf_printf(b, "%s\"%s\":", begin, name);
	json_string(b, value);
}

void
json_number(struct buf *b, const char *begin, const char *name, uint64_t value)
{
	buf_printf(b, "%s\"%s\":%llu", begin, name, (unsigned long long)value);
}

void
json_bool(struct buf *b, const char *begin, const char *name, bool value)
{
	buf_printf(b, "%s\"%s\":%s", begin, name, value ? "true" : "false");
}

void
json_time(struct buf *b, const char *begin, const char *name, int64_t when)
{
	char iso[PRINT_TIME];

	if (when == 0 || print_iso(when, iso)[0] == '\0')
		buf_printf(b, "%s\"%s\":null", begin, name);
	else
		json_member(b, begin, name, iso);
}

void
json_results(struct buf *b, const char *begin, const char *name,
    uint32_t content_facts)
{
	uint32_t results =
	    (content_facts & CONTENT_RESULTS) >> CONTENT_RESULTS_SHIFT;
	const char *before = "{";
	enum auth_method m;
	const char *word;

	if (results == 0)
		return;
	buf_printf(b, "%s\"%s\":", begin, name);
	for (m = BY_SPF; m < BY_METHODS; m++) {
		word = auth_result_word(auth_result_get(results, m));
		if (word[0] == '\0')
			continue;
		json_member(b, before, auth_method_word(m), word);
		before = ",";
	}
	/* Numbers that are no results, in a file that is damaged. */
	buf_puts(b, before[0] == '{' ? "{}" : "}");
}

void
json_outcome(struct buf *b, const char *begin, const char *name,
    const struct outcome *o)
{
	char ecode[24] = "";

	if (o->verdict == LATER && o->code == 0 && o->text[0] == '\0') {
		buf_printf(b, "%s\"%s\":null", begin, name);
		return;
	}
	if (o->ecode[0] != 0)
		snprintf(ecode, sizeof ecode, "%u.%u.%u", o->ecode[0],
		    o->ecode[1], o->ecode[2]);
	buf_printf(b, "%s\"%s\":", begin, name);
	json_member(b, "{", "verdict", verdict_name(o->verdict));
	json_number(b, ",", "code", o->code);
	json_member(b, ",", "enhanced", ecode);
	json_member(b, ",", "cause", cause_name(o->cause));
	json_member(b, ",", "stage", stage_name(o->stage));
	json_number(b, ",", "after", o->after);
	json_member(b, ",", "text", o->text);
	json_bool(b, ",", "local", o->local != 0);
	buf_puts(b, "}");
}
