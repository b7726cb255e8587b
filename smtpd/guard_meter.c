/*
 * Counts in sliding windows.  Runs in guard; does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_meter.h"

#include <string.h>

static void
forward(struct meter *m, uint32_t seconds, msec now)
{
	int64_t slot = now * (METER_SLOTS - 1) / ((int64_t)seconds * 1000);

	if (slot >= m->last + METER_SLOTS)
		memset(m->slot, 0, sizeof m->slot);
	else
		while (m->last < slot)
			m->slot[++m->last % METER_SLOTS] = 0;
	if (slot > m->last)
		m->last = slot;
}

uint32_t
meter_sum(struct meter *m, uint32_t seconds, msec now)
{
	uint64_t sum = 0;
	unsigned int i;

	forward(m, seconds, now);
	for (i = 0; i < METER_SLOTS; i++)
		sum += m->slot[i];
	return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

void
meter_add(struct meter *m, uint32_t seconds, uint32_t n, msec now)
{
	uint32_t *slot;

	forward(m, seconds, now);
	slot = &m->slot[m->last % METER_SLOTS];
	*slot = n > UINT32_MAX - *slot ? UINT32_MAX : *slot + n;
}

void
meter_take_back(struct meter *m, uint32_t n)
{
	unsigned int i;
	uint32_t *slot, some;

	for (i = 0; i < METER_SLOTS && n > 0; i++) {
		slot = &m->slot[(m->last + METER_SLOTS - i) % METER_SLOTS];
		some = n < *slot ? n : *slot;
		*slot -= some;
		n -= some;
	}
}
