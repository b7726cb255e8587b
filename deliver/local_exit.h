/*
 * What the end of a user's program means (sysexits(3), and the codes of
 * qmail's programs).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_LOCAL_EXIT_H
#define DELIVER_LOCAL_EXIT_H

#include "local.h"

#define EXIT_LATER     75 /* EX_TEMPFAIL */
#define EXIT_WORDS_MAX 400

/* The first of what it wrote, in one line of printable ASCII. */
struct exit_words {
	char text[EXIT_WORDS_MAX + 1];
	size_t len;
};

void exit_words_add(struct exit_words *w, const char *p, size_t len);

/* status: as wait(2) gives it.  Returns whether it is DONE. */
bool exit_outcome(struct local *l, int status, const struct exit_words *w);

#endif
