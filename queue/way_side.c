/*
 * Which routes end on this host, in the queue process; lookup names them.  Does
 * no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "way.h"

#include <string.h>

/* What their names begin with. */
#define MAILBOX "local:"
#define FILE_OF "file:"

static const char *const here[] = { MAILBOX, "program:", FILE_OF };

static bool
begins(const char *route, const char *with)
{
	return strncmp(route, with, strlen(with)) == 0;
}

enum way_where
way_where(const char *route)
{
	size_t i;

	for (i = 0; i < sizeof here / sizeof here[0]; i++) {
		if (begins(route, here[i]))
			return WAY_HERE;
	}
	return WAY_OUT;
}

bool
way_delivers(const char *route)
{
	return way_where(route) == WAY_HERE || begins(route, "lmtp:");
}

/* "local:ACTION/USER"; a user has no slash in his name. */
static const struct conf_action *
action_of(const struct conf *c, const char *route)
{
	const char *name = route + strlen(MAILBOX), *end = strrchr(name, '/');
	const struct conf_action *a;
	size_t len = end == NULL ? 0 : (size_t)(end - name);
	uint32_t i;

	for (i = 0; i < c->action.n; i++) {
		a = CONF_ACTION(c, i);
		if (strlen(conf_text(c, a->name)) == len &&
		    strncmp(conf_text(c, a->name), name, len) == 0)
			return a;
	}
	return NULL;
}

uint32_t
way_here_max(const struct conf *c, const char *route)
{
	const struct conf_action *a;

	if (begins(route, FILE_OF))
		return 1;
	if (!begins(route, MAILBOX))
		return WAY_HERE_MAX;
	a = action_of(c, route);
	return a != NULL && a->method != METHOD_MBOX ? WAY_HERE_MAX : 1;
}
