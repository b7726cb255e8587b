/*
 * A note about a message, and what is taken of it, for tests of reports.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef UNIT_REPORT_NOTE_H
#define UNIT_REPORT_NOTE_H

#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_words.h"
#include "report_row.h"

enum { NOW = 1777593600 + 3600 }; /* 2026-05-01 01:00 */

static void
set_dkim(struct report_note *n, const char *const *texts, uint32_t count)
{
	char *p = n->dkim_text;
	uint32_t i;

	for (i = 0; i < count; i++)
		p += strlcpy(p, texts[i], 256) + 1;
	n->n_dkim = count / 2;
	for (i = 0; i < n->n_dkim; i++)
		n->dkim[i] = i == 0 ? RES_PASS : RES_FAIL;
}

static struct report_note
good_note(void)
{
	static const char *const dkim[] = { "Example.ORG", "s1", "esp.test",
		"S2" };
	struct report_note n;

	memset(&n, 0, sizeof n);
	n.when = NOW;
	strlcpy(n.client, "192.0.2.1", sizeof n.client);
	strlcpy(n.author, "News.Example.org", sizeof n.author);
	strlcpy(n.sender, "bounces.example.org", sizeof n.sender);
	strlcpy(n.policy_domain, "Example.org", sizeof n.policy_domain);
	n.p = DMARC_P_REJECT;
	n.sp = DMARC_P_QUARANTINE;
	strlcpy(n.fo, "1:d", sizeof n.fo);
	n.spf = RES_PASS;
	strlcpy(n.spf_domain, "bounces.example.org", sizeof n.spf_domain);
	n.spf_aligned = n.dkim_aligned = 1;
	n.pct = 100;
	set_dkim(&n, dkim, 4);
	return n;
}

static struct report_entry
entry(void)
{
	struct report_note n = good_note();
	struct report_entry e;

	if (report_of_note(&n, NOW, &e) != NULL)
		abort();
	return e;
}

#endif
