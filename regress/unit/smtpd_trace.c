/*
 * The Received field, in each form that it has.
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
	    { .client = "192.0.2.7",
		.helo = "[192.0.2.7]",
		.rdns = "host.example.org" },
	    NULL,
	    "Received: from [192.0.2.7] (host.example.org [192.0.2.7])\r\n"
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
	test_no_room();
	test_dates();
	return unit_end();
}
