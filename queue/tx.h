/*
 * Transactions: messages on their way into the spool.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_TX_H
#define QUEUE_TX_H

#include "arena.h"
#include "queue.h"

enum tx_state {
	TX_ST_OPEN,   /* recipients come */
	TX_ST_FILE,   /* its file is being written */
	TX_ST_KEPT,   /* the session says it has one, of before our start */
	TX_ST_FLUSH,  /* being made durable */
	TX_ST_ANSWER, /* durable; answered after the index */
};

/* A message on its way in: of a session, or our own, a notification or a
 * child. */
struct tx {
	struct hash_node by_number; /* in queue.tx_numbers; the first member */
	struct hash_node by_id;     /* in queue.tx_ids, once it has an id */
	struct queue *queue;
	enum tx_state state;
	uint32_t instance; /* session process, or TX_OURS */
	uint64_t number;
	uint64_t question; /* to be answered */
	bool ok;
	bool aborted;
	bool orphan;         /* its session is gone: nobody to answer */
	const char *refused; /* it cannot be taken: text of the 452 */
	uint64_t size;
	int fd;
	struct arena arena;
	struct facts facts;
	struct head head;
	struct head_rcpt *rcpt; /* of a session: head.rcpt */
	uint32_t rcpt_room;
	size_t bytes; /* of recipients, in queue.tx_bytes */
	struct trailer trailer;
	struct spool_work work;
	/* TX_OURS */
	void (*told)(struct queue *qu, struct tx *tx, bool ok);
	struct msg *about;
	uint8_t kind;      /* of a notification: enum dsn_kind */
	const char *orcpt; /* of a child: what its recipients inherit, and: */
	uint8_t notify;
	bool large;          /* a child of many: counted in queue.n_large */
	uint64_t fresh_last; /* ids_fresh() gave ids up to this one */
	struct rcpt_list rcpts;
	TAILQ_ENTRY(tx) entry; /* in tx_of[] */
	TAILQ_ENTRY(tx) answer;
};

#define TX_OURS PROC_MAX

void tx_start(struct queue *qu);
/* Our own; the id is chosen by the caller.  told: once it is durable and in the
 * index, or not; it frees tx. */
struct tx *tx_ours(struct queue *qu, struct msg *about,
    void (*told)(struct queue *qu, struct tx *tx, bool ok));
void tx_set_id(struct tx *tx, uint64_t id);
/* Starts the commit; false: refused, the file is still in tmp/. */
bool tx_commit_ours(struct queue *qu, struct tx *tx,
    const struct spool_settle *settles, uint32_t n);
void tx_free(struct tx **txp);
/* After the index has what was made durable. */
void tx_answer(struct queue *qu);
bool tx_has_id(const struct queue *qu, uint64_t id);
/* True if a message of this id is here, or was made durable lately. */
bool tx_is_known(struct queue *qu, uint64_t id);
void tx_peer_down(struct queue *qu, struct ipc_chan *c);
ipc_handler tx_on_open, tx_on_rcpt, tx_on_data, tx_on_commit, tx_on_abort,
    tx_on_keep, tx_on_listed;

#endif
