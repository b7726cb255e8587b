/*
 * smtpctl(8) explain: what would become of mail for an address, and why.
 * Lookup is asked for rule, expansion and route, deliver for hosts, TLS and
 * key, queue for limits and retry: those who decide it.  Decides nothing
 * itself.
 *
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <bsd/string.h>

#include "auth_result.h"
#include "log.h"
#include "num.h"
#include "slice.h"
#include "smtpctl.h"
#include "smtpctl_print.h"
#include "way.h"

#define EXIT_REFUSED 1
#define ROUTES_SHOWN 8 /* that deliver and queue are asked about */
#define PAGES        1000

struct explain {
	struct smtpctl *c;
	bool verbose;
	bool no_name; /* --rdns "": the client has none */
	struct explain_ask ask;
	/* Routes that lookup named, no two the same. */
	struct explain_route *routes;
	uint32_t n_routes;
	enum verdict verdict;   /* DONE, until somebody says otherwise */
	struct outcome refused; /* why, if not DONE */
	/* It would be accepted, and wait: why.  Empty: it is not that. */
	char waits[1024];
};

/* One line of an answer. */
struct step {
	const char *name, *at, *text;
};

/* Columns: step, shown as (NULL: not at all), only with -v. */
static const struct {
	const char *name, *label;
	bool verbose;
} steps[] = {
	/* of lookup */
	{ "filter", "filter", false },
	{ "address", "address", false },
	{ "tried", "rule", true },
	{ "rule", "rule", false },
	{ "unknown", "rule", false },
	{ "name", "name", false },
	{ "alias", "alias", false },
	{ "no-alias", "alias", true },
	{ "table", "table", false },
	{ "user", "user", false },
	{ "include", "list", false },
	{ "forward", "forward", false },
	{ "no-forward", "forward", false },
	{ "owner", "owner", false },
	{ "nobody", "nobody", false },
	{ "merged", "again", false },
	{ "bad", "bad", false },
	{ "never", "never", false },
	{ "later", "later", false },
	{ "several", "several", false },
	{ "action", "action", false },
	{ "mailbox", "mailbox", false },
	{ "program", "program", false },
	{ "file", "file", false },
	{ "srs", "sender", false },
	{ "mail-from", "sender", false },
	{ "relay", "relay", false },
	{ "src", "from", false },
	{ "ttl", "ttl", false },
	{ "target", NULL, false },
	{ "more", "more", false },
	/* of deliver */
	{ "helo", "helo", false },
	{ "source", "source", false },
	{ "backup", "backup", false },
	{ "group", "group", false },
	{ "tls", "tls", false },
	{ "key", "key", false },
	{ "host", "host", false },
	{ "skipped", "skipped", false },
	/* of queue */
	{ "limit", "limit", false },
	{ "retry", "retry", false },
	{ "waits", "waits", false },
	{ "warn", "warn", false },
};

/* ---- printing ---- */

static void
print_step(struct explain *e, const char *label, const struct step *s,
    const char *route)
{
	struct buf *b = &e->c->out;

	if (e->c->json) {
		json_member(b, "{", "step", s->name);
		if (route != NULL)
			json_member(b, ",", "route", route);
		if (s->at[0] != '\0')
			json_member(b, ",", "at", s->at);
		json_member(b, ",", "text", s->text);
		buf_puts(b, "}\n");
		return;
	}
	print_column(b, label, 8);
	print_text(b, s->text);
	if (s->at[0] != '\0') {
		buf_puts(b, "  (");
		print_text(b, s->at);
		buf_puts(b, ")");
	}
	buf_puts(b, "\n");
}

static void
print_end(struct explain *e)
{
	static const char *const words[] = {
		[LATER] = "not now",
		[DONE] = "it would be delivered",
		[NEVER] = "refused",
	};
	bool waits = e->verdict == LATER && e->waits[0] != '\0';
	char text[OUTCOME_TEXT_MAX + 64], why[sizeof e->waits + 64];
	struct buf *b = &e->c->out;
	struct step s = { "result", "", words[e->verdict] };

	if (e->c->json) {
		json_member(b, "{", "step", "result");
		json_member(b, ",", "verdict", verdict_name(e->verdict));
		json_outcome(b, ",", "outcome", &e->refused);
		if (waits)
			json_member(b, ",", "text", e->waits);
		buf_puts(b, "}\n");
		return;
	}
	if (waits) {
		snprintf(why, sizeof why, "it would be accepted, and wait: %s",
		    e->waits);
		s.text = why;
	}
	print_step(e, "result", &s, NULL);
	if (e->verdict == DONE || waits)
		return;
	s.text = outcome_print(&e->refused, text, sizeof text);
	print_step(e, "reply", &s, NULL);
}

/* Later outweighs never: what is not known now may be either. */
static void
take_outcome(struct explain *e, const struct outcome *o)
{
	enum verdict v = o->verdict <= NEVER ? o->verdict : LATER;

	if (v == DONE || e->verdict == LATER ||
	    (e->verdict == NEVER && v == NEVER))
		return;
	e->verdict = v;
	e->refused = *o;
}

/* ---- reading answers ---- */

/* "ACTION FLAGS ROUTE ADDRESS": to ask deliver and queue about. */
static void
take_target(struct explain *e, char *text)
{
	struct explain_route r, *had;
	uint64_t action, flags;
	char *word[3];
	uint32_t i;

	memset(&r, 0, sizeof r);
	for (i = 0; i < 3; i++)
		word[i] = strsep(&text, " ");
	if (text == NULL || num_parse(word[0], 0, UINT32_MAX, &action) ||
	    num_parse(word[1], 0, UINT32_MAX, &flags) ||
	    strlcpy(r.route, word[2], sizeof r.route) >= sizeof r.route ||
	    strlcpy(r.rcpt, text, sizeof r.rcpt) >= sizeof r.rcpt)
		return;
	r.action = (uint32_t)action;
	r.flags = (uint32_t)flags;
	memcpy(r.sender, e->ask.sender, sizeof r.sender);
	for (i = 0; i < e->n_routes; i++) {
		had = &e->routes[i];
		if (had->action == r.action && had->flags == r.flags &&
		    strcmp(had->route, r.route) == 0)
			return;
	}
	e->routes = xrealloc(e->routes, e->n_routes + 1, sizeof r);
	e->routes[e->n_routes++] = r;
}

static void
take_step(struct explain *e, char *line, const char *route)
{
	struct step s;
	char *rest = line;
	size_t i, n = sizeof steps / sizeof steps[0];

	s.name = strsep(&rest, "\t");
	s.at = strsep(&rest, "\t");
	s.text = rest;
	if (s.text == NULL)
		return;
	for (i = 0; i < n && strcmp(steps[i].name, s.name) != 0; i++)
		;
	if (i < n && steps[i].label == NULL) {
		take_target(e, rest);
		return;
	}
	if (strcmp(s.name, "waits") == 0 && e->verdict != LATER &&
	    e->waits[0] == '\0')
		strlcpy(e->waits, s.text, sizeof e->waits);
	if (i == n || e->verbose || !steps[i].verbose)
		print_step(e, i == n ? s.name : steps[i].label, &s, route);
}

/* The lines of one page. */
static void
take_page(struct explain *e, struct explain_is *is, const char *route)
{
	char *rest = is->text, *line;

	is->text[sizeof is->text - 1] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (line[0] != '\0')
			take_step(e, line, route);
	}
}

/* ---- asking ---- */

/* One page of an answer.  0, or the exit status. */
static int
ask_page(struct explain *e, enum ipc_type type, const void *ask,
    const char *route, struct explain_is *is)
{
	int status;

	memset(is, 0, sizeof *is);
	if ((status = smtpctl_call(e->c, type, ask, is, sizeof *is)) != 0)
		return status;
	if (is->outcome.verdict == NEVER && is->outcome.ecode[1] == 7 &&
	    is->text[0] == '\0') {
		warnx("%s", is->outcome.text);
		return EX_NOPERM;
	}
	take_page(e, is, route);
	return 0;
}

/* All that lookup says. */
static int
ask_lookup(struct explain *e)
{
	struct explain_is is;
	uint32_t pages;
	int status;

	for (pages = 0; pages < PAGES; pages++) {
		status = ask_page(e, IPC_EXPLAIN_ASK, &e->ask, NULL, &is);
		if (status != 0)
			return status;
		if (is.next <= e->ask.page)
			break;
		e->ask.page = is.next;
	}
	take_outcome(e, &is.outcome);
	return 0;
}

static int
ask_route(struct explain *e, const struct explain_route *r)
{
	struct step s = { "route", "", r->route };
	struct limits_ask limits_ask = { .about = *r };
	struct hosts_ask hosts_ask = { .about = *r };
	struct explain_is is;
	int status;

	print_step(e, "route", &s, NULL);
	if (way_where(r->route) == WAY_OUT) {
		status = ask_page(e, IPC_HOSTS_ASK, &hosts_ask, r->route, &is);
		if (status != 0)
			return status;
		take_outcome(e, &is.outcome);
	}
	status = ask_page(e, IPC_LIMITS_ASK, &limits_ask, r->route, &is);
	if (status != 0)
		return status;
	take_outcome(e, &is.outcome);
	return 0;
}

static int
ask_all(struct explain *e)
{
	struct step more = { "more", "", "routes that are not asked about" };
	uint32_t i;
	int status;

	if ((status = ask_lookup(e)) != 0)
		return status;
	for (i = 0; i < e->n_routes && i < ROUTES_SHOWN; i++) {
		if ((status = ask_route(e, &e->routes[i])) != 0)
			return status;
	}
	if (i < e->n_routes)
		print_step(e, "more", &more, NULL);
	return 0;
}

/* ---- the command line ---- */

/* NULL, or why not. */
static const char *
set_src(struct facts *f, const char *text)
{
	struct in6_addr addr;
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, &addr) != 1 ||
	    inet_ntop(family, &addr, f->client, sizeof f->client) == NULL)
		return "--src: not an address";
	return NULL;
}

static const char *
set_port(struct explain_ask *ask, const char *text)
{
	uint64_t port;

	if (num_parse(text, 1, UINT16_MAX, &port) != NULL)
		return "--port: not a port";
	ask->port = (uint32_t)port;
	return NULL;
}

static const char *
set_text(char *out, size_t size, const char *text, const char *why)
{
	return strlcpy(out, text, size) >= size ? why : NULL;
}

/* "<address>" or "address". */
static const char *
set_addr(char out[ADDR_MAX + 1], const char *text, const char *why)
{
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '<' && text[len - 1] == '>') {
		text++;
		len -= 2;
	}
	return slice_copy((struct slice){ text, len }, out, ADDR_MAX + 1) ?
	    NULL :
	    why;
}

/* As of a message that was verified. */
static const char *
set_result(struct facts *f, enum auth_method m, const char *arg)
{
	enum auth_result r = auth_result_of(arg);

	if (r == RES_RESULTS || r == RES_UNSAID)
		return "--spf, --dkim, --dmarc, --arc: a result is pass, fail, none, ... (see smtpd.conf(5))";
	f->results = auth_result_put(f->results, m, r);
	return NULL;
}

/* What getopt says of --spf and so on: a number behind all letters. */
#define OPTION_RESULT 256

static const char *
take_option(struct explain *e, int ch, const char *arg)
{
	struct facts *f = &e->ask.facts;

	if (ch >= OPTION_RESULT && ch < OPTION_RESULT + BY_METHODS)
		return set_result(f, (enum auth_method)(ch - OPTION_RESULT),
		    arg);
	switch (ch) {
	case 'v':
		e->verbose = true;
		return NULL;
	case 'f':
		return set_addr(e->ask.sender, arg, "--from: too long");
	case 'a':
		return set_text(f->auth, sizeof f->auth, arg,
		    "--auth: too long");
	case 's':
		return set_src(f, arg);
	case 'h':
		return set_text(f->helo, sizeof f->helo, arg,
		    "--helo: too long");
	case 'r':
		e->no_name = arg[0] == '\0';
		f->flags |= arg[0] == '\0' ? 0 : FACT_FCRDNS;
		return set_text(f->rdns, sizeof f->rdns, arg,
		    "--rdns: too long");
	case 'p':
		return set_port(&e->ask, arg);
	case 't':
		return set_text(f->tag, sizeof f->tag, arg, "--tag: too long");
	case 'T':
		f->flags |= FACT_TLS | FACT_ESMTP;
		return NULL;
	}
	return "no such option";
}

static const char *
parse(struct explain *e, int argc, char **argv)
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "auth", required_argument, NULL, 'a' },
		{ "src", required_argument, NULL, 's' },
		{ "helo", required_argument, NULL, 'h' },
		{ "rdns", required_argument, NULL, 'r' },
		{ "port", required_argument, NULL, 'p' },
		{ "tag", required_argument, NULL, 't' },
		{ "tls", no_argument, NULL, 'T' },
		{ "spf", required_argument, NULL, OPTION_RESULT + BY_SPF },
		{ "dkim", required_argument, NULL, OPTION_RESULT + BY_DKIM },
		{ "dmarc", required_argument, NULL, OPTION_RESULT + BY_DMARC },
		{ "arc", required_argument, NULL, OPTION_RESULT + BY_ARC },
		{ NULL, 0, NULL, 0 },
	};
	struct facts *f = &e->ask.facts;
	const char *why;
	int ch;

	/* argv is what stands behind the verb; getopt looks behind the
	 * first. */
	optind = 0;
	opterr = 0;
	while ((ch = getopt_long(argc + 1, argv - 1, "v", options, NULL)) !=
	    -1) {
		if ((why = take_option(e, ch, optarg)) != NULL)
			return why;
	}
	if (optind != argc)
		return optind > argc ? "which address?" : "one address";
	/* Nobody asks the DNS for this. */
	if (f->rdns[0] == '\0' && !e->no_name)
		f->flags |= FACT_RDNS_DOUBT;
	/* Nobody said where from: by the socket, as who asks. */
	if (f->client[0] == '\0' && f->auth[0] == '\0') {
		f->flags |= FACT_SOCKET | FACT_LOCAL;
		f->uid = getuid();
	}
	if (argv[optind - 1][0] == '\0')
		return "which address?";
	return set_addr(e->ask.rcpt, argv[optind - 1],
	    "the address is too long");
}

int
do_explain(struct smtpctl *c, int argc, char **argv)
{
	static const int exits[] = {
		[LATER] = EX_TEMPFAIL,
		[DONE] = EX_OK,
		[NEVER] = EXIT_REFUSED,
	};
	struct explain e = { .c = c, .verdict = DONE };
	const char *why;
	int status;

	if ((why = parse(&e, argc, argv)) != NULL)
		return smtpctl_usage(c, why);
	if ((status = ask_all(&e)) == 0) {
		print_end(&e);
		status = exits[e.verdict];
	}
	free(e.routes);
	if (!smtpctl_flush(c))
		status = EX_IOERR;
	buf_free(&c->out);
	return status;
}
