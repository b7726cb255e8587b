/*
 * The record of a DKIM key as the DNS has it.  Run by an operator; asks name
 * servers, through ldns, and waits for them.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_dkim_dns.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "buf.h"
#include "dkim_tags.h"
#include "log.h"
#include "num.h"

enum {
	DNS_PORT = 53,
	TRY_SECONDS = 5,
	TEXT_MAX = 16384 /* bytes of one record that are looked at */
};

struct dkim_dns {
	ldns_resolver *resolver;
};

/* ---- the record (RFC 6376 3.2, 3.6.1) ---- */

/* The same base64 but for white space within. */
static bool
same_key(struct slice value, const char *b64)
{
	size_t i;

	for (i = 0; i < value.len; i++) {
		if (slice_is_space(value.p[i]))
			continue;
		if (*b64 == '\0' || *b64++ != value.p[i])
			return false;
	}
	return *b64 == '\0';
}

const char *
dkim_record_check(struct slice text, const char *alg, const char *b64)
{
	const struct slice *v, *k, *p;
	struct tags t;

	if (tags_parse(text, &t) != NULL)
		return "it is no record of DKIM";
	v = tags_get(&t, "v");
	k = tags_get(&t, "k");
	p = tags_get(&t, "p");
	/* RFC 6376 3.6.1: v= is the first tag, where there is any. */
	if (v != NULL &&
	    (v != &t.tag[0].value || !slice_eq(*v, SLICE("DKIM1"))))
		return "it is no record of DKIM";
	if (p == NULL)
		return "it has no key";
	if (p->len == 0)
		return "it revokes the key";
	if (!slice_eq(k != NULL ? *k : SLICE("rsa"), slice_of(alg)))
		return "its key has another algorithm";
	return same_key(*p, b64) ? NULL : "it has another key";
}

/* ---- asking ---- */

/* "HOST:PORT", "[HOST]:PORT", "HOST". */
static bool
split_server(const char *server, char *host, size_t size, uint16_t *port)
{
	struct slice s = slice_of(server);
	const char *colon = strrchr(server, ':');
	uint64_t n = DNS_PORT;

	/* An IPv6 address without a port has several. */
	if (colon != NULL &&
	    (server[0] == '[' ? colon > server && colon[-1] == ']' :
				colon == strchr(server, ':'))) {
		if (num_parse(colon + 1, 1, UINT16_MAX, &n) != NULL)
			return false;
		s.len = (size_t)(colon - server);
	}
	if (s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']') {
		s.p++;
		s.len -= 2;
	}
	*port = (uint16_t)n;
	return slice_copy(s, host, size);
}

static ldns_resolver *
resolver_at(const char *server)
{
	ldns_resolver *r = ldns_resolver_new();
	ldns_rdf *address;
	char host[64];
	uint16_t port;

	if (r == NULL || !split_server(server, host, sizeof host, &port))
		goto fail;
	address = ldns_rdf_new_frm_str(strchr(host, ':') != NULL ?
		LDNS_RDF_TYPE_AAAA :
		LDNS_RDF_TYPE_A,
	    host);
	if (address == NULL ||
	    ldns_resolver_push_nameserver(r, address) != LDNS_STATUS_OK) {
		ldns_rdf_deep_free(address);
		goto fail;
	}
	ldns_rdf_deep_free(address);
	ldns_resolver_set_port(r, port);
	return r;
fail:
	ldns_resolver_deep_free(r);
	warnx("resolver \"%s\": expected an address, and maybe a port", server);
	return NULL;
}

struct dkim_dns *
dkim_dns_open(const char *server)
{
	const struct timeval wait = { .tv_sec = TRY_SECONDS };
	struct dkim_dns *d;
	ldns_resolver *r = NULL;

	if (server != NULL)
		r = resolver_at(server);
	else if (ldns_resolver_new_frm_file(&r, NULL) != LDNS_STATUS_OK) {
		warnx("/etc/resolv.conf names no server to be asked");
		r = NULL;
	}
	if (r == NULL)
		return NULL;
	ldns_resolver_set_timeout(r, wait);
	ldns_resolver_set_retry(r, 2);
	ldns_resolver_set_edns_udp_size(r, 1232);
	ldns_resolver_set_recursive(r, true);
	d = xcalloc(1, sizeof *d);
	d->resolver = r;
	return d;
}

void
dkim_dns_close(struct dkim_dns **d)
{
	if (*d == NULL)
		return;
	ldns_resolver_deep_free((*d)->resolver);
	free(*d);
	*d = NULL;
}

/* The strings of a TXT record, joined. */
static bool
join(const ldns_rr *rr, struct buf *out)
{
	const ldns_rdf *rdf;
	size_t i;

	for (i = 0; i < ldns_rr_rd_count(rr); i++) {
		rdf = ldns_rr_rdf(rr, i);
		if (ldns_rdf_size(rdf) > 0 &&
		    !buf_add(out, ldns_rdf_data(rdf) + 1,
			ldns_rdf_size(rdf) - 1))
			return false;
	}
	return true;
}

/* RFC 6376 3.6.2.2: of several records nobody knows which counts. */
static enum dkim_found
judge(const ldns_rr_list *list, const char *alg, const char *b64,
    const char **why)
{
	struct buf text;

	if (ldns_rr_list_rr_count(list) != 1) {
		*why = "there are several records";
		return DKIM_DIFFERENT;
	}
	buf_init(&text, TEXT_MAX);
	*why = join(ldns_rr_list_rr(list, 0), &text) ?
	    dkim_record_check((struct slice){ (const char *)buf_data(&text),
				  text.len },
		alg, b64) :
	    "it is too long";
	buf_free(&text);
	return *why == NULL ? DKIM_PUBLISHED : DKIM_DIFFERENT;
}

static enum dkim_found
read_answer(const ldns_pkt *p, const char *alg, const char *b64,
    const char **why)
{
	enum dkim_found found;
	ldns_rr_list *list;

	if (ldns_pkt_get_rcode(p) == LDNS_RCODE_NXDOMAIN) {
		*why = "there is no record";
		return DKIM_MISSING;
	}
	if (ldns_pkt_get_rcode(p) != LDNS_RCODE_NOERROR) {
		*why = "the name server cannot say";
		return DKIM_UNKNOWN;
	}
	/* Behind a CNAME the name is another. */
	list =
	    ldns_pkt_rr_list_by_type(p, LDNS_RR_TYPE_TXT, LDNS_SECTION_ANSWER);
	if (list == NULL) {
		*why = "there is no record";
		return DKIM_MISSING;
	}
	found = judge(list, alg, b64, why);
	ldns_rr_list_deep_free(list);
	return found;
}

enum dkim_found
dkim_dns_look(struct dkim_dns *d, const char *domain, const char *selector,
    const char *alg, const char *b64, const char **why)
{
	enum dkim_found found = DKIM_UNKNOWN;
	ldns_pkt *p = NULL;
	char name[600];
	ldns_rdf *owner;

	*why = "no name server answered";
	snprintf(name, sizeof name, "%s._domainkey.%s.", selector, domain);
	if ((owner = ldns_dname_new_frm_str(name)) == NULL) {
		*why = "the name is none for the DNS";
		return DKIM_UNKNOWN;
	}
	if (ldns_resolver_query_status(&p, d->resolver, owner, LDNS_RR_TYPE_TXT,
		LDNS_RR_CLASS_IN, LDNS_RD) == LDNS_STATUS_OK &&
	    p != NULL)
		found = read_answer(p, alg, b64, why);
	ldns_pkt_free(p);
	ldns_rdf_deep_free(owner);
	return found;
}
