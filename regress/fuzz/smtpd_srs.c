/*
 * srs_encode(), srs_decode(): whatever a sender or a recipient is, it comes to
 * an end; what is made is an address that comes back as what it was made of,
 * and nothing else is taken for one of ours.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lookup_node.h"
#include "lookup_srs.h"
#include "smtp_addr.h"

#define OURS "our.example"
#define NOW  1763700000

static void
must_be_address(const char *addr)
{
	char again[ADDR_MAX + 1];

	MUST(strlen(addr) <= ADDR_MAX);
	MUST(smtp_mailbox_check_utf8(slice_of(addr)) == NULL);
	MUST(node_address(slice_of(addr), "", again) == NULL);
	MUST(strcmp(addr, again) == 0);
}

/* A sender, as lookup has it. */
static void
there_and_back(const struct srs *s, const char *sender)
{
	char out[ADDR_MAX + 1], node[ADDR_MAX + 1], back[ADDR_MAX + 1];
	char twice[ADDR_MAX + 1];
	enum srs_answer a;

	if (srs_encode(s, sender, OURS, out) != NULL) {
		MUST(out[0] == '\0');
		return;
	}
	MUST(smtp_mailbox_check_utf8(slice_of(out)) == NULL);
	MUST(strcmp(smtp_addr_domain(out), OURS) == 0);
	MUST(node_address(slice_of(out), "", node) == NULL);
	a = srs_decode(s, node, back);
	/* What another host wrote into its own may be old, or no address. */
	if (strncasecmp(node, "SRS1", 4) != 0 &&
	    strncasecmp(node, "\"SRS1", 5) != 0)
		MUST(a == SRS_GOOD);
	if (a != SRS_GOOD && a != SRS_OLD)
		return;
	must_be_address(back);
	/* Made again, it is the same, but for how a domain is written. */
	if (!slice_is_ascii(slice_of(node)))
		return;
	MUST(srs_encode(s, back, OURS, twice) == NULL);
	MUST(strcasecmp(twice, out) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct srs s = { .key = "secret",
		.backup = "other",
		.days = 4,
		.now = NOW };
	const struct srs stranger = { .key = "x", .days = 4, .now = NOW };
	char text[1024], addr[ADDR_MAX + 1], out[ADDR_MAX + 1];
	enum srs_answer a;

	if (!slice_copy((struct slice){ (const char *)data, size }, text,
		sizeof(text)))
		return 0;
	(void)srs_decode(&s, text, out);
	(void)srs_encode(&s, text, OURS, out);
	if (node_address(slice_of(text), OURS, addr) != NULL)
		return 0;
	there_and_back(&s, addr);
	a = srs_decode(&s, addr, out);
	MUST((a == SRS_GOOD || a == SRS_OLD) || out[0] == '\0' || a == SRS_BAD);
	if (a == SRS_GOOD || a == SRS_OLD)
		must_be_address(out);
	MUST(srs_decode(&stranger, addr, out) != SRS_DOUBT);
	return 0;
}
