/*
 * lookup_protocol.c: whatever a table program says is an answer or is not,
 * and what is asked comes on one line.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "lookup_protocol.h"
#include "priv_command.h"

static void
hear(struct slice line)
{
	struct protocol_answer a;
	enum conf_service service;
	char *copy;
	bool ready;

	line.p = copy = fuzz_copy(line.p, line.len);
	if (protocol_parse(line, &a) == NULL) {
		MUST(a.answer != TABLE_WAIT);
		MUST(a.text.len == 0 ||
		    (a.text.p >= line.p &&
			a.text.p + a.text.len <= line.p + line.len));
		/* What is cut off an answer leaves none, or leaves words. */
		MUST(a.answer != TABLE_NO ||
		    protocol_parse((struct slice){ line.p, 4 }, &a) != NULL);
	}
	if (protocol_register(line, &service, &ready) == NULL)
		MUST(service <= SERVICES && (!ready || service == SERVICES));
	free(copy);
}

static void
say(const char *key, uint8_t service)
{
	enum conf_service s = (enum conf_service)(service % SERVICES);
	struct buf out;

	buf_init(&out, 0);
	if (strchr(key, '\n') == NULL) {
		MUST(protocol_ask(&out, protocol_op_of(s, key), "t", s, 7,
		    key));
		MUST(memchr(buf_data(&out), '\n', out.len) ==
		    buf_data(&out) + out.len - 1);
	}
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len }, line;
	static struct command c;
	uint8_t service;
	char *text;

	fuzz_quiet();
	service = fuzz_byte(&all);
	text = fuzz_text(all);
	if (command_split(text, &c) == NULL)
		MUST(c.argv[0] != NULL && c.argv[0][0] != '\0');
	free(text);
	while (all.len > 0) {
		line = fuzz_line(&all);
		hear(line);
		text = fuzz_text(line);
		say(text, service);
		free(text);
	}
	return 0;
}
