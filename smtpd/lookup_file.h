/*
 * Files that belong to users, and lists: read by a process that spawn starts as
 * whoever they belong to, and handed here.  That there is none is remembered
 * for a while.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_FILE_H
#define SMTPD_LOOKUP_FILE_H

#include "ipc.h"
#include "ipc_local.h"
#include "lookup_table.h"
#include "loop.h"
#include "slice.h"

#define FILES_AT_ONCE   8     /* each of TEXT_FILE_MAX bytes at most */
#define FILES_OF_ONE    2     /* of them: a home that hangs is one user's */
#define FILES_MSEC      15000 /* for one, from the question on */
#define FILES_SLOW_MSEC 2000  /* one that takes longer: its user's home hangs */
#define FILES_NONE      4096  /* files that are not there, remembered */
#define FILES_NONE_MSEC 10000

/*
 * Questions of a user whose home hangs that may wait.  More of them would not
 * have their turn in time, and who asks, asks so much at once and no more: they
 * are told LATER now, so that others are asked about.
 */
#define FILES_HOPEFUL (FILES_OF_ONE * FILES_MSEC / FILES_SLOW_MSEC)

/* verdict DONE: text is what it has (without a NUL behind), until the function
 * returns; NEVER: there is no such file; LATER: why not. */
typedef void file_fn(void *arg, const struct outcome *o, struct slice text);

/* A question that waits; a member of who asks.  Zeros: none. */
struct file_req {
	void (*cancel)(struct file_req *req); /* NULL: nobody is asked */
	file_fn *fn;
	void *arg;
	void *of; /* of who is asked */
};

struct files;

/* For the life of the process. */
struct files *files_new(struct loop *l);

/* Who still waits is not told. */
void files_free(struct files **f);

/* The channel to spawn. */
void files_spawn(struct files *f, struct ipc_chan *spawn);

/*
 * Asks for a file.  uid and gid of a TEXT_INCLUDE may be UINT32_MAX: our own.
 * TABLE_NO: there is none, as was found a moment ago.  TABLE_WAIT: fn is called
 * once, later, unless files_cancel() comes first.
 */
enum table_answer files_ask(struct files *f, const struct text_ask *ask,
    struct file_req *req, file_fn *fn, void *arg);

/* Forgets the question, waiting or not. */
void files_cancel(struct file_req *req);

#endif
