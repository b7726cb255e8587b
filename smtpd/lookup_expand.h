/*
 * What a recipient stands for: the rule for it, the aliases, virtual users,
 * users and .forward files that its action names, and the rules again for each
 * address that comes out, until nothing is left but addresses to relay to, and
 * mailboxes, commands and files of this host.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_EXPAND_H
#define SMTPD_LOOKUP_EXPAND_H

#include "conf.h"
#include "facts.h"
#include "lookup_question.h"
#include "lookup_rules.h"
#include "verdict.h"

#define EXPAND_DEPTH 50               /* from a name to what it stands for */
#define EXPAND_NODES (4 * EXPAND_MAX) /* names and addresses on the way */
#define EXPAND_FILES 100              /* lists in files, for one recipient */
/* Users of a list who are looked for before it is accepted: a stranger does not
 * make us ask for thousands. */
#define EXPAND_CHECKED 100
#define EXPAND_PICKS   8 /* actions that results decide between */

enum target_kind {
	TARGET_ADDRESS, /* an action relays to it */
	TARGET_USER,    /* of this host; his .forward is still to be read */
	TARGET_MAILBOX, /* his mailbox */
	TARGET_PIPE,
	TARGET_FILE,
	TARGET_NOTHING, /* nobody */
	TARGET_LIST     /* to be expanded by itself, in a message of its own */
};

struct expand_name;

struct target {
	STAILQ_ENTRY(target) entry;
	const struct expand_name *name; /* on the way to it */
	enum target_kind kind;
	const char *addr; /* as node_address() has it */
	/* What stands beside addr in a child message (lookup_leaf.h); "" for
	 * an ADDRESS. */
	const char *leaf;
	uint32_t match; /* row of conf.match that takes it */
	bool expanded;  /* false: the recipient itself */
	/* USER, MAILBOX: whose.  PIPE, FILE: of whose .forward; NULL: of an
	 * alias. */
	const char *user;
	const char *info; /* of user, "uid:gid:home"; NULL: not asked for */
	const char *text; /* PIPE, FILE */
};

STAILQ_HEAD(targets, target);

struct expansion {
	/* What was asked. */
	const struct facts *facts;
	const char *sender, *rcpt;
	/* The address that rcpt came out of, in a message before this one;
	 * NULL or empty: nobody knows of one. */
	const char *of;
	/* What the recipient is beside rcpt; NULL or empty: an address. */
	const char *leaf;
	/* It was accepted once: who may be at fault is the configuration, not
	 * the mail; the words are for the operator; and of several the failure
	 * of one is his alone. */
	bool accepted;
	/* Lists in files and .forward files are read.  Not when a recipient
	 * comes in: no stranger makes us start a process. */
	bool reads;
	/* They become recipients of a message: also one alone has a leaf. */
	bool listed;
	/* Where results that are not known yet decide between rules: by which
	 * it is expanded, from 0 on. */
	uint32_t pick;

	/* The answer; texts are of the question's work, until the pass ends. */
	struct outcome outcome; /* DONE: there are targets; else why not */
	uint32_t match;         /* of the recipient itself, or CONF_NONE */
	uint32_t picks;         /* rules that it could be expanded by */
	uint64_t rules;         /* rules_effect() of the recipient itself */
	struct targets targets; /* no two are the same */
	uint32_t n;             /* at most EXPAND_MAX; 0: all are in files */
	uint64_t sum;           /* XXH3-64 of them in their order */
	const char *owner; /* the sender of a message to them; NULL: as it is */
};

/*
 * Expands; the upper part of x is filled in (facts may become a copy).  False:
 * a table is awaited, and the lower part is without meaning.
 *
 * accepted: one target is complete; of several, users and mailboxes have leaves
 * and no info.  More than EXPAND_MAX are EXPAND_PARTS lists.
 */
bool expand(struct question *q, struct expansion *x);

/* Whether x is for a message of its own, and not one target to be delivered to
 * directly. */
bool expand_is_several(const struct expansion *x);

#endif
