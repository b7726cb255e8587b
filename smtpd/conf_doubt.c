/*
 * What smtpd.conf may say, as OpenSMTPD takes it, and is hardly meant: mail
 * would wait for it, or others would read a secret.  Runs in the parent, as
 * whoever started it; a file of secrets is read for its keys, and nothing of
 * it is kept.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conf_file.h"
#include "conf_net.h"
#include "conf_parse.h"
#include "slice.h"
#include "table_key.h"
#include "table_line.h"

enum { LABELS_MAX = 64 }; /* of one action that are looked for */

struct label {
	struct slice name;
	char folded[LABEL_MAX + 1]; /* as a key */
	bool found;                 /* in the table of `auth` */
};

/* An action, and what its URLs have. */
struct doubt {
	struct conf_parser *p;
	const struct conf_action *a;
	struct label label[LABELS_MAX]; /* no two the same */
	uint32_t labels;
	bool more; /* URLs that are not known before they are used */
};

struct relay_url {
	enum conf_scheme scheme;
	uint16_t port;
	struct slice label;
	const char *host;
};

/* ---- each URL ---- */

/* Columns: scheme, a port where it is hardly right, what stands there, the
 * mend. */
static const struct {
	enum conf_scheme scheme;
	uint16_t port;
	const char *word, *there, *mend;
} ports[] = {
	{ SCHEME_SMTPS, 587, "smtps", "where TLS begins with STARTTLS",
	    "smtp+tls:// or port 465" },
	{ SCHEME_SMTPS, 25, "smtps", "where TLS begins with STARTTLS",
	    "smtp+tls:// or port 465" },
	{ SCHEME_SMTP_TLS, 465, "smtp+tls",
	    "where TLS is there from the first byte", "smtps:// or port 587" },
	{ SCHEME_SMTP, 465, "smtp", "where TLS is there from the first byte",
	    "smtps:// or port 587" },
};

static void
look_at_port(const struct doubt *d, const struct relay_url *u)
{
	char shown[CONF_SHOWN_SIZE];
	size_t i;

	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		if (ports[i].scheme != u->scheme || ports[i].port != u->port)
			continue;
		conf_warn(d->p, &d->a->at,
		    "found %s:// with port %u for %s, %s, expected %s",
		    ports[i].word, u->port, conf_shown(u->host, shown),
		    ports[i].there, ports[i].mend);
	}
}

static void
note_label(struct doubt *d, struct slice label)
{
	char folded[TABLE_KEY_MAX + 1];
	struct label *l;
	uint32_t i;

	if (table_key_fold(label, folded) != NULL || d->labels == LABELS_MAX)
		return;
	for (i = 0; i < d->labels; i++) {
		if (strcmp(d->label[i].folded, folded) == 0)
			return;
	}
	l = &d->label[d->labels];
	l->name = label;
	/* Of ASCII alone, so it has not become longer. */
	if (slice_copy(slice_of(folded), l->folded, sizeof(l->folded)))
		d->labels++;
}

static void
look_at_url(struct doubt *d, const struct relay_url *u)
{
	look_at_port(d, u);
	note_label(d, u->label);
}

/* Those of a table; of a file they are not known. */
static void
look_at_table(struct doubt *d, uint32_t table)
{
	const struct conf_net_scheme *scheme;
	const struct conf_table *t;
	const struct conf_entry *e;
	struct conf_url url;
	struct relay_url u;
	uint32_t i;

	if (table == CONF_NONE)
		return;
	t = conf_item(&d->p->table, table, sizeof(*t));
	d->more = d->more || t->kind > TABLE_MAP;
	for (i = 0; i < t->entries.n; i++) {
		e = conf_item(&d->p->entry, t->entries.off + i, sizeof(*e));
		if (conf_net_url(conf_pool_text(d->p,
				     t->kind == TABLE_MAP ? e->value : e->key),
			&url) != NULL ||
		    (scheme = conf_net_scheme(url.scheme)) == NULL)
			continue;
		u = (struct relay_url){ .scheme = scheme->scheme,
			.port = url.port != 0 ? url.port : scheme->port,
			.label = url.label,
			.host = url.host };
		look_at_url(d, &u);
	}
}

static void
look_at_urls(struct doubt *d)
{
	const struct conf_host *h;
	struct relay_url u;
	uint32_t i;

	for (i = 0; i < d->a->host.n; i++) {
		h = conf_item(&d->p->host, d->a->host.off + i, sizeof(*h));
		u = (struct relay_url){ .scheme = h->scheme,
			.port = h->port,
			.label = slice_of(conf_pool_text(d->p, h->label)),
			.host = conf_pool_text(d->p, h->name) };
		look_at_url(d, &u);
	}
	look_at_table(d, d->a->host_table);
	look_at_table(d, d->a->domain);
}

/* ---- labels ---- */

/* A key of the table.  False: all labels were found. */
static bool
take_key(struct doubt *d, struct slice key)
{
	char folded[TABLE_KEY_MAX + 1];
	bool all = true;
	uint32_t i;

	if (table_key_fold(key, folded) != NULL)
		return true;
	for (i = 0; i < d->labels; i++) {
		if (strcmp(d->label[i].folded, folded) == 0)
			d->label[i].found = true;
		all = all && d->label[i].found;
	}
	return !all;
}

static bool
take_entry(void *arg, const struct table_entry *e, const char *why)
{
	(void)why; /* also a key without a value is there */
	return take_key(arg, e->key);
}

/* False: it cannot be read now. */
static bool
read_keys(struct doubt *d, const struct conf_table *t)
{
	struct table_lines lines = { .text = t->kind == TABLE_PASSWD ?
		    TABLE_TEXT_PASSWD :
		    TABLE_TEXT_MAP,
		.fn = take_entry,
		.arg = d,
		.wipe = true };
	struct stat st;
	bool done;
	int fd;

	fd = open(conf_pool_text(d->p, t->path),
	    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return false;
	done = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    table_lines_read(&lines, fd) == NULL;
	table_lines_free(&lines);
	conf_wipe(&lines, sizeof(lines));
	close(fd);
	return done;
}

/* False: nobody knows now which keys it has. */
static bool
look_for_labels(struct doubt *d, const struct conf_table *t)
{
	const struct conf_entry *e;
	uint32_t i;

	if (t->kind == TABLE_FILE || t->kind == TABLE_PASSWD)
		return read_keys(d, t);
	for (i = 0; i < t->entries.n; i++) {
		e = conf_item(&d->p->entry, t->entries.off + i, sizeof(*e));
		(void)take_key(d, slice_of(conf_pool_text(d->p, e->key)));
	}
	return t->kind == TABLE_MAP;
}

/* known: the keys of the table are. */
static void
say_label(const struct doubt *d, const struct label *l, bool known)
{
	const char *colon = memchr(l->name.p, ':', l->name.len);
	char shown[CONF_SHOWN_SIZE], name[LABEL_MAX + 1];
	struct slice part = l->name;

	if (l->found)
		return;
	if (colon != NULL)
		part.len = (size_t)(colon - part.p);
	if (!slice_copy(part, name, sizeof(name)))
		return;
	conf_shown(name, shown);
	if (colon != NULL)
		conf_warn(d->p, &d->a->at,
		    "found what looks like a password behind %s in a URL, which lists and logs show: expected a label, as smtps://LABEL@HOST, and `auth <table>` with a file of mode 0600 that has the line `LABEL user:password`",
		    shown);
	else if (d->a->auth == CONF_NONE)
		conf_warn(d->p, &d->a->at,
		    "found the label %s in a URL and no `auth`, so that nobody logs in: expected `auth <table>`, with what that label stands for",
		    shown);
	else if (known)
		conf_warn(d->p, &d->a->at,
		    "found the label %s in a URL, which the table of `auth` does not have, so that mail waits: expected `%s user:password` there",
		    shown, name);
}

static void
look_at_labels(struct doubt *d)
{
	bool known = d->a->auth != CONF_NONE && d->labels > 0 &&
	    look_for_labels(d,
		conf_item(&d->p->table, d->a->auth, sizeof(struct conf_table)));
	uint32_t i;

	for (i = 0; i < d->labels; i++)
		say_label(d, &d->label[i], known);
}

/* ---- actions ---- */

static void
look_at_action(struct conf_parser *p, const struct conf_action *a)
{
	struct doubt d = { .p = p, .a = a };
	bool logs_in;

	look_at_urls(&d);
	look_at_labels(&d);
	if (a->auth == CONF_NONE)
		return;
	logs_in = d.labels > 0 || d.more;
	if (!logs_in)
		conf_warn(p, &a->at,
		    "found `auth` and no URL with a label, so that nobody logs in: expected a key of its table there, as smtps://LABEL@HOST");
	else if (a->tls == RELAY_TLS_NO_VERIFY && !a->auth_insecure)
		conf_warn(p, &a->at,
		    "found `auth` and `tls no-verify`: mail for a host without a good certificate waits, since passwords are said to no other, expected `auth-insecure` too, or `tls` alone");
}

/* ---- files of secrets ---- */

static void
look_at_mode(struct conf_parser *p, const struct conf_table *t)
{
	char shown[CONF_SHOWN_SIZE];
	struct stat st;

	if (t->kind < TABLE_FILE || t->kind > TABLE_DB ||
	    (t->services & 1u << SERVICE_CREDENTIALS) == 0 ||
	    stat(conf_pool_text(p, t->path), &st) == -1 ||
	    (st.st_mode & S_IROTH) == 0)
		return;
	conf_warn(p, &t->at,
	    "%s: found secrets of `auth` that everybody may read (mode %04o), expected mode 0600",
	    conf_shown(conf_pool_text(p, t->path), shown),
	    (unsigned int)st.st_mode & 07777);
}

void
conf_doubt_all(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->table, sizeof(struct conf_table));
	const struct conf_action *a;

	for (i = 0; i < n; i++)
		look_at_mode(p,
		    conf_item(&p->table, i, sizeof(struct conf_table)));
	n = conf_count(&p->action, sizeof(struct conf_action));
	for (i = 0; i < n; i++) {
		a = conf_item(&p->action, i, sizeof(*a));
		if (a->method == METHOD_RELAY)
			look_at_action(p, a);
	}
	conf_doubt_local(p);
	conf_doubt_auth(p);
}
