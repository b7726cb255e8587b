/*
 * Replies: that each row of the table is one a server may give, and that no
 * text from elsewhere makes it another.
 *
 * SPDX-License-Identifier: ISC
 */
#include <ctype.h>

#include "session_reply.h"
#include "unit.h"

/* Columns: name, code, enhanced code, text. */
static const struct {
	const char *name;
	unsigned int code;
	const char *ecode, *text;
} rows[] = {
#define X(name, code, ecode, text) { #name, code, ecode, text },
	REPLY_TABLE(X)
#undef X
};

/* RFC 5321 4.2.1: "ddd text CRLF", printable, at most 512 bytes. */
static int
is_reply(const char *line, size_t len)
{
	size_t i;

	if (len < 6 || len > REPLY_LINE_MAX || strlen(line) != len ||
	    strcmp(line + len - 2, "\r\n") != 0 || line[3] != ' ')
		return 0;
	for (i = 0; i < len - 2; i++) {
		if (i < 3 ? !isdigit((unsigned char)line[i]) :
			    line[i] < ' ' || line[i] > '~')
			return 0;
	}
	return line[0] >= '2' && line[0] <= '5';
}

static void
test_table(void)
{
	char line[REPLY_LINE_MAX + 1], want[64];
	struct outcome o;
	size_t i, len;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		reply_outcome(&o, (enum reply)(i + 1), "WORD");
		len = reply_print(&o, false, line);
		snprintf(want, sizeof want, "%u %s", rows[i].code,
		    rows[i].ecode);
		CHECK(rows[i].name,
		    is_reply(line, len) &&
			strncmp(line, want, strlen(want)) == 0 &&
			strchr(line, '$') == NULL &&
			(strchr(rows[i].text, '$') == NULL) ==
			    (strstr(line, "WORD") == NULL));
		/* RFC 2034 4: the class is the code's first digit. */
		CHECK("class",
		    rows[i].ecode[0] == '\0' ||
			rows[i].ecode[0] - '0' == (int)rows[i].code / 100);
	}
}

static void
test_detail(void)
{
	char line[REPLY_LINE_MAX + 1], detail[2000];
	struct outcome o;
	size_t len;

	reply_outcome(&o, REPLY_BAD_RCPT, "a\r\n250 ok\t\x80\x7f$b");
	len = reply_print(&o, false, line);
	CHECK("no line end from outside",
	    is_reply(line, len) &&
		strcmp(line, "501 5.1.3 Recipient: a??250 ok???$b\r\n") == 0);
	/* RFC 6531 3.5: for who has said SMTPUTF8. */
	reply_outcome(&o, REPLY_BAD_RCPT, "\xc3\xa4\xe2\x82\xac \xc3(\xff\t");
	len = reply_print(&o, true, line);
	CHECK("utf-8",
	    strcmp(line,
		"501 5.1.3 Recipient: \xc3\xa4\xe2\x82\xac ?(??\r\n") == 0);
	len = reply_print(&o, false, line);
	CHECK("and ASCII else",
	    is_reply(line, len) &&
		strcmp(line, "501 5.1.3 Recipient: ????? ?(??\r\n") == 0);
	memset(detail, 'x', sizeof detail - 1);
	detail[sizeof detail - 1] = '\0';
	reply_outcome(&o, REPLY_BAD_RCPT, detail);
	len = reply_print(&o, false, line);
	CHECK("cut to a line", is_reply(line, len) && len > 490);
	memset(&o, 'x', sizeof o);
	len = reply_print(&o, false, line);
	CHECK("nonsense is a reply", is_reply(line, len));
}

/* What another process says.  Columns: outcome, reply's beginning. */
static const struct {
	struct outcome o;
	const char *begins;
} outcomes[] = {
	{ { .verdict = LATER }, "451 4.3.0 Local" },
	{ { .verdict = DONE }, "250 2.0.0 Ok" },
	{ { .verdict = NEVER }, "550 5.0.0 Refused" },
	{ { .verdict = 77 }, "451 4.3.0 Local" },
	{ { .verdict = NEVER, .code = 554, .ecode = { 5, 7, 1 }, .text = "x" },
	    "554 5.7.1 x" },
	{ { .verdict = LATER, .code = 452, .ecode = { 4, 3, 1 }, .text = "x" },
	    "452 4.3.1 x" },
	{ { .verdict = NEVER, .code = 554, .text = "x" }, "554 x" },
	/* doubt means later, whatever the code says */
	{ { .verdict = LATER, .code = 550, .ecode = { 5, 7, 1 }, .text = "x" },
	    "451 4.7.1 x" },
	{ { .verdict = LATER, .code = 250, .ecode = { 2, 0, 0 }, .text = "x" },
	    "451 4.0.0 x" },
	{ { .verdict = NEVER, .code = 450, .ecode = { 4, 7, 1 }, .text = "x" },
	    "550 5.7.1 x" },
	{ { .verdict = DONE, .code = 550, .ecode = { 5, 7, 1 }, .text = "x" },
	    "250 2.7.1 x" },
	{ { .verdict = NEVER, .code = 5599, .text = "x" }, "550 x" },
};

static void
test_outcomes(void)
{
	char line[REPLY_LINE_MAX + 1], name[64];
	size_t i, len;

	for (i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		len = reply_print(&outcomes[i].o, false, line);
		snprintf(name, sizeof name, "outcome %zu", i);
		CHECK(name,
		    is_reply(line, len) &&
			strncmp(line, outcomes[i].begins,
			    strlen(outcomes[i].begins)) == 0 &&
			reply_code(&outcomes[i].o) ==
			    (unsigned int)atoi(outcomes[i].begins));
	}
}

int
main(void)
{
	test_table();
	test_detail();
	test_outcomes();
	return unit_end();
}
