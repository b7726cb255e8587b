/*
 * The index of the spool in LMDB: derived, not synced, made again from files
 * and journal when in doubt.  The queue process is its only writer; smtpctl
 * reads it.
 *
 *   index/          msg   id                    -> struct index_msg, packed
 *                   rcpt  id, n                 -> struct index_rcpt, packed
 *                   due   next, id, n           -> (nothing)
 *                   route route, parked, id, n  -> (nothing)
 *                   from  sender, id            -> (nothing)
 *                   to    domain, id, n         -> (nothing)
 *                   way   route                 -> struct index_way, packed
 *                   told  sender                -> index_told.h
 *   index/trust     version, token, whether it was closed clean and filled;
 *                   a text beside the database, since it is read before the
 *                   database is believed
 *   facts/          synced: what files cannot tell (holds on routes, pause;
 *                   greylisting: grey_store.h; reports: report_store.h)
 *
 * Keys are big-endian, so their order is their meaning.  Texts in keys end in
 * a NUL; those longer than 200 bytes are cut to 184 and followed by XXH3-128
 * of the whole.  Senders and domains are in lower case there.  A row that
 * cannot be unpacked is INDEX_BAD, never more.
 *
 * Who may trust it: the writer, if it was closed clean (and is as it was
 * then), or if it was made under the same token, the parent's that still
 * runs; a power cut or a new parent ends that.  A queue that dies again and
 * again over the same index ends it too.  A reader has no token: it trusts a
 * clean one, or one whose token stands in the spool's lock while somebody
 * holds that, where the writer puts it when it has opened the index.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "facts.h"
#include "head.h"
#include "rate.h"
#include "spool.h"
#include "verdict.h"

struct index;

/* One message.  Fixed texts here; packed in the database. */
struct index_msg {
	uint64_t id;
	int64_t arrived; /* microseconds since 1970 */
	uint64_t head, content, trace, sum;
	uint32_t content_facts;
	uint32_t n_rcpt; /* at arrival */
	uint32_t n_open; /* not at their end */
	uint8_t place;   /* enum spool_place */
	struct facts facts;
	char sender[ADDR_MAX + 1];
	char dkim[SIG_MAX + 1]; /* signature of the first attempt, or empty */
	struct mail_params params;
	/* Of a child: the address that stands for its recipients, or empty */
	char of[ADDR_MAX + 1];
};

/* What a recipient waits for, beside its time. */
enum parked {
	PARKED_NOT,
	PARKED_ROUTE, /* for its route, not for a time */
	PARKED_RATE   /* owed; not so many may be told now (bounce_rate.h) */
};

struct index_rcpt {
	uint64_t id;
	uint32_t n;
	uint64_t off;   /* of its state byte in the file */
	char state;     /* enum rcpt_state */
	uint8_t parked; /* enum parked */
	uint32_t attempts;
	int64_t next;  /* seconds since 1970: when it is looked at again */
	int64_t tried; /* seconds since 1970, 0: never */
	char addr[ADDR_MAX + 1];
	char target[ADDR_MAX + 1]; /* what it stood for there, or empty */
	uint32_t ttl;              /* of its action, seconds; 0: the queue's */
	char route[ROUTE_MAX + 1]; /* of the last attempt, or empty */
	char relay[RELAY_MAX + 1];
	struct outcome last;
	struct rcpt_params params;
	char leaf[LEAF_TEXT_MAX + 1]; /* as in the head, or empty */
};

/* State of a route. */
struct index_way {
	char route[ROUTE_MAX + 1];
	uint32_t failures; /* in a row */
	int64_t next;      /* seconds since 1970; 0: it works */
	int64_t since;     /* of the first failure in the row */
	struct outcome last;
	int64_t ready;  /* seconds since 1970: no sooner by its rate; 0: now */
	uint8_t paused; /* next: it works, but wants less */
	uint32_t n_marks; /* what it sent lately (rate_save()) */
	struct rate_mark mark[RATE_MARKS];
};

enum index_error { INDEX_OK, INDEX_NONE, INDEX_FULL, INDEX_BAD };

/*
 * The writer, who has the spool's lock.  Opens index/ and facts/ under dir.
 * The index is used if it is to be trusted; otherwise, or with fresh, it is
 * deleted and an empty one made.  *empty: fill it from the files, and say
 * index_filled() when that is done (also after one that was cut off: the rows
 * there are good then, but not all).  NULL and *why: no room, no rights.
 */
struct index *index_open(const char *dir, const uint64_t token[2], bool fresh,
    bool *empty, const char **why);

/* Every file has its rows. */
void index_filled(struct index *ix);

/* A reader: creates nothing.  NULL and *why: not there, or not to be
 * trusted. */
struct index *index_read(const char *dir, const char **why);

/* Marks it clean and closes (writer), or closes. */
void index_close(struct index **ix);

/* Writers batch: the first change opens a transaction, index_commit() ends it.
 * INDEX_FULL: the map or the disk is full; everything since the last commit
 * is undone, and may be tried again later. */
enum index_error index_commit(struct index *ix);
void index_abort(struct index *ix);

/* Readers: lets go of the snapshot; the next call takes a new one. */
void index_renew(struct index *ix);

/* Adds or replaces, keys of the old row included. */
enum index_error index_put_msg(struct index *ix, const struct index_msg *m);
enum index_error index_put_rcpt(struct index *ix, const struct index_rcpt *r);
enum index_error index_get_msg(struct index *ix, uint64_t id,
    struct index_msg *m);
enum index_error index_get_rcpt(struct index *ix, uint64_t id, uint32_t n,
    struct index_rcpt *r);
/* A recipient at its end stays in rcpt (for the listing) until the message
 * goes; it leaves due, route and to.  All others are in due, held and parked
 * ones too, at the time that their row says. */
enum index_error index_del_msg(struct index *ix, uint64_t id);

/*
 * Walks.  Each call gives the first row at or after the cursor and moves the
 * cursor behind it; INDEX_NONE at the end.  A cursor is a key, not a
 * transaction: it stays good over commits.
 */
struct index_cursor {
	uint8_t key[256];
	uint16_t len;
	bool begun;
};
/* All recipients in the order of id, n. */
enum index_error index_walk(struct index *ix, struct index_cursor *c,
    uint64_t *id, uint32_t *n);
/* In the order of their time. */
enum index_error index_walk_due(struct index *ix, struct index_cursor *c,
    int64_t *next, uint64_t *id, uint32_t *n);
/* Of one route: parked ones only, or all. */
enum index_error index_walk_route(struct index *ix, struct index_cursor *c,
    const char *route, bool parked, uint64_t *id, uint32_t *n);
enum index_error index_walk_sender(struct index *ix, struct index_cursor *c,
    const char *sender, uint64_t *id);
enum index_error index_walk_domain(struct index *ix, struct index_cursor *c,
    const char *domain, uint64_t *id, uint32_t *n);

/* Routes that are down, and their failures. */
enum index_error index_put_way(struct index *ix, const struct index_way *w);
enum index_error index_get_way(struct index *ix, const char *route,
    struct index_way *w);
enum index_error index_del_way(struct index *ix, const char *route);
enum index_error index_walk_way(struct index *ix, struct index_cursor *c,
    struct index_way *w);

/* facts/: small texts by name ("pause", "hold:ROUTE"); durable when it
 * returns true.  value NULL: removed. */
bool index_fact_put(struct index *ix, const char *name, const char *value);
bool index_fact_get(struct index *ix, const char *name, char *value,
    size_t size);

/* Highest id in it, 0 if empty. */
uint64_t index_last_id(struct index *ix);
/* Messages and recipients not at their end. */
void index_count(struct index *ix, uint64_t *messages, uint64_t *rcpts);

#endif
