/*
 * The environment of a user's program.  Runs in local.  What strangers said is
 * in values, never in names, and has no control characters.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local_format.h"
#include "smtp_addr.h"

#define PATH_VALUE "/usr/local/bin:/usr/bin:/bin"
#define VARS_MAX   32

struct env {
	struct arena *arena;
	char **vars;
	size_t n;
	bool full;
};

/* What a shell of old would take for a function is no address, no name. */
static bool
is_odd(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

static void
set(struct env *e, const char *name, const char *value)
{
	char *var = arena_printf(e->arena, "%s=%s", name, value), *c;

	if (var == NULL || e->n + 1 == VARS_MAX) {
		e->full = true;
		return;
	}
	for (c = var; *c != '\0'; c++)
		if (is_odd(*c))
			*c = '?';
	e->vars[e->n++] = var;
}

/* Only where something is known. */
static void
set_known(struct env *e, const char *name, const char *value)
{
	if (value[0] != '\0')
		set(e, name, value);
}

/* The same, of a text that is no address: it has nothing that a shell reads. */
static void
set_clean(struct env *e, const char *name, const char *value)
{
	char clean[ADDR_MAX + 1];

	snprintf(clean, sizeof clean, "%s", value);
	format_clean(clean);
	set_known(e, name, clean);
}

/* For ourselves inside a wrapper (local_again.c). */
static void
set_inner(struct env *e, const struct local *l)
{
	const struct local_start *s = &l->start;
	bool junk = (s->take.to.flags & LOCAL_JUNK) != 0;

	set(e, "POSTERN_MAILBOX", l->inner);
	set(e, "POSTERN_HOST", s->hostname);
	set(e, "POSTERN_DELIM", (char[]){ (char)s->delim, '\0' });
	if (s->junk != 0)
		set(e, "POSTERN_JUNK", junk ? "yes" : "read");
}

char **
local_env(const struct local *l, struct arena *a)
{
	const struct local_take *t = &l->start.take;
	const char *original = t->of[0] != '\0' ? t->of : t->rcpt;
	const char *user =
	    (t->to.flags & LOCAL_OTHER) != 0 ? t->to.as : t->to.user;
	const char *at = strrchr(t->rcpt, '@');
	struct env e = { .arena = a };
	const char *zone;
	char part[ADDR_MAX + 1];

	e.vars = arena_alloc(a, VARS_MAX * sizeof *e.vars);
	if (e.vars == NULL)
		return NULL;
	set(&e, "HOME", t->to.home);
	set(&e, "LOGNAME", user);
	set(&e, "USER", user);
	set(&e, "SHELL", "/bin/sh");
	set(&e, "PATH", PATH_VALUE);
	set(&e, "SENDER", t->sender);
	set(&e, "RECIPIENT", t->rcpt);
	set(&e, "ORIGINAL_RECIPIENT", original);
	snprintf(part, sizeof part, "%.*s",
	    (int)(at == NULL ? strlen(t->rcpt) : (size_t)(at - t->rcpt)),
	    t->rcpt);
	set(&e, "LOCAL", part);
	set(&e, "DOMAIN", smtp_addr_domain(t->rcpt));
	local_extension(l, part);
	set_known(&e, "EXTENSION", part);
	set_clean(&e, "CLIENT_ADDRESS", t->client);
	set_clean(&e, "CLIENT_HELO", t->helo);
	set_clean(&e, "SASL_USERNAME", t->auth);
	set_clean(&e, "ENVID", t->envid);
	if ((zone = getenv("TZ")) != NULL)
		set(&e, "TZ", zone);
	if (l->inner != NULL)
		set_inner(&e, l);
	return e.full ? NULL : e.vars;
}
