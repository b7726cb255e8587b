/*
 * Entries of a db: table, sorted and written to LMDB in the order of their
 * keys, so that each page is written once and filled.  Runs in smtpctl.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_makemap.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "table_file.h"
#include "table_key.h"

#define BATCH 50000 /* rows of a transaction: its pages are in memory */

/* In front of each row in text. */
struct row_head {
	uint32_t key_len, value_len, line, also;
};

void
map_free(struct map *m)
{
	buf_free(&m->text);
	free(m->at);
	memset(m, 0, sizeof(*m));
}

struct map_row
map_row(const struct map *m, size_t i)
{
	const char *p = (const char *)buf_data(&m->text) + m->at[i];
	struct row_head head;
	struct map_row row;

	memcpy(&head, p, sizeof(head));
	row.key = (struct slice){ p + sizeof(head), head.key_len };
	row.value = (struct slice){ row.key.p + head.key_len, head.value_len };
	row.line = head.line;
	row.also = head.also;
	return row;
}

/* ---- adding ---- */

static const char *
add_row(struct map *m, struct slice key, struct slice value, uint64_t line,
    uint32_t also)
{
	static const char mark = TABLE_FILE_ALSO;
	struct row_head head = { .key_len = (uint32_t)key.len,
		.value_len = (uint32_t)(value.len + 1 + also),
		.line = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line,
		.also = also };

	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 1024 : m->cap * 2;
		m->at = xrealloc(m->at, m->cap, sizeof(*m->at));
	}
	if (m->text.len + sizeof(head) + key.len + head.value_len > UINT32_MAX)
		return "the table is too large";
	m->at[m->n++] = (uint32_t)m->text.len;
	(void)buf_add(&m->text, &head, sizeof(head));
	(void)buf_add(&m->text, key.p, key.len);
	(void)buf_add(&m->text, value.p, value.len);
	(void)buf_add(&m->text, "", 1);
	if (also != 0)
		(void)buf_add(&m->text, &mark, 1);
	return NULL;
}

/* A key that LMDB holds beside those of the entries. */
static const char *
add_special(struct map *m, uint8_t first, const void *p, size_t len,
    struct slice value, uint64_t line)
{
	char key[1 + TABLE_KEY_MAX];

	key[0] = (char)first;
	memcpy(key + 1, p, len);
	return add_row(m, (struct slice){ key, len + 1 }, value, line, 1);
}

const char *
map_add(struct map *m, struct slice key, struct slice value, uint64_t line)
{
	struct table_forms f;
	const char *why, *last;
	unsigned int i;

	if ((why = table_forms(key, &f)) != NULL)
		return why;
	if (value.len != 0 && memchr(value.p, '\0', value.len) != NULL)
		return "a NUL byte";
	for (i = 0; i < f.n_exact && why == NULL; i++)
		why = add_row(m, slice_of(f.exact[i]), value, line, i != 0);
	last = f.exact[f.n_exact - 1];
	if (why == NULL && f.glob)
		why = add_special(m, TABLE_FILE_GLOB, last, strlen(last), value,
		    line);
	if (why == NULL && f.is_net)
		why = add_special(m, TABLE_FILE_NET, &f.net, sizeof(f.net),
		    value, line);
	return why;
}

/* ---- sorting ---- */

/* As LMDB compares keys. */
static int
key_cmp(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int cmp = memcmp(a.p, b.p, len);

	return cmp != 0 ? cmp : (a.len > b.len) - (a.len < b.len);
}

/* Among equals an entry comes before other forms, and the first line first. */
static int
row_cmp(const void *a, const void *b, void *arg)
{
	const uint32_t *at_a = a, *at_b = b;
	struct map one = *(const struct map *)arg;
	uint32_t at[2] = { *at_a, *at_b };
	struct map_row x, y;
	int cmp;

	one.at = at;
	x = map_row(&one, 0);
	y = map_row(&one, 1);
	cmp = key_cmp(x.key, y.key);
	if (cmp == 0)
		cmp = (x.also > y.also) - (x.also < y.also);
	return cmp != 0 ? cmp : (x.line > y.line) - (x.line < y.line);
}

size_t
map_sort(struct map *m,
    void (*dup)(void *arg, const struct map_row *row, uint32_t first),
    void *arg)
{
	size_t i, kept = 0, dups = 0;
	struct map_row row, before;

	if (m->n != 0)
		qsort_r(m->at, m->n, sizeof(*m->at), row_cmp, m);
	for (i = 0; i < m->n; i++) {
		row = map_row(m, i);
		if (kept != 0) {
			before = map_row(m, kept - 1);
			if (key_cmp(before.key, row.key) == 0) {
				if (row.also == 0) {
					dup(arg, &row, before.line);
					dups++;
				}
				continue;
			}
		}
		m->n_entries += row.also == 0;
		m->at[kept++] = m->at[i];
	}
	m->n = kept;
	return dups;
}

/* ---- LMDB ---- */

static int
put_batch(MDB_env *env, const struct map *m, size_t *next)
{
	size_t end = m->n - *next > BATCH ? *next + BATCH : m->n;
	struct map_row row;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val k, v;
	int rc;

	if ((rc = mdb_txn_begin(env, NULL, 0, &txn)) != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &dbi);
	for (; rc == 0 && *next < end; ++*next) {
		row = map_row(m, *next);
		k = (MDB_val){ row.key.len, (void *)(uintptr_t)row.key.p };
		v = (MDB_val){ row.value.len, (void *)(uintptr_t)row.value.p };
		rc = mdb_put(txn, dbi, &k, &v, MDB_APPEND);
	}
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* The fd of a file, as a path that LMDB can open. */
static int
open_env(int fd, unsigned int flags, size_t map_size, MDB_env **env)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((rc = mdb_env_create(env)) != 0)
		return rc;
	if ((map_size != 0 &&
		(rc = mdb_env_set_mapsize(*env, map_size)) != 0) ||
	    (rc = mdb_env_open(*env, path, MDB_NOSUBDIR | MDB_NOLOCK | flags,
		 0600)) != 0) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return rc;
}

static const char *
write_end(const struct map *m, int fd)
{
	struct table_file_end end;
	off_t len = lseek(fd, 0, SEEK_END);
	const char *why;
	uint64_t sum;

	if (len == -1)
		return strerror(errno);
	if ((why = table_file_sum(fd, (uint64_t)len, -1, &sum)) != NULL)
		return why;
	table_file_end_set(&end, (uint64_t)len, m->n_entries, sum);
	return pwrite(fd, &end, sizeof(end), len) == sizeof(end) ?
	    NULL :
	    strerror(errno);
}

const char *
map_write(const struct map *m, int fd)
{
	/* A value may need pages of its own, and is then rounded up. */
	size_t size = m->text.len * 4 + ((size_t)64 << 20), next = 0;
	MDB_env *env;
	int rc;

	if ((rc = open_env(fd, MDB_NOSYNC, size, &env)) != 0)
		return mdb_strerror(rc);
	do
		rc = put_batch(env, m, &next);
	while (rc == 0 && next < m->n);
	mdb_env_close(env);
	return rc != 0 ? mdb_strerror(rc) : write_end(m, fd);
}

/* ---- reading it again ---- */

static int
walk(MDB_txn *txn, void (*fn)(void *arg, struct slice key, struct slice value),
    void *arg)
{
	uint8_t from = ' '; /* what is special comes before it */
	MDB_val k = { 1, &from }, v;
	MDB_cursor *c;
	MDB_dbi dbi;
	int rc;

	if ((rc = mdb_dbi_open(txn, NULL, 0, &dbi)) != 0 ||
	    (rc = mdb_cursor_open(txn, dbi, &c)) != 0)
		return rc;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		const char *p = v.mv_data;

		/* An entry's own key: its value ends with the NUL. */
		if (v.mv_size != 0 && p[v.mv_size - 1] == '\0')
			fn(arg, (struct slice){ k.mv_data, k.mv_size },
			    (struct slice){ p, v.mv_size - 1 });
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

const char *
map_walk(int fd, void (*fn)(void *arg, struct slice key, struct slice value),
    void *arg)
{
	const char *why;
	MDB_env *env;
	MDB_txn *txn;
	uint64_t n;
	int rc;

	if ((why = table_file_copy(fd, -1, &n)) != NULL)
		return why;
	if ((rc = open_env(fd, MDB_RDONLY, 0, &env)) != 0)
		return mdb_strerror(rc);
	if ((rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn)) == 0) {
		rc = walk(txn, fn, arg);
		mdb_txn_abort(txn);
	}
	mdb_env_close(env);
	return rc == 0 ? NULL : mdb_strerror(rc);
}
