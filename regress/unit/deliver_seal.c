/*
 * deliver/job_seal.c: which messages are sealed, with which key, what goes out
 * without, and what keys may do meanwhile.
 *
 * SPDX-License-Identifier: ISC
 */
#include "arc_world.h"
#include "cert.h"
#include "job_bench.h"

static const char mail[] = "From: a@far.test\r\n"
			   "Subject: x\r\n"
			   "\r\n"
			   "hello\r\n";
static const char fields[] = "Authentication-Results: mx.me.test;\r\n"
			     "\tspf=pass smtp.mailfrom=far.test; arc=none;\r\n"
			     "\tdmarc=pass header.from=far.test\r\n"
			     "Received: by me\r\n"
			     "Authentication-Results: mx.me.test; spf=fail\r\n";

/* What the keys process does. */
static struct {
	EVP_PKEY *key[2];         /* of rows of conf.dkim */
	unsigned int asked, good; /* good: so many are answered well */
	bool goes;                /* then it goes away; else it says later */
	struct ipc_chan chan, asker;
} keys;

static struct job_signed kept;

static void
on_sign_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct sign_ask *ask = msg->body;
	struct sign_is m;

	(void)self;
	memset(&m, 0, sizeof m);
	if (keys.asked++ >= keys.good) {
		if (keys.goes) {
			ipc_detach(from);
			return;
		}
		outcome_set(&m.outcome, LATER, WIDTH_MESSAGE, 0, "4.3.0",
		    "not now");
	} else {
		m.outcome.verdict = DONE;
		m.alg = EVP_PKEY_is_a(keys.key[ask->key], "RSA") ? ALG_RSA :
								   ALG_ED25519;
		m.len =
		    (uint32_t)key_sign(keys.key[ask->key], ask->digest, m.sig);
	}
	sign_is_send(from, msg->id, &m, -1);
}

static void
on_job_signed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	(void)from;
	kept = *(const struct job_signed *)msg->body;
}

static ipc_handler *const keys_handlers[IPC_TYPES] = {
	[IPC_SIGN_ASK] = on_sign_ask,
};
static ipc_handler *const seal_handlers[IPC_TYPES] = {
	[IPC_JOB_WANT] = on_want,
	[IPC_JOB_RESULT] = on_result,
	[IPC_JOB_END] = on_job_end,
	[IPC_JOB_SIGNED] = on_job_signed,
};

static const struct manner later[HOSTS] = { { .dot = "451 4.3.0 later" } };

/* As test_start(), with two keys of ours and a keys process. */
static void
start(struct test *t, const char *domain)
{
	struct conf_dkim rows[2];
	struct sign_key said = { 0 };
	struct conf *c;

	test_start(t, later);
	t->queue.handlers = seal_handlers;
	c = (struct conf *)t->d.conf;
	memset(rows, 0, sizeof rows);
	rows[0].domain = image_text(c, "ed.test");
	rows[1].domain = image_text(c, "me.test");
	rows[0].selector = rows[1].selector = image_text(c, "s");
	image_rows(c, &c->dkim, rows, 2, sizeof rows[0]);
	c->arc_seal = image_text(c, domain);
	dkim_keys_free(&t->d.keys);
	dkim_keys_init(&t->d.keys, c);
	for (said.key = 0; said.key < 2; said.key++) {
		said.alg = EVP_PKEY_is_a(keys.key[said.key], "RSA") ?
		    ALG_RSA :
		    ALG_ED25519;
		dkim_keys_set(&t->d.keys, &said);
	}
	ipc_init(&keys.chan, t->loop, PROC_KEYS, PROC_DELIVER, 0, keys_handlers,
	    t, on_ipc_lost);
	ipc_init(&keys.asker, t->loop, PROC_DELIVER, PROC_KEYS, 0,
	    deliver_handlers, t, on_ipc_lost);
	join(&keys.chan, &keys.asker);
	ipc_go(&keys.asker);
	t->proc.peer[PROC_KEYS][0] = &keys.asker;
	keys.asked = 0;
	keys.good = 9;
	keys.goes = false;
	memset(&kept, 0, sizeof kept);
}

static void
stop(struct test *t)
{
	test_stop(t);
	ipc_detach(&keys.chan);
	ipc_detach(&keys.asker);
}

static uint32_t
facts_of(enum auth_result arc)
{
	uint32_t results = auth_result_put(0, BY_SPF, RES_PASS);

	return auth_result_put(results, BY_ARC, arc) << CONTENT_RESULTS_SHIFT;
}

/* One message is given. */
static void
put_job(struct test *t, const char *text, const char *top, uint32_t facts,
    uint32_t flags, const char *before)
{
	int fd = memfd_create("spool", MFD_CLOEXEC);
	struct job_take take;
	struct job_rcpt rcpt;
	struct job_field field;
	struct job_go go = { .job = 7 };
	struct buf all;

	buf_init(&all, 0);
	buf_puts(&all, text);
	buf_puts(&all, top);
	if (fd == -1 || write(fd, buf_data(&all), all.len) != (ssize_t)all.len)
		abort();
	memset(&take, 0, sizeof take);
	take.job = take.id = 7;
	take.content_len = take.trace_off = strlen(text);
	take.trace_len = strlen(top);
	take.sum = XXH3_64bits(buf_data(&all), all.len);
	take.content_facts = facts;
	take.n_rcpt = 1;
	take.group = CONF_NONE;
	take.flags = flags;
	strlcpy(take.route, "mx:one.test", sizeof take.route);
	strlcpy(take.sender, "a@far.test", sizeof take.sender);
	buf_free(&all);
	job_take(&t->d, &take, fd);
	memset(&rcpt, 0, sizeof rcpt);
	rcpt.job = 7;
	strlcpy(rcpt.rcpt, "r@example.org", sizeof rcpt.rcpt);
	job_rcpt(&t->d, &rcpt);
	if (before != NULL) {
		memset(&field, 0, sizeof field);
		field.job = 7;
		strlcpy(field.field, before, sizeof field.field);
		job_field(&t->d, &field);
	}
	job_go(&t->d, &go);
}

/* The same, tried once. */
static void
try(struct test *t, const char *text, const char *top, uint32_t facts,
    uint32_t flags, const char *before)
{
	put_job(t, text, top, facts, flags, before);
	test_run(t, 1);
}

/* Whether what was kept is a set that holds on top of text. */
static bool
holds(const struct world *w, const char *text, unsigned int sets)
{
	struct arc_is is;
	struct buf all;

	buf_init(&all, 0);
	buf_puts(&all, kept.field);
	buf_puts(&all, text);
	is = mail_verify(w, buf_data(&all), all.len);
	buf_free(&all);
	return is.result == RES_PASS && is.sets == sets;
}

static void
test_sealed(const struct world *w)
{
	static struct test t;
	char *chain;

	start(&t, "me.test");
	try(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
	CHECK("a stranger's message is sealed",
	    keys.asked == 2 && t.server[0].mails == 1 && holds(w, mail, 1));
	CHECK("its fields in their order",
	    strncmp(kept.field, "ARC-Seal: i=1; a=rsa-sha256;", 28) == 0 &&
		strstr(kept.field, "\r\nARC-Message-Signature: i=1;") <
		    strstr(kept.field, "\r\nARC-Authentication-Results: i=1;"));
	CHECK("the results are those of our topmost field",
	    strstr(kept.field,
		"i=1; mx.me.test;\r\n\tspf=pass smtp.mailfrom=far.test;\r\n\tarc=none;\r\n\tdmarc=pass header.from=far.test\r\n") !=
		NULL);
	if (asprintf(&chain, "%s%s", kept.field, mail) == -1)
		abort();
	try(&t, chain, fields, facts_of(RES_PASS), 0, NULL);
	CHECK("a chain goes on",
	    strstr(kept.field, "i=2;") != NULL && holds(w, chain, 2));
	memset(&kept, 0, sizeof kept);
	keys.asked = 0;
	try(&t, mail, fields, facts_of(RES_NONE), 0, "ARC-Seal: x\r\n");
	CHECK("what was sealed before is not sealed again",
	    keys.asked == 0 && t.server[0].mails == 3 && kept.field[0] == '\0');
	stop(&t);
	free(chain);
	start(&t, "ed.test");
	try(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
	CHECK("a domain with Ed25519 alone seals with that",
	    strstr(kept.field, "a=ed25519-sha256; t=") != NULL &&
		holds(w, mail, 1));
	stop(&t);
}

/* Columns: name, the content, our fields, facts, flags, questions to keys,
 * begin of what is put on top. */
static const struct {
	const char *name, *mail, *fields;
	uint32_t facts;
	uint32_t flags;
	unsigned int asked;
	const char *top;
} others[] = {
	{ "ours is signed and not sealed", "From: a@me.test\r\n\r\nx\r\n",
	    fields, 0, ROUTE_ORIGIN, 1, "DKIM-Signature:" },
	{ "ours is not sealed, with no key for it", mail, fields, 0,
	    ROUTE_ORIGIN, 0, "" },
	{ "ours, verified as by chance", mail, fields, RES_NONE, ROUTE_ORIGIN,
	    0, "" },
	{ "nobody looked when it came", mail, fields, 0, 0, 0, "" },
	{ "what arc was is not known", mail, fields, RES_TEMPERROR, 0, 0, "" },
	{ "a chain that was not there", mail, fields, RES_PASS, 0, 0, "" },
	{ "no field of ours", mail, "Received: by me\r\n", RES_NONE, 0, 0, "" },
	{ "a field without an authserv-id", mail,
	    "Authentication-Results: ; none\r\n", RES_NONE, 0, 0, "" },
	{ "no author", "To: a@b\r\n\r\nx\r\n", fields, RES_NONE, 0, 0, "" },
	{ "a chain that said so before",
	    "ARC-Seal: i=1; cv=fail\r\nFrom: a@b\r\n\r\nx\r\n", fields,
	    RES_FAIL, 0, 0, "" },
	{ "a chain that fails now",
	    "ARC-Seal: i=1; cv=none\r\nFrom: a@b\r\n\r\nx\r\n", fields,
	    RES_FAIL, 0, 2, "ARC-Seal: i=2;" },
};

static void
test_others(void)
{
	static struct test t;
	uint32_t facts;
	size_t i;

	for (i = 0; i < sizeof others / sizeof *others; i++) {
		start(&t, "me.test");
		facts = others[i].facts == 0 ? 0 : facts_of(others[i].facts);
		try(&t, others[i].mail, others[i].fields, facts,
		    others[i].flags, NULL);
		CHECK(others[i].name,
		    keys.asked == others[i].asked && t.server[0].mails == 1 &&
			strncmp(kept.field, others[i].top,
			    strlen(others[i].top)) == 0 &&
			(kept.field[0] == '\0') == (others[i].top[0] == '\0'));
		stop(&t);
	}
	start(&t, "me.test");
	((struct conf *)t.d.conf)->arc_seal = 0;
	try(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
	CHECK("without `arc seal`", keys.asked == 0 && t.server[0].mails == 1);
	stop(&t);
	start(&t, "me.test");
	try(&t, mail, fields, facts_of(RES_NONE) | CONTENT_BINARY, 0, NULL);
	CHECK("binary content is not sealed", keys.asked == 0);
	stop(&t);
}

static void
test_keys(void)
{
	static struct test t;
	unsigned int good;

	for (good = 0; good < 2; good++) {
		start(&t, "me.test");
		keys.good = good;
		try(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
		CHECK("keys cannot sign: later",
		    keys.asked == good + 1 && t.server[0].conns == 0 &&
			strstr(t.log, "later/0/4.7.5") != NULL);
		stop(&t);
	}
	start(&t, "me.test");
	t.proc.peer[PROC_KEYS][0] = NULL;
	try(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
	CHECK("no keys process: later",
	    t.server[0].conns == 0 && strstr(t.log, "later/0/4.7.5") != NULL);
	stop(&t);
	start(&t, "me.test");
	t.d.keys.alg[1] = 0;
	try(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
	CHECK("keys has not said what it has: later",
	    keys.asked == 0 && strstr(t.log, "later/0/4.7.5") != NULL);
	stop(&t);
	/* Keys is away, the job is dropped, and keys is back. */
	start(&t, "me.test");
	keys.good = 1;
	keys.goes = true;
	put_job(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
	test_run(&t, 0);
	CHECK("keys goes away: it is waited for",
	    keys.asked == 2 && !TAILQ_EMPTY(&t.d.jobs) && t.ends == 0);
	job_drop(TAILQ_FIRST(&t.d.jobs));
	keys.good = 9;
	join(&keys.chan, &keys.asker);
	ipc_go(&keys.asker);
	try(&t, mail, fields, facts_of(RES_NONE), 0, NULL);
	CHECK("and the next one is sealed",
	    keys.asked == 4 && kept.field[0] != '\0');
	stop(&t);
}

/* Many signatures: the set fits, with what counts. */
static void
test_long(const struct world *w)
{
	static struct test t;
	struct buf top;
	unsigned int i;

	buf_init(&top, 0);
	buf_puts(&top,
	    "Authentication-Results: mx.me.test; spf=pass smtp.mailfrom=a.test");
	for (i = 0; i < 64; i++)
		buf_printf(&top,
		    ";\r\n\tdkim=pass header.d=a-rather-long-domain-name-%u.test header.s=selector header.b=AbCdEfGh",
		    i);
	buf_puts(&top, ";\r\n\tarc=none; dmarc=pass header.from=a.test\r\n");
	buf_add(&top, "", 1);
	start(&t, "me.test");
	try(&t, mail, (const char *)buf_data(&top), facts_of(RES_NONE), 0,
	    NULL);
	CHECK("too many results are cut",
	    holds(w, mail, 1) && strlen(kept.field) <= SIG_MAX &&
		strlen(kept.field) > SIG_MAX - 200 &&
		strstr(kept.field, "spf=pass") != NULL &&
		strstr(kept.field, "arc=none") != NULL &&
		strstr(kept.field, "dmarc=pass") != NULL &&
		strstr(kept.field, "name-0.test") != NULL &&
		strstr(kept.field, "name-63.test") == NULL);
	stop(&t);
	buf_free(&top);
}

int
main(void)
{
	struct world w = { 0 };

	(void)give;
	signal(SIGPIPE, SIG_IGN);
	keys.key[0] = cert_key("ED25519");
	keys.key[1] = cert_key("RSA:2048");
	world_publish(&w, "s._domainkey.ed.test", keys.key[0]);
	world_publish(&w, "s._domainkey.me.test", keys.key[1]);
	test_sealed(&w);
	test_others();
	test_keys();
	test_long(&w);
	EVP_PKEY_free(keys.key[0]);
	EVP_PKEY_free(keys.key[1]);
	world_free(&w);
	return unit_end();
}
