/*
 * smtpctl(8): shows the queue and tells smtpd(8) what to do.  An operator's
 * program: reads the spool read-only as the spool's owner, asks the control
 * process for everything that changes something.  Never runs as root among
 * files of the spool, never creates one there (but to rebuild offline).
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "places.h"

static void
set_paths(struct smtpctl *c, const char *dir)
{
	static const char *const run_files[] = { "control.sock", "smtpd.pid" };
	char *const out[] = { c->sock, c->pid };
	int n, i;

	n = dir == NULL ?
	    snprintf(c->spool, sizeof c->spool, "%s", places_spool) :
	    snprintf(c->spool, sizeof c->spool, "%s/spool", dir);
	if (n >= (int)sizeof c->spool)
		errx(EX_USAGE, "-R: the path is too long");
	for (i = 0; i < 2; i++) {
		n = snprintf(out[i], sizeof c->sock, "%s/%s",
		    dir == NULL ? places_run : dir, run_files[i]);
		if (n >= (int)sizeof c->sock)
			errx(EX_USAGE, "-R: the path is too long");
	}
}

/* Takes --json out of the arguments, wherever it stands. */
static int
take_json(struct smtpctl *c, int argc, char **argv)
{
	int i, kept = 0;

	for (i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			c->json = true;
		else
			argv[kept++] = argv[i];
	}
	return kept;
}

/* As makemap(8), by a link of that name. */
static bool
is_makemap(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strcmp(slash != NULL ? slash + 1 : name, "makemap") == 0;
}

/* A caller that closed one of these would have another file in its place, which
 * would be read as a message or written over.  Of these nothing can be read or
 * written the wrong way. */
static void
open_standard(void)
{
	static const int flags[] = { O_WRONLY, O_RDONLY, O_RDWR };
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) == -1)
			open("/dev/null", flags[fd]);
	}
}

int
main(int argc, char **argv)
{
	struct smtpctl c = { .daemon = -1 };
	const char *dir = NULL;
	int n, ch;

	open_standard();
	log_to_stderr("smtpctl", false);
	if (is_makemap(argv[0])) {
		smtpctl_find(1, (char *[]){ (char *)"makemap" }, &c.verb);
		return c.verb->fn(&c, argc - 1, argv + 1);
	}
	argc = 1 + take_json(&c, argc - 1, argv + 1);
	argv[argc] = NULL;
	/* "+": options end at the verb. */
	while ((ch = getopt(argc, argv, "+R:")) != -1) {
		if (ch != 'R')
			return smtpctl_usage(&c, NULL);
		dir = optarg;
	}
	set_paths(&c, dir);
	argc -= optind;
	argv += optind;
	n = smtpctl_find(argc, argv, &c.verb);
	if (c.verb == NULL)
		return smtpctl_usage(&c,
		    argc == 0 ? "what is to be done?" : "no such command");
	return c.verb->fn(&c, argc - n, argv + n);
}
