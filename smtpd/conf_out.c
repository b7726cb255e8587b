/*
 * Statements of smtpd.conf about mail that leaves, which OpenSMTPD has not:
 * `dkim`, `tls domain`, `token`.  Runs in the parent; reads of a folder of
 * keys the names, and no key and no token.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf_parse.h"
#include "slice.h"
#include "smtp_addr.h"

/* ---- dkim ---- */

#define KEY_SUFFIX ".key"

/* This selector was not said before. */
static bool
check_dkim(struct conf_parser *p, const struct conf_dkim *d)
{
	uint32_t i, n = conf_count(&p->dkim, sizeof(*d));
	const struct conf_dkim *other;
	char shown[CONF_SHOWN_SIZE];

	for (i = 0; i < n; i++) {
		other = conf_item(&p->dkim, i, sizeof(*other));
		if (strcmp(conf_pool_text(p, other->domain),
			conf_pool_text(p, d->domain)) != 0 ||
		    strcasecmp(conf_pool_text(p, other->selector),
			conf_pool_text(p, d->selector)) != 0)
			continue;
		if (d->dir == 0)
			return conf_refuse(p,
			    "found this domain and selector again, expected those of line %u once",
			    other->at.line);
		return conf_refuse(p,
		    "`keys`: found a key of the selector %s, which line %u has already for this domain",
		    conf_shown(conf_pool_text(p, d->selector), shown),
		    other->at.line);
	}
	return true;
}

static bool
add_dkim(struct conf_parser *p, struct conf_dkim *d)
{
	d->at = conf_here(p);
	return check_dkim(p, d) &&
	    conf_add(p, &p->dkim, d, sizeof(*d), CONF_DKIM_MAX, "keys");
}

bool
conf_read_folder(struct conf_parser *p, const struct conf_word *w)
{
	if (!conf_need_text(p, w->what))
		return false;
	if (p->lex.text[0] != '/')
		return conf_expected(p, "an absolute path");
	conf_store(p, w, conf_take_text(p));
	return true;
}

static int
is_key(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > strlen(KEY_SUFFIX) &&
	    strcmp(e->d_name + len - strlen(KEY_SUFFIX), KEY_SUFFIX) == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* SELECTOR.key becomes a row. */
static bool
add_key(struct conf_parser *p, const char *name)
{
	struct conf_dkim d = p->f.stmt.dkim;
	char path[PATH_MAX], shown[CONF_SHOWN_SIZE];
	struct slice selector = { name, strlen(name) - strlen(KEY_SUFFIX) };
	const char *why;
	int len;

	len = snprintf(path, sizeof(path), "%s/%s", conf_pool_text(p, d.dir),
	    name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return conf_refuse(p, "`keys`: %s: the path is too long",
		    conf_shown(name, shown));
	if ((why = smtp_domain_check(selector)) != NULL)
		return conf_refuse(p,
		    "`keys`: found %s, whose name is no selector: %s",
		    conf_shown(path, shown), why);
	if (!conf_check_path(p, path, true))
		return false;
	d.path = conf_pool_add(p, path);
	path[strlen(path) - strlen(KEY_SUFFIX)] = '\0';
	d.selector = conf_pool_add(p, strrchr(path, '/') + 1);
	return add_dkim(p, &d);
}

/* The keys that are there now, in the order of their names. */
static bool
add_keys(struct conf_parser *p)
{
	const struct conf_dkim *d = &p->f.stmt.dkim;
	const char *dir = conf_pool_text(p, d->dir);
	char shown[CONF_SHOWN_SIZE];
	struct dirent **list;
	bool good = true;
	int i, n;

	if (d->selector != 0 || d->path != 0)
		return conf_refuse(p,
		    "found `keys` with `%s`, expected either: in the folder of `keys` a key of the selector S is S.key",
		    d->selector != 0 ? "selector" : "key");
	if (p->text_alone)
		return true;
	if ((n = scandir(dir, &list, is_key, by_name)) == -1)
		return conf_refuse(p,
		    "`keys`: %s: %s, expected a folder that can be read",
		    conf_shown(dir, shown), strerror(errno));
	if (n == 0)
		good = conf_refuse(p,
		    "`keys`: found no key in %s, expected SELECTOR.key: `smtpctl dkim rotate` makes one",
		    conf_shown(dir, shown));
	for (i = 0; i < n; i++) {
		good = good && add_key(p, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return good;
}

bool
conf_dkim_end(struct conf_parser *p)
{
	struct conf_dkim *d = &p->f.stmt.dkim;

	if (d->dir != 0)
		return add_keys(p);
	if (d->selector == 0)
		return conf_refuse(p,
		    "`selector` is missing, with a selector; or `keys`, with the path of a folder");
	if (d->path == 0)
		return conf_refuse(p,
		    "`key` is missing, with the path of a private key");
	return add_dkim(p, d);
}

/* ---- tls domain ---- */

static const char *const level_words[] = {
#define X(name, word) word,
	CONF_TLS_LEVELS(X)
#undef X
};

/* What the statement says with a level that has no use for it. */
static const char *
useless(const struct conf_tls *t)
{
	if (t->name.n != 0 && t->level != TLS_LEVEL_VERIFY)
		return "name";
	if (t->level != TLS_LEVEL_NO)
		return NULL;
	return t->ca != 0     ? "ca" :
	    t->pki != 0       ? "pki" :
	    t->ciphers != 0   ? "ciphers" :
	    t->protocols != 0 ? "protocols" :
				NULL;
}

bool
conf_tls_end(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->tls, sizeof(struct conf_tls));
	struct conf_tls *mine = &p->f.stmt.tls;
	const struct conf_tls *row;
	const char *word;

	mine->at = conf_here(p);
	if ((word = useless(mine)) != NULL)
		return conf_refuse(p, "found `%s` with `%s`, expected %s", word,
		    level_words[mine->level],
		    mine->level == TLS_LEVEL_NO ?
			"nothing behind it: without TLS it has no meaning" :
			"`verify`: otherwise nobody looks at the certificate's name");
	for (i = 0; i < n; i++) {
		row = conf_item(&p->tls, i, sizeof(*row));
		if (!conf_check_domains(p, mine->domain, row->domain, row->at,
			"tls domain"))
			return false;
	}
	return conf_add(p, &p->tls, mine, sizeof(*mine), CONF_DOMAINS_MAX,
	    "`tls domain`");
}

/* ---- token ---- */

/* The folder that a file is to be in. */
static bool
has_folder(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;

	return slice_copy((struct slice){ path, (size_t)(slash - path) + 1 },
		   dir, sizeof(dir)) &&
	    stat(dir, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Who gets tokens may write the file later than we start; what is there by
 * then is looked at. */
static void
check_token_file(struct conf_parser *p, const char *path)
{
	char shown[CONF_SHOWN_SIZE];
	struct stat st;

	conf_shown(path, shown);
	if (stat(path, &st) == -1) {
		if (errno != ENOENT || !has_folder(path))
			conf_wrong(p,
			    "%s: %s, expected a file, or that its folder is there",
			    shown, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		conf_wrong(p, "%s: found %s, expected a file", shown,
		    S_ISDIR(st.st_mode) ? "a directory" : "something else");
	} else if ((st.st_mode & S_IRWXO) != 0) {
		conf_wrong(p,
		    "%s: found a token that everybody may use (mode %04o), expected mode 0600",
		    shown, (unsigned int)st.st_mode & 07777);
	}
}

bool
conf_read_token_file(struct conf_parser *p, const struct conf_word *w)
{
	if (!conf_need_text(p, w->what))
		return false;
	if (p->lex.text[0] != '/')
		return conf_expected(p, "an absolute path");
	if (!p->text_alone)
		check_token_file(p, p->lex.text);
	conf_store(p, w, conf_take_text(p));
	return true;
}

bool
conf_read_token_command(struct conf_parser *p, const struct conf_word *w)
{
	char why[CONF_PROGRAM_WHY];

	if (!conf_need_text(p, w->what))
		return false;
	if (!p->text_alone && conf_check_command(p->lex.text, why) != NULL)
		conf_wrong(p, "`command`: %s", why);
	conf_store(p, w, conf_take_text(p));
	return true;
}

/* Never root: what it prints is believed, what it reads is not ours. */
bool
conf_read_token_user(struct conf_parser *p, const struct conf_word *w)
{
	char shown[CONF_SHOWN_SIZE];
	const struct passwd *pw;

	if (!conf_need_text(p, w->what))
		return false;
	pw = p->text_alone ? NULL : getpwnam(p->lex.text);
	if (!p->text_alone && (pw == NULL || pw->pw_uid == 0))
		conf_wrong(p, "`user`: found %s, %s",
		    conf_shown(p->lex.text, shown),
		    pw == NULL ?
			"which no user of this host is called" :
			"expected another user: a command that gets tokens need not be root");
	conf_store(p, w, conf_take_text(p));
	return true;
}

bool
conf_token_end(struct conf_parser *p)
{
	return conf_add_named(p, NAMED_TOKEN);
}

/* ---- what holds where nothing is said ---- */

void
conf_out_defaults(struct conf *c)
{
	c->route_concurrency = CONF_ROUTE_DEFAULT;
	c->srs_ttl = CONF_SRS_TTL_DEFAULT;
	c->bounce_rate = (struct conf_rate)CONF_BOUNCE_DEFAULT;
	c->bounce_address_rate = (struct conf_rate)CONF_BOUNCE_ADDRESS_DEFAULT;
	c->history_keep = CONF_HISTORY_KEEP_DEFAULT;
	c->history_size = CONF_HISTORY_SIZE_DEFAULT;
}
