/*
 * Expansion from the inside: the walk (lookup_expand.c), and what a name stands
 * for by the tables of an action (lookup_expand_name.c).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_EXPAND_PARTS_H
#define SMTPD_LOOKUP_EXPAND_PARTS_H

#include "lookup_expand.h"
#include "lookup_node.h"

/* A name or an address on its way. */
struct expand_name {
	STAILQ_ENTRY(expand_name) entry;
	struct expand_name *hash;
	const struct expand_name *parent; /* NULL: the recipient */
	enum node_kind kind;              /* ADDRESS, USER, SAME */
	uint32_t match; /* USER, SAME: rule that it came under */
	uint32_t depth;
	const char *text;
};

STAILQ_HEAD(expand_names, expand_name);

struct expand_work {
	struct question *q;
	struct expansion *x;
	const struct conf *conf;
	struct expand_names todo;
	struct expand_name **met; /* hashed; NULL: nothing was expanded yet */
	uint32_t n;
	bool waits;
	bool full; /* a bound was reached */
};

/* The action of a rule that has one. */
const struct conf_action *expand_action(const struct expand_work *w,
    uint32_t match);

/* ---- lookup_expand.c ---- */

/* A part of it comes to nothing, as o says: the first that is later stays,
 * else the first that is never. */
void expand_fail(struct expand_work *w, const struct outcome *o);
void expand_fail_with(struct expand_work *w, enum verdict v, const char *ecode,
    const char *text);
/* A table that the line at needs cannot answer. */
void expand_fail_table(struct expand_work *w, const struct conf_at *at);

/* What parent stands for: it joins what there is to do, if it was not met
 * before. */
void expand_add(struct expand_work *w, const struct expand_name *parent,
    uint32_t match, enum node_kind kind, const char *text);

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

enum expand_found {
	FOUND_NOTHING,
	FOUND_SOME,
	FOUND_TROUBLE /* awaited, or it has failed: said */
};

/* What the `virtual` table has for local (len bytes) at domain; domain NULL: a
 * user name, for which there is no catch-all. */
enum expand_found expand_virtual(struct expand_work *w,
    const struct expand_name *n, uint32_t match, const char *local, size_t len,
    const char *domain);

/* A name under an action: what it stands for, or a user, or nobody. */
void expand_user(struct expand_work *w, const struct expand_name *n);

#endif
