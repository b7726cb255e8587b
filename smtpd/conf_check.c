/*
 * What a start needs beyond the grammar of smtpd.conf: files that can be
 * opened, programs that can be run, tables that can answer what they are
 * asked.  Runs in the parent, as whoever started it; reads of a table no more
 * than its first entry.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "priv_command.h"
#include "slice.h"
#include "smtp_addr.h"
#include "table_file.h"

/* ---- files ---- */

bool
conf_check_path(struct conf_parser *p, const char *path, bool secret)
{
	char shown[CONF_SHOWN_SIZE];
	struct stat st;
	int fd;

	if (p->text_alone)
		return true;
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
		return conf_wrong(p, "%s: found %s, expected a file",
		    conf_shown(path, shown),
		    S_ISDIR(st.st_mode) ? "a directory" : "something else");
	if (secret && (st.st_mode & S_IRWXO) != 0)
		return conf_wrong(p,
		    "%s: found a private key that everybody may use (mode %04o), expected mode 0600",
		    conf_shown(path, shown), (unsigned int)st.st_mode & 07777);
	return true;
}

/* One of OpenSMTPD's makemap, or the text it is made of, would only put mail
 * off. */
void
conf_check_db(struct conf_parser *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *why = fd == -1 ? NULL : table_file_look(fd);
	char shown[CONF_SHOWN_SIZE];

	if (fd != -1)
		close(fd);
	if (why != NULL)
		conf_wrong(p,
		    "%s: %s, expected a file that `smtpctl makemap` of this version made",
		    conf_shown(path, shown), why);
}

/* ---- programs ---- */

/* NULL, or why it cannot be run. */
static const char *
check_program(const char *path, char why[CONF_PROGRAM_WHY])
{
	char shown[CONF_SHOWN_SIZE];
	struct stat st;

	conf_shown(path, shown);
	if (stat(path, &st) == -1)
		snprintf(why, CONF_PROGRAM_WHY, "%s: %s", shown,
		    strerror(errno));
	else if (!S_ISREG(st.st_mode) ||
	    (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		snprintf(why, CONF_PROGRAM_WHY,
		    "%s: found no program, expected a file that may be run",
		    shown);
	else
		return NULL;
	return why;
}

const char *
conf_check_program(const char *type, const char *path,
    char why[CONF_PROGRAM_WHY])
{
	char own[PATH_MAX], beside[PATH_MAX + 64];
	struct command c;
	const char *bad;

	command_libexec(own);
	bad = command_of_table(type, path, own, &c);
	if (c.path[0] == '/' && bad == NULL)
		return check_program(c.path, why);
	if (c.argv[0] == NULL) {
		snprintf(why, CONF_PROGRAM_WHY, "%s", bad);
		return why;
	}
	/* Say where it would be. */
	if (c.argv[0][0] == '/')
		snprintf(beside, sizeof(beside), "%s", c.argv[0]);
	else
		snprintf(beside, sizeof(beside), "%s/%.60s", own, c.argv[0]);
	if (check_program(beside, why) == NULL)
		snprintf(why, CONF_PROGRAM_WHY, "%s", bad);
	return why;
}

const char *
conf_check_command(const char *line, char why[CONF_PROGRAM_WHY])
{
	struct command c;
	const char *bad = command_split(line, &c);

	if (bad == NULL && c.argv[0][0] == '/')
		return check_program(c.argv[0], why);
	snprintf(why, CONF_PROGRAM_WHY, "%s",
	    bad != NULL ?
		bad :
		"expected a command that begins with an absolute path");
	return why;
}

/* ---- what is in a table ---- */

/* The first entry of a text table: has it a value?  A key ends at a blank or
 * a colon, but not in an IPv6 address or a URL. */
static enum conf_shape
line_shape(const char *line)
{
	const char *key = line + strspn(line, " \t"), *rest;
	char word[IP_TEXT_MAX + 8];
	size_t len = strcspn(key, " \t\r\n");

	if (*key == '\0' || strchr("#\r\n", *key) != NULL)
		return SHAPE_EMPTY;
	if (memmem(key, len, "://", 3) == NULL &&
	    (!slice_copy((struct slice){ key, len }, word, sizeof(word)) ||
		conf_net_prefix_check(word) != NULL))
		len = strcspn(key, " \t\r\n:");
	rest = key + len;
	rest += strspn(rest, " \t:");
	return *rest == '\0' || strchr("#\r\n", *rest) != NULL ? SHAPE_LIST :
								 SHAPE_MAP;
}

/* "# @list" (table(5)): each line is a key as a whole. */
static bool
is_list(const char *line)
{
	if (line[0] == '#')
		line += 1 + strspn(line + 1, " \t");
	return strncmp(line, "@list", 5) == 0;
}

static enum conf_shape
first_shape(FILE *f)
{
	enum conf_shape shape = SHAPE_EMPTY;
	char line[1024];
	bool begins = true; /* of a line, not the rest of a long one */

	while (shape == SHAPE_EMPTY && fgets(line, sizeof(line), f) != NULL) {
		if (begins)
			shape = is_list(line) ? SHAPE_LIST : line_shape(line);
		begins = strchr(line, '\n') != NULL;
	}
	return ferror(f) ? SHAPE_ANY : shape;
}

/* Why it cannot be read has been said. */
static enum conf_shape
file_shape(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum conf_shape shape;
	struct stat st;
	FILE *f = NULL;

	if (fd == -1)
		return SHAPE_ANY;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		f = fdopen(fd, "r");
	if (f == NULL) {
		close(fd);
		return SHAPE_ANY;
	}
	shape = first_shape(f);
	fclose(f);
	return shape;
}

/* What the table holds, as far as it can be known. */
static enum conf_shape
conf_check_shape(struct conf_parser *p, uint32_t table)
{
	const struct conf_table *t =
	    conf_item(&p->table, table, sizeof(struct conf_table));
	enum conf_shape shape = p->shape[table];

	if (shape != SHAPE_UNKNOWN)
		return shape;
	switch (t->kind) {
	case TABLE_LIST:
		shape = SHAPE_LIST;
		break;
	case TABLE_MAP:
		shape = SHAPE_MAP;
		break;
	case TABLE_FILE:
		shape = p->text_alone ? SHAPE_ANY :
					file_shape(conf_pool_text(p, t->path));
		break;
	default:
		shape = SHAPE_ANY;
	}
	p->shape[table] = (uint8_t)shape;
	return shape;
}

/* "table `t` of line 3", or "the list" */
static const char *
called(const struct conf_parser *p, const struct conf_table *t, char *out,
    size_t size)
{
	char shown[CONF_SHOWN_SIZE];

	if (t->name == 0)
		snprintf(out, size, "the list");
	else
		snprintf(out, size, "table %s of line %u",
		    conf_shown(conf_pool_text(p, t->name), shown), t->at.line);
	return out;
}

/* Nobody has it, or many do. */
static bool
is_no_host(const char *text)
{
	struct in6_addr in6;
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) == 1)
		return in.s_addr == INADDR_ANY ||
		    in.s_addr == INADDR_BROADCAST ||
		    IN_MULTICAST(ntohl(in.s_addr));
	return inet_pton(AF_INET6, text, &in6) == 1 &&
	    (IN6_IS_ADDR_UNSPECIFIED(&in6) || IN6_IS_ADDR_MULTICAST(&in6));
}

/* An address, of others a prefix length too. */
static const char *
check_address(const char *text, enum conf_service service)
{
	const char *why;

	if ((why = conf_net_prefix_check(text)) != NULL ||
	    service != SERVICE_SOURCE)
		return why;
	if (strchr(text, '/') != NULL)
		return "not an address alone";
	if (is_no_host(text))
		return "from which no host can connect";
	return NULL;
}

static bool
check_addresses(struct conf_parser *p, const struct conf_table *t,
    enum conf_service service)
{
	char shown[CONF_SHOWN_SIZE], name[CONF_SHOWN_SIZE + 32];
	const struct conf_entry *e;
	const char *why;
	uint32_t i;

	for (i = 0; i < t->entries.n; i++) {
		e = conf_item(&p->entry, t->entries.off + i, sizeof(*e));
		why = check_address(conf_pool_text(p, e->key), service);
		if (why == NULL)
			continue;
		conf_shown(conf_pool_text(p, e->key), shown);
		return conf_refuse(p,
		    "`%s`: found %s in %s, %s, expected an address%s", p->use,
		    shown, called(p, t, name, sizeof(name)), why,
		    service == SERVICE_SOURCE ? "" : " or address/bits");
	}
	return true;
}

/* What a shape is called that something else was expected of. */
static bool
say_shape(struct conf_parser *p, const struct conf_table *t,
    enum conf_shape have, enum conf_shape want)
{
	char name[CONF_SHOWN_SIZE + 32];

	called(p, t, name, sizeof(name));
	if (have == SHAPE_EMPTY)
		return conf_refuse(p,
		    "`%s`: %s is empty, expected at least one %s", p->use, name,
		    want == SHAPE_MAP ? "key and value" : "element");
	if (want == SHAPE_MAP)
		return conf_refuse(p,
		    "`%s`: %s has elements without values, expected `key = value`",
		    p->use, name);
	return conf_refuse(p,
	    "`%s`: %s has `key = value`, expected a list of elements", p->use,
	    name);
}

bool
conf_check_use(struct conf_parser *p, uint32_t table, enum conf_service service,
    enum conf_shape shape)
{
	struct conf_table *t = conf_item(&p->table, table, sizeof(*t));
	enum conf_shape have = conf_check_shape(p, table);
	char name[CONF_SHOWN_SIZE + 32];

	t->services |= 1u << service;
	if (t->kind == TABLE_PASSWD &&
	    (CONF_PASSWD_SERVICES & 1u << service) == 0)
		return conf_refuse(p,
		    "`%s`: %s has lines of passwd(5), which say who may log in and where users are, and nothing else",
		    p->use, called(p, t, name, sizeof(name)));
	/* A host without aliases has a file without any. */
	if (have == SHAPE_EMPTY && service == SERVICE_ALIAS)
		have = shape;
	if (shape != SHAPE_ANY && have != SHAPE_ANY && have != shape)
		return say_shape(p, t, have, shape);
	if ((service != SERVICE_NETADDR && service != SERVICE_SOURCE) ||
	    p->prefixes[table])
		return true;
	p->prefixes[table] = true;
	return check_addresses(p, t, service);
}

/* ---- listeners ---- */

bool
conf_check_listen(struct conf_parser *p, const struct conf_listen *l)
{
	uint32_t i, n = conf_count(&p->listen, sizeof(*l));
	const struct conf_listen *other;
	char shown[CONF_SHOWN_SIZE];

	for (i = 0; i < n; i++) {
		other = conf_item(&p->listen, i, sizeof(*other));
		if (other->local != l->local || other->sslen != l->sslen ||
		    memcmp(&other->ss, &l->ss, sizeof(l->ss)) != 0)
			continue;
		return conf_refuse(p,
		    "found `listen on` %s, but line %u listens there already",
		    conf_shown(conf_pool_text(p, l->name), shown),
		    other->at.line);
	}
	return true;
}

/* ---- the whole ---- */

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

/* A certificate is of no use without its key. */
static void
check_pki(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->pki, sizeof(struct conf_pki));
	char shown[CONF_SHOWN_SIZE];
	const struct conf_pki *k;

	for (i = 0; i < n; i++) {
		k = conf_item(&p->pki, i, sizeof(*k));
		if (k->cert != 0 && k->key != 0)
			continue;
		conf_error(p->errors, conf_pool_text(p, k->at.file), k->at.line,
		    "pki %s has no %s, expected `pki NAME %s FILE`",
		    conf_shown(conf_pool_text(p, k->name), shown),
		    k->cert == 0 ? "certificate" : "private key",
		    k->cert == 0 ? "cert" : "key");
	}
}

void
conf_check_all(struct conf_parser *p)
{
	if (p->match.len == 0)
		conf_error(p->errors, conf_pool_text(p, p->f.conf.path), 0,
		    "no rules, nothing to do: expected at least one `match`");
	check_pki(p);
	conf_check_clients(p);
	conf_check_relays(p);
	conf_check_auth(p);
	check_hostname(p);
}
