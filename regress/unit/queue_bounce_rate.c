/*
 * How many notifications may go to strangers: never more than is allowed in
 * any window, who waits gets places, and the rows of the index that tell.
 *
 * SPDX-License-Identifier: ISC
 */
#include "bounce_rate.h"

#include <bsd/string.h>

#include "index_priv.h"
#include "log.h"
#include "loop.h"
#include "queue.h"
#include "unit.h"
#include "unit_dir.h"

#define NOW 1763718151000

static const struct conf_rate hour20 = { 20, 3600 };
static const struct conf_rate hour1000 = { 1000, 3600 };
static const struct conf_rate none = { 0, 0 };
static char dir[64];

/* What the process does with the index. */
bool
queue_index_ok(struct queue *qu, enum index_error e)
{
	(void)qu;
	return e == INDEX_OK;
}

void
queue_changed(struct queue *qu)
{
	(void)qu;
}

static void
check_strangers(void)
{
	static const struct {
		const char *name;
		uint32_t flags;
		const char *auth;
		bool limited;
	} rows[] = {
		{ "a stranger", 0, "", true },
		{ "with TLS", FACT_ESMTP | FACT_TLS, "", true },
		{ "behind an alias", FACT_EXPANDED, "", true },
		{ "authenticated", 0, "alice", false },
		{ "a submission", FACT_SUBMIT, "", false },
		{ "of this host", FACT_LOCAL, "", false },
		{ "sendmail", FACT_SOCKET, "", false },
		{ "ours", FACT_OURS, "", false },
	};
	struct facts facts;
	struct msg m;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		memset(&m, 0, sizeof m);
		memset(&facts, 0, sizeof facts);
		m.facts = &facts;
		m.fact_flags = facts.flags = rows[i].flags;
		strlcpy(facts.auth, rows[i].auth, sizeof facts.auth);
		CHECK(rows[i].name, bounce_is_limited(&m) == rows[i].limited);
	}
}

static void
check_window(void)
{
	struct index_told t = { .to = "a@b" };
	int64_t now = NOW;
	int i, sent = 0;

	for (i = 0; i < 100; i++, now += 1000) {
		if (!told_may(&t, &hour20, now))
			continue;
		told_add(&t, &hour20, now);
		sent++;
	}
	CHECK("window: so many", sent == 20);
	CHECK("window: none before it is over",
	    !told_may(&t, &hour20, NOW + 3599000));
	CHECK("window: one when the first leaves it",
	    told_may(&t, &hour20, NOW + 3600000));
	CHECK("window: the row says when it says nothing any more",
	    t.until == NOW + 19000 + 3600000);
	CHECK("window: no limit", told_may(&t, &none, NOW));
	told_add(&t, &none, NOW);
	CHECK("window: no limit counts nothing", t.n_marks == 20);
	CHECK("window: a limit that was lowered",
	    !told_may(&t, &(struct conf_rate){ 5, 3600 }, NOW + 100000));
	CHECK("window: a limit that was raised",
	    told_may(&t, &(struct conf_rate){ 21, 3600 }, NOW + 100000));
}

/* Through a row of the index each time, as it is done. */
static void
check_many(void)
{
	struct index_told t = { .to = "" };
	int64_t now = NOW;
	int i, sent = 0;

	for (i = 0; i < 20000; i++, now += 100) {
		if (!told_may(&t, &hour1000, now))
			continue;
		told_add(&t, &hour1000, now);
		sent++;
	}
	CHECK("many: not more in a window", sent == 1000);
	CHECK("many: in few marks", t.n_marks <= RATE_MARKS);
}

static void
check_places(void)
{
	struct index_told t = { .to = "a@b" };
	int64_t when, last = 0;
	bool rising = true, apart = true;
	int i;

	for (i = 0; i < 20; i++)
		told_add(&t, &hour20, NOW);
	CHECK("places: the first when there is room",
	    told_put_off(&t, &hour20, NOW + 1000) == NOW + 3600000);
	for (i = 0; i < 1000; i++) {
		when = told_put_off(&t, &hour20, NOW + 1000);
		rising = rising && when >= NOW + 3600000;
		apart = apart && when <= NOW + 1000 + 2 * 3600000;
		last = when > last ? when : last;
	}
	CHECK("places: none before that", rising);
	CHECK("places: nobody waits for two windows without a look", apart);
	CHECK("places: they are spread", last > NOW + 4000000);
	CHECK("places: the row lives as long", t.until >= t.slot);

	memset(&t, 0, sizeof t);
	for (i = 0; i < 1000; i++)
		told_add(&t, &hour1000, NOW - 3000000);
	when = told_put_off(&t, &hour1000, NOW);
	CHECK("places: at the pace that is allowed",
	    when == NOW + 600000 &&
		told_put_off(&t, &hour1000, NOW) == when + 3600 &&
		told_put_off(&t, &hour1000, NOW) == when + 7200);
}

static void
check_forgot(void)
{
	struct index_told t = { .to = "" };

	told_assume(&t, &none, NOW);
	CHECK("forgot: no limit", t.n_marks == 0);
	told_assume(&t, &hour20, NOW);
	CHECK("forgot: a window was just sent",
	    !told_may(&t, &hour20, NOW) &&
		told_may(&t, &hour20, NOW + 3600000 / 20));
}

/* ---- the rows ---- */

static struct index *
open_it(void)
{
	static const uint64_t token[2] = { 1, 2 };
	const char *why = NULL;
	bool empty;

	return index_open(dir, token, false, &empty, &why);
}

static void
check_rows(void)
{
	struct index_told t = { .to = "Ann@Example.ORG",
		.slot = 5,
		.until = INT64_MAX },
			  got;
	struct index *ix = open_it();
	uint32_t i;

	for (i = 0; i < RATE_MARKS; i++)
		t.mark[i] = (struct rate_mark){ NOW + i, i + 1 };
	t.n_marks = RATE_MARKS;
	memset(&got, 0xff, sizeof got);
	strlcpy(got.to, "ann@example.org", sizeof got.to);
	CHECK("row: none",
	    index_get_told(ix, &got) == INDEX_NONE && got.n_marks == 0 &&
		got.slot == 0);
	CHECK("row: put", index_put_told(ix, &t) == INDEX_OK);
	CHECK("row: got, in any case", index_get_told(ix, &got) == INDEX_OK);
	CHECK("row: as it was",
	    got.slot == t.slot && got.until == t.until &&
		got.n_marks == RATE_MARKS && got.mark[0].at == NOW &&
		got.mark[31].n == 32 && got.mark[31].at == NOW + 31);
	index_close(&ix);
	ix = open_it();
	CHECK("row: a restart finds it",
	    index_get_told(ix, &got) == INDEX_OK && got.n_marks == RATE_MARKS);
	memset(got.to, 'x', ADDR_MAX);
	got.to[ADDR_MAX] = '\0';
	got.n_marks = 0;
	CHECK("row: a long address",
	    index_put_told(ix, &got) == INDEX_OK &&
		index_get_told(ix, &got) == INDEX_OK && got.n_marks == 0);
	index_close(&ix);
}

static unsigned int
sweep(struct index *ix, int64_t now)
{
	struct index_cursor c = { 0 };
	unsigned int n = 0;

	while (index_sweep_told(ix, &c, now) == INDEX_OK)
		n++;
	return n;
}

/* How many of the rows below there are; 1000 more for one that should not. */
static unsigned int
told_left(struct index *ix)
{
	struct index_told t = { .n_marks = 0 };
	unsigned int i, left = 0;

	for (i = 0; i < 100; i++) {
		snprintf(t.to, sizeof t.to, "r%u@x.test", i);
		if (index_get_told(ix, &t) == INDEX_OK)
			left += i % 2 == 0 ? 1000 : 1;
	}
	return left;
}

static void
check_sweep(void)
{
	struct index *ix = open_it();
	struct index_told t = { .n_marks = 0 };
	unsigned int i;

	sweep(ix, INT64_MAX);
	CHECK("sweep: empty", sweep(ix, INT64_MAX) == 0 && told_left(ix) == 0);
	for (i = 0; i < 100; i++) {
		snprintf(t.to, sizeof t.to, "r%u@x.test", i);
		t.until = NOW + (i % 2 == 0 ? 0 : 1);
		index_put_told(ix, &t);
	}
	sweep(ix, NOW);
	CHECK("sweep: those whose time has come", told_left(ix) == 50);
	sweep(ix, NOW + 1);
	CHECK("sweep: all", told_left(ix) == 0);
	index_close(&ix);
}

/* Both limits, over rows in the index. */
static void
check_both(void)
{
	struct conf conf = { .bounce_rate = { 5, 3600 },
		.bounce_address_rate = { 2, 3600 } };
	enum { SENDER = 64 };
	struct msg *m = calloc(1, sizeof *m + SENDER);
	struct queue *qu = calloc(1, sizeof *qu);
	int64_t now = (int64_t)time(NULL), when;
	unsigned int i, sent = 0;

	if (m == NULL || qu == NULL)
		abort();
	qu->index = open_it();
	qu->p.conf = &conf;
	qu->p.loop = loop_new();
	for (i = 0; i < 10; i++) {
		snprintf(m->sender, SENDER, "a%u@x.test", i / 4);
		when = bounce_rate_take(qu, m);
		sent += when == 0;
		CHECK("both: later, and not much later",
		    when == 0 ||
			(when > now + 3500 && when < now + 2 * 3600 + 10));
	}
	CHECK("both: two to each address, five in all", sent == 5);
	snprintf(m->sender, SENDER, "b@x.test");
	CHECK("both: others wait too", bounce_rate_take(qu, m) != 0);
	qu->forgot = true;
	conf.bounce_rate.n = 100;
	CHECK("both: a limit that was raised", bounce_rate_take(qu, m) == 0);
	bounce_rate_start(qu);
	CHECK("both: an index that was made anew: as if all were sent",
	    bounce_rate_take(qu, m) != 0);
	snprintf(m->sender, SENDER, "c@x.test");
	conf.bounce_rate.n = 0;
	CHECK("both: without the one, the other holds",
	    bounce_rate_take(qu, m) == 0 && bounce_rate_take(qu, m) == 0 &&
		bounce_rate_take(qu, m) != 0);
	conf.bounce_address_rate.n = 0;
	for (i = 0, sent = 0; i < 100; i++)
		sent += bounce_rate_take(qu, m) == 0;
	CHECK("both: without any", sent == 100);
	index_close(&qu->index);
	timer_clear(&qu->told_timer);
	loop_free(&qu->p.loop);
	free(qu);
	free(m);
}

int
main(void)
{
	char top[] = "/tmp/unit-told-XXXXXX";

	if (mkdtemp(top) == NULL)
		abort();
	strlcpy(dir, top, sizeof dir);
	log_to_socket(-1, false);
	check_strangers();
	check_window();
	check_many();
	check_places();
	check_forgot();
	check_rows();
	check_sweep();
	check_both();
	unit_remove(dir);
	return unit_end();
}
