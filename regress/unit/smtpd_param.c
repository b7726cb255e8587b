/*
 * Parameters of MAIL and RCPT.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_param.h"
#include "unit.h"

#define ALL   (OFFER_DSN | OFFER_AUTH)
#define X100  X20 X20 X20 X20 X20
#define X20   "xxxxxxxxxxxxxxxxxxxx"
#define GOOD  REPLY_NONE
#define VALUE REPLY_BAD_VALUE
#define NONE  REPLY_NO_PARAM

/* Columns: what stands behind the path, what is offered, reply. */
static const struct {
	const char *in;
	uint32_t offers;
	enum reply reply;
} of_mail[] = {
	{ "", ALL, GOOD },
	{ " ", ALL, GOOD },
	{ "  SIZE=1  BODY=8bitmime ", ALL, GOOD },
	{ " SIZE=18446744073709551615", ALL, GOOD },
	{ " SIZE=18446744073709551616", ALL, VALUE },
	{ " SIZE=", ALL, VALUE },
	{ " SIZE", ALL, VALUE },
	{ " SIZE=-1", ALL, VALUE },
	{ " SIZE=1 size=1", ALL, VALUE },
	{ "SIZE=1", ALL, REPLY_NEED_ARGUMENT },
	{ " BODY=7BIT", ALL, GOOD },
	{ " BODY=BINARYMIME", ALL, GOOD },
	{ " BODY=9BIT", ALL, VALUE },
	{ " SMTPUTF8", ALL, GOOD },
	{ " SMTPUTF8=", ALL, VALUE },
	{ " SMTPUTF8 SMTPUTF8", ALL, VALUE },
	{ " RET=FULL ENVID=a+2Bb", ALL, GOOD },
	{ " RET=FULL", OFFER_AUTH, NONE },
	{ " RET=", ALL, VALUE },
	{ " ENVID=", ALL, VALUE },
	{ " ENVID=a+", ALL, VALUE },
	{ " ENVID=a+2", ALL, VALUE },
	{ " ENVID=a+2b", ALL, VALUE },
	{ " ENVID=\xc3\xa4", ALL, VALUE },
	{ " ENVID=" X100, ALL, GOOD },
	{ " ENVID=x" X100, ALL, VALUE },
	{ " AUTH=<>", ALL, GOOD },
	{ " AUTH=<>", OFFER_DSN, NONE },
	{ " AUTH=a@b.example", ALL, GOOD },
	{ " AUTH=e+3Dmc2@b.example", ALL, GOOD },
	{ " AUTH=e=mc2@b.example", ALL, VALUE },
	{ " AUTH=a", ALL, VALUE },
	{ " AUTH=", ALL, VALUE },
	{ " NOTIFY=NEVER", ALL, NONE },
	{ " FOO", ALL, NONE },
	{ " =", ALL, NONE },
};

/* Columns: the same, and whether SMTPUTF8 was said. */
static const struct {
	const char *in;
	uint32_t offers;
	int smtputf8;
	enum reply reply;
} of_rcpt[] = {
	{ "", ALL, 0, GOOD },
	{ " NOTIFY=NEVER", ALL, 0, GOOD },
	{ " NOTIFY=success,FAILURE,Delay", ALL, 0, GOOD },
	{ " NOTIFY=NEVER,DELAY", ALL, 0, VALUE },
	{ " NOTIFY=DELAY,NEVER", ALL, 0, VALUE },
	{ " NOTIFY=,DELAY", ALL, 0, VALUE },
	{ " NOTIFY=", ALL, 0, VALUE },
	{ " NOTIFY", ALL, 0, VALUE },
	{ " NOTIFY=NEVER", OFFER_AUTH, 0, NONE },
	{ " ORCPT=rfc822;a@b", ALL, 0, GOOD },
	{ " ORCPT=RFC822;a+20b@c", ALL, 0, GOOD },
	{ " ORCPT=x400;/c=de", ALL, 0, VALUE },
	{ " ORCPT=x400;/c+3Dde", ALL, 0, GOOD },
	{ " ORCPT=a@b", ALL, 0, VALUE },
	{ " ORCPT=;a@b", ALL, 0, VALUE },
	{ " ORCPT=rfc822;", ALL, 0, VALUE },
	{ " ORCPT=rfc822;a+0", ALL, 0, VALUE },
	{ " ORCPT=rfc822;\xc3\xa4@b", ALL, 0, VALUE },
	{ " ORCPT=utf-8;\xc3\xa4@b", ALL, 0, VALUE },
	{ " ORCPT=utf-8;\xc3\xa4@b", ALL, 1, GOOD },
	{ " ORCPT=utf-8;\xc3@b", ALL, 1, VALUE },
	{ " ORCPT=utf-8;\\x{E4}@b", ALL, 0, GOOD },
	{ " ORCPT=utf-8;\\x{E4@b", ALL, 0, VALUE },
	{ " ORCPT=utf-8;\\x{110000}@b", ALL, 0, VALUE },
	{ " ORCPT=utf-8;\\x{DC00}@b", ALL, 0, VALUE },
	{ " ORCPT=utf-8;\\y@b", ALL, 0, VALUE },
	{ " RET=FULL", ALL, 0, NONE },
	{ " SMTPUTF8", ALL, 1, NONE },
};

static struct slice
guarded(const char *text, size_t len)
{
	return (struct slice){ unit_guard(text, len), len };
}

static void
test_mail(void)
{
	struct params p;
	const char *why;
	char name[64];
	size_t i, len, cut;

	for (i = 0; i < sizeof of_mail / sizeof of_mail[0]; i++) {
		len = strlen(of_mail[i].in);
		snprintf(name, sizeof name, "mail %zu", i);
		CHECK(name,
		    params_of_mail(guarded(of_mail[i].in, len),
			of_mail[i].offers, &p, &why) == of_mail[i].reply);
		for (cut = 0; cut < len; cut++)
			(void)params_of_mail(guarded(of_mail[i].in, cut),
			    of_mail[i].offers, &p, &why);
	}
	CHECK("what is read",
	    params_of_mail(
		SLICE(" SIZE=7 BODY=BINARYMIME RET=HDRS ENVID=a+2Bb SMTPUTF8"),
		ALL, &p, &why) == GOOD &&
		p.size == 7 && p.mail.body == BODY_BINARYMIME &&
		p.mail.ret == RET_HDRS && p.smtputf8 &&
		strcmp(p.mail.envid, "a+2Bb") == 0);
}

static void
test_rcpt(void)
{
	struct params p;
	const char *why;
	char name[64];
	size_t i, len, cut;

	for (i = 0; i < sizeof of_rcpt / sizeof of_rcpt[0]; i++) {
		len = strlen(of_rcpt[i].in);
		snprintf(name, sizeof name, "rcpt %zu", i);
		CHECK(name,
		    params_of_rcpt(guarded(of_rcpt[i].in, len),
			of_rcpt[i].offers, of_rcpt[i].smtputf8, &p,
			&why) == of_rcpt[i].reply);
		for (cut = 0; cut < len; cut++)
			(void)params_of_rcpt(guarded(of_rcpt[i].in, cut),
			    of_rcpt[i].offers, of_rcpt[i].smtputf8, &p, &why);
	}
	CHECK("what is read",
	    params_of_rcpt(SLICE(" ORCPT=rfc822;a+2Bb@c NOTIFY=DELAY,SUCCESS"),
		ALL, false, &p, &why) == GOOD &&
		p.rcpt.notify == (NOTIFY_DELAY | NOTIFY_SUCCESS) &&
		strcmp(p.rcpt.orcpt, "rfc822;a+2Bb@c") == 0);
}

int
main(void)
{
	test_mail();
	test_rcpt();
	return unit_end();
}
