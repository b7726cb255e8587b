/*
 * An SMTP session as a server has it: who connected, where in the dialogue it
 * is, and the one transaction that may be open.
 *
 *   session_accept.c  sockets in, limits
 *   session.c         life, states, deadlines, replies
 *   session_cmd.c     commands
 *   session_tx.c      the talk with lookup and queue
 *   session_data.c    content into the file
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "facts.h"
#include "io.h"
#include "ipc.h"
#include "proc.h"
#include "session_reply.h"
#include "slice.h"
#include "smtp_line.h"

#define SESSION_IN   (64 * 1024) /* bytes read and not yet handled, at most */
#define SESSION_OUT  (32 * 1024) /* bytes of replies not yet taken */
#define SESSION_HIGH (16 * 1024) /* from here on no command is handled */

/*
 * The states.  The first four wait for a command; their order is that of the
 * columns in session_cmd.c.
 */
enum session_state {
	ST_CONNECT, /* greeted */
	ST_READY,   /* HELO or EHLO was said, no transaction */
	ST_MAIL,    /* a sender */
	ST_RCPT,    /* a sender and a recipient or more */
	ST_COMMANDS,
	ST_ASK_RCPT = ST_COMMANDS, /* lookup judges a recipient */
	ST_ASK_FILE,               /* the queue makes a file */
	ST_DATA,                   /* content is read */
	ST_ASK_COMMIT,             /* the queue makes the message durable */
	ST_ASK_ABORT,              /* the queue removes what there is */
	ST_BYE,                    /* the last reply is on its way */
	ST_END,                    /* freed by whoever sees it next */
	ST_STATES
};

struct rcpt {
	STAILQ_ENTRY(rcpt) entry;
	const char *addr;
};

/* What lasts from MAIL to the answer after the dot. */
struct tx {
	struct arena arena;
	const char *sender; /* "" is the null sender */
	STAILQ_HEAD(, rcpt) rcpts;
	uint32_t n_rcpt;
	uint64_t size_said;       /* SIZE=, 0 if not said */
	char asked[ADDR_MAX + 1]; /* the recipient that lookup judges */

	/* with the queue */
	struct ipc_req ask; /* one question at a time, lookup's too */
	uint64_t number;    /* ours, new for each try */
	bool opened;        /* tx_open was said to the queue that lives */
	bool committed;     /* tx_commit was asked: it may be durable */
	struct rcpt *next;  /* to be said next */
	struct timer again; /* to go on saying it */
	msec patience;      /* until when a file is waited for */
	uint64_t id;        /* the message's; 0: no file */

	/* content */
	int fd; /* the file, -1: none */
	struct smtp_data data;
	struct buf piece; /* content on its way to the file */
	struct XXH3_state_s *sum;
	uint64_t trace;     /* bytes of the trace fields */
	enum reply trouble; /* why content is read and thrown away */
	uint64_t block;     /* bytes since the deadline was set */

	/* when the queue has let go of it */
	struct outcome after; /* the reply */
	bool after_bye;       /* and that is the last one */
};

struct server;

struct session {
	TAILQ_ENTRY(session) entry;
	struct server *server;
	uint64_t id; /* for the log */
	enum session_state state;
	struct io io;
	struct facts facts;
	const char *hostname; /* ours, on this listener */
	struct tx tx;
	const char *command; /* the verb in work, for the log */
	bool dropping;       /* the rest of a line that is too long */
	bool blocked;        /* replies are not read: nor are commands */
	bool eof;            /* nothing more comes */
	bool quit;           /* the client said so, and waits for us */
	uint32_t n_errors;   /* since the last message taken */
	uint32_t n_idle;     /* commands that bring no mail, likewise */
	uint32_t n_mails;    /* taken */
	uint32_t n_rejects;  /* replies of 4xx and 5xx */
	const char *reason;  /* why it ended, for the log */
};

struct listener {
	SLIST_ENTRY(listener) entry;
	int fd;
	uint32_t index; /* row of conf.listen */
	struct watch rd;
	struct server *server;
};

/* The process. */
struct server {
	struct proc proc;
	SLIST_HEAD(, listener) listeners;
	TAILQ_HEAD(, session) sessions;
	uint32_t n_sessions, max_sessions;
	uint64_t n_tx;  /* the last number of a transaction */
	uint16_t n_ids; /* the last one's end of a session's id */
	bool started, stopping;
	bool draining; /* no new sessions; ends with its last one */
	int reserve;   /* a descriptor to say 421 with when there are none */
	struct timer pause, stop;
	bool stop_late; /* the timer went once: no more waiting for content */
};

/* ---- session_accept.c ---- */

/* Takes fd over, a listening socket of row index. */
void accept_add(struct server *srv, uint32_t index, int fd);
/* To be called when a session began or ended: accepts, or stops to. */
void accept_update(struct server *srv);
/* Takes who waits to be accepted, as far as there is room. */
void accept_rest(struct server *srv);
/* Closes the listening sockets of this process. */
void accept_close(struct server *srv);

/* ---- session.c ---- */

/* Takes fd over: a connected socket.  facts: what is known of the client. */
void session_new(struct server *srv, int fd, const char *hostname,
    const struct facts *facts);

/* The one place that changes the state, and what hangs on it: the deadline. */
void session_enter(struct session *s, enum session_state state);

/* Handles what has come in as far as the state lets it, and frees a session
 * that is at its end: the last call of each callback, after which s may be
 * gone. */
void session_run(struct session *s);

/* Says a row of the table. */
void session_reply(struct session *s, enum reply r, const char *detail);
/* The same with a number as the detail. */
void session_reply_n(struct session *s, enum reply r, uint64_t n);
/* Says what another process answered, or what was made of a row. */
void session_say(struct session *s, const struct outcome *o);

/* Says r as the last words and closes; content under way is given up first.
 * why: for the log. */
void session_bye(struct session *s, enum reply r, const char *detail,
    const char *why);

/* Ends without a word: the client is gone.  What is open with the queue is
 * settled first. */
void session_end(struct session *s, const char *why);

/* True after session_end(): nobody is there to answer. */
static inline bool
session_gone(const struct session *s)
{
	return s->io.loop == NULL;
}

/* The service stops: last words to who waits for a command, a moment for
 * content.  Called again when the moment is over. */
void session_stop_all(struct server *srv);

static inline const struct conf *
session_conf(const struct session *s)
{
	return s->server->proc.conf;
}

/* ---- session_cmd.c ---- */

/* Handles one command line without its CRLF. */
void session_command(struct session *s, struct slice line);

/* ---- session_tx.c ---- */

/* Begins a transaction. */
void tx_begin(struct session *s);
/* Frees what a transaction holds; the queue must have nothing of it. */
void tx_reset(struct session *s);
/* Asks lookup whether tx.asked may come in. */
void tx_judge(struct session *s);
/* Asks the queue for a file, then reads content. */
void tx_want_file(struct session *s);
/* Everything is written: asks the queue to make it durable. */
void tx_finish(struct session *s);
/* Gives the message up, then says o (NULL: nobody is there to hear it); bye:
 * as the last words. */
void tx_drop(struct session *s, const struct outcome *o, bool bye);
/* The queue came back, or went. */
void tx_queue_up(struct server *srv, struct ipc_chan *queue);
void tx_queue_down(struct server *srv);

/* ---- session_data.c ---- */

/* The file is there: content may come. */
void data_begin(struct session *s);
/* Takes content from io.in.  True: there is more to handle. */
bool data_input(struct session *s);
/* Closes the file and frees what was for content only. */
void data_end(struct session *s);

#endif
