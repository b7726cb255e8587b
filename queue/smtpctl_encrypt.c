/*
 * `smtpctl encrypt`: what a table of credentials has in place of a password
 * (table(5)).  Run by an operator; asks no process, and wipes what it read.
 *
 * SPDX-License-Identifier: ISC
 */
#include <bsd/readpassphrase.h>
#include <crypt.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "scram.h"
#include "smtpctl.h"

/* What crypt(3) takes of a password. */
#define PASSWORD_MAX CRYPT_MAX_PASSPHRASE_SIZE

struct method {
	const char *name;
	/* Prints what stands for the password.  NULL, or why not. */
	const char *(*print)(const struct method *m, const char *password);
	const char *prefix;  /* of crypt_gensalt(3) ... */
	unsigned long count; /* and its cost; 0: its default */
};

static const char *
print_crypt(const struct method *m, const char *password)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	const char *hash, *why = NULL;

	if (crypt_gensalt_rn(m->prefix, m->count, NULL, 0, setting,
		(int)sizeof(setting)) == NULL)
		return strerror(errno);
	if ((data = calloc(1, sizeof(*data))) == NULL)
		return strerror(errno);
	hash = crypt_rn(password, setting, data, (int)sizeof(*data));
	if (hash == NULL || hash[0] == '*')
		why = "crypt(3) does not take it";
	else
		puts(hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return why;
}

static const char *
print_scram(const struct method *m, const char *password)
{
	struct scram_secret s = { .iter = SCRAM_ITER, .n_salt = SCRAM_SALT };
	char prepared[SCRAM_PASS_MAX], text[SCRAM_TEXT_MAX];
	const char *why;

	(void)m;
	why = scram_prepare(slice_of(password), prepared, sizeof(prepared));
	if (why == NULL &&
	    (RAND_bytes(s.salt, SCRAM_SALT) != 1 ||
		!scram_derive(&s, prepared)))
		why = "the library failed";
	explicit_bzero(prepared, sizeof(prepared));
	if (why != NULL)
		return why;
	scram_secret_print(&s, text);
	puts(text);
	return NULL;
}

/* The first is what is done unless -m says another.  Each takes a tenth of a
 * second or so: what one may wait for who logs in, and nobody for who
 * guesses. */
static const struct method methods[] = {
	{ "yescrypt", print_crypt, "$y$", 0 },
	{ "sha512", print_crypt, "$6$", 100000 },
	{ "bcrypt", print_crypt, "$2b$", 11 },
	{ "scram", print_scram, NULL, 0 },
};

static const struct method *
find_method(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	}
	return NULL;
}

static int
encrypt(const struct method *m, const char *password)
{
	const char *why;

	if (password[0] == '\0')
		why = "an empty password";
	else if (strlen(password) >= PASSWORD_MAX)
		why = "longer than 511 bytes";
	else
		why = m->print(m, password);
	if (why == NULL)
		return EX_OK;
	warnx("%s", why);
	return EX_DATAERR;
}

/* Twice, as nobody sees what he writes. */
static int
from_terminal(const struct method *m)
{
	char first[PASSWORD_MAX + 1], again[PASSWORD_MAX + 1];
	int rc = EX_NOINPUT;

	if (readpassphrase("Password: ", first, sizeof(first), 0) == NULL ||
	    readpassphrase("Again: ", again, sizeof(again), 0) == NULL)
		warn("terminal");
	else if (strcmp(first, again) != 0) {
		warnx("these are two passwords");
		rc = EX_DATAERR;
	} else
		rc = encrypt(m, first);
	explicit_bzero(first, sizeof(first));
	explicit_bzero(again, sizeof(again));
	return rc;
}

/* The next line of standard input, without its end; false: there is none.
 * *why: NULL, or what is wrong with it. */
static bool
next_line(char line[PASSWORD_MAX + 1], const char **why)
{
	size_t len = 0;
	int c;

	*why = NULL;
	while ((c = getc(stdin)) != EOF && c != '\n' && *why == NULL) {
		if (c == '\0')
			*why = "a NUL byte";
		else if (len == PASSWORD_MAX)
			*why = "a line that is too long";
		else
			line[len++] = (char)c;
	}
	line[len] = '\0';
	return c != EOF || len > 0;
}

/* One on each line. */
static int
from_input(const struct method *m)
{
	char line[PASSWORD_MAX + 1];
	const char *why;
	int rc = EX_OK;

	while (rc == EX_OK && next_line(line, &why)) {
		if (why == NULL)
			rc = encrypt(m, line);
		else {
			warnx("%s", why);
			rc = EX_DATAERR;
		}
	}
	explicit_bzero(line, sizeof(line));
	if (ferror(stdin)) {
		warn("standard input");
		rc = EX_IOERR;
	}
	return rc;
}

int
do_encrypt(struct smtpctl *c, int argc, char **argv)
{
	const struct method *m = &methods[0];
	int ch, rc;

	/* argv[-1] is the word itself, as a main() expects it. */
	argc++;
	argv--;
	optind = 0; /* glibc: from the start, with other arguments */
	while ((ch = getopt(argc, argv, "+m:")) != -1) {
		if (ch != 'm' || (m = find_method(optarg)) == NULL)
			return smtpctl_usage(c,
			    "-m is one of yescrypt, sha512, bcrypt, scram");
	}
	if (optind + 1 < argc)
		return smtpctl_usage(c, "one password at a time");
	/* What goes through it is not kept in a buffer of the library. */
	setvbuf(stdin, NULL, _IONBF, 0);
	if (optind < argc) {
		rc = encrypt(m, argv[optind]);
		explicit_bzero(argv[optind], strlen(argv[optind]));
	} else if (isatty(STDIN_FILENO))
		rc = from_terminal(m);
	else
		rc = from_input(m);
	if (fflush(stdout) != 0 && rc == EX_OK)
		rc = EX_IOERR;
	return rc;
}
