/*
 * resolv_parse(): at least one server, at most as many as there is room for,
 * each with an address that can be asked.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "resolv.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	unsigned int max = 1 + fuzz_byte(&all) % DNS_SERVERS_MAX, n, i;
	struct dns_server *s = calloc(max, sizeof *s), again;
	char ip[INET6_ADDRSTRLEN];

	n = resolv_parse(all, s, max);
	MUST(n >= 1 && n <= max);
	for (i = 0; i < n; i++) {
		const struct sockaddr_in *in4 = (void *)&s[i].ss;
		const struct sockaddr_in6 *in6 = (void *)&s[i].ss;
		bool six = s[i].ss.ss_family == AF_INET6;

		MUST(six || s[i].ss.ss_family == AF_INET);
		MUST(s[i].len == (six ? sizeof *in6 : sizeof *in4));
		MUST(ntohs(six ? in6->sin6_port : in4->sin_port) == 53);
		inet_ntop(six ? AF_INET6 : AF_INET,
		    six ? (const void *)&in6->sin6_addr : &in4->sin_addr, ip,
		    sizeof ip);
		MUST(resolv_address(slice_of(ip), 53, &again));
		MUST(again.ss.ss_family == s[i].ss.ss_family);
	}
	free(s);
	return 0;
}
