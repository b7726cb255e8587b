/*
 * A memory of what did not work: addresses that do not answer, whichever route
 * leads to them, and for each route the family (IPv4, IPv6) whose addresses
 * cannot be reached.  So a host that is silent costs one attempt now and then,
 * not one of each message of each of its domains.  Bounded; the longest unused
 * goes first.  Times are given by the caller, so that tests need not wait.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_SEEN_H
#define DELIVER_SEEN_H

#include <sys/socket.h>

#include <stdbool.h>

#include "mx.h"
#include "num.h"

#define SEEN_MAX 8192 /* rows kept */

/* How long it is left alone after a failure: doubled by each one that comes
 * later than that, up to a ceiling. */
#define SEEN_DOWN_MS       60000
#define SEEN_DOWN_MAX_MS   900000
#define SEEN_FAMILY_MS     600000
#define SEEN_FAMILY_MAX_MS 3600000
/* Who tries it anew has so long, before another may. */
#define SEEN_PROBE_MS 60000
/* A failure this long after its time is over is as if it was the first. */
#define SEEN_FORGET_MS 3600000

#define SEEN_WHY_MAX 95

struct seen;

enum seen_state {
	SEEN_WELL, /* nothing is known against it */
	SEEN_DUE,  /* it was down, and its time is over: one may try */
	SEEN_DOWN  /* down, or being tried by one */
};

/* Of an address that is DUE or DOWN. */
struct seen_about {
	msec ago;   /* of the last failure */
	msec still; /* until it is DUE */
	bool own;   /* the failure was of the same route */
	char why[SEEN_WHY_MAX + 1];
};

struct seen *seen_new(unsigned int max);
void seen_free(struct seen **s);

/* about may be NULL.  An address has its port. */
enum seen_state seen_addr(struct seen *s, const struct sockaddr_storage *ss,
    const char *route, msec now, struct seen_about *about);

/* It is tried now: to others it is DOWN, until it is said how that went. */
void seen_addr_try(struct seen *s, const struct sockaddr_storage *ss, msec now);

/* It did not connect, or said nothing: why. */
void seen_addr_bad(struct seen *s, const struct sockaddr_storage *ss,
    const char *route, const char *why, msec now);
void seen_addr_good(struct seen *s, const struct sockaddr_storage *ss);

/* The family goes last at this route. */
bool seen_family(struct seen *s, const char *route, int family, msec now);

/* It is tried now: to others it goes last, until it is said how that went. */
void seen_family_try(struct seen *s, const char *route, int family, msec now);

/* It could not be reached, the other could. */
void seen_family_bad(struct seen *s, const char *route, int family, msec now);
void seen_family_good(struct seen *s, const char *route, int family);

/* Puts last what is not likely to work: first a family that goes last, then
 * addresses that are DOWN; else the order stays.  Returns the number of the
 * latter. */
unsigned int seen_order(struct seen *s, const char *route, struct mx_list *list,
    msec now);

/* Rows in it. */
unsigned int seen_count(const struct seen *s);

#endif
