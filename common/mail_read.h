/*
 * A message that is read once, front to back, for what its signatures say of
 * it: the header section is kept, whole and in fields; the body is hashed in
 * as many forms as are wanted and never kept.  Content is as it goes on the
 * wire: CRLF, no dot-stuffing.
 *
 *	mail_read_init(&m, max);
 *	while there is content:
 *		used = mail_read_header(&m, p, len);
 *		when m.header_done: who verifies looks at the fields and says
 *		which hashes it wants (mail_read_want)
 *		mail_read_body(&m, p + used, len - used);
 *	mail_read_finish_header(&m);      a message may have no empty line:
 *		if !header_done before: look at the fields now
 *	mail_read_end(&m);
 *	mail_read_digest(...)
 *	mail_read_free(&m);
 *
 * What a field is: a name of printable ASCII without a colon, perhaps blanks
 * (RFC 5322 4.5), a colon, a value, and the lines that begin with white space
 * behind it.  Other lines are kept but are no fields, and make the header
 * section malformed: readers differ about what they are (end of the header,
 * or nothing), so no signature is verified then.  A first line "From " or
 * ">From " of a mailbox file is passed over.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_MAIL_READ_H
#define COMMON_MAIL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "dkim_canon.h"
#include "slice.h"

/* Different hashes of one body: forms times lengths (l=). */
#define MAIL_HASHES_MAX 16
/* Bytes of a header section that are looked at, where nothing else is said. */
#define MAIL_HEADER_MAX ((size_t)2 << 20)
/* Fields that are told apart; of what is more than that nothing is verified. */
#define MAIL_FIELDS_MAX 4096

struct evp_md_st;
struct evp_md_ctx_st;

/* A field of the header section as it came, folded, without its last CRLF. */
struct mail_field {
	struct slice all;   /* name, colon, value */
	struct slice name;  /* without blanks before the colon */
	struct slice value; /* behind the colon, as it came */
	/* private */
	uint64_t hash; /* of the name */
	int up;        /* next row above of this name, or -1 */
};

/* One form and length of the body on its way to a hash. */
struct mail_hash {
	enum dkim_canon_form form;
	uint64_t limit; /* l=, UINT64_MAX: all of it */
	uint64_t n;     /* canonical bytes so far, also beyond limit */
	struct evp_md_ctx_st *md;
	uint8_t digest[32]; /* SHA-256, after mail_read_end() */
};

struct mail_read {
	struct buf header; /* with its CRLFs, without the empty line */
	size_t max;        /* bytes of a header section that is looked at */
	uint8_t crlf;      /* private: of CRLF CRLF so many are seen */
	bool header_done, body_begun, ended;
	/* Constant texts.  why: the header section is beyond our bounds, and
	 * the fields are those of its first part only: nothing can be said of
	 * the message (RES_POLICY).  malformed: it has a line that is no
	 * field, or a bare CR, LF or NUL; the fields are all there are, but
	 * nothing is verified (RES_PERMERROR). */
	const char *why, *malformed;
	struct mail_field *field; /* n_field of them, the top one first */
	uint32_t n_field;
	/* private: lowest row of each name, by its hash, which nobody outside
	 * can foresee */
	int *bucket;
	uint32_t n_bucket;
	uint64_t seed;
	struct dkim_body body[CANON_RELAXED + 1]; /* by form, of wanted ones */
	struct mail_hash hash[MAIL_HASHES_MAX];
	unsigned int n_hash;
	struct evp_md_st *sha256;
};

/* Before the jail: OpenSSL reads its configuration, and SHA-256 is there. */
void mail_read_ready(void);

/* max: bytes of the header section.  m must not be moved from here on. */
void mail_read_init(struct mail_read *m, size_t max);
/* What was initialised, or is all zeros. */
void mail_read_free(struct mail_read *m);

/* Takes what belongs to the header section (its empty line included); returns
 * bytes used.  Afterwards header_done may be set.  0 when it is. */
size_t mail_read_header(struct mail_read *m, const uint8_t *p, size_t len);

/* Wants a hash of the body.  The number to ask for it with; -1: there are too
 * many, or body bytes were read already.  Equal wants share one. */
int mail_read_want(struct mail_read *m, enum dkim_canon_form form,
    uint64_t limit);

/* Body bytes, in pieces of any size. */
void mail_read_body(struct mail_read *m, const uint8_t *p, size_t len);

/* The content is at its end, so the header section is too (a message may have
 * no body and no empty line): header_done is set.  Hashes can still be wanted
 * until mail_read_end(). */
void mail_read_finish_header(struct mail_read *m);
/* The same, and the hashes are made. */
void mail_read_end(struct mail_read *m);

/* SHA-256 of hash i after mail_read_end(); *n: canonical bytes of the body
 * (RFC 6376 3.5: l= above it is an error). */
const uint8_t *mail_read_digest(const struct mail_read *m, int i, uint64_t *n);

/* The next field of this name (any case) above row `from` (n_field: from the
 * bottom), as DKIM counts (RFC 6376 5.4.2).  Its row, or -1. */
int mail_read_above(const struct mail_read *m, struct slice name, int from);
/* The next one below row `from` (-1: from the top). */
int mail_read_below(const struct mail_read *m, struct slice name, int from);

#endif
