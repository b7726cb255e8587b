/*
 * Walks over the spool's folders.  Used by queue, and by smtpctl for a rebuild
 * without the daemon.  One bad file never keeps the others from being seen.
 *
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "id.h"
#include "log.h"
#include "spool_priv.h"
#include "spool_read.h"

/* A folder below at, to be read.  NULL: not there. */
static DIR *
open_folder(int at, const char *name)
{
	int fd =
	    openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d;

	if (fd == -1)
		return NULL;
	if ((d = fdopendir(fd)) == NULL)
		close(fd);
	return d;
}

static DIR *
open_number(int at, unsigned int folder)
{
	char name[8];

	snprintf(name, sizeof name, "%02x", folder);
	return open_folder(at, name);
}

/* The next name that is an id.  False: no more. */
static bool
next_id(DIR *d, uint64_t *id)
{
	const struct dirent *e;

	while ((e = readdir(d)) != NULL)
		if (id_parse(e->d_name, id) && *id != 0)
			return true;
	return false;
}

bool
spool_all_done(const struct head *h)
{
	uint32_t i;

	for (i = 0; i < h->n_rcpt; i++)
		if (!rcpt_state_end(h->rcpt[i].state))
			return false;
	return true;
}

static void
look_at(struct spool *s, enum spool_place place, uint64_t id)
{
	struct spool_found f = { .place = place };
	struct arena a;
	const char *why;
	int fd = dirs_open_file(&s->dirs, place, id, O_RDONLY);

	if (fd == -1) {
		/* Delivered, or moved to cur/, since its name was read. */
		if (errno != ENOENT)
			log_event(id, "spool-open", "error=%s",
			    q(strerror(errno)));
		return;
	}
	arena_init(&a, SPOOL_ARENA_MAX);
	why = spool_read(fd, id, &a, &f.head, &f.trailer);
	close(fd);
	if (why != NULL)
		spool_corrupt(s, id, place, why);
	else {
		f.all_done = spool_all_done(&f.head);
		s->hooks.found(s->hooks.arg, &f);
	}
	arena_free(&a);
}

/* The folder where the walk stands; false: there is none any more. */
static bool
walk_folder(struct spool *s)
{
	while (s->walk_dir == NULL) {
		if (s->walk_folder == SPOOL_FOLDERS) {
			s->walk_folder = 0;
			s->walk_place++;
		}
		/* new/ first: what moves meanwhile is met again in cur/. */
		if (s->walk_place == SPOOL_PLACES) {
			s->walk_place = 0;
			return false;
		}
		s->walk_dir =
		    open_number(s->dirs.place[s->walk_place], s->walk_folder++);
	}
	return true;
}

bool
spool_walk(struct spool *s, unsigned int n)
{
	uint64_t id;

	while (n > 0) {
		if (!walk_folder(s))
			return false;
		if (!next_id(s->walk_dir, &id)) {
			closedir(s->walk_dir);
			s->walk_dir = NULL;
			continue;
		}
		look_at(s, (enum spool_place)s->walk_place, id);
		n--;
	}
	return true;
}

void
spool_sweep(struct spool *s, uint64_t before,
    bool (*keep)(void *arg, uint64_t id), void *arg)
{
	DIR *d = open_folder(s->dirs.top, "tmp");
	uint64_t id;

	if (d == NULL)
		return;
	while (next_id(d, &id)) {
		if (id < before && !keep(arg, id)) {
			spool_step(s, "sweep");
			dirs_remove_tmp(&s->dirs, id);
		}
	}
	closedir(d);
}

static uint64_t
highest(DIR *d, uint64_t last)
{
	uint64_t id;

	if (d == NULL)
		return last;
	while (next_id(d, &id))
		if (id > last)
			last = id;
	closedir(d);
	return last;
}

uint64_t
spool_scan_last(const struct spool *s, bool all)
{
	uint64_t last = highest(open_folder(s->dirs.top, "tmp"), 0);
	unsigned int place, folder;

	for (place = 0; all && place < SPOOL_PLACES; place++)
		for (folder = 0; folder < SPOOL_FOLDERS; folder++)
			last =
			    highest(open_number(s->dirs.place[place], folder),
				last);
	return last;
}
