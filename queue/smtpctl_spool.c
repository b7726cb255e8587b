/*
 * smtpctl(8) in the spool: going there without root's rights, and reading
 * message files.  Reads only; never opens a path that is not of its making.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <bsd/string.h>

#include "id.h"
#include "index_row.h"
#include "log.h"
#include "smtpctl.h"
#include "spool_file.h"
#include "spool_read.h"

static const char *const places[] = {
	[SPOOL_NEW] = "new",
	[SPOOL_CUR] = "cur",
};

static int
refused(const char *path)
{
	int error = errno;

	if (error == EACCES || error == EPERM) {
		warnx("%s: only root and its owner may look into the spool",
		    path);
		return EX_NOPERM;
	}
	warn("%s", path);
	return error == ENOENT ? EX_NOINPUT : EX_OSERR;
}

/* Root among files that others may write is asking for it: become who owns
 * the spool (_smtpq, or the user whose instance it is); shut: in it. */
static int
become_owner(const char *path, const struct stat *st, bool shut)
{
	if (st->st_uid == 0) {
		warnx("%s belongs to root: not a spool", path);
		return EX_CONFIG;
	}
	if ((shut && chroot(".") == -1) || setgroups(1, &st->st_gid) == -1 ||
	    setresgid(st->st_gid, st->st_gid, st->st_gid) == -1 ||
	    setresuid(st->st_uid, st->st_uid, st->st_uid) == -1)
		return refused(path);
	return 0;
}

int
smtpctl_own(struct smtpctl *c)
{
	struct stat st;

	if (stat(c->spool, &st) == -1)
		return refused(c->spool);
	if (geteuid() != 0 && geteuid() != st.st_uid) {
		errno = EPERM;
		return refused(c->spool);
	}
	return geteuid() == 0 ? become_owner(c->spool, &st, false) : 0;
}

int
smtpctl_enter(struct smtpctl *c)
{
	struct stat st;
	int fd, status = 0;

	fd = open(c->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return refused(c->spool);
	if (fstat(fd, &st) == -1 || fchdir(fd) == -1)
		status = refused(c->spool);
	else if (geteuid() == 0)
		status = become_owner(c->spool, &st, true);
	close(fd);
	return status;
}

/* ---- one file ---- */

/* Where the trailer is of no use, all behind the head is content. */
static const char *
read_damaged(struct message *m, uint64_t id)
{
	const char *why;
	struct stat st;

	m->damaged = true;
	m->trailer = (struct trailer){ 0 };
	arena_free(&m->arena);
	if ((why = spool_read_head(m->fd, &m->arena, &m->head)) != NULL)
		return why;
	if (m->head.id != id)
		return "the head is another message's";
	if (fstat(m->fd, &st) == 0 && st.st_size > (off_t)m->head.len)
		m->trailer.content = (uint64_t)st.st_size - m->head.len;
	return NULL;
}

void
message_close(struct message *m)
{
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	arena_free(&m->arena);
}

/* The file of id, which is path. */
static bool
open_at(struct message *m, const char *path, uint64_t id, const char **why)
{
	*m = (struct message){ .fd = -1 };
	arena_init(&m->arena, SPOOL_ARENA_MAX);
	m->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (m->fd == -1) {
		*why = strerror(errno);
		return false;
	}
	*why = spool_read(m->fd, id, &m->arena, &m->head, &m->trailer);
	if (*why != NULL && (*why = read_damaged(m, id)) != NULL) {
		message_close(m);
		errno = EBADMSG;
		return false;
	}
	return true;
}

bool
message_open(struct message *m, uint64_t id, const char **why)
{
	char path[SPOOL_PATH_MAX + 8], name[SPOOL_PATH_MAX];
	enum spool_place place;

	/* It may move from new/ to cur/ meanwhile, never back. */
	for (place = SPOOL_NEW; place <= SPOOL_CUR; place++) {
		snprintf(path, sizeof path, "%s/%s", places[place],
		    dirs_path(id, name));
		if (open_at(m, path, id, why)) {
			m->place = place;
			return true;
		}
		if (errno != ENOENT)
			return false;
	}
	errno = ENOENT;
	*why = "no such message";
	return false;
}

int
message_fd(uint64_t id)
{
	char path[SPOOL_PATH_MAX + 8], name[SPOOL_PATH_MAX];
	enum spool_place place;
	int fd = -1;

	for (place = SPOOL_NEW; place <= SPOOL_CUR && fd == -1; place++) {
		snprintf(path, sizeof path, "%s/%s", places[place],
		    dirs_path(id, name));
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	}
	return fd;
}

/* ---- all files ---- */

/* Ids of files, 8 bytes for each: what lets them be told in their order. */
struct ids {
	uint64_t *id;
	size_t n, room;
};

/* Those of one folder; takes fd over. */
static void
collect_folder(struct ids *ids, int fd)
{
	struct dirent *e;
	uint64_t id;
	DIR *d;

	if ((d = fdopendir(fd)) == NULL) {
		warn("folder");
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (!id_parse(e->d_name, &id))
			continue;
		if (ids->n == ids->room) {
			ids->room = ids->room == 0 ? 1024 : ids->room * 2;
			ids->id = xrealloc(ids->id, ids->room, sizeof *ids->id);
		}
		ids->id[ids->n++] = id;
	}
	closedir(d);
}

static void
collect(struct ids *ids, const char *place)
{
	struct dirent *e;
	DIR *d;
	int fd;

	if ((d = opendir(place)) == NULL) {
		/* A spool that no queue has opened yet has none. */
		if (errno != ENOENT)
			warn("%s", place);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		fd = openat(dirfd(d), e->d_name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd != -1)
			collect_folder(ids, fd);
	}
	closedir(d);
}

static int
by_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void
message_walk(bool (*fn)(void *arg, const struct message *m), void *arg)
{
	struct ids ids = { 0 };
	char name[ID_LEN + 1];
	struct message m;
	const char *why;
	bool on = true;
	size_t i;

	collect(&ids, places[SPOOL_NEW]);
	collect(&ids, places[SPOOL_CUR]);
	if (ids.n > 0)
		qsort(ids.id, ids.n, sizeof *ids.id, by_id);
	for (i = 0; i < ids.n && on; i++) {
		/* It was met twice: in new/, then in cur/. */
		if (i > 0 && ids.id[i] == ids.id[i - 1])
			continue;
		if (message_open(&m, ids.id[i], &why)) {
			on = fn(arg, &m);
			message_close(&m);
		} else if (errno != ENOENT) {
			warnx("%s: %s", id_print(ids.id[i], name), why);
		}
	}
	free(ids.id);
}

void
message_row(const struct message *m, struct index_msg *out)
{
	uint32_t i;

	memset(out, 0, sizeof *out);
	out->id = m->head.id;
	out->arrived = m->head.arrived;
	out->head = m->head.len;
	out->content = m->trailer.content;
	out->trace = m->trailer.trace;
	out->sum = m->trailer.sum;
	out->content_facts = m->trailer.content_facts;
	out->n_rcpt = m->head.n_rcpt;
	out->place = (uint8_t)m->place;
	out->facts = m->head.facts;
	out->params = m->head.params;
	strlcpy(out->sender, m->head.sender, sizeof out->sender);
	if (m->head.of.addr != NULL)
		strlcpy(out->of, m->head.of.addr, sizeof out->of);
	for (i = 0; i < m->head.n_rcpt; i++)
		out->n_open += !rcpt_state_end(m->head.rcpt[i].state);
}

void
message_rcpt_row(const struct message *m, uint32_t n, struct index_rcpt *out)
{
	memset(out, 0, sizeof *out);
	out->id = m->head.id;
	out->n = n;
	out->off = m->head.rcpt[n].off;
	out->state = m->head.rcpt[n].state;
	strlcpy(out->addr, m->head.rcpt[n].addr, sizeof out->addr);
	row_set_params(out, &m->head.rcpt[n]);
}
