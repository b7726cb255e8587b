/*
 * Prints the settings of smtpd.conf, each on a line of its own with the value
 * in effect, and what OpenSMTPD has not: keys, retries, limits.  Runs in the
 * parent, for `smtpd -nv` alone.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>
#include <syslog.h>

#include "conf_parse.h"
#include "conf_print.h"

/* Settings of the grammar's table.  Columns: place, word, reader, where the
 * value is, least. */
static const struct setting {
	enum conf_place place;
	const char *word;
	conf_read *read;
	size_t off, size; /* of struct conf_fields */
	uint64_t min;
} settings[] = {
#define X(place, word, reader, field, min, max, def)                           \
	{ PLACE_##place, word, conf_read_##reader,                             \
		offsetof(struct conf_fields, field),                           \
		sizeof(((struct conf_fields *)0)->field), min },
	CONF_SETTINGS(X)
#undef X
};

/* Places whose settings are those of the whole, and the words before them.
 * Others belong to a statement that is printed as one. */
static const struct {
	enum conf_place place;
	const char *words;
} places[] = {
	{ PLACE_SMTP, "smtp" },
	{ PLACE_SMTP_LIMIT, "smtp limit" },
	{ PLACE_QUEUE, "queue" },
	{ PLACE_MTA, "mta" },
};

static const struct {
	const char *word;
	uint32_t facility;
} facilities[] = {
#define X(word, value) { word, value },
	CONF_FACILITIES(X)
#undef X
};

static const char *const level_words[] = {
#define X(name, word) word,
	CONF_TLS_LEVELS(X)
#undef X
};

static uint64_t
value_of(const struct conf *c, const struct setting *s)
{
	const char *at =
	    (const char *)c + s->off - offsetof(struct conf_fields, conf);
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (s->size) {
	case sizeof(v64):
		memcpy(&v64, at, sizeof(v64));
		return v64;
	case sizeof(v32):
		memcpy(&v32, at, sizeof(v32));
		return v32;
	case sizeof(v16):
		memcpy(&v16, at, sizeof(v16));
		return v16;
	default:
		return (uint8_t)*at;
	}
}

static void
print_place(struct buf *out, const struct conf *c, enum conf_place place,
    const char *words)
{
	const struct setting *s;
	uint64_t v;
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		s = &settings[i];
		if (s->place != place)
			continue;
		v = value_of(c, s);
		/* Not said, unless it is a number that can be. */
		if (v == 0 && s->min != 0)
			continue;
		buf_printf(out, "%s %s ", words, s->word);
		if (s->read == conf_read_time)
			conf_print_time(out, "", v);
		else if (s->read == conf_read_size)
			conf_print_size(out, "", v);
		else
			buf_printf(out, "%llu", (unsigned long long)v);
		conf_print_end(out);
	}
}

static void
print_resolver(struct buf *out, const struct conf *c)
{
	if (c->resolver.ss_family == 0)
		return;
	buf_puts(out, "resolver ");
	conf_print_addr(out, &c->resolver);
	buf_printf(out, " port %u", conf_print_port(&c->resolver));
	conf_print_time(out, " timeout ", c->resolver_timeout);
	conf_print_end(out);
}

static void
print_smtp(struct buf *out, const struct conf *c)
{
	const char delim[] = { (char)c->sub_addr_delim, '\0' };

	buf_puts(out, "smtp sub-addr-delim ");
	conf_print_word(out, delim);
	conf_print_end(out);
	buf_printf(out, "smtp bare-newline %s\n",
	    c->bare_newline == BARE_FIX ? "fix" : "reject");
	buf_printf(out, "smtp eight-bit %s\n",
	    c->eight_bit == EIGHT_REJECT ? "reject" : "accept");
	if (c->smtp_ciphers != 0) {
		conf_print_start(out, c, "smtp ciphers", c->smtp_ciphers);
		conf_print_end(out);
	}
}

static void
print_warn(struct buf *out, const struct conf *c)
{
	size_t i;

	if (c->warn[0] == 0)
		return;
	buf_puts(out, "bounce warn-interval");
	for (i = 0; i < CONF_WARN_MAX && c->warn[i] != 0; i++)
		conf_print_time(out, i == 0 ? " " : ", ", c->warn[i]);
	conf_print_end(out);
}

/* " rate 10/1m" */
static void
print_rate(struct buf *out, const char *word, uint32_t rate, uint32_t per)
{
	if (rate == 0)
		return;
	buf_printf(out, " %s %u", word, rate);
	conf_print_time(out, "/", per);
}

static void
print_bounce(struct buf *out, const struct conf *c)
{
	const struct conf_rate *all = &c->bounce_rate;
	const struct conf_rate *one = &c->bounce_address_rate;

	print_warn(out, c);
	if (all->n == 0 && one->n == 0)
		return;
	buf_puts(out, "bounce");
	print_rate(out, "rate", all->n, all->per);
	print_rate(out, "address-rate", one->n, one->per);
	conf_print_end(out);
}

static void
print_history(struct buf *out, const struct conf *c)
{
	if (c->history_keep == 0) {
		buf_puts(out, "history no\n");
		return;
	}
	conf_print_time(out, "history keep ", c->history_keep);
	conf_print_size(out, " size ", c->history_size);
	conf_print_end(out);
}

static void
print_queue(struct buf *out, const struct conf *c)
{
	if (c->queue_compression)
		buf_puts(out, "queue compression\n");
	if (c->queue_encryption) {
		buf_puts(out, "queue encryption");
		if (c->queue_key != 0) {
			buf_puts(out, " ");
			conf_print_word(out, conf_text(c, c->queue_key));
		}
		conf_print_end(out);
	}
	print_bounce(out, c);
	print_history(out, c);
}

/* ---- ours ---- */

/* Keys of one folder stand together, and share its text. */
static bool
same_folder(const struct conf_dkim *a, const struct conf_dkim *b)
{
	return a->dir != 0 && a->dir == b->dir && a->domain == b->domain;
}

static void
print_dkim(struct buf *out, const struct conf *c)
{
	const struct conf_dkim *d, *last = NULL;
	uint32_t i;

	for (i = 0; i < c->dkim.n; i++) {
		d = CONF_DKIM(c, i);
		if (last != NULL && same_folder(d, last))
			continue;
		last = d;
		conf_print_start(out, c, "dkim domain", d->domain);
		conf_print_option(out, c, "keys", d->dir);
		if (d->dir == 0) {
			conf_print_option(out, c, "selector", d->selector);
			conf_print_option(out, c, "key", d->path);
		}
		conf_print_end(out);
	}
}

static void
print_retry(struct buf *out, const struct conf *c)
{
	const struct conf_retry *r;
	const struct conf_step *s;
	uint32_t i, j;

	for (i = 0; i < c->retry.n; i++) {
		r = CONF_RETRY(c, i);
		buf_puts(out, "retry");
		if (r->domain.n != 0) {
			buf_puts(out, " domain");
			conf_print_entries(out, c, r->domain, false);
		}
		for (j = 0; j < r->step.n; j++) {
			s = CONF_STEP(c, r->step, j);
			conf_print_time(out, j == 0 ? " " : ", ", s->seconds);
			if (s->times != 1)
				buf_printf(out, "*%u", s->times);
		}
		conf_print_time(out, " up to ", r->max);
		conf_print_end(out);
	}
}

static void
print_number(struct buf *out, const char *word, uint32_t n)
{
	if (n != 0)
		buf_printf(out, " %s %u", word, n);
}

static void
print_limit(struct buf *out, const struct conf *c, const struct conf_limit *l)
{
	if (l->mx.n != 0) {
		buf_puts(out, "limit mx");
		conf_print_entries(out, c, l->mx, false);
	} else if (l->domain.n != 0) {
		buf_puts(out, "limit domain");
		conf_print_entries(out, c, l->domain, false);
	} else {
		buf_puts(out, "limit route");
	}
	print_number(out, "concurrency", l->concurrency);
	print_number(out, "messages", l->messages);
	print_rate(out, "rate", l->rate, l->per);
	if (l->inet != 0)
		buf_printf(out, " inet%u", l->inet);
	conf_print_end(out);
}

static void
print_limits(struct buf *out, const struct conf *c)
{
	const struct conf_limit *l;
	bool routes = false;
	uint32_t i;

	for (i = 0; i < c->limit.n; i++) {
		l = CONF_LIMIT(c, i);
		print_limit(out, c, l);
		routes = routes ||
		    (l->domain.n == 0 && l->mx.n == 0 && l->concurrency != 0);
	}
	if (!routes)
		buf_printf(out, "limit route concurrency %u\n",
		    c->route_concurrency);
}

static void
print_tls(struct buf *out, const struct conf *c)
{
	const struct conf_tls *t;
	uint32_t i;

	for (i = 0; i < c->tls.n; i++) {
		t = CONF_TLS(c, i);
		buf_puts(out, "tls domain");
		conf_print_entries(out, c, t->domain, false);
		conf_print_flag(out, level_words[t->level], 1);
		if (t->name.n != 0) {
			buf_puts(out, " name");
			conf_print_entries(out, c, t->name, false);
		}
		conf_print_option(out, c, "ca", t->ca);
		conf_print_option(out, c, "pki", t->pki);
		conf_print_option(out, c, "ciphers", t->ciphers);
		conf_print_option(out, c, "protocols", t->protocols);
		conf_print_end(out);
	}
}

static void
print_tokens(struct buf *out, const struct conf *c)
{
	const struct conf_token *t;
	uint32_t i;

	for (i = 0; i < c->token.n; i++) {
		t = CONF_TOKEN(c, i);
		conf_print_start(out, c, "token", t->name);
		conf_print_option(out, c, "file", t->file);
		conf_print_option(out, c, "command", t->command);
		conf_print_option(out, c, "user", t->user);
		conf_print_end(out);
	}
}

/* What one client may, or a network; false: nothing was said. */
static bool
print_client(struct buf *out, const struct conf_client *l)
{
	size_t before = out->len;

	print_number(out, "sessions", l->sessions);
	print_rate(out, "rate", l->rate.n, l->rate.per);
	print_rate(out, "messages", l->messages.n, l->messages.per);
	print_rate(out, "recipients", l->rcpts.n, l->rcpts.per);
	print_rate(out, "unknown", l->unknown.n, l->unknown.per);
	print_rate(out, "failures", l->failures.n, l->failures.per);
	print_number(out, "errors", l->errors);
	return out->len > before;
}

static void
print_clients(struct buf *out, const struct conf *c)
{
	struct buf said;

	buf_init(&said, 0);
	if (print_client(&said, &c->client)) {
		buf_puts(out, "limit client");
		buf_add(out, buf_data(&said), said.len);
		conf_print_end(out);
	}
	buf_free(&said);
	buf_puts(out, "limit network");
	print_client(out, &c->network);
	print_number(out, "ipv4", c->network_v4);
	print_number(out, "ipv6", c->network_v6);
	conf_print_end(out);
	if (c->limit_except == CONF_NONE)
		return;
	buf_puts(out, "limit");
	conf_print_table(out, c, "except", c->limit_except);
	conf_print_end(out);
}

static void
print_greylist(struct buf *out, const struct conf *c)
{
	conf_print_time(out, "greylist delay ", c->grey_delay);
	conf_print_time(out, " window ", c->grey_window);
	conf_print_time(out, " keep ", c->grey_keep);
	conf_print_table(out, c, "except", c->grey_except);
	conf_print_end(out);
}

static void
print_dnslists(struct buf *out, const struct conf *c)
{
	const struct conf_dnslist *l;
	uint32_t i;
	bool white;

	for (i = 0; i < c->dnslist.n; i++) {
		l = CONF_DNSLIST(c, i);
		white = l->weight < 0;
		conf_print_start(out, c, white ? "dnswl" : "dnsbl", l->domain);
		buf_printf(out, " weight %d", white ? -l->weight : l->weight);
		if (l->answer.n != 0) {
			buf_puts(out, " answer");
			conf_print_entries(out, c, l->answer, false);
		}
		conf_print_end(out);
	}
}

static void
print_oauth(struct buf *out, const struct conf *c)
{
	const struct conf_oauth *o;
	uint32_t i;

	for (i = 0; i < c->oauth.n; i++) {
		o = CONF_OAUTH(c, i);
		conf_print_start(out, c, "oauth issuer", o->issuer);
		conf_print_option(out, c, "audience", o->audience);
		conf_print_option(out, c, "keys", o->path);
		conf_print_option(out, c, "user", o->user);
		conf_print_end(out);
	}
}

static void
print_log(struct buf *out, const struct conf *c)
{
	size_t i;

	for (i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
		if (facilities[i].facility == c->log_facility)
			buf_printf(out, "log facility %s%s\n",
			    facilities[i].word,
			    c->log_verbose ? " verbose" : "");
	}
}

static void
print_metrics(struct buf *out, const struct conf *c)
{
	if (c->metrics.ss_family == 0)
		return;
	buf_puts(out, "metrics on ");
	conf_print_addr(out, &c->metrics);
	buf_printf(out, " port %u\n", conf_print_port(&c->metrics));
}

void
conf_print_settings(struct buf *out, const struct conf *c)
{
	size_t i;

	conf_print_start(out, c, "hostname", c->hostname);
	conf_print_end(out);
	if (c->mail_name != 0) {
		conf_print_start(out, c, "mailname", c->mail_name);
		conf_print_end(out);
	}
	if (c->admd != 0) {
		conf_print_start(out, c, "admd", c->admd);
		conf_print_end(out);
	}
	print_resolver(out, c);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		print_place(out, c, places[i].place, places[i].words);
	print_smtp(out, c);
	print_queue(out, c);
	print_dkim(out, c);
	conf_print_auth(out, c);
	print_retry(out, c);
	print_limits(out, c);
	print_tls(out, c);
	print_tokens(out, c);
	print_clients(out, c);
	print_dnslists(out, c);
	print_greylist(out, c);
	print_oauth(out, c);
	print_metrics(out, c);
	print_log(out, c);
	for (i = 0; i < c->other.n; i++) {
		buf_puts(out, conf_text(c, CONF_OTHER(c, i)->text));
		conf_print_end(out);
	}
}
