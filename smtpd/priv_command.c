/*
 * What spawn executes: words of the configuration, made into an argument
 * vector without a shell, and the program's path.  Runs in spawn, as root;
 * reads nothing but the configuration, and never what came from outside.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_command.h"

#include <sys/stat.h>

#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "places.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* One word from *line, which is not a blank; false: a quote is not closed or
 * there is no room. */
static bool
take_word(const char **line, char **out, const char *end)
{
	const char *p = *line;
	char quote = '\0';

	for (; *p != '\0' && (quote != '\0' || !is_blank(*p)); p++) {
		if (*p == quote) {
			quote = '\0';
			continue;
		}
		if (quote == '\0' && (*p == '"' || *p == '\'')) {
			quote = *p;
			continue;
		}
		if (*p == '\\' && quote != '\'' && *++p == '\0')
			return false;
		if (*out + 1 >= end)
			return false;
		*(*out)++ = *p;
	}
	if (quote != '\0')
		return false;
	*(*out)++ = '\0';
	*line = p;
	return true;
}

const char *
command_split(const char *line, struct command *c)
{
	char *out = c->words;
	size_t n = 0;

	memset(c, 0, sizeof(*c));
	for (;;) {
		while (is_blank(*line))
			line++;
		if (*line == '\0')
			break;
		if (n == COMMAND_ARGS)
			return "too many words";
		c->argv[n++] = out;
		if (!take_word(&line, &out, c->words + sizeof(c->words)))
			return "a quote is not closed, or the line is too long";
	}
	if (n == 0 || c->argv[0][0] == '\0')
		return "no program is named";
	return NULL;
}

/* Part of a file's name, and nothing that leads elsewhere. */
static bool
is_plain(const char *type)
{
	return type[0] != '\0' &&
	    type[strspn(type,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
	    '\0';
}

static bool
is_program(const char *path)
{
	return access(path, X_OK) == 0;
}

static bool
find_program(const char *name, const char *own, char out[PATH_MAX])
{
	const char *const dirs[] = { own, "/usr/libexec/opensmtpd" };
	glob_t found;
	size_t i;
	int n;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		n = snprintf(out, PATH_MAX, "%s/%s", dirs[i], name);
		if (n > 0 && n < PATH_MAX && is_program(out))
			return true;
	}
	/* Debian's folder has the architecture in its name. */
	n = snprintf(out, PATH_MAX, "/usr/lib/*/opensmtpd/%s", name);
	if (n < 0 || n >= PATH_MAX || glob(out, 0, NULL, &found) != 0)
		return false;
	n = snprintf(out, PATH_MAX, "%s", found.gl_pathv[0]);
	globfree(&found);
	return n > 0 && n < PATH_MAX && is_program(out);
}

static const char *
make_vector(const char *type, const char *path, struct command *c)
{
	int name, n;

	memset(c, 0, sizeof(*c));
	if (!is_plain(type))
		return "not a type of table";
	name = snprintf(c->words, sizeof(c->words), "table-%s", type);
	if (name < 0 || (size_t)name + 1 >= sizeof(c->words))
		return "the type is too long";
	c->argv[0] = c->words;
	if (path[0] == '\0')
		return NULL;
	c->argv[1] = c->words + name + 1;
	n = snprintf(c->argv[1], sizeof(c->words) - (size_t)name - 1, "%s",
	    path);
	if (n < 0 || (size_t)n >= sizeof(c->words) - (size_t)name - 1)
		return "the argument is too long";
	return NULL;
}

void
command_libexec(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 16);
	struct stat st;
	char *slash;

	if (n > 0) {
		out[n] = '\0';
		if ((slash = strrchr(out, '/')) != NULL) {
			memcpy(slash, "/libexec", sizeof("/libexec"));
			if (stat(out, &st) == 0 && S_ISDIR(st.st_mode))
				return;
		}
	}
	snprintf(out, PATH_MAX, "%s", places_libexec);
}

const char *
command_by_path(struct command *c)
{
	int n = snprintf(c->path, sizeof(c->path), "%s", c->argv[0]);

	if (n < 0 || (size_t)n >= sizeof(c->path))
		return "the path is too long";
	if (c->path[0] != '/')
		return "the program is not named by its whole path";
	return is_program(c->path) ? NULL : "cannot be executed";
}

const char *
command_of_table(const char *type, const char *path, const char *own,
    struct command *c)
{
	const char *why;

	memset(c, 0, sizeof(*c));
	if (strcmp(type, "proc") == 0 || strcmp(type, "proc-exec") == 0)
		why = command_split(path, c);
	else
		why = make_vector(type, path, c);
	if (why != NULL)
		return why;
	if (strchr(c->argv[0], '/') == NULL)
		return find_program(c->argv[0], own, c->path) ?
		    NULL :
		    "no such program in the folders for table programs";
	return command_by_path(c);
}
