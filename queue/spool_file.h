/*
 * The folders of the spool, and the files in them by id.  Every path is
 * relative to a descriptor of its folder.  Safe from any thread.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SPOOL_FILE_H
#define QUEUE_SPOOL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "id.h"
#include "spool.h"

#define SPOOL_PLACES 2

struct spool_dirs {
	int top, tmp, corrupt, journal;
	int place[SPOOL_PLACES]; /* by enum spool_place */
};

/* "XX/ID" */
#define SPOOL_PATH_MAX (3 + ID_LEN + 1)

/* Opens the spool's folders in dir, makes what is missing.  NULL, or what
 * could not be opened (errno tells more). */
const char *dirs_open(struct spool_dirs *d, const char *dir);
void dirs_close(struct spool_dirs *d);

/* Which of the 256 folders an id belongs to: 67 seconds share one. */
unsigned int dirs_folder(uint64_t id);

/* Prints "XX/ID" into out.  Returns out. */
const char *dirs_path(uint64_t id, char out[SPOOL_PATH_MAX]);

/* Makes the folder of id in place; that it is there already is fine. */
bool dirs_make(const struct spool_dirs *d, enum spool_place place, uint64_t id);

/* Opens new/XX/ID or cur/XX/ID, or tmp/ID.  -1 and errno. */
int dirs_open_file(const struct spool_dirs *d, enum spool_place place,
    uint64_t id, int flags);
int dirs_open_tmp(const struct spool_dirs *d, uint64_t id, int flags);

/* Opens the file wherever it is, cur/ or new/.  -1 and errno. */
int dirs_find(const struct spool_dirs *d, uint64_t id, int flags,
    enum spool_place *place);

/* True if there is a file of this id in new/ or cur/. */
bool dirs_has(const struct spool_dirs *d, uint64_t id);

/* tmp/ID becomes new/XX/ID, never over another file. */
bool dirs_commit(const struct spool_dirs *d, uint64_t id);
/* tmp/ID becomes the file in place, over one that is no good. */
bool dirs_replace(const struct spool_dirs *d, enum spool_place place,
    uint64_t id);
bool dirs_move_cur(const struct spool_dirs *d, uint64_t id);

/* Removes the file from new/ and cur/, place first; gone already is fine. */
void dirs_remove(const struct spool_dirs *d, enum spool_place place,
    uint64_t id);
void dirs_remove_tmp(const struct spool_dirs *d, uint64_t id);

/* Moves the file to corrupt/, beside others of the same name. */
bool dirs_set_aside(const struct spool_dirs *d, enum spool_place place,
    uint64_t id);

#endif
