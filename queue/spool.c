/*
 * The spool, as the queue's loop sees it: opened and closed here, and its
 * files made, opened and moved.  Used by queue, and by smtpctl for a rebuild
 * without the daemon.  Never waits for a flush but in spool_close().
 *
 * SPDX-License-Identifier: ISC
 */
#include "spool.h"

#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "spool_priv.h"
#include "spool_read.h"

#define RETRY_WAIT  5000 /* ms before a checkpoint is tried again */
#define STATES_WAIT 1000 /* ms that states and removals may wait */
#define ROOM_KEEP   100  /* ms that the filesystem's answer is good for */
#define FILE_COST   8192 /* bytes that a file takes beside its size */

/* What new mail must leave free: a part of the whole, within bounds. */
#define BYTES_PART  32
#define BYTES_MIN   ((uint64_t)256 * 1024)
#define BYTES_MAX   ((uint64_t)64 * 1024 * 1024)
#define INODES_PART 64
#define INODES_MIN  16
#define INODES_MAX  1000

/* ---- open and close ---- */

static struct spool *
open_fail(struct spool **s, const char *what, const char **why)
{
	*why = strerror(errno);
	if (errno == EAGAIN && (*s)->lock == -1)
		*why = "another queue has it";
	log_warn("spool", "cannot be opened: what=%s error=%s", what, *why);
	journal_close(&(*s)->flush.journal);
	dirs_close(&(*s)->dirs);
	if ((*s)->lock != -1)
		close((*s)->lock);
	free(*s);
	*s = NULL;
	return NULL;
}

struct spool *
spool_open_with(struct loop *l, const char *dir,
    const struct spool_hooks *hooks, const struct journal_ops *ops,
    const char **why)
{
	struct spool *s = xcalloc(1, sizeof *s);
	const char *what;
	struct statvfs fs;
	unsigned int i;

	s->loop = l;
	s->hooks = *hooks;
	s->lock = -1;
	s->retry_wait = RETRY_WAIT;
	s->states_wait = STATES_WAIT;
	for (i = 0; i < JOURNAL_SLOTS; i++)
		s->flush.journal.slot[i].fd = -1;
	if ((what = dirs_open(&s->dirs, dir)) != NULL)
		return open_fail(&s, what, why);
	if ((s->lock = spool_lock(s->dirs.top)) == -1)
		return open_fail(&s, "lock", why);
	if (fsync(s->dirs.top) == -1 || fstatvfs(s->dirs.top, &fs) == -1)
		return open_fail(&s, "the directory", why);
	what = journal_open(&s->flush.journal, s->dirs.journal,
	    (uint64_t)fs.f_blocks * fs.f_frsize, ops);
	if (what != NULL)
		return open_fail(&s, what, why);
	if (!flush_start(&s->flush, &s->dirs))
		return open_fail(&s, "threads", why);
	s->collect = spool_batch(s);
	watch_set(l, &s->event, s->flush.event, LOOP_READ, spool_event, s);
	return s;
}

struct spool *
spool_open(struct loop *l, const char *dir, const struct spool_hooks *hooks,
    const char **why)
{
	return spool_open_with(l, dir, hooks, &journal_ops_system, why);
}

/* The files say all: the journal is not needed any more. */
static void
last_checkpoint(struct spool *s)
{
	struct journal *j = &s->flush.journal;
	struct flush_status st;

	flush_status(&s->flush, &st);
	if (st.broken || st.checkpoint == CP_FAILED || !s->replayed)
		return; /* it is replayed at the next start */
	if (j->pos == 0)
		return;
	if (j->ops->syncfs(s->dirs.journal) == -1 || !journal_retire(j, j->cur))
		log_warn("checkpoint", "failed, the journal is kept: error=%s",
		    q(strerror(errno)));
}

void
spool_close(struct spool **sp)
{
	struct spool *s = *sp;
	struct spool_stats st;
	size_t i;

	if (s == NULL)
		return;
	watch_clear(&s->event);
	timer_clear(&s->kick);
	timer_clear(&s->later);
	if (s->replayed)
		spool_drain(s);
	last_checkpoint(s);
	timer_clear(&s->kick);
	timer_clear(&s->later);
	timer_clear(&s->retry);
	spool_stats(s, &st);
	log_event(0, "spool",
	    "messages=%llu large=%llu flushes=%llu failed=%llu checkpoints=%llu bytes=%llu",
	    (unsigned long long)st.messages, (unsigned long long)st.large,
	    (unsigned long long)st.flushes, (unsigned long long)st.failed,
	    (unsigned long long)st.checkpoints, (unsigned long long)st.bytes);
	flush_stop(&s->flush);
	journal_close(&s->flush.journal);
	flush_batch_free(&s->collect);
	for (i = 0; i < SPOOL_BATCHES; i++)
		flush_batch_free(&s->spare[i]);
	if (s->walk_dir != NULL)
		closedir(s->walk_dir);
	idmap_free(&s->committed);
	idmap_free(&s->before);
	buf_free(&s->head);
	dirs_close(&s->dirs);
	close(s->lock);
	free(s);
	*sp = NULL;
}

/* ---- what is known ---- */

uint64_t
spool_last_id(const struct spool *s)
{
	return s->last_id;
}

bool
spool_was_committed(const struct spool *s, uint64_t id)
{
	return idmap_get(&s->committed, id, NULL) ||
	    idmap_get(&s->before, id, NULL);
}

void
spool_stats(struct spool *s, struct spool_stats *stats)
{
	pthread_mutex_lock(&s->flush.lock);
	*stats = s->flush.stats;
	pthread_mutex_unlock(&s->flush.lock);
}

static uint64_t
clamp(uint64_t n, uint64_t min, uint64_t max)
{
	if (n < min)
		return min;
	return n > max ? max : n;
}

/* Asks the filesystem, less what is to be kept free. */
static bool
look_for_room(struct spool *s)
{
	uint64_t bytes, inodes, keep;
	struct statvfs fs;

	if (fstatvfs(s->dirs.tmp, &fs) == -1)
		return false;
	keep = clamp((uint64_t)fs.f_blocks * fs.f_frsize / BYTES_PART,
	    BYTES_MIN, BYTES_MAX);
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	s->room_bytes = bytes > keep ? bytes - keep : 0;
	keep = clamp(fs.f_files / INODES_PART, INODES_MIN, INODES_MAX);
	inodes = fs.f_favail;
	s->room_inodes = inodes > keep ? inodes - keep : 0;
	if (fs.f_files == 0)
		s->room_inodes = UINT64_MAX; /* it does not count them */
	return true;
}

bool
spool_accepts(struct spool *s, uint64_t size, const char **why)
{
	msec now = loop_msec();

	*why = "the queue's disk does not work now";
	if (s->broken || s->failed)
		return false;
	if (now - s->room_time > ROOM_KEEP || s->room_time == 0) {
		if (!look_for_room(s))
			return false;
		s->room_time = now;
	}
	*why = "insufficient system storage";
	if (s->full || s->room_inodes == 0 || s->room_bytes < FILE_COST ||
	    s->room_bytes - FILE_COST < size)
		return false;
	/* Until the filesystem is asked again. */
	s->room_bytes -= FILE_COST + size;
	s->room_inodes--;
	*why = NULL;
	return true;
}

/* ---- a message comes ---- */

/* Makes the folder that the file will go to, the first time. */
static bool
make_folder(struct spool *s, uint64_t id)
{
	unsigned int folder = dirs_folder(id);
	uint64_t bit = (uint64_t)1 << folder % 64;

	if ((s->made[folder / 64] & bit) != 0)
		return true;
	if (!dirs_make(&s->dirs, SPOOL_NEW, id))
		return false;
	s->made[folder / 64] |= bit;
	return true;
}

static bool
write_head(int fd, const struct buf *head)
{
	size_t done = 0;
	ssize_t n;

	while (done < head->len) {
		n = write(fd, buf_data(head) + done, head->len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

int
spool_create(struct spool *s, struct head *h)
{
	int fd, e;

	/* Only of ids above all others it is known that they are new. */
	if (h->id <= s->last_id && dirs_has(&s->dirs, h->id)) {
		errno = EEXIST;
		return -1;
	}
	if (!make_folder(s, h->id))
		return -1;
	fd = dirs_open_tmp(&s->dirs, h->id, O_RDWR | O_CREAT | O_EXCL);
	if (fd == -1)
		return -1;
	if (h->id > s->last_id)
		s->last_id = h->id;
	buf_drain(&s->head, s->head.len);
	if (head_print(&s->head, h) && write_head(fd, &s->head)) {
		/* The memory of a head with thousands of recipients goes. */
		if (s->head.len > SPOOL_SMALL)
			buf_free(&s->head);
		return fd;
	}
	e = errno;
	close(fd);
	dirs_remove_tmp(&s->dirs, h->id);
	errno = e;
	return -1;
}

bool
spool_hold(int fd, struct head *h)
{
	static const char state = RCPT_HELD;
	uint32_t i;

	for (i = 0; i < h->n_rcpt; i++) {
		if (pwrite(fd, &state, 1, (off_t)h->rcpt[i].off) != 1)
			return false;
		h->rcpt[i].state = state;
	}
	return true;
}

int
spool_reopen(struct spool *s, uint64_t id, struct arena *a, struct head *h)
{
	const char *why;
	int fd;

	if ((fd = dirs_open_tmp(&s->dirs, id, O_RDWR)) == -1)
		return -1;
	why = spool_read_head(fd, a, h);
	if (why == NULL && h->id == id && make_folder(s, id))
		return fd;
	log_event(id, "spool-refused", "why=%s",
	    q(why == NULL ? "the head is another message's" : why));
	close(fd);
	return -1;
}

void
spool_abort(struct spool *s, uint64_t id)
{
	dirs_remove_tmp(&s->dirs, id);
}

/* ---- a message is here ---- */

int
spool_file(struct spool *s, uint64_t id, enum spool_place place, bool write)
{
	return dirs_open_file(&s->dirs, place, id, write ? O_RDWR : O_RDONLY);
}

int
spool_state_get(int fd, uint64_t off)
{
	unsigned char state;

	if (pread(fd, &state, 1, (off_t)off) != 1)
		return -1;
	return state;
}

bool
spool_move_cur(struct spool *s, uint64_t id)
{
	return dirs_move_cur(&s->dirs, id);
}

void
spool_corrupt(struct spool *s, uint64_t id, enum spool_place place,
    const char *why)
{
	if (!dirs_set_aside(&s->dirs, place, id))
		log_warn("spool-corrupt", "cannot set it aside: error=%s",
		    q(strerror(errno)));
	log_event(id, "spool-corrupt", "why=%s", q(why));
	s->hooks.corrupt(s->hooks.arg, id, why);
}
