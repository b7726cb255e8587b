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
	room_remove(r->dir);
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
	room_remove(r.dir);
}

static void
commits(void)
{
	struct room r = { 0 };
	struct room_work w;
	struct spool_stats st;
	struct stat file;
	char path[128];
	uint64_t id = room_id(1);
	int fd;

	begin(&r);
	fd = room_message(&r, id, 2, SMALL, NULL);
	CHECK("a file in tmp", fd != -1 && room_exists(&r, "tmp/2480000002000"));
	CHECK("readable by its owner alone",
	    fstat(fd, &file) == 0 && (file.st_mode & 0777) == 0600);
	CHECK("not twice",
	    room_message(&r, id, 1, SMALL, NULL) == -1 && errno == EEXIST);
	CHECK("not committed yet", !spool_was_committed(r.spool, id));
	room_commit(&r, &w, id, fd, NULL, 0);
	CHECK("durable", room_run(&r) && w.told == 1);
	CHECK("in new, whole", room_whole(&r, id, SPOOL_NEW));
	CHECK("not in tmp", !room_exists(&r, "tmp/2480000002000"));
	CHECK("known as committed", spool_was_committed(r.spool, id));
	CHECK("the last id", spool_last_id(r.spool) == id);
	CHECK("an id in new is taken",
	    room_message(&r, id, 1, SMALL, NULL) == -1 && errno == EEXIST);
	CHECK("one batch", r.batches == 1);
	fd = spool_file(r.spool, id, SPOOL_NEW, false);
	CHECK("opened to read", fd != -1 && write(fd, "x", 1) == -1);
	close(fd);
	CHECK("moved", spool_move_cur(r.spool, id) &&
		room_whole(&r, id, SPOOL_CUR) &&
		!room_whole(&r, id, SPOOL_NEW));
	CHECK("an id in cur is taken",
	    room_message(&r, id, 1, SMALL, NULL) == -1 && errno == EEXIST);
	close(room_message(&r, room_id(2), 1, SMALL, NULL));
	spool_abort(r.spool, room_id(2));
	CHECK("aborted", !room_exists(&r, "tmp/2480000004000"));
	CHECK("one large", commit_n(&r, 3, 1, LARGE));
	CHECK("its length",
	    (snprintf(path, sizeof path, "%s/new/88/2480000006000", r.dir),
		stat(path, &file) == 0 && file.st_size > LARGE));
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
		room_commit(&r, &w[i], room_id(100 + (unsigned int)i), fd,
		    NULL, 0);
		if (i == 0) /* its flush begins; the others come while it runs */
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
		long cut;   /* bytes that are cut off */
		long flip;  /* a byte that is changed, from the end */
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

int
main(void)
{
	log_to_stderr("unit", false);
	lock_and_open();
	commits();
	sharing();
	not_whole();
	return unit_end();
}
