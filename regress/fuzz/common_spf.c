/*
 * SPF: whatever records say and the DNS answers, a check ends, once, within its
 * limits (RFC 7208 4.6.4), and asks only for names that can be; and what a
 * record is taken for does not depend on the one who looks.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "dns.h"
#include "spf.h"
#include "spf_macro.h"
#include "spf_parse.h"

enum {
	/* The first record, ten terms of eleven questions, the names of the
	 * client, the explanation. */
	ASKED_MAX = 1 + 10 * 11 + 11 + 1,
	RECORDS_MAX = 12
};

/* ---- a DNS that says what the input says ---- */

static struct slice input;
static struct dns_ask *open_ask;
static unsigned int n_asked;

void
dns_ask_any(struct dns *d, struct dns_ask *a, const char *name,
    enum dns_type type, dns_fn *fn, void *arg)
{
	MUST(open_ask == NULL && a->dns == NULL);
	*a = (struct dns_ask){ .dns = d, .fn = fn, .arg = arg };
	MUST(dns_question_any(&a->q, name, type) == NULL);
	open_ask = a;
	MUST(++n_asked <= ASKED_MAX);
}

void
dns_ask(struct dns *d, struct dns_ask *a, const char *name, enum dns_type type,
    dns_fn *fn, void *arg)
{
	dns_ask_any(d, a, name, type, fn, arg);
}

void
dns_cancel(struct dns_ask *a)
{
	a->dns = NULL;
	if (open_ask == a)
		open_ask = NULL;
}

/* A line is a TXT record, a name, or bytes of an address. */
static void
add_record(struct dns_answer *a, uint16_t type, char *texts)
{
	struct dns_rr *rr = &a->rr[a->n++];
	struct slice line = fuzz_line(&input);
	struct dns_question q;
	size_t i;

	if (type == DNS_TXT) {
		rr->text.at = a->texts;
		rr->text.len = (uint32_t)line.len;
		if (line.len > 0)
			memcpy(texts + a->texts, line.p, line.len);
		a->texts += (uint32_t)line.len;
	} else if (type == DNS_A || type == DNS_AAAA) {
		if (line.len > 0)
			memcpy(&rr->aaaa, line.p,
			    line.len < 16 ? line.len : 16);
	} else {
		for (i = 0; i < line.len && i < DNS_NAME_MAX; i++)
			rr->name[i] = line.p[i] == '\0' ? 'x' : line.p[i];
		/* A packet has no names with empty labels. */
		if (dns_question_any(&q, rr->name, DNS_A) != NULL)
			memset(rr->name, 0, sizeof rr->name);
	}
}

static void
answer_one(void)
{
	static const enum dns_status status[] = { DNS_FOUND, DNS_FOUND,
		DNS_FOUND, DNS_FOUND, DNS_FOUND, DNS_NODATA, DNS_NXDOMAIN,
		DNS_LATER };
	uint8_t choice = fuzz_byte(&input);
	unsigned int n = 1 + (choice >> 3) % RECORDS_MAX, i;
	struct dns_ask *ask = open_ask;
	char *texts = malloc(input.len + 1);
	struct dns_answer *a =
	    calloc(1, sizeof *a + n * sizeof a->rr[0] + input.len);

	if (a == NULL || texts == NULL)
		abort();
	a->status = status[choice & 7];
	a->why = a->status == DNS_LATER ? "silence" : NULL;
	/* Texts are seldom several. */
	if (ask->q.type == DNS_TXT && n > 2)
		n = 1;
	for (i = 0; a->status == DNS_FOUND && i < n; i++)
		add_record(a, ask->q.type, texts);
	memcpy(&a->rr[a->n], texts, a->texts);
	a->more = choice == 0xf8;
	free(texts);
	open_ask = NULL;
	ask->dns = NULL;
	ask->fn(ask->arg, a);
	free(a);
}

/* ---- what must hold ---- */

static void
must_be_printable(const char *text, size_t size)
{
	MUST(strlen(text) < size);
	for (; *text != '\0'; text++)
		MUST(*text >= ' ' && *text <= '~');
}

static void
on_answer(void *arg, const struct spf_answer *a)
{
	unsigned int *told = arg;

	(*told)++;
	MUST(a->result > RES_UNSAID && a->result <= RES_PERMERROR);
	MUST(a->lookups <= SPF_LOOKUPS_MAX && a->voids <= SPF_VOID_MAX);
	must_be_printable(a->mechanism, sizeof a->mechanism);
	must_be_printable(a->why, sizeof a->why);
	must_be_printable(a->exp, sizeof a->exp);
	MUST(a->why[0] != '\0' && strstr(a->why, " exp=") == NULL);
	MUST(a->exp[0] == '\0' || a->result == RES_FAIL);
	MUST(a->mechanism[0] == '\0' || a->result != RES_NONE);
	MUST(memchr(a->identity, '\0', sizeof a->identity) != NULL);
}

/* Reading a record again finds the same terms, all within it. */
static void
must_be_record(struct slice text)
{
	struct slice terms, rest, bad;
	struct spf_record r;
	struct spf_term t;
	const char *why;

	if (!spf_is_record(text, &terms))
		return;
	why = spf_record_read(terms, &r, &bad);
	rest = terms;
	do {
		if (spf_term_next(&rest, &t) != NULL) {
			MUST(why != NULL);
			return;
		}
		MUST(t.text.p >= terms.p &&
		    t.text.p + t.text.len <= terms.p + terms.len);
		MUST(t.bits4 <= 32 && t.bits6 <= 128);
	} while (t.kind != SPF_END);
}

/* in: the client, HELO, the sender, each a line; then answers. */
int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct loop *loop;
	void *copy = fuzz_copy(in, len);
	struct spf_query q = { .ours = "mx.ours.test" };
	char *client, *helo, *sender;
	struct spf_check *c;
	unsigned int told = 0;

	if (loop == NULL) {
		fuzz_quiet();
		loop = loop_new();
	}
	must_be_record((struct slice){ copy, len });
	input = (struct slice){ copy, len };
	open_ask = NULL;
	n_asked = 0;
	q.client = client = fuzz_text(fuzz_line(&input));
	q.helo = helo = fuzz_text(fuzz_line(&input));
	q.sender = sender = fuzz_text(fuzz_line(&input));
	c = spf_start(loop, (struct dns *)&input, &q, on_answer, &told);
	MUST((c == NULL) == (told == 1));
	while (told == 0 && input.len > 0)
		answer_one();
	if (told == 0)
		spf_cancel(&c);
	MUST(told <= 1 && open_ask == NULL);
	free(client);
	free(helo);
	free(sender);
	free(copy);
	return 0;
}
