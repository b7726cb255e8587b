/*
 * The tree walk of DMARC (RFC 9989 4.10) without its questions, so that tables
 * can try it.  Runs in guard and smtpctl; never asks, never waits.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dmarc_walk.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

#define WALK_LABELS 7 /* where a walk goes on that begins further below */

/* The name above, NULL: there is none. */
static const char *
above(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot == NULL || dot[1] == '\0' ? NULL : dot + 1;
}

static unsigned int
labels(const char *name)
{
	unsigned int n = 0;

	for (; name != NULL && name[0] != '\0'; name = above(name))
		n++;
	return n;
}

void
dmarc_walk_begin(struct dmarc_walk *w, const char *domain)
{
	*w = (struct dmarc_walk){ .start = domain };
	if (domain[0] != '\0')
		w->at = domain;
}

void
dmarc_walk_step(struct dmarc_walk *w, const struct dmarc_record *record)
{
	const char *at = w->at;
	unsigned int n;

	w->queries++;
	if (record != NULL) {
		w->found[w->n].name = at;
		w->found[w->n].record = xcalloc(1, sizeof(*record));
		*w->found[w->n++].record = *record;
	}
	w->at = NULL;
	if (record != NULL && record->psd != 'u')
		return;
	if (w->queries == DMARC_WALK_MAX)
		return;
	w->at = above(at);
	for (n = labels(w->at); at == w->start && n > WALK_LABELS; n--)
		w->at = above(w->at);
}

void
dmarc_walk_free(struct dmarc_walk *w)
{
	unsigned int i;

	for (i = 0; i < w->n; i++)
		free(w->found[i].record);
	*w = (struct dmarc_walk){ 0 };
}

/* The name in w->start that has one label more than name. */
static const char *
one_below(const struct dmarc_walk *w, const char *name)
{
	for (name--; name > w->start && name[-1] != '.'; name--)
		continue;
	return name;
}

const char *
dmarc_walk_organization(const struct dmarc_walk *w)
{
	unsigned int i;

	for (i = 0; i < w->n; i++) {
		if (w->found[i].record->psd == 'n')
			return w->found[i].name;
		if (w->found[i].record->psd == 'y' &&
		    w->found[i].name != w->start)
			return one_below(w, w->found[i].name);
	}
	return w->n > 0 ? w->found[w->n - 1].name : w->start;
}

const struct dmarc_record *
dmarc_walk_own(const struct dmarc_walk *w)
{
	return w->n > 0 && w->found[0].name == w->start ? w->found[0].record :
							  NULL;
}

const struct dmarc_record *
dmarc_walk_policy(const struct dmarc_walk *w, const char **name)
{
	const char *organization = dmarc_walk_organization(w);
	unsigned int i;

	*name = w->start;
	if (dmarc_walk_own(w) != NULL)
		return dmarc_walk_own(w);
	for (i = 0; i < w->n; i++) {
		*name = w->found[i].name;
		/* A record of the public suffix ends a walk. */
		if (*name == organization || w->found[i].record->psd == 'y')
			return w->found[i].record;
	}
	*name = "";
	return NULL;
}
