/*
 * A thread that writes to the facts, and the loop's end of it.  Used by queue.
 * The thread calls nothing of the loop's, and does not log.
 *
 * SPDX-License-Identifier: ISC
 */
#include "writer.h"

#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum writer_work { WORK_NONE, WORK_GIVEN, WORK_DONE };

struct writer {
	writer_fn *fn;
	writer_done *done;
	void *arg;
	struct watch watch;
	int event; /* readable when work is done */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	enum writer_work work;
	bool quit;
	int error; /* of LMDB */
};

/* ---- the thread ---- */

static void *
run(void *arg)
{
	struct writer *w = arg;
	const uint64_t one = 1;
	int rc;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->quit && w->work != WORK_GIVEN)
			pthread_cond_wait(&w->wake, &w->lock);
		if (w->work != WORK_GIVEN)
			break;
		pthread_mutex_unlock(&w->lock);
		rc = w->fn(w->arg);
		pthread_mutex_lock(&w->lock);
		w->error = rc;
		w->work = WORK_DONE;
		pthread_cond_broadcast(&w->wake);
		if (write(w->event, &one, sizeof one) == -1)
			continue; /* it is readable already */
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool
start_thread(struct writer *w)
{
	sigset_t all, old;
	int e;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = e;
	return e == 0;
}

/* ---- the loop ---- */

/* Work was done; false: it is not. */
static bool
take(struct writer *w, int *error)
{
	bool is_done;

	pthread_mutex_lock(&w->lock);
	is_done = w->work == WORK_DONE;
	*error = w->error;
	if (is_done)
		w->work = WORK_NONE;
	pthread_mutex_unlock(&w->lock);
	return is_done;
}

static void
on_done(int fd, int what, void *arg)
{
	struct writer *w = arg;
	uint64_t n;
	int error;

	(void)what;
	if (read(fd, &n, sizeof n) != -1 && take(w, &error))
		w->done(w->arg, error);
}

bool
writer_busy(struct writer *w)
{
	bool busy;

	pthread_mutex_lock(&w->lock);
	busy = w->work != WORK_NONE;
	pthread_mutex_unlock(&w->lock);
	return busy;
}

void
writer_give(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	assert(w->work == WORK_NONE);
	w->work = WORK_GIVEN;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static void
finish(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->work == WORK_GIVEN)
		pthread_cond_wait(&w->wake, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

bool
writer_wait(struct writer *w)
{
	int error;

	finish(w);
	if (!take(w, &error))
		return false;
	w->done(w->arg, error);
	return true;
}

struct writer *
writer_open(struct loop *l, writer_fn *fn, writer_done *done, void *arg,
    const char **why)
{
	struct writer *w = xcalloc(1, sizeof *w);

	w->fn = fn;
	w->done = done;
	w->arg = arg;
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->event == -1 || !start_thread(w)) {
		*why = strerror(errno);
		if (w->event != -1)
			close(w->event);
		free(w);
		return NULL;
	}
	watch_set(l, &w->watch, w->event, LOOP_READ, on_done, w);
	return w;
}

void
writer_close(struct writer **wp)
{
	struct writer *w = *wp;

	*wp = NULL;
	watch_clear(&w->watch);
	finish(w);
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	close(w->event);
	free(w);
}
