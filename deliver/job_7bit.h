/*
 * A job's content as it is sent to who does not offer 8BITMIME (RFC 6152 3).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_JOB_7BIT_H
#define DELIVER_JOB_7BIT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "client.h"
#include "loop.h"
#include "mime_7bit.h"

struct job;

struct job_7bit {
	void (*fn)(struct job *j);
	const char *why;     /* it cannot be */
	bool ready;          /* len, field, all and charset are known */
	uint64_t len;        /* bytes of what is sent */
	const char *field;   /* its signature, or ""; of the job's arena */
	bool all, foreign;   /* how it is made: mime_7bit.all; not UTF-8 */
	const char *charset; /* likewise */
	/* while it is read */
	struct mime_7bit mime;
	bool open; /* mime has more to come */
	uint64_t done;
	struct timer soon;
	bool utf8;
	char tail[4]; /* of a character that is cut */
	size_t n_tail;
	struct buf out; /* made, and not yet sent */
};

/* Makes it ready, then fn; the job may end instead.  At once if it is. */
void job_7bit_make(struct job *j, void (*fn)(struct job *j));
bool job_7bit_ready(const struct job *j);

/* Puts it in place of the content and the signature; each time anew. */
void job_7bit_mail(struct job *j, struct client_mail *m);

/* The server went away while it was made. */
void job_7bit_stop(struct job *j);
void job_7bit_free(struct job *j);

#endif
