/*
 * libexec/local: who may be delivered to as whom, what is running, who hears
 * of it.  Runs in spawn, as root; waits for nothing, reads no mail and nothing
 * that local says.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_local.h"

#include <sys/socket.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* Seconds that local gives itself. */
#define LIFE_MAILBOX 60
#define LIFE_PROGRAM LOCAL_LIFE_MAX
#define LIFE_READ    20
/* ms that it has beyond, before it is killed: becoming a user is included. */
#define LIFE_MORE 30000
/* ms between «all of us stop» and SIGTERM to deliveries. */
#define HURRY_AFTER 1500
/* ms that an answer is kept for a queue that is there and does not note it */
#define KEEP (10 * 60000)

/* ---- what may be done ---- */

/* Bits 1 << METHOD_*: whose recipient may have a mailbox, and whose may stand
 * for a command or a file. */
static const uint32_t may[] = {
	[LOCAL_NONE] = 0,
	[LOCAL_MAILBOX] =
	    1u << METHOD_MBOX | 1u << METHOD_MAILDIR | 1u << METHOD_MDA,
	[LOCAL_PIPE] = ~(1u << METHOD_RELAY),
	[LOCAL_FILE] = ~(1u << METHOD_RELAY),
};

#define N_MAY (sizeof(may) / sizeof(may[0]))

const char *
local_check_user(const struct local_runs *l, uid_t uid, gid_t gid)
{
	unsigned int k;

	if (uid == 0)
		return "mail for root needs an alias";
	if (uid == (uid_t)-1 || gid == (gid_t)-1)
		return "not a user's number";
	if (l->proc->start.jailed == 0)
		return uid == geteuid() ?
		    NULL :
		    "smtpd was not started by root, and this is another user";
	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		if (uid == l->servant[k])
			return "mail for a user of the mail system needs an alias";
	}
	return NULL;
}

/* A command or file of aliases runs as `user` of the action, else as nobody;
 * a mailbox as `user` if there is one. */
static bool
other_is_good(const struct local_to *to, const char *user)
{
	if (user[0] == '\0' && to->what != LOCAL_MAILBOX)
		user = "nobody";
	return user[0] != '\0' && strcmp(to->as, user) == 0;
}

static const char *
check_to(const struct local_runs *l, const struct local_to *to,
    const struct conf_action *a, struct local_start *start)
{
	bool mbox = to->what == LOCAL_MAILBOX && a->method == METHOD_MBOX;
	bool other = (to->flags & LOCAL_OTHER) != 0;

	if (to->what >= N_MAY || (may[to->what] & 1u << a->method) == 0)
		return "the action does not do that";
	if (other && !other_is_good(to, conf_text(l->proc->conf, a->user)))
		return "not the user that the action names";
	if (mbox && l->mail_gid == 0 && l->proc->start.jailed != 0)
		return "there is no group mail, which mailboxes are made with";
	if (mbox && !other && to->uid == 0 && l->proc->start.jailed != 0) {
		start->opened = 1;
		return l->mail_uid == 0 ? "there is no user mail" : NULL;
	}
	return local_check_user(l, to->uid, to->gid);
}

/* Of the configuration, or of a user. */
static bool
runs_program(const struct local_take *take, const struct conf_action *a)
{
	return take->to.what == LOCAL_PIPE || a->wrapper != CONF_NONE ||
	    (take->to.what == LOCAL_MAILBOX && a->method == METHOD_MDA);
}

/* Fills start from the configuration's row.  NULL, or why not. */
static const char *
plan_take(const struct local_runs *l, const struct local_take *take,
    struct local_start *start)
{
	const struct conf *conf = l->proc->conf;
	const struct conf_action *a;
	const char *why, *wrapper = "";

	if (take->action >= conf->action.n)
		return "no such action";
	a = CONF_ACTION(conf, take->action);
	if ((why = check_to(l, &take->to, a, start)) != NULL)
		return why;
	if (a->wrapper != CONF_NONE)
		wrapper =
		    conf_text(conf, CONF_WRAPPER(conf, a->wrapper)->command);
	if (strlcpy(start->arg, conf_text(conf, a->arg), sizeof(start->arg)) >=
		sizeof(start->arg) ||
	    strlcpy(start->wrapper, wrapper, sizeof(start->wrapper)) >=
		sizeof(start->wrapper))
		return "the action's command or path is too long";
	start->doing = LOCAL_DO_DELIVER;
	start->life = runs_program(take, a) ? LIFE_PROGRAM : LIFE_MAILBOX;
	start->stays = start->opened == 0;
	start->method = a->method;
	start->junk = a->junk;
	start->take = *take;
	return NULL;
}

static const char *
plan_read(const struct local_runs *l, const struct text_ask *ask,
    struct local_start *start)
{
	static const char dot_forward[] = ".forward";

	start->doing = LOCAL_DO_READ;
	start->life = LIFE_READ;
	start->text = *ask;
	if (ask->what == TEXT_INCLUDE && ask->name[0] != '/')
		return "the file is not named by its whole path";
	/* A list of an alias is nobody's: lookup's own user reads it. */
	if (ask->what == TEXT_INCLUDE)
		return ask->uid != 0 && ask->uid == l->reader_uid ?
		    NULL :
		    local_check_user(l, ask->uid, ask->gid);
	if (ask->what != TEXT_FORWARD ||
	    strncmp(ask->name, dot_forward, sizeof(dot_forward) - 1) != 0 ||
	    strchr(ask->name, '/') != NULL)
		return "not a file that is read";
	start->opened = ask->uid == 0 && l->proc->start.jailed != 0;
	return start->opened != 0 ? NULL :
				    local_check_user(l, ask->uid, ask->gid);
}

static void
start_init(const struct local_runs *l, struct local_start *start)
{
	const struct conf *conf = l->proc->conf;

	memset(start, 0, sizeof(*start));
	start->magic = LOCAL_START_MAGIC;
	start->delim = conf->sub_addr_delim;
	start->strict = l->proc->start.jailed == 0;
	/* No longer than HOST_MAX: the parser saw to it. */
	(void)strlcpy(start->hostname, conf_text(conf, conf->hostname),
	    sizeof(start->hostname));
}

/* ---- starting it ---- */

static void
close_all(int *fd, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (fd[i] != -1)
			close(fd[i]);
	}
}

msec
local_life(const struct local_start *start)
{
	return (msec)start->life * 1000 + LIFE_MORE;
}

/* The whole of it, in the socket before anybody reads it. */
static bool
write_start(int fd, const struct local_start *start)
{
	return send(fd, start, sizeof(*start),
		   MSG_EOR | MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)sizeof(*start);
}

/* content: -1 for none.  False and errno; *answer and, where it stays, *next
 * are our ends. */
static bool
launch(const struct local_runs *l, struct helper *h,
    const struct local_start *start, int content, int *answer, int *next)
{
	/* our end of the answer, its end; its end of the start, ours; null */
	int fd[5] = { -1, -1, -1, -1, -1 };
	pid_t me = getpid(), pid = -1;
	int error;

	fd[4] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd[4] != -1 && pipe2(fd, O_CLOEXEC) == 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd + 2) ==
		0 &&
	    write_start(fd[3], start))
		pid = fork();
	if (pid == 0) {
		if (content == -1)
			content = fd[4];
		local_child(l, start,
		    (const int[]){ content, fd[1], fd[4], fd[2] },
		    start->doing == LOCAL_DO_READ ? me : 0);
	}
	error = errno;
	if (pid > 0) {
		fcntl(fd[0], F_SETFL, O_NONBLOCK);
		*answer = fd[0];
		fd[0] = -1;
		helper_began(h, l->proc->loop, pid, local_life(start));
	}
	if (pid > 0 && start->stays != 0) {
		*next = fd[3];
		fd[3] = -1;
	}
	close_all(fd, sizeof(fd) / sizeof(fd[0]));
	errno = error;
	return pid > 0;
}

/* ---- deliveries ---- */

static bool
is_free(const struct local_run *r)
{
	return r->helper.pid == 0 && r->answer == -1;
}

static uint32_t
count_takes(const struct local_runs *l)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++)
		n += !is_free(&l->take[i]);
	return n;
}

static void
look_drained(struct local_runs *l)
{
	if (l->draining && count_takes(l) == 0)
		proc_drained(l->proc, 0);
}

static void
drop_answer(struct local_run *r)
{
	timer_clear(&r->keep);
	if (r->answer != -1)
		close(r->answer);
	r->answer = -1;
	local_stay(r);
	look_drained(r->of);
}

/* A queue that is away may still come and ask. */
static void
on_kept(void *arg)
{
	struct local_run *r = arg;
	const struct ipc_chan *queue = proc_chan(r->of->proc, PROC_QUEUE, 0);

	if (queue == NULL || queue->fd == -1)
		timer_set(r->of->proc->loop, &r->keep, KEEP, on_kept, r);
	else
		drop_answer(r);
}

static struct local_run *
free_take(struct local_runs *l)
{
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++) {
		if (is_free(&l->take[i]))
			return &l->take[i];
	}
	return NULL;
}

static void
no_room(struct outcome *o, const char *why)
{
	outcome_set(o, LATER, WIDTH_RCPT, 0, "4.3.2", "%s", why);
	outcome_of_us(o, CAUSE_SYSTEM, STAGE_PREPARE);
}

static void
not_allowed(struct outcome *o, const char *why)
{
	outcome_set(o, LATER, WIDTH_RCPT, 0, "4.3.5", "%s", why);
	outcome_of_us(o, CAUSE_CONFIG, STAGE_PREPARE);
}

/* By one that waits for it, or a new one.  NULL: none, and errno, 0 where
 * there is no place for it. */
static struct local_run *
begin(struct local_runs *l, const struct local_start *start, int content)
{
	const struct conf_action *a =
	    CONF_ACTION(l->proc->conf, start->take.action);
	struct local_run *r = NULL;
	struct local_as as;
	int next = -1;

	local_stay_as(a, start, runs_program(&start->take, a), &as);
	if (start->stays != 0)
		r = local_stay_find(l, &as);
	if (r != NULL && local_stay_give(r, start, content))
		return r;
	errno = 0;
	if ((r = free_take(l)) == NULL ||
	    !launch(l, &r->helper, start, content, &r->answer, &next))
		return NULL;
	local_stay_begin(r, &as, next);
	return r;
}

void
local_runs_take(struct local_runs *l, struct ipc_chan *from,
    struct ipc_msg *msg)
{
	const struct local_take *take = msg->body;
	struct local_run *r = NULL;
	struct local_start start;
	struct local_is is;
	const char *why;

	memset(&is, 0, sizeof(is));
	is.job = take->job;
	start_init(l, &start);
	/* Whoever wrote the content must not keep local waiting for it. */
	fcntl(msg->fd, F_SETFL, 0);
	if ((why = plan_take(l, take, &start)) != NULL)
		not_allowed(&is.outcome, why);
	else if (l->hurried)
		no_room(&is.outcome, "we are stopping");
	else if ((r = begin(l, &start, msg->fd)) == NULL)
		no_room(&is.outcome,
		    errno == 0 ? "too many deliveries" : strerror(errno));
	else {
		r->job = take->job;
		r->id = take->id;
		r->n = take->n;
		outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, NULL, "started");
	}
	local_is_send(from, msg->id, &is,
	    is.outcome.verdict == DONE ? r->answer : -1);
}

void
local_runs_noted(struct local_runs *l, const struct ipc_msg *msg)
{
	const struct local_noted *m = msg->body;
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++) {
		if (l->take[i].answer != -1 && l->take[i].job == m->job)
			drop_answer(&l->take[i]);
	}
}

void
local_runs_list(struct local_runs *l, struct ipc_chan *queue)
{
	struct local_listed listed = { .generation =
					   l->proc->start.generation };
	struct local_held held;
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++) {
		if (l->take[i].answer == -1)
			continue;
		memset(&held, 0, sizeof(held));
		held.job = l->take[i].job;
		held.id = l->take[i].id;
		held.n = l->take[i].n;
		local_held_send(queue, 0, &held, l->take[i].answer);
	}
	local_listed_send(queue, 0, &listed, -1);
}

/* ---- files ---- */

void
local_runs_read(struct local_runs *l, struct ipc_chan *from,
    struct ipc_msg *msg)
{
	struct helper *h = helpers_free(l->read, READ_RUNS);
	struct local_start start;
	struct text_is is;
	const char *why;
	int fd = -1;

	memset(&is, 0, sizeof(is));
	start_init(l, &start);
	if ((why = plan_read(l, msg->body, &start)) != NULL)
		not_allowed(&is.outcome, why);
	else if (h == NULL)
		no_room(&is.outcome, "too many files are being read");
	else if (!launch(l, h, &start, -1, &fd, NULL))
		no_room(&is.outcome, strerror(errno));
	else
		outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, NULL, "started");
	text_is_send(from, msg->id, &is, fd);
	if (fd != -1)
		close(fd);
}

void
local_runs_kill_reads(struct local_runs *l)
{
	helpers_kill(l->read, READ_RUNS);
}

/* ---- ends ---- */

/* local ends its program, and says so. */
static void
on_hurry(void *arg)
{
	struct local_runs *l = arg;
	size_t i;

	l->hurried = true;
	for (i = 0; i < LOCAL_RUNS; i++) {
		if (l->take[i].helper.pid > 0)
			kill(l->take[i].helper.pid, SIGTERM);
	}
}

void
local_runs_drain(struct local_runs *l)
{
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++)
		local_stay_end(&l->take[i]);
	if (!l->draining)
		proc_drained(l->proc, count_takes(l));
	l->draining = true;
	if (l->proc->stopping && !l->hurried)
		timer_set(l->proc->loop, &l->hurry, HURRY_AFTER, on_hurry, l);
}

void
local_runs_forget(struct local_runs *l, pid_t pid)
{
	struct local_run *r;
	size_t i;

	helpers_forget(l->read, READ_RUNS, pid);
	for (i = 0; i < LOCAL_RUNS; i++) {
		r = &l->take[i];
		if (r->helper.pid != pid)
			continue;
		helper_forget(&r->helper, pid);
		local_stay_end(r);
		if (r->answer != -1)
			timer_set(l->proc->loop, &r->keep, KEEP, on_kept, r);
		else
			look_drained(l);
	}
}

/* ---- beginning ---- */

void
local_runs_init(struct local_runs *l, struct proc *p, const char *own)
{
	size_t i;

	l->proc = p;
	l->own = own;
	for (i = 0; i < LOCAL_RUNS; i++) {
		l->take[i].of = l;
		l->take[i].answer = l->take[i].next = -1;
	}
}

void
local_runs_start(struct local_runs *l)
{
	const struct passwd *pw;
	const struct group *gr;
	unsigned int k;

	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		pw = getpwnam(proc_table[k].user);
		l->servant[k] = pw == NULL ? 0 : pw->pw_uid;
	}
	if ((pw = getpwnam(proc_table[PROC_LOOKUP].user)) != NULL) {
		l->reader_uid = pw->pw_uid;
		l->reader_gid = pw->pw_gid;
	}
	if ((pw = getpwnam("mail")) != NULL)
		l->mail_uid = pw->pw_uid;
	if ((gr = getgrnam("mail")) != NULL)
		l->mail_gid = gr->gr_gid;
}
