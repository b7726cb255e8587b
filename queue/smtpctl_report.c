/*
 * smtpctl(8) report list, report show: what will be reported to the domains of
 * authors.  Reads the spool's facts only.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "report_make.h"
#include "report_store.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

#define OUT_FLUSH (256 * 1024)

static int
open_facts(struct smtpctl *c, struct index **ix)
{
	const char *why;
	int status = smtpctl_enter(c);

	if (status != 0)
		return status;
	if ((*ix = index_read(".", &why)) != NULL)
		return 0;
	warnx("the spool's facts cannot be read now: %s", why);
	return EX_TEMPFAIL;
}

/* ---- list ---- */

struct view {
	struct smtpctl *c;
	bool broken; /* nobody reads what is printed */
};

static void
print_json(struct buf *b, const struct report_head_row *row)
{
	const struct report_head *h = &row->head;
	char day[REPORT_DAY_TEXT];

	json_member(b, "{", "day", report_day_print(row->day, day));
	json_member(b, ",", "domain", row->domain);
	json_member(b, ",", "policy", dmarc_policy_word(h->policy.p));
	json_number(b, ",", "messages", h->messages);
	json_number(b, ",", "rows", h->rows);
	json_number(b, ",", "shortened", h->shortened);
	json_number(b, ",", "dropped", h->dropped);
	json_number(b, ",", "reported", h->sent);
	json_time(b, ",", "first", h->first);
	json_time(b, ",", "last", h->last);
	buf_puts(b, "}\n");
}

static void
print_row(struct buf *b, const struct report_head_row *row)
{
	const struct report_head *h = &row->head;
	char text[32];

	print_column(b, report_day_print(row->day, text), 10);
	snprintf(text, sizeof text, "%llu", (unsigned long long)h->messages);
	print_column(b, text, 9);
	snprintf(text, sizeof text, "%llu", (unsigned long long)h->rows);
	print_column(b, text, 7);
	snprintf(text, sizeof text, "%u", h->sent);
	print_column(b, text, 8);
	print_text(b, row->domain);
	buf_puts(b, "\n");
}

static bool
on_head(void *arg, const struct report_head_row *row)
{
	struct view *v = arg;

	if (v->c->json)
		print_json(&v->c->out, row);
	else
		print_row(&v->c->out, row);
	if (v->c->out.len >= OUT_FLUSH)
		v->broken = !smtpctl_flush(v->c);
	return !v->broken;
}

int
report_list(struct smtpctl *c, int argc, char **argv)
{
	struct view v = { .c = c };
	struct index *ix;
	int status;

	(void)argv;
	if (argc > 0)
		return smtpctl_usage(c, NULL);
	if ((status = open_facts(c, &ix)) != 0)
		return status;
	if (!c->json)
		buf_puts(&c->out,
		    "DAY        MESSAGES  ROWS    REPORTED DOMAIN\n");
	report_heads(ix, on_head, &v);
	index_close(&ix);
	if (!v.broken)
		v.broken = !smtpctl_flush(c);
	buf_free(&c->out);
	return v.broken ? EX_IOERR : EX_OK;
}

/* ---- show ---- */

/* The last day of a domain of which there is something. */
struct newest {
	const char *domain;
	uint32_t day;
	bool found;
};

static bool
look_newest(void *arg, const struct report_head_row *row)
{
	struct newest *n = arg;

	if (row->head.rows > 0 && strcmp(row->domain, n->domain) == 0) {
		n->day = row->day;
		n->found = true;
	}
	return true;
}

static bool
print_piece(void *arg, const uint8_t *p, size_t len)
{
	struct smtpctl *c = arg;

	return buf_add(&c->out, p, len) && smtpctl_flush(c);
}

static int
show(struct smtpctl *c, struct index *ix, const char *domain, uint32_t day)
{
	struct report_words words;
	struct report_made made;
	bool ok;

	report_words_read(ix, &words);
	if (!report_make(ix, &words, day, domain, UINT64_MAX, &made)) {
		warnx("nothing is to be reported to %s of that day", domain);
		return EXIT_NO_MATCH;
	}
	ok = report_unzip(&made, print_piece, c);
	buf_free(&made.body);
	buf_free(&c->out);
	return ok ? EX_OK : EX_IOERR;
}

int
report_show(struct smtpctl *c, int argc, char **argv)
{
	struct newest newest = { 0 };
	struct index *ix;
	int status;

	if (argc < 1 || argc > 2)
		return smtpctl_usage(c, NULL);
	text_lower(argv[0]);
	newest.domain = argv[0];
	newest.found = argc == 2;
	if (argc == 2 &&
	    !report_day_parse(argv[1], (int64_t)time(NULL), &newest.day))
		return smtpctl_usage(c, "expected a day, as 2026-05-01");
	if ((status = open_facts(c, &ix)) != 0)
		return status;
	if (!newest.found)
		report_heads(ix, look_newest, &newest);
	if (newest.found)
		status = show(c, ix, newest.domain, newest.day);
	else {
		warnx("nothing is to be reported to %s", newest.domain);
		status = EXIT_NO_MATCH;
	}
	index_close(&ix);
	return status;
}
