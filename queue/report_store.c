/*
 * What will be reported, between the loop and the disk.  Used by queue.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "index_priv.h"
#include "log.h"
#include "report_db.h"
#include "store.h"

#define SWEEP_MSEC 600000 /* old days go, also where nothing comes */
#define SWEEP_SOME 5000   /* rows at a time */
#define SENT_MAX   1024   /* that wait to be forgotten */

/* Messages that are alike; with an urgent entry, rows that go: before any is
 * added, since what was not written yet was not in the report. */
struct change {
	struct store_entry entry;
	struct report_key key;
	uint32_t day;
	char domain[DOMAIN_MAX + 1];
	struct report_policy policy;
	struct report_hash hash;
	size_t len;
	uint8_t packed[];
};

struct report_store {
	struct report_db db;
	struct store *store;
	unsigned int expired; /* the thread's: days that nobody had */
};

/* ---- the thread ---- */

static uint32_t
oldest_day(void)
{
	int64_t day = (int64_t)time(NULL) / REPORT_DAY - REPORT_DAYS;

	return day > 0 ? (uint32_t)day : 0;
}

static int
sweep(void *arg, MDB_txn *txn)
{
	struct report_store *s = arg;

	s->expired = 0;
	return report_db_sweep(&s->db, txn, oldest_day(), SWEEP_SOME,
	    &s->expired);
}

static int
write_row(void *arg, MDB_txn *txn, const struct store_entry *e)
{
	static const struct report_limits limits = { REPORT_OF_ONE_MAX,
		REPORT_MAX, REPORT_BYTES_MAX };
	const struct report_store *s = arg;
	const struct change *c = (const struct change *)e;
	const struct report_change row = { c->day, c->domain, c->policy,
		c->hash, c->len, c->packed };

	return e->urgent ? report_db_sent(&s->db, txn, c->day, c->domain) :
			   report_db_add(&s->db, txn, &row, &limits);
}

/* ---- the loop's side ---- */

static void
merge(struct store_entry *now, const struct store_entry *was)
{
	if (!now->urgent)
		report_add(((struct change *)now)->packed,
		    ((const struct change *)was)->packed);
}

static void
on_done(void *arg, bool swept)
{
	const struct report_store *s = arg;

	if (swept && s->expired > 0)
		log_warn("report-expired", "domains=%u", s->expired);
}

static const struct store_kind kind = {
	.what = "reports",
	.often = SWEEP_MSEC,
	.room = REPORT_PENDING_MAX,
	.sweep = sweep,
	.write = write_row,
	.merge = merge,
	.done = on_done,
};

/* A change with room for a packed row of so many bytes. */
static struct change *
change_new(uint32_t day, const char *domain, const struct report_key *key,
    size_t len)
{
	struct change *c = xcalloc(1, sizeof *c + len);

	c->key = *key;
	c->entry.key = c->key.bytes;
	c->entry.key_len = c->key.len;
	c->day = day;
	strlcpy(c->domain, domain, sizeof c->domain);
	c->len = len;
	return c;
}

bool
report_put(struct report_store *s, const struct report_entry *in)
{
	uint8_t packed[REPORT_ROW_MAX];
	struct report_hash hash;
	struct report_key key;
	struct change *c;
	size_t len;

	len = report_pack(&in->row, packed, &hash);
	report_key(in->day, in->domain, &hash, &key);
	c = (struct change *)store_pending(s->store, key.bytes, key.len);
	if (c != NULL) {
		report_add(c->packed, packed);
		c->policy = in->policy;
		return true;
	}
	if (store_room(s->store) == 0)
		return false;
	c = change_new(in->day, in->domain, &key, len);
	c->policy = in->policy;
	c->hash = hash;
	memcpy(c->packed, packed, len);
	store_put(s->store, &c->entry);
	return true;
}

bool
report_sent(struct report_store *s, uint32_t day, const char *domain)
{
	struct report_key key;
	struct change *c;

	if (store_urgent(s->store) >= SENT_MAX)
		return false;
	report_key(day, domain, NULL, &key);
	c = change_new(day, domain, &key, 0);
	c->entry.urgent = true;
	store_put(s->store, &c->entry);
	return true;
}

/* ---- life ---- */

struct report_store *
report_open(struct loop *l, struct index *ix, const char **why)
{
	struct report_store *s = xcalloc(1, sizeof *s);
	int rc;

	rc = report_db_open(&s->db, ix->facts, true);
	if (rc == MDB_SUCCESS)
		s->store = store_open(l, ix->facts, &kind, s, why);
	else
		*why = mdb_strerror(rc);
	if (s->store == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void
report_close(struct report_store **sp)
{
	struct report_store *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	store_close(&s->store);
	free(s);
}
