/*
 * smtpctl(8) and the parent: reload, and a table's file again.  Waits until
 * the new configuration is at work, or prints each line that says why it
 * cannot be.
 *
 * SPDX-License-Identifier: ISC
 */
#include <bsd/string.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ipc_table.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

#define EXIT_REFUSED 1 /* the configuration cannot be used */

int
smtpctl_parent(struct smtpctl *c, uint32_t verb, const char *text,
    uint32_t from, struct parent_is *is)
{
	struct parent_ask ask;
	int status;

	memset(&ask, 0, sizeof ask);
	ask.verb = verb;
	ask.from = from;
	if (strlcpy(ask.text, text, sizeof ask.text) >= sizeof ask.text) {
		warnx("%s: too long for a name", text);
		return EX_USAGE;
	}
	status = smtpctl_call(c, IPC_PARENT_ASK, &ask, is, sizeof *is);
	is->text[sizeof is->text - 1] = '\0';
	return status;
}

/* All lines; one answer may not hold them. */
static int
print_why(struct smtpctl *c, const struct parent_is *first)
{
	struct parent_is is = *first;
	uint32_t from = 0;
	int status;

	for (;;) {
		fputs(is.text, stderr);
		from += (uint32_t)strlen(is.text);
		if (is.text[0] == '\0' || from >= is.size)
			return EXIT_REFUSED;
		status = smtpctl_parent(c, PARENT_WHY, "", from, &is);
		if (status != 0)
			return status;
	}
}

static void
print_generation(struct smtpctl *c, const struct parent_is *is)
{
	struct buf *b = &c->out;

	if (c->json) {
		json_number(b, "{", "generation", is->generation);
		json_number(b, ",", "loaded", (uint64_t)is->loaded);
		json_number(b, ",", "draining", is->draining);
		buf_puts(b, "}\n");
		return;
	}
	buf_printf(b, "generation %u is at work\n", is->generation);
	if (is->draining != 0)
		buf_printf(b,
		    "%u process%s of older ones finish%s what %s open\n",
		    is->draining, is->draining == 1 ? "" : "es",
		    is->draining == 1 ? "es" : "",
		    is->draining == 1 ? "it has" : "they have");
}

int
do_reload(struct smtpctl *c, int argc, char **argv)
{
	struct parent_is is;
	int status;

	(void)argv;
	if (argc > 0)
		return smtpctl_usage(c, NULL);
	status = smtpctl_parent(c, PARENT_RELOAD, "", 0, &is);
	if (status != 0)
		return status;
	if (is.outcome.verdict != DONE) {
		status = smtpctl_outcome(&is.outcome);
		if (is.size != 0)
			status = print_why(c, &is);
		warnx("%s", is.outcome.text);
		return status;
	}
	if (strcmp(is.outcome.text, "done") != 0 && c->json) {
		json_member(&c->out, "{", "text", is.outcome.text);
		buf_puts(&c->out, "}\n");
	} else if (strcmp(is.outcome.text, "done") != 0)
		buf_printf(&c->out, "%s\n", is.outcome.text);
	else
		print_generation(c, &is);
	return smtpctl_flush(c) ? EX_OK : EX_IOERR;
}

int
do_update(struct smtpctl *c, int argc, char **argv)
{
	const char *name;
	struct parent_is is;
	int status;

	if (argc > 1 || (argc == 1 && argv[0][0] == '\0'))
		return smtpctl_usage(c, NULL);
	name = argc == 1 ? argv[0] : "";
	status = smtpctl_parent(c, PARENT_UPDATE, name, 0, &is);
	if (status != 0)
		return status;
	if (is.outcome.verdict != DONE) {
		warnx("%s%s%s", name, name[0] == '\0' ? "" : ": ",
		    is.outcome.text);
		return smtpctl_outcome(&is.outcome);
	}
	buf_puts(&c->out, argc == 1 ? "table " : "all tables");
	print_text(&c->out, name);
	buf_puts(&c->out,
	    argc == 1 ? " is being read again\n" : " are being read again\n");
	return smtpctl_flush(c) ? EX_OK : EX_IOERR;
}
