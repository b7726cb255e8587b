/*
 * What one parent writes down for the next is what that reads; anything else
 * is refused with a word.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf_image.h"
#include "parent_upgrade.h"
#include "unit.h"

/* Never freed, but not lost. */
static struct kept {
	struct parent parent;
	struct kept *next;
} * kept;

static struct parent *
new_parent(void)
{
	static struct options options = { .foreground = true };
	struct kept *k = calloc(1, sizeof *k);
	struct parent *p = &k->parent;

	if (k == NULL)
		abort();
	k->next = kept;
	kept = k;
	p->options = &options;
	p->loop = loop_new();
	p->pid_file = p->control = -1;
	TAILQ_INIT(&p->all);
	return p;
}

static int
new_fd(void)
{
	return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
}

static int
new_socket(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		abort();
	return fcntl(pair[0], F_DUPFD_CLOEXEC, 10);
}

/* A generation with two listeners, of which one is closed. */
static struct generation *
new_generation(struct parent *p, uint32_t number)
{
	const struct conf_listen row = { .local = 1,
		.ca = CONF_NONE,
		.auth_table = CONF_NONE,
		.hostnames = CONF_NONE,
		.senders = CONF_NONE,
		.proxy = CONF_NONE,
		.xclient = CONF_NONE,
		.submission_table = CONF_NONE };
	const struct conf_listen rows[2] = { row, row };
	struct generation *g = generation_new(p);
	struct conf *c = image_new();
	int i;

	image_rows(c, &c->listen, rows, 2, sizeof rows[0]);
	for (i = 0; i < CONF_PARTS; i++)
		g->conf_fd[i] = conf_seal(c, c->size);
	free(c);
	g->number = number;
	g->loaded = 1795269736 + number;
	if (!generation_map(g))
		abort();
	generation_own(g);
	g->listeners[1] = new_socket();
	return g;
}

static void
new_child(struct parent *p, struct generation *g, enum proc_kind kind,
    unsigned int slot, enum child_state state, pid_t pid)
{
	struct child *ch = child_new(p, kind, slot, g);

	ch->state = state;
	ch->pid = pid;
	if (pid == 0)
		return;
	ch->chan.fd = new_socket();
	ch->log = new_socket();
}

static struct parent *
full_parent(void)
{
	struct parent *p = new_parent();
	struct generation *old = new_generation(p, 6);

	p->now = new_generation(p, 7);
	p->number = 7;
	p->token[0] = UINT64_MAX;
	p->token[1] = 42;
	p->pid_file = new_fd();
	p->control = new_socket();
	new_child(p, old, PROC_SESSION, 127, CHILD_DRAINING, 1001);
	new_child(p, old, PROC_LOOKUP, 3, CHILD_READY, 1002);
	new_child(p, p->now, PROC_QUEUE, 0, CHILD_READY, 1003);
	new_child(p, p->now, PROC_CONTROL, 5, CHILD_READY, 1004);
	new_child(p, p->now, PROC_KEYS, 9, CHILD_DOWN, 0);
	p->reload.asker[0] = (struct asker){ .ch = &p->child[PROC_CONTROL][5],
		.pid = 1004,
		.id = 1ULL << 40 };
	/* One that is no more. */
	p->reload.asker[1] =
	    (struct asker){ .ch = &p->child[PROC_CONTROL][5], .pid = 999 };
	p->reload.n_askers = 2;
	return p;
}

static int
same_child(struct parent *a, struct parent *b, enum proc_kind k, unsigned int i)
{
	const struct child *x = &a->child[k][i], *y = &b->child[k][i];

	return x->state == y->state && x->pid == y->pid &&
	    x->gen->number == y->gen->number && x->chan.fd == y->chan.fd &&
	    x->log == y->log && y->kind == k && y->instance == i;
}

static void
test_all(void)
{
	struct parent *a = full_parent(), *b = new_parent();
	const char *why = upgrade_read(b, upgrade_write(a, true));
	struct generation *old = TAILQ_FIRST(&b->all);

	CHECK("all is read", why == NULL);
	CHECK("token", memcmp(a->token, b->token, sizeof a->token) == 0);
	CHECK("files", a->pid_file == b->pid_file && a->control == b->control);
	CHECK("now", b->now != NULL && b->now->number == 7 && b->number == 7);
	CHECK("loaded", b->now->loaded == a->now->loaded);
	CHECK("order", old->number == 6 && TAILQ_NEXT(old, entry) == b->now);
	CHECK("listeners",
	    b->now->listeners[0] == -1 &&
		b->now->listeners[1] == a->now->listeners[1]);
	CHECK("conf", b->now->conf->listen.n == 2);
	CHECK("session", same_child(a, b, PROC_SESSION, 127));
	CHECK("lookup", same_child(a, b, PROC_LOOKUP, 3));
	CHECK("queue", same_child(a, b, PROC_QUEUE, 0));
	CHECK("control", same_child(a, b, PROC_CONTROL, 5));
	CHECK("down", same_child(a, b, PROC_KEYS, 9));
	CHECK("asker",
	    b->reload.n_askers == 1 &&
		b->reload.asker[0].ch == &b->child[PROC_CONTROL][5] &&
		b->reload.asker[0].id == 1ULL << 40);
	CHECK("closed at exec",
	    (fcntl(b->pid_file, F_GETFD) & FD_CLOEXEC) != 0);
}

static void
test_sockets(void)
{
	struct parent *a = full_parent(), *b = new_parent();
	const char *why = upgrade_read(b, upgrade_write(a, false));

	CHECK("sockets are read", why == NULL);
	CHECK("no generation", b->now == NULL && TAILQ_EMPTY(&b->all));
	CHECK("no asker", b->reload.n_askers == 0);
	CHECK("number", b->number == 7);
	CHECK("one socket",
	    b->upgrade.n_inherited == 1 &&
		b->upgrade.inherited[0] == a->now->listeners[1]);
}

/* Columns: name, text; %P is our pid. */
static const struct {
	const char *name, *text;
} bad[] = {
	{ "empty", "" },
	{ "no end", "postern-upgrade 1\npid %P\nipc 1\nfiles 1 2\n" },
	{ "another version", "postern-upgrade 2\npid %P\nfiles 1 2\nend\n" },
	{ "another process", "postern-upgrade 1\npid 1\nfiles 1 2\nend\n" },
	{ "no files", "postern-upgrade 1\npid %P\nend\n" },
	{ "a file that is not open",
	    "postern-upgrade 1\npid %P\nfiles 1 9999\nend\n" },
	{ "no word", "postern-upgrade 1\npid %P\nnonsense 1\nend\n" },
	{ "an empty line", "postern-upgrade 1\n\npid %P\nend\n" },
	{ "too few", "postern-upgrade 1\npid\nend\n" },
	{ "too many", "postern-upgrade 1\npid %P 1\nend\n" },
	{ "no number", "postern-upgrade 1\npid %Px\nend\n" },
	{ "negative", "postern-upgrade 1\npid -1\nend\n" },
	{ "no conf",
	    "postern-upgrade 1\npid %P\nfiles 1 2\n"
	    "generation 1 1 1 2 1\nend\n" },
	{ "a child of nobody",
	    "postern-upgrade 1\npid %P\nfiles 1 2\n"
	    "child 1 0 3 77 1 2\nend\n" },
	{ "a listener of nobody",
	    "postern-upgrade 1\npid %P\nfiles 1 2\n"
	    "listener 0 1\nend\n" },
	{ "an asker out of range",
	    "postern-upgrade 1\npid %P\nfiles 1 2\n"
	    "asker 128 1 1\nend\n" },
};

static int
sealed(const char *text)
{
	char out[512];
	const char *at = strstr(text, "%P");

	if (at == NULL)
		snprintf(out, sizeof out, "%s", text);
	else
		snprintf(out, sizeof out, "%.*s%ld%s", (int)(at - text), text,
		    (long)getpid(), at + 2);
	return conf_seal(out, strlen(out));
}

static void
test_bad(void)
{
	struct parent *p;
	size_t i;
	int fd;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		p = new_parent();
		fd = sealed(bad[i].text);
		CHECK(bad[i].name, upgrade_read(p, fd) != NULL);
	}
	/* Whoever can still write to it is not we. */
	fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	if (fd == -1 || write(fd, "end\n", 4) != 4)
		abort();
	CHECK("not sealed", upgrade_read(new_parent(), fd) != NULL);
	CHECK("not open", upgrade_read(new_parent(), 9999) != NULL);
}

int
main(void)
{
	test_all();
	test_sockets();
	test_bad();
	return unit_end();
}
