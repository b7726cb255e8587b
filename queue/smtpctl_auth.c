/*
 * `smtpctl auth`: all that would be found about a message that a client hands
 * in, as the Authentication-Results field that it would get.  Run by an
 * operator; asks the name servers that it was told, and nobody else.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "smtpctl.h"
#include "smtpctl_asker.h"
#include "smtpctl_keys.h"
#include "smtpctl_print.h"
#include "verify.h"

struct work {
	struct asker a;
	struct verify *v;
	const char *conf, *authserv;
	enum conf_dmarc_rules rules;
	const char *client, *helo, *sender;
	char ours[HOST_MAX + 1];
	unsigned int open; /* questions */
	bool done;
};

/* ---- what was typed ---- */

/* NULL, or why not; "": how it is used. */
static const char *
take_args(struct work *w, int argc, char **argv)
{
	for (; argc >= 2 && argv[0][0] == '-'; argc -= 2, argv += 2) {
		if (strcmp(argv[0], "-c") == 0)
			w->conf = argv[1];
		else if (strcmp(argv[0], "-a") == 0)
			w->authserv = argv[1];
		else if (strcmp(argv[0], "-m") != 0)
			return "";
		else if (!asker_rules(argv[1], &w->rules))
			return "no such rules";
	}
	if (argc != 3)
		return "";
	w->client = argv[0];
	w->helo = argv[1];
	w->sender = asker_sender(argv[2]);
	if (!asker_address(w->client))
		return "no address of a client";
	if (w->authserv != NULL && !asker_authserv(w->authserv))
		return "an authserv-id is letters, digits, '-', '.' and '_'";
	if (strlen(w->sender) > ADDR_MAX || strlen(w->helo) > HOST_MAX)
		return "too long";
	return NULL;
}

/* ---- questions ---- */

static void
answered(struct work *w)
{
	if (--w->open == 0)
		w->done = true;
}

static void
on_mail(void *arg, const struct spf_answer *answer)
{
	struct work *w = arg;

	w->v->has_spf = true;
	w->v->spf = *answer;
	answered(w);
}

static void
on_helo(void *arg, const struct spf_answer *answer)
{
	struct work *w = arg;

	w->v->has_helo = true;
	w->v->helo = *answer;
	answered(w);
}

static bool
wants(void *arg, unsigned int i, char name[HOST_MAX + 1])
{
	struct work *w = arg;

	return slice_copy(slice_of(verify_wants(w->v, i)), name, HOST_MAX + 1);
}

static void
take(void *arg, unsigned int i, const struct key_found *found)
{
	struct work *w = arg;

	verify_key(w->v, i, found);
}

static void
ask_senders(struct work *w)
{
	struct spf_query mail = { .client = w->client,
		.helo = w->helo,
		.sender = w->sender,
		.ours = w->ours };
	struct spf_query helo = mail;

	helo.of_helo = true;
	w->open += 2;
	spf_start(w->a.loop, w->a.dns, &mail, on_mail, w);
	spf_start(w->a.loop, w->a.dns, &helo, on_helo, w);
	w->done = w->open == 0;
	asker_wait(&w->a, &w->done);
}

static void
ask_keys(struct work *w)
{
	keys_ask(&w->a, verify_keys(w->v), wants, take, w);
	while (verify_step(w->v))
		continue;
}

static void
on_dmarc(void *arg, const struct dmarc_answer *answer)
{
	struct work *w = arg;

	verify_dmarc_is(w->v, answer);
	w->done = true;
}

static void
ask_policy(struct work *w)
{
	struct dmarc_query q;

	if (!verify_dmarc(w->v, w->rules, &q))
		return;
	w->done = false;
	dmarc_start(w->a.loop, w->a.dns, &q, on_dmarc, w);
	asker_wait(&w->a, &w->done);
}

/* ---- what is said ---- */

/* The field, in lines that end as those of a terminal do.  False: there is no
 * room. */
static bool
make_field(const struct work *w, struct buf *text)
{
	struct auth_say say = { 0 };
	const char *p, *end;
	struct buf field;
	bool ok;

	verify_say(w->v, &say);
	say.authserv = w->authserv != NULL ? w->authserv : w->ours;
	say.client = w->client;
	say.helo_name = w->helo;
	say.sender = w->sender;
	say.applied = "";
	buf_init(&field, 0);
	ok = auth_field_print(&field, &say);
	p = (const char *)buf_data(&field);
	for (end = p + field.len; p < end; p++) {
		/* What is beyond ASCII is UTF-8 here. */
		if (*p == '\t' || *p == '\n' || (*p & 0x80) != 0 ||
		    (*p >= ' ' && *p < 127))
			buf_add(text, p, 1);
		else if (*p != '\r')
			buf_add(text, "?", 1);
	}
	buf_free(&field);
	return ok;
}

static void
print_json(struct buf *b, const struct verify *v, struct buf *text)
{
	uint32_t results = verify_results(v);
	const char *before = "{";
	enum auth_method m;

	for (m = BY_SPF; m < BY_METHODS; m++) {
		json_member(b, before, auth_method_word(m),
		    auth_result_word(auth_result_get(results, m)));
		before = ",";
	}
	buf_add(text, "", 1);
	json_member(b, ",", "field", (const char *)buf_data(text));
	buf_puts(b, "}\n");
}

/* False: there is no room. */
static bool
print(struct smtpctl *c, const struct work *w)
{
	struct buf text;
	bool ok;

	buf_init(&text, 0);
	ok = make_field(w, &text);
	if (c->json)
		print_json(&c->out, w->v, &text);
	else
		buf_add(&c->out, buf_data(&text), text.len);
	buf_free(&text);
	return ok;
}

/* DMARC's word, or where the author's domain says nothing that of who sent or
 * signed it. */
static enum auth_result
judgement(const struct verify *v)
{
	enum auth_result dkim = dkim_verify_result(&v->dkim);
	enum auth_result spf = v->has_spf ? v->spf.result : RES_TEMPERROR;

	if (v->dmarc.result != RES_NONE)
		return v->dmarc.result;
	if (spf == RES_PASS || dkim == RES_PASS)
		return RES_PASS;
	return spf == RES_TEMPERROR || dkim == RES_TEMPERROR ? RES_TEMPERROR :
							       RES_FAIL;
}

static void
feed(void *arg, const uint8_t *p, size_t len)
{
	struct work *w = arg;

	verify_feed(w->v, p, len);
}

static int
work(struct smtpctl *c, struct work *w)
{
	enum auth_result r;

	if (!asker_message(feed, w))
		return EX_IOERR;
	verify_end(w->v);
	ask_senders(w);
	ask_keys(w);
	ask_policy(w);
	r = judgement(w->v);
	if (!print(c, w) || !smtpctl_flush(c))
		return EX_IOERR;
	return asker_status(r);
}

int
do_auth(struct smtpctl *c, int argc, char **argv)
{
	struct work w = { .rules = DMARC_RFC9989 };
	const char *why = take_args(&w, argc, argv);
	int status;

	if (why != NULL)
		return smtpctl_usage(c, why[0] == '\0' ? NULL : why);
	if (w.rules == DMARC_RFC7489 && !dmarc_psl_load()) {
		warnx("there is no list of public suffixes");
		return EX_UNAVAILABLE;
	}
	if (gethostname(w.ours, sizeof w.ours - 1) == -1)
		memcpy(w.ours, "localhost", sizeof "localhost");
	if ((status = asker_open(&w.a, w.conf)) != 0)
		return status;
	w.v = verify_new(MAIL_HEADER_MAX, time(NULL));
	status = work(c, &w);
	verify_free(&w.v);
	asker_close(&w.a);
	dmarc_psl_free();
	return status;
}
