/*
 * dkim_key.c: a record is a key that can be used, or there is a reason; and no
 * name is one that the DNS would not have.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <openssl/err.h>

#include "dkim_key.h"
#include "dns_packet.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static const uint8_t digest[32], sig[256];
	struct slice all = { fuzz_copy(in, len), len };
	struct key_found found = { .status = DNS_FOUND, .n = 1, .text = all };
	char name[HOST_MAX + 1], *selector, *domain;
	struct dkim_key k;
	enum auth_result r;
	const char *why;
	int alg;

	for (alg = DKIM_RSA_SHA256; alg <= DKIM_ED25519_SHA256; alg++) {
		r = dkim_key_read(&found, (enum dkim_alg)alg, &k, &why);
		MUST((r == RES_PASS) == (k.pkey != NULL));
		MUST((r == RES_PASS) == (why == NULL));
		MUST(r == RES_PASS || r == RES_PERMERROR || r == RES_POLICY);
		if (r == RES_PASS && alg == DKIM_RSA_SHA256)
			MUST(k.bits >= DKIM_RSA_BITS_MIN &&
			    k.bits <= DKIM_RSA_BITS_MAX);
		if (r == RES_PASS)
			dkim_key_verify(&k, digest, sig,
			    alg == DKIM_RSA_SHA256 ? k.bits / 8 % 257 : 64);
		dkim_key_free(&k);
		MUST(ERR_peek_error() == 0);
	}
	selector = fuzz_text(fuzz_line(&all));
	domain = fuzz_text(all);
	if (dkim_key_name(selector, domain, name))
		MUST(strlen(name) <= 253 &&
		    strstr(name, "._domainkey.") != NULL &&
		    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") ==
			strlen(name));
	free(selector);
	free(domain);
	free((void *)found.text.p);
	return 0;
}
