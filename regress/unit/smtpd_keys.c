/*
 * smtpd/keys_sign.c: which keys are taken, and what they sign.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <fcntl.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "keys_pem.h"
#include "keys_sign.h"

/* RFC 8463 A.2: the private key, the hash of A.3's message that is signed
 * (as deliver_dkim.c finds it), and the signature. */
static const char rfc_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
static const char rfc_hash[] = "SM6aLHEOzhcQ/xVplrg2p/RUcOQ+/lZDB01uFpDtYuc=";
static const char rfc_sig[] =
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";

static const uint8_t hash[KEY_HASH_LEN] = "0123456789abcdef0123456789abcde";

/* In PEM; encrypted if cipher is not NULL.  Returns its length. */
static size_t
to_pem(EVP_PKEY *pkey, const EVP_CIPHER *cipher, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char pass[] = "secret", *p;
	size_t len;

	if (PEM_write_bio_PrivateKey(bio, pkey, cipher, NULL, 0, NULL,
		cipher == NULL ? NULL : pass) != 1)
		abort();
	len = (size_t)BIO_get_mem_data(bio, &p);
	if (len > size)
		abort();
	memcpy(out, p, len);
	BIO_free(bio);
	return len;
}

static void
test_rfc8463(void)
{
	uint8_t sig[1024], want[96], in[64];
	struct key k;
	size_t len;

	CHECK("RFC 8463 key",
	    key_load(&k, rfc_pem, strlen(rfc_pem)) == NULL &&
		k.alg == ALG_ED25519);
	EVP_DecodeBlock(in, (const uint8_t *)rfc_hash, (int)strlen(rfc_hash));
	EVP_DecodeBlock(want, (const uint8_t *)rfc_sig, (int)strlen(rfc_sig));
	CHECK("RFC 8463 signature",
	    key_sign(&k, in, sig, sizeof(sig), &len) && len == 64 &&
		memcmp(sig, want, 64) == 0);
	CHECK("Ed25519: no room", !key_sign(&k, in, sig, 63, &len));
	key_free(&k);
	CHECK("no key", !key_sign(&k, in, sig, sizeof(sig), &len));
}

/* What comes out is the padded digest, by the plain RSA operation. */
static bool
rsa_verifies(EVP_PKEY *pkey, const uint8_t *sig, size_t sig_len)
{
	static const uint8_t info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
		0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
		0x00, 0x04, 0x20 };
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	uint8_t em[512];
	size_t i, len = sizeof(em);
	bool good;

	good = EVP_PKEY_verify_recover_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
	    EVP_PKEY_verify_recover(ctx, em, &len, sig, sig_len) == 1 &&
	    len == 256 && em[0] == 0 && em[1] == 1;
	for (i = 2; good && i < 256 - 1 - sizeof(info) - 32; i++)
		good = em[i] == 0xff;
	good = good && em[i] == 0 &&
	    memcmp(em + i + 1, info, sizeof(info)) == 0 &&
	    memcmp(em + i + 1 + sizeof(info), hash, 32) == 0;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static void
test_rsa(void)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	char pem[8192];
	size_t cut, len = to_pem(pkey, NULL, pem, sizeof(pem)), sig_len;
	uint8_t sig[1024];
	struct key k;
	bool refused = true;

	CHECK("RSA 2048",
	    key_load(&k, unit_guard(pem, len), len) == NULL &&
		k.alg == ALG_RSA);
	CHECK("RSA signature",
	    key_sign(&k, hash, sig, sizeof(sig), &sig_len) && sig_len == 256 &&
		rsa_verifies(pkey, sig, sig_len));
	CHECK("RSA: no room", !key_sign(&k, hash, sig, 255, &sig_len));
	key_free(&k);
	/* The last line's end and final dashes may go. */
	for (cut = 0; cut + 12 < len; cut += cut < 40 ? 1 : 7) {
		refused = refused &&
		    key_load(&k, unit_guard(pem, cut), cut) != NULL &&
		    k.pkey == NULL;
		key_free(&k);
	}
	CHECK("RSA: cut short", refused);
	len = to_pem(pkey, EVP_aes_256_cbc(), pem, sizeof(pem));
	CHECK("RSA: encrypted", key_load(&k, pem, len) != NULL);
	CHECK("RSA: encrypted, says so",
	    strstr(key_load(&k, pem, len), "passphrase") != NULL);
	EVP_PKEY_free(pkey);
}

static void
test_refused(void)
{
	static const struct {
		const char *name, *pem;
	} bad[] = {
		{ "refused: empty", "" },
		{ "refused: text", "hello\n" },
		{ "refused: empty PEM",
		    "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n" },
		{ "refused: a public key",
		    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n" },
		{ "refused: no base64",
		    "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n" },
	};
	static const struct {
		const char *name;
		int bits; /* 0: an elliptic curve */
		const char *says;
	} kinds[] = {
		{ "refused: RSA 1024", 1024, "2048" },
		{ "refused: RSA 2047", 2047, "2048" },
		{ "refused: EC", 0, "neither" },
	};
	char pem[8192], *large;
	EVP_PKEY *pkey;
	const char *why;
	struct key k;
	size_t i, len;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = strlen(bad[i].pem);
		CHECK(bad[i].name,
		    key_load(&k, unit_guard(bad[i].pem, len), len) != NULL &&
			k.pkey == NULL);
	}
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		pkey = kinds[i].bits == 0 ?
		    EVP_EC_gen("P-256") :
		    EVP_RSA_gen((unsigned int)kinds[i].bits);
		len = to_pem(pkey, NULL, pem, sizeof(pem));
		why = key_load(&k, pem, len);
		CHECK(kinds[i].name,
		    why != NULL && strstr(why, kinds[i].says) != NULL);
		EVP_PKEY_free(pkey);
	}
	large = calloc(1, KEY_PEM_MAX + 1);
	CHECK("refused: too large",
	    key_load(&k, large, KEY_PEM_MAX + 1) != NULL);
	free(large);
}

static void
test_files(void)
{
	char path[] = "/tmp/unit-keys-XXXXXX";
	int fd = mkstemp(path);
	struct key k;

	if (fd == -1 || unlink(path) == -1 ||
	    write(fd, rfc_pem, strlen(rfc_pem)) == -1)
		abort();
	CHECK("file: read", key_read(&k, fd) == NULL);
	key_free(&k);
	CHECK("file: read again", key_read(&k, fd) == NULL);
	key_free(&k);
	if (ftruncate(fd, KEY_PEM_MAX + 1) == -1)
		abort();
	CHECK("file: too large", key_read(&k, fd) != NULL);
	close(fd);
	fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	CHECK("file: a directory", key_read(&k, fd) != NULL);
	close(fd);
}

int
main(void)
{
	test_rfc8463();
	test_rsa();
	test_refused();
	test_files();
	return unit_end();
}
