/*
 * Standard error of programs that answer us: a line of theirs is a line of the
 * log, as long as there are not too many.  All is read, so that no program
 * waits for us.  Runs in lookup and queue.
 *
 * SPDX-License-Identifier: ISC
 */
#include "program_log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_BYTES 512 /* of a line; q() prints less */

static void
on_quiet(void *arg)
{
	struct program_log *g = arg;

	if (g->dropped != 0)
		log_warn("program-says", "%s=%s not_logged=%u", g->what,
		    q(g->name), g->dropped);
	g->said = g->dropped = 0;
}

static void
say(struct program_log *g)
{
	if (g->line.len == 0)
		return;
	(void)buf_add(&g->line, "", 1);
	if (g->said == 0 && g->dropped == 0)
		timer_set(g->loop, &g->quiet, PROGRAM_LOG_MSEC, on_quiet, g);
	if (g->said < PROGRAM_LOG_LINES) {
		g->said++;
		log_warn("program-says", "%s=%s text=%s", g->what, q(g->name),
		    q((const char *)buf_data(&g->line)));
	} else
		g->dropped++;
	buf_drain(&g->line, g->line.len);
}

static void
take(struct program_log *g, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] == '\n')
			say(g);
		else if (p[i] != '\0' && p[i] != '\r' &&
		    g->line.len < LINE_MAX_BYTES)
			(void)buf_add(&g->line, &p[i], 1);
	}
}

static void
on_readable(int fd, int what, void *arg)
{
	struct program_log *g = arg;
	char part[4096];
	ssize_t n;

	(void)what;
	n = read(fd, part, sizeof(part));
	if (n > 0) {
		take(g, part, (size_t)n);
		return;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		program_log_close(g);
}

void
program_log_init(struct program_log *g, struct loop *l, const char *what,
    const char *name)
{
	memset(g, 0, sizeof(*g));
	g->loop = l;
	g->what = what;
	g->name = name;
	g->fd = -1;
	buf_init(&g->line, LINE_MAX_BYTES + 1);
}

void
program_log_open(struct program_log *g, int fd)
{
	program_log_close(g);
	g->fd = fd;
	watch_set(g->loop, &g->watch, fd, LOOP_READ, on_readable, g);
}

void
program_log_close(struct program_log *g)
{
	if (g->fd == -1)
		return;
	say(g); /* a last line without its end */
	watch_clear(&g->watch);
	close(g->fd);
	g->fd = -1;
	buf_free(&g->line);
}
