/*
 * Where a domain wants its reports.  Used by smtpctl, which waits for each
 * answer of the DNS; a doubt is later, and never a no.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_where.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "dmarc_walk.h"
#include "smtp_addr.h"

/* ---- addresses ---- */

/* Of a record's rua=, where they were checked. */
static void
take_dest(const struct dmarc_record *record, unsigned int i,
    struct report_dest *out)
{
	memset(out, 0, sizeof *out);
	strlcpy(out->addr, record->rua[i] + strlen("mailto:"),
	    sizeof out->addr);
	text_lower(strrchr(out->addr, '@'));
	out->limit = record->rua_size[i];
}

/* ---- the DNS ---- */

/* What there is at a name. */
struct found {
	bool done;
	bool later;
	unsigned int n;    /* texts that say that they are records */
	unsigned int more; /* of which nothing else is known */
	bool good;         /* the last of them is one */
	enum conf_dmarc_rules rules;
	struct dmarc_record record;
};

static void
on_txt(void *arg, const struct dns_answer *a)
{
	struct found *f = arg;
	unsigned int i;

	f->done = true;
	f->later = a->status == DNS_LATER;
	f->more = a->more;
	for (i = 0; a->status == DNS_FOUND && i < a->n; i++) {
		if (!dmarc_record_is(dns_text(a, i)))
			continue;
		f->n++;
		f->good = dmarc_record_parse(dns_text(a, i), f->rules,
			      &f->record) == NULL;
	}
}

/* False: a name that cannot be asked for. */
static bool ask(struct asker *a, enum conf_dmarc_rules rules, struct found *f,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static bool
ask(struct asker *a, enum conf_dmarc_rules rules, struct found *f,
    const char *fmt, ...)
{
	struct dns_ask dns_asked = { 0 };
	struct dns_question q;
	char name[2 * HOST_MAX + 32];
	va_list ap;
	int n;

	memset(f, 0, sizeof *f);
	f->rules = rules;
	va_start(ap, fmt);
	n = vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	if (n < 0 || n > HOST_MAX ||
	    dns_question_set(&q, name, DNS_TXT) != NULL)
		return false;
	dns_ask(a->dns, &dns_asked, name, DNS_TXT, on_txt, f);
	asker_wait(a, &f->done);
	return true;
}

/* One record, and it is good. */
static const struct dmarc_record *
only(const struct found *f)
{
	return f->n == 1 && f->more == 0 && f->good ? &f->record : NULL;
}

/*
 * The Organizational Domain (RFC 9989 4.10.2), within domain; with it the
 * domain's own record, if own is asked for and it has one.  NULL: nobody knows
 * now.
 */
static const char *
organization(struct asker *a, enum conf_dmarc_rules rules, const char *domain,
    struct dmarc_record *own, bool *has_own)
{
	const char *name = NULL;
	struct dmarc_walk walk;
	struct found f = { 0 };

	dmarc_walk_begin(&walk, domain);
	while (walk.at != NULL) {
		if (!ask(a, rules, &f, "_dmarc.%s", walk.at))
			memset(&f, 0, sizeof f);
		if (f.later)
			break;
		dmarc_walk_step(&walk, only(&f));
		if (rules == DMARC_RFC7489)
			break;
	}
	if (!f.later && own != NULL && dmarc_walk_own(&walk) != NULL) {
		*own = *dmarc_walk_own(&walk);
		*has_own = true;
	}
	if (!f.later)
		name = rules == DMARC_RFC7489 ? dmarc_psl_organization(domain) :
						dmarc_walk_organization(&walk);
	dmarc_walk_free(&walk);
	return name;
}

/* ---- who has it ---- */

struct finding {
	struct asker *asker;
	enum conf_dmarc_rules rules;
	const char *domain, *organization;
	struct report_where *where;
};

static void
say(struct report_where *w, const char *addr, const char *why)
{
	size_t n = strlen(w->why);

	snprintf(w->why + n, sizeof w->why - n, "%s%s: %s", n > 0 ? "; " : "",
	    addr, why);
}

static void
add(struct report_where *w, const struct report_dest *dest)
{
	unsigned int i;

	for (i = 0; i < w->n; i++) {
		if (strcmp(w->dest[i].addr, dest->addr) == 0)
			return;
	}
	if (w->n < DMARC_RUA_MAX)
		w->dest[w->n++] = *dest;
}

/* RFC 9990 4, step 9: the same host, or none of them. */
static void
add_instead(struct finding *f, const struct report_dest *dest,
    const struct dmarc_record *record)
{
	const char *host = smtp_addr_domain(dest->addr);
	struct report_dest other[DMARC_RUA_MAX];
	unsigned int i;

	for (i = 0; i < record->n_rua; i++) {
		take_dest(record, i, &other[i]);
		if (strcmp(smtp_addr_domain(other[i].addr), host) != 0) {
			say(f->where, dest->addr, "its host names another one");
			return;
		}
	}
	for (i = 0; i < record->n_rua; i++)
		add(f->where, &other[i]);
}

/* RFC 9990 4: whether the host takes reports of this domain.  False: later. */
static bool
add_external(struct finding *f, const struct report_dest *dest)
{
	struct found found;

	/* "v=DMARC1" alone is enough, which RFC 7489 takes for no policy. */
	if (!ask(f->asker, DMARC_RFC9989, &found, "%s._report._dmarc.%s",
		f->domain, smtp_addr_domain(dest->addr))) {
		say(f->where, dest->addr, "its host cannot be asked");
		return true;
	}
	if (found.later)
		return false;
	if (found.n == 0)
		say(f->where, dest->addr,
		    "its host did not agree to have them");
	else if (found.good && found.record.n_rua > 0)
		add_instead(f, dest, &found.record);
	else
		add(f->where, dest);
	return true;
}

/* False: later. */
static bool
look(struct finding *f, const struct report_dest *dest)
{
	const char *host = smtp_addr_domain(dest->addr), *org;

	if (strcmp(host, f->domain) == 0 ||
	    strcmp(host, f->organization) == 0) {
		add(f->where, dest);
		return true;
	}
	org = organization(f->asker, f->rules, host, NULL, NULL);
	if (org == NULL)
		return false;
	if (strcmp(org, f->organization) != 0)
		return add_external(f, dest);
	add(f->where, dest);
	return true;
}

enum report_found
report_where_find(struct asker *a, enum conf_dmarc_rules rules,
    const char *domain, struct report_where *w)
{
	struct finding f = { .asker = a,
		.rules = rules,
		.domain = domain,
		.where = w };
	struct dmarc_record record;
	struct report_dest dest;
	bool has = false;
	unsigned int i;

	memset(w, 0, sizeof *w);
	f.organization = organization(a, rules, domain, &record, &has);
	if (f.organization == NULL)
		return REPORT_LATER;
	if (!has || record.n_rua == 0) {
		snprintf(w->why, sizeof w->why, "%s",
		    has ? "its record asks for none" : "it has no record");
		return REPORT_NOBODY;
	}
	for (i = 0; i < record.n_rua; i++) {
		take_dest(&record, i, &dest);
		if (!look(&f, &dest))
			return REPORT_LATER;
	}
	return w->n > 0 ? REPORT_SOMEBODY : REPORT_NOBODY;
}
