/*
 * An SMTP session as a server has it: who connected, where in the dialogue it
 * is, and the one transaction that may be open.
 *
 *   session_accept.c  sockets in, limits
 *   session.c         life, states, deadlines, input
 *   session_say.c     replies
 *   session_step.c    what is asked before a command is answered, in order
 *   session_cmd.c     commands: the table
 *   session_ehlo.c    HELO, EHLO, LHLO and what is offered
 *   session_mail.c    MAIL, RCPT, DATA
 *   session_param.c   parameters of MAIL and RCPT
 *   session_bdat.c    BDAT
 *   session_xclient.c XCLIENT
 *   session_proxy.c   the PROXY protocol
 *   session_tx.c      the talk with lookup and queue
 *   session_data.c    content into the file
 *   session_tls.c     certificates, handshakes, tickets
 *   session_auth.c    SASL
 *   session_guard.c   limits, names in the DNS, lists, greylisting
 *   session_filter.c  filters, listed clients, senders of a user
 *   session_header.c  fields that are completed, removed or written anew
 *   session_verify.c  who sent it: SPF, DKIM, DMARC, ARC
 *   session_dispose.c what is done with it, by that and by rules
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

/* RFC 2033 4.2: a reply for each recipient, all at once; so there are fewer
 * of them, and more room. */
#define LMTP_RCPT_MAX 500
#define LMTP_OUT      (SESSION_OUT + LMTP_RCPT_MAX * REPLY_LINE_MAX)

/*
 * The states.  The first ones wait for a command; their order is that of the
 * columns in session_cmd.c.
 */
enum session_state {
	ST_CONNECT, /* greeted */
	ST_READY,   /* HELO or EHLO was said, no transaction */
	ST_MAIL,    /* a sender */
	ST_RCPT,    /* a sender and a recipient or more */
	ST_CHUNK,   /* a BDAT was answered that was not the last */
	ST_COMMANDS,
	ST_PROXY = ST_COMMANDS, /* a PROXY header is read */
	ST_SILENT,              /* who speaks before the greeting is early */
	ST_AUTH,                /* a line of a SASL exchange is read */
	ST_HANDSHAKE,           /* of TLS */
	ST_STEP,                /* a step waits (session_step.c) */
	ST_ASK_FILE,            /* the queue makes a file */
	ST_DATA,                /* content is read, to the dot */
	ST_BDAT,                /* content is read, a chunk of known size */
	ST_ASK_COMMIT,          /* the queue makes the message durable */
	ST_ASK_ABORT,           /* the queue removes what there is */
	ST_BYE,                 /* the last reply is on its way */
	ST_END,                 /* freed by whoever sees it next */
	ST_STATES
};

struct rcpt {
	STAILQ_ENTRY(rcpt) entry;
	const char *addr;
	const char *orcpt; /* "": not said */
	uint8_t notify;    /* NOTIFY_* */
};

struct header;
struct session;
struct session_verify; /* session_verify.h */

/* What lasts from MAIL to the answer after the dot. */
struct tx {
	struct arena arena;
	const char *sender; /* "" is the null sender */
	STAILQ_HEAD(, rcpt) rcpts;
	uint32_t n_rcpt;
	uint64_t size_said; /* SIZE=, 0 if not said */
	uint32_t marks;     /* TX_MARKS as they were before it */
	struct mail_params params;
	char asked[ADDR_MAX + 1]; /* the recipient that lookup judges */
	struct rcpt_params asked_params;
	/* rcpt_is.rules: of that one, and of those that were taken */
	uint64_t asked_rules, rules;

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
	struct header *header; /* completes fields on the way; NULL: not */
	struct buf raw;        /* what it has not yet seen */
	struct smtp_data made; /* of what it has passed on */
	struct buf piece;      /* content on its way to the file */
	struct XXH3_state_s *sum;
	uint64_t content;   /* bytes of content in the file, or in piece */
	uint64_t trace;     /* bytes of the trace fields */
	enum reply trouble; /* why content is read and thrown away */
	uint64_t block;     /* bytes since the deadline was set */

	struct session_verify *verify; /* NULL: it is not verified */
	uint32_t disposed;             /* DISPOSE_* */

	/* when the queue has let go of it */
	struct outcome after; /* the reply */
	uint32_t after_n;     /* how often: RFC 2033 4.2; 0 is 1 */
	bool after_bye;       /* and that is the last one */
	void (*after_fn)(struct session *s); /* instead: what goes on then */
};

/* Of facts.flags: what a transaction says of itself ends with it. */
#define TX_MARKS ((uint32_t)(FACT_SMTPUTF8 | FACT_JUNK | FACT_VERIFY))

/* A chunk of BDAT (RFC 3030): its bytes must be read before anything else,
 * whatever becomes of them. */
struct chunk {
	uint64_t left;    /* bytes not yet read */
	uint64_t size;    /* as it was said */
	uint32_t replies; /* to it: RFC 2033 4.2 */
	bool last;
	bool waste;              /* they are thrown away; then tx.after */
	enum session_state home; /* where the session is after that */
};

/* What the guard is asked about messages (session_verify_ask.c). */
enum verify_kind { VERIFY_SPF, VERIFY_KEY, VERIFY_DMARC, VERIFY_KINDS };

struct server;
struct session_tls;   /* session_tls.c; NULL: no TLS */
struct session_auth;  /* session_auth.c; NULL: no exchange under way */
struct session_guard; /* session_guard.c; NULL: the guard counts nothing */

/*
 * What must be asked before a command is answered, or a client greeted, is a
 * list of steps, which ends with the answer itself.
 *
 * STEP_ON: the next one.  STEP_WAIT: an answer, bytes or a timer is waited
 * for; who waits has set s->ask or s->pause, or watches the input in a state
 * of its own, and calls session_go_on() or session_stop_steps() from there.
 * STEP_STOP: the reply was given; the session is where it was before.
 */
enum step { STEP_ON, STEP_WAIT, STEP_STOP };
typedef enum step session_step(struct session *s);

struct session {
	TAILQ_ENTRY(session) entry;
	struct server *server;
	uint64_t id; /* for the log */
	enum session_state state;
	enum session_state home;   /* where it was before the steps */
	session_step *const *step; /* the next; NULL ends the list */
	struct ipc_req ask;        /* of the step that waits */
	struct timer pause;        /* likewise, and of tarpit */
	const struct conf_listen *listen;
	struct session_tls *tls;
	struct session_auth *auth;
	struct session_guard *guard;
	char ours[IP_TEXT_MAX + 1]; /* the address that it came to */
	uint32_t peer;              /* PEER_* */
	struct ipc_req names;       /* names_ask: under way beside all else */
	bool names_known;           /* it was answered */
	bool names_awaited;         /* a step waits for that */
	msec names_until;           /* ... and since others come first */
	int32_t score;              /* of DNS lists */
	const char *lists;          /* those that it is on; NULL, or freed */
	struct io io;
	struct facts facts;
	const char *hostname; /* ours, on this listener */
	char *own_name;       /* of `hostnames`, or NULL; freed */
	struct tx tx;
	struct chunk chunk;
	const struct io_layer *below; /* of io, while PROXY stands before it */
	struct buf held;              /* replies of a tarpit */
	const char *command;          /* the verb in work, for the log */
	bool dropping;                /* the rest of a line that is too long */
	bool blocked;       /* replies are not read: nor are commands */
	bool holding;       /* replies go to held, until pause is over */
	bool greeted;       /* 220 was said: commands may come */
	bool proxied;       /* a PROXY header named the client */
	bool xclient;       /* XCLIENT is allowed: by who is truly there */
	bool lent;          /* XCLIENT was said: it is another's session */
	bool eof;           /* nothing more comes */
	bool quit;          /* the client said so, and waits for us */
	uint32_t n_errors;  /* since the last message taken */
	uint32_t n_idle;    /* commands that bring no mail, likewise */
	uint32_t n_mails;   /* taken */
	uint32_t n_rejects; /* replies of 4xx and 5xx */
	uint32_t n_auth_failed;
	const char *reason;   /* why it ended, for the log */
	struct outcome *last; /* last words that wait for the queue; NULL */
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
	msec full_again;  /* when it may be said again that there are so many */
	uint64_t n_tx;    /* the last number of a transaction */
	uint64_t n_auth;  /* ... of a SASL exchange */
	uint32_t n_names; /* sessions whose names_ask is open */
	struct share *share[VERIFY_KINDS]; /* questions open at once */
	uint32_t *mechs;      /* by row of conf.listen: what can be checked */
	uint8_t *wants_names; /* likewise: filters or rules ask for names */
	uint32_t *phases;     /* by row of conf.listen: those that filters have,
			   * bits 1 << PHASE_*; NULL: not yet known */
	struct session_certs *certs; /* session_tls.c; NULL: none needed */
	uint16_t n_ids;              /* the last one's end of a session's id */
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

/* Takes fd over: a socket connected to row l of conf.listen.  facts: what is
 * known of the client; ours: the address that it came to, where it matters. */
void session_new(struct server *srv, int fd, const struct conf_listen *l,
    const struct facts *facts, const char *ours);

/* The one place that changes the state, and what hangs on it: the deadline. */
void session_enter(struct session *s, enum session_state state);

/* Handles what has come in as far as the state lets it, and frees a session
 * that is at its end: the last call of each callback, after which s may be
 * gone. */
void session_run(struct session *s);

/* ---- session_say.c ---- */

/* Says a row of the table. */
void session_reply(struct session *s, enum reply r, const char *detail);
/* The same with a number as the detail. */
void session_reply_n(struct session *s, enum reply r, uint64_t n);
/* Says what another process answered, or what was made of a row. */
void session_say(struct session *s, const struct outcome *o);
/* The same for each of n recipients (RFC 2033 4.2). */
void session_say_n(struct session *s, const struct outcome *o, uint32_t n);
/* One line of a reply of several, without its CRLF. */
void session_line(struct session *s, unsigned int code, bool more,
    const char *text);

/* What a tarpit holds back leaves, and commands are handled again. */
void session_let_go(struct session *s);

/* ---- session.c: the end ---- */

/* Says r as the last words and closes; content under way is given up first.
 * why: for the log. */
void session_bye(struct session *s, enum reply r, const char *detail,
    const char *why);
/* The same with a number as the detail. */
void session_bye_n(struct session *s, enum reply r, uint64_t n,
    const char *why);
/* The same with what another process answered.  While the queue has the word
 * it waits for that. */
void session_bye_say(struct session *s, const struct outcome *o,
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

/* What stands behind the '@' of an address that came without (RFC 6409 6.1):
 * the mail name, by default our name on this listener. */
static inline const char *
session_mail_name(const struct session *s)
{
	return session_conf(s)->mail_name != 0 ?
	    conf_mail_name(session_conf(s)) :
	    s->hostname;
}

/* As it was when greeted: TLS began, or XCLIENT named another client (RFC 3207
 * 4.2).  No transaction may be open. */
void session_forget(struct session *s);

/* The client is at this address: facts.client, port, FACT_LOCAL.  False: of a
 * family that we do not know. */
bool session_address(const struct conf *conf, struct facts *f,
    const struct sockaddr_storage *ss);
/* The same, by the word of another host: who is not of this host, or spoke for
 * somebody else before, speaks for nobody of it. */
bool session_claim(const struct conf *conf, struct facts *f,
    const struct sockaddr_storage *ss);

/* ---- session_cmd.c and its commands ---- */

/* Handles one command line without its CRLF. */
void session_command(struct session *s, struct slice line);

typedef void session_cmd(struct session *s, struct slice arg);
session_cmd cmd_helo, cmd_ehlo, cmd_lhlo; /* _ehlo.c */
session_cmd cmd_mail, cmd_rcpt, cmd_data; /* _mail.c */
session_cmd cmd_bdat;                     /* _bdat.c */
session_cmd cmd_xclient;                  /* _xclient.c */

/* ---- session_ehlo.c ---- */

/* A name for HELO: NULL, or why it is none. */
const char *session_helo_check(struct slice name);

/* ---- session_mail.c ---- */

/* Recipients of a message, at most. */
uint32_t session_max_rcpt(const struct session *s);

/* ---- session_bdat.c ---- */

/* ST_BDAT: takes content from io.in.  True: there is more to handle. */
bool bdat_input(struct session *s);

/* ---- session_proxy.c ---- */

/* ST_PROXY: the same for the header. */
bool proxy_input(struct session *s);

/* ---- session_tx.c ---- */

/* Begins a transaction. */
void tx_begin(struct session *s);
/* Frees what a transaction holds; the queue must have nothing of it. */
void tx_reset(struct session *s);
/* Gives the message up, then says o (NULL: nobody is there to hear it); bye:
 * as the last words. */
void tx_drop(struct session *s, const struct outcome *o, bool bye);
/* Gives the message up, then calls fn. */
void tx_drop_then(struct session *s, void (*fn)(struct session *s));
/* How many replies the end of the content gets (RFC 2033 4.2). */
static inline uint32_t
session_replies(const struct session *s)
{
	return s->listen->lmtp ? s->tx.n_rcpt : 1;
}
/* True while the queue may have something of it. */
bool tx_is_open(const struct session *s);
/* The queue came back, or went. */
void tx_queue_up(struct server *srv, struct ipc_chan *queue);
void tx_queue_down(struct server *srv);

/* ---- session_data.c ---- */

/* The file is there: content may come. */
void data_begin(struct session *s);
/* Takes content from io.in.  True: there is more to handle. */
bool data_input(struct session *s);
/* Takes len bytes of a chunk, at most SESSION_IN. */
void data_chunk(struct session *s, const uint8_t *p, size_t len);
/* The last chunk was taken: the content is at its end. */
void data_last(struct session *s);
/* Gives the message up and says r of it, with the limit that r names; bye: as
 * the last words. */
void data_refuse(struct session *s, enum reply r, bool bye);
/* Closes the file and frees what was for content only. */
void data_end(struct session *s);

#endif
