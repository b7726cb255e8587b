/*
 * Whether a certificate is one for who we meant to talk to (RFC 5280, RFC
 * 6125), and if not, why.  Used by deliver.  Never trusts the system's
 * authorities where the configuration names one.
 *
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "idn.h"
#include "log.h"
#include "slice.h"
#include "tls_chain.h"
#include "tls_parts.h"

/* What a certificate must at least be signed with, whatever the level: else
 * "verified" in the log would not mean the same everywhere.  2: 112 bits, as
 * the authorities of the web have it. */
#define AUTH_LEVEL 2

/* ---- names ---- */

/* A name of the configuration as X509_check_host(3) takes it: "*.example.org",
 * any name right below, is ".example.org" there. */
static bool
name_wanted(const char *text, char out[DOMAIN_MAX + 2])
{
	char name[DOMAIN_MAX + 1];
	bool below = strncmp(text, "*.", 2) == 0;

	if (idn_domain(slice_of(text + (below ? 2 : 0)), name) != NULL)
		return false;
	snprintf(out, DOMAIN_MAX + 2, "%s%s", below ? "." : "", name);
	return true;
}

static bool
has_name(X509 *cert, const char *name)
{
	char wanted[DOMAIN_MAX + 2];

	return name_wanted(name, wanted) &&
	    X509_check_host(cert, wanted, 0,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		    X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS,
		NULL) == 1;
}

static bool
has_wanted(const struct tls_peer *p, X509 *cert)
{
	const struct conf *c = p->ctx->tls->conf;
	uint32_t i;

	if (p->want->name.n == 0)
		return p->literal ? X509_check_ip_asc(cert, p->host, 0) == 1 :
				    has_name(cert, p->host);
	for (i = 0; i < p->want->name.n; i++) {
		if (has_name(cert,
			conf_text(c, CONF_ENTRY(c, p->want->name, i)->key)))
			return true;
	}
	return false;
}

/* ---- for the log ---- */

/* As much as has room; what is not printable is not for a log. */
static void
add_found(struct tls_peer *p, const uint8_t *text, int len)
{
	size_t n = strlen(p->names), room = sizeof p->names - 1;
	int i;

	if (len <= 0 || n + 2 >= room)
		return;
	if (n > 0) {
		p->names[n++] = ',';
		p->names[n++] = ' ';
	}
	for (i = 0; i < len && n < room; i++)
		p->names[n++] =
		    text[i] > ' ' && text[i] <= '~' ? (char)text[i] : '?';
	p->names[n] = '\0';
}

static void
add_address(struct tls_peer *p, const ASN1_OCTET_STRING *ip)
{
	char text[INET6_ADDRSTRLEN];
	int len = ASN1_STRING_length(ip);

	if ((len == 4 || len == 16) &&
	    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip),
		text, sizeof text) != NULL)
		add_found(p, (const uint8_t *)text, (int)strlen(text));
}

static void
add_common_name(struct tls_peer *p, const X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *cn;

	if (at < 0)
		return;
	cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	add_found(p, ASN1_STRING_get0_data(cn), ASN1_STRING_length(cn));
}

/* Whom the certificate names: alternative names, or without any the common
 * name. */
static void
find_names(struct tls_peer *p, const X509 *cert)
{
	GENERAL_NAMES *alt =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name;
	int i;

	p->names[0] = '\0';
	for (i = 0; i < sk_GENERAL_NAME_num(alt); i++) {
		name = sk_GENERAL_NAME_value(alt, i);
		if (name->type == GEN_DNS)
			add_found(p, ASN1_STRING_get0_data(name->d.dNSName),
			    ASN1_STRING_length(name->d.dNSName));
		else if (name->type == GEN_IPADD)
			add_address(p, name->d.iPAddress);
	}
	GENERAL_NAMES_free(alt);
	if (p->names[0] == '\0')
		add_common_name(p, cert);
}

/* ---- judging ---- */

/* A start does not wait for authorities of which it may need none. */
static void
fill_authorities(struct tls *t)
{
	if (t->system_pem == NULL)
		return;
	if (!tls_chain_store(t->system, t->system_pem))
		log_warn("tls", "the authorities of this system are damaged");
	free(t->system_pem);
	t->system_pem = NULL;
}

int
tls_judge(X509_STORE_CTX *x, void *arg)
{
	SSL *ssl =
	    X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	X509 *cert = X509_STORE_CTX_get0_cert(x);
	struct tls_peer *p = tls_peer(ssl);
	bool good;

	(void)arg;
	if (p->ctx->ca == CONF_NONE)
		fill_authorities(p->ctx->tls);
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(x),
	    AUTH_LEVEL);
	good = X509_verify_cert(x) == 1;
	if (good && !has_wanted(p, cert)) {
		good = false;
		X509_STORE_CTX_set_error_depth(x, 0);
		X509_STORE_CTX_set_error(x,
		    p->literal && p->want->name.n == 0 ?
			X509_V_ERR_IP_ADDRESS_MISMATCH :
			X509_V_ERR_HOSTNAME_MISMATCH);
	}
	if (!good) {
		if (X509_STORE_CTX_get_error(x) == X509_V_OK)
			X509_STORE_CTX_set_error(x, X509_V_ERR_UNSPECIFIED);
		p->depth = X509_STORE_CTX_get_error_depth(x);
		find_names(p, cert);
	}
	ERR_clear_error();
	/* SSL_get_verify_result() tells; who need not be known may go on. */
	return good || p->want->level != TLS_LEVEL_VERIFY;
}

bool
tls_cert_ended(const X509 *cert)
{
	return X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;
}
