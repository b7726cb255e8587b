/*
 * What the guard counts, by a clock that the test turns: windows of time,
 * tables with a bound, limits of addresses and networks over several
 * processes, and delays for wrong passwords.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_client.h"
#include "guard_grudge.h"
#include "guard_meter.h"
#include "guard_party.h"

#include "conf_image.h"
#include "log.h"
#include "unit.h"

/* ---- windows ---- */

static uint32_t
next_random(void)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* Adds while fewer than max are in the window; true if no window of the past
 * ever had more, and none was forgotten later than an eighth after its end. */
static int
window_holds(uint32_t max, uint32_t seconds, msec step)
{
	static msec at[20000];
	struct meter m = { 0 };
	msec now, first = 1000000007;
	int n = 0, from = 0, late = 0;
	uint32_t sum;

	for (now = first; now < first + 20 * 1000 * (msec)seconds;
	     now += 1 + next_random() % step) {
		while (from < n && now - at[from] >= 1000 * (msec)seconds)
			from++;
		while (late < n && now - at[late] >= 1125 * (msec)seconds)
			late++;
		sum = meter_sum(&m, seconds, now);
		if (sum < (uint32_t)(n - from) || sum > (uint32_t)(n - late))
			return 0;
		if (sum < max && n < 20000) {
			meter_add(&m, seconds, 1, now);
			at[n++] = now;
		}
	}
	return n > 15;
}

static void
test_meter(void)
{
	struct meter m = { 0 };

	CHECK("meter many in a minute", window_holds(100, 60, 300));
	CHECK("meter one in a second", window_holds(1, 1, 40));
	CHECK("meter few in a day", window_holds(7, 86400, 600000));
	meter_add(&m, 10, 5, 50000);
	CHECK("meter sum", meter_sum(&m, 10, 50000) == 5);
	meter_take_back(&m, 2);
	CHECK("meter takes back", meter_sum(&m, 10, 50000) == 3);
	meter_take_back(&m, 99);
	CHECK("meter never below nothing", meter_sum(&m, 10, 50000) == 0);
	meter_add(&m, 10, UINT32_MAX, 51000);
	meter_add(&m, 10, UINT32_MAX, 53000);
	CHECK("meter does not wrap", meter_sum(&m, 10, 53000) == UINT32_MAX);
	CHECK("meter after a long time", meter_sum(&m, 10, 9000000) == 0);
}

/* ---- keys ---- */

static const struct {
	const char *name, *ip;
	unsigned int v4, v6;
	const char *text; /* NULL: no address */
} keys[] = {
	{ "key v4", "192.0.2.77", 32, 64, "192.0.2.77" },
	{ "key v4 /24", "192.0.2.77", 24, 64, "192.0.2.0/24" },
	{ "key v4 /20", "192.0.47.77", 20, 64, "192.0.32.0/20" },
	{ "key v4 /0", "192.0.2.77", 0, 0, "0.0.0.0/0" },
	{ "key v6 /64", "2001:db8:1:2:3:4:5:6", 32, 64, "2001:db8:1:2::/64" },
	{ "key v6 /56", "2001:db8:1:2ff::1", 32, 56, "2001:db8:1:200::/56" },
	{ "key v6 /128", "2001:db8::1", 32, 128, "2001:db8::1" },
	{ "key v6 more bits than there are", "2001:db8::1", 32, 999,
	    "2001:db8::1" },
	{ "key of nothing", "", 32, 64, NULL },
	{ "key of a name", "localhost", 32, 64, NULL },
	{ "key of a cut address", "192.0.2", 32, 64, NULL },
};

static void
test_keys(void)
{
	char text[PARTY_TEXT_MAX + 1];
	struct party_key key, other;
	struct parties *ps = parties_new();
	size_t i;
	bool good;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		good = party_key_address(&key, SCOPE_CLIENT, keys[i].ip,
		    keys[i].v4, keys[i].v6);
		if (good)
			party_print(&key, text);
		CHECK(keys[i].name,
		    good == (keys[i].text != NULL) &&
			(!good || strcmp(text, keys[i].text) == 0));
	}
	party_key_user(ps, &key, "Someone@Example.ORG");
	party_key_user(ps, &other, "someone@example.org");
	CHECK("a user in any case", memcmp(&key, &other, sizeof key) == 0);
	party_key_user(ps, &other, "someone@example.net");
	CHECK("another user", memcmp(&key, &other, sizeof key) != 0);
	parties_free(&ps);
}

/* ---- a table with a bound ---- */

static struct party *
address(struct parties *ps, unsigned int n, bool make)
{
	char ip[IP_TEXT_MAX + 1];
	struct party_key key;

	snprintf(ip, sizeof ip, "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255,
	    n & 255);
	party_key_address(&key, SCOPE_CLIENT, ip, 32, 64);
	return make ? party_get(ps, &key) : party_find(ps, &key);
}

static void
test_bound(void)
{
	struct parties *ps = parties_new();
	struct party *held = address(ps, 1, true);
	unsigned int i;

	party_enter(ps, held);
	address(ps, 2, true);
	for (i = 3; i < 100000; i++) {
		address(ps, i, true);
		if (i % 1000 == 0)
			address(ps, 2, true); /* comes again and again */
	}
	CHECK("no more than the bound",
	    parties_count(ps, SCOPE_CLIENT) == 32768);
	CHECK("who has a session stays", address(ps, 1, false) == held);
	CHECK("who comes again stays", address(ps, 2, false) != NULL);
	CHECK("the longest idle went", address(ps, 3, false) == NULL);
	CHECK("the last is there", address(ps, 99999, false) != NULL);
	party_leave(ps, held);
	for (; i < 140000; i++)
		address(ps, i, true);
	CHECK("without a session it goes", address(ps, 1, false) == NULL);
	parties_free(&ps);
}

/* ---- limits ---- */

static uint64_t n_session;

/* A client connects: true, and *session is its number, or *code says why. */
static bool
comes(struct clients *c, uint32_t process, const char *ip, msec now,
    uint64_t *session, unsigned int *code)
{
	struct client_open m;
	struct client_is is;

	memset(&m, 0, sizeof m);
	m.session = ++n_session;
	snprintf(m.facts.client, sizeof m.facts.client, "%s", ip);
	client_comes(c, process, &m, &is, now);
	if (session != NULL)
		*session = m.session;
	if (code != NULL)
		*code = is.outcome.code;
	return is.outcome.verdict == DONE;
}

static void
goes(struct clients *c, uint32_t process, uint64_t session, const uint32_t *did,
    msec now)
{
	struct client_shut m;

	memset(&m, 0, sizeof m);
	m.session = session;
	if (did != NULL)
		memcpy(m.did, did, sizeof m.did);
	client_goes(c, process, &m, now);
}

static struct client_may
notes(struct clients *c, uint32_t process, uint64_t session,
    enum client_did did, uint32_t n, const char *user, msec now)
{
	struct client_note m;
	struct client_may may;

	memset(&m, 0, sizeof m);
	m.session = session;
	m.did = did;
	m.n = n;
	snprintf(m.user, sizeof m.user, "%s", user);
	client_notes(c, process, &m, &may, now);
	return may;
}

static struct conf *
conf_new(void)
{
	struct conf *conf = image_new();

	conf->network_v4 = 24;
	conf->network_v6 = 48;
	return conf;
}

static void
test_sessions(void)
{
	struct conf *conf = conf_new();
	struct clients *c;
	struct client_here here;
	uint64_t a, b;
	unsigned int code;

	conf->client.sessions = 2;
	conf->network.sessions = 3;
	c = clients_new(conf);
	CHECK("sessions: the first", comes(c, 0, "192.0.2.1", 1, &a, NULL));
	CHECK("sessions: another process",
	    comes(c, 1, "192.0.2.1", 1, &b, NULL));
	CHECK("sessions: one too many",
	    !comes(c, 2, "192.0.2.1", 1, NULL, &code) && code == 421);
	CHECK("sessions: a neighbour", comes(c, 2, "192.0.2.9", 1, NULL, NULL));
	CHECK("sessions: the network is full",
	    !comes(c, 2, "192.0.2.8", 1, NULL, &code) && code == 421);
	CHECK("sessions: others are not",
	    comes(c, 2, "192.0.3.8", 1, NULL, NULL));
	goes(c, 0, a, NULL, 2);
	CHECK("sessions: one went", comes(c, 0, "192.0.2.1", 3, NULL, NULL));
	CHECK("sessions: counted", clients_count(c) == 4);
	clients_lost(c, 0);
	clients_lost(c, 2);
	CHECK("sessions: a process was lost", clients_count(c) == 1);
	CHECK("sessions: and its counts",
	    comes(c, 0, "192.0.2.1", 4, &a, NULL) &&
		!comes(c, 0, "192.0.2.1", 4, NULL, NULL));
	goes(c, 0, b, NULL, 5);
	CHECK("sessions: only of its process",
	    !comes(c, 0, "192.0.2.1", 5, NULL, NULL));
	clients_free(&c);

	/* A guard that comes new is told who is there, and asked again. */
	c = clients_new(conf);
	memset(&here, 0, sizeof here);
	snprintf(here.client, sizeof here.client, "192.0.2.1");
	for (here.session = 1; here.session <= 4; here.session++)
		client_stays(c, 0, &here);
	n_session = 3;
	CHECK("here: the one that is known",
	    comes(c, 0, "192.0.2.1", 1, NULL, NULL));
	CHECK("here: they are counted",
	    clients_count(c) == 4 && !comes(c, 0, "192.0.2.1", 1, NULL, NULL));
	clients_free(&c);
	free(conf);
}

static void
test_exempt(void)
{
	struct conf *conf = conf_new();
	struct clients *c;
	struct client_open m;
	struct client_is is;
	int i, good = 0;

	conf->client.sessions = 1;
	c = clients_new(conf);
	memset(&m, 0, sizeof m);
	m.flags = PEER_EXEMPT;
	snprintf(m.facts.client, sizeof m.facts.client, "192.0.2.1");
	for (i = 0; i < 10; i++) {
		m.session = (uint64_t)i;
		client_comes(c, 0, &m, &is, 1);
		good += is.outcome.verdict == DONE;
	}
	CHECK("excepted clients have no limit", good == 10);
	CHECK("... and count for nobody",
	    comes(c, 0, "192.0.2.1", 1, NULL, NULL));
	clients_free(&c);
	free(conf);
}

static void
test_v6(void)
{
	struct conf *conf = conf_new();
	struct clients *c;
	unsigned int code;

	conf->client.sessions = 1;
	c = clients_new(conf);
	CHECK("v6: the first", comes(c, 0, "2001:db8::1", 1, NULL, NULL));
	CHECK("v6: the same /64",
	    !comes(c, 0, "2001:db8::2:3", 1, NULL, &code) && code == 421);
	CHECK("v6: another", comes(c, 0, "2001:db8:0:1::1", 1, NULL, NULL));
	clients_free(&c);
	free(conf);
}

static void
test_rate(void)
{
	struct conf *conf = conf_new();
	struct clients *c;
	unsigned int code, i, n = 0;
	msec now = 100000;

	conf->client.rate = (struct conf_rate){ 5, 10 };
	c = clients_new(conf);
	for (i = 0; i < 20; i++)
		n += comes(c, i % 3, "192.0.2.1", now + i, NULL, NULL);
	CHECK("rate: no more", n == 5);
	CHECK("rate: says so",
	    !comes(c, 0, "192.0.2.1", now + 100, NULL, &code) && code == 421);
	CHECK("rate: of another", comes(c, 0, "192.0.2.2", now, NULL, NULL));
	for (i = n = 0; i < 20; i++)
		n += comes(c, 0, "192.0.2.1", now + 11300 + i, NULL, NULL);
	CHECK("rate: later again", n == 5);
	clients_free(&c);
	free(conf);
}

/* Sends as much as it may, each MAIL as a session does it. */
struct sender {
	uint64_t session;
	uint32_t process, n, left, mails;
};

static bool
mail(struct clients *c, struct sender *s, msec now)
{
	struct client_may may;

	if (s->left == 0) {
		may = notes(c, s->process, s->session, DID_MAIL, s->n, "", now);
		s->n = 0;
		if (may.outcome.verdict != DONE)
			return false;
		s->left = may.again;
	}
	s->left--;
	s->n++;
	s->mails++;
	return true;
}

static void
test_messages(void)
{
	struct conf *conf = conf_new();
	struct sender s[4] = { 0 };
	struct clients *c;
	uint32_t did[DIDS_COUNTED] = { 0 };
	unsigned int i, n;
	struct client_may may;

	conf->client.messages = (struct conf_rate){ 1000, 60 };
	conf->network.messages = (struct conf_rate){ 1500, 60 };
	c = clients_new(conf);
	for (i = 0; i < 4; i++) {
		s[i].process = i;
		comes(c, i, i < 2 ? "192.0.2.1" : "192.0.2.2", 1, &s[i].session,
		    NULL);
	}
	for (i = n = 0; i < 4000; i++)
		n += mail(c, &s[i % 2], 1 + i);
	CHECK("messages: never more than the limit", n <= 1000);
	CHECK("messages: all of it, but what another holds", n >= 968);
	may = notes(c, 0, s[0].session, DID_MAIL, s[0].n, "", 5000);
	s[0].n = 0;
	CHECK("messages: says so, and lets it stay",
	    may.outcome.code == 450 && may.bye == 0 &&
		strstr(may.outcome.text, "[192.0.2.1]") != NULL);
	for (i = n = 0; i < 4000; i++)
		n += mail(c, &s[2 + i % 2], 5000 + i);
	CHECK("messages: the network", n <= 532 && n >= 450);
	may = notes(c, 2, s[2].session, DID_MAIL, s[2].n, "", 9000);
	CHECK("messages: names the network",
	    strstr(may.outcome.text, "[192.0.2.0/24]") != NULL);
	clients_free(&c);

	/* What was allowed and not used is given back. */
	conf->network.messages = (struct conf_rate){ 0 };
	conf->client.messages.n = 80;
	c = clients_new(conf);
	comes(c, 0, "192.0.2.1", 1, &s[0].session, NULL);
	may = notes(c, 0, s[0].session, DID_MAIL, 0, "", 1);
	CHECK("messages: an allowance", may.again == 10);
	did[DID_MAIL] = 3;
	goes(c, 0, s[0].session, did, 2);
	comes(c, 1, "192.0.2.1", 3, &s[1].session, NULL);
	s[1] = (struct sender){ .session = s[1].session, .process = 1 };
	for (i = n = 0; i < 200; i++)
		n += mail(c, &s[1], 4);
	CHECK("messages: the rest of it", n == 77);
	clients_free(&c);
	free(conf);
}

static void
test_unknown(void)
{
	struct conf *conf = conf_new();
	struct clients *c;
	struct client_may may;
	uint32_t did[DIDS_COUNTED] = { 0 };
	uint64_t a, b;
	unsigned int code;

	conf->client.unknown = (struct conf_rate){ 4, 100 };
	c = clients_new(conf);
	comes(c, 0, "192.0.2.1", 1, &a, NULL);
	comes(c, 1, "192.0.2.1", 1, &b, NULL);
	may = notes(c, 0, a, DID_UNKNOWN, 3, "", 2);
	CHECK("unknown: some", may.outcome.verdict == DONE && may.again == 1);
	may = notes(c, 1, b, DID_UNKNOWN, 1, "", 2);
	CHECK("unknown: too many",
	    may.outcome.verdict == LATER && may.outcome.code == 421 &&
		may.bye == 1);
	CHECK("unknown: no more sessions",
	    !comes(c, 0, "192.0.2.1", 3, NULL, &code) && code == 421);
	CHECK("unknown: it is forgotten",
	    comes(c, 0, "192.0.2.1", 3 + 113000, NULL, NULL));
	did[DID_UNKNOWN] = 9;
	goes(c, 0, a, did, 200000);
	CHECK("unknown: told of at the end",
	    !comes(c, 0, "192.0.2.1", 200001, NULL, NULL));
	may = notes(c, 0, 4711, DID_UNKNOWN, 3, "", 2);
	CHECK("unknown: of a session that nobody knows",
	    may.outcome.verdict == DONE);
	may = notes(c, 1, b, (enum client_did)77, 3, "", 2);
	CHECK("unknown: what is no note", may.outcome.verdict == DONE);
	clients_free(&c);
	free(conf);
}

/* ---- passwords ---- */

static void
test_grudge(void)
{
	struct party p = { 0 };
	msec want[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	msec now = 7;
	size_t i;
	int good = 1;

	CHECK("no failure, no delay",
	    grudge_delay(&p, now) == 0 && grudge_turn(&p, now) == 0 &&
		grudge_turn(&p, now) == 0);
	for (i = 0; i < sizeof want / sizeof want[0]; i++) {
		grudge_add(&p, now);
		good = good && grudge_delay(&p, now) == want[i];
		good = good && grudge_turn(&p, now + want[i]) == 0;
		now += want[i];
	}
	CHECK("delays grow to a minute", good);
	CHECK("an hour forgets", grudge_delay(&p, now + GRUDGE_FORGET_MS) == 0);
	now += 100000;
	CHECK("tries at once stand in a queue",
	    grudge_turn(&p, now) == 0 && grudge_turn(&p, now) == 60000 &&
		grudge_turn(&p, now) == 120000 && grudge_turn(&p, now) == -1);
	grudge_clear(&p);
	CHECK("right is right", grudge_turn(&p, now) == 0);
}

static void
test_auth(void)
{
	struct conf *conf = conf_new();
	struct clients *c;
	struct client_may may;
	uint64_t bad, worse, own;
	int i;

	c = clients_new(conf);
	comes(c, 0, "192.0.2.1", 1, &bad, NULL);
	comes(c, 1, "198.51.100.1", 1, &worse, NULL);
	comes(c, 1, "203.0.113.1", 1, &own, NULL);
	may = notes(c, 1, own, DID_AUTH_PASSED, 1, "ann", 2);
	CHECK("auth: right at once",
	    may.outcome.verdict == DONE && may.delay == 0);
	may = notes(c, 0, bad, DID_AUTH_TRY, 1, "", 2);
	CHECK("auth: the first try", may.delay == 0);
	may = notes(c, 0, bad, DID_AUTH_FAILED, 1, "Ann", 2);
	CHECK("auth: it failed", may.delay == 1000);
	may = notes(c, 0, bad, DID_AUTH_TRY, 1, "", 502);
	CHECK("auth: another connection does not help", may.delay == 500);
	may = notes(c, 0, bad, DID_AUTH_FAILED, 1, "bob", 1002);
	CHECK("auth: another user does not help", may.delay == 2000);
	may = notes(c, 1, worse, DID_AUTH_TRY, 1, "", 1002);
	CHECK("auth: another address is not known", may.delay == 0);
	may = notes(c, 1, worse, DID_AUTH_FAILED, 1, "ann", 1002);
	CHECK("auth: but the user is", may.delay == 2000);
	may = notes(c, 1, worse, DID_AUTH_PASSED, 1, "ann", 1003);
	CHECK("auth: right tells no more than wrong", may.delay == 2000);
	may = notes(c, 1, own, DID_AUTH_PASSED, 1, "ann", 1003);
	CHECK("auth: the user himself does not wait", may.delay == 0);
	may = notes(c, 1, worse, DID_AUTH_TRY, 1, "", 1003);
	CHECK("auth: right resets the address", may.delay == 0);
	clients_free(&c);

	conf->client.failures = (struct conf_rate){ 3, 600 };
	c = clients_new(conf);
	comes(c, 0, "192.0.2.1", 1, &bad, NULL);
	comes(c, 1, "198.51.100.1", 1, &worse, NULL);
	comes(c, 1, "203.0.113.1", 1, &own, NULL);
	notes(c, 1, own, DID_AUTH_PASSED, 1, "ann", 1);
	for (i = 0; i < 2; i++) {
		may = notes(c, 0, bad, DID_AUTH_FAILED, 1, "ann", 2);
		CHECK("auth: below the limit", may.outcome.verdict == DONE);
	}
	may = notes(c, 0, bad, DID_AUTH_FAILED, 1, "ann", 2);
	CHECK("auth: the user is over it", may.outcome.code == 454);
	may = notes(c, 0, bad, DID_AUTH_TRY, 1, "", 100000);
	CHECK("auth: so is the address",
	    may.outcome.code == 421 && may.bye == 1);
	may = notes(c, 1, worse, DID_AUTH_TRY, 1, "", 100000);
	CHECK("auth: another may try", may.outcome.verdict == DONE);
	may = notes(c, 1, worse, DID_AUTH_PASSED, 1, "ann", 100000);
	CHECK("auth: but not as that user", may.outcome.code == 454);
	may = notes(c, 1, own, DID_AUTH_PASSED, 1, "ann", 100000);
	CHECK("auth: who was right before, may", may.outcome.verdict == DONE);
	clients_free(&c);
	free(conf);
}

/* In a network there are many who err. */
static void
test_auth_network(void)
{
	struct conf *conf = conf_new();
	struct clients *c = clients_new(conf);
	struct client_may may;
	uint64_t s;
	uint64_t known, mixed;
	char ip[32], user[32];
	int i;

	comes(c, 0, "192.0.2.50", 1, &known, NULL);
	notes(c, 0, known, DID_AUTH_PASSED, 1, "ann", 1);
	comes(c, 0, "192.0.2.51", 1, &mixed, NULL);
	notes(c, 0, mixed, DID_AUTH_FAILED, 1, "ann", 1);
	notes(c, 0, mixed, DID_AUTH_PASSED, 1, "joe", 1);
	for (i = 2; i <= 8; i++) {
		snprintf(ip, sizeof ip, "192.0.2.%d", i);
		snprintf(user, sizeof user, "user%d", i);
		comes(c, 0, ip, 1, &s, NULL);
		may = notes(c, 0, s, DID_AUTH_TRY, 1, "", 1);
		if (i == 8)
			CHECK("auth: neighbours do not wait", may.delay == 0);
		notes(c, 0, s, DID_AUTH_FAILED, 1, user, 1);
	}
	comes(c, 0, "192.0.2.99", 1, &s, NULL);
	may = notes(c, 0, s, DID_AUTH_TRY, 1, "", 1);
	CHECK("auth: but for many they do", may.delay == 1000);
	may = notes(c, 0, known, DID_AUTH_TRY, 1, "", 1);
	CHECK("auth: not where somebody was right", may.delay == 0);
	may = notes(c, 0, mixed, DID_AUTH_TRY, 1, "", 1);
	CHECK("auth: but for who guesses in between", may.delay == 2000);
	may = notes(c, 0, known, DID_AUTH_FAILED, 1, "bob", 1);
	may = notes(c, 0, known, DID_AUTH_TRY, 1, "", 2000);
	CHECK("auth: until somebody is wrong there", may.delay > 0);
	clients_free(&c);
	free(conf);
}

int
main(void)
{
	log_to_stderr("unit", false);
	test_meter();
	test_keys();
	test_bound();
	test_sessions();
	test_exempt();
	test_v6();
	test_rate();
	test_messages();
	test_unknown();
	test_grudge();
	test_auth();
	test_auth_network();
	return unit_end();
}
