/*
 * The Sender Rewriting Scheme: addresses there and back, and what the rules
 * make of those that come.
 *
 * SPDX-License-Identifier: ISC
 */
#include <time.h>

#include <openssl/evp.h>

#include "lookup_srs.h"
#include "lookup_world.h"

#define A_DAY 86400
#define NOW   1763700000 /* 2025-11-21: day 957 of 1024, "55" */
#define OURS  "our.example"

static const struct srs srs = { .key = "secret", .days = 4, .now = NOW };

/* ---- known answers ---- */

/* Columns: sender, what it becomes (as computed by another program). */
static const struct {
	const char *key;
	int64_t now;
	const char *sender, *out;
} vectors[] = {
	{ "secret", NOW, "ann@example.org",
	    "SRS0=YQVQ=55=example.org=ann@our.example" },
	{ "secret", NOW, "Ann.B@Example.ORG",
	    "SRS0=QJPX=55=example.org=Ann.B@our.example" },
	{ "other", NOW, "ann@example.org",
	    "SRS0=UOGO=55=example.org=ann@our.example" },
	{ "secret", 0, "ann@example.org",
	    "SRS0=RTVV=AA=example.org=ann@our.example" },
	{ "secret", (int64_t)1023 * A_DAY,
	    "a=b+c@b\xc3\xbc"
	    "cher.example",
	    "SRS0=3M6P=77=xn--bcher-kva.example=a=b+c@our.example" },
	{ "secret", NOW, "\"a b\"@example.org",
	    "\"SRS0=UB72=55=example.org=a b\"@our.example" },
	{ "secret", NOW, "ann@[192.0.2.1]",
	    "\"SRS0=TASL=55=[192.0.2.1]=ann\"@our.example" },
	/* what another host has rewritten */
	{ "secret", NOW, "SRS0=HHHH=TT=example.org=ann@first.example",
	    "SRS1=JB2Q=first.example==HHHH=TT=example.org=ann@our.example" },
	{ "secret", NOW, "srs0+HHHH=TT=example.org=ann@First.example",
	    "SRS1=VOHP=first.example=+HHHH=TT=example.org=ann@our.example" },
	{ "secret", NOW, "SRS0=xyz@second.example",
	    "SRS1=2WB3=second.example==xyz@our.example" },
	/* ... and a third: the first is told, the second is not in it */
	{ "secret", NOW,
	    "SRS1=ABCDE=first.example==HHHH=TT=example.org=ann@second.example",
	    "SRS1=JB2Q=first.example==HHHH=TT=example.org=ann@our.example" },
	{ "secret", NOW,
	    "srs1-a=first.example=+HHHH=TT=example.org=ann@second.example",
	    "SRS1=VOHP=first.example=+HHHH=TT=example.org=ann@our.example" },
	/* what only begins like one is an address like others */
	{ "secret", NOW, "SRS1=junk@second.example",
	    "SRS0=FNQN=55=second.example=SRS1=junk@our.example" },
};

static void
test_vectors(void)
{
	char out[ADDR_MAX + 1], name[160];
	struct srs s = srs;
	size_t i;

	for (i = 0; i < N(vectors); i++) {
		s.key = vectors[i].key;
		s.now = vectors[i].now;
		snprintf(name, sizeof(name), "vector %s", vectors[i].out);
		CHECK(name,
		    srs_encode(&s, vectors[i].sender, OURS, out) == NULL &&
			strcmp(out, vectors[i].out) == 0);
	}
}

/* ---- there and back ---- */

/* RFC 2104 by hand, of a key that is shorter than a block. */
static void
sha256_hmac(const char *key, const char *text, unsigned char out[32])
{
	unsigned char pad[64 + 32 + 1024];
	size_t i, len = strlen(text);

	if (strlen(key) > 64 || len > 1024)
		abort();
	for (i = 0; i < 64; i++)
		pad[i] = (i < strlen(key) ? (unsigned char)key[i] : 0) ^ 0x36;
	memcpy(pad + 64, text, len);
	if (EVP_Digest(pad, 64 + len, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
	for (i = 0; i < 64; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	memcpy(pad + 64, out, 32);
	if (EVP_Digest(pad, 64 + 32, out, NULL, EVP_sha256(), NULL) != 1)
		abort();
}

/* "SRS0=HHHH=BODY@DOMAIN" with a good hash, whatever body is. */
static const char *
forge(const char *key, char tag, const char *body, const char *domain)
{
	static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	static char out[1024];
	unsigned char md[32];
	char text[1024], *p;
	unsigned int bits;

	snprintf(text, sizeof(text), "%c=%s@%s", tag, body, domain);
	for (p = text; *p != '\0'; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	sha256_hmac(key, text, md);
	bits =
	    (unsigned int)md[0] << 12 | (unsigned int)md[1] << 4 | md[2] >> 4;
	snprintf(out, sizeof(out), "SRS%c=%c%c%c%c=%s@%s", tag,
	    base32[bits >> 15], base32[bits >> 10 & 31], base32[bits >> 5 & 31],
	    base32[bits & 31], body, domain);
	return out;
}

#define L64 "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
#define D63 "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
/* 191 bytes */
#define D191 D63 "." D63 "." D63

/* Columns: sender, as it comes back (NULL: the same). */
static const struct {
	const char *sender, *back;
} trips[] = {
	{ "ann@example.org", NULL },
	{ "Ann@Example.ORG", "Ann@example.org" },
	{ "a=b=c@example.org", NULL },
	{ "=@example.org", NULL },
	{ "a+b-c/d@x.example", NULL },
	{ "\"a b\"@example.org", NULL },
	{ "\"a@b\"@example.org", NULL },
	{ "\"a\\\"b\"@example.org", NULL },
	{ "\"ann\"@example.org", "ann@example.org" },
	{ "ann@[192.0.2.1]", NULL },
	{ "ann@[IPv6:2001:db8::1]", NULL },
	{ "\xc3\xbc@example.org", NULL },
	{ L64 "@example.org", NULL },
	{ L64 "@" D191 ".example", NULL },
	{ "SRS0=HHHH=55=example.org=ann@first.example", NULL },
	{ "srs0+HHHH=55=example.org=ann@first.example",
	    "SRS0+HHHH=55=example.org=ann@first.example" },
	{ "SRS0-x@first.example", NULL },
	{ "SRS0=" L64 L64 "@first.example", NULL },
	{ "SRS1=junk@second.example", NULL },
	{ "SRS1=HHHH=first.example==HHHH=55=e.org=a@second.example",
	    "SRS0=HHHH=55=e.org=a@first.example" },
	{ "\"SRS0=HHHH=55=e.org=a b\"@first.example", NULL },
};

/* As local parts come back from some. */
static void
shift(char *addr, bool up)
{
	char *at = strrchr(addr, '@');
	char *p;

	for (p = addr; p < at; p++) {
		if (up && *p >= 'a' && *p <= 'z')
			*p -= 32;
		if (!up && *p >= 'A' && *p <= 'Z')
			*p += 32;
	}
}

static bool
same_but_case(const char *a, const char *b)
{
	return slice_eqcase(slice_of(a), slice_of(b));
}

static void
test_trips(void)
{
	char out[ADDR_MAX + 1], back[ADDR_MAX + 1], name[700];
	const char *want;
	size_t i;

	for (i = 0; i < N(trips); i++) {
		want = trips[i].back != NULL ? trips[i].back : trips[i].sender;
		snprintf(name, sizeof(name), "there and back: %s",
		    trips[i].sender);
		CHECK(name,
		    srs_encode(&srs, trips[i].sender, OURS, out) == NULL &&
			srs_decode(&srs, unit_guard(out, strlen(out) + 1),
			    back) == SRS_GOOD &&
			strcmp(back, want) == 0);
		shift(out, false);
		CHECK(name,
		    srs_decode(&srs, out, back) == SRS_GOOD &&
			same_but_case(back, want));
		shift(out, true);
		CHECK(name,
		    srs_decode(&srs, out, back) == SRS_GOOD &&
			same_but_case(back, want));
	}
}

/* Columns: what cannot be rewritten. */
static const char *const not_senders[] = {
	"",
	"ann",
	"@example.org",
	"ann@",
	/* the longest that there is, and a long one */
	L64 "@" D191 "." D63,
	L64 "@" D191 ".ddddddddddddddddddddddddddddddddddddddddddddddddd",
	"SRS0=" L64 L64 L64 L64 "@" D63 ".example",
};

static void
test_not_senders(void)
{
	char out[ADDR_MAX + 1], name[400];
	size_t i;

	for (i = 0; i < N(not_senders); i++) {
		snprintf(name, sizeof(name), "stays as it is: %s",
		    not_senders[i]);
		memset(out, 'x', sizeof(out));
		CHECK(name,
		    srs_encode(&srs, not_senders[i], OURS, out) != NULL &&
			out[0] == '\0');
	}
}

/* Up to the very length that an address may have. */
static void
test_length(void)
{
	char sender[ADDR_MAX + 1], out[ADDR_MAX + 1], back[ADDR_MAX + 1];
	size_t len, most = 0;

	for (len = 1; len < ADDR_MAX - strlen("SRS0@first.example"); len++) {
		snprintf(sender, sizeof(sender), "SRS0=%.*s@first.example",
		    (int)len, L64 L64 L64 L64 L64);
		if (srs_encode(&srs, sender, OURS, out) != NULL)
			continue;
		most = strlen(out);
		if (srs_decode(&srs, out, back) != SRS_GOOD ||
		    strcmp(sender, back) != 0)
			CHECK("a length that does not come back", 0);
	}
	CHECK("the longest address is rewritten", most == ADDR_MAX);
}

/* ---- what is not ours ---- */

/* Columns: address, what it is. */
static const struct {
	const char *addr;
	enum srs_answer a;
} strange[] = {
	{ "ann@our.example", SRS_NONE },
	{ "@our.example", SRS_NONE },
	{ "", SRS_NONE },
	{ "SRS0", SRS_NONE },
	{ "SRS0@our.example", SRS_NONE },
	{ "SRS0=@our.example", SRS_NONE },
	{ "SRS0_YQVQ=55=example.org=ann@our.example", SRS_NONE },
	{ "SRS2=YQVQ=55=example.org=ann@our.example", SRS_NONE },
	{ "xSRS0=YQVQ=55=example.org=ann@our.example", SRS_NONE },
	{ "SRS0=YQVQ=55=example.org=ann", SRS_NONE },
	{ "SRS0=x@our.example", SRS_BAD },
	{ "SRS0==@our.example", SRS_BAD },
	{ "SRS0======@our.example", SRS_BAD },
	{ "SRS0=YQVQ@our.example", SRS_BAD },
	{ "SRS0=YQVQ=55@our.example", SRS_BAD },
	{ "SRS0=YQVQ=55=example.org@our.example", SRS_BAD },
	{ "SRS0=YQVQ=55=example.org=@our.example", SRS_BAD },
	{ "SRS1=YQVQ=55=example.org=ann@our.example", SRS_BAD },
	{ "SRS1=JB2Q=first.example=HHHH@our.example", SRS_BAD },
	/* one thing changed */
	{ "SRS0=YQVQ=55=example.org=ann@our.example", SRS_GOOD },
	{ "SRS0+YQVQ=55=example.org=ann@our.example", SRS_GOOD },
	{ "SRS0-yqvq=55=Example.Org=Ann@our.example", SRS_GOOD },
	{ "SRS0=YQVR=55=example.org=ann@our.example", SRS_BAD },
	{ "SRS0=YQV=55=example.org=ann@our.example", SRS_BAD },
	{ "SRS0=YQVQQ=55=example.org=ann@our.example", SRS_BAD },
	{ "SRS0=YQVQ=54=example.org=ann@our.example", SRS_BAD },
	{ "SRS0=YQVQ=55=example.com=ann@our.example", SRS_BAD },
	{ "SRS0=YQVQ=55=example.org=bob@our.example", SRS_BAD },
	{ "SRS0=YQVQ=55=example.org=ann@other.example", SRS_BAD },
	{ "SRS0=YQVQ=55=example.org=ann@sub.our.example", SRS_BAD },
	{ "SRS0=YQVQ=55=example.organn@our.example", SRS_BAD },
	{ "SRS0=UOGO=55=example.org=ann@our.example", SRS_BAD },
};

static void
test_strange(void)
{
	char out[ADDR_MAX + 1], name[160];
	struct srs none = { .now = NOW };
	size_t i;

	for (i = 0; i < N(strange); i++) {
		snprintf(name, sizeof(name), "strange: %s", strange[i].addr);
		CHECK(name,
		    srs_decode(&srs,
			unit_guard(strange[i].addr,
			    strlen(strange[i].addr) + 1),
			out) == strange[i].a);
		CHECK(name,
		    srs_decode(&none, strange[i].addr, out) == SRS_NONE);
	}
}

/* Every shorter and every changed form of a good one is bad, or none. */
static void
test_cut(void)
{
	static const char good[] = "SRS0=YQVQ=55=example.org=ann";
	char addr[sizeof(good) + sizeof(OURS) + 1], out[ADDR_MAX + 1];
	unsigned int found = 0;
	enum srs_answer a;
	size_t i;

	for (i = 0; i < sizeof(good) - 1; i++) {
		snprintf(addr, sizeof(addr), "%.*s@" OURS, (int)i, good);
		a = srs_decode(&srs, unit_guard(addr, strlen(addr) + 1), out);
		found += a != SRS_NONE && a != SRS_BAD;
		snprintf(addr, sizeof(addr), "%s@" OURS, good);
		addr[i] ^= 1;
		a = srs_decode(&srs, unit_guard(addr, strlen(addr) + 1), out);
		/* Another separator, or the other case of a letter. */
		if (i != 4)
			found += a != SRS_NONE && a != SRS_BAD;
	}
	CHECK("nothing cut short or changed is good", found == 0);
}

/* Whose hash is good, and what it says is not. */
static void
test_nonsense(void)
{
	static const char *const bodies[] = { "", "=", "==", "55",
		"55=", "55=example.org=", "5=example.org=ann",
		"555=example.org=ann", "18=example.org=ann",
		"55=example..org=ann", "55=example.org=a\"b",
		"55=" D191 "." D63 "d=ann", "55=[1.2.3]=ann" };
	char out[ADDR_MAX + 1], name[400];
	const char *addr;
	size_t i;

	CHECK("the hash of the test is that of the code",
	    strcmp(forge("secret", '0', "55=example.org=ann", OURS),
		"SRS0=YQVQ=55=example.org=ann@our.example") == 0);
	for (i = 0; i < N(bodies); i++) {
		addr = forge("secret", '0', bodies[i], OURS);
		snprintf(name, sizeof(name), "nonsense: %s", addr);
		CHECK(name, srs_decode(&srs, addr, out) == SRS_BAD);
		addr = forge("secret", '1', bodies[i], OURS);
		snprintf(name, sizeof(name), "nonsense: %s", addr);
		CHECK(name, srs_decode(&srs, addr, out) == SRS_BAD);
	}
}

/* ---- keys and days ---- */

static void
test_backup(void)
{
	static const char old[] = "SRS0=UOGO=55=example.org=ann@our.example";
	struct srs s = srs;
	char out[ADDR_MAX + 1];

	CHECK("another key", srs_decode(&s, old, out) == SRS_BAD);
	s.backup = "other";
	CHECK("... as the backup",
	    srs_decode(&s, old, out) == SRS_GOOD &&
		strcmp(out, "ann@example.org") == 0);
	CHECK("... and the key itself",
	    srs_decode(&s, vectors[0].out, out) == SRS_GOOD);
	s.backup = "third";
	CHECK("... and neither", srs_decode(&s, old, out) == SRS_BAD);
	CHECK("a backup makes nothing",
	    srs_encode(&s, "ann@example.org", OURS, out) == NULL &&
		strcmp(out, vectors[0].out) == 0);
}

/* Columns: days after it was made, days that it is good for, what it is. */
static const struct {
	int after;
	uint32_t days;
	enum srs_answer a;
} ages[] = {
	{ 0, 4, SRS_GOOD },
	{ 1, 4, SRS_GOOD },
	{ 4, 4, SRS_GOOD },
	{ 5, 4, SRS_OLD },
	{ 1, 1, SRS_GOOD },
	{ 2, 1, SRS_OLD },
	{ 100, 100, SRS_GOOD },
	{ 101, 100, SRS_OLD },
	{ 1000, 1000, SRS_GOOD },
	{ 1001, 1000, SRS_OLD },
	{ 1022, 4, SRS_OLD },
	/* the clock of who made it is ahead */
	{ -1, 4, SRS_GOOD },
	{ -2, 4, SRS_OLD },
	/* it comes round */
	{ 1024, 4, SRS_GOOD },
	{ 1029, 4, SRS_OLD },
};

static void
test_ages(void)
{
	char made[ADDR_MAX + 1], out[ADDR_MAX + 1], name[96];
	char second[ADDR_MAX + 1];
	struct srs s = srs;
	size_t i;
	int day;

	for (i = 0; i < N(ages); i++) {
		/* Days on both sides of the end of the round. */
		for (day = 1020; day < 1028; day++) {
			s.now = (int64_t)(day + 16 * 1024) * A_DAY + 5;
			if (srs_encode(&s, "ann@example.org", OURS, made) !=
				NULL ||
			    srs_encode(&s, made, "third.example", second) !=
				NULL)
				abort();
			s.now += (int64_t)ages[i].after * A_DAY;
			s.days = ages[i].days;
			snprintf(name, sizeof(name),
			    "after %d days of %u: day %d", ages[i].after,
			    ages[i].days, day);
			CHECK(name, srs_decode(&s, made, out) == ages[i].a);
			/* SRS1 is as old as what is in it. */
			CHECK(name, srs_decode(&s, second, out) == ages[i].a);
		}
	}
}

/* ---- what the rules make of them ---- */

#define FILE_TEXT                                                              \
	"hostname mx.our.example\n"                                            \
	"srs key \"secret\"\n"                                                 \
	"srs key backup \"other\"\n"                                           \
	"table users { ann = ann@inbox.example, bob = joe@gate.example, "      \
	"both = \"x@inbox.example, y@inbox.example\", "                        \
	"\"@catch.example\" = ann@inbox.example }\n"                           \
	"action \"in\" relay host smtp://192.0.2.25\n"                         \
	"action \"users\" expand-only virtual <users>\n"                       \
	"action \"out\" relay srs\n"                                           \
	"match from src 198.51.100.66 for any reject\n"                        \
	"match from any for domain gate.example action \"in\"\n"               \
	"match from any for domain { our.example catch.example } "             \
	"action \"users\"\n"                                                   \
	"match from local for local action \"users\"\n"                        \
	"match from local for any action \"out\"\n"

static const char *
made(int days_ago, const char *sender, const char *domain)
{
	static char out[ADDR_MAX + 1];
	struct srs s = { .key = "secret",
		.now = time(NULL) - (int64_t)days_ago * A_DAY };

	if (srs_encode(&s, sender, domain, out) != NULL)
		abort();
	return out;
}

static bool
ask_rcpt(const char *client, const char *sender, const char *rcpt,
    struct outcome *o)
{
	struct rcpt_ask m;
	struct rcpt_is is;

	memset(&m, 0, sizeof(m));
	fill(m.facts.client, sizeof(m.facts.client), client);
	fill(m.sender, sizeof(m.sender), sender);
	fill(m.rcpt, sizeof(m.rcpt), rcpt);
	question_ask(&world.questions, judge_rcpt, &m, sizeof(m), &world.chan,
	    1);
	memset(&is, 0xff, sizeof(is));
	if (!world_answered(&world, IPC_RCPT_IS, &is, sizeof(is)))
		return false;
	*o = is.outcome;
	return true;
}

static bool
ask_route(uint32_t flags, const char *sender, const char *rcpt, const char *of,
    struct route_is *is)
{
	struct route_ask m;

	memset(&m, 0, sizeof(m));
	m.facts.flags = flags;
	fill(m.facts.client, sizeof(m.facts.client), "203.0.113.9");
	fill(m.sender, sizeof(m.sender), sender);
	fill(m.rcpt, sizeof(m.rcpt), rcpt);
	fill(m.of, sizeof(m.of), of);
	question_ask(&world.questions, judge_route, &m, sizeof(m), &world.chan,
	    2);
	memset(is, 0xff, sizeof(*is));
	return world_answered(&world, IPC_ROUTE_IS, is, sizeof(*is));
}

/* Columns: flags, sender, recipient, alias of a child, domain of the sender as
 * rewritten (NULL: it stays). */
static const struct {
	uint32_t flags;
	const char *sender, *rcpt, *of, *domain;
} senders[] = {
	{ 0, "joe@sender.example", "ann@our.example", "", "our.example" },
	{ 0, "joe@sender.example", "Ann@OUR.example", "", "our.example" },
	{ 0, "joe@sender.example", "any@catch.example", "", "catch.example" },
	{ FACT_LOCAL, "joe@sender.example", "ann@localhost", "",
	    "mx.our.example" },
	/* nobody hears of notifications */
	{ 0, "", "ann@our.example", "", NULL },
	/* ours is ours */
	{ 0, "bob@our.example", "ann@our.example", "", NULL },
	{ 0, "BOB@Our.Example", "ann@our.example", "", NULL },
	{ 0, "x@localhost", "ann@our.example", "", NULL },
	{ 0, "joe@gate.example", "ann@our.example", "", "our.example" },
	/* its action has no `srs` */
	{ 0, "joe@sender.example", "bob@our.example", "", NULL },
	/* not sent on */
	{ FACT_LOCAL, "joe@sender.example", "x@other.example", "", NULL },
	{ 0, "joe@sender.example", "x@gate.example", "", NULL },
	/* children */
	{ FACT_EXPANDED, "joe@sender.example", "x@inbox.example",
	    "both@our.example", "our.example" },
	{ FACT_EXPANDED, "joe@sender.example", "x@inbox.example",
	    "both@[192.0.2.1]", "mx.our.example" },
	{ FACT_EXPANDED, "joe@sender.example", "x@inbox.example", "",
	    "mx.our.example" },
	{ FACT_EXPANDED, "bob@our.example", "x@inbox.example",
	    "both@our.example", NULL },
	{ FACT_EXPANDED, "", "x@inbox.example", "both@our.example", NULL },
};

static void
test_senders(void)
{
	char name[200], want[ADDR_MAX + 1];
	struct route_is is;
	size_t i;

	for (i = 0; i < N(senders); i++) {
		snprintf(name, sizeof(name), "sender %s to %s of %s",
		    senders[i].sender, senders[i].rcpt, senders[i].of);
		want[0] = '\0';
		if (senders[i].domain != NULL)
			snprintf(want, sizeof(want), "%s",
			    made(0, senders[i].sender, senders[i].domain));
		CHECK(name,
		    ask_route(senders[i].flags, senders[i].sender,
			senders[i].rcpt, senders[i].of, &is) &&
			is.outcome.verdict == DONE &&
			strcmp(is.sender, want) == 0);
	}
}

#define STRANGER "203.0.113.9"
#define LISTED   "198.51.100.66"

/* Columns: client, sender, age of the address, its domain, code and enhanced
 * code that he hears. */
static const struct {
	const char *client, *sender;
	int age;
	const char *domain, *reply;
} comes[] = {
	{ STRANGER, "", 0, "our.example", "250 2.1.5" },
	{ STRANGER, "", 3, "our.example", "250 2.1.5" },
	{ STRANGER, "", 0, "catch.example", "250 2.1.5" },
	{ STRANGER, "", 0, "gate.example", "250 2.1.5" },
	/* a name of ours that no rule takes from him */
	{ STRANGER, "", 0, "mx.our.example", "250 2.1.5" },
	{ STRANGER, "", 10, "our.example", "550 5.4.7" },
	{ STRANGER, "", 10, "mx.our.example", "550 5.4.7" },
	{ STRANGER, "joe@sender.example", 0, "our.example", "550 5.7.1" },
	{ STRANGER, "bob@our.example", 0, "our.example", "550 5.7.1" },
	/* who is refused here is refused with it, too */
	{ LISTED, "", 0, "our.example", "550 5.7.1" },
};

static void
test_comes(void)
{
	char name[200], reply[64];
	struct outcome o;
	const char *rcpt;
	size_t i;

	for (i = 0; i < N(comes); i++) {
		rcpt =
		    made(comes[i].age, "joe@sender.example", comes[i].domain);
		snprintf(name, sizeof(name), "comes back %zu: %s hears %s", i,
		    comes[i].domain, comes[i].reply);
		memset(&o, 0, sizeof(o));
		CHECK(name,
		    ask_rcpt(comes[i].client, comes[i].sender, rcpt, &o));
		snprintf(reply, sizeof(reply), "%u %u.%u.%u", o.code,
		    o.ecode[0], o.ecode[1], o.ecode[2]);
		CHECK(name, strcmp(reply, comes[i].reply) == 0);
		if (strcmp(reply, comes[i].reply) != 0)
			fprintf(stderr, "%s %s\n", reply, o.text);
	}
}

/* Columns: recipient, what a stranger hears who says the null sender. */
static const struct {
	const char *rcpt, *reply;
} forged[] = {
	{ "SRS0=AAAA=55=victim.example=joe@our.example", "550 5.1.1" },
	{ "srs0+aaaa=55=victim.example=joe@our.example", "550 5.1.1" },
	{ "SRS1=AAAA=victim.example==x=55=e.example=joe@our.example",
	    "550 5.1.1" },
	{ "SRS0=AAAA@our.example", "550 5.1.1" },
	/* never caught by who takes anybody */
	{ "SRS0=AAAA=55=victim.example=joe@catch.example", "550 5.1.1" },
	/* whoever is behind us knows his own */
	{ "SRS0=AAAA=55=victim.example=joe@gate.example", "250 2.1.5" },
	/* nor does it open anything */
	{ "SRS0=AAAA=55=victim.example=joe@elsewhere.example", "550 5.7.1" },
	{ "SRS0=AAAA=55=victim.example=joe@mx.our.example", "550 5.7.1" },
	{ "joe@victim.example", "550 5.7.1" },
};

static void
test_forged(void)
{
	char name[200], reply[64];
	struct outcome o;
	size_t i;

	for (i = 0; i < N(forged); i++) {
		snprintf(name, sizeof(name), "forged: %s", forged[i].rcpt);
		memset(&o, 0, sizeof(o));
		CHECK(name, ask_rcpt(STRANGER, "", forged[i].rcpt, &o));
		snprintf(reply, sizeof(reply), "%u %u.%u.%u", o.code,
		    o.ecode[0], o.ecode[1], o.ecode[2]);
		CHECK(name, strcmp(reply, forged[i].reply) == 0);
	}
}

/* Where it goes, once it was accepted. */
static void
test_back(void)
{
	char second[ADDR_MAX + 1], rcpt[ADDR_MAX + 1];
	struct route_is is;

	snprintf(rcpt, sizeof(rcpt), "%s", made(0, "joe@sender.example", OURS));
	CHECK("back: to the sender",
	    ask_route(0, "", rcpt, "", &is) && is.outcome.verdict == DONE &&
		strcmp(is.route, "mx:sender.example") == 0 &&
		strcmp(is.rcpt, "joe@sender.example") == 0 &&
		is.sender[0] == '\0');
	CHECK("back: not signed by us for a stranger", is.flags == 0);
	snprintf(rcpt, sizeof(rcpt), "%s",
	    made(30, "joe@sender.example", OURS));
	CHECK("back: its time ran out while it waited here",
	    ask_route(0, "", rcpt, "", &is) && is.outcome.verdict == DONE &&
		strcmp(is.rcpt, "joe@sender.example") == 0);
	CHECK("back: its key was changed while it waited here",
	    ask_route(0, "", "SRS0=AAAA=55=v.example=joe@our.example", "",
		&is) &&
		is.outcome.verdict == LATER);
	snprintf(second, sizeof(second), "%s",
	    made(0, "SRS0=HHHH=55=e.example=joe@first.example", OURS));
	CHECK("back: of two hosts the first is told",
	    ask_route(0, "", second, "", &is) && is.outcome.verdict == DONE &&
		strcmp(is.route, "mx:first.example") == 0);
	/* Our own, made SRS1 by us since it came round: both are undone. */
	snprintf(rcpt, sizeof(rcpt), "%s", made(0, "joe@sender.example", OURS));
	snprintf(second, sizeof(second), "%s", made(0, rcpt, "catch.example"));
	CHECK("back: through our own twice",
	    ask_route(0, "", second, "", &is) && is.outcome.verdict == DONE &&
		strcmp(is.rcpt, "joe@sender.example") == 0);
	/* Who has become one of ours meanwhile, and several. */
	snprintf(rcpt, sizeof(rcpt), "%s",
	    made(0, "both@our.example", "mx.our.example"));
	CHECK("back: to several, by no rule",
	    ask_route(0, "", rcpt, "", &is) && is.outcome.verdict == DONE &&
		is.flags == ROUTE_EXPANDS);
}

int
main(void)
{
	struct conf_errors errors;
	struct conf_image image;

	test_vectors();
	test_trips();
	test_not_senders();
	test_length();
	test_strange();
	test_cut();
	test_nonsense();
	test_backup();
	test_ages();
	conf_unit_begin();
	if (load(FILE_TEXT, sizeof(FILE_TEXT) - 1, &image, &errors) ==
	    CONF_WRONG) {
		fprintf(stderr, "%s\n", errors.text[0]);
		return 1;
	}
	lookup_begin(image.conf);
	test_senders();
	test_comes();
	test_forged();
	test_back();
	lookup_end();
	conf_image_free(&image);
	conf_errors_free(&errors);
	return conf_unit_end();
}
