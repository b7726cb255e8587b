/*
 * A DNS that answers from a table, when the test says so: stands in for
 * dns_wait.c.  What is asked for waits in the order in which it was asked.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DNS_FAKE_H
#define DNS_FAKE_H

#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"

enum { FAKE_RR_MAX = 12, FAKE_ASKS_MAX = 64 };

/* What is in no row does not exist. */
struct fake_row {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	const char *rr[FAKE_RR_MAX];
};

static struct {
	const struct fake_row *rows;
	size_t n_rows;
	struct dns_ask *open[FAKE_ASKS_MAX];
	unsigned int n_open;
	unsigned int n_asked; /* ever */
} fake;

static inline void
fake_ask(struct dns *d, struct dns_ask *a, const char *name, enum dns_type type,
    dns_fn *fn, void *arg)
{
	if (a->dns != NULL || fake.n_open == FAKE_ASKS_MAX)
		abort();
	*a = (struct dns_ask){ .dns = d, .fn = fn, .arg = arg };
	if (dns_question_any(&a->q, name, type) != NULL)
		abort();
	fake.open[fake.n_open++] = a;
	fake.n_asked++;
}

void
dns_ask(struct dns *d, struct dns_ask *a, const char *name, enum dns_type type,
    dns_fn *fn, void *arg)
{
	fake_ask(d, a, name, type, fn, arg);
}

void
dns_ask_any(struct dns *d, struct dns_ask *a, const char *name,
    enum dns_type type, dns_fn *fn, void *arg)
{
	fake_ask(d, a, name, type, fn, arg);
}

void
dns_cancel(struct dns_ask *a)
{
	unsigned int i;

	a->dns = NULL;
	for (i = 0; i < fake.n_open; i++) {
		if (fake.open[i] != a)
			continue;
		memmove(&fake.open[i], &fake.open[i + 1],
		    (fake.n_open - i - 1) * sizeof fake.open[0]);
		fake.n_open--;
	}
}

static inline void
fake_record(struct dns_answer *a, enum dns_type type, const char *text)
{
	struct dns_rr *rr = &a->rr[a->n++];
	char *texts = (char *)&a->rr[FAKE_RR_MAX];

	if (type == DNS_TXT) {
		rr->text.at = a->texts;
		rr->text.len = (uint32_t)strlen(text);
		memcpy(texts + a->texts, text, rr->text.len);
		a->texts += rr->text.len;
	} else if (type == DNS_A || type == DNS_AAAA) {
		if (inet_pton(type == DNS_A ? AF_INET : AF_INET6, text,
			&rr->a) != 1)
			abort();
	} else
		snprintf(rr->name, sizeof rr->name, "%s", text);
}

/* To be freed. */
static inline struct dns_answer *
fake_answer(const struct fake_row *r)
{
	size_t size =
	    sizeof(struct dns_answer) + FAKE_RR_MAX * sizeof(struct dns_rr);
	struct dns_answer *a;
	int i;

	for (i = 0; i < FAKE_RR_MAX; i++)
		size += r->rr[i] == NULL ? 0 : strlen(r->rr[i]);
	if ((a = calloc(1, size)) == NULL)
		abort();
	a->status = r->status;
	a->why = r->status == DNS_LATER ? "silence" : NULL;
	for (i = 0; i < FAKE_RR_MAX && r->rr[i] != NULL; i++)
		fake_record(a, r->type, r->rr[i]);
	memmove(&a->rr[a->n], &a->rr[FAKE_RR_MAX], a->texts);
	return a;
}

/* Answers what was asked first.  False: nothing was. */
static inline bool
fake_step(void)
{
	static const struct fake_row nothing = { .status = DNS_NXDOMAIN };
	const struct fake_row *r = &nothing;
	struct dns_answer *answer;
	struct dns_ask *a;
	size_t i;

	if (fake.n_open == 0)
		return false;
	a = fake.open[0];
	for (i = 0; i < fake.n_rows; i++) {
		if (strcmp(fake.rows[i].name, a->q.name) == 0 &&
		    fake.rows[i].type == a->q.type)
			r = &fake.rows[i];
	}
	dns_cancel(a);
	answer = fake_answer(r);
	a->fn(a->arg, answer);
	free(answer);
	return true;
}

static inline void
fake_run(void)
{
	while (fake_step())
		;
}

#endif
