/*
 * Parameters of MAIL and RCPT: words, xtext, ORCPT; good, bad and cut short.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dsn_param.h"

#include "unit.h"

static struct slice
guarded(const char *text)
{
	size_t len = strlen(text);

	return (struct slice){ unit_guard(text, len), len };
}

static void
notify(void)
{
	/* Columns: value, what it means (0: none), as it is printed. */
	static const struct {
		const char *text;
		unsigned int notify;
		const char *printed;
	} rows[] = {
		{ "NEVER", NOTIFY_NEVER, "NEVER" },
		{ "never", NOTIFY_NEVER, "NEVER" },
		{ "SUCCESS", NOTIFY_SUCCESS, "SUCCESS" },
		{ "DELAY,FAILURE,SUCCESS",
		    NOTIFY_DELAY | NOTIFY_FAILURE | NOTIFY_SUCCESS,
		    "SUCCESS,FAILURE,DELAY" },
		{ "Failure,deLAY", NOTIFY_FAILURE | NOTIFY_DELAY,
		    "FAILURE,DELAY" },
		{ "NEVER,SUCCESS", 0, NULL },
		{ "SUCCESS,NEVER", 0, NULL },
		{ "SUCCESS,SUCCESS", 0, NULL },
		{ "", 0, NULL },
		{ ",", 0, NULL },
		{ "SUCCESS,", 0, NULL },
		{ ",SUCCESS", 0, NULL },
		{ "SUCCES", 0, NULL },
		{ "SUCCESS FAILURE", 0, NULL },
	};
	char out[NOTIFY_TEXT_MAX], name[64];
	const char *why;
	uint8_t value;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		why = notify_parse(guarded(rows[i].text), &value);
		snprintf(name, sizeof name, "notify: %s", rows[i].text);
		if (rows[i].notify == 0)
			CHECK(name, why != NULL);
		else
			CHECK(name,
			    why == NULL && value == rows[i].notify &&
				strcmp(notify_print(value, out),
				    rows[i].printed) == 0);
	}
	CHECK("notify: not said", notify_print(0, out)[0] == '\0');
	CHECK("notify: more than there is is cut",
	    strlen(notify_print(0xff, out)) < NOTIFY_TEXT_MAX);
}

static void
words(void)
{
	uint8_t value;

	CHECK("ret: full",
	    ret_parse(guarded("full"), &value) == NULL && value == RET_FULL);
	CHECK("ret: hdrs",
	    ret_parse(guarded("HDRS"), &value) == NULL && value == RET_HDRS);
	CHECK("ret: cut short", ret_parse(guarded("HDR"), &value) != NULL);
	CHECK("ret: empty", ret_parse(guarded(""), &value) != NULL);
	CHECK("ret: names", strcmp(ret_name(RET_HDRS), "HDRS") == 0);
	CHECK("ret: not said", ret_name(RET_UNSAID)[0] == '\0');
	CHECK("body: binary",
	    body_parse(guarded("BinaryMIME"), &value) == NULL &&
		value == BODY_BINARYMIME);
	CHECK("body: no such", body_parse(guarded("8BIT"), &value) != NULL);
	CHECK("body: out of range", body_name(99)[0] == '\0');
}

static void
xtext(void)
{
	/* Columns: encoded, decoded or NULL. */
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "QQ314159", "QQ314159" }, { "a+2Bb+3Dc", "a+b=c" },
		{ "", "" }, { "+0A", "\n" }, { "+FF", "\xff" }, { "+", NULL },
		{ "a+2", NULL }, { "+2b", NULL }, /* RFC 3461 4: capitals */
		{ "+00", NULL }, { "+GG", NULL }, { "a=b", NULL },
		{ "a b", NULL }, { "caf\xc3\xa9", NULL },
		{ "0123456789abcdef", NULL }, /* too long for out */
	};
	char out[16], name[64];
	size_t i;
	bool ok;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ok = xtext_decode(guarded(rows[i].in), out, sizeof out);
		snprintf(name, sizeof name, "xtext: %s", rows[i].in);
		if (rows[i].out == NULL)
			CHECK(name, !ok && out[0] == '\0');
		else
			CHECK(name, ok && strcmp(out, rows[i].out) == 0);
	}
}

static void
orcpt(void)
{
	/* Columns: as in RCPT, its type (NULL: none), the address. */
	static const struct {
		const char *in, *type, *addr;
	} rows[] = {
		{ "rfc822;bob@example.org", "rfc822", "bob@example.org" },
		{ "RFC822;a+2Bb@example.org", "rfc822", "a+b@example.org" },
		{ "x400;/c=us/", NULL, NULL },
		{ "utf-8;b\\x{F6}b@example.org", "utf-8",
		    "b\xc3\xb6"
		    "b@example.org" },
		{ "utf-8;b\xc3\xb6"
		  "b@example.org",
		    "utf-8",
		    "b\xc3\xb6"
		    "b@example.org" },
		{ "utf-8;\\x{20AC}\\x{1F600}\\x{5C}@a", "utf-8",
		    "\xe2\x82\xac\xf0\x9f\x98\x80\\@a" },
		{ "utf-8;\\x{D800}@a", NULL, NULL },
		{ "utf-8;\\x{110000}@a", NULL, NULL },
		{ "utf-8;\\x{}@a", NULL, NULL },
		{ "utf-8;\\x{F6", NULL, NULL },
		{ "utf-8;\\xF6@a", NULL, NULL },
		{ "utf-8;a b", NULL, NULL },
		{ "bob@example.org", NULL, NULL },
		{ ";bob@example.org", NULL, NULL },
		{ "rfc822;", NULL, NULL },
		{ "rf c822;bob@example.org", NULL, NULL },
		{ "rfc822;caf\xc3\xa9@a", NULL, NULL },
		{ "0123456789012345678901234567890123;a", NULL, NULL },
	};
	char type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1], name[80];
	size_t i;
	bool ok;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ok = orcpt_decode(rows[i].in, type, addr);
		snprintf(name, sizeof name, "orcpt: %s", rows[i].in);
		if (rows[i].type == NULL)
			CHECK(name, !ok && type[0] == '\0');
		else
			CHECK(name,
			    ok && strcmp(type, rows[i].type) == 0 &&
				strcmp(addr, rows[i].addr) == 0);
	}
}

/* An address becomes an ORCPT, and comes out of it again. */
static void
made(void)
{
	static const char *const addrs[] = { "bob@example.org", "a+b=c@x.test",
		"\"a b\"@x.test", "b\303\266b@example.org",
		"\xe2\x82\xac\\+=@x.test", "\xf0\x9f\x98\x80@x.test" };
	char out[ORCPT_MAX + 1], type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1];
	char long_addr[ADDR_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof addrs / sizeof addrs[0]; i++)
		CHECK(addrs[i],
		    orcpt_of(addrs[i], out) && !has_8bit(out) &&
			orcpt_decode(out, type, addr) &&
			strcmp(addr, addrs[i]) == 0);
	CHECK("made: nothing of nothing", !orcpt_of("", out) && out[0] == '\0');
	memset(long_addr, '+', ADDR_MAX);
	long_addr[ADDR_MAX] = '\0';
	CHECK("made: too long", !orcpt_of(long_addr, out) && out[0] == '\0');
	CHECK("7bit: an escape stays",
	    orcpt_7bit("utf-8;b\xc3\xb6\\x{E4}@a", out) &&
		strcmp(out, "utf-8;b\\x{F6}\\x{E4}@a") == 0);
	CHECK("7bit: what is no UTF-8",
	    orcpt_7bit("utf-8;\xc3@a\xff", out) &&
		strcmp(out, "utf-8;\\x{C3}@a\\x{FF}") == 0);
	CHECK("7bit: longer than it need be, a surrogate, beyond Unicode",
	    orcpt_7bit("utf-8;\xe0\x80\xaf", out) &&
		strcmp(out, "utf-8;\\x{E0}\\x{80}\\x{AF}") == 0 &&
		orcpt_7bit("utf-8;\xed\xa0\x80", out) &&
		strcmp(out, "utf-8;\\x{ED}\\x{A0}\\x{80}") == 0 &&
		orcpt_7bit("utf-8;\xff\xbf\xbf\xbf", out) &&
		strcmp(out, "utf-8;\\x{FF}\\x{BF}\\x{BF}\\x{BF}") == 0);
	memset(long_addr, '\xff', ADDR_MAX);
	CHECK("7bit: too long", !orcpt_7bit(long_addr, out));
	CHECK("addr: too long",
	    addr_7bit(long_addr, addr, sizeof addr)[0] == '\0');
}

int
main(void)
{
	notify();
	words();
	xtext();
	orcpt();
	made();
	return unit_end();
}
