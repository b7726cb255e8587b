/*
 * Routes that end on this host: which they are, how many jobs they may run, and
 * all of one user, turns and memory of their own beside those that leave.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>

#include "conf_image.h"
#include "unit.h"
#include "way.h"

#define JOBS 6000

static struct way_job jobs[JOBS];
static int n_jobs;

static const bool all[WAY_TRUSTS] = { true, true, true };

static uint32_t
no_random(void)
{
	return 0;
}

static struct conf *
make_conf(void)
{
	static const struct conf_step steps[] = { { 100, 1 } };
	struct conf *c = image_new();
	struct conf_retry retry = { .max = 1000 };
	struct conf_action actions[] = {
		{ .name = image_text(c, "box"), .method = METHOD_MBOX },
		{ .name = image_text(c, "dir"), .method = METHOD_MAILDIR },
		{ .name = image_text(c, "an/odd one"),
		    .method = METHOD_MDA,
		    .user = image_text(c, "lists") },
	};

	c->route_concurrency = 20;
	image_rows(c, &retry.step, steps, 1, sizeof steps[0]);
	image_rows(c, &c->retry, &retry, 1, sizeof retry);
	image_rows(c, &c->action, actions, 3, sizeof actions[0]);
	return c;
}

static void
start(struct ways *ws)
{
	ways_init(ws, make_conf(), no_random);
	n_jobs = 0;
}

static void
stop(struct ways *ws)
{
	ways_free(ws);
	free((void *)ws->conf);
}

static void
add(struct ways *ws, struct way *w, int n)
{
	while (n-- > 0) {
		jobs[n_jobs].rcpts = 1;
		way_add(ws, w, &jobs[n_jobs++]);
	}
}

static struct way_job *
take(struct ways *ws, enum way_where side)
{
	struct way *w = way_turn(ws, &ws->side[side], all);
	struct way_marks marks;

	return w == NULL ? NULL : way_take(ws, w, 0, &marks);
}

/* Columns: name, route, where it leads, jobs at once at the start. */
static const struct {
	const char *name, *route;
	enum way_where where;
	uint32_t limit;
} routes[] = {
	{ "by MX", "mx:local", WAY_OUT, WAY_START },
	{ "a host", "host:smtp://file:25", WAY_OUT, WAY_START },
	{ "LMTP", "lmtp:box", WAY_OUT, WAY_START },
	{ "an mbox, one after the other", "local:box/ann", WAY_HERE, 1 },
	{ "a Maildir", "local:dir/ann", WAY_HERE, WAY_HERE_MAX },
	{ "an action's name with a slash", "local:an/odd one/ann", WAY_HERE,
	    WAY_HERE_MAX },
	{ "an action that is gone: as careful as may be", "local:gone/ann",
	    WAY_HERE, 1 },
	{ "no action", "local:", WAY_HERE, 1 },
	{ "a program", "program:ann/0123abcd", WAY_HERE, WAY_HERE_MAX },
	{ "a file", "file:/var/mail/list", WAY_HERE, 1 },
	{ "nothing", "", WAY_OUT, WAY_START },
};

static void
check_routes(void)
{
	struct ways ws;
	struct way *w;
	size_t i;

	start(&ws);
	for (i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		w = way_get(&ws, routes[i].route);
		CHECK(routes[i].name,
		    way_where(routes[i].route) == routes[i].where &&
			w->side == &ws.side[routes[i].where] &&
			w->limit == routes[i].limit);
	}
	stop(&ws);
}

static void
check_turns(void)
{
	struct outcome done = { .verdict = DONE };
	struct way *out, *box, *dir;
	struct ways ws;
	int n;

	start(&ws);
	out = way_get(&ws, "mx:a.test");
	box = way_get(&ws, "local:box/ann");
	dir = way_get(&ws, "local:dir/bob");
	add(&ws, box, 3);
	add(&ws, dir, 9);
	CHECK("sides: nothing leaves", take(&ws, WAY_OUT) == NULL);
	add(&ws, out, 1);
	CHECK("sides: who leaves has his turn at once",
	    take(&ws, WAY_OUT)->way == out && take(&ws, WAY_OUT) == NULL);
	CHECK("sides: the first here", take(&ws, WAY_HERE)->way == box);
	for (n = 0; take(&ws, WAY_HERE) != NULL; n++)
		;
	CHECK("sides: others beside one that takes turns",
	    n == WAY_HERE_MAX && box->running == 1 && dir->running == 5);
	way_ended(&ws, box, &done, 0);
	CHECK("sides: and its next", take(&ws, WAY_HERE)->way == box);
	for (n = 0; n < 20; n++) {
		way_ended(&ws, dir, &done, 0);
		add(&ws, dir, 1);
		take(&ws, WAY_HERE);
	}
	CHECK("sides: never more than that", dir->limit == WAY_HERE_MAX);
	stop(&ws);
}

/* Those that wait here leave room for those that leave. */
static void
check_room(void)
{
	struct way_side *here;
	char route[32];
	struct ways ws;
	struct way *w;
	int i;

	start(&ws);
	here = &ws.side[WAY_HERE];
	for (i = 0; i < JOBS; i++) {
		snprintf(route, sizeof route, "local:dir/u%d", i / 50);
		w = way_get(&ws, route);
		if (way_open(w))
			add(&ws, w, 1);
	}
	CHECK("room: it is full", here->unproven.rcpts == WAYS_HERE_RCPTS);
	CHECK("room: of who leaves there is all of it",
	    ws.side[WAY_OUT].unproven.rcpts == 0 &&
		way_open(way_get(&ws, "mx:a.test")));
	w = way_get(&ws, "local:dir/last");
	w->parked = true;
	way_touch(&ws, w);
	CHECK("room: the last waits for it", w->pent == &here->unproven);
	while (here->unproven.rcpts > WAYS_HERE_RCPTS / 4)
		way_remove(&ws, TAILQ_FIRST(&jobs[--n_jobs].way->jobs));
	CHECK("room: and has it when there is some", way_feed(&ws) == w);
	stop(&ws);
}

static void
check_share(void)
{
	struct way_places p = { .all = 4, .held = { 0, 3, 0 } };
	struct ways ws;

	start(&ws);
	add(&ws, way_get(&ws, "mx:a.test"), 1);
	CHECK("share: a quarter is for those that work",
	    !way_share(&ws.side[WAY_HERE], &p, WAY_UNKNOWN) &&
		way_share(&ws.side[WAY_HERE], &p, WAY_PROVEN));
	p.held[WAY_UNKNOWN] = 0;
	p.held[WAY_DOUBTED] = 1;
	CHECK("share: who waits on the other side takes no place",
	    way_share(&ws.side[WAY_HERE], &p, WAY_DOUBTED) &&
		!way_share(&ws.side[WAY_OUT], &p, WAY_DOUBTED));
	stop(&ws);
}

/* ---- users ---- */

/* Columns: route, whose it is by its name. */
static const struct {
	const char *route, *user;
} names[] = {
	{ "local:dir/ann", "ann" },
	{ "local:an/odd one/ann", "ann" },
	{ "program:ann/0123ABCD", "ann" },
	{ "file:/home/ann/box", NULL },
	{ "local:", NULL },
	{ "local:dir/", NULL },
	{ "program:/0123ABCD", NULL },
	{ "program:ann", NULL },
	{ "lmtp:dir/ann", NULL },
	{ "", NULL },
};

static void
check_names(void)
{
	char user[LOCAL_USER_MAX + 1], name[ROUTE_MAX + 1];
	struct ways ws;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		memset(user, 0, sizeof user);
		CHECK(names[i].route,
		    way_user_named(names[i].route, user) ==
			    (names[i].user != NULL) &&
			(names[i].user == NULL ||
			    strcmp(user, names[i].user) == 0));
	}
	snprintf(name, sizeof name, "local:dir/%0*d", LOCAL_USER_MAX + 1, 1);
	CHECK("no user's name is so long", !way_user_named(name, user));
	start(&ws);
	CHECK("of one user fewer than of those who are for many",
	    way_user_max(ws.conf, "ann") == WAY_USER_MAX &&
		way_user_max(ws.conf, "lists") == WAY_ROLE_MAX &&
		way_user_max(ws.conf, "nobody") == WAY_ROLE_MAX);
	stop(&ws);
}

static struct way *
of_user(struct ways *ws, const char *user, const char *route, int n)
{
	struct way *w = way_get(ws, route);

	way_of_user(ws, w, user);
	add(ws, w, n);
	return w;
}

/* All that may run now; how many of them are w's. */
static uint32_t
run_all(struct ways *ws, const struct way *w)
{
	struct way_job *job;
	uint32_t n = 0;

	while ((job = take(ws, WAY_HERE)) != NULL)
		n += job->way == w;
	return n;
}

/* Ten programs of one user, none of which ends. */
static void
check_user(void)
{
	struct outcome done = { .verdict = DONE };
	struct way *p[10], *file, *box, *out;
	const struct way_group *ann;
	char route[32];
	struct ways ws;
	uint32_t i, n;

	start(&ws);
	for (i = 0; i < 10; i++) {
		snprintf(route, sizeof route, "program:ann/%08X", i);
		p[i] = of_user(&ws, "ann", route, 9);
	}
	file = of_user(&ws, "ann", "file:/home/ann/box", 3);
	run_all(&ws, NULL);
	ann = way_user(&ws, "ann");
	CHECK("user: he has no more than that",
	    ann != NULL && ann->running == WAY_USER_MAX);
	for (i = n = 0; i < 10; i++)
		n += p[i]->running == 1;
	CHECK("user: each of his routes has had its turn", n == 10);
	box = of_user(&ws, "bob", "local:dir/bob", 9);
	CHECK("user: who comes then has his turn",
	    run_all(&ws, box) == WAY_HERE_MAX &&
		way_user(&ws, "bob")->running == WAY_HERE_MAX);
	way_ended(&ws, p[0], &done, 0);
	CHECK("user: the next is the route that waits longest",
	    run_all(&ws, file) == 1 && ann->running == WAY_USER_MAX);
	way_undo(&ws, p[3]);
	CHECK("user: then the others in their order",
	    run_all(&ws, p[0]) == 1 && ann->running == WAY_USER_MAX);
	out = way_get(&ws, "mx:ann");
	way_of_user(&ws, out, "ann");
	CHECK("user: who leaves is nobody's", out->group == NULL);
	stop(&ws);
}

/* What ran before a restart counts, and what is not known of other routes then
 * has nothing to do with it. */
static void
check_restart(void)
{
	struct way *old, *box, *out;
	struct ways ws;
	uint32_t i;

	start(&ws);
	old = way_get(&ws, "program:ann/00000001");
	for (i = 0; i < WAY_USER_MAX; i++)
		way_running(&ws, old);
	way_of_user(&ws, old, "ann");
	out = way_get(&ws, "mx:a.test");
	way_asked(&ws, out, true);
	way_running(&ws, out);
	box = of_user(&ws, "ann", "local:dir/ann", 1);
	CHECK("restart: it counts", run_all(&ws, box) == 0);
	way_undo(&ws, old);
	CHECK("restart: until it ends", run_all(&ws, box) == 1);
	stop(&ws);
}

/* A file is whose it was said to be last; who has no route is forgotten. */
static void
check_owner(void)
{
	struct way *file;
	struct ways ws;
	char route[32];
	int i;

	start(&ws);
	file = of_user(&ws, "ann", "file:/srv/log", 2);
	run_all(&ws, file);
	way_of_user(&ws, file, "bob");
	CHECK("owner: with what it runs",
	    way_user(&ws, "ann") == NULL && ws.users.n == 1 &&
		way_user(&ws, "bob")->running == 1);
	for (i = 0; i < WAYS_MAX; i++) {
		snprintf(route, sizeof route, "local:dir/u%d", i);
		way_of_user(&ws, way_get(&ws, route), route);
	}
	CHECK("owner: of routes that are forgotten nothing stays",
	    ws.users.n == ws.n && ws.n < WAYS_MAX);
	stop(&ws);
}

int
main(void)
{
	check_names();
	check_user();
	check_restart();
	check_owner();
	check_routes();
	check_turns();
	check_room();
	check_share();
	return unit_end();
}
