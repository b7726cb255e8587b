/*
 * Ciphers of a context, as the configuration has them.  Used by session and
 * deliver; keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tls_ciphers.h"

#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "buf.h"

/* Names that begin with "TLS_" are those of TLS 1.3, which OpenSSL keeps in a
 * list of its own. */
static bool
split(const char *text, struct buf *old, struct buf *new)
{
	const char *word = text;
	struct buf *to;
	size_t len;

	for (;;) {
		len = strcspn(word, ":, ");
		to = strncmp(word, "TLS_", 4) == 0 ? new : old;
		if (len > 0 &&
		    (!buf_add(to, ":", to->len > 0) || !buf_add(to, word, len)))
			return false;
		if (word[len] == '\0')
			return true;
		word += len + 1;
	}
}

bool
tls_ciphers_word(const char *text)
{
	static const char *const words[] = { "", "default", "secure", "compat",
		"legacy", "insecure", "all" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

bool
tls_ciphers_use(SSL_CTX *ctx, const char *text, const char *usual,
    const char *never)
{
	struct buf old, new;
	bool good;

	buf_init(&old, 0);
	buf_init(&new, 0);
	good = split(tls_ciphers_word(text) ? usual : text, &old, &new) &&
	    (old.len > 0 || buf_puts(&old, usual)) && buf_puts(&old, never) &&
	    buf_add(&old, "", 1) && buf_add(&new, "", 1) &&
	    SSL_CTX_set_cipher_list(ctx, (const char *)buf_data(&old)) == 1 &&
	    (new.len == 1 ||
		SSL_CTX_set_ciphersuites(ctx, (const char *)buf_data(&new)) ==
		    1);
	buf_free(&old);
	buf_free(&new);
	ERR_clear_error();
	return good;
}
