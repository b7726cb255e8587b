/*
 * What sendmail(8) leaves to other programs of ours: the queue and the tests
 * to smtpctl(8), the daemon to smtpd(8).  Runs in sendmail, as whoever calls
 * it, and so do they: who may not, hears it from them.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "sendmail.h"

#define WORDS_MAX 16
#define LINE_SIZE 1024 /* of -bt */
#define NO_MATCH  1    /* smtpctl(8) has found none, and said so */

/* A command line in the making; ends with NULL. */
struct command {
	const char *words[WORDS_MAX + 1];
	size_t n;
};

static void
add(struct command *c, const char *word)
{
	if (c->n < WORDS_MAX)
		c->words[c->n++] = word;
}

/* "smtpctl -R dir" */
static void
begin(const struct sendmail *sm, struct command *c, const char *program)
{
	const char *dir =
	    sm->args.dir != NULL ? sm->args.dir : getenv("POSTERN_DIR");

	*c = (struct command){ .n = 0 };
	add(c, program);
	if (dir != NULL && dir[0] != '\0') {
		add(c, "-R");
		add(c, dir);
	}
}

/* In the folder where this program is: never by PATH. */
static _Noreturn void
run(const struct sendmail *sm, const struct command *c)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(path, '/')) == NULL)
		sendmail_die(sm, EX_OSFILE, "%s: not found: where are we?",
		    c->words[0]);
	snprintf(slash + 1, 16, "%s", c->words[0]);
	execv(path, (char *const *)(uintptr_t)c->words);
	sendmail_die(sm, EX_OSFILE, "%s: %s", path, strerror(errno));
}

/* The exit status of the command; quiet: it prints nothing. */
static int
run_beside(const struct sendmail *sm, const struct command *c, bool quiet)
{
	int status, null;
	pid_t pid;

	fflush(stdout);
	/* Whoever ignores it would have us wait for nobody. */
	signal(SIGCHLD, SIG_DFL);
	if ((pid = fork()) == -1)
		sendmail_die(sm, EX_OSERR, "fork: %s", strerror(errno));
	if (pid == 0) {
		if (quiet && (null = open("/dev/null", O_RDWR)) != -1) {
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
		}
		run(sm, c);
	}
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return EX_OSERR;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

int
sendmail_list(struct sendmail *sm)
{
	struct command c;

	begin(sm, &c, "smtpctl");
	add(&c, "show");
	add(&c, "queue");
	run(sm, &c);
}

int
sendmail_hosts(struct sendmail *sm)
{
	struct command c;

	begin(sm, &c, "smtpctl");
	add(&c, "show");
	add(&c, "routes");
	run(sm, &c);
}

/* "--to-has text", "--to-has !text" */
static void
add_select(struct sendmail *sm, struct command *c)
{
	static const char *const options[FLUSHES] = { [FLUSH_ID] = "--id-has",
		[FLUSH_RCPT] = "--to-has",
		[FLUSH_SENDER] = "--from-has" };
	const struct sendmail_args *a = &sm->args;
	const char *text;
	bool any = false;
	int i;

	for (i = 0; i < FLUSHES; i++) {
		if (a->select[i] == NULL)
			continue;
		any = true;
		text = arena_printf(&sm->arena, "%s%s",
		    a->select_not[i] ? "!" : "", a->select[i]);
		if (text == NULL)
			sendmail_die(sm, EX_OSERR, "no memory");
		add(c, options[i]);
		add(c, text);
	}
	if (!any)
		add(c, "all");
}

int
sendmail_flush(struct sendmail *sm)
{
	struct command c;

	int status;

	begin(sm, &c, "smtpctl");
	add(&c, sm->args.held ? "release" : "flush");
	add_select(sm, &c);
	status = run_beside(sm, &c, false);
	return status == NO_MATCH ? EX_OK : status;
}

/*
 * Texts of aliases need no database; a daemon that runs is told to read its
 * tables anew.  Where there is none, or it is not ours to tell, there is
 * nothing to do: the next one reads them.
 */
int
sendmail_aliases(struct sendmail *sm)
{
	struct command c;

	begin(sm, &c, "smtpctl");
	add(&c, "update");
	add(&c, "table");
	(void)run_beside(sm, &c, true);
	return EX_OK;
}

/* ---- -bt ---- */

/* What is said there in the first place: later outweighs never. */
static int
worse(int a, int b)
{
	if (a == EX_TEMPFAIL || b == EX_OK)
		return a;
	return b;
}

static int
explain(const struct sendmail *sm, const char *address)
{
	const char *sender = sm->args.sender;
	struct command c;

	begin(sm, &c, "smtpctl");
	add(&c, "explain");
	if (sm->args.verbose)
		add(&c, "-v");
	if (sender != NULL) {
		add(&c, "--from");
		add(&c, sender[0] == '\0' ? "<>" : sender);
	}
	add(&c, "--");
	add(&c, address);
	return run_beside(sm, &c, false);
}

/* Lines of standard input: an address each; what stands before it, as the
 * numbers of rule sets that others have, is left out. */
static int
explain_lines(const struct sendmail *sm)
{
	char line[LINE_SIZE], *word;
	int status = EX_OK;

	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		while (line[0] != '\0' && strchr(" \t", line[strlen(line) - 1]))
			line[strlen(line) - 1] = '\0';
		word = strrchr(line, ' ');
		word = word == NULL ? line : word + 1;
		if (word[0] != '\0')
			status = worse(status, explain(sm, word));
	}
	return status;
}

int
sendmail_test(struct sendmail *sm)
{
	int status = EX_OK, i;

	if (sm->args.n_rcpts == 0)
		return explain_lines(sm);
	for (i = 0; i < sm->args.n_rcpts; i++)
		status = worse(status, explain(sm, sm->args.rcpts[i]));
	return status;
}

int
sendmail_daemon(struct sendmail *sm)
{
	struct command c;

	begin(sm, &c, "smtpd");
	if (sm->args.foreground)
		add(&c, "-d");
	run(sm, &c);
}
