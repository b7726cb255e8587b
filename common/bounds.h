/*
 * The sizes that both rooms and messages between processes share.
 *
 * SPDX-License-Identifier: ISC
 */

#ifndef COMMON_BOUNDS_H
#define COMMON_BOUNDS_H

/* RFC 5321 4.5.3.1.1-3: local part 64, domain 255, path 256 with <>. */
#define LOCAL_PART_MAX 64
#define DOMAIN_MAX     255
#define ADDR_MAX       320 /* 64 + '@' + 255: what exists is longer than 254 */
#define HOST_MAX       255
#define IP_TEXT_MAX    63 /* "IPv6:" or a scoped address included */
#define TAG_MAX        32
#define ROUTE_MAX      287  /* "mx:" + domain, or a smarthost's URL */
#define RELAY_MAX      351  /* host[address]:port of who answered */
#define SIG_MAX        3071 /* a DKIM-Signature field, CRLF included */

#define EXPAND_MAX 10000 /* addresses that one recipient may stand for */
#define RCPT_MAX                                                               \
	30000 /* recipients a message may have at all: ids leave 16 bits */

#endif
