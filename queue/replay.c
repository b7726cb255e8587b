/*
 * Replay: the journal over the files, at the start.  Used by queue, and by
 * smtpctl for a rebuild without the daemon.
 *
 * First all of the journal is read, which changes nothing; then each message
 * in it is brought to where the journal says it is; then all is flushed, and
 * only then the journal is retired.  So it may be cut off anywhere and done
 * again.  A file is never trusted over a record that can be compared with it,
 * and a state never goes back from its end.
 *
 * SPDX-License-Identifier: ISC
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "spool_priv.h"
#include "spool_read.h"

#define NO_STATE UINT32_MAX

/* What the journal says of one message. */
struct said {
	uint64_t id;
	enum record_type type;  /* REC_NONE: only states */
	unsigned int slot;      /* where its bytes are, for REC_MESSAGE */
	uint64_t file_at, size; /* of its file, in the journal */
	bool gone;
	uint32_t first, last; /* states, in the order of the journal */
};

struct said_state {
	uint64_t off;
	uint32_t n;
	uint32_t next;
	char state;
};

struct replay {
	struct spool *spool;
	struct idmap index; /* id to number of said */
	struct said *said;
	size_t n_said, said_room;
	struct said_state *states;
	size_t n_states, states_room;
	uint8_t *file; /* of the message at hand: SPOOL_SMALL bytes */
	bool again;    /* the files are good, but may not be on disk */
};

/* ---- reading the journal ---- */

static struct said *
said_of(struct replay *r, uint64_t id)
{
	uint32_t number;

	if (idmap_get(&r->index, id, &number))
		return &r->said[number];
	if (r->n_said == r->said_room) {
		r->said_room = r->said_room == 0 ? 256 : 2 * r->said_room;
		r->said = xrealloc(r->said, r->said_room, sizeof *r->said);
	}
	idmap_put(&r->index, id, (uint32_t)r->n_said);
	r->said[r->n_said] =
	    (struct said){ .id = id, .first = NO_STATE, .last = NO_STATE };
	return &r->said[r->n_said++];
}

static void
note_state(struct replay *r, const struct spool_settle *set)
{
	struct said *said;
	uint32_t number = (uint32_t)r->n_states;

	if (set->id == 0 || !rcpt_state_known(set->state))
		return;
	if (r->n_states == r->states_room) {
		r->states_room = r->states_room == 0 ? 256 : 2 * r->states_room;
		r->states =
		    xrealloc(r->states, r->states_room, sizeof *r->states);
	}
	r->states[r->n_states++] = (struct said_state){ .off = set->off,
		.n = set->n,
		.next = NO_STATE,
		.state = set->state };
	said = said_of(r, set->id);
	if (said->last == NO_STATE)
		said->first = number;
	else
		r->states[said->last].next = number;
	said->last = number;
}

static void
note_record(struct replay *r, unsigned int slot,
    const struct journal_record *rec)
{
	struct spool_settle set;
	struct said *said = NULL;
	uint32_t i;

	if (rec->type != REC_STATE) {
		said = said_of(r, rec->id);
		said->gone = rec->type == REC_GONE;
	}
	if (said != NULL &&
	    (rec->type == REC_MESSAGE || rec->type == REC_LARGE)) {
		said->type = rec->type;
		said->slot = slot;
		said->file_at = rec->file_at;
		said->size = rec->size;
		/* An id that is used again is another message. */
		said->first = said->last = NO_STATE;
	}
	for (i = 0; i < rec->n_settles; i++) {
		journal_settle(rec, i, &set);
		note_state(r, &set);
	}
}

/* What a slot says; of a retired one only which ids there were. */
static void
read_slot(struct replay *r, unsigned int slot, uint64_t end)
{
	struct spool *s = r->spool;
	const struct journal_slot *from = &s->flush.journal.slot[slot];
	struct journal_reader reader;
	struct journal_record rec;
	uint64_t good = 0;

	journal_read(&reader, from, end);
	while (journal_next(&reader, &rec)) {
		good = rec.end;
		if (!r->again &&
		    (rec.type == REC_MESSAGE || rec.type == REC_LARGE))
			idmap_put(&s->committed, rec.id, 0);
		if (!r->again && rec.id > s->last_id)
			s->last_id = rec.id;
		if (!from->retired)
			note_record(r, slot, &rec);
	}
	if (!from->retired &&
	    (reader.damaged ||
		(end != UINT64_MAX && good + JOURNAL_PAGE < end)))
		log_warn("journal",
		    "damaged: records before offset %llu are lost",
		    (unsigned long long)(reader.damaged ? good : end));
	journal_read_end(&reader);
}

/* Both slots, the older one first. */
static void
read_journal(struct replay *r)
{
	struct journal *j = &r->spool->flush.journal;
	unsigned int new = j->cur, old = 1 - new;
	const struct journal_slot *from = &j->slot[new];
	uint64_t end = UINT64_MAX;

	assert(j->slot[old].generation <= from->generation);
	/* A newer one was retired: so was what is before it. */
	if (from->retired)
		j->slot[old].retired = true;
	if (from->generation != 0 && from->prev == j->slot[old].generation &&
	    !j->slot[old].retired)
		end = from->prev_end;
	read_slot(r, old, end);
	read_slot(r, new, r->again ? j->pos : UINT64_MAX);
}

/* ---- states ---- */

/* The states that h has and what is said of them become one; fd: -1, or the
 * file, which gets those that changed.  False: errno. */
static bool
merge_states(struct replay *r, const struct said *m, struct head *h, int fd)
{
	const struct said_state *st;
	struct {
		char state;
		bool owed;
	} * last;
	struct head_rcpt *rcpt;
	bool ok = true;
	uint32_t i;

	if (m->first == NO_STATE)
		return true;
	last = xcalloc(h->n_rcpt, sizeof *last);
	for (i = m->first; i != NO_STATE; i = st->next) {
		st = &r->states[i];
		if (st->n >= h->n_rcpt || h->rcpt[st->n].off != st->off ||
		    rcpt_state_end(last[st->n].state))
			continue;
		last[st->n].state = st->state;
		last[st->n].owed |= rcpt_state_owed(st->state);
	}
	for (i = 0; i < h->n_rcpt && ok; i++) {
		rcpt = &h->rcpt[i];
		/* The byte is written before the record, so it may be further;
		 * but an owed one that the journal has seen was freed. */
		if (last[i].state == '\0' ||
		    (!spool_settle_follows(rcpt->state, last[i].state) &&
			!(rcpt_state_owed(rcpt->state) && last[i].owed)))
			last[i].state = rcpt->state;
		if (last[i].state == rcpt->state && !r->again)
			continue;
		rcpt->state = last[i].state;
		if (fd == -1)
			continue;
		spool_step(r->spool, "state");
		ok = pwrite(fd, &rcpt->state, 1, (off_t)rcpt->off) == 1;
	}
	free(last);
	return ok;
}

/* ---- files ---- */

/* Reads the file's bytes from the journal into r->file, and its head. */
static bool
read_message(struct replay *r, const struct said *m, struct arena *a,
    struct spool_found *f)
{
	const struct journal *j = &r->spool->flush.journal;
	const char *why;
	bool more;

	if (pread(j->slot[m->slot].fd, r->file, m->size, (off_t)m->file_at) !=
	    (ssize_t)m->size)
		return false;
	why = spool_check(r->file, m->size, m->id, &f->trailer);
	if (why == NULL)
		why = head_parse((const char *)r->file, m->size, a, &f->head,
		    &more);
	if (why != NULL)
		log_event(m->id, "journal", "not a message: why=%s", q(why));
	return why == NULL;
}

/*
 * Compares len bytes of the file with those of the record, but for the state
 * bytes, which are taken into h where the file's are states.  h has the
 * record's head.
 */
static bool
same_bytes(const struct replay *r, const uint8_t *have, size_t len,
    struct head *h)
{
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < h->n_rcpt; i++) {
		if (h->rcpt[i].off >= len ||
		    memcmp(have + at, r->file + at, h->rcpt[i].off - at) != 0 ||
		    !rcpt_state_known(have[h->rcpt[i].off]))
			return false;
		at = h->rcpt[i].off + 1;
	}
	if (memcmp(have + at, r->file + at, len - at) != 0)
		return false;
	for (i = 0; i < h->n_rcpt; i++)
		h->rcpt[i].state = (char)have[h->rcpt[i].off];
	return true;
}

/* True if fd is as the record says.  Its states are taken into h if at least
 * its head is good. */
static bool
is_whole(const struct replay *r, int fd, size_t size, struct head *h)
{
	uint8_t *have = xcalloc(1, SPOOL_SMALL + 1);
	ssize_t n = pread(fd, have, SPOOL_SMALL + 1, 0);
	bool whole;

	whole = n == (ssize_t)size && same_bytes(r, have, size, h);
	if (!whole && n >= (ssize_t)h->len)
		same_bytes(r, have, h->len, h);
	free(have);
	return whole;
}

/* Writes the record's file to tmp/ and puts it in place. */
static bool
write_anew(const struct replay *r, const struct said *m,
    const struct spool_found *f)
{
	const struct spool_dirs *dirs = &r->spool->dirs;
	uint32_t i;
	bool ok;
	int fd;

	for (i = 0; i < f->head.n_rcpt; i++)
		r->file[f->head.rcpt[i].off] = (uint8_t)f->head.rcpt[i].state;
	/* Somebody may have the old one open. */
	dirs_remove_tmp(dirs, m->id);
	spool_step(r->spool, "create");
	fd = dirs_open_tmp(dirs, m->id, O_RDWR | O_CREAT | O_EXCL);
	if (fd == -1)
		return false;
	spool_step(r->spool, "write");
	ok = pwrite(fd, r->file, m->size, 0) == (ssize_t)m->size;
	close(fd);
	spool_step(r->spool, "rename");
	return ok && dirs_replace(dirs, f->place, m->id);
}

/* A message whose bytes are in the journal.  False: the disk refuses. */
static bool
replay_message(struct replay *r, const struct said *m, struct arena *a,
    struct spool_found *f)
{
	const struct spool_dirs *dirs = &r->spool->dirs;
	bool whole, ok;
	int fd;

	if (!read_message(r, m, a, f))
		return false;
	fd = dirs_find(dirs, m->id, O_RDWR, &f->place);
	if (fd != -1 && is_whole(r, fd, m->size, &f->head)) {
		ok = merge_states(r, m, &f->head, fd);
		close(fd);
		return ok;
	}
	if (fd == -1) {
		f->place = SPOOL_NEW;
		fd = dirs_open_tmp(dirs, m->id, O_RDWR);
	} else {
		close(fd);
		log_event(m->id, "journal", "the file was torn");
		fd = -1;
	}
	whole = fd != -1 && is_whole(r, fd, m->size, &f->head);
	if (whole) {
		ok = merge_states(r, m, &f->head, fd);
		spool_step(r->spool, "rename");
		ok = ok && dirs_commit(dirs, m->id);
	} else
		ok = merge_states(r, m, &f->head, -1) && write_anew(r, m, f);
	if (fd != -1)
		close(fd);
	return ok;
}

/*
 * A message whose file was flushed itself, or that is older than the journal:
 * what cannot be read is set aside, and *why says so.  False: the disk
 * refuses.
 */
static bool
replay_file(struct replay *r, const struct said *m, struct arena *a,
    struct spool_found *f, const char **why)
{
	const struct spool_dirs *dirs = &r->spool->dirs;
	int fd = dirs_find(dirs, m->id, O_RDWR, &f->place);
	bool ok, in_tmp = false;

	if (fd == -1 && m->type == REC_LARGE) {
		f->place = SPOOL_NEW;
		fd = dirs_open_tmp(dirs, m->id, O_RDWR);
		in_tmp = fd != -1;
	}
	if (fd == -1) {
		*why = strerror(errno);
		return true;
	}
	*why = spool_read(fd, m->id, a, &f->head, &f->trailer);
	if (*why != NULL) {
		close(fd);
		spool_step(r->spool, "corrupt");
		if (in_tmp)
			dirs_commit(dirs, m->id);
		spool_corrupt(r->spool, m->id, f->place, *why);
		return true;
	}
	ok = merge_states(r, m, &f->head, fd);
	close(fd);
	if (in_tmp) {
		spool_step(r->spool, "rename");
		ok = ok && dirs_commit(dirs, m->id);
	}
	return ok;
}

static void
replay_gone(struct replay *r, const struct said *m)
{
	struct spool *s = r->spool;

	spool_step(s, "gone");
	dirs_remove(&s->dirs, SPOOL_NEW, m->id);
	dirs_remove(&s->dirs, SPOOL_NEW, m->id);
	dirs_remove_tmp(&s->dirs, m->id);
	s->hooks.gone(s->hooks.arg, m->id);
}

static bool
replay_one(struct replay *r, const struct said *m)
{
	struct spool *s = r->spool;
	struct spool_found f = { 0 };
	const char *why = NULL;
	struct arena a;
	bool ok;

	if (m->gone) {
		replay_gone(r, m);
		return true;
	}
	arena_init(&a, SPOOL_ARENA_MAX);
	ok = m->type == REC_MESSAGE ? replay_message(r, m, &a, &f) :
				      replay_file(r, m, &a, &f, &why);
	if (!ok)
		log_event(m->id, "replay", "error=%s", q(strerror(errno)));
	else if (why == NULL) {
		f.all_done = spool_all_done(&f.head);
		s->hooks.found(s->hooks.arg, &f);
	} else if (m->type == REC_LARGE)
		log_event(m->id, "replay", "its file is lost: why=%s", q(why));
	arena_free(&a);
	return ok;
}

static void
replay_free(struct replay *r)
{
	idmap_free(&r->index);
	free(r->said);
	free(r->states);
	free(r->file);
}

/* All files are as the journal says: it may go, the older slot first. */
static bool
retire_all(struct spool *s)
{
	struct journal *j = &s->flush.journal;
	unsigned int slots[] = { 1 - j->cur, j->cur };
	size_t i;

	spool_step(s, "syncfs");
	if (j->ops->syncfs(s->dirs.journal) == -1)
		return false;
	for (i = 0; i < sizeof slots / sizeof slots[0]; i++) {
		spool_step(s, "retire");
		if (!journal_retire(j, slots[i]))
			return false;
	}
	return true;
}

bool
spool_replay(struct spool *s)
{
	struct replay r = { .spool = s, .file = xcalloc(1, SPOOL_SMALL) };
	struct journal *j = &s->flush.journal;
	bool ok = true, lost;
	size_t i;

	assert(!s->replayed);
	for (i = 0; i < JOURNAL_SLOTS; i++)
		if (j->slot[i].last_id > s->last_id)
			s->last_id = j->slot[i].last_id;
	read_journal(&r);
	for (i = 0; i < r.n_said && ok; i++)
		ok = replay_one(&r, &r.said[i]);
	/* Without a journal the files alone know which ids were used. */
	lost = j->generation == 0;
	if (spool_scan_last(s, lost) > s->last_id)
		s->last_id = spool_scan_last(s, lost);
	s->start_id = s->last_id;
	if (ok && !retire_all(s)) {
		log_warn("checkpoint", "failed: error=%s", q(strerror(errno)));
		ok = false;
	}
	if (ok) {
		journal_begin(j, s->last_id);
		s->replayed = true;
		log_event(0, "replay", "messages=%zu states=%zu", r.n_said,
		    r.n_states);
	}
	replay_free(&r);
	return ok;
}

/* ---- once more, while the spool is at work ---- */

/* Writes the record's bytes into the file in place, but for state bytes. */
static bool
write_over(const struct replay *r, int fd, size_t size, const struct head *h)
{
	size_t at = 0, len;
	uint32_t i;

	for (i = 0; i < h->n_rcpt; i++) {
		len = h->rcpt[i].off - at;
		if (pwrite(fd, r->file + at, len, (off_t)at) != (ssize_t)len)
			return false;
		at = h->rcpt[i].off + 1;
	}
	len = size - at;
	return pwrite(fd, r->file + at, len, (off_t)at) == (ssize_t)len;
}

static void
rewrite_one(struct replay *r, const struct said *m)
{
	struct spool *s = r->spool;
	struct spool_found f = { 0 };
	struct arena a;
	uint32_t i;
	int fd, have;
	bool ok;

	fd = dirs_find(&s->dirs, m->id, O_RDWR, &f.place);
	if (fd == -1)
		return; /* it is gone */
	arena_init(&a, SPOOL_ARENA_MAX);
	ok = m->type == REC_MESSAGE ? read_message(r, m, &a, &f) :
				      spool_read_head(fd, &a, &f.head) == NULL;
	for (i = 0; ok && i < f.head.n_rcpt; i++) {
		have = spool_state_get(fd, f.head.rcpt[i].off);
		if (have != -1 && rcpt_state_known(have))
			f.head.rcpt[i].state = (char)have;
	}
	if (ok && m->type == REC_MESSAGE)
		ok = write_over(r, fd, m->size, &f.head);
	if (!ok || !merge_states(r, m, &f.head, fd))
		log_event(m->id, "rewrite", "error=%s", q(strerror(errno)));
	close(fd);
	arena_free(&a);
}

void
spool_rewrite(struct spool *s)
{
	struct replay r = { .spool = s,
		.again = true,
		.file = xcalloc(1, SPOOL_SMALL) };
	size_t i, n = 0;

	read_journal(&r);
	for (i = 0; i < r.n_said; i++) {
		if (r.said[i].gone)
			continue;
		rewrite_one(&r, &r.said[i]);
		n++;
	}
	pthread_mutex_lock(&s->flush.lock);
	s->flush.stats.rewrites += n;
	pthread_mutex_unlock(&s->flush.lock);
	replay_free(&r);
}
