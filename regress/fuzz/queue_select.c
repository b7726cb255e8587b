/*
 * selector_parse(): what a selector says is one thing or all, never nothing,
 * and never everything by mistake.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "smtpctl_select.h"

#define WORDS 8

static void
try_selector(int argc, char **argv)
{
	struct index_rcpt r = { .id = 1, .state = RCPT_WAITING };
	struct index_msg m = { .id = 1 };
	struct ctl_ask ask = { 0 };
	struct selector s;

	if (selector_parse(argc, argv, &s) != NULL)
		return;
	MUST(!(s.all && selector_names(&s)));
	MUST(selector_empty(&s) == (argc == 0));
	MUST(s.n == CONF_NONE || (s.has_id && s.n <= RCPT_MAX));
	/* A recipient of whom nothing is known is meant by none of these. */
	if (s.has_id || s.domain != NULL || s.rcpt != NULL || s.route != NULL)
		MUST(!selector_match(&s, &m, &r) || (s.has_id && s.id == 1));
	if (selector_ask(&s, &ask) != NULL)
		return;
	MUST(ask.by != CTL_BY_ALL || s.all);
	MUST(strnlen(ask.text, sizeof ask.text) < sizeof ask.text);
	MUST((ask.by == CTL_BY_ID) == s.has_id);
	MUST(ask.by == CTL_BY_ALL || ask.by == CTL_BY_ID ||
	    ask.by == CTL_BY_SENDER || ask.text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	char *argv[WORDS + 1] = { NULL };
	int argc = 0;

	while (all.len > 0 && argc < WORDS)
		argv[argc++] = fuzz_text(fuzz_line(&all));
	try_selector(argc, argv);
	while (argc > 0)
		free(argv[--argc]);
	return 0;
}
