/*
 * num.c and id.c: no number is out of its range, and an id prints as it was
 * read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "id.h"
#include "num.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static const char *(*const parse[])(const char *, uint64_t, uint64_t,
	    uint64_t *) = { num_parse, num_parse_size, num_parse_time };
	struct slice all = { (const char *)in, len };
	uint64_t min = fuzz_byte(&all), n, id, again;
	uint64_t max = min + ((uint64_t)1 << fuzz_byte(&all) % 64) - 1;
	char *text = fuzz_text(all), printed[ID_LEN + 1];
	size_t i;

	for (i = 0; i < sizeof parse / sizeof parse[0]; i++) {
		n = min;
		if (parse[i](text, min, max, &n) == NULL)
			MUST(text[0] != '\0');
		MUST(n >= min && n <= max);
	}
	snprintf(printed, sizeof printed, "%ju", (uintmax_t)max);
	if (strlen(printed) < ID_LEN)
		MUST(num_parse(printed, min, max, &n) == NULL && n == max);
	if (id_parse(text, &id)) {
		MUST(strcasecmp(id_print(id, printed), text) == 0);
		MUST(id_parse(printed, &again) && again == id);
	}
	free(text);
	return 0;
}
