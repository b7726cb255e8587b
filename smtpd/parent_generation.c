/*
 * A configuration and what belongs to it: the sealed image, the listening
 * sockets.  Runs in the parent; reads the configuration file and nothing
 * else.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf_print.h"
#include "log.h"
#include "parent.h"

/* ---- the file ---- */

/* Paths in it, and its own, begin where smtpd was started. */
static enum conf_verdict
read_file(struct parent *p, struct conf_image *image,
    struct conf_errors *errors)
{
	const struct options *o = p->options;
	enum conf_verdict verdict;

	if (fchdir(p->cwd) == -1)
		log_warn("no-directory", "why=%s", q(strerror(errno)));
	verdict =
	    conf_file_load(o->conf, o->macros, o->n_macros, image, errors);
	if (!o->foreground && !o->check && chdir("/") == -1)
		fatal("chdir /: %s", strerror(errno));
	return verdict;
}

/* `smtpd -nv`: all that is in effect, in the grammar it came from. */
static void
print(const struct conf *c)
{
	struct buf out;

	buf_init(&out, 0);
	conf_print(c, &out);
	if (fwrite(buf_data(&out), 1, out.len, stdout) != out.len ||
	    fflush(stdout) == EOF)
		fatal("cannot print: %s", strerror(errno));
	buf_free(&out);
}

static void
seal(struct generation *g, struct conf_image *image)
{
	struct conf_image part = { 0 };
	int i;

	for (i = 0; i < CONF_PARTS; i++) {
		if (conf_image_part(image, (enum conf_part)i, &part) != 0)
			fatal("no memory for the configuration");
		g->conf_fd[i] = conf_seal(part.conf, part.size);
		conf_image_free(&part);
		if (g->conf_fd[i] == -1)
			fatal("cannot seal the configuration: %s",
			    strerror(errno));
	}
	if (!generation_map(g))
		fatal("cannot map the configuration: %s", strerror(errno));
}

bool
generation_map(struct generation *g)
{
	int fd = fcntl(g->conf_fd[CONF_SOURCES], F_DUPFD_CLOEXEC, 0);

	return fd != -1 && (g->conf = conf_map(fd)) != NULL;
}

struct generation *
generation_new(struct parent *p)
{
	struct generation *g = xcalloc(1, sizeof *g);
	int i;

	for (i = 0; i < CONF_PARTS; i++)
		g->conf_fd[i] = -1;
	TAILQ_INSERT_TAIL(&p->all, g, entry);
	return g;
}

void
generation_own(struct generation *g)
{
	uint32_t i;

	g->listeners = xcalloc(g->conf->listen.n + 1, sizeof *g->listeners);
	for (i = 0; i < g->conf->listen.n; i++)
		g->listeners[i] = -1;
	g->files = xcalloc(g->conf->table.n + 1, sizeof *g->files);
	g->pairs = xcalloc(2 * (size_t)g->conf->pki.n + 1, sizeof *g->pairs);
	for (i = 0; i < 2 * g->conf->pki.n; i++)
		g->pairs[i] = -1;
}

struct generation *
generation_load(struct parent *p, struct buf *why)
{
	struct conf_errors errors = { 0 };
	struct conf_image image = { 0 };
	struct generation *g = NULL;
	enum conf_verdict verdict = read_file(p, &image, &errors);
	size_t i;

	for (i = 0; i < errors.n; i++)
		buf_printf(why, "%s\n", errors.text[i]);
	conf_errors_free(&errors);
	buf_drain(&p->reload.doubts, p->reload.doubts.len);
	for (i = 0; i < image.warnings.n; i++)
		buf_printf(&p->reload.doubts, "%s\n", image.warnings.text[i]);
	if (image.conf != NULL && p->options->check && p->options->verbose)
		print(image.conf);
	if (verdict == CONF_GOOD) {
		g = generation_new(p);
		g->number = p->number + 1;
		g->loaded = (int64_t)time(NULL);
		seal(g, &image);
		generation_own(g);
	}
	conf_image_free(&image);
	return g;
}

/* ---- listeners ---- */

static bool
same_address(const struct conf_listen *a, const struct conf_listen *b)
{
	if (a->local || b->local)
		return a->local && b->local;
	return a->sslen == b->sslen && memcmp(&a->ss, &b->ss, a->sslen) == 0;
}

/* The socket that stands there already, as a descriptor of its own. */
static int
find_listener(const struct generation *g, const struct conf_listen *l)
{
	uint32_t i;

	for (i = 0; g != NULL && i < g->conf->listen.n; i++) {
		if (g->listeners[i] != -1 &&
		    same_address(CONF_LISTEN(g->conf, i), l))
			return fcntl(g->listeners[i], F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

static const char *
cannot_listen(const struct parent *p, const struct generation *g, uint32_t i)
{
	const struct conf_listen *l = CONF_LISTEN(g->conf, i);
	static char why_not[1024];
	int error = errno;
	char at[CONF_AT_MAX];

	snprintf(why_not, sizeof why_not, "%s: cannot listen on %s: %s",
	    conf_at_print(g->conf, &l->at, at, sizeof at),
	    priv_bind_print(p, l), strerror(error));
	return why_not;
}

/* Our sockets of before, and our starter's, may have a part of the address. */
static int
bind_row(const struct parent *p, const struct conf_listen *l)
{
	size_t old = p->now == NULL ? 0 : p->now->conf->listen.n;
	int *beside = xcalloc(old + ACTIVATED_MAX, sizeof *beside);
	int fd, error;

	if (old > 0)
		memcpy(beside, p->now->listeners, old * sizeof *beside);
	fd = priv_bind(p, l, beside, old + activate_beside(p, l, beside + old));
	error = errno;
	free(beside);
	errno = error;
	return fd;
}

const char *
generation_bind(struct parent *p, struct generation *g)
{
	const struct conf_listen *l;
	uint32_t i;

	for (i = 0; i < g->conf->listen.n; i++) {
		l = CONF_LISTEN(g->conf, i);
		g->listeners[i] = find_listener(p->now, l);
		if (g->listeners[i] == -1)
			g->listeners[i] = activate_socket(p, l);
		if (g->listeners[i] == -1)
			g->listeners[i] = upgrade_socket(p, l);
		if (g->listeners[i] == -1)
			g->listeners[i] = bind_row(p, l);
		if (g->listeners[i] == -1)
			return cannot_listen(p, g, i);
	}
	return NULL;
}

const char *
generation_listen(struct parent *p, struct generation *g)
{
	const char *why = NULL;
	uint32_t i;

	priv_share(g->listeners, g->conf->listen.n, true);
	priv_share(p->activated.fd, p->activated.n, true);
	/* Harmless for one that listens already. */
	for (i = 0; i < g->conf->listen.n && why == NULL; i++) {
		if (!priv_listen(g->listeners[i]))
			why = cannot_listen(p, g, i);
	}
	priv_share(g->listeners, g->conf->listen.n, false);
	priv_share(p->activated.fd, p->activated.n, false);
	return why;
}

void
generation_close_listeners(struct generation *g)
{
	uint32_t i;

	for (i = 0; i < g->conf->listen.n; i++) {
		if (g->listeners[i] != -1)
			close(g->listeners[i]);
		g->listeners[i] = -1;
	}
}

void
generation_free(struct parent *p, struct generation **gp)
{
	struct generation *g = *gp;
	uint32_t i;

	*gp = NULL;
	TAILQ_REMOVE(&p->all, g, entry);
	generation_close_listeners(g);
	for (i = 0; i < CONF_PARTS; i++) {
		if (g->conf_fd[i] != -1)
			close(g->conf_fd[i]);
	}
	for (i = 0; i < 2 * g->conf->pki.n; i++) {
		if (g->pairs[i] != -1)
			close(g->pairs[i]);
	}
	munmap((void *)g->conf, g->conf->size);
	free(g->listeners);
	free(g->files);
	free(g->pairs);
	free(g);
}
