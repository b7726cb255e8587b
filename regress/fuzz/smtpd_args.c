/*
 * sendmail_args_parse(): texts of the command line alone, and no recipients
 * that were not there.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "sendmail_args.h"

#define WORDS 12

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	char *argv[WORDS + 1] = { NULL };
	struct sendmail_args a;
	int argc = 0, i;

	argv[argc++] = fuzz_text(SLICE("sendmail"));
	while (all.len > 0 && argc < WORDS)
		argv[argc++] = fuzz_text(fuzz_line(&all));
	if (sendmail_args_parse(argc, argv, &a) == NULL) {
		MUST(a.n_rcpts >= 0 && a.n_rcpts < argc);
		for (i = 0; i < a.n_rcpts; i++)
			MUST(a.rcpts[i] == argv[argc - a.n_rcpts + i]);
	} else
		MUST(a.at == NULL || strlen(a.at) <= len);
	while (argc > 0)
		free(argv[--argc]);
	return 0;
}
