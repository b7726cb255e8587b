/*
 * Writing the whole of something to a descriptor that blocks, or is a file.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_WRITE_ALL_H
#define COMMON_WRITE_ALL_H

#include <stdbool.h>
#include <stddef.h>

/* All of len bytes.  False and errno: some of them may be written. */
bool write_all(int fd, const void *p, size_t len);

#endif
