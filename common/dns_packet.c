/*
 * DNS packets, by ldns.  Used by deliver and guard.  Never waits, and never
 * hands ldns a packet that is not an answer to our question.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dns_packet.h"

#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "log.h"

#define HEADER  12
#define RRS_MAX 2048 /* records in a packet; ldns follows pointers in each */

enum { BITS_QR = 0x80, BITS_OPCODE = 0x78, BITS_TC = 0x02, BITS_AA = 0x04 };
enum { BITS_RA = 0x80, BITS_RCODE = 0x0f };

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static bool
name_char(uint8_t c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_';
}

static const char *
question_fill(struct dns_question *q, const char *name, enum dns_type type,
    bool any)
{
	size_t i, label = 0;

	for (i = 0; name[i] != '\0'; i++) {
		if (i == DNS_NAME_MAX)
			return "name too long";
		if (name[i] == '.') {
			if (label == 0)
				return "empty label";
			label = 0;
		} else if (!any && !name_char((uint8_t)name[i]))
			return "no name of a host";
		else if (++label > LDNS_MAX_LABELLEN)
			return "label too long";
		q->name[i] = (char)lower((uint8_t)name[i]);
	}
	if (label == 0)
		return "empty label";
	q->name[i] = '\0';
	q->type = (uint16_t)type;
	q->any = any;
	return NULL;
}

const char *
dns_question_set(struct dns_question *q, const char *name, enum dns_type type)
{
	return question_fill(q, name, type, false);
}

const char *
dns_question_any(struct dns_question *q, const char *name, enum dns_type type)
{
	return question_fill(q, name, type, true);
}

/* Its name in wire form: no byte of it means anything there. */
static ldns_rdf *
dname_of(const struct dns_question *q)
{
	uint8_t wire[DNS_NAME_MAX + 2];
	size_t len = strlen(q->name), label, i = 0;
	ldns_rdf *name;

	while (i < len) {
		label = strcspn(q->name + i, ".");
		wire[i] = (uint8_t)label;
		memcpy(wire + i + 1, q->name + i, label);
		i += label + 1;
	}
	wire[i] = 0;
	name = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, i + 1, wire);
	if (name == NULL)
		fatal("no memory for a DNS name");
	return name;
}

size_t
dns_packet_build(const struct dns_question *q, uint16_t id, bool edns,
    uint8_t *out)
{
	ldns_pkt *pkt;
	uint8_t *wire = NULL;
	size_t len = 0;

	pkt =
	    ldns_pkt_query_new(dname_of(q), q->type, LDNS_RR_CLASS_IN, LDNS_RD);
	if (pkt == NULL)
		fatal("no memory for a DNS query");
	ldns_pkt_set_id(pkt, id);
	if (edns)
		ldns_pkt_set_edns_udp_size(pkt, DNS_UDP_SIZE);
	if (ldns_pkt2wire(&wire, pkt, &len) != LDNS_STATUS_OK ||
	    len > DNS_QUERY_MAX)
		len = 0;
	if (len != 0)
		memcpy(out, wire, len);
	free(wire);
	ldns_pkt_free(pkt);
	return len;
}

/*
 * The question as it stands in query is the one of in.  Names are compared
 * in wire form: a length byte is below 'A', so case folds over it unharmed,
 * and a compression pointer never equals what we wrote.
 */
static bool
same_question(const uint8_t *in, size_t len, const uint8_t *query,
    size_t query_len)
{
	size_t i = HEADER;

	while (i < query_len && query[i] != 0)
		i += (size_t)query[i] + 1;
	i += 1 + 4; /* root, type, class */
	if (i > query_len || i > len)
		return false;
	while (i-- > HEADER) {
		if (lower(in[i]) != lower(query[i]))
			return false;
	}
	return true;
}

/* All that can be said without reading a record. */
static enum dns_read
header_check(const uint8_t *in, size_t len, const uint8_t *query,
    size_t query_len, const char **why)
{
	unsigned int rcode, records;

	*why = "not an answer to our question";
	if (len < HEADER || get16(in) != get16(query) || !(in[2] & BITS_QR) ||
	    (in[2] & BITS_OPCODE) != 0)
		return DNS_NOT_OURS;
	rcode = in[3] & BITS_RCODE;
	/* RFC 6891 7: who knows no EDNS may say so with a bare header. */
	if (get16(in + 4) == 0 &&
	    (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL))
		return DNS_PLAIN;
	if (get16(in + 4) != 1 || !same_question(in, len, query, query_len))
		return DNS_NOT_OURS;
	if (in[2] & BITS_TC)
		return DNS_CUT;
	*why = "the server refuses to answer";
	switch (rcode) {
	case LDNS_RCODE_NOERROR:
	case LDNS_RCODE_NXDOMAIN:
		break;
	case LDNS_RCODE_FORMERR:
	case LDNS_RCODE_NOTIMPL:
		return DNS_PLAIN;
	case LDNS_RCODE_SERVFAIL:
		*why = "the server failed (SERVFAIL)";
		return DNS_FAILED;
	default:
		return DNS_FAILED;
	}
	records = (unsigned int)get16(in + 6) + get16(in + 8) + get16(in + 10);
	*why = "an answer with too many records";
	return records > RRS_MAX ? DNS_FAILED : DNS_READ;
}

/* The name in wire form as text; false if no host can have it, or with any if
 * text cannot say it. */
static bool
name_text(const ldns_rdf *name, bool any, char out[HOST_MAX + 1])
{
	const uint8_t *p = ldns_rdf_data(name);
	size_t len = ldns_rdf_size(name), i = 0, n = 0, end;

	out[0] = '\0';
	while (i < len && p[i] != 0) {
		end = i + 1 + p[i];
		if (end >= len || n + p[i] + 1 > HOST_MAX)
			return false;
		if (n != 0)
			out[n++] = '.';
		for (i++; i < end; i++) {
			if (any ? p[i] == '.' || p[i] == '\0' :
				  !name_char(p[i]))
				return false;
			out[n++] = (char)lower(p[i]);
		}
	}
	out[n] = '\0';
	return i < len;
}

/* An answer that is being read. */
struct gather {
	const struct dns_question *q;
	struct dns_answer *a; /* with room for max records */
	unsigned int max;
	unsigned int worst; /* the record that goes first */
	uint8_t *texts;     /* as much as the packet is long */
};

/* Joins the strings of a TXT record. */
static bool
text_take(const ldns_rr *rr, struct gather *g, struct dns_rr *out)
{
	const ldns_rdf *rd;
	size_t i;

	out->text.at = g->a->texts;
	for (i = 0; i < ldns_rr_rd_count(rr); i++) {
		rd = ldns_rr_rdf(rr, i);
		if (ldns_rdf_size(rd) == 0)
			continue;
		memcpy(g->texts + g->a->texts, ldns_rdf_data(rd) + 1,
		    ldns_rdf_size(rd) - 1);
		g->a->texts += (uint32_t)ldns_rdf_size(rd) - 1;
	}
	out->text.len = g->a->texts - out->text.at;
	return true;
}

/* Takes a record of the type asked for; false if it is of no use. */
static bool
rr_take(const ldns_rr *rr, struct gather *g, struct dns_rr *out)
{
	const ldns_rdf *rd = ldns_rr_rdf(rr, 0);

	memset(out, 0, sizeof *out);
	switch (ldns_rr_get_type(rr)) {
	case LDNS_RR_TYPE_A:
		if (rd == NULL || ldns_rdf_size(rd) != sizeof out->a)
			return false;
		memcpy(&out->a, ldns_rdf_data(rd), sizeof out->a);
		return true;
	case LDNS_RR_TYPE_AAAA:
		if (rd == NULL || ldns_rdf_size(rd) != sizeof out->aaaa)
			return false;
		memcpy(&out->aaaa, ldns_rdf_data(rd), sizeof out->aaaa);
		return true;
	case LDNS_RR_TYPE_PTR:
		return ldns_rr_rd_count(rr) == 1 &&
		    name_text(rd, g->q->any, out->name);
	case LDNS_RR_TYPE_MX:
		if (ldns_rr_rd_count(rr) != 2 || ldns_rdf_size(rd) != 2)
			return false;
		out->pref = get16(ldns_rdf_data(rd));
		return name_text(ldns_rr_rdf(rr, 1), g->q->any, out->name);
	case LDNS_RR_TYPE_TXT:
		return text_take(rr, g, out);
	default:
		return false;
	}
}

static uint32_t
min_ttl(uint32_t a, uint32_t b)
{
	if (b > INT32_MAX) /* RFC 2181 8: the top bit set means zero */
		b = 0;
	return a < b ? a : b;
}

/* RFC 2308 5: how long a "no" may be kept, 0 without a SOA. */
static uint32_t
negative_ttl(const ldns_rr_list *authority, bool *soa)
{
	const ldns_rr *rr;
	uint32_t ttl;
	size_t i;

	*soa = false;
	for (i = 0; i < ldns_rr_list_rr_count(authority); i++) {
		rr = ldns_rr_list_rr(authority, i);
		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA ||
		    ldns_rr_rd_count(rr) != 7)
			continue;
		*soa = true;
		ttl = ldns_rdf2native_int32(ldns_rr_rdf(rr, 6));
		return min_ttl(min_ttl(INT32_MAX, ttl), ldns_rr_ttl(rr));
	}
	return 0;
}

/* The CNAME record of owner, or NULL. */
static const ldns_rr *
cname_of(const ldns_rr_list *answer, const ldns_rdf *owner)
{
	const ldns_rr *rr;
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(answer); i++) {
		rr = ldns_rr_list_rr(answer, i);
		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME &&
		    ldns_rr_rd_count(rr) == 1 &&
		    ldns_dname_compare(ldns_rr_owner(rr), owner) == 0)
			return rr;
	}
	return NULL;
}

/* Keeps a record; of too many, those of the best preferences (MX; others have
 * none). */
static void
keep(const ldns_rr *rr, struct gather *g)
{
	struct dns_answer *a = g->a;
	struct dns_rr one;
	unsigned int i;

	if (a->n == g->max && g->q->type != DNS_MX) {
		a->more++;
		return;
	}
	if (!rr_take(rr, g, &one))
		return;
	if (a->n < g->max)
		a->rr[a->n++] = one;
	else {
		a->more++;
		if (one.pref >= a->rr[g->worst].pref)
			return;
		a->rr[g->worst] = one;
	}
	for (i = 0; a->n == g->max && i < a->n; i++) {
		if (a->rr[i].pref > a->rr[g->worst].pref)
			g->worst = i;
	}
}

/* Puts the records of owner into the answer. */
static void
collect(const ldns_rr_list *answer, const ldns_rdf *owner, struct gather *g)
{
	const ldns_rr *rr;
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(answer); i++) {
		rr = ldns_rr_list_rr(answer, i);
		if (ldns_rr_get_type(rr) != g->q->type ||
		    ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		    ldns_dname_compare(ldns_rr_owner(rr), owner) != 0)
			continue;
		g->a->ttl = min_ttl(g->a->ttl, ldns_rr_ttl(rr));
		g->a->status = DNS_FOUND;
		keep(rr, g);
	}
}

/* Follows the chain and fills the answer. */
static void
read_answer(const ldns_pkt *pkt, const ldns_rdf *name, struct gather *g)
{
	const ldns_rr_list *answer = ldns_pkt_answer(pkt);
	struct dns_answer *a = g->a;
	const ldns_rr *link;
	unsigned int hops;
	uint32_t ttl;
	bool soa;

	a->ttl = INT32_MAX;
	for (hops = 0; (link = cname_of(answer, name)) != NULL; hops++) {
		if (hops == DNS_CNAME_MAX) {
			a->status = DNS_LATER;
			a->why =
			    "a chain of CNAMEs that is too long, or a loop";
			a->ttl = 0;
			return;
		}
		a->ttl = min_ttl(a->ttl, ldns_rr_ttl(link));
		name = ldns_rr_rdf(link, 0);
	}
	collect(answer, name, g);
	if (a->status == DNS_FOUND)
		return;
	ttl = negative_ttl(ldns_pkt_authority(pkt), &soa);
	if (ldns_pkt_get_rcode(pkt) == LDNS_RCODE_NXDOMAIN)
		a->status = DNS_NXDOMAIN;
	else if (hops == 0 || soa)
		a->status = DNS_NODATA;
	else if (name_text(name, g->q->any, a->rr[0].name) &&
	    a->rr[0].name[0] != '\0') {
		/* A server that does not look beyond its zone. */
		a->status = DNS_ALIAS;
		a->n = 1;
		return;
	} else
		a->why = "a CNAME to what is no name of a host";
	a->ttl = min_ttl(a->ttl, ttl);
}

size_t
dns_answer_size(const struct dns_answer *a)
{
	return sizeof *a + a->n * sizeof a->rr[0] + a->texts;
}

struct slice
dns_text(const struct dns_answer *a, unsigned int i)
{
	return (struct slice){ (const char *)&a->rr[a->n] + a->rr[i].text.at,
		a->rr[i].text.len };
}

/* The answer in one piece, no longer than it is. */
static struct dns_answer *
pack(struct gather *g)
{
	struct dns_answer *a = xrealloc(g->a, 1, dns_answer_size(g->a));

	if (a->texts > 0)
		memcpy(&a->rr[a->n], g->texts, a->texts);
	free(g->texts);
	return a;
}

enum dns_read
dns_packet_read(const uint8_t *in, size_t len, const uint8_t *query,
    size_t query_len, const struct dns_question *q, struct dns_answer **answer,
    const char **why)
{
	struct gather g = { .q = q, .max = DNS_RR_MAX };
	struct dns_answer *a;
	enum dns_read r;
	ldns_rdf *name;
	ldns_pkt *pkt = NULL;

	if ((r = header_check(in, len, query, query_len, why)) != DNS_READ)
		return r;
	*why = "an answer that cannot be read";
	if (ldns_wire2pkt(&pkt, in, len) != LDNS_STATUS_OK)
		return DNS_FAILED;
	if (ldns_pkt_edns_extended_rcode(pkt) != 0) {
		ldns_pkt_free(pkt);
		return DNS_PLAIN; /* BADVERS */
	}
	if (q->any || q->type == DNS_TXT)
		g.max = DNS_MANY_MAX;
	if (q->type == DNS_TXT)
		g.texts = xcalloc(1, len);
	g.a = xcalloc(1, sizeof *g.a + g.max * sizeof g.a->rr[0]);
	name = dname_of(q);
	read_answer(pkt, name, &g);
	ldns_rdf_deep_free(name);
	ldns_pkt_free(pkt);
	a = pack(&g);
	/* RFC 1034 4.2.1: a referral says nothing about the name; only who is
	 * the authority, or has asked it for us, can say no. */
	if (a->status != DNS_FOUND && a->status != DNS_LATER &&
	    !(in[2] & BITS_AA) && !(in[3] & BITS_RA)) {
		*why = "the server does not resolve names for us";
		free(a);
		return DNS_FAILED;
	}
	*answer = a;
	return DNS_READ;
}
