/*
 * Replies as lines of text.  Runs in session; knows no session and does no
 * input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "slice.h"

/* Columns: code, enhanced code, text. */
static const struct {
	unsigned int code;
	const char *ecode, *text;
} rows[REPLIES] = {
#define X(name, code, ecode, text) [REPLY_##name] = { code, ecode, text },
	REPLY_TABLE(X)
#undef X
};

/* What a verdict is when its outcome does not say so.  Columns: first digit,
 * code, enhanced code's subject and detail, text. */
static const struct {
	unsigned int class, code;
	uint16_t subject, detail;
	const char *text;
} verdicts[] = {
	[LATER] = { 4, 451, 3, 0, "Local trouble, try later" },
	[DONE] = { 2, 250, 0, 0, "Ok" },
	[NEVER] = { 5, 550, 0, 0, "Refused" },
};

static enum verdict
verdict_of(unsigned int code)
{
	return code >= 500 ? NEVER : code >= 400 ? LATER : DONE;
}

void
reply_outcome(struct outcome *o, enum reply r, const char *detail)
{
	const char *text = rows[r].text, *mark = strchr(text, '$');
	int before = (int)strlen(text);

	assert(r > REPLY_NONE && r < REPLIES);
	assert(mark == NULL || detail != NULL);
	if (mark != NULL)
		before = (int)(mark - text);
	outcome_set(o, verdict_of(rows[r].code), WIDTH_MESSAGE, rows[r].code,
	    rows[r].ecode, "%.*s%s%s", before, text, mark == NULL ? "" : detail,
	    mark == NULL ? "" : mark + 1);
}

static unsigned int
verdict_row(const struct outcome *o)
{
	return o->verdict <= NEVER ? o->verdict : LATER;
}

unsigned int
reply_code(const struct outcome *o)
{
	unsigned int v = verdict_row(o);

	/* 354 of the table is no end, and none of the three verdicts. */
	if (v == DONE && o->code / 100 == 3)
		return o->code;
	if (o->code / 100 != verdicts[v].class || o->code > 599)
		return verdicts[v].code;
	return o->code;
}

/* What a line may not hold: control characters, and what is above ASCII
 * unless the client can read it. */
static void
make_plain(char *line, size_t len, bool utf8)
{
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = utf8 ? slice_utf8((struct slice){ line + i, len - i }) : 0;
		if (n > 1)
			continue;
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
		n = 1;
	}
}

size_t
reply_print(const struct outcome *o, bool utf8, char out[REPLY_LINE_MAX + 1])
{
	unsigned int v = verdict_row(o);
	struct outcome said = *o;
	size_t len;

	said.code = (uint16_t)reply_code(o);
	said.text[sizeof said.text - 1] = '\0';
	if (said.text[0] == '\0') {
		snprintf(said.text, sizeof said.text, "%s", verdicts[v].text);
		said.ecode[0] = said.code / 100;
		said.ecode[1] = verdicts[v].subject;
		said.ecode[2] = verdicts[v].detail;
	}
	if (said.ecode[0] != 0 && said.ecode[0] != said.code / 100)
		said.ecode[0] = said.code / 100;
	outcome_print(&said, out, REPLY_LINE_MAX - 1);
	len = strlen(out);
	make_plain(out, len, utf8);
	memcpy(out + len, "\r\n", 3);
	return len + 2;
}
