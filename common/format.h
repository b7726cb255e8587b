/*
 * Format specifiers of `maildir`, `mda` and `mda wrapper`, as they are written:
 * %{name[from:to]:modifier|modifier}, %% for a percent sign (postern-local(8)).
 * What they stand for is local's business.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_FORMAT_H
#define COMMON_FORMAT_H

#include <stdbool.h>

#include "bounds.h"
#include "slice.h"

enum { FORMAT_VALUE_MAX = LOCAL_HOME_MAX + ADDR_MAX }; /* a home is longest */

/* Columns: enum, name. */
#define FORMAT_NAMES(X)                                                        \
	X(SENDER, "sender")                                                    \
	X(SENDER_USER, "sender.user")                                          \
	X(SENDER_DOMAIN, "sender.domain")                                      \
	X(RCPT, "rcpt")                                                        \
	X(RCPT_USER, "rcpt.user")                                              \
	X(RCPT_DOMAIN, "rcpt.domain")                                          \
	X(DEST, "dest")                                                        \
	X(DEST_USER, "dest.user")                                              \
	X(DEST_DOMAIN, "dest.domain")                                          \
	X(USER_USERNAME, "user.username")                                      \
	X(USER_DIRECTORY, "user.directory")                                    \
	X(MBOX_FROM, "mbox.from")

enum format_name {
#define X(name, word) FORMAT_##name,
	FORMAT_NAMES(X)
#undef X
};

/* Columns: enum, name. */
#define FORMAT_MODIFIERS(X)                                                    \
	X(LOWERCASE, "lowercase")                                              \
	X(UPPERCASE, "uppercase")                                              \
	X(STRIP, "strip")                                                      \
	X(RAW, "raw")

enum format_modifier {
#define X(name, word) MODIFIER_##name,
	FORMAT_MODIFIERS(X)
#undef X
};

/* ---- a template, piece by piece ---- */

struct format_piece {
	bool is_spec;
	char byte;         /* as it is; "%%" is one '%' */
	struct slice spec; /* what stands between "%{" and "}" */
};

/* The next one of *at, which is not at its end; steps over it.  NULL, or why
 * not. */
const char *format_next(const char **at, struct format_piece *p);

/* "mda" in any case: what a wrapper's command has instead of a name. */
bool format_is_mda(struct slice spec);

/* ---- a specifier ---- */

struct format_spec {
	enum format_name name;
	/* Of the value, both included; below 0: from the end.  All of it: from
	 * 0 to FORMAT_VALUE_MAX. */
	int from, to;
	struct slice modifiers; /* for format_modifier() */
};

/* What stands between the braces.  NULL, or why it is none; all of it has been
 * looked at.  out borrows from spec. */
const char *format_spec(struct slice spec, struct format_spec *out);

/* The next one of *rest, in their order; steps over it.  False: there is none,
 * or none of that name (format_spec() took no such one). */
bool format_modifier(struct slice *rest, enum format_modifier *m);

#endif
