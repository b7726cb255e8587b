/*
 * Message ids: printing, reading, and the id of this moment.  Used by every
 * process that names a message.
 *
 * SPDX-License-Identifier: ISC
 */
#include "id.h"

#include <string.h>
#include <time.h>

/* Crockford's base 32: digits and capitals in ASCII order, no I L O U. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define EPOCH     1577836800 /* 2020-01-01 00:00:00 UTC */
#define UNIT_USEC 16
#define LOW_BITS  16

const char *
id_print(uint64_t id, char out[ID_LEN + 1])
{
	int i;

	for (i = ID_LEN - 1; i >= 0; i--) {
		out[i] = alphabet[id & 31];
		id >>= 5;
	}
	out[ID_LEN] = '\0';
	return out;
}

bool
id_parse(const char *text, uint64_t *id)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < ID_LEN; i++) {
		char c = text[i];
		const char *at;

		if (c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		if (c == '\0' || (at = strchr(alphabet, c)) == NULL)
			return false;
		/* 13 characters hold 65 bits: the first has only four. */
		if (i == 0 && at - alphabet > 15)
			return false;
		v = v << 5 | (uint64_t)(at - alphabet);
	}
	if (text[ID_LEN] != '\0')
		return false;
	*id = v;
	return true;
}

uint64_t
id_now(void)
{
	struct timespec ts;
	int64_t usec;

	clock_gettime(CLOCK_REALTIME, &ts);
	usec = ((int64_t)ts.tv_sec - EPOCH) * 1000000 + ts.tv_nsec / 1000;
	if (usec < 0)
		usec = 0;
	return (uint64_t)(usec / UNIT_USEC) << LOW_BITS;
}

uint64_t
id_child(uint64_t id, uint32_t n)
{
	/* A notification has one recipient. */
	if (id % ID_STEP != 0)
		return id + ID_STEP;
	return id + 2 * ((uint64_t)n + 1) * ID_STEP;
}

uint64_t
id_last(uint64_t id, uint32_t n_rcpt)
{
	return (id | (ID_STEP - 1)) + (2 * (uint64_t)n_rcpt + 1) * ID_STEP;
}
