/*
 * What verifying a message costs, without a socket and a name server: one
 * message again and again, and the longest single piece of work of it, which
 * is what an event loop would wait for.
 *
 *	verify COUNT FILE KEYS
 *
 * KEYS: lines of "NAME RECORD", what the DNS would say.  Prints microseconds
 * of CPU per message, microseconds of the longest piece, and the result.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "num.h"
#include "verify.h"

#define PIECE (16 * 1024) /* as session feeds it */

struct work {
	struct buf mail, keys;
	uint64_t longest; /* nanoseconds */
	const char *result;
};

static uint64_t
now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void
read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "r");
	uint8_t *room;
	size_t n;

	if (f == NULL)
		err(1, "%s", path);
	buf_init(b, 0);
	do {
		room = buf_room(b, 65536);
		n = fread(room, 1, 65536, f);
		buf_filled(b, n);
	} while (n > 0);
	fclose(f);
}

/* The record at a name. */
static struct slice
record(const struct buf *keys, const char *name)
{
	const char *p = (const char *)buf_data(keys), *end = p + keys->len;
	const char *eol;
	size_t n = strlen(name);

	for (; p < end; p = eol + 1) {
		if ((eol = memchr(p, '\n', (size_t)(end - p))) == NULL)
			break;
		if ((size_t)(eol - p) > n && memcmp(p, name, n) == 0 &&
		    p[n] == ' ')
			return (struct slice){ p + n + 1,
				(size_t)(eol - p) - n - 1 };
	}
	return (struct slice){ NULL, 0 };
}

/* The time since begin was that of one piece of work. */
static void
piece(struct work *w, uint64_t *begin)
{
	uint64_t end = now(CLOCK_THREAD_CPUTIME_ID);

	if (end - *begin > w->longest)
		w->longest = end - *begin;
	*begin = end;
}

static void
one(struct work *w)
{
	struct verify *v = verify_new(1024 * 1024, time(NULL));
	uint64_t begin = now(CLOCK_THREAD_CPUTIME_ID);
	struct key_found found = { 0 };
	struct slice text;
	bool more = true;
	size_t at, n;
	unsigned int i;

	for (at = 0; at < w->mail.len; at += n) {
		n = w->mail.len - at < PIECE ? w->mail.len - at : PIECE;
		verify_feed(v, buf_data(&w->mail) + at, n);
		piece(w, &begin);
	}
	verify_end(v);
	piece(w, &begin);
	for (i = 0; i < verify_keys(v); i++) {
		text = record(&w->keys, verify_wants(v, i));
		found.status = text.p == NULL ? DNS_NXDOMAIN : DNS_FOUND;
		found.n = text.p != NULL;
		found.text = text;
		begin = now(CLOCK_THREAD_CPUTIME_ID);
		verify_key(v, i, &found);
		piece(w, &begin);
	}
	while (more) {
		more = verify_step(v);
		piece(w, &begin);
	}
	w->result =
	    auth_result_word(auth_result_get(verify_results(v), BY_DKIM));
	verify_free(&v);
}

int
main(int argc, char **argv)
{
	struct work w = { 0 };
	uint64_t count, i, begin;

	if (argc != 4 || num_parse(argv[1], 1, 1000000, &count) != NULL)
		errx(1, "usage: verify COUNT FILE KEYS");
	read_file(&w.mail, argv[2]);
	read_file(&w.keys, argv[3]);
	one(&w); /* finds cold caches */
	w.longest = 0;
	begin = now(CLOCK_PROCESS_CPUTIME_ID);
	for (i = 0; i < count; i++)
		one(&w);
	printf("%.2f %.0f %s\n",
	    (double)(now(CLOCK_PROCESS_CPUTIME_ID) - begin) / 1000 /
		(double)count,
	    (double)w.longest / 1000, w.result);
	buf_free(&w.mail);
	buf_free(&w.keys);
	return 0;
}
