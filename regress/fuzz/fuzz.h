/*
 * The frame of the fuzzers: what must hold for every input, and bytes taken
 * off its front where a harness needs choices.  A fuzzer is a parser's
 * contract, tried on input that nobody thought of.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <sys/mman.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "slice.h"

/* Takes one input.  Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

#define MUST(truth)                                                            \
	((truth) ? (void)0 : fuzz_broken(#truth, __FILE__, __LINE__))

static inline void
fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* Log lines go nowhere. */
static inline void
fuzz_quiet(void)
{
	log_to_socket(-1, false);
}

/* The next byte, 0 at the end. */
static inline uint8_t
fuzz_byte(struct slice *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return (uint8_t)*in->p++;
}

/* The next len bytes, fewer at the end. */
static inline struct slice
fuzz_take(struct slice *in, size_t len)
{
	struct slice front = { in->p, len < in->len ? len : in->len };

	in->p += front.len;
	in->len -= front.len;
	return front;
}

/* What stands before the next line feed, or all; steps over both. */
static inline struct slice
fuzz_line(struct slice *in)
{
	const char *lf = in->len == 0 ? NULL : memchr(in->p, '\n', in->len);
	size_t len = lf == NULL ? in->len : (size_t)(lf - in->p);
	struct slice line = fuzz_take(in, len);

	fuzz_take(in, 1);
	return line;
}

/* A copy of its own size, so that reading past it is seen; to be freed. */
static inline void *
fuzz_copy(const void *p, size_t len)
{
	void *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		abort();
	if (len != 0)
		memcpy(copy, p, len);
	return copy;
}

/* The same as a text: NULs become blanks. */
static inline char *
fuzz_text(struct slice s)
{
	char *text = malloc(s.len + 1);
	size_t i;

	if (text == NULL)
		abort();
	for (i = 0; i < s.len; i++)
		text[i] = s.p[i] == '\0' ? ' ' : s.p[i];
	text[i] = '\0';
	return text;
}

/* A file with these bytes; to be closed. */
static inline int
fuzz_file(struct slice s)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd == -1 || (s.len != 0 && write(fd, s.p, s.len) != (ssize_t)s.len))
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

#endif
