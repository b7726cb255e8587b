/*
 * Reads one file of configuration into memory.  Runs in the parent, as
 * whoever started it; understands nothing of what it reads.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_source.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define TOO_LARGE "larger than 16 MB, which no configuration is"

void
conf_source_free(struct conf_source *s)
{
	if (s->mem != NULL)
		explicit_bzero(s->mem, s->cap);
	free(s->mem);
	s->mem = NULL;
	s->p = s->end = NULL;
}

/* realloc(3) would leave the old bytes where they were. */
static void
grow(struct conf_source *s, size_t len)
{
	struct conf_source old = *s;

	s->cap = old.cap == 0 ? 8192 : old.cap * 2;
	s->mem = xcalloc(1, s->cap);
	if (old.mem != NULL)
		memcpy(s->mem, old.mem, len);
	conf_source_free(&old);
}

/* Reads all of fd into s->mem; NULL, or why not. */
static const char *
read_all(int fd, struct conf_source *s)
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		if (len == s->cap)
			grow(s, len);
		n = read(fd, s->mem + len, s->cap - len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return strerror(errno);
		if (n == 0)
			break;
		if ((len += (size_t)n) > CONF_FILE_MAX)
			return TOO_LARGE;
	}
	s->p = s->mem;
	s->end = s->mem + len;
	return NULL;
}

static uint32_t
line_at(const struct conf_source *s, const char *at)
{
	const char *p;
	uint32_t line = 1;

	for (p = s->p; p < at; p++)
		line += *p == '\n';
	return line;
}

uint32_t
conf_source_bad(const struct conf_source *s, const char **why)
{
	const char *p, *nul, *crlf = NULL;
	size_t len = (size_t)(s->end - s->p);

	nul = memchr(s->p, '\0', len);
	for (p = s->p; (p = memchr(p, '\r', (size_t)(s->end - p))) != NULL;
	     p++) {
		if (s->end - p >= 2 && p[1] == '\n') {
			crlf = p;
			break;
		}
	}
	if (nul != NULL && (crlf == NULL || nul < crlf)) {
		*why = "found a NUL byte, expected text";
		return line_at(s, nul);
	}
	if (crlf != NULL) {
		*why =
		    "found a line end of DOS (CRLF), expected newlines alone: convert the file, as with `sed -i 's/\\r$//'`";
		return line_at(s, crlf);
	}
	return 0;
}

/* NULL, or why what is open cannot be a configuration. */
static const char *
check(int fd, bool pipe, struct conf_source *s)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return strerror(EISDIR);
	if (!pipe && !S_ISREG(st.st_mode))
		return "found something else, expected a file";
	if (st.st_size > CONF_FILE_MAX)
		return TOO_LARGE;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return NULL;
}

const char *
conf_source_read(const char *path, bool pipe, struct conf_source *s)
{
	const char *why;
	int fd;

	/* Opening a FIFO must not wait for somebody to write. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1)
		return strerror(errno);
	why = check(fd, pipe, s);
	if (why == NULL && fcntl(fd, F_SETFL, O_RDONLY) == -1)
		why = strerror(errno);
	if (why == NULL)
		why = read_all(fd, s);
	close(fd);
	return why;
}
