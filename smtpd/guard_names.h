/*
 * Questions to the DNS about one client: its name, whether that leads back to
 * it (RFC 1912 2.1), and what lists say of it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_NAMES_H
#define SMTPD_GUARD_NAMES_H

#include "conf.h"
#include "dns.h"
#include "ipc_table.h"
#include "loop.h"

#define NAMES_JOBS_MAX                                                         \
	1024 /* at once; who comes then gets no answer but doubt */
#define NAMES_TOTAL_MS 7000 /* for one client, all questions */

struct names;

/* lists: domain and range are checked already. */
struct names *names_new(const struct conf *conf, struct loop *l,
    struct dns *dns);
void names_free(struct names **n);

/* fn is called once, perhaps at once, unless names_drop() comes before. */
typedef void names_fn(void *arg, uint64_t id, const struct names_is *is);

/* from: whoever asks, for names_drop(); id: of the question. */
void names_look(struct names *n, void *from, uint64_t id,
    const struct names_ask *m, names_fn *fn);

/* Nobody is there any more for what `from` asked. */
void names_drop(struct names *n, const void *from);

/* Clients whose names are being looked for. */
unsigned int names_count(const struct names *n);

#endif
