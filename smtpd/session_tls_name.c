/*
 * The name in a certificate.  Runs in session, for certificates that are
 * verified; what a certificate has can still be any bytes.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_tls_name.h"

#include <string.h>

#include <openssl/x509v3.h>

/* A name with a NUL in it is one thing to who signs and another to who reads
 * it as a text. */
static bool
take(const ASN1_STRING *s, char out[ADDR_MAX + 1])
{
	const uint8_t *p = ASN1_STRING_get0_data(s);
	int i, len = ASN1_STRING_length(s);

	if (len <= 0 || len > ADDR_MAX)
		return false;
	for (i = 0; i < len; i++) {
		if (p[i] < ' ' || p[i] > '~')
			return false;
	}
	memcpy(out, p, (size_t)len);
	out[len] = '\0';
	return true;
}

static bool
alternative(const X509 *cert, char out[ADDR_MAX + 1])
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name;
	bool found = false;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type == GEN_EMAIL)
			found = take(name->d.rfc822Name, out);
	}
	GENERAL_NAMES_free(names);
	return found;
}

/* The last of a kind is the most particular. */
static bool
of_subject(const X509 *cert, int nid, char out[ADDR_MAX + 1])
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int i, last = -1;

	while ((i = X509_NAME_get_index_by_NID(subject, nid, last)) >= 0)
		last = i;
	return last >= 0 &&
	    take(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)),
		out);
}

bool
tls_cert_name(const X509 *cert, char out[ADDR_MAX + 1])
{
	out[0] = '\0';
	return alternative(cert, out) ||
	    of_subject(cert, NID_pkcs9_emailAddress, out) ||
	    of_subject(cert, NID_commonName, out);
}
