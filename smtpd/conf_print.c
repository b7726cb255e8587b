/*
 * Prints the effective configuration in the grammar that it was written in:
 * `smtpd -nv`.  Runs in the parent, as whoever started it; reads nothing but
 * the image.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_print.h"

#include <string.h>

#include "conf_table.h"

enum { MX_PORT = 25 };

static const char *const scheme_words[] = {
#define X(name, word) word,
	CONF_SCHEMES(X)
#undef X
};
static const char *const phase_words[] = {
#define X(name, word) word,
	CONF_PHASES(X)
#undef X
};
static const char *const filter_cond_words[] = {
#define X(name, word) word,
	CONF_FILTER_CONDS(X)
#undef X
};
static const char *const decision_words[] = {
#define X(name, word) word,
	CONF_DECISIONS(X)
#undef X
};
static const char *const cond_words[] = {
#define X(name, words) words,
	CONF_CONDS(X)
#undef X
};
static const char *const listen_tls_words[] = {
	[LISTEN_CLEAR] = "",
	[LISTEN_TLS] = " tls",
	[LISTEN_TLS_REQUIRE] = " tls-require",
	[LISTEN_SMTPS] = " smtps",
};
static const char *const auth_words[] = {
	[AUTH_NONE] = "",
	[AUTH_OPTIONAL] = "auth-optional",
	[AUTH_NEEDED] = "auth",
};
static const char *const relay_tls_words[] = {
	[RELAY_TLS_UNSAID] = "",
	[RELAY_TLS] = " tls",
	[RELAY_TLS_NO_VERIFY] = " tls no-verify",
};
static const char *const method_words[] = {
#define X(name, word) word,
	CONF_METHODS(X)
#undef X
};
static const char *const dhe_words[] = {
	[DHE_NONE] = "none",
	[DHE_AUTO] = "auto",
	[DHE_LEGACY] = "legacy",
};
/* Of a table that is no list; NULL: its own type. */
static const char *const table_words[] = {
	[TABLE_LIST] = "",
	[TABLE_MAP] = "",
	[TABLE_FILE] = "file",
	[TABLE_PASSWD] = "passwd",
	[TABLE_DB] = "db",
	[TABLE_PROC] = NULL,
};

/* ---- tables ---- */

static void
print_source(struct buf *out, const struct conf *c, const struct conf_table *t)
{
	const char *type = table_words[t->kind];
	struct buf word;

	buf_init(&word, 0);
	buf_printf(&word, "%s:%s", type == NULL ? conf_text(c, t->type) : type,
	    conf_text(c, t->path));
	buf_add(&word, "", 1);
	buf_puts(out, " ");
	conf_print_word(out, (const char *)buf_data(&word));
	buf_free(&word);
}

/* Of one entry alone, too: `table t a` would be a source. */
static void
print_list(struct buf *out, const struct conf *c, const struct conf_table *t)
{
	bool one = t->entries.n == 1 && t->kind == TABLE_LIST;

	buf_puts(out, one ? " {" : "");
	conf_print_entries(out, c, t->entries, t->kind == TABLE_MAP);
	buf_puts(out, one ? " }" : "");
}

static void
print_tables(struct buf *out, const struct conf *c)
{
	const struct conf_table *t;
	uint32_t i;

	for (i = 0; i < c->table.n; i++) {
		t = CONF_TABLE(c, i);
		if (t->name == 0)
			continue;
		conf_print_start(out, c, "table", t->name);
		if (t->kind == TABLE_LIST || t->kind == TABLE_MAP)
			print_list(out, c, t);
		else
			print_source(out, c, t);
		conf_print_end(out);
	}
}

/* ---- keys, authorities, filters ---- */

static void
print_pki(struct buf *out, const struct conf *c)
{
	const struct conf_pki *p;
	uint32_t i;

	/* Several of one name: each line fills its own row again. */
	for (i = 0; i < c->pki.n; i++) {
		p = CONF_PKI(c, i);
		conf_print_start(out, c, "pki", p->name);
		conf_print_option(out, c, "cert", p->cert);
		conf_print_option(out, c, "key", p->key);
		if (p->dhe_said)
			buf_printf(out, " dhe %s", dhe_words[p->dhe]);
		conf_print_end(out);
	}
}

static void
print_ca(struct buf *out, const struct conf *c)
{
	uint32_t i;

	for (i = 0; i < c->ca.n; i++) {
		conf_print_start(out, c, "ca", CONF_CA(c, i)->name);
		conf_print_option(out, c, "cert", CONF_CA(c, i)->cert);
		conf_print_end(out);
	}
}

/* Did a filter make this row for itself? */
static bool
is_filters_own(const struct conf *c, uint32_t proc)
{
	uint32_t i;

	for (i = 0; i < c->filter.n; i++) {
		if (CONF_FILTER(c, i)->kind == FILTER_EXEC &&
		    CONF_FILTER(c, i)->proc == proc)
			return true;
	}
	return false;
}

static void
print_proc(struct buf *out, const struct conf *c, const struct conf_proc *p)
{
	buf_puts(out, " ");
	conf_print_word(out, conf_text(c, p->command));
	conf_print_option(out, c, "user", p->user);
	conf_print_option(out, c, "group", p->group);
	conf_print_option(out, c, "chroot", p->chroot);
}

static void
print_procs(struct buf *out, const struct conf *c)
{
	uint32_t i;

	for (i = 0; i < c->proc.n; i++) {
		if (is_filters_own(c, i))
			continue;
		conf_print_start(out, c, "proc", CONF_PROC(c, i)->name);
		print_proc(out, c, CONF_PROC(c, i));
		conf_print_end(out);
	}
}

/* " filter NAME" or " filter { a, b }" */
static void
print_filter_list(struct buf *out, const struct conf *c, const char *word,
    struct conf_span members, bool braces)
{
	const struct conf_filter *f;
	uint32_t i;

	if (members.n == 0)
		return;
	braces = braces || members.n > 1;
	buf_printf(out, " %s%s", word, braces ? " {" : "");
	for (i = 0; i < members.n; i++) {
		f = CONF_FILTER(c, CONF_REF(c, members, i)->i);
		buf_puts(out, i > 0 ? ", " : " ");
		conf_print_word(out, conf_text(c, f->name));
	}
	buf_puts(out, braces ? " }" : "");
}

static void
print_builtin(struct buf *out, const struct conf *c,
    const struct conf_filter *f)
{
	const char *cond = filter_cond_words[f->cond];

	buf_printf(out, " phase %s match %s%s", phase_words[f->phase],
	    f->not_cond ? "!" : "", cond);
	if (f->table != CONF_NONE)
		conf_print_table(out, c, f->regex ? "regex" : "", f->table);
	conf_print_flag(out, decision_words[f->decision], f->text == 0);
	conf_print_option(out, c, decision_words[f->decision], f->text);
}

static void
print_filters(struct buf *out, const struct conf *c)
{
	const struct conf_filter *f;
	uint32_t i;

	for (i = 0; i < c->filter.n; i++) {
		f = CONF_FILTER(c, i);
		conf_print_start(out, c, "filter", f->name);
		switch (f->kind) {
		case FILTER_BUILTIN:
			print_builtin(out, c, f);
			break;
		case FILTER_CHAIN:
			print_filter_list(out, c, "chain", f->member, true);
			break;
		case FILTER_PROC:
			conf_print_option(out, c, "proc",
			    CONF_PROC(c, f->proc)->name);
			break;
		case FILTER_EXEC:
			buf_puts(out, " proc-exec");
			print_proc(out, c, CONF_PROC(c, f->proc));
			break;
		}
		conf_print_end(out);
	}
}

static void
print_wrappers(struct buf *out, const struct conf *c)
{
	const struct conf_wrapper *w;
	uint32_t i;

	for (i = 0; i < c->wrapper.n; i++) {
		w = CONF_WRAPPER(c, i);
		conf_print_start(out, c, "mda wrapper", w->name);
		buf_puts(out, " ");
		conf_print_word(out, conf_text(c, w->command));
		conf_print_end(out);
	}
}

/* Above the actions: `relay ... srs` needs the key. */
static void
print_srs(struct buf *out, const struct conf *c)
{
	if (c->srs_key != 0) {
		conf_print_start(out, c, "srs key", c->srs_key);
		conf_print_end(out);
	}
	if (c->srs_key_backup != 0) {
		conf_print_start(out, c, "srs key backup", c->srs_key_backup);
		conf_print_end(out);
	}
	if (c->srs_ttl != CONF_SRS_TTL_DEFAULT) {
		conf_print_time(out, "srs ttl ", c->srs_ttl);
		conf_print_end(out);
	}
}

/* ---- listeners ---- */

/* The names of the listener's certificates, each once. */
static void
print_certs(struct buf *out, const struct conf *c, struct conf_span certs)
{
	const struct conf_pki *k, *last = NULL;
	uint32_t i;

	for (i = 0; i < certs.n; i++) {
		k = CONF_PKI(c, CONF_REF(c, certs, i)->i);
		if (last == NULL ||
		    strcmp(conf_text(c, k->name), conf_text(c, last->name)) !=
			0)
			conf_print_option(out, c, "pki", k->name);
		last = k;
	}
}

/* " WORD", of which a table may say more: one entry alone could be the next
 * word, but for its braces. */
static void
print_maybe(struct buf *out, const struct conf *c, const char *word,
    uint32_t table)
{
	const struct conf_table *t;

	buf_printf(out, " %s", word);
	if (table == CONF_NONE)
		return;
	t = CONF_TABLE(c, table);
	if (t->name != 0 || t->entries.n != 1 || t->kind != TABLE_LIST) {
		conf_print_table(out, c, "", table);
		return;
	}
	buf_puts(out, " {");
	conf_print_entries(out, c, t->entries, false);
	buf_puts(out, " }");
}

/* What OpenSMTPD has not. */
static void
print_ours(struct buf *out, const struct conf *c, const struct conf_listen *l)
{
	conf_print_flag(out, "auth-insecure", l->auth_insecure);
	conf_print_flag(out, "lmtp", l->lmtp);
	conf_print_flag(out, "dnsbl", l->dnsbl);
	conf_print_flag(out, "greylist", l->greylist);
	conf_print_flag(out, "auth-results", l->auth_results);
	if (l->submission || l->submission_table != CONF_NONE)
		print_maybe(out, c, "submission", l->submission_table);
	if (l->greet_delay != 0)
		conf_print_time(out, " greet-delay ", l->greet_delay);
	if (l->tarpit != 0)
		conf_print_time(out, " tarpit ", l->tarpit);
	conf_print_table(out, c, "proxy", l->proxy);
	conf_print_table(out, c, "xclient", l->xclient);
}

static void
print_inet(struct buf *out, const struct conf *c, const struct conf_listen *l)
{
	buf_printf(out, " %s",
	    l->inet == 4     ? "inet4 " :
		l->inet == 6 ? "inet6 " :
			       "");
	buf_printf(out, "port %u%s%s", conf_print_port(&l->ss),
	    listen_tls_words[l->tls], l->verify ? " verify" : "");
	print_certs(out, c, l->pki);
	if (l->ca != CONF_NONE)
		conf_print_option(out, c, "ca", CONF_CA(c, l->ca)->name);
	conf_print_option(out, c, "ciphers", l->ciphers);
	conf_print_option(out, c, "protocols", l->protocols);
	if (l->auth != AUTH_NONE)
		print_maybe(out, c, auth_words[l->auth], l->auth_table);
	conf_print_table(out, c, "senders", l->senders);
	conf_print_flag(out, "masquerade", l->masquerade);
	conf_print_option(out, c, "hostname", l->hostname);
	conf_print_table(out, c, "hostnames", l->hostnames);
	conf_print_flag(out, "received-auth", l->received_auth);
	conf_print_flag(out, "proxy-v2", l->proxy_v2);
	print_ours(out, c, l);
}

static void
print_listener(struct buf *out, const struct conf *c,
    const struct conf_listen *l)
{
	if (l->local)
		buf_puts(out, "listen on socket");
	else {
		conf_print_start(out, c, "listen on", l->name);
		print_inet(out, c, l);
	}
	print_filter_list(out, c, "filter", l->filter, false);
	conf_print_option(out, c, "tag", l->tag);
	conf_print_flag(out, "mask-src", l->mask_src);
	conf_print_flag(out, "no-dsn", l->no_dsn);
	conf_print_end(out);
}

/* Addresses of one statement stand together, and share its text. */
static bool
same_statement(const struct conf_listen *a, const struct conf_listen *b)
{
	return a->at.line == b->at.line && a->at.file == b->at.file &&
	    a->name == b->name && !a->local && !b->local;
}

static void
print_listeners(struct buf *out, const struct conf *c)
{
	const struct conf_listen *l, *last = NULL;
	uint32_t i;

	for (i = 0; i < c->listen.n; i++) {
		l = CONF_LISTEN(c, i);
		if (!l->implicit && (last == NULL || !same_statement(last, l)))
			print_listener(out, c, l);
		last = l;
	}
}

/* ---- actions ---- */

static void
print_url(struct buf *out, const struct conf *c, const struct conf_host *h)
{
	const char *name = conf_text(c, h->name);
	bool v6 = strchr(name, ':') != NULL;
	struct buf url;

	buf_init(&url, 0);
	buf_printf(&url, "%s://%s%s%s%s%s:%u", scheme_words[h->scheme],
	    conf_text(c, h->label), h->label == 0 ? "" : "@", v6 ? "[" : "",
	    name, v6 ? "]" : "", h->port);
	buf_add(&url, "", 1);
	conf_print_word(out, (const char *)buf_data(&url));
	buf_free(&url);
}

static void
print_hosts(struct buf *out, const struct conf *c, const struct conf_action *a)
{
	uint32_t i;

	conf_print_table(out, c, "host", a->host_table);
	conf_print_table(out, c, "domain", a->domain);
	if (a->host.n == 0)
		return;
	buf_puts(out, a->host.n == 1 ? " host " : " host { ");
	for (i = 0; i < a->host.n; i++) {
		if (i > 0)
			buf_puts(out, ", ");
		print_url(out, c, CONF_HOST(c, a->host, i));
	}
	buf_puts(out, a->host.n == 1 ? "" : " }");
}

static void
print_relay(struct buf *out, const struct conf *c, const struct conf_action *a)
{
	print_hosts(out, c, a);
	if (a->host.n == 0 && a->port != 0 && a->port != MX_PORT)
		buf_printf(out, " port %u", a->port);
	conf_print_flag(out, "backup", a->backup);
	conf_print_option(out, c, "mx", a->backup_mx);
	buf_puts(out, relay_tls_words[a->tls]);
	conf_print_option(out, c, "pki", a->pki);
	conf_print_option(out, c, "ca", a->ca);
	conf_print_option(out, c, "ciphers", a->ciphers);
	conf_print_option(out, c, "protocols", a->protocols);
	conf_print_table(out, c, "auth", a->auth);
	conf_print_flag(out, "auth-insecure", a->auth_insecure);
	conf_print_table(out, c, "src", a->src);
	conf_print_option(out, c, "helo", a->helo);
	conf_print_table(out, c, "helo-src", a->helo_src);
	conf_print_option(out, c, "mail-from", a->mail_from);
	print_filter_list(out, c, "filter", a->filter, false);
	conf_print_flag(out, "srs", a->srs);
}

static void
print_local(struct buf *out, const struct conf *c, const struct conf_action *a)
{
	if (a->arg != 0) {
		buf_puts(out, " ");
		conf_print_word(out, conf_text(c, a->arg));
	}
	conf_print_flag(out, "junk", a->junk);
	conf_print_flag(out, "rcpt-to", a->lmtp_rcpt_to);
	conf_print_table(out, c, "alias", a->alias);
	conf_print_table(out, c, "virtual", a->virtual_);
	conf_print_table(out, c, "userbase", a->userbase);
	conf_print_option(out, c, "user", a->user);
	if (a->wrapper != CONF_NONE)
		conf_print_option(out, c, "wrapper",
		    CONF_WRAPPER(c, a->wrapper)->name);
}

static void
print_actions(struct buf *out, const struct conf *c)
{
	const struct conf_action *a;
	uint32_t i;

	for (i = 0; i < c->action.n; i++) {
		a = CONF_ACTION(c, i);
		conf_print_start(out, c, "action", a->name);
		buf_printf(out, " %s", method_words[a->method]);
		if (a->method == METHOD_RELAY)
			print_relay(out, c, a);
		else
			print_local(out, c, a);
		if (a->ttl != 0)
			conf_print_time(out, " ttl ", a->ttl);
		conf_print_end(out);
	}
}

/* ---- rules ---- */

static void
print_cond(struct buf *out, const struct conf *c, const struct conf_cond *cond)
{
	buf_printf(out, " %s%s%s", cond->not_ ? "!" : "",
	    cond_words[cond->kind], cond->regex ? " regex" : "");
	conf_print_table(out, c, "", cond->table);
	conf_print_results(out, cond->results);
}

static void
print_rules(struct buf *out, const struct conf *c)
{
	const struct conf_match *m;
	uint32_t i, j;
	unsigned int kind;

	for (i = 0; i < c->match.n; i++) {
		m = CONF_MATCH(c, i);
		buf_puts(out, "match");
		/* Each stands at most once; they come in any order. */
		for (kind = 0; kind < CONDS; kind++) {
			for (j = 0; j < m->cond.n; j++) {
				if (CONF_COND(c, m->cond, j)->kind == kind)
					print_cond(out, c,
					    CONF_COND(c, m->cond, j));
			}
		}
		conf_print_flag(out, "junk", m->junk);
		conf_print_flag(out, "hold", m->hold);
		conf_print_flag(out, "reject", m->reject);
		if (!m->reject)
			conf_print_option(out, c, "action",
			    CONF_ACTION(c, m->action)->name);
		conf_print_end(out);
	}
}

/* ---- the whole ---- */

void
conf_print(const struct conf *c, struct buf *out)
{
	print_tables(out, c);
	print_pki(out, c);
	print_ca(out, c);
	print_procs(out, c);
	print_filters(out, c);
	print_wrappers(out, c);
	print_srs(out, c);
	print_listeners(out, c);
	print_actions(out, c);
	print_rules(out, c);
	conf_print_settings(out, c);
}
