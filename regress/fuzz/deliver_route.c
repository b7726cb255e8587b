/*
 * mx_route_parse(), mx_url_parse(): of whatever text, a route that is good has
 * a name for the DNS or an address, a known scheme and a port where it needs
 * one, or names its hosts elsewhere.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "mx.h"
#include "resolv.h"

static void
must_be_route(const struct mx_route *r, bool url)
{
	struct dns_server s;

	MUST(memchr(r->name, '\0', sizeof r->name) != NULL);
	MUST(memchr(r->label, '\0', sizeof r->label) != NULL);
	MUST(!r->list || !r->lmtp);
	/* Its hosts are named elsewhere. */
	if (r->list || r->lmtp) {
		MUST(!r->mx && !url && r->name[0] == '\0');
		return;
	}
	MUST(r->name[0] != '\0');
	MUST(r->mx != url);
	MUST(r->scheme <= SCHEME_LMTP);
	MUST((r->port != 0) == url);
	MUST(r->label[0] == '\0' || url);
	if (r->literal)
		MUST(resolv_address(slice_of(r->name), 25, &s));
	else
		MUST(slice_is_ascii(slice_of(r->name)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char *text = malloc(len + 1);
	struct mx_route r;

	if (text == NULL)
		abort();
	memcpy(text, in, len);
	text[len] = '\0';
	if (mx_route_parse(text, &r) == NULL)
		must_be_route(&r, strncmp(text, "host:", 5) == 0);
	if (mx_url_parse(text, &r) == NULL)
		must_be_route(&r, true);
	free(text);
	return 0;
}
