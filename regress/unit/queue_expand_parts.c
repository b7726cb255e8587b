/*
 * Recipients that stand for very many: a long list is a child of parts, each
 * of which has a child of its own.  All are made once, whatever is lost.
 *
 * SPDX-License-Identifier: ISC
 */
#include "expansions_world.h"

static bool
is_one_file(struct world *w)
{
	return files(w) == 1;
}

/* What is answered is done, and four wait for nobody. */
static bool
is_muted(struct world *w)
{
	return w->mute == 4 && w->qu.n_expanding == 4 && w->qu.n_large == 4 &&
	    w->qu.n_flushing == 0 && TAILQ_EMPTY(&w->qu.answers) &&
	    TAILQ_EMPTY(&w->qu.asks) && w->qu.n_asked == 0 &&
	    !w->qu.commit.set && !w->qu.run.set;
}

/* The id that stands behind a part's leaf; 0: none does. */
static uint64_t
part_id(const struct head_rcpt *rcpt)
{
	size_t len = strlen(rcpt->leaf);
	uint64_t id;

	return rcpt->leaf[0] == LEAF_PART && len > ID_LEN &&
		id_parse(rcpt->leaf + len - ID_LEN, &id) ?
	    id :
	    0;
}

/* NULL if the child of this part is whole, or what is wrong with it. */
static const char *
part_wrong(struct world *w, const struct head *list, uint32_t n)
{
	const char *why = "it is not there";
	struct arena a;
	struct head h;
	char name[32];
	uint32_t i;

	arena_init(&a, 0);
	if (!head_of(w, part_id(&list->rcpt[n]), &a, &h))
		goto fail;
	why = "its head is another one";
	if (h.of.id != list->id || h.of.n != n ||
	    strcmp(h.of.addr, list->of.addr) != 0 ||
	    strcmp(h.sender, list->sender) != 0 || h.n_rcpt != IN_PART)
		goto fail;
	why = "its recipients are others";
	for (i = 0; i < IN_PART; i++) {
		snprintf(name, sizeof name, "p%u.%u@x.test", n, i);
		if (strcmp(h.rcpt[i].addr, name) != 0 ||
		    strcmp(h.rcpt[i].orcpt, list->rcpt[n].orcpt) != 0)
			goto fail;
	}
	why = NULL;
fail:
	arena_free(&a);
	return why;
}

static bool
all_parts(struct world *w, const struct head *list)
{
	const char *why = NULL;
	uint32_t n;

	for (n = 0; n < list->n_rcpt && why == NULL; n++)
		why = part_wrong(w, list, n);
	if (why != NULL)
		printf("# part %u: %s\n", n - 1, why);
	return why == NULL && list->n_rcpt == 16;
}

/* The ids of their children have two units each that nobody else has; the next
 * message comes behind. */
static bool
ids_apart(struct world *w, const struct head *list)
{
	uint64_t next = ids_next(&w->qu, 0) / ID_STEP, unit[16], low;
	uint32_t i, j;

	for (i = 0; i < list->n_rcpt; i++) {
		low = part_id(&list->rcpt[i]) % ID_STEP;
		unit[i] = part_id(&list->rcpt[i]) / ID_STEP - (low != 0);
		if (low != list->id % ID_STEP || unit[i] + 2 > next ||
		    unit[i] / 2 == 0)
			return false;
		for (j = 0; j < i; j++)
			if (unit[i] < unit[j] + 2 && unit[j] < unit[i] + 2)
				return false;
	}
	return true;
}

/* What a killed process leaves: its files as they are now. */
static struct world *
killed(const struct world *w)
{
	char dir[] = "/tmp/postern-unit-XXXXXX", command[256];

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(command, sizeof command, "cp -a %s/. %s", w->dir, dir);
	if (system(command) != 0)
		abort();
	return world_new(dir);
}

static void
parts(uint64_t low)
{
	struct head list;
	struct arena a;
	struct world *w;
	struct sent s;

	arena_init(&a, 0);
	said_low = low;
	said_facts = low != 0 ? FACT_OURS : 0;
	w = world_new(NULL);
	w->answered = 0;
	send_to(w, &s, 1, SMALL, "parts@a.test", "plain@x.test", NULL);
	CHECK("a long list", run(w, is_muted));
	CHECK("has parts",
	    head_of(w, id_child(s.head.id, 0), &a, &list) && list.n_rcpt == 16);
	CHECK("that are expanded again", w->pages > 4 && files(w) == 2);
	CHECK("with ids of their own", ids_apart(w, &list));
	world_close(w);
	w = world_new(w->dir);
	CHECK("after a restart", settle(w));
	CHECK("each part has its child", all_parts(w, &list));
	CHECK("the list itself is gone", goes(w, list.id));
	CHECK("nothing else is there", files(w) == 17);
	world_close(w);
	unit_remove(w->dir);
	arena_free(&a);
	said_low = said_facts = 0;
}

/* Killed while its parts are made: the others are, each once. */
static void
parts_killed(void)
{
	struct world *w, *then;
	struct head list;
	struct arena a;
	struct sent s;

	arena_init(&a, 0);
	w = world_new(NULL);
	w->qu.spool->states_wait = STATES_HELD;
	w->answered = 12;
	send_to(w, &s, 1, SPOOL_SMALL + 99, "parts@a.test", "plain@x.test",
	    NULL);
	CHECK("some parts are made", run(w, is_muted));
	CHECK("others are not yet",
	    head_of(w, id_child(s.head.id, 0), &a, &list) && files(w) == 14);
	then = killed(w);
	CHECK("killed", settle(then));
	CHECK("all are made", all_parts(then, &list) && files(then) == 17);
	CHECK("of four it was asked", then->pages >= 4 && then->pages < 40);
	world_close(then);
	unit_remove(then->dir);
	world_close(w);
	unit_remove(w->dir);
	arena_free(&a);
}

/* Given out ahead of the clock, and no file has them: known all the same. */
static void
ids_killed(void)
{
	struct world *w, *then;
	struct head list;
	struct arena a;
	struct sent s;

	arena_init(&a, 0);
	w = world_new(NULL);
	w->qu.spool->states_wait = STATES_HELD;
	w->answered = 0;
	w->qu.last_id = id_of(10000);
	send_to(w, &s, 1, SMALL, "parts@a.test", "plain@x.test", NULL);
	run(w, is_muted);
	CHECK("the ids of parts",
	    head_of(w, id_child(s.head.id, 0), &a, &list));
	then = killed(w);
	CHECK("are not given out again", ids_apart(then, &list));
	world_close(then);
	then = world_new(then->dir);
	CHECK("nor after a stop in order",
	    settle(then) && ids_apart(then, &list) && all_parts(then, &list));
	world_close(then);
	unit_remove(then->dir);
	world_close(w);
	unit_remove(w->dir);
	arena_free(&a);
}

/* The mark of a part is lost, its child is not. */
static void
part_mark_lost(void)
{
	struct world *w, *then;
	struct head list;
	struct sent s;
	struct arena a;

	arena_init(&a, 0);
	w = world_new(NULL);
	w->answered = 12;
	send_to(w, &s, 1, SPOOL_SMALL, "parts@a.test", "plain@x.test", NULL);
	run(w, is_muted);
	head_of(w, id_child(s.head.id, 0), &a, &list);
	s.head.id = list.id; /* whose states are meant */
	s.rcpt[0].off = list.rcpt[3].off;
	CHECK("a part is made", state_of(w, &s, 0) == RCPT_EXPANDED);
	world_close(w);
	w = world_new(w->dir); /* the journal has no say any more */
	set_state(w, &s, 0, RCPT_WAITING);
	world_close(w);
	then = world_new(w->dir);
	then->answered = 12;
	CHECK("its mark is lost", run(then, is_muted));
	CHECK("it is marked again", state_of(then, &s, 0) == RCPT_EXPANDED);
	CHECK("and is not made again", files(then) == 14 && then->pages == 4);
	world_close(then);
	unit_remove(then->dir);
	arena_free(&a);
}

/* Whatever lookup says, it comes to an end. */
static void
parts_of_parts(void)
{
	struct index_rcpt row;
	struct index_cursor c = { 0 };
	struct world *w;
	struct sent s;
	uint64_t id;
	uint32_t n;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "deep@a.test", NULL);
	CHECK("a part of a part, without an end", settle(w));
	CHECK("the message is gone", goes(w, s.head.id));
	queue_commit(&w->qu);
	CHECK("one is left", index_walk(w->qu.index, &c, &id, &n) == INDEX_OK);
	CHECK("its parents are gone", run(w, is_one_file));
	CHECK("it waits for a better configuration",
	    w->pages == 1 + 32 &&
		index_get_rcpt(w->qu.index, id, n, &row) == INDEX_OK &&
		row.state == RCPT_WAITING && row.next > now_sec() + 500);
	world_close(w);
	unit_remove(w->dir);
}

int
main(void)
{
	log_to_stderr("unit", false);
	parts(0);
	parts(1);
	parts(ID_STEP - 1);
	parts_killed();
	ids_killed();
	part_mark_lost();
	parts_of_parts();
	return unit_end();
}
