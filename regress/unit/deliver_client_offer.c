/*
 * The SMTP client and what servers offer: CHUNKING, LIMITS, and offers that
 * are not kept; TLS that is wanted and not offered; content that is not in the
 * file.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_bench.h"
#include "client_parts.h"
#include "facts.h"

/* clang-format off */
#define OFFERS(...) { "EHLO me.example.com\r\n", "250-mx\r\n" __VA_ARGS__ "250 HELP\r\n" }
#define SAYS(what) { what "\r\n", "250 ok\r\n" }

static const char text[] = "Subject: x\r\n\r\nhello\r\n";

/* ---- offers that are not kept ---- */

/* Columns: name; facts of the content, RET, NOTIFY; script; what the owner
 * hears; what is denied. */
static const struct {
	const char *name;
	uint32_t facts;
	uint8_t ret, notify;
	struct step steps[12];
	const char *want;
	unsigned int denied;
} lies[] = {
	{ "DSN: 555 to RCPT", 0, 0, NOTIFY_NEVER,
	    { HI, OFFERS("250-DSN\r\n"), MAIL, { "RCPT TO:<a@example.org> NOTIFY=NEVER\r\n", "555 5.5.4 no\r\n" } },
	    "ready lost=later/555/denied ", EXT_DSN },
	{ "DSN: 501 to RCPT", 0, 0, NOTIFY_NEVER,
	    { HI, OFFERS("250-DSN\r\n"), MAIL, { "RCPT TO:<a@example.org> NOTIFY=NEVER\r\n", "501 what\r\n" } },
	    "ready lost=later/501/denied ", EXT_DSN },
	{ "DSN: 501 for the address", 0, 0, NOTIFY_NEVER,
	    { HI, OFFERS("250-DSN\r\n"), MAIL, { "RCPT ", "501 5.1.3 bad address\r\n" }, RSET },
	    "ready rcpt0=501 over=later/0 ", 0 },
	{ "DSN: 555 without a parameter", 0, 0, 0,
	    { HI, OFFERS("250-DSN\r\n"), MAIL, { "RCPT TO:<a@example.org>\r\n", "555 5.5.4 no\r\n" }, RSET },
	    "ready rcpt0=555 over=later/0 ", 0 },
	{ "DSN: 555 to RCPT, all at once", 0, 0, NOTIFY_NEVER,
	    { HI, OFFERS("250-DSN\r\n250-PIPELINING\r\n"), MAIL,
	    { "RCPT TO:<a@example.org> NOTIFY=NEVER\r\n", "555 5.5.4 no\r\n" } },
	    "ready lost=later/555/denied ", EXT_DSN },
	{ "DSN: 555 to MAIL", 0, RET_HDRS, 0,
	    { HI, OFFERS("250-DSN\r\n"), { "MAIL FROM:<s@example.com> RET=HDRS\r\n", "555 5.5.4 no\r\n" } },
	    "ready lost=later/555/denied ", EXT_DSN },
	{ "8BITMIME: 555 to MAIL", CONTENT_8BIT, 0, 0,
	    { HI, OFFERS("250-8BITMIME\r\n"), { "MAIL FROM:<s@example.com> BODY=8BITMIME\r\n", "555 no\r\n" } },
	    "ready lost=later/555/denied ", EXT_8BITMIME },
	{ "SIZE: 504 to MAIL", 0, 0, 0,
	    { HI, OFFERS("250-SIZE garbage\r\n"), { "MAIL FROM:<s@example.com> SIZE=21\r\n", "504 no\r\n" } },
	    "ready lost=later/504/denied ", EXT_SIZE },
	{ "MAIL 555 without parameters", 0, 0, 0,
	    { HI, OFFERS(), { "MAIL FROM:<s@example.com>\r\n", "555 no\r\n" } },
	    "ready over=never/555 ", 0 },
	{ "MAIL 501 for the address", CONTENT_8BIT, 0, 0,
	    { HI, OFFERS("250-8BITMIME\r\n"), { "MAIL ", "501 5.1.7 bad sender\r\n" } },
	    "ready over=never/501 ", 0 },
	{ "PIPELINING: what came behind MAIL is lost", 0, 0, 0,
	    { HI, OFFERS("250-PIPELINING\r\n"), MAIL, { "<dot>", "" } },
	    "ready silence lost=later/0/denied ", EXT_PIPELINING },
	{ "PIPELINING: silent upon MAIL", 0, 0, 0,
	    { HI, OFFERS("250-PIPELINING\r\n"), { "MAIL ", "" }, { "<dot>", "" } },
	    "ready silence lost=later/0 ", 0 },
	{ "no PIPELINING: silent upon RCPT", 0, 0, 0,
	    { HI, OFFERS(), MAIL, { "RCPT ", "" } },
	    "ready silence lost=later/0 ", 0 },
};

/* What was denied is not said again, when it is told so. */
static const struct {
	const char *name;
	unsigned int without;
	uint32_t facts;
	struct step steps[8];
} withouts[] = {
	{ "without DSN", EXT_DSN, 0, { HI, OFFERS("250-DSN\r\n"), SAYS("MAIL FROM:<s@example.com>"),
	    SAYS("RCPT TO:<a@example.org>"), DATA, SENT } },
	{ "without 8BITMIME", EXT_8BITMIME, CONTENT_8BIT, { HI, OFFERS("250-8BITMIME\r\n"),
	    SAYS("MAIL FROM:<s@example.com>"), RCPT, DATA, SENT } },
	{ "without SIZE", EXT_SIZE, 0, { HI, OFFERS("250-SIZE 10\r\n"), SAYS("MAIL FROM:<s@example.com>"), RCPT, DATA, SENT } },
};

/* ---- TLS that is wanted ---- */

#define TLS_OFFER "250-STARTTLS\r\n"
static const struct {
	const char *name;
	enum conf_tls_level level;
	struct step steps[8];
	const char *want;
	uint8_t stage;
} levels[] = {
	{ "may: not offered", TLS_LEVEL_MAY, { HI, OFFERS(), MAIL, RCPT, DATA, SENT },
	    "ready rcpt0=250 over=done/250 ", 0 },
	{ "no: offered", TLS_LEVEL_NO, { HI, OFFERS(TLS_OFFER), MAIL, RCPT, DATA, SENT },
	    "ready rcpt0=250 over=done/250 ", 0 },
	{ "require: not offered", TLS_LEVEL_REQUIRE, { HI, OFFERS() }, "lost=later/0 ", STAGE_STARTTLS },
	{ "verify: not offered", TLS_LEVEL_VERIFY, { HI, OFFERS() }, "lost=later/0 ", STAGE_STARTTLS },
	{ "require: no EHLO", TLS_LEVEL_REQUIRE, { HI, { "EHLO ", "502 what\r\n" } }, "lost=later/0 ", STAGE_STARTTLS },
	{ "require: 554 before TLS", TLS_LEVEL_REQUIRE, { { NULL, "554 5.7.1 no\r\n" } },
	    "lost=later/554 ", STAGE_GREETING },
	{ "may: 554 before TLS", TLS_LEVEL_MAY, { { NULL, "554 5.7.1 no\r\n" } },
	    "lost=never/554 ", STAGE_GREETING },
	{ "require: 454", TLS_LEVEL_REQUIRE, { HI, OFFERS(TLS_OFFER), { "STARTTLS\r\n", "454 no\r\n" } },
	    "lost=later/454 ", STAGE_STARTTLS },
	{ "verify: 501", TLS_LEVEL_VERIFY, { HI, OFFERS(TLS_OFFER), { "STARTTLS\r\n", "501 no\r\n" } },
	    "lost=later/501 ", STAGE_STARTTLS },
	{ "verify: closed", TLS_LEVEL_VERIFY, { HI, OFFERS(TLS_OFFER), { "STARTTLS\r\n", NULL } },
	    "lost=later/0 ", STAGE_STARTTLS },
	{ "verify: no handshake", TLS_LEVEL_VERIFY, { HI, OFFERS(TLS_OFFER), { "STARTTLS\r\n", "220 go\r\n" },
	    { NULL, "<close>" } }, "lost=later/0 ", STAGE_TLS },
	{ "may: no handshake", TLS_LEVEL_MAY, { HI, OFFERS(TLS_OFFER), { "STARTTLS\r\n", "220 go\r\n" },
	    { NULL, "<close>" } }, "lost=later/0/tls ", STAGE_TLS },
};

/* ---- LIMITS ---- */

static const struct {
	const char *line;
	uint32_t mail, rcpt, domain;
} limits[] = {
	{ "LIMITS MAILMAX=5 RCPTMAX=20 RCPTDOMAINMAX=1", 5, 20, 1 },
	{ "limits rcptmax=7", 0, 7, 0 },
	{ "LIMITS", 0, 0, 0 },
	{ "LIMITS  RCPTMAX=999999\tMAILMAX=1 ", 1, 999999, 0 },
	{ "LIMITS RCPTMAX=0 MAILMAX= RCPTDOMAINMAX", 0, 0, 0 },
	{ "LIMITS RCPTMAX=1000000", 0, 0, 0 },
	{ "LIMITS RCPTMAX=99999999999999999999", 0, 0, 0 },
	{ "LIMITS RCPTMAX=-1 MAILMAX=5x RCPTDOMAINMAX=+2", 0, 0, 0 },
	{ "LIMITS OTHER=4 RCPTMAXX=3 MAILMAX=2", 2, 0, 0 },
	{ "LIMITSX RCPTMAX=3", 0, 0, 0 },
	{ "LIMITS RCPTMAX = 3", 0, 0, 0 },
};
/* clang-format on */

static void
denied(void)
{
	static struct server s;
	struct client_rcpt one = { "a@example.org", "", 0 };
	struct run r;
	size_t i;

	for (i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		run_init(&r, spool_file(text, ""), text, "");
		one.notify = lies[i].notify;
		r.mail.rcpt = &one;
		r.mail.n_rcpt = 1;
		r.mail.ret = lies[i].ret;
		r.mail.content_facts = lies[i].facts;
		play(&r, &s, lies[i].steps, NULL);
		went(lies[i].name, &r, &s, lies[i].want,
		    r.client->denied == lies[i].denied);
		run_free(&r);
	}
	one.notify = NOTIFY_NEVER;
	for (i = 0; i < sizeof withouts / sizeof withouts[0]; i++) {
		run_init(&r, spool_file(text, ""), text, "");
		r.mail.rcpt = &one;
		r.mail.n_rcpt = 1;
		r.mail.ret = RET_FULL;
		r.mail.content_facts = withouts[i].facts;
		r.how.without = withouts[i].without;
		play(&r, &s, withouts[i].steps, NULL);
		went(withouts[i].name, &r, &s, "ready rcpt0=250 over=done/250 ",
		    true);
		run_free(&r);
	}
}

static void
wanted(struct tls *tls)
{
	static struct server s;
	char name[80];
	struct run r;
	size_t i;

	for (i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		run_init(&r, spool_file(text, ""), text, "");
		r.mail.n_rcpt = 1;
		r.how.want.level = levels[i].level;
		play(&r, &s, levels[i].steps,
		    levels[i].level == TLS_LEVEL_NO ? NULL : tls);
		snprintf(name, sizeof name, "TLS: %s", levels[i].name);
		went(name, &r, &s, levels[i].want,
		    levels[i].stage == 0 ||
			(r.last.stage == levels[i].stage &&
			    (r.last.cause == CAUSE_TLS) ==
				(levels[i].stage != STAGE_GREETING)));
		run_free(&r);
	}
	/* Nothing is said before TLS. */
	run_init(&r, spool_file(text, ""), text, "");
	r.how.want.level = TLS_LEVEL_VERIFY;
	r.how.want.implicit = true;
	play(&r, &s,
	    (const struct step[]){ { "<20>", "220 mx in the clear\r\n" }, END },
	    tls);
	went("TLS: implicit, and there is none", &r, &s, "lost=later/0 ",
	    r.last.cause == CAUSE_TLS && r.last.stage == STAGE_TLS);
	run_free(&r);
	run_init(&r, spool_file(text, ""), text, "");
	r.how.want.level = TLS_LEVEL_REQUIRE;
	play(&r, &s,
	    (const struct step[]){ HI, OFFERS(TLS_OFFER),
		{ "STARTTLS\r\n", "220 go\r\n" }, END },
	    NULL);
	went("TLS: required, and we have none", &r, &s, "lost=later/0 ",
	    r.last.cause == CAUSE_TLS);
	run_free(&r);
}

/* ---- LIMITS ---- */

static void
limit(void)
{
	static const char *const domains[] = { "a@one.test", "b@ONE.test",
		"c@two.test", "d@three.test", "e@two.test" };
	static const bool fits[] = { true, true, true, false, true };
	struct client_room room = { 0 };
	struct client *c;
	struct loop *l = loop_new();
	char name[80];
	size_t i, n, good = 0;

	for (i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		c = client_new(l);
		n = strlen(limits[i].line);
		client_offer(c,
		    (struct slice){ unit_guard(limits[i].line, n), n });
		snprintf(name, sizeof name, "%s", limits[i].line);
		CHECK(name,
		    c->mail_max == limits[i].mail &&
			c->rcpt_max == limits[i].rcpt &&
			c->rcpt_domain_max == limits[i].domain);
		client_free(&c);
	}
	c = client_new(l);
	CHECK("no LIMITS",
	    client_rcpt_max(c) == UINT32_MAX &&
		client_mail_max(c) == UINT32_MAX);
	client_offer(c, SLICE("LIMITS RCPTMAX=5 RCPTDOMAINMAX=2"));
	for (i = 0; i < 5; i++)
		good += client_room(c, &room, domains[i]) == fits[i];
	CHECK("LIMITS: two domains",
	    good == 5 && room.n == 4 && room.n_domain == 2);
	CHECK("LIMITS: five recipients",
	    client_room(c, &room, "f@one.test") &&
		!client_room(c, &room, "g@one.test"));
	client_offer(c, SLICE("LIMITS RCPTMAX=999 RCPTDOMAINMAX=999"));
	room = (struct client_room){ 0 };
	for (i = 0; i < 100; i++) {
		static char addr[100][32];

		snprintf(addr[i], sizeof addr[i], "a@d%zu.test", i);
		good = client_room(c, &room, addr[i]);
	}
	CHECK("LIMITS: more domains than are counted",
	    !good && room.n == CLIENT_DOMAINS);
	client_forget(c);
	CHECK("LIMITS: forgotten", client_rcpt_max(c) == UINT32_MAX);
	client_free(&c);
	loop_free(&l);
}

/* ---- CHUNKING ---- */

enum { LARGE = 2 * 1024 * 1024 + 1000 };

/* Content of LARGE bytes in lines; the server's buffer is for small ones. */
static struct big_server {
	struct loop *loop;
	int fd;
	struct watch rd;
	char line[256];
	size_t n_line;
	size_t left; /* of a chunk */
	size_t taken, chunks;
	bool last, bad;
	const char *refuses; /* reply to the second chunk */
	const char *dot;     /* replies to the last one */
	const char *content;
} big;

static void
big_say(const char *words)
{
	if (write(big.fd, words, strlen(words)) < 0)
		abort();
}

static void
big_line(void)
{
	static const struct {
		const char *want, *say;
	} replies[] = {
		{ "EHLO", "250-mx\r\n250 CHUNKING\r\n" },
		{ "LHLO", "250-mx\r\n250 CHUNKING\r\n" },
		{ "MAIL", "250 ok\r\n" },
		{ "RCPT", "250 ok\r\n" },
		{ "RSET", "250 ok\r\n" },
	};
	unsigned long long n;
	char word[8] = "";
	size_t i;

	for (i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		if (strncmp(big.line, replies[i].want, 4) == 0) {
			big_say(replies[i].say);
			return;
		}
	}
	if (sscanf(big.line, "BDAT %llu %7s", &n, word) < 1) {
		big.bad = true;
		return;
	}
	big.left = n;
	big.last = strcmp(word, "LAST") == 0;
	big.chunks++;
}

static void
big_byte(char b)
{
	if (big.left > 0) {
		big.bad = big.bad || big.content[big.taken] != b;
		big.taken++;
		if (--big.left == 0)
			big_say(big.chunks == 2 && big.refuses != NULL ?
				big.refuses :
				big.last && big.dot != NULL ? big.dot :
							      "250 ok\r\n");
		return;
	}
	if (big.n_line < sizeof big.line - 1)
		big.line[big.n_line++] = b;
	if (b == '\n') {
		big.line[big.n_line] = '\0';
		big.n_line = 0;
		big_line();
	}
}

static void
big_read(int fd, int what, void *arg)
{
	static char in[65536];
	ssize_t n = read(fd, in, sizeof in), i;

	(void)what;
	(void)arg;
	if (n <= 0) {
		watch_clear(&big.rd);
		return;
	}
	for (i = 0; i < n; i++)
		big_byte(in[i]);
}

static void
big_play(struct run *r, const char *content, const char *refuses,
    const char *dot)
{
	int sv[2];

	pair(sv);
	memset(&big, 0, sizeof big);
	big.content = content;
	big.refuses = refuses;
	big.dot = dot;
	big.fd = sv[1];
	watch_set(r->loop, &big.rd, big.fd, LOOP_READ, big_read, NULL);
	big_say("220 mx\r\n");
	run_go_for(r, sv[0], NULL, 10000);
	watch_clear(&big.rd);
	close(big.fd);
}

static char *
big_content(void)
{
	char *content = malloc(LARGE + 1);
	size_t i;

	if (content == NULL)
		abort();
	for (i = 0; i < LARGE; i++)
		content[i] = i % 100 == 98 ? '\r' :
		    i % 100 == 99          ? '\n' :
		    i % 100 == 0           ? '.' :
					     (char)('a' + i % 26);
	content[LARGE] = '\0';
	return content;
}

static void
chunks(void)
{
	static const struct step without[] = { HI, OFFERS("250-CHUNKING\r\n"),
		MAIL, RCPT, { "DATA\r\n", "451 enough seen\r\n" }, RSET, END };
	static struct server s;
	char *content = big_content();
	struct run r;

	run_init(&r, spool_file(content, ""), content, "");
	big_play(&r, content, NULL, NULL);
	CHECK("CHUNKING: three chunks, each byte as it is",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=done/250 ") == 0 &&
		!big.bad && big.taken == LARGE && big.chunks == 3 && big.last);
	run_free(&r);

	run_init(&r, spool_file(content, ""), content, "");
	big_play(&r, content, "552 5.3.4 too much\r\n", NULL);
	CHECK("CHUNKING: refused in the middle, and reset",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=never/552 ") == 0 &&
		!big.bad && big.chunks == 2);
	run_free(&r);

	run_init(&r, spool_file(content, ""), content, "");
	big_play(&r, content, "500 5.5.1 what is BDAT\r\n", NULL);
	CHECK("CHUNKING: denied",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 lost=later/500/denied ") ==
		    0 &&
		r.client->denied == EXT_CHUNKING);
	run_free(&r);

	run_init(&r, spool_file(content, ""), content, "");
	big_play(&r, content, "421 4.3.0 going down\r\n", NULL);
	CHECK("CHUNKING: 421 in the middle",
	    strcmp(r.log, "ready rcpt0=250 rcpt1=250 over=later/421/closed ") ==
		0);
	run_free(&r);

	/* LMTP: a refusal of one, when others were answered, is no word on
	 * BDAT: what was settled must not be sent again. */
	run_init(&r, spool_file(content, ""), content, "");
	r.how.lmtp = true;
	big_play(&r, content, NULL,
	    "250 2.0.0 ok\r\n503 5.5.1 not this one\r\n");
	CHECK("CHUNKING: LMTP, one of two is refused by 503",
	    strcmp(r.log,
		"ready rcpt0=250 rcpt1=250 set0=250 set1=503 over=done/250 ") ==
		0);
	run_free(&r);

	run_init(&r, spool_file(content, ""), content, "");
	r.mail.n_rcpt = 1;
	r.how.without = EXT_CHUNKING;
	play(&r, &s, without, NULL);
	went("CHUNKING: without, by DATA", &r, &s,
	    "ready rcpt0=250 over=later/451 ", true);
	run_free(&r);

	run_init(&r, spool_file(content, ""), content, "");
	r.mail.n_rcpt = 1;
	r.mail.content_facts = CONTENT_NO_EOL;
	play(&r, &s, without, NULL);
	went("CHUNKING: a last line without its end, by DATA", &r, &s,
	    "ready rcpt0=250 over=later/451 ", true);
	run_free(&r);
	free(content);
}

/* ---- content from elsewhere ---- */

struct other {
	const char *p;
	size_t len, most;
};

static ssize_t
other_read(void *arg, uint8_t *p, size_t len)
{
	struct other *o = arg;

	if (len > o->most)
		len = o->most;
	if (len > o->len)
		len = o->len;
	memcpy(p, o->p, len);
	o->p += len;
	o->len -= len;
	return (ssize_t)len;
}

static void
elsewhere(void)
{
	static const struct step steps[] = { HI,
		{ "EHLO ", "250-mx\r\n250 SIZE\r\n" },
		{ "MAIL FROM:<s@example.com> SIZE=23\r\n", "250 ok\r\n" }, RCPT,
		RCPT2, DATA, SENT, END };
	static const char body[] = "other\r\n.dot\r\n";
	static struct server s;
	struct other o;
	struct run r;
	size_t most;

	for (most = 1; most <= 7; most += 3) {
		o = (struct other){ body, sizeof body - 1, most };
		run_init(&r, spool_file(text, "trace\r\n"), text, "trace\r\n");
		r.mail.field = "f\r\n";
		r.mail.source =
		    (struct client_source){ other_read, &o, sizeof body - 1 };
		play(&r, &s, steps, NULL);
		went("content from elsewhere", &r, &s,
		    "ready rcpt0=250 rcpt1=250 over=done/250 ",
		    strcmp(s.content,
			"f\r\ntrace\r\nother\r\n..dot\r\n.\r\n") == 0);
		run_free(&r);
	}
	o = (struct other){ body, 5, 7 };
	run_init(&r, spool_file(text, ""), text, "");
	r.mail.source = (struct client_source){ other_read, &o, 13 };
	play(&r, &s,
	    (const struct step[]){ HI, OFFERS(), MAIL, RCPT, RCPT2, DATA, SENT,
		END },
	    NULL);
	went("content from elsewhere that ends early", &r, &s,
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed ",
	    s.content[0] == '\0' && r.last.stage == STAGE_PREPARE);
	run_free(&r);
}

static void
bits(void)
{
	struct loop *l = loop_new();
	struct client *c = client_new(l);

	CHECK("7-bit: is wanted where 8BITMIME is not offered",
	    client_needs_7bit(c, CONTENT_8BIT) &&
		!client_needs_7bit(c, CONTENT_LONG));
	client_offer(c, SLICE("8BITMIME"));
	CHECK("7-bit: is not where it is", !client_needs_7bit(c, CONTENT_8BIT));
	client_free(&c);
	loop_free(&l);
}

int
main(void)
{
	const char *why = NULL;
	struct tls *tls = tls_new(NULL, &why);

	signal(SIGPIPE, SIG_IGN);
	denied();
	wanted(tls);
	limit();
	chunks();
	elsewhere();
	bits();
	tls_free(&tls);
	return unit_end();
}
