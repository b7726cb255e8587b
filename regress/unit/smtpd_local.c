/*
 * spawn's deliveries: who may be delivered to as whom, what local is started
 * with, what a new queue hears, how they end.  local is this program itself,
 * under that name: it says what it is and has.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_local.h"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>

#include "conf_image.h"
#include "log.h"
#include "priv_sock.h"
#include "unit.h"

#define WAIT 30000 /* ms: the machine may be busy */

/* ---- as local ---- */

extern char **environ;

static void add(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
add(char *out, size_t size, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, size - n, fmt, ap);
	va_end(ap);
}

static void
add_descriptors(char *out, size_t size)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	int fd, n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		fd = atoi(e->d_name);
		if (e->d_name[0] != '.' && fd != dirfd(dir))
			n |= 1 << fd;
	}
	closedir(dir);
	add(out, size, " fds=%x", n);
}

/* "uid:gid groups=..., what local was started with" */
static void
describe(char *out, size_t size, const struct local_start *s)
{
	gid_t groups[64];
	uid_t r, e, saved;
	int n = getgroups(64, groups), i;
	bool clean = true;

	getresuid(&r, &e, &saved);
	add(out, size, "ids=%u:%u", getuid(), getgid());
	if (r != e || e != saved || (e != 0 && setuid(0) == 0))
		add(out, size, " NOT FOR GOOD");
	for (i = 0; i < n; i++)
		add(out, size, "%s%u", i == 0 ? " groups=" : ",", groups[i]);
	add_descriptors(out, size);
	for (i = 0; environ[i] != NULL; i++)
		clean = clean &&
		    (strncmp(environ[i], "PATH=", 5) == 0 ||
			strncmp(environ[i], "TZ=", 3) == 0);
	add(out, size, " env=%d session=%d umask=%o", clean,
	    getsid(0) == getpid(), umask(0));
	add(out, size, " life=%u method=%u opened=%u strict=%u", s->life,
	    s->method, s->opened, s->strict);
	add(out, size, " arg=%s wrapper=%s host=%s rcpt=%s name=%s", s->arg,
	    s->wrapper, s->hostname, s->take.rcpt, s->text.name);
}

/* The next start, with what becomes 0 and 1. */
static bool
receive(struct local_start *start)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = { start, sizeof(*start) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int fd[2];

	close(0);
	close(1);
	if (recvmsg(3, &m, 0) != sizeof(*start) ||
	    control.head.cmsg_len != CMSG_LEN(sizeof(fd)))
		return false;
	memcpy(fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd[0] == 0 && fd[1] == 1;
}

static int
be_local(const char *name)
{
	struct local_start start;
	struct local_says says = { .magic = LOCAL_SAYS_MAGIC };
	char text[OUTCOME_TEXT_MAX + 1];
	bool whole = read(3, &start, sizeof(start)) == sizeof(start);
	unsigned int turn = 1;

	signal(SIGPIPE, SIG_IGN);
	whole = whole && (start.stays != 0 || read(3, text, 1) == 0);
	do {
		if (strcmp(start.take.envid, "die") == 0)
			return 1;
		if (strcmp(start.take.envid, "stay") == 0)
			pause(); /* until SIGTERM, or SIGKILL */
		text[0] = '\0';
		add(text, sizeof(text), "argv1=%s whole=%d turn=%u ", name,
		    whole, turn++);
		describe(text, sizeof(text), &start);
		outcome_set(&says.outcome, DONE, WIDTH_RCPT, 0, NULL, "%s",
		    text);
		if (start.stays != 0 && write(3, "", 1) != 1)
			start.stays = 0;
		if (write(1, &says, sizeof(says)) != (ssize_t)sizeof(says))
			return 1;
	} while (start.stays != 0 && receive(&start));
	return 0;
}

/* ---- a world ---- */

enum {
	MBOX,
	MAILDIR,
	MDA,
	LMTP,
	RELAY,
	FORWARD,
	EXPAND,
	WRAPPED,
	WRAPPED_DIR,
	TCP,
	GHOST,
	ACTIONS
};

static struct {
	struct proc proc;
	struct local_runs locals;
	struct socks socks;
	struct ipc_chan queue, lookup, deliver; /* our side of them */
	struct ipc_chan q, l, d;                /* spawn's */
	struct watch chld;
	struct timer late;
	char own[64];
	/* what queue heard */
	unsigned int n_held, n_listed;
	struct local_held held[LOCAL_RUNS];
	int held_fd[LOCAL_RUNS];
	struct local_listed listed;
	uint32_t left; /* of the last proc_drained */
	unsigned int n_drained;
	bool over;
} w;

static void
on_take(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	local_runs_take(&w.locals, from, msg);
}

static void
on_noted(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	(void)from;
	local_runs_noted(&w.locals, msg);
}

static void
on_text(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	local_runs_read(&w.locals, from, msg);
}

static void
on_sock(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	socks_ask(&w.socks, from, msg);
}

static void
on_held(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	(void)from;
	w.held[w.n_held] = *(const struct local_held *)msg->body;
	w.held_fd[w.n_held++] = msg->fd;
	msg->fd = -1;
}

static void
on_listed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	(void)from;
	w.n_listed++;
	w.listed = *(const struct local_listed *)msg->body;
}

static void
on_drained(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	(void)from;
	w.n_drained++;
	w.left = ((const struct proc_drained *)msg->body)->left;
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_LOCAL_TAKE] = on_take,
	[IPC_LOCAL_NOTED] = on_noted,
	[IPC_TEXT_ASK] = on_text,
	[IPC_SOCK_ASK] = on_sock,
	[IPC_LOCAL_HELD] = on_held,
	[IPC_LOCAL_LISTED] = on_listed,
	[IPC_PROC_DRAINED] = on_drained,
};

static void
on_lost(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	fprintf(stderr, "channel %d to %d: %s\n", c->me, c->peer,
	    why == NULL ? "closed" : why);
	ipc_detach(c);
}

static void
connect_two(struct ipc_chan *a, enum proc_kind kind_a, struct ipc_chan *b,
    enum proc_kind kind_b)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1)
		abort();
	ipc_init(a, w.proc.loop, kind_a, kind_b, 0, handlers, NULL, on_lost);
	ipc_init(b, w.proc.loop, kind_b, kind_a, 0, handlers, NULL, on_lost);
	ipc_attach(a, pair[0]);
	ipc_attach(b, pair[1]);
}

static void
on_chld(int sig, int what, void *arg)
{
	pid_t pid;

	(void)sig;
	(void)what;
	(void)arg;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		local_runs_forget(&w.locals, pid);
}

static void
on_late(void *arg)
{
	(void)arg;
	w.over = true;
}

/* Until *done, or for ms. */
static bool
run_until(const bool *done, msec ms)
{
	w.over = false;
	timer_set(w.proc.loop, &w.late, ms, on_late, NULL);
	while (!*done && !w.over)
		event_base_loop(w.proc.loop->base, EVLOOP_ONCE);
	timer_clear(&w.late);
	return *done;
}

static void
run_a_while(void)
{
	bool never = false;

	run_until(&never, 100);
}

static unsigned int
running(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < LOCAL_RUNS; i++)
		n += w.locals.take[i].helper.pid != 0;
	for (i = 0; i < READ_RUNS; i++)
		n += w.locals.read[i].pid != 0;
	return n;
}

static bool
run_until_left(unsigned int n)
{
	msec end = loop_msec() + WAIT;

	while (running() > n && loop_msec() < end)
		run_a_while();
	return running() == n;
}

static bool
run_until_none(void)
{
	return run_until_left(0);
}

/* ---- a configuration ---- */

static char sock_path[96];

static struct conf *
make_conf(void)
{
	struct conf *c = image_new();
	struct conf_action a[ACTIONS] = { 0 };
	struct conf_wrapper wrapper[1] = { 0 };
	unsigned int i;

	for (i = 0; i < ACTIONS; i++)
		a[i].wrapper = CONF_NONE;
	a[MBOX].method = METHOD_MBOX;
	a[MAILDIR].method = METHOD_MAILDIR;
	a[MAILDIR].arg = image_text(c, "~/Maildir");
	a[MDA].method = METHOD_MDA;
	a[MDA].arg = image_text(c, "prog %{rcpt}");
	a[MDA].user = image_text(c, "games");
	a[LMTP].method = METHOD_LMTP;
	a[LMTP].arg = image_text(c, sock_path);
	a[LMTP].user = image_text(c, "daemon");
	a[RELAY].method = METHOD_RELAY;
	a[FORWARD].method = METHOD_FORWARD_ONLY;
	a[EXPAND].method = METHOD_EXPAND_ONLY;
	a[EXPAND].user = image_text(c, "daemon");
	a[WRAPPED].method = METHOD_MDA;
	a[WRAPPED].arg = image_text(c, "prog");
	a[WRAPPED].wrapper = 0;
	a[WRAPPED_DIR].method = METHOD_MAILDIR;
	a[WRAPPED_DIR].wrapper = 0;
	a[TCP].method = METHOD_LMTP;
	a[TCP].arg = image_text(c, "localhost:24");
	a[GHOST].method = METHOD_LMTP;
	a[GHOST].arg = image_text(c, sock_path);
	a[GHOST].user = image_text(c, "no-such-user");
	wrapper[0].command = image_text(c, "nice");
	image_rows(c, &c->action, a, ACTIONS, sizeof(a[0]));
	image_rows(c, &c->wrapper, wrapper, 1, sizeof(wrapper[0]));
	c->hostname = image_text(c, "mx.test");
	c->sub_addr_delim = '+';
	return c;
}

static void
begin(bool jailed)
{
	free((void *)w.proc.conf);
	free(w.socks.user);
	w.proc.conf = make_conf();
	w.proc.start.jailed = jailed;
	w.proc.start.generation = 7;
	w.proc.drained = false;
	local_runs_init(&w.locals, &w.proc, w.own);
	local_runs_start(&w.locals);
	socks_init(&w.socks, &w.proc);
	socks_start(&w.socks);
}

/* ---- questions ---- */

static struct {
	bool done;
	struct outcome outcome;
	int fd;
} got;

static void
on_answer(void *arg, struct ipc_msg *m)
{
	(void)arg;
	got.done = true;
	got.fd = -1;
	memset(&got.outcome, 0, sizeof(got.outcome));
	if (m == NULL)
		return;
	if (m->type == IPC_LOCAL_IS)
		got.outcome = ((const struct local_is *)m->body)->outcome;
	else if (m->type == IPC_TEXT_IS)
		got.outcome = ((const struct text_is *)m->body)->outcome;
	else
		got.outcome = ((const struct sock_is *)m->body)->outcome;
	got.fd = m->fd;
	m->fd = -1;
}

/* What is read there within the time, NULL: not an answer. */
static const struct local_says *
read_says(int fd)
{
	static struct local_says says;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t bytes[sizeof(says) + 1];
	size_t n = 0;
	ssize_t now;

	/* SIGCHLD may come meanwhile. */
	while (n < sizeof(bytes)) {
		now = poll(&p, 1, WAIT);
		if (now == 1)
			now = read(fd, bytes + n, sizeof(bytes) - n);
		else if (now == 0)
			break;
		if (now == 0 || (now == -1 && errno != EINTR))
			break;
		if (now > 0)
			n += (size_t)now;
	}
	close(fd);
	return local_says_check(bytes, n, &says) ? &says : NULL;
}

static struct ipc_req req;
static uint64_t last_job;

/* Content that ends at once. */
static void
take(struct local_take *t)
{
	int content[2];

	if (pipe2(content, O_CLOEXEC) == -1)
		abort();
	t->job = ++last_job;
	got.done = false;
	ipc_ask_fd(&w.queue, &req, IPC_LOCAL_TAKE, t, content[0], on_answer,
	    NULL, WAIT);
	close(content[0]);
	close(content[1]);
	run_until(&got.done, WAIT);
}

static void
send_noted(uint64_t job)
{
	struct local_noted m = { .job = job };

	local_noted_send(&w.queue, 0, &m, -1);
}

/* ... and it gets no other. */
static void
note(uint64_t job)
{
	size_t i;

	send_noted(job);
	run_a_while();
	for (i = 0; i < LOCAL_RUNS; i++)
		local_stay_end(&w.locals.take[i]);
}

/* ---- who may ---- */

static uid_t
uid_of(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	if (strcmp(user, "-1") == 0)
		return (uid_t)-1;
	return pw == NULL ? 60000 : pw->pw_uid;
}

static gid_t
gid_of(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	return pw == NULL ? 60000 : pw->pw_gid;
}

/*
 * Columns: name; action, what, flags; whose mailbox (and uid), as; the uid of
 * somebody else than user, as say, NULL: theirs; refused before the fork:
 * words of why, else words of what local says.
 */
static const struct {
	const char *name;
	uint32_t action, what, flags;
	const char *user, *as, *uid;
	const char *refused, *says;
} takes[] = {
	{ "mbox", MBOX, LOCAL_MAILBOX, 0, "games", "", NULL, NULL,
	    " opened=0 strict=0" },
	{ "maildir", MAILDIR, LOCAL_MAILBOX, 0, "games", "", NULL, NULL,
	    " arg=~/Maildir wrapper= host=mx.test rcpt=x@mx.test" },
	{ "mda as another", MDA, LOCAL_MAILBOX, LOCAL_OTHER, "daemon", "games",
	    NULL, NULL, "arg=prog %{rcpt}" },
	{ "mda, its own user", MDA, LOCAL_MAILBOX, 0, "daemon", "", NULL, NULL,
	    "life=300" },
	{ "wrapper", WRAPPED, LOCAL_MAILBOX, 0, "games", "", NULL, NULL,
	    "wrapper=nice" },
	{ "a wrapper's command around a maildir", WRAPPED_DIR, LOCAL_MAILBOX, 0,
	    "games", "", NULL, NULL, "wrapper=nice" },
	{ "a wrapper's command around a file", WRAPPED_DIR, LOCAL_FILE, 0,
	    "games", "", NULL, NULL, "wrapper=nice" },
	{ "a command of an alias", EXPAND, LOCAL_PIPE, LOCAL_OTHER, "daemon",
	    "daemon", NULL, NULL, "life=300" },
	{ "a command of an alias as nobody", FORWARD, LOCAL_PIPE, LOCAL_OTHER,
	    "nobody", "nobody", NULL, NULL, "life=300" },
	{ "a file of an alias", LMTP, LOCAL_FILE, LOCAL_OTHER, "daemon",
	    "daemon", NULL, NULL, "life=60" },
	{ "a command of .forward", FORWARD, LOCAL_PIPE, 0, "games", "", NULL,
	    NULL, "life=300" },
	{ "one of a table only", MAILDIR, LOCAL_MAILBOX, 0, "no-such", "", NULL,
	    NULL, "ids=60000:60000 groups=60000 " },

	{ "root's maildir", MAILDIR, LOCAL_MAILBOX, 0, "root", "", NULL,
	    "root needs an alias", NULL },
	{ "root's mda", MDA, LOCAL_MAILBOX, 0, "root", "", NULL,
	    "root needs an alias", NULL },
	{ "root's command", MBOX, LOCAL_PIPE, 0, "root", "", NULL,
	    "root needs an alias", NULL },
	{ "root's file", MBOX, LOCAL_FILE, 0, "root", "", NULL,
	    "root needs an alias", NULL },
	{ "root by another name", MAILDIR, LOCAL_MAILBOX, 0, "games", "",
	    "root", "root needs an alias", NULL },
	{ "root as the other", MDA, LOCAL_MAILBOX, LOCAL_OTHER, "daemon",
	    "games", "root", "root needs an alias", NULL },
	{ "no number", MAILDIR, LOCAL_MAILBOX, 0, "games", "", "-1",
	    "not a user's number", NULL },
	{ "queue's user", MBOX, LOCAL_MAILBOX, 0, "_smtpq", "", NULL,
	    "of the mail system", NULL },
	{ "lookup's user, by number", MAILDIR, LOCAL_MAILBOX, 0, "games", "",
	    "_smtpl", "of the mail system", NULL },
	{ "nothing to do", MBOX, LOCAL_NONE, 0, "games", "", NULL,
	    "does not do that", NULL },
	{ "what there is not", MBOX, LOCAL_FILE + 1, 0, "games", "", NULL,
	    "does not do that", NULL },
	{ "what there is not, far", MBOX, UINT32_MAX, 0, "games", "", NULL,
	    "does not do that", NULL },
	{ "a mailbox of lmtp", LMTP, LOCAL_MAILBOX, 0, "games", "", NULL,
	    "does not do that", NULL },
	{ "a mailbox of forward-only", FORWARD, LOCAL_MAILBOX, 0, "games", "",
	    NULL, "does not do that", NULL },
	{ "a mailbox of a relay", RELAY, LOCAL_MAILBOX, 0, "games", "", NULL,
	    "does not do that", NULL },
	{ "a command of a relay", RELAY, LOCAL_PIPE, 0, "games", "", NULL,
	    "does not do that", NULL },
	{ "no action", ACTIONS, LOCAL_MAILBOX, 0, "games", "", NULL,
	    "no such action", NULL },
	{ "no action, far", CONF_NONE, LOCAL_MAILBOX, 0, "games", "", NULL,
	    "no such action", NULL },
	{ "another than `user`", MDA, LOCAL_MAILBOX, LOCAL_OTHER, "daemon",
	    "daemon", NULL, "not the user that the action names", NULL },
	{ "another where none is named", MAILDIR, LOCAL_MAILBOX, LOCAL_OTHER,
	    "daemon", "nobody", NULL, "not the user that the action names",
	    NULL },
	{ "a command as another than `user`", EXPAND, LOCAL_PIPE, LOCAL_OTHER,
	    "daemon", "nobody", NULL, "not the user that the action names",
	    NULL },
};

static struct local_take
make_take(size_t i)
{
	struct local_take t;
	const char *whose =
	    (takes[i].flags & LOCAL_OTHER) != 0 ? takes[i].as : takes[i].user;

	memset(&t, 0, sizeof(t));
	t.action = takes[i].action;
	t.to.what = takes[i].what;
	t.to.flags = takes[i].flags;
	t.to.uid = uid_of(takes[i].uid != NULL ? takes[i].uid : whose);
	t.to.gid = gid_of(whose);
	snprintf(t.to.user, sizeof(t.to.user), "%s", takes[i].user);
	snprintf(t.to.as, sizeof(t.to.as), "%s", takes[i].as);
	snprintf(t.rcpt, sizeof(t.rcpt), "x@mx.test");
	return t;
}

/* What every local of a user of the system is and has; else *lacks. */
static bool
is_as_said(const char *text, const struct local_take *t, bool mbox,
    const char **lacks)
{
	const struct group *mail = getgrnam("mail");
	static char want[6][LOCAL_USER_MAX + 32];
	size_t i;

	snprintf(want[0], sizeof(want[0]), "argv1=%s whole=1", t->to.user);
	snprintf(want[1], sizeof(want[1]), "ids=%u:%u ", t->to.uid,
	    mbox ? mail->gr_gid : t->to.gid);
	snprintf(want[2], sizeof(want[2]), " groups=%u",
	    mbox ? mail->gr_gid : t->to.gid);
	snprintf(want[3], sizeof(want[3]), " fds=f ");
	snprintf(want[4], sizeof(want[4]), " env=1 session=1 umask=77 ");
	snprintf(want[5], sizeof(want[5]), "life=%d ",
	    t->to.what == LOCAL_PIPE || t->action == MDA ||
		    t->action == WRAPPED || t->action == WRAPPED_DIR ?
		300 :
		60);
	for (i = 0; i < 6; i++) {
		*lacks = want[i];
		if (strstr(text, want[i]) == NULL)
			return false;
	}
	*lacks = "";
	return strstr(text, "NOT FOR GOOD") == NULL;
}

static void
test_takes(void)
{
	const struct local_says *says;
	struct local_take t;
	const char *lacks = "";
	char name[128];
	bool good;
	size_t i;

	for (i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		snprintf(name, sizeof(name), "take: %s", takes[i].name);
		t = make_take(i);
		take(&t);
		if (takes[i].refused != NULL) {
			CHECK(name,
			    got.done && got.outcome.verdict == LATER &&
				got.outcome.cause == CAUSE_CONFIG &&
				got.fd == -1 && running() == 0 &&
				strstr(got.outcome.text, takes[i].refused) !=
				    NULL);
			continue;
		}
		good = got.outcome.verdict == DONE && got.fd != -1;
		says = good ? read_says(got.fd) : NULL;
		good = says != NULL && says->outcome.verdict == DONE &&
		    strstr(says->outcome.text, takes[i].says) != NULL &&
		    is_as_said(says->outcome.text, &t, takes[i].action == MBOX,
			&lacks);
		if (!good)
			printf("%s: %s (lacks %s)\n", got.outcome.text,
			    says == NULL ? "nothing" : says->outcome.text,
			    lacks);
		CHECK(name, good);
		note(t.job);
		run_until_none();
	}
	CHECK("all have ended", run_until_none());
}

/* What spawn finds out only as the child. */
static void
test_child_refuses(void)
{
	const struct local_says *says;
	struct local_take t = make_take(2); /* mda as games */

	t.to.uid = uid_of("daemon");
	take(&t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	CHECK("the other's uid is another's",
	    says != NULL && says->outcome.verdict == LATER &&
		says->outcome.cause == CAUSE_CONFIG &&
		strstr(says->outcome.text, "another uid") != NULL);
	note(t.job);
	t = make_take(0);
	snprintf(t.envid, sizeof(t.envid), "die");
	take(&t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	CHECK("it died", got.outcome.verdict == DONE && says == NULL);
	note(t.job);
	CHECK("all have ended", run_until_none());
}

/* Columns: whose mailbox, a group, NULL: nobody's number; whether it is given.
 */
static const struct {
	const char *user, *group;
	bool given;
} groups[] = {
	{ "games", "games", true },
	{ "games", NULL, true },
	{ "games", "shadow", false },
	{ "games", "disk", false },
	{ "games", "root", false },
	{ "games", "_smtpq", false },
	{ "no-such", NULL, true },
	{ "no-such", "games", true },
	{ "no-such", "shadow", false },
	{ "no-such", "disk", false },
	{ "no-such", "root", false },
	{ "no-such", "_smtpq", false },
};

/* A group opens what its users do not. */
static void
test_groups(void)
{
	const struct local_says *says;
	const struct group *gr;
	struct local_take t = make_take(1); /* a maildir of games */
	char name[128], want[64];
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		gr = groups[i].group == NULL ? NULL : getgrnam(groups[i].group);
		t.to.uid = uid_of(groups[i].user);
		t.to.gid = gr == NULL ? 60001 : gr->gr_gid;
		snprintf(t.to.user, sizeof(t.to.user), "%s", groups[i].user);
		take(&t);
		says = got.fd == -1 ? NULL : read_says(got.fd);
		snprintf(name, sizeof(name), "group %s for %s",
		    gr == NULL ? "of nobody" : gr->gr_name, groups[i].user);
		snprintf(want, sizeof(want), "ids=%u:%u groups=%u ", t.to.uid,
		    t.to.gid, t.to.gid);
		CHECK(name,
		    says != NULL &&
			(groups[i].given ? says->outcome.verdict == DONE &&
				    strstr(says->outcome.text, want) != NULL :
					   says->outcome.verdict == LATER &&
				    strstr(says->outcome.text,
					"is not a group of") != NULL));
		note(t.job);
	}
	CHECK("all have ended", run_until_none());
}

/* ---- root ---- */

static const struct local_says *
take_root(const char *user)
{
	struct local_take t;

	memset(&t, 0, sizeof(t));
	t.action = MBOX;
	t.to.what = LOCAL_MAILBOX;
	snprintf(t.to.user, sizeof(t.to.user), "%s", user);
	take(&t);
	note(t.job);
	return got.fd == -1 ? NULL : read_says(got.fd);
}

static void
put_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT, mode);

	if (fd == -1 || fchmod(fd, mode) == -1)
		abort();
	close(fd);
}

static bool
refused_with(const struct local_says *says, const char *words)
{
	if (says != NULL && says->outcome.verdict == LATER &&
	    strstr(says->outcome.text, words) != NULL)
		return true;
	printf("it says: %s\n", says == NULL ? "-" : says->outcome.text);
	return false;
}

static void
test_root_mailbox(void)
{
	const struct local_says *says = take_root("root");
	char want[64], elsewhere[96];
	struct stat st;

	snprintf(elsewhere, sizeof(elsewhere), "%s/file", w.own);
	snprintf(want, sizeof(want), "ids=%u:%u groups=%u fds=1f",
	    uid_of("mail"), gid_of("mail"), gid_of("mail"));
	CHECK("root's mbox is opened for mail:mail",
	    says != NULL && says->outcome.verdict == DONE &&
		strstr(says->outcome.text, want) != NULL &&
		strstr(says->outcome.text, "opened=1") != NULL);
	CHECK("root's mbox is root's",
	    stat("/var/mail/root", &st) == 0 && st.st_uid == 0 &&
		(st.st_mode & 0777) == 0600);
	says = take_root("root");
	CHECK("root's mbox, again",
	    says != NULL && says->outcome.verdict == DONE);
	CHECK("not root's name",
	    refused_with(take_root("games"), "not root's"));
	CHECK("not a name", refused_with(take_root("../root"), "not root's"));

	unlink("/var/mail/root");
	put_file(elsewhere, 0600);
	if (symlink(elsewhere, "/var/mail/root") == -1)
		abort();
	CHECK("a symbolic link", refused_with(take_root("root"), "/var/mail"));
	unlink("/var/mail/root");
	put_file("/var/mail/other", 0600);
	if (link("/var/mail/other", "/var/mail/root") == -1)
		abort();
	CHECK("a hard link", refused_with(take_root("root"), "alone"));
	unlink("/var/mail/root");
	if (mkfifo("/var/mail/root", 0600) == -1)
		abort();
	CHECK("a pipe", refused_with(take_root("root"), "not a regular file"));
	unlink("/var/mail/root");
	put_file("/var/mail/root", 0600);
	if (chown("/var/mail/root", uid_of("games"), 0) == -1)
		abort();
	CHECK("another's file", refused_with(take_root("root"), "alone"));
	unlink("/var/mail/root");
	if (mkdir("/var/mail/root", 0700) == -1)
		abort();
	CHECK("a folder", refused_with(take_root("root"), "/var/mail"));
	rmdir("/var/mail/root");
	unlink(elsewhere);
}

/* ---- texts ---- */

static const struct local_says *
ask_text_as(uint32_t what, const char *user, uid_t uid, gid_t gid,
    const char *home, const char *name)
{
	struct text_ask ask;

	memset(&ask, 0, sizeof(ask));
	ask.what = what;
	ask.uid = uid;
	ask.gid = gid;
	snprintf(ask.user, sizeof(ask.user), "%s", user);
	snprintf(ask.home, sizeof(ask.home), "%s", home);
	snprintf(ask.name, sizeof(ask.name), "%s", name);
	got.done = false;
	ipc_ask(&w.lookup, &req, IPC_TEXT_ASK, &ask, on_answer, NULL, WAIT);
	run_until(&got.done, WAIT);
	return got.fd == -1 ? NULL : read_says(got.fd);
}

static const struct local_says *
ask_text(uint32_t what, const char *user, uid_t uid, const char *home,
    const char *name)
{
	return ask_text_as(what, user, uid, gid_of(user), home, name);
}

/* Columns: name; what, user, name of the file; why it is refused, or what is
 * said. */
static const struct {
	const char *name;
	uint32_t what;
	const char *user, *file;
	const char *refused, *says;
} texts[] = {
	{ "a .forward", TEXT_FORWARD, "games", ".forward", NULL,
	    "life=20 method=0 opened=0 strict=0" },
	{ "one with a sub-address", TEXT_FORWARD, "games", ".forward+x", NULL,
	    "name=.forward+x" },
	{ "a list", TEXT_INCLUDE, "games", "/tmp/list", NULL,
	    "name=/tmp/list" },
	{ "what is nothing", TEXT_NONE, "games", ".forward", "not a file",
	    NULL },
	{ "what there is not", TEXT_INCLUDE + 1, "games", ".forward",
	    "not a file", NULL },
	{ "another file", TEXT_FORWARD, "games", ".ssh", "not a file", NULL },
	{ "a file in a folder", TEXT_FORWARD, "games", ".forward/../.ssh",
	    "not a file", NULL },
	{ "a path for a name", TEXT_FORWARD, "games", "/etc/shadow",
	    "not a file", NULL },
	{ "a name for a path", TEXT_INCLUDE, "games", "list", "whole path",
	    NULL },
	{ "root's list", TEXT_INCLUDE, "root", "/etc/shadow",
	    "root needs an alias", NULL },
	{ "queue's list", TEXT_INCLUDE, "_smtpq", "/etc/passwd",
	    "of the mail system", NULL },
};

static void
test_texts(void)
{
	const struct local_says *says;
	char name[128];
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(name, sizeof(name), "text: %s", texts[i].name);
		says = ask_text(texts[i].what, texts[i].user,
		    uid_of(texts[i].user), "/nonexistent", texts[i].file);
		if (texts[i].refused != NULL)
			CHECK(name,
			    says == NULL && got.outcome.verdict == LATER &&
				got.outcome.cause == CAUSE_CONFIG &&
				strstr(got.outcome.text, texts[i].refused) !=
				    NULL);
		else
			CHECK(name,
			    says != NULL && says->outcome.verdict == DONE &&
				strstr(says->outcome.text, texts[i].says) !=
				    NULL);
	}
	says = ask_text_as(TEXT_INCLUDE, "", uid_of("_smtpl"), gid_of("_smtpl"),
	    "/", "/tmp/list");
	snprintf(name, sizeof(name), "ids=%u:%u groups=%u ", uid_of("_smtpl"),
	    gid_of("_smtpl"), gid_of("_smtpl"));
	CHECK("text: a list of aliases, which lookup may read itself",
	    says != NULL && says->outcome.verdict == DONE &&
		strstr(says->outcome.text, name) != NULL);
	says = ask_text_as(TEXT_INCLUDE, "", uid_of("_smtpl"),
	    getgrnam("shadow")->gr_gid, "/", "/etc/shadow");
	CHECK("text: as lookup, with another group",
	    refused_with(says, "is not a group of"));
	says = ask_text_as(TEXT_INCLUDE, "games", uid_of("games"),
	    getgrnam("shadow")->gr_gid, "/", "/etc/shadow");
	CHECK("text: as a user, with another group",
	    refused_with(says, "is not a group of"));
	CHECK("all have ended", run_until_none());
}

static void
test_root_text(void)
{
	const char *home = getpwuid(0)->pw_dir;
	const struct local_says *says;
	char path[PATH_MAX], want[64];

	snprintf(path, sizeof(path), "%s/.forward", home);
	says = ask_text(TEXT_FORWARD, "root", 0, "/etc", ".forward");
	CHECK("root has no .forward",
	    says != NULL && says->outcome.verdict == NEVER);
	put_file(path, 0600);
	says = ask_text(TEXT_FORWARD, "root", 0, "/etc", ".forward");
	snprintf(want, sizeof(want), "ids=%u:%u groups=%u fds=1f",
	    uid_of("_smtpl"), gid_of("_smtpl"), gid_of("_smtpl"));
	CHECK("root's .forward is opened for lookup's user",
	    says != NULL && says->outcome.verdict == DONE &&
		strstr(says->outcome.text, want) != NULL);
	says = ask_text(TEXT_FORWARD, "games", 0, "/etc", ".forward");
	CHECK("root by another name", refused_with(says, "not root's"));
	unlink(path);
	if (symlink("/etc/shadow", path) == -1 ||
	    lchown(path, uid_of("games"), 0) == -1)
		abort();
	says = ask_text(TEXT_FORWARD, "root", 0, "/etc", ".forward");
	CHECK("a link that another made",
	    refused_with(says, "another user's file"));
	unlink(path);
}

/* ---- sockets ---- */

static int
listen_on(const char *path, mode_t mode, uid_t uid)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	unlink(path);
	if (bind(sock, (struct sockaddr *)&un, sizeof(un)) == -1 ||
	    listen(sock, 1) == -1 || chmod(path, mode) == -1 ||
	    chown(path, uid, 0) == -1)
		abort();
	return sock;
}

static void
ask_sock(uint32_t action)
{
	struct sock_ask ask = { .action = action };

	got.done = false;
	ipc_ask(&w.deliver, &req, IPC_SOCK_ASK, &ask, on_answer, NULL, WAIT);
	run_until(&got.done, WAIT);
}

static void
test_socks(void)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int sock, conn, i, held[8];

	ask_sock(LMTP);
	CHECK("sock: nobody is there",
	    got.outcome.verdict == LATER && got.fd == -1 &&
		got.outcome.cause == CAUSE_NETWORK);
	sock = listen_on(sock_path, 0600, uid_of("daemon"));
	ask_sock(LMTP);
	CHECK("sock: connected",
	    got.outcome.verdict == DONE && got.fd != -1 &&
		(fcntl(got.fd, F_GETFL) & O_NONBLOCK) != 0);
	conn = accept(sock, NULL, NULL);
	CHECK("sock: as its user",
	    getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		peer.uid == uid_of("daemon") && peer.gid == gid_of("daemon"));
	CHECK("sock: and root again", geteuid() == 0 && getegid() == 0);
	close(got.fd);
	close(conn);
	for (i = 0; i < 8; i++) {
		ask_sock(LMTP);
		held[i] = got.fd;
	}
	CHECK("sock: nobody waits for a busy server",
	    got.outcome.verdict == LATER && got.fd == -1);
	for (i = 0; i < 8; i++) {
		if (held[i] != -1)
			close(held[i]);
	}
	close(sock);
	sock = listen_on(sock_path, 0600, 0);
	ask_sock(LMTP);
	CHECK("sock: not for its user",
	    got.outcome.verdict == LATER && got.fd == -1);
	close(sock);
	unlink(sock_path);
	ask_sock(TCP);
	CHECK("sock: of host and port",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG);
	ask_sock(GHOST);
	CHECK("sock: as a user that there is not",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG &&
		strstr(got.outcome.text, "no such user") != NULL);
	ask_sock(MBOX);
	CHECK("sock: of another method",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG);
	ask_sock(ACTIONS);
	CHECK("sock: of no action",
	    got.outcome.verdict == LATER && got.outcome.cause == CAUSE_CONFIG);
}

/* ---- many, and for how long ---- */

static unsigned int
descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static struct local_take
stay(void)
{
	struct local_take t = make_take(1);

	snprintf(t.envid, sizeof(t.envid), "stay");
	t.id = 0x1234;
	t.n = 5;
	return t;
}

static void
test_many(void)
{
	static int fds[LOCAL_RUNS];
	unsigned int before = descriptors(), i, n_held, good = 0;
	uint64_t first = last_job + 1;
	struct local_take t;

	for (i = 0; i < LOCAL_RUNS; i++) {
		t = stay();
		take(&t);
		good += got.outcome.verdict == DONE;
		fds[i] = got.fd;
	}
	CHECK("so many at once", good == LOCAL_RUNS && running() == LOCAL_RUNS);
	t = stay();
	take(&t);
	CHECK("one too many is for later",
	    got.outcome.verdict == LATER && got.fd == -1 &&
		got.outcome.cause == CAUSE_SYSTEM);

	/* The queue is another now. */
	w.n_held = w.n_listed = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	n_held = w.n_held;
	for (i = 0, good = 0; i < n_held; i++) {
		good += w.held[i].job == first + i && w.held[i].id == 0x1234 &&
		    w.held[i].n == 5 && w.held_fd[i] != -1;
		close(w.held_fd[i]);
	}
	CHECK("a new queue hears of all",
	    n_held == LOCAL_RUNS && good == n_held && w.n_listed == 1 &&
		w.listed.generation == 7);

	/* A newer generation is at work. */
	w.n_drained = 0;
	local_runs_drain(&w.locals);
	run_a_while();
	CHECK("it says how many there are",
	    w.n_drained == 1 && w.left == LOCAL_RUNS);
	for (i = 0; i < LOCAL_RUNS; i++) {
		close(fds[i]);
		send_noted(first + i);
		if (i == 0)
			kill(w.locals.take[0].helper.pid, SIGKILL);
	}
	run_a_while();
	CHECK("what is noted and runs on still counts",
	    run_until_left(LOCAL_RUNS - 1) && w.n_drained == 1);
	w.proc.stopping = true;
	local_runs_drain(&w.locals);
	CHECK("SIGTERM when all of us stop", run_until_none());
	run_a_while();
	CHECK("and none is left", w.n_drained == 2 && w.left == 0);
	t = stay();
	take(&t);
	CHECK("nothing is begun any more",
	    got.outcome.verdict == LATER && got.fd == -1);
	CHECK("no descriptor is left", descriptors() == before);
}

/* The run of the last one. */
static struct local_run *
run_of(uint64_t job)
{
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++) {
		if (w.locals.take[i].job == job)
			return &w.locals.take[i];
	}
	abort();
}

/* Noted, and ended, in either order. */
static void
test_order(void)
{
	unsigned int before = descriptors();
	struct local_take t = make_take(0);

	take(&t);
	local_stay_end(run_of(t.job));
	CHECK("it says something", read_says(got.fd) != NULL);
	CHECK("it has ended", run_until_none());
	w.n_held = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	CHECK("ended, not noted: it is held", w.n_held == 1);
	close(w.held_fd[0]);
	note(t.job + 1);
	w.n_held = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	CHECK("another's note is not for it", w.n_held == 1);
	close(w.held_fd[0]);
	note(t.job);
	w.n_held = 0;
	local_runs_list(&w.locals, &w.q);
	run_a_while();
	CHECK("noted: it is gone", w.n_held == 0);
	CHECK("no descriptor is left", descriptors() == before);
}

/* ---- one that stays ---- */

/* What it says after so many deliveries, this one included. */
static bool
is_turn(struct local_take *t, unsigned int turn)
{
	const struct local_says *says;
	char want[32];

	take(t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	snprintf(want, sizeof(want), " turn=%u ", turn);
	if (says != NULL && strstr(says->outcome.text, want) != NULL)
		return true;
	printf("wanted%s: %s\n", want,
	    says == NULL ? "nothing" : says->outcome.text);
	return false;
}

/* As queue does: noted, then the next. */
static bool
is_next_turn(struct local_take *t, unsigned int turn)
{
	send_noted(t->job);
	return is_turn(t, turn);
}

static void
test_stay(void)
{
	unsigned int before = descriptors();
	struct local_take box = make_take(0), dir = make_take(1), other,
			  program = make_take(3);
	struct local_run *r;
	siginfo_t ended;

	CHECK("stay: the first", is_turn(&box, 1));
	CHECK("stay: the next by the same", is_next_turn(&box, 2));
	CHECK("stay: and the one after it", is_next_turn(&box, 3));
	CHECK("stay: one that is not noted gets none", is_turn(&box, 1));
	send_noted(box.job - 1);
	CHECK("stay: another method", is_turn(&dir, 1));
	CHECK("stay: each has its own", is_next_turn(&dir, 2));
	other = dir;
	send_noted(dir.job);
	other.to.gid = 60001;
	CHECK("stay: another group", is_turn(&other, 1));
	send_noted(other.job);
	other = make_take(9); /* a file, as daemon */
	CHECK("stay: another user", is_turn(&other, 1));
	CHECK("stay: a program's", is_turn(&program, 1));
	CHECK("stay: for another program", is_next_turn(&program, 2));
	send_noted(program.job);
	send_noted(other.job);
	other = make_take(10); /* of .forward, as games */
	CHECK("stay: none that may run no program", is_turn(&other, 1));
	CHECK("stay: but one that may", is_next_turn(&other, 2));

	r = run_of(dir.job);
	kill(r->helper.pid, SIGKILL);
	waitid(P_PID, (id_t)r->helper.pid, &ended, WEXITED | WNOWAIT);
	CHECK("stay: one that was killed", is_turn(&dir, 1));
	r = run_of(dir.job);
	r->until = loop_msec();
	CHECK("stay: one of old age", is_next_turn(&dir, 1));
	send_noted(dir.job);
	run_a_while();
	r = run_of(dir.job);
	CHECK("stay: it waits", r->next != -1 && r->helper.pid != 0);
	send_noted(box.job);
	send_noted(other.job);
	send_noted(program.job);
	CHECK("stay: not for long", run_until_none());
	CHECK("stay: no descriptor is left", descriptors() == before);
}

/* Many users, of whom each had one. */
static void
test_stay_many(void)
{
	struct local_take t = make_take(1);
	unsigned int before = descriptors(), i, n = 0, good = 0;

	for (i = 0; i < 40; i++) {
		t.to.uid = t.to.gid = 60100 + i;
		snprintf(t.to.user, sizeof(t.to.user), "nobody-%u", i);
		good += is_turn(&t, 1);
		send_noted(t.job);
	}
	run_a_while();
	for (i = 0; i < LOCAL_RUNS; i++)
		n += w.locals.take[i].next != -1;
	CHECK("stay: not too many", good == 40 && n >= 1 && n <= 32);
	CHECK("stay: who was last", is_turn(&t, 2));
	w.n_drained = 0;
	local_runs_drain(&w.locals);
	CHECK("stay: not when a newer one is at work",
	    run_of(t.job)->next == -1);
	send_noted(t.job);
	CHECK("stay: which hears of their end", run_until_none());
	run_a_while();
	CHECK("stay: once", w.n_drained == 2 && w.left == 0);
	w.locals.draining = w.proc.drained = false;
	CHECK("stay: no descriptor is left", descriptors() == before);
}

/* An ordinary user's own. */
static void
test_not_jailed(void)
{
	const struct local_says *says;
	struct local_take t;

	begin(false);
	t = make_take(1);
	t.to.uid = geteuid() + 1;
	take(&t);
	CHECK("not jailed: another user",
	    got.outcome.verdict == LATER && got.fd == -1);
	if (geteuid() == 0)
		return;
	t.to.uid = geteuid();
	take(&t);
	says = got.fd == -1 ? NULL : read_says(got.fd);
	CHECK("not jailed: our own",
	    says != NULL && strstr(says->outcome.text, "strict=1") != NULL);
	note(t.job);
	CHECK("all have ended", run_until_none());
}

/* ---- */

/* /var/mail and root's home are empty, and nobody's but ours. */
static bool
own_world(void)
{
	const char *home = getpwuid(0)->pw_dir;
	char options[64];

	snprintf(options, sizeof(options), "mode=2775,gid=%u", gid_of("mail"));
	return unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("mail", "/var/mail", "tmpfs", 0, options) == 0 &&
	    mount("home", home, "tmpfs", 0, "mode=700") == 0;
}

static bool
copy_ourselves(void)
{
	char command[256];

	snprintf(w.own, sizeof(w.own), "/tmp/postern-local-XXXXXX");
	if (mkdtemp(w.own) == NULL || chmod(w.own, 0755) == -1)
		return false;
	snprintf(sock_path, sizeof(sock_path), "%s/lmtp", w.own);
	snprintf(command, sizeof(command),
	    "cp /proc/%d/exe %s/local && chmod 755 %s/local", (int)getpid(),
	    w.own, w.own);
	return system(command) == 0;
}

int
main(int argc, char **argv)
{
	static struct ipc_chan parent;
	char path[96];

	if (argc > 1 && strcmp(argv[0], "local") == 0)
		return be_local(argv[1]);
	umask(022);
	log_to_stderr("smtpd_local", false);
	w.proc.loop = loop_new();
	connect_two(&w.queue, PROC_QUEUE, &w.q, PROC_SPAWN);
	connect_two(&w.lookup, PROC_LOOKUP, &w.l, PROC_SPAWN);
	connect_two(&w.deliver, PROC_DELIVER, &w.d, PROC_SPAWN);
	connect_two(&w.proc.parent, PROC_SPAWN, &parent, PROC_PARENT);
	watch_signal(w.proc.loop, &w.chld, SIGCHLD, on_chld, NULL);
	if (!copy_ourselves())
		abort();
	if (geteuid() == 0 && getpwnam("_smtpl") != NULL && own_world()) {
		/* As spawn is. */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		begin(true);
		test_takes();
		test_child_refuses();
		test_groups();
		test_root_mailbox();
		test_texts();
		test_root_text();
		test_socks();
		test_order();
		test_stay();
		test_stay_many();
		test_many();
	}
	test_not_jailed();
	snprintf(path, sizeof(path), "%s/local", w.own);
	unlink(path);
	rmdir(w.own);
	return unit_end();
}
