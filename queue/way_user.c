/*
 * Routes that end on this host by whose they are: those of one user are a
 * group, so that whatever hangs of his leaves places to others.  In the queue
 * process; does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "way_priv.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "ipc_local.h"
#include "log.h"
#include "slice.h"

static uint64_t
key_of(const char *user)
{
	return XXH3_64bits(user, strlen(user));
}

static struct way_group *
find(const struct ways *ws, const char *user)
{
	struct hash_node *node = hash_get(&ws->users, key_of(user));

	for (; node != NULL; node = hash_more(node)) {
		if (strcmp(((struct way_group *)node)->name, user) == 0)
			return (struct way_group *)node;
	}
	return NULL;
}

const struct way_group *
way_user(const struct ways *ws, const char *user)
{
	return find(ws, user);
}

uint32_t
way_user_max(const struct conf *c, const char *user)
{
	const struct conf_action *a;
	uint32_t i;

	if (strcmp(user, LOCAL_NOBODY) == 0)
		return WAY_ROLE_MAX;
	for (i = 0; i < c->action.n; i++) {
		a = CONF_ACTION(c, i);
		if (a->user != 0 && strcmp(conf_text(c, a->user), user) == 0)
			return WAY_ROLE_MAX;
	}
	return WAY_USER_MAX;
}

/* Columns: what a name begins with; the user stands at its end, or in front. */
static const struct {
	const char *with;
	bool last;
} forms[] = {
	{ "local:", true },    /* ACTION/USER */
	{ "program:", false }, /* USER/HASH */
};

bool
way_user_named(const char *route, char user[LOCAL_USER_MAX + 1])
{
	const char *name, *slash;
	size_t i, len;

	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		len = strlen(forms[i].with);
		name = route + len;
		if (strncmp(route, forms[i].with, len) != 0 ||
		    (slash = strrchr(name, '/')) == NULL)
			continue;
		if (forms[i].last)
			return slash[1] != '\0' &&
			    slice_copy(slice_of(slash + 1), user,
				LOCAL_USER_MAX + 1);
		return slash > name &&
		    slice_copy((struct slice){ name, (size_t)(slash - name) },
			user, LOCAL_USER_MAX + 1);
	}
	return false;
}

static struct way_group *
make(struct ways *ws, const char *user)
{
	struct way_group *g = xcalloc(1, sizeof *g);

	g->row = CONF_NONE;
	g->max = way_user_max(ws->conf, user);
	g->home.at = CONF_NONE;
	TAILQ_INIT(&g->blocked);
	/* Memory is not shared out by user. */
	way_room_init(&g->room, UINT32_MAX);
	strlcpy(g->name, user, sizeof g->name);
	hash_add(&ws->users, &g->node, key_of(g->name));
	return g;
}

void
way_of_user(struct ways *ws, struct way *w, const char *user)
{
	struct way_group *g;

	if (user[0] == '\0' || w->side != &ws->side[WAY_HERE])
		return;
	if ((g = find(ws, user)) == NULL)
		g = make(ws, user);
	way_join(ws, w, g);
}

void
way_user_left(struct ways *ws, struct way_group *g)
{
	if (g->row != CONF_NONE || g->n_ways > 0)
		return;
	hash_del(&ws->users, &g->node);
	free(g);
}

void
way_users_free(struct ways *ws)
{
	struct hash_node *node;
	size_t i;

	for (i = 0; i < ws->users.n_slots; i++) {
		while ((node = ws->users.slot[i]) != NULL) {
			ws->users.slot[i] = node->next;
			free((struct way_group *)node);
		}
	}
	hash_free(&ws->users);
}
