/*
 * What actions of local methods, and wrappers, may say, as OpenSMTPD takes it,
 * and is hardly meant: mail would wait for it, or be lost.  Runs in the parent,
 * as whoever started it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <pwd.h>

#include "conf_parse.h"
#include "format.h"

/* What a text with formats is; said of it where one is bad. */
struct text {
	const struct conf_at *at;
	const char *what; /* the word of the grammar */
	const char *value;
	bool is_wrapper; /* has %{mda} */
};

/* Warns of what no delivery could make anything of.  False: it is all good, and
 * has no %{mda}. */
static bool
look_at_formats(struct conf_parser *p, const struct text *t)
{
	char shown[CONF_SHOWN_SIZE];
	struct format_piece piece;
	struct format_spec spec;
	const char *why = NULL, *at = t->value;
	bool has_mda = false;

	while (why == NULL && *at != '\0') {
		why = format_next(&at, &piece);
		if (why != NULL || !piece.is_spec)
			continue;
		if (t->is_wrapper && format_is_mda(piece.spec))
			has_mda = true;
		else
			why = format_spec(piece.spec, &spec);
	}
	if (why != NULL)
		conf_warn(p, t->at,
		    "`%s`: found %s, %s, so that mail waits: expected those of postern-local(8)",
		    t->what, conf_shown(t->value, shown), why);
	return why != NULL || has_mda;
}

static void
look_at_wrapper(struct conf_parser *p, const struct conf_wrapper *w)
{
	char shown[CONF_SHOWN_SIZE];
	struct text t = { &w->at, "mda wrapper", conf_pool_text(p, w->command),
		true };

	if (!look_at_formats(p, &t))
		conf_warn(p, &w->at,
		    "`mda wrapper`: found %s without %%{mda}, so that mail goes to this command alone and to no mailbox: expected %%{mda} in it",
		    conf_shown(t.value, shown));
}

static void
look_at_user(struct conf_parser *p, const struct conf_action *a)
{
	const char *name = conf_pool_text(p, a->user);
	char shown[CONF_SHOWN_SIZE];
	const struct passwd *pw;

	if (*name == '\0')
		return;
	pw = getpwnam(name);
	if (pw == NULL || pw->pw_uid == 0)
		conf_warn(p, &a->at, "`user`: found %s, %s, so that mail waits",
		    conf_shown(name, shown),
		    pw == NULL ? "which no user of this host is called" :
				 "as whom nothing is delivered");
}

static void
look_at_action(struct conf_parser *p, const struct conf_action *a)
{
	struct text t = { &a->at, a->method == METHOD_MDA ? "mda" : "maildir",
		conf_pool_text(p, a->arg), false };

	if (a->method == METHOD_RELAY)
		return;
	if (a->method == METHOD_MDA || a->method == METHOD_MAILDIR)
		look_at_formats(p, &t);
	look_at_user(p, a);
}

void
conf_doubt_local(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->wrapper, sizeof(struct conf_wrapper));

	for (i = 0; i < n; i++)
		look_at_wrapper(p,
		    conf_item(&p->wrapper, i, sizeof(struct conf_wrapper)));
	n = conf_count(&p->action, sizeof(struct conf_action));
	for (i = 0; i < n; i++)
		look_at_action(p,
		    conf_item(&p->action, i, sizeof(struct conf_action)));
}
