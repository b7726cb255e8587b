/*
 * The smallest frame for unit tests: a case is a name and a truth.  Prints
 * one line per case, "ok NAME" or "not ok NAME (file:line)", which
 * regress/conftest.py counts; unit_end() gives the exit status.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef UNIT_H
#define UNIT_H

#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int unit_failed;

#define CHECK(name, truth) unit_case((name), (truth), __FILE__, __LINE__)

static inline void
unit_case(const char *name, int truth, const char *file, int line)
{
	if (truth)
		printf("ok %s\n", name);
	else {
		printf("not ok %s (%s:%d)\n", name, file, line);
		unit_failed++;
	}
	fflush(stdout);
}

static inline int
unit_end(void)
{
	return unit_failed ? 1 : 0;
}

/*
 * A copy of len bytes that ends right before a page nobody may touch, so that
 * a parser which reads one byte too many dies here.  Never freed.
 */
static inline char *
unit_guard(const void *p, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t n = (len + page - 1) / page * page + page;
	char *m = mmap(NULL, n, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || mprotect(m + n - page, page, PROT_NONE) != 0)
		abort();
	if (len != 0)
		memcpy(m + n - page - len, p, len);
	return m + n - page - len;
}

#endif
