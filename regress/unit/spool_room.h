/*
 * A spool of its own for a test: a directory, a loop, system calls that fail
 * when told to, and messages.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SPOOL_ROOM_H
#define SPOOL_ROOM_H

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "id.h"
#include "log.h"
#include "spool_priv.h"
#include "spool_read.h"
#include "unit_dir.h"

#define ROOM_IDS  4096
#define ROOM_WAIT 20000 /* ms that anything may take */

/* What the hooks were told. */
struct room {
	struct loop *loop;
	struct spool *spool;
	char dir[64];
	int waiting;   /* works that were not told yet */
	int good, bad; /* works told */
	int batches, found, all_done, gone, corrupt;
	uint64_t found_id[ROOM_IDS];
	char found_state[ROOM_IDS]; /* of the first recipient */
	bool late;
	struct timer deadline;
};

struct room_work {
	struct spool_work work;
	struct room *room;
	int fd;
	int told; /* -1: not yet */
};

/* ---- system calls that fail when told to ---- */

static struct {
	atomic_int fdatasync, pwrite, fallocate, syncfs; /* errno, or 0 */
	atomic_int slow;  /* ms that fdatasync takes */
	atomic_int syncs; /* fdatasync calls */
	atomic_int steps; /* replay ends at this one; 0: never */
} room_fault;

static ssize_t
room_pwrite(int fd, const void *p, size_t len, off_t off)
{
	if ((errno = room_fault.pwrite) != 0)
		return -1;
	return pwrite(fd, p, len, off);
}

static int
room_fdatasync(int fd)
{
	(void)fd;
	if (room_fault.slow > 0)
		usleep((useconds_t)room_fault.slow * 1000);
	room_fault.syncs++;
	return (errno = room_fault.fdatasync) != 0 ? -1 : 0;
}

static int
room_fallocate(int fd, int mode, off_t off, off_t len)
{
	if ((errno = room_fault.fallocate) != 0)
		return -1;
	return fallocate(fd, mode, off, len);
}

static int
room_syncfs(int fd)
{
	(void)fd;
	return (errno = room_fault.syncfs) != 0 ? -1 : 0;
}

static void
room_step(const char *what)
{
	(void)what;
	if (room_fault.steps > 0 && --room_fault.steps == 0)
		_exit(99);
}

static struct journal_ops room_ops = { .pwrite = room_pwrite,
	.fdatasync = room_fdatasync,
	.fallocate = room_fallocate,
	.syncfs = room_syncfs,
	.step = room_step };

/* ---- directories ---- */

static inline void
room_copy(const char *from, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX], buf[65536];
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(from);
	int in, out;
	ssize_t n;

	if (d == NULL || mkdir(to, 0700) == -1)
		abort();
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		if (stat(a, &st) == -1)
			abort();
		if (S_ISDIR(st.st_mode)) {
			room_copy(a, b);
			continue;
		}
		in = open(a, O_RDONLY);
		out = open(b, O_WRONLY | O_CREAT, 0600);
		while ((n = read(in, buf, sizeof buf)) > 0)
			if (write(out, buf, (size_t)n) != n)
				abort();
		close(in);
		close(out);
	}
	closedir(d);
}

/* ---- a spool ---- */

static void
room_found(void *arg, const struct spool_found *f)
{
	struct room *r = arg;

	if (r->found < ROOM_IDS) {
		r->found_id[r->found] = f->head.id;
		r->found_state[r->found] = f->head.rcpt[0].state;
	}
	r->found++;
	r->all_done += f->all_done;
}

static void
room_gone(void *arg, uint64_t id)
{
	struct room *r = arg;

	(void)id;
	r->gone++;
}

static void
room_batch(void *arg)
{
	struct room *r = arg;

	r->batches++;
}

static void
room_corrupt(void *arg, uint64_t id, const char *why)
{
	struct room *r = arg;

	(void)id;
	(void)why;
	r->corrupt++;
}

/* In a directory of its own, or the one that is in r->dir; not replayed. */
static bool
room_open(struct room *r)
{
	const struct spool_hooks hooks = { .found = room_found,
		.gone = room_gone,
		.batch = room_batch,
		.corrupt = room_corrupt,
		.arg = r };
	const char *why = NULL;

	if (r->dir[0] == '\0') {
		snprintf(r->dir, sizeof r->dir, "/tmp/postern-unit-XXXXXX");
		if (mkdtemp(r->dir) == NULL)
			abort();
	}
	r->loop = loop_new();
	r->spool = spool_open_with(r->loop, r->dir, &hooks, &room_ops, &why);
	if (r->spool == NULL) {
		loop_free(&r->loop);
		return false;
	}
	r->spool->retry_wait = 20;
	return true;
}

static void
room_close(struct room *r)
{
	spool_close(&r->spool);
	loop_free(&r->loop);
}

/* As if the process had been killed: nothing is written any more. */
static inline void
room_kill(struct room *r)
{
	struct spool *s = r->spool;
	struct flush_batch *untold;

	watch_clear(&s->event);
	timer_clear(&s->kick);
	timer_clear(&s->later);
	timer_clear(&s->retry);
	flush_wait(&s->flush);
	untold = flush_take(&s->flush);
	flush_batch_free(&untold);
	s->replayed = false;
	spool_close(&r->spool);
	loop_free(&r->loop);
}

static void
room_late(void *arg)
{
	struct room *r = arg;

	r->late = true;
	loop_stop(r->loop);
}

static void
room_told(struct spool_work *w, bool ok)
{
	struct room_work *rw = (struct room_work *)w;
	struct room *r = rw->room;

	rw->told = ok;
	r->good += ok;
	r->bad += !ok;
	if (rw->fd != -1)
		close(rw->fd);
	rw->fd = -1;
	if (--r->waiting == 0)
		loop_stop(r->loop);
}

/* Runs the loop until all works were told. */
static bool
room_run(struct room *r)
{
	if (r->waiting == 0)
		return true;
	r->late = false;
	timer_set(r->loop, &r->deadline, ROOM_WAIT, room_late, r);
	loop_run(r->loop);
	timer_clear(&r->deadline);
	return !r->late;
}

/* Runs the loop for so long. */
static inline void
room_idle(struct room *r, msec ms)
{
	timer_set(r->loop, &r->deadline, ms, room_late, r);
	loop_run(r->loop);
	timer_clear(&r->deadline);
}

/* ---- messages ---- */

static uint64_t
room_id(unsigned int n)
{
	return UINT64_C(0x2222000000000000) + n * ID_STEP;
}

/* tmp/ID with n_rcpt recipients and size bytes of content that follow from
 * id, closed by a trailer; -1. */
static int
room_message(struct room *r, uint64_t id, uint32_t n_rcpt, size_t size,
    uint64_t *off)
{
	struct head_rcpt rcpt[8] = { { 0 } };
	struct head h = { .id = id,
		.arrived = 1763718151000000,
		.sender = "alice@example.org",
		.rcpt = rcpt,
		.n_rcpt = n_rcpt };
	struct trailer t = { .content = size - size / 4, .trace = size / 4 };
	char end[TRAILER_LEN];
	uint8_t *mem;
	size_t i;
	int fd;

	for (i = 0; i < n_rcpt; i++)
		rcpt[i] = (struct head_rcpt){ .state = RCPT_WAITING,
			.addr = "bob@example.net" };
	if ((fd = spool_create(r->spool, &h)) == -1)
		return -1;
	for (i = 0; off != NULL && i < n_rcpt; i++)
		off[i] = rcpt[i].off;
	mem = xcalloc(1, size + 1);
	for (i = 0; i < size; i++)
		mem[i] = (uint8_t)('a' + (id / ID_STEP + i) % 26);
	t.sum = XXH3_64bits(mem, size);
	trailer_print(&t, end);
	if (write(fd, mem, size) != (ssize_t)size ||
	    write(fd, end, sizeof end) != (ssize_t)sizeof end)
		abort();
	free(mem);
	return fd;
}

static bool
room_commit(struct room *r, struct room_work *w, uint64_t id, int fd,
    const struct spool_settle *settles, uint32_t n)
{
	*w = (struct room_work){ .work = { .fn = room_told },
		.room = r,
		.fd = fd,
		.told = -1 };
	if (!spool_commit(r->spool, &w->work, id, fd, settles, n)) {
		close(fd);
		return false;
	}
	r->waiting++;
	return true;
}

/* True if the file of id is in place and whole, content included. */
static bool
room_whole(const struct room *r, uint64_t id, enum spool_place place)
{
	char path[128], folder[SPOOL_PATH_MAX];
	uint8_t *mem = xcalloc(1, 1 << 20);
	struct trailer t;
	struct arena a;
	struct head h;
	bool more, ok;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s/%s", r->dir,
	    place == SPOOL_NEW ? "new" : "cur", dirs_path(id, folder));
	fd = open(path, O_RDONLY);
	n = fd == -1 ? -1 : read(fd, mem, 1 << 20);
	if (fd != -1)
		close(fd);
	arena_init(&a, 0);
	ok = n > 0 && spool_check(mem, (size_t)n, id, &t) == NULL &&
	    head_parse((char *)mem, (size_t)n, &a, &h, &more) == NULL;
	arena_free(&a);
	free(mem);
	return ok;
}

/* The state byte of recipient at off, wherever the file is; -1. */
static inline int
room_state(const struct room *r, uint64_t id, uint64_t off)
{
	enum spool_place place;
	int fd = dirs_find(&r->spool->dirs, id, O_RDONLY, &place), state;

	if (fd == -1)
		return -1;
	state = spool_state_get(fd, off);
	close(fd);
	return state;
}

/* True if there is a file of id in this folder of the spool ("tmp",
 * "corrupt"). */
static inline bool
room_exists(const struct room *r, const char *folder, uint64_t id)
{
	char path[128], name[ID_LEN + 1];

	snprintf(path, sizeof path, "%s/%s/%s", r->dir, folder,
	    id_print(id, name));
	return access(path, F_OK) == 0;
}

#endif
