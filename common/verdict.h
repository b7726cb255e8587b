/*
 * What became of something: an SMTP reply in smtpd/, a delivery's result in
 * deliver/, a row in queue/.  The zero of each field is the safe value: later.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_VERDICT_H
#define COMMON_VERDICT_H

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

#define OUTCOME_TEXT_MAX 495

struct outcome {
	uint8_t verdict;   /* enum verdict */
	uint8_t width;     /* enum width */
	uint16_t code;     /* RFC 5321 reply code, 0 if no server spoke */
	uint16_t ecode[3]; /* RFC 3463 class, subject, detail; class 0: none */
	uint16_t local;    /* 1: the words are ours, 0: the remote's */
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

/*
 * Prints "250 2.0.0 text" into out (size bytes); a code or an enhanced code
 * of 0 is left out.  Returns out.
 */
const char *outcome_print(const struct outcome *o, char *out,
    unsigned int size);

/* "later", "done", "never". */
const char *verdict_name(unsigned int verdict);

#endif
