/*
 * A file of configuration in memory.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_SOURCE_H
#define SMTPD_CONF_SOURCE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

enum { CONF_FILE_MAX = 16 << 20 }; /* bytes of a file */

struct conf_source {
	char *mem; /* for conf_source_free(), also after an error */
	size_t cap;
	const char *p, *end; /* what is still to be read */
	const char *name;
	uint32_t line;
	dev_t dev;
	ino_t ino;
};

/* Reads the file at path; name and line are left alone.  pipe: what is no file,
 * such as a pipe, will do.  NULL, or why not. */
const char *conf_source_read(const char *path, bool pipe,
    struct conf_source *s);

/* Leaves nothing of the text in memory: some have secrets. */
void conf_source_free(struct conf_source *s);

/* Is there a byte that makes the whole file unreadable?  0, or the line of
 * it, and why. */
uint32_t conf_source_bad(const struct conf_source *s, const char **why);

#endif
