/*
 * The SMTP client against a server that says whatever it likes, all at once:
 * it comes to an end, each recipient is told of once at most, and nobody is
 * done of whom the server did not say so.
 *
 * The first byte chooses: LMTP, one recipient or three, large content, DSN.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include "fuzz.h"

#include "client.h"
#include "facts.h"

enum { RCPTS = 3, LARGE = 1200000 };

struct run {
	struct loop *loop;
	struct client *client;
	struct client_mail mail;
	unsigned int told[RCPTS], settled[RCPTS];
	bool taken[RCPTS];
	bool ready, ended, lmtp;
	struct timer stop;
};

static int spool;
static const struct client_rcpt to[RCPTS] = {
	{ "a@example.org", "rfc822;a@example.org", NOTIFY_SUCCESS },
	{ "b@example.org", "", 0 },
	{ "c@sub.example.org", NULL, NOTIFY_NEVER },
};

static void
must_be_outcome(const struct outcome *o)
{
	MUST(o->verdict <= NEVER && o->width <= WIDTH_STREAM);
	MUST(o->cause < CAUSES_N && o->stage < STAGES_N);
	MUST(o->verdict != DONE || o->code / 100 == 2);
	MUST(o->verdict != NEVER || o->code / 100 == 5);
	MUST(strnlen(o->text, sizeof o->text) < sizeof o->text);
}

static void
on_ready(void *arg)
{
	struct run *r = arg;

	MUST(!r->ready);
	r->ready = true;
	(void)client_needs_7bit(r->client, CONTENT_8BIT);
	client_mail(r->client, &r->mail);
}

static void
on_rcpt(void *arg, unsigned int i, const struct outcome *o)
{
	struct run *r = arg;

	MUST(i < r->mail.n_rcpt && ++r->told[i] == 1 && !r->ended);
	r->taken[i] = o->verdict == DONE;
	must_be_outcome(o);
}

static void
on_settled(void *arg, unsigned int i, const struct outcome *o)
{
	struct run *r = arg;

	MUST(r->lmtp && i < r->mail.n_rcpt && ++r->settled[i] == 1);
	MUST(r->taken[i] && !r->ended);
	must_be_outcome(o);
}

static void
end(struct run *r, const struct outcome *o)
{
	MUST(!r->ended);
	r->ended = true;
	must_be_outcome(o);
	loop_stop(r->loop);
}

static void
on_over(void *arg, const struct outcome *o)
{
	struct run *r = arg;
	unsigned int i, n = 0;

	MUST(r->ready);
	for (i = 0; i < r->mail.n_rcpt; i++)
		n += r->taken[i];
	MUST(o->verdict != DONE || n > 0);
	end(r, o);
}

static void
on_lost(void *arg, const struct outcome *o)
{
	struct run *r = arg;

	if (r->ended)
		return;
	MUST(o->verdict != DONE);
	end(r, o);
}

/* It waits for what will not come. */
static void
on_silence(void *arg)
{
	struct run *r = arg;

	MUST(r->client->io.deadline.set);
	r->client->io.deadline.fn(r->client->io.deadline.arg);
	loop_stop(r->loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	uint8_t how_byte = fuzz_byte(&all);
	struct run r = { .lmtp = (how_byte & 1) != 0 };
	struct client_owner owner = { .ready = on_ready,
		.rcpt = on_rcpt,
		.settled = on_settled,
		.over = on_over,
		.lost = on_lost,
		.arg = &r };
	struct client_how how = { .helo = "me.example.com",
		.lmtp = r.lmtp,
		.want.level = TLS_LEVEL_NO };
	struct mx_addr addr = { .name = "mx.example.org" };
	int sv[2];

	if (spool == 0) {
		fuzz_quiet();
		spool = memfd_create("spool", MFD_CLOEXEC);
		MUST(spool > 0 && ftruncate(spool, LARGE) == 0);
	}
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		 sv) == 0);
	MUST(write(sv[1], all.p, all.len) == (ssize_t)all.len);
	if ((how_byte & 8) != 0)
		shutdown(sv[1], SHUT_WR);
	r.loop = loop_new();
	r.client = client_new(r.loop);
	r.mail = (struct client_mail){ .sender = "s@example.com",
		.rcpt = to,
		.n_rcpt = (how_byte & 2) != 0 ? RCPTS : 1,
		.field = "",
		.fd = spool,
		.content_len = (how_byte & 4) != 0 ? LARGE : 100,
		.ret = RET_HDRS,
		.content_facts = CONTENT_8BIT };
	client_adopt(r.client, sv[0], &addr, &how, &owner);
	timer_set(r.loop, &r.stop, 2, on_silence, &r);
	loop_run(r.loop);
	MUST(r.ended || r.client->state != CLIENT_CLOSED);
	timer_clear(&r.stop);
	client_free(&r.client);
	loop_free(&r.loop);
	close(sv[1]);
	return 0;
}
