/*
 * The Organizational Domain as RFC 7489 3.2 has it, by the list of public
 * suffixes that libpsl and the package publicsuffix bring.  Runs in guard and
 * smtpctl; reads the list once, at the start.
 *
 * SPDX-License-Identifier: ISC
 */
#include <libpsl.h>
#include <stddef.h>

#include "dmarc.h"

/* The one list of a process, which never changes. */
static psl_ctx_t *psl;

bool
dmarc_psl_load(void)
{
	if (psl == NULL)
		psl = psl_latest(NULL);
	return psl != NULL;
}

void
dmarc_psl_free(void)
{
	psl_free(psl);
	psl = NULL;
}

const char *
dmarc_psl_organization(const char *domain)
{
	const char *name;

	if (psl == NULL)
		return NULL;
	/* A public suffix, or what is no domain, stands for itself. */
	name = psl_registrable_domain(psl, domain);
	return name != NULL ? name : domain;
}
