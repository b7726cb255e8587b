/*
 * When a server wants to be tried again, as far as its words say so.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_REPLY_AFTER_H
#define DELIVER_REPLY_AFTER_H

#include <stdint.h>

/*
 * Seconds from "try again in 5 minutes", "greylisted for 300 seconds", "retry
 * after 00:05:00", "in 4 hours" beside "again", and "greylisted (... 300)".
 * 0: it is not said; at most max.  text is in lower case.
 */
uint32_t reply_after(const char *text, uint32_t max);

#endif
