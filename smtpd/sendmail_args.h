/*
 * The command line of sendmail(8), as decades of callers use it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SENDMAIL_ARGS_H
#define SMTPD_SENDMAIL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

enum sendmail_mode {
	MODE_DELIVER, /* -bm, or nothing */
	MODE_SERVE,   /* -bs */
	MODE_VERIFY,  /* -bv */
	MODE_TEST,    /* -bt */
	MODE_LIST,    /* -bp, mailq */
	MODE_ALIASES, /* -bi, -I, newaliases */
	MODE_DAEMON,  /* -bd, -bD, -bl */
	MODE_HOSTS,   /* -bh, hoststat */
	MODE_FLUSH,   /* -q, -qI... */
	MODE_NOTHING  /* only asked for what the daemon does anyway */
};

/* Where it is said that a message was not sent (-oe). */
enum sendmail_errors {
	ERRORS_PRINT,     /* p, w: on standard error */
	ERRORS_QUIET,     /* q: by the exit status alone */
	ERRORS_MAIL,      /* m: to the sender too */
	ERRORS_MAIL_QUIET /* e: the same, and the exit status is 0 then */
};

/* -qItext, -qRtext, -qStext: of each kind one. */
enum sendmail_flush { FLUSH_ID, FLUSH_RCPT, FLUSH_SENDER, FLUSHES };

struct sendmail_args {
	enum sendmail_mode mode;
	const char *dir;    /* -R DIR: which instance; NULL: not said */
	const char *sender; /* -f, -r; "" is null; NULL: the user */
	const char *name;   /* -F, NULL: not said */
	const char *tag;    /* -L, NULL: not said */
	bool headers;       /* -t */
	bool dots;          /* -i: a lone dot is content */
	bool eight;         /* -B8BITMIME */
	bool verbose;       /* -v */
	bool utf8;          /* -O smtputf8=yes */
	bool require_tls;   /* -O requiretls=yes */
	bool foreground;    /* -bD */
	bool flush;         /* a -q that is not an interval */
	bool interval;      /* ... or is one */
	enum sendmail_errors errors;
	uint8_t notify;              /* -N: NOTIFY_* */
	uint8_t ret;                 /* -R full, -R hdrs: enum dsn_ret */
	const char *envid;           /* -V, as text; NULL: not said */
	const char *select[FLUSHES]; /* texts of -q; NULL: not said */
	bool select_not[FLUSHES];    /* ... "!" stood before it */
	bool held;                   /* -qQ */
	char *const *rcpts;          /* what followed the options */
	int n_rcpts;
	const char *at; /* the argument that is wrong */
};

/* NULL and *a, or why not (and a->at).  *a points into argv. */
const char *sendmail_args_parse(int argc, char *const *argv,
    struct sendmail_args *a);

#endif
