/*
 * smtpd/lookup_question.c: waiting, answers that are kept, and every bound.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "question_world.h"

enum { T_FAST, T_SLOW, T_SILENT, TABLES };

/* What the judges of this test do and see. */
static struct {
	struct world *w;
	unsigned int passes, answered;
	enum table_answer last;
	char value[64];
	uint32_t n;       /* look-ups that a judge makes */
	uint32_t unknown; /* of them, in the last pass */
} t;

static const struct world_entry entries[] = {
	{ T_FAST, "a", "fast" },
	{ T_SLOW, "a", "slow" },
	{ T_SILENT, "a", "silent" },
	{ WORLD_USERS, "joe", "1:1:/home/joe" },
	{ 0, NULL, NULL },
};

static void
setup(struct world *w)
{
	struct conf *c = image_new();

	world_tables(c, TABLES, TABLE_FILE);
	world_init(w, c);
	w->entries = entries;
	w->slow = 1u << T_SLOW | 1u << WORLD_USERS;
	w->silent = 1u << T_SILENT;
	memset(&t, 0, sizeof(t));
	t.w = w;
}

static void
run(struct world *w)
{
	while (w->questions.n > 0)
		event_base_loop(w->loop->base, EVLOOP_ONCE);
}

/* Asks one table after the other, as straight-line code does. */
static bool
judge_line(struct question *q)
{
	static const uint32_t tables[] = { T_FAST, T_SLOW, T_FAST };
	const char *value;
	size_t i;

	t.passes++;
	for (i = 0; i < 3; i++) {
		t.last =
		    question_table(q, tables[i], SERVICE_ALIAS, "a", &value);
		if (t.last == TABLE_WAIT)
			return false;
		snprintf(t.value, sizeof(t.value), "%s", value);
	}
	t.last = question_user(q, "joe", &value);
	if (t.last == TABLE_WAIT)
		return false;
	snprintf(t.value, sizeof(t.value), "%s", value);
	t.answered++;
	return true;
}

static void
test_line(void)
{
	struct world w;

	setup(&w);
	question_ask(&w.questions, judge_line, "", 1, NULL, 0);
	CHECK("it waits", w.questions.n == 1 && t.passes == 1);
	run(&w);
	CHECK("and is answered, once",
	    t.answered == 1 && t.last == TABLE_YES &&
		strcmp(t.value, "1:1:/home/joe") == 0);
	CHECK("from the top for each answer", t.passes == 3);
	/* 2 and 1 and 2 for the two passes behind the first wait ... */
	CHECK("what was awaited is asked once",
	    w.asked == 1 + 1 + 2 + 1 + 2 && w.waiting == 0 && w.cancelled == 0);
	world_free(&w);
}

/* One that nobody answers. */
static bool
judge_silent(struct question *q)
{
	const char *value;

	t.passes++;
	t.last = question_table(q, T_SILENT, SERVICE_ALIAS, "a", &value);
	if (t.last == TABLE_WAIT)
		return false;
	/* Late already: nothing is awaited any more. */
	if (question_table(q, T_SLOW, SERVICE_ALIAS, "a", &value) !=
	    TABLE_UNKNOWN)
		return false;
	t.answered++;
	return true;
}

static void
test_deadline(void)
{
	struct world w;
	msec begin;

	setup(&w);
	w.questions.patience = 50;
	begin = loop_msec();
	question_ask(&w.questions, judge_silent, "", 1, NULL, 0);
	run(&w);
	CHECK("a deadline, behind which nothing is known",
	    t.answered == 1 && t.last == TABLE_UNKNOWN && t.passes == 2 &&
		loop_msec() - begin >= 40 && loop_msec() - begin < 5000);
	CHECK("who was asked is told", w.cancelled == 2 && w.waiting == 0);
	world_free(&w);
}

/* Many at once. */
static bool
judge_many(struct question *q)
{
	const char *value;
	bool wait = false;
	char key[32];
	uint32_t i;

	t.passes++;
	t.unknown = 0;
	for (i = 0; i < t.n; i++) {
		snprintf(key, sizeof(key), "%u", i);
		t.last = question_table(q, T_SLOW, SERVICE_ALIAS, key, &value);
		wait = wait || t.last == TABLE_WAIT;
		t.unknown += t.last == TABLE_UNKNOWN;
	}
	if (wait)
		return false;
	t.answered++;
	return true;
}

static void
test_many(void)
{
	struct world w;

	setup(&w);
	t.n = 5 * QUESTION_WAITS;
	question_ask(&w.questions, judge_many, "", 1, NULL, 0);
	CHECK("so many at once and no more", w.waiting == QUESTION_WAITS);
	run(&w);
	CHECK("all of them, in turns",
	    t.answered == 1 && t.passes == 6 && w.asked == t.n &&
		t.last == TABLE_NO);
	world_free(&w);
}

/* More than may be looked up. */
static bool
judge_endless(struct question *q)
{
	const char *value;
	uint32_t i;

	for (i = 0; i < QUESTION_LOOKUPS; i++)
		t.last = question_table(q, T_FAST, SERVICE_ALIAS, "a", &value);
	CHECK("as many look-ups as may be", t.last == TABLE_YES);
	t.last = question_table(q, T_FAST, SERVICE_ALIAS, "a", &value);
	CHECK("and one more is not known",
	    t.last == TABLE_UNKNOWN && value[0] == '\0');
	t.answered++;
	return true;
}

/* One that never has enough. */
static bool
judge_rounds(struct question *q)
{
	const char *value;
	char key[32];

	t.passes++;
	snprintf(key, sizeof(key), "%u", t.passes);
	t.last = question_table(q, T_SLOW, SERVICE_ALIAS, key, &value);
	if (t.last == TABLE_WAIT)
		return false;
	t.answered++;
	return true;
}

/* Values that fill what may be kept. */
static bool
large(uint32_t table, const char *key, struct buf *value)
{
	uint8_t *room;

	(void)key;
	if (table != T_SLOW)
		return false;
	room = buf_room(value, 1 << 20);
	memset(room, 'x', 1 << 20);
	buf_filled(value, 1 << 20);
	return true;
}

static void
test_bounds(void)
{
	struct world w;
	uint32_t i;

	setup(&w);
	question_ask(&w.questions, judge_endless, "", 1, NULL, 0);
	CHECK("bound of look-ups", t.answered == 1);
	world_free(&w);

	setup(&w);
	question_ask(&w.questions, judge_rounds, "", 1, NULL, 0);
	run(&w);
	CHECK("bound of passes",
	    t.answered == 1 && t.passes == QUESTION_ROUNDS &&
		t.last == TABLE_UNKNOWN);
	world_free(&w);

	setup(&w);
	w.make = large;
	t.n = 20;
	question_ask(&w.questions, judge_many, "", 1, NULL, 0);
	run(&w);
	/* Which of them comes first is not said. */
	CHECK("bound of memory: what does not fit is not known",
	    t.answered == 1 && t.unknown > 0 && t.unknown < t.n);
	world_free(&w);

	setup(&w);
	for (i = 0; i < QUESTIONS_MAX; i++)
		question_ask(&w.questions, judge_line, "", 1, NULL, 0);
	CHECK("so many wait", w.questions.n == QUESTIONS_MAX);
	t.answered = 0;
	t.last = TABLE_YES;
	question_ask(&w.questions, judge_line, "", 1, NULL, 0);
	CHECK("one more is judged at once, and not known",
	    w.questions.n == QUESTIONS_MAX && t.answered == 1 &&
		t.last == TABLE_UNKNOWN);
	run(&w);
	CHECK("the others are answered", t.answered == QUESTIONS_MAX + 1);
	world_free(&w);
}

static void
test_gone(void)
{
	struct ipc_chan other;
	struct world w;

	setup(&w);
	memset(&other, 0, sizeof(other));
	question_ask(&w.questions, judge_line, "", 1, &w.chan, 1);
	question_ask(&w.questions, judge_line, "", 1, &other, 1);
	questions_forget(&w.questions, &other);
	CHECK("who went is forgotten, with his questions",
	    w.questions.n == 1 && w.cancelled == 1 && w.waiting == 1);
	run(&w);
	CHECK("the other one is answered", t.answered == 1);
	question_ask(&w.questions, judge_silent, "", 1, NULL, 0);
	questions_free(&w.questions);
	CHECK("all are forgotten at the end",
	    w.questions.n == 0 && w.waiting == 0);
	world_free(&w);
}

/* Steps are those of the last pass, one line each. */
static bool
judge_noting(struct question *q)
{
	struct conf_at at = { 0, 0 };
	const char *value;

	q->traced = true;
	question_note(q, "one", NULL, "a\nb\tc%s", "\x7f");
	if (question_table(q, T_SLOW, SERVICE_ALIAS, "a", &value) == TABLE_WAIT)
		return false;
	question_note(q, "two", &at, "%s", value);
	snprintf(t.value, sizeof(t.value), "%.*s", (int)q->trace.len,
	    (const char *)buf_data(&q->trace));
	return true;
}

static void
test_notes(void)
{
	struct world w;

	setup(&w);
	question_ask(&w.questions, judge_noting, "", 1, NULL, 0);
	run(&w);
	CHECK("steps",
	    strcmp(t.value, "one\t\ta?b?c?\ntwo\tdefault\tslow\n") == 0);
	world_free(&w);
}

int
main(void)
{
	test_line();
	test_deadline();
	test_many();
	test_bounds();
	test_gone();
	test_notes();
	return unit_end();
}
