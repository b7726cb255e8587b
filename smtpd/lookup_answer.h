/*
 * What lookup is asked, and how it is judged: each begins a question, and the
 * answer goes to who asked.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_ANSWER_H
#define SMTPD_LOOKUP_ANSWER_H

#include "lookup_pages.h"
#include "lookup_question.h"

#define EXPLAIN_TARGETS 100 /* addresses that smtpctl explain tells of */
#define EXPLAIN_NAMES   8   /* addresses of ours whose names it tells */

#define SAID_MAX 64 /* values that cannot be used, of which the log was told */

/* What judging needs beside the question: questions.arg. */
struct answers {
	struct pages pages[PAGES_MAX];
	uint64_t said[SAID_MAX]; /* lookup_relay.c; XXH3, in a ring */
	uint32_t next_said;
};

void answers_init(struct answers *a);
void answers_free(struct answers *a);

/* A table has changed: what was found by it is found anew. */
void answers_stale(struct answers *a);

/* By message; each is a question_judge. */
bool judge_rcpt(struct question *q);    /* rcpt_ask */
bool judge_route(struct question *q);   /* route_ask */
bool judge_expand(struct question *q);  /* expand_ask */
bool judge_explain(struct question *q); /* explain_ask */
bool judge_dispose(struct question *q); /* dispose_ask */

#endif
