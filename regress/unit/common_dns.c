/*
 * DNS packets: questions built, answers good, lying, cut short and hostile.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <time.h>

#include "dns_build.h"
#include "dns_packet.h"
#include "unit.h"

enum { ID = 0x1234 };

static struct dns_question q;
static uint8_t query[DNS_QUERY_MAX];
static size_t query_len;

static void
ask(const char *name, enum dns_type type)
{
	if (dns_question_set(&q, name, type) != NULL)
		abort();
	query_len = dns_packet_build(&q, ID, true, query);
}

static enum dns_read
read_bytes(const void *p, size_t len, struct dns_answer **a)
{
	const char *why = NULL;
	enum dns_read r;
	char *guarded = unit_guard(p, len);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t whole = (len + page - 1) / page * page + page;

	*a = NULL;
	r = dns_packet_read((const uint8_t *)guarded, len, query, query_len, &q,
	    a, &why);
	if (r != DNS_READ && why == NULL)
		abort();
	/* Many small pieces: give them back. */
	munmap(guarded + len + page - whole, whole);
	return r;
}

static enum dns_read
read_packet(const struct dns_build *p, struct dns_answer **a)
{
	return read_bytes(p->b, p->n, a);
}

/* ---- questions ---- */

static void
questions(void)
{
	static char long_label[80], long_name[400];
	static const struct {
		const char *name;
		int good;
	} rows[] = {
		{ "example.org", 1 },
		{ "MX-1.Example.ORG", 1 },
		{ "_dmarc.example.org", 1 },
		{ "org", 1 },
		{ "", 0 },
		{ ".", 0 },
		{ "example..org", 0 },
		{ ".example.org", 0 },
		{ "example.org.", 0 },
		{ "exa mple.org", 0 },
		{ "ex\\097mple.org", 0 },
		{ "ex\xc3\xa4mple.org", 0 },
		{ long_label, 0 },
		{ long_name, 0 },
	};
	struct dns_question out;
	char name[64];
	size_t i;

	memset(long_label, 'a', 64);
	for (i = 0; i < 200; i++)
		memcpy(long_name + 2 * i, i == 199 ? "a" : "a.", 2);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(name, sizeof name, "dns question %zu", i);
		CHECK(name,
		    (dns_question_set(&out, rows[i].name, DNS_MX) == NULL) ==
			rows[i].good);
	}
	dns_question_set(&out, "MX.Example", DNS_A);
	CHECK("dns question is lower case",
	    strcmp(out.name, "mx.example") == 0);
}

static void
building(void)
{
	static const uint8_t want[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00"
				      "\x00\x00\x00\3org\0\0\x0f\0\x01";
	static const uint8_t edns[] = "\0\0\x29\x04\xd0\0\0\0\0\0\0";
	uint8_t out[DNS_QUERY_MAX];
	size_t len;

	ask("org", DNS_MX);
	len = dns_packet_build(&q, ID, false, out);
	CHECK("dns query bytes",
	    len == sizeof want - 1 && memcmp(out, want, len) == 0);
	CHECK("dns query with EDNS 1232",
	    query_len == len + sizeof edns - 1 && query[11] == 1 &&
		memcmp(query + len, edns, sizeof edns - 1) == 0);
}

/* ---- answers ---- */

/* Each makes a packet in p. */
static void
mx_two(struct dns_build *p)
{
	put_header(p, ID, QR | RD | RA);
	put_question(p, "example.org", 15);
	put_mx(p, "example.org", 300, 20, "b.example.org");
	put_mx(p, "EXAMPLE.org", 200, 10, "A.example.org");
}

static void
other_case(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
	put_question(p, "eXaMpLe.OrG", 15);
	put_mx(p, "example.org", 300, 20, "b.example.org");
}

static void
wrong_id(struct dns_build *p)
{
	mx_two(p);
	p->b[1]++;
}

static void
a_query(struct dns_build *p)
{
	mx_two(p);
	p->b[2] &= 0x7f;
}

static void
other_opcode(struct dns_build *p)
{
	mx_two(p);
	p->b[2] |= 0x08;
}

static void
other_name(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
	put_question(p, "example.net", 15);
	put_mx(p, "example.net", 300, 20, "b.example.org");
}

static void
longer_name(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
	put_question(p, "example.org.evil", 15);
}

static void
other_type(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
	put_question(p, "example.org", 1);
}

static void
no_question(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
}

static void
two_questions(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
	put_question(p, "example.org", 15);
	put_question(p, "example.org", 15);
}

static void
only_header(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
	p->n = 11;
}

static void
truncated(struct dns_build *p)
{
	mx_two(p);
	p->b[2] |= 0x02;
	p->n = 30; /* not a byte of it is read */
}

static void
rcode(struct dns_build *p, unsigned int code)
{
	put_header(p, ID, QR | RA | code);
	put_question(p, "example.org", 15);
}

static void
servfail(struct dns_build *p)
{
	rcode(p, 2);
}

static void
refused(struct dns_build *p)
{
	rcode(p, 5);
}

static void
formerr(struct dns_build *p)
{
	rcode(p, 1);
}

static void
notimp_bare(struct dns_build *p)
{
	put_header(p, ID, QR | 4);
}

static void
badvers(struct dns_build *p)
{
	static const uint8_t opt[] = "\0\0\x29\x04\xd0\x01\0\0\0\0\0";

	rcode(p, 0);
	put(p, opt, sizeof opt - 1);
	p->b[AR + 1] = 1;
}

static void
nxdomain(struct dns_build *p)
{
	rcode(p, 3);
	put_soa(p, "org", 3600, 600);
}

static void
nxdomain_lame(struct dns_build *p)
{
	put_header(p, ID, QR | 3);
	put_question(p, "example.org", 15);
}

static void
nodata(struct dns_build *p)
{
	rcode(p, 0);
	put_soa(p, "org", 60, 600);
}

static void
nodata_no_soa(struct dns_build *p)
{
	rcode(p, 0);
}

static void
referral(struct dns_build *p)
{
	put_header(p, ID, QR);
	put_question(p, "example.org", 15);
	put_rr(p, NS, "org", 2, 300, name_size("ns.org"));
	put_name(p, "ns.org");
}

static void
null_mx(struct dns_build *p)
{
	rcode(p, 0);
	put_mx(p, "example.org", 300, 0, "");
}

static void
odd_host(struct dns_build *p)
{
	rcode(p, 0);
	put_mx(p, "example.org", 300, 1, "a b.example.org");
	put_mx(p, "example.org", 300, 2, "good.example.org");
}

static void
stranger_owner(struct dns_build *p)
{
	rcode(p, 0);
	put_mx(p, "evil.example", 300, 1, "mx.evil.example");
	put_soa(p, "org", 60, 600);
}

static void
many_mx(struct dns_build *p)
{
	int i;

	rcode(p, 0);
	for (i = 0; i < 40; i++)
		put_mx(p, "example.org", 300, (unsigned int)i,
		    "mx.example.org");
}

/* MX records of the name asked for, pointers for all names; the preferences
 * fall to 1. */
static void
falling_mx(struct dns_build *p, unsigned int n)
{
	unsigned int i;

	rcode(p, 0);
	for (i = n; i > 0; i--) {
		put16(p, 0xc000 | 12);
		put16(p, DNS_MX);
		put16(p, 1);
		put16(p, 0);
		put16(p, 300);
		put16(p, 4);
		put16(p, i);
		put16(p, 0xc000 | 12);
	}
	p->b[AN] = (uint8_t)(n >> 8);
	p->b[AN + 1] = (uint8_t)n;
}

static void
mx_500(struct dns_build *p)
{
	falling_mx(p, 500);
}

static void
too_many(struct dns_build *p)
{
	falling_mx(p, 2049);
}

static void
count_lies(struct dns_build *p)
{
	mx_two(p);
	p->b[AN + 1] = 200;
}

static void
short_mx(struct dns_build *p)
{
	rcode(p, 0);
	put_rr(p, AN, "example.org", 15, 300, 1);
	put(p, "", 1);
}

static void
rdata_past_end(struct dns_build *p)
{
	rcode(p, 0);
	put_rr(p, AN, "example.org", 15, 300, 60000);
	put(p, "\0\1\0", 3);
}

static void
top_bit_ttl(struct dns_build *p)
{
	rcode(p, 0);
	put_mx(p, "example.org", 0x80000001, 1, "mx.example.org");
}

static void
pointer_to_itself(struct dns_build *p)
{
	size_t at;

	rcode(p, 0);
	put_rr(p, AN, "example.org", 15, 300, 4);
	put16(p, 10);
	at = p->n;
	put16(p, 0xc000 | (unsigned int)at);
}

static void
pointer_past_end(struct dns_build *p)
{
	rcode(p, 0);
	put_rr(p, AN, "example.org", 15, 300, 4);
	put16(p, 10);
	put16(p, 0xffff);
}

static void
label_type_unknown(struct dns_build *p)
{
	rcode(p, 0);
	put_rr(p, AN, "example.org", 15, 300, 6);
	put16(p, 10);
	put(p,
	    "\x80"
	    "abc",
	    4);
}

/* Columns: name, packet, what is made of it; for READ: status, records, TTL. */
static const struct {
	const char *name;
	void (*make)(struct dns_build *p);
	enum dns_read read;
	enum dns_status status;
	unsigned int n;
	uint32_t ttl;
} answers[] = {
	{ "two MX", mx_two, DNS_READ, DNS_FOUND, 2, 200 },
	{ "question in other case", other_case, DNS_READ, DNS_FOUND, 1, 300 },
	{ "wrong id", wrong_id, DNS_NOT_OURS, 0, 0, 0 },
	{ "no answer but a query", a_query, DNS_NOT_OURS, 0, 0, 0 },
	{ "other opcode", other_opcode, DNS_NOT_OURS, 0, 0, 0 },
	{ "other name", other_name, DNS_NOT_OURS, 0, 0, 0 },
	{ "longer name", longer_name, DNS_NOT_OURS, 0, 0, 0 },
	{ "other type", other_type, DNS_NOT_OURS, 0, 0, 0 },
	{ "no question", no_question, DNS_NOT_OURS, 0, 0, 0 },
	{ "two questions", two_questions, DNS_NOT_OURS, 0, 0, 0 },
	{ "shorter than a header", only_header, DNS_NOT_OURS, 0, 0, 0 },
	{ "truncated", truncated, DNS_CUT, 0, 0, 0 },
	{ "SERVFAIL", servfail, DNS_FAILED, 0, 0, 0 },
	{ "REFUSED", refused, DNS_FAILED, 0, 0, 0 },
	{ "FORMERR", formerr, DNS_PLAIN, 0, 0, 0 },
	{ "NOTIMP, bare header", notimp_bare, DNS_PLAIN, 0, 0, 0 },
	{ "BADVERS", badvers, DNS_PLAIN, 0, 0, 0 },
	{ "NXDOMAIN", nxdomain, DNS_READ, DNS_NXDOMAIN, 0, 600 },
	{ "NXDOMAIN from who does not know", nxdomain_lame, DNS_FAILED, 0, 0,
	    0 },
	{ "NODATA", nodata, DNS_READ, DNS_NODATA, 0, 60 },
	{ "NODATA without SOA", nodata_no_soa, DNS_READ, DNS_NODATA, 0, 0 },
	{ "referral", referral, DNS_FAILED, 0, 0, 0 },
	{ "null MX", null_mx, DNS_READ, DNS_FOUND, 1, 300 },
	{ "MX that no host can have", odd_host, DNS_READ, DNS_FOUND, 1, 300 },
	{ "records of others", stranger_owner, DNS_READ, DNS_NODATA, 0, 60 },
	{ "40 MX", many_mx, DNS_READ, DNS_FOUND, DNS_RR_MAX, 300 },
	{ "500 MX", mx_500, DNS_READ, DNS_FOUND, DNS_RR_MAX, 300 },
	{ "2049 MX", too_many, DNS_FAILED, 0, 0, 0 },
	{ "count that lies", count_lies, DNS_FAILED, 0, 0, 0 },
	{ "MX of one byte", short_mx, DNS_FAILED, 0, 0, 0 },
	{ "data past the end", rdata_past_end, DNS_FAILED, 0, 0, 0 },
	{ "TTL with the top bit", top_bit_ttl, DNS_READ, DNS_FOUND, 1, 0 },
	{ "pointer to itself", pointer_to_itself, DNS_FAILED, 0, 0, 0 },
	{ "pointer past the end", pointer_past_end, DNS_FAILED, 0, 0, 0 },
	{ "unknown kind of label", label_type_unknown, DNS_FAILED, 0, 0, 0 },
};

static void
reading(void)
{
	static struct dns_build p;
	struct dns_answer *a;
	enum dns_read r;
	char name[80];
	size_t i;

	ask("example.org", DNS_MX);
	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		answers[i].make(&p);
		r = read_packet(&p, &a);
		snprintf(name, sizeof name, "dns answer: %s", answers[i].name);
		CHECK(name,
		    r == answers[i].read &&
			(r != DNS_READ ||
			    (a->status == answers[i].status &&
				a->n == answers[i].n &&
				a->ttl == answers[i].ttl)));
		free(a);
	}
	mx_two(&p);
	read_packet(&p, &a);
	CHECK("dns MX records",
	    a->rr[0].pref == 20 &&
		strcmp(a->rr[0].name, "b.example.org") == 0 &&
		a->rr[1].pref == 10 &&
		strcmp(a->rr[1].name, "a.example.org") == 0);
	free(a);
	null_mx(&p);
	read_packet(&p, &a);
	CHECK("dns null MX is an empty name", a->rr[0].name[0] == '\0');
	free(a);
	odd_host(&p);
	read_packet(&p, &a);
	CHECK("dns odd host is passed over",
	    strcmp(a->rr[0].name, "good.example.org") == 0);
	free(a);
}

static void
addresses(void)
{
	static struct dns_build p;
	struct dns_answer *a;

	ask("mx.example.org", DNS_A);
	put_header(&p, ID, QR | RA);
	put_question(&p, "mx.example.org", 1);
	put_a(&p, "mx.example.org", 60, 7);
	put_aaaa(&p, "mx.example.org", 60, 8);
	CHECK("dns A",
	    read_packet(&p, &a) == DNS_READ && a->n == 1 &&
		a->rr[0].a.s_addr == htonl(0xc0000207));
	free(a);
	ask("mx.example.org", DNS_AAAA);
	put_header(&p, ID, QR | RA);
	put_question(&p, "mx.example.org", 28);
	put_aaaa(&p, "mx.example.org", 60, 8);
	CHECK("dns AAAA",
	    read_packet(&p, &a) == DNS_READ && a->n == 1 &&
		a->rr[0].aaaa.s6_addr[15] == 8);
	free(a);
	ask("mx.example.org", DNS_A);
	put_header(&p, ID, QR | RA);
	put_question(&p, "mx.example.org", 1);
	put_rr(&p, AN, "mx.example.org", 1, 60, 3);
	put(&p, "abc", 3);
	CHECK("dns A of three bytes", read_packet(&p, &a) == DNS_FAILED);
}

static void
put_ptr(struct dns_build *p, const char *owner, const char *name)
{
	put_rr(p, AN, owner, 12, 60, name_size(name));
	put_name(p, name);
}

static void
names(void)
{
	static const char addr[] = "1.2.0.192.in-addr.arpa";
	static struct dns_build p;
	struct dns_answer *a;

	ask(addr, DNS_PTR);
	put_header(&p, ID, QR | RA);
	put_question(&p, addr, 12);
	put_ptr(&p, addr, "Mail.Example.org");
	put_ptr(&p, addr, "no host.example.org");
	put_ptr(&p, addr, "other.example.org");
	CHECK("dns PTR",
	    read_packet(&p, &a) == DNS_READ && a->n == 2 &&
		strcmp(a->rr[0].name, "mail.example.org") == 0 &&
		strcmp(a->rr[1].name, "other.example.org") == 0);
	free(a);
	/* RFC 2317: the owner of less than a /24 has it behind a CNAME, whose
	 * name is one that no host has. */
	put_header(&p, ID, QR | RA);
	put_question(&p, addr, 12);
	put_cname(&p, addr, 60, "1.0/25.2.0.192.in-addr.arpa");
	put_ptr(&p, "1.0/25.2.0.192.in-addr.arpa", "mail.example.org");
	CHECK("dns PTR behind a CNAME (RFC 2317)",
	    read_packet(&p, &a) == DNS_READ && a->n == 1 &&
		strcmp(a->rr[0].name, "mail.example.org") == 0);
	free(a);
	put_header(&p, ID, QR | RA);
	put_question(&p, addr, 12);
	put_rr(&p, AN, addr, 12, 60, 3);
	put(&p, "\3ab", 3);
	CHECK("dns PTR cut short", read_packet(&p, &a) == DNS_FAILED);
	put_header(&p, ID, QR | RA);
	put_question(&p, addr, 12);
	put_ptr(&p, addr, "");
	CHECK("dns PTR to the root",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_FOUND &&
		a->n == 1 && a->rr[0].name[0] == '\0');
	free(a);
}

/* ---- names of any bytes, as macros of SPF make them ---- */

static const struct {
	const char *name;
	int good;
} any_names[] = {
	{ "example.org", 1 },
	{ "A b.Example.org", 1 },
	{ "a\\b.example", 1 },
	{ "a\\046b.example", 1 },
	{ "\"(;@$/.example", 1 },
	{ "\x01\x7f\x80\xff.example", 1 },
	{ "a..example", 0 },
	{ ".example", 0 },
	{ "example.", 0 },
	{ "", 0 },
};

static void
any_questions(void)
{
	static const uint8_t want[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00"
				      "\x00\x00\x00\5\\04 b\3\"\xff;\3org"
				      "\0\0\x10\0\x01";
	char long_name[300], name[80];
	uint8_t out[DNS_QUERY_MAX];
	struct dns_question a;
	size_t i, len;

	for (i = 0; i < sizeof any_names / sizeof any_names[0]; i++) {
		snprintf(name, sizeof name, "dns any question %zu", i);
		CHECK(name,
		    (dns_question_any(&a, any_names[i].name, DNS_TXT) ==
			NULL) == any_names[i].good);
	}
	dns_question_any(&a, "\\04 B.\"\xff;.org", DNS_TXT);
	len = dns_packet_build(&a, ID, false, out);
	CHECK("dns query with bytes that mean something in text",
	    len == sizeof want - 1 && memcmp(out, want, len) == 0);
	for (i = 0; i < 253; i++)
		long_name[i] = i % 2 == 0 ? (char)0xfe : '.';
	long_name[253] = '\0';
	CHECK("dns name of 253 bytes",
	    strlen(long_name) == DNS_NAME_MAX &&
		dns_question_any(&a, long_name, DNS_TXT) == NULL &&
		dns_packet_build(&a, ID, true, out) > 255);
	memcpy(long_name + 252, "ab", 3);
	CHECK("dns name of 254 bytes is none",
	    dns_question_any(&a, long_name, DNS_TXT) != NULL);
	memset(long_name, 'a', 64);
	memcpy(long_name + 63, ".b", 3);
	CHECK("dns label of 63 bytes",
	    dns_question_any(&a, long_name, DNS_TXT) == NULL);
	memcpy(long_name + 63, "a.b", 4);
	CHECK("dns label of 64 bytes is none",
	    dns_question_any(&a, long_name, DNS_TXT) != NULL);
}

/* Whoever asks for any name gets hosts of any name too. */
static void
any_hosts(void)
{
	static const char odd[] = "f:o/o.example.org";
	static struct dns_build p;
	struct dns_answer *a;

	dns_question_any(&q, odd, DNS_MX);
	query_len = dns_packet_build(&q, ID, true, query);
	put_header(&p, ID, QR | RA);
	put_question(&p, odd, 15);
	put_mx(&p, odd, 60, 10, "B\xe4r \\.example.org");
	CHECK("dns MX of any bytes",
	    read_packet(&p, &a) == DNS_READ && a->n == 1 &&
		strcmp(a->rr[0].name, "b\xe4r \\.example.org") == 0);
	free(a);
	put_header(&p, ID, QR | RA);
	put_question(&p, odd, 15);
	put_rr(&p, AN, odd, 15, 60, 2 + 6);
	put(&p, "\0\1\4a.bc\0", 8);
	CHECK("dns MX with a dot in a label is passed over",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_FOUND &&
		a->n == 0);
	free(a);
}

/* ---- TXT ---- */

static void
put_txt(struct dns_build *p, const char *owner, const void *data, size_t len)
{
	put_rr(p, AN, owner, 16, 60, len);
	put(p, data, len);
}

static void
text_question(struct dns_build *p)
{
	put_header(p, ID, QR | RA);
	put_question(p, "example.org", 16);
}

static void
texts(void)
{
	static struct dns_build p;
	struct dns_answer *a;
	unsigned int i;
	char one[8];

	ask("example.org", DNS_TXT);
	text_question(&p);
	put_txt(&p, "example.org", "\3v=s\0\3pf1\1 ", 11);
	put_txt(&p, "example.org", "\4\0\xff\n\"", 5);
	put_txt(&p, "example.org", "\0", 1);
	put_a(&p, "example.org", 60, 7);
	CHECK("dns TXT: strings are joined, bytes stay",
	    read_packet(&p, &a) == DNS_READ && a->n == 3 && a->more == 0 &&
		slice_eq(dns_text(a, 0), SLICE("v=spf1 ")) &&
		slice_eq(dns_text(a, 1), SLICE("\0\xff\n\"")) &&
		dns_text(a, 2).len == 0 &&
		dns_answer_size(a) == sizeof *a + 3 * sizeof a->rr[0] + 11);
	free(a);
	text_question(&p);
	put_txt(&p, "example.org", "", 0);
	put_txt(&p, "example.org", "\1x", 2);
	CHECK("dns TXT without any string",
	    read_packet(&p, &a) != DNS_READ ||
		slice_eq(dns_text(a, a->n - 1), SLICE("x")));
	free(a);
	text_question(&p);
	put_txt(&p, "example.org", "\5abcd", 5);
	CHECK("dns TXT cut short", read_packet(&p, &a) == DNS_FAILED);
	text_question(&p);
	for (i = 0; i < DNS_MANY_MAX + 44; i++) {
		snprintf(one, sizeof one, "\3%03u", i);
		put_txt(&p, "example.org", one, 4);
	}
	CHECK("dns 300 TXT: the first of them, and how many more",
	    read_packet(&p, &a) == DNS_READ && a->n == DNS_MANY_MAX &&
		a->more == 44 && slice_eq(dns_text(a, 0), SLICE("000")) &&
		slice_eq(dns_text(a, 255), SLICE("255")));
	free(a);
}

/* As much as fits in a packet, in one record, and all of it read. */
static void
large_text(void)
{
	static struct dns_build p;
	static uint8_t data[65024];
	struct dns_answer *a = NULL;
	size_t i;

	memset(data, 'x', sizeof data);
	for (i = 0; i < sizeof data; i += 256)
		data[i] = 255;
	ask("example.org", DNS_TXT);
	text_question(&p);
	put_txt(&p, "example.org", data, sizeof data);
	CHECK("dns TXT of 64 KB",
	    read_packet(&p, &a) == DNS_READ && a->n == 1 &&
		dns_text(a, 0).len == sizeof data / 256 * 255);
	free(a);
}

/* ---- chains ---- */

static void
chain(struct dns_build *p, unsigned int links)
{
	char from[32], to[32];
	unsigned int i;

	put_header(p, ID, QR | RA);
	put_question(p, "n0.example.org", 1);
	for (i = 0; i < links; i++) {
		snprintf(from, sizeof from, "n%u.example.org", i);
		snprintf(to, sizeof to, "n%u.example.org", i + 1);
		put_cname(p, from, 100 + i, to);
	}
}

static void
chains(void)
{
	static struct dns_build p;
	struct dns_answer *a;

	ask("n0.example.org", DNS_A);
	chain(&p, 3);
	put_a(&p, "n3.example.org", 500, 9);
	CHECK("dns chain of three",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_FOUND &&
		a->n == 1 && a->ttl == 100);
	free(a);
	chain(&p, DNS_CNAME_MAX);
	put_a(&p, "n8.example.org", 500, 9);
	CHECK("dns chain as long as may be",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_FOUND);
	free(a);
	chain(&p, DNS_CNAME_MAX + 1);
	put_a(&p, "n9.example.org", 500, 9);
	CHECK("dns chain too long is later",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_LATER &&
		a->ttl == 0 && a->why != NULL);
	free(a);
	chain(&p, 2);
	put_cname(&p, "n2.example.org", 60, "n0.example.org");
	CHECK("dns chain in a loop is later",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_LATER);
	free(a);
	chain(&p, 0);
	put_cname(&p, "n0.example.org", 60, "n0.example.org");
	CHECK("dns name that is its own CNAME is later",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_LATER);
	free(a);
	chain(&p, 2);
	CHECK("dns chain out of the zone is an alias",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_ALIAS &&
		strcmp(a->rr[0].name, "n2.example.org") == 0 && a->ttl == 100);
	free(a);
	chain(&p, 2);
	put_soa(&p, "example.org", 50, 70);
	CHECK("dns chain to NODATA",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_NODATA &&
		a->ttl == 50);
	free(a);
	chain(&p, 1);
	p.b[3] |= 3;
	put_soa(&p, "example.org", 50, 70);
	CHECK("dns chain to NXDOMAIN",
	    read_packet(&p, &a) == DNS_READ && a->status == DNS_NXDOMAIN);
	free(a);
}

/* ---- hostile ---- */

/* Pointers to pointers to pointers, and records that all lead through them. */
static void
bomb(void)
{
	static struct dns_build p;
	struct dns_answer *a = NULL;
	clock_t start = clock();
	unsigned int i, at;

	ask("example.org", DNS_MX);
	put_header(&p, ID, QR | RA);
	put_question(&p, "example.org", 15);
	put_rr(&p, AN, "example.org", 16, 60, 8000);
	at = (unsigned int)p.n;
	put16(&p, 0xc000 | 12);
	for (i = 1; i < 4000; i++)
		put16(&p, 0xc000 | (at + 2 * (i - 1)));
	for (i = 0; i < 2000; i++) {
		put16(&p, 0xc000 | (at + 2 * 3999));
		put16(&p, 15);
		put16(&p, 1);
		put16(&p, 0);
		put16(&p, 60);
		put16(&p, 4);
		put16(&p, 1);
		put16(&p, 0xc000 | (at + 2 * 3999));
	}
	p.b[AN] = 2001 >> 8;
	p.b[AN + 1] = 2001 & 0xff;
	read_packet(&p, &a);
	free(a);
	CHECK("dns compression bomb costs less than a second",
	    p.n < DNS_TCP_MAX && clock() - start < (clock_t)CLOCKS_PER_SEC);
}

/* Of more than are kept, the best preferences, wherever they stand. */
static void
best(void)
{
	static struct dns_build p;
	struct dns_answer *a = NULL;
	unsigned int i, sum = 0;

	ask("example.org", DNS_MX);
	mx_500(&p);
	read_packet(&p, &a);
	for (i = 0; i < a->n; i++)
		sum += a->rr[i].pref;
	CHECK("dns the best of 500 MX are kept",
	    a->n == DNS_RR_MAX && sum == DNS_RR_MAX * (DNS_RR_MAX + 1) / 2);
	free(a);
}

/* Each packet cut at each byte, and with each byte spoilt. */
static void
cuts(void)
{
	static struct dns_build p, spoilt;
	struct dns_answer *a;
	size_t i, k;
	int whole = 0, bad = 0;

	ask("example.org", DNS_MX);
	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		answers[i].make(&p);
		if (p.n > 400)
			continue;
		for (k = 0; k < p.n; k++) {
			if (read_bytes(p.b, k, &a) == DNS_READ &&
			    a->status == DNS_FOUND)
				whole++;
			free(a);
			spoilt = p;
			spoilt.b[k] ^= 0xff;
			if (read_packet(&spoilt, &a) == DNS_READ &&
			    (a->n > DNS_RR_MAX || a->status > DNS_ALIAS))
				bad++;
			free(a);
		}
	}
	CHECK("dns answers cut short find nothing", whole == 0);
	CHECK("dns answers with a spoilt byte stay in bounds", bad == 0);
}

int
main(void)
{
	questions();
	building();
	reading();
	addresses();
	names();
	any_questions();
	any_hosts();
	texts();
	large_text();
	chains();
	best();
	bomb();
	cuts();
	return unit_end();
}
