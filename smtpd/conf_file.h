/*
 * smtpd.conf: the file, read by the parent into the image of common/conf.h.
 * What is wrong with it is collected, so that one run tells all of it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_FILE_H
#define SMTPD_CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

/* A macro given on the command line: the file cannot change it. */
struct conf_macro {
	const char *name, *value;
};

#define CONF_ERRORS_MAX 50 /* the last one says that there are more */

/* `FILE:LINE: what was found, what was expected`, without newline. */
struct conf_errors {
	size_t n;
	char *text[CONF_ERRORS_MAX];
};

struct conf_image {
	struct conf *conf; /* malloc'ed */
	size_t size;       /* for conf_seal() */
	/* What may stand in the file and is hardly meant. */
	struct conf_errors warnings;
};

/* Stands before the text of a warning. */
#define CONF_WARNING "warning: "

/* What conf_file_load() makes of a file. */
enum conf_verdict {
	CONF_WRONG = -1, /* no image; errors says what is wrong */
	CONF_GOOD = 0,   /* an image, no errors */
	/* All of it is right, but something in it has no machinery in this
	 * version: an image that can be printed and not run.  errors has one
	 * text for each such word. */
	CONF_NOT_YET_HERE = 1
};

/*
 * Reads the file at path with n macros set, and checks what a start needs
 * (tables and keys can be opened, programs run, names resolve).  The caller
 * zeroed errors, prints and frees it, and frees the image in out.
 */
enum conf_verdict conf_file_load(const char *path,
    const struct conf_macro *macros, size_t n, struct conf_image *out,
    struct conf_errors *errors);

/*
 * Where its `resolver` line leads, and the seconds of its timeout.  The file is
 * read alone: tables, keys, programs, users and interfaces that it names need
 * not be there.  False: errors, as of conf_file_load(), says what is wrong;
 * ss_family is 0 where there is no such line.
 */
bool conf_file_resolver(const char *path, const struct conf_macro *macros,
    size_t n, struct sockaddr_storage *ss, uint32_t *timeout,
    struct conf_errors *errors);

/*
 * How much of it a process gets.  BARE: without entries and paths of tables,
 * without what tokens come from, without secrets.  SOURCES: with those paths
 * and command lines, for who opens and runs them (the parent itself, spawn).
 * WHOLE: for who answers from tables (lookup).
 */
enum conf_part { CONF_BARE, CONF_SOURCES, CONF_WHOLE, CONF_PARTS };

/* A copy with so much, and no byte of the rest.  0; -1 and errno without
 * memory. */
int conf_image_part(const struct conf_image *in, enum conf_part part,
    struct conf_image *out);

/* Leaves nothing of it in memory. */
void conf_image_free(struct conf_image *image);

/* Zeroes what may have secrets; mem may be NULL. */
void conf_wipe(void *mem, size_t size);
void conf_errors_free(struct conf_errors *errors);

/* Adds a text; beyond the limit it says once that there are more.  line 0:
 * the text is about no line. */
void conf_error(struct conf_errors *errors, const char *file, uint32_t line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Adds more to text i. */
void conf_errors_append(struct conf_errors *errors, size_t i, const char *more);
bool conf_errors_full(const struct conf_errors *errors);

#endif
