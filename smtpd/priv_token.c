/*
 * Tokens, as far as root is needed: starting the command as its user, opening
 * the file.  Runs in spawn, as root; opens, never reads.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_token.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv_command.h"

#define TOKEN_LIFE 30000 /* ms that a command may take */
#define ENV        5     /* pointers of its environment */

static char path_env[] = PRIV_PATH;

/* Whom a command runs as. */
struct priv_user {
	uid_t uid; /* 0: nobody to become */
	gid_t gid;
	char name[64];
	/* "HOME=..." and so on */
	char home[PATH_MAX + 8], user[72], logname[72];
};

/* ---- users ---- */

/* True: it fits. */
static bool
put(char *out, size_t size, const char *name, const char *value)
{
	int n = snprintf(out, size, "%s%s", name, value);

	return n >= 0 && (size_t)n < size;
}

static const char *
user_find(const char *name, struct priv_user *out)
{
	const struct passwd *pw = getpwnam(name);

	memset(out, 0, sizeof(*out));
	if (pw == NULL)
		return "there is no such user";
	if (pw->pw_uid == 0)
		return "it would run as root";
	if (!put(out->name, sizeof(out->name), "", pw->pw_name) ||
	    !put(out->home, sizeof(out->home), "HOME=", pw->pw_dir) ||
	    !put(out->user, sizeof(out->user), "USER=", pw->pw_name) ||
	    !put(out->logname, sizeof(out->logname), "LOGNAME=", pw->pw_name))
		return "the user's name or home is too long";
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return NULL;
}

static bool
user_become(const struct priv_user *u)
{
	/* Groups first: afterwards there is no right to set them. */
	return u->uid != 0 && initgroups(u->name, u->gid) == 0 &&
	    setresgid(u->gid, u->gid, u->gid) == 0 &&
	    setresuid(u->uid, u->uid, u->uid) == 0;
}

static char **
user_env(const struct priv_user *u, char *env[ENV])
{
	struct priv_user *of = (struct priv_user *)u;
	size_t n = 0;

	env[n++] = path_env;
	if (u->uid != 0) {
		env[n++] = of->home;
		env[n++] = of->user;
		env[n++] = of->logname;
	}
	env[n] = NULL;
	return env;
}

/* ---- files ---- */

/* A symbolic link leads only to what belongs to who made it: who may write to
 * the folder must not choose among root's files, nor put another in the place
 * of the link that was followed. */
static bool
link_is_good(const char *path, const struct stat *opened)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return false;
	if (S_ISLNK(st.st_mode))
		return st.st_uid == opened->st_uid;
	return st.st_dev == opened->st_dev && st.st_ino == opened->st_ino;
}

static const char *
open_secret(const char *path, int *fd)
{
	struct stat st;
	const char *why = NULL;
	/* A FIFO, or a device, would keep us waiting. */
	int got = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*fd = -1;
	if (got == -1)
		return strerror(errno);
	if (fstat(got, &st) == -1)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "not a regular file";
	else if (!link_is_good(path, &st))
		why =
		    "a symbolic link to another user's file, or it was replaced just now";
	if (why != NULL) {
		close(got);
		return why;
	}
	*fd = got;
	return NULL;
}

/* ---- commands ---- */

/* Between fork and exec: the command of a token, as its user. */
static _Noreturn void
become_token(const struct token_runs *s, const struct priv_user *u,
    const struct command *c, const int fd[3], pid_t parent)
{
	char *env[ENV];

	child_leave(fd[0], fd[1], fd[2]);
	if (s->proc->start.jailed != 0 && !user_become(u))
		_exit(71);
	child_die_with(parent);
	execve(c->path, c->argv, user_env(u, env));
	dprintf(STDERR_FILENO, "%s: %s\n", c->path, strerror(errno));
	_exit(72);
}

/* pair: [0] is ours, for lookup. */
static bool
make_pipe(int pair[2])
{
	if (pipe2(pair, O_CLOEXEC) == -1)
		return false;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	return true;
}

static void
close_two(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* NULL, or why not; out and err are lookup's ends. */
static const char *
run_token(struct token_runs *s, uint32_t row, const struct command *c, int *out,
    int *err)
{
	struct helper *h = &s->run[row];
	pid_t me = getpid(), pid = -1;
	int says[2], complains[2], null;
	const char *why = NULL;

	/* Asked again: nobody waits for the one before. */
	helper_kill(h);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null == -1)
		return strerror(errno);
	if (!make_pipe(says)) {
		why = strerror(errno);
		close(null);
		return why;
	}
	if (!make_pipe(complains)) {
		why = strerror(errno);
		close(null);
		close_two(says);
		return why;
	}
	if ((pid = fork()) == 0)
		become_token(s, &s->user[row], c,
		    (const int[]){ null, says[1], complains[1] }, me);
	if (pid == -1)
		why = strerror(errno);
	close(null);
	close(says[1]);
	close(complains[1]);
	if (why != NULL) {
		close(says[0]);
		close(complains[0]);
		return why;
	}
	helper_began(h, s->proc->loop, pid, TOKEN_LIFE);
	*out = says[0];
	*err = complains[0];
	return NULL;
}

/* The command of a row, or why there is none.  A path alone is looked for
 * nowhere. */
static const char *
find_token_command(const struct token_runs *s, uint32_t row, struct command *c)
{
	const struct conf *conf = s->proc->conf;
	const struct conf_token *t = CONF_TOKEN(conf, row);
	const char *why;

	if ((why = command_split(conf_text(conf, t->command), c)) != NULL)
		return why;
	return command_by_path(c);
}

static const char *
start_token(struct token_runs *s, uint32_t row, int *out, int *err)
{
	const struct conf *conf = s->proc->conf;
	const struct conf_token *t;
	struct command c;
	const char *why;

	if (row >= conf->token.n)
		return "no such token";
	t = CONF_TOKEN(conf, row);
	if (conf_text(conf, t->file)[0] != '\0')
		return open_secret(conf_text(conf, t->file), out);
	if ((why = find_token_command(s, row, &c)) != NULL)
		return why;
	return run_token(s, row, &c, out, err);
}

void
token_runs_ask(struct token_runs *s, struct ipc_chan *from,
    const struct ipc_msg *msg)
{
	const struct token_ask *ask = msg->body;
	struct token_stderr says = { .token = ask->token };
	struct token_is is;
	const char *why;
	int out = -1, err = -1;

	memset(&is, 0, sizeof(is));
	why = start_token(s, ask->token, &out, &err);
	if (why != NULL)
		outcome_set(&is.outcome, LATER, WIDTH_SITE, 0, "4.3.0", "%s",
		    why);
	else
		outcome_set(&is.outcome, DONE, WIDTH_SITE, 0, NULL, "started");
	if (err != -1) {
		token_stderr_send(from, 0, &says, err);
		close(err);
	}
	token_is_send(from, msg->id, &is, out);
	if (out != -1)
		close(out);
}

void
token_runs_check(struct token_runs *s)
{
	const struct conf *conf = s->proc->conf;
	char where[CONF_AT_MAX];
	struct command c;
	const char *why;
	uint32_t i;

	for (i = 0; i < conf->token.n; i++) {
		const struct conf_token *t = CONF_TOKEN(conf, i);

		if (conf_text(conf, t->file)[0] != '\0')
			continue;
		why = find_token_command(s, i, &c);
		if (why == NULL && s->proc->start.jailed != 0)
			why = user_find(conf_text(conf, t->user), &s->user[i]);
		if (why != NULL)
			proc_fail(s->proc, "%s: token %s: %s",
			    conf_at_print(conf, &t->at, where, sizeof(where)),
			    conf_text(conf, t->name), why);
	}
}

void
token_runs_init(struct token_runs *s, struct proc *p)
{
	s->proc = p;
	s->run = xcalloc(p->conf->token.n + 1, sizeof(*s->run));
	s->user = xcalloc(p->conf->token.n + 1, sizeof(*s->user));
}

void
token_runs_kill(struct token_runs *s)
{
	uint32_t i;

	for (i = 0; i < s->proc->conf->token.n; i++)
		helper_kill(&s->run[i]);
}

void
token_runs_forget(struct token_runs *s, pid_t pid)
{
	uint32_t i;

	for (i = 0; i < s->proc->conf->token.n; i++)
		helper_forget(&s->run[i], pid);
}
