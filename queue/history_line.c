/*
 * A line of the history.  Used by queue, which writes it, and smtpctl, which
 * believes nothing that it reads.
 *
 * SPDX-License-Identifier: ISC
 */
#include "history.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "num.h"

#define VERSION "1"

const char *
history_event_name(unsigned int event)
{
	static const char *const names[] = {
#define X(name, word) word,
		HISTORY_EVENTS(X)
#undef X
	};

	return names[event < HISTORY_EVENTS_N ? event : 0];
}

/* Columns: what it is, field, the most that a number may be.  In the order of
 * a line.  Later versions add at the end. */
#define FIELDS(X)                                                              \
	X(number, when, INT64_MAX)                                             \
	X(number, id, UINT64_MAX)                                              \
	X(number, n, UINT32_MAX)                                               \
	X(number, event, HISTORY_EVENTS_N - 1)                                 \
	X(number, attempts, UINT32_MAX)                                        \
	X(number, other, UINT64_MAX)                                           \
	X(number, size, UINT64_MAX)                                            \
	X(number, last.verdict, NEVER)                                         \
	X(number, last.width, WIDTH_STREAM)                                    \
	X(number, last.code, UINT16_MAX)                                       \
	X(number, last.ecode[0], UINT16_MAX)                                   \
	X(number, last.ecode[1], UINT16_MAX)                                   \
	X(number, last.ecode[2], UINT16_MAX)                                   \
	X(number, last.local, 1)                                               \
	X(number, last.cause, CAUSES_N - 1)                                    \
	X(number, last.stage, STAGES_N - 1)                                    \
	X(number, last.after, UINT32_MAX)                                      \
	X(text, from, 0)                                                       \
	X(text, to, 0)                                                         \
	X(text, orig_to, 0)                                                    \
	X(text, client, 0)                                                     \
	X(text, route, 0)                                                      \
	X(text, relay, 0)                                                      \
	X(text, tls, 0)                                                        \
	X(text, last.text, 0)

/* ---- out ---- */

static bool
put_number(struct buf *out, uint64_t value)
{
	return buf_printf(out, "\t%" PRIu64, value);
}

/* What would end a field or a line is written as in C. */
static bool
put_text(struct buf *out, const char *text)
{
	static const char special[] = "\\\t\n\r", letters[] = "\\tnr";
	const char *found;
	size_t plain;
	char pair[2] = { '\\' };

	if (!buf_add(out, "\t", 1))
		return false;
	while (*text != '\0') {
		plain = strcspn(text, special);
		if (!buf_add(out, text, plain))
			return false;
		text += plain;
		if (*text == '\0')
			break;
		found = strchr(special, *text++);
		pair[1] = letters[found - special];
		if (!buf_add(out, pair, sizeof pair))
			return false;
	}
	return true;
}

bool
history_line_print(const struct history_row *row, struct buf *out)
{
	bool good = buf_puts(out, VERSION);

#define number(field)       good = good && put_number(out, (uint64_t)row->field);
#define text(field)         good = good && put_text(out, row->field);
#define X(kind, field, max) kind(field)
	FIELDS(X)
#undef X
#undef text
#undef number
	return good && buf_puts(out, "\n");
}

/* ---- in ---- */

/* Up to the next tab; *rest moves behind it, and is NULL behind the last. */
static struct slice
next_field(struct slice *rest)
{
	const char *tab = memchr(rest->p, '\t', rest->len);
	struct slice field = *rest;

	if (tab == NULL) {
		*rest = (struct slice){ NULL, 0 };
		return field;
	}
	field.len = (size_t)(tab - rest->p);
	rest->p += field.len + 1;
	rest->len -= field.len + 1;
	return field;
}

static const char *
get_number(struct slice field, uint64_t max, uint64_t *value)
{
	char digits[24];

	if (!slice_copy(field, digits, sizeof digits))
		return "a number that is none";
	return num_parse(digits, 0, max, value);
}

static const char *
get_text(struct slice field, char *out, size_t size)
{
	static const char special[] = "\\\t\n\r", letters[] = "\\tnr";
	const char *found;
	size_t n = 0, i;

	for (i = 0; i < field.len; i++) {
		if (n + 1 >= size || field.p[i] == '\0')
			return "a text that is too long";
		out[n] = field.p[i];
		if (field.p[i] == '\\') {
			if (++i == field.len || field.p[i] == '\0' ||
			    (found = strchr(letters, field.p[i])) == NULL)
				return "a backslash before nothing";
			out[n] = special[found - letters];
		}
		n++;
	}
	out[n] = '\0';
	return NULL;
}

const char *
history_line_parse(struct slice line, struct history_row *row)
{
	const char *why = NULL;
	uint64_t value = 0;

	memset(row, 0, sizeof *row);
	if (!slice_eq(next_field(&line), SLICE(VERSION)))
		return "of a version that is not known";
#define CUT "it is cut short"
#define number(field, max)                                                     \
	if (why == NULL && line.p == NULL)                                     \
		why = CUT;                                                     \
	if (why == NULL)                                                       \
		why = get_number(next_field(&line), max, &value);              \
	if (why == NULL)                                                       \
		row->field = (__typeof__(row->field))value;
#define text(field, max)                                                       \
	if (why == NULL && line.p == NULL)                                     \
		why = CUT;                                                     \
	if (why == NULL)                                                       \
		why = get_text(next_field(&line), row->field,                  \
		    sizeof row->field);
#define X(kind, field, max) kind(field, max)
	FIELDS(X)
#undef X
#undef text
#undef number
	return why;
}
