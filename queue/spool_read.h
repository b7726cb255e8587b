/*
 * Reading and checking one spool file.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SPOOL_READ_H
#define QUEUE_SPOOL_READ_H

#include "arena.h"
#include "head.h"
#include "trailer.h"

/* Ceiling for an arena that a head is read into. */
#define SPOOL_ARENA_MAX ((size_t)32 * 1024 * 1024)

/* Reads the head of fd.  NULL, or why it is no good. */
const char *spool_read_head(int fd, struct arena *a, struct head *h);

/*
 * Reads head and trailer of fd and compares them with its length; the content
 * is not looked at.  id: whose file it should be.  NULL, or why it is not
 * whole.
 */
const char *spool_read(int fd, uint64_t id, struct arena *a, struct head *h,
    struct trailer *t);

/* What can be said of a large file without reading it all: id, trailer, and
 * that the head ends where the trailer says.  NULL and *size, or why not. */
const char *spool_check_large(int fd, uint64_t id, uint64_t *size);

/* The same for a file in memory, content and its sum included, but that of
 * the head only the id and the end are looked at. */
const char *spool_check(const uint8_t *file, size_t len, uint64_t id,
    struct trailer *t);

#endif
