/*
 * A wrapper around a method of our own: its %{mda} is this program once more,
 * which takes the message from its standard input.  Runs in local, as the same
 * user; what it has to know is in its environment, which is that user's anyway
 * (postern-local(8)).
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/types.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local.h"

#define LIFE 3600 /* s; who started us ends us sooner */

/* Columns: the word behind `local deliver`, enum local_what, what does it. */
static const struct {
	const char *word;
	enum local_what what;
	bool (*does)(struct local *l, const char *to);
} methods[] = {
	{ "mbox", LOCAL_MAILBOX, local_mbox },
	{ "maildir", LOCAL_MAILBOX, local_maildir },
	{ "file", LOCAL_FILE, local_file },
};

#define N_METHODS (sizeof methods / sizeof methods[0])

static size_t
find(const char *word)
{
	size_t i;

	for (i = 0; i < N_METHODS; i++)
		if (strcmp(methods[i].word, word) == 0)
			break;
	return i;
}

/* Our own path, which a shell reads as one word.  False: it would not. */
static bool
own_path(char out[PATH_MAX])
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "/._+-";
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 && strspn(out, plain) == (size_t)n;
}

bool
local_by(struct local *l, const char *method, const char *to)
{
	char path[PATH_MAX], command[PATH_MAX + 32];
	bool good;

	if (l->start.wrapper[0] == '\0')
		return methods[find(method)].does(l, to);
	if (l->start.opened != 0)
		return local_later(l, WIDTH_SITE, CAUSE_CONFIG, "4.3.5",
		    "mail for root goes through no wrapper: it needs an alias");
	if (!own_path(path))
		return local_later(l, WIDTH_SITE, CAUSE_CONFIG, "4.3.5",
		    "the wrapper cannot be told where this program is");
	snprintf(command, sizeof command, "%s deliver %s", path, method);
	l->inner = to;
	good = local_program(l, command);
	l->inner = NULL;
	return good;
}

/* ---- inside the wrapper ---- */

/* What is not there is empty; what is too long is no address of ours. */
static const char *
take_env(const char *name, char *out, size_t size)
{
	const char *value = getenv(name);
	int n = snprintf(out, size, "%s", value == NULL ? "" : value);

	if (n < 0 || (size_t)n >= size)
		out[0] = '\0';
	return out;
}

int
local_again(struct local *l, const char *method)
{
	char to[PATH_MAX], word[8];
	struct local_take *t = &l->start.take;
	size_t i = find(method);

	l->again = true;
	l->end = local_now() + (msec)LIFE * 1000;
	take_env("POSTERN_MAILBOX", to, sizeof to);
	take_env("POSTERN_HOST", l->start.hostname, sizeof l->start.hostname);
	take_env("SENDER", t->sender, sizeof t->sender);
	take_env("RECIPIENT", t->rcpt, sizeof t->rcpt);
	take_env("ORIGINAL_RECIPIENT", t->of, sizeof t->of);
	take_env("HOME", t->to.home, sizeof t->to.home);
	l->start.delim =
	    (uint8_t)take_env("POSTERN_DELIM", word, sizeof word)[0];
	l->start.junk = take_env("POSTERN_JUNK", word, sizeof word)[0] != '\0';
	if (strcmp(word, "yes") == 0)
		t->to.flags |= LOCAL_JUNK;
	if (i == N_METHODS || to[0] == '\0') {
		dprintf(STDERR_FILENO, "local: this is for a wrapper\n");
		return 64; /* EX_USAGE */
	}
	t->to.what = methods[i].what;
	if (methods[i].does(l, to))
		return EXIT_SUCCESS;
	dprintf(STDERR_FILENO, "local: %s\n", l->outcome.text);
	return 75; /* EX_TEMPFAIL */
}
