/*
 * The PROXY protocol, versions 1 and 2: who is behind a proxy, in the first
 * bytes of a connection.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_PROXY_H
#define SMTPD_SESSION_PROXY_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_V1_MAX 107         /* bytes of a line, CRLF included */
#define PROXY_V2_MAX (16 + 4096) /* with the TLVs, which are skipped */

enum proxy_got {
	PROXY_MORE, /* all of in belongs to the header, and it goes on */
	PROXY_GOOD,
	PROXY_BAD
};

struct proxy_header {
	bool known;                  /* else the real addresses hold */
	bool local;                  /* ... and it is the proxy itself */
	struct sockaddr_storage src; /* ports included */
	struct sockaddr_storage dst;
	size_t used;     /* bytes of the header */
	const char *why; /* PROXY_BAD */
};

/* Looks at what a connection begins with.  v1: the old version is taken too. */
enum proxy_got proxy_parse(const uint8_t *in, size_t len, bool v1,
    struct proxy_header *out);

#endif
