/*
 * What is reported of messages to the domain of their author (RFC 9990): one
 * row stands for all of a day that are alike in everything that is said.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_REPORT_ROW_H
#define QUEUE_REPORT_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth_result.h"
#include "bounds.h"
#include "dmarc.h"
#include "ipc_session.h"

#define REPORT_DAY ((int64_t)24 * 60 * 60)

/* Why the domain's wish was not done (RFC 9990 3.1.6).  Columns: enum, type in
 * the report, comment. */
#define REPORT_REASONS(X)                                                      \
	X(NONE, "", "")                                                        \
	X(EXCEPT, "local_policy", "exempted by the receiver")                  \
	X(ARC, "local_policy", "arc=pass")                                     \
	X(LOCAL, "local_policy", "the receiver does less than is asked for")   \
	X(TEST, "policy_test_mode", "")                                        \
	X(SAMPLED, "other", "sampled out by the pct tag")

enum report_reason {
#define X(name, type, comment) REASON_##name,
	REPORT_REASONS(X)
#undef X
	    REPORT_REASONS_N
};

/* "pass": it passed where something else would have been done about it. */
enum report_disposition {
	REPORT_DONE_NONE,
	REPORT_DONE_PASS,
	REPORT_DONE_QUARANTINE,
	REPORT_DONE_REJECT,
	REPORT_DONE_N
};

/* What the domain publishes. */
struct report_policy {
	uint8_t p, sp, np; /* enum dmarc_policy */
	bool adkim_strict, aspf_strict, testing;
	uint8_t rules; /* enum conf_dmarc_rules */
	char fo[8];
};

/* Texts are ASCII that can be printed, domains in lower case. */
struct report_row {
	uint64_t count;      /* messages */
	int64_t first, last; /* seconds since 1970 */
	/* What is reported: */
	uint8_t disposition; /* enum report_disposition */
	uint8_t reason;      /* enum report_reason */
	bool spf_aligned, dkim_aligned;
	uint8_t spf; /* enum auth_result; RES_UNSAID: nothing is said */
	uint8_t n_dkim;
	uint8_t dkim[REPORT_DKIM_MAX]; /* enum auth_result */
	char client[IP_TEXT_MAX + 1];
	char author[DOMAIN_MAX + 1];
	char sender[DOMAIN_MAX + 1]; /* "": the null sender */
	char spf_domain[DOMAIN_MAX + 1];
	char dkim_text[1024]; /* n_dkim times: domain NUL selector NUL */
};

/* Of one day and domain, beside its rows. */
struct report_head {
	struct report_policy policy; /* as it was last */
	uint32_t sent;               /* reports of this day before */
	uint64_t rows;               /* not yet reported */
	uint64_t messages;           /* likewise, those of the rows */
	uint64_t shortened;          /* of them, without their signatures */
	uint64_t dropped;            /* beside them: there was no room */
	int64_t first, last;
};

/* A message as session noted it. */
struct report_entry {
	uint32_t day; /* since 1970, UTC */
	char domain[DOMAIN_MAX + 1];
	struct report_policy policy;
	struct report_row row;
};

/*
 * Of a note, believing none of its bytes.  now: seconds since 1970; a note is
 * of now, or of some minutes before, and what it says else is not believed.
 * NULL, or why it is not taken.
 */
const char *report_of_note(const struct report_note *note, int64_t now,
    struct report_entry *out);

/* Signature i of a row; i is below n_dkim. */
void report_dkim(const struct report_row *row, unsigned int i,
    const char **domain, const char **selector);

/* ---- as bytes ---- */

struct report_hash {
	uint8_t bytes[16];
};

#define REPORT_KEY_MAX  (4 + DOMAIN_MAX + 1 + sizeof(struct report_hash))
#define REPORT_ROW_MAX  2304
#define REPORT_HEAD_MAX 96

struct report_key {
	uint8_t bytes[REPORT_KEY_MAX];
	size_t len;
};

/* Of the head; with a hash, of a row. */
void report_key(uint32_t day, const char *domain,
    const struct report_hash *hash, struct report_key *key);
/* Reads one.  has_hash: of a row.  False: it is none. */
bool report_key_read(const void *in, size_t len, bool has_hash, uint32_t *day,
    char domain[DOMAIN_MAX + 1], struct report_hash *hash);

/* Packs into out (REPORT_ROW_MAX, REPORT_HEAD_MAX bytes); returns the length.
 * hash: of what is reported, without count and times. */
size_t report_pack(const struct report_row *row, uint8_t *out,
    struct report_hash *hash);
size_t report_pack_head(const struct report_head *head, uint8_t *out);

/* False: not such a row. */
bool report_unpack(const void *in, size_t len, struct report_row *row);
bool report_unpack_head(const void *in, size_t len, struct report_head *head);

/* Adds the messages of one packed row to another of the same hash; the rows are
 * good. */
void report_add(uint8_t *packed, const uint8_t *more);
/* Messages of a packed row, which is good. */
uint64_t report_count(const uint8_t *packed);

/* ---- days ---- */

/* "2026-05-01".  Returns out. */
#define REPORT_DAY_TEXT 16
const char *report_day_print(uint32_t day, char out[REPORT_DAY_TEXT]);
/* The same, "today", "yesterday"; false: it is none. */
bool report_day_parse(const char *text, int64_t now, uint32_t *day);

#endif
