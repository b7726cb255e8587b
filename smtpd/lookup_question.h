/*
 * A question that lookup was asked, while it is being judged.
 *
 * Judging is straight-line code over tables, and files that are read as their
 * owners.  What cannot answer at once (a program, the users of the system, a
 * file) says TABLE_WAIT: then judging unwinds, and begins again from the top
 * when the answer has come; the question keeps the answers that it had to wait
 * for.  It may ask for several before it unwinds.
 *
 * Time, look-ups, memory and the number of questions that wait are bounded;
 * over a bound a table's answer is TABLE_UNKNOWN, which judging makes LATER.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_QUESTION_H
#define SMTPD_LOOKUP_QUESTION_H

#include <bsd/sys/queue.h>

#include "arena.h"
#include "ipc.h"
#include "lookup_file.h"
#include "lookup_table.h"
#include "loop.h"

#define QUESTION_NOTE_MAX  700 /* bytes of a step for smtpctl explain */
#define QUESTION_TRACE_MAX ((size_t)256 << 10) /* bytes of all steps */

/* Well below what session (60 s) and queue (30 s) wait. */
#define QUESTION_MSEC 20000

/*
 * The most memory that lookup has beside its tables: one question is judged at
 * a time (QUESTION_WORK_MAX, and a value of 4 MiB on its way); those that wait
 * keep QUESTIONS_BYTES of answers, and what they had asked for before that was
 * full: texts of files are counted before they are kept, and never go over;
 * FILES_AT_ONCE texts are on their way (lookup_file.h; a buffer has up to twice
 * what is in it); PAGES_MAX answers are told page by page (lookup_pages.h).
 * That is 36 + 128 + 128 + 64 MiB.
 */
#define QUESTIONS_MAX     1024    /* that wait at once */
#define QUESTION_LOOKUPS  2000000 /* in one pass */
#define QUESTION_WAITS    32      /* table answers awaited at once, by one */
#define QUESTION_TEXTS    4       /* files of them */
#define QUESTION_ROUNDS   2000    /* passes */
#define QUESTION_WORK_MAX ((size_t)32 << 20)  /* bytes, while judging */
#define QUESTION_MEMO_MAX ((size_t)20 << 20)  /* bytes of answers kept */
#define QUESTIONS_BYTES   ((size_t)128 << 20) /* kept by all that wait */

struct question;

TAILQ_HEAD(question_list, question);

/* Where answers come from: the tables, by row of conf.table, the users of the
 * system, and files.  As table_ask(), as files_ask(). */
struct question_tables {
	enum table_answer (*ask)(void *self, uint32_t table,
	    enum conf_service service, const char *key, struct buf *value,
	    struct table_req *req, table_fn *fn, void *arg);
	enum table_answer (*user)(void *self, const char *name,
	    struct buf *value, struct table_req *req, table_fn *fn, void *arg);
	enum table_answer (*text)(void *self, const struct text_ask *text,
	    struct file_req *req, file_fn *fn, void *arg);
	void *self;
};

/* All that are open, and what they share. */
struct questions {
	struct loop *loop;
	const struct conf *conf;
	struct question_tables tables;
	struct question_list open;
	unsigned int n;
	msec patience; /* QUESTION_MSEC but in tests */
	void *arg;     /* of who judges */
};

/* False: a table is awaited.  True: it has answered; the question is freed. */
typedef bool question_judge(struct question *q);

struct answer; /* one that is, or was, awaited */

LIST_HEAD(answer_list, answer);

struct question {
	TAILQ_ENTRY(question) entry;
	struct questions *all;
	question_judge *judge;
	struct ipc_chan *from; /* who asked */
	uint64_t id;           /* to answer with */
	const void *ask;       /* the message, of memo */

	struct arena work; /* begins anew with each pass */
	struct arena memo;
	struct answer_list *answers; /* hashed, of memo; NULL: none yet */
	struct answer_list awaited;
	struct answer *spare;
	unsigned int n_awaited;
	unsigned int n_texts; /* of them */
	unsigned int rounds;
	uint32_t lookups; /* in this pass */
	bool late;        /* nothing is awaited any more */
	struct timer soon, deadline;
	struct buf value;
	bool traced;      /* somebody wants to know why */
	bool trace_cut;   /* not all steps were kept */
	size_t trace_max; /* bytes of steps, so far */
	struct buf trace; /* lines "STEP<tab>WHERE<tab>TEXT" of this pass */
};

void questions_init(struct questions *all, struct loop *l,
    const struct conf *conf, const struct question_tables *tables);

/* Judges at once; what must wait is answered later.  ask (len bytes) is
 * copied. */
void question_ask(struct questions *all, question_judge *judge, const void *ask,
    size_t len, struct ipc_chan *from, uint64_t id);

/* Who asked is gone: so are its questions. */
void questions_forget(struct questions *all, const struct ipc_chan *from);

/* All of them; nobody is answered. */
void questions_free(struct questions *all);

/* ---- for who judges ---- */

/*
 * Asks row `table` of conf.table.  TABLE_YES: *value is its text ("" where
 * the service has none), until the pass ends.  TABLE_WAIT: unwind, after
 * asking whatever else will be needed.
 */
enum table_answer question_table(struct question *q, uint32_t table,
    enum conf_service service, const char *key, const char **value);

/* The users of the system, likewise. */
enum table_answer question_user(struct question *q, const char *name,
    const char **value);

/*
 * A file, read as its owner.  TABLE_YES: *text is what is in it, without NUL
 * bytes; TABLE_NO: there is none; TABLE_UNKNOWN: *why says why not, LATER.
 */
enum table_answer question_text(struct question *q, const struct text_ask *ask,
    const char **text, struct outcome *why);

/*
 * Records a step for smtpctl explain, if anybody wants to know; at: the line
 * that decided, or NULL.
 */
void question_note(struct question *q, const char *step,
    const struct conf_at *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* How a step calls a table: as the configuration does. */
#define QUESTION_NAME_SIZE 128
void question_table_name(const struct conf *c, const struct conf_table *row,
    char out[QUESTION_NAME_SIZE]);

#endif
