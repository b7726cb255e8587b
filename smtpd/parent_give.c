/*
 * What each child is handed at its start: configuration, user, root
 * directory, and the descriptors that it may not open itself.  Runs in the
 * parent; opens what the configuration names and reads none of it.
 *
 * SPDX-License-Identifier: ISC
 */

#include <bsd/string.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

/* fd stays open. */
static void
send_file(struct child *ch, int fd, enum proc_file_of of, uint32_t index)
{
	struct proc_file m;

	memset(&m, 0, sizeof m);
	m.of = of;
	m.index = index;
	proc_file_send(&ch->chan, 0, &m, fd);
}

bool
give_file(struct child *ch, const char *path, enum proc_file_of of,
    uint32_t index)
{
	int fd = priv_open(path);

	if (fd == -1)
		return false;
	send_file(ch, fd, of, index);
	close(fd);
	return true;
}

/* A file of the configuration cannot be opened, as errno says.  A generation
 * that comes cannot be without it; one that is at work goes on as far as it
 * can. */
static void
no_file(struct child *ch, const char *path, const struct conf_at *where)
{
	struct parent *p = ch->parent;
	char at[CONF_AT_MAX];
	int error = errno;

	conf_at_print(ch->gen->conf, where, at, sizeof at);
	if (ch->gen == p->next)
		reload_fail(p, "%s: cannot open %s: %s", at, path,
		    strerror(error));
	else
		log_warn("no-file", "at=%s path=%s why=%s", q(at), q(path),
		    q(strerror(error)));
}

static void
give_row(struct child *ch, const char *path, enum proc_file_of of,
    uint32_t index, const struct conf_at *where)
{
	if (!give_file(ch, path, of, index))
		no_file(ch, path, where);
}

/* The same file to each process of a generation, whoever comes when: they read
 * it from its start, by pread(2). */
static void
give_pair(struct child *ch, uint32_t index, enum proc_file_of of)
{
	const struct conf *c = ch->gen->conf;
	const struct conf_pki *k = CONF_PKI(c, index);
	int *fd = &ch->gen->pairs[2 * index + (of == FILE_KEY)];
	const char *path = conf_text(c, of == FILE_KEY ? k->key : k->cert);

	if (*fd == -1)
		*fd = priv_open(path);
	if (*fd == -1)
		no_file(ch, path, &k->at);
	else
		send_file(ch, *fd, of, index);
}

static void
give_tables(struct child *ch)
{
	const struct conf *c = ch->gen->conf;
	const struct conf_table *t;
	uint32_t i;

	for (i = 0; i < c->table.n && ch->state != CHILD_STOPPING; i++) {
		t = CONF_TABLE(c, i);
		if (!table_has_file(t))
			continue;
		table_note(ch->gen, i);
		give_row(ch, conf_text(c, t->path), FILE_TABLE, i, &t->at);
	}
}

/* Certificates, which keys compares with its private keys. */
static void
give_certs(struct child *ch)
{
	uint32_t i, n = ch->gen->conf->pki.n;

	for (i = 0; i < n && ch->state != CHILD_STOPPING; i++)
		give_pair(ch, i, FILE_CERT);
}

static void
give_authority(struct child *ch, uint32_t i)
{
	const struct conf *c = ch->gen->conf;

	give_row(ch, conf_text(c, CONF_CA(c, i)->cert), FILE_CA, i,
	    &CONF_CA(c, i)->at);
}

static void
give_authorities(struct child *ch)
{
	uint32_t i, n = ch->gen->conf->ca.n;

	for (i = 0; i < n && ch->state != CHILD_STOPPING; i++)
		give_authority(ch, i);
}

static void
give_session(struct child *ch)
{
	give_certs(ch);
	give_authorities(ch);
}

static void
give_keys(struct child *ch)
{
	const struct conf *c = ch->gen->conf;
	uint32_t i;

	give_certs(ch);
	for (i = 0; i < c->pki.n && ch->state != CHILD_STOPPING; i++)
		give_pair(ch, i, FILE_KEY);
	for (i = 0; i < c->dkim.n && ch->state != CHILD_STOPPING; i++)
		give_row(ch, conf_text(c, CONF_DKIM(c, i)->path), FILE_DKIM, i,
		    &CONF_DKIM(c, i)->at);
}

/* What lookup reads: tables, and the keys that tokens are signed with. */
static void
give_lookup(struct child *ch)
{
	const struct conf *c = ch->gen->conf;
	uint32_t i;

	give_tables(ch);
	for (i = 0; i < c->oauth.n && ch->state != CHILD_STOPPING; i++)
		give_row(ch, conf_text(c, CONF_OAUTH(c, i)->path), FILE_OAUTH,
		    i, &CONF_OAUTH(c, i)->at);
}

/* Without the file the name server on this host is asked. */
static void
give_resolver(struct child *ch)
{
	if (ch->gen->conf->resolver.ss_family == 0)
		(void)give_file(ch, "/etc/resolv.conf", FILE_RESOLV, 0);
}

/* Does mail that leaves need this pki, or this ca? */
static bool
is_for_relay(const struct conf *c, conf_str name, bool ca)
{
	/* A pki has a name of the DNS. */
	int (*differ)(const char *, const char *) = ca ? strcmp : strcasecmp;
	const char *text = conf_text(c, name);
	const struct conf_action *a;
	const struct conf_tls *t;
	uint32_t i;

	for (i = 0; i < c->action.n; i++) {
		a = CONF_ACTION(c, i);
		if (differ(conf_text(c, ca ? a->ca : a->pki), text) == 0)
			return true;
	}
	for (i = 0; i < c->tls.n; i++) {
		t = CONF_TLS(c, i);
		if (differ(conf_text(c, ca ? t->ca : t->pki), text) == 0)
			return true;
	}
	return false;
}

/* What deliver shows to other servers, and by whom it knows them. */
static void
give_deliver(struct child *ch)
{
	const struct conf *c = ch->gen->conf;
	uint32_t i;

	give_resolver(ch);
	for (i = 0; i < c->pki.n && ch->state != CHILD_STOPPING; i++) {
		if (is_for_relay(c, CONF_PKI(c, i)->name, false))
			give_pair(ch, i, FILE_CERT);
	}
	for (i = 0; i < c->ca.n && ch->state != CHILD_STOPPING; i++) {
		if (is_for_relay(c, CONF_CA(c, i)->name, true))
			give_authority(ch, i);
	}
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
	uint32_t i;

	for (i = 0; i < ch->gen->conf->listen.n; i++)
		give_listener(ch, i, ch->gen->listeners[i]);
	activate_each_beside(ch->parent, ch->gen, give_listener, ch);
}

static void
give_control(struct child *ch)
{
	give_listener(ch, CONF_NONE, ch->parent->control);
}

/* Columns, by kind: what it is handed beside configuration and peers; the
 * same when its generation is at work, which one that comes gets later. */
static const struct {
	void (*first)(struct child *ch);
	void (*at_work)(struct child *ch);
} gifts[PROC_KINDS] = {
	[PROC_LOOKUP] = { give_lookup, NULL },
	[PROC_KEYS] = { give_keys, NULL },
	[PROC_DELIVER] = { give_deliver, NULL },
	[PROC_GUARD] = { give_resolver, NULL },
	[PROC_CONTROL] = { NULL, give_control },
	[PROC_SESSION] = { give_session, give_listeners },
};

void
give_at_work(struct child *ch)
{
	if (gifts[ch->kind].at_work != NULL)
		gifts[ch->kind].at_work(ch);
}

/* Contents of tables, secrets and command lines: to who works with them. */
static int
conf_for(const struct child *ch)
{
	return ch->gen->conf_fd[ch->kind == PROC_LOOKUP ? CONF_WHOLE :
		ch->kind == PROC_SPAWN                  ? CONF_SOURCES :
							  CONF_BARE];
}

/* smtpd.c has seen to it that the paths are short enough for a message. */
static void
put_path(char *out, size_t size, const char *dir, const char *below)
{
	strlcpy(out, dir, size);
	if (strlcat(out, below, size) >= size)
		fatal("the path %s%s is too long", dir, below);
}

void
give_all(struct child *ch)
{
	struct parent *p = ch->parent;
	struct proc_start m;

	memset(&m, 0, sizeof m);
	m.token[0] = p->token[0];
	m.token[1] = p->token[1];
	m.kind = ch->kind;
	m.instance = ch->instance;
	m.uid = p->uid[ch->kind];
	m.gid = p->gid[ch->kind];
	m.jailed = p->jailed;
	m.verbose = parent_verbose(p, ch->gen);
	m.check = p->options->check;
	m.generation = ch->gen->number;
	m.loaded = ch->gen->loaded;
	put_path(m.spool, sizeof m.spool, p->spool, "");
	put_path(m.run, sizeof m.run, p->run, "");
	if (p->jailed && proc_table[ch->kind].root == ROOT_EMPTY)
		put_path(m.root, sizeof m.root, p->run, "/empty");
	if (p->jailed && proc_table[ch->kind].root == ROOT_SPOOL)
		put_path(m.root, sizeof m.root, p->spool, "");
	proc_start_send(&ch->chan, 0, &m, conf_for(ch));
	if (gifts[ch->kind].first != NULL)
		gifts[ch->kind].first(ch);
	if (ch->gen == p->now)
		give_at_work(ch);
}
