/*
 * spawn's deliveries: many at once, what a new queue hears, how they end, and
 * those that stay for the user's next message.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_world.h"

/* ---- many, and for how long ---- */

static unsigned int
descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static struct local_take
stay(void)
{
	struct local_take t = make_take(1);

	snprintf(t.envid, sizeof(t.envid), "stay");
	t.id = 0x1234;
	t.n = 5;
	return t;
}

static void
test_many(void)
{
	static int fds[LOCAL_RUNS];
	unsigned int before = descriptors(), i, n_held, good = 0;
	uint64_t first = last_job + 1;
	struct local_take t;

	for (i = 0; i < LOCAL_RUNS; i++) {
		t = stay();
		take(&t);
		good += got.outcome.verdict == DONE;
		fds[i] = got.fd;
	}
	CHECK("so many at once", good == LOCAL_RUNS && running() == LOCAL_RUNS);
	t = stay();
	take(&t);
	CHECK("one too many is for later",
	    got.outcome.verdict == LATER && got.fd == -1 &&
		got.outcome.cause == CAUSE_SYSTEM);

	/* The queue is another now. */
	w.n_held = w.n_listed = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	n_held = w.n_held;
	for (i = 0, good = 0; i < n_held; i++) {
		good += w.held[i].job == first + i && w.held[i].id == 0x1234 &&
		    w.held[i].n == 5 && w.held_fd[i] != -1;
		close(w.held_fd[i]);
	}
	CHECK("a new queue hears of all",
	    n_held == LOCAL_RUNS && good == n_held && w.n_listed == 1 &&
		w.listed.generation == 7);

	/* A newer generation is at work. */
	w.n_drained = 0;
	local_runs_drain(&w.locals);
	run_a_while();
	CHECK("it says how many there are",
	    w.n_drained == 1 && w.left == LOCAL_RUNS);
	for (i = 0; i < LOCAL_RUNS; i++) {
		close(fds[i]);
		send_noted(first + i);
		if (i == 0)
			kill(w.locals.take[0].helper.pid, SIGKILL);
	}
	run_a_while();
	CHECK("what is noted and runs on still counts",
	    run_until_left(LOCAL_RUNS - 1) && w.n_drained == 1);
	w.proc.stopping = true;
	local_runs_drain(&w.locals);
	CHECK("SIGTERM when all of us stop", run_until_none());
	run_a_while();
	CHECK("and none is left", w.n_drained == 2 && w.left == 0);
	t = stay();
	take(&t);
	CHECK("nothing is begun any more",
	    got.outcome.verdict == LATER && got.fd == -1);
	CHECK("no descriptor is left", descriptors() == before);
}

/* The run of the last one. */
static struct local_run *
run_of(uint64_t job)
{
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++) {
		if (w.locals.take[i].job == job)
			return &w.locals.take[i];
	}
	abort();
}

/* Noted, and ended, in either order. */
static void
test_order(void)
{
	unsigned int before = descriptors();
	struct local_take t = make_take(0);

	take(&t);
	local_stay_end(run_of(t.job));
	CHECK("it says something", read_says(got.fd) != NULL);
	CHECK("it has ended", run_until_none());
	w.n_held = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	CHECK("ended, not noted: it is held", w.n_held == 1);
	close(w.held_fd[0]);
	note(t.job + 1);
	w.n_held = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	CHECK("another's note is not for it", w.n_held == 1);
	close(w.held_fd[0]);
	note(t.job);
	w.n_held = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	CHECK("noted: it is gone", w.n_held == 0);
	CHECK("no descriptor is left", descriptors() == before);
}

/* ---- one that stays ---- */

/* What it says after so many deliveries, this one included. */
static bool
is_turn(struct local_take *t, unsigned int turn)
{
	const struct local_says *says;
	char want[32];

	take(t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	snprintf(want, sizeof(want), " turn=%u ", turn);
	if (says != NULL && strstr(says->outcome.text, want) != NULL)
		return true;
	printf("wanted%s: %s\n", want,
	    says == NULL ? "nothing" : says->outcome.text);
	return false;
}

/* As queue does: noted, then the next. */
static bool
is_next_turn(struct local_take *t, unsigned int turn)
{
	send_noted(t->job);
	return is_turn(t, turn);
}

static void
test_stay(void)
{
	unsigned int before = descriptors();
	struct local_take box = make_take(0), dir = make_take(1), other,
			  program = make_take(3);
	struct local_run *r;
	siginfo_t ended;

	CHECK("stay: the first", is_turn(&box, 1));
	CHECK("stay: the next by the same", is_next_turn(&box, 2));
	CHECK("stay: and the one after it", is_next_turn(&box, 3));
	CHECK("stay: one that is not noted gets none", is_turn(&box, 1));
	send_noted(box.job - 1);
	CHECK("stay: another method", is_turn(&dir, 1));
	CHECK("stay: each has its own", is_next_turn(&dir, 2));
	other = dir;
	send_noted(dir.job);
	other.to.gid = 60001;
	CHECK("stay: another group", is_turn(&other, 1));
	send_noted(other.job);
	other = make_take(9); /* a file, as daemon */
	CHECK("stay: another user", is_turn(&other, 1));
	CHECK("stay: a program's", is_turn(&program, 1));
	CHECK("stay: for another program", is_next_turn(&program, 2));
	send_noted(program.job);
	send_noted(other.job);
	other = make_take(10); /* of .forward, as games */
	CHECK("stay: none that may run no program", is_turn(&other, 1));
	CHECK("stay: but one that may", is_next_turn(&other, 2));

	r = run_of(dir.job);
	kill(r->helper.pid, SIGKILL);
	waitid(P_PID, (id_t)r->helper.pid, &ended, WEXITED | WNOWAIT);
	CHECK("stay: one that was killed", is_turn(&dir, 1));
	r = run_of(dir.job);
	r->until = loop_msec();
	CHECK("stay: one of old age", is_next_turn(&dir, 1));
	send_noted(dir.job);
	run_a_while();
	r = run_of(dir.job);
	CHECK("stay: it waits", r->next != -1 && r->helper.pid != 0);
	send_noted(box.job);
	send_noted(other.job);
	send_noted(program.job);
	CHECK("stay: not for long", run_until_none());
	CHECK("stay: no descriptor is left", descriptors() == before);
}

/* Many users, of whom each had one. */
static void
test_stay_many(void)
{
	struct local_take t = make_take(1);
	unsigned int before = descriptors(), i, n = 0, good = 0;

	for (i = 0; i < 40; i++) {
		t.to.uid = t.to.gid = 60100 + i;
		snprintf(t.to.user, sizeof(t.to.user), "nobody-%u", i);
		good += is_turn(&t, 1);
		send_noted(t.job);
	}
	run_a_while();
	for (i = 0; i < LOCAL_RUNS; i++)
		n += w.locals.take[i].next != -1;
	CHECK("stay: not too many", good == 40 && n >= 1 && n <= 32);
	CHECK("stay: who was last", is_turn(&t, 2));
	w.n_drained = 0;
	local_runs_drain(&w.locals);
	CHECK("stay: not when a newer one is at work",
	    run_of(t.job)->next == -1);
	send_noted(t.job);
	CHECK("stay: which hears of their end", run_until_none());
	run_a_while();
	CHECK("stay: once", w.n_drained == 2 && w.left == 0);
	w.locals.draining = w.proc.drained = false;
	CHECK("stay: no descriptor is left", descriptors() == before);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[0], "local") == 0)
		return be_local(argv[1]);
	if (world_open("smtpd_local_stay")) {
		test_order();
		test_stay();
		test_stay_many();
		test_many();
	}
	return world_close();
}
