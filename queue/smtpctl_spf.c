/*
 * `smtpctl spf`: what SPF says of a client and a sender.  Run by an operator;
 * asks the name servers that it was told, and nobody else.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "smtpctl.h"
#include "smtpctl_asker.h"
#include "smtpctl_print.h"
#include "spf.h"

struct spf_wait {
	struct smtpctl *c;
	bool done;
	enum auth_result result;
};

static void
print_json(struct buf *b, const struct spf_answer *a)
{
	json_member(b, "{", "result", auth_result_word(a->result));
	json_member(b, ",", "domain", a->domain);
	json_member(b, ",", "mechanism", a->mechanism);
	json_member(b, ",", "reason", a->why);
	if (a->exp[0] != '\0')
		json_member(b, ",", "exp", a->exp);
	buf_puts(b, "}\n");
}

static void
print_line(struct smtpctl *c, const struct spf_answer *a)
{
	asker_put(c, auth_result_word(a->result));
	asker_put(c, " ");
	asker_put(c, a->why);
	if (a->exp[0] != '\0') {
		asker_put(c, " exp=");
		asker_put(c, a->exp);
	}
	buf_puts(&c->out, "\n");
}

static void
on_spf(void *arg, const struct spf_answer *a)
{
	struct spf_wait *w = arg;

	w->done = true;
	w->result = a->result;
	if (w->c->json)
		print_json(&w->c->out, a);
	else
		print_line(w->c, a);
}

int
do_spf(struct smtpctl *c, int argc, char **argv)
{
	char ours[HOST_MAX + 1] = "";
	const char *conf = NULL;
	struct spf_wait w = { .c = c };
	struct spf_query q = { .ours = ours };
	struct asker a;
	int status;

	if (argc >= 2 && strcmp(argv[0], "-c") == 0) {
		conf = argv[1];
		argc -= 2;
		argv += 2;
	}
	if (argc != 3)
		return smtpctl_usage(c, NULL);
	q.client = argv[0];
	q.helo = argv[1];
	q.sender = asker_sender(argv[2]);
	if (!asker_address(q.client))
		return smtpctl_usage(c, "no address of a client");
	if (gethostname(ours, sizeof ours - 1) == -1)
		ours[0] = '\0';
	if ((status = asker_open(&a, conf)) != 0)
		return status;
	spf_start(a.loop, a.dns, &q, on_spf, &w);
	asker_wait(&a, &w.done);
	asker_close(&a);
	return smtpctl_flush(c) ? asker_status(w.result) : EX_IOERR;
}
