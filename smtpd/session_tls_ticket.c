/*
 * Sealing and opening tickets.  Runs in session; keeps nothing of a session
 * but what its client brings back.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_tls_ticket.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#define IV_LEN 16

/* AES-256-CBC and HMAC-SHA256 (RFC 5077 4). */
static bool
set_keys(const struct ticket_key *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	/* It is only read. */
	void *key = (void *)(uintptr_t)k->mac;
	char digest[] = "SHA256";
	OSSL_PARAM params[3];

	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key,
	    sizeof(k->mac));
	params[1] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	    EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv,
		seal) == 1;
}

static const struct ticket_key *
find(const struct session_certs *c, const uint8_t name[16])
{
	uint32_t i;

	for (i = 0; i < TLS_TICKET_KEYS; i++) {
		if (c->has_ticket[i] &&
		    memcmp(c->ticket[i].name, name, 16) == 0)
			return &c->ticket[i];
	}
	return NULL;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: -1 no, 0 not this one,
 * 1 good, 2 good and it is time for another. */
static int
on_ticket(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	const struct session_certs *c =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct ticket_key *k = &c->ticket[0];

	if (!seal) {
		if ((k = find(c, name)) == NULL)
			return 0;
		if (!set_keys(k, iv, cipher, mac, 0))
			return -1;
		return k == &c->ticket[0] ? 1 : 2;
	}
	if (!c->has_ticket[0])
		return 0;
	if (RAND_bytes(iv, IV_LEN) != 1 || !set_keys(k, iv, cipher, mac, 1))
		return -1;
	memcpy(name, k->name, sizeof(k->name));
	return 1;
}

void
session_ticket_use(SSL_CTX *ctx, struct session_certs *c)
{
	SSL_CTX_set_app_data(ctx, c);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFE);
	/* Mail clients open one connection after another: one is enough. */
	SSL_CTX_set_num_tickets(ctx, 1);
}

void
session_ticket_prepare(const struct session_certs *c, SSL *ssl)
{
	if (c->has_ticket[0])
		return;
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	SSL_set_num_tickets(ssl, 0);
}

void
session_certs_ticket(struct session_certs *c, const struct ticket_key *m)
{
	if (c == NULL || m->age >= TLS_TICKET_KEYS)
		return;
	OPENSSL_cleanse(&c->ticket[m->age], sizeof(c->ticket[m->age]));
	c->ticket[m->age] = *m;
	c->has_ticket[m->age] = true;
}
