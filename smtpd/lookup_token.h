/*
 * Tokens of `token` statements: asked for when somebody needs one, kept until
 * they expire.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_TOKEN_H
#define SMTPD_LOOKUP_TOKEN_H

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "ipc.h"
#include "lookup_work.h"
#include "loop.h"

#define TOKEN_MSEC   30000 /* for one of them, from the question on */
#define TOKEN_MARGIN 60    /* seconds before its end it is used no more */
#define TOKEN_FAILED 5     /* seconds that a failure is remembered */
#define TOKEN_FRESH  10    /* seconds between two that are asked afresh */

struct tokens;

/* token: until the function returns; NULL: there is none, and why. */
typedef void token_fn(void *arg, const char *token, const char *why);

TAILQ_HEAD(token_waits, token_wait);

/* One who waits; a member of who asks.  Zeros: none. */
struct token_wait {
	TAILQ_ENTRY(token_wait) entry;
	struct token_waits *in; /* NULL: not waiting */
	token_fn *fn;
	void *arg;
};

/* c, l and workers stay. */
struct tokens *tokens_new(const struct conf *c, struct loop *l,
    struct workers *workers);
/* Nobody is answered. */
void tokens_free(struct tokens **ts);

/* The channel to spawn. */
void tokens_spawn(struct tokens *ts, struct ipc_chan *spawn);

/* Where the standard error of a row's command is read; takes fd over. */
void tokens_stderr(struct tokens *ts, uint32_t row, int fd);

/* The time, in tests; 0: as it is. */
void tokens_clock(struct tokens *ts, int64_t now);

/* The row of conf.token of this name; CONF_NONE: there is none. */
uint32_t tokens_find(const struct conf *c, const char *name);

/*
 * Calls fn once, now or later, unless cancelled.  fresh: the one that is kept
 * was refused.
 */
void token_get(struct tokens *ts, struct token_wait *w, uint32_t row,
    bool fresh, token_fn *fn, void *arg);
void token_cancel(struct token_wait *w);

#endif
