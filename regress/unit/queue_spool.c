/*
 * The spool at work: files, batches, states, what a failed flush and a failed
 * checkpoint mean.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "spool_room.h"

#define SMALL 3000
#define LARGE (SPOOL_SMALL + 5000)

static struct spool_stats
stats(struct room *r)
{
	struct spool_stats st;

	spool_stats(r->spool, &st);
	return st;
}

static bool
begin(struct room *r)
{
	return room_open(r) && spool_replay(r->spool);
}

static void
end(struct room *r)
{
	room_close(r);
	unit_remove(r->dir);
}

/* Commits n messages of this size and waits. */
static bool
commit_n(struct room *r, unsigned int from, unsigned int n, size_t size)
{
	struct room_work *w = xcalloc(n, sizeof *w);
	unsigned int i;
	bool ok = true;
	int fd;

	for (i = 0; i < n; i++) {
		fd = room_message(r, room_id(from + i), 1, size, NULL);
		ok = fd != -1 &&
		    room_commit(r, &w[i], room_id(from + i), fd, NULL, 0) && ok;
	}
	ok = room_run(r) && ok;
	for (i = 0; i < n; i++)
		ok = ok && w[i].told == 1;
	free(w);
	return ok;
}

static void
lock_and_open(void)
{
	struct room r = { 0 }, second;
	struct room bad = { .dir = "/nonexistent" };

	CHECK("opens a new one", room_open(&r));
	CHECK("which is locked", spool_locked(r.dir));
	second = r;
	CHECK("nobody else gets it", !room_open(&second));
	CHECK("replays nothing", spool_replay(r.spool) && r.found == 0);
	room_close(&r);
	CHECK("unlocked", !spool_locked(r.dir));
	CHECK("no directory", !room_open(&bad));
	unit_remove(r.dir);
}

static void
commits(void)
{
	struct room r = { 0 };
	struct room_work w;
	struct spool_stats st;
	struct stat file;
	uint64_t id = room_id(1);
	int fd;

	begin(&r);
	fd = room_message(&r, id, 2, SMALL, NULL);
	CHECK("a file in tmp", fd != -1 && room_exists(&r, "tmp", id));
	CHECK("readable by its owner alone",
	    fstat(fd, &file) == 0 && (file.st_mode & 0777) == 0600);
	CHECK("not twice",
	    room_message(&r, id, 1, SMALL, NULL) == -1 && errno == EEXIST);
	CHECK("not committed yet", !spool_was_committed(r.spool, id));
	room_commit(&r, &w, id, fd, NULL, 0);
	CHECK("durable", room_run(&r) && w.told == 1);
	CHECK("in new, whole", room_whole(&r, id, SPOOL_NEW));
	CHECK("not in tmp", !room_exists(&r, "tmp", id));
	CHECK("known as committed", spool_was_committed(r.spool, id));
	CHECK("the last id", spool_last_id(r.spool) == id);
	CHECK("an id in new is taken",
	    room_message(&r, id, 1, SMALL, NULL) == -1 && errno == EEXIST);
	CHECK("one batch", r.batches == 1);
	fd = spool_file(r.spool, id, SPOOL_NEW, false);
	CHECK("opened to read", fd != -1 && write(fd, "x", 1) == -1);
	close(fd);
	CHECK("moved",
	    spool_move_cur(r.spool, id) && room_whole(&r, id, SPOOL_CUR) &&
		!room_whole(&r, id, SPOOL_NEW));
	CHECK("an id in cur is taken",
	    room_message(&r, id, 1, SMALL, NULL) == -1 && errno == EEXIST);
	close(room_message(&r, room_id(2), 1, SMALL, NULL));
	spool_abort(r.spool, room_id(2));
	CHECK("aborted", !room_exists(&r, "tmp", room_id(2)));
	CHECK("one large", commit_n(&r, 3, 1, LARGE));
	CHECK("whole too", room_whole(&r, room_id(3), SPOOL_NEW));
	st = stats(&r);
	CHECK("counted", st.messages == 2 && st.large == 1 && st.flushes == 2);
	end(&r);
}

static void
sharing(void)
{
	struct room r = { 0 };
	struct room_work w[41];
	struct spool_stats st;
	int i, fd;

	begin(&r);
	CHECK("fifty in one turn", commit_n(&r, 1, 50, SMALL));
	st = stats(&r);
	CHECK("one flush", st.flushes == 1 && st.messages == 50);
	room_fault.slow = 100;
	for (i = 0; i < 41; i++) {
		fd = room_message(&r, room_id(100 + (unsigned int)i), 1, SMALL,
		    NULL);
		room_commit(&r, &w[i], room_id(100 + (unsigned int)i), fd, NULL,
		    0);
		if (i ==
		    0) /* its flush begins; the others come while it runs */
			room_idle(&r, 20);
	}
	CHECK("those that came during a flush", room_run(&r) && r.bad == 0);
	room_fault.slow = 0;
	CHECK("share the next one", stats(&r).flushes == st.flushes + 2);
	/* Over a megabyte in one batch: written in pieces, flushed once. */
	st = stats(&r);
	CHECK("more than fits in memory at once",
	    commit_n(&r, 200, 60, SPOOL_SMALL - 1000));
	CHECK("one flush for it", stats(&r).flushes == st.flushes + 1);
	end(&r);
}

/* A file that is not whole is refused; the others of its batch are not. */
static void
not_whole(void)
{
	static const struct {
		const char *name;
		size_t size;
		long cut;  /* bytes that are cut off */
		long flip; /* a byte that is changed, from the end */
		bool ok;
	} rows[] = {
		{ "whole", SMALL, 0, 0, true },
		{ "without its trailer", SMALL, TRAILER_LEN, 0, false },
		{ "half a trailer", SMALL, 10, 0, false },
		{ "a changed byte of content", SMALL, 0, 500, false },
		{ "a changed trailer", SMALL, 0, 40, false },
		{ "large, without its trailer", LARGE, TRAILER_LEN, 0, false },
		{ "large, shorter than it says", LARGE, 0, 60, false },
		{ "large, whole", LARGE, 0, 0, true },
	};
	const size_t n = sizeof rows / sizeof rows[0];
	struct room_work w[sizeof rows / sizeof rows[0]], other;
	struct room r = { 0 };
	struct stat st;
	uint8_t c;
	uint64_t id;
	size_t i;
	int fd;

	begin(&r);
	for (i = 0; i < n; i++) {
		id = room_id((unsigned int)i + 1);
		fd = room_message(&r, id, 1, rows[i].size, NULL);
		fstat(fd, &st);
		if (rows[i].cut != 0 && ftruncate(fd, st.st_size - rows[i].cut))
			abort();
		if (rows[i].flip != 0) {
			if (pread(fd, &c, 1, st.st_size - rows[i].flip) != 1)
				abort();
			c ^= 1;
			if (pwrite(fd, &c, 1, st.st_size - rows[i].flip) != 1)
				abort();
		}
		room_commit(&r, &w[i], id, fd, NULL, 0);
	}
	fd = room_message(&r, room_id(90), 1, SMALL, NULL);
	room_commit(&r, &other, room_id(91), fd, NULL, 0);
	room_run(&r);
	for (i = 0; i < n; i++) {
		CHECK(rows[i].name, w[i].told == rows[i].ok);
		CHECK("its file",
		    room_whole(&r, room_id((unsigned int)i + 1), SPOOL_NEW) ==
			rows[i].ok);
	}
	CHECK("another message's head", other.told == 0);
	end(&r);
}

/* States ride with others, settles with their notification. */
static void
states(void)
{
	struct room r = { 0 };
	struct room_work w, dsn;
	struct spool_settle set[2] = { 0 };
	uint64_t off[4], id = room_id(1), about = room_id(1) | 1;
	struct spool_stats st;
	int fd, i;

	begin(&r);
	fd = room_message(&r, id, 4, SMALL, off);
	room_commit(&r, &w, id, fd, NULL, 0);
	room_run(&r);
	fd = spool_file(r.spool, id, SPOOL_NEW, true);
	CHECK("it waits", spool_state_get(fd, off[0]) == RCPT_WAITING);
	CHECK("no such byte", spool_state_get(fd, 1 << 20) == -1);
	st = stats(&r);
	for (i = 0; i < 3; i++)
		spool_state_set(r.spool, NULL, fd, id, 0, off[0], RCPT_WARNED);
	CHECK("in the file at once", room_state(&r, id, off[0]) == 'w');
	room_idle(&r, 100);
	CHECK("but not flushed for it", stats(&r).flushes == st.flushes);
	room_idle(&r, 1500);
	CHECK("a second later", stats(&r).flushes == st.flushes + 1);
	w = (struct room_work){ .work = { .fn = room_told },
		.room = &r,
		.fd = -1 };
	r.waiting = 1;
	spool_state_set(r.spool, &w.work, fd, id, 1, off[1], RCPT_HELD);
	CHECK("flushed when somebody waits for it",
	    room_run(&r) && w.told == 1 && stats(&r).flushes == st.flushes + 2);

	spool_state_set(r.spool, NULL, fd, id, 2, off[2], RCPT_OWED);
	spool_state_set(r.spool, NULL, fd, id, 3, off[3], RCPT_DELIVERED);
	for (i = 0; i < 2; i++)
		set[i] = (struct spool_settle){ .id = id,
			.n = (uint32_t)i + 2,
			.off = off[i + 2],
			.state = RCPT_FAILED };
	i = room_message(&r, about, 1, SMALL, NULL);
	room_commit(&r, &dsn, about, i, set, 2);
	CHECK("not before it is durable", room_state(&r, id, off[2]) == 'b');
	CHECK("a notification", room_run(&r) && dsn.told == 1);
	CHECK("settles what it is about", room_state(&r, id, off[2]) == 'f');
	CHECK("but no end that was reached otherwise",
	    room_state(&r, id, off[3]) == 'd');
	CHECK("one flush for all of that", stats(&r).flushes == st.flushes + 3);
	close(fd);
	end(&r);
}

/* A notification about as many recipients as there may be. */
static void
many_settles(void)
{
	static struct spool_settle set[RCPT_MAX];
	struct room r = { 0 };
	struct room_work w[3];
	uint64_t off[1];
	uint32_t i;

	begin(&r);
	room_commit(&r, &w[0], room_id(1),
	    room_message(&r, room_id(1), 1, SMALL, off), NULL, 0);
	room_run(&r);
	for (i = 0; i < RCPT_MAX; i++)
		set[i] = (struct spool_settle){ .id = room_id(1),
			.n = i,
			.off = i == 0 ? off[0] : UINT64_C(1) << 40,
			.state = RCPT_FAILED };
	room_commit(&r, &w[1], room_id(2),
	    room_message(&r, room_id(2), 1, SMALL, NULL), NULL, 0);
	room_commit(&r, &w[2], room_id(3),
	    room_message(&r, room_id(3), 1, SPOOL_SMALL - 1000, NULL), set,
	    RCPT_MAX);
	CHECK("30000 settles",
	    room_run(&r) && r.bad == 0 &&
		room_state(&r, room_id(1), off[0]) == 'f');
	room_kill(&r);
	CHECK("and their replay", begin(&r) && r.found == 3 && r.all_done == 1);
	end(&r);
}

static void
leaving(void)
{
	struct room r = { 0 };
	uint64_t id = room_id(1);
	struct spool_stats st;

	begin(&r);
	commit_n(&r, 1, 3, SMALL);
	spool_move_cur(r.spool, room_id(2));
	st = stats(&r);
	spool_gone(r.spool, id, SPOOL_NEW);
	spool_gone(r.spool, room_id(2), SPOOL_NEW);
	room_idle(&r, 50);
	CHECK("there until it is recorded", room_whole(&r, id, SPOOL_NEW));
	commit_n(&r, 4, 1, SMALL);
	flush_wait(&r.spool->flush);
	CHECK("removed after the next flush", !room_whole(&r, id, SPOOL_NEW));
	CHECK("wherever it was", !room_whole(&r, room_id(2), SPOOL_CUR));
	CHECK("the others stay", room_whole(&r, room_id(3), SPOOL_NEW));
	CHECK("without a flush of its own",
	    stats(&r).flushes == st.flushes + 1);
	spool_corrupt(r.spool, room_id(3), SPOOL_NEW, "a test");
	CHECK("set aside",
	    r.corrupt == 1 && room_exists(&r, "corrupt", room_id(3)) &&
		!room_whole(&r, room_id(3), SPOOL_NEW));
	end(&r);
}

static bool
keep_even(void *arg, uint64_t id)
{
	(void)arg;
	return id / ID_STEP % 2 == 0;
}

static void
walks(void)
{
	struct room r = { 0 };
	unsigned int i;
	enum spool_place place;
	int fd, steps = 1;

	begin(&r);
	CHECK("an empty one", !spool_walk(r.spool, 10) && r.found == 0);
	commit_n(&r, 1, 20, SMALL);
	for (i = 1; i <= 20; i += 2)
		spool_move_cur(r.spool, room_id(i));
	/* In another folder. */
	commit_n(&r, 1 << 23, 1, SMALL);
	for (; spool_walk(r.spool, 4); steps++)
		;
	CHECK("each file once", r.found == 21 && r.corrupt == 0);
	CHECK("in steps", steps == 6);
	fd = dirs_find(&r.spool->dirs, room_id(3), O_RDWR, &place);
	if (ftruncate(fd, 100) == -1)
		abort();
	close(fd);
	fd = dirs_find(&r.spool->dirs, room_id(4), O_RDWR, &place);
	if (pwrite(fd, "Z", 1, 40) != 1)
		abort();
	close(fd);
	r.found = 0;
	while (spool_walk(r.spool, 100))
		;
	CHECK("damaged ones are set aside, the others seen",
	    r.found == 19 && r.corrupt == 2 &&
		room_exists(&r, "corrupt", room_id(3)) &&
		room_exists(&r, "corrupt", room_id(4)));
	for (i = 30; i < 40; i++)
		close(room_message(&r, room_id(i), 1, SMALL, NULL));
	spool_sweep(r.spool, room_id(38), keep_even, NULL);
	CHECK("swept", !room_exists(&r, "tmp", room_id(31)));
	CHECK("kept", room_exists(&r, "tmp", room_id(32)));
	CHECK("younger", room_exists(&r, "tmp", room_id(39)));
	end(&r);
}

/* ---- trouble ---- */

/* A flush that fails: nothing of it counts, and it is not tried as good. */
static void
failed_flush(atomic_int *fault, const char *name)
{
	struct room r = { 0 };
	struct room_work w, held;
	struct spool_settle set;
	uint64_t off[1];
	const char *why;
	int fd, tries;

	begin(&r);
	CHECK(name, commit_n(&r, 1, 2, SMALL));
	fd = room_message(&r, room_id(3), 1, SMALL, off);
	room_commit(&r, &w, room_id(3), fd, NULL, 0);
	room_run(&r);
	fd = spool_file(r.spool, room_id(3), SPOOL_NEW, true);
	set = (struct spool_settle){ .id = room_id(3),
		.off = off[0],
		.state = RCPT_FAILED };
	/* The checkpoint fails too, so that the trouble lasts. */
	*fault = EIO;
	room_fault.syncfs = EIO;
	held = (struct room_work){ .work = { .fn = room_told },
		.room = &r,
		.fd = -1 };
	spool_state_set(r.spool, &held.work, fd, room_id(3), 0, off[0],
	    RCPT_OWED);
	spool_gone(r.spool, room_id(1), SPOOL_NEW);
	r.waiting++;
	room_commit(&r, &w, room_id(4),
	    room_message(&r, room_id(4), 1, SMALL, NULL), &set, 1);
	CHECK("it is told", room_run(&r) && w.told == 0 && held.told == 0);
	CHECK("not committed",
	    !spool_was_committed(r.spool, room_id(4)) &&
		!room_exists(&r, "tmp", room_id(4)) &&
		!room_whole(&r, room_id(4), SPOOL_NEW));
	CHECK("nor its settle", room_state(&r, room_id(3), off[0]) == 'b');
	CHECK("the byte of a state stays", spool_state_get(fd, off[0]) == 'b');
	CHECK("nothing is accepted", !spool_accepts(r.spool, 1000, &why));
	CHECK("nothing is committed",
	    !room_commit(&r, &w, room_id(5),
		room_message(&r, room_id(5), 1, SMALL, NULL), NULL, 0) &&
		!room_exists(&r, "tmp", room_id(5)));
	room_idle(&r, 100);
	CHECK("nor removed", room_whole(&r, room_id(1), SPOOL_NEW));
	*fault = 0;
	room_idle(&r, 100);
	CHECK("while the checkpoint fails",
	    !spool_accepts(r.spool, 1000, &why) && stats(&r).rewrites > 0);
	room_fault.syncfs = 0;
	for (tries = 0; tries < 50; tries++) {
		room_idle(&r, 20);
		if (spool_accepts(r.spool, 1000, &why))
			break;
	}
	CHECK("after a checkpoint all is well",
	    spool_accepts(r.spool, 1000, &why) && commit_n(&r, 6, 1, SMALL));
	flush_wait(&r.spool->flush);
	CHECK("what is gone is removed then",
	    !room_whole(&r, room_id(1), SPOOL_NEW));
	CHECK("counted once", stats(&r).failed == 1);
	close(fd);
	room_kill(&r);
	r.found = r.gone = 0;
	CHECK("the next journal has what the old one lost",
	    begin(&r) && r.gone == 1 && r.found == 2 &&
		room_state(&r, room_id(3), off[0]) == 'b');
	end(&r);
}

/* Told that it failed, then the process dies: it must not come back. */
static void
failed_and_killed(void)
{
	struct room r = { 0 };
	struct room_work w;

	begin(&r);
	commit_n(&r, 1, 2, SMALL);
	room_fault.fdatasync = EIO;
	room_fault.syncfs = EIO;
	room_commit(&r, &w, room_id(3),
	    room_message(&r, room_id(3), 1, SMALL, NULL), NULL, 0);
	CHECK("a failed flush", room_run(&r) && w.told == 0);
	room_kill(&r);
	room_fault.fdatasync = room_fault.syncfs = 0;
	CHECK("what came before it is there", begin(&r) && r.found == 2);
	CHECK("what was told to have failed is not",
	    !room_whole(&r, room_id(3), SPOOL_NEW) &&
		!spool_was_committed(r.spool, room_id(3)));
	end(&r);
}

/* No room for contents: states are recorded all the same, in the reserve. */
static void
no_room(void)
{
	struct room r = { 0 };
	struct room_work w[64], held;
	uint64_t off[1], id = room_id(1);
	unsigned int i;
	int fd, good = 0;

	room_open(&r);
	r.spool->flush.journal.step = 256 * 1024;
	for (i = 0; i < JOURNAL_SLOTS; i++)
		r.spool->flush.journal.slot[i].size = 256 * 1024;
	spool_replay(r.spool);
	fd = room_message(&r, id, 1, SMALL, off);
	room_commit(&r, &w[0], id, fd, NULL, 0);
	room_run(&r);
	fd = spool_file(r.spool, id, SPOOL_NEW, true);
	room_fault.fallocate = ENOSPC;
	room_fault.syncfs = EIO; /* so that the old journal stays */
	for (i = 0; i < 10; i++)
		room_commit(&r, &w[i], room_id(10 + i),
		    room_message(&r, room_id(10 + i), 1, SPOOL_SMALL - 1000,
			NULL),
		    NULL, 0);
	room_run(&r);
	for (i = 0; i < 10; i++) {
		good += w[i].told == 1;
		if (room_whole(&r, room_id(10 + i), SPOOL_NEW) !=
		    (w[i].told == 1))
			good = -100;
	}
	CHECK("some find room, the others are told", good > 0 && good < 10);
	room_idle(&r, 50);
	for (i = 0; i < 4; i++) {
		room_commit(&r, &w[i], room_id(30 + i),
		    room_message(&r, room_id(30 + i), 1, SPOOL_SMALL - 1000,
			NULL),
		    NULL, 0);
		room_run(&r);
	}
	held = (struct room_work){ .work = { .fn = room_told },
		.room = &r,
		.fd = -1 };
	r.waiting = 1;
	spool_state_set(r.spool, &held.work, fd, id, 0, off[0], RCPT_DELIVERED);
	CHECK("a state finds room", room_run(&r) && held.told == 1);
	room_fault.syncfs = 0;
	room_fault.fallocate = 0;
	room_idle(&r, 200);
	CHECK("after a checkpoint there is room again",
	    commit_n(&r, 50, 3, SPOOL_SMALL - 1000));
	close(fd);
	end(&r);
}

static void
checkpoints(void)
{
	struct room r = { 0 };
	struct spool_stats st;
	unsigned int i;
	bool ok = true;

	room_open(&r);
	r.spool->flush.journal.max = 256 * 1024;
	spool_replay(r.spool);
	for (i = 0; i < 40; i++)
		ok = commit_n(&r, 1 + i * 10, 10, SMALL) && ok;
	CHECK("four hundred", ok);
	flush_wait(&r.spool->flush);
	st = stats(&r);
	CHECK("several checkpoints", st.checkpoints >= 3);
	CHECK("the last ones are remembered",
	    spool_was_committed(r.spool, room_id(400)));
	CHECK("the first ones are not for ever",
	    !spool_was_committed(r.spool, room_id(1)));
	for (i = 1; i <= 400; i++)
		ok = ok && room_whole(&r, room_id(i), SPOOL_NEW);
	CHECK("all are there", ok);
	room_close(&r);
	memset(&r.found, 0, sizeof r.found);
	CHECK("closed, the journal is empty", begin(&r) && r.found == 0);
	CHECK("but ids are not used again",
	    spool_last_id(r.spool) == room_id(400));
	CHECK("and the last are known",
	    spool_was_committed(r.spool, room_id(400)));
	while (spool_walk(r.spool, 1000))
		;
	CHECK("the files are all", r.found == 400);
	end(&r);
}

/* A checkpoint that failed: files are written again, and nothing is lost. */
static void
failed_checkpoint(void)
{
	struct room r = { 0 };
	const char *why;
	unsigned int i;
	int fd;
	enum spool_place place;
	char zero[100] = { 0 };

	room_open(&r);
	r.spool->flush.journal.max = 64 * 1024;
	spool_replay(r.spool);
	room_fault.syncfs = EIO;
	for (i = 0; i < 4; i++)
		commit_n(&r, 1 + i * 10, 10, SMALL);
	/* The disk lost a page of one of them. */
	fd = dirs_find(&r.spool->dirs, room_id(2), O_RDWR, &place);
	if (pwrite(fd, zero, sizeof zero, 1000) != sizeof zero)
		abort();
	close(fd);
	CHECK("a page is lost", !room_whole(&r, room_id(2), SPOOL_NEW));
	room_idle(&r, 100);
	CHECK("nothing is accepted", !spool_accepts(r.spool, 1000, &why));
	room_fault.syncfs = 0;
	for (i = 0; i < 100 && !spool_accepts(r.spool, 1000, &why); i++)
		room_idle(&r, 20);
	CHECK("then it is", spool_accepts(r.spool, 1000, &why));
	CHECK("written again",
	    room_whole(&r, room_id(2), SPOOL_NEW) && stats(&r).rewrites > 0);
	end(&r);
}

static void
room_on_disk(void)
{
	struct room r = { 0 };
	const char *why = NULL;

	begin(&r);
	CHECK("there is room", spool_accepts(r.spool, 1000, &why));
	CHECK("not for everything",
	    !spool_accepts(r.spool, UINT64_MAX / 2, &why) && why != NULL);
	CHECK("nor more than everything",
	    !spool_accepts(r.spool, UINT64_MAX, &why));
	end(&r);
}

/* What a record may still make of a state that the file has. */
static void
settles(void)
{
	/* Columns: the file's, the record's, it follows. */
	static const struct {
		char have, said;
		bool follows;
	} rows[] = {
		{ RCPT_WAITING, RCPT_WARNED, true },
		{ RCPT_WAITING, RCPT_EXPANDED_OWED, true },
		{ RCPT_OWED, RCPT_FAILED, true },
		{ RCPT_OWED, RCPT_WARNED, false },
		{ RCPT_DELIVERED_OWED, RCPT_DELIVERED, true },
		{ RCPT_DELIVERED_OWED, RCPT_WARNED, false },
		{ RCPT_EXPANDED_OWED, RCPT_EXPANDED, true },
		{ RCPT_EXPANDED_OWED, RCPT_WAITING, false },
		{ RCPT_DELIVERED, RCPT_DELIVERED_OWED, false },
		{ RCPT_REMOVED, RCPT_DELIVERED, false },
	};
	char name[32];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(name, sizeof name, "settle: %c, then %c", rows[i].have,
		    rows[i].said);
		CHECK(name,
		    spool_settle_follows(rows[i].have, rows[i].said) ==
			rows[i].follows);
	}
}

int
main(void)
{
	log_to_stderr("unit", false);
	lock_and_open();
	commits();
	sharing();
	not_whole();
	states();
	many_settles();
	leaving();
	walks();
	failed_flush(&room_fault.fdatasync, "before fdatasync fails");
	failed_flush(&room_fault.pwrite, "before a write fails");
	failed_and_killed();
	no_room();
	checkpoints();
	failed_checkpoint();
	room_on_disk();
	settles();
	return unit_end();
}
