/*
 * How many jobs deliver asks queue for.  So many may get on at a time; a job
 * that waits for others lends its place to another, so that who is silent
 * stops nobody else.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_WANT_H
#define DELIVER_WANT_H

#include "deliver.h"

#define WANT_LOOK_MS 1000 /* jobs are looked at so often */

/* Queue is there, and has been told what we hold. */
void want_start(struct deliver *d);

/* It is away. */
void want_stop(struct deliver *d);

/* One of the jobs that were wanted is here whole. */
void want_came(struct deliver *d);

/* A place may be free: asks for as many as there are. */
void want_more(struct deliver *d);

#endif
