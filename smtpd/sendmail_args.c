/*
 * The options of sendmail(8): a table.  Runs in sendmail, as whoever calls
 * it.  What belongs to other MTAs' innards is taken and has no effect; what
 * asks for work that is not done here is refused, never pretended.
 *
 * SPDX-License-Identifier: ISC
 */
#include "sendmail_args.h"

#include <string.h>
#include <strings.h>

enum takes {
	NOTHING, /* "-i", and more options may follow in the same word */
	VALUE,   /* "-fuser" or "-f user" */
	REST     /* "-odb": what follows in the same word, may be empty */
};

struct option {
	char letter;
	enum takes takes;
	const char *(*fn)(struct sendmail_args *a, const char *value);
};

static const char *
set_headers(struct sendmail_args *a, const char *value)
{
	(void)value;
	a->headers = true;
	return NULL;
}

static const char *
set_dots(struct sendmail_args *a, const char *value)
{
	(void)value;
	a->dots = true;
	return NULL;
}

/* "-f user", "-f '<user@host>'", and "-f '<>'" as cronie says it. */
static const char *
set_sender(struct sendmail_args *a, const char *value)
{
	a->sender = strcmp(value, "<>") == 0 ? "" : value;
	return NULL;
}

static const char *
set_name(struct sendmail_args *a, const char *value)
{
	a->name = value;
	return NULL;
}

static const char *
set_body(struct sendmail_args *a, const char *value)
{
	if (strcasecmp(value, "7BIT") == 0)
		return NULL;
	if (strcasecmp(value, "8BITMIME") != 0)
		return "-B is 7BIT or 8BITMIME";
	a->eight = true;
	return NULL;
}

/* RFC 3461 4.3 knows two words here; everything else is the directory of an
 * instance, as in smtpd(8). */
static const char *
set_dir(struct sendmail_args *a, const char *value)
{
	if (strcasecmp(value, "full") != 0 && strcasecmp(value, "hdrs") != 0)
		a->dir = value;
	return NULL;
}

static const char *
set_o(struct sendmail_args *a, const char *value)
{
	if (strcmp(value, "i") == 0)
		a->dots = true;
	return NULL;
}

/* Columns: letter, why not; NULL: delivery, as without -b. */
static const struct {
	char letter;
	const char *why;
} modes[] = {
	{ 'm', NULL },
	{ 'p', "to see the queue: smtpctl show queue" },
	{ 'i', "there are no aliases to rebuild in this version" },
	{ 's', "SMTP on standard input is not in this version" },
	{ 'v', "addresses are not verified in this version" },
	{ 't', "addresses are not tested in this version" },
	{ 'd', "the daemon is started as smtpd" },
	{ 'D', "the daemon is started as smtpd" },
	{ 'l', "the daemon is started as smtpd" },
	{ 'h', "there is no host status in this version" },
	{ 'H', "there is no host status in this version" },
};

static const char *
set_mode(struct sendmail_args *a, const char *value)
{
	size_t i;

	(void)a;
	for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (value[0] == modes[i].letter && value[1] == '\0')
			return modes[i].why;
	}
	return "unknown mode";
}

static const char *
set_aliases(struct sendmail_args *a, const char *value)
{
	(void)value;
	return set_mode(a, "i");
}

/* "-q15m" and "-qp" ask for a daemon that runs the queue: there is one.  The
 * others ask for a run now. */
static const char *
set_queue(struct sendmail_args *a, const char *value)
{
	if ((value[0] >= '0' && value[0] <= '9') || value[0] == 'p') {
		a->nothing = true;
		return NULL;
	}
	return "to run the queue: smtpctl flush";
}

static const char *
ignore(struct sendmail_args *a, const char *value)
{
	(void)a;
	(void)value;
	return NULL;
}

/* Columns: letter, what follows it, what it does. */
static const struct option options[] = {
	{ 't', NOTHING, set_headers },
	{ 'i', NOTHING, set_dots },
	{ 'f', VALUE, set_sender },
	{ 'r', VALUE, set_sender },
	{ 'F', VALUE, set_name },
	{ 'B', VALUE, set_body },
	{ 'R', VALUE, set_dir },
	{ 'o', REST, set_o },
	{ 'b', REST, set_mode },
	{ 'q', REST, set_queue },
	{ 'I', NOTHING, set_aliases },
	/* Delivery notifications: taken, and as if not said, since the daemon
	 * does not offer DSN yet. */
	{ 'N', VALUE, ignore },
	{ 'V', VALUE, ignore },
	/* Of other MTAs. */
	{ 'A', REST, ignore },
	{ 'C', VALUE, ignore },
	{ 'D', VALUE, ignore },
	{ 'E', NOTHING, ignore },
	{ 'G', NOTHING, ignore },
	{ 'J', NOTHING, ignore },
	{ 'L', VALUE, ignore },
	{ 'O', VALUE, ignore },
	{ 'U', NOTHING, ignore },
	{ 'X', VALUE, ignore },
	{ '7', NOTHING, ignore },
	{ 'd', REST, ignore },
	{ 'e', REST, ignore },
	{ 'h', VALUE, ignore },
	{ 'm', NOTHING, ignore },
	{ 'n', NOTHING, ignore },
	{ 'p', VALUE, ignore },
	{ 'v', NOTHING, ignore },
	{ 'x', NOTHING, ignore },
};

/* What the program does under another name.  Columns: name, mode. */
static const struct {
	const char *name, *mode;
} names[] = {
	{ "mailq", "p" },
	{ "newaliases", "i" },
};

static const struct option *
find(char letter)
{
	size_t i;

	for (i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

/* One word of options; *next is the argument after it, NULL at the end, and
 * *used is set when that was the value. */
static const char *
parse_word(struct sendmail_args *a, const char *word, const char *next,
    bool *used)
{
	const struct option *o;
	const char *value, *why;

	for (word++; *word != '\0'; word++) {
		if ((o = find(*word)) == NULL)
			return "unknown option";
		value = word + 1;
		if (o->takes == VALUE && *value == '\0') {
			if (next == NULL)
				return "the value is missing";
			value = next;
			*used = true;
		}
		if ((why = o->fn(a, value)) != NULL)
			return why;
		if (o->takes != NOTHING)
			return NULL;
	}
	return NULL;
}

const char *
sendmail_args_parse(int argc, char *const *argv, struct sendmail_args *a)
{
	const char *slash, *name = argc > 0 ? argv[0] : "", *why;
	bool used;
	size_t n;
	int i;

	*a = (struct sendmail_args){ .at = name };
	if ((slash = strrchr(name, '/')) != NULL)
		name = slash + 1;
	for (n = 0; n < sizeof names / sizeof names[0]; n++) {
		if (strcmp(name, names[n].name) == 0)
			return set_mode(a, names[n].mode);
	}
	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		a->at = argv[i];
		used = false;
		why = parse_word(a, argv[i], i + 1 < argc ? argv[i + 1] : NULL,
		    &used);
		if (why != NULL)
			return why;
		i += used ? 1 : 0;
	}
	a->rcpts = argv + (i < argc ? i : argc);
	a->n_rcpts = i < argc ? argc - i : 0;
	if (a->n_rcpts > 0 || a->headers)
		a->nothing = false;
	a->at = "";
	if (a->n_rcpts == 0 && !a->headers && !a->nothing)
		return "no recipients: name them, or give -t";
	return NULL;
}
