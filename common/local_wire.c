/*
 * What libexec/local said, made safe for who believes none of it.  Used by
 * queue and lookup.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_wire.h"

#include <string.h>

#define AFTER_MAX 86400 /* seconds */

/* RFC 3463 2: the class says what the verdict says. */
static bool
ecode_fits(const struct outcome *o)
{
	static const unsigned int
	    class_of[] = { [LATER] = 4, [DONE] = 2, [NEVER] = 5 };

	return o->ecode[0] == class_of[o->verdict] && o->ecode[1] <= 999 &&
	    o->ecode[2] <= 999;
}

static void
clean_text(char *text, size_t size)
{
	size_t i;

	text[size - 1] = '\0';
	for (i = 0; text[i] != '\0'; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == '\177')
			text[i] = ' ';
	}
	/* What follows the end is nobody's. */
	memset(text + i, 0, size - i);
}

bool
local_says_check(const void *in, size_t len, struct local_says *out)
{
	struct outcome *o = &out->outcome;

	memset(out, 0, sizeof(*out));
	if (len != sizeof(*out))
		return false;
	memcpy(out, in, len);
	if (out->magic != LOCAL_SAYS_MAGIC || o->verdict > NEVER ||
	    out->bytes > TEXT_FILE_MAX) {
		memset(out, 0, sizeof(*out));
		return false;
	}
	if (o->width > WIDTH_SITE)
		o->width = WIDTH_RCPT;
	if (o->cause >= CAUSES_N)
		o->cause = CAUSE_NONE;
	if (o->stage >= STAGES_N)
		o->stage = STAGE_NONE;
	if (!ecode_fits(o))
		memset(o->ecode, 0, sizeof(o->ecode));
	if (o->after > AFTER_MAX)
		o->after = AFTER_MAX;
	o->code = 0; /* no server spoke */
	o->local = o->local != 0;
	clean_text(o->text, sizeof(o->text));
	return true;
}
