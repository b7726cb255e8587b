/*
 * smtpd/lookup_filter.c: each phase, condition and decision, what is asked
 * after what, and what becomes of what nobody knows.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_world.h"

#include "lookup_filter.h"

/* Each file begins with these. */
#define TABLES                                                                 \
	"hostname mx.example.org\n"                                            \
	"table dead { 192.0.2.9 }\n"                                           \
	"table slow { 203.0.113.0/24 }\n"                                      \
	"table slow_mail { @a.example }\n"                                     \
	"table hang { 192.0.2.9 }\n"                                           \
	"table names { *.dyn.example, mail.example.net }\n"                    \
	"table nets { 192.0.2.0/24, 2001:db8::/32 }\n"                         \
	"table spam { @spam.example, joe@a.example, \"@\" }\n"
#define RULE "match from any for any reject\n"

enum { ROW_NAMES = 160 };

/* Who is there, and what was said so far. */
struct client {
	uint32_t flags;
	const char *ip, *rdns, *helo, *auth, *sender, *rcpt;
};

static const struct client good = { FACT_FCRDNS, "203.0.113.1", "mx.a.example",
	"mx.a.example", "", "joe@a.example", "ann@b.example" };
static const struct client bare = { 0, "192.0.2.7", "", "[192.0.2.7]", "", "",
	"ann@b.example" };
static const struct client doubt = { FACT_RDNS_DOUBT, "203.0.113.1", "", "x",
	"", "joe@a.example", "ann@b.example" };
/* It has a name, and whether that leads back nobody knows. */
static const struct client half = { FACT_RDNS_DOUBT, "203.0.113.1",
	"mx.a.example", "x", "", "joe@a.example", "ann@b.example" };
static const struct client dyn = { 0, "198.51.100.9", "h9.dyn.example", "pc",
	"", "x@spam.example", "ann@b.example" };
static const struct client six = { FACT_FCRDNS, "2001:db8::1", "six.example",
	"six.example", "", "joe+tag@A.example", "Ann+x@b.example" };
static const struct client here = { FACT_LOCAL, "127.0.0.1", "", "me", "",
	"root@mx.example.org", "ann@b.example" };
static const struct client sock = { FACT_LOCAL | FACT_SOCKET, "", "", "me", "",
	"root@mx.example.org", "ann@b.example" };
static const struct client user = { FACT_FCRDNS, "203.0.113.1", "pc.a.example",
	"pc", "Joe", "joe@a.example", "ann@b.example" };

/*
 * Columns: filters (all of them the listener's, in their order; f1, f2 ...
 * where `%` stands), phase, client, answer.  The answer is the reply or "go",
 * what is to be done, and what the log is told.
 */
static const struct {
	const char *filters;
	enum conf_phase phase;
	const struct client *client;
	const char *want;
} rows[] = {
	/* conditions */
	{ "phase connect match rdns reject '550 no'", PHASE_CONNECT, &good,
	    "550 no; reject f1" },
	{ "phase connect match rdns reject '550 no'", PHASE_CONNECT, &bare,
	    "go;" },
	{ "phase connect match !rdns reject '550 no'", PHASE_CONNECT, &bare,
	    "550 no; reject f1" },
	{ "phase connect match !rdns reject '550 no'", PHASE_CONNECT, &good,
	    "go;" },
	{ "phase connect match !rdns reject '550 no'", PHASE_CONNECT, &here,
	    "go;" },
	{ "phase connect match !rdns reject '550 no'", PHASE_CONNECT, &sock,
	    "go;" },
	{ "phase connect match rdns <names> junk", PHASE_CONNECT, &dyn,
	    "go junk; junk f1" },
	{ "phase connect match rdns <names> junk", PHASE_CONNECT, &good,
	    "go;" },
	{ "phase connect match rdns <names> junk", PHASE_CONNECT, &bare,
	    "go;" },
	{ "phase connect match !rdns <names> junk", PHASE_CONNECT, &bare,
	    "go junk; junk f1" },
	{ "phase connect match rdns regex '^h[0-9]+\\.DYN' junk", PHASE_CONNECT,
	    &dyn, "go junk; junk f1" },
	{ "phase connect match rdns regex '^h[0-9]+\\.dyn' junk", PHASE_CONNECT,
	    &good, "go;" },
	{ "phase connect match rdns regex '^<unknown>$' junk", PHASE_CONNECT,
	    &bare, "go junk; junk f1" },
	{ "phase connect match rdns { mx.example.org } junk", PHASE_CONNECT,
	    &sock, "go junk; junk f1" },
	{ "phase connect match rdns { localhost } junk", PHASE_CONNECT, &here,
	    "go junk; junk f1" },
	{ "phase connect match fcrdns junk", PHASE_CONNECT, &good,
	    "go junk; junk f1" },
	{ "phase connect match fcrdns junk", PHASE_CONNECT, &dyn, "go;" },
	{ "phase connect match !fcrdns junk", PHASE_CONNECT, &dyn,
	    "go junk; junk f1" },
	{ "phase connect match !fcrdns junk", PHASE_CONNECT, &here, "go;" },
	{ "phase connect match src <nets> junk", PHASE_CONNECT, &bare,
	    "go junk; junk f1" },
	{ "phase connect match src <nets> junk", PHASE_CONNECT, &six,
	    "go junk; junk f1" },
	{ "phase connect match src <nets> junk", PHASE_CONNECT, &sock, "go;" },
	{ "phase connect match src <nets> junk", PHASE_CONNECT, &good, "go;" },
	{ "phase connect match !src <nets> junk", PHASE_CONNECT, &good,
	    "go junk; junk f1" },
	{ "phase connect match src 192.0.2.7 junk", PHASE_CONNECT, &bare,
	    "go junk; junk f1" },
	{ "phase connect match src regex '^192' junk", PHASE_CONNECT, &bare,
	    "go junk; junk f1" },
	{ "phase connect match src regex '^local$' junk", PHASE_CONNECT, &sock,
	    "go junk; junk f1" },
	{ "phase helo match helo { pc } junk", PHASE_HELO, &dyn,
	    "go junk; junk f1" },
	{ "phase ehlo match helo { PC } junk", PHASE_EHLO, &dyn,
	    "go junk; junk f1" },
	{ "phase ehlo match helo { pc } junk", PHASE_EHLO, &good, "go;" },
	{ "phase ehlo match !helo { pc } junk", PHASE_EHLO, &good,
	    "go junk; junk f1" },
	{ "phase ehlo match helo regex '^\\[' junk", PHASE_EHLO, &bare,
	    "go junk; junk f1" },
	{ "phase auth match !auth junk", PHASE_AUTH, &good,
	    "go junk; junk f1" },
	{ "phase mail-from match auth junk", PHASE_MAIL_FROM, &user,
	    "go junk; junk f1" },
	{ "phase mail-from match auth junk", PHASE_MAIL_FROM, &good, "go;" },
	{ "phase mail-from match !auth junk", PHASE_MAIL_FROM, &good,
	    "go junk; junk f1" },
	{ "phase mail-from match auth joe junk", PHASE_MAIL_FROM, &user,
	    "go junk; junk f1" },
	{ "phase mail-from match auth ann junk", PHASE_MAIL_FROM, &user,
	    "go;" },
	{ "phase mail-from match auth ann junk", PHASE_MAIL_FROM, &good,
	    "go;" },
	{ "phase mail-from match !auth ann junk", PHASE_MAIL_FROM, &good,
	    "go junk; junk f1" },
	{ "phase mail-from match auth regex '^j' junk", PHASE_MAIL_FROM, &user,
	    "go junk; junk f1" },
	{ "phase mail-from match auth regex '.*' junk", PHASE_MAIL_FROM, &good,
	    "go;" },
	{ "phase mail-from match mail-from <spam> junk", PHASE_MAIL_FROM, &dyn,
	    "go junk; junk f1" },
	{ "phase mail-from match mail-from '@' junk", PHASE_MAIL_FROM, &bare,
	    "go junk; junk f1" },
	{ "phase mail-from match mail-from joe@a.example junk", PHASE_MAIL_FROM,
	    &six, "go junk; junk f1" },
	{ "phase mail-from match !mail-from joe@a.example junk",
	    PHASE_MAIL_FROM, &bare, "go junk; junk f1" },
	{ "phase mail-from match mail-from regex '^$' junk", PHASE_MAIL_FROM,
	    &bare, "go junk; junk f1" },
	{ "phase rcpt-to match rcpt-to ann@b.example junk", PHASE_RCPT_TO, &six,
	    "go junk; junk f1" },
	{ "phase rcpt-to match !rcpt-to { bob@b.example } junk", PHASE_RCPT_TO,
	    &six, "go junk; junk f1" },
	{ "phase rcpt-to match rcpt-to regex '^ann\\+x@' junk", PHASE_RCPT_TO,
	    &six, "go junk; junk f1" },
	{ "phase data match helo { pc } reject '550 pc'", PHASE_DATA, &dyn,
	    "550 5.7.1 pc; reject f1" },
	{ "phase commit match mail-from <spam> reject '550 spam'", PHASE_COMMIT,
	    &dyn, "550 5.7.1 spam; reject f1" },
	/* another phase */
	{ "phase helo match helo { pc } junk", PHASE_EHLO, &dyn, "go;" },
	{ "phase connect match fcrdns junk", PHASE_DATA, &good, "go;" },
	/* replies */
	{ "phase connect match fcrdns disconnect '550 5.7.1 go away'",
	    PHASE_CONNECT, &good, "550 5.7.1 go away bye; disconnect f1" },
	{ "phase connect match fcrdns disconnect 'go away'", PHASE_CONNECT,
	    &good, "421 go away bye; disconnect f1" },
	{ "phase data match fcrdns disconnect 'go away'", PHASE_DATA, &good,
	    "421 4.7.1 go away bye; disconnect f1" },
	{ "phase data match fcrdns reject 'go away'", PHASE_DATA, &good,
	    "550 5.7.1 go away; reject f1" },
	{ "phase data match fcrdns reject '421 go away'", PHASE_DATA, &good,
	    "421 4.7.1 go away bye; reject f1" },
	{ "phase data match fcrdns reject '451 later'", PHASE_DATA, &good,
	    "451 4.7.1 later; reject f1" },
	{ "phase data match fcrdns reject '451 5.7.1 later'", PHASE_DATA, &good,
	    "451 4.7.1 5.7.1 later; reject f1" },
	{ "phase data match fcrdns reject '554 5.10.123 x'", PHASE_DATA, &good,
	    "554 5.10.123 x; reject f1" },
	{ "phase data match fcrdns reject '250 fine'", PHASE_DATA, &good,
	    "550 5.7.1 fine; reject f1" },
	{ "phase data match fcrdns reject '550'", PHASE_DATA, &good,
	    "550 5.7.1 Refused; reject f1" },
	{ "phase data match fcrdns reject '5501 numbers'", PHASE_DATA, &good,
	    "550 5.7.1 5501 numbers; reject f1" },
	{ "phase data match fcrdns reject '550 5.7 x'", PHASE_DATA, &good,
	    "550 5.7.1 5.7 x; reject f1" },
	{ "phase data match fcrdns reject '550 5.7.1.2 x'", PHASE_DATA, &good,
	    "550 5.7.1 5.7.1.2 x; reject f1" },
	{ "phase data match fcrdns reject '550 5.1234.1 x'", PHASE_DATA, &good,
	    "550 5.7.1 5.1234.1 x; reject f1" },
	{ "phase data match fcrdns reject '599 x'", PHASE_DATA, &good,
	    "599 5.7.1 x; reject f1" },
	{ "phase ehlo match fcrdns reject '550 no'", PHASE_EHLO, &good,
	    "550 no; reject f1" },
	/* rewrite */
	{ "phase mail-from match auth rewrite '<a@b.example>'", PHASE_MAIL_FROM,
	    &user, "go rewrite=a@b.example; rewrite f1" },
	{ "phase rcpt-to match fcrdns rewrite a@b.example", PHASE_RCPT_TO,
	    &good, "go rewrite=a@b.example; rewrite f1" },
	{ "phase mail-from match fcrdns rewrite '<>'", PHASE_MAIL_FROM, &good,
	    "go rewrite=; rewrite f1" },
	{ "phase mail-from match fcrdns rewrite '<@x,@y:a@b.example>'",
	    PHASE_MAIL_FROM, &good, "go rewrite=a@b.example; rewrite f1" },
	{ "phase mail-from match fcrdns rewrite '<@x.example:a@b.example>'",
	    PHASE_MAIL_FROM, &good, "go rewrite=a@b.example; rewrite f1" },
	{ "phase mail-from match fcrdns rewrite 'a'", PHASE_MAIL_FROM, &good,
	    "451 4.7.0 later; later f1" },
	{ "phase mail-from match fcrdns rewrite 'a@b.example c'",
	    PHASE_MAIL_FROM, &good, "451 4.7.0 later; later f1" },
	{ "phase mail-from match fcrdns rewrite 'a@'", PHASE_MAIL_FROM, &good,
	    "451 4.7.0 later; later f1" },
	{ "phase mail-from match fcrdns rewrite 'a@b@c'", PHASE_MAIL_FROM,
	    &good, "451 4.7.0 later; later f1" },
	{ "phase mail-from match fcrdns rewrite '<a@b.example> SIZE=5'",
	    PHASE_MAIL_FROM, &good, "451 4.7.0 later; later f1" },
	{ "phase mail-from match fcrdns rewrite '<a@b.example'",
	    PHASE_MAIL_FROM, &good, "451 4.7.0 later; later f1" },
	{ "phase mail-from match fcrdns rewrite 'a@b\xc3\xbc"
	  "cher.example'",
	    PHASE_MAIL_FROM, &good, "451 4.7.0 later; later f1" },
	{ "phase rcpt-to match fcrdns rewrite '<>'", PHASE_RCPT_TO, &good,
	    "451 4.7.0 later; later f1" },
	{ "phase rcpt-to match fcrdns rewrite '\"a b\"@c.example'",
	    PHASE_RCPT_TO, &good, "go rewrite=\"a b\"@c.example; rewrite f1" },
	{ "phase helo match fcrdns rewrite 'mx.b.example'", PHASE_HELO, &good,
	    "go rewrite=mx.b.example; rewrite f1" },
	{ "phase ehlo match fcrdns rewrite '[192.0.2.1]'", PHASE_EHLO, &good,
	    "go rewrite=[192.0.2.1]; rewrite f1" },
	{ "phase ehlo match fcrdns rewrite '[192.0.2'", PHASE_EHLO, &good,
	    "451 later; later f1" },
	{ "phase ehlo match fcrdns rewrite 'a b'", PHASE_EHLO, &good,
	    "451 later; later f1" },
	{ "phase connect match fcrdns rewrite 'x'", PHASE_CONNECT, &good,
	    "go; rewrite f1" },
	{ "phase auth match fcrdns rewrite 'x'", PHASE_AUTH, &good,
	    "go; rewrite f1" },
	{ "phase data match fcrdns rewrite 'x'", PHASE_DATA, &good,
	    "go; rewrite f1" },
	{ "phase commit match fcrdns rewrite 'x'", PHASE_COMMIT, &good,
	    "go; rewrite f1" },
	/* several: all but a report are the last word of their phase */
	{ "phase data match fcrdns report one\n"
	  "phase data match fcrdns report two\n"
	  "phase data match fcrdns junk\n"
	  "phase data match fcrdns reject '550 no'",
	    PHASE_DATA, &good, "go junk; report f1, report f2, junk f3" },
	{ "phase data match fcrdns bypass\n"
	  "phase data match fcrdns reject '550 no'",
	    PHASE_DATA, &good, "go bypass; bypass f1" },
	{ "phase data match !fcrdns bypass\n"
	  "phase data match fcrdns reject '550 no'",
	    PHASE_DATA, &good, "550 5.7.1 no; reject f2" },
	{ "phase data match fcrdns reject '550 one'\n"
	  "phase data match fcrdns reject '550 two'",
	    PHASE_DATA, &good, "550 5.7.1 one; reject f1" },
	{ "phase mail-from match fcrdns rewrite a@b.example\n"
	  "phase mail-from match fcrdns reject '550 two'",
	    PHASE_MAIL_FROM, &good, "go rewrite=a@b.example; rewrite f1" },
	{ "phase data match fcrdns junk\n"
	  "phase ehlo match fcrdns reject '550 other phase'\n"
	  "phase data match fcrdns reject '550 no'",
	    PHASE_EHLO, &good, "550 other phase; reject f2" },
	/* nobody knows */
	{ "phase connect match !rdns reject '550 no'", PHASE_CONNECT, &doubt,
	    "421 later bye; later f1" },
	{ "phase connect match !fcrdns disconnect '550 no'", PHASE_CONNECT,
	    &doubt, "421 later bye; later f1" },
	{ "phase connect match !rdns reject '550 no'", PHASE_CONNECT, &half,
	    "go;" },
	{ "phase connect match !fcrdns reject '550 no'", PHASE_CONNECT, &half,
	    "421 later bye; later f1" },
	{ "phase ehlo match !fcrdns reject '550 no'", PHASE_EHLO, &doubt,
	    "451 later; later f1" },
	{ "phase data match !fcrdns reject '550 no'", PHASE_DATA, &doubt,
	    "451 4.7.0 later; later f1" },
	{ "phase data match !fcrdns junk", PHASE_DATA, &doubt, "go;" },
	{ "phase data match rdns <names> junk", PHASE_DATA, &doubt, "go;" },
	{ "phase data match !fcrdns report x", PHASE_DATA, &doubt, "go;" },
	{ "phase data match fcrdns bypass", PHASE_DATA, &doubt, "go;" },
	{ "phase data match fcrdns bypass\n"
	  "phase data match !auth reject '550 no'",
	    PHASE_DATA, &doubt, "451 4.7.0 later; later f2" },
	{ "phase data match fcrdns bypass\nphase data match !auth junk",
	    PHASE_DATA, &doubt, "go junk; junk f2" },
	{ "phase data match fcrdns bypass\n"
	  "phase data match auth reject '550 no'",
	    PHASE_DATA, &doubt, "go;" },
	{ "phase mail-from match fcrdns rewrite a@b.example", PHASE_MAIL_FROM,
	    &doubt, "451 4.7.0 later; later f1" },
	{ "phase connect match src <dead> reject '550 no'", PHASE_CONNECT,
	    &good, "421 later bye; later f1" },
	{ "phase connect match !src <dead> reject '550 no'", PHASE_CONNECT,
	    &good, "421 later bye; later f1" },
	{ "phase data match src <dead> junk", PHASE_DATA, &good,
	    "451 4.7.0 later; later f1" },
	{ "phase data match src <dead> report x", PHASE_DATA, &good, "go;" },
	{ "phase data match src <dead> bypass", PHASE_DATA, &good, "go;" },
	{ "phase data match src <dead> bypass\n"
	  "phase data match fcrdns reject '550 no'",
	    PHASE_DATA, &good, "451 4.7.0 later; later f2" },
	{ "phase data match fcrdns bypass\n"
	  "phase data match src <dead> reject '550 no'",
	    PHASE_DATA, &good, "go bypass; bypass f1" },
	/* it takes time */
	{ "phase connect match src <slow> reject '550 no'", PHASE_CONNECT,
	    &good, "550 no; reject f1" },
	{ "phase connect match src <slow> reject '550 no'", PHASE_CONNECT,
	    &bare, "go;" },
	{ "phase data match fcrdns report one\n"
	  "phase data match src <slow> report two\n"
	  "phase data match mail-from <slow_mail> junk\n"
	  "phase data match mail-from <slow_mail> reject '550 no'",
	    PHASE_DATA, &good, "go junk; report f1, report f2, junk f3" },
	{ "phase data match src <hang> reject '550 no'", PHASE_DATA, &good,
	    "451 4.7.0 later; later f1" },
	{ "phase connect match src <hang> junk", PHASE_CONNECT, &good,
	    "421 later bye; later f1" },
};

/* ---- a row ---- */

/* The file with a row's filters, and one listener that has them all; chain:
 * in one chain, behind another filter. */
static void
put_file(struct buf *b, const char *filters, bool chain)
{
	char names[ROW_NAMES] = "";
	size_t len, n = 0;

	buf_puts(b, TABLES);
	for (; *filters != '\0'; filters += len + (filters[len] == '\n')) {
		len = strcspn(filters, "\n");
		buf_printf(b, "filter f%zu %.*s\n", ++n, (int)len, filters);
		snprintf(names + strlen(names), sizeof names - strlen(names),
		    "%sf%zu", n == 1 ? "" : ", ", n);
	}
	if (chain)
		buf_printf(b,
		    "filter c chain { %s }\n"
		    "listen on 127.0.0.1 port 2525 filter c\n" RULE,
		    names);
	else
		buf_printf(b,
		    "listen on 127.0.0.1 port 2525 filter { %s }\n" RULE,
		    names);
}

static void
fill_ask(struct filter_ask *m, enum conf_phase phase, const struct client *c)
{
	memset(m, 0, sizeof *m);
	m->phase = phase;
	m->facts.flags = c->flags;
	fill(m->facts.client, sizeof m->facts.client, c->ip);
	fill(m->facts.rdns, sizeof m->facts.rdns, c->rdns);
	fill(m->facts.helo, sizeof m->facts.helo,
	    phase == PHASE_CONNECT ? "" : c->helo);
	fill(m->facts.auth, sizeof m->facts.auth, c->auth);
	fill(m->sender, sizeof m->sender,
	    phase < PHASE_MAIL_FROM ? "" : c->sender);
	fill(m->rcpt, sizeof m->rcpt, phase == PHASE_RCPT_TO ? c->rcpt : "");
}

/* "reject f1, junk f2" of lines "reject<tab>f1<tab>text" */
static void
show_report(struct buf *b, const char *report)
{
	const char *sep = " ";

	for (; *report != '\0'; report += strcspn(report, "\n") + 1) {
		size_t word = strcspn(report, "\t");

		buf_printf(b, "%s%.*s %.*s", sep, (int)word, report,
		    (int)strcspn(report + word + 1, "\t"), report + word + 1);
		sep = ", ";
	}
}

static void
show_answer(struct buf *b, const struct filter_is *is)
{
	struct outcome o = is->outcome;
	char line[600];

	if (strncmp(o.text, "Cannot check", 12) == 0)
		fill(o.text, sizeof o.text, "later");
	buf_puts(b,
	    o.verdict == DONE ? "go" : outcome_print(&o, line, sizeof line));
	if ((o.verdict == NEVER) != (o.code >= 500) ||
	    (o.verdict == LATER) != (o.code >= 400 && o.code < 500))
		buf_puts(b, " not of that verdict");
	if ((is->flags & FILTER_JUNK) != 0)
		buf_puts(b, " junk");
	if ((is->flags & FILTER_BYPASS) != 0)
		buf_puts(b, " bypass");
	if ((is->flags & FILTER_REWRITE) != 0)
		buf_printf(b, " rewrite=%s", is->text);
	if ((is->flags & FILTER_DISCONNECT) != 0)
		buf_puts(b, " bye");
	buf_puts(b, ";");
	show_report(b, is->report);
	buf_add(b, "", 1);
}

static void
check_row(size_t i, bool chain)
{
	struct conf_errors errors;
	struct conf_image image;
	struct filter_ask m;
	struct filter_is is;
	struct buf file, got;
	char name[96];
	bool ok = false;

	buf_init(&file, 0);
	buf_init(&got, 0);
	put_file(&file, rows[i].filters, chain);
	if (load(buf_data(&file), file.len, &image, &errors) != CONF_WRONG) {
		lookup_begin(image.conf);
		fill_ask(&m, rows[i].phase, rows[i].client);
		question_ask(&world.questions, judge_filter, &m, sizeof m,
		    &world.chan, 7);
		ok = world_answered(&world, IPC_FILTER_IS, &is, sizeof is);
		if (ok)
			show_answer(&got, &is);
		lookup_end();
	}
	ok = ok && strcmp((const char *)buf_data(&got), rows[i].want) == 0;
	CHECK(case_name(chain ? "in a chain" : "alone", i, rows[i].filters,
		  name),
	    ok);
	if (!ok)
		fprintf(stderr, "%s: got %s, not %s\n",
		    errors.n > 0 ? errors.text[0] : "",
		    got.len > 0 ? (const char *)buf_data(&got) : "nothing",
		    rows[i].want);
	conf_image_free(&image);
	conf_errors_free(&errors);
	buf_free(&file);
	buf_free(&got);
}

/* ---- more reports than a message holds ---- */

static void
check_many_reports(void)
{
	struct conf_errors errors;
	struct conf_image image;
	struct filter_ask m;
	struct filter_is is;
	struct buf file;
	const char *p;
	int i, lines = 0;

	buf_init(&file, 0);
	buf_puts(&file, TABLES);
	for (i = 0; i < 40; i++)
		buf_printf(&file,
		    "filter f%d phase data match fcrdns report 'quite a long text of a report'\n",
		    i);
	buf_puts(&file, "listen on 127.0.0.1 port 2525 filter {");
	for (i = 0; i < 40; i++)
		buf_printf(&file, " f%d", i);
	buf_puts(&file, " }\n" RULE);
	memset(&is, 0, sizeof is);
	if (load(buf_data(&file), file.len, &image, &errors) != CONF_WRONG) {
		lookup_begin(image.conf);
		fill_ask(&m, PHASE_DATA, &good);
		question_ask(&world.questions, judge_filter, &m, sizeof m,
		    &world.chan, 7);
		CHECK("many reports: answered",
		    world_answered(&world, IPC_FILTER_IS, &is, sizeof is));
		lookup_end();
	}
	for (p = is.report; *p != '\0'; p++)
		lines += *p == '\n';
	CHECK("many reports: those that fit, whole",
	    lines > 5 && lines < 40 && p > is.report && p[-1] == '\n' &&
		is.outcome.verdict == DONE);
	conf_image_free(&image);
	conf_errors_free(&errors);
	buf_free(&file);
}

/* A listener that there is not: no answer of the table's is to be trusted. */
static void
check_no_listener(void)
{
	struct filter_ask m;
	struct filter_is is;
	struct conf *c = image_new();

	world_init(&world, c);
	fill_ask(&m, PHASE_DATA, &good);
	m.listen = 3;
	question_ask(&world.questions, judge_filter, &m, sizeof m, &world.chan,
	    7);
	CHECK("no such listener: later",
	    world_answered(&world, IPC_FILTER_IS, &is, sizeof is) &&
		is.outcome.verdict == LATER);
	world_free(&world);
}

int
main(void)
{
	size_t i;

	conf_unit_begin();
	for (i = 0; i < N(rows); i++) {
		check_row(i, false);
		check_row(i, true);
	}
	check_many_reports();
	check_no_listener();
	return conf_unit_end();
}
