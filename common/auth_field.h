/*
 * The fields Authentication-Results (RFC 8601) and Received-SPF (RFC 7208
 * 9.1): written by us, and read as far as that is needed.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_AUTH_FIELD_H
#define COMMON_AUTH_FIELD_H

#include <stdbool.h>

#include "arc.h"
#include "buf.h"
#include "dkim_verify.h"
#include "dmarc.h"
#include "slice.h"
#include "spf.h"

#define AUTH_FIELD_MAX 8192 /* bytes of one that we write */

/* Whatever is NULL was not looked at. */
struct auth_say {
	const char *authserv; /* our authserv-id */
	const char *client;   /* address, for the arc's and iprev's use */
	const struct spf_answer *helo, *mail; /* helo: HELO identity */
	const char *helo_name;                /* as it was said */
	const char *sender;                   /* of MAIL */
	const struct dkim_verify *dkim;
	const struct arc *arc;
	const struct dmarc_answer *dmarc;
	const char *author; /* header.from: its domain; "" */
	/* What was done for the policy, for a comment: "reject", or "none
	 * (arc)"; "": not said. */
	const char *applied;
};

/* Adds the whole field, folded, with its CRLF.  Nothing that came from outside
 * breaks out of its place: values are quoted or cut.  False: out is full. */
bool auth_field_print(struct buf *out, const struct auth_say *s);

/* Adds Received-SPF for the MAIL FROM identity (or HELO's). */
bool auth_field_spf(struct buf *out, const struct auth_say *s);

/* The authserv-id of such a field's value (comments and folding skipped), to
 * compare without case; an empty slice: it has none that can be read.  Written
 * text in quotes is given without them, in out (DOMAIN_MAX + 1 bytes). */
struct slice auth_field_id(struct slice value, char out[DOMAIN_MAX + 1]);

/* The same as a careless reader has it, who drops comments and quotes before he
 * looks: "mx.(x)example.org" is "mx.example.org".  Whoever looks for forged
 * fields compares both. */
struct slice auth_field_id_loose(struct slice value, char out[DOMAIN_MAX + 1]);

/* Steps over white space, folds and comments (RFC 5322 3.2.2). */
void auth_field_space(struct slice *in);
/* The next result of the list as it is written, up to a ';' that is in no
 * comment and no quotes; maybe empty.  False: no more. */
bool auth_field_entry(struct slice *rest, struct slice *entry);

/* Reads "method=result [reason=...] [ptype.property=value ...]; ..." behind
 * the authserv-id, one after the other.  Words are cut to their sizes; a
 * property that does not fit is left out.  False: no more, or it cannot be read
 * any further. */
#define AUTH_PROPS_MAX 8
struct auth_entry {
	char method[16], result[16];
	struct {
		char name[32]; /* "header.d", "smtp.mailfrom" */
		char value[ADDR_MAX + 1];
	} prop[AUTH_PROPS_MAX];
	unsigned int n_prop;
};
bool auth_field_next(struct slice *rest, struct auth_entry *e);
/* Where that begins: what stands behind the authserv-id and its version; of a
 * version that nobody knows, nothing. */
struct slice auth_field_rest(struct slice value);

#endif
