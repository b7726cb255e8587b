/*
 * Tokens: what files and commands say, good, bad and cut short; and how long
 * one is kept, who waits for it, and what becomes of those who do.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>

#include "conf_image.h"
#include "log.h"
#include "lookup_token.h"
#include "lookup_token_text.h"
#include "unit.h"
#include "unit_dir.h"

#define MADE 1799999000
#define NOW  1800000000

/* ---- times ---- */

/* Columns: text; seconds, -1: it is none. */
static const struct {
	const char *text;
	int64_t at;
} times[] = {
	{ "2027-01-15T08:00:00Z", 1800000000 },
	{ "2027-01-15t08:00:00z", 1800000000 },
	{ "2027-01-15 08:00:00Z", 1800000000 },
	{ "2027-01-15T08:00:00.999999999Z", 1800000000 },
	{ "2027-01-15T10:30:00+02:30", 1800000000 },
	{ "2027-01-15T01:00:00.5-07:00", 1800000000 },
	{ "2016-12-31T23:59:60Z", 1483228799 },
	{ "2024-02-29T00:00:00Z", 1709164800 },
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2023-02-29T00:00:00Z", -1 },
	{ "2027-02-31T00:00:00Z", -1 },
	{ "2027-01-15T08:00:00", -1 },
	{ "2027-01-15T08:00Z", -1 },
	{ "2027-01-15", -1 },
	{ "2027-01-15T08:00:00.Z", -1 },
	{ "2027-01-15T08:00:00Zx", -1 },
	{ "2027-01-15T24:00:00Z", -1 },
	{ "2027-01-15T08:60:00Z", -1 },
	{ "2027-01-15T08:00:61Z", -1 },
	{ "2027-13-15T08:00:00Z", -1 },
	{ "2027-00-15T08:00:00Z", -1 },
	{ "2027-01-00T08:00:00Z", -1 },
	{ "1969-12-31T23:59:59Z", -1 },
	{ "27-01-15T08:00:00Z", -1 },
	{ "2027-01-15T08:00:00+2", -1 },
	{ "2027-01-15T08:00:00+0230", -1 },
	{ "2027-01-15T08:00:00+24:00", -1 },
	{ "+027-01-15T08:00:00Z", -1 },
	{ "", -1 },
};

static void
test_times(void)
{
	size_t i, len;
	int64_t at;

	for (i = 0; i < sizeof times / sizeof times[0]; i++) {
		const char *text = times[i].text;
		struct slice s = { unit_guard(text, strlen(text)),
			strlen(text) };

		at = -1;
		CHECK(text[0] == '\0' ? "no time" : text,
		    token_time_parse(s, &at) == (times[i].at != -1) &&
			(times[i].at == -1 || at == times[i].at));
	}
	for (len = 0; len < 20; len++) {
		struct slice s = { unit_guard(times[0].text, len), len };

		CHECK("a time that is cut short", !token_time_parse(s, &at));
	}
}

/* ---- texts ---- */

/* Columns: what is said; token, NULL: none; until. */
static const struct {
	const char *text, *token;
	int64_t until;
} texts[] = {
	/* the token alone */
	{ "ya29.a0Af-_~+/=", "ya29.a0Af-_~+/=", NOW + 300 },
	{ "  abc\r\n\n", "abc", NOW + 300 },
	{ "", NULL, 0 },
	{ " \n", NULL, 0 },
	{ "abc def", NULL, 0 },
	{ "abc\ndef", NULL, 0 },
	{ "error: no network", NULL, 0 },
	{ "abc\001", NULL, 0 },
	{ "a\xc3\xa4", NULL, 0 },
	{ "Bearer abc", NULL, 0 },
	{ "\"abc\"", NULL, 0 },
	{ "[\"abc\"]", NULL, 0 },
	/* a JWT: {"exp":1800003600}, one that has ended, one that is none */
	{ "e30.eyJleHAiOjE4MDAwMDM2MDB9.c2ln",
	    "e30.eyJleHAiOjE4MDAwMDM2MDB9.c2ln", NOW + 3600 },
	{ "e30.eyJleHAiOjE3OTk5OTk5OTl9.c2ln", NULL, 0 },
	{ "e30.eyJleHAiOiJ4In0.c2ln", "e30.eyJleHAiOiJ4In0.c2ln", NOW + 300 },
	{ "a.b.c", "a.b.c", NOW + 300 },
	{ "a..c", "a..c", NOW + 300 },
	{ "...", "...", NOW + 300 },
	/* JSON */
	{ "{\"access_token\":\"abc\"}", "abc", NOW + 300 },
	{ " {\"access_token\": \"abc\", \"expires_in\": 3599}\n", "abc",
	    MADE + 3599 },
	{ "{\"access_token\":\"abc\",\"expires_in\":\"3599\"}", "abc",
	    MADE + 3599 },
	{ "{\"access_token\":\"abc\",\"expires_in\":3599.9}", "abc",
	    MADE + 3599 },
	{ "{\"access_token\":\"abc\",\"expires_at\":1800001000}", "abc",
	    NOW + 1000 },
	{ "{\"access_token\":\"abc\",\"expires_at\":\"1800001000\"}", "abc",
	    NOW + 1000 },
	{ "{\"access_token\":\"abc\",\"expires_at\":1800001000.5}", "abc",
	    NOW + 1000 },
	{ "{\"access_token\":\"abc\",\"expiry\":\"2027-01-15T08:10:00Z\"}",
	    "abc", NOW + 600 },
	{ "{\"access_token\":\"abc\",\"expiry\":\"2027-01-15T09:10:00.1+01:00\"}",
	    "abc", NOW + 600 },
	{ "{\"access_token\":\"abc\",\"expires_at\":1800000900,\"expires_in\":3600}",
	    "abc", NOW + 900 },
	{ "{\"access_token\":\"abc\",\"expires_in\":null}", "abc", NOW + 300 },
	{ "{\"access_token\":\"e30.eyJleHAiOjE4MDAwMDM2MDB9.c2ln\"}",
	    "e30.eyJleHAiOjE4MDAwMDM2MDB9.c2ln", NOW + 3600 },
	{ "{\"access_token\":\"e30.eyJleHAiOjE4MDAwMDM2MDB9.c2ln\",\"expires_at\":1800000060}",
	    "e30.eyJleHAiOjE4MDAwMDM2MDB9.c2ln", NOW + 60 },
	{ "{\"token_type\":\"Bearer\",\"scope\":[\"a\"],\"access_token\":\"abc\"}",
	    "abc", NOW + 300 },
	{ "{\"access_token\":\"abc\",\"expires_in\":1000}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":0}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":-5}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":\"-5\"}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":\"soon\"}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":true}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":1e300}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":-1e300}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_in\":99999999999999999999}",
	    NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_at\":1799999999}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_at\":1800000000}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expires_at\":{}}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expiry\":\"tomorrow\"}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"expiry\":\"2020-01-01T00:00:00Z\"}",
	    NULL, 0 },
	{ "{\"access_token\":\"\"}", NULL, 0 },
	{ "{\"access_token\":\"a b\"}", NULL, 0 },
	{ "{\"access_token\":\"a\\u0000b\"}", NULL, 0 },
	{ "{\"access_token\":\"a\\nb\"}", NULL, 0 },
	{ "{\"access_token\":17}", NULL, 0 },
	{ "{\"access_token\":null}", NULL, 0 },
	{ "{\"error\":\"invalid_grant\"}", NULL, 0 },
	{ "{\"access_token\":\"abc\",\"access_token\":\"def\"}", NULL, 0 },
	{ "{\"access_token\":\"abc\"} x", NULL, 0 },
	{ "{\"access_token\":\"abc\"", NULL, 0 },
	{ "{}", NULL, 0 },
	{ "{", NULL, 0 },
};

static struct token_text found;

static const char *
parse(const char *text, size_t len)
{
	struct slice s = { unit_guard(text, len), len };

	return token_text_parse(s, MADE, NOW, &found);
}

static bool
is_empty(void)
{
	static const struct token_text none;

	return memcmp(&found, &none, sizeof none) == 0;
}

static void
test_texts(void)
{
	static char big[TOKEN_TEXT_MAX + 2];
	const char *text, *why;
	size_t i, len;
	char name[32];

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		text = texts[i].text;
		why = parse(text, strlen(text));
		snprintf(name, sizeof name, "text %zu", i);
		if (texts[i].token == NULL)
			CHECK(name, why != NULL && is_empty());
		else
			CHECK(name,
			    why == NULL &&
				strcmp(found.token, texts[i].token) == 0 &&
				found.until == texts[i].until);
	}
	text = "{\"access_token\":\"abc\",\"expires_in\":3599}";
	for (len = 0; len < strlen(text); len++)
		CHECK("JSON that is cut short", parse(text, len) != NULL);
	memset(big, 'x', sizeof big);
	CHECK("the longest token", parse(big, TOKEN_MAX) == NULL);
	CHECK("a longer one", parse(big, TOKEN_MAX + 1) != NULL && is_empty());
	memset(big, ' ', sizeof big);
	big[0] = 'x';
	CHECK("the longest text", parse(big, TOKEN_TEXT_MAX) == NULL);
	CHECK("a longer one", parse(big, TOKEN_TEXT_MAX + 1) != NULL);
	memset(big, '[', sizeof big);
	big[0] = '{';
	CHECK("deep JSON", parse(big, TOKEN_TEXT_MAX) != NULL);
}

/* ---- fetching ---- */

#define WAITS 3

static struct {
	struct conf *conf;
	struct loop *loop;
	struct workers *workers;
	struct tokens *tokens;
	struct ipc_chan spawn, other; /* ours, spawn's */
	uint64_t asked;               /* the number of the last question */
	unsigned int n_asked;
	struct token_wait wait[WAITS];
	struct {
		unsigned int n;
		char token[64], why[256];
	} got[WAITS];
} w;

static void
on_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	(void)from;
	w.asked = msg->id;
	w.n_asked++;
}

static void
world_open(void)
{
	static ipc_handler *const none[IPC_TYPES];
	static ipc_handler *const asks[IPC_TYPES] = { [IPC_TOKEN_ASK] =
							  on_ask };
	struct conf_token rows[2];
	int pair[2];

	w.conf = image_new();
	memset(rows, 0, sizeof rows);
	rows[0].name = image_text(w.conf, "web");
	rows[1].name = image_text(w.conf, "other");
	image_rows(w.conf, &w.conf->token, rows, 2, sizeof rows[0]);
	w.loop = loop_new();
	w.workers = workers_new(w.loop, 1, 4);
	w.tokens = tokens_new(w.conf, w.loop, w.workers);
	tokens_clock(w.tokens, NOW);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	ipc_init(&w.spawn, w.loop, PROC_LOOKUP, PROC_SPAWN, 0, none, &w, NULL);
	ipc_attach(&w.spawn, pair[0]);
	ipc_init(&w.other, w.loop, PROC_SPAWN, PROC_LOOKUP, 0, asks, &w, NULL);
	ipc_attach(&w.other, pair[1]);
}

static void
on_token(void *arg, const char *token, const char *why)
{
	size_t i = (size_t)((struct token_wait *)arg - w.wait);

	w.got[i].n++;
	snprintf(w.got[i].token, sizeof w.got[i].token, "%s",
	    token == NULL ? "" : token);
	snprintf(w.got[i].why, sizeof w.got[i].why, "%s",
	    why == NULL ? "" : why);
}

static void
get(size_t i, bool fresh)
{
	memset(&w.got[i], 0, sizeof w.got[i]);
	token_get(w.tokens, &w.wait[i], 0, fresh, on_token, &w.wait[i]);
}

static void
turn(void)
{
	int i;

	for (i = 0; i < 20; i++) {
		event_base_loop(w.loop->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* Spawn was asked once since the last time. */
static bool
spawn_asked(void)
{
	unsigned int n;

	turn();
	n = w.n_asked;
	w.n_asked = 0;
	return n == 1;
}

static void
start(int fd)
{
	struct token_is is;

	memset(&is, 0, sizeof is);
	if (fd == -1)
		outcome_set(&is.outcome, LATER, WIDTH_SITE, 0, NULL,
		    "No such file or directory");
	else
		outcome_set(&is.outcome, DONE, WIDTH_SITE, 0, NULL, "started");
	token_is_send(&w.other, w.asked, &is, fd);
	if (fd != -1)
		close(fd);
	turn();
}

/* A command that says this and ends. */
static void
give(const char *text)
{
	int pair[2];

	if (pipe2(pair, O_NONBLOCK) == -1 ||
	    write(pair[1], text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(pair[1]);
	start(pair[0]);
}

static bool
has(size_t i, const char *token)
{
	return w.got[i].n == 1 && strcmp(w.got[i].token, token) == 0 &&
	    w.got[i].why[0] == '\0';
}

static bool
has_not(size_t i, const char *why)
{
	return w.got[i].n == 1 && w.got[i].token[0] == '\0' &&
	    strstr(w.got[i].why, why) != NULL;
}

static void
test_keeping(void)
{
	get(0, false);
	CHECK("without spawn", has_not(0, "nobody"));
	tokens_spawn(w.tokens, &w.spawn);
	CHECK("a name", tokens_find(w.conf, "other") == 1);
	CHECK("no name", tokens_find(w.conf, "none") == CONF_NONE);
	token_get(w.tokens, &w.wait[0], 2, false, on_token, &w.wait[0]);
	CHECK("no row", w.got[0].n == 2);

	get(0, false);
	get(1, false);
	get(2, true);
	CHECK("it is asked for once", spawn_asked());
	token_cancel(&w.wait[1]);
	give("{\"access_token\":\"t1\",\"expires_in\":3600}");
	CHECK("all who wait have it", has(0, "t1") && has(2, "t1"));
	CHECK("but who went", w.got[1].n == 0);
	get(0, false);
	CHECK("it is kept", has(0, "t1") && !spawn_asked());
	tokens_clock(w.tokens, NOW + 3600 - TOKEN_MARGIN - 1);
	get(0, false);
	CHECK("to a minute before its end", has(0, "t1"));
	tokens_clock(w.tokens, NOW + 3600 - TOKEN_MARGIN);
	get(0, false);
	CHECK("and no longer", w.got[0].n == 0 && spawn_asked());
	give("t2");
	CHECK("the next one", has(0, "t2"));
	tokens_clock(w.tokens, NOW + 10);
	get(0, false);
	CHECK("a clock that was set back", w.got[0].n == 0 && spawn_asked());
	give("{\"access_token\":\"t3\",\"expires_in\":100}");
	CHECK("says nothing", has(0, "t3"));
	tokens_clock(w.tokens, NOW + 10 + 89);
	get(0, false);
	CHECK("a short life has a short margin", has(0, "t3"));
	tokens_clock(w.tokens, NOW + 10 + 90);
	get(0, false);
	CHECK("a tenth of it", w.got[0].n == 0 && spawn_asked());
	give("t4");
	CHECK("and so on", has(0, "t4"));
}

static void
test_fresh(void)
{
	tokens_clock(w.tokens, NOW + 200);
	get(0, true);
	CHECK("one that was refused is asked for anew",
	    w.got[0].n == 0 && spawn_asked());
	get(1, false);
	give("t5");
	CHECK("who came meanwhile has the new one, too",
	    has(0, "t5") && has(1, "t5"));
	tokens_clock(w.tokens, NOW + 200 + TOKEN_FRESH - 1);
	get(0, true);
	CHECK("not again and again", has(0, "t5") && !spawn_asked());
	tokens_clock(w.tokens, NOW + 200 + TOKEN_FRESH);
	get(0, true);
	CHECK("but in a while", w.got[0].n == 0 && spawn_asked());
	give("t6");
	CHECK("another", has(0, "t6"));
}

/* Columns: what the command says, why it is no token. */
static const struct {
	const char *says, *why;
} failures[] = {
	{ "", "says nothing" },
	{ "{\"error\":\"x\"}", "no access_token" },
	{ "not a token", "character" },
	{ "{\"access_token\":\"t\",\"expires_in\":-1}", "expired" },
};

static void
test_failures(void)
{
	int64_t at = NOW + 10000;
	char *big = calloc(1, TOKEN_TEXT_MAX + 2);
	size_t i;
	int pair[2];

	for (i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		tokens_clock(w.tokens, at += 1000);
		get(0, false);
		(void)spawn_asked();
		give(failures[i].says);
		CHECK(failures[i].why, has_not(0, failures[i].why));
	}
	get(0, false);
	CHECK("it is remembered", has_not(0, "expired") && !spawn_asked());
	tokens_clock(w.tokens, at + TOKEN_FAILED);
	get(0, false);
	CHECK("for a moment", w.got[0].n == 0 && spawn_asked());
	start(-1);
	CHECK("it cannot be opened", has_not(0, "No such file"));

	tokens_clock(w.tokens, at += 1000);
	memset(big, 'x', TOKEN_TEXT_MAX + 1);
	get(0, false);
	(void)spawn_asked();
	give(big);
	CHECK("a command without end", has_not(0, "more than 16384"));

	tokens_clock(w.tokens, at += 1000);
	get(0, false);
	(void)spawn_asked();
	if (pipe2(pair, O_NONBLOCK) == -1)
		abort();
	start(pair[0]);
	CHECK("one that has said nothing yet", w.got[0].n == 0);
	(void)!write(pair[1], "hal", 3);
	turn();
	CHECK("or half of it", w.got[0].n == 0);
	(void)!write(pair[1], "f", 1);
	close(pair[1]);
	turn();
	CHECK("is waited for", has(0, "half"));
	free(big);
}

static void
test_file(void)
{
	char dir[] = "/tmp/postern-token-XXXXXX", path[64];
	struct timespec then[2] = { { .tv_sec = NOW + 99000 },
		{ .tv_sec = NOW + 99000 } };
	int fd;

	tokens_clock(w.tokens, NOW + 100000);
	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(path, sizeof path, "%s/token", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (write(fd, "{\"access_token\":\"f1\",\"expires_in\":1100}", 39) !=
		39 ||
	    futimens(fd, then) == -1)
		abort();
	get(0, false);
	(void)spawn_asked();
	start(fd);
	CHECK("a file", has(0, "f1"));
	/* 1100 s from when it was written: 100 are left, less a tenth. */
	tokens_clock(w.tokens, NOW + 100000 + 89);
	get(0, false);
	CHECK("its time counts from when it was written", has(0, "f1"));
	tokens_clock(w.tokens, NOW + 100000 + 90);
	get(0, false);
	CHECK("not from when it was read", w.got[0].n == 0 && spawn_asked());
	fd = open(path, O_RDWR | O_TRUNC);
	start(fd);
	CHECK("an empty file", has_not(0, "empty"));
	tokens_clock(w.tokens, NOW + 200000);
	get(0, false);
	(void)spawn_asked();
	fd = open(path, O_RDWR);
	if (ftruncate(fd, 1 << 20) == -1)
		abort();
	start(fd);
	CHECK("a large file", has_not(0, "longer than 16384"));
	unit_remove(dir);
}

int
main(void)
{
	log_to_stderr("unit", false);
	test_times();
	test_texts();
	world_open();
	test_keeping();
	test_fresh();
	test_failures();
	test_file();
	tokens_clock(w.tokens, NOW + 300000);
	get(0, true);
	turn();
	tokens_free(&w.tokens);
	CHECK("who waits at the end is not told", w.got[0].n == 0);
	return unit_end();
}
