/*
 * What became of something: an SMTP reply in smtpd/, a delivery's result in
 * deliver/, a row in queue/.  The zero of each field is the safe value: later.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_VERDICT_H
#define COMMON_VERDICT_H

#include <stdarg.h>
#include <stdint.h>

enum verdict {
	LATER, /* the machine failed, or nobody knows: try again */
	DONE,  /* on disk, or acknowledged by who is next */
	NEVER  /* the RFC or the owner says no */
};

/* How much of the work an outcome speaks for. */
enum width {
	WIDTH_RCPT,    /* this recipient */
	WIDTH_MESSAGE, /* all recipients of the message at this route */
	WIDTH_SITE,    /* whatever goes to this route now */
	WIDTH_STREAM   /* this connection only: another may do */
};

/*
 * What a failure is about: decides what is tried again and when, and the first
 * sentence that a sender reads.  Columns: enum, name in log, listing, history.
 */
#define CAUSES(X)                                                              \
	X(NONE, "none")                                                        \
	X(MAILBOX, "mailbox") /* this recipient: unknown, full, closed */      \
	X(CONTENT, "content") /* this message: too large, spam, virus */       \
	X(POLICY, "policy")   /* what they take from whom */                   \
	X(REPUTATION, "reputation") /* our address or name, as they know it */ \
	X(RATE, "rate")             /* too much or too fast; greylisting */    \
	X(CONFIG, "configuration")  /* ours, or theirs */                      \
	X(NETWORK, "network")       /* no connection, or it was lost */        \
	X(DNS, "dns")                                                          \
	X(TLS, "tls")       /* handshake, certificate, policy */               \
	X(SYSTEM, "system") /* their machine, or ours, is in trouble */

enum cause {
#define X(name, word) CAUSE_##name,
	CAUSES(X)
#undef X
	    CAUSES_N
};

/* Where in a delivery it was said.  Columns: enum, name. */
#define STAGES(X)                                                              \
	X(NONE, "none")                                                        \
	X(LOOKUP, "lookup")   /* rules and tables of ours */                   \
	X(PREPARE, "prepare") /* reading, converting, signing */               \
	X(DNS, "dns")                                                          \
	X(POLICY, "policy") /* what is wanted of this host */                  \
	X(CONNECT, "connect")                                                  \
	X(GREETING, "greeting")                                                \
	X(EHLO, "ehlo")                                                        \
	X(STARTTLS, "starttls")                                                \
	X(TLS, "tls")                                                          \
	X(AUTH, "auth")                                                        \
	X(MAIL, "mail")                                                        \
	X(RCPT, "rcpt")                                                        \
	X(DATA, "data")                                                        \
	X(CONTENT, "content") /* the content, and the reply to its end */      \
	X(QUIT, "quit")

enum stage {
#define X(name, word) STAGE_##name,
	STAGES(X)
#undef X
	    STAGES_N
};

#define OUTCOME_TEXT_MAX 495

struct outcome {
	uint8_t verdict;   /* enum verdict */
	uint8_t width;     /* enum width */
	uint16_t code;     /* RFC 5321 reply code, 0 if no server spoke */
	uint16_t ecode[3]; /* RFC 3463 class, subject, detail; class 0: none */
	uint8_t local;     /* 1: the words are ours, 0: the remote's */
	uint8_t cause;     /* enum cause */
	uint8_t stage;     /* enum stage */
	/* LATER: seconds until it asked to be tried again; 0: not said. */
	uint32_t after;
	/* The words: no code in front, lines joined by a blank. */
	char text[OUTCOME_TEXT_MAX + 1];
};

/*
 * Fills o.  text is a printf format; what does not fit is cut.  ecode is
 * written as "4.3.0", NULL for none.  Sets local.
 */
void outcome_set(struct outcome *o, enum verdict v, enum width w,
    unsigned int code, const char *ecode, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
void outcome_vset(struct outcome *o, enum verdict v, enum width w,
    unsigned int code, const char *ecode, const char *fmt, va_list ap)
    __attribute__((format(printf, 6, 0)));

/* What a failure is about, and where: for an outcome of ours. */
void outcome_of_us(struct outcome *o, enum cause cause, enum stage stage);

/*
 * Prints "250 2.0.0 text" into out (size bytes); a code or an enhanced code
 * of 0 is left out.  Returns out.
 */
const char *outcome_print(const struct outcome *o, char *out,
    unsigned int size);

/* "later", "done", "never". */
const char *verdict_name(unsigned int verdict);

/* "policy", "rcpt"; "none" for what is no cause, no stage. */
const char *cause_name(unsigned int cause);
const char *stage_name(unsigned int stage);

#endif
