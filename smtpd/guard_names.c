/*
 * Names of clients, and lists.  Runs in guard.  Takes what the DNS says for
 * what strangers say: an owner of a network may give its addresses any name,
 * so a name counts when it leads back.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_names.h"

#include <arpa/inet.h>
#include <bsd/sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard_list.h"
#include "log.h"
#include "smtp_addr.h"

#define HOSTS_MAX     3 /* names of one address that are looked at */
#define WARN_EVERY_MS 3600000

/* A name that the address has. */
struct host {
	struct dns_ask ask;
	struct job *job;
	char name[HOST_MAX + 1];
	bool back, doubt;
};

/* A list that was asked. */
struct query {
	struct dns_ask ask;
	struct job *job;
	uint32_t row; /* of conf.dnslist */
	enum list_says says;
	uint32_t addr;
};

struct job {
	TAILQ_ENTRY(job) entry;
	struct names *names;
	void *from;
	uint64_t id;
	names_fn *fn;
	char client[IP_TEXT_MAX + 1];
	struct timer deadline;
	unsigned int open; /* questions */
	struct dns_ask ptr;
	bool doubt; /* whether there is a name */
	unsigned int n_host;
	struct host host[HOSTS_MAX];
	uint32_t n_query;
	struct query query[];
};

/* When a list was last complained of. */
struct complaint {
	msec at;
	unsigned int unlogged;
};

struct names {
	const struct conf *conf;
	struct loop *loop;
	struct dns *dns;
	TAILQ_HEAD(, job) jobs;
	unsigned int n_jobs;
	struct complaint *complaint; /* by row of conf.dnslist */
};

static const struct conf_dnslist *
list_of(const struct query *l)
{
	return CONF_DNSLIST(l->job->names->conf, l->row);
}

/* ---- the answer ---- */

static void
job_free(struct job **jp)
{
	struct job *j = *jp;
	uint32_t i;

	*jp = NULL;
	timer_clear(&j->deadline);
	dns_cancel(&j->ptr);
	for (i = 0; i < j->n_host; i++)
		dns_cancel(&j->host[i].ask);
	for (i = 0; i < j->n_query; i++)
		dns_cancel(&j->query[i].ask);
	TAILQ_REMOVE(&j->names->jobs, j, entry);
	j->names->n_jobs--;
	free(j);
}

/* The first name that leads back; if none does, and it is sure that none
 * does, the first. */
static void
say_name(const struct job *j, struct names_is *is)
{
	const struct host *found = NULL;
	bool doubt = j->doubt;
	unsigned int i;

	for (i = 0; i < j->n_host; i++) {
		if (j->host[i].back) {
			found = &j->host[i];
			is->flags |= FACT_FCRDNS;
			break;
		}
		doubt = doubt || j->host[i].doubt;
	}
	if (found == NULL && doubt) {
		is->flags |= FACT_RDNS_DOUBT;
		return;
	}
	if (found == NULL && j->n_host > 0)
		found = &j->host[0];
	if (found != NULL)
		memcpy(is->rdns, found->name, sizeof is->rdns);
}

/* "zen.example=127.0.0.4", as far as there is room. */
static void
say_listed(const struct query *l, struct names_is *is)
{
	const char *domain = conf_text(l->job->names->conf, list_of(l)->domain);
	size_t len = strlen(is->lists);
	struct in_addr in = { .s_addr = htonl(l->addr) };
	char ip[INET_ADDRSTRLEN], text[HOST_MAX + INET_ADDRSTRLEN + 3];
	int n;

	inet_ntop(AF_INET, &in, ip, sizeof ip);
	n = snprintf(text, sizeof text, "%s%s=%s", len == 0 ? "" : " ", domain,
	    ip);
	if (n > 0 && len + (size_t)n < sizeof is->lists)
		memcpy(is->lists + len, text, (size_t)n + 1);
}

static int32_t
add_weight(int32_t score, int32_t weight)
{
	int64_t sum = (int64_t)score + weight;

	return sum > INT32_MAX ? INT32_MAX :
	    sum < INT32_MIN    ? INT32_MIN :
				 (int32_t)sum;
}

static void
say_lists(const struct job *j, struct names_is *is)
{
	const struct query *l;
	uint32_t i;

	for (i = 0; i < j->n_query; i++) {
		l = &j->query[i];
		is->listed += l->says == LIST_LISTED;
		is->clean += l->says == LIST_CLEAN;
		is->refused += l->says == LIST_REFUSED;
		if (l->says != LIST_LISTED)
			continue;
		is->score = add_weight(is->score, list_of(l)->weight);
		say_listed(l, is);
	}
}

static void
finish(struct job *j)
{
	struct names_is is;
	names_fn *fn = j->fn;
	void *from = j->from;
	uint64_t id = j->id;

	memset(&is, 0, sizeof is);
	is.outcome.verdict = DONE;
	say_name(j, &is);
	say_lists(j, &is);
	job_free(&j);
	fn(from, id, &is);
}

/* One question less. */
static void
settle(struct job *j)
{
	if (--j->open == 0)
		finish(j);
}

/* ---- its name ---- */

static bool
leads_back(const struct job *j, const struct dns_answer *a, int family)
{
	char ip[INET6_ADDRSTRLEN];
	unsigned int i;

	for (i = 0; i < a->n; i++) {
		if (inet_ntop(family, &a->rr[i].a, ip, sizeof ip) != NULL &&
		    strcmp(ip, j->client) == 0)
			return true;
	}
	return false;
}

static bool
is_v6(const struct job *j)
{
	return strchr(j->client, ':') != NULL;
}

static void
on_address(void *arg, const struct dns_answer *a)
{
	struct host *h = arg;

	h->doubt = a->status == DNS_LATER;
	h->back = a->status == DNS_FOUND &&
	    leads_back(h->job, a, is_v6(h->job) ? AF_INET6 : AF_INET);
	settle(h->job);
}

/* RFC 1123 2.1, and no address in disguise: the last label is no number. */
static bool
is_host_name(const char *name)
{
	const char *last = strrchr(name, '.');

	last = last == NULL ? name : last + 1;
	return smtp_domain_check(slice_of(name)) == NULL &&
	    strspn(last, "0123456789") != strlen(last);
}

static void
on_ptr(void *arg, const struct dns_answer *a)
{
	struct job *j = arg;
	struct host *h;
	unsigned int i;

	j->doubt = a->status == DNS_LATER;
	for (i = 0; i < a->n && a->status == DNS_FOUND; i++) {
		if (j->n_host == HOSTS_MAX || !is_host_name(a->rr[i].name))
			continue;
		h = &j->host[j->n_host++];
		h->job = j;
		h->doubt = true;
		memcpy(h->name, a->rr[i].name, sizeof h->name);
		j->open++;
		dns_ask(j->names->dns, &h->ask, h->name,
		    is_v6(j) ? DNS_AAAA : DNS_A, on_address, h);
	}
	settle(j);
}

/* ---- lists ---- */

/* An operator should know, but not each time. */
static void
complain(struct query *l, const char *why)
{
	struct names *n = l->job->names;
	struct complaint *c = &n->complaint[l->row];
	msec now = loop_msec();

	if (c->at != 0 && now - c->at < WARN_EVERY_MS) {
		c->unlogged++;
		return;
	}
	log_warn("dnsbl-refused", "list=%s unlogged=%u why=%s",
	    conf_text(n->conf, list_of(l)->domain), c->unlogged, q(why));
	c->at = now;
	c->unlogged = 0;
}

static void
on_list(void *arg, const struct dns_answer *a)
{
	struct query *l = arg;
	const char *why;

	l->says =
	    list_judge(l->job->names->conf, list_of(l), a, &l->addr, &why);
	if (l->says == LIST_REFUSED)
		complain(l, why);
	settle(l->job);
}

static void
ask_lists(struct job *j)
{
	char name[HOST_MAX + 1];
	struct query *l;
	uint32_t i;

	for (i = 0; i < j->n_query; i++) {
		l = &j->query[i];
		l->job = j;
		l->row = i;
		if (!list_name(j->client,
			conf_text(j->names->conf, list_of(l)->domain), name))
			continue;
		j->open++;
		dns_ask(j->names->dns, &l->ask, name, DNS_A, on_list, l);
	}
}

/* ---- public ---- */

struct names *
names_new(const struct conf *conf, struct loop *l, struct dns *dns)
{
	struct names *n = xcalloc(1, sizeof *n);

	n->conf = conf;
	n->loop = l;
	n->dns = dns;
	TAILQ_INIT(&n->jobs);
	n->complaint = xcalloc(conf->dnslist.n + 1, sizeof *n->complaint);
	return n;
}

void
names_free(struct names **n)
{
	struct job *j;

	if (*n == NULL)
		return;
	while ((j = TAILQ_FIRST(&(*n)->jobs)) != NULL)
		job_free(&j);
	free((*n)->complaint);
	free(*n);
	*n = NULL;
}

static void
on_deadline(void *arg)
{
	struct job *j = arg;
	uint32_t i;

	if (j->ptr.dns != NULL)
		j->doubt = true;
	for (i = 0; i < j->n_query; i++) {
		if (j->query[i].ask.dns != NULL)
			complain(&j->query[i], "no answer in time");
	}
	finish(j);
}

void
names_look(struct names *n, void *from, uint64_t id, const struct names_ask *m,
    names_fn *fn)
{
	bool lists = m->listen < n->conf->listen.n &&
	    CONF_LISTEN(n->conf, m->listen)->dnsbl != 0;
	uint32_t n_query = lists ? n->conf->dnslist.n : 0;
	struct names_is nothing = { .outcome.verdict = DONE,
		.flags = FACT_RDNS_DOUBT,
		.refused = n_query };
	char name[HOST_MAX + 1];
	struct job *j;

	if (n->n_jobs >= NAMES_JOBS_MAX || !list_name(m->client, NULL, name)) {
		fn(from, id, &nothing);
		return;
	}
	j = xcalloc(1, sizeof *j + n_query * sizeof j->query[0]);
	j->names = n;
	j->from = from;
	j->id = id;
	j->fn = fn;
	memcpy(j->client, m->client, sizeof j->client);
	j->n_query = n_query;
	TAILQ_INSERT_TAIL(&n->jobs, j, entry);
	n->n_jobs++;
	timer_set(n->loop, &j->deadline, NAMES_TOTAL_MS, on_deadline, j);
	j->open = 1;
	dns_ask(n->dns, &j->ptr, name, DNS_PTR, on_ptr, j);
	ask_lists(j);
}

void
names_drop(struct names *n, const void *from)
{
	struct job *j, *next;

	TAILQ_FOREACH_SAFE(j, &n->jobs, entry, next) {
		if (j->from == from)
			job_free(&j);
	}
}

unsigned int
names_count(const struct names *n)
{
	return n->n_jobs;
}
