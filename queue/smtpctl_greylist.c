/*
 * smtpctl(8) show greylist: who has to come again, and who has.  Reads the
 * spool's facts only.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "grey_store.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

#define OUT_FLUSH (256 * 1024)

struct grey_view {
	struct smtpctl *c;
	const char *about; /* an address, or part of one; NULL: all */
	bool nets;
	int64_t now;
	uint64_t printed;
	bool broken; /* nobody reads what is printed */
};

/* Columns: of what it is, by whether it is a network and has passed. */
static const char *
state_of(const struct grey_view *v, const struct grey_known *k)
{
	if (v->nets)
		return k->n >= GREY_PASSES ? "free" : "known";
	return k->last != 0 ? "passed" : "waits";
}

static void
print_json(struct grey_view *v, const struct grey_triplet *t,
    const struct grey_known *k, int64_t due)
{
	struct buf *b = &v->c->out;

	json_member(b, "{", "network", t->net);
	json_member(b, ",", "state", state_of(v, k));
	if (v->nets)
		json_number(b, ",", "passes", k->n);
	else {
		json_member(b, ",", "sender", t->sender);
		json_member(b, ",", "recipient", t->rcpt);
		json_time(b, ",", "first", k->first);
	}
	json_time(b, ",", "passed", k->last);
	json_time(b, ",", "until", due);
	buf_puts(b, "}\n");
}

static void
print_text_row(struct grey_view *v, const struct grey_triplet *t,
    const struct grey_known *k, int64_t due)
{
	struct buf *b = &v->c->out;
	char span[PRINT_TIME];
	int64_t since = k->last != 0 ? k->last : k->first;

	print_column(b, state_of(v, k), 6);
	print_column(b, print_span(v->now - since, span), 7);
	print_column(b, print_span(due - v->now, span), 9);
	print_column(b, t->net, 22);
	if (v->nets) {
		buf_printf(b, "%u passed\n", k->n);
		return;
	}
	print_column(b, t->sender[0] == '\0' ? "<>" : t->sender, 30);
	print_text(b, t->rcpt);
	buf_puts(b, "\n");
}

static bool
is_about(const struct grey_view *v, const struct grey_triplet *t)
{
	if (v->about == NULL)
		return true;
	return strcasestr(t->net, v->about) != NULL ||
	    strcasestr(t->sender, v->about) != NULL ||
	    strcasestr(t->rcpt, v->about) != NULL;
}

static bool
on_row(void *arg, const struct grey_triplet *t, const struct grey_known *k,
    int64_t due)
{
	struct grey_view *v = arg;

	/* What is due is as good as forgotten. */
	if (due < v->now || !is_about(v, t))
		return true;
	if (v->c->json)
		print_json(v, t, k, due);
	else
		print_text_row(v, t, k, due);
	v->printed++;
	if (v->c->out.len >= OUT_FLUSH)
		v->broken = !smtpctl_flush(v->c);
	return !v->broken;
}

int
show_greylist(struct smtpctl *c, int argc, char **argv)
{
	struct grey_view v = { .c = c, .now = (int64_t)time(NULL) };
	struct index *ix;
	const char *why;
	int status;

	if (argc > 1)
		return smtpctl_usage(c, NULL);
	if (argc == 1)
		v.about = argv[0];
	if ((status = smtpctl_enter(c)) != 0)
		return status;
	if ((ix = index_read(".", &why)) == NULL) {
		warnx("the spool's facts cannot be read now: %s", why);
		return EX_TEMPFAIL;
	}
	if (!c->json)
		buf_puts(&c->out,
		    "STATE  SINCE   FORGOTTEN NETWORK                SENDER                         RECIPIENT\n");
	grey_walk(ix, false, on_row, &v);
	v.nets = true;
	if (!v.broken)
		grey_walk(ix, true, on_row, &v);
	index_close(&ix);
	if (!v.broken)
		v.broken = !smtpctl_flush(c);
	buf_free(&c->out);
	if (v.broken)
		return EX_IOERR;
	if (v.printed == 0 && v.about != NULL) {
		warnx("nothing matches");
		return EXIT_NO_MATCH;
	}
	return EX_OK;
}
