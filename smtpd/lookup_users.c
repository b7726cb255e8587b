/*
 * Who the users of the system are.  NSS may take its time, and one question
 * must not hold up the others: each is asked in a thread, with a deadline
 * after which its asker is told that nobody knows.  Runs in lookup.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_users.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "lookup_match.h"
#include "lookup_work.h"

#define THREADS   8
#define IN_LINE   256
#define DEADLINE  5000                /* ms */
#define ENTRY_MAX ((size_t)256 << 10) /* bytes of one user's entry */

struct users {
	struct loop *loop;
	struct workers *workers;
	unsigned int late; /* threads that are past their deadline */
};

/* A question: the asker's until it is answered or gives up, then its own
 * until the thread is back. */
struct user_work {
	struct work work;
	struct users *users;
	struct table_req *req; /* NULL: nobody waits any more */
	struct timer deadline;
	bool is_late;
	char name[TABLE_KEY_MAX + 1];
	enum table_answer answer;
	char *value;
};

/* ---- in a thread ---- */

/* NULL: there is none, or *rc says what failed. */
static const struct passwd *
get_user(const char *name, struct passwd *pw, char **mem, int *rc)
{
	struct passwd *found = NULL;
	size_t size = 1024;
	char *more;

	for (; size <= ENTRY_MAX; size *= 4) {
		if ((more = realloc(*mem, size)) == NULL)
			break;
		*mem = more;
		*rc = getpwnam_r(name, pw, *mem, size, &found);
		if (*rc == EINTR)
			continue;
		if (*rc != ERANGE)
			return found;
	}
	*rc = ERANGE;
	return NULL;
}

/* What POSIX and its libraries say for "no such user". */
static bool
means_none(int rc)
{
	return rc == 0 || rc == ENOENT || rc == ESRCH;
}

static void
run(struct work *work)
{
	struct user_work *w = (struct user_work *)(void *)work;
	const struct passwd *found;
	struct passwd pw;
	char *mem = NULL;
	int rc = 0;

	found = get_user(w->name, &pw, &mem, &rc);
	if (found != NULL) {
		if (asprintf(&w->value, "%u:%u:%s", (unsigned int)pw.pw_uid,
			(unsigned int)pw.pw_gid, pw.pw_dir) == -1)
			w->value = NULL;
		w->answer = w->value == NULL ? TABLE_UNKNOWN : TABLE_YES;
	} else
		w->answer = means_none(rc) ? TABLE_NO : TABLE_UNKNOWN;
	free(mem);
}

/* ---- in the loop ---- */

static void
forget(struct table_req *req)
{
	struct user_work *w = req->of;

	timer_clear(&w->deadline);
	w->req = NULL;
}

/* The asker may ask again in its function, with the same req. */
static void
answer(struct user_work *w, enum table_answer a, const char *value)
{
	struct table_req *req = w->req;

	if (req == NULL)
		return;
	forget(req);
	req->cancel = NULL;
	req->fn(req->arg, a, value);
}

static void
done(struct work *work)
{
	struct user_work *w = (struct user_work *)(void *)work;

	if (w->is_late)
		w->users->late--;
	answer(w, w->answer, w->value == NULL ? "" : w->value);
	free(w->value);
	free(w);
}

static void
on_deadline(void *arg)
{
	struct user_work *w = arg;

	w->is_late = true;
	if (w->users->late++ == 0)
		log_warn("users-late", "seconds=%d name=%s", DEADLINE / 1000,
		    q(w->name));
	answer(w, TABLE_UNKNOWN, "");
}

struct users *
users_new(struct loop *l)
{
	struct users *u = xcalloc(1, sizeof(*u));

	u->loop = l;
	u->workers = workers_new(l, THREADS, IN_LINE);
	return u;
}

enum table_answer
users_ask(struct users *u, const char *name, struct buf *value,
    struct table_req *req, table_fn *fn, void *arg)
{
	struct user_work *w = xcalloc(1, sizeof(*w));

	(void)value; /* none is known at once */
	*req = (struct table_req){ .cancel = forget, .fn = fn, .arg = arg };
	req->of = w;
	w->work.run = run;
	w->work.done = done;
	w->users = u;
	w->req = req;
	/* No user has such a name; NSS is not asked about it. */
	if (!slice_copy(slice_of(name), w->name, sizeof(w->name)) ||
	    name[0] == '\0' || strpbrk(name, ":/\n") != NULL) {
		req->cancel = NULL;
		free(w);
		return TABLE_NO;
	}
	if (!workers_add(u->workers, &w->work)) {
		req->cancel = NULL;
		free(w);
		return TABLE_UNKNOWN;
	}
	timer_set(u->loop, &w->deadline, DEADLINE, on_deadline, w);
	return TABLE_WAIT;
}
