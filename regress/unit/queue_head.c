/*
 * The head of a spool file: printed and read back, and what is no head.
 *
 * SPDX-License-Identifier: ISC
 */
#include "head.h"

#include <stdint.h>

#include "id.h"
#include "unit.h"

static struct head_rcpt two[] = {
	{ .state = RCPT_WAITING, .addr = "bob@example.net" },
	{ .state = RCPT_WAITING, .addr = "\"a b\"@[192.0.2.1]" },
};

static struct head
sample(void)
{
	return (struct head){ .id = UINT64_C(0x1234567890ab0000),
		.arrived = INT64_C(1763718151123456),
		.facts = { .flags = FACT_ESMTP | FACT_TLS,
		    .port = 51812,
		    .client = "192.0.2.7",
		    .helo = "mail.example.org",
		    .rdns = "mail.example.org",
		    .tag = "submission",
		    .auth = "alice" },
		.sender = "alice@example.org",
		.rcpt = two,
		.n_rcpt = 2 };
}

static const char *
parse(const char *in, size_t len, struct arena *a, struct head *h, bool *more)
{
	return head_parse(unit_guard(in, len), len, a, h, more);
}

static int
same_parent(const struct head *a, const struct head *b)
{
	if (a->of.addr == NULL || b->of.addr == NULL)
		return a->of.addr == b->of.addr;
	return a->of.id == b->of.id && a->of.n == b->of.n &&
	    strcmp(a->of.addr, b->of.addr) == 0;
}

static int
same_params(const struct head *a, const struct head *b)
{
	uint32_t i;

	if (memcmp(&a->params, &b->params, sizeof a->params) != 0)
		return 0;
	for (i = 0; i < a->n_rcpt; i++) {
		if (a->rcpt[i].notify != b->rcpt[i].notify ||
		    strcmp(a->rcpt[i].orcpt,
			b->rcpt[i].orcpt == NULL ? "" : b->rcpt[i].orcpt) !=
			0 ||
		    strcmp(a->rcpt[i].leaf,
			b->rcpt[i].leaf == NULL ? "" : b->rcpt[i].leaf) != 0)
			return 0;
	}
	return 1;
}

/* With parameters of MAIL and RCPT. */
static struct head
with_params(void)
{
	static struct head_rcpt rcpts[] = {
		{ .state = RCPT_WAITING,
		    .addr = "bob@example.net",
		    .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE,
		    .orcpt = "rfc822;bob+2Bx@example.org" },
		{ .state = RCPT_WAITING,
		    .addr = "carol@example.net",
		    .notify = NOTIFY_NEVER },
		{ .state = RCPT_WAITING,
		    .addr = "dave@example.net",
		    .orcpt = "utf-8;d\xc3\xa4ve@example.net" },
	};
	struct head h = sample();

	h.params = (struct mail_params){ .body = BODY_8BITMIME,
		.ret = RET_HDRS,
		.envid = "QQ314159+3D%41" };
	h.rcpt = rcpts;
	h.n_rcpt = 3;
	return h;
}

static struct head
child(void)
{
	struct head h = sample();

	h.facts.flags |= FACT_EXPANDED;
	h.of.id = h.id - 6 * ID_STEP;
	h.of.n = 2;
	h.of.addr = "team@example.org";
	return h;
}

/* With leaves: one alone, one behind parameters, none. */
static struct head
with_leaves(void)
{
	static struct head_rcpt rcpts[] = {
		{ .state = RCPT_WAITING,
		    .addr = "dave@mail.example.org",
		    .leaf = "m inbox dave" },
		{ .state = RCPT_DELIVERED,
		    .addr = "team@mail.example.org",
		    .notify = NOTIFY_FAILURE,
		    .orcpt = "rfc822;team@example.org",
		    .leaf = "p 0123abcd %41<>\xc3\xa4" },
		{ .state = RCPT_WAITING, .addr = "carol@example.net" },
	};
	struct head h = child();

	h.rcpt = rcpts;
	h.n_rcpt = 3;
	return h;
}

/* Printed and read back, it is the same. */
static void
check_round(const char *name, struct head *h)
{
	struct arena a;
	struct head back;
	struct buf b;
	const char *why;
	bool more, same;
	uint32_t i;

	arena_init(&a, 0);
	buf_init(&b, 0);
	buf_puts(&b, "before");
	if (!head_print(&b, h)) {
		CHECK(name, 0);
		return;
	}
	buf_drain(&b, 6);
	why = parse((const char *)buf_data(&b), b.len, &a, &back, &more);
	same = why == NULL && back.id == h->id && back.arrived == h->arrived &&
	    memcmp(&back.facts, &h->facts, sizeof back.facts) == 0 &&
	    strcmp(back.sender, h->sender) == 0 && back.n_rcpt == h->n_rcpt &&
	    same_parent(&back, h) && same_params(&back, h) &&
	    back.len == h->len && b.len == h->len;
	for (i = 0; same && i < h->n_rcpt; i++)
		same = strcmp(back.rcpt[i].addr, h->rcpt[i].addr) == 0 &&
		    back.rcpt[i].state == h->rcpt[i].state &&
		    back.rcpt[i].off == h->rcpt[i].off &&
		    buf_data(&b)[h->rcpt[i].off] == h->rcpt[i].state;
	CHECK(name, same);
	arena_free(&a);
	buf_free(&b);
}

static void
rounds(void)
{
	static char longest[ADDR_MAX + 1];
	static char orcpt[ORCPT_MAX + 1], leaf[LEAF_TEXT_MAX + 1];
	static struct head_rcpt many[RCPT_MAX];
	struct head h = sample();
	const char states[] = "qwhHbDXdfrx";
	uint32_t i;

	check_round("all facts", &h);
	h.facts = (struct facts){ .flags = FACT_SOCKET, .uid = 1000 };
	check_round("no facts but a uid", &h);
	h.sender = "";
	check_round("null sender", &h);
	h.arrived = 0;
	h.sender = "\xc3\xa4%41 <>\r\n\x01@example.org";
	check_round("every byte is escaped", &h);
	memset(longest, '%', ADDR_MAX);
	h.sender = longest;
	memset(h.facts.helo, 0xff, HOST_MAX);
	memset(h.facts.auth, '"', ADDR_MAX);
	check_round("longest texts", &h);
	h = with_params();
	check_round("parameters", &h);
	h.params = (struct mail_params){ .ret = RET_FULL };
	check_round("one parameter", &h);
	memset(h.params.envid, '%', ENVID_MAX);
	check_round("the longest ENVID", &h);
	h = child();
	check_round("a child", &h);
	h.facts = (struct facts){ .flags = FACT_EXPANDED };
	h.of.n = RCPT_MAX - 1;
	h.of.addr = longest;
	check_round("a child of the last recipient", &h);
	h = with_leaves();
	check_round("leaves", &h);
	h = sample();
	for (i = 0; states[i] != '\0'; i++)
		many[i] = (struct head_rcpt){ .state = states[i],
			.addr = "x@example.org" };
	h.rcpt = many;
	h.n_rcpt = i;
	check_round("each state", &h);
	for (i = 0; i < RCPT_MAX; i++)
		many[i] =
		    (struct head_rcpt){ .state = i % 3 == 0 ? RCPT_DELIVERED :
							      RCPT_WAITING,
			    .addr = i % 2 == 0 ? longest : "x@example.org" };
	h.n_rcpt = RCPT_MAX;
	check_round("30000 recipients", &h);
	memset(orcpt, 'o', ORCPT_MAX);
	for (i = 0; i < RCPT_MAX; i++)
		many[i].orcpt = orcpt;
	check_round("30000 recipients with the longest ORCPT", &h);
	memset(leaf, '%', LEAF_TEXT_MAX);
	for (i = 0; i < RCPT_MAX; i++)
		many[i].leaf = leaf;
	h.of = child().of;
	check_round("and the longest leaf", &h);
	CHECK("which are not too long", h.len <= HEAD_LEN_MAX);
}

/* Cut anywhere, it asks for more and never reads past the cut. */
static void
cuts(struct head h)
{
	struct head back;
	struct arena a;
	struct buf b;
	size_t n, wrong = 0;
	bool more;

	buf_init(&b, 0);
	arena_init(&a, 0);
	head_print(&b, &h);
	for (n = 0; n < b.len; n++) {
		if (parse((const char *)buf_data(&b), n, &a, &back, &more) ==
			NULL ||
		    !more)
			wrong++;
		arena_free(&a);
	}
	CHECK("each prefix asks for more", wrong == 0);
	buf_puts(&b, "the content");
	CHECK("content behind it",
	    parse((const char *)buf_data(&b), b.len, &a, &back, &more) ==
		    NULL &&
		back.len == h.len);
	arena_free(&a);
	buf_free(&b);
}

/* Each byte but a state changed to another is found. */
static void
flips(struct head h)
{
	struct head back;
	size_t n, i, wrong = 0;
	struct arena a;
	struct buf b;
	uint8_t *p, was;
	bool more, state;

	buf_init(&b, 0);
	arena_init(&a, 0);
	head_print(&b, &h);
	p = b.mem + b.off;
	for (n = 0; n < b.len; n++) {
		state = false;
		for (i = 0; i < h.n_rcpt; i++)
			state = state || h.rcpt[i].off == n;
		was = p[n];
		p[n] ^= 1;
		if (parse((const char *)p, b.len, &a, &back, &more) == NULL &&
		    !state)
			wrong++;
		arena_free(&a);
		p[n] = was;
	}
	CHECK("each changed byte is found", wrong == 0);
	p[h.rcpt[1].off] = RCPT_DELIVERED;
	CHECK("a state may change",
	    parse((const char *)p, b.len, &a, &back, &more) == NULL &&
		back.rcpt[1].state == RCPT_DELIVERED &&
		back.rcpt[0].state == RCPT_WAITING);
	arena_free(&a);
	p[h.rcpt[1].off] = 'z';
	CHECK("but not to no state",
	    parse((const char *)p, b.len, &a, &back, &more) != NULL && !more);
	arena_free(&a);
	buf_free(&b);
}

/* Bad heads: none of them asks for more. */
static void
bad(void)
{
#define START  "postern 1\nid: 0DZ5KQ2X4M000\narrived: 1.000001\n"
#define CLIENT "client: - port 0 flags 1 uid 0\n"
#define OF     "of: 0DZ5KQ2X4M000 0 <a@b>\n"
#define SUM    "sum: 0123456789abcdef\n\n"
	static const char *const rows[][2] = {
		{ "other version", "postern 2\nid: 0DZ5KQ2X4M000\n" },
		{ "garbage",
		    "\x7f"
		    "ELF" },
		{ "no id", "postern 1\nid: 0DZ5KQ\n" },
		{ "id too large", "postern 1\nid: ZZZZZZZZZZZZZ\n" },
		{ "no time", "postern 1\nid: 0DZ5KQ2X4M000\narrived: \n" },
		{ "time too large",
		    "postern 1\nid: 0DZ5KQ2X4M000\narrived: 99999999999999999999.000000\n" },
		{ "half a microsecond",
		    "postern 1\nid: 0DZ5KQ2X4M000\narrived: 1.5\n" },
		{ "no client", START "from: <>\n" },
		{ "port too large",
		    START "client: - port 65536 flags 1 uid 0\n" },
		{ "no from", START CLIENT "rcpt: q <a@b>\n" },
		{ "no brackets", START CLIENT "from: a@b\n" },
		{ "cut escape", START CLIENT "from: <%4>\n" },
		{ "escaped NUL", START CLIENT "from: <%00>\n" },
		{ "blank", START CLIENT "from: <a b@c>\n" },
		{ "fact twice", START CLIENT "tag: a\ntag: a\n" },
		{ "tag too long",
		    START CLIENT "tag: 012345678901234567890123456789012\n" },
		{ "a parent without an id",
		    START CLIENT "of: 0DZ5KQ 0 <a@b>\nfrom: <>\n" },
		{ "a parent without a number",
		    START CLIENT "of: 0DZ5KQ2X4M000 <a@b>\nfrom: <>\n" },
		{ "a parent's number too large",
		    START CLIENT "of: 0DZ5KQ2X4M000 30000 <a@b>\nfrom: <>\n" },
		{ "a parent without an address",
		    START CLIENT "of: 0DZ5KQ2X4M000 0 a@b\nfrom: <>\n" },
		{ "a parent twice",
		    START CLIENT
		    "of: 0DZ5KQ2X4M000 0 <a@b>\nof: 0DZ5KQ2X4M000 0 <a@b>\n" },
		{ "a parent behind the sender",
		    START CLIENT "from: <>\nof: 0DZ5KQ2X4M000 0 <a@b>\n" SUM },
		{ "no recipient", START CLIENT "from: <>\n" SUM },
		{ "no state", START CLIENT "from: <>\nrcpt: <a@b>\n" SUM },
		{ "no parameter",
		    START CLIENT "from: <>\nparams:\nrcpt: q <a@b>\n" },
		{ "an unknown parameter",
		    START CLIENT "from: <>\nparams: SIZE=1\n" },
		{ "an unknown BODY",
		    START CLIENT "from: <>\nparams: BODY=9BIT\n" },
		{ "an unknown RET",
		    START CLIENT "from: <>\nparams: RET=ALL\n" },
		{ "an empty ENVID", START CLIENT "from: <>\nparams: ENVID=\n" },
		{ "parameters in another order",
		    START CLIENT "from: <>\nparams: RET=FULL BODY=7BIT\n" },
		{ "a parameter twice",
		    START CLIENT "from: <>\nparams: RET=FULL RET=FULL\n" },
		{ "parameters twice",
		    START CLIENT
		    "from: <>\nparams: RET=FULL\nparams: RET=FULL\n" SUM },
		{ "an unknown NOTIFY",
		    START CLIENT "from: <>\nrcpt: q <a@b> NOTIFY=OFTEN\n" },
		{ "NEVER and more",
		    START CLIENT
		    "from: <>\nrcpt: q <a@b> NOTIFY=NEVER,DELAY\n" },
		{ "an empty ORCPT",
		    START CLIENT "from: <>\nrcpt: q <a@b> ORCPT=\n" },
		{ "a blank at the end",
		    START CLIENT "from: <>\nrcpt: q <a@b> \n" },
		{ "an empty leaf",
		    START CLIENT OF "from: <>\nrcpt: q <a@b> FOR=\n" },
		{ "a leaf before another parameter",
		    START CLIENT OF
		    "from: <>\nrcpt: q <a@b> FOR=m ORCPT=rfc822;a@b\n" },
		{ "two leaves",
		    START CLIENT OF "from: <>\nrcpt: q <a@b> FOR=m FOR=n\n" },
		{ "a leaf of no child",
		    START CLIENT "from: <>\nrcpt: q <a@b> FOR=m\n" },
		{ "wrong sum", START CLIENT "from: <>\nrcpt: q <a@b>\n" SUM },
	};
	struct head h;
	struct arena a;
	size_t i;
	bool more;

	arena_init(&a, 0);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		more = false;
		CHECK(rows[i][0],
		    parse(rows[i][1], strlen(rows[i][1]), &a, &h, &more) !=
			    NULL &&
			!more);
		arena_free(&a);
	}
}

/* A ceiling is met in order, not past it. */
static void
ceilings(void)
{
	struct head h = sample(), back;
	struct arena a;
	struct buf b;
	bool more;

	buf_init(&b, 64);
	CHECK("no room to print", !head_print(&b, &h) && b.len == 0);
	buf_free(&b);
	buf_init(&b, 0);
	head_print(&b, &h);
	arena_init(&a, 48);
	CHECK("no room to read",
	    parse((const char *)buf_data(&b), b.len, &a, &back, &more) !=
		    NULL &&
		!more);
	arena_free(&a);
	buf_free(&b);
}

int
main(void)
{
	rounds();
	cuts(sample());
	cuts(child());
	cuts(with_params());
	cuts(with_leaves());
	flips(sample());
	flips(child());
	flips(with_params());
	flips(with_leaves());
	bad();
	ceilings();
	return unit_end();
}
