/*
 * AUTH of the SMTP client: a scripted server at one end, a scripted lookup at
 * the other; what is carried between them, and when it is not.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_bench.h"

#include "base64.h"
#include "client_auth.h"
#include "deliver.h"
#include "log.h"

/* ---- lookup ---- */

/* What it answers, one after the other.  text NULL: not at all; say: 0 the
 * text, else one of these. */
enum how {
	SAY,
	REFUSE,    /* text is why */
	SAY_MORE,  /* sasl_is counts more than was said */
	SAY_ODD,   /* a mechanism that is none */
	SAY_HUGE,  /* a piece that says it is larger than it can be */
	SAY_OTHER, /* pieces of another exchange beside */
	SAY_TWICE  /* half, then it is started anew, then all of it */
};

struct answer {
	enum sasl_mech mech;
	const char *text;
	bool proved;
	enum how how;
};

static struct {
	struct proc proc;
	struct deliver d;
	struct ipc_chan ours, its;
	const struct answer *answer;
	struct run *run;
	char big[9001];
	uint32_t mechs, n_asked;
} w;

static void
put(uint64_t sasl, const char *text, size_t n, uint32_t says)
{
	struct sasl_data m;

	memset(&m, 0, sizeof m);
	m.sasl = sasl;
	m.n = says;
	memcpy(m.data, text, n);
	sasl_data_send(&w.its, 0, &m, -1);
}

static size_t
pieces(uint64_t sasl, const char *text)
{
	size_t len = strlen(text), off, n;

	for (off = 0; off < len; off += n) {
		n = len - off < 3072 ? len - off : 3072;
		put(sasl, text + off, n, (uint32_t)n);
	}
	return len;
}

static void
on_sasl_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct sasl_ask *m = msg->body;
	const struct answer *a = w.answer;
	struct sasl_data half = { 0 };
	struct sasl_is is;
	size_t len;

	(void)self;
	w.n_asked++;
	w.mechs = m->mechs;
	note(w.run, "ask%u%s%.*s ", m->step, m->fresh != 0 ? "!" : ":",
	    (int)m->n, (const char *)m->data);
	if (m->step > 0 && (m->n_before != 3 || m->before[0] != 'b'))
		note(w.run, "lost-before ");
	if (strcmp(m->label, "provider") != 0 || m->action != 3 ||
	    strcmp(m->host, "mx.example.org") != 0)
		note(w.run, "wrong-question ");
	memset(&is, 0, sizeof is);
	if (a->text == NULL)
		return;
	w.answer++;
	if (a->how == REFUSE) {
		outcome_set(&is.outcome, LATER, WIDTH_STREAM, 0, "4.7.0", "%s",
		    a->text);
		is.outcome.cause = CAUSE_CONFIG;
		is.outcome.stage = STAGE_AUTH;
		sasl_is_send(from, msg->id, &is, -1);
		return;
	}
	if (a->how == SAY_HUGE)
		put(m->sasl, a->text, strlen(a->text), UINT32_MAX);
	if (a->how == SAY_OTHER)
		put(m->sasl + 1, "other", 5, 5);
	if (a->how == SAY_TWICE) {
		half.sasl = m->sasl;
		half.n = 2;
		client_auth_data(&w.d, &half);
		client_auth_lookup_up(&w.d);
	}
	len = pieces(m->sasl, a->text);
	outcome_set(&is.outcome, DONE, WIDTH_STREAM, 0, NULL, "%s", "");
	is.mech = a->how == SAY_ODD ? SASL_MECHS : a->mech;
	is.bytes = (uint32_t)len + (a->how == SAY_MORE);
	is.proved = a->proved;
	is.n_before = 3;
	memcpy(is.before, "bef", 3);
	sasl_is_send(from, msg->id, &is, -1);
}

static void
on_data(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)self;
	(void)from;
	client_auth_data(&w.d, msg->body);
}

/* ---- a run ---- */

static struct run r;
static struct server s;

static void
try(const struct step *steps, const struct answer *answers, bool insecure)
{
	static ipc_handler *const data[IPC_TYPES] = { [IPC_SASL_DATA] =
							  on_data };
	static ipc_handler *const asks[IPC_TYPES] = { [IPC_SASL_ASK] =
							  on_sasl_ask };
	int sv[2];

	run_init(&r, spool_file("Hi\r\n", ""), "Hi\r\n", "");
	memset(&w.proc, 0, sizeof w.proc);
	memset(&w.d, 0, sizeof w.d);
	TAILQ_INIT(&w.d.auths);
	w.d.p = &w.proc;
	w.proc.loop = r.loop;
	w.answer = answers;
	w.run = &r;
	w.n_asked = 0;
	if (answers != NULL) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) ==
		    -1)
			abort();
		ipc_init(&w.ours, r.loop, PROC_DELIVER, PROC_LOOKUP, 0, data,
		    &w, NULL);
		ipc_attach(&w.ours, sv[0]);
		ipc_init(&w.its, r.loop, PROC_LOOKUP, PROC_DELIVER, 0, asks, &w,
		    NULL);
		ipc_attach(&w.its, sv[1]);
		w.proc.peer[PROC_LOOKUP][0] = &w.ours;
	}
	r.how.login = &w.d;
	r.how.action = 3;
	r.how.insecure = insecure;
	snprintf(r.how.label, sizeof r.how.label, "provider");
	play(&r, &s, steps, NULL);
}

/* True if this is what was heard, and nothing is left of the exchange. */
static bool
heard(const char *log)
{
	bool same = strcmp(r.log, log) == 0 && s.wrong[0] == '\0' &&
	    r.client->auth == NULL && TAILQ_EMPTY(&w.d.auths);

	if (!same)
		printf("heard: %s; wrong: %s\n", r.log, s.wrong);
	return same;
}

/* It is LATER, said by this stage, for this cause. */
static bool
is_later(enum cause cause, const char *words)
{
	return r.last.verdict == LATER && r.last.stage == STAGE_AUTH &&
	    r.last.cause == cause && strstr(r.last.text, words) != NULL;
}

static void
finish(void)
{
	client_free(&r.client);
	CHECK("nothing is left", TAILQ_EMPTY(&w.d.auths));
	r.client = client_new(r.loop);
	if (w.proc.peer[PROC_LOOKUP][0] != NULL) {
		ipc_detach(&w.ours);
		ipc_detach(&w.its);
	}
	run_free(&r);
}

#define OFFER(mechs)                                                           \
	HI,                                                                    \
	{                                                                      \
		"EHLO me.example.com\r\n", "250-mx\r\n250 AUTH " mechs "\r\n"  \
	}
#define MESSAGE MAIL, RCPT, RCPT2, DATA, SENT
#define NOTHING                                                                \
	{                                                                      \
		SASL_PLAIN, NULL, false, SAY                                   \
	}
#define SENT_LOG "ready rcpt0=250 rcpt1=250 over=done/250 "

/* ---- exchanges that end well ---- */

static void
test_good(void)
{
	static const struct step plain[] = { OFFER("LOGIN PLAIN"),
		{ "AUTH PLAIN eHl6\r\n", "235 2.7.0 ok\r\n" }, MESSAGE, END };
	static const struct answer plain_says[] = {
		{ SASL_PLAIN, "xyz", true, SAY }, NOTHING
	};
	static const struct step login[] = { OFFER("LOGIN"),
		{ "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n" },
		{ "Ym9i\r\n", "334 UGFzc3dvcmQ6\r\n" },
		{ "c2VjcmV0\r\n", "235 ok\r\n" }, MESSAGE, END };
	static const struct answer login_says[] = { { SASL_LOGIN, "", false,
							SAY },
		{ SASL_LOGIN, "bob", false, SAY },
		{ SASL_LOGIN, "secret", true, SAY }, NOTHING };
	static const struct step bare[] = { OFFER("SCRAM-SHA-256"),
		{ "AUTH SCRAM-SHA-256 Zg==\r\n", "334 YQ==\r\n" },
		{ "Zw==\r\n", "334\r\n" }, { "\r\n", "235 ok\r\n" }, MESSAGE,
		END };
	static const struct answer bare_says[] = { { SASL_SCRAM, "f", false,
						       SAY },
		{ SASL_SCRAM, "g", false, SAY }, { SASL_SCRAM, "", true, SAY },
		NOTHING };
	static const struct step empty[] = { OFFER("PLAIN"),
		{ "AUTH PLAIN =\r\n", "235 ok\r\n" }, MESSAGE, END };
	static const struct answer empty_says[] = {
		{ SASL_PLAIN, "", true, SAY }, NOTHING
	};
	static const struct answer other_says[] = {
		{ SASL_PLAIN, "xyz", true, SAY_OTHER }, NOTHING
	};
	static const struct answer twice_says[] = {
		{ SASL_PLAIN, "xyz", true, SAY_TWICE }, NOTHING
	};

	try(plain, plain_says, true);
	CHECK("with an initial response", heard("ask0: " SENT_LOG));
	CHECK("what was offered",
	    w.mechs == (1u << SASL_PLAIN | 1u << SASL_LOGIN));
	CHECK("nothing is wiped any more", !r.client->io.out.wipe);
	finish();
	try(login, login_says, true);
	CHECK("with challenges",
	    heard("ask0: ask1:Username: ask2:Password: " SENT_LOG));
	finish();
	try(bare, bare_says, true);
	CHECK("an empty challenge, an empty answer",
	    heard("ask0: ask1:a ask2: " SENT_LOG));
	finish();
	try(empty, empty_says, true);
	CHECK("an empty initial response", heard("ask0: " SENT_LOG));
	finish();
	try(plain, other_says, true);
	CHECK("words for another exchange", heard("ask0: " SENT_LOG));
	finish();
	try(plain, twice_says, true);
	CHECK("lookup was started anew", heard("ask0: " SENT_LOG));
	finish();
}

/* A message of n bytes behind AUTH XOAUTH2, or alone. */
static void
try_long(size_t n, bool alone)
{
	static char line[16384], text[13000];
	struct step steps[] = { OFFER("XOAUTH2"),
		{ alone ? "AUTH XOAUTH2\r\n" : line,
		    alone ? "334 go on\r\n" : "235 ok\r\n" },
		{ alone ? line : NULL, alone ? "235 ok\r\n" : NULL }, END };
	struct answer says[] = { { SASL_XOAUTH2, w.big, true, SAY }, NOTHING };

	memset(w.big, 'x', n);
	w.big[n] = '\0';
	base64_print(BASE64_PLAIN, w.big, n, text);
	snprintf(line, sizeof line, "%s%s\r\n", alone ? "" : "AUTH XOAUTH2 ",
	    text);
	try(steps, says, true);
}

static void
test_long(void)
{
	/* "AUTH XOAUTH2 " + 496 + CRLF = 511 */
	try_long(372, false);
	CHECK("a command line that is full",
	    heard("ask0: ready silence lost=later/0 "));
	finish();
	try_long(373, true);
	CHECK("one that is too long is two",
	    heard("ask0: ready silence lost=later/0 "));
	finish();
	try_long(8000, true);
	CHECK("a long token", heard("ask0: ready silence lost=later/0 "));
	finish();
}

/* ---- exchanges that do not ---- */

/* Columns: name; what the server says to AUTH PLAIN; what is heard; cause,
 * words. */
static const struct {
	const char *name, *says, *heard;
	enum cause cause;
	const char *words;
} refusals[] = {
	{ "535", "535 5.7.8 bad credentials\r\n", "ask0: lost=later/535 ",
	    CAUSE_CONFIG, "bad credentials" },
	{ "535 alone", "535 no\r\n", "ask0: lost=later/535 ", CAUSE_CONFIG,
	    "no" },
	{ "538", "538 5.7.11 encryption\r\n", "ask0: lost=later/538 ",
	    CAUSE_TLS, "encryption" },
	{ "500", "500 what\r\n", "ask0: lost=later/500 ", CAUSE_CONFIG,
	    "what" },
	{ "550", "550 5.7.1 no\r\n", "ask0: lost=later/550 ", CAUSE_CONFIG,
	    "no" },
	{ "454", "454 4.7.0 backend\r\n", "ask0: lost=later/454 ", CAUSE_CONFIG,
	    "backend" },
	{ "not base64", "334 !\r\n", "ask0: lost=later/0 ", CAUSE_CONFIG,
	    "not base64" },
	{ "several lines", "334-YQ==\r\n334 YQ==\r\n", "ask0: lost=later/0 ",
	    CAUSE_CONFIG, "too long" },
};

static void
test_refused(void)
{
	static const struct answer says[] = { { SASL_PLAIN, "xyz", true, SAY },
		NOTHING };
	static char longest[2048];
	struct step steps[] = { OFFER("PLAIN"), { "AUTH PLAIN eHl6\r\n", NULL },
		END };
	size_t i;

	for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		steps[2].say = refusals[i].says;
		try(steps, says, true);
		CHECK(refusals[i].name,
		    heard(refusals[i].heard) &&
			is_later(refusals[i].cause, refusals[i].words));
		finish();
	}
	snprintf(longest, sizeof longest, "334 %01500d\r\n", 0);
	steps[2].say = longest;
	try(steps, says, true);
	CHECK("a long challenge",
	    heard("ask0: lost=later/0 ") && is_later(CAUSE_CONFIG, "too long"));
	finish();
	steps[2].say = "250 ok\r\n";
	try(steps, says, true);
	CHECK("250 is no answer to AUTH",
	    heard("ask0: lost=later/0 ") && r.last.verdict == LATER);
	finish();
	steps[2].say = "354 go\r\n";
	try(steps, says, true);
	CHECK("nor is 354", heard("ask0: lost=later/0 "));
	finish();
	steps[2].say = "421 bye\r\n";
	try(steps, says, true);
	CHECK("421", heard("ask0: lost=later/421 "));
	finish();
	steps[2].say = NULL;
	try(steps, says, true);
	CHECK("it closes", heard("ask0: lost=later/0 "));
	finish();
	steps[2].say = "";
	try(steps, says, true);
	CHECK("it is silent",
	    heard("ask0: silence lost=later/0 ") &&
		strstr(r.last.text, "the reply to AUTH") != NULL);
	finish();
}

static void
test_not_proved(void)
{
	static const struct step early[] = { OFFER("SCRAM-SHA-256"),
		{ "AUTH SCRAM-SHA-256 Zg==\r\n", "235 ok\r\n" }, END };
	static const struct step late[] = { OFFER("SCRAM-SHA-256"),
		{ "AUTH SCRAM-SHA-256 Zg==\r\n", "334 YQ==\r\n" },
		{ "Zw==\r\n", "235 ok\r\n" }, END };
	static const struct answer says[] = { { SASL_SCRAM, "f", false, SAY },
		{ SASL_SCRAM, "g", false, SAY }, NOTHING };
	static const struct answer wrong[] = { { SASL_SCRAM, "f", false, SAY },
		{ SASL_SCRAM, "the server does not know it", false, REFUSE },
		NOTHING };
	/* It has not said anything before the server says 235. */
	static const struct step waiting[] = { OFFER("XOAUTH2"),
		{ "AUTH XOAUTH2\r\n", "235 ok\r\n" }, END };
	struct answer big[] = { { SASL_XOAUTH2, w.big, true, SAY }, NOTHING };

	try(early, says, true);
	CHECK("235 at once",
	    heard("ask0: lost=later/0 ") &&
		is_later(CAUSE_CONFIG, "has not proved"));
	finish();
	try(late, says, true);
	CHECK("235 without a signature",
	    heard("ask0: ask1:a lost=later/0 ") &&
		is_later(CAUSE_CONFIG, "has not proved"));
	finish();
	try(late, wrong, true);
	CHECK("what lookup says of the server",
	    heard("ask0: ask1:a lost=later/0 ") &&
		is_later(CAUSE_CONFIG, "does not know it"));
	finish();
	memset(w.big, 'x', 1000);
	w.big[1000] = '\0';
	try(waiting, big, true);
	CHECK("235 for nothing",
	    heard("ask0: lost=later/0 ") &&
		is_later(CAUSE_CONFIG, "has not proved"));
	finish();
}

static void
test_not_tried(void)
{
	static const struct step none[] = { HI, PLAIN, END };
	static const struct step unknown[] = { OFFER("GSSAPI NTLM EXTERNAL2"),
		END };
	static const struct step old[] = { HI,
		{ "EHLO me.example.com\r\n",
		    "250-mx\r\n250 AUTH=LOGIN PLAIN\r\n" },
		{ "AUTH PLAIN eHl6\r\n", "235 ok\r\n" }, END };
	static const struct step helo[] = { HI,
		{ "EHLO me.example.com\r\n", "502 no\r\n" },
		{ "HELO me.example.com\r\n", "250 mx\r\n" }, END };
	static const struct step offer[] = { OFFER("PLAIN"), END };
	static const struct step names[] = { HI,
		{ "EHLO me.example.com\r\n",
		    "250-mx\r\n250-AUTHX PLAIN\r\n250-auth\r\n250-AUTH\r\n250 Auth  scram-sha-256-plus\tXoauth2 \r\n" },
		END };
	static const struct answer says[] = { { SASL_PLAIN, "xyz", true, SAY },
		NOTHING };

	try(none, says, true);
	CHECK("no AUTH",
	    heard("lost=later/0 ") && is_later(CAUSE_CONFIG, "offers no AUTH"));
	finish();
	try(unknown, says, true);
	CHECK("none that we know",
	    heard("lost=later/0 ") && is_later(CAUSE_CONFIG, "offers no AUTH"));
	finish();
	try(old, says, true);
	CHECK("the old form", heard("ask0: ready silence lost=later/0 "));
	finish();
	try(helo, says, true);
	CHECK("no EHLO",
	    heard("lost=later/0 ") && is_later(CAUSE_CONFIG, "offers no AUTH"));
	finish();
	try(offer, says, false);
	CHECK("no TLS",
	    heard("lost=later/0 ") && is_later(CAUSE_TLS, "no TLS") &&
		w.n_asked == 0);
	finish();
	try(offer, NULL, true);
	CHECK("no lookup",
	    heard("lost=later/0 ") && is_later(CAUSE_SYSTEM, "nobody"));
	finish();
	try(names, says, true);
	CHECK("names in any case",
	    w.mechs == (1u << SASL_SCRAM_PLUS | 1u << SASL_XOAUTH2));
	finish();
}

/* Columns: name, answer. */
static const struct {
	const char *name;
	struct answer says[2];
} odd[] = {
	{ "more was said", { { SASL_PLAIN, "xyz", true, SAY_MORE }, NOTHING } },
	{ "no mechanism", { { SASL_PLAIN, "xyz", true, SAY_ODD }, NOTHING } },
	{ "EXTERNAL", { { SASL_EXTERNAL, "xyz", true, SAY }, NOTHING } },
	{ "a huge piece", { { SASL_PLAIN, "xyz", true, SAY_HUGE }, NOTHING } },
};

static void
test_odd_lookup(void)
{
	static const struct step offer[] = { OFFER("PLAIN"), END };
	static const struct step gone[] = { HI,
		{ "EHLO me.example.com\r\n", "250-mx\r\n250 AUTH PLAIN\r\n" },
		{ NULL, "<close>" }, END };
	static const struct step babble[] = { HI,
		{ "EHLO me.example.com\r\n",
		    "250-mx\r\n250 AUTH PLAIN\r\n235 you are welcome\r\n" },
		END };
	static const struct answer refuses[] = {
		{ SASL_PLAIN, "label provider: table t does not have it", false,
		    REFUSE },
		NOTHING
	};
	static const struct answer silent[] = { NOTHING };
	size_t i;

	/* A piece that is dropped is missed at the end; but "a huge piece" is
	 * followed by a good one. */
	for (i = 0; i < 3; i++) {
		try(offer, odd[i].says, true);
		CHECK(odd[i].name,
		    heard("ask0: lost=later/0 ") &&
			is_later(CAUSE_SYSTEM, "cannot be asked"));
		finish();
	}
	try(offer, refuses, true);
	CHECK("lookup refuses",
	    heard("ask0: lost=later/0 ") &&
		is_later(CAUSE_CONFIG, "does not have it"));
	finish();
	try(gone, silent, true);
	CHECK("the server goes while lookup thinks",
	    strstr(r.log, "lost=later/0") != NULL && r.client->auth == NULL);
	finish();
	try(babble, silent, true);
	CHECK("235 to nothing",
	    strstr(r.log, "ready") == NULL && r.client->auth == NULL);
	finish();
	try(offer, silent, true);
	CHECK("lookup is silent: its deadline runs, not the server's",
	    strcmp(r.log, "ask0: silence ") == 0);
	finish();
}

/* ---- a second try ---- */

static void
test_again(void)
{
	static const struct step mech[] = { OFFER("CRAM-MD5 PLAIN"),
		{ "AUTH CRAM-MD5\r\n", "504 5.5.4 not that one\r\n" },
		{ "AUTH PLAIN eHl6\r\n", "235 ok\r\n" }, MESSAGE, END };
	static const struct answer mech_says[] = { { SASL_CRAM_MD5, "", false,
						       SAY },
		{ SASL_PLAIN, "xyz", true, SAY }, NOTHING };
	static const struct step last[] = { OFFER("CRAM-MD5"),
		{ "AUTH CRAM-MD5\r\n", "504 5.5.4 not that one\r\n" }, END };
	static const struct answer last_says[] = { { SASL_CRAM_MD5, "", false,
						       SAY },
		{ SASL_PLAIN, "no mechanism", false, REFUSE }, NOTHING };
	static const struct step plus[] = {
		OFFER("SCRAM-SHA-256-PLUS SCRAM-SHA-256"),
		{ "AUTH SCRAM-SHA-256-PLUS Zg==\r\n", "334 ZT14\r\n" },
		{ "\r\n", "535 no such binding\r\n" },
		{ "AUTH SCRAM-SHA-256 Zw==\r\n", "235 ok\r\n" }, MESSAGE, END
	};
	static const struct answer plus_says[] = { { SASL_SCRAM_PLUS, "f",
						       false, SAY },
		{ SASL_SCRAM_PLUS, "", false, SAY },
		{ SASL_SCRAM, "g", true, SAY }, NOTHING };
	static const struct step bound[] = {
		OFFER("SCRAM-SHA-256-PLUS SCRAM-SHA-256"),
		{ "AUTH SCRAM-SHA-256-PLUS Zg==\r\n", "334 YQ==\r\n" },
		{ "cHJvb2Y=\r\n", "535 wrong\r\n" }, END
	};
	static const struct answer bound_says[] = { { SASL_SCRAM_PLUS, "f",
							false, SAY },
		{ SASL_SCRAM_PLUS, "proof", false, SAY }, NOTHING };
	static const struct step token[] = { OFFER("XOAUTH2"),
		{ "AUTH XOAUTH2 dDE=\r\n", "334 e30=\r\n" },
		{ "\r\n", "535 expired\r\n" },
		{ "AUTH XOAUTH2 dDI=\r\n", "235 ok\r\n" }, MESSAGE, END };
	static const struct answer token_says[] = { { SASL_XOAUTH2, "t1", true,
							SAY },
		{ SASL_XOAUTH2, "", false, SAY },
		{ SASL_XOAUTH2, "t2", true, SAY }, NOTHING };
	static const struct step never[] = { OFFER("XOAUTH2"),
		{ "AUTH XOAUTH2 dDE=\r\n", "535 5.7.8 expired\r\n" },
		{ "AUTH XOAUTH2 dDI=\r\n", "535 5.7.8 still no\r\n" }, END };
	static const struct answer never_says[] = { { SASL_XOAUTH2, "t1", true,
							SAY },
		{ SASL_XOAUTH2, "t2", true, SAY }, NOTHING };
	static const struct answer none_says[] = { { SASL_XOAUTH2, "t1", true,
						       SAY },
		{ SASL_XOAUTH2, "token web: it has expired", false, REFUSE },
		NOTHING };

	try(mech, mech_says, true);
	CHECK("another mechanism",
	    heard("ask0: ask0: " SENT_LOG) && w.mechs == 1u << SASL_PLAIN);
	finish();
	try(last, last_says, true);
	CHECK("there is none: the server's words count",
	    heard("ask0: ask0: lost=later/504 ") &&
		is_later(CAUSE_CONFIG, "not that one"));
	finish();
	try(plus, plus_says, true);
	CHECK("a binding that is not known there",
	    heard("ask0: ask1:e=x ask0: " SENT_LOG) &&
		w.mechs == 1u << SASL_SCRAM);
	finish();
	try(bound, bound_says, true);
	CHECK("after the proof there is no second try",
	    heard("ask0: ask1:a lost=later/535 ") && w.n_asked == 2);
	finish();
	try(token, token_says, true);
	CHECK("another token", heard("ask0: ask1:{} ask0! " SENT_LOG));
	finish();
	try(never, never_says, true);
	CHECK("not a third time",
	    heard("ask0: ask0! lost=later/535 ") &&
		is_later(CAUSE_CONFIG, "still no"));
	finish();
	try(never, none_says, true);
	CHECK("there is no other token",
	    heard("ask0: ask0! lost=later/0 ") &&
		is_later(CAUSE_CONFIG, "it has expired"));
	finish();
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_to_stderr("unit", false);
	test_good();
	test_long();
	test_refused();
	test_not_proved();
	test_not_tried();
	test_odd_lookup();
	test_again();
	return unit_end();
}
