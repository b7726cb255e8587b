/*
 * A table that is a program: started by spawn, asked by lines over a socket.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_PROGRAM_H
#define SMTPD_LOOKUP_PROGRAM_H

#include "ipc.h"
#include "lookup_table.h"
#include "loop.h"

#define PROGRAM_ASK_MSEC    5000  /* a question, from when it is asked */
#define PROGRAM_UPDATE_MSEC 60000 /* until it has read its sources anew */
#define PROGRAM_HELLO_MSEC  5000  /* the handshake */
#define PROGRAM_FIRST_MSEC  100   /* before it is started again; doubled ... */
#define PROGRAM_MAX_MSEC    10000 /* ... to this */
#define PROGRAM_WELL_MSEC   10000 /* at work so long: the row begins anew */
#define PROGRAM_OPEN_MAX    1024  /* questions to one program */
#define PROGRAM_TRIES       2     /* times that one is put to it */
#define PROGRAM_LATE_MAX    1000  /* answers in a row that nobody waits for */

struct program;

/* name: for the program and the log; row: of conf.table.  Both stay the
 * caller's.  It is started when a channel to spawn is there. */
struct program *program_new(struct loop *l, const char *name, uint32_t row);
void program_free(struct program **p);

/* The channel to spawn; it stays, also when spawn dies. */
void program_spawn(struct program *p, struct ipc_chan *spawn);

/* Where its standard error is read; takes fd over. */
void program_stderr(struct program *p, int fd);

/* As table_ask(), of which it is a part. */
enum table_answer program_ask(struct program *p, enum conf_service s,
    const char *key, struct table_req *req, table_fn *fn, void *arg);

/* Its sources have changed. */
void program_update(struct program *p);

#endif
