/*
 * Whom the guard counts: addresses, networks, users, and users at an address
 * where they were known to be right.  Bounded: of those that have no session
 * the longest untouched goes first.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_PARTY_H
#define SMTPD_GUARD_PARTY_H

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "guard_meter.h"

/* Columns: enum, how many of them are kept.  What they cost is some 25 MiB
 * when all are there. */
#define SCOPE_TABLE(X)                                                         \
	X(CLIENT, 32768)                                                       \
	X(NETWORK, 16384)                                                      \
	X(USER, 8192)                                                          \
	X(FRIEND, 8192)

enum scope {
#define X(name, max) SCOPE_##name,
	SCOPE_TABLE(X)
#undef X
	    SCOPES
};

/* An address with its unused bits zero, or a hash. */
struct party_key {
	uint8_t scope;  /* enum scope */
	uint8_t family; /* 4, 6; 0: a hash */
	uint8_t bits;
	uint8_t zero[5];
	uint8_t id[16];
};

/* There are limits to these, per time. */
enum meter_of {
	METER_RATE,
	METER_MESSAGES,
	METER_RCPTS,
	METER_UNKNOWN,
	METER_ERRORS,
	METER_FAILURES,
	METERS
};

/* Wrong passwords, and what they earn. */
struct grudge {
	uint32_t n;
	msec last; /* the last of them */
	msec next; /* no password is checked before */
};

struct party {
	LIST_ENTRY(party) bucket;
	TAILQ_ENTRY(party) idle; /* while it has no session */
	struct party_key key;
	uint32_t sessions;
	struct meter meter[METERS];
	struct grudge grudge;
	msec logged;       /* when it was last refused in the log */
	uint32_t unlogged; /* refusals since */
};

struct parties;

struct parties *parties_new(void);
void parties_free(struct parties **ps);

/* NULL: nothing is known of it. */
struct party *party_find(struct parties *ps, const struct party_key *key);

/* The same, made if need be.  It lives until the next call, or as long as it
 * has sessions. */
struct party *party_get(struct parties *ps, const struct party_key *key);

/* A session of it begins; ends. */
void party_enter(struct parties *ps, struct party *p);
void party_leave(struct parties *ps, struct party *p);

unsigned int parties_count(const struct parties *ps, enum scope scope);

/* Keys.  False: not an address.  bits: of an IPv4 or an IPv6 address. */
bool party_key_address(struct party_key *key, enum scope scope, const char *ip,
    unsigned int v4, unsigned int v6);
void party_key_user(const struct parties *ps, struct party_key *key,
    const char *user);
/* The user, where client is. */
void party_key_friend(const struct parties *ps, struct party_key *key,
    const char *user, const struct party_key *client);

/* "192.0.2.1", "2001:db8::/64", for replies and logs. */
#define PARTY_TEXT_MAX (IP_TEXT_MAX + 4)
void party_print(const struct party_key *key, char out[PARTY_TEXT_MAX + 1]);

#endif
