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
};

/*
 * Reads the file at path with n macros set, and checks what a start needs
 * (tables and keys can be opened, names resolve).  0, and out holds an image
 * that the caller frees; or -1, out is empty, and errors (which the caller
 * zeroed, prints and frees) has at least one text.
 */
int conf_file_load(const char *path, const struct conf_macro *macros, size_t n,
    struct conf_image *out, struct conf_errors *errors);

/*
 * A copy for those that do not ask tables: without entries and paths of
 * tables, none of their text left in it.  0; -1 and errno without memory.
 */
int conf_image_without_tables(const struct conf_image *in,
    struct conf_image *out);

void conf_image_free(struct conf_image *image);
void conf_errors_free(struct conf_errors *errors);

/* Adds a text; beyond the limit it says once that there are more.  line 0:
 * the text is about no line. */
void conf_error(struct conf_errors *errors, const char *file, uint32_t line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool conf_errors_full(const struct conf_errors *errors);

#endif
