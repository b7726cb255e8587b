/*
 * control: the program itself, with this test as its parent, its queue and
 * its clients, good ones and bad ones.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <bsd/string.h>

#include "ipc.h"
#include "log.h"
#include "proc.h"
#include "unit.h"

#define WAIT_SECONDS 8 /* longer than control waits for the queue */

static struct {
	pid_t pid;
	int parent; /* our end of its channel to the parent */
	int queue;  /* ... to the queue, -1 */
	char dir[64], sock[96];
} t;

/* ---- being the parent ---- */

/* The least configuration that a process takes. */
static int
conf_least(void)
{
	struct {
		struct conf conf;
		char pool[8];
	} image;

	memset(&image, 0, sizeof image);
	image.conf.magic = CONF_MAGIC;
	image.conf.size = sizeof image;
	image.conf.pool.off = sizeof image.conf;
	image.conf.pool.n = sizeof image.pool;
	image.conf.limit_except = image.conf.grey_except = CONF_NONE;
	return conf_seal(&image, sizeof image);
}

static void
recv_limit(int fd)
{
	struct timeval tv = { .tv_sec = WAIT_SECONDS };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

static void
say(enum ipc_type type, const void *body, int fd)
{
	if (!ipc_send_block(t.parent, type, body, fd))
		fatal("parent: %s", strerror(errno));
	if (fd != -1)
		close(fd);
}

/* Waits for a message of this type from the process. */
static int
hear(int sock, enum ipc_type want, void *body, size_t size)
{
	enum ipc_type type = IPC_NONE;
	int fd = -1;
	long n;

	n = ipc_recv_block(sock, &type, body, size, &fd);
	if (fd != -1)
		close(fd);
	return n > 0 && type == want;
}

/* A peer for the process; returns our end. */
static int
give_peer(enum proc_kind kind)
{
	struct proc_peer peer = { .kind = kind };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		fatal("socketpair: %s", strerror(errno));
	recv_limit(pair[0]);
	say(IPC_PROC_PEER, &peer, pair[1]);
	return pair[0];
}

static void
give_queue(void)
{
	t.queue = give_peer(PROC_QUEUE);
}

static int
listener(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strlcpy(sun.sun_path, t.sock, sizeof sun.sun_path);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof sun) == -1 ||
	    chmod(t.sock, 0666) == -1 || listen(fd, 128) == -1)
		fatal("%s: %s", t.sock, strerror(errno));
	return fd;
}

/* libexec/control, beside the directory of unit tests. */
static void
program(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	char *slash;

	if (n == -1)
		fatal("no /proc");
	out[n] = '\0';
	if ((slash = strrchr(out, '/')) != NULL)
		*slash = '\0';
	if ((slash = strrchr(out, '/')) != NULL)
		*slash = '\0';
	strlcat(out, "/libexec/control", size);
}

static int
start(void)
{
	struct proc_start begin = { .kind = PROC_CONTROL };
	struct proc_listen on = { .index = CONF_NONE };
	struct proc_go go = { 0 };
	struct proc_ready ready;
	int parent[2], logs[2];
	char path[512];

	program(path, sizeof path);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, parent) == -1 ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, logs) == -1)
		fatal("socketpair: %s", strerror(errno));
	if ((t.pid = fork()) == 0) {
		dup2(parent[1], PROC_FD_PARENT);
		dup2(logs[1], PROC_FD_LOG);
		execl(path, "control", (char *)NULL);
		_exit(127);
	}
	close(parent[1]);
	t.parent = parent[0];
	recv_limit(t.parent);
	begin.uid = getuid();
	begin.gid = getgid();
	say(IPC_PROC_START, &begin, conf_least());
	say(IPC_PROC_LISTEN, &on, listener());
	give_queue();
	say(IPC_PROC_GO, &go, -1);
	return hear(t.parent, IPC_PROC_READY, &ready, sizeof ready);
}

/* ---- being smtpctl ---- */

static int
client(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strlcpy(sun.sun_path, t.sock, sizeof sun.sun_path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof sun) == -1)
		fatal("%s: %s", t.sock, strerror(errno));
	recv_limit(fd);
	return fd;
}

static struct ctl_ask
remove_all(void)
{
	struct ctl_ask ask;

	memset(&ask, 0, sizeof ask);
	ask.verb = CTL_REMOVE;
	ask.by = CTL_BY_ALL;
	ask.n = CONF_NONE;
	return ask;
}

static int
answered(int fd, enum verdict v, const char *text)
{
	struct ctl_is is;

	return hear(fd, IPC_CTL_IS, &is, sizeof is) &&
	    is.outcome.verdict == v && strcmp(is.outcome.text, text) == 0;
}

/* True if the process closed it without a word. */
static int
dropped(int fd)
{
	char byte;

	errno = 0;
	return recv(fd, &byte, 1, 0) == 0 || errno == ECONNRESET;
}

/* ---- being the queue ---- */

struct question {
	struct ipc_hdr hdr;
	struct ctl_ask ask;
};

static int
queue_hears(struct question *qu)
{
	return recv(t.queue, qu, sizeof *qu, 0) == sizeof *qu &&
	    qu->hdr.type == IPC_CTL_ASK;
}

static void
queue_says(uint64_t id, uint64_t changed, const char *text)
{
	struct {
		struct ipc_hdr hdr;
		struct ctl_is is;
	} a;

	memset(&a, 0, sizeof a);
	a.hdr.type = IPC_CTL_IS;
	a.hdr.len = sizeof a.is;
	a.hdr.id = id;
	outcome_set(&a.is.outcome, DONE, WIDTH_RCPT, 0, NULL, "%s", text);
	a.is.changed = changed;
	send(t.queue, &a, sizeof a, MSG_EOR);
}

/* ---- tests ---- */

static void
test_question(void)
{
	struct ctl_ask ask = remove_all();
	struct question qu;
	struct ctl_is is;
	int fd = client(), i;

	for (i = 0; i < 2; i++) {
		ipc_send_block(fd, IPC_CTL_ASK, &ask, -1);
		CHECK("the_queue_is_asked",
		    queue_hears(&qu) && memcmp(&qu.ask, &ask, sizeof ask) == 0);
		queue_says(qu.hdr.id, 3, "done");
		CHECK("the_client_is_told",
		    hear(fd, IPC_CTL_IS, &is, sizeof is) &&
			is.outcome.verdict == DONE && is.changed == 3);
	}
	close(fd);
}

/* A client that goes away does not take its answer's place from others. */
static void
test_gone(void)
{
	struct ctl_ask ask = remove_all();
	struct question first, second;
	int gone = client(), fd = client();

	ipc_send_block(gone, IPC_CTL_ASK, &ask, -1);
	CHECK("asked_then_gone", queue_hears(&first));
	close(gone);
	ipc_send_block(fd, IPC_CTL_ASK, &ask, -1);
	CHECK("asked_after_it", queue_hears(&second));
	queue_says(first.hdr.id, 1, "first");
	queue_says(second.hdr.id, 2, "second");
	CHECK("each_its_own_answer", answered(fd, DONE, "second"));
	close(fd);
}

static void
test_queue_away(void)
{
	struct ctl_ask ask = remove_all();
	struct question first, again;
	int fd = client();

	ipc_send_block(fd, IPC_CTL_ASK, &ask, -1);
	CHECK("asked_before_the_queue_died", queue_hears(&first));
	close(t.queue);
	give_queue();
	CHECK("asked_again",
	    queue_hears(&again) && memcmp(&again.ask, &ask, sizeof ask) == 0);
	queue_says(again.hdr.id, 0, "back");
	CHECK("answered_by_the_new_one", answered(fd, DONE, "back"));
	close(t.queue);
	poll(NULL, 0, 100);
	ipc_send_block(fd, IPC_CTL_ASK, &ask, -1);
	CHECK("queue_stays_away",
	    answered(fd, LATER, "the queue is restarting"));
	give_queue();
	poll(NULL, 0, 100);
	ipc_send_block(fd, IPC_CTL_ASK, &ask, -1);
	CHECK("not_asked_twice", queue_hears(&first));
	queue_says(first.hdr.id, 0, "here");
	CHECK("queue_is_here", answered(fd, DONE, "here"));
	close(fd);
}

/* ---- whom a question is for ---- */

/* The largest question and answer. */
struct any {
	struct ipc_hdr hdr;
	union {
		struct outcome outcome; /* an answer begins with it */
		uint8_t bytes[IPC_MAX - sizeof(struct ipc_hdr)];
	} body;
};

/* Columns: question, its answer, bytes of both, whom it is for, what is said
 * when he was never there (NULL: he always is). */
static const struct {
	const char *name;
	enum ipc_type ask, is;
	size_t ask_size, is_size;
	enum proc_kind whom;
	const char *starting;
} topics[] = {
	{ "explain", IPC_EXPLAIN_ASK, IPC_EXPLAIN_IS,
	    sizeof(struct explain_ask), sizeof(struct explain_is), PROC_LOOKUP,
	    "the lookup is starting" },
	{ "hosts", IPC_HOSTS_ASK, IPC_HOSTS_IS, sizeof(struct hosts_ask),
	    sizeof(struct hosts_is), PROC_DELIVER, "the deliver is starting" },
	{ "limits", IPC_LIMITS_ASK, IPC_LIMITS_IS, sizeof(struct limits_ask),
	    sizeof(struct limits_is), PROC_QUEUE, NULL },
	{ "parent", IPC_PARENT_ASK, IPC_PARENT_IS, sizeof(struct parent_ask),
	    sizeof(struct parent_is), PROC_PARENT, NULL },
};

#define N_TOPICS (sizeof topics / sizeof topics[0])

static int
hears_words(int fd, size_t i, enum verdict v, const char *words)
{
	struct any a;

	memset(&a, 0, sizeof a);
	return hear(fd, topics[i].is, &a.body, topics[i].is_size) &&
	    a.body.outcome.verdict == v &&
	    strcmp(a.body.outcome.text, words) == 0;
}

/* Asked, answered, and what is not a good question refused. */
static void
test_topic(size_t i, int peer)
{
	int fd = client();
	struct any ask, a;
	ssize_t n;

	memset(&ask, 0, sizeof ask);
	ipc_send_block(fd, topics[i].ask, &ask.body, -1);
	n = recv(peer, &a, sizeof a, 0);
	CHECK(topics[i].name,
	    n == (ssize_t)(sizeof a.hdr + topics[i].ask_size) &&
		a.hdr.type == topics[i].ask && a.hdr.len == topics[i].ask_size);
	ask.hdr = (struct ipc_hdr){ .type = topics[i].is,
		.len = (uint32_t)topics[i].is_size,
		.id = a.hdr.id };
	outcome_set(&ask.body.outcome, DONE, WIDTH_RCPT, 0, NULL, "%s",
	    topics[i].name);
	send(peer, &ask, sizeof ask.hdr + topics[i].is_size, MSG_EOR);
	CHECK("its answer", hears_words(fd, i, DONE, topics[i].name));
	close(fd);

	/* Texts without an end. */
	fd = client();
	memset(&a, 'x', sizeof a);
	ipc_send_block(fd, topics[i].ask, &a.body, -1);
	CHECK("a text without end", dropped(fd));
	close(fd);
}

static void
test_topics(void)
{
	int fd = client(), peers[PROC_KINDS];
	struct any ask;
	size_t i;

	peers[PROC_QUEUE] = t.queue;
	peers[PROC_PARENT] = t.parent;
	memset(&ask, 0, sizeof ask);
	for (i = 0; i < N_TOPICS; i++) {
		if (topics[i].starting == NULL)
			continue;
		ipc_send_block(fd, topics[i].ask, &ask.body, -1);
		CHECK(topics[i].starting,
		    hears_words(fd, i, LATER, topics[i].starting));
		peers[topics[i].whom] = give_peer(topics[i].whom);
	}
	poll(NULL, 0, 100);
	for (i = 0; i < N_TOPICS; i++)
		test_topic(i, peers[topics[i].whom]);

	/* One that is away comes not back; the others are not asked for it. */
	close(peers[PROC_LOOKUP]);
	poll(NULL, 0, 100);
	ipc_send_block(fd, IPC_EXPLAIN_ASK, &ask.body, -1);
	CHECK("who is away does not answer",
	    hears_words(fd, 0, LATER, "the lookup is restarting"));
	close(peers[PROC_DELIVER]);
	close(fd);

	/* Messages of the table that are not for smtpctl to send. */
	fd = client();
	ipc_send_block(fd, IPC_CTL_STOP, &ask.body, -1);
	CHECK("not a question for control", dropped(fd));
	close(fd);
}

/* Columns: name, what is wrong with the message. */
enum bad {
	BAD_EMPTY,
	BAD_SHORT,
	BAD_LONG,
	BAD_TYPE,
	BAD_LEN,
	BAD_TEXT,
	BAD_VERB,
	BAD_NO_VERB,
	BAD_BY,
	BAD_NO_BY,
	BAD_STOP_BY,
	BAD_TWICE
};

static const struct {
	const char *name;
	enum bad bad;
} bads[] = {
	{ "bad_nothing_but_a_byte", BAD_EMPTY },
	{ "bad_cut_short", BAD_SHORT },
	{ "bad_too_long", BAD_LONG },
	{ "bad_other_message", BAD_TYPE },
	{ "bad_length_in_header", BAD_LEN },
	{ "bad_text_without_end", BAD_TEXT },
	{ "bad_verb", BAD_VERB },
	{ "bad_verb_none", BAD_NO_VERB },
	{ "bad_selector", BAD_BY },
	{ "bad_selector_missing", BAD_NO_BY },
	{ "bad_selector_with_stop", BAD_STOP_BY },
	{ "bad_out_of_turn", BAD_TWICE },
};

static void
spoil(enum bad bad, struct question *qu, size_t *len)
{
	switch (bad) {
	case BAD_EMPTY:
		*len = 1;
		break;
	case BAD_SHORT:
		*len -= 1;
		break;
	case BAD_LONG:
		*len += 1;
		break;
	case BAD_TYPE:
		qu->hdr.type = IPC_CTL_IS;
		break;
	case BAD_LEN:
		qu->hdr.len--;
		break;
	case BAD_TEXT:
		memset(qu->ask.text, 'a', sizeof qu->ask.text);
		break;
	case BAD_VERB:
		qu->ask.verb = 0xffffffff;
		break;
	case BAD_NO_VERB:
		qu->ask.verb = CTL_NONE;
		break;
	case BAD_BY:
		qu->ask.by = 0xffffffff;
		break;
	case BAD_NO_BY:
		qu->ask.by = CTL_BY_NONE;
		break;
	case BAD_STOP_BY:
		qu->ask.verb = CTL_STOP;
		break;
	case BAD_TWICE:
		break;
	}
}

static void
test_bad(void)
{
	struct {
		struct question qu;
		char more[8];
	} m;
	struct question seen;
	size_t i, len;
	int fd;

	for (i = 0; i < sizeof bads / sizeof bads[0]; i++) {
		memset(&m, 0, sizeof m);
		m.qu.hdr.type = IPC_CTL_ASK;
		m.qu.hdr.len = sizeof m.qu.ask;
		m.qu.ask = remove_all();
		len = sizeof m.qu;
		spoil(bads[i].bad, &m.qu, &len);
		fd = client();
		send(fd, &m, len, MSG_EOR);
		if (bads[i].bad == BAD_TWICE) {
			send(fd, &m, len, MSG_EOR);
			queue_hears(&seen);
		}
		CHECK(bads[i].name, dropped(fd));
		close(fd);
	}
}

/* A descriptor that nobody asked for. */
static void
test_descriptor(void)
{
	struct ctl_ask ask = remove_all();
	int fd = client();

	ipc_send_block(fd, IPC_CTL_ASK, &ask, fd);
	CHECK("bad_descriptor", dropped(fd));
	close(fd);
}

/* More clients than there is room for: those who ask are answered as soon as
 * others leave. */
static void
test_many(void)
{
	struct ctl_ask ask = remove_all();
	struct question qu;
	int many[80], last;
	size_t i;

	for (i = 0; i < 80; i++)
		many[i] = client();
	last = client();
	ipc_send_block(last, IPC_CTL_ASK, &ask, -1);
	for (i = 0; i < 80; i++)
		close(many[i]);
	CHECK("many_clients", queue_hears(&qu));
	queue_says(qu.hdr.id, 0, "after many");
	CHECK("many_clients_answered", answered(last, DONE, "after many"));
	close(last);
}

/* Nobody, where there is somebody else to be. */
static void
test_refused(void)
{
	struct ctl_ask ask = remove_all();
	int status = 1, fd;
	pid_t pid;

	if (getuid() != 0)
		return;
	if ((pid = fork()) == 0) {
		if (setuid(65534) == -1)
			_exit(2);
		fd = client();
		ipc_send_block(fd, IPC_CTL_ASK, &ask, -1);
		_exit(!answered(fd, NEVER,
		    "only root and who started smtpd may ask"));
	}
	waitpid(pid, &status, 0);
	CHECK("others_are_refused", status == 0);
}

static void
test_stop(void)
{
	struct ctl_ask ask = { .verb = CTL_STOP, .n = CONF_NONE };
	struct proc_stop stop = { 0 };
	struct ctl_stop asked;
	int status = -1, fd = client();

	ipc_send_block(fd, IPC_CTL_ASK, &ask, -1);
	CHECK("stop_is_answered", answered(fd, DONE, "stopping"));
	CHECK("the_parent_is_told",
	    hear(t.parent, IPC_CTL_STOP, &asked, sizeof asked));
	say(IPC_PROC_STOP, &stop, -1);
	CHECK("clients_are_let_go", dropped(fd));
	waitpid(t.pid, &status, 0);
	CHECK("ends_in_order", status == 0);
	close(fd);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(60);
	strlcpy(t.dir, "/tmp/postern-unit.XXXXXX", sizeof t.dir);
	if (mkdtemp(t.dir) == NULL || chmod(t.dir, 0755) == -1)
		fatal("%s: %s", t.dir, strerror(errno));
	snprintf(t.sock, sizeof t.sock, "%s/control.sock", t.dir);
	CHECK("control_starts", start());
	test_question();
	test_gone();
	test_queue_away();
	test_topics();
	test_bad();
	test_descriptor();
	test_many();
	test_refused();
	test_stop();
	unlink(t.sock);
	rmdir(t.dir);
	return unit_end();
}
