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
#define TLS_TEXT_MAX   79   /* "TLSv1.3:TLS_AES_256_GCM_SHA384:verified" */
#define LABEL_MAX      63   /* label of a relay URL */
#define ENVID_MAX      100  /* RFC 3461 4.4: as it came, xtext and all */
#define ORCPT_MAX      500  /* RFC 3461 4.2: likewise, "rfc822;" included */
#define SIG_MAX        4063 /* what we sign with: as job_signed can carry it */
#define LOCAL_USER_MAX 127  /* a login name */
#define LOCAL_HOME_MAX 511  /* a home directory */
#define LOCAL_TEXT_MAX 1023 /* a command or path: NODE_TEXT_MAX */
#define LEAF_TEXT_MAX  319  /* what a recipient is, beside its address */

#define EXPAND_MAX 10000 /* addresses that one child message may have */
/* One that stands for more is cut in so many parts, each a child of its own.
 * A member belongs to the part that its hash says, so that a list that changes
 * meanwhile gives nobody two and nobody none. */
#define EXPAND_PARTS 16
#define RCPT_MAX                                                               \
	30000 /* recipients a message may have at all: ids leave 16 bits */

#endif
