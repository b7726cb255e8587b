/*
 * Messages between processes: what the rows of ipc_table.h become.
 *
 * A channel is the relation to one other process, not the socket: the peer
 * may die and come back, and the channel gets the new socket.  Questions that
 * were open are then asked again, in their order (each question is made so
 * that asking twice is safe; tx_data is not, nor is what comes with a
 * descriptor, and its asker is told instead).
 * A question is a member of who asks; forgetting it is ipc_cancel().
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc_table.h"
#include "loop.h"

#define IPC_MAX    4096 /* bytes of a message, header included */
#define IPC_CREDIT 256  /* questions open on one channel; more wait here */

struct ipc_chan;
struct ipc_out;

/* What stands in front of each message; len is that of the body. */
struct ipc_hdr {
	uint32_t type; /* enum ipc_type */
	uint32_t len;
	uint64_t id;
};

struct ipc_msg {
	enum ipc_type type;
	uint64_t id;      /* of the question: answer with it */
	const void *body; /* the struct of the row */
	int fd;           /* -1, or the descriptor: set to -1 to keep it */
};

/* self: the pointer that the channel was made with. */
typedef void ipc_handler(void *self, struct ipc_chan *from,
    struct ipc_msg *msg);

/*
 * The answer, or NULL: none came within the deadline, or the peer was lost
 * and the question is not one to be asked again.  The request is already
 * free to be used for the next question.
 */
typedef void ipc_answer(void *arg, struct ipc_msg *answer);

struct ipc_req {
	struct ipc_chan *chan; /* NULL: not open */
	TAILQ_ENTRY(ipc_req) entry;
	ipc_answer *fn;
	void *arg;
	enum ipc_type type;
	enum { IPC_IDLE, IPC_WAITING, IPC_ASKED, IPC_LOST } place;
	unsigned int slot; /* IPC_ASKED: in chan->slots */
	void *copy;        /* the body, to ask again */
	struct timer deadline;
};

TAILQ_HEAD(ipc_reqs, ipc_req);

struct ipc_chan {
	struct loop *loop;
	int fd; /* -1: the peer is away */
	struct watch rd, wr;
	enum proc_kind me, peer;
	unsigned int instance; /* of the peer */
	void *self;
	ipc_handler *const *handlers; /* by type */
	/* The peer is lost (its socket closed), or broke a rule: why. */
	void (*lost)(void *self, struct ipc_chan *c, const char *why);
	STAILQ_HEAD(, ipc_out) out; /* said, but the kernel had no room */
	size_t n_out;
	size_t n_lost; /* since out was last empty */
	struct timer retry;
	struct ipc_reqs waiting; /* not yet sent: no credit, or no peer */
	struct ipc_reqs asked;   /* in their order */
	struct {
		struct ipc_req *req;
		uint32_t generation;
	} slots[IPC_CREDIT];
	unsigned int n_open;
	unsigned int next_slot;
};

/* Takes nothing over; attach gives it a socket. */
void ipc_init(struct ipc_chan *c, struct loop *l, enum proc_kind me,
    enum proc_kind peer, unsigned int instance, ipc_handler *const *handlers,
    void *self, void (*lost)(void *self, struct ipc_chan *c, const char *why));

/* Takes fd over. */
void ipc_attach(struct ipc_chan *c, int fd);

/* After ipc_attach() and what its owner has to say first: open questions are
 * asked again. */
void ipc_go(struct ipc_chan *c);

/* Handles what a peer that has ended said before. */
void ipc_last_words(struct ipc_chan *c);

/* Closes the socket; open questions wait for the next one or are told. */
void ipc_detach(struct ipc_chan *c);

/* A statement or an answer (with the question's id; else 0).  fd is borrowed,
 * -1 for none.  False: the peer is away or does not read, nothing was said. */
bool ipc_send(struct ipc_chan *c, enum ipc_type type, uint64_t id,
    const void *body, int fd);

/* Asks; fn is called once, unless cancelled.  ms: deadline. */
void ipc_ask(struct ipc_chan *c, struct ipc_req *r, enum ipc_type type,
    const void *body, ipc_answer *fn, void *arg, msec ms);

/*
 * The same with a descriptor, which is borrowed.  It is asked now or not at
 * all, and not again: where that cannot be, or the peer is lost, fn is told so
 * from the loop.
 */
void ipc_ask_fd(struct ipc_chan *c, struct ipc_req *r, enum ipc_type type,
    const void *body, int fd, ipc_answer *fn, void *arg, msec ms);

/*
 * Asks and waits: for who cannot go on without the answer, and not longer than
 * ms in all.  answer: room for the struct of the row's answer.  What else the
 * peer says meanwhile is handled as always.  False: no answer, or the peer is
 * away; then answer is not to be looked at.
 */
bool ipc_ask_block(struct ipc_chan *c, enum ipc_type type, const void *body,
    void *answer, msec ms);

/* Forgets the question, open or not. */
void ipc_cancel(struct ipc_req *r);

/* Questions that wait for credit: while there are, read less from outside. */
bool ipc_crowded(const struct ipc_chan *c);

/* One message, blocking: before the loop runs, and in smtpctl.  Returns bytes
 * of the body, 0 at the end, -1 on error; *fd is -1 or the descriptor. */
long ipc_recv_block(int sock, enum ipc_type *type, void *body, size_t size,
    int *fd);
/* Sends one message, blocking.  False: errno says why. */
bool ipc_send_block(int sock, enum ipc_type type, const void *body, int fd);

/* "tx_open" */
const char *ipc_name(enum ipc_type type);

/* Changes when what processes say to each other does, or the configuration
 * that they are handed: programs with another one do not understand each
 * other. */
uint64_t ipc_hash(void);

/* Whether the table has a message between these two: they need a channel. */
bool ipc_related(enum proc_kind a, enum proc_kind b);

/* clang-format off */
/* tx_open_send(chan, 0, &m, -1), rcpt_ask_ask(chan, req, &m, fn, arg, ms) */
#define X(NAME, name, from, to, fd, answer) \
	static inline bool \
	name##_send(struct ipc_chan *c, uint64_t id, const struct name *m, \
	    int fd_) \
	{ \
		return ipc_send(c, IPC_##NAME, id, m, fd_); \
	} \
	static inline void \
	name##_ask(struct ipc_chan *c, struct ipc_req *r, \
	    const struct name *m, ipc_answer *fn, void *arg, msec ms) \
	{ \
		ipc_ask(c, r, IPC_##NAME, m, fn, arg, ms); \
	}
IPC_TABLE(X)
#undef X
/* clang-format on */

#endif
