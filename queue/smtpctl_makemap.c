/*
 * `smtpctl makemap`: a db: table from its text.  Run by an operator; asks no
 * process.  The new file takes the place of the old one whole, or not at
 * all: who reads it sees the one or the other.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_makemap.h"

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "smtpctl.h"
#include "table_line.h"

enum { BAD_SAID = 20 }; /* bad lines that are named */

enum map_type { MAP_MAP, MAP_SET, MAP_ALIASES };

struct makemap {
	const char *source; /* for messages */
	enum map_type type;
	struct map map;
	size_t bad;
};

/* ---- reading ---- */

static void
say_bad(struct makemap *mm, uint64_t line, const char *why)
{
	if (++mm->bad <= BAD_SAID)
		warnx("%s:%llu: %s", mm->source, (unsigned long long)line, why);
}

/* A list of nodes, each of which is something. */
static const char *
check_nodes(struct slice value)
{
	bool quoted = false, empty = true;
	size_t i;

	for (i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '\\' && i + 1 < value.len)
			i++;
		else if (c == '"')
			quoted = !quoted;
		if (c == ',' && !quoted) {
			if (empty)
				return "nothing before a comma";
			empty = true;
		} else if (c != ' ' && c != '\t')
			empty = false;
	}
	if (quoted)
		return "a quote is not closed";
	return empty ? "nothing behind a comma" : NULL;
}

static bool
take_entry(void *arg, const struct table_entry *e, const char *why)
{
	struct makemap *mm = arg;

	if (why == NULL && mm->type != MAP_SET && e->value.len == 0)
		why = "a key without a value";
	if (why == NULL && mm->type == MAP_ALIASES)
		why = check_nodes(e->value);
	if (why == NULL)
		why = map_add(&mm->map, e->key, e->value, e->line);
	if (why != NULL)
		say_bad(mm, e->line, why);
	return true;
}

static void
say_dup(void *arg, const struct map_row *row, uint32_t first)
{
	struct makemap *mm = arg;

	if (++mm->bad <= BAD_SAID)
		warnx("%s:%u: this key stands in line %u already: %.*s",
		    mm->source, row->line, first, (int)row->key.len,
		    row->key.p);
}

static int
read_source(struct makemap *mm, int fd)
{
	struct table_lines lines = { .fn = take_entry, .arg = mm };
	const char *why;

	if (mm->type == MAP_SET)
		lines.text = TABLE_TEXT_WHOLE;
	why = table_lines_read(&lines, fd);
	table_lines_free(&lines);
	if (why != NULL) {
		warnx("%s: %s", mm->source, why);
		return EX_NOINPUT;
	}
	map_sort(&mm->map, say_dup, mm);
	if (mm->bad > BAD_SAID)
		warnx("%s: %zu more lines are bad", mm->source,
		    mm->bad - BAD_SAID);
	return mm->bad != 0 ? EX_DATAERR : 0;
}

/* ---- writing ---- */

/* The mode and owner of what it replaces, or else of its source. */
static int
take_owner(int fd, const char *target, int source)
{
	struct stat st;

	if (stat(target, &st) == -1 &&
	    (fstat(source, &st) == -1 || !S_ISREG(st.st_mode)))
		return 0;
	if (fchown(fd, st.st_uid, st.st_gid) == -1 &&
	    (st.st_uid != geteuid() || errno != EPERM))
		return -1;
	return fchmod(fd, st.st_mode & 0777);
}

static int
sync_folder(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd, rc;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* Into tmp, which is new, then over target. */
static int
write_tmp(struct makemap *mm, int fd, const char *tmp, const char *target,
    int source)
{
	const char *why = map_write(&mm->map, fd);

	if (why == NULL &&
	    (take_owner(fd, target, source) == -1 || fsync(fd) == -1 ||
		rename(tmp, target) == -1))
		why = strerror(errno);
	if (why != NULL) {
		warnx("%s: %s", target, why);
		(void)unlink(tmp);
		return EX_CANTCREAT;
	}
	if (sync_folder(target) == -1)
		warn("%s: its folder is not on disk yet", target);
	return 0;
}

static int
write_file(struct makemap *mm, const char *target, int source)
{
	char tmp[PATH_MAX + 16];
	sigset_t stops, old;
	int fd, rc;

	/* Half a file is not left behind. */
	sigemptyset(&stops);
	sigaddset(&stops, SIGINT);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGHUP);
	sigprocmask(SIG_BLOCK, &stops, &old);
	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", target);
	if ((fd = mkostemp(tmp, O_CLOEXEC)) == -1) {
		warn("%s", tmp);
		rc = EX_CANTCREAT;
	} else {
		rc = write_tmp(mm, fd, tmp, target, source);
		close(fd);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* A link to the table stays one: what it points to is replaced. */
static bool
find_target(const char *path, char target[PATH_MAX])
{
	int n;

	if (realpath(path, target) != NULL)
		return true;
	n = snprintf(target, PATH_MAX, "%s", path);
	return errno == ENOENT && n > 0 && n < PATH_MAX;
}

static int
make(struct makemap *mm, const char *path, int source)
{
	char target[PATH_MAX];
	int rc;

	if (!find_target(path, target)) {
		warn("%s", path);
		return EX_CANTCREAT;
	}
	if ((rc = read_source(mm, source)) != 0)
		return rc;
	return write_file(mm, target, source);
}

/* ---- printing ---- */

static void
print_entry(void *arg, struct slice key, struct slice value)
{
	(void)arg;
	printf("%.*s", (int)key.len, key.p);
	if (value.len != 0)
		printf("\t%.*s", (int)value.len, value.p);
	putchar('\n');
}

static int
print_map(const char *path, int fd)
{
	const char *why = map_walk(fd, print_entry, NULL);

	if (why != NULL) {
		warnx("%s: %s", path, why);
		return EX_DATAERR;
	}
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

/* ---- the command ---- */

struct args {
	const char *out, *source;
	enum map_type type;
	bool print;
};

static bool
find_type(const char *word, enum map_type *type)
{
	static const char *const words[] = { [MAP_MAP] = "map",
		[MAP_SET] = "set",
		[MAP_ALIASES] = "aliases" };
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		*type = (enum map_type)i;
		return true;
	}
	return false;
}

/* NULL, or what is wrong with them. */
static const char *
read_args(int argc, char **argv, struct args *a)
{
	int ch;

	/* argv[-1] is the word itself, as a main() expects it. */
	argc++;
	argv--;
	optind = 0; /* glibc: from the start, with other arguments */
	while ((ch = getopt(argc, argv, "+o:t:U")) != -1) {
		if (ch == 'o')
			a->out = optarg;
		else if (ch == 'U')
			a->print = true;
		else if (ch != 't' || !find_type(optarg, &a->type))
			return "-t is one of map, set, aliases";
	}
	if (optind + 1 < argc)
		return "one source at a time";
	a->source = optind < argc ? argv[optind] : "-";
	if (strcmp(a->source, "-") == 0 && a->out == NULL && !a->print)
		return "-o says where it goes";
	return a->print && a->out != NULL ? "-U writes no file" : NULL;
}

int
do_makemap(struct smtpctl *c, int argc, char **argv)
{
	struct makemap mm = { 0 };
	struct args a = { .type = MAP_MAP };
	char path[PATH_MAX];
	const char *why = read_args(argc, argv, &a);
	bool std;
	int fd, rc;

	if (why != NULL)
		return smtpctl_usage(c, why);
	std = strcmp(a.source, "-") == 0;
	fd = std ? STDIN_FILENO : open(a.source, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		warn("%s", a.source);
		return EX_NOINPUT;
	}
	mm.source = std ? "standard input" : a.source;
	mm.type = a.type;
	snprintf(path, sizeof(path), "%s%s", a.out != NULL ? a.out : a.source,
	    a.out != NULL ? "" : ".db");
	rc = a.print ? print_map(mm.source, fd) : make(&mm, path, fd);
	map_free(&mm.map);
	return rc;
}
