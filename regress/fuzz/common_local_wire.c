/*
 * local_says_check(): what comes out is fit for who believes it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "local_wire.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct local_says says;
	const struct outcome *o = &says.outcome;
	size_t i;

	if (!local_says_check(in, len, &says)) {
		MUST(o->verdict == LATER && says.bytes == 0);
		return 0;
	}
	MUST(len == sizeof(says) && says.bytes <= TEXT_FILE_MAX);
	MUST(o->verdict <= NEVER && o->width <= WIDTH_SITE);
	MUST(o->cause < CAUSES_N && o->stage < STAGES_N && o->code == 0);
	MUST(o->ecode[0] == 0 || o->ecode[0] == 2 || o->ecode[0] == 4 ||
	    o->ecode[0] == 5);
	MUST(o->ecode[1] <= 999 && o->ecode[2] <= 999);
	MUST(memchr(o->text, '\0', sizeof(o->text)) != NULL);
	for (i = 0; o->text[i] != '\0'; i++)
		MUST((unsigned char)o->text[i] >= ' ' && o->text[i] != 0x7f);
	return 0;
}
