/*
 * smtpctl(8), run to send reports, as the owner of the spool: what it asks of
 * the DNS and says to sendmail(8) is no work for root.  Runs in spawn, as root;
 * reads nothing: what it says is the queue's to read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "places.h"

#define REPORT_LIFE (60 * 60 * 1000) /* ms: then it goes on the next time */

static char path_env[] = PRIV_PATH;

/* What is executed. */
struct report_command {
	char path[PATH_MAX + 16];
	char run[sizeof((struct proc_start *)0)->run];
	char day[16];
	char *argv[8];
};

/* It is beside smtpd, which is above the folder of our programs, or where all
 * is installed. */
static bool
find_smtpctl(const char *own, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/../smtpctl", own);

	if (n > 0 && (size_t)n < size && access(out, X_OK) == 0)
		return true;
	n = snprintf(out, size, "%s/smtpctl", places_sbin);
	return n > 0 && (size_t)n < size && access(out, X_OK) == 0;
}

/* NULL, or why not. */
static const char *
make_command(const struct report_run *r, uint32_t until,
    struct report_command *c)
{
	static char words[][10] = { "smtpctl", "-R", "report", "send",
		"--until" };
	size_t n = 0;

	if (!find_smtpctl(r->own, c->path, sizeof(c->path)))
		return "there is no smtpctl";
	c->argv[n++] = words[0];
	/* Unless it was told so itself. */
	if (strcmp(r->proc->start.spool, places_spool) != 0) {
		memcpy(c->run, r->proc->start.run, sizeof(c->run));
		c->argv[n++] = words[1];
		c->argv[n++] = c->run;
	}
	snprintf(c->day, sizeof(c->day), "%u", until);
	c->argv[n++] = words[2];
	c->argv[n++] = words[3];
	c->argv[n++] = words[4];
	c->argv[n++] = c->day;
	c->argv[n] = NULL;
	return NULL;
}

/* Between fork and exec. */
static _Noreturn void
become_smtpctl(const struct report_run *r, const struct report_command *c,
    const int fd[3], pid_t parent)
{
	char *env[] = { path_env, NULL };

	child_leave(fd, 3);
	if (r->proc->start.jailed != 0 && !user_become(&r->user))
		_exit(71);
	child_limit_files();
	child_no_more_rights();
	child_die_with(parent);
	execve(c->path, c->argv, env);
	dprintf(STDERR_FILENO, "%s: %s\n", c->path, strerror(errno));
	_exit(72);
}

/* NULL, or why not; *says is the queue's end. */
static const char *
begin(struct report_run *r, uint32_t until, int *says)
{
	pid_t me = getpid(), pid = -1;
	struct report_command c;
	const char *why;
	int null, out[2];

	if (r->helper.pid != 0)
		return "reports are being sent already";
	if ((why = make_command(r, until, &c)) != NULL)
		return why;
	if ((null = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
		return strerror(errno);
	if (pipe2(out, O_CLOEXEC) == -1) {
		why = strerror(errno);
		close(null);
		return why;
	}
	if ((pid = fork()) == 0)
		become_smtpctl(r, &c, (const int[]){ null, out[1], out[1] },
		    me);
	if (pid == -1)
		why = strerror(errno);
	close(null);
	close(out[1]);
	if (why != NULL) {
		close(out[0]);
		return why;
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	helper_began(&r->helper, r->proc->loop, pid, REPORT_LIFE);
	*says = out[0];
	return NULL;
}

static void
answer(struct ipc_chan *to, uint64_t question, enum verdict v, const char *text)
{
	struct report_sent sent;

	memset(&sent, 0, sizeof(sent));
	outcome_set(&sent.outcome, v, WIDTH_SITE, 0, NULL, "%s", text);
	report_sent_send(to, question, &sent, -1);
}

void
report_run_ask(struct report_run *r, struct ipc_chan *from,
    const struct ipc_msg *msg)
{
	const struct report_send *ask = msg->body;
	const struct report_says says = { 0 };
	const char *why;
	int fd = -1;

	/* It runs for a queue that is no more: this one hears of its end. */
	if (r->helper.pid != 0 && r->asker == NULL) {
		r->asker = from;
		r->question = msg->id;
		return;
	}
	if ((why = begin(r, ask->until, &fd)) != NULL) {
		answer(from, msg->id, LATER, why);
		return;
	}
	r->asker = from;
	r->question = msg->id;
	report_says_send(from, 0, &says, fd);
	close(fd);
}

void
report_run_forget(struct report_run *r, pid_t pid, int status)
{
	char text[64];

	if (pid == 0 || r->helper.pid != pid)
		return;
	helper_forget(&r->helper, pid);
	if (r->asker == NULL)
		return;
	if (status == -1)
		snprintf(text, sizeof(text), "smtpctl was ended");
	else
		snprintf(text, sizeof(text), "smtpctl ended with %d", status);
	answer(r->asker, r->question, status == 0 ? DONE : LATER, text);
	r->asker = NULL;
}

void
report_run_gone(struct report_run *r, const struct ipc_chan *c)
{
	if (r->asker == c)
		r->asker = NULL;
}

void
report_run_kill(struct report_run *r)
{
	helper_kill(&r->helper);
}

void
report_run_start(struct report_run *r)
{
	const char *name = proc_table[PROC_QUEUE].user, *why;

	if (r->proc->start.jailed == 0)
		return;
	if ((why = user_find(name, &r->user)) != NULL)
		proc_fail(r->proc, "%s: %s", name, why);
}

void
report_run_init(struct report_run *r, struct proc *p, const char *own)
{
	memset(r, 0, sizeof(*r));
	r->proc = p;
	r->own = own;
}
