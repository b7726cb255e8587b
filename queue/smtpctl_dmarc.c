/*
 * `smtpctl dmarc`: what DMARC says of an author's domain and of what passed.
 * Run by an operator; asks the name servers that it was told, and nobody
 * else, and verifies nothing: results of SPF and DKIM are taken as given.
 *
 * SPDX-License-Identifier: ISC
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "author.h"
#include "dmarc.h"
#include "num.h"
#include "smtpctl.h"
#include "smtpctl_asker.h"
#include "smtpctl_print.h"

struct dmarc_wait {
	struct smtpctl *c;
	const char *conf;
	bool done;
	enum auth_result result;
	struct dmarc_query q;
	char author[DOMAIN_MAX + 1], spf[DOMAIN_MAX + 1];
	char dkim[DMARC_DKIM_MAX][DOMAIN_MAX + 1];
};

/* ---- what is printed ---- */

static void
put_pair(struct smtpctl *c, const char *name, const char *value)
{
	asker_put(c, " ");
	asker_put(c, name);
	asker_put(c, "=");
	asker_put(c, value);
}

static const char *
aligned_word(const struct dmarc_answer *a)
{
	if (a->spf_aligned && a->dkim_aligned)
		return "spf,dkim";
	if (a->spf_aligned)
		return "spf";
	return a->dkim_aligned ? "dkim" : "";
}

static void
print_line(struct smtpctl *c, const struct dmarc_answer *a)
{
	asker_put(c, auth_result_word(a->result));
	put_pair(c, "disposition", dmarc_policy_word(a->disposition));
	put_pair(c, "policy_domain", a->policy_domain);
	put_pair(c, "policy", dmarc_policy_word(a->policy));
	put_pair(c, "organization", a->organization);
	put_pair(c, "aligned", aligned_word(a));
	if (a->result == RES_TEMPERROR)
		put_pair(c, "at_worst", dmarc_policy_word(a->at_worst));
	if (a->why[0] != '\0') {
		asker_put(c, " (");
		asker_put(c, a->why);
		asker_put(c, ")");
	}
	buf_puts(&c->out, "\n");
}

static void
print_json(struct buf *b, const struct dmarc_answer *a)
{
	json_member(b, "{", "result", auth_result_word(a->result));
	json_member(b, ",", "disposition", dmarc_policy_word(a->disposition));
	if (a->result == RES_TEMPERROR)
		json_member(b, ",", "at_worst", dmarc_policy_word(a->at_worst));
	json_member(b, ",", "policy_domain", a->policy_domain);
	json_member(b, ",", "policy", dmarc_policy_word(a->policy));
	json_member(b, ",", "organization", a->organization);
	json_bool(b, ",", "spf_aligned", a->spf_aligned);
	json_bool(b, ",", "dkim_aligned", a->dkim_aligned);
	json_member(b, ",", "reason", a->why);
	buf_puts(b, "}\n");
}

static void
on_dmarc(void *arg, const struct dmarc_answer *a)
{
	struct dmarc_wait *w = arg;

	w->done = true;
	w->result = a->result;
	if (w->c->json)
		print_json(&w->c->out, a);
	else
		print_line(w->c, a);
}

/* ---- what is asked ---- */

static void
feed_header(void *arg, const uint8_t *p, size_t len)
{
	mail_read_header(arg, p, len);
}

/* The author of the message on standard input.  False: it cannot be read, was
 * said.  *why: it has no single one, and *result is what follows. */
static bool
read_author(struct dmarc_wait *w, enum auth_result *result, const char **why)
{
	struct mail_read m;
	unsigned int fields;
	enum author_is is;
	bool good;

	mail_read_init(&m, MAIL_HEADER_MAX);
	if ((good = asker_message(feed_header, &m))) {
		mail_read_finish_header(&m);
		is = author_find(&m, &fields, w->author);
		*result = is == AUTHOR_NONE && m.why == NULL ? RES_NONE :
							       RES_PERMERROR;
		*why = is == AUTHOR_ONE ? NULL :
		    m.why != NULL       ? m.why :
		    is == AUTHOR_NONE   ? "no author" :
					  "no single author";
	}
	mail_read_free(&m);
	return good;
}

/* "RESULT:DOMAIN"; NULL, or why not. */
static const char *
take_result(const char *text, enum auth_result *result,
    char domain[DOMAIN_MAX + 1])
{
	const char *colon = strchr(text, ':');
	char word[16];

	if (colon == NULL ||
	    !slice_copy((struct slice){ text, (size_t)(colon - text) }, word,
		sizeof word) ||
	    (*result = auth_result_of(word)) == RES_RESULTS)
		return "RESULT:DOMAIN, as pass:example.org";
	/* The null sender of a client without a name has none. */
	domain[0] = '\0';
	if (colon[1] != '\0' && !author_name(slice_of(colon + 1), domain))
		return "that is no domain";
	return NULL;
}

/* Those that passed stand in front of those that may pass another time; others
 * say nothing. */
static const char *
take_dkim(struct dmarc_wait *w, const char *text)
{
	struct dmarc_query *q = &w->q;
	unsigned int n = q->n_dkim + q->n_later;
	enum auth_result result;
	char domain[DOMAIN_MAX + 1];
	const char *why;

	if ((why = take_result(text, &result, domain)) != NULL)
		return why;
	if (result != RES_PASS && result != RES_TEMPERROR)
		return NULL;
	if (n == DMARC_DKIM_MAX)
		return "too many signatures";
	memcpy(w->dkim[n], domain, sizeof domain);
	q->dkim[n] = w->dkim[n];
	if (result == RES_TEMPERROR) {
		q->n_later++;
		return NULL;
	}
	q->dkim[n] = q->dkim[q->n_dkim];
	q->dkim[q->n_dkim++] = w->dkim[n];
	return NULL;
}

static const char *
take_option(struct dmarc_wait *w, int ch, const char *value)
{
	uint64_t n;

	switch (ch) {
	case 'c':
		w->conf = value;
		return NULL;
	case 'm':
		return asker_rules(value, &w->q.rules) ? NULL :
							 "rfc9989 or rfc7489";
	case 's':
		return take_result(value, &w->q.spf, w->spf);
	case 'd':
		return take_dkim(w, value);
	case 'r':
		if (num_parse(value, 0, 99, &n) != NULL)
			return "a number from 0 to 99";
		w->q.roll = (uint32_t)n;
		return NULL;
	default:
		return "";
	}
}

/* NULL, or how it is not used. */
static const char *
parse(struct dmarc_wait *w, int argc, char **argv)
{
	static const struct option options[] = {
		{ "spf", required_argument, NULL, 's' },
		{ "dkim", required_argument, NULL, 'd' },
		{ "roll", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	const char *why;
	int ch;

	/* argv is what stands behind the verb; getopt looks behind the
	 * first. */
	optind = 0;
	opterr = 0;
	while ((ch = getopt_long(argc + 1, argv - 1, "c:m:", options, NULL)) !=
	    -1) {
		if ((why = take_option(w, ch, optarg)) != NULL)
			return why;
	}
	if (optind != argc)
		return "one domain, or - for a message";
	if (strcmp(argv[optind - 1], "-") == 0)
		return NULL;
	if (!author_name(slice_of(argv[optind - 1]), w->author))
		return "that is no domain";
	return NULL;
}

/* An exit status. */
static int
ask(struct dmarc_wait *w)
{
	struct dmarc_answer none = { .disposition = DMARC_P_NONE };
	struct asker a;
	const char *why = NULL;
	int status;

	if (w->author[0] == '\0' && !read_author(w, &none.result, &why))
		return EX_IOERR;
	if (why != NULL) {
		snprintf(none.why, sizeof none.why, "%s", why);
		on_dmarc(w, &none);
		return 0;
	}
	if (w->q.rules == DMARC_RFC7489)
		dmarc_psl_load();
	if ((status = asker_open(&a, w->conf)) != 0)
		return status;
	dmarc_start(a.loop, a.dns, &w->q, on_dmarc, w);
	asker_wait(&a, &w->done);
	asker_close(&a);
	dmarc_psl_free();
	return 0;
}

int
do_dmarc(struct smtpctl *c, int argc, char **argv)
{
	struct dmarc_wait w = { .c = c };
	const char *why;
	int status;

	w.q.author = w.author;
	w.q.spf_domain = w.spf;
	if ((why = parse(&w, argc, argv)) != NULL)
		return smtpctl_usage(c, why[0] != '\0' ? why : NULL);
	if ((status = ask(&w)) != 0)
		return status;
	return smtpctl_flush(c) ? asker_status(w.result) : EX_IOERR;
}
