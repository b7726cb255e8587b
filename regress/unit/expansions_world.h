/*
 * A queue over a spool of its own, and a lookup at the other end of a channel
 * that answers as told whom a recipient stands for.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef UNIT_EXPANSIONS_WORLD_H
#define UNIT_EXPANSIONS_WORLD_H

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
#include "tx.h"
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

#endif
