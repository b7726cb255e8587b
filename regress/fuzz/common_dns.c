/*
 * dns_packet_read(): whatever a server sends, the answer is about our name,
 * in its bounds, and a name in it is one of a host.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "dns_packet.h"

#define HEADER 12

static void
must_be_name(const char *name, bool any)
{
	struct dns_question q;

	/* What an answer has may be two bytes longer than what is asked for. */
	if (strlen(name) > DNS_NAME_MAX)
		return;
	MUST((any ? dns_question_any(&q, name, DNS_A) :
		    dns_question_set(&q, name, DNS_A)) == NULL);
	MUST(strcmp(q.name, name) == 0);
}

/* Every byte of the texts is there, and belongs to one of them. */
static void
must_be_texts(const struct dns_answer *a)
{
	const char *end = (const char *)a + dns_answer_size(a);
	size_t sum = 0, i, k;
	struct slice text;
	unsigned int ones = 0;

	for (i = 0; i < a->n; i++) {
		text = dns_text(a, (unsigned int)i);
		MUST(text.p + text.len <= end);
		sum += text.len;
		for (k = 0; k < text.len; k++)
			ones += text.p[k] == 1;
	}
	MUST(sum == a->texts && ones <= sum);
}

static void
must_be_answer(const struct dns_answer *a, uint16_t type, bool any)
{
	unsigned int i;

	MUST(a->n <= (any || type == DNS_TXT ? DNS_MANY_MAX : DNS_RR_MAX));
	MUST(a->ttl <= INT32_MAX);
	MUST(a->status != DNS_LATER || (a->why != NULL && a->n == 0));
	MUST(a->status == DNS_FOUND || a->status == DNS_ALIAS || a->n == 0);
	if (a->status == DNS_ALIAS) {
		MUST(a->n == 1);
		must_be_name(a->rr[0].name, any);
	}
	if (type == DNS_TXT && a->status == DNS_FOUND)
		must_be_texts(a);
	if (type != DNS_MX && type != DNS_PTR)
		return;
	for (i = 0; i < a->n && a->status == DNS_FOUND; i++) {
		if (a->rr[i].name[0] != '\0')
			must_be_name(a->rr[i].name, any);
	}
}

/* in: choices, then a packet; or its header from the third byte, and what
 * follows the question. */
int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static const enum dns_type types[] = { DNS_A, DNS_MX, DNS_AAAA,
		DNS_PTR };
	struct slice all = { (const char *)in, len }, header;
	uint8_t choice = fuzz_byte(&all), query[DNS_QUERY_MAX], *packet;
	struct dns_answer *answer = NULL;
	struct dns_question q;
	const char *why = NULL;
	size_t query_len, front = 0;
	bool any = (choice & 64) != 0;
	enum dns_type type = (choice & 32) != 0 ? DNS_TXT : types[choice % 4];

	if ((any ? dns_question_any : dns_question_set)(&q, "mx.example.org",
		type) != NULL)
		abort();
	query_len = dns_packet_build(&q, 0x1234, false, query);
	MUST(query_len > HEADER && query_len <= DNS_QUERY_MAX);
	packet = malloc(query_len + all.len + 1);
	if ((choice & 128) == 0) {
		header = fuzz_take(&all, HEADER - 2);
		memcpy(packet, query, front = query_len);
		memcpy(packet + 2, header.p, header.len);
		packet[2] |= 0x80;
		packet[4] = 0;
		packet[5] = 1;
	}
	memcpy(packet + front, all.p, all.len);
	packet = realloc(packet, front + all.len + (front + all.len == 0));
	if (dns_packet_read(packet, front + all.len, query, query_len, &q,
		&answer, &why) == DNS_READ) {
		must_be_answer(answer, q.type, any);
		free(answer);
	} else
		MUST(why != NULL);
	free(packet);
	return 0;
}
