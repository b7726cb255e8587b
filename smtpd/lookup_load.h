/*
 * Reading a table: at once, or in a thread while the table answers from what
 * it had.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_LOAD_H
#define SMTPD_LOOKUP_LOAD_H

#include "lookup_store.h"
#include "lookup_work.h"

enum load_kind {
	LOAD_TEXT,
	LOAD_REGEX, /* each line is an expression */
	LOAD_PASSWD,
	LOAD_DB
};

struct load;

/* services: bits 1 << SERVICE_* of who will ask.  fn is called in the loop
 * when it is read, and calls load_result().  Takes fd over. */
struct load *load_new(enum load_kind kind, uint32_t services, int fd,
    void (*fn)(void *arg, struct load *load), void *arg);

/* A thread for reading. */
struct workers *load_workers(struct loop *l);

/* Reads it in a thread.  False: it could not be had, and nothing is done. */
bool load_start(struct load *load, struct workers *ws);

/* Reads it, and calls fn. */
void load_now(struct load *load);

/* What was read, or NULL; either is logged, with the lines that were set
 * aside.  kept: there is an older one.  Frees load. */
struct store *load_result(struct load *load, const char *name, bool kept);

/* Looks at all values as secrets, and fills s->secrets.  passwd: they are lines
 * of passwd(5). */
void load_secrets(struct store *s, bool passwd);

/* A key of a table that only such services ask: NULL, or what is wrong with
 * it. */
const char *load_check(uint32_t services, struct slice key);

#endif
