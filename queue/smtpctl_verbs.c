/*
 * smtpctl(8): the table of verbs, how they are used, and what is written out.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "smtpctl.h"
#include "smtpctl_dkim.h"

enum { USAGE_WIDTH = 36 }; /* columns of a verb and its arguments */

/* clang-format off */
const struct smtpctl_verb smtpctl_verbs[] = {
#define X(words, args, needs, ctl, fn, text) \
	{ words, args, NEEDS_##needs, CTL_##ctl, fn, text },
	SMTPCTL_TABLE(X)
#undef X
	{ NULL, NULL, NEEDS_NOTHING, CTL_NONE, NULL, NULL },
};
/* clang-format on */

static void
list_verbs(FILE *f)
{
	const struct smtpctl_verb *v;
	char line[160];

	fprintf(f, "usage: smtpctl [-R dir] [--json] command ...\n");
	for (v = smtpctl_verbs; v->words != NULL; v++) {
		snprintf(line, sizeof line, "%s%s%s", v->words,
		    v->args[0] == '\0' ? "" : " ", v->args);
		/* A long one has a line of its own. */
		if (strlen(line) > USAGE_WIDTH)
			fprintf(f, "  %s\n  %-*s %s\n", line, USAGE_WIDTH, "",
			    v->text);
		else
			fprintf(f, "  %-*s %s\n", USAGE_WIDTH, line, v->text);
	}
}

int
do_help(struct smtpctl *c, int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		return smtpctl_usage(c, NULL);
	list_verbs(stdout);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int
do_dkim(struct smtpctl *c, int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "rotate") == 0)
		return smtpctl_dkim_rotate(c, argc, argv);
	if (argc > 0 && strcmp(argv[0], "verify") == 0)
		return smtpctl_dkim_verify(c, argc, argv);
	if (argc > 0 && strcmp(argv[0], "sign") == 0)
		return smtpctl_dkim_sign(argc, argv);
	/* argv[-1] is the word itself, as a main() expects it. */
	return smtpctl_dkim(argc + 1, argv - 1, c->json);
}

int
smtpctl_usage(const struct smtpctl *c, const char *why)
{
	if (why != NULL)
		warnx("%s", why);
	if (c->verb == NULL)
		list_verbs(stderr);
	else
		fprintf(stderr, "usage: smtpctl %s%s%s\n", c->verb->words,
		    c->verb->args[0] == '\0' ? "" : " ", c->verb->args);
	return EX_USAGE;
}

bool
smtpctl_flush(struct smtpctl *c)
{
	ssize_t n;

	while (c->out.len > 0) {
		n = write(STDOUT_FILENO, buf_data(&c->out), c->out.len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			warn("standard output");
			return false;
		}
		buf_drain(&c->out, (size_t)n);
	}
	return true;
}

/* The words of the verb at the front of argv; 0 if it is another verb. */
static int
verb_words(const struct smtpctl_verb *v, int argc, char **argv)
{
	const char *words = v->words;
	size_t len;
	int n = 0;

	for (;;) {
		len = strcspn(words, " ");
		if (n == argc || strlen(argv[n]) != len ||
		    strncmp(argv[n], words, len) != 0)
			return 0;
		n++;
		if (words[len] == '\0')
			return n;
		words += len + 1;
	}
}

int
smtpctl_find(int argc, char **argv, const struct smtpctl_verb **verb)
{
	const struct smtpctl_verb *v;
	int n;

	*verb = NULL;
	for (v = smtpctl_verbs; v->words != NULL; v++) {
		if ((n = verb_words(v, argc, argv)) == 0)
			continue;
		*verb = v;
		return n;
	}
	return 0;
}
