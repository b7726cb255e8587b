/*
 * The replay: a journal cut at every record's boundary and inside every
 * record, over files that are as they were, missing, torn, emptied or old;
 * done twice; and killed at each of its steps.  Every message whose record
 * stands before the cut is whole afterwards, and nothing done is done again.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/wait.h>

#include "index.h"
#include "journal_format.h"
#include "spool_room.h"
#include "unit.h"

#define SMALL    700
#define N_RCPT   3
#define MSGS_MAX 64
#define RECS_MAX 256
#define STEP     ((size_t)128 * 1024)

/* What the journal says of a message, as far as it was read. */
struct model {
	uint64_t id;
	bool committed, gone, large;
	char state[N_RCPT];
	bool said[N_RCPT]; /* by a record; else it waits since it came */
	uint64_t off[N_RCPT];
	char now[N_RCPT]; /* in its file when the master was left */
	enum spool_place place;
};

static struct model models[MSGS_MAX];
static size_t n_models;

struct rec {
	unsigned int slot;
	struct journal_record rec;
	struct spool_settle settles[4];
};

static struct rec recs[RECS_MAX];
static size_t n_recs;

static char master[64];

/* How the files are found after the cut. */
enum damage {
	AS_LEFT, /* the process was killed, the machine lives */
	OLD,     /* state bytes never reached the disk */
	MISSING,
	TORN,   /* the first half */
	EMPTY,  /* the right length, no bytes */
	IN_TMP, /* killed before they were moved */
	DAMAGES
};

static const char *const damage_names[] = { "as left", "old", "missing", "torn",
	"empty", "in tmp" };

static struct model *
model_of(uint64_t id)
{
	size_t i;

	for (i = 0; i < n_models; i++)
		if (models[i].id == id)
			return &models[i];
	if (n_models == MSGS_MAX)
		abort();
	models[n_models].id = id;
	return &models[n_models++];
}

/* ---- the master: a spool that did something ---- */

struct master {
	struct room room;
	struct room_work works[MSGS_MAX];
	size_t n_works;
	uint64_t off[MSGS_MAX][N_RCPT];
};

static void
put(struct master *m, unsigned int n, uint64_t low, size_t size,
    const struct spool_settle *settles, uint32_t n_settles)
{
	uint64_t id = room_id(n) | low;
	int fd = room_message(&m->room, id, N_RCPT, size,
	    low == 0 ? m->off[n] : NULL);

	if (!room_commit(&m->room, &m->works[m->n_works++], id, fd, settles,
		n_settles))
		abort();
}

static void
set(struct master *m, unsigned int n, uint32_t rcpt, char state)
{
	enum spool_place place;
	int fd = dirs_find(&m->room.spool->dirs, room_id(n), O_RDWR, &place);

	if (!spool_state_set(m->room.spool, NULL, fd, room_id(n), rcpt,
		m->off[n][rcpt], state))
		abort();
	close(fd);
}

/* What was collected goes out in one batch. */
static void
flush(struct master *m)
{
	m->room.spool->urgent = true;
	timer_set(m->room.loop, &m->room.spool->kick, 0,
	    m->room.spool->later.fn == NULL ? m->room.spool->kick.fn :
					      m->room.spool->later.fn,
	    m->room.spool);
	room_idle(&m->room, 5);
	flush_wait(&m->room.spool->flush);
	room_idle(&m->room, 5);
}

/* Two generations of the journal, of which none was retired. */
static void
make_master(struct master *m)
{
	struct spool_settle told[2];
	unsigned int i;

	room_ops.length = STEP;
	room_fault.syncfs = EIO;
	if (!room_open(&m->room))
		abort();
	m->room.spool->retry_wait = 1000000;
	room_fault.syncfs = 0;
	if (!spool_replay(m->room.spool))
		abort();
	room_fault.syncfs = EIO;
	for (i = 1; i <= 4; i++)
		put(m, i, 0, SMALL, NULL, 0);
	room_run(&m->room);
	set(m, 1, 0, RCPT_DELIVERED);
	set(m, 1, 1, RCPT_WARNED);
	set(m, 2, 0, RCPT_OWED);
	set(m, 2, 1, RCPT_HELD);
	put(m, 5, 0, SMALL, NULL, 0);
	put(m, 6, 0, SPOOL_SMALL + 100, NULL, 0);
	room_run(&m->room);
	/* The notification about 2, one record with what it settles. */
	told[0] = (struct spool_settle){ .id = room_id(2),
		.n = 0,
		.off = m->off[2][0],
		.state = RCPT_FAILED };
	told[1] = (struct spool_settle){ .id = room_id(1),
		.n = 2,
		.off = m->off[1][2],
		.state = RCPT_WARNED };
	put(m, 2, 1, SMALL, told, 2);
	room_run(&m->room);
	for (i = 0; i < N_RCPT; i++)
		set(m, 3, i, RCPT_DELIVERED);
	spool_gone(m->room.spool, room_id(3), SPOOL_NEW);
	set(m, 6, 2, RCPT_DELIVERED);
	put(m, 7, 0, SMALL, NULL, 0);
	room_run(&m->room);
	spool_move_cur(m->room.spool, room_id(1));
	spool_move_cur(m->room.spool, room_id(7));
	/* The next one goes to the other slot; the checkpoint fails. */
	m->room.spool->flush.journal.max = JOURNAL_PAGE;
	put(m, 8, 0, SMALL, NULL, 0);
	room_run(&m->room);
	set(m, 1, 1, RCPT_DELIVERED);
	set(m, 2, 1, RCPT_WAITING);
	set(m, 8, 0, RCPT_OWED);
	flush(m);
	set(m, 8, 0, RCPT_WAITING); /* the operator's doing */
	put(m, 9, 0, 0, NULL, 0);
	room_run(&m->room);
	for (i = 0; i < N_RCPT; i++)
		set(m, 4, i, i == 1 ? RCPT_REMOVED : RCPT_DELIVERED);
	spool_gone(m->room.spool, room_id(4), SPOOL_NEW);
	flush(m);
	put(m, 10, 0, SMALL, NULL, 0);
	room_run(&m->room);
	/* In the file, and not yet in the journal. */
	set(m, 5, 0, RCPT_DELIVERED);
	set(m, 10, 1, RCPT_OWED);
}

/* Reads back what stands in the master's journal and files. */
static void
read_master(struct room *r)
{
	struct journal *j = &r->spool->flush.journal;
	unsigned int slots[2] = { 1 - j->cur, j->cur }, i;
	struct journal_reader reader;
	struct rec *rec;
	uint32_t s;

	n_recs = 0;
	for (i = 0; i < 2; i++) {
		journal_read(&reader, &j->slot[slots[i]], UINT64_MAX);
		for (;;) {
			rec = &recs[n_recs];
			rec->slot = slots[i];
			if (!journal_next(&reader, &rec->rec))
				break;
			for (s = 0; s < rec->rec.n_settles; s++)
				journal_settle(&rec->rec, s, &rec->settles[s]);
			if (++n_recs == RECS_MAX)
				abort();
		}
		journal_read_end(&reader);
	}
}

/* What the first n records say. */
static void
model_records(size_t n)
{
	const struct rec *rec;
	struct model *mod;
	size_t i;
	uint32_t s;

	for (i = 0; i < n_models; i++) {
		mod = &models[i];
		mod->committed = mod->gone = false;
		memset(mod->state, RCPT_WAITING, sizeof mod->state);
		memset(mod->said, 0, sizeof mod->said);
	}
	for (i = 0; i < n; i++) {
		rec = &recs[i];
		mod = model_of(rec->rec.id);
		if (rec->rec.type == REC_MESSAGE ||
		    rec->rec.type == REC_LARGE) {
			mod->committed = true;
			mod->large = rec->rec.type == REC_LARGE;
		}
		if (rec->rec.type == REC_GONE)
			mod->gone = true;
		for (s = 0; s < rec->rec.n_settles; s++) {
			mod = model_of(rec->settles[s].id);
			mod->state[rec->settles[s].n] = rec->settles[s].state;
			mod->said[rec->settles[s].n] = true;
		}
	}
}

static void
model_files(const struct master *m)
{
	struct model *mod;
	enum spool_place place;
	size_t i, n;
	int fd;

	for (i = 0; i < n_models; i++) {
		mod = &models[i];
		/* All heads are alike, so their states stand alike. */
		for (n = 0; n < N_RCPT; n++)
			mod->off[n] = m->off[1][n];
		fd = dirs_find(&m->room.spool->dirs, mod->id, O_RDONLY, &place);
		mod->place = place;
		for (n = 0; n < N_RCPT; n++)
			mod->now[n] = fd == -1 ?
			    0 :
			    (char)spool_state_get(fd, mod->off[n]);
		if (fd != -1)
			close(fd);
	}
}

/* ---- a copy, cut and damaged ---- */

static void
path_of(const char *dir, const struct model *mod, char *path, size_t size)
{
	char name[SPOOL_PATH_MAX];

	snprintf(path, size, "%s/%s/%s", dir,
	    mod->place == SPOOL_NEW ? "new" : "cur", dirs_path(mod->id, name));
}

/* From at on, the slot holds what it held before: nothing, or other bytes. */
static void
cut_journal(const char *dir, unsigned int slot, uint64_t at, uint8_t with)
{
	static uint8_t fill[STEP * 8];
	char path[128];
	struct stat st;
	int fd;

	snprintf(path, sizeof path, "%s/journal/%u", dir, slot);
	if ((fd = open(path, O_RDWR)) == -1 || fstat(fd, &st) == -1)
		abort();
	memset(fill, with, sizeof fill);
	if ((uint64_t)st.st_size > at &&
	    pwrite(fd, fill, (size_t)((uint64_t)st.st_size - at), (off_t)at) ==
		-1)
		abort();
	close(fd);
}

static void
damage_file(const char *dir, const struct model *mod, enum damage how)
{
	static const uint8_t zeros[SPOOL_SMALL];
	char path[128], tmp[128], name[ID_LEN + 1], was;
	struct stat st;
	size_t n;
	int fd;

	path_of(dir, mod, path, sizeof path);
	if (stat(path, &st) == -1)
		return; /* it is gone in the master */
	/* Its flush failed, or was never begun: it is in tmp/ at best. */
	if (!mod->committed) {
		unlink(path);
		return;
	}
	if (how == MISSING && !mod->large) {
		unlink(path);
		return;
	}
	if (how == IN_TMP && mod->place == SPOOL_NEW) {
		snprintf(tmp, sizeof tmp, "%s/tmp/%s", dir,
		    id_print(mod->id, name));
		if (rename(path, tmp) == -1)
			abort();
		return;
	}
	if ((fd = open(path, O_RDWR)) == -1)
		abort();
	for (n = 0; how == OLD && n < N_RCPT; n++) {
		/* One that was owed and then freed may stand at either. */
		was = mod->id == room_id(8) && mod->said[n] ? 'b' : 'q';
		if (pwrite(fd, &was, 1, (off_t)mod->off[n]) != 1)
			abort();
	}
	if (how == TORN && !mod->large && ftruncate(fd, st.st_size / 2) == -1)
		abort();
	if (how == EMPTY && !mod->large &&
	    pwrite(fd, zeros, (size_t)st.st_size, 0) != st.st_size)
		abort();
	close(fd);
}

/* Where a cut is made: behind n whole records. */
struct cut {
	size_t n; /* records before it */
	unsigned int slot;
	uint64_t at;
	uint8_t with;
};

static void
prepare(struct room *r, const struct cut *cut, enum damage how)
{
	size_t i;

	*r = (struct room){ 0 };
	snprintf(r->dir, sizeof r->dir, "%.40s.copy", master);
	unit_remove(r->dir);
	room_copy(master, r->dir);
	model_records(cut->n);
	cut_journal(r->dir, cut->slot, cut->at, cut->with);
	/* Before the second generation began there was none. */
	if (cut->slot == recs[0].slot)
		cut_journal(r->dir, 1 - cut->slot, 0, 0);
	for (i = 0; i < n_models; i++)
		damage_file(r->dir, &models[i], how);
}

/* ---- what must hold afterwards ---- */

static bool
state_holds(const struct model *mod, size_t n, int have, enum damage how)
{
	/* The head stands in the first half. */
	bool kept = how == AS_LEFT || how == TORN || how == IN_TMP ||
	    (mod->large && how != OLD);

	if (!kept || mod->now[n] == 0)
		return have == mod->state[n];
	/* The file may know more: what was done after the last flush. */
	if (rcpt_state_end(mod->now[n]))
		return have == mod->now[n];
	if (!mod->said[n] ||
	    (mod->now[n] == RCPT_OWED && !rcpt_state_end(mod->state[n])))
		return have == mod->now[n];
	return have == mod->state[n];
}

static bool
was_found(const struct room *r, uint64_t id)
{
	int i;

	for (i = 0; i < r->found; i++)
		if (r->found_id[i] == id)
			return true;
	return false;
}

static const char *
model_holds(const struct room *r, const struct model *mod, enum damage how,
    bool first)
{
	enum spool_place place;
	struct trailer t;
	struct arena a;
	struct head h;
	const char *why;
	size_t n;
	int fd;

	fd = dirs_find(&r->spool->dirs, mod->id, O_RDONLY, &place);
	if (!mod->committed || mod->gone) {
		if (fd != -1)
			close(fd);
		if (fd != -1)
			return mod->gone ? "a gone one is back" :
					   "one is there that never came";
		if (mod->gone && room_exists(r, "tmp", mod->id))
			return "a gone one is in tmp";
		return NULL;
	}
	if (fd == -1)
		return "a committed one is lost";
	arena_init(&a, 0);
	why = spool_read(fd, mod->id, &a, &h, &t);
	for (n = 0; why == NULL && n < N_RCPT; n++)
		if (!state_holds(mod, n, h.rcpt[n].state, how))
			why = "a state is not what was recorded";
	arena_free(&a);
	close(fd);
	if (why == NULL && !mod->large && !room_whole(r, mod->id, place))
		why = "it is not whole";
	if (why == NULL && first && !was_found(r, mod->id))
		why = "it was not told";
	if (why == NULL && !spool_was_committed(r->spool, mod->id))
		why = "it is not known as committed";
	return why;
}

static bool
all_holds(const struct room *r, const struct cut *cut, enum damage how,
    bool first)
{
	const char *why = NULL;
	size_t i;

	for (i = 0; i < n_models && why == NULL; i++)
		why = model_holds(r, &models[i], how, first);
	if (why != NULL)
		printf("# %s: message %zu, %zu records, slot %u cut at %llu, files %s\n",
		    why, i, cut->n, cut->slot, (unsigned long long)cut->at,
		    damage_names[how]);
	return why == NULL;
}

/* Replays; true if all holds.  Then again over the same, retired journal. */
static bool
replay_twice(struct room *r, const struct cut *cut, enum damage how)
{
	bool ok;

	if (!room_open(r))
		return false;
	ok = spool_replay(r->spool) && all_holds(r, cut, how, true);
	room_kill(r);
	r->found = r->gone = 0;
	if (!room_open(r))
		return false;
	ok = ok && spool_replay(r->spool) && r->found == 0 && r->gone == 0 &&
	    all_holds(r, cut, how, false);
	room_close(r);
	return ok;
}

/* ---- the cuts ---- */

static size_t
cuts_of(size_t i, struct cut *cuts)
{
	const struct journal_record *rec = &recs[i].rec;
	const uint64_t len = rec->end - rec->at;
	/* Columns: where inside, and what stands from there on.  The last
	 * byte of some is a zero, which no cut with zeros would hurt. */
	const struct {
		uint64_t at;
		uint8_t with;
	} inside[] = {
		{ 0, 0 },
		{ 1, 0xaa },
		{ sizeof(struct disk_record) - 1, 0xaa },
		{ sizeof(struct disk_record), 0xaa },
		{ len / 2, 0 },
		{ len - 1, 0xaa },
	};
	size_t n = 0, k;

	for (k = 0; k < sizeof inside / sizeof inside[0]; k++)
		if (inside[k].at < len)
			cuts[n++] = (struct cut){ .n = i,
				.slot = recs[i].slot,
				.at = rec->at + inside[k].at,
				.with = inside[k].with };
	cuts[n++] =
	    (struct cut){ .n = i + 1, .slot = recs[i].slot, .at = rec->end };
	return n;
}

static void
cut_everywhere(enum damage how)
{
	size_t i, k, n, done = 0, wrong = 0;
	struct cut cuts[8];
	char name[64];
	struct room r;

	for (i = 0; i < n_recs; i++) {
		n = cuts_of(i, cuts);
		for (k = 0; k < n; k++, done++) {
			prepare(&r, &cuts[k], how);
			wrong += !replay_twice(&r, &cuts[k], how);
		}
	}
	snprintf(name, sizeof name, "%zu cuts, files %s", done,
	    damage_names[how]);
	CHECK(name, wrong == 0 && done > 100);
}

static struct cut
no_cut(void)
{
	return (struct cut){ .n = n_recs,
		.slot = recs[n_recs - 1].slot,
		.at = recs[n_recs - 1].rec.end };
}

/* A child replays and ends before its step-th change; 0: it went through. */
static bool
killed_at(struct room *r, int step)
{
	int status;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == -1)
		abort();
	if (pid == 0) {
		room_fault.steps = step;
		if (!room_open(r) || !spool_replay(r->spool))
			_exit(1);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) == 1)
		abort();
	return WEXITSTATUS(status) == 99;
}

static void
kill_everywhere(enum damage how)
{
	struct cut cut = no_cut();
	size_t wrong = 0;
	struct room r;
	char name[64];
	bool killed = true;
	int step;

	for (step = 1; killed; step++) {
		prepare(&r, &cut, how);
		killed = killed_at(&r, step);
		/* Where it was killed after the first slot was retired, only
		 * the second is told again. */
		if (!room_open(&r) || !spool_replay(r.spool) ||
		    !all_holds(&r, &cut, how, false))
			wrong++;
		room_close(&r);
	}
	snprintf(name, sizeof name, "killed at each of %d steps, files %s",
	    step - 2, damage_names[how]);
	CHECK(name, wrong == 0 && step > 4);
}

/* ---- more ---- */

/* A page in the middle goes bad: what follows is not lost with it. */
static void
bad_page(void)
{
	struct cut cut = no_cut();
	uint8_t junk[64];
	char path[128];
	struct room r;
	int fd;

	prepare(&r, &cut, AS_LEFT);
	snprintf(path, sizeof path, "%s/journal/%u", r.dir, recs[0].slot);
	fd = open(path, O_RDWR);
	memset(junk, 0x55, sizeof junk);
	if (pwrite(fd, junk, sizeof junk, (off_t)recs[0].rec.at + 100) == -1)
		abort();
	close(fd);
	CHECK("replays past a bad page",
	    room_open(&r) && spool_replay(r.spool));
	CHECK("the last message is told all the same",
	    was_found(&r, room_id(10)));
	CHECK("and the next file replayed", was_found(&r, room_id(8)));
	room_close(&r);
}

/* A large file that is not whole: set aside, and everything else goes on. */
static void
bad_large(void)
{
	struct cut cut = no_cut();
	const struct model *mod;
	char path[128];
	struct room r;

	prepare(&r, &cut, AS_LEFT);
	mod = model_of(room_id(6));
	path_of(r.dir, mod, path, sizeof path);
	if (truncate(path, 1000) == -1)
		abort();
	CHECK("a torn large file", room_open(&r) && spool_replay(r.spool));
	CHECK("is set aside",
	    r.corrupt == 1 && room_exists(&r, "corrupt", room_id(6)));
	CHECK("and the others are told",
	    was_found(&r, room_id(5)) && was_found(&r, room_id(10)));
	room_close(&r);
}

/* The index was lost: walk and replay tell all that it needs. */
static void
rebuilt(void)
{
	struct cut cut = no_cut();
	struct room r;
	size_t i, live = 0;
	bool all = true;

	prepare(&r, &cut, MISSING);
	CHECK("replayed", room_open(&r) && spool_replay(r.spool));
	r.found = 0;
	while (spool_walk(r.spool, 3))
		;
	for (i = 0; i < n_models; i++) {
		if (!models[i].committed || models[i].gone)
			continue;
		live++;
		all = all && was_found(&r, models[i].id);
	}
	CHECK("the walk meets each message once",
	    all && (size_t)r.found == live && live > 5);
	room_close(&r);
}

/* Without a journal, ids of files that are there are not given out again. */
static void
no_journal(void)
{
	struct cut cut = no_cut();
	struct room r;

	prepare(&r, &cut, AS_LEFT);
	cut_journal(r.dir, 0, 0, 0xff);
	cut_journal(r.dir, 1, 0, 0xff);
	CHECK("without a journal", room_open(&r) && spool_replay(r.spool));
	CHECK("the last id is found in the files",
	    spool_last_id(r.spool) == room_id(10));
	room_close(&r);
}

/* The disk refuses while it replays: said, and all is there the next time. */
static void
refused(void)
{
	struct cut cut = no_cut();
	struct room r;

	prepare(&r, &cut, TORN);
	room_fault.syncfs = EIO;
	CHECK("a replay that cannot be flushed",
	    room_open(&r) && !spool_replay(r.spool));
	room_kill(&r);
	room_fault.syncfs = 0;
	memset(&r.found, 0, sizeof r.found);
	CHECK("is done again", replay_twice(&r, &cut, TORN));
}

int
main(void)
{
	static struct master m;
	enum damage how;
	size_t i, told = 0;

	log_to_stderr("unit", false);
	make_master(&m);
	for (i = 0; i < m.n_works; i++)
		told += m.works[i].told == 1;
	CHECK("the master's messages are durable",
	    told == 11 && m.room.waiting == 0);
	read_master(&m.room);
	model_records(n_recs);
	model_files(&m);
	model_records(n_recs);
	for (i = told = 0; i < n_models; i++)
		told += models[i].committed;
	CHECK("each is in the journal", told == 11 && n_models == 11);
	CHECK("in two generations", recs[0].slot != recs[n_recs - 1].slot);
	room_fault.syncfs = EIO;
	snprintf(master, sizeof master, "%s", m.room.dir);
	room_kill(&m.room);
	room_fault.syncfs = 0;
	for (how = AS_LEFT; how < DAMAGES; how++)
		cut_everywhere(how);
	for (how = AS_LEFT; how < DAMAGES; how++)
		kill_everywhere(how);
	bad_page();
	bad_large();
	rebuilt();
	no_journal();
	refused();
	unit_remove(master);
	snprintf(m.room.dir, sizeof m.room.dir, "%.40s.copy", master);
	unit_remove(m.room.dir);
	return unit_end();
}
