/*
 * spawn's deliveries, for tests of them: local is the test itself, under that
 * name, and says what it is and has; who may be delivered to as whom.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef UNIT_LOCAL_WORLD_H
#define UNIT_LOCAL_WORLD_H

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

/* ---- beginning and end ---- */

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

/* False: there is no root here, or no users of ours. */
static bool
world_open(const char *name)
{
	static struct ipc_chan parent;

	umask(022);
	log_to_stderr(name, false);
	w.proc.loop = loop_new();
	connect_two(&w.queue, PROC_QUEUE, &w.q, PROC_SPAWN);
	connect_two(&w.lookup, PROC_LOOKUP, &w.l, PROC_SPAWN);
	connect_two(&w.deliver, PROC_DELIVER, &w.d, PROC_SPAWN);
	connect_two(&w.proc.parent, PROC_SPAWN, &parent, PROC_PARENT);
	watch_signal(w.proc.loop, &w.chld, SIGCHLD, on_chld, NULL);
	if (!copy_ourselves())
		abort();
	if (geteuid() != 0 || getpwnam("_smtpl") == NULL || !own_world())
		return false;
	/* As spawn is. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	begin(true);
	return true;
}

static int
world_close(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/local", w.own);
	unlink(path);
	rmdir(w.own);
	return unit_end();
}

#endif
