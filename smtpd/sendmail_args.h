/*
 * The command line of sendmail(8), as decades of callers use it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SENDMAIL_ARGS_H
#define SMTPD_SENDMAIL_ARGS_H

#include <stdbool.h>

struct sendmail_args {
	const char *dir;    /* -R DIR: which instance; NULL: not said */
	const char *sender; /* -f, -r; "" is null; NULL: the user */
	const char *name;   /* -F, NULL: not said */
	bool headers;       /* -t */
	bool dots;          /* -i: a lone dot is content */
	bool eight;         /* -B8BITMIME */
	bool nothing;       /* only asked for what the daemon does anyway */
	char *const *rcpts; /* what followed the options */
	int n_rcpts;
	const char *at; /* the argument that is wrong */
};

/* NULL and *a, or why not (and a->at).  *a points into argv. */
const char *sendmail_args_parse(int argc, char *const *argv,
    struct sendmail_args *a);

#endif
