/*
 * What format specifiers stand for (format.h), and ~/ in front of a path.
 *
 * In a path a value is text.  In a command it never is: /bin/sh reads the
 * configuration's own text, in which each specifier has become a reference to a
 * positional parameter, quoted as its place needs.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_LOCAL_FORMAT_H
#define DELIVER_LOCAL_FORMAT_H

#include "format.h"
#include "local.h"
#include "slice.h"

enum {
	FORMAT_PATH_MAX = 4096,
	SHELL_TEXT_MAX = 16384, /* a command, with its wrapper */
	SHELL_ARGS_MAX = 32     /* specifiers in it */
};

/* What bytes of value might mean to a shell, to a list of folders or to who
 * reads a log becomes ':'. */
void format_clean(char *value);

/* What follows the delimiter in the recipient's local part: the sub-address;
 * "" for none. */
void local_extension(const struct local *l, char out[ADDR_MAX + 1]);

/*
 * The value of what stands between "%{" and "}" into out.  NULL, or why not.
 */
const char *format_value(const struct local *l, struct slice spec,
    char out[FORMAT_VALUE_MAX + 1]);

/* A path, from a template: absolute.  NULL, or why not. */
const char *format_path(const struct local *l, const char *template,
    char out[FORMAT_PATH_MAX]);

/* What /bin/sh -c gets: text, and "$1" ... */
struct shell {
	char text[SHELL_TEXT_MAX];
	char value[SHELL_ARGS_MAX][FORMAT_VALUE_MAX + 1];
	unsigned int n;
};

/*
 * A command (wrapper empty), or the wrapper's around it, where %{mda} stands
 * for the command's text.  NULL, or why not.
 */
const char *format_command(const struct local *l, const char *command,
    const char *wrapper, struct shell *sh);

#endif
