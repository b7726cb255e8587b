/*
 * A folder that a unit test made, with all that is in it, is taken away.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef UNIT_DIR_H
#define UNIT_DIR_H

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void
unit_remove(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(dir);

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >=
		    (int)sizeof path)
			abort();
		if (unlink(path) == -1)
			unit_remove(path);
	}
	closedir(d);
	rmdir(dir);
}

#endif
