/*
 * client_reply_line(): bounded in lines, bytes and text, and nothing that is
 * not printable gets through; reply_class(): a verdict that the code allows.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "client_reply.h"
#include "reply_class.h"

static void
must_be_class(const struct client_reply *r, enum stage stage)
{
	char out[OUTCOME_TEXT_MAX + 64];
	struct outcome o;

	reply_class(r, stage, &o);
	MUST((o.verdict == DONE) == (r->code / 100 == 2));
	MUST(o.verdict != NEVER || r->code / 100 == 5);
	MUST(o.verdict != NEVER ||
	    (stage != STAGE_STARTTLS && stage != STAGE_AUTH));
	MUST(o.cause < CAUSES_N && o.stage == stage);
	MUST((o.cause == CAUSE_NONE) == (o.verdict == DONE));
	MUST(o.after <= REPLY_AFTER_MAX);
	MUST(o.after == 0 || r->code / 100 == 4);
	outcome_print(&o, out, sizeof out);
	MUST(strstr(out, r->text) != NULL);
}

static void
must_be_reply(const struct client_reply *r)
{
	int stage;
	size_t i;

	MUST(r->lines <= REPLY_LINES_MAX && r->bytes <= REPLY_BYTES_MAX);
	MUST(r->code >= 200 && r->code <= 599);
	MUST(strnlen(r->text, sizeof r->text) < sizeof r->text);
	for (i = 0; r->text[i] != '\0'; i++)
		MUST(r->text[i] >= ' ' && r->text[i] <= '~');
	MUST(r->ecode[0] == 0 || r->ecode[0] == r->code / 100);
	MUST(r->ecode[1] <= 999 && r->ecode[2] <= 999);
	for (stage = STAGE_CONNECT; stage < STAGES_N; stage++)
		must_be_class(r, (enum stage)stage);
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
