/*
 * DNS packets put together byte by byte, right or wrong, for unit tests: no
 * library between the test and the wire.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DNS_BUILD_H
#define DNS_BUILD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct dns_build {
	uint8_t b[65536];
	size_t n;
};

enum { AN = 6, NS = 8, AR = 10 }; /* where the header counts */
enum { QR = 0x8000, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080 };

static inline void
put(struct dns_build *p, const void *bytes, size_t len)
{
	if (p->n + len > sizeof p->b)
		abort();
	memcpy(p->b + p->n, bytes, len);
	p->n += len;
}

static inline void
put16(struct dns_build *p, unsigned int v)
{
	uint8_t two[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(p, two, 2);
}

/* "mx.example.org", "" for the root; as it is, without compression. */
static inline void
put_name(struct dns_build *p, const char *name)
{
	uint8_t len;

	while (*name != '\0') {
		len = (uint8_t)strcspn(name, ".");
		put(p, &len, 1);
		put(p, name, len);
		name += len;
		if (*name == '.')
			name++;
	}
	put(p, "", 1);
}

static inline void
put_header(struct dns_build *p, unsigned int id, unsigned int flags)
{
	p->n = 0;
	put16(p, id);
	put16(p, flags);
	put16(p, 0);
	put16(p, 0);
	put16(p, 0);
	put16(p, 0);
}

static inline void
put_question(struct dns_build *p, const char *name, unsigned int type)
{
	put_name(p, name);
	put16(p, type);
	put16(p, 1);
	p->b[5]++;
}

/* A record up to its data, which is len bytes; counted at section. */
static inline void
put_rr(struct dns_build *p, unsigned int section, const char *owner,
    unsigned int type, uint32_t ttl, size_t len)
{
	unsigned int n =
	    (unsigned int)(p->b[section] << 8 | p->b[section + 1]) + 1;

	put_name(p, owner);
	put16(p, type);
	put16(p, 1);
	put16(p, ttl >> 16);
	put16(p, ttl & 0xffff);
	put16(p, (unsigned int)len);
	p->b[section] = (uint8_t)(n >> 8);
	p->b[section + 1] = (uint8_t)n;
}

static inline size_t
name_size(const char *name)
{
	return *name == '\0' ? 1 : strlen(name) + 2;
}

static inline void
put_a(struct dns_build *p, const char *owner, uint32_t ttl, uint8_t last)
{
	uint8_t ip[4] = { 192, 0, 2, last };

	put_rr(p, AN, owner, 1, ttl, 4);
	put(p, ip, 4);
}

static inline void
put_aaaa(struct dns_build *p, const char *owner, uint32_t ttl, uint8_t last)
{
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = last };

	put_rr(p, AN, owner, 28, ttl, 16);
	put(p, ip, 16);
}

static inline void
put_mx(struct dns_build *p, const char *owner, uint32_t ttl, unsigned int pref,
    const char *host)
{
	put_rr(p, AN, owner, 15, ttl, 2 + name_size(host));
	put16(p, pref);
	put_name(p, host);
}

static inline void
put_cname(struct dns_build *p, const char *owner, uint32_t ttl,
    const char *target)
{
	put_rr(p, AN, owner, 5, ttl, name_size(target));
	put_name(p, target);
}

static inline void
put_soa(struct dns_build *p, const char *zone, uint32_t ttl, uint32_t minimum)
{
	int i;

	put_rr(p, NS, zone, 6, ttl, 2 + 20);
	put_name(p, "");
	put_name(p, "");
	for (i = 0; i < 4; i++) {
		put16(p, 0);
		put16(p, 1);
	}
	put16(p, minimum >> 16);
	put16(p, minimum & 0xffff);
}

#endif
