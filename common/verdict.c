/*
 * Outcomes: filling and printing them.  Used by every process.
 *
 * SPDX-License-Identifier: ISC
 */
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
outcome_vset(struct outcome *o, enum verdict v, enum width w, unsigned int code,
    const char *ecode, const char *fmt, va_list ap)
{
	char *end;
	int i;

	memset(o, 0, sizeof *o);
	o->verdict = (uint8_t)v;
	o->width = (uint8_t)w;
	o->code = (uint16_t)code;
	o->local = 1;
	for (i = 0; i < 3 && ecode != NULL && *ecode != '\0'; i++) {
		o->ecode[i] = (uint16_t)strtoul(ecode, &end, 10);
		ecode = *end == '.' ? end + 1 : NULL;
	}
	vsnprintf(o->text, sizeof o->text, fmt, ap);
}

void
outcome_set(struct outcome *o, enum verdict v, enum width w, unsigned int code,
    const char *ecode, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	outcome_vset(o, v, w, code, ecode, fmt, ap);
	va_end(ap);
}

void
outcome_of_us(struct outcome *o, enum cause cause, enum stage stage)
{
	o->cause = (uint8_t)cause;
	o->stage = (uint8_t)stage;
}

const char *
outcome_print(const struct outcome *o, char *out, unsigned int size)
{
	char code[16] = "", ecode[32] = "";

	if (o->code != 0)
		snprintf(code, sizeof code, "%u ", o->code);
	if (o->ecode[0] != 0)
		snprintf(ecode, sizeof ecode, "%u.%u.%u ", o->ecode[0],
		    o->ecode[1], o->ecode[2]);
	snprintf(out, size, "%s%s%s", code, ecode, o->text);
	return out;
}

const char *
verdict_name(unsigned int verdict)
{
	static const char *const names[] = { "later", "done", "never" };

	return verdict < 3 ? names[verdict] : "later";
}

const char *
cause_name(unsigned int cause)
{
	static const char *const names[] = {
#define X(name, word) word,
		CAUSES(X)
#undef X
	};

	return names[cause < CAUSES_N ? cause : CAUSE_NONE];
}

const char *
stage_name(unsigned int stage)
{
	static const char *const names[] = {
#define X(name, word) word,
		STAGES(X)
#undef X
	};

	return names[stage < STAGES_N ? stage : STAGE_NONE];
}
