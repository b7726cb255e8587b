/*
 * Delays for wrong passwords.  Runs in guard; does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_grudge.h"

#include "loop.h"

/* So many failures make one step: in a network there are many who err. */
static const uint32_t per_step[SCOPES] = {
	[SCOPE_CLIENT] = 1,
	[SCOPE_NETWORK] = 8,
	[SCOPE_USER] = 1,
	[SCOPE_FRIEND] = 1,
};

msec
grudge_delay(const struct party *p, msec now)
{
	const struct grudge *g = &p->grudge;
	uint32_t steps = g->n / per_step[p->key.scope];

	if (steps == 0 || now - g->last >= GRUDGE_FORGET_MS)
		return 0;
	return loop_doubled(GRUDGE_FIRST_MS, steps - 1, GRUDGE_MAX_MS);
}

void
grudge_add(struct party *p, msec now)
{
	struct grudge *g = &p->grudge;
	msec until;

	if (now - g->last >= GRUDGE_FORGET_MS)
		*g = (struct grudge){ 0 };
	if (g->n < UINT32_MAX)
		g->n++;
	g->last = now;
	until = now + grudge_delay(p, now);
	if (g->next < until)
		g->next = until;
}

msec
grudge_turn(struct party *p, msec now)
{
	struct grudge *g = &p->grudge;
	msec turn = g->next > now ? g->next : now;

	if (turn - now > GRUDGE_TURN_MS)
		return -1;
	g->next = turn + grudge_delay(p, now);
	return turn - now;
}

void
grudge_clear(struct party *p)
{
	p->grudge = (struct grudge){ .last = p->grudge.last };
}

bool
grudge_recent(const struct party *p, msec now)
{
	msec last = p->grudge.last;

	return last != 0 && now - last < GRUDGE_FORGET_MS;
}
