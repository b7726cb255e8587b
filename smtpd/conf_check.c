/*
 * What a start needs beyond the grammar of smtpd.conf: files that can be
 * opened, addresses that are ones, nothing said twice.  Runs in the parent,
 * as whoever started it; opens files and reads none.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "slice.h"
#include "smtp_addr.h"

bool
conf_check_path(struct conf_parser *p, const char *path, bool secret)
{
	char shown[CONF_SHOWN_SIZE];
	struct stat st;
	int fd;

	/* A FIFO would keep us waiting. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 || fstat(fd, &st) == -1) {
		conf_wrong(p, "%s: %s, expected a file that can be read",
		    conf_shown(path, shown), strerror(errno));
		if (fd != -1)
			close(fd);
		return false;
	}
	close(fd);
	if (!S_ISREG(st.st_mode))
		return conf_wrong(p,
		    "%s: found something else, expected a file",
		    conf_shown(path, shown));
	if (secret && (st.st_mode & S_IRWXO) != 0)
		return conf_wrong(p,
		    "%s: found a private key that everybody may use (mode %04o), expected mode 0600",
		    conf_shown(path, shown), (unsigned int)st.st_mode & 07777);
	return true;
}

bool
conf_check_listen(struct conf_parser *p, const struct conf_listen *l)
{
	uint32_t i, n = conf_count(&p->listen, sizeof(*l));
	const struct conf_listen *other;
	char shown[CONF_SHOWN_SIZE];

	for (i = 0; i < n; i++) {
		other = conf_at(&p->listen, i, sizeof(*other));
		if (other->local != l->local || other->sslen != l->sslen ||
		    memcmp(&other->ss, &l->ss, sizeof(l->ss)) != 0)
			continue;
		return conf_refuse(p,
		    "found `listen on` %s, but line %u listens there already",
		    conf_shown(conf_pool_text(p, l->name), shown), other->line);
	}
	return true;
}

static bool
check_prefixes(struct conf_parser *p, const struct conf_table *t)
{
	char shown[CONF_SHOWN_SIZE], name[CONF_SHOWN_SIZE];
	const struct conf_entry *e;
	const char *why;
	uint32_t i;

	for (i = 0; i < t->entries.n; i++) {
		e = conf_at(&p->entry, t->entries.off + i, sizeof(*e));
		why = conf_net_prefix_check(conf_pool_text(p, e->key));
		if (why == NULL)
			continue;
		conf_shown(conf_pool_text(p, e->key), shown);
		if (t->name == 0)
			return conf_refuse(p,
			    "`src`: found %s, %s, expected an address or address/bits",
			    shown, why);
		return conf_refuse(p,
		    "`src`: found %s in table %s of line %u, %s, expected an address or address/bits",
		    shown, conf_shown(conf_pool_text(p, t->name), name),
		    t->line, why);
	}
	return true;
}

bool
conf_check_use(struct conf_parser *p, uint32_t table, bool src)
{
	const struct conf_table *t =
	    conf_at(&p->table, table, sizeof(struct conf_table));

	if (t->kind == TABLE_MAP)
		return conf_refuse(p,
		    "found a table with `key = value`, expected a list of %s",
		    src ? "addresses" : "domains");
	if (!src || p->asked_src[table])
		return true;
	p->asked_src[table] = true;
	return check_prefixes(p, t);
}

bool
conf_check_dkim(struct conf_parser *p, const struct conf_dkim *d)
{
	uint32_t i, n = conf_count(&p->dkim, sizeof(*d));
	const struct conf_dkim *other;

	for (i = 0; i < n; i++) {
		other = conf_at(&p->dkim, i, sizeof(*other));
		if (strcasecmp(conf_pool_text(p, other->domain),
			conf_pool_text(p, d->domain)) == 0 &&
		    strcasecmp(conf_pool_text(p, other->selector),
			conf_pool_text(p, d->selector)) == 0)
			return conf_refuse(p,
			    "found this domain and selector again, expected those of line %u once",
			    other->line);
	}
	return true;
}

static void
check_hostname(struct conf_parser *p)
{
	char name[HOST_MAX + 1], shown[CONF_SHOWN_SIZE];

	if (p->f.conf.hostname != 0)
		return;
	if (!conf_net_hostname(name) ||
	    smtp_domain_check(slice_of(name)) != NULL) {
		conf_error(p->errors, conf_pool_text(p, p->f.conf.path), 0,
		    "this host calls itself %s, which mail cannot use, expected `hostname NAME`",
		    conf_shown(name, shown));
		return;
	}
	p->f.conf.hostname = conf_pool_add(p, name);
}

void
conf_check_all(struct conf_parser *p)
{
	if (p->match.len == 0)
		conf_error(p->errors, conf_pool_text(p, p->f.conf.path), 0,
		    "no rules, nothing to do: expected at least one `match`");
	check_hostname(p);
}
