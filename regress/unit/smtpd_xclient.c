/*
 * XCLIENT's attributes.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_xclient.h"
#include "unit.h"

#define SAID    XCLIENT_SAID
#define UNKNOWN XCLIENT_UNKNOWN
#define DOUBT   XCLIENT_DOUBT

/* Columns: what is said, one attribute of it, its state and text; a state of
 * XCLIENT_UNSAID: the whole is none. */
static const struct {
	const char *in;
	enum xclient_attr attr;
	enum xclient_state state;
	const char *text;
} rows[] = {
	{ "NAME=spike.example.org ADDR=168.100.189.2", XCLIENT_NAME, SAID,
	    "spike.example.org" },
	{ "name=spike.example.org addr=168.100.189.2", XCLIENT_ADDR, SAID,
	    "168.100.189.2" },
	{ "ADDR=IPV6:2001:db8::1", XCLIENT_ADDR, SAID, "IPV6:2001:db8::1" },
	{ "ADDR=ipv6:2001:db8::1", XCLIENT_ADDR, SAID, "ipv6:2001:db8::1" },
	{ "ADDR=2001:db8::1", XCLIENT_ADDR, SAID, "2001:db8::1" },
	{ "NAME=[UNAVAILABLE]", XCLIENT_NAME, UNKNOWN, "" },
	{ "NAME=[tempunavail]", XCLIENT_NAME, DOUBT, "" },
	{ "PORT=65535  PROTO=esmtp", XCLIENT_PROTO, SAID, "esmtp" },
	{ "HELO=[192.0.2.1]", XCLIENT_HELO, SAID, "[192.0.2.1]" },
	{ "LOGIN=al+2Bice", XCLIENT_LOGIN, SAID, "al+ice" },
	{ "LOGIN=+C3+A4", XCLIENT_LOGIN, SAID, "\xc3\xa4" },
	{ "DESTADDR=192.0.2.1 DESTPORT=25", XCLIENT_DESTPORT, SAID, "25" },
	{ "FOO=bar", 0, 0, NULL },
	{ "NAME", 0, 0, NULL },
	{ "=x", 0, 0, NULL },
	{ "NAME=", 0, 0, NULL },
	{ "NAME=a b", 0, 0, NULL },
	{ "NAME=a..b", 0, 0, NULL },
	{ "NAME=a NAME=b", 0, 0, NULL },
	{ "NAME=a name=[UNAVAILABLE]", 0, 0, NULL },
	{ "NAME=[UNAVAILABLE", 0, 0, NULL },
	{ "ADDR=", 0, 0, NULL },
	{ "ADDR=1.2.3", 0, 0, NULL },
	{ "ADDR=IPV6:1.2.3.4", 0, 0, NULL },
	{ "ADDR=1.2.3.4+0", 0, 0, NULL },
	{ "PORT=0", 0, 0, NULL },
	{ "PORT=65536", 0, 0, NULL },
	{ "PORT=2x", 0, 0, NULL },
	{ "PROTO=LMTP", 0, 0, NULL },
	{ "HELO=a+0D+0Ab", 0, 0, NULL },
	{ "HELO=a+20b", 0, 0, NULL },
	{ "LOGIN=a+00b", 0, 0, NULL },
	{ "LOGIN=+FF", 0, 0, NULL },
	{ "LOGIN=", 0, 0, NULL },
	{ "LOGIN=a+2b", 0, 0, NULL },
	{ "LOGIN=a=b", 0, 0, NULL },
};

int
main(void)
{
	static struct xclient x;
	char name[64];
	size_t i, len, cut;
	const char *why;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		len = strlen(rows[i].in);
		why = xclient_parse((struct slice){ unit_guard(rows[i].in, len),
					len },
		    &x);
		snprintf(name, sizeof name, "xclient %zu", i);
		CHECK(name,
		    rows[i].text == NULL ? why != NULL :
					   why == NULL &&
			    x.attr[rows[i].attr].state == rows[i].state &&
			    strcmp(x.attr[rows[i].attr].text, rows[i].text) ==
				0);
		for (cut = 0; cut < len; cut++)
			(void)
			    xclient_parse((struct slice){ unit_guard(rows[i].in,
							      cut),
					      cut },
				&x);
	}
	CHECK("port",
	    xclient_parse(SLICE("PORT=1234"), &x) == NULL && x.port == 1234);
	CHECK("nothing said", xclient_parse(SLICE(""), &x) == NULL);
	return unit_end();
}
