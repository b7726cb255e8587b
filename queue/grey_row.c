/*
 * Rows of greylisting.  Used by queue and smtpctl.  Reading one believes none
 * of its bytes.
 *
 * SPDX-License-Identifier: ISC
 */
#include "grey_row.h"

#include <string.h>

#include <xxhash.h>

#include "index_row.h"

#define VERSION   1
#define FIXED_LEN (1 + 3 * 8 + 4)

void
grey_key(const struct grey_triplet *t, bool net, struct grey_key *key)
{
	const char *const texts[] = { t->net, t->sender, t->rcpt };
	char all[sizeof t->net + sizeof t->sender + sizeof t->rcpt];
	XXH128_canonical_t hash;
	size_t i, len, n = 0;

	for (i = 0; i < (net ? 1 : 3); i++) {
		len = strlen(texts[i]) + 1;
		memcpy(all + n, texts[i], len);
		n += len;
	}
	XXH128_canonicalFromHash(&hash, XXH3_128bits(all, n));
	memcpy(key->bytes, hash.digest, sizeof key->bytes);
}

size_t
grey_pack(const struct grey_triplet *t, const struct grey_known *k, int64_t due,
    uint8_t *out)
{
	const char *const texts[] = { t->net, t->sender, t->rcpt };
	struct key fixed = { .len = 0 };
	uint8_t *p;
	size_t i;

	key_u8(&fixed, VERSION);
	key_time(&fixed, due);
	key_time(&fixed, k->first);
	key_time(&fixed, k->last);
	key_u32(&fixed, k->n);
	memcpy(out, fixed.bytes, fixed.len);
	p = out + fixed.len;
	for (i = 0; i < 3; i++)
		p = row_put_text(p, texts[i]);
	return (size_t)(p - out);
}

bool
grey_unpack(const void *in, size_t len, struct grey_triplet *t,
    struct grey_known *k, int64_t *due)
{
	const uint8_t *p = in, *end = p + len;

	memset(t, 0, sizeof *t);
	memset(k, 0, sizeof *k);
	*due = 0;
	if (len < FIXED_LEN || p[0] != VERSION)
		return false;
	*due = key_get_time(p + 1);
	k->first = key_get_time(p + 9);
	k->last = key_get_time(p + 17);
	k->n = key_get_u32(p + 25);
	p += FIXED_LEN;
	return row_get_text(&p, end, t->net, sizeof t->net) &&
	    row_get_text(&p, end, t->sender, sizeof t->sender) &&
	    row_get_text(&p, end, t->rcpt, sizeof t->rcpt) && p == end &&
	    k->first >= 0 && k->last >= 0 && *due >= 0;
}
