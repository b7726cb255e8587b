/*
 * What a person knows a message by: a field of its header, as he reads it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_DSN_TITLE_H
#define QUEUE_DSN_TITLE_H

#include "slice.h"

#define DSN_TITLE_MAX  100 /* characters; "..." stands for more */
#define DSN_TITLE_SIZE (4 * DSN_TITLE_MAX + sizeof "...")

/*
 * The first field called name of a header, which may be cut short anywhere, or
 * have a body behind it.  Fills out: unfolded, on one line, encoded words (RFC
 * 2047) in UTF-8, ASCII and Latin-1 decoded; it is UTF-8, with '?' for what is
 * none, for controls and for what turns a line around.  "": there is none, or
 * it is empty.
 */
void dsn_title(struct slice header, const char *name, char out[DSN_TITLE_SIZE]);

#endif
