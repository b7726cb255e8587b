/*
 * Certificates from a file.  Used by session, keys and deliver; takes no
 * private key out of a file, also if one is in it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls_chain.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "log.h"

/* OpenSSL would ask on a terminal for the passphrase of what is encrypted. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* One piece of memory that never moves: what is in it is wiped for sure.
 * NULL: *why. */
static char *
read_file(int fd, size_t *len, const char **why)
{
	struct stat st;
	char *text;
	ssize_t n;

	*len = 0;
	if (fstat(fd, &st) == -1 || st.st_size > TLS_CHAIN_PEM_MAX) {
		*why = "too large for a file of certificates";
		return NULL;
	}
	text = xcalloc(1, (size_t)st.st_size + 1);
	while (*len < (size_t)st.st_size) {
		n = pread(fd, text + *len, (size_t)st.st_size - *len,
		    (off_t)*len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	return text;
}

static const char *
add_cert(STACK_OF(X509) * chain, const char *pem, size_t len, int max)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509 *cert = NULL;

	if (sk_X509_num(chain) >= max) {
		BIO_free(bio);
		return "too many certificates";
	}
	if (bio != NULL)
		cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (cert == NULL)
		return "a damaged certificate";
	if (sk_X509_push(chain, cert) > 0)
		return NULL;
	X509_free(cert);
	return "out of memory";
}

/* OpenSSL sees nothing but the certificates: a key that stands beside them is
 * not copied to wherever it puts things. */
static const char *
add_certs(STACK_OF(X509) * chain, const char *text, int max)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	static const char end[] = "-----END CERTIFICATE-----";
	const char *why = NULL, *at = text, *to;

	while (why == NULL && (at = strstr(at, begin)) != NULL) {
		if ((to = strstr(at, end)) == NULL)
			return "a certificate without its end";
		to += strlen(end);
		why = add_cert(chain, at, (size_t)(to - at), max);
		at = to;
	}
	if (why == NULL && sk_X509_num(chain) == 0)
		return "no certificate in PEM form";
	return why;
}

const char *
tls_chain_read(STACK_OF(X509) * *chain, int fd, int max)
{
	const char *why = NULL;
	char *text;
	size_t len;

	*chain = NULL;
	if ((text = read_file(fd, &len, &why)) == NULL)
		return why;
	if ((*chain = sk_X509_new_null()) == NULL)
		why = "out of memory";
	else
		why = add_certs(*chain, text, max);
	if (why != NULL)
		tls_chain_free(chain);
	OPENSSL_cleanse(text, len);
	free(text);
	ERR_clear_error();
	return why;
}

void
tls_chain_free(STACK_OF(X509) * *chain)
{
	sk_X509_pop_free(*chain, X509_free);
	*chain = NULL;
}

/* What a file has, if there is a certificate in it. */
static char *
read_system(const char *path)
{
	const char *why;
	char *text;
	size_t len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return NULL;
	text = read_file(fd, &len, &why);
	close(fd);
	if (text != NULL && strstr(text, "CERTIFICATE-----") != NULL)
		return text;
	free(text);
	return NULL;
}

char *
tls_chain_system(void)
{
	/* OpenSSL's own, then where systems keep them in one file. */
	const char *const files[] = { getenv(X509_get_default_cert_file_env()),
		X509_get_default_cert_file(),
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem" };
	char *text = NULL;
	size_t i;

	for (i = 0; text == NULL && i < sizeof(files) / sizeof(files[0]); i++)
		text = files[i] == NULL ? NULL : read_system(files[i]);
	return text;
}

bool
tls_chain_store(X509_STORE *store, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	STACK_OF(X509_INFO) * all;
	const X509_INFO *info;
	bool any = false;
	int i;

	all = bio == NULL ?
	    NULL :
	    PEM_X509_INFO_read_bio(bio, NULL, no_passphrase, NULL);
	for (i = 0; i < sk_X509_INFO_num(all); i++) {
		info = sk_X509_INFO_value(all, i);
		if (info->x509 != NULL)
			any |= X509_STORE_add_cert(store, info->x509) == 1;
		if (info->crl != NULL)
			(void)X509_STORE_add_crl(store, info->crl);
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	ERR_clear_error();
	return any;
}
