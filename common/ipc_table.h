/*
 * Everything that one process ever says to another.  Reading this is reading
 * the architecture.
 *
 *   session --rcpt_ask--> lookup        may this recipient come in?
 *   session --peer_ask--> lookup        what holds for this client?
 *   session --auth_*----> lookup        is this who he says he is?
 *   session --sender_ask> lookup        may this user write as this sender?
 *   session --filter_ask> lookup        what do the filters say?
 *   session --dispose_ask> lookup       who sent it is known: what is done?
 *   session --client_*--> guard         how much may this client do?
 *   session --names_ask-> guard         its name, and what lists say of it
 *   session --spf_ask---> guard         may it send as this domain?
 *   session --key_ask---> guard         the key of this signature
 *   session --dmarc_ask-> guard         what does the author's domain ask for?
 *   session --tls_sign--> keys          sign this handshake
 *   session --grey_ask--> queue         was this seen before?
 *   session --tx_*------> queue         keep this message
 *   session --report_note> queue        for a domain's report
 *   queue   --report_send> spawn        send yesterday's reports
 *   queue   --route_ask-> lookup        where does this recipient go now?
 *   queue   --expand_ask> lookup        for whom does it stand?
 *   queue   <-job_want--- deliver       give me work
 *   queue   --job_*-----> deliver       a message for one route
 *   queue   <-job_result- deliver       what became of each recipient
 *   queue   --group_ask-> deliver       whose limits hold for this route?
 *   deliver --sign_ask--> keys          sign this digest
 *   deliver --cert_sign-> keys          sign this handshake of a client
 *   deliver --relay_ask-> lookup        hosts and source addresses of an action
 *   deliver --helo_ask--> lookup        our name at this address
 *   deliver --sasl_ask--> lookup        authenticate us to this server
 *   queue   --local_*---> spawn         this message to this mailbox, program
 *   lookup  --text_ask--> spawn         a .forward, a list: as its user
 *   deliver --sock_ask--> spawn         the socket of an `lmtp` action
 *   lookup  --prog_ask--> spawn         start this table's program
 *   lookup  --pam_ask---> spawn         check this password by PAM
 *   lookup  --token_ask-> spawn         get this token
 *   smtpctl --ctl_*-----> control -> queue, parent
 *   smtpctl --explain_*-> control -> lookup, deliver, queue
 *   parent  --proc_*----> all           configuration, sockets, stop
 *
 * Rules (common/ipc.c holds them): one struct, one message, at most one
 * descriptor, at most 4 KiB; zeroed before it is filled; texts end with a
 * NUL; who breaks a rule is dropped, the one who noticed lives.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_TABLE_H
#define COMMON_IPC_TABLE_H

#include <stdint.h>

#include "bounds.h"
#include "conf.h"
#include "facts.h"
#include "ipc_control.h"
#include "ipc_deliver.h"
#include "ipc_local.h"
#include "ipc_session.h"
#include "proc_table.h"
#include "verdict.h"

/* ---- parent and children ---- */

/* First message to each child; fd: the configuration. */
struct proc_start {
	/* Of this parent's life: an index made under it is good. */
	uint64_t token[2];
	uint32_t kind, instance;
	uint32_t uid, gid; /* whom to become; jailed 0: nobody else */
	uint32_t jailed;
	uint32_t verbose;
	uint32_t check;      /* smtpd -n: report ready and wait to be stopped */
	uint32_t generation; /* of the configuration: 1, and one more each
			      * reload */
	int64_t loaded;      /* when it was: seconds since 1970 */
	char root[512];      /* where to chroot, empty: not */
	char spool[512];     /* queue, not jailed: where the spool is */
	char run[512];       /* sockets, the pid file */
};
/* fd: one end of a channel to that process. */
struct proc_peer {
	uint32_t kind, instance;
};
/* fd: a listening socket.  index: row of conf.listen; CONF_NONE: smtpctl's. */
struct proc_listen {
	uint32_t index;
};
enum proc_file_of {
	FILE_NONE,
	FILE_TABLE,  /* index: row of conf.table; to lookup */
	FILE_DKIM,   /* row of conf.dkim; to keys */
	FILE_RESOLV, /* resolv.conf; to deliver and guard */
	/* row of conf.pki, certificates; to keys, session, deliver */
	FILE_CERT,
	FILE_KEY,  /* row of conf.pki, the private key; to keys */
	FILE_CA,   /* row of conf.ca; to session and deliver */
	FILE_OAUTH /* row of conf.oauth, its JWKS; to lookup */
};
/* fd: what it is read from. */
struct proc_file {
	uint32_t of; /* enum proc_file_of */
	uint32_t index;
};
/* All has been handed over. */
struct proc_go {
	uint32_t unused;
};
/* In order, and soon. */
struct proc_stop {
	uint32_t unused;
};
/* A newer generation is at work: take nothing new, finish what is open, then
 * end.  No hurry: a session may be as long as it is. */
struct proc_drain {
	uint32_t stopping; /* all of us will stop: what runs on is hurried */
};
/* Child to parent: I take nothing new; so many sessions or jobs are open.
 * Said at once after proc_drain, and when it is 0, which is answered by
 * proc_stop (of spawn when nobody is left whom it serves). */
struct proc_drained {
	uint32_t left;
};
/* Child to parent: jailed, everything read, at work. */
struct proc_ready {
	uint32_t unused;
};
/* Child to parent: what I was given is no good; text says what and where. */
struct proc_fail {
	char text[1024];
};
/* Child to parent: that peer broke a rule. */
struct proc_blame {
	uint32_t kind, instance;
	char why[128];
};

/* ---- session and lookup, guard, keys, queue: ipc_session.h ---- */

/* ---- queue and lookup ---- */

struct route_ask {
	struct facts facts;
	char sender[ADDR_MAX + 1];
	char rcpt[ADDR_MAX + 1];
	/* FACT_EXPANDED: the address that rcpt came out of, if an action has
	 * `srs`; else empty */
	char of[ADDR_MAX + 1];
	char leaf[LEAF_TEXT_MAX +
	    1]; /* as expand_is gave it; empty: an address */
};
enum {
	ROUTE_ORIGIN = 1, /* the rule is not for strangers: we may sign */
	ROUTE_EXPANDS = 2 /* it stands for several: expand_ask */
};
struct route_is {
	struct outcome outcome; /* DONE: route is set; LATER, NEVER: why */
	uint32_t action;        /* row of conf.action */
	uint32_t flags;         /* ROUTE_* */
	uint32_t line;          /* of the rule */
	uint32_t ttl;           /* of the action, seconds; 0: the queue's */
	/*
	 * "mx:example.org"; "host:smtps://label@relay.example.net:465", as
	 * in a relay URL, always with its port; "hosts:NAME", those of
	 * action NAME, which deliver asks for (relay_ask); "lmtp:NAME", the
	 * server of action NAME.  For spawn, with `local` set:
	 * "local:ACTION/USER", "program:USER/HASH", "file:PATH".  Empty with
	 * ROUTE_EXPANDS.
	 */
	char route[ROUTE_MAX + 1];
	/* The one address that the recipient stands for, to be said to the
	 * next server; empty: the recipient itself. */
	char rcpt[ADDR_MAX + 1];
	/* What is said as the sender (SRS); empty: itself. */
	char sender[ADDR_MAX + 1];
	struct local_to local; /* what LOCAL_NONE: it leaves by deliver */
};
/*
 * What a recipient stands for, from number `from` on: recipients of a child
 * message.  Each is an address in the form that a recipient has in the spool,
 * and its leaf: empty, or what it is on this host beside an address
 * (lookup_leaf.h has the forms; queue keeps it and says it in route_ask and
 * expand_ask, and reads nothing in it but the first letter: LEAF_PART is
 * expanded again, all others are not).  No two are the same.  sum: of the whole
 * list, 0 in the first question; when it changes on the way the queue begins
 * again.
 */
#define LEAF_PART 'l' /* of a list of more than EXPAND_MAX */
struct expand_ask {
	struct facts facts;
	uint64_t sum;
	uint32_t from;
	char sender[ADDR_MAX + 1];
	char rcpt[ADDR_MAX + 1];
	char of[ADDR_MAX + 1];        /* with leaf, as in route_ask */
	char leaf[LEAF_TEXT_MAX + 1]; /* empty, or that of a part */
};
struct expand_is {
	struct outcome outcome; /* DONE, or why not */
	uint64_t sum;
	uint32_t total;   /* in the list, at most EXPAND_MAX */
	uint32_t from, n; /* of them here */
	/* The child's sender: the owner of a list (aliases(5)); empty: that of
	 * the message. */
	char sender[ADDR_MAX + 1];
	char text[2560]; /* n of them: address NUL leaf NUL */
};

/* ---- queue, lookup, keys and deliver: ipc_deliver.h ---- */

/* ---- lookup and spawn ---- */

/* Start the program of this table. */
struct prog_ask {
	uint32_t table; /* row of conf.table, of kind TABLE_PROC */
};
/* DONE: fd is the program's standard input and output (a stream); it ends
 * when that is closed. */
struct prog_is {
	struct outcome outcome;
};
/* Before it: fd is where that program's standard error is read. */
struct prog_stderr {
	uint32_t table;
};

/* One password to be checked by PAM, in a process of its own. */
struct pam_ask {
	uint32_t unused;
};
/* DONE: fd is a stream to that process: user NUL password NUL is written to
 * it, one byte comes back: '0' good, '1' not, '2' nobody knows now. */
struct pam_is {
	struct outcome outcome;
};

/* The token of row token of conf.token, now. */
struct token_ask {
	uint32_t token;
};
/* DONE: it is read from fd until its end: a file, or the output of the
 * command. */
struct token_is {
	struct outcome outcome;
};
/* Before it: fd is where that command's standard error is read. */
struct token_stderr {
	uint32_t token;
};

/* ---- queue and spawn ---- */

/* A day is over: run `smtpctl report send`, as queue's user. */
struct report_send {
	uint32_t until; /* the last day to report of, since 1970 */
};
/* Before its answer: fd is where what it says is read. */
struct report_says {
	uint32_t unused;
};
/* It has ended.  DONE: every report was taken, or need not be; else again
 * later. */
struct report_sent {
	struct outcome outcome;
};

/* ---- smtpctl, control, queue, parent: ipc_control.h ---- */

enum ipc_fd { IPC_NOFD, IPC_FD, IPC_MAYFD };

/* clang-format off */
/* Columns: name, struct, from, to, descriptor, answer (NONE: a statement). */
#define IPC_TABLE(X) \
	X(PROC_START,  proc_start,  PARENT,  ANY,     IPC_FD,    NONE) \
	X(PROC_PEER,   proc_peer,   PARENT,  ANY,     IPC_FD,    NONE) \
	X(PROC_LISTEN, proc_listen, PARENT,  ANY,     IPC_FD,    NONE) \
	X(PROC_FILE,   proc_file,   PARENT,  ANY,     IPC_FD,    NONE) \
	X(PROC_GO,     proc_go,     PARENT,  ANY,     IPC_NOFD,  NONE) \
	X(PROC_STOP,   proc_stop,   PARENT,  ANY,     IPC_NOFD,  NONE) \
	X(PROC_DRAIN,  proc_drain,  PARENT,  ANY,     IPC_NOFD,  NONE) \
	X(PROC_DRAINED, proc_drained, ANY,   PARENT,  IPC_NOFD,  NONE) \
	X(PROC_READY,  proc_ready,  ANY,     PARENT,  IPC_NOFD,  NONE) \
	X(PROC_FAIL,   proc_fail,   ANY,     PARENT,  IPC_NOFD,  NONE) \
	X(PROC_BLAME,  proc_blame,  ANY,     PARENT,  IPC_NOFD,  NONE) \
	X(RCPT_ASK,    rcpt_ask,    SESSION, LOOKUP,  IPC_NOFD,  RCPT_IS) \
	X(RCPT_IS,     rcpt_is,     LOOKUP,  SESSION, IPC_NOFD,  NONE) \
	X(PEER_ASK,    peer_ask,    SESSION, LOOKUP,  IPC_NOFD,  PEER_IS) \
	X(PEER_IS,     peer_is,     LOOKUP,  SESSION, IPC_NOFD,  NONE) \
	X(FILTER_ASK,  filter_ask,  SESSION, LOOKUP,  IPC_NOFD,  FILTER_IS) \
	X(FILTER_IS,   filter_is,   LOOKUP,  SESSION, IPC_NOFD,  NONE) \
	X(SENDER_ASK,  sender_ask,  SESSION, LOOKUP,  IPC_NOFD,  SENDER_IS) \
	X(SENDER_IS,   sender_is,   LOOKUP,  SESSION, IPC_NOFD,  NONE) \
	X(AUTH_MECHS,  auth_mechs,  LOOKUP,  SESSION, IPC_NOFD,  NONE) \
	X(AUTH_DATA,   auth_data,   SESSION, LOOKUP,  IPC_NOFD,  NONE) \
	X(AUTH_ASK,    auth_ask,    SESSION, LOOKUP,  IPC_NOFD,  AUTH_IS) \
	X(AUTH_IS,     auth_is,     LOOKUP,  SESSION, IPC_NOFD,  NONE) \
	X(CLIENT_OPEN, client_open, SESSION, GUARD,   IPC_NOFD,  CLIENT_IS) \
	X(CLIENT_IS,   client_is,   GUARD,   SESSION, IPC_NOFD,  NONE) \
	X(CLIENT_NOTE, client_note, SESSION, GUARD,   IPC_NOFD,  CLIENT_MAY) \
	X(CLIENT_MAY,  client_may,  GUARD,   SESSION, IPC_NOFD,  NONE) \
	X(CLIENT_SHUT, client_shut, SESSION, GUARD,   IPC_NOFD,  NONE) \
	X(CLIENT_HERE, client_here, SESSION, GUARD,   IPC_NOFD,  NONE) \
	X(NAMES_ASK,   names_ask,   SESSION, GUARD,   IPC_NOFD,  NAMES_IS) \
	X(NAMES_IS,    names_is,    GUARD,   SESSION, IPC_NOFD,  NONE) \
	X(DISPOSE_ASK, dispose_ask, SESSION, LOOKUP,  IPC_NOFD,  DISPOSE_IS) \
	X(DISPOSE_IS,  dispose_is,  LOOKUP,  SESSION, IPC_NOFD,  NONE) \
	X(SPF_ASK,     spf_ask,     SESSION, GUARD,   IPC_NOFD,  SPF_IS) \
	X(SPF_IS,      spf_is,      GUARD,   SESSION, IPC_NOFD,  NONE) \
	X(KEY_ASK,     key_ask,     SESSION, GUARD,   IPC_NOFD,  KEY_IS) \
	X(KEY_IS,      key_is,      GUARD,   SESSION, IPC_NOFD,  NONE) \
	X(DMARC_ASK,   dmarc_ask,   SESSION, GUARD,   IPC_NOFD,  DMARC_IS) \
	X(DMARC_IS,    dmarc_is,    GUARD,   SESSION, IPC_NOFD,  NONE) \
	X(REPORT_NOTE, report_note, SESSION, QUEUE,   IPC_NOFD,  NONE) \
	X(REPORT_SEND, report_send, QUEUE,   SPAWN,   IPC_NOFD,  REPORT_SENT) \
	X(REPORT_SENT, report_sent, SPAWN,   QUEUE,   IPC_NOFD,  NONE) \
	X(REPORT_SAYS, report_says, SPAWN,   QUEUE,   IPC_FD,    NONE) \
	X(TLS_SIGN,    tls_sign,    SESSION, KEYS,    IPC_NOFD,  TLS_SIGNED) \
	X(TLS_SIGNED,  tls_signed,  KEYS,    SESSION, IPC_NOFD,  NONE) \
	X(TICKET_KEY,  ticket_key,  KEYS,    SESSION, IPC_NOFD,  NONE) \
	X(GREY_ASK,    grey_ask,    SESSION, QUEUE,   IPC_NOFD,  GREY_IS) \
	X(GREY_IS,     grey_is,     QUEUE,   SESSION, IPC_NOFD,  NONE) \
	X(TX_OPEN,     tx_open,     SESSION, QUEUE,   IPC_NOFD,  NONE) \
	X(TX_RCPT,     tx_rcpt,     SESSION, QUEUE,   IPC_NOFD,  NONE) \
	X(TX_DATA,     tx_data,     SESSION, QUEUE,   IPC_NOFD,  TX_FILE) \
	X(TX_FILE,     tx_file,     QUEUE,   SESSION, IPC_MAYFD, NONE) \
	X(TX_COMMIT,   tx_commit,   SESSION, QUEUE,   IPC_NOFD,  TX_DONE) \
	X(TX_DONE,     tx_done,     QUEUE,   SESSION, IPC_NOFD,  NONE) \
	X(TX_ABORT,    tx_abort,    SESSION, QUEUE,   IPC_NOFD,  TX_GONE) \
	X(TX_GONE,     tx_gone,     QUEUE,   SESSION, IPC_NOFD,  NONE) \
	X(TX_KEEP,     tx_keep,     SESSION, QUEUE,   IPC_NOFD,  NONE) \
	X(TX_LISTED,   tx_listed,   SESSION, QUEUE,   IPC_NOFD,  NONE) \
	X(ROUTE_ASK,   route_ask,   QUEUE,   LOOKUP,  IPC_NOFD,  ROUTE_IS) \
	X(ROUTE_IS,    route_is,    LOOKUP,  QUEUE,   IPC_NOFD,  NONE) \
	X(EXPAND_ASK,  expand_ask,  QUEUE,   LOOKUP,  IPC_NOFD,  EXPAND_IS) \
	X(EXPAND_IS,   expand_is,   LOOKUP,  QUEUE,   IPC_NOFD,  NONE) \
	X(PROG_ASK,    prog_ask,    LOOKUP,  SPAWN,   IPC_NOFD,  PROG_IS) \
	X(PROG_IS,     prog_is,     SPAWN,   LOOKUP,  IPC_MAYFD, NONE) \
	X(PROG_STDERR, prog_stderr, SPAWN,   LOOKUP,  IPC_FD,    NONE) \
	X(PAM_ASK,     pam_ask,     LOOKUP,  SPAWN,   IPC_NOFD,  PAM_IS) \
	X(PAM_IS,      pam_is,      SPAWN,   LOOKUP,  IPC_MAYFD, NONE) \
	X(TOKEN_ASK,   token_ask,   LOOKUP,  SPAWN,   IPC_NOFD,  TOKEN_IS) \
	X(TOKEN_IS,    token_is,    SPAWN,   LOOKUP,  IPC_MAYFD, NONE) \
	X(TOKEN_STDERR, token_stderr, SPAWN, LOOKUP,  IPC_FD,    NONE) \
	X(TEXT_ASK,    text_ask,    LOOKUP,  SPAWN,   IPC_NOFD,  TEXT_IS) \
	X(TEXT_IS,     text_is,     SPAWN,   LOOKUP,  IPC_MAYFD, NONE) \
	X(LOCAL_TAKE,  local_take,  QUEUE,   SPAWN,   IPC_FD,    LOCAL_IS) \
	X(LOCAL_IS,    local_is,    SPAWN,   QUEUE,   IPC_MAYFD, NONE) \
	X(LOCAL_NOTED, local_noted, QUEUE,   SPAWN,   IPC_NOFD,  NONE) \
	X(LOCAL_HELD,  local_held,  SPAWN,   QUEUE,   IPC_FD,    NONE) \
	X(LOCAL_LISTED, local_listed, SPAWN, QUEUE,   IPC_NOFD,  NONE) \
	X(SOCK_ASK,    sock_ask,    DELIVER, SPAWN,   IPC_NOFD,  SOCK_IS) \
	X(SOCK_IS,     sock_is,     SPAWN,   DELIVER, IPC_MAYFD, NONE) \
	X(JOB_WANT,    job_want,    DELIVER, QUEUE,   IPC_NOFD,  NONE) \
	X(JOB_TAKE,    job_take,    QUEUE,   DELIVER, IPC_FD,    NONE) \
	X(JOB_RCPT,    job_rcpt,    QUEUE,   DELIVER, IPC_NOFD,  NONE) \
	X(JOB_GO,      job_go,      QUEUE,   DELIVER, IPC_NOFD,  NONE) \
	X(JOB_FIELD,   job_field,   QUEUE,   DELIVER, IPC_NOFD,  NONE) \
	X(JOB_SIGNED,  job_signed,  DELIVER, QUEUE,   IPC_NOFD,  NONE) \
	X(JOB_RESULT,  job_result,  DELIVER, QUEUE,   IPC_NOFD,  NONE) \
	X(JOB_NOTED,   job_noted,   QUEUE,   DELIVER, IPC_NOFD,  NONE) \
	X(JOB_END,     job_end,     DELIVER, QUEUE,   IPC_NOFD,  NONE) \
	X(JOB_HELD,    job_held,    DELIVER, QUEUE,   IPC_NOFD,  NONE) \
	X(JOB_LISTED,  job_listed,  DELIVER, QUEUE,   IPC_NOFD,  NONE) \
	X(GROUP_ASK,   group_ask,   QUEUE,   DELIVER, IPC_NOFD,  GROUP_IS) \
	X(GROUP_IS,    group_is,    DELIVER, QUEUE,   IPC_NOFD,  NONE) \
	X(RELAY_ASK,   relay_ask,   DELIVER, LOOKUP,  IPC_NOFD,  RELAY_IS) \
	X(RELAY_IS,    relay_is,    LOOKUP,  DELIVER, IPC_NOFD,  NONE) \
	X(HELO_ASK,    helo_ask,    DELIVER, LOOKUP,  IPC_NOFD,  HELO_IS) \
	X(HELO_IS,     helo_is,     LOOKUP,  DELIVER, IPC_NOFD,  NONE) \
	X(SASL_ASK,    sasl_ask,    DELIVER, LOOKUP,  IPC_NOFD,  SASL_IS) \
	X(SASL_DATA,   sasl_data,   LOOKUP,  DELIVER, IPC_NOFD,  NONE) \
	X(SASL_IS,     sasl_is,     LOOKUP,  DELIVER, IPC_NOFD,  NONE) \
	X(SIGN_ASK,    sign_ask,    DELIVER, KEYS,    IPC_NOFD,  SIGN_IS) \
	X(SIGN_IS,     sign_is,     KEYS,    DELIVER, IPC_NOFD,  NONE) \
	X(SIGN_KEY,    sign_key,    KEYS,    DELIVER, IPC_NOFD,  NONE) \
	X(CERT_SIGN,   cert_sign,   DELIVER, KEYS,    IPC_NOFD,  CERT_SIGNED) \
	X(CERT_SIGNED, cert_signed, KEYS,    DELIVER, IPC_NOFD,  NONE) \
	X(CTL_ASK,     ctl_ask,     CONTROL, QUEUE,   IPC_NOFD,  CTL_IS) \
	X(CTL_IS,      ctl_is,      QUEUE,   CONTROL, IPC_NOFD,  NONE) \
	X(CTL_STOP,    ctl_stop,    CONTROL, PARENT,  IPC_NOFD,  NONE) \
	X(PARENT_ASK,  parent_ask,  CONTROL, PARENT,  IPC_NOFD,  PARENT_IS) \
	X(PARENT_IS,   parent_is,   PARENT,  CONTROL, IPC_NOFD,  NONE) \
	X(EXPLAIN_ASK, explain_ask, CONTROL, LOOKUP,  IPC_NOFD,  EXPLAIN_IS) \
	X(EXPLAIN_IS,  explain_is,  LOOKUP,  CONTROL, IPC_NOFD,  NONE) \
	X(HOSTS_ASK,   hosts_ask,   CONTROL, DELIVER, IPC_NOFD,  HOSTS_IS) \
	X(HOSTS_IS,    hosts_is,    DELIVER, CONTROL, IPC_NOFD,  NONE) \
	X(LIMITS_ASK,  limits_ask,  CONTROL, QUEUE,   IPC_NOFD,  LIMITS_IS) \
	X(LIMITS_IS,   limits_is,   QUEUE,   CONTROL, IPC_NOFD,  NONE)

/* The texts of struct facts in a message. */
#define IPC_FACTS(X, NAME, name) \
	X(NAME, name, facts.client) X(NAME, name, facts.helo) \
	X(NAME, name, facts.rdns) X(NAME, name, facts.tag) \
	X(NAME, name, facts.auth)

/* Those of struct local_to. */
#define IPC_LOCAL_TO(X, NAME, name, of) \
	X(NAME, name, of.user) X(NAME, name, of.as) \
	X(NAME, name, of.home) X(NAME, name, of.text)

/* Those of struct spf_found. */
#define IPC_SPF(X, NAME, name, of) \
	X(NAME, name, of.domain) X(NAME, name, of.identity) \
	X(NAME, name, of.mechanism) X(NAME, name, of.why) \
	X(NAME, name, of.exp)

/* Every array of characters in a message: it must hold a NUL. */
#define IPC_TEXT(X) \
	X(PROC_START, proc_start, root) \
	X(PROC_START, proc_start, spool) \
	X(PROC_START, proc_start, run) \
	X(PROC_FAIL,  proc_fail,  text) \
	X(PROC_BLAME, proc_blame, why) \
	IPC_FACTS(X, RCPT_ASK, rcpt_ask) \
	X(RCPT_ASK,   rcpt_ask,   sender) \
	X(RCPT_ASK,   rcpt_ask,   rcpt) \
	X(RCPT_IS,    rcpt_is,    outcome.text) \
	IPC_FACTS(X, TX_OPEN, tx_open) \
	X(TX_OPEN,    tx_open,    sender) \
	X(TX_OPEN,    tx_open,    params.envid) \
	X(TX_RCPT,    tx_rcpt,    rcpt) \
	X(TX_RCPT,    tx_rcpt,    params.orcpt) \
	X(PEER_ASK,   peer_ask,   client) \
	X(PEER_ASK,   peer_ask,   ours) \
	X(PEER_IS,    peer_is,    outcome.text) \
	X(PEER_IS,    peer_is,    hostname) \
	IPC_FACTS(X, FILTER_ASK, filter_ask) \
	X(FILTER_ASK, filter_ask, sender) \
	X(FILTER_ASK, filter_ask, rcpt) \
	X(FILTER_IS,  filter_is,  outcome.text) \
	X(FILTER_IS,  filter_is,  text) \
	X(FILTER_IS,  filter_is,  report) \
	IPC_FACTS(X, SENDER_ASK, sender_ask) \
	X(SENDER_ASK, sender_ask, sender) \
	X(SENDER_IS,  sender_is,  outcome.text) \
	IPC_FACTS(X, AUTH_ASK, auth_ask) \
	X(AUTH_ASK,   auth_ask,   cert) \
	X(AUTH_IS,    auth_is,    outcome.text) \
	X(AUTH_IS,    auth_is,    user) \
	IPC_FACTS(X, CLIENT_OPEN, client_open) \
	X(CLIENT_IS,  client_is,  outcome.text) \
	X(CLIENT_NOTE, client_note, user) \
	X(CLIENT_MAY, client_may, outcome.text) \
	X(CLIENT_HERE, client_here, client) \
	X(NAMES_ASK,  names_ask,  client) \
	X(NAMES_IS,   names_is,   outcome.text) \
	X(NAMES_IS,   names_is,   rdns) \
	X(NAMES_IS,   names_is,   lists) \
	IPC_FACTS(X, DISPOSE_ASK, dispose_ask) \
	X(DISPOSE_ASK, dispose_ask, sender) \
	X(DISPOSE_ASK, dispose_ask, rcpt) \
	X(DISPOSE_ASK, dispose_ask, author) \
	X(DISPOSE_ASK, dispose_ask, sealer) \
	X(DISPOSE_IS,  dispose_is,  outcome.text) \
	X(SPF_ASK,    spf_ask,    client) \
	X(SPF_ASK,    spf_ask,    helo) \
	X(SPF_ASK,    spf_ask,    sender) \
	X(SPF_ASK,    spf_ask,    ours) \
	X(SPF_IS,     spf_is,     outcome.text) \
	IPC_SPF(X, SPF_IS, spf_is, helo) \
	IPC_SPF(X, SPF_IS, spf_is, mail) \
	X(KEY_ASK,    key_ask,    client) \
	X(KEY_ASK,    key_ask,    name) \
	X(KEY_IS,     key_is,     why) \
	X(DMARC_ASK,  dmarc_ask,  client) \
	X(DMARC_ASK,  dmarc_ask,  author) \
	X(DMARC_ASK,  dmarc_ask,  spf_domain) \
	X(DMARC_ASK,  dmarc_ask,  dkim) \
	X(DMARC_IS,   dmarc_is,   outcome.text) \
	X(DMARC_IS,   dmarc_is,   fo) \
	X(DMARC_IS,   dmarc_is,   policy_domain) \
	X(DMARC_IS,   dmarc_is,   organization) \
	X(DMARC_IS,   dmarc_is,   why) \
	X(REPORT_NOTE, report_note, client) \
	X(REPORT_NOTE, report_note, author) \
	X(REPORT_NOTE, report_note, sender) \
	X(REPORT_NOTE, report_note, policy_domain) \
	X(REPORT_NOTE, report_note, fo) \
	X(REPORT_NOTE, report_note, spf_domain) \
	X(REPORT_NOTE, report_note, dkim_text) \
	X(REPORT_SENT, report_sent, outcome.text) \
	X(TLS_SIGNED, tls_signed, outcome.text) \
	X(GREY_ASK,   grey_ask,   client) \
	X(GREY_ASK,   grey_ask,   sender) \
	X(GREY_ASK,   grey_ask,   rcpt) \
	X(GREY_IS,    grey_is,    outcome.text) \
	X(TX_FILE,    tx_file,    outcome.text) \
	X(TX_DONE,    tx_done,    outcome.text) \
	IPC_FACTS(X, ROUTE_ASK, route_ask) \
	X(ROUTE_ASK,  route_ask,  sender) \
	X(ROUTE_ASK,  route_ask,  rcpt) \
	X(ROUTE_ASK,  route_ask,  of) \
	X(ROUTE_ASK,  route_ask,  leaf) \
	X(ROUTE_IS,   route_is,   outcome.text) \
	X(ROUTE_IS,   route_is,   route) \
	X(ROUTE_IS,   route_is,   rcpt) \
	X(ROUTE_IS,   route_is,   sender) \
	IPC_LOCAL_TO(X, ROUTE_IS, route_is, local) \
	IPC_FACTS(X, EXPAND_ASK, expand_ask) \
	X(EXPAND_ASK, expand_ask, sender) \
	X(EXPAND_ASK, expand_ask, rcpt) \
	X(EXPAND_ASK, expand_ask, of) \
	X(EXPAND_ASK, expand_ask, leaf) \
	X(EXPAND_IS,  expand_is,  outcome.text) \
	X(EXPAND_IS,  expand_is,  sender) \
	X(EXPAND_IS,  expand_is,  text) \
	X(PROG_IS,    prog_is,    outcome.text) \
	X(PAM_IS,     pam_is,     outcome.text) \
	X(TEXT_ASK,   text_ask,   user) \
	X(TEXT_ASK,   text_ask,   home) \
	X(TEXT_ASK,   text_ask,   name) \
	X(TEXT_IS,    text_is,    outcome.text) \
	IPC_LOCAL_TO(X, LOCAL_TAKE, local_take, to) \
	X(LOCAL_TAKE, local_take, sender) \
	X(LOCAL_TAKE, local_take, rcpt) \
	X(LOCAL_TAKE, local_take, of) \
	X(LOCAL_TAKE, local_take, envid) \
	X(LOCAL_TAKE, local_take, client) \
	X(LOCAL_TAKE, local_take, helo) \
	X(LOCAL_TAKE, local_take, auth) \
	X(LOCAL_IS,   local_is,   outcome.text) \
	X(SOCK_IS,    sock_is,    outcome.text) \
	X(JOB_TAKE,   job_take,   route) \
	X(JOB_TAKE,   job_take,   sender) \
	X(JOB_TAKE,   job_take,   as_sender) \
	X(JOB_TAKE,   job_take,   params.envid) \
	X(JOB_RCPT,   job_rcpt,   rcpt) \
	X(JOB_RCPT,   job_rcpt,   params.orcpt) \
	X(JOB_FIELD,  job_field,  field) \
	X(JOB_SIGNED, job_signed, field) \
	X(JOB_RESULT, job_result, outcome.text) \
	X(JOB_RESULT, job_result, relay) \
	X(JOB_RESULT, job_result, tls) \
	X(JOB_END,    job_end,    site.text) \
	X(JOB_HELD,   job_held,   route) \
	X(GROUP_ASK,  group_ask,  route) \
	X(GROUP_IS,   group_is,   outcome.text) \
	X(RELAY_IS,   relay_is,   outcome.text) \
	X(RELAY_IS,   relay_is,   text) \
	X(HELO_ASK,   helo_ask,   ours) \
	X(HELO_IS,    helo_is,    outcome.text) \
	X(HELO_IS,    helo_is,    name) \
	X(SASL_ASK,   sasl_ask,   label) \
	X(SASL_ASK,   sasl_ask,   host) \
	X(SASL_IS,    sasl_is,    outcome.text) \
	X(SIGN_IS,    sign_is,    outcome.text) \
	X(CERT_SIGNED, cert_signed, is.outcome.text) \
	X(TOKEN_IS,   token_is,   outcome.text) \
	X(CTL_ASK,    ctl_ask,    text) \
	X(CTL_IS,     ctl_is,     outcome.text) \
	X(PARENT_ASK, parent_ask, text) \
	X(PARENT_IS,  parent_is,  outcome.text) \
	X(PARENT_IS,  parent_is,  text) \
	IPC_FACTS(X, EXPLAIN_ASK, explain_ask) \
	X(EXPLAIN_ASK, explain_ask, sender) \
	X(EXPLAIN_ASK, explain_ask, rcpt) \
	X(EXPLAIN_IS, explain_is, outcome.text) \
	X(EXPLAIN_IS, explain_is, text) \
	X(HOSTS_ASK,  hosts_ask, about.route) \
	X(HOSTS_ASK,  hosts_ask, about.sender) \
	X(HOSTS_ASK,  hosts_ask, about.rcpt) \
	X(HOSTS_IS,   hosts_is, is.outcome.text) \
	X(HOSTS_IS,   hosts_is, is.text) \
	X(LIMITS_ASK, limits_ask, about.route) \
	X(LIMITS_ASK, limits_ask, about.sender) \
	X(LIMITS_ASK, limits_ask, about.rcpt) \
	X(LIMITS_IS,  limits_is, is.outcome.text) \
	X(LIMITS_IS,  limits_is, is.text)
/* clang-format on */

enum ipc_type {
	IPC_NONE,
#define X(NAME, ...) IPC_##NAME,
	IPC_TABLE(X)
#undef X
	    IPC_TYPES
};

#endif
