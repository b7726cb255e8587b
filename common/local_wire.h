/*
 * What libexec/local is told, and what it says: structs on pipes between it,
 * spawn that starts it, and who waits for its answer (queue; lookup for
 * texts).
 *
 * Its descriptors: 0 the content (LOCAL_DO_DELIVER), 1 the answer, 2
 * /dev/null, 3 a socket of whole messages with one struct local_start; 4 where
 * start.opened is set, a file that spawn opened because only root may.  Nothing
 * else is open.  It runs as the user, in a session of its own, with nothing of
 * spawn's but that; its argument vector is { "local", the user's name }.
 *
 * Where start.stays is set it says one byte on 3 before its answer, and does
 * not end then: on 3 it gets the next delivery as the same user, a struct
 * local_start with two descriptors for 0 and 1; or the end.
 *
 * Whoever reads the answer believes nothing of it but what concerns this one
 * recipient: the user may have written it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LOCAL_WIRE_H
#define COMMON_LOCAL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc_local.h"

#define LOCAL_START_MAGIC 0x504f534cu /* "POSL" */
#define LOCAL_SAYS_MAGIC  0x504f5341u /* "POSA" */

/* Seconds that a delivery may take, its program included: start.life is no
 * longer, and queue waits no longer than a little beyond. */
#define LOCAL_LIFE_MAX 300
/* Seconds that it waits for the next at most; spawn says the end before. */
#define LOCAL_STAY_MAX 30

enum local_do {
	LOCAL_DO_DELIVER, /* take */
	LOCAL_DO_READ     /* text */
};

struct local_start {
	uint32_t magic;
	uint32_t doing;  /* enum local_do */
	uint32_t opened; /* descriptor 4 is the mailbox, or the file to read */
	uint32_t life;   /* seconds that it may take, its program included */
	uint32_t stays;  /* it waits for another then */
	/* of the configuration */
	uint32_t method; /* enum conf_method */
	uint32_t junk;   /* `junk` */
	uint32_t delim;  /* of sub-addresses, 0: none */
	uint32_t strict; /* not run by root: no becoming, no checks of owners */
	char arg[LOCAL_TEXT_MAX + 1];     /* maildir: path; mda: command */
	char wrapper[LOCAL_TEXT_MAX + 1]; /* its command, or empty */
	char hostname[HOST_MAX + 1];
	struct local_take take; /* DELIVER */
	struct text_ask text;   /* READ */
};

/* One write of it, so that it is there whole or not at all. */
struct local_says {
	uint32_t magic;
	uint32_t bytes; /* READ and DONE: of the text that follows */
	struct outcome outcome;
};

/* The answer as it was read: false: not one.  Its outcome is made fit: verdict,
 * width, cause and stage are ones that exist, text ends and has no control
 * characters; a width is never wider than WIDTH_SITE. */
bool local_says_check(const void *in, size_t len, struct local_says *out);

#endif
