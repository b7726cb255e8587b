/*
 * Routes from the inside: for way*.c.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_WAY_PRIV_H
#define QUEUE_WAY_PRIV_H

#include "way.h"

/* Jobs that may run at once now, as far as the route itself goes. */
uint32_t way_allowed(const struct way *w);

/* Puts it where it belongs after any change: in the round, in its group's
 * line, among those that wait for room, or that may be forgotten. */
void way_place(struct ways *ws, struct way *w);

/* Out of the round, the line, or from aside. */
void way_stand_nowhere(struct ways *ws, struct way *w);
/* Free places of the group go to those that wait longest. */
void way_group_release(struct ways *ws, struct way_group *g);

/* way_group.c: n messages in so many seconds; NULL: as fast as may be. */
struct way_rate *way_rate_new(uint32_t n, uint32_t per);

/* way_user.c: a route has left the group, which ends with the last one if it is
 * a user's; all end. */
void way_user_left(struct ways *ws, struct way_group *g);
void way_users_free(struct ways *ws);

/* way_room.c: the room that keeps it from what it could use; NULL: none. */
struct way_room *way_closed_by(const struct way *w);
void way_room_init(struct way_room *room, uint32_t max);
/* What a route has in a room, in or out of it. */
void way_room_count(struct way_room *room, const struct way *w, bool in);

#endif
