/*
 * A notification, for tests of what is in it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef UNIT_DSN_WORLD_H
#define UNIT_DSN_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "dsn.h"
#include "unit.h"

#define ID 0x0123456789ab0000u

static const char header[] =
    "Received: from a by b\r\nSubject: hello\r\n\tfolded\r\nX: caf\xc3\xa9\r\n\r\nThe body is not returned\r\n";

static struct dsn_rcpt rcpts[2];
static struct dsn dsn;

static void
set_up(enum dsn_kind kind)
{
	memset(rcpts, 0, sizeof rcpts);
	rcpts[0].addr = "bob@example.net";
	rcpts[0].orcpt = rcpts[1].orcpt = "";
	rcpts[0].server = rcpts[1].server = "";
	rcpts[0].relay = "mx.example.net[192.0.2.1]:25";
	rcpts[0].tried = 1763718151;
	outcome_set(&rcpts[0].last, NEVER, WIDTH_RCPT, 550, "5.1.1",
	    "No such user here");
	rcpts[0].last.local = 0;
	rcpts[0].last.cause = CAUSE_MAILBOX;
	rcpts[1].addr = "carol@example.net";
	rcpts[1].relay = "";
	rcpts[0].until = 1763977200;
	rcpts[1].until = 1764063600;
	outcome_set(&rcpts[1].last, LATER, WIDTH_SITE, 0, "4.4.1",
	    "no answer from any host");
	rcpts[1].last.cause = CAUSE_NETWORK;
	dsn = (struct dsn){ .kind = kind,
		.id = dsn_id(ID, kind, 0),
		.about = ID,
		.hostname = "mx.example.org",
		.to = "alice@example.org",
		.arrived = 1763718000,
		.now = 1763718200,
		.rcpt = rcpts,
		.n_rcpt = 2,
		.envid = "",
		.original = unit_guard(header, sizeof header - 1),
		.original_len = sizeof header - 1 };
}

/* The notification as a string, good until the next one. */
static const char *
printed(size_t max)
{
	static char *text;
	struct buf out;

	free(text);
	text = NULL;
	buf_init(&out, max);
	if (!dsn_print(&out, &dsn)) {
		buf_free(&out);
		return NULL;
	}
	text = calloc(1, out.len + 1);
	memcpy(text, buf_data(&out), out.len);
	buf_free(&out);
	return text;
}

static int
has(const char *text, const char *what)
{
	return text != NULL && strstr(text, what) != NULL;
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text++;
	}
	return n;
}

/* Each line ends in CRLF, is 7-bit and at most 998 long. */
static int
lines_good(const char *text)
{
	const char *nl;

	for (; *text != '\0'; text = nl + 1) {
		nl = strchr(text, '\n');
		if (nl == NULL || nl == text || nl[-1] != '\r' ||
		    nl - text > 999)
			return 0;
		for (; text < nl - 1; text++) {
			if (*text != '\t' && (*text < 32 || *text > 126))
				return 0;
		}
	}
	return 1;
}

#endif
