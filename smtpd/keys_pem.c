/*
 * Private keys from a file.  Runs in keys alone; the text is wiped.
 *
 * SPDX-License-Identifier: ISC
 */
#include "keys_pem.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* OpenSSL would ask on a terminal for the passphrase of an encrypted key. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

const char *
pem_key_parse(EVP_PKEY **pkey, const void *pem, size_t len)
{
	bool encrypted = false;
	BIO *bio;

	*pkey = NULL;
	if (len > KEY_PEM_MAX)
		return "too large for a key";
	if ((bio = BIO_new_mem_buf(pem, (int)len)) == NULL)
		return "out of memory";
	*pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
	BIO_free(bio);
	ERR_clear_error();
	if (encrypted)
		return "an encrypted key: it must be stored without a passphrase";
	return *pkey == NULL ? "no private key in PEM form" : NULL;
}

const char *
pem_key_read(EVP_PKEY **pkey, int fd)
{
	char pem[KEY_PEM_MAX + 1];
	const char *why;
	size_t len = 0;
	ssize_t n = 1;

	*pkey = NULL;
	while (n > 0 && len < sizeof(pem)) {
		n = pread(fd, pem + len, sizeof(pem) - len, (off_t)len);
		if (n > 0)
			len += (size_t)n;
		else if (n == -1 && errno == EINTR)
			n = 1;
	}
	why = n == -1 ? strerror(errno) : pem_key_parse(pkey, pem, len);
	OPENSSL_cleanse(pem, len);
	return why;
}
