/*
 * Recipients that stand for several: a queue over a spool of its own, and a
 * lookup at the other end of a channel that answers as told.  Children are
 * whole, made once whatever is lost, and never expanded again, but for the
 * parts of a long list.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>

#include <bsd/string.h>

#include <xxhash.h>

#include "conf_image.h"
#include "id.h"
#include "ids.h"
#include "log.h"
#include "queue.h"
#include "spool_priv.h"
#include "spool_read.h"
#include "unit.h"
#include "unit_dir.h"

enum { WAIT_MS = 150000, LOOK_MS = 5 };
enum { MANY = 10000, SMALL = 700, IN_PART = 500 };

/* How long states wait to be written: hardly, where the case waits for them;
 * longer than it lasts, where it is killed before. */
enum { STATES_SOON = 10, STATES_HELD = 10 * WAIT_MS };

/* ---- what queue_main.c has ---- */

void
queue_commit(struct queue *qu)
{
	timer_clear(&qu->commit);
	msg_store(qu);
	index_commit(qu->index);
}

static void
on_commit(void *arg)
{
	queue_commit(arg);
	tx_answer(arg);
}

void
queue_changed(struct queue *qu)
{
	if (!qu->commit.set)
		timer_set(qu->p.loop, &qu->commit, 5, on_commit, qu);
}

static void
on_run(void *arg)
{
	schedule_asks(arg);
}

void
queue_run_soon(struct queue *qu)
{
	if (!qu->run.set)
		timer_set(qu->p.loop, &qu->run, 0, on_run, qu);
}

bool
queue_index_ok(struct queue *qu, enum index_error e)
{
	(void)qu;
	if (e != INDEX_OK && e != INDEX_NONE)
		abort();
	return e == INDEX_OK;
}

void
queue_stop(struct queue *qu, bool spoil)
{
	(void)qu;
	(void)spoil;
}

/* ---- lookup ---- */

enum manner {
	LIST,     /* as it should be */
	SILENT,   /* no answer at all */
	REFUSES,  /* 550 */
	LATELY,   /* 451 */
	CHANGES,  /* another list on the second page, once */
	RESTLESS, /* each time */
	SHORT,    /* fewer than it says */
	EMPTY_ADDR,
	TOO_MANY,
	NO_END, /* an address without its NUL */
	OTHER_PAGE,
	LEAVES,    /* each is something on this host */
	OWNED,     /* a list with an owner */
	PARTS,     /* a long list: n parts of IN_PART each (world.answered) */
	DEEP,      /* a part of it has parts, and these, without an end */
	LONG_PART, /* a leaf that leaves no room for an id */
	LONG_LEAF, /* ... and one without its NUL */
	AGAIN      /* a child, that expands all the same */
};

/* Columns: address, how it is answered, how many it stands for. */
static const struct alias {
	const char *addr;
	enum manner manner;
	uint32_t n;
} aliases[] = {
	{ "three@a.test", LIST, 3 },
	{ "two@a.test", LIST, 2 },
	{ "many@a.test", LIST, MANY },
	{ "many1@a.test", LIST, MANY },
	{ "many2@a.test", LIST, MANY },
	{ "many3@a.test", LIST, MANY },
	{ "many4@a.test", LIST, MANY },
	{ "many5@a.test", LIST, MANY },
	{ "pages@a.test", CHANGES, 400 },
	{ "restless@a.test", RESTLESS, 400 },
	{ "silent@a.test", SILENT, 3 },
	{ "refused@a.test", REFUSES, 3 },
	{ "later@a.test", LATELY, 3 },
	{ "short@a.test", SHORT, 3 },
	{ "empty@a.test", EMPTY_ADDR, 3 },
	{ "toomany@a.test", TOO_MANY, EXPAND_MAX + 1 },
	{ "noend@a.test", NO_END, 3 },
	{ "otherpage@a.test", OTHER_PAGE, 3 },
	{ "again@a.test", AGAIN, 3 },
	{ "leaves@a.test", LEAVES, 3 },
	{ "owned@a.test", OWNED, 3 },
	{ "owned1@a.test", OWNED, 1 },
	{ "parts@a.test", PARTS, 16 },
	{ "deep@a.test", DEEP, 1 },
	{ "longpart@a.test", LONG_PART, 2 },
	{ "longleaf@a.test", LONG_LEAF, 3 },
};

struct world {
	uint64_t leaving;   /* the message of goes() */
	struct world *next; /* none is freed: what they hold is not leaked */
	struct queue qu;
	struct ipc_chan at_lookup, at_queue;
	char dir[64];
	struct timer look;
	bool (*truth)(struct world *w);
	msec until;
	bool late;
	unsigned int asked, pages, most;
	unsigned int leaves; /* asked for with their leaf, and whose they are */
	uint32_t changes;
	uint32_t answered; /* parts of PARTS; nobody answers for the others */
	uint32_t mute;     /* so many of these were asked for */
};

static struct world *worlds;

static const struct alias *
alias_of(const char *addr)
{
	size_t i;

	for (i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
		if (strcmp(aliases[i].addr, addr) == 0)
			return &aliases[i];
	}
	return NULL;
}

static void
on_route_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct route_ask *ask = msg->body;
	const struct alias *a = alias_of(ask->rcpt);
	struct world *w = self;
	struct route_is is;
	bool expand = a != NULL &&
	    ((ask->facts.flags & FACT_EXPANDED) == 0 || a->manner == AGAIN ||
		ask->leaf[0] == LEAF_PART);

	w->asked++;
	w->leaves += ask->leaf[0] != '\0' && strchr(ask->of, '@') != NULL;
	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, NULL, "here");
	if (expand)
		is.flags = ROUTE_EXPANDS;
	else
		strlcpy(is.route, "mx:x.test", sizeof is.route);
	route_is_send(from, msg->id, &is, -1);
}

static unsigned int
part_of(const char *leaf)
{
	return (unsigned int)strtoul(leaf + 2, NULL, 10);
}

/* Address and leaf of recipient i.  Returns their bytes. */
static size_t
pair(const struct alias *a, const struct expand_ask *ask, uint32_t i, char *out)
{
	bool of_part = ask->leaf[0] == LEAF_PART;
	char addr[64], leaf[LEAF_TEXT_MAX + 1] = "";

	snprintf(addr, sizeof addr, "r%u@x.test", i);
	if (a->manner == LEAVES)
		snprintf(leaf, sizeof leaf, "m box r%u", i);
	if (of_part && a->manner != DEEP)
		snprintf(addr, sizeof addr, "p%u.%u@x.test", part_of(ask->leaf),
		    i);
	else if (a->manner >= PARTS && a->manner <= LONG_PART) {
		strlcpy(addr, a->addr, sizeof addr);
		snprintf(leaf, sizeof leaf, "%c %u %u of it", LEAF_PART, i,
		    a->n);
	}
	if (a->manner == LONG_PART)
		memset(leaf + strlen(leaf), 'x',
		    LEAF_TEXT_MAX - ID_LEN - strlen(leaf));
	memcpy(out, addr, strlen(addr) + 1);
	memcpy(out + strlen(addr) + 1, leaf, strlen(leaf) + 1);
	return strlen(addr) + strlen(leaf) + 2;
}

/* As many recipients as there is room for. */
static void
fill(const struct alias *a, const struct expand_ask *ask, struct expand_is *is)
{
	char text[ADDR_MAX + LEAF_TEXT_MAX + 2];
	size_t used = 0, len;

	while (is->from + is->n < is->total) {
		len = pair(a, ask, is->from + is->n, text);
		if (len > sizeof is->text - used)
			break;
		memcpy(is->text + used, text, len);
		used += len;
		is->n++;
	}
}

static void
spoil(struct world *w, const struct alias *a, const struct expand_ask *ask,
    struct expand_is *is)
{
	switch (a->manner) {
	case CHANGES:
		if (w->changes == 0 && ask->from > 0)
			w->changes++;
		is->sum += w->changes;
		break;
	case RESTLESS:
		is->sum += ++w->changes;
		break;
	case SHORT:
		is->n--;
		is->total--;
		is->from = 1;
		break;
	case EMPTY_ADDR:
		is->text[0] = '\0';
		break;
	case NO_END:
		memset(is->text, 'x', sizeof is->text);
		is->text[sizeof is->text - 1] = '\0';
		break;
	case OTHER_PAGE:
		is->from++;
		break;
	case LONG_LEAF:
		memset(is->text + 1, 'x', sizeof is->text - 1);
		is->text[1] = '\0';
		is->text[sizeof is->text - 1] = '\0';
		break;
	case OWNED:
		strlcpy(is->sender, "owner-list@a.test", sizeof is->sender);
		break;
	case REFUSES:
		outcome_set(&is->outcome, NEVER, WIDTH_RCPT, 550, "5.4.6",
		    "nobody is left");
		break;
	case LATELY:
		outcome_set(&is->outcome, LATER, WIDTH_RCPT, 451, "4.4.3",
		    "not now");
		break;
	default:
		break;
	}
}

static void
on_expand_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct expand_ask *ask = msg->body;
	const struct alias *a = alias_of(ask->rcpt);
	struct world *w = self;
	struct expand_is is;

	bool of_part = ask->leaf[0] == LEAF_PART;

	w->pages++;
	if (w->qu.n_large > w->most)
		w->most = w->qu.n_large;
	if (of_part && part_of(ask->leaf) >= w->answered) {
		w->mute++;
		return;
	}
	if (a->manner == SILENT)
		return;
	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, NULL, "these");
	is.sum = 4711;
	is.total = of_part && a->manner != DEEP ? IN_PART : a->n;
	is.from = ask->from;
	fill(a, ask, &is);
	spoil(w, a, ask, &is);
	expand_is_send(from, msg->id, &is, -1);
}

static ipc_handler *const lookup_handlers[IPC_TYPES] = {
	[IPC_ROUTE_ASK] = on_route_ask,
	[IPC_EXPAND_ASK] = on_expand_ask,
};
static ipc_handler *const queue_handlers[IPC_TYPES] = { 0 };

static void
on_lost(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	(void)c;
	printf("# channel lost: %s\n", why);
}

/* ---- a world ---- */

static struct conf *
make_conf(void)
{
	static const struct conf_step steps[] = { { 600, 1 } };
	struct conf_retry rule = { .max = 3600 };
	struct conf *c = image_new();

	c->queue_ttl = 4 * 86400;
	c->route_concurrency = 20;
	c->hostname = image_text(c, "mx.test");
	image_rows(c, &rule.step, steps, 1, sizeof steps[0]);
	image_rows(c, &c->retry, &rule, 1, sizeof rule);
	return c;
}

/* A queue over w->dir; its index made anew from the files. */
static void
world_open(struct world *w)
{
	const uint64_t token[2] = { 1, 2 };
	struct queue *qu = &w->qu;
	struct spool_hooks hooks;
	const char *why = NULL;
	bool empty;
	int i, fd[2];

	TAILQ_INIT(&qu->dirty);
	TAILQ_INIT(&qu->answers);
	TAILQ_INIT(&qu->ctls);
	STAILQ_INIT(&qu->unsaved);
	for (i = 0; i <= PROC_MAX; i++)
		TAILQ_INIT(&qu->tx_of[i]);
	qu->p.loop = loop_new();
	qu->p.conf = make_conf();
	ways_init(&qu->ways, qu->p.conf, arc4random);
	schedule_start(qu);
	restore_hooks(qu, &hooks);
	qu->spool = spool_open(qu->p.loop, w->dir, &hooks, &why);
	qu->index = index_open(w->dir, token, true, &empty, &why);
	if (qu->spool == NULL || qu->index == NULL)
		abort();
	qu->spool->states_wait = STATES_SOON;
	qu->replaying = true;
	if (!spool_replay(qu->spool))
		abort();
	restore_replayed(qu);
	tx_start(qu);
	qu->open = true;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == -1)
		abort();
	ipc_init(&w->at_queue, qu->p.loop, PROC_QUEUE, PROC_LOOKUP, 0,
	    queue_handlers, qu, on_lost);
	ipc_init(&w->at_lookup, qu->p.loop, PROC_LOOKUP, PROC_QUEUE, 0,
	    lookup_handlers, w, on_lost);
	ipc_attach(&w->at_queue, fd[0]);
	ipc_attach(&w->at_lookup, fd[1]);
	ipc_go(&w->at_queue);
	ipc_go(&w->at_lookup);
	qu->p.peer[PROC_LOOKUP][0] = &w->at_queue;
	while (spool_walk(qu->spool, 100))
		;
	schedule_kick(qu);
}

/* dir: of an earlier one, or NULL. */
static struct world *
world_new(const char *dir)
{
	struct world *w = xcalloc(1, sizeof *w);

	w->next = worlds;
	worlds = w;
	w->answered = UINT32_MAX;
	strlcpy(w->dir, dir == NULL ? "/tmp/postern-unit-XXXXXX" : dir,
	    sizeof w->dir);
	if (dir == NULL && mkdtemp(w->dir) == NULL)
		abort();
	world_open(w);
	return w;
}

/* Its loop ends; what it knew is forgotten, as when a process is killed. */
static void
world_close(struct world *w)
{
	ipc_detach(&w->at_lookup);
	timer_clear(&w->look);
	w->qu.stopping = true;
	spool_close(&w->qu.spool);
	index_close(&w->qu.index);
}

static void
on_look(void *arg)
{
	struct world *w = arg;

	w->late = loop_msec() > w->until;
	if (w->late || w->truth(w)) {
		loop_stop(w->qu.p.loop);
		return;
	}
	timer_set(w->qu.p.loop, &w->look, LOOK_MS, on_look, w);
}

/* Runs until it is true; false: too late. */
static bool
run(struct world *w, bool (*truth)(struct world *w))
{
	w->truth = truth;
	w->until = loop_msec() + WAIT_MS;
	timer_set(w->qu.p.loop, &w->look, 0, on_look, w);
	loop_run(w->qu.p.loop);
	return !w->late;
}

/* Nothing is asked, copied or made durable any more. */
static bool
is_quiet(struct world *w)
{
	const struct queue *qu = &w->qu;

	return qu->n_asked == 0 && TAILQ_EMPTY(&qu->asks) &&
	    qu->n_expanding == 0 && TAILQ_EMPTY(&qu->expansions) &&
	    TAILQ_EMPTY(&qu->large_expansions) && qu->n_flushing == 0 &&
	    TAILQ_EMPTY(&qu->answers) && !qu->commit.set && !qu->run.set &&
	    (!qu->due_timer.set || qu->due_armed > now_sec()) &&
	    qu->spool->given == NULL && qu->spool->collect->n_ops == 0 &&
	    qu->spool->collect->n_gone == 0;
}

/* All were asked for, and one is never answered. */
static bool
is_stuck(struct world *w)
{
	return w->pages > 0 && w->qu.n_expanding == 1 &&
	    TAILQ_EMPTY(&w->qu.asks) && w->qu.n_asked == 0 &&
	    TAILQ_EMPTY(&w->qu.expansions) && !w->qu.run.set;
}

static bool
settle(struct world *w)
{
	return run(w, is_quiet);
}

/* ---- messages ---- */

static uint64_t
id_of(unsigned int n)
{
	return UINT64_C(0x2222000000000000) + n * 1000 * ID_STEP;
}

struct sent {
	struct spool_work work;
	struct world *w;
	struct head head;
	struct head_rcpt rcpt[8];
	struct trailer trailer;
	int fd;
	bool done;
};

/* What the next message says of all its recipients. */
static struct mail_params said_of_mail;
static struct rcpt_params said_of_rcpt;
/* Its lower bits and facts, as those of a notification; its sender. */
static uint64_t said_low;
static uint32_t said_facts;
static const char *said_sender = "alice@example.org";

static void
on_sent(struct spool_work *work, bool ok)
{
	struct sent *s = (struct sent *)work;

	if (!ok)
		abort();
	s->done = true;
	close(s->fd);
	schedule_fresh(&s->w->qu, &s->head, &s->trailer, SPOOL_NEW);
}

static void
fill_content(uint64_t id, uint8_t *mem, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		mem[i] = (uint8_t)('a' + (id / ID_STEP + i / 7) % 26);
}

/* Message n with this content to these, up to NULL; it is on its way. */
static void
send_to(struct world *w, struct sent *s, unsigned int n, size_t size, ...)
{
	uint8_t *mem = xcalloc(1, size + 1);
	char end[TRAILER_LEN];
	const char *addr;
	va_list ap;

	memset(s, 0, sizeof *s);
	s->w = w;
	s->work.fn = on_sent;
	s->head = (struct head){ .id = id_of(n) + said_low,
		.arrived = now_usec() - 5000000,
		.facts = { .flags = FACT_ESMTP | said_facts,
		    .client = "192.0.2.1",
		    .helo = "h.test" },
		.sender = said_sender,
		.params = said_of_mail,
		.rcpt = s->rcpt };
	va_start(ap, size);
	while ((addr = va_arg(ap, const char *)) != NULL)
		s->rcpt[s->head.n_rcpt++] =
		    (struct head_rcpt){ .state = RCPT_WAITING,
			    .addr = addr,
			    .notify = said_of_rcpt.notify,
			    .orcpt = said_of_rcpt.orcpt };
	va_end(ap);
	s->fd = spool_create(w->qu.spool, &s->head);
	fill_content(s->head.id, mem, size);
	s->trailer = (struct trailer){ .content = size - size / 4,
		.trace = size / 4,
		.content_facts = CONTENT_8BIT,
		.sum = XXH3_64bits(mem, size) };
	trailer_print(&s->trailer, end);
	if (s->fd == -1 || write(s->fd, mem, size) != (ssize_t)size ||
	    write(s->fd, end, sizeof end) != (ssize_t)sizeof end ||
	    !spool_commit(w->qu.spool, &s->work, s->head.id, s->fd, NULL, 0))
		abort();
	free(mem);
}

/* ---- what is on disk ---- */

static bool
is_there(struct world *w, uint64_t id)
{
	return dirs_has(&w->qu.spool->dirs, id);
}

static bool
is_gone(struct world *w)
{
	return !is_there(w, w->leaving);
}

/* Its file goes; the flush that says so may still be under way. */
static bool
goes(struct world *w, uint64_t id)
{
	w->leaving = id;
	return run(w, is_gone);
}

static int
state_of(struct world *w, const struct sent *s, uint32_t n)
{
	enum spool_place place;
	int fd = dirs_find(&w->qu.spool->dirs, s->head.id, O_RDWR, &place);
	int state = fd == -1 ? -1 : spool_state_get(fd, s->rcpt[n].off);

	if (fd != -1)
		close(fd);
	return state;
}

static void
set_state(struct world *w, const struct sent *s, uint32_t n, char state)
{
	enum spool_place place;
	int fd = dirs_find(&w->qu.spool->dirs, s->head.id, O_RDWR, &place);

	if (pwrite(fd, &state, 1, (off_t)s->rcpt[n].off) != 1)
		abort();
	close(fd);
}

/* NULL if the child of recipient n is whole and stands for count, or what is
 * wrong with it. */
static const char *
child_wrong(struct world *w, const struct sent *s, uint32_t n, uint32_t count)
{
	uint64_t id = id_child(s->head.id, n);
	uint64_t size = s->trailer.content + s->trailer.trace;
	uint8_t *want = xcalloc(1, size + 1), *have = xcalloc(1, size + 1);
	enum spool_place place;
	const char *why = NULL;
	struct trailer t;
	struct arena a;
	struct head h;
	char name[32];
	uint32_t i;
	int fd;

	fd = dirs_find(&w->qu.spool->dirs, id, O_RDONLY, &place);
	if (fd == -1)
		return "it is not there";
	arena_init(&a, 0);
	fill_content(s->head.id, want, size);
	if ((why = spool_read(fd, id, &a, &h, &t)) != NULL)
		goto fail;
	why = "its head is another one";
	if (h.facts.flags != (s->head.facts.flags | FACT_EXPANDED) ||
	    strcmp(h.facts.helo, s->head.facts.helo) != 0 ||
	    strcmp(h.sender, s->head.sender) != 0 ||
	    h.arrived != s->head.arrived || h.n_rcpt != count)
		goto fail;
	why = "it does not name its parent";
	if (h.of.id != s->head.id || h.of.n != n || h.of.addr == NULL ||
	    strcmp(h.of.addr, s->rcpt[n].addr) != 0)
		goto fail;
	why = "its recipients are others";
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof name, "r%u@x.test", i);
		if (strcmp(h.rcpt[i].addr, name) != 0)
			goto fail;
	}
	why = "its trailer is another one";
	if (memcmp(&t, &s->trailer, sizeof t) != 0)
		goto fail;
	why = "its content is another one";
	if (pread(fd, have, size, (off_t)h.len) != (ssize_t)size ||
	    memcmp(want, have, size) != 0)
		goto fail;
	why = NULL;
fail:
	close(fd);
	arena_free(&a);
	free(want);
	free(have);
	return why;
}

static void
check_child(const char *name, struct world *w, const struct sent *s, uint32_t n,
    uint32_t count)
{
	const char *why = child_wrong(w, s, n, count);

	if (why != NULL)
		printf("# %s: %s\n", name, why);
	CHECK(name, why == NULL);
}

/* Files in new/, cur/ and tmp/. */
static unsigned int
files(struct world *w)
{
	static const char *const tops[] = { "new", "cur", "tmp" };
	char path[PATH_MAX];
	struct dirent *e, *f;
	unsigned int n = 0;
	DIR *d, *sub;
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", w->dir, tops[i]);
		d = opendir(path);
		while ((e = readdir(d)) != NULL) {
			if (strlen(e->d_name) == ID_LEN)
				n++;
			if (strlen(e->d_name) != 2 || e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s/%s", w->dir, tops[i],
			    e->d_name);
			sub = opendir(path);
			while ((f = readdir(sub)) != NULL)
				n += strlen(f->d_name) == ID_LEN;
			closedir(sub);
		}
		closedir(d);
	}
	return n;
}

static bool
is_one_file(struct world *w)
{
	return files(w) == 1;
}

/* The head of a file by its id; false: there is none. */
static bool
head_of(struct world *w, uint64_t id, struct arena *a, struct head *h)
{
	enum spool_place place;
	int fd = dirs_find(&w->qu.spool->dirs, id, O_RDONLY, &place);
	bool ok = fd != -1 && spool_read_head(fd, a, h) == NULL;

	if (fd != -1)
		close(fd);
	return ok;
}

static bool
says(struct world *w, uint64_t id, const char *text)
{
	char file[16384];
	enum spool_place place;
	int fd = dirs_find(&w->qu.spool->dirs, id, O_RDONLY, &place);
	ssize_t n = fd == -1 ? -1 : pread(fd, file, sizeof file - 1, 0);

	if (fd != -1)
		close(fd);
	if (n > 0)
		file[n] = '\0';
	return n > 0 && strstr(file, text) != NULL;
}

/* ---- cases ---- */

static void
one_child(size_t size, const char *name)
{
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	send_to(w, &s, 1, size, "three@a.test", "plain@x.test", NULL);
	CHECK(name, settle(w));
	check_child("the child is whole", w, &s, 0, 3);
	CHECK("its parent's recipient is at its end",
	    state_of(w, &s, 0) == RCPT_EXPANDED);
	CHECK("the other one is not", state_of(w, &s, 1) == RCPT_WAITING);
	CHECK("one page was enough", w->pages == 1);
	CHECK("nothing else is there", files(w) == 2);
	CHECK("the child's recipients were asked for", w->asked == 2 + 3);
	world_close(w);
	unit_remove(w->dir);
}

static void
all_expanded(void)
{
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "three@a.test", "two@a.test", NULL);
	CHECK("two aliases", settle(w));
	CHECK("the parent is gone", goes(w, s.head.id));
	check_child("the first child", w, &s, 0, 3);
	check_child("the second child", w, &s, 1, 2);
	CHECK("two files", files(w) == 2);
	world_close(w);
	unit_remove(w->dir);
}

static void
pages(void)
{
	struct world *w;
	struct sent s[2];

	w = world_new(NULL);
	send_to(w, &s[0], 1, SMALL, "pages@a.test", "x@x.test", NULL);
	CHECK("several pages", settle(w));
	check_child("a list that changed while it was read", w, &s[0], 0, 400);
	CHECK("was read again", w->changes == 1 && w->pages == 4);
	send_to(w, &s[1], 2, SMALL, "restless@a.test", NULL);
	CHECK("a list that changes always", settle(w));
	CHECK("is tried later",
	    state_of(w, &s[1], 0) == RCPT_WAITING && w->changes < 20);
	CHECK("and leaves nothing", files(w) == 3);
	world_close(w);
	unit_remove(w->dir);
}

static void
very_many(void)
{
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "many@a.test", "many1@a.test", "many2@a.test",
	    "many3@a.test", "many4@a.test", "many5@a.test", "two@a.test", NULL);
	CHECK("six times ten thousand", settle(w));
	check_child("the first", w, &s, 0, MANY);
	check_child("the last", w, &s, 5, MANY);
	check_child("the short one", w, &s, 6, 2);
	CHECK("never more than four at once", w->most == 4);
	CHECK("and none twice", files(w) == 7);
	world_close(w);
	unit_remove(w->dir);
}

static void
no_list(void)
{
	/* Columns: address, its state afterwards. */
	static const struct {
		const char *addr;
		char state;
	} rows[] = {
		{ "refused@a.test", RCPT_OWED },
		{ "later@a.test", RCPT_WAITING },
		{ "short@a.test", RCPT_WAITING },
		{ "empty@a.test", RCPT_WAITING },
		{ "toomany@a.test", RCPT_WAITING },
		{ "noend@a.test", RCPT_WAITING },
		{ "otherpage@a.test", RCPT_WAITING },
		{ "longpart@a.test", RCPT_WAITING },
		{ "longleaf@a.test", RCPT_WAITING },
	};
	struct index_rcpt row;
	struct world *w;
	struct sent s;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		w = world_new(NULL);
		/* The other one is asked for as long as the world stands, so
		 * that no notification is made. */
		send_to(w, &s, 1, SMALL, rows[i].addr, "silent@a.test", NULL);
		run(w, is_stuck);
		CHECK(rows[i].addr, state_of(w, &s, 0) == rows[i].state);
		CHECK("no child", files(w) == 1);
		queue_commit(&w->qu);
		CHECK("it is tried by its steps",
		    index_get_rcpt(w->qu.index, s.head.id, 0, &row) ==
			    INDEX_OK &&
			row.attempts == 1 &&
			(row.state == RCPT_OWED ||
			    row.next >= now_sec() + 500));
		world_close(w);
		unit_remove(w->dir);
	}
}

static void
never_again(void)
{
	struct index_rcpt row;
	struct world *w;
	struct sent s;
	uint64_t child;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "again@a.test", NULL);
	s.head.facts.flags |= FACT_EXPANDED; /* as a child is indexed */
	CHECK("an alias in a child", settle(w));
	child = id_child(s.head.id, 0);
	CHECK("is not expanded", !is_there(w, child) && w->pages == 0);
	queue_commit(&w->qu);
	CHECK("but waits for a better configuration",
	    index_get_rcpt(w->qu.index, s.head.id, 0, &row) == INDEX_OK &&
		row.state == RCPT_WAITING && row.next > now_sec());
	world_close(w);
	unit_remove(w->dir);
}

/* The mark in the parent is lost, the child is not: not a second one. */
static void
mark_lost(size_t size, bool child_gone)
{
	struct world *w;
	struct sent s;
	uint64_t child;
	ino_t inode;
	struct stat st;
	char path[PATH_MAX], name[SPOOL_PATH_MAX];

	w = world_new(NULL);
	send_to(w, &s, 1, size, "three@a.test", "plain@x.test", NULL);
	settle(w);
	child = id_child(s.head.id, 0);
	snprintf(path, sizeof path, "%s/new/%s", w->dir,
	    dirs_path(child, name));
	CHECK("a child", stat(path, &st) == 0);
	inode = st.st_ino;
	world_close(w);
	if (child_gone)
		unlink(path);
	w = world_new(w->dir);
	set_state(w, &s, 0, RCPT_WAITING);
	world_close(w);
	/* Its index is made of what the files say. */
	w = world_new(w->dir);
	CHECK("its mark is lost", settle(w));
	CHECK("it is marked again", state_of(w, &s, 0) == RCPT_EXPANDED);
	CHECK("nobody was asked", w->pages == 0);
	if (child_gone)
		CHECK("a child that was delivered does not come back",
		    !is_there(w, child));
	else
		CHECK("the child is the same file",
		    stat(path, &st) == 0 && st.st_ino == inode);
	world_close(w);
	unit_remove(w->dir);
}

/* What a crash left in tmp/ is not in the way. */
static void
left_over(void)
{
	char path[PATH_MAX], name[ID_LEN + 1];
	struct world *w;
	struct sent s;
	int fd;

	w = world_new(NULL);
	snprintf(path, sizeof path, "%s/tmp/%s", w->dir,
	    id_print(id_child(id_of(1), 0), name));
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd == -1 || write(fd, "half", 4) != 4)
		abort();
	close(fd);
	send_to(w, &s, 1, SMALL, "three@a.test", NULL);
	CHECK("half a file of an earlier try", settle(w));
	check_child("is written anew", w, &s, 0, 3);
	CHECK("the parent is gone", goes(w, s.head.id));
	CHECK("and nothing is left of it", files(w) == 1);
	world_close(w);
	unit_remove(w->dir);
}

/* Taken out while lookup is asked: by the operator, for one. */
static void
taken_out(void)
{
	struct world *w;
	struct sent s;
	struct rcpt *r;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "silent@a.test", NULL);
	run(w, is_stuck);
	r = rcpt_find(&w->qu, s.head.id, 0);
	CHECK("it is asked for",
	    r != NULL && r->at == AT_EXPANDS && w->qu.n_expanding == 1 &&
		w->qu.n_tx == 1);
	if (r != NULL)
		result_again(&w->qu, r, 60, "taken out");
	CHECK("and is not any more",
	    rcpt_find(&w->qu, s.head.id, 0) == NULL && w->qu.n_expanding == 0 &&
		w->qu.n_tx == 0);
	CHECK("nothing else happens", settle(w) && files(w) == 1);
	world_close(w);
	unit_remove(w->dir);
}

/*
 * RFC 3461 5.2.7.3: what the children of a recipient inherit, and what the
 * sender is told.
 */
static void
inherits(void)
{
	/* Columns: name, NOTIFY of the parent, of the child, a notification is
	 * made. */
	static const struct {
		const char *name;
		uint8_t parent, child;
		bool told;
	} rows[] = {
		{ "nothing said", 0, 0, false },
		{ "never", NOTIFY_NEVER, NOTIFY_NEVER, false },
		{ "success", NOTIFY_SUCCESS, NOTIFY_NEVER, true },
		{ "success and failure", NOTIFY_SUCCESS | NOTIFY_FAILURE,
		    NOTIFY_FAILURE, true },
		{ "failure and delay", NOTIFY_FAILURE | NOTIFY_DELAY,
		    NOTIFY_FAILURE | NOTIFY_DELAY, false },
	};
	struct head child, dsn;
	struct arena a;
	struct world *w;
	struct sent s;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		w = world_new(NULL);
		arena_init(&a, 0);
		said_of_mail =
		    (struct mail_params){ .ret = RET_FULL, .envid = "QQ+2B" };
		said_of_rcpt = (struct rcpt_params){ .notify = rows[i].parent };
		if (i % 2 == 1)
			strlcpy(said_of_rcpt.orcpt, "rfc822;o@example.org",
			    sizeof said_of_rcpt.orcpt);
		send_to(w, &s, 1, SMALL, "three@a.test", NULL);
		CHECK(rows[i].name, settle(w));
		CHECK("params of the message",
		    head_of(w, id_child(s.head.id, 0), &a, &child) &&
			memcmp(&child.params, &said_of_mail,
			    sizeof said_of_mail) == 0);
		CHECK("NOTIFY",
		    child.n_rcpt == 3 &&
			child.rcpt[0].notify == rows[i].child &&
			child.rcpt[2].notify == rows[i].child);
		CHECK("ORCPT",
		    strcmp(child.rcpt[1].orcpt,
			i % 2 == 1 ? "rfc822;o@example.org" :
				     "rfc822;three@a.test") == 0);
		CHECK("expanded, and told of",
		    head_of(w, s.head.id | 1, &a, &dsn) == rows[i].told &&
			(!rows[i].told ||
			    says(w, s.head.id | 1, "Action: expanded")));
		CHECK("to the sender",
		    !rows[i].told ||
			(dsn.sender[0] == '\0' && dsn.n_rcpt == 1 &&
			    strcmp(dsn.rcpt[0].addr, s.head.sender) == 0));
		CHECK("the parent is gone", goes(w, s.head.id));
		arena_free(&a);
		world_close(w);
		unit_remove(w->dir);
	}
	memset(&said_of_mail, 0, sizeof said_of_mail);
	memset(&said_of_rcpt, 0, sizeof said_of_rcpt);
}

/* What they are on this host is kept, and said to lookup. */
static void
leaves(void)
{
	struct head child;
	struct arena a;
	struct world *w;
	struct sent s;

	w = world_new(NULL);
	arena_init(&a, 0);
	send_to(w, &s, 1, SMALL, "leaves@a.test", "two@a.test", NULL);
	CHECK("leaves", settle(w));
	CHECK("are in the file",
	    head_of(w, id_child(s.head.id, 0), &a, &child) &&
		strcmp(child.rcpt[2].leaf, "m box r2") == 0);
	CHECK("of others there is none",
	    head_of(w, id_child(s.head.id, 1), &a, &child) &&
		child.rcpt[1].leaf[0] == '\0');
	CHECK("lookup is told of them, and whose they are", w->leaves == 3);
	arena_free(&a);
	world_close(w);
	w = world_new(w->dir);
	CHECK("from the index, too", settle(w) && w->leaves == 3);
	world_close(w);
	unit_remove(w->dir);
}

/* RFC 5321 3.9.2: a list with an owner; RFC 3461 5.2.7: what was asked for
 * ends here. */
static void
owned(void)
{
	/* Columns: address, sender, NOTIFY, sender of the child, a notification
	 * is made. */
	static const struct {
		const char *addr, *sender;
		uint8_t notify;
		const char *owner;
		bool told;
	} rows[] = {
		{ "owned@a.test", "alice@example.org", NOTIFY_SUCCESS,
		    "owner-list@a.test", true },
		{ "owned1@a.test", "alice@example.org",
		    NOTIFY_SUCCESS | NOTIFY_DELAY, "owner-list@a.test", true },
		{ "owned1@a.test", "alice@example.org", NOTIFY_NEVER,
		    "owner-list@a.test", false },
		{ "owned@a.test", "", 0, "", false },
	};
	struct head child, dsn;
	struct arena a;
	struct world *w;
	struct sent s;
	bool null;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		w = world_new(NULL);
		arena_init(&a, 0);
		said_sender = rows[i].sender;
		null = said_sender[0] == '\0';
		said_of_mail = (struct mail_params){ .body = BODY_8BITMIME,
			.ret = RET_FULL,
			.envid = "QQ" };
		said_of_rcpt = (struct rcpt_params){ .notify = rows[i].notify };
		send_to(w, &s, 1, SMALL, rows[i].addr, NULL);
		CHECK("a list with an owner", settle(w));
		CHECK("who hears of it",
		    head_of(w, id_child(s.head.id, 0), &a, &child) &&
			strcmp(child.sender, rows[i].owner) == 0);
		CHECK("the content stays as it is",
		    child.params.body == BODY_8BITMIME);
		CHECK("the sender's wishes do not",
		    (child.params.envid[0] == '\0') == !null &&
			(child.params.ret == RET_UNSAID) == !null &&
			child.rcpt[0].notify == 0 &&
			(child.rcpt[0].orcpt[0] == '\0') == !null);
		CHECK("who is told that the list has it",
		    head_of(w, s.head.id | 1, &a, &dsn) == rows[i].told &&
			(!rows[i].told ||
			    says(w, s.head.id | 1, "Action: delivered")));
		CHECK("the parent is gone", goes(w, s.head.id));
		arena_free(&a);
		world_close(w);
		unit_remove(w->dir);
	}
	said_sender = "alice@example.org";
	memset(&said_of_mail, 0, sizeof said_of_mail);
	memset(&said_of_rcpt, 0, sizeof said_of_rcpt);
}

/* ---- long lists ---- */

/* What is answered is done, and four wait for nobody. */
static bool
is_muted(struct world *w)
{
	return w->mute == 4 && w->qu.n_expanding == 4 && w->qu.n_large == 4 &&
	    w->qu.n_flushing == 0 && TAILQ_EMPTY(&w->qu.answers) &&
	    TAILQ_EMPTY(&w->qu.asks) && w->qu.n_asked == 0 &&
	    !w->qu.commit.set && !w->qu.run.set;
}

/* The id that stands behind a part's leaf; 0: none does. */
static uint64_t
part_id(const struct head_rcpt *rcpt)
{
	size_t len = strlen(rcpt->leaf);
	uint64_t id;

	return rcpt->leaf[0] == LEAF_PART && len > ID_LEN &&
		id_parse(rcpt->leaf + len - ID_LEN, &id) ?
	    id :
	    0;
}

/* NULL if the child of this part is whole, or what is wrong with it. */
static const char *
part_wrong(struct world *w, const struct head *list, uint32_t n)
{
	const char *why = "it is not there";
	struct arena a;
	struct head h;
	char name[32];
	uint32_t i;

	arena_init(&a, 0);
	if (!head_of(w, part_id(&list->rcpt[n]), &a, &h))
		goto fail;
	why = "its head is another one";
	if (h.of.id != list->id || h.of.n != n ||
	    strcmp(h.of.addr, list->of.addr) != 0 ||
	    strcmp(h.sender, list->sender) != 0 || h.n_rcpt != IN_PART)
		goto fail;
	why = "its recipients are others";
	for (i = 0; i < IN_PART; i++) {
		snprintf(name, sizeof name, "p%u.%u@x.test", n, i);
		if (strcmp(h.rcpt[i].addr, name) != 0 ||
		    strcmp(h.rcpt[i].orcpt, list->rcpt[n].orcpt) != 0)
			goto fail;
	}
	why = NULL;
fail:
	arena_free(&a);
	return why;
}

static bool
all_parts(struct world *w, const struct head *list)
{
	const char *why = NULL;
	uint32_t n;

	for (n = 0; n < list->n_rcpt && why == NULL; n++)
		why = part_wrong(w, list, n);
	if (why != NULL)
		printf("# part %u: %s\n", n - 1, why);
	return why == NULL && list->n_rcpt == 16;
}

/* The ids of their children have two units each that nobody else has; the next
 * message comes behind. */
static bool
ids_apart(struct world *w, const struct head *list)
{
	uint64_t next = ids_next(&w->qu, 0) / ID_STEP, unit[16], low;
	uint32_t i, j;

	for (i = 0; i < list->n_rcpt; i++) {
		low = part_id(&list->rcpt[i]) % ID_STEP;
		unit[i] = part_id(&list->rcpt[i]) / ID_STEP - (low != 0);
		if (low != list->id % ID_STEP || unit[i] + 2 > next ||
		    unit[i] / 2 == 0)
			return false;
		for (j = 0; j < i; j++)
			if (unit[i] < unit[j] + 2 && unit[j] < unit[i] + 2)
				return false;
	}
	return true;
}

/* What a killed process leaves: its files as they are now. */
static struct world *
killed(const struct world *w)
{
	char dir[] = "/tmp/postern-unit-XXXXXX", command[256];

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(command, sizeof command, "cp -a %s/. %s", w->dir, dir);
	if (system(command) != 0)
		abort();
	return world_new(dir);
}

static void
parts(uint64_t low)
{
	struct head list;
	struct arena a;
	struct world *w;
	struct sent s;

	arena_init(&a, 0);
	said_low = low;
	said_facts = low != 0 ? FACT_OURS : 0;
	w = world_new(NULL);
	w->answered = 0;
	send_to(w, &s, 1, SMALL, "parts@a.test", "plain@x.test", NULL);
	CHECK("a long list", run(w, is_muted));
	CHECK("has parts",
	    head_of(w, id_child(s.head.id, 0), &a, &list) && list.n_rcpt == 16);
	CHECK("that are expanded again", w->pages > 4 && files(w) == 2);
	CHECK("with ids of their own", ids_apart(w, &list));
	world_close(w);
	w = world_new(w->dir);
	CHECK("after a restart", settle(w));
	CHECK("each part has its child", all_parts(w, &list));
	CHECK("the list itself is gone", goes(w, list.id));
	CHECK("nothing else is there", files(w) == 17);
	world_close(w);
	unit_remove(w->dir);
	arena_free(&a);
	said_low = said_facts = 0;
}

/* Killed while its parts are made: the others are, each once. */
static void
parts_killed(void)
{
	struct world *w, *then;
	struct head list;
	struct arena a;
	struct sent s;

	arena_init(&a, 0);
	w = world_new(NULL);
	w->qu.spool->states_wait = STATES_HELD;
	w->answered = 12;
	send_to(w, &s, 1, SPOOL_SMALL + 99, "parts@a.test", "plain@x.test",
	    NULL);
	CHECK("some parts are made", run(w, is_muted));
	CHECK("others are not yet",
	    head_of(w, id_child(s.head.id, 0), &a, &list) && files(w) == 14);
	then = killed(w);
	CHECK("killed", settle(then));
	CHECK("all are made", all_parts(then, &list) && files(then) == 17);
	CHECK("of four it was asked", then->pages >= 4 && then->pages < 40);
	world_close(then);
	unit_remove(then->dir);
	world_close(w);
	unit_remove(w->dir);
	arena_free(&a);
}

/* Given out ahead of the clock, and no file has them: known all the same. */
static void
ids_killed(void)
{
	struct world *w, *then;
	struct head list;
	struct arena a;
	struct sent s;

	arena_init(&a, 0);
	w = world_new(NULL);
	w->qu.spool->states_wait = STATES_HELD;
	w->answered = 0;
	w->qu.last_id = id_of(10000);
	send_to(w, &s, 1, SMALL, "parts@a.test", "plain@x.test", NULL);
	run(w, is_muted);
	CHECK("the ids of parts",
	    head_of(w, id_child(s.head.id, 0), &a, &list));
	then = killed(w);
	CHECK("are not given out again", ids_apart(then, &list));
	world_close(then);
	then = world_new(then->dir);
	CHECK("nor after a stop in order",
	    settle(then) && ids_apart(then, &list) && all_parts(then, &list));
	world_close(then);
	unit_remove(then->dir);
	world_close(w);
	unit_remove(w->dir);
	arena_free(&a);
}

/* The mark of a part is lost, its child is not. */
static void
part_mark_lost(void)
{
	struct world *w, *then;
	struct head list;
	struct sent s;
	struct arena a;

	arena_init(&a, 0);
	w = world_new(NULL);
	w->answered = 12;
	send_to(w, &s, 1, SPOOL_SMALL, "parts@a.test", "plain@x.test", NULL);
	run(w, is_muted);
	head_of(w, id_child(s.head.id, 0), &a, &list);
	s.head.id = list.id; /* whose states are meant */
	s.rcpt[0].off = list.rcpt[3].off;
	CHECK("a part is made", state_of(w, &s, 0) == RCPT_EXPANDED);
	world_close(w);
	w = world_new(w->dir); /* the journal has no say any more */
	set_state(w, &s, 0, RCPT_WAITING);
	world_close(w);
	then = world_new(w->dir);
	then->answered = 12;
	CHECK("its mark is lost", run(then, is_muted));
	CHECK("it is marked again", state_of(then, &s, 0) == RCPT_EXPANDED);
	CHECK("and is not made again", files(then) == 14 && then->pages == 4);
	world_close(then);
	unit_remove(then->dir);
	arena_free(&a);
}

/* Whatever lookup says, it comes to an end. */
static void
parts_of_parts(void)
{
	struct index_rcpt row;
	struct index_cursor c = { 0 };
	struct world *w;
	struct sent s;
	uint64_t id;
	uint32_t n;

	w = world_new(NULL);
	send_to(w, &s, 1, SMALL, "deep@a.test", NULL);
	CHECK("a part of a part, without an end", settle(w));
	CHECK("the message is gone", goes(w, s.head.id));
	queue_commit(&w->qu);
	CHECK("one is left", index_walk(w->qu.index, &c, &id, &n) == INDEX_OK);
	CHECK("its parents are gone", run(w, is_one_file));
	CHECK("it waits for a better configuration",
	    w->pages == 1 + 32 &&
		index_get_rcpt(w->qu.index, id, n, &row) == INDEX_OK &&
		row.state == RCPT_WAITING && row.next > now_sec() + 500);
	world_close(w);
	unit_remove(w->dir);
}

int
main(void)
{
	log_to_stderr("unit", false);
	one_child(SMALL, "a small message");
	one_child(SPOOL_SMALL + 12345, "a large one");
	one_child(3 * 1024 * 1024, "one that is copied in turns");
	all_expanded();
	pages();
	very_many();
	no_list();
	never_again();
	mark_lost(SMALL, false);
	mark_lost(SMALL, true);
	mark_lost(SPOOL_SMALL + 100, false);
	left_over();
	taken_out();
	inherits();
	leaves();
	owned();
	parts(0);
	parts(1);
	parts(ID_STEP - 1);
	parts_killed();
	ids_killed();
	part_mark_lost();
	parts_of_parts();
	return unit_end();
}
