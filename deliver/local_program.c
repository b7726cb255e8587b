/*
 * A user's program: it gets the message on its standard input, whole, and its
 * exit status says what became of it.  Runs in local.
 *
 * The message is a file before the program starts: a message that is cut short,
 * or in a loop, never reaches it, and what it does not read does not matter.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local.h"
#include "local_env.h"
#include "local_exit.h"
#include "local_format.h"

#define SHELL      "/bin/sh"
#define FILES_SOFT 1024      /* descriptors: what programs expect to have */
#define MEMORY_MAX (1 << 20) /* bytes of a message that is kept in memory */
#define GRACE      2000      /* ms between SIGTERM and SIGKILL, at most */
#define LINGER     10000     /* ms for what it left behind to end by itself */

struct program {
	struct local *l;
	int message; /* a file */
	bool on_disk;
	size_t bytes;
	pid_t pid; /* and its process group; 0: it does not run */
	int output;
	struct exit_words words;
	int status;
};

/* ---- the message ---- */

static int
open_spool(void)
{
	static const char *const dirs[] = { "/var/tmp", "/tmp" };
	char path[64];
	size_t i;
	int fd = -1;

	for (i = 0; i < sizeof dirs / sizeof dirs[0] && fd == -1; i++) {
		snprintf(path, sizeof path, "%s/postern.XXXXXXXXXX", dirs[i]);
		if ((fd = mkostemp(path, O_CLOEXEC)) != -1)
			unlink(path);
	}
	return fd;
}

/* What is too large for the memory goes on in a file without a name. */
static bool
move_to_disk(struct program *p)
{
	int fd = open_spool();
	off_t at = 0;
	char part[65536];
	ssize_t n = 0;

	if (fd == -1)
		return local_errno(p->l, "making a file in", "/var/tmp");
	while ((n = pread(p->message, part, sizeof part, at)) > 0) {
		if (!local_write(p->l, fd, part, (size_t)n, "/var/tmp"))
			break;
		at += n;
	}
	if (n != 0) {
		close(fd);
		return n > 0 ? false : local_errno(p->l, "reading", "memory");
	}
	close(p->message);
	p->message = fd;
	p->on_disk = true;
	return true;
}

static bool
put(void *arg, const void *bytes, size_t len)
{
	struct program *p = arg;

	p->bytes += len;
	if (!p->on_disk && p->bytes > MEMORY_MAX && !move_to_disk(p))
		return false;
	return local_write(p->l, p->message, bytes, len,
	    p->on_disk ? "/var/tmp" : "memory");
}

static bool
take_message(struct program *p)
{
	struct content c;

	p->message = memfd_create("message", MFD_CLOEXEC);
	if (p->message == -1)
		return local_errno(p->l, "making", "a file in memory");
	content_start(&c, 0, p->l->start.take.rcpt, put, p);
	if (!local_copy(p->l, &c))
		return false;
	if (lseek(p->message, 0, SEEK_SET) == -1)
		return local_errno(p->l, "reading", "the message");
	return true;
}

/* ---- its start ---- */

/* As a program expects to find the world that a login made. */
static void
reset_signals(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &act, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
set_limits(void)
{
	struct rlimit files, core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &core);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur > FILES_SOFT) {
		files.rlim_cur = FILES_SOFT;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* In the child.  It does not outlive us: who runs us would think that it had
 * come to nothing, and begin again. */
static _Noreturn void
run(const struct program *p, char *const argv[], char *const env[], int output,
    pid_t parent)
{
	setpgid(0, 0);
	/* We may be gone already. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(EXIT_LATER);
	reset_signals();
	set_limits();
	umask(077);
	if (dup2(p->message, STDIN_FILENO) == -1 ||
	    dup2(output, STDOUT_FILENO) == -1 ||
	    dup2(output, STDERR_FILENO) == -1)
		_exit(EXIT_LATER);
	closefrom(STDERR_FILENO + 1);
	if (chdir(p->l->start.take.to.home) == -1 && chdir("/") == -1)
		_exit(EXIT_LATER);
	execve(SHELL, argv, env);
	dprintf(STDERR_FILENO, "%s: %s\n", SHELL, strerror(errno));
	_exit(EXIT_LATER);
}

static bool
start(struct program *p, struct shell *sh)
{
	/* sh -c -- text sh value ... */
	char *argv[SHELL_ARGS_MAX + 6] = { (char[]){ "sh" }, (char[]){ "-c" },
		(char[]){ "--" }, sh->text, (char[]){ "sh" } };
	struct arena arena;
	char **env;
	pid_t me = getpid();
	int pipes[2];
	unsigned int i;

	for (i = 0; i < sh->n; i++)
		argv[5 + i] = sh->value[i];
	arena_init(&arena, 0);
	env = local_env(p->l, &arena);
	if (env == NULL || pipe2(pipes, O_CLOEXEC) == -1) {
		arena_free(&arena);
		return local_errno(p->l, "starting", SHELL);
	}
	p->pid = fork();
	if (p->pid == 0)
		run(p, argv, env, pipes[1], me);
	arena_free(&arena);
	close(pipes[1]);
	if (p->pid == -1) {
		p->pid = 0;
		close(pipes[0]);
		return local_errno(p->l, "starting", SHELL);
	}
	setpgid(p->pid, p->pid);
	p->output = pipes[0];
	fcntl(p->output, F_SETFL, O_NONBLOCK);
	return true;
}

/* ---- its life ---- */

/* What it said so far is read, and what there is no room for is dropped. */
static void
drain(struct program *p)
{
	char said[65536];
	ssize_t n = 0;
	/* One that writes without end is looked at in between. */
	int turns = 16;

	while (p->output != -1 && turns-- > 0 &&
	    (n = read(p->output, said, sizeof said)) > 0)
		exit_words_add(&p->words, said, (size_t)n);
	if (p->output != -1 &&
	    (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))) {
		close(p->output);
		p->output = -1;
	}
}

/* It is not waited for yet, so that its number stays its own. */
static bool
has_ended(const struct program *p)
{
	siginfo_t s = { 0 };

	return waitid(P_PID, (id_t)p->pid, &s, WEXITED | WNOHANG | WNOWAIT) ==
	    -1 ||
	    s.si_pid == p->pid;
}

/* Until it ends, we are told to, or the time is over.  True: it ended. */
static bool
watch(struct program *p, msec until, bool whatever)
{
	while (!has_ended(p)) {
		if (local_now() >= until || (local_ended() && !whatever))
			return false;
		local_wait(p->l, p->output, POLLIN, until);
		drain(p);
	}
	drain(p);
	return true;
}

/* Programs that answer mail do not wait for the sendmail(8) that they started:
 * what still holds the output has a while to end. */
static void
linger(struct program *p, msec until)
{
	if (until > local_now() + LINGER)
		until = local_now() + LINGER;
	while (p->output != -1 && local_now() < until && !local_ended()) {
		local_wait(p->l, p->output, POLLIN, until);
		drain(p);
	}
}

/* Nothing of its group is left behind. */
static void
end_group(struct program *p)
{
	kill(-p->pid, SIGKILL);
	while (waitpid(p->pid, &p->status, 0) == -1 && errno == EINTR)
		;
	drain(p);
}

static bool
end_early(struct program *p, msec grace)
{
	bool told = local_ended();

	kill(-p->pid, SIGTERM);
	kill(-p->pid, SIGCONT);
	p->l->end = local_now() + grace;
	watch(p, p->l->end, true);
	end_group(p);
	if (told)
		return local_later(p->l, WIDTH_RCPT, CAUSE_SYSTEM, "4.3.2",
		    "the program was ended with us");
	return local_later(p->l, WIDTH_SITE, CAUSE_SYSTEM, "4.3.0",
	    "the program took too long and was ended%s%s",
	    p->words.len == 0 ? "" : ": ", p->words.text);
}

static bool
go(struct program *p, struct shell *sh)
{
	msec grace = (msec)p->l->start.life * 1000 / 4;

	if (grace > GRACE)
		grace = GRACE;
	if (!take_message(p) || !start(p, sh))
		return false;
	/* There is time left to say that there was not enough. */
	if (!watch(p, p->l->end - 2 * grace, false))
		return end_early(p, grace);
	linger(p, p->l->end - 2 * grace);
	end_group(p);
	return exit_outcome(p->l, p->status, &p->words);
}

bool
local_program(struct local *l, const char *command)
{
	struct program p = { .l = l, .message = -1, .output = -1 };
	struct shell sh;
	const char *why = format_command(l, command, l->start.wrapper, &sh);
	bool good;

	if (why != NULL)
		return local_later(l, WIDTH_SITE, CAUSE_CONFIG, "4.3.5",
		    "the command cannot be run: %s", why);
	good = go(&p, &sh);
	if (p.message != -1)
		close(p.message);
	if (p.output != -1)
		close(p.output);
	return good;
}
