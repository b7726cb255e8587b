/*
 * Replies of servers, and resolv.conf: good, malformed, cut short, endless.
 *
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>

#include "client_reply.h"
#include "resolv.h"
#include "unit.h"

/* Reads lines parted by '\n'.  Returns NULL when a whole reply was read, "more"
 * when it goes on, else why not. */
static const char *
feed(struct client_reply *r, const char *lines, size_t len)
{
	const char *guarded = unit_guard(lines, len), *why;
	const char *end = guarded + len, *lf;
	struct slice line, text;

	memset(r, 0, sizeof *r);
	while (guarded < end) {
		lf = memchr(guarded, '\n', (size_t)(end - guarded));
		line.p = guarded;
		line.len = (size_t)((lf == NULL ? end : lf) - guarded);
		if ((why = client_reply_line(r, line, &text)) != NULL)
			return why;
		if (r->done)
			return NULL;
		if (lf == NULL)
			break;
		guarded = lf + 1;
	}
	return "more";
}

/* Columns: lines, good (1), goes on (2) or bad (0); code, enhanced code,
 * text. */
static const struct {
	const char *lines;
	int good;
	unsigned int code;
	uint16_t ecode[3];
	const char *text;
} replies[] = {
	{ "220 mx.example.org ESMTP", 1, 220, { 0 }, "mx.example.org ESMTP" },
	{ "250", 1, 250, { 0 }, "" },
	{ "250 ", 1, 250, { 0 }, "" },
	{ "250\tok", 1, 250, { 0 }, "ok" },
	{ "250 2.1.0 Ok", 1, 250, { 2, 1, 0 }, "Ok" },
	{ "550 5.1.1 <a@b>: no such user", 1, 550, { 5, 1, 1 },
	    "<a@b>: no such user" },
	{ "550 5.1.1", 1, 550, { 5, 1, 1 }, "" },
	{ "550 5.123.456 far", 1, 550, { 5, 123, 456 }, "far" },
	{ "550 5.1234.1 no code", 1, 550, { 0 }, "5.1234.1 no code" },
	{ "550 4.1.1 other class", 1, 550, { 0 }, "4.1.1 other class" },
	{ "550 5.1 short", 1, 550, { 0 }, "5.1 short" },
	{ "550 5.1.1.1 long", 1, 550, { 0 }, "5.1.1.1 long" },
	{ "550 5..1 odd", 1, 550, { 0 }, "5..1 odd" },
	{ "451-4.7.1 first\n451 4.7.1 second", 1, 451, { 4, 7, 1 },
	    "first second" },
	{ "451-\n451 x", 1, 451, { 0 }, "x" },
	{ "250-a\n250-b\n250 c", 1, 250, { 0 }, "a b c" },
	{ "354 go", 1, 354, { 0 }, "go" },
	{ "550 tab\there \x80\xff\x01", 1, 550, { 0 }, "tab here ???" },
	{ "599 x", 1, 599, { 0 }, "x" },
	{ "250-a", 2, 250, { 0 }, "a" },
	{ "250-a\n250-b", 2, 250, { 0 }, "a b" },
	{ "", 2, 0, { 0 }, "" },
	{ "\n", 0, 0, { 0 }, NULL },
	{ "2", 0, 0, { 0 }, NULL },
	{ "25", 0, 0, { 0 }, NULL },
	{ "25O ok", 0, 0, { 0 }, NULL },
	{ " 250 ok", 0, 0, { 0 }, NULL },
	{ "2500 ok", 0, 0, { 0 }, NULL },
	{ "250_ok", 0, 0, { 0 }, NULL },
	{ "100 ok", 0, 0, { 0 }, NULL },
	{ "199 ok", 0, 0, { 0 }, NULL },
	{ "600 ok", 0, 0, { 0 }, NULL },
	{ "000 ok", 0, 0, { 0 }, NULL },
	{ "-50 ok", 0, 0, { 0 }, NULL },
	{ "HTTP/1.1 400 Bad Request", 0, 0, { 0 }, NULL },
	{ "SSH-2.0-OpenSSH_9.2", 0, 0, { 0 }, NULL },
	{ "\x16\x03\x01\x02", 0, 0, { 0 }, NULL },
	{ "250-a\n251 b", 0, 0, { 0 }, NULL },
	{ "250-a\nb", 0, 0, { 0 }, NULL },
	{ "550-a\n250 b", 0, 0, { 0 }, NULL },
};

static void
table(void)
{
	struct client_reply r;
	const char *why;
	char name[32];
	int good;
	size_t i;

	for (i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		why = feed(&r, replies[i].lines, strlen(replies[i].lines));
		good = why == NULL ? 1 : strcmp(why, "more") == 0 ? 2 : 0;
		snprintf(name, sizeof name, "reply %zu", i);
		CHECK(name,
		    good == replies[i].good &&
			(good == 0 ||
			    (r.code == replies[i].code &&
				strcmp(r.text, replies[i].text) == 0 &&
				memcmp(r.ecode, replies[i].ecode,
				    sizeof r.ecode) == 0)));
	}
}

/* No cut of a good reply is another good reply, but for its words. */
static void
cuts(void)
{
	static const char whole[] = "550-5.1.1 first\n550 5.1.1 second";
	struct client_reply r;
	int done = 0;
	size_t i;

	for (i = 0; i < 19; i++) {
		if (feed(&r, whole, i) == NULL &&
		    !(i == 3)) /* "550" is a reply */
			done++;
	}
	CHECK("reply cut short is not done", done == 0);
}

static void
endless(void)
{
	static char many[REPLY_LINES_MAX * 8 + 80], bytes[12000];
	struct client_reply r;
	const char *why;
	int i;

	for (i = 0; i < REPLY_LINES_MAX + 10; i++)
		memcpy(many + i * 8, "250-aaa\n", 8);
	why = feed(&r, many, sizeof many);
	CHECK("reply of too many lines",
	    why != NULL && r.lines == REPLY_LINES_MAX + 1);
	memset(bytes, 'a', sizeof bytes);
	memcpy(bytes, "250 ", 4);
	why = feed(&r, bytes, 1900);
	CHECK("reply longer than its place is cut",
	    why == NULL && strlen(r.text) == OUTCOME_TEXT_MAX);
	CHECK("reply whose line goes on",
	    client_reply_skip(&r, 2000) == NULL &&
		client_reply_skip(&r, 100 * 1024) == NULL && r.done);
	CHECK("reply of too many bytes",
	    client_reply_skip(&r, REPLY_BYTES_MAX) != NULL);
}

/* ---- resolv.conf ---- */

/* Columns: text, servers as they are printed, port. */
static const struct {
	const char *text, *want;
} confs[] = {
	{ "nameserver 192.0.2.1\n", "192.0.2.1 " },
	{ "nameserver 192.0.2.1", "192.0.2.1 " },
	{ "# nameserver 192.0.2.9\nsearch a\nnameserver\t2001:db8::1 # x\n",
	    "2001:db8::1 " },
	{ "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
	  "nameserver 192.0.2.4\nnameserver 192.0.2.5\n",
	    "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 " },
	{ "nameserver fe80::1%2\n", "fe80::1 " },
	{ "nameserver fe80::1%eth0\n", "fe80::1 " },
	{ "nameserver nonsense\nnameserver 192.0.2.7\r\n", "192.0.2.7 " },
	{ "nameserver\n", "127.0.0.1 " },
	{ "nameservers 192.0.2.1\n", "127.0.0.1 " },
	{ "", "127.0.0.1 " },
	{ "\n\n\n", "127.0.0.1 " },
	{ "nameserver 192.0.2.256\nnameserver 1.2.3\n", "127.0.0.1 " },
};

static void
resolv(void)
{
	struct dns_server s[DNS_SERVERS_MAX];
	char got[256], ip[INET6_ADDRSTRLEN], name[32];
	const struct sockaddr_in *in;
	const struct sockaddr_in6 *in6;
	unsigned int n, k;
	int ports = 1;
	size_t i, len;

	for (i = 0; i < sizeof confs / sizeof confs[0]; i++) {
		len = strlen(confs[i].text);
		n = resolv_parse((struct slice){ unit_guard(confs[i].text, len),
				     len },
		    s, DNS_SERVERS_MAX);
		got[0] = '\0';
		for (k = 0; k < n; k++) {
			in = (const struct sockaddr_in *)&s[k].ss;
			in6 = (const struct sockaddr_in6 *)&s[k].ss;
			ports = ports && in->sin_port == htons(53);
			inet_ntop(in->sin_family,
			    in->sin_family == AF_INET ?
				(const void *)&in->sin_addr :
				(const void *)&in6->sin6_addr,
			    ip, sizeof ip);
			strcat(strcat(got, ip), " ");
		}
		snprintf(name, sizeof name, "resolv.conf %zu", i);
		CHECK(name, strcmp(got, confs[i].want) == 0);
	}
	CHECK("resolv.conf ports", ports);
	resolv_parse(slice_of("nameserver fe80::1%2\n"), s, 1);
	in6 = (const struct sockaddr_in6 *)&s[0].ss;
	CHECK("resolv.conf scope", in6->sin6_scope_id == 2);
}

int
main(void)
{
	table();
	cuts();
	endless();
	resolv();
	return unit_end();
}
