/*
 * What each child is handed at its start: configuration, user, root
 * directory, and the descriptors that it may not open itself.  Runs in the
 * parent; opens what the configuration names and reads none of it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

static void
give_file(struct child *ch, const char *path, uint32_t index, uint32_t line)
{
	struct parent *p = ch->parent;
	struct proc_file m;
	int fd = priv_open(path), keep;

	memset(&m, 0, sizeof m);
	m.index = index;
	if (fd != -1) {
		proc_file_send(&ch->chan, 0, &m, fd);
		close(fd);
		return;
	}
	keep = errno;
	if (parent_logs_start(p))
		log_warn("no-file", "line=%u path=%s why=%s", line, q(path),
		    strerror(keep));
	if (!p->started) {
		fprintf(stderr, "%s:%u: cannot open %s: %s\n",
		    conf_text(p->conf, p->conf->path), line, path,
		    strerror(keep));
		parent_stop(p, 1);
	}
}

static void
give_tables(struct child *ch)
{
	const struct conf *c = ch->parent->conf;
	uint32_t i;

	for (i = 0; i < c->table.n; i++) {
		if (CONF_TABLE(c, i)->kind == TABLE_FILE)
			give_file(ch, conf_text(c, CONF_TABLE(c, i)->path), i,
			    CONF_TABLE(c, i)->line);
	}
}

static void
give_keys(struct child *ch)
{
	const struct conf *c = ch->parent->conf;
	uint32_t i;

	for (i = 0; i < c->dkim.n; i++)
		give_file(ch, conf_text(c, CONF_DKIM(c, i)->path), i,
		    CONF_DKIM(c, i)->line);
}

static void
give_resolver(struct child *ch)
{
	struct proc_file m = { 0 };
	int fd;

	if (ch->parent->conf->resolver.ss_family != 0)
		return;
	/* Without the file deliver asks the one on this host. */
	if ((fd = priv_open("/etc/resolv.conf")) == -1)
		return;
	proc_file_send(&ch->chan, 0, &m, fd);
	close(fd);
}

static void
give_listener(struct child *ch, uint32_t index, int fd)
{
	struct proc_listen m = { .index = index };

	if (fd != -1)
		proc_listen_send(&ch->chan, 0, &m, fd);
}

static void
give_listeners(struct child *ch)
{
	struct parent *p = ch->parent;
	uint32_t i;

	for (i = 0; i < p->conf->listen.n; i++)
		give_listener(ch, i, p->listeners[i]);
}

static void
give_control(struct child *ch)
{
	give_listener(ch, CONF_NONE, ch->parent->control);
}

/* What each kind is handed beside configuration and peers. */
static void (*const gifts[PROC_KINDS])(struct child *ch) = {
	[PROC_LOOKUP] = give_tables,
	[PROC_KEYS] = give_keys,
	[PROC_DELIVER] = give_resolver,
	[PROC_CONTROL] = give_control,
	[PROC_SESSION] = give_listeners,
};

/* smtpd.c has seen to it that the paths are short enough for a message. */
static void
put_path(char *out, size_t size, const char *dir, const char *below)
{
	strlcpy(out, dir, size);
	if (strlcat(out, below, size) >= size)
		fatal("the path %s%s is too long", dir, below);
}

void
parent_give(struct child *ch)
{
	struct parent *p = ch->parent;
	struct proc_start m;
	unsigned int k;

	memset(&m, 0, sizeof m);
	m.token[0] = p->token[0];
	m.token[1] = p->token[1];
	m.kind = ch->kind;
	m.instance = ch->instance;
	for (k = 0; k < PROC_KINDS; k++)
		m.count[k] = p->count[k];
	m.uid = p->uid[ch->kind];
	m.gid = p->gid[ch->kind];
	m.jailed = p->jailed;
	m.verbose = p->verbose;
	m.check = p->check;
	put_path(m.spool, sizeof m.spool, p->spool, "");
	if (p->jailed && proc_table[ch->kind].root == ROOT_EMPTY)
		put_path(m.root, sizeof m.root, p->run, "/empty");
	if (p->jailed && proc_table[ch->kind].root == ROOT_SPOOL)
		put_path(m.root, sizeof m.root, p->spool, "");
	/* Contents of tables go to lookup alone. */
	proc_start_send(&ch->chan, 0, &m, p->conf_fd[ch->kind == PROC_LOOKUP]);
	if (gifts[ch->kind] != NULL)
		gifts[ch->kind](ch);
}
