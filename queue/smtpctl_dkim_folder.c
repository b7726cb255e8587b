/*
 * `smtpctl dkim rotate`: the folder of keys.  Run by an operator; changes
 * nothing but files of its own making in that one folder, and never writes
 * over one.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_dkim_folder.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "slice.h"
#include "smtp_addr.h"

static const char *const endings[] = {
	[DKIM_NEXT] = ".next",
	[DKIM_KEY] = ".key",
	[DKIM_OLD] = ".old",
};

const char *
dkim_file_name(const char *selector, enum dkim_state state,
    char out[DKIM_NAME_MAX])
{
	snprintf(out, DKIM_NAME_MAX, "%s%s", selector, endings[state]);
	return out;
}

/* ---- reading it ---- */

/* The selector and state of a name.  False: it is no key's. */
static bool
read_name(const char *name, struct dkim_file *file)
{
	size_t len = strlen(name), end;
	int i;

	for (i = 0; i < DKIM_STATES; i++) {
		end = strlen(endings[i]);
		if (len <= end || strcmp(name + len - end, endings[i]) != 0)
			continue;
		file->state = (enum dkim_state)i;
		return slice_copy((struct slice){ name, len - end },
			   file->selector, sizeof file->selector) &&
		    smtp_domain_check(slice_of(file->selector)) == NULL;
	}
	return false;
}

static bool
full_path(const struct dkim_folder *f, const char *name, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/%s", f->path, name);

	if (n > 0 && n < PATH_MAX)
		return true;
	warnx("%s: the path is too long", name);
	return false;
}

static int64_t
nsec(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

/* What the file says. */
static int
read_file(const struct dkim_folder *f, const char *name, struct dkim_file *file)
{
	char path[PATH_MAX];
	const char *why;
	struct stat st;
	EVP_PKEY *pkey;

	if (!full_path(f, name, path))
		return EX_USAGE;
	if (fstatat(f->fd, name, &st, 0) == -1) {
		warn("%s", path);
		return EX_NOINPUT;
	}
	file->made = nsec(&st.st_mtim);
	file->began = (int64_t)(st.st_ctim.tv_sec > st.st_mtim.tv_sec ?
		st.st_ctim.tv_sec :
		st.st_mtim.tv_sec);
	if ((pkey = dkim_key_load(path)) == NULL)
		return EX_DATAERR;
	why = dkim_key_public(pkey, file->b64, &file->alg);
	EVP_PKEY_free(pkey);
	if (why == NULL)
		return EX_OK;
	warnx("%s: %s", path, why);
	return EX_DATAERR;
}

static int
by_name(const void *a, const void *b)
{
	return strcasecmp(((const struct dkim_file *)a)->selector,
	    ((const struct dkim_file *)b)->selector);
}

static int
read_folder(struct dkim_folder *f, DIR *dir)
{
	struct dkim_file *file;
	struct dirent *e;
	uint32_t i;
	int status;

	f->n = 0;
	while ((e = readdir(dir)) != NULL) {
		file = &f->file[f->n];
		memset(file, 0, sizeof *file);
		if (!read_name(e->d_name, file))
			continue;
		if ((status = read_file(f, e->d_name, file)) != EX_OK)
			return status;
		if (++f->n == DKIM_KEYS_MAX) {
			warnx("%s: more than %d keys", f->path,
			    DKIM_KEYS_MAX - 1);
			return EX_DATAERR;
		}
	}
	qsort(f->file, f->n, sizeof *f->file, by_name);
	for (i = 1; i < f->n; i++) {
		if (strcasecmp(f->file[i - 1].selector, f->file[i].selector) !=
		    0)
			continue;
		warnx("%s: of the selector %s there is more than one key",
		    f->path, f->file[i].selector);
		return EX_DATAERR;
	}
	return EX_OK;
}

int
dkim_folder_open(struct dkim_folder *f, const char *path)
{
	DIR *dir = opendir(path);
	int status;

	f->fd = -1;
	f->n = 0;
	f->path = path;
	if (dir == NULL) {
		warn("%s", path);
		return EX_NOINPUT;
	}
	f->fd = fcntl(dirfd(dir), F_DUPFD_CLOEXEC, 0);
	if (f->fd == -1 || flock(f->fd, LOCK_EX | LOCK_NB) == -1) {
		warnx("%s: somebody else is at work there", path);
		status = EX_TEMPFAIL;
	} else
		status = read_folder(f, dir);
	closedir(dir);
	if (status != EX_OK)
		dkim_folder_close(f);
	return status;
}

void
dkim_folder_close(struct dkim_folder *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}

bool
dkim_folder_has(const struct dkim_folder *f, enum dkim_state state,
    const char *alg)
{
	uint32_t i;

	for (i = 0; i < f->n; i++) {
		if (!f->file[i].gone && f->file[i].state == state &&
		    (alg == NULL || strcmp(f->file[i].alg, alg) == 0))
			return true;
	}
	return false;
}

/* ---- changing it ---- */

/* Names are on disk. */
static int
sync_folder(const struct dkim_folder *f)
{
	if (fsync(f->fd) == 0)
		return EX_OK;
	warn("%s", f->path);
	return EX_IOERR;
}

/* Somebody has, or had, this selector. */
static bool
is_taken(const struct dkim_folder *f, const char *selector)
{
	uint32_t i;

	for (i = 0; i < f->n; i++) {
		if (strcasecmp(f->file[i].selector, selector) == 0)
			return true;
	}
	return false;
}

static void
new_selector(const struct dkim_folder *f, const char *alg, int64_t now,
    char out[DOMAIN_MAX + 1])
{
	time_t t = (time_t)now;
	struct tm tm = { .tm_mday = 1 };
	unsigned int n;

	gmtime_r(&t, &tm);
	snprintf(out, DOMAIN_MAX + 1, "%04d%02d%02d%c", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, alg[0]);
	for (n = 2; is_taken(f, out); n++)
		snprintf(out, DOMAIN_MAX + 1, "%04d%02d%02d%c%u",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, alg[0], n);
}

int
dkim_folder_make(struct dkim_folder *f, const char *alg, int64_t now)
{
	char name[DKIM_NAME_MAX], path[PATH_MAX];
	struct dkim_file *file = &f->file[f->n];
	int status;

	if (f->n + 1 >= DKIM_KEYS_MAX) {
		warnx("%s: too many keys", f->path);
		return EX_DATAERR;
	}
	memset(file, 0, sizeof *file);
	new_selector(f, alg, now, file->selector);
	file->state = DKIM_NEXT;
	dkim_file_name(file->selector, DKIM_NEXT, name);
	if (!full_path(f, name, path))
		return EX_USAGE;
	if ((status = dkim_key_make(alg, path)) != EX_OK ||
	    (status = read_file(f, name, file)) != EX_OK)
		return status;
	f->n++;
	return sync_folder(f);
}

/* No other file has the new name: read_folder() saw to it. */
static int
change(struct dkim_folder *f, struct dkim_file *file, enum dkim_state state)
{
	char from[DKIM_NAME_MAX], to[DKIM_NAME_MAX];
	struct timespec now;

	dkim_file_name(file->selector, file->state, from);
	dkim_file_name(file->selector, state, to);
	if (renameat(f->fd, from, f->fd, to) == -1) {
		warn("%s/%s: it cannot be named %s", f->path, from, to);
		return EX_CANTCREAT;
	}
	file->state = state;
	/* Its time is that of the change, also where renaming leaves none. */
	clock_gettime(CLOCK_REALTIME, &now);
	file->began = (int64_t)now.tv_sec;
	file->made = nsec(&now);
	if (utimensat(f->fd, to, (const struct timespec[2]){ now, now }, 0) ==
	    -1)
		warn("%s/%s", f->path, to);
	return sync_folder(f);
}

/* The newest of those that sign with the algorithm of this one. */
static bool
is_newest(const struct dkim_folder *f, const struct dkim_file *file)
{
	const struct dkim_file *other;

	for (other = f->file; other < f->file + f->n; other++) {
		if (other->gone || other->state != DKIM_KEY ||
		    strcmp(other->alg, file->alg) != 0)
			continue;
		if (other->made > file->made ||
		    (other->made == file->made && other > file))
			return false;
	}
	return true;
}

bool
dkim_folder_unfinished(const struct dkim_folder *f)
{
	uint32_t i;

	for (i = 0; i < f->n; i++) {
		if (!f->file[i].gone && f->file[i].state == DKIM_KEY &&
		    !is_newest(f, &f->file[i]))
			return true;
	}
	return false;
}

/* The second half of dkim_folder_activate(). */
static int
dkim_folder_retire(struct dkim_folder *f)
{
	uint32_t i;
	int status;

	for (i = 0; i < f->n; i++) {
		if (f->file[i].gone || f->file[i].state != DKIM_KEY ||
		    is_newest(f, &f->file[i]))
			continue;
		if ((status = change(f, &f->file[i], DKIM_OLD)) != EX_OK)
			return status;
	}
	return EX_OK;
}

int
dkim_folder_activate(struct dkim_folder *f)
{
	uint32_t i;
	int status;

	for (i = 0; i < f->n; i++) {
		if (f->file[i].gone || f->file[i].state != DKIM_NEXT)
			continue;
		if ((status = change(f, &f->file[i], DKIM_KEY)) != EX_OK)
			return status;
	}
	return dkim_folder_retire(f);
}

int
dkim_folder_remove(struct dkim_folder *f, struct dkim_file *file)
{
	char name[DKIM_NAME_MAX];

	dkim_file_name(file->selector, file->state, name);
	if (unlinkat(f->fd, name, 0) == -1) {
		warn("%s/%s", f->path, name);
		return EX_IOERR;
	}
	file->gone = true;
	return sync_folder(f);
}
