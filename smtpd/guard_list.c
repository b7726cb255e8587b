/*
 * DNS lists: names and answers.  Runs in guard; does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_list.h"

#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#define NAME_V6_MAX 64 /* "f.f. ..." */

/* ---- names ---- */

static void
print_octets(const uint8_t addr[4], char out[NAME_V6_MAX + 1])
{
	snprintf(out, NAME_V6_MAX + 1, "%u.%u.%u.%u.", addr[3], addr[2],
	    addr[1], addr[0]);
}

static void
print_nibbles(const uint8_t addr[16], char out[NAME_V6_MAX + 1])
{
	static const char hex[] = "0123456789abcdef";
	char *p = out;
	int i;

	for (i = 15; i >= 0; i--) {
		*p++ = hex[addr[i] & 15];
		*p++ = '.';
		*p++ = hex[addr[i] >> 4];
		*p++ = '.';
	}
	*p = '\0';
}

bool
list_name(const char *ip, const char *below, char out[HOST_MAX + 1])
{
	char front[NAME_V6_MAX + 1];
	uint8_t addr[16];
	const char *arpa;
	int n;

	if (inet_pton(AF_INET, ip, addr) == 1) {
		print_octets(addr, front);
		arpa = "in-addr.arpa";
	} else if (inet_pton(AF_INET6, ip, addr) == 1) {
		print_nibbles(addr, front);
		arpa = "ip6.arpa";
	} else
		return false;
	n = snprintf(out, HOST_MAX + 1, "%s%s", front,
	    below == NULL ? arpa : below);
	return n > 0 && n <= HOST_MAX;
}

/* ---- answers ---- */

static bool
read_address(const char *text, size_t len, uint32_t *out)
{
	char ip[INET_ADDRSTRLEN];
	struct in_addr in;

	if (len >= sizeof ip)
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (inet_pton(AF_INET, ip, &in) != 1)
		return false;
	*out = ntohl(in.s_addr);
	return true;
}

const char *
list_range(const char *text, uint32_t *low, uint32_t *high)
{
	const char *dash = strchr(text, '-');
	size_t len = dash == NULL ? strlen(text) : (size_t)(dash - text);

	if (!read_address(text, len, low))
		return "not an IPv4 address";
	*high = *low;
	if (dash != NULL && !read_address(dash + 1, strlen(dash + 1), high))
		return "not an IPv4 address";
	return *high < *low ? "the range ends before it begins" : NULL;
}

/* NULL: it says something of the client. */
static const char *
refusal(uint32_t addr)
{
	if (addr >> 24 != 127)
		return "an answer that is none of a list (127.0.0.0/8)";
	if (addr == 0x7f000001)
		return "the answer 127.0.0.1, which lists do not give";
	if (addr >> 8 == 0x7fffff)
		return "it does not answer us (127.255.255.0/24)";
	return NULL;
}

static bool
is_meant(const struct conf *conf, const struct conf_dnslist *list,
    uint32_t addr)
{
	uint32_t i, low, high;
	const char *text;

	for (i = 0; i < list->answer.n; i++) {
		text = conf_text(conf, CONF_ENTRY(conf, list->answer, i)->key);
		if (list_range(text, &low, &high) == NULL && addr >= low &&
		    addr <= high)
			return true;
	}
	return list->answer.n == 0;
}

enum list_says
list_judge(const struct conf *conf, const struct conf_dnslist *list,
    const struct dns_answer *answer, uint32_t *addr, const char **why)
{
	enum list_says says = LIST_CLEAN;
	unsigned int i;
	uint32_t a;

	*addr = 0;
	*why = answer->why;
	if (answer->status == DNS_NXDOMAIN || answer->status == DNS_NODATA)
		return LIST_CLEAN;
	if (answer->status != DNS_FOUND)
		return LIST_REFUSED;
	for (i = 0; i < answer->n; i++) {
		a = ntohl(answer->rr[i].a.s_addr);
		if ((*why = refusal(a)) != NULL) {
			*addr = a;
			return LIST_REFUSED;
		}
		if (says == LIST_CLEAN && is_meant(conf, list, a)) {
			says = LIST_LISTED;
			*addr = a;
		}
	}
	return says;
}
