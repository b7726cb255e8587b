/*
 * libexec/local: a process that has brought a message where it goes stays a
 * little for the same user's next one, which then costs no fork, no exec and no
 * question who he is.  Runs in spawn, as root; takes one byte from local, which
 * says nothing but that it waits.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_local.h"

#include <sys/socket.h>

#include <bsd/string.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STAY_IDLE 2000  /* ms without a message */
#define STAY_AGE  10000 /* ms after which he is looked up again */
#define STAY_MAX  32    /* processes that wait, at once */

void
local_stay_as(const struct conf_action *a, const struct local_start *start,
    bool program, struct local_as *as)
{
	const struct local_to *to = &start->take.to;

	memset(as, 0, sizeof(*as));
	as->uid = to->uid;
	as->gid = to->gid;
	as->other = to->flags & LOCAL_OTHER;
	as->mbox = to->what == LOCAL_MAILBOX && a->method == METHOD_MBOX;
	as->program = program;
	as->userbase = a->userbase;
	strlcpy(as->user, to->user, sizeof(as->user));
	strlcpy(as->name, to->as, sizeof(as->name));
}

/* It has nothing to do, as far as queue knows. */
static bool
is_idle(const struct local_run *r)
{
	return r->next != -1 && r->answer == -1;
}

void
local_stay_end(struct local_run *r)
{
	if (r->next == -1)
		return;
	if (is_idle(r))
		timer_clear(&r->keep);
	close(r->next);
	r->next = -1;
}

static void
on_idle(void *arg)
{
	local_stay_end(arg);
}

/* Who has waited longest makes room. */
static void
make_room(struct local_runs *l)
{
	struct local_run *r, *oldest = NULL;
	size_t i, n = 0;

	for (i = 0; i < LOCAL_RUNS; i++) {
		r = &l->take[i];
		if (!is_idle(r))
			continue;
		n++;
		if (oldest == NULL || r->idle < oldest->idle)
			oldest = r;
	}
	if (n > STAY_MAX)
		local_stay_end(oldest);
}

void
local_stay(struct local_run *r)
{
	struct local_runs *l = r->of;
	msec now = loop_msec();

	if (r->next == -1)
		return;
	if (l->draining || now >= r->until) {
		local_stay_end(r);
		return;
	}
	r->idle = now;
	timer_set(l->proc->loop, &r->keep,
	    r->until - now < STAY_IDLE ? r->until - now : STAY_IDLE, on_idle,
	    r);
	make_room(l);
}

void
local_stay_begin(struct local_run *r, const struct local_as *as, int next)
{
	r->as = *as;
	r->next = next;
	r->until = loop_msec() + STAY_AGE;
}

/* It is done with its last one.  One that has gone gets nothing any more. */
static bool
is_ready(struct local_run *r)
{
	char byte;
	ssize_t n = recv(r->next, &byte, sizeof(byte), MSG_DONTWAIT);

	if (n == 0)
		local_stay_end(r);
	return n == 1;
}

struct local_run *
local_stay_find(struct local_runs *l, const struct local_as *as)
{
	struct local_run *r;
	size_t i;

	for (i = 0; i < LOCAL_RUNS; i++) {
		r = &l->take[i];
		if (is_idle(r) && memcmp(&r->as, as, sizeof(*as)) == 0 &&
		    is_ready(r))
			return r;
	}
	return NULL;
}

/* Whole or not at all, and at once. */
static bool
put_start(int sock, const struct local_start *start, const int fd[2])
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)start,
		.iov_len = sizeof(*start) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fd, 2 * sizeof(int));
	return sendmsg(sock, &m, MSG_EOR | MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)sizeof(*start);
}

bool
local_stay_give(struct local_run *r, const struct local_start *start,
    int content)
{
	int ends[2];
	bool good;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return false;
	good = put_start(r->next, start, (const int[]){ content, ends[1] });
	close(ends[1]);
	if (!good) {
		close(ends[0]);
		local_stay_end(r);
		return false;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	timer_clear(&r->keep);
	r->answer = ends[0];
	helper_began(&r->helper, r->of->proc->loop, r->helper.pid,
	    local_life(start));
	return true;
}
