/*
 * For the unit tests of smtpd.conf: a folder with a few files, a file of
 * configuration read from it, its image as text (what was not said is left
 * out), and tables of files that are right and files that are not.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef CONF_UNIT_H
#define CONF_UNIT_H

#include <sys/stat.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "auth_result.h"
#include "buf.h"
#include "conf_file.h"
#include "unit.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* The rest of a file that needs an action and a rule. */
#define A "action \"r\" relay\n"
#define R A "match for any action \"r\"\n"

/* Columns: file, a piece of the image as text; "" if it is enough that the
 * file is taken.  What is not yet in this version counts as right. */
struct unit_good {
	const char *text, *want;
};

/* Columns: file, how the errors begin, one to a line. */
struct unit_bad {
	const char *text, *want;
};

static char unit_dir[] = "/tmp/postern-conf-XXXXXX";
static char key_path[64], key2_path[64], open_path[64], list_path[64],
    map_path[64];
static char empty_path[64], program_path[64];

/* What each case may use: `key $key`. */
static const struct conf_macro macros[] = {
	{ "key", key_path },   /* of mode 0600 */
	{ "key2", key2_path }, /* another */
	{ "open", open_path }, /* 0644 */
	{ "list", list_path },
	{ "map", map_path },
	{ "empty", empty_path }, /* a comment only */
	{ "program", program_path },
};

static inline void
put(const char *name, const void *p, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, p, len) != (ssize_t)len ||
	    fchmod(fd, mode) == -1)
		abort();
	close(fd);
}

static inline void
put_path(char path[64], const char *name, const char *text, mode_t mode)
{
	snprintf(path, 64, "%s/%s", unit_dir, name);
	put(path, text, strlen(text), mode);
}

static inline void
conf_unit_begin(void)
{
	if (mkdtemp(unit_dir) == NULL || chdir(unit_dir) == -1)
		abort();
	put_path(key_path, "key", "k", 0600);
	put_path(key2_path, "key2", "k", 0600);
	put_path(open_path, "open", "k", 0644);
	put_path(list_path, "list", "# c\n\nl\n", 0644);
	put_path(map_path, "map", "  k: v\n", 0644);
	put_path(empty_path, "empty", "# c\n\n", 0644);
	put_path(program_path, "program", "#!/bin/true\n", 0755);
}

/* name: a file that the test put there besides. */
static inline void
conf_unit_remove(const char *name)
{
	if (unlink(name) == -1)
		abort();
}

static inline int
conf_unit_end(void)
{
	size_t i;

	for (i = 0; i < N(macros); i++)
		conf_unit_remove(macros[i].value);
	conf_unit_remove("t.conf");
	if (chdir("/") == -1 || rmdir(unit_dir) == -1)
		return 1;
	return unit_end();
}

static inline enum conf_verdict
load(const void *text, size_t len, struct conf_image *image,
    struct conf_errors *errors)
{
	memset(errors, 0, sizeof(*errors));
	put("t.conf", text, len, 0600);
	return conf_file_load("t.conf", macros, N(macros), image, errors);
}

/* ---- an image as text ---- */

static const char *const cond_words[] = {
#define X(name, words) words,
	CONF_CONDS(X)
#undef X
};

static const char *const method_words[] = {
#define X(name, word) word,
	CONF_METHODS(X)
#undef X
};

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

static const char *const fcond_words[] = {
#define X(name, word) word,
	CONF_FILTER_CONDS(X)
#undef X
};

static const char *const decision_words[] = {
#define X(name, word) word,
	CONF_DECISIONS(X)
#undef X
};

static const char *const service_words[] = {
#define X(name, word) word,
	CONF_SERVICES(X)
#undef X
};

static inline void
show_ss(struct buf *b, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	char ip[64];

	if (ss->ss_family == AF_INET)
		buf_printf(b, " %s:%u",
		    inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip)),
		    ntohs(in->sin_port));
	else if (ss->ss_family == AF_INET6)
		buf_printf(b, " [%s]:%u",
		    inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip)),
		    ntohs(in6->sin6_port));
	else
		buf_puts(b, " none");
}

/* Each is left out if it was not said. */
static inline void
show_text(struct buf *b, const struct conf *c, const char *name, conf_str s)
{
	const char *text = conf_text(c, s);
	size_t i;

	for (i = 0; i < N(macros); i++) {
		if (strcmp(text, macros[i].value) == 0)
			text = macros[i].name;
	}
	if (s != 0)
		buf_printf(b, " %s=%s", name, text);
}

static inline void
show_number(struct buf *b, const char *name, uint64_t n)
{
	if (n != 0)
		buf_printf(b, " %s=%llu", name, (unsigned long long)n);
}

/* `<name>`, or the list itself */
static inline void
show_set(struct buf *b, const struct conf *c, const char *name, uint32_t table)
{
	const struct conf_table *t;
	const struct conf_entry *e;
	uint32_t i;

	if (table == CONF_NONE)
		return;
	t = CONF_TABLE(c, table);
	buf_printf(b, " %s", name);
	if (t->name != 0) {
		buf_printf(b, " <%s>", conf_text(c, t->name));
		return;
	}
	for (i = 0; i < t->entries.n; i++) {
		e = CONF_ENTRY(c, t->entries, i);
		buf_printf(b, " %s%s%s", conf_text(c, e->key),
		    t->kind == TABLE_MAP ? "=" : "", conf_text(c, e->value));
	}
}

static inline void
show_table(struct buf *b, const struct conf *c, const struct conf_table *t)
{
	static const char *const kinds[] = { "list", "map", "file", "passwd",
		"db", "proc" };
	const struct conf_entry *e;
	uint32_t i;

	buf_printf(b, "table %s %s", conf_text(c, t->name), kinds[t->kind]);
	show_text(b, c, "type", t->type);
	show_text(b, c, "path", t->path);
	buf_printf(b, " @%u:", t->at.line);
	for (i = 0; i < t->entries.n; i++) {
		e = CONF_ENTRY(c, t->entries, i);
		buf_printf(b, " [%s]%s%s", conf_text(c, e->key),
		    t->kind == TABLE_MAP ? "=" : "", conf_text(c, e->value));
	}
	for (i = 0; i < SERVICES; i++) {
		if (t->services & (1u << i))
			buf_printf(b, " ?%s", service_words[i]);
	}
	buf_puts(b, "\n");
}

static inline void
show_filters(struct buf *b, const struct conf *c, struct conf_span span)
{
	uint32_t i;

	for (i = 0; i < span.n; i++)
		buf_printf(b, " filter=%s",
		    conf_text(c,
			CONF_FILTER(c, CONF_REF(c, span, i)->i)->name));
}

static inline void
show_ours(struct buf *b, const struct conf *c, const struct conf_listen *l)
{
	show_number(b, "lmtp", l->lmtp);
	show_number(b, "auth-insecure", l->auth_insecure);
	show_number(b, "dnsbl", l->dnsbl);
	show_number(b, "greylist", l->greylist);
	show_number(b, "auth-results", l->auth_results);
	show_number(b, "submission", l->submission);
	show_number(b, "greet-delay", l->greet_delay);
	show_number(b, "tarpit", l->tarpit);
	show_set(b, c, "submission", l->submission_table);
	show_set(b, c, "proxy", l->proxy);
	show_set(b, c, "xclient", l->xclient);
}

static inline void
show_listen(struct buf *b, const struct conf *c, const struct conf_listen *l)
{
	uint32_t i;

	buf_printf(b, "listen %s%s%s", conf_text(c, l->name),
	    l->local ? " local" : "", l->implicit ? " implicit" : "");
	show_ss(b, &l->ss);
	show_number(b, "inet", l->inet);
	show_number(b, "tls", l->tls);
	show_number(b, "verify", l->verify);
	show_number(b, "auth", l->auth);
	show_number(b, "masquerade", l->masquerade);
	show_number(b, "mask-src", l->mask_src);
	show_number(b, "no-dsn", l->no_dsn);
	show_number(b, "received-auth", l->received_auth);
	show_number(b, "proxy-v2", l->proxy_v2);
	show_text(b, c, "tag", l->tag);
	show_text(b, c, "hostname", l->hostname);
	show_text(b, c, "ciphers", l->ciphers);
	show_text(b, c, "protocols", l->protocols);
	for (i = 0; i < l->pki.n; i++)
		show_text(b, c, "pki",
		    CONF_PKI(c, CONF_REF(c, l->pki, i)->i)->name);
	show_filters(b, c, l->filter);
	if (l->ca != CONF_NONE)
		show_text(b, c, "ca", CONF_CA(c, l->ca)->name);
	show_set(b, c, "users", l->auth_table);
	show_set(b, c, "hostnames", l->hostnames);
	show_set(b, c, "senders", l->senders);
	show_ours(b, c, l);
	buf_printf(b, " @%u\n", l->at.line);
}

static inline void
show_relay(struct buf *b, const struct conf *c, const struct conf_action *a)
{
	const struct conf_host *h;
	uint32_t i;

	for (i = 0; i < a->host.n; i++) {
		h = CONF_HOST(c, a->host, i);
		buf_printf(b, " %s://%s%s%s:%u", scheme_words[h->scheme],
		    conf_text(c, h->label), h->label != 0 ? "@" : "",
		    conf_text(c, h->name), h->port);
	}
	show_set(b, c, "host", a->host_table);
	show_set(b, c, "domain", a->domain);
	buf_printf(b, " port=%u", a->port);
	show_set(b, c, "auth", a->auth);
	show_set(b, c, "src", a->src);
	show_set(b, c, "helo-src", a->helo_src);
	show_text(b, c, "helo", a->helo);
	show_text(b, c, "mail-from", a->mail_from);
	show_number(b, "tls", a->tls);
	show_number(b, "backup", a->backup);
	show_text(b, c, "mx", a->backup_mx);
	show_number(b, "srs", a->srs);
	show_number(b, "auth-insecure", a->auth_insecure);
	show_text(b, c, "pki", a->pki);
	show_text(b, c, "ca", a->ca);
	show_text(b, c, "ciphers", a->ciphers);
	show_text(b, c, "protocols", a->protocols);
	show_filters(b, c, a->filter);
}

static inline void
show_action(struct buf *b, const struct conf *c, const struct conf_action *a)
{
	buf_printf(b, "action %s %s", conf_text(c, a->name),
	    method_words[a->method]);
	if (a->method == METHOD_RELAY)
		show_relay(b, c, a);
	show_text(b, c, "arg", a->arg);
	show_number(b, "junk", a->junk);
	show_number(b, "rcpt-to", a->lmtp_rcpt_to);
	show_set(b, c, "alias", a->alias);
	show_set(b, c, "virtual", a->virtual_);
	show_set(b, c, "userbase", a->userbase);
	show_text(b, c, "user", a->user);
	if (a->wrapper != CONF_NONE)
		show_text(b, c, "wrapper", CONF_WRAPPER(c, a->wrapper)->name);
	show_number(b, "ttl", a->ttl);
	buf_printf(b, " @%u\n", a->at.line);
}

static inline void
show_match(struct buf *b, const struct conf *c, const struct conf_match *m)
{
	const struct conf_cond *d;
	enum auth_result r;
	char words[64];
	uint32_t i;

	buf_printf(b, "match @%u", m->at.line);
	for (i = 0; i < m->cond.n; i++) {
		d = CONF_COND(c, m->cond, i);
		snprintf(words, sizeof(words), "%s%s%s%s",
		    d->implicit ? "*" : "", d->not_ ? "!" : "",
		    cond_words[d->kind], d->regex ? " regex" : "");
		if (d->table == CONF_NONE)
			buf_printf(b, " %s", words);
		show_set(b, c, words, d->table);
		for (r = RES_NONE; r < RES_RESULTS; r++) {
			if (d->results & 1u << r)
				buf_printf(b, " %s", auth_result_word(r));
		}
	}
	if (m->junk || m->hold)
		buf_printf(b, "%s%s", m->junk ? " junk" : "",
		    m->hold ? " hold" : "");
	if (m->reject)
		buf_puts(b, m->action == CONF_NONE ? " reject\n" : " ?\n");
	else
		buf_printf(b, " action %s\n",
		    conf_text(c, CONF_ACTION(c, m->action)->name));
}

static inline void
show_proc(struct buf *b, const struct conf *c, const struct conf_proc *proc)
{
	buf_printf(b, "proc %s", conf_text(c, proc->name));
	show_text(b, c, "command", proc->command);
	show_text(b, c, "user", proc->user);
	show_text(b, c, "group", proc->group);
	show_text(b, c, "chroot", proc->chroot);
	buf_printf(b, " @%u\n", proc->at.line);
}

static inline void
show_filter(struct buf *b, const struct conf *c, const struct conf_filter *f)
{
	static const char *const kinds[] = { "builtin", "chain", "proc",
		"proc-exec" };
	char words[64];

	buf_printf(b, "filter %s %s", conf_text(c, f->name), kinds[f->kind]);
	if (f->proc != CONF_NONE)
		buf_printf(b, " proc=%u:%s", f->proc,
		    conf_text(c, CONF_PROC(c, f->proc)->name));
	show_filters(b, c, f->member);
	if (f->kind == FILTER_BUILTIN) {
		snprintf(words, sizeof(words), "%s%s%s", f->not_cond ? "!" : "",
		    fcond_words[f->cond], f->regex ? " regex" : "");
		buf_printf(b, " %s", phase_words[f->phase]);
		if (f->table == CONF_NONE)
			buf_printf(b, " %s", words);
		show_set(b, c, words, f->table);
		buf_printf(b, " %s", decision_words[f->decision]);
		show_text(b, c, "text", f->text);
	}
	buf_printf(b, " @%u\n", f->at.line);
}

static inline void
show_entries(struct buf *b, const struct conf *c, struct conf_span span)
{
	uint32_t i;

	for (i = 0; i < span.n; i++)
		buf_printf(b, " [%s]",
		    conf_text(c, CONF_ENTRY(c, span, i)->key));
}

static inline void
show_retry(struct buf *b, const struct conf *c, const struct conf_retry *r)
{
	uint32_t i;

	buf_puts(b, "retry");
	show_entries(b, c, r->domain);
	for (i = 0; i < r->step.n; i++)
		buf_printf(b, " %u*%u", CONF_STEP(c, r->step, i)->seconds,
		    CONF_STEP(c, r->step, i)->times);
	buf_printf(b, " max %u @%u\n", r->max, r->at.line);
}

static inline void
show_limit(struct buf *b, const struct conf *c, const struct conf_limit *l)
{
	buf_puts(b, l->mx.n != 0 ? "limit mx" : "limit");
	show_entries(b, c, l->domain);
	show_entries(b, c, l->mx);
	show_number(b, "concurrency", l->concurrency);
	show_number(b, "messages", l->messages);
	show_number(b, "rate", l->rate);
	show_number(b, "per", l->per);
	show_number(b, "inet", l->inet);
	buf_printf(b, " @%u\n", l->at.line);
}

static const char *const level_words[] = {
#define X(name, word) word,
	CONF_TLS_LEVELS(X)
#undef X
};

static inline void
show_tls(struct buf *b, const struct conf *c, const struct conf_tls *t)
{
	buf_puts(b, "tls");
	show_entries(b, c, t->domain);
	buf_printf(b, " %s", level_words[t->level]);
	show_entries(b, c, t->name);
	show_text(b, c, "ca", t->ca);
	show_text(b, c, "pki", t->pki);
	show_text(b, c, "ciphers", t->ciphers);
	show_text(b, c, "protocols", t->protocols);
	buf_printf(b, " @%u\n", t->at.line);
}

static inline void
show_token(struct buf *b, const struct conf *c, const struct conf_token *t)
{
	buf_printf(b, "token %s", conf_text(c, t->name));
	show_text(b, c, "file", t->file);
	show_text(b, c, "command", t->command);
	show_text(b, c, "user", t->user);
	buf_printf(b, " @%u\n", t->at.line);
}

static inline void
show_oauth(struct buf *b, const struct conf *c, const struct conf_oauth *o)
{
	buf_puts(b, "oauth");
	show_text(b, c, "issuer", o->issuer);
	show_text(b, c, "audience", o->audience);
	show_text(b, c, "keys", o->path);
	show_text(b, c, "user", o->user);
	buf_printf(b, " @%u\n", o->at.line);
}

static inline void
show_dnslist(struct buf *b, const struct conf *c, const struct conf_dnslist *l)
{
	buf_printf(b, "dnslist %s %d", conf_text(c, l->domain), l->weight);
	show_entries(b, c, l->answer);
	buf_printf(b, " @%u\n", l->at.line);
}

static inline void
show_rate(struct buf *b, const char *name, const struct conf_rate *r)
{
	if (r->n != 0)
		buf_printf(b, " %s=%u/%u", name, r->n, r->per);
}

static inline void
show_client(struct buf *b, const char *name, const struct conf_client *l)
{
	buf_puts(b, name);
	show_number(b, "sessions", l->sessions);
	show_rate(b, "rate", &l->rate);
	show_rate(b, "messages", &l->messages);
	show_rate(b, "rcpts", &l->rcpts);
	show_rate(b, "unknown", &l->unknown);
	show_rate(b, "failures", &l->failures);
	show_number(b, "errors", l->errors);
}

/* What has few fields. */
static inline void
show_small(struct buf *b, const struct conf *c)
{
	uint32_t i;

	for (i = 0; i < c->pki.n; i++) {
		buf_printf(b, "pki %s", conf_text(c, CONF_PKI(c, i)->name));
		show_text(b, c, "cert", CONF_PKI(c, i)->cert);
		show_text(b, c, "key", CONF_PKI(c, i)->key);
		show_number(b, "said", CONF_PKI(c, i)->dhe_said);
		show_number(b, "dhe", CONF_PKI(c, i)->dhe);
		buf_printf(b, " @%u\n", CONF_PKI(c, i)->at.line);
	}
	for (i = 0; i < c->ca.n; i++) {
		buf_printf(b, "ca %s", conf_text(c, CONF_CA(c, i)->name));
		show_text(b, c, "cert", CONF_CA(c, i)->cert);
		buf_printf(b, " @%u\n", CONF_CA(c, i)->at.line);
	}
	for (i = 0; i < c->wrapper.n; i++) {
		buf_printf(b, "wrapper %s",
		    conf_text(c, CONF_WRAPPER(c, i)->name));
		show_text(b, c, "command", CONF_WRAPPER(c, i)->command);
		buf_printf(b, " @%u\n", CONF_WRAPPER(c, i)->at.line);
	}
	for (i = 0; i < c->dkim.n; i++) {
		buf_printf(b, "dkim %s %s",
		    conf_text(c, CONF_DKIM(c, i)->domain),
		    conf_text(c, CONF_DKIM(c, i)->selector));
		show_text(b, c, "keys", CONF_DKIM(c, i)->dir);
		show_text(b, c, "key", CONF_DKIM(c, i)->path);
		buf_printf(b, " @%u\n", CONF_DKIM(c, i)->at.line);
	}
	for (i = 0; i < c->other.n; i++)
		buf_printf(b, "other %s @%u\n",
		    conf_text(c, CONF_OTHER(c, i)->text),
		    CONF_OTHER(c, i)->at.line);
}

/* About who sent it. */
static inline void
show_auth(struct buf *b, const struct conf *c)
{
	static const char *const acts[] = {
#define X(name, word) word,
		CONF_DMARC_ACTS(X)
#undef X
	};

	buf_puts(b, c->spf_received ? "spf received\n" : "");
	buf_printf(b, "dmarc %s quarantine=%s reject=%s no-author=%s",
	    c->dmarc_rules == DMARC_RFC7489 ? "rfc7489" : "rfc9989",
	    acts[c->dmarc_quarantine], acts[c->dmarc_reject],
	    acts[c->dmarc_no_author]);
	if (c->dmarc_temperror != DMARC_TEMPERROR_ACCEPT)
		buf_puts(b, " temperror=later");
	show_set(b, c, "from", c->dmarc_except_from);
	show_set(b, c, "src", c->dmarc_except_src);
	show_number(b, "report", c->dmarc_report);
	show_text(b, c, "from", c->report_from);
	show_text(b, c, "org", c->report_org);
	show_text(b, c, "contact", c->report_contact);
	buf_puts(b, "\narc");
	show_set(b, c, "trust", c->arc_trust);
	show_text(b, c, "seal", c->arc_seal);
	buf_puts(b, "\n");
}

static inline void
show_settings(struct buf *b, const struct conf *c)
{
	buf_printf(b, "hostname %s\nresolver", conf_text(c, c->hostname));
	show_ss(b, &c->resolver);
	buf_printf(b, " timeout %u\nmetrics", c->resolver_timeout);
	show_ss(b, &c->metrics);
	buf_printf(b, "\nwarn %u %u %u %u\n", c->warn[0], c->warn[1],
	    c->warn[2], c->warn[3]);
	buf_printf(b, "bounce %u/%u %u/%u\n", c->bounce_rate.n,
	    c->bounce_rate.per, c->bounce_address_rate.n,
	    c->bounce_address_rate.per);
	buf_printf(b, "history %u %llu\n", c->history_keep,
	    (unsigned long long)c->history_size);
	buf_printf(b, "size=%llu delim=%c\n",
	    (unsigned long long)c->max_message_size, c->sub_addr_delim);
	buf_printf(b, "rcpt=%u mails=%u sessions=%u command=%u line=%u\n",
	    c->max_rcpt, c->max_mails, c->max_sessions, c->max_command,
	    c->max_line);
	buf_printf(b, "header=%u hops=%u errors=%u timeout=%u data=%u\n",
	    c->max_header, c->max_hops, c->max_errors, c->smtp_timeout,
	    c->data_timeout);
	buf_printf(b, "bare=%s ttl=%u route=%u\n",
	    c->bare_newline == BARE_FIX ? "fix" : "reject", c->queue_ttl,
	    c->route_concurrency);
	buf_printf(b, "log %u", c->log_facility);
	show_number(b, "verbose", c->log_verbose);
	show_client(b, "\nclient", &c->client);
	show_client(b, "\nnetwork", &c->network);
	buf_printf(b, " v4=%u v6=%u\nexcept", c->network_v4, c->network_v6);
	show_set(b, c, "", c->limit_except);
	buf_printf(b, "\nscore reject=%d junk=%d\n", c->dnsbl_reject,
	    c->dnsbl_junk);
	buf_printf(b, "grey %u %u %u", c->grey_delay, c->grey_window,
	    c->grey_keep);
	show_set(b, c, "except", c->grey_except);
	buf_puts(b, "\nqueue");
	show_number(b, "compression", c->queue_compression);
	show_number(b, "encryption", c->queue_encryption);
	show_text(b, c, "key", c->queue_key);
	buf_puts(b, "\nsrs");
	show_text(b, c, "key", c->srs_key);
	show_text(b, c, "backup", c->srs_key_backup);
	show_number(b, "ttl", c->srs_ttl);
	buf_puts(b, "\nrest");
	show_text(b, c, "admd", c->admd);
	show_text(b, c, "ciphers", c->smtp_ciphers);
	show_number(b, "max-deferred", c->mta_max_deferred);
	show_number(b, "eight-bit", c->eight_bit);
	buf_puts(b, "\n");
}

static inline void
show(struct buf *b, const struct conf *c)
{
	uint32_t i;

	buf_puts(b, "\n");
#define SHOW(list, name)                                                       \
	for (i = 0; i < c->list.n; i++)                                        \
	show_##list(b, c, CONF_##name(c, i))
	SHOW(listen, LISTEN);
	SHOW(table, TABLE);
	SHOW(action, ACTION);
	SHOW(match, MATCH);
	SHOW(proc, PROC);
	SHOW(filter, FILTER);
	SHOW(retry, RETRY);
	SHOW(limit, LIMIT);
	SHOW(tls, TLS);
	SHOW(token, TOKEN);
	SHOW(oauth, OAUTH);
	SHOW(dnslist, DNSLIST);
#undef SHOW
	show_small(b, c);
	show_settings(b, c);
	show_auth(b, c);
	buf_add(b, "", 1);
}

/* ---- tables of cases ---- */

/* The case's name: its file, to the end of a line. */
static inline const char *
case_name(const char *kind, size_t i, const char *text, char name[96])
{
	snprintf(name, 96, "%s %zu: %.60s", kind, i, text);
	name[strcspn(name, "\n\r")] = '\0';
	return name;
}

static inline void
check_good(const struct unit_good *good, size_t n)
{
	struct conf_errors errors;
	struct conf_image image;
	struct buf b;
	char name[96];
	size_t i;
	int ok;

	for (i = 0; i < n; i++) {
		buf_init(&b, 0);
		ok = load(good[i].text, strlen(good[i].text), &image,
			 &errors) != CONF_WRONG;
		if (ok)
			show(&b, image.conf);
		ok = ok &&
		    strstr((const char *)buf_data(&b), good[i].want) != NULL;
		CHECK(case_name("good", i, good[i].text, name), ok);
		if (!ok)
			fprintf(stderr, "%s\n%s\n",
			    errors.n > 0 ? errors.text[0] : "",
			    b.len > 0 ? (const char *)buf_data(&b) : "");
		buf_free(&b);
		conf_image_free(&image);
		conf_errors_free(&errors);
	}
}

/* Each line of want begins the error in its place, and there are no more. */
static inline int
says(const struct conf_errors *errors, const char *want)
{
	size_t i, len;

	for (i = 0; *want != '\0'; i++) {
		len = strcspn(want, "\n");
		if (i == errors->n || strncmp(errors->text[i], want, len) != 0)
			return 0;
		want += len + (want[len] == '\n');
	}
	return i == errors->n;
}

/* Without what is said only because it is not yet in this version. */
static inline void
drop_not_yet(struct conf_errors *errors)
{
	static const char end[] = " is not yet in this version";
	size_t len;

	while (errors->n > 0) {
		len = strlen(errors->text[errors->n - 1]);
		if (len < sizeof(end) ||
		    strcmp(errors->text[errors->n - 1] + len - sizeof(end) + 1,
			end) != 0)
			return;
		free(errors->text[--errors->n]);
	}
}

static inline void
check_says(const char *name, enum conf_verdict verdict, const void *text,
    size_t len, const char *want)
{
	struct conf_errors errors;
	struct conf_image image;
	size_t i;
	int ok;

	ok = load(text, len, &image, &errors) == verdict &&
	    (verdict == CONF_WRONG) == (image.conf == NULL);
	if (verdict == CONF_WRONG && strstr(want, "not yet") == NULL)
		drop_not_yet(&errors);
	ok = ok && says(&errors, want);
	CHECK(name, ok);
	for (i = 0; !ok && i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	conf_image_free(&image);
	conf_errors_free(&errors);
}

static inline void
check_bad(const struct unit_bad *bad, size_t n)
{
	char name[96];
	size_t i;

	for (i = 0; i < n; i++)
		check_says(case_name("refused", i, bad[i].text, name),
		    CONF_WRONG, bad[i].text, strlen(bad[i].text), bad[i].want);
}

/* Right, and refused for what is not yet in this version. */
static inline void
check_not_yet(const struct unit_bad *bad, size_t n)
{
	char name[96];
	size_t i;

	for (i = 0; i < n; i++)
		check_says(case_name("not yet", i, bad[i].text, name),
		    CONF_NOT_YET_HERE, bad[i].text, strlen(bad[i].text),
		    bad[i].want);
}

#endif
