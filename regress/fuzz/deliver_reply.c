/*
 * client_reply_line(): bounded in lines, bytes and text, and nothing that is
 * not printable gets through.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "client_reply.h"

static void
must_be_reply(const struct client_reply *r)
{
	struct outcome o;
	char out[OUTCOME_TEXT_MAX + 64];
	size_t i;

	MUST(r->lines <= REPLY_LINES_MAX && r->bytes <= REPLY_BYTES_MAX);
	MUST(r->code >= 200 && r->code <= 599);
	MUST(strnlen(r->text, sizeof r->text) < sizeof r->text);
	for (i = 0; r->text[i] != '\0'; i++)
		MUST(r->text[i] >= ' ' && r->text[i] <= '~');
	MUST(r->ecode[0] == 0 || r->ecode[0] == r->code / 100);
	MUST(r->ecode[1] <= 999 && r->ecode[2] <= 999);
	client_reply_outcome(r, WIDTH_RCPT, &o);
	MUST(o.verdict != DONE || r->code / 100 == 2);
	MUST(o.verdict != NEVER || r->code / 100 == 5);
	outcome_print(&o, out, sizeof out);
	MUST(strstr(out, r->text) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len }, line, text;
	struct client_reply r = { 0 };
	char *copy;

	while (all.len > 0) {
		line = fuzz_line(&all);
		line.p = copy = fuzz_copy(line.p, line.len);
		if (client_reply_line(&r, line, &text) != NULL) {
			free(copy);
			break;
		}
		MUST(text.p >= line.p &&
		    text.p + text.len == line.p + line.len);
		must_be_reply(&r);
		if (r.done)
			r = (struct client_reply){ 0 };
		free(copy);
	}
	return 0;
}
