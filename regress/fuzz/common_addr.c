/*
 * smtp_path_parse() and its parts: what is taken is an address by every one
 * of the checks, and says the same when it is read again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "smtp_addr.h"

static void
must_be_mailbox(const char *addr)
{
	char again[ADDR_MAX + 1], path[ADDR_MAX + 3], ip[IP_TEXT_MAX + 1];
	struct slice domain = slice_of(smtp_addr_domain(addr)), rest;
	size_t i;

	MUST(strlen(addr) <= ADDR_MAX);
	MUST(smtp_mailbox_check(slice_of(addr)) == NULL);
	MUST(smtp_domain_check(domain) == NULL ||
	    smtp_literal_parse(domain, ip) == NULL);
	for (i = 0; addr[i] != '\0'; i++)
		MUST(addr[i] >= ' ' && addr[i] <= '~');
	snprintf(path, sizeof path, "<%s>", addr);
	MUST(smtp_path_parse(slice_of(path), again, &rest) == NULL);
	MUST(strcmp(again, addr) == 0 && rest.len == 0);
}

/* RFC 6531 3.3: ASCII it is the same, and else UTF-8 without controls. */
static void
must_be_wide(struct slice addr)
{
	size_t i;

	MUST(smtp_mailbox_check_utf8(addr) == NULL);
	MUST(addr.len <= ADDR_MAX && slice_is_utf8(addr));
	MUST(slice_is_ascii(addr) == (smtp_mailbox_check(addr) == NULL));
	for (i = 0; i < addr.len; i++)
		MUST((unsigned char)addr.p[i] >= ' ' && addr.p[i] != 127);
}

static void
must_be_address(const char *ip)
{
	char again[IP_TEXT_MAX + 1], text[IP_TEXT_MAX + 8];

	snprintf(text, sizeof text, "[%s%s]",
	    strchr(ip, ':') == NULL ? "" : "IPv6:", ip);
	MUST(smtp_literal_parse(slice_of(text), again) == NULL);
	MUST(strcmp(again, ip) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len }, rest;
	char addr[ADDR_MAX + 1], ip[IP_TEXT_MAX + 1];

	if (smtp_path_parse(all, addr, &rest) == NULL) {
		MUST(rest.p + rest.len == all.p + all.len);
		MUST(rest.p >= all.p + 2 && rest.p[-1] == '>');
		if (addr[0] != '\0')
			must_be_mailbox(addr);
	}
	if (smtp_path_parse_utf8(all, addr, &rest) == NULL && addr[0] != '\0')
		must_be_wide(slice_of(addr));
	if (smtp_mailbox_check_utf8(all) == NULL)
		must_be_wide(all);
	if (smtp_mailbox_check(all) == NULL) {
		MUST(slice_copy(all, addr, sizeof addr));
		must_be_mailbox(addr);
	}
	if (smtp_literal_parse(all, ip) == NULL)
		must_be_address(ip);
	if (smtp_domain_check(all) == NULL)
		MUST(len <= DOMAIN_MAX && memchr(in, '\0', len) == NULL);
	return 0;
}
