/*
 * What libexec/local says, as it is read by who believes none of it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_wire.h"

#include <string.h>

#include "unit.h"

static struct local_says
good(void)
{
	struct local_says s;

	memset(&s, 0, sizeof(s));
	s.magic = LOCAL_SAYS_MAGIC;
	outcome_set(&s.outcome, DONE, WIDTH_RCPT, 0, "2.0.0", "delivered");
	return s;
}

static bool
check(const struct local_says *s, struct local_says *out)
{
	return local_says_check(unit_guard(s, sizeof(*s)), sizeof(*s), out);
}

static void
test_whole(void)
{
	struct local_says s = good(), out;
	size_t len;
	bool none = true;

	CHECK("good", check(&s, &out) && memcmp(&s, &out, sizeof(s)) == 0);
	for (len = 0; len < sizeof(s); len++)
		none =
		    none && !local_says_check(unit_guard(&s, len), len, &out);
	CHECK("cut short", none);
	CHECK("what was cut is LATER",
	    out.outcome.verdict == LATER && out.magic == 0);
	{
		uint8_t more[sizeof(s) + 1] = { 0 };

		memcpy(more, &s, sizeof(s));
		CHECK("more than one",
		    !local_says_check(unit_guard(more, sizeof(more)),
			sizeof(more), &out));
	}
	s.magic++;
	CHECK("not ours", !check(&s, &out));
	s = good();
	s.outcome.verdict = NEVER + 1;
	CHECK("a verdict that there is not",
	    !check(&s, &out) && out.outcome.verdict == LATER);
	s = good();
	s.bytes = TEXT_FILE_MAX;
	CHECK("a long text", check(&s, &out) && out.bytes == TEXT_FILE_MAX);
	s.bytes++;
	CHECK("one too long", !check(&s, &out) && out.bytes == 0);
}

/* Columns: name, offset in the outcome, byte that is put there, byte that
 * comes out. */
static const struct {
	const char *name;
	size_t off;
	uint8_t in, out;
} bytes[] = {
	{ "width: site", offsetof(struct outcome, width), WIDTH_SITE,
	    WIDTH_SITE },
	{ "width: stream", offsetof(struct outcome, width), WIDTH_STREAM,
	    WIDTH_RCPT },
	{ "width: none", offsetof(struct outcome, width), 255, WIDTH_RCPT },
	{ "cause: last", offsetof(struct outcome, cause), CAUSES_N - 1,
	    CAUSES_N - 1 },
	{ "cause: one more", offsetof(struct outcome, cause), CAUSES_N, 0 },
	{ "cause: none", offsetof(struct outcome, cause), 255, 0 },
	{ "stage: last", offsetof(struct outcome, stage), STAGES_N - 1,
	    STAGES_N - 1 },
	{ "stage: one more", offsetof(struct outcome, stage), STAGES_N, 0 },
	{ "local", offsetof(struct outcome, local), 2, 1 },
	{ "text: newline", offsetof(struct outcome, text), '\n', ' ' },
	{ "text: escape", offsetof(struct outcome, text), 033, ' ' },
	{ "text: delete", offsetof(struct outcome, text), 0177, ' ' },
	{ "text: beyond ASCII", offsetof(struct outcome, text), 0xc3, 0xc3 },
};

static void
test_bytes(void)
{
	struct local_says s, out;
	uint8_t got;
	size_t i;

	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		s = good();
		memcpy((char *)&s.outcome + bytes[i].off, &bytes[i].in, 1);
		got = 0xaa;
		if (check(&s, &out))
			memcpy(&got, (char *)&out.outcome + bytes[i].off, 1);
		CHECK(bytes[i].name, got == bytes[i].out);
	}
}

/* Columns: name, verdict, class, whether it stays. */
static const struct {
	const char *name;
	uint8_t verdict;
	uint16_t ecode[3];
	bool stays;
} ecodes[] = {
	{ "2 for DONE", DONE, { 2, 1, 5 }, true },
	{ "4 for LATER", LATER, { 4, 2, 2 }, true },
	{ "5 for NEVER", NEVER, { 5, 999, 999 }, true },
	{ "5 for DONE", DONE, { 5, 0, 0 }, false },
	{ "2 for NEVER", NEVER, { 2, 0, 0 }, false },
	{ "a subject too large", NEVER, { 5, 1000, 0 }, false },
	{ "a detail too large", NEVER, { 5, 0, 1000 }, false },
};

static void
test_ecodes(void)
{
	const uint16_t none[3] = { 0, 0, 0 };
	struct local_says s, out;
	size_t i;

	for (i = 0; i < sizeof(ecodes) / sizeof(ecodes[0]); i++) {
		s = good();
		s.outcome.verdict = ecodes[i].verdict;
		memcpy(s.outcome.ecode, ecodes[i].ecode, sizeof(none));
		CHECK(ecodes[i].name,
		    check(&s, &out) &&
			memcmp(out.outcome.ecode,
			    ecodes[i].stays ? ecodes[i].ecode : none,
			    sizeof(none)) == 0);
	}
}

static void
test_rest(void)
{
	struct local_says s = good(), out;

	memset(s.outcome.text, 'x', sizeof(s.outcome.text));
	s.outcome.code = 550;
	s.outcome.after = UINT32_MAX;
	CHECK("a text without an end",
	    check(&s, &out) && strlen(out.outcome.text) == OUTCOME_TEXT_MAX);
	CHECK("no server spoke", out.outcome.code == 0);
	CHECK("after a day at most", out.outcome.after == 86400);
	s = good();
	s.outcome.text[100] = 'x';
	CHECK("nothing behind the end",
	    check(&s, &out) && out.outcome.text[100] == '\0');
}

int
main(void)
{
	test_whole();
	test_bytes();
	test_ecodes();
	test_rest();
	return unit_end();
}
