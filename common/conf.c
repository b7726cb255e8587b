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
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEALS       (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define ALIGN       8 /* of the spans of struct conf, but the pool */
#define INNER_ALIGN 4 /* of the spans in their rows */
#define N(a)        (sizeof(a) / sizeof((a)[0]))

#define ROWS(span, row)                                                        \
	{                                                                      \
		offsetof(struct conf, span), sizeof(struct row)                \
	}

/* Columns: span, size of its rows. */
static const struct {
	size_t off, row;
} spans[] = {
	ROWS(table, conf_table),
	ROWS(pki, conf_pki),
	ROWS(ca, conf_ca),
	ROWS(proc, conf_proc),
	ROWS(filter, conf_filter),
	ROWS(listen, conf_listen),
	ROWS(wrapper, conf_wrapper),
	ROWS(action, conf_action),
	ROWS(match, conf_match),
	ROWS(dkim, conf_dkim),
	ROWS(retry, conf_retry),
	ROWS(limit, conf_limit),
	ROWS(other, conf_other),
	ROWS(tls, conf_tls),
	ROWS(token, conf_token),
	ROWS(oauth, conf_oauth),
	ROWS(dnslist, conf_dnslist),
	ROWS(local_addr, conf_entry),
};

#define INNER(span, row, field, inner)                                         \
	{                                                                      \
		offsetof(struct conf, span), sizeof(struct row),               \
		    offsetof(struct row, field), sizeof(struct inner)          \
	}

/* Spans in rows.  Columns: span, size of its rows, the field, size of its
 * rows. */
static const struct {
	size_t off, row, field, inner;
} inners[] = {
	INNER(table, conf_table, entries, conf_entry),
	INNER(filter, conf_filter, member, conf_ref),
	INNER(listen, conf_listen, pki, conf_ref),
	INNER(listen, conf_listen, filter, conf_ref),
	INNER(action, conf_action, host, conf_host),
	INNER(action, conf_action, filter, conf_ref),
	INNER(match, conf_match, cond, conf_cond),
	INNER(retry, conf_retry, domain, conf_entry),
	INNER(retry, conf_retry, step, conf_step),
	INNER(limit, conf_limit, domain, conf_entry),
	INNER(limit, conf_limit, mx, conf_entry),
	INNER(tls, conf_tls, domain, conf_entry),
	INNER(tls, conf_tls, name, conf_entry),
	INNER(dnslist, conf_dnslist, answer, conf_entry),
};

#define INDEX(span, row, field, of)                                            \
	{                                                                      \
		offsetof(struct conf, span), sizeof(struct row),               \
		    offsetof(struct row, field), offsetof(struct conf, of)     \
	}

/* Indexes in rows.  Columns: span, size of its rows, the field, the span that
 * it points into. */
static const struct {
	size_t off, row, field, of;
} indexes[] = {
	INDEX(filter, conf_filter, proc, proc),
	INDEX(filter, conf_filter, table, table),
	INDEX(listen, conf_listen, ca, ca),
	INDEX(listen, conf_listen, auth_table, table),
	INDEX(listen, conf_listen, hostnames, table),
	INDEX(listen, conf_listen, senders, table),
	INDEX(listen, conf_listen, proxy, table),
	INDEX(listen, conf_listen, xclient, table),
	INDEX(listen, conf_listen, submission_table, table),
	INDEX(action, conf_action, alias, table),
	INDEX(action, conf_action, virtual_, table),
	INDEX(action, conf_action, userbase, table),
	INDEX(action, conf_action, wrapper, wrapper),
	INDEX(action, conf_action, host_table, table),
	INDEX(action, conf_action, domain, table),
	INDEX(action, conf_action, auth, table),
	INDEX(action, conf_action, src, table),
	INDEX(action, conf_action, helo_src, table),
	INDEX(match, conf_match, action, action),
};

/* Indexes in struct conf itself.  Columns: the field, the span that it points
 * into. */
static const struct {
	size_t field, of;
} own_indexes[] = {
	{ offsetof(struct conf, limit_except), offsetof(struct conf, table) },
	{ offsetof(struct conf, grey_except), offsetof(struct conf, table) },
};

/* Indexes in rows of an inner span.  Columns: as above, but the span in the
 * row stands before. */
static const struct {
	size_t off, row, inner, inner_row, field, of;
} inner_indexes[] = {
#define X(span, outer, inner, inner_row, index, of)                            \
	{ offsetof(struct conf, span), sizeof(struct outer),                   \
		offsetof(struct outer, inner), sizeof(struct inner_row),       \
		offsetof(struct inner_row, index),                             \
		offsetof(struct conf, of) },
	X(filter, conf_filter, member, conf_ref, i, filter)
	    X(listen, conf_listen, pki, conf_ref, i, pki)
		X(listen, conf_listen, filter, conf_ref, i, filter)
		    X(action, conf_action, filter, conf_ref, i, filter)
			X(match, conf_match, cond, conf_cond, table, table)
#undef X
};

static struct conf_span
span_at(const void *row, size_t field)
{
	struct conf_span span;

	memcpy(&span, (const char *)row + field, sizeof(span));
	return span;
}

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
index_fits(const struct conf *c, const void *row, size_t field, size_t of)
{
	uint32_t i;

	memcpy(&i, (const char *)row + field, sizeof(i));
	return i == CONF_NONE || i < span_at(c, of).n;
}

static bool
inners_fit(const struct conf *c)
{
	struct conf_span outer;
	const void *row;
	uint32_t j;
	size_t i;

	for (i = 0; i < N(inners); i++) {
		outer = span_at(c, inners[i].off);
		for (j = 0; j < outer.n; j++) {
			row = conf_row(c, outer, j, inners[i].row);
			if (!span_fits(c, span_at(row, inners[i].field),
				inners[i].inner, INNER_ALIGN))
				return false;
		}
	}
	return true;
}

static bool
indexes_fit(const struct conf *c)
{
	struct conf_span outer, inner;
	const void *row;
	uint32_t j, k;
	size_t i;

	for (i = 0; i < N(own_indexes); i++) {
		if (!index_fits(c, c, own_indexes[i].field, own_indexes[i].of))
			return false;
	}
	for (i = 0; i < N(indexes); i++) {
		outer = span_at(c, indexes[i].off);
		for (j = 0; j < outer.n; j++) {
			row = conf_row(c, outer, j, indexes[i].row);
			if (!index_fits(c, row, indexes[i].field,
				indexes[i].of))
				return false;
		}
	}
	for (i = 0; i < N(inner_indexes); i++) {
		outer = span_at(c, inner_indexes[i].off);
		for (j = 0; j < outer.n; j++) {
			row = conf_row(c, outer, j, inner_indexes[i].row);
			inner = span_at(row, inner_indexes[i].inner);
			for (k = 0; k < inner.n; k++) {
				row = conf_row(c, inner, k,
				    inner_indexes[i].inner_row);
				if (!index_fits(c, row, inner_indexes[i].field,
					inner_indexes[i].of))
					return false;
			}
		}
	}
	return true;
}

static bool
conf_fits(const struct conf *c)
{
	size_t i;

	for (i = 0; i < N(spans); i++) {
		if (!span_fits(c, span_at(c, spans[i].off), spans[i].row,
			ALIGN))
			return false;
	}
	return inners_fit(c) && indexes_fit(c) && pool_fits(c);
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

const char *
conf_mail_name(const struct conf *c)
{
	return conf_text(c, c->mail_name != 0 ? c->mail_name : c->hostname);
}

const void *
conf_row(const struct conf *c, struct conf_span span, uint32_t i, size_t size)
{
	assert(i < span.n);
	return (const char *)c + span.off + (size_t)i * size;
}

const char *
conf_at_print(const struct conf *c, const struct conf_at *at, char *out,
    size_t size)
{
	if (at->line == 0)
		snprintf(out, size, "%s", "default");
	else
		snprintf(out, size, "%s:%u", conf_text(c, at->file), at->line);
	return out;
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
