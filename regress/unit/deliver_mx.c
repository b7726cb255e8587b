/*
 * Routes, and hosts in the order to try them: RFC 5321 5.1.
 *
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>

#include "conf_image.h"
#include "mx.h"
#include "resolv.h"
#include "unit.h"

/* ---- routes ---- */

#define L16 "0123456789abcdef"
#define L64 L16 L16 L16 L16

/* Columns: text; good, by MX, a list, address; scheme, port, label, name. */
static const struct {
	const char *text;
	bool good, mx, list, literal;
	enum conf_scheme scheme;
	unsigned int port;
	const char *label, *name;
} routes[] = {
	{ "mx:example.org", 1, 1, 0, 0, 0, 0, "", "example.org" },
	{ "mx:[192.0.2.1]", 1, 1, 0, 1, 0, 0, "", "192.0.2.1" },
	{ "mx:[IPv6:2001:db8::1]", 1, 1, 0, 1, 0, 0, "", "2001:db8::1" },
	{ "host:smtp://relay.example.net:25", 1, 0, 0, 0, SCHEME_SMTP, 25, "",
	    "relay.example.net" },
	{ "host:smtp+notls://relay:2525", 1, 0, 0, 0, SCHEME_SMTP_NOTLS, 2525,
	    "", "relay" },
	{ "host:smtp+tls://relay:587", 1, 0, 0, 0, SCHEME_SMTP_TLS, 587, "",
	    "relay" },
	{ "host:smtps://me@relay:465", 1, 0, 0, 0, SCHEME_SMTPS, 465, "me",
	    "relay" },
	{ "host:smtps://a@b@relay:465", 1, 0, 0, 0, SCHEME_SMTPS, 465, "a@b",
	    "relay" },
	{ "host:lmtp://me@[::1]:24", 1, 0, 0, 1, SCHEME_LMTP, 24, "me", "::1" },
	{ "host:smtp://127.0.0.1:65535", 1, 0, 0, 1, SCHEME_SMTP, 65535, "",
	    "127.0.0.1" },
	{ "host:smtp://[::1]:25", 1, 0, 0, 1, SCHEME_SMTP, 25, "", "::1" },
	{ "host:smtp://::1:25", 1, 0, 0, 1, SCHEME_SMTP, 25, "", "::1" },
	{ "host:smtp://[IPv6:::1]:25", 1, 0, 0, 1, SCHEME_SMTP, 25, "", "::1" },
	{ "hosts:out", 1, 0, 1, 0, 0, 0, "", "" },
	{ "lmtp:box", 1, 0, 0, 0, 0, 0, "", "" },
	{ "lmtp", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "mx", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "mx:", 0, 0, 0, 0, 0, 0, "", NULL },
	/* A soft hyphen is mapped to nothing (UTS 46). */
	{ "mx:\xc2\xad", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "mx:[192.0.2]", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "mx:[192.0.2.1", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:relay:25", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://me@:25", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://relay", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://relay:", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://relay:0", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://relay:65536", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://:25", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:http://relay:25", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:SMTP://relay:25", 0, 0, 0, 0, 0, 0, "", NULL },
	{ "host:smtp://" L64 "@relay:25", 0, 0, 0, 0, 0, 0, "", NULL },
};

static bool
route_is(const struct mx_route *r, size_t i)
{
	return r->mx == routes[i].mx && r->list == routes[i].list &&
	    r->scheme == routes[i].scheme && r->literal == routes[i].literal &&
	    r->port == routes[i].port && strcmp(r->name, routes[i].name) == 0 &&
	    strcmp(r->label, routes[i].label) == 0;
}

static void
parse(void)
{
	struct mx_route r;
	const char *why, *text;
	char name[160];
	size_t i;

	for (i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		text = unit_guard(routes[i].text, strlen(routes[i].text) + 1);
		why = mx_route_parse(text, &r);
		snprintf(name, sizeof name, "route '%s'", routes[i].text);
		CHECK(name,
		    (why == NULL) == routes[i].good &&
			(why != NULL || route_is(&r, i)));
	}
}

/* ---- the server of an action ---- */

#define PATH107 "/" L64 L16 L16 "0123456789"
_Static_assert(sizeof(PATH107) == 108, "what sun_path holds");

/* Columns: name, what stands in the action; good, a socket, address; port,
 * name; what is printed of a socket, NULL: it does not fit one. */
static const struct {
	const char *name, *arg;
	bool good, socket, literal;
	unsigned int port;
	const char *host, *printed;
} servers[] = {
	{ "path", "/run/dovecot/lmtp", 1, 1, 0, 0, "/run/dovecot/lmtp",
	    "/run/dovecot/lmtp" },
	{ "path, longest", PATH107, 1, 1, 0, 0, PATH107, PATH107 },
	{ "path, too long", PATH107 "x", 1, 1, 0, 0, PATH107 "x", NULL },
	{ "path, far too long", PATH107 PATH107 PATH107, 0, 0, 0, 0, "", NULL },
	{ "host", "localhost:24", 1, 0, 0, 24, "localhost", NULL },
	{ "address", "192.0.2.1:2424", 1, 0, 1, 2424, "192.0.2.1", NULL },
	{ "IPv6", "[2001:db8::1]:24", 1, 0, 1, 24, "2001:db8::1", NULL },
	{ "no port", "localhost", 0, 0, 0, 0, "", NULL },
	{ "no host", ":24", 0, 0, 0, 0, "", NULL },
	{ "port 0", "localhost:0", 0, 0, 0, 0, "", NULL },
	{ "a service", "localhost:lmtp", 0, 0, 0, 0, "", NULL },
	{ "nothing", "", 0, 0, 0, 0, "", NULL },
};

static bool
server_is(const struct mx_route *r, size_t i)
{
	char out[RELAY_MAX + 1];
	struct mx_addr a;
	bool fits;

	if (r->socket != servers[i].socket || !r->lmtp ||
	    r->scheme != SCHEME_LMTP || r->literal != servers[i].literal ||
	    r->port != servers[i].port || strcmp(r->name, servers[i].host) != 0)
		return false;
	if (!r->socket)
		return true;
	fits = mx_socket(r, &a);
	return fits == (servers[i].printed != NULL) &&
	    (!fits || strcmp(mx_addr_print(&a, out), servers[i].printed) == 0);
}

static void
server(void)
{
	struct conf_action a = { .method = METHOD_LMTP };
	struct mx_route r;
	struct conf *c;
	char name[64];
	const char *why;
	size_t i;

	for (i = 0; i < sizeof servers / sizeof servers[0]; i++) {
		c = image_new();
		a.arg = image_text(c, servers[i].arg);
		image_rows(c, &c->action, &a, 1, sizeof a);
		mx_route_parse("lmtp:box", &r);
		why = mx_route_server(c, 0, &r);
		snprintf(name, sizeof name, "server: %s", servers[i].name);
		CHECK(name,
		    (why == NULL) == servers[i].good &&
			(why != NULL || server_is(&r, i)));
		free(c);
	}
	c = image_new();
	a.method = METHOD_RELAY;
	image_rows(c, &c->action, &a, 1, sizeof a);
	mx_route_parse("lmtp:box", &r);
	CHECK("server: of another method", mx_route_server(c, 0, &r) != NULL);
	mx_route_parse("mx:example.org", &r);
	CHECK("server: of another route",
	    mx_route_server(c, 0, &r) == NULL && r.mx);
	free(c);
}

/* ---- ourselves ---- */

static struct conf *
own_conf(void)
{
	struct conf *c = image_new();
	struct conf_listen l[3];
	struct conf_entry e[2];
	struct dns_server s;

	c->hostname = image_text(c, "mta.example.org");
	memset(l, 0, sizeof l);
	resolv_address(slice_of("0.0.0.0"), 2525, &s);
	l[0].ss = s.ss;
	resolv_address(slice_of("127.0.0.2"), 26, &s);
	l[1].ss = s.ss;
	l[1].hostname = image_text(c, "other.example.org");
	l[2].local = 1;
	image_rows(c, &c->listen, l, 3, sizeof l[0]);
	memset(e, 0, sizeof e);
	e[0].key = image_text(c, "192.0.2.99");
	e[1].key = image_text(c, "2001:db8::99");
	image_rows(c, &c->local_addr, e, 2, sizeof e[0]);
	return c;
}

/* Columns: address, port, ours. */
static const struct {
	const char *ip;
	uint16_t port;
	bool ours;
} addrs[] = {
	{ "192.0.2.99", 25, true },
	{ "::ffff:192.0.2.99", 25, true },
	{ "2001:db8::99", 25, true },
	{ "127.0.0.1", 25, true },
	{ "127.8.8.8", 25, true },
	{ "::1", 25, true },
	{ "192.0.2.99", 2525, true },
	{ "127.0.0.1", 2525, true },
	{ "127.0.0.2", 26, true },
	{ "127.0.0.3", 26, false },
	{ "192.0.2.99", 10025, false },
	{ "127.0.0.1", 10025, false },
	{ "192.0.2.98", 25, false },
	{ "192.0.2.98", 2525, false },
	{ "2001:db8::98", 25, false },
	{ "::2", 25, false },
};

static void
ourselves(const struct mx_self *self)
{
	struct dns_server s;
	char name[80];
	size_t i;

	for (i = 0; i < sizeof addrs / sizeof addrs[0]; i++) {
		resolv_address(slice_of(addrs[i].ip), addrs[i].port, &s);
		snprintf(name, sizeof name, "own address %s port %u",
		    addrs[i].ip, addrs[i].port);
		CHECK(name, mx_own_addr(self, &s.ss) == addrs[i].ours);
	}
	CHECK("own name", mx_own_name(self, "MTA.example.org"));
	CHECK("own name by helo", mx_own_name(self, "helo.example.org"));
	CHECK("own name of a listener", mx_own_name(self, "Other.Example.org"));
	CHECK("not our name", !mx_own_name(self, "mta.example.net"));
	CHECK("no name is not ours", !mx_own_name(self, ""));
}

/* ---- order ---- */

struct mx_row {
	uint16_t pref;
	const char *name;
};

static struct dns_answer *
mx_answer(const struct mx_row *rows, unsigned int n)
{
	struct dns_answer *a = calloc(1, sizeof *a + n * sizeof a->rr[0]);
	unsigned int i;

	if (a == NULL)
		abort();
	a->status = DNS_FOUND;
	a->n = n;
	for (i = 0; i < n; i++) {
		a->rr[i].pref = rows[i].pref;
		snprintf(a->rr[i].name, sizeof a->rr[i].name, "%s",
		    rows[i].name);
	}
	return a;
}

static uint32_t
pick_first(uint32_t below)
{
	(void)below;
	return 0;
}

static uint32_t
pick_last(uint32_t below)
{
	return below - 1;
}

/* Columns: records, who picks, hosts in order, we are among them. */
static const struct {
	const char *name;
	struct mx_row rows[12];
	uint32_t (*pick)(uint32_t);
	const char *want;
	bool own;
} orders[] = {
	{ "by preference", { { 30, "c" }, { 10, "a" }, { 20, "b" } },
	    pick_first, "a b c ", false },
	{ "equal ones as they come", { { 10, "a" }, { 10, "b" }, { 5, "z" } },
	    pick_first, "z a b ", false },
	{ "equal ones shuffled", { { 10, "a" }, { 10, "b" }, { 10, "c" } },
	    pick_last, "c a b ", false },
	{ "largest preference", { { 65535, "a" }, { 0, "b" } }, pick_first,
	    "b a ", false },
	{ "from ourselves on nothing",
	    { { 10, "a" }, { 20, "mta.example.org" }, { 20, "b" },
		{ 30, "c" } },
	    pick_first, "a ", true },
	{ "we are the best", { { 10, "mta.example.org" }, { 20, "b" } },
	    pick_first, "", true },
	{ "no host at all", { { 0, "" }, { 10, "a" } }, pick_first, "a ",
	    false },
	{ "ten at most",
	    { { 1, "a" }, { 2, "b" }, { 3, "c" }, { 4, "d" }, { 5, "e" },
		{ 6, "f" }, { 7, "g" }, { 8, "h" }, { 9, "i" }, { 10, "j" },
		{ 11, "k" }, { 12, "l" } },
	    pick_first, "a b c d e f g h i j ", false },
};

static void
order(const struct mx_self *self)
{
	struct mx_host host[MX_HOSTS];
	struct dns_answer *a;
	unsigned int n, k;
	char got[256], name[80];
	size_t i;
	bool own;

	for (i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		for (n = 0; n < 12 && orders[i].rows[n].name != NULL; n++)
			;
		a = mx_answer(orders[i].rows, n);
		n = mx_sort(a, self, orders[i].pick, host, &own);
		free(a);
		got[0] = '\0';
		for (k = 0; k < n; k++)
			strcat(strcat(got, host[k].name), " ");
		snprintf(name, sizeof name, "mx: %s", orders[i].name);
		CHECK(name,
		    strcmp(got, orders[i].want) == 0 && own == orders[i].own);
	}
}

/* Only hosts that are better than the one of `backup`. */
static void
backup(const struct mx_self *self)
{
	/* Columns: records, backup, hosts in order, it is among them. */
	static const struct {
		const char *name;
		struct mx_row rows[4];
		const char *backup, *want;
		bool listed;
	} rows[] = {
		{ "better ones", { { 10, "a" }, { 20, "b" }, { 30, "c" } }, "C",
		    "a b ", true },
		{ "not equal ones", { { 10, "a" }, { 20, "b" }, { 20, "c" } },
		    "c", "a ", true },
		{ "it is the best", { { 10, "a" }, { 20, "b" } }, "a", "",
		    true },
		{ "the better of it and us",
		    { { 10, "a" }, { 20, "mta.example.org" }, { 30, "c" } },
		    "c", "a ", true },
		{ "named twice", { { 10, "a" }, { 20, "c" }, { 30, "c" } }, "c",
		    "a ", true },
		{ "not there", { { 10, "a" }, { 20, "b" } }, "c", "a b ",
		    false },
	};
	struct mx_self who = *self;
	struct mx_host host[MX_HOSTS];
	struct dns_answer *a;
	unsigned int n, k;
	char got[256], name[80];
	bool own, listed;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (n = 0; n < 4 && rows[i].rows[n].name != NULL; n++)
			;
		a = mx_answer(rows[i].rows, n);
		who.backup = rows[i].backup;
		listed = mx_lists(a, rows[i].backup);
		n = mx_sort(a, &who, pick_first, host, &own);
		free(a);
		got[0] = '\0';
		for (k = 0; k < n; k++)
			strcat(strcat(got, host[k].name), " ");
		snprintf(name, sizeof name, "mx backup: %s", rows[i].name);
		CHECK(name,
		    strcmp(got, rows[i].want) == 0 && listed == rows[i].listed);
	}
}

/* Each of three equal hosts is the first about as often. */
static void
shuffle(const struct mx_self *self)
{
	static const struct mx_row rows[] = { { 10, "a" }, { 10, "b" },
		{ 10, "c" }, { 20, "d" } };
	struct dns_answer *a = mx_answer(rows, 4);
	struct mx_host host[MX_HOSTS];
	unsigned int first[3] = { 0 }, i, last = 0;
	bool own;

	for (i = 0; i < 3000; i++) {
		mx_sort(a, self, arc4random_uniform, host, &own);
		if (host[0].name[0] >= 'a' && host[0].name[0] <= 'c')
			first[host[0].name[0] - 'a']++;
		last += host[3].name[0] == 'd';
	}
	free(a);
	CHECK("mx: equal ones take turns",
	    first[0] > 800 && first[1] > 800 && first[2] > 800);
	CHECK("mx: a worse one is always after them", last == 3000);
}

/* ---- addresses ---- */

static void
add(struct mx_host *h, enum dns_type type, enum dns_status status,
    const char *ip)
{
	struct dns_answer *a = calloc(1, sizeof *a + sizeof a->rr[0]);
	struct dns_question q = { .type = (uint16_t)type };

	if (a == NULL)
		abort();
	a->status = status;
	a->why = "silence";
	a->n = ip == NULL ? 0 : 1;
	if (ip != NULL &&
	    inet_pton(type == DNS_A ? AF_INET : AF_INET6, ip,
		type == DNS_A ? (void *)&a->rr[0].a : &a->rr[0].aaaa) != 1)
		abort();
	mx_host_add(h, &q, a);
	free(a);
}

static struct mx_host
new_host(const char *name, uint16_t pref)
{
	struct mx_host h;

	memset(&h, 0, sizeof h);
	snprintf(h.name, sizeof h.name, "%s", name);
	h.pref = pref;
	h.status = DNS_NODATA;
	return h;
}

/* Columns: kind, address, a mail server can have it. */
static const struct {
	enum dns_type type;
	const char *ip;
	bool usable;
} usable[] = {
	{ DNS_A, "192.0.2.1", true },
	{ DNS_A, "127.0.0.1", true },
	{ DNS_A, "0.0.0.0", false },
	{ DNS_A, "0.1.2.3", false },
	{ DNS_A, "224.0.0.1", false },
	{ DNS_A, "239.255.255.255", false },
	{ DNS_A, "240.0.0.1", false },
	{ DNS_A, "255.255.255.255", false },
	{ DNS_A, "223.255.255.255", true },
	{ DNS_AAAA, "2001:db8::1", true },
	{ DNS_AAAA, "::1", true },
	{ DNS_AAAA, "::", false },
	{ DNS_AAAA, "ff02::1", false },
	{ DNS_AAAA, "fe80::1", false },
	{ DNS_AAAA, "::ffff:0.0.0.0", false },
	{ DNS_AAAA, "::ffff:224.0.0.1", false },
	{ DNS_AAAA, "::ffff:192.0.2.1", true },
	{ DNS_AAAA, "::192.0.2.1", false },
};

static void
skipped(void)
{
	struct mx_host h;
	char name[80];
	size_t i;

	for (i = 0; i < sizeof usable / sizeof usable[0]; i++) {
		h = new_host("a", 0);
		add(&h, usable[i].type, DNS_FOUND, usable[i].ip);
		snprintf(name, sizeof name, "mx address %s", usable[i].ip);
		CHECK(name,
		    (h.n4 + h.n6 == 1) == usable[i].usable &&
			(h.odd[0] == '\0') == usable[i].usable);
	}
}

/* What two answers make of a host.  Columns: AAAA, A, host. */
static const struct {
	enum dns_status aaaa, a, want;
} statuses[] = {
	{ DNS_NODATA, DNS_NODATA, DNS_NODATA },
	{ DNS_NXDOMAIN, DNS_NXDOMAIN, DNS_NXDOMAIN },
	{ DNS_LATER, DNS_NODATA, DNS_LATER },
	{ DNS_NODATA, DNS_LATER, DNS_LATER },
	{ DNS_LATER, DNS_NXDOMAIN, DNS_LATER },
	{ DNS_NXDOMAIN, DNS_LATER, DNS_LATER },
	{ DNS_LATER, DNS_FOUND, DNS_FOUND },
	{ DNS_FOUND, DNS_LATER, DNS_FOUND },
	{ DNS_NODATA, DNS_FOUND, DNS_FOUND },
	{ DNS_FOUND, DNS_NODATA, DNS_FOUND },
};

static void
status(void)
{
	struct mx_host h;
	char name[40];
	size_t i;

	for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
		h = new_host("a", 0);
		add(&h, DNS_AAAA, statuses[i].aaaa,
		    statuses[i].aaaa == DNS_FOUND ? "2001:db8::1" : NULL);
		add(&h, DNS_A, statuses[i].a,
		    statuses[i].a == DNS_FOUND ? "192.0.2.1" : NULL);
		snprintf(name, sizeof name, "mx host status %zu", i);
		CHECK(name, h.status == statuses[i].want);
	}
}

static const char *
printed(const struct mx_list *list)
{
	static char out[2048];
	char one[RELAY_MAX + 1];
	unsigned int i;

	out[0] = '\0';
	for (i = 0; i < list->n; i++)
		strcat(strcat(out, mx_addr_print(&list->addr[i], one)), " ");
	return out;
}

static void
arrange(const struct mx_self *self)
{
	struct mx_host h[4] = { new_host("a", 10), new_host("b", 10),
		new_host("c", 20), new_host("d", 30) };
	struct mx_list list;
	char ip[32];
	bool own = false;
	unsigned int i, k;

	add(&h[0], DNS_A, DNS_FOUND, "192.0.2.1");
	add(&h[0], DNS_A, DNS_FOUND, "192.0.2.2");
	add(&h[0], DNS_A, DNS_FOUND, "192.0.2.3");
	add(&h[0], DNS_AAAA, DNS_FOUND, "2001:db8::1");
	add(&h[1], DNS_AAAA, DNS_FOUND, "2001:db8::2");
	mx_arrange(h, 2, self, 25, &list, &own);
	CHECK("mx: families by turns",
	    strcmp(printed(&list),
		"a[2001:db8::1]:25 a[192.0.2.1]:25 a[192.0.2.2]:25 "
		"a[192.0.2.3]:25 b[2001:db8::2]:25 ") == 0 &&
		!own);
	add(&h[2], DNS_A, DNS_FOUND, "192.0.2.50");
	add(&h[2], DNS_A, DNS_FOUND, "192.0.2.99");
	add(&h[3], DNS_A, DNS_FOUND, "192.0.2.60");
	mx_arrange(h, 4, self, 25, &list, &own);
	CHECK("mx: from our own address on nothing", own && list.n == 5);
	own = false;
	mx_arrange(h, 4, self, 10025, &list, &own);
	CHECK("mx: another port is another server", !own && list.n == 8);
	mx_arrange(h + 2, 2, self, 25, &list, &own);
	CHECK("mx: we are the best host", own && list.n == 0);
	own = false;
	mx_arrange(h + 2, 2, NULL, 25, &list, &own);
	CHECK("mx: a relay host may be ourselves", !own && list.n == 3);
	for (i = 0; i < 4; i++) {
		h[i] = new_host("x", 1);
		for (k = 0; k < 9; k++) {
			snprintf(ip, sizeof ip, "192.0.2.%u", 1 + 9 * i + k);
			add(&h[i], DNS_A, DNS_FOUND, ip);
		}
	}
	mx_arrange(h, 4, self, 25, &list, &own);
	CHECK("mx: some of each host, ten in all",
	    h[0].n4 == MX_PER_HOST && list.n == MX_ADDRS);
}

int
main(void)
{
	struct conf *c = own_conf();
	struct mx_self self = { .conf = c,
		.helo = "helo.example.org",
		.port = 25 };

	parse();
	server();
	ourselves(&self);
	order(&self);
	backup(&self);
	shuffle(&self);
	skipped();
	status();
	arrange(&self);
	free(c);
	return unit_end();
}
