/*
 * Command lines of the configuration, as argument vectors.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_COMMAND_H
#define SMTPD_PRIV_COMMAND_H

#include <limits.h>

#define COMMAND_ARGS 64
#define COMMAND_MAX  2048 /* bytes of all words, with their NULs */

struct command {
	char path[PATH_MAX]; /* of the program */
	char *argv[COMMAND_ARGS + 1];
	char words[COMMAND_MAX];
};

/*
 * Splits a line into c->argv: words between blanks; '...' and "..." keep
 * blanks, a backslash takes the next byte as it is (not in '...').  No shell
 * reads it.  c->path stays empty.  NULL, or why not.
 */
const char *command_split(const char *line, struct command *c);

/* The folder of our programs: "libexec" beside the one that runs if there is
 * one, or where they were installed. */
void command_libexec(char out[PATH_MAX]);

/*
 * The program of a table: of `proc` and `proc-exec` the command line in
 * path; of another type T the program table-T, with path (if it is not empty)
 * as its argument.  A program without a slash is looked for in own (the
 * folder of our programs), then where OpenSMTPD's are.  NULL, or why not.
 */
const char *command_of_table(const char *type, const char *path,
    const char *own, struct command *c);

/* Of a line that was split: the program is named by its path, and can be
 * executed.  NULL, or why not. */
const char *command_by_path(struct command *c);

#endif
