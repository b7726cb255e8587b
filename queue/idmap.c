/*
 * Message ids and a number for each.  Used by queue: what the journal saw.
 *
 * SPDX-License-Identifier: ISC
 */
#include "idmap.h"

#include <assert.h>
#include <stdlib.h>

#include "log.h"

#define SIZE_MIN 256

/* Where id is, or the free place where it belongs. */
static size_t
place_of(const struct idmap *m, uint64_t id)
{
	/* Fibonacci hashing: ids differ in their middle bits. */
	size_t i = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20);

	for (i &= m->size - 1; m->ids[i] != 0 && m->ids[i] != id;)
		i = (i + 1) & (m->size - 1);
	return i;
}

static void
grow(struct idmap *m)
{
	struct idmap old = *m;
	size_t i, at;

	m->size = old.size == 0 ? SIZE_MIN : old.size * 2;
	m->ids = xcalloc(m->size, sizeof *m->ids);
	m->numbers = xcalloc(m->size, sizeof *m->numbers);
	for (i = 0; i < old.size; i++) {
		if (old.ids[i] == 0)
			continue;
		at = place_of(m, old.ids[i]);
		m->ids[at] = old.ids[i];
		m->numbers[at] = old.numbers[i];
	}
	free(old.ids);
	free(old.numbers);
}

void
idmap_put(struct idmap *m, uint64_t id, uint32_t number)
{
	size_t at;

	assert(id != 0);
	if (m->n >= m->size / 2)
		grow(m);
	at = place_of(m, id);
	if (m->ids[at] == 0)
		m->n++;
	m->ids[at] = id;
	m->numbers[at] = number;
}

bool
idmap_get(const struct idmap *m, uint64_t id, uint32_t *number)
{
	size_t at;

	if (m->size == 0 || id == 0)
		return false;
	at = place_of(m, id);
	if (m->ids[at] == 0)
		return false;
	if (number != NULL)
		*number = m->numbers[at];
	return true;
}

void
idmap_free(struct idmap *m)
{
	free(m->ids);
	free(m->numbers);
	*m = (struct idmap){ 0 };
}
