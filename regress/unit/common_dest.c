/*
 * Destinations: their names, and which `retry` and `limit` each has.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dest.h"

#include "conf_image.h"
#include "unit.h"

static void
names(void)
{
	/* Columns: route, its destination. */
	static const char *const routes[][2] = {
		{ "mx:example.org", "example.org" },
		{ "mx:EXAMPLE.org", "example.org" },
		{ "mx:[192.0.2.1]", "192.0.2.1" },
		{ "mx:[IPv6:2001:db8::1]", "2001:db8::1" },
		{ "mx:b\xc3\xbc\x63her.example", "xn--bcher-kva.example" },
		{ "host:smtp://Relay.example.net:25", "relay.example.net" },
		{ "host:smtp+notls://127.0.0.1:2525", "127.0.0.1" },
		{ "host:smtp://[2001:db8::1]:25", "2001:db8::1" },
		{ "host:smtp://relay", "relay" },
		{ "host:relay", "" },
		{ "host:smtps://me@relay.example.net:465",
		    "relay.example.net" },
		{ "host:smtps://me@example.org@Relay.example.net:465",
		    "relay.example.net" },
		{ "host:smtp://a://b:c@relay:25", "relay" },
		{ "host:smtp+tls://me@[2001:DB8::1]:587", "2001:db8::1" },
		{ "host:smtp://[2001:db8::1]", "2001:db8::1" },
		{ "host:smtp://[2001:db8::1", "[2001" },
		{ "host:lmtp://me@:24", "" },
		{ "host:smtp://", "" },
		{ "host:", "" },
		{ "hosts:relay", "" },
		{ "hosts:smtp://relay:25", "" },
		{ "hosts:mx:example.org", "" },
		{ "local:mbox:smtp://a:25", "" },
		{ "mx:", "" },
		{ "", "" },
		{ "mx:[", "[" },
		{ "mx:[]", "" },
	};
	/* Columns: address, its destination. */
	static const char *const addrs[][2] = {
		{ "a@Example.org", "example.org" },
		{ "\"a@b\"@example.org", "example.org" },
		{ "a@[192.0.2.1]", "192.0.2.1" },
		{ "root", "" },
		{ "", "" },
		{ "a@b\xc3\xbc\x63her.example", "xn--bcher-kva.example" },
		{ "a@\xff\xfe", "" },
	};
	char out[DOMAIN_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof routes / sizeof routes[0]; i++)
		CHECK(routes[i][0],
		    strcmp(dest_of_route(routes[i][0], out), routes[i][1]) ==
			0);
	for (i = 0; i < sizeof addrs / sizeof addrs[0]; i++)
		CHECK(addrs[i][0],
		    strcmp(dest_of_addr(addrs[i][0], out), addrs[i][1]) == 0);
}

/* The domains of a rule, at most three. */
static void
domains(struct conf *c, struct conf_span *span, const char *a, const char *b)
{
	struct conf_entry e[2] = { { 0 } };
	uint32_t n = 0;

	if (a != NULL)
		e[n++].key = image_text(c, a);
	if (b != NULL)
		e[n++].key = image_text(c, b);
	if (n > 0)
		image_rows(c, span, e, n, sizeof e[0]);
}

static void
retries(void)
{
	/* Columns: destination, line of its rule. */
	static const struct {
		const char *name;
		uint32_t line;
	} rows[] = {
		{ "example.org", 10 },
		{ "EXAMPLE.ORG", 10 },
		{ "a.example.org", 20 },
		{ "a.b.example.org", 20 },
		{ "other.test", 10 },
		{ "first.example.org", 20 }, /* not 30, which comes later */
		{ "xample.org", 0 },
		{ "badexample.org", 0 },
		{ ".example.org", 0 },
		{ "", 0 },
		{ "192.0.2.1", 40 },
	};
	struct conf *c = image_new();
	struct conf_retry r[5] = { { .max = 0 } };
	struct conf *none = image_new();
	size_t i;

	CHECK("without any rule", dest_retry(none, "example.org") == NULL);
	domains(c, &r[1].domain, "example.org", "other.test");
	r[1].at.line = 10;
	domains(c, &r[2].domain, "*.example.org", NULL);
	r[2].at.line = 20;
	domains(c, &r[3].domain, "first.example.org", NULL);
	r[3].at.line = 30;
	domains(c, &r[4].domain, "192.0.2.1", NULL);
	r[4].at.line = 40;
	image_rows(c, &c->retry, r, 5, sizeof r[0]);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK(rows[i].name,
		    dest_retry(c, rows[i].name)->at.line == rows[i].line);
	free(c);
	free(none);
}

/* `limit mx` and `tls domain`, which name each a host and its children. */
static void
groups(void)
{
	/* Columns: name; row of its group, CONF_NONE: none; line of its TLS
	 * rule, 0: none. */
	static const struct {
		const char *name;
		uint32_t row, line;
	} rows[] = {
		{ "mx.example.org", 2, 12 },
		{ "MX.Example.ORG", 2, 12 },
		{ "aspmx.l.example.net", 3, 13 },
		{ "l.example.net", 3, 13 },
		{ "first.l.example.net", 3, 13 }, /* not 4, which comes later */
		{ "example.net", CONF_NONE, 0 },
		{ "only.test", CONF_NONE, 0 },
		{ "", CONF_NONE, 0 },
		{ ".", CONF_NONE, 0 },
	};
	struct conf *c = image_new(), *none = image_new();
	struct conf_limit l[5] = { { .concurrency = 1 }, { .concurrency = 1 },
		{ .concurrency = 2 }, { .rate = 3, .per = 1 }, { .inet = 6 } };
	struct conf_tls t[3] = { { .at.line = 12 }, { .at.line = 13 },
		{ .at.line = 14 } };
	struct dest_limit got;
	size_t i;

	domains(c, &l[1].domain, "only.test", NULL);
	domains(c, &l[2].mx, "mx.example.org", NULL);
	domains(c, &l[3].mx, "*.example.net", "other.test");
	domains(c, &l[4].mx, "first.l.example.net", NULL);
	domains(c, &t[0].domain, "mx.example.org", NULL);
	domains(c, &t[1].domain, "other.test", "*.example.net");
	domains(c, &t[2].domain, "first.l.example.net", NULL);
	image_rows(c, &c->limit, l, 5, sizeof l[0]);
	image_rows(c, &c->tls, t, 3, sizeof t[0]);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct conf_tls *tls = dest_tls(c, rows[i].name);

		CHECK(rows[i].name,
		    dest_limit_mx(c, rows[i].name) == rows[i].row);
		CHECK(rows[i].name,
		    (tls == NULL ? 0 : tls->at.line) == rows[i].line);
	}
	CHECK("no rules at all",
	    dest_limit_mx(none, "mx.example.org") == CONF_NONE &&
		dest_tls(none, "mx.example.org") == NULL);
	/* What a group is said is not said of each of its routes. */
	dest_limit(c, "first.l.example.net", &got);
	CHECK("a group is no destination",
	    got.concurrency == 1 && got.rate == 0 && got.inet == 0);
	free(c);
	free(none);
}

static uint32_t
line_of(const struct conf_at *at)
{
	return at == NULL ? 0 : at->line;
}

static void
limits(void)
{
	/* Columns: destination; concurrency, messages, rate, per, family;
	 * lines of all but per, 0: nobody's. */
	static const struct {
		const char *name;
		uint32_t want[5], line[4];
	} rows[] = {
		{ "a.test", { 2, 7, 50, 60, 4 }, { 2, 3, 1, 3 } },
		{ "b.test", { 30, 1, 50, 60, 6 }, { 4, 4, 1, 1 } },
		{ "x.b.test", { 9, 100, 10, 1, 6 }, { 0, 0, 5, 1 } },
		{ "other.test", { 9, 100, 50, 60, 6 }, { 0, 0, 1, 1 } },
	};
	struct conf *c = image_new(), *none = image_new();
	struct conf_limit l[5] = {
		{ .rate = 50, .per = 60, .inet = 6, .at.line = 1 },
		{ .concurrency = 2, .at.line = 2 },
		{ .concurrency = 3, .messages = 7, .inet = 4, .at.line = 3 },
		{ .concurrency = 30, .messages = 1, .at.line = 4 },
		{ .rate = 10, .per = 1, .at.line = 5 }
	};
	struct dest_limit got;
	size_t i;

	dest_limit(none, "a.test", &got);
	CHECK("nothing is said",
	    got.concurrency == 1 && got.messages == DEST_MESSAGES &&
		got.rate == 0 && got.concurrency_at == NULL);
	c->route_concurrency = 9;
	domains(c, &l[1].domain, "a.test", NULL);
	domains(c, &l[2].domain, "a.test", NULL);
	domains(c, &l[3].domain, "b.test", NULL);
	domains(c, &l[4].domain, "*.b.test", NULL);
	image_rows(c, &c->limit, l, 5, sizeof l[0]);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		dest_limit(c, rows[i].name, &got);
		CHECK(rows[i].name,
		    got.concurrency == rows[i].want[0] &&
			got.messages == rows[i].want[1] &&
			got.rate == rows[i].want[2] &&
			got.per == rows[i].want[3] &&
			got.inet == rows[i].want[4] &&
			line_of(got.inet_at) == rows[i].line[3] &&
			line_of(got.concurrency_at) == rows[i].line[0] &&
			line_of(got.messages_at) == rows[i].line[1] &&
			line_of(got.rate_at) == rows[i].line[2]);
	}
	free(c);
	free(none);
}

int
main(void)
{
	names();
	retries();
	limits();
	groups();
	return unit_end();
}
