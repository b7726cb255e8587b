/*
 * Tables: what the rules and expansions ask.  One entry for all kinds and all
 * services: a text in the configuration, a file, a database, a program.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_TABLE_H
#define SMTPD_LOOKUP_TABLE_H

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "conf.h"
#include "ipc.h"
#include "loop.h"
#include "table_key.h"

/* The zero is: the table cannot answer, so nobody knows. */
enum table_answer { TABLE_UNKNOWN, TABLE_NO, TABLE_YES, TABLE_WAIT };

/* The answer to a question that had to wait; value is "" where there is none,
 * and lives until the function returns. */
typedef void table_fn(void *arg, enum table_answer a, const char *value);

/* A question that waits; a member of who asks.  Zeros: none. */
struct table_req {
	void (*cancel)(struct table_req *req); /* NULL: nobody is asked */
	table_fn *fn;
	void *arg;
	void *of; /* of who is asked */
};

struct table;

/* "#0", "#1", ...: the key of an entry by its number. */
#define TABLE_ENTRY '#'

/*
 * Asks for key (any case).  SERVICE_SOURCE, and SERVICE_RELAYHOST where it is
 * not about a domain, are asked for "#N": entry N in the order of the table,
 * but of a program whatever it says next.  Where the service
 * has values, that of the key is added to value as text:
 *   alias, mailaddrmap  as written: nodes with commas between
 *   credentials         "user:secret"; user is the key if it has none
 *   userinfo            "uid:gid:home"
 *   source, relayhost, addrname  as written
 * value may be NULL if it is not wanted.
 * TABLE_WAIT: req is in use and fn is called once, later, unless
 * table_cancel(req) comes first; all other answers are final, and fn is not
 * called.
 */
enum table_answer table_ask(struct table *t, enum conf_service s,
    const char *key, struct buf *value, struct table_req *req, table_fn *fn,
    void *arg);

/* Forgets the question, waiting or not. */
void table_cancel(struct table_req *req);

/* What is known of all the secrets in a table that is asked for credentials;
 * NULL: nobody knows what is in it (now, or as it is a program). */
struct secrets;
const struct secrets *table_secrets(const struct table *t);

/* ---- all tables of a configuration ---- */

struct tables;

/*
 * Those of c, which stays.  What stands in the configuration itself is there;
 * the others are without an answer until tables_file() or tables_spawn().
 * Before the loop is there.
 */
struct tables *tables_new(const struct conf *c);
void tables_free(struct tables **ts);

/* The loop runs.  changed (may be NULL) is called when a table holds something
 * new, after the first time. */
void tables_start(struct tables *ts, struct loop *l, void (*changed)(void *arg),
    void *arg);

/* The table of a row of conf.table; i is one (asserted). */
struct table *tables_row(struct tables *ts, uint32_t i);

/*
 * What a row's table is read from; takes fd over.  The first time it is read
 * at once (or, before tables_start(), then); later in a thread, and the table
 * answers from what it had until then, and goes on so if the new one is no
 * good.  Of a program fd is not read: it is told that its sources changed.
 * False: no such row.
 */
bool tables_file(struct tables *ts, uint32_t i, int fd);

/* The channel to spawn: programs are started. */
void tables_spawn(struct tables *ts, struct ipc_chan *spawn);

/* Where the standard error of a row's program is read; takes fd over. */
void tables_stderr(struct tables *ts, uint32_t i, int fd);

#endif
