/*
 * Limits of clients: an address, and the network that it is in, each by its
 * own statement of the configuration.  Runs in guard; does no input or
 * output but the log.  Counts; never knows what was said.
 *
 * Messages and recipients are counted when an allowance for some of them is
 * handed out, and what was not used is taken back: so sessions at once never
 * have more together than the limit says.  Errors and unknown recipients are
 * counted when they are told of.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_client.h"

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "guard_grudge.h"
#include "log.h"

#define BUCKETS        8192 /* a power of two */
#define ALLOWANCE_MAX  32
#define ALLOWANCE_PART 8 /* of what is left, for one session */
#define ERRORS_SECONDS 3600
#define LOG_EVERY_MS   10000 /* refusals of one party, in the log */

/* A session. */
struct guest {
	LIST_ENTRY(guest) bucket;
	LIST_ENTRY(guest) mate; /* of the same process */
	uint64_t session;
	uint32_t instance;
	char client[INET6_ADDRSTRLEN]; /* for the log */
	/* NULL, NULL: it has no address, or is excepted. */
	struct party *party[2];         /* SCOPE_CLIENT, SCOPE_NETWORK */
	uint32_t allowed[DIDS_COUNTED]; /* counted already */
};

LIST_HEAD(guest_list, guest);

struct clients {
	const struct conf *conf;
	struct parties *parties;
	struct guest_list bucket[BUCKETS];
	struct guest_list of[PROC_MAX];
	uint64_t seed;
	unsigned int n;
};

/* What a reply says of a limit.  Columns: word for the log, code, enhanced
 * code, text. */
struct limit_row {
	const char *word;
	unsigned int code;
	const char *ecode, *text;
};

static const struct limit_row sessions_row = { "sessions", 421, "4.7.0",
	"Too many connections at once" };
static const struct limit_row turn_row = { "turn", 421, "4.7.0",
	"Too many failed logins, try later" };
static const struct limit_row user_row = { "failures", 454, "4.7.0",
	"Temporary authentication failure: too many failed logins" };

static const struct limit_row meter_rows[METERS] = {
	[METER_RATE] = { "rate", 421, "4.7.0",
	    "Too many connections, try later," },
	[METER_MESSAGES] = { "messages", 450, "4.7.1",
	    "Too many messages, try later," },
	[METER_RCPTS] = { "recipients", 450, "4.7.1",
	    "Too many recipients, try later," },
	[METER_UNKNOWN] = { "unknown", 421, "4.7.1",
	    "Too many unknown recipients" },
	[METER_ERRORS] = { "errors", 421, "4.7.0", "Too many errors" },
	[METER_FAILURES] = { "failures", 421, "4.7.0",
	    "Too many failed logins, try later," },
};

/* Which meter a note moves, and whether before it happens. */
static const struct {
	enum meter_of meter;
	bool before;
} counted[DIDS_COUNTED] = {
	[DID_MAIL] = { METER_MESSAGES, true },
	[DID_RCPT] = { METER_RCPTS, true },
	[DID_UNKNOWN] = { METER_UNKNOWN, false },
	[DID_ERROR] = { METER_ERRORS, false },
};

/* ---- limits ---- */

static const struct conf_client *
limits_of(const struct clients *c, const struct party *p)
{
	return p->key.scope == SCOPE_NETWORK ? &c->conf->network :
					       &c->conf->client;
}

/* n is 0 where there is none. */
static struct conf_rate
limit(const struct clients *c, const struct party *p, enum meter_of meter)
{
	const struct conf_client *l = limits_of(c, p);
	const struct conf_rate rates[METERS] = {
		[METER_RATE] = l->rate,
		[METER_MESSAGES] = l->messages,
		[METER_RCPTS] = l->rcpts,
		[METER_UNKNOWN] = l->unknown,
		[METER_ERRORS] = { l->errors, ERRORS_SECONDS },
		[METER_FAILURES] = l->failures,
	};

	return rates[meter];
}

/* How many more the party may; UINT32_MAX: there is no limit. */
static uint32_t
left(const struct clients *c, struct party *p, enum meter_of meter, msec now)
{
	struct conf_rate l = limit(c, p, meter);
	uint32_t sum;

	if (l.n == 0 || l.per == 0)
		return UINT32_MAX;
	sum = meter_sum(&p->meter[meter], l.per, now);
	return sum >= l.n ? 0 : l.n - sum;
}

static void
add(const struct clients *c, struct party *p, enum meter_of meter, uint32_t n,
    msec now)
{
	struct conf_rate l = limit(c, p, meter);

	if (l.n != 0 && l.per != 0)
		meter_add(&p->meter[meter], l.per, n, now);
}

/* Who floods us does not flood the log too. */
static void
log_limit(uint64_t session, const char *client, struct party *p,
    const char *limit_word, const char *of, msec now)
{
	if (p->logged != 0 && now - p->logged < LOG_EVERY_MS) {
		p->unlogged++;
		return;
	}
	log_event(session, "client-limit",
	    "client=%s limit=%s of=%s unlogged=%u", client, limit_word, of,
	    p->unlogged);
	p->logged = now;
	p->unlogged = 0;
}

/* Over a limit: fills o, and says so in the log. */
static void
refuse(uint64_t session, const char *client, struct party *p,
    const struct limit_row *row, struct outcome *o, msec now)
{
	char of[PARTY_TEXT_MAX + 1];

	party_print(&p->key, of);
	outcome_set(o, LATER, WIDTH_STREAM, row->code, row->ecode,
	    "%s from [%s]", row->text, of);
	log_limit(session, client, p, row->word, of, now);
}

/* ---- sessions ---- */

static struct guest_list *
bucket_of(struct clients *c, uint32_t instance, uint64_t session)
{
	return &c->bucket[XXH3_64bits_withSeed(&session, sizeof session,
			      c->seed + instance) &
	    (BUCKETS - 1)];
}

static struct guest *
find(struct clients *c, uint32_t instance, uint64_t session)
{
	struct guest *g;

	LIST_FOREACH(g, bucket_of(c, instance, session), bucket) {
		if (g->session == session && g->instance == instance)
			return g;
	}
	return NULL;
}

/* Finds whom the address belongs to; false: nobody is counted. */
static bool
parties_of(struct clients *c, const char *ip, uint32_t flags,
    struct party *party[2])
{
	const struct conf *conf = c->conf;
	struct party_key client, network;

	if ((flags & PEER_EXEMPT) != 0 ||
	    !party_key_address(&client, SCOPE_CLIENT, ip, 32, CLIENT_V6_BITS))
		return false;
	party_key_address(&network, SCOPE_NETWORK, ip, conf->network_v4,
	    conf->network_v6);
	/* Of two scopes: making one never takes the other away. */
	party[0] = party_get(c->parties, &client);
	party[1] = party_get(c->parties, &network);
	return true;
}

/* NULL: there are too many, or one of that name is there. */
static struct guest *
enter(struct clients *c, uint32_t instance, uint64_t session,
    const char *client, struct party *party[2])
{
	struct guest *g;
	int i;

	if (c->n >= GUESTS_MAX || find(c, instance, session) != NULL)
		return NULL;
	g = xcalloc(1, sizeof *g);
	g->session = session;
	g->instance = instance;
	snprintf(g->client, sizeof g->client, "%s",
	    client[0] == '\0' ? "socket" : client);
	for (i = 0; party != NULL && i < 2; i++) {
		g->party[i] = party[i];
		party_enter(c->parties, party[i]);
	}
	LIST_INSERT_HEAD(bucket_of(c, instance, session), g, bucket);
	LIST_INSERT_HEAD(&c->of[instance], g, mate);
	c->n++;
	return g;
}

/* What was handed out and not used. */
static void
take_back(struct guest *g, enum client_did did, uint32_t used)
{
	uint32_t rest = g->allowed[did] > used ? g->allowed[did] - used : 0;
	int i;

	for (i = 0; i < 2 && g->party[i] != NULL; i++)
		meter_take_back(&g->party[i]->meter[counted[did].meter], rest);
	g->allowed[did] = 0;
}

static void
leave(struct clients *c, struct guest *g)
{
	int i;

	for (i = 0; i < 2 && g->party[i] != NULL; i++)
		party_leave(c->parties, g->party[i]);
	LIST_REMOVE(g, bucket);
	LIST_REMOVE(g, mate);
	c->n--;
	free(g);
}

/* ---- public: sessions ---- */

struct clients *
clients_new(const struct conf *conf)
{
	struct clients *c = xcalloc(1, sizeof *c);

	c->conf = conf;
	c->parties = parties_new();
	arc4random_buf(&c->seed, sizeof c->seed);
	return c;
}

void
clients_free(struct clients **c)
{
	uint32_t i;

	if (*c == NULL)
		return;
	for (i = 0; i < PROC_MAX; i++)
		clients_lost(*c, i);
	parties_free(&(*c)->parties);
	free(*c);
	*c = NULL;
}

/* Those of which too many lead to no new session. */
static const enum meter_of at_the_door[] = { METER_RATE, METER_UNKNOWN,
	METER_ERRORS };

static bool
may_enter(struct clients *c, const struct client_open *m, struct party *p,
    struct outcome *no, msec now)
{
	uint32_t most = limits_of(c, p)->sessions;
	size_t i;

	if (most != 0 && p->sessions >= most) {
		refuse(m->session, m->facts.client, p, &sessions_row, no, now);
		return false;
	}
	for (i = 0; i < sizeof at_the_door / sizeof at_the_door[0]; i++) {
		if (left(c, p, at_the_door[i], now) > 0)
			continue;
		refuse(m->session, m->facts.client, p,
		    &meter_rows[at_the_door[i]], no, now);
		return false;
	}
	return true;
}

void
client_comes(struct clients *c, uint32_t instance, const struct client_open *m,
    struct client_is *is, msec now)
{
	struct party *party[2];
	int i;

	memset(is, 0, sizeof *is);
	is->outcome.verdict = DONE;
	/* Known: it was here when we came, and asks once more. */
	if (find(c, instance, m->session) != NULL ||
	    !parties_of(c, m->facts.client, m->flags, party))
		return;
	for (i = 0; i < 2; i++) {
		if (!may_enter(c, m, party[i], &is->outcome, now))
			return;
	}
	if (enter(c, instance, m->session, m->facts.client, party) == NULL)
		return;
	for (i = 0; i < 2; i++)
		add(c, party[i], METER_RATE, 1, now);
}

void
client_stays(struct clients *c, uint32_t instance, const struct client_here *m)
{
	struct party *party[2];

	if (parties_of(c, m->client, m->flags, party))
		enter(c, instance, m->session, m->client, party);
	else
		enter(c, instance, m->session, m->client, NULL);
}

void
client_goes(struct clients *c, uint32_t instance, const struct client_shut *m,
    msec now)
{
	struct guest *g = find(c, instance, m->session);
	enum client_did did;
	int i;

	if (g == NULL)
		return;
	for (did = DID_NONE + 1; did < DIDS_COUNTED; did++) {
		if (counted[did].before) {
			take_back(g, did, m->did[did]);
			continue;
		}
		for (i = 0; i < 2 && g->party[i] != NULL; i++)
			add(c, g->party[i], counted[did].meter, m->did[did],
			    now);
	}
	leave(c, g);
}

/* What was handed out to them may have been used. */
void
clients_lost(struct clients *c, uint32_t instance)
{
	struct guest *g;

	while ((g = LIST_FIRST(&c->of[instance])) != NULL)
		leave(c, g);
}

unsigned int
clients_count(const struct clients *c)
{
	return c->n;
}

/* ---- notes ---- */

/* How many more before it tells us again. */
static uint32_t
allowance(uint32_t most)
{
	uint32_t n = most / ALLOWANCE_PART;

	return n == 0 ? 1 : n > ALLOWANCE_MAX ? ALLOWANCE_MAX : n;
}

static void
note_counted(struct clients *c, struct guest *g, const struct client_note *m,
    struct client_may *may, msec now)
{
	enum meter_of meter = counted[m->did].meter;
	bool before = counted[m->did].before;
	uint32_t most = UINT32_MAX, some;
	int i;

	if (before)
		take_back(g, m->did, m->n);
	for (i = 0; i < 2 && g->party[i] != NULL; i++) {
		if (!before)
			add(c, g->party[i], meter, m->n, now);
		some = left(c, g->party[i], meter, now);
		if (some == 0) {
			refuse(m->session, g->client, g->party[i],
			    &meter_rows[meter], &may->outcome, now);
			may->bye = !before;
			return;
		}
		if (some < most)
			most = some;
	}
	may->again = allowance(most);
	if (!before)
		return;
	for (i = 0; i < 2 && g->party[i] != NULL; i++)
		add(c, g->party[i], meter, may->again, now);
	g->allowed[m->did] = may->again;
}

/* Somebody was right at this address and nobody wrong, not even before he was
 * right: it does not pay for what its neighbours do. */
static bool
is_well_known(struct clients *c, const struct guest *g, msec now)
{
	struct party_key key;

	party_key_friend(c->parties, &key, "", &g->party[0]->key);
	return !grudge_recent(g->party[0], now) &&
	    party_find(c->parties, &key) != NULL;
}

static void
note_try(struct clients *c, struct guest *g, const struct client_note *m,
    struct client_may *may, msec now)
{
	struct party *p;
	msec ms;
	int i;

	for (i = 0; i < 2 && g->party[i] != NULL; i++) {
		p = g->party[i];
		may->bye = 1;
		if (left(c, p, METER_FAILURES, now) == 0) {
			refuse(m->session, g->client, p,
			    &meter_rows[METER_FAILURES], &may->outcome, now);
			return;
		}
		if (i > 0 && is_well_known(c, g, now))
			ms = 0;
		else if ((ms = grudge_turn(p, now)) == -1) {
			refuse(m->session, g->client, p, &turn_row,
			    &may->outcome, now);
			return;
		}
		may->bye = 0;
		if (ms > may->delay)
			may->delay = (uint32_t)ms;
	}
}

/* The user has too many failures behind him: nobody is told whether this
 * password was right, but who was known before. */
static bool
user_is_over(struct clients *c, const struct guest *g, struct party *user,
    struct client_may *may, msec now)
{
	if (left(c, user, METER_FAILURES, now) > 0)
		return false;
	outcome_set(&may->outcome, LATER, WIDTH_STREAM, user_row.code,
	    user_row.ecode, "%s", user_row.text);
	log_limit(g->session, g->client, user, user_row.word, "user", now);
	return true;
}

static void
delay_of(const struct party *p, struct client_may *may, msec now)
{
	msec ms = grudge_delay(p, now);

	if (ms > may->delay)
		may->delay = (uint32_t)ms;
}

static void
note_failed(struct clients *c, struct guest *g, const struct client_note *m,
    struct client_may *may, msec now)
{
	struct party_key key;
	struct party *user;
	int i;

	for (i = 0; i < 2 && g->party[i] != NULL; i++) {
		add(c, g->party[i], METER_FAILURES, 1, now);
		grudge_add(g->party[i], now);
		delay_of(g->party[i], may, now);
	}
	if (m->user[0] == '\0')
		return;
	party_key_user(c->parties, &key, m->user);
	user = party_get(c->parties, &key);
	add(c, user, METER_FAILURES, 1, now);
	grudge_add(user, now);
	delay_of(user, may, now);
	(void)user_is_over(c, g, user, may, now);
}

/*
 * Who guesses one user's password from many addresses must not see at once
 * that a guess was right: it waits as for a wrong one.  The user himself has
 * been right from his address before, and does not wait.
 */
static void
note_passed(struct clients *c, struct guest *g, const struct client_note *m,
    struct client_may *may, msec now)
{
	struct party_key key, friend;
	struct party *user;

	party_key_user(c->parties, &key, m->user);
	if (g->party[0] != NULL) {
		party_key_friend(c->parties, &friend, m->user,
		    &g->party[0]->key);
		user = party_find(c->parties, &key);
		if (user != NULL && party_find(c->parties, &friend) == NULL) {
			delay_of(user, may, now);
			if (user_is_over(c, g, user, may, now))
				return;
		}
		(void)party_get(c->parties, &friend);
		party_key_friend(c->parties, &friend, "", &g->party[0]->key);
		(void)party_get(c->parties, &friend);
		grudge_clear(g->party[0]);
	}
}

typedef void note_fn(struct clients *c, struct guest *g,
    const struct client_note *m, struct client_may *may, msec now);

static note_fn *const notes[] = {
	[DID_MAIL] = note_counted,
	[DID_RCPT] = note_counted,
	[DID_UNKNOWN] = note_counted,
	[DID_ERROR] = note_counted,
	[DID_AUTH_TRY] = note_try,
	[DID_AUTH_FAILED] = note_failed,
	[DID_AUTH_PASSED] = note_passed,
};

void
client_notes(struct clients *c, uint32_t instance, const struct client_note *m,
    struct client_may *may, msec now)
{
	struct guest *g = find(c, instance, m->session);

	memset(may, 0, sizeof *may);
	may->outcome.verdict = DONE;
	/* Not known: it came while we were away, and was never told of. */
	if (g != NULL && m->did < sizeof notes / sizeof notes[0] &&
	    notes[m->did] != NULL)
		notes[m->did](c, g, m, may, now);
}
