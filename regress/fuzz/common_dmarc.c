/*
 * common/dmarc_record.c and dmarc_walk.c: a record that is read has values of
 * the table and addresses that can be used; a walk ends after eight queries, in
 * names of the domain.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "dmarc_walk.h"
#include "smtp_addr.h"

static void
must_be_record(const struct dmarc_record *r)
{
	unsigned int i;

	MUST(r->p >= DMARC_P_NONE && r->p <= DMARC_P_REJECT);
	MUST(r->sp <= DMARC_P_REJECT && r->np <= DMARC_P_REJECT);
	MUST(strchr("ynu", r->psd) != NULL && r->psd != '\0');
	MUST(r->pct <= 100 && strlen(r->fo) < sizeof r->fo);
	MUST(r->n_rua <= DMARC_RUA_MAX);
	for (i = 0; i < r->n_rua; i++) {
		MUST(strncmp(r->rua[i], "mailto:", 7) == 0);
		MUST(smtp_mailbox_check(slice_of(r->rua[i] + 7)) == NULL);
	}
}

/* What the first byte of each step says is found there. */
static void
walk(struct slice steps, const char *domain)
{
	struct dmarc_record r = { .p = DMARC_P_NONE };
	struct dmarc_walk w;
	const char *name, *end = domain + strlen(domain);
	unsigned int n = 0;

	dmarc_walk_begin(&w, domain);
	for (; w.at != NULL; n++) {
		MUST(w.at >= domain && w.at < end);
		r.psd = "uuyn"[fuzz_byte(&steps) % 4];
		dmarc_walk_step(&w, fuzz_byte(&steps) % 2 ? &r : NULL);
	}
	MUST(n <= DMARC_WALK_MAX && n == w.queries);
	name = dmarc_walk_organization(&w);
	MUST(name >= domain && name <= end);
	MUST(domain[0] == '\0' || smtp_domain_is_below(domain, name));
	if (dmarc_walk_policy(&w, &name) != NULL)
		MUST(smtp_domain_is_below(domain, name));
	else
		MUST(w.n == 0);
	dmarc_walk_free(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	char domain[DOMAIN_MAX + 1];
	struct dmarc_record r;
	enum conf_dmarc_rules rules;

	for (rules = DMARC_RFC9989; rules <= DMARC_RFC7489; rules++) {
		if (dmarc_record_parse(all, rules, &r) == NULL) {
			MUST(dmarc_record_is(all));
			must_be_record(&r);
		}
	}
	if (all.len > DOMAIN_MAX)
		all.len = DOMAIN_MAX;
	if (slice_copy(all, domain, sizeof domain))
		walk(all, domain);
	return 0;
}
