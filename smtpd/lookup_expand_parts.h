/*
 * Expansion from the inside:
 *
 *   lookup_expand.c       the walk, and its end
 *   lookup_expand_fail.c  what comes to nothing
 *   lookup_expand_met.c   what was met before, what belongs to this part
 *   lookup_expand_name.c  what a name stands for by the tables of an action
 *   lookup_expand_list.c  elements of a value, a .forward, a list in a file
 *   lookup_expand_user.c  a user, and his .forward
 *   lookup_expand_leaf.c  recipients that are not addresses: made, and found
 *
 * The walk goes into each name before it looks at the next, and keeps what it
 * will need: of a list that is told by parts, those of this part.  So a name
 * is on the stack at first, and its copy is kept when something stands for it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_EXPAND_PARTS_H
#define SMTPD_LOOKUP_EXPAND_PARTS_H

#include "lookup_expand.h"
#include "lookup_leaf.h"
#include "lookup_node.h"

/* Whose .forward, or list in it, is read. */
struct expand_user {
	const char *name; /* login name */
	/* With the sub-address, where the file is for that. */
	const char *origin;
	const char *info; /* "uid:gid:home" */
	uint32_t uid, gid;
	const char *home;
};

/* A name or an address on its way. */
struct expand_name {
	STAILQ_ENTRY(expand_name) entry; /* of those that failed */
	struct expand_name *hash;
	struct expand_name *parent; /* NULL: the recipient */
	struct expand_name *kept;   /* its copy, or itself; NULL: none yet */
	/* ADDRESS, USER, INCLUDE; SAME, PIPE, FILE have nothing below them. */
	enum node_kind kind;
	bool user_only; /* USER: no alias of that name */
	bool failed;
	uint32_t match; /* rule that it came under */
	uint32_t depth;
	const char *text;
	/* Of what stands below it: the key in the table of the action, or the
	 * user; a list in a file has those of who names it. */
	const char *key;
	const struct expand_user *user;
};

STAILQ_HEAD(expand_names, expand_name);

struct expand_work {
	struct question *q;
	struct expansion *x;
	const struct conf *conf;
	struct expand_name root;  /* the recipient */
	const struct leaf *leaf;  /* of it, or NULL */
	struct expand_name **met; /* hashed; NULL: nothing yet */
	struct expand_names failed;
	uint32_t n_failed;
	uint32_t n;           /* names kept */
	uint32_t files;       /* read, or awaited */
	uint32_t part, parts; /* these members are kept; of 1: all */
	/* Members that were seen, kept or not; if it is one alone, a user who
	 * was not kept. */
	uint32_t n_seen;
	struct expand_name *alone;
	bool waits;
	bool full;    /* a bound was reached: it comes to nothing */
	bool over;    /* more than fit in one message: by parts */
	bool whole;   /* what failed cannot go a way of its own */
	bool holes;   /* an alias stands for nobody, as it says */
	bool empty;   /* a list in a file has no members */
	bool unread;  /* there is a list in a file, which is not read now */
	bool chained; /* something was followed in a message before this one */
	/* Only the command or file of the leaf is looked for. */
	bool finds;
	bool is_found;     /* it has the leaf's hash */
	const char *found; /* that one, else the last of its kind */
	uint32_t n_found;  /* of its kind */
};

/* The action of a rule that has one. */
const struct conf_action *expand_action(const struct expand_work *w,
    uint32_t match);

/* ---- lookup_expand_fail.c ---- */

/*
 * What n stands for comes to nothing, as o says; n NULL: the whole, or what
 * cannot go a way of its own.  The outcome: the first that is later stays, else
 * the first that is never.
 */
void expand_fail(struct expand_work *w, struct expand_name *n,
    const struct outcome *o);
void expand_fail_with(struct expand_work *w, struct expand_name *n,
    enum verdict v, const char *ecode, const char *text);
/* It is for the operator or a user to mend: LATER.  text is for all, more for
 * the operator alone; more may be "". */
void expand_fail_conf(struct expand_work *w, struct expand_name *n,
    const char *text, const char *more);
/* A table that the line at needs cannot answer. */
void expand_fail_table(struct expand_work *w, struct expand_name *n,
    const struct conf_at *at);
/* The rules refuse n, an address. */
void expand_fail_rule(struct expand_work *w, struct expand_name *n,
    const char *text);
void expand_no_room(struct expand_work *w);

/* ---- lookup_expand_met.c ---- */

/* One of the members that are kept: by name or address, in any case. */
bool expand_is_mine(const struct expand_work *w, const char *text);

/* Was it met before? */
bool expand_was_met(struct expand_work *w, const struct expand_name *n);

/* n (and what it stands below) is met from now on.  NULL: no room, as said. */
struct expand_name *expand_keep(struct expand_work *w, struct expand_name *n);

/* Its hash in the chain of a leaf. */
uint32_t expand_chain_hash(const struct expand_work *w,
    const struct expand_name *n);

/* ---- lookup_expand.c ---- */

/* One of what the recipient stands for.  NULL: it is not kept. */
struct target *expand_target(struct expand_work *w, struct expand_name *n,
    enum target_kind kind);

/* n goes below its parent, and is walked if it was not met before. */
void expand_add(struct expand_work *w, struct expand_name *n);
void expand_walk(struct expand_work *w, struct expand_name *n);

/* ---- lookup_expand_name.c ---- */

/* A local part or user name in lower case, and the same without its
 * sub-address; tagged is empty if it has none. */
struct expand_local {
	char tagged[NODE_TEXT_MAX + 1];
	char user[NODE_TEXT_MAX + 1];
};

/* Of len bytes of text. */
void expand_split(const struct expand_work *w, const char *text, size_t len,
    struct expand_local *l);

/* An address that is taken by an action that expands. */
void expand_address(struct expand_work *w, struct expand_name *n);

/* A name under an action: what it stands for, or a user. */
void expand_user(struct expand_work *w, struct expand_name *n);

/* ---- lookup_expand_list.c ---- */

/*
 * What stands below n, which was kept: the value of a table, or the lines of a
 * file; name: what the operator calls it.  False: there is nothing in it.
 */
bool expand_list(struct expand_work *w, struct expand_name *n, const char *text,
    bool is_file, const char *name);

/* ---- lookup_expand_user.c ---- */

/* The one target is a user, who is looked up, and his .forward is read; or a
 * mailbox, whose owner is. */
void expand_open(struct expand_work *w, struct target *t);

/* Those that a new recipient stands for are there. */
void expand_check(struct expand_work *w);

/* "uid:gid:home" of a user of action a.  False: not now, or there is none, as
 * said of n. */
bool expand_find_user(struct expand_work *w, struct expand_name *n,
    const struct conf_action *a, const char *user, const char **info);

/* False: it is not that; as said of n. */
bool expand_user_parse(struct expand_work *w, struct expand_name *n,
    const char *name, const char *info, struct expand_user *user);

/* His .forward, or ".forward+ext" where ext is not empty: as
 * question_text(). */
enum table_answer expand_forward(struct expand_work *w,
    const struct expand_user *user, const char *ext, const char **text,
    struct outcome *why);

/* A list in a file. */
void expand_include(struct expand_work *w, struct expand_name *n);

/* ---- lookup_expand_leaf.c ---- */

/* An address for people, and of LMTP: the one that n came out of, or its name
 * in that domain.  NULL: no room. */
const char *expand_addr_of(struct expand_work *w, const struct expand_name *n);

/* Each target gets its leaf, those who failed by themselves become targets. */
void expand_leaves(struct expand_work *w);

/* There are so many that each part goes by itself. */
void expand_by_parts(struct expand_work *w);

/* The recipient is w->leaf, and not the address of the root. */
void expand_from_leaf(struct expand_work *w);

#endif
