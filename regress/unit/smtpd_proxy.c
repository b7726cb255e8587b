/*
 * PROXY headers of both versions: good ones, cut short everywhere, and what is
 * none.
 *
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "session_proxy.h"
#include "unit.h"

/* A literal with its length: headers hold NULs. */
#define B(s) (s), sizeof(s) - 1
#define SIG  "\r\n\r\n\0\r\nQUIT\n"
#define A4   "\xc0\0\2\x09\xc0\0\2\1\4\xd2\0\x19"
#define A6                                                                     \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"                              \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\4\xd2\0\x19"

/* Columns: header, bytes of it, v1 allowed, result, bytes used, client. */
static const struct {
	const char *in;
	size_t len;
	int v1;
	enum proxy_got got;
	size_t used;
	const char *client;
} rows[] = {
	/* version 1 */
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234 25\r\n"), 1, PROXY_GOOD, 40,
	    "192.0.2.9 1234" },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234 25\r\nEHLO"), 1, PROXY_GOOD,
	    40, "192.0.2.9 1234" },
	{ B("PROXY TCP6 2001:db8::9 2001:db8::1 1234 25\r\n"), 1, PROXY_GOOD,
	    44, "2001:db8::9 1234" },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 0 65535\r\n"), 1, PROXY_GOOD, 40,
	    "192.0.2.9 0" },
	{ B("PROXY UNKNOWN\r\n"), 1, PROXY_GOOD, 15, NULL },
	{ B("PROXY UNKNOWN what ever\r\n"), 1, PROXY_GOOD, 25, NULL },
	{ B("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), 1,
	    PROXY_GOOD, 59, NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234 25\r\n"), 0, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234 25\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234\r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234 25 \r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234 25 x\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4  192.0.2.9 192.0.2.1 1234 25\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 65536 25\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 01 25\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 -1 25\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.09 192.0.2.1 1 25\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP4 192.0.2.256 192.0.2.1 1 25\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP6 2001::db8::9 2001:db8::1 1 2\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP6 2001:DB8::9 2001:db8::1 1 2\r\n"), 1, PROXY_GOOD, 40,
	    "2001:db8::9 1" },
	{ B("PROXY TCP4 192.0.2.9 192.0.2.1 1234 25\rEHLO\r\n"), 1, PROXY_BAD,
	    0, NULL },
	{ B("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    1, PROXY_GOOD, 104,
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535" },
	{ B("PROXY TCP4 192.0.2 192.0.2.1 1 25\r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY TCP4 2001:db8::9 2001:db8::1 1 2\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("PROXY TCP6 192.0.2.9 192.0.2.1 1 2\r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY UDP4 192.0.2.9 192.0.2.1 1 2\r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY tcp4 192.0.2.9 192.0.2.1 1 2\r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY \r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY\r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY TCP4 192.0.2.9\0 192.0.2.1 1 2\r\n"), 1, PROXY_BAD, 0,
	    NULL },
	{ B("EHLO c.test\r\n"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXX"), 1, PROXY_BAD, 0, NULL },
	{ B("\r\nPROXY"), 1, PROXY_BAD, 0, NULL },
	{ B("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	    1, PROXY_GOOD, 107, NULL },
	{ B("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	    1, PROXY_BAD, 0, NULL },
	/* version 2 */
	{ B(SIG "\x21\x11\0\x0c" A4), 0, PROXY_GOOD, 28, "192.0.2.9 1234" },
	{ B(SIG "\x21\x11\0\x0c" A4 "EHLO"), 1, PROXY_GOOD, 28,
	    "192.0.2.9 1234" },
	{ B(SIG "\x21\x11\0\x10" A4 "\4\0\1x"), 1, PROXY_GOOD, 32,
	    "192.0.2.9 1234" },
	{ B(SIG "\x21\x21\0\x24" A6), 0, PROXY_GOOD, 52, "2001:db8::9 1234" },
	{ B(SIG "\x20\0\0\0"), 0, PROXY_GOOD, 16, NULL },
	{ B(SIG "\x20\x11\0\x0c" A4), 0, PROXY_GOOD, 28, NULL },
	{ B(SIG "\x20\xff\0\1x"), 0, PROXY_GOOD, 17, NULL },
	{ B(SIG "\x21\0\0\0"), 0, PROXY_GOOD, 16, NULL },
	{ B(SIG "\x21\0\0\1x"), 0, PROXY_GOOD, 17, NULL },
	{ B(SIG "\x21\x11\0\x0b" A4), 0, PROXY_BAD, 0, NULL },
	{ B(SIG "\x21\x21\0\x23" A6), 0, PROXY_BAD, 0, NULL },
	{ B(SIG "\x21\x12\0\x0c" A4), 0, PROXY_BAD, 0, NULL },
	{ B(SIG "\x21\x31\0\x0c" A4), 0, PROXY_BAD, 0, NULL },
	{ B(SIG "\x22\x11\0\x0c" A4), 0, PROXY_BAD, 0, NULL },
	{ B(SIG "\x11\x11\0\x0c" A4), 0, PROXY_BAD, 0, NULL },
	{ B(SIG "\x21\x11\x10\1"), 0, PROXY_BAD, 0, NULL },
	{ B(SIG "\x21\x11\xff\xff"), 0, PROXY_BAD, 0, NULL },
	{ B("\r\n\r\n\0\r\nQUIx"), 0, PROXY_BAD, 0, NULL },
};

/* "192.0.2.9 1234", or "" if the true address holds. */
static void
print_client(const struct proxy_header *h, char *out, size_t size)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&h->src;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&h->src;
	char ip[INET6_ADDRSTRLEN] = "";
	int four = h->src.ss_family == AF_INET;

	out[0] = '\0';
	if (!h->known)
		return;
	inet_ntop(h->src.ss_family,
	    four ? (const void *)&sin->sin_addr :
		   (const void *)&sin6->sin6_addr,
	    ip, sizeof ip);
	snprintf(out, size, "%s %u", ip,
	    ntohs(four ? sin->sin_port : sin6->sin6_port));
}

static int
row_ok(size_t i)
{
	struct proxy_header h;
	char client[80];
	const char *want = rows[i].client == NULL ? "" : rows[i].client;

	if (proxy_parse((const uint8_t *)unit_guard(rows[i].in, rows[i].len),
		rows[i].len, rows[i].v1, &h) != rows[i].got)
		return 0;
	if (rows[i].got == PROXY_BAD)
		return h.why != NULL;
	print_client(&h, client, sizeof client);
	return h.used == rows[i].used && strcmp(client, want) == 0;
}

/* Each good one is nothing yet until its last byte is there, and all that is
 * there belongs to it. */
static int
cut_ok(size_t i)
{
	struct proxy_header h;
	enum proxy_got got;
	size_t cut;

	for (cut = 0; cut < rows[i].len; cut++) {
		got = proxy_parse((const uint8_t *)unit_guard(rows[i].in, cut),
		    cut, rows[i].v1, &h);
		if (rows[i].got == PROXY_GOOD &&
		    got != (cut < rows[i].used ? PROXY_MORE : PROXY_GOOD))
			return 0;
	}
	return 1;
}

int
main(void)
{
	char name[64];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(name, sizeof name, "header %zu", i);
		CHECK(name, row_ok(i));
		CHECK("cut short", cut_ok(i));
	}
	return unit_end();
}
