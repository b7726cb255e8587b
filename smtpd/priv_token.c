/*
 * Tokens, as far as root is needed: starting the command as its user, opening
 * the file.  Runs in spawn, as root; opens, never reads.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv_command.h"
#include "priv_user.h"

#define TOKEN_LIFE 30000 /* ms that a command may take */
#define ENV        5     /* pointers of its environment */

static char path_env[] = PRIV_PATH;

/* ---- commands ---- */

/* Its environment, "NAME=value" each. */
struct token_env {
	char home[PATH_MAX + 8], user[LOCAL_USER_MAX + 8],
	    logname[LOCAL_USER_MAX + 16];
	char *vars[ENV];
};

static char **
make_env(const struct priv_user *u, struct token_env *e)
{
	size_t n = 0;

	e->vars[n++] = path_env;
	if (u->uid != 0) {
		snprintf(e->home, sizeof(e->home), "HOME=%s", u->home);
		snprintf(e->user, sizeof(e->user), "USER=%s", u->name);
		snprintf(e->logname, sizeof(e->logname), "LOGNAME=%s", u->name);
		e->vars[n++] = e->home;
		e->vars[n++] = e->user;
		e->vars[n++] = e->logname;
	}
	e->vars[n] = NULL;
	return e->vars;
}

/* Between fork and exec: the command of a token, as its user. */
static _Noreturn void
become_token(const struct token_runs *s, const struct priv_user *u,
    const struct command *c, const int fd[3], pid_t parent)
{
	struct token_env env;

	child_leave(fd, 3);
	if (s->proc->start.jailed != 0 && !user_become(u))
		_exit(71);
	child_no_more_rights();
	child_die_with(parent);
	execve(c->path, c->argv, make_env(u, &env));
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
		return user_open(conf_text(conf, t->file), O_RDONLY, 0, out);
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
	started_is(&is.outcome, why);
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
	helpers_kill(s->run, s->proc->conf->token.n);
}

void
token_runs_forget(struct token_runs *s, pid_t pid)
{
	helpers_forget(s->run, s->proc->conf->token.n, pid);
}
