/*
 * What session asks about who sent a message: SPF, keys of signatures, DMARC.
 * All of it is in the DNS.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_VERIFY_H
#define SMTPD_GUARD_VERIFY_H

#include "conf.h"
#include "dns.h"
#include "ipc_table.h"
#include "loop.h"

/*
 * Questions at once, of sessions.  Of those that ask the DNS each may have two
 * of its DNS_ACTIVE_MAX places, and some are left for names and lists.  Clients
 * share them (share.h): so many are to be had, a few seconds are waited for
 * one, and who finds no room to wait in, or waits longer, is told LATER.
 */
#define CLAIMS_AT_ONCE (DNS_ACTIVE_MAX * 3 / 8)
#define CLAIMS_MAX     1024
#define CLAIMS_WAIT_MS 4000

struct claims;

struct claims *claims_new(const struct conf *conf, struct loop *l,
    struct dns *dns);
void claims_free(struct claims **c);

/* Each is called once, perhaps at once, unless claims_drop() comes before. */
typedef void claims_spf_fn(void *from, uint64_t id, const struct spf_is *is);
typedef void claims_key_fn(void *from, uint64_t id, const struct key_is *is);
typedef void claims_dmarc_fn(void *from, uint64_t id,
    const struct dmarc_is *is);

/* from: whoever asks, for claims_drop(); id: of the question.  The null sender
 * is checked once, as `mail`, and `helo` is RES_UNSAID. */
void claims_spf(struct claims *c, void *from, uint64_t id,
    const struct spf_ask *m, claims_spf_fn *fn);
void claims_key(struct claims *c, void *from, uint64_t id,
    const struct key_ask *m, claims_key_fn *fn);
void claims_dmarc(struct claims *c, void *from, uint64_t id,
    const struct dmarc_ask *m, claims_dmarc_fn *fn);

/* Nobody is there any more for what `from` asked. */
void claims_drop(struct claims *c, const void *from);

/* Questions that are not answered, those that wait too. */
unsigned int claims_count(const struct claims *c);

#endif
