/*
 * Threads beside the loop.  Runs in lookup; a thread that hangs holds its
 * place and nothing else, and ends with the process.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_work.h"

#include <sys/eventfd.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

TAILQ_HEAD(work_list, work);

struct workers {
	struct loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct work_list line, ready; /* under lock */
	unsigned int n_line, n_idle;  /* under lock */
	unsigned int n_threads, max_threads, max_line;
	int tell; /* eventfd: something is in ready */
	struct watch watch;
};

static _Noreturn void *
thread_main(void *arg)
{
	struct workers *ws = arg;
	uint64_t one = 1;
	struct work *w;

	pthread_mutex_lock(&ws->lock);
	for (;;) {
		while ((w = TAILQ_FIRST(&ws->line)) == NULL) {
			ws->n_idle++;
			pthread_cond_wait(&ws->more, &ws->lock);
			ws->n_idle--;
		}
		TAILQ_REMOVE(&ws->line, w, entry);
		ws->n_line--;
		pthread_mutex_unlock(&ws->lock);
		w->run(w);
		pthread_mutex_lock(&ws->lock);
		TAILQ_INSERT_TAIL(&ws->ready, w, entry);
		/* It cannot be full: the loop takes all at once. */
		(void)!write(ws->tell, &one, sizeof(one));
	}
}

static void
on_ready(int fd, int what, void *arg)
{
	struct workers *ws = arg;
	struct work_list ready;
	struct work *w;
	uint64_t n;

	(void)what;
	(void)!read(fd, &n, sizeof(n));
	TAILQ_INIT(&ready);
	pthread_mutex_lock(&ws->lock);
	TAILQ_CONCAT(&ready, &ws->ready, entry);
	pthread_mutex_unlock(&ws->lock);
	while ((w = TAILQ_FIRST(&ready)) != NULL) {
		TAILQ_REMOVE(&ready, w, entry);
		w->done(w);
	}
}

struct workers *
workers_new(struct loop *l, unsigned int threads, unsigned int waiting)
{
	struct workers *ws = xcalloc(1, sizeof(*ws));

	ws->loop = l;
	ws->max_threads = threads;
	ws->max_line = waiting;
	TAILQ_INIT(&ws->line);
	TAILQ_INIT(&ws->ready);
	ws->tell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ws->tell == -1 || pthread_mutex_init(&ws->lock, NULL) != 0 ||
	    pthread_cond_init(&ws->more, NULL) != 0)
		fatal("no threads: %s", strerror(errno));
	watch_set(l, &ws->watch, ws->tell, LOOP_READ, on_ready, ws);
	return ws;
}

/* Signals are for the loop alone. */
static bool
start_thread(struct workers *ws)
{
	sigset_t all, old;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, NULL, thread_main, ws);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return false;
	pthread_detach(thread);
	ws->n_threads++;
	return true;
}

bool
workers_add(struct workers *ws, struct work *w)
{
	bool room, idle;

	pthread_mutex_lock(&ws->lock);
	idle = ws->n_idle > ws->n_line;
	room = idle || ws->n_threads < ws->max_threads ||
	    ws->n_line < ws->max_line;
	pthread_mutex_unlock(&ws->lock);
	if (!room)
		return false;
	if (!idle && ws->n_threads < ws->max_threads && !start_thread(ws) &&
	    ws->n_threads == 0)
		return false;
	pthread_mutex_lock(&ws->lock);
	TAILQ_INSERT_TAIL(&ws->line, w, entry);
	ws->n_line++;
	pthread_cond_signal(&ws->more);
	pthread_mutex_unlock(&ws->lock);
	return true;
}
