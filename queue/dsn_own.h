/*
 * What was said of a recipient, fit for strangers: our own words speak of our
 * configuration, and log, queue and explain have them whole.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_DSN_OWN_H
#define QUEUE_DSN_OWN_H

#include "verdict.h"

/* As outcome_print(); in words of ours there is no file, no line of the
 * configuration, no label and no table.  Returns out. */
const char *dsn_said(const struct outcome *o, char *out, unsigned int size);

#endif
