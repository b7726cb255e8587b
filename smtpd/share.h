/*
 * What is few, and wanted by many clients at once: a client has no more of it
 * than are left for others, so that who comes newly finds some, whoever came
 * before.  Of those who wait each client has its turn.
 *
 * A client alone has half of the places, two of them a third each, and so on:
 * what was given cannot be taken back, so some stay free for who is not there
 * yet.  The same holds for the room to wait in.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SHARE_H
#define SMTPD_SHARE_H

#include <bsd/sys/queue.h>

#include <stdbool.h>

struct share;
struct share_client;
typedef void share_fn(void *arg);

/* A member of who wants one; zeroed at first. */
struct share_place {
	TAILQ_ENTRY(share_place) entry; /* of those of its client that wait */
	struct share *share;            /* NULL: none is wanted */
	struct share_client *client;
	bool taken;
	share_fn *fn;
	void *arg;
};

/* max: places; most: that are had or waited for, together. */
struct share *share_new(unsigned int max, unsigned int most);
/* Of which no place is wanted any more. */
void share_free(struct share **s);

enum share_is { SHARE_NONE, SHARE_WAIT, SHARE_TAKEN };

/*
 * Wants a place, which wants none yet, for a client: an address, or a text that
 * is none.  SHARE_TAKEN: it has it.  SHARE_WAIT: fn is called when it has.
 * SHARE_NONE: there is no room to wait in.  An IPv6 client is its /64.
 */
enum share_is share_take(struct share *s, struct share_place *p,
    const char *client, share_fn *fn, void *arg);

/* It is wanted no more, taken or not; the next has its turn: fn of another may
 * be called before this returns. */
void share_leave(struct share_place *p);

/* Between these nobody is given what is left. */
void share_hold(struct share *s);
void share_go_on(struct share *s);

/* Places that are had or waited for. */
unsigned int share_count(const struct share *s);

#endif
