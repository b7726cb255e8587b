/*
 * What one parent hands to the next, as text in a sealed file that no other
 * process ever has.  Runs in the parent; parses what it wrote itself before
 * it became a newer program, and nothing else.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "num.h"
#include "parent_upgrade.h"

#define TEXT_MAX (1 << 20)
#define WORDS    6

enum place { PLACE_OLD, PLACE_NOW, PLACE_DISMISSED };

/* ---- writing ---- */

/* Standard input is nobody's. */
static int
number_of(int fd)
{
	return fd == -1 ? 0 : fd;
}

struct writer {
	struct buf out;
	const struct generation *gen;
};

static void
write_child(struct child *ch, void *arg)
{
	struct writer *w = arg;

	if (ch->gen == w->gen)
		buf_printf(&w->out, "child %u %u %u %ld %d %d\n", ch->kind,
		    ch->instance, ch->state, (long)ch->pid,
		    number_of(ch->chan.fd), number_of(ch->log));
}

static void
write_generation(struct writer *w, struct parent *p, struct generation *g)
{
	uint32_t i;

	buf_printf(&w->out, "generation %u %" PRId64 " %d %d %d %u\n",
	    g->number, g->loaded, g->conf_fd[CONF_BARE],
	    g->conf_fd[CONF_SOURCES], g->conf_fd[CONF_WHOLE],
	    g == p->now      ? PLACE_NOW :
		g->dismissed ? PLACE_DISMISSED :
			       PLACE_OLD);
	for (i = 0; i < g->conf->listen.n; i++) {
		if (g->listeners[i] != -1)
			buf_printf(&w->out, "listener %u %d\n", i,
			    g->listeners[i]);
	}
	w->gen = g;
	child_each(p, write_child, w);
}

static void
write_activated(struct writer *w, const struct activated *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		buf_printf(&w->out, "activated %d\n", a->fd[i]);
}

static void
write_sockets(struct writer *w, const struct generation *g)
{
	uint32_t i;

	for (i = 0; i < g->conf->listen.n; i++) {
		if (g->listeners[i] != -1)
			buf_printf(&w->out, "socket %d\n", g->listeners[i]);
	}
}

int
upgrade_write(struct parent *p, bool children)
{
	struct writer w = { 0 };
	struct generation *g;
	const struct asker *a;
	size_t i;
	int fd;

	buf_init(&w.out, 0);
	buf_printf(&w.out, "postern-upgrade 1\npid %ld\nipc %" PRIu64 "\n",
	    (long)getpid(), ipc_hash());
	buf_printf(&w.out, "token %" PRIu64 " %" PRIu64 "\n", p->token[0],
	    p->token[1]);
	buf_printf(&w.out, "files %d %d\n", p->pid_file, p->control);
	buf_printf(&w.out, "number %u\n", p->number);
	write_activated(&w, &p->activated);
	if (!children)
		write_sockets(&w, p->now);
	TAILQ_FOREACH(g, &p->all, entry) {
		if (children)
			write_generation(&w, p, g);
	}
	for (i = 0; children && i < p->reload.n_askers; i++) {
		a = &p->reload.asker[i];
		if (a->ch->pid == a->pid)
			buf_printf(&w.out, "asker %u %ld %" PRIu64 "\n",
			    a->ch->instance, (long)a->pid, a->id);
	}
	buf_puts(&w.out, "end\n");
	fd = conf_seal(buf_data(&w.out), w.out.len);
	buf_free(&w.out);
	return fd;
}

static void
each_child_fd(struct child *ch, void *arg)
{
	void (**fn)(int fd) = arg;

	(*fn)(ch->chan.fd);
	(*fn)(ch->log);
}

void
upgrade_each_fd(struct parent *p, void (*fn)(int fd))
{
	struct generation *g;
	uint32_t i;

	fn(p->pid_file);
	fn(p->control);
	for (i = 0; i < p->activated.n; i++)
		fn(p->activated.fd[i]);
	TAILQ_FOREACH(g, &p->all, entry) {
		for (i = 0; i < CONF_PARTS; i++)
			fn(g->conf_fd[i]);
		for (i = 0; i < g->conf->listen.n; i++)
			fn(g->listeners[i]);
	}
	child_each(p, each_child_fd, &fn);
}

/* ---- reading ---- */

struct reader {
	struct parent *parent;
	struct generation *gen; /* the last one that was named */
	uint64_t pid, ipc;
	bool ended;
};

/* From now on it is ours alone again. */
static int
take_fd(uint64_t fd)
{
	if (fd == 0 || fd > INT32_MAX ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	return (int)fd;
}

static const char *
read_version(struct reader *r, const uint64_t *v)
{
	(void)r;
	return v[0] == 1 ? NULL : "of another version";
}

static const char *
read_pid(struct reader *r, const uint64_t *v)
{
	r->pid = v[0];
	return NULL;
}

static const char *
read_ipc(struct reader *r, const uint64_t *v)
{
	r->ipc = v[0];
	return NULL;
}

static const char *
read_token(struct reader *r, const uint64_t *v)
{
	r->parent->token[0] = v[0];
	r->parent->token[1] = v[1];
	return NULL;
}

static const char *
read_files(struct reader *r, const uint64_t *v)
{
	r->parent->pid_file = take_fd(v[0]);
	r->parent->control = take_fd(v[1]);
	return r->parent->pid_file == -1 || r->parent->control == -1 ?
	    "a file is not open" :
	    NULL;
}

static const char *
read_number(struct reader *r, const uint64_t *v)
{
	r->parent->number = (uint32_t)v[0];
	return NULL;
}

static const char *
read_activated(struct reader *r, const uint64_t *v)
{
	struct activated *a = &r->parent->activated;
	int fd = take_fd(v[0]);

	if (fd == -1 || a->n == ACTIVATED_MAX)
		return "a socket too many that was left open";
	a->fd[a->n++] = fd;
	return NULL;
}

static const char *
read_socket(struct reader *r, const uint64_t *v)
{
	struct upgrade *u = &r->parent->upgrade;
	int fd = take_fd(v[0]);

	if (fd == -1 || u->n_inherited == SOCKETS_MAX)
		return "a socket too many";
	u->inherited[u->n_inherited++] = fd;
	return NULL;
}

static const char *
read_generation(struct reader *r, const uint64_t *v)
{
	struct generation *g = generation_new(r->parent);

	r->gen = g;
	g->number = (uint32_t)v[0];
	g->loaded = (int64_t)v[1];
	g->conf_fd[CONF_BARE] = take_fd(v[2]);
	g->conf_fd[CONF_SOURCES] = take_fd(v[3]);
	g->conf_fd[CONF_WHOLE] = take_fd(v[4]);
	g->dismissed = v[5] == PLACE_DISMISSED;
	if (g->conf_fd[CONF_BARE] == -1 || g->conf_fd[CONF_WHOLE] == -1 ||
	    !generation_map(g))
		return "a configuration cannot be mapped";
	generation_own(g);
	if (v[5] == PLACE_NOW)
		r->parent->now = g;
	return NULL;
}

static const char *
read_listener(struct reader *r, const uint64_t *v)
{
	if (r->gen == NULL || v[0] >= r->gen->conf->listen.n)
		return "a listener of no generation";
	r->gen->listeners[v[0]] = take_fd(v[1]);
	return NULL;
}

static const char *
read_child(struct reader *r, const uint64_t *v)
{
	struct child *ch;

	if (r->gen == NULL || v[0] <= PROC_PARENT || v[0] >= PROC_KINDS ||
	    v[1] >= PROC_MAX || v[2] > CHILD_STOPPING || v[3] > INT32_MAX)
		return "a child that cannot be";
	ch = child_new(r->parent, (enum proc_kind)v[0], (unsigned int)v[1],
	    r->gen);
	ch->pid = (pid_t)v[3];
	ch->state = (enum child_state)v[2];
	child_adopt(ch, take_fd(v[4]), take_fd(v[5]));
	return NULL;
}

static const char *
read_asker(struct reader *r, const uint64_t *v)
{
	struct reload *re = &r->parent->reload;

	if (v[0] >= PROC_MAX || re->n_askers == ASKERS_MAX)
		return "somebody who cannot have asked";
	re->asker[re->n_askers++] =
	    (struct asker){ .ch = &r->parent->child[PROC_CONTROL][v[0]],
		    .pid = (pid_t)v[1],
		    .id = v[2] };
	return NULL;
}

static const char *
read_end(struct reader *r, const uint64_t *v)
{
	(void)v;
	r->ended = true;
	return NULL;
}

/* Columns: word, how many numbers, function. */
static const struct line {
	const char *word;
	unsigned int n;
	const char *(*fn)(struct reader *r, const uint64_t *v);
} lines[] = {
	{ "postern-upgrade", 1, read_version },
	{ "pid", 1, read_pid },
	{ "ipc", 1, read_ipc },
	{ "token", 2, read_token },
	{ "files", 2, read_files },
	{ "number", 1, read_number },
	{ "activated", 1, read_activated },
	{ "socket", 1, read_socket },
	{ "generation", 6, read_generation },
	{ "listener", 2, read_listener },
	{ "child", 6, read_child },
	{ "asker", 3, read_asker },
	{ "end", 0, read_end },
};

#define N_LINES (sizeof lines / sizeof lines[0])

static const char *
read_line(struct reader *r, char *text)
{
	uint64_t v[WORDS] = { 0 };
	char *word = strsep(&text, " "), *value;
	const char *why;
	unsigned int n;
	size_t i;

	for (i = 0; i < N_LINES && strcmp(lines[i].word, word) != 0; i++)
		;
	if (i == N_LINES)
		return "a line that is not known";
	for (n = 0; (value = strsep(&text, " ")) != NULL; n++) {
		if (n == lines[i].n)
			return "a value too many";
		why = num_parse(value, 0, UINT64_MAX, &v[n]);
		if (why != NULL)
			return why;
	}
	return n == lines[i].n ? lines[i].fn(r, v) : "a value too few";
}

/* The text, of this process alone; NULL and errno. */
static char *
read_text(int fd)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) == -1)
		return NULL;
	/* Nobody else can have made or changed it. */
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_size > TEXT_MAX ||
	    (fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) == 0) {
		errno = EINVAL;
		return NULL;
	}
	text = xcalloc(1, (size_t)st.st_size + 1);
	if (pread(fd, text, (size_t)st.st_size, 0) != st.st_size) {
		free(text);
		return NULL;
	}
	return text;
}

const char *
upgrade_read(struct parent *p, int fd)
{
	struct reader r = { .parent = p };
	char *text = read_text(fd), *rest = text, *line;
	const char *why = text == NULL ? strerror(errno) : NULL;

	close(fd);
	while (why == NULL && !r.ended && (line = strsep(&rest, "\n")) != NULL)
		why = read_line(&r, line);
	free(text);
	if (why != NULL)
		return why;
	if (!r.ended || r.pid != (uint64_t)getpid() || p->pid_file == -1)
		return "it is not this process'";
	if (p->now != NULL && r.ipc != ipc_hash())
		return "processes that speak otherwise";
	return NULL;
}
