/*
 * What the rules do with recipients that ask for a relay in one of the old
 * ways, or hide that they do: no stranger's goes anywhere but to who the rules
 * name.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_world.h"

/* `our` expands by a table, `catch` has a table that takes anybody, `gate` is
 * relayed to a host behind us. */
#define FILE_TEXT                                                              \
	"hostname mx.our.example\n"                                            \
	"table users { ann = ann@inbox.example, "                              \
	"\"bob%odd\" = bob@inbox.example, "                                    \
	"\"@catch.example\" = ann@inbox.example }\n"                           \
	"action \"in\" relay host smtp://192.0.2.25\n"                         \
	"action \"users\" expand-only virtual <users>\n"                       \
	"action \"out\" relay\n"                                               \
	"match from any for domain gate.example action \"in\"\n"               \
	"match from any for domain { our.example catch.example } "             \
	"action \"users\"\n"                                                   \
	"match from any for local action \"users\"\n"                          \
	"match from src 198.51.100.0/24 for any action \"out\"\n"              \
	"match from auth for any action \"out\"\n"                             \
	"match from local for any action \"out\"\n"

/* The longest local part that there may be. */
#define L64 "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"

/* Columns: recipient, what a stranger hears (0: accepted), where it then
 * goes. */
static const struct {
	const char *rcpt;
	const char *no;
	const char *to;
} rows[] = {
	/* what it is about */
	{ "ann@our.example", NULL, "ann@inbox.example" },
	{ "any@catch.example", NULL, "ann@inbox.example" },
	{ "any@gate.example", NULL, "any@gate.example" },
	{ "joe@evil.example", "5.7.1", NULL },
	{ "joe@our.example", "5.1.1", NULL },
	/* percent */
	{ "joe%evil.example@our.example", "5.1.1", NULL },
	{ "joe%evil.example@catch.example", NULL, "ann@inbox.example" },
	{ "joe%evil.example@gate.example", "5.7.1", NULL },
	{ "joe%evil.example@mx.our.example", "5.1.1", NULL },
	{ "joe%evil.example@evil.example", "5.7.1", NULL },
	{ "joe%evil.example%other.example@gate.example", "5.7.1", NULL },
	{ "%@gate.example", "5.7.1", NULL },
	{ "%evil.example@gate.example", "5.7.1", NULL },
	{ "joe%@gate.example", "5.7.1", NULL },
	{ "ann%our.example@evil.example", "5.7.1", NULL },
	{ "ann%our.example@our.example", "5.1.1", NULL },
	{ "bob%odd@our.example", NULL, "bob@inbox.example" },
	{ "bob%odd+tag@our.example", NULL, "bob@inbox.example" },
	{ "bob%odd@gate.example", "5.7.1", NULL },
	/* sub-addresses */
	{ "ann+x@our.example", NULL, "ann@inbox.example" },
	{ "ann+joe%evil.example@our.example", NULL, "ann@inbox.example" },
	{ "ann+joe%evil.example@gate.example", "5.7.1", NULL },
	{ "+joe%evil.example@our.example", "5.1.1", NULL },
	{ "joe%evil.example+x@gate.example", "5.7.1", NULL },
	/* bangs */
	{ "evil.example!joe@our.example", "5.1.1", NULL },
	{ "evil.example!joe@catch.example", NULL, "ann@inbox.example" },
	{ "evil.example!joe@gate.example", "5.7.1", NULL },
	{ "a!b!c@gate.example", "5.7.1", NULL },
	{ "evil.example!joe%other@gate.example", "5.7.1", NULL },
	{ "our.example!ann@evil.example", "5.7.1", NULL },
	{ "!joe@gate.example", "5.7.1", NULL },
	/* without a domain it is ours */
	{ "evil.example!joe", "5.1.1", NULL },
	{ "joe%evil.example", "5.1.1", NULL },
	{ "ann", NULL, "ann@inbox.example" },
	/* quotes */
	{ "\"joe@evil.example\"@our.example", "5.1.1", NULL },
	{ "\"joe@evil.example\"@catch.example", NULL, "ann@inbox.example" },
	{ "\"joe@evil.example\"@gate.example", "5.7.1", NULL },
	{ "\"@evil.example:joe\"@gate.example", "5.7.1", NULL },
	{ "\"joe%evil.example\"@gate.example", "5.7.1", NULL },
	{ "\"joe\\@evil.example\"@gate.example", "5.7.1", NULL },
	{ "\"joe\\%evil.example\"@gate.example", "5.7.1", NULL },
	{ "\"evil.example\\!joe\"@gate.example", "5.7.1", NULL },
	{ "\"ann\"@our.example", NULL, "ann@inbox.example" },
	{ "\"\\a\\n\\n\"@our.example", NULL, "ann@inbox.example" },
	{ "\"ann@our.example\"@evil.example", "5.7.1", NULL },
	{ "\"ann@our.example>\"@evil.example", "5.7.1", NULL },
	{ "\"a b\"@gate.example", NULL, "\"a b\"@gate.example" },
	{ "\"\\\"joe@evil.example\\\"\"@gate.example", "5.7.1", NULL },
	{ "\"joe@evil.example\"", "5.1.1", NULL },
	{ "\"\"@our.example", "5.1", NULL },
	{ "\"joe@evil.example@our.example", "5.1.3", NULL },
	{ "joe\"@\"evil.example@our.example", "5.1.3", NULL },
	{ "\"joe\"@evil.example@our.example", "5.1.3", NULL },
	/* more than one at sign */
	{ "joe@evil.example@our.example", "5.1.3", NULL },
	{ "joe@our.example@evil.example", "5.1.3", NULL },
	{ "joe@our.example%evil.example", "5.1.3", NULL },
	{ "@evil.example:joe@our.example", "5.1.3", NULL },
	{ "@our.example", "5.1", NULL },
	{ "@", "5.1.3", NULL },
	{ "joe@", "5.1.3", NULL },
	/* addresses */
	{ "ann@[127.0.0.1]", NULL, "ann@inbox.example" },
	{ "ann@[192.0.2.77]", NULL, "ann@inbox.example" },
	{ "ann@[IPv6:::1]", NULL, "ann@inbox.example" },
	{ "ann@[IPv6:::ffff:127.0.0.1]", NULL, "ann@inbox.example" },
	{ "ann@[ipv6:::FFFF:192.0.2.77]", NULL, "ann@inbox.example" },
	{ "ann@[192.0.2.78]", "5.7.1", NULL },
	{ "ann@[IPv6:2001:db8::1]", "5.7.1", NULL },
	{ "ann@[0.0.0.0]", "5.7.1", NULL },
	{ "ann@[127.1]", "5.1.3", NULL },
	{ "ann@[2130706433]", "5.1.3", NULL },
	{ "ann@[127.0.0.1", "5.1.3", NULL },
	{ "ann@[]", "5.1.3", NULL },
	{ "ann@127.0.0.1", "5.7.1", NULL },
	{ "joe%evil.example@[127.0.0.1]", "5.1.1", NULL },
	{ "ann@[our.example]", "5.1.3", NULL },
	/* domains that look like ours */
	{ "ann@our.example.", "5.1.3", NULL },
	{ "ann@.our.example", "5.1.3", NULL },
	{ "ann@our..example", "5.1.3", NULL },
	{ "ann@our.example.evil.example", "5.7.1", NULL },
	{ "ann@xour.example", "5.7.1", NULL },
	{ "ann@sub.our.example", "5.7.1", NULL },
	{ "ann@OUR.Example", NULL, "ann@inbox.example" },
	{ "Ann@our.example", NULL, "ann@inbox.example" },
	{ "ANN%EVIL@GATE.EXAMPLE", "5.7.1", NULL },
	{ "ann@localhost", NULL, "ann@inbox.example" },
	{ "ann@LOCALHOST", NULL, "ann@inbox.example" },
	{ "ann@localhost.evil.example", "5.7.1", NULL },
	{ "ann@mx.our.example", NULL, "ann@inbox.example" },
	{ "ann@our", "5.7.1", NULL },
	/* o is U+043E; a full-width at sign; a full stop of Japanese */
	{ "ann@\xd0\xbe"
	  "ur.example",
	    "5.7.1", NULL },
	{ "ann@xn--ur-gmc.example", "5.7.1", NULL },
	{ "ann@our\xe3\x80\x82"
	  "example",
	    NULL, "ann@inbox.example" },
	{ "ann\xef\xbc\x85"
	  "evil.example@our.example",
	    "5.1", NULL },
	{ "ann@our.\xef\xbd\x85xample", NULL, "ann@inbox.example" },
	{ "ann@\xff\xfe.example", "5.1.3", NULL },
	/* bytes that are in no address */
	{ "ann@our.example\r\n", "5.1.3", NULL },
	{ "ann\n@our.example", "5.1.3", NULL },
	{ "\"ann\r\nRCPT TO:<joe@evil.example>\"@our.example", "5.1", NULL },
	{ "ann@our.example ", "5.1.3", NULL },
	{ " ann@our.example", "5.1.3", NULL },
	{ "ann@our.example,joe@evil.example", "5.1.3", NULL },
	{ "ann,joe@gate.example", "5.1.3", NULL },
	{ "<ann@our.example>", "5.1.3", NULL },
	{ "\x7f@gate.example", "5.1.3", NULL },
	/* long */
	{ L64 "%evil.example@gate.example", "5.1.3", NULL },
	{ L64 "@gate.example", NULL, L64 "@gate.example" },
};

/* ---- who asks ---- */

enum who { STRANGER, LISTED, USER, LOCAL, SUBMIT, WHO };

static const struct {
	const char *name, *client, *auth;
	uint32_t flags;
} clients[WHO] = {
	[STRANGER] = { "stranger", "203.0.113.5", "", 0 },
	[LISTED] = { "from src", "198.51.100.7", "", 0 },
	[USER] = { "user", "203.0.113.5", "joe", FACT_TLS | FACT_SUBMIT },
	[LOCAL] = { "local", "127.0.0.1", "", FACT_LOCAL | FACT_SUBMIT },
	[SUBMIT] = { "submission", "203.0.113.6", "", FACT_SUBMIT },
};

static bool
ask_rcpt(enum who who, const char *rcpt, struct rcpt_is *is)
{
	struct rcpt_ask m;

	memset(&m, 0, sizeof m);
	m.facts.flags = clients[who].flags;
	fill(m.facts.client, sizeof m.facts.client, clients[who].client);
	fill(m.facts.auth, sizeof m.facts.auth, clients[who].auth);
	fill(m.facts.helo, sizeof m.facts.helo, "evil.example");
	fill(m.sender, sizeof m.sender, "joe@evil.example");
	fill(m.rcpt, sizeof m.rcpt, rcpt);
	question_ask(&world.questions, judge_rcpt, &m, sizeof m, &world.chan,
	    7);
	return world_answered(&world, IPC_RCPT_IS, is, sizeof *is);
}

/* Where the queue is told to send it. */
static bool
ask_route(const char *rcpt, struct route_is *is)
{
	struct route_ask m;

	memset(&m, 0, sizeof m);
	fill(m.facts.client, sizeof m.facts.client, clients[STRANGER].client);
	fill(m.sender, sizeof m.sender, "joe@evil.example");
	fill(m.rcpt, sizeof m.rcpt, rcpt);
	question_ask(&world.questions, judge_route, &m, sizeof m, &world.chan,
	    7);
	return world_answered(&world, IPC_ROUTE_IS, is, sizeof *is);
}

/* A refusal of this enhanced code ("5.1": it begins so). */
static bool
is_refused(const struct outcome *o, const char *ecode)
{
	char said[32];

	snprintf(said, sizeof said, "%u.%u.%u", o->ecode[0], o->ecode[1],
	    o->ecode[2]);
	return o->verdict == NEVER && o->code == 550 &&
	    strncmp(said, ecode, strlen(ecode)) == 0;
}

static void
name_row(char name[160], const char *who, const char *rcpt)
{
	char *p;

	snprintf(name, 160, "%s: %.120s", who, rcpt);
	for (p = name; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
}

static void
check_stranger(size_t i)
{
	struct route_is route = { 0 };
	struct rcpt_is is = { 0 };
	char name[160];
	bool ok;

	name_row(name, clients[STRANGER].name, rows[i].rcpt);
	ok = ask_rcpt(STRANGER, rows[i].rcpt, &is);
	if (rows[i].no != NULL)
		ok = ok && is_refused(&is.outcome, rows[i].no);
	else
		ok = ok && is.outcome.verdict == DONE &&
		    ask_route(rows[i].rcpt, &route) &&
		    route.outcome.verdict == DONE &&
		    strcmp(route.rcpt[0] != '\0' ? route.rcpt : rows[i].rcpt,
			rows[i].to) == 0;
	CHECK(name, ok);
	if (!ok)
		fprintf(stderr, "%s: %u %u.%u.%u %s; to %s <%s>\n",
		    rows[i].rcpt, is.outcome.code, is.outcome.ecode[0],
		    is.outcome.ecode[1], is.outcome.ecode[2], is.outcome.text,
		    route.route, route.rcpt);
}

/* Who may relay may also say how: that is his affair. */
static void
check_trusted(enum who who)
{
	static const char *const rcpts[] = { "joe@evil.example",
		"joe%evil.example@gate.example", "evil!joe@gate.example",
		"\"joe@evil.example\"@gate.example" };
	struct rcpt_is is = { 0 };
	char name[160];
	size_t i;
	bool may;

	for (i = 0; i < N(rcpts); i++) {
		name_row(name, clients[who].name, rcpts[i]);
		/* `submission` of a listener is no leave to relay. */
		may = who != SUBMIT || i != 0;
		/* The rule of gate.example is for anybody, and so no sign of
		 * trust. */
		if (who == LISTED && i != 0)
			may = false;
		CHECK(name,
		    ask_rcpt(who, rcpts[i], &is) &&
			(is.outcome.verdict == DONE) == may);
	}
}

int
main(void)
{
	/* One of ours. */
	static const char own[] = "192.0.2.77";
	struct conf_errors errors;
	struct conf_image image;
	struct conf_entry *entry;
	struct conf *c;
	size_t i;

	conf_unit_begin();
	if (load(FILE_TEXT, sizeof(FILE_TEXT) - 1, &image, &errors) ==
	    CONF_WRONG) {
		fprintf(stderr, "%s\n", errors.text[0]);
		return 1;
	}
	/* The addresses of the host are found by the parent: put one there. */
	c = xcalloc(1, image.conf->size + sizeof own + 64);
	memcpy(c, image.conf, image.conf->size);
	CHECK("own address: behind the texts",
	    c->pool.off + c->pool.n <= image.conf->size);
	memcpy((char *)c + c->pool.off + c->pool.n, own, sizeof own);
	c->local_addr.off =
	    (uint32_t)((image.conf->size + sizeof own + 15) / 8 * 8);
	c->local_addr.n = 1;
	entry = (struct conf_entry *)((char *)c + c->local_addr.off);
	entry->key = c->pool.n;
	c->pool.n += sizeof own;
	c->size = image.conf->size + (uint32_t)sizeof own + 64;
	lookup_begin(c);
	for (i = 0; i < N(rows); i++)
		check_stranger(i);
	check_trusted(LISTED);
	check_trusted(USER);
	check_trusted(LOCAL);
	check_trusted(SUBMIT);
	lookup_end();
	free(c);
	conf_image_free(&image);
	conf_errors_free(&errors);
	return conf_unit_end();
}
