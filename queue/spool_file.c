/*
 * The folders of the spool, and the files in them by id.  Used by queue, in
 * all its threads.  Never looks into a file.
 *
 * SPDX-License-Identifier: ISC
 */
#include "spool_file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FOLDER_SHIFT (16 + 22) /* of an id: 2^22 units of 16 us are 67 s */
#define ASIDE_MAX    100       /* files of one name in corrupt/ */

static int
open_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0700) == -1 && errno != EEXIST)
		return -1;
	return openat(at, name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

const char *
dirs_open(struct spool_dirs *d, const char *dir)
{
	const struct {
		const char *name;
		int *fd;
	} rows[] = {
		{ "tmp", &d->tmp },
		{ "new", &d->place[SPOOL_NEW] },
		{ "cur", &d->place[SPOOL_CUR] },
		{ "corrupt", &d->corrupt },
		{ "journal", &d->journal },
	};
	size_t i;

	*d = (struct spool_dirs){ .top = -1,
		.tmp = -1,
		.corrupt = -1,
		.journal = -1,
		.place = { -1, -1 } };
	d->top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->top == -1)
		return "the directory";
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		*rows[i].fd = open_dir(d->top, rows[i].name);
		if (*rows[i].fd == -1)
			return rows[i].name;
	}
	return NULL;
}

void
dirs_close(struct spool_dirs *d)
{
	const int fds[] = { d->top, d->tmp, d->corrupt, d->journal,
		d->place[SPOOL_NEW], d->place[SPOOL_CUR] };
	size_t i;

	for (i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

unsigned int
dirs_folder(uint64_t id)
{
	return id >> FOLDER_SHIFT & 0xff;
}

const char *
dirs_path(uint64_t id, char out[SPOOL_PATH_MAX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned int folder = dirs_folder(id);

	out[0] = hex[folder >> 4];
	out[1] = hex[folder & 15];
	out[2] = '/';
	id_print(id, out + 3);
	return out;
}

bool
dirs_make(const struct spool_dirs *d, enum spool_place place, uint64_t id)
{
	char path[SPOOL_PATH_MAX];

	dirs_path(id, path);
	path[2] = '\0';
	return mkdirat(d->place[place], path, 0700) == 0 || errno == EEXIST;
}

int
dirs_open_file(const struct spool_dirs *d, enum spool_place place, uint64_t id,
    int flags)
{
	char path[SPOOL_PATH_MAX];

	return openat(d->place[place], dirs_path(id, path),
	    flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
}

int
dirs_open_tmp(const struct spool_dirs *d, uint64_t id, int flags)
{
	char name[ID_LEN + 1];

	return openat(d->tmp, id_print(id, name),
	    flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

int
dirs_find(const struct spool_dirs *d, uint64_t id, int flags,
    enum spool_place *place)
{
	int fd;

	*place = SPOOL_CUR;
	if ((fd = dirs_open_file(d, *place, id, flags)) != -1)
		return fd;
	*place = SPOOL_NEW;
	if ((fd = dirs_open_file(d, *place, id, flags)) != -1)
		return fd;
	/* It may have moved meanwhile; it only ever does once. */
	*place = SPOOL_CUR;
	return dirs_open_file(d, *place, id, flags);
}

bool
dirs_has(const struct spool_dirs *d, uint64_t id)
{
	char path[SPOOL_PATH_MAX];

	dirs_path(id, path);
	return faccessat(d->place[SPOOL_NEW], path, F_OK, 0) == 0 ||
	    faccessat(d->place[SPOOL_CUR], path, F_OK, 0) == 0;
}

/* Renames; the folder it goes to is made when it is missing. */
static bool
move(const struct spool_dirs *d, int from, const char *name,
    enum spool_place place, uint64_t id, unsigned int flags)
{
	char path[SPOOL_PATH_MAX];
	int to = d->place[place];

	dirs_path(id, path);
	if (renameat2(from, name, to, path, flags) == 0)
		return true;
	if (errno == ENOENT && dirs_make(d, place, id) &&
	    renameat2(from, name, to, path, flags) == 0)
		return true;
	/* Not every filesystem knows RENAME_NOREPLACE. */
	return errno == EINVAL && flags != 0 &&
	    faccessat(to, path, F_OK, 0) == -1 &&
	    renameat(from, name, to, path) == 0;
}

bool
dirs_commit(const struct spool_dirs *d, uint64_t id)
{
	char name[ID_LEN + 1];

	return move(d, d->tmp, id_print(id, name), SPOOL_NEW, id,
	    RENAME_NOREPLACE);
}

bool
dirs_replace(const struct spool_dirs *d, enum spool_place place, uint64_t id)
{
	char name[ID_LEN + 1];

	return move(d, d->tmp, id_print(id, name), place, id, 0);
}

bool
dirs_move_cur(const struct spool_dirs *d, uint64_t id)
{
	char path[SPOOL_PATH_MAX];

	return move(d, d->place[SPOOL_NEW], dirs_path(id, path), SPOOL_CUR, id,
	    0);
}

void
dirs_remove(const struct spool_dirs *d, enum spool_place place, uint64_t id)
{
	enum spool_place other = place == SPOOL_NEW ? SPOOL_CUR : SPOOL_NEW;
	char path[SPOOL_PATH_MAX];

	dirs_path(id, path);
	if (unlinkat(d->place[place], path, 0) == -1)
		unlinkat(d->place[other], path, 0);
}

void
dirs_remove_tmp(const struct spool_dirs *d, uint64_t id)
{
	char name[ID_LEN + 1];

	unlinkat(d->tmp, id_print(id, name), 0);
}

bool
dirs_set_aside(const struct spool_dirs *d, enum spool_place place, uint64_t id)
{
	char path[SPOOL_PATH_MAX], name[ID_LEN + 8];
	int i, n;

	dirs_path(id, path);
	n = snprintf(name, sizeof name, "%s", path + 3);
	for (i = 1; i < ASIDE_MAX; i++) {
		if (renameat2(d->place[place], path, d->corrupt, name,
			RENAME_NOREPLACE) == 0)
			return true;
		if (errno != EEXIST)
			break;
		snprintf(name + n, sizeof name - (size_t)n, ".%d", i);
	}
	return renameat(d->place[place], path, d->corrupt, name) == 0;
}
