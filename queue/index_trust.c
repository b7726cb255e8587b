/*
 * Whether an index on disk is to be believed.  Used by queue and smtpctl.
 * LMDB checks no sums, so a database that was torn or written to by somebody
 * else could take its reader down; hence this stands beside it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "index_trust.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "log.h"
#include "spool.h"

#define NAME      "trust"
#define TEXT_LEN  160 /* bytes of the text, at most */
#define TOKEN_LEN 32

/* A larger database is summed up to here only: the start must not wait. */
#define SUM_MAX  ((uint64_t)256 * 1024 * 1024)
#define SUM_STEP ((size_t)256 * 1024)

#define FORMAT                                                                 \
	"postern index 1 token %016" PRIx64 "%016" PRIx64                      \
	" clean %u filled %u"                                                  \
	" opened %u size %020" PRIu64 " sum %016" PRIx64 "\n"

static int
print(const struct trust *t, char text[TEXT_LEN])
{
	return snprintf(text, TEXT_LEN, FORMAT, t->token[0], t->token[1],
	    t->clean, t->filled, t->opened, t->size, t->sum);
}

/* Up to size bytes of a small file.  -1: not there. */
static ssize_t
read_small(int dir, const char *name, char *text, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = pread(fd, text, size, 0);
	close(fd);
	return n;
}

bool
trust_read(int dir, struct trust *t)
{
	char text[TEXT_LEN], again[TEXT_LEN];
	unsigned int clean, filled;
	ssize_t n = read_small(dir, NAME, text, sizeof text - 1);

	*t = (struct trust){ 0 };
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (sscanf(text,
		"postern index 1 token %16" SCNx64 "%16" SCNx64
		" clean %1u filled %1u opened %3u size %20" SCNu64
		" sum %16" SCNx64,
		&t->token[0], &t->token[1], &clean, &filled, &t->opened,
		&t->size, &t->sum) != 7)
		return false;
	t->clean = clean != 0;
	t->filled = filled != 0;
	/* There is one spelling: anything else is somebody else's. */
	return print(t, again) == n && memcmp(text, again, (size_t)n) == 0;
}

/* Written over in place: a full disk must not keep the queue from starting,
 * and half of one is not believed. */
bool
trust_write(int dir, const struct trust *t)
{
	char text[TEXT_LEN];
	int n = print(t, text), fd;
	bool ok;

	fd = openat(dir, NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd == -1)
		return false;
	ok = pwrite(fd, text, (size_t)n, 0) == n && fsync(fd) == 0;
	close(fd);
	return ok && fsync(dir) == 0;
}

bool
trust_measure(int dir, struct trust *t)
{
	int fd = openat(dir, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	XXH3_state_t *sum = XXH3_createState();
	uint8_t *mem = xcalloc(1, SUM_STEP);
	uint64_t at = 0;
	struct stat st;
	ssize_t n = 0;
	bool ok = false;

	if (sum == NULL)
		fatal("no memory");
	if (fd == -1 || fstat(fd, &st) == -1)
		goto fail;
	XXH3_64bits_reset(sum);
	for (; at < SUM_MAX; at += (uint64_t)n) {
		n = pread(fd, mem, SUM_STEP, (off_t)at);
		if (n <= 0)
			break;
		XXH3_64bits_update(sum, mem, (size_t)n);
	}
	t->size = (uint64_t)st.st_size;
	t->sum = XXH3_64bits_digest(sum);
	ok = n != -1;
fail:
	if (fd != -1)
		close(fd);
	free(mem);
	XXH3_freeState(sum);
	return ok;
}

bool
trust_is_clean(int dir, const struct trust *t)
{
	struct trust now = { 0 };

	return t->clean && trust_measure(dir, &now) && now.size == t->size &&
	    now.sum == t->sum;
}

/* ---- the spool's lock ---- */

static void
token_print(const struct trust *t, char text[TOKEN_LEN + 2])
{
	snprintf(text, TOKEN_LEN + 2, "%016" PRIx64 "%016" PRIx64 "\n",
	    t->token[0], t->token[1]);
}

void
trust_publish(int spool, const struct trust *t)
{
	int fd = openat(spool, "lock", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[TOKEN_LEN + 2];

	if (fd == -1)
		return; /* nobody has ever locked this spool */
	token_print(t, text);
	/* Without it, readers look at the files instead. */
	if (pwrite(fd, text, TOKEN_LEN + 1, 0) != TOKEN_LEN + 1)
		log_warn("index", "cannot be told to readers: error=%s",
		    q(strerror(errno)));
	close(fd);
}

bool
trust_published(int spool, const char *dir, const struct trust *t)
{
	char text[TOKEN_LEN + 2], said[TOKEN_LEN + 2];

	token_print(t, text);
	return read_small(spool, "lock", said, TOKEN_LEN + 1) ==
	    TOKEN_LEN + 1 &&
	    memcmp(said, text, TOKEN_LEN + 1) == 0 && spool_locked(dir);
}
