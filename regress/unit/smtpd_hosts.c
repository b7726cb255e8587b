/*
 * What lookup tells deliver and queue about the hosts of an action: routes of
 * URLs, lists of hosts and addresses, names for EHLO.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_relay.h"
#include "lookup_route.h"
#include "lookup_world.h"

#define L63    "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
#define NAME63 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
/* 255 bytes. */
#define NAME255                                                                \
	NAME63 "." NAME63 "." NAME63 "."                                       \
	       "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"       \
	       ".example"

/* ---- URLs ---- */

/* Columns: of a table, as a route (NULL: it cannot be one). */
static const struct {
	const char *url, *route;
} urls[] = {
	{ "relay.example", "host:smtp://relay.example:25" },
	{ "smtp://relay.example", "host:smtp://relay.example:25" },
	{ "smtp://relay.example/", "host:smtp://relay.example:25" },
	{ "smtp+tls://relay.example", "host:smtp+tls://relay.example:25" },
	{ "smtp+notls://relay.example", "host:smtp+notls://relay.example:25" },
	{ "smtps://relay.example", "host:smtps://relay.example:465" },
	{ "lmtp://relay.example:24", "host:lmtp://relay.example:24" },
	{ "lmtp://127.0.0.1:65535", "host:lmtp://127.0.0.1:65535" },
	{ "SMTPS://Relay.EXAMPLE", "host:smtps://relay.example:465" },
	{ "smtps://relay.example:587", "host:smtps://relay.example:587" },
	{ "smtp://192.0.2.1:1", "host:smtp://192.0.2.1:1" },
	{ "smtp://[192.0.2.1]", "host:smtp://192.0.2.1:25" },
	{ "smtp://[2001:DB8:0:0::1]", "host:smtp://[2001:db8::1]:25" },
	{ "smtps://[2001:db8::1]:26", "host:smtps://[2001:db8::1]:26" },
	{ "[::1]", "host:smtp://[::1]:25" },
	{ "smtp://b\xc3\xbc"
	  "cher.example",
	    "host:smtp://xn--bcher-kva.example:25" },
	{ "smtp://xn--bcher-kva.example",
	    "host:smtp://xn--bcher-kva.example:25" },
	/* labels */
	{ "smtps://Label@relay.example",
	    "host:smtps://Label@relay.example:465" },
	{ "label@relay.example", "host:smtp://label@relay.example:25" },
	{ "smtp+tls://a@b.example@relay.example:587",
	    "host:smtp+tls://a@b.example@relay.example:587" },
	{ "smtps://l@[2001:db8::1]", "host:smtps://l@[2001:db8::1]:465" },
	{ "smtps://@relay.example", "host:smtps://relay.example:465" },
	{ "smtp://" L63 "@relay.example",
	    "host:smtp://" L63 "@relay.example:25" },
	{ "smtp://" L63 "l@relay.example", NULL },
	{ "smtp://a b@relay.example", NULL },
	{ "smtp://a\x7f@relay.example", NULL },
	{ "smtp://\xc3\xbc@relay.example", NULL },
	/* as long as a name may be, and with more around it than a route has
	 * room for */
	{ "smtp://" NAME255, "host:smtp://" NAME255 ":25" },
	{ "smtp+notls://" L63 "@" NAME255 ":65535", NULL },
	{ "smtp://" NAME255 "n", NULL },
	/* not URLs of ours */
	{ "lmtp://relay.example", NULL },
	{ "tls://relay.example", NULL },
	{ "http://relay.example", NULL },
	{ "smtp+auth://l@relay.example", NULL },
	{ "averyveryverylongscheme://relay.example", NULL },
	{ "://relay.example", NULL },
	{ "smtp://", NULL },
	{ "smtp://:25", NULL },
	{ "smtp://l@", NULL },
	{ "", NULL },
	{ "smtp://relay.example:", NULL },
	{ "smtp://relay.example:0", NULL },
	{ "smtp://relay.example:65536", NULL },
	{ "smtp://relay.example:25x", NULL },
	{ "smtp://relay.example:-1", NULL },
	{ "smtp://2001:db8::1", NULL },
	{ "smtp://[2001:db8::1", NULL },
	{ "smtp://[2001:db8::1]25", NULL },
	{ "smtp://[relay.example]", NULL },
	{ "smtp://relay_.example", NULL },
	{ "smtp://relay..example", NULL },
	{ "smtp://relay.example/path", NULL },
	{ "smtp://\xff.example", NULL },
	{ "smtp://$host", NULL },
};

static void
test_urls(void)
{
	char out[ROUTE_MAX + 1], name[160];
	const char *why;
	char *guarded;
	size_t i;

	for (i = 0; i < N(urls); i++) {
		guarded = unit_guard(urls[i].url, strlen(urls[i].url) + 1);
		memset(out, 'x', sizeof(out));
		why = route_url(guarded, out);
		snprintf(name, sizeof(name), "url %zu: %.100s", i,
		    urls[i].route != NULL ? urls[i].route : "none");
		if (urls[i].route == NULL)
			CHECK(name, why != NULL && out[0] == '\0');
		else
			CHECK(name,
			    why == NULL && strcmp(out, urls[i].route) == 0);
	}
}

/* ---- an action ---- */

#define SIXTEEN "a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16"

/* Tables that nobody looks at before they are used. */
#define BAD_TEXT                                                               \
	"ftp://x.example\ngood.example\nsmtp://\nport.example:26\n"            \
	"[2001:db8::1]:27\nsmtps://other.example:28\ntwo words\n"
#define WORSE_TEXT "ftp://x.example\n"

/* Of `bad` one is usable, of `worse` none.  `slow` answers later, `dead` not
 * at all. */
#define FILE_TEXT                                                              \
	"hostname mx.our.example\n"                                            \
	"table keys { l = \"u:p\" }\n"                                         \
	"table hosts { \"smtps://b.example\", \"a.example\", "                 \
	"\"smtp://l@C.example:26\" }\n"                                        \
	"table slowhosts { \"s2.example\", \"s1.example\" }\n"                 \
	"table deadhosts { \"d.example\" }\n"                                  \
	"table many { " SIXTEEN " }\n"                                         \
	"table addrs { 192.0.2.7, \"2001:DB8:0::7\", \"[2001:db8::8]\" }\n"    \
	"table slowaddrs { 192.0.2.9 }\n"                                      \
	"table names { 192.0.2.7 = a.our.example, "                            \
	"\"2001:db8::7\" = \"[IPv6:2001:db8::7]\", "                           \
	"192.0.2.8 = \"no host\" }\n"                                          \
	"table deadnames { 192.0.2.7 = a.our.example }\n"                      \
	"action \"one\" relay host smtps://one.example\n"                      \
	"action \"mx\" relay\n"                                                \
	"action \"list\" relay host { smtp://a.example:26, "                   \
	"smtps://l@b.example, \"smtp+notls://[2001:db8::1]\" } "               \
	"auth <keys>\n"                                                        \
	"action \"t able%\" relay host <hosts>\n"                              \
	"action \"slow\" relay host <slowhosts> src <slowaddrs>\n"             \
	"action \"dead\" relay host <deadhosts>\n"                             \
	"action \"bad\" relay host <bad>\n"                                    \
	"action \"worse\" relay host <worse>\n"                                \
	"action \"many\" relay host <many>\n"                                  \
	"action \"src\" relay src <addrs> helo-src <names>\n"                  \
	"action \"nosrc\" relay src <noaddrs>\n"                               \
	"action \"deadsrc\" relay src 192.0.2.1 helo-src <deadnames>\n"        \
	"match from any for domain one.example action \"one\"\n"               \
	"match from any for domain mx.example action \"mx\"\n"                 \
	"match from any for domain list.example action \"list\"\n"             \
	"match from any for domain table.example action \"t able%\"\n"         \
	"match from any for domain dead.example action \"dead\"\n"

/* Tables in files, as the parent would hand them in. */
static void
read_files(void)
{
	const struct conf *c = world.questions.conf;
	uint32_t i;

	for (i = 0; i < c->table.n; i++) {
		const struct conf_table *t = CONF_TABLE(c, i);

		if (t->kind == TABLE_FILE)
			tables_file(tables, i,
			    open(conf_text(c, t->path), O_RDONLY | O_CLOEXEC));
	}
}

static uint32_t
action_named(const char *name)
{
	const struct conf *c = world.questions.conf;
	uint32_t i;

	for (i = 0; i < c->action.n; i++) {
		if (strcmp(conf_text(c, CONF_ACTION(c, i)->name), name) == 0)
			return i;
	}
	return UINT32_MAX;
}

/* Columns: action, hosts and addresses as they are told ("" where the outcome
 * is LATER), cause then. */
static const struct {
	const char *action, *text;
	uint32_t n_host, n_src;
	enum cause cause;
} relays[] = {
	{ "one", "smtps://one.example:465 ", 1, 0, CAUSE_NONE },
	{ "mx", "", 0, 0, CAUSE_NONE },
	{ "list",
	    "smtp://a.example:26 smtps://l@b.example:465 "
	    "smtp+notls://[2001:db8::1]:25 ",
	    3, 0, CAUSE_NONE },
	{ "t able%",
	    "smtps://b.example:465 smtp://a.example:25 "
	    "smtp://l@c.example:26 ",
	    3, 0, CAUSE_NONE },
	{ "slow", NULL, 2, 1, CAUSE_NONE },
	{ "dead", "", 0, 0, CAUSE_SYSTEM },
	{ "bad",
	    "smtp://good.example:25 smtp://port.example:26 "
	    "smtp://[2001:db8::1]:27 smtps://other.example:28 ",
	    4, 0, CAUSE_NONE },
	{ "worse", "", 0, 0, CAUSE_CONFIG },
	{ "many", NULL, RELAY_HOSTS, 0, CAUSE_NONE },
	{ "src", "192.0.2.7 2001:db8::7 2001:db8::8 ", 0, 3, CAUSE_NONE },
	{ "nosrc", "", 0, 0, CAUSE_CONFIG },
	{ "no such", "", 0, 0, CAUSE_CONFIG },
};

static bool
ask_relay(uint32_t action, struct relay_is *is)
{
	struct relay_ask m = { .action = action };

	question_ask(&world.questions, judge_relay, &m, sizeof(m), &world.chan,
	    3);
	memset(is, 0xff, sizeof(*is));
	return world_answered(&world, IPC_RELAY_IS, is, sizeof(*is));
}

/* The texts of an answer, each with a blank behind it. */
static void
join(const struct relay_is *is, char *out, size_t size)
{
	const char *p = is->text;
	size_t len = 0;
	uint32_t i;

	out[0] = '\0';
	for (i = 0; i < is->n_host + is->n_src; i++) {
		len += (size_t)snprintf(out + len, size - len, "%s ", p);
		if (len >= size)
			abort();
		p += strlen(p) + 1;
	}
}

static void
test_relays(void)
{
	char name[96], text[sizeof(((struct relay_is *)0)->text) + 1];
	struct relay_is is;
	enum verdict want;
	bool same;
	size_t i;

	for (i = 0; i < N(relays); i++) {
		snprintf(name, sizeof(name), "hosts of %s", relays[i].action);
		CHECK(name, ask_relay(action_named(relays[i].action), &is));
		want = relays[i].cause == CAUSE_NONE ? DONE : LATER;
		CHECK(name,
		    is.outcome.verdict == want &&
			is.outcome.cause == relays[i].cause &&
			(want == DONE || is.outcome.stage == STAGE_LOOKUP));
		if (want != DONE)
			continue;
		CHECK(name,
		    is.n_host == relays[i].n_host &&
			is.n_src == relays[i].n_src);
		join(&is, text, sizeof(text));
		same =
		    relays[i].text == NULL || strcmp(text, relays[i].text) == 0;
		CHECK(name, same);
		if (!same)
			fprintf(stderr, "%s\n", text);
	}
}

/* Of one that makes its values the order is its own; each counts once, and
 * those that are over the bound are left out. */
static void
test_bounds(void)
{
	char text[sizeof(((struct relay_is *)0)->text) + 1];
	struct relay_is is;

	CHECK("many: answered", ask_relay(action_named("many"), &is));
	join(&is, text, sizeof(text));
	CHECK("many: in their order",
	    strncmp(text, "smtp://a1:25 smtp://a2:25 ", 26) == 0);
	CHECK("many: the last that fits is the sixteenth",
	    strstr(text, "smtp://a16:25 ") != NULL &&
		strstr(text, "a17") == NULL);
}

/* The same value is said once, and again when a table has changed. */
static void
test_said(void)
{
	struct answers *a = &world.answers;
	struct relay_is is;
	uint32_t before;

	answers_stale(a);
	before = a->next_said;
	ask_relay(action_named("bad"), &is);
	CHECK("bad values are said", a->next_said == before + 3);
	ask_relay(action_named("bad"), &is);
	ask_relay(action_named("bad"), &is);
	CHECK("... once", a->next_said == before + 3);
	answers_stale(a);
	ask_relay(action_named("bad"), &is);
	CHECK("... and again after a change", a->next_said == before + 6);
}

/* ---- names ---- */

/* Columns: action, our address, name ("": none), verdict. */
static const struct {
	const char *action, *ours, *name;
	enum verdict verdict;
} helos[] = {
	{ "src", "192.0.2.7", "a.our.example", DONE },
	{ "src", "2001:db8::7", "[IPv6:2001:db8::7]", DONE },
	{ "src", "192.0.2.8", "", DONE },
	{ "src", "192.0.2.99", "", DONE },
	{ "one", "192.0.2.7", "", DONE },
	{ "no such", "192.0.2.7", "", DONE },
	{ "deadsrc", "192.0.2.7", "", LATER },
};

static void
test_helos(void)
{
	struct helo_is is;
	struct helo_ask m;
	char name[96];
	size_t i;

	for (i = 0; i < N(helos); i++) {
		memset(&m, 0, sizeof(m));
		m.action = action_named(helos[i].action);
		fill(m.ours, sizeof(m.ours), helos[i].ours);
		question_ask(&world.questions, judge_helo, &m, sizeof(m),
		    &world.chan, 4);
		memset(&is, 0xff, sizeof(is));
		snprintf(name, sizeof(name), "name of %s at %s",
		    helos[i].action, helos[i].ours);
		CHECK(name,
		    world_answered(&world, IPC_HELO_IS, &is, sizeof(is)) &&
			is.outcome.verdict == helos[i].verdict &&
			strcmp(is.name, helos[i].name) == 0);
	}
}

/* ---- routes ---- */

/* Columns: recipient, its route. */
static const struct {
	const char *rcpt, *route;
} routes[] = {
	{ "a@one.example", "host:smtps://one.example:465" },
	{ "a@mx.example", "mx:mx.example" },
	{ "a@list.example", "hosts:list" },
	/* A route has no blanks, whatever its action is called. */
	{ "a@table.example", "hosts:t%20able%25" },
	/* It is not looked at before deliver asks. */
	{ "a@dead.example", "hosts:dead" },
};

static void
test_routes(void)
{
	struct route_ask m;
	struct route_is is;
	char name[96];
	size_t i;

	for (i = 0; i < N(routes); i++) {
		memset(&m, 0, sizeof(m));
		fill(m.sender, sizeof(m.sender), "joe@sender.example");
		fill(m.rcpt, sizeof(m.rcpt), routes[i].rcpt);
		question_ask(&world.questions, judge_route, &m, sizeof(m),
		    &world.chan, 5);
		memset(&is, 0xff, sizeof(is));
		snprintf(name, sizeof(name), "route of %s", routes[i].rcpt);
		CHECK(name,
		    world_answered(&world, IPC_ROUTE_IS, &is, sizeof(is)) &&
			is.outcome.verdict == DONE &&
			strcmp(is.route, routes[i].route) == 0 &&
			is.sender[0] == '\0');
	}
}

int
main(void)
{
	struct conf_errors errors;
	struct conf_image image;
	char text[8192];
	int n;

	test_urls();
	conf_unit_begin();
	put("bad", BAD_TEXT, strlen(BAD_TEXT), 0644);
	put("worse", WORSE_TEXT, strlen(WORSE_TEXT), 0644);
	n = snprintf(text, sizeof(text),
	    "table noaddrs file:%s\ntable bad file:%s/bad\n"
	    "table worse file:%s/worse\n%s",
	    list_path, unit_dir, unit_dir, FILE_TEXT);
	if (load(text, (size_t)n, &image, &errors) == CONF_WRONG) {
		fprintf(stderr, "%s\n", errors.text[0]);
		return 1;
	}
	lookup_begin(image.conf);
	read_files();
	test_relays();
	test_bounds();
	test_said();
	test_helos();
	test_routes();
	lookup_end();
	conf_image_free(&image);
	conf_errors_free(&errors);
	conf_unit_remove("bad");
	conf_unit_remove("worse");
	return conf_unit_end();
}
