/*
 * The configuration's image: sealed by the parent, mapped and read by every
 * process.  Trusts nothing in it before conf_map() has seen that each span
 * and each index stays inside.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define ALIGN 8 /* of every span but the pool */

/* Columns: span, size of its rows. */
static const struct {
	size_t off, row;
} spans[] = {
	{ offsetof(struct conf, listen), sizeof(struct conf_listen) },
	{ offsetof(struct conf, table), sizeof(struct conf_table) },
	{ offsetof(struct conf, action), sizeof(struct conf_action) },
	{ offsetof(struct conf, match), sizeof(struct conf_match) },
	{ offsetof(struct conf, dkim), sizeof(struct conf_dkim) },
	{ offsetof(struct conf, retry), sizeof(struct conf_retry) },
	{ offsetof(struct conf, local_addr), sizeof(struct conf_entry) },
};

static bool
span_fits(const struct conf *c, struct conf_span span, size_t row, size_t align)
{
	if (span.n == 0)
		return true;
	return span.off >= sizeof(*c) && span.off < c->size &&
	    span.off % align == 0 && span.n <= (c->size - span.off) / row;
}

/* The pool begins with the empty text and ends with a NUL. */
static bool
pool_fits(const struct conf *c)
{
	const char *pool = (const char *)c + c->pool.off;

	if (c->pool.n == 0 || !span_fits(c, c->pool, 1, 1))
		return false;
	return pool[0] == '\0' && pool[c->pool.n - 1] == '\0';
}

static bool
index_fits(uint32_t i, struct conf_span span)
{
	return i == CONF_NONE || i < span.n;
}

static bool
conf_fits(const struct conf *c)
{
	const struct conf_match *m;
	size_t i;

	for (i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		const struct conf_span *span =
		    (const void *)((const char *)c + spans[i].off);

		if (!span_fits(c, *span, spans[i].row, ALIGN))
			return false;
	}
	for (i = 0; i < c->table.n; i++) {
		if (!span_fits(c, CONF_TABLE(c, (uint32_t)i)->entries,
			sizeof(struct conf_entry), ALIGN))
			return false;
	}
	for (i = 0; i < c->match.n; i++) {
		m = CONF_MATCH(c, (uint32_t)i);
		if (!index_fits(m->action, c->action) ||
		    !index_fits(m->from_table, c->table) ||
		    !index_fits(m->for_table, c->table))
			return false;
	}
	return pool_fits(c);
}

/* Maps it; NULL and errno if it is not what we sealed. */
static const struct conf *
map(int fd)
{
	const struct conf *c;
	struct stat st;
	int seals;

	if (fstat(fd, &st) == -1)
		return NULL;
	/* What could still shrink would kill us later, by SIGBUS. */
	if ((seals = fcntl(fd, F_GET_SEALS)) == -1)
		return NULL;
	if ((seals & SEALS) != SEALS) {
		errno = EPERM;
		return NULL;
	}
	errno = EINVAL;
	if (st.st_size < (off_t)sizeof(*c) || st.st_size > UINT32_MAX)
		return NULL;
	c = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		return NULL;
	if (c->magic == CONF_MAGIC && c->size == (uint64_t)st.st_size &&
	    conf_fits(c))
		return c;
	munmap((void *)(uintptr_t)c, (size_t)st.st_size);
	errno = EINVAL;
	return NULL;
}

const struct conf *
conf_map(int fd)
{
	const struct conf *c = map(fd);
	int keep = errno;

	close(fd);
	errno = keep;
	return c;
}

const char *
conf_text(const struct conf *c, conf_str s)
{
	return (const char *)c + c->pool.off + (s < c->pool.n ? s : 0);
}

const void *
conf_row(const struct conf *c, struct conf_span span, uint32_t i, size_t size)
{
	assert(i < span.n);
	return (const char *)c + span.off + (size_t)i * size;
}

int
conf_seal(const void *image, size_t size)
{
	const char *p = image;
	size_t done = 0;
	ssize_t n;
	int fd, keep;

	fd = memfd_create("smtpd.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -1;
	while (done < size) {
		n = write(fd, p + done, size - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			goto fail;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1)
		goto fail;
	return fd;
fail:
	keep = errno;
	close(fd);
	errno = keep;
	return -1;
}
