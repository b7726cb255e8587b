/*
 * The fields in front of a message, in each form that they have.
 *
 * SPDX-License-Identifier: ISC
 */
#include <time.h>

#include "session_trace.h"
#include "unit.h"

#define WHEN 1763718151 /* 2025-11-21 09:42:31 UTC, a Friday */

/* Columns: name, facts, recipient, field. */
static const struct {
	const char *name;
	struct facts facts;
	const char *rcpt, *field;
} rows[] = {
	{ "esmtp",
	    { .flags = FACT_ESMTP,
		.client = "192.0.2.7",
		.helo = "mail.example.org" },
	    "bob@example.net",
	    "Received: from mail.example.org ([192.0.2.7])\r\n"
	    "\tby mx.example.net (Postern) with ESMTP id 0000000000001\r\n"
	    "\tfor <bob@example.net>;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "several recipients",
	    { .flags = FACT_ESMTP,
		.client = "192.0.2.7",
		.helo = "mail.example.org" },
	    NULL,
	    "Received: from mail.example.org ([192.0.2.7])\r\n"
	    "\tby mx.example.net (Postern) with ESMTP id 0000000000001;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "smtp, with a name found",
	    { .flags = FACT_FCRDNS,
		.client = "192.0.2.7",
		.helo = "[192.0.2.7]",
		.rdns = "host.example.org" },
	    NULL,
	    "Received: from [192.0.2.7] (host.example.org [192.0.2.7])\r\n"
	    "\tby mx.example.net (Postern) with SMTP id 0000000000001;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "a name that does not lead back",
	    { .client = "192.0.2.7",
		.helo = "[192.0.2.7]",
		.rdns = "liar.example.org" },
	    NULL,
	    "Received: from [192.0.2.7] ([192.0.2.7])\r\n"
	    "\tby mx.example.net (Postern) with SMTP id 0000000000001;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "ipv6, tls, auth",
	    { .flags = FACT_ESMTP | FACT_TLS,
		.client = "2001:db8::1",
		.helo = "a",
		.auth = "alice" },
	    NULL,
	    "Received: from a ([IPv6:2001:db8::1])\r\n"
	    "\tby mx.example.net (Postern) with ESMTPSA id 0000000000001;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "socket",
	    { .flags = FACT_SOCKET | FACT_LOCAL | FACT_ESMTP,
		.uid = 1000,
		.helo = "localhost" },
	    "\"a b\"@example.net",
	    "Received: by mx.example.net (Postern, from userid 1000)\r\n"
	    "\tid 0000000000001\r\n"
	    "\tfor <\"a b\"@example.net>;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
};

/* What the listener wants.  Columns: name, facts, mask, auth, field. */
static const struct {
	const char *name;
	struct facts facts;
	bool mask, auth;
	const char *field;
} wanted[] = {
	{ "mask-src",
	    { .flags = FACT_ESMTP,
		.client = "192.0.2.7",
		.helo = "secret.example.org",
		.rdns = "host.example.org",
		.auth = "alice" },
	    true, false,
	    "Received: by mx.example.net (Postern) with ESMTPA id 0000000000001;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "mask-src of the socket",
	    { .flags = FACT_SOCKET | FACT_LOCAL | FACT_ESMTP,
		.uid = 1000,
		.helo = "localhost" },
	    true, false,
	    "Received: by mx.example.net (Postern) id 0000000000001;\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "received-auth",
	    { .flags = FACT_ESMTP,
		.client = "192.0.2.7",
		.helo = "a",
		.auth = "alice" },
	    false, true,
	    "Received: from a ([192.0.2.7])\r\n"
	    "\tby mx.example.net (Postern) with ESMTPA id 0000000000001\r\n"
	    "\t(auth=yes user=alice);\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "received-auth, nobody",
	    { .flags = FACT_ESMTP, .client = "192.0.2.7", .helo = "a" }, false,
	    true,
	    "Received: from a ([192.0.2.7])\r\n"
	    "\tby mx.example.net (Postern) with ESMTP id 0000000000001\r\n"
	    "\t(auth=no);\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
	{ "received-auth, a name of all kinds of bytes",
	    { .flags = FACT_ESMTP,
		.client = "192.0.2.7",
		.helo = "a",
		.auth = "a)(b\\c\r\nX: y \xc3\xa9" },
	    true, true,
	    "Received: by mx.example.net (Postern) with ESMTPA id 0000000000001\r\n"
	    "\t(auth=yes user=a\\)\\(b\\\\c??X:?y??"
	    "?);\r\n"
	    "\tFri, 21 Nov 2025 09:42:31 +0000\r\n" },
};

static void
test_wanted(void)
{
	struct trace t = { .hostname = "mx.example.net",
		.tls = "",
		.id = 1,
		.when = WHEN };
	struct buf out;
	size_t i;

	for (i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		buf_init(&out, 0);
		t.facts = &wanted[i].facts;
		t.mask = wanted[i].mask;
		t.auth = wanted[i].auth;
		CHECK(wanted[i].name,
		    trace_received(&out, &t) &&
			out.len == strlen(wanted[i].field) &&
			memcmp(buf_data(&out), wanted[i].field, out.len) == 0);
		buf_free(&out);
	}
}

static void
test_junk(void)
{
	struct facts facts = { .flags = FACT_ESMTP };
	struct buf out;

	buf_init(&out, 0);
	CHECK("no junk", trace_junk(&out, &facts) && out.len == 0);
	facts.flags |= FACT_JUNK;
	CHECK("junk",
	    trace_junk(&out, &facts) && out.len == 13 &&
		memcmp(buf_data(&out), "X-Spam: Yes\r\n", 13) == 0);
	buf_free(&out);
}

static void
test_fields(void)
{
	struct trace t = { .hostname = "mx.example.net",
		.id = 1,
		.when = WHEN };
	struct buf out;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_init(&out, 0);
		t.facts = &rows[i].facts;
		t.rcpt = rows[i].rcpt;
		CHECK(rows[i].name,
		    trace_received(&out, &t) &&
			out.len == strlen(rows[i].field) &&
			memcmp(buf_data(&out), rows[i].field, out.len) == 0);
		buf_free(&out);
	}
}

/* RFC 3848, RFC 6531 4.3.  Columns: marks, is there a user, protocol. */
static const struct {
	uint32_t flags;
	bool auth;
	const char *name;
} protocols[] = {
	{ 0, false, "SMTP" },
	{ FACT_ESMTP, false, "ESMTP" },
	{ FACT_ESMTP | FACT_TLS, false, "ESMTPS" },
	{ FACT_ESMTP, true, "ESMTPA" },
	{ FACT_ESMTP | FACT_TLS, true, "ESMTPSA" },
	/* there is no SMTPS in the registry */
	{ FACT_TLS, false, "ESMTPS" },
	{ FACT_ESMTP | FACT_LMTP, false, "LMTP" },
	{ FACT_ESMTP | FACT_LMTP | FACT_TLS, false, "LMTPS" },
	{ FACT_ESMTP | FACT_LMTP, true, "LMTPA" },
	{ FACT_ESMTP | FACT_LMTP | FACT_TLS, true, "LMTPSA" },
	{ FACT_ESMTP | FACT_SMTPUTF8, false, "UTF8SMTP" },
	{ FACT_ESMTP | FACT_SMTPUTF8 | FACT_TLS, false, "UTF8SMTPS" },
	{ FACT_ESMTP | FACT_SMTPUTF8, true, "UTF8SMTPA" },
	{ FACT_ESMTP | FACT_SMTPUTF8 | FACT_TLS, true, "UTF8SMTPSA" },
	{ FACT_ESMTP | FACT_LMTP | FACT_SMTPUTF8, false, "UTF8LMTP" },
	{ FACT_ESMTP | FACT_LMTP | FACT_SMTPUTF8 | FACT_TLS, false,
	    "UTF8LMTPS" },
	{ FACT_ESMTP | FACT_LMTP | FACT_SMTPUTF8, true, "UTF8LMTPA" },
	{ FACT_ESMTP | FACT_LMTP | FACT_SMTPUTF8 | FACT_TLS, true,
	    "UTF8LMTPSA" },
};

static void
test_protocols(void)
{
	struct facts facts = { .client = "192.0.2.7", .helo = "a" };
	struct trace t = { .facts = &facts,
		.hostname = "mx.example.net",
		.id = 1,
		.when = WHEN };
	char want[64];
	struct buf out;
	size_t i;

	for (i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
		facts.flags = protocols[i].flags;
		snprintf(facts.auth, sizeof facts.auth, "%s",
		    protocols[i].auth ? "alice" : "");
		snprintf(want, sizeof want, " with %s id ", protocols[i].name);
		buf_init(&out, 0);
		CHECK(protocols[i].name,
		    trace_received(&out, &t) && buf_add(&out, "", 1) &&
			strstr((const char *)buf_data(&out), want) != NULL);
		buf_free(&out);
	}
}

/* A buffer with a ceiling is told of, and nothing is written over its end. */
static void
test_no_room(void)
{
	struct trace t = { .facts = &rows[0].facts,
		.hostname = "mx.example.net",
		.id = 1,
		.rcpt = rows[0].rcpt,
		.when = WHEN };
	size_t max, len = strlen(rows[0].field);
	struct buf out;
	int ok = 1;

	for (max = 1; max <= len; max++) {
		buf_init(&out, max);
		ok = ok && trace_received(&out, &t) == (max == len);
		buf_free(&out);
	}
	CHECK("no room", ok);
}

/* Columns: time zone, date. */
static const struct {
	const char *zone, *date;
} dates[] = {
	{ "UTC0", "Fri, 21 Nov 2025 09:42:31 +0000" },
	{ "CET-1", "Fri, 21 Nov 2025 10:42:31 +0100" },
	{ "NST3:30", "Fri, 21 Nov 2025 06:12:31 -0330" },
	{ "XXX0:30", "Fri, 21 Nov 2025 09:12:31 -0030" },
	{ "YYY-14", "Fri, 21 Nov 2025 23:42:31 +1400" },
};

static void
test_dates(void)
{
	struct buf out;
	size_t i;

	for (i = 0; i < sizeof dates / sizeof dates[0]; i++) {
		setenv("TZ", dates[i].zone, 1);
		tzset();
		buf_init(&out, 0);
		CHECK(dates[i].zone,
		    trace_date(&out, WHEN) &&
			out.len == strlen(dates[i].date) &&
			memcmp(buf_data(&out), dates[i].date, out.len) == 0);
		buf_free(&out);
	}
}

int
main(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	test_fields();
	test_protocols();
	test_wanted();
	test_junk();
	test_no_room();
	test_dates();
	return unit_end();
}
