/*
 * `smtpctl dkim verify`: the DKIM signatures of a message on standard input.
 * Run by an operator; reads the message once and keeps none of its body.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "dkim_verify.h"
#include "smtpctl.h"
#include "smtpctl_dkim.h"
#include "smtpctl_keys.h"
#include "smtpctl_print.h"

struct job {
	struct mail_read mail;
	struct dkim_verify verify;
	bool begun;
};

/* When the header section is known. */
static void
begin(struct job *j)
{
	if (j->begun)
		return;
	j->begun = true;
	dkim_verify_begin(&j->verify, &j->mail, time(NULL));
}

static void
feed(void *arg, const uint8_t *p, size_t len)
{
	struct job *j = arg;
	size_t used = mail_read_header(&j->mail, p, len);

	if (!j->mail.header_done)
		return;
	begin(j);
	mail_read_body(&j->mail, p + used, len - used);
}

static bool
wants(void *arg, unsigned int i, char name[HOST_MAX + 1])
{
	struct job *j = arg;

	return dkim_verify_wants(&j->verify, i, name);
}

static void
take(void *arg, unsigned int i, const struct key_found *found)
{
	struct job *j = arg;

	dkim_verify_key(&j->verify, i, found);
}

/* ---- what is printed ---- */

/* What there is to say of one, beside its result. */
static const char *
reason(const struct dkim_check *c)
{
	if (c->why != NULL)
		return c->why;
	if (c->cut)
		return "the body goes on behind what is signed";
	return c->testing ? "the key is in testing" : "";
}

static const char *
or_dash(const char *text)
{
	return text[0] == '\0' ? "-" : text;
}

static void
print_json(struct buf *b, const struct dkim_check *c)
{
	json_member(b, "{", "result", auth_result_word(c->result));
	json_member(b, ",", "domain", c->domain);
	json_member(b, ",", "selector", c->selector);
	json_member(b, ",", "identity", c->identity);
	json_bool(b, ",", "testing", c->testing);
	json_bool(b, ",", "cut", c->cut);
	json_member(b, ",", "reason", reason(c));
	buf_puts(b, "}\n");
}

static void
print_line(struct smtpctl *c, const struct dkim_check *check)
{
	asker_put(c, auth_result_word(check->result));
	asker_put(c, " d=");
	asker_put(c, or_dash(check->domain));
	asker_put(c, " s=");
	asker_put(c, or_dash(check->selector));
	asker_put(c, " reason=");
	asker_put(c, or_dash(reason(check)));
	buf_puts(&c->out, "\n");
}

static void
print_check(struct smtpctl *c, const struct dkim_check *check)
{
	if (c->json)
		print_json(&c->out, check);
	else
		print_line(c, check);
}

/* Those below the ones that are told apart. */
static void
print_rest(struct smtpctl *c, const struct job *j)
{
	const struct slice name = SLICE("DKIM-Signature");
	struct dkim_check check;
	int row = -1;
	unsigned int i;

	for (i = 0; (row = mail_read_below(&j->mail, name, row)) != -1; i++) {
		if (i < j->verify.n)
			continue;
		if (dkim_check_read(&check, &j->mail.field[row], KIND_DKIM,
			time(NULL))) {
			check.result = RES_POLICY;
			check.why = "too many signatures";
		}
		print_check(c, &check);
	}
}

static void
print_none(struct smtpctl *c)
{
	if (c->json) {
		json_member(&c->out, "{", "result", "none");
		buf_puts(&c->out, "}\n");
	} else
		buf_puts(&c->out, "none\n");
}

static int
verify(struct smtpctl *c, struct asker *a, struct job *j)
{
	const struct dkim_verify *v = &j->verify;
	unsigned int i;

	if (!asker_message(feed, j))
		return EX_IOERR;
	mail_read_finish_header(&j->mail);
	begin(j);
	keys_ask(a, v->n, wants, take, j);
	mail_read_end(&j->mail);
	dkim_verify_finish(&j->verify);
	for (i = 0; i < v->n; i++)
		print_check(c, &v->check[i]);
	if (v->n == 0)
		print_none(c);
	else
		print_rest(c, j);
	if (!smtpctl_flush(c))
		return EX_IOERR;
	return asker_status(dkim_verify_result(v));
}

int
smtpctl_dkim_verify(struct smtpctl *c, int argc, char **argv)
{
	struct job j = { 0 };
	struct asker a = { 0 };
	const char *conf = NULL;
	int status;

	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		conf = argv[2];
	else if (argc != 1)
		return smtpctl_dkim_usage();
	if ((status = asker_open(&a, conf)) != 0)
		return status;
	mail_read_init(&j.mail, MAIL_HEADER_MAX);
	status = verify(c, &a, &j);
	dkim_verify_free(&j.verify);
	mail_read_free(&j.mail);
	asker_close(&a);
	return status;
}
