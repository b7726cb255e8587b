/*
 * The options of sendmail(8): a table.  Runs in sendmail, as whoever calls
 * it.  What belongs to other MTAs' innards is taken and has no effect; what
 * asks for something that cannot be done is refused, never pretended.
 *
 * SPDX-License-Identifier: ISC
 */
#include "sendmail_args.h"

#include <string.h>
#include <strings.h>

#include "dsn_param.h"
#include "slice.h"

enum takes {
	NOTHING, /* "-i", and more options may follow in the same word */
	VALUE,   /* "-fuser" or "-f user" */
	REST     /* "-q15m": what follows in the same word, may be empty */
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

static const char *
set_verbose(struct sendmail_args *a, const char *value)
{
	(void)value;
	a->verbose = true;
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
set_tag(struct sendmail_args *a, const char *value)
{
	a->tag = value;
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

/* ---- delivery notifications (RFC 3461) ---- */

static const char *
set_notify(struct sendmail_args *a, const char *value)
{
	return notify_parse(slice_of(value), &a->notify);
}

/* RFC 3461 4.3 knows two words here; everything else is the directory of an
 * instance, as in smtpd(8). */
static const char *
set_dir(struct sendmail_args *a, const char *value)
{
	if (ret_parse(slice_of(value), &a->ret) != NULL)
		a->dir = value;
	return NULL;
}

/* As others write it: it travels as xtext (RFC 3461 4), which is longer. */
static const char *
set_envid(struct sendmail_args *a, const char *value)
{
	size_t i, len = 0;

	for (i = 0; value[i] != '\0'; i++) {
		if (value[i] < ' ' || value[i] > '~')
			return "an envelope id is printable ASCII";
		len += strchr("+= ", value[i]) != NULL ? 3 : 1;
	}
	if (len == 0 || len > ENVID_MAX)
		return "an envelope id has 1 to 100 characters";
	a->envid = value;
	return NULL;
}

/* ---- -o and -O ---- */

static const char *
set_errors(struct sendmail_args *a, const char *value)
{
	/* Columns: first letter of the value, what it means.  "w" is who is
	 * logged in; standard error is where he is. */
	static const struct {
		char letter;
		enum sendmail_errors errors;
	} modes[] = {
		{ 'p', ERRORS_PRINT },
		{ 'w', ERRORS_PRINT },
		{ 'q', ERRORS_QUIET },
		{ 'm', ERRORS_MAIL },
		{ 'e', ERRORS_MAIL_QUIET },
	};
	size_t i;

	for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (value[0] == modes[i].letter)
			a->errors = modes[i].errors;
	}
	return NULL;
}

/* Without a value it is wanted; sendmail's own has y, t and no word. */
static bool
is_yes(const char *value)
{
	return value[0] == '\0' || strchr("yYtT1", value[0]) != NULL;
}

static const char *
set_utf8(struct sendmail_args *a, const char *value)
{
	a->utf8 = is_yes(value);
	return NULL;
}

static const char *
set_require_tls(struct sendmail_args *a, const char *value)
{
	a->require_tls = is_yes(value);
	return NULL;
}

static const char *
set_ignore_dots(struct sendmail_args *a, const char *value)
{
	a->dots = is_yes(value);
	return NULL;
}

static const char *
set_talk(struct sendmail_args *a, const char *value)
{
	a->verbose = is_yes(value);
	return NULL;
}

/* Columns: letter for -o, name for -O, what it does.  Those that are not here
 * (DeliveryMode too: each of its values is what the daemon does) have no
 * effect. */
static const struct {
	char letter; /* NUL: none */
	const char *name;
	const char *(*fn)(struct sendmail_args *a, const char *value);
} settings[] = {
	{ 'i', "IgnoreDots", set_ignore_dots },
	{ 'e', "ErrorMode", set_errors },
	{ 'v', "Verbose", set_talk },
	{ '\0', "smtputf8", set_utf8 },
	{ '\0', "requiretls", set_require_tls },
};

#define N_SETTINGS (sizeof settings / sizeof settings[0])

/* "-oi", "-oem" */
static const char *
set_letter(struct sendmail_args *a, const char *value)
{
	size_t i;

	for (i = 0; i < N_SETTINGS; i++) {
		if (value[0] != '\0' && settings[i].letter == value[0])
			return settings[i].fn(a, value + 1);
	}
	return NULL;
}

/* "-O ErrorMode=m", "-O smtputf8" */
static const char *
set_long(struct sendmail_args *a, const char *value)
{
	size_t len = strcspn(value, "="), i;
	struct slice name = { value, len };

	for (i = 0; i < N_SETTINGS; i++) {
		if (slice_eqcase(name, slice_of(settings[i].name)))
			return settings[i].fn(a,
			    value + len + (value[len] == '=' ? 1 : 0));
	}
	return NULL;
}

/* ---- what is to be done ---- */

/* Columns: letter, mode. */
static const struct {
	char letter;
	enum sendmail_mode mode;
} modes[] = {
	{ 'm', MODE_DELIVER },
	{ 'a', MODE_DELIVER }, /* of the Arpanet */
	{ 's', MODE_SERVE },
	{ 'v', MODE_VERIFY },
	{ 't', MODE_TEST },
	{ 'p', MODE_LIST },
	{ 'P', MODE_LIST },
	{ 'i', MODE_ALIASES },
	{ 'd', MODE_DAEMON },
	{ 'D', MODE_DAEMON },
	{ 'l', MODE_DAEMON },
	{ 'h', MODE_HOSTS },
	/* What is known of hosts goes by itself. */
	{ 'H', MODE_NOTHING },
};

static const char *
set_mode(struct sendmail_args *a, const char *value)
{
	size_t i;

	for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (value[0] != modes[i].letter || value[1] != '\0')
			continue;
		a->mode = modes[i].mode;
		a->foreground = value[0] == 'D';
		return NULL;
	}
	return "unknown mode";
}

static const char *
set_aliases(struct sendmail_args *a, const char *value)
{
	(void)value;
	return set_mode(a, "i");
}

/* "-qIid", "-q!Rtext", letters by enum sendmail_flush: false if it is not of
 * that form. */
static bool
set_select(struct sendmail_args *a, const char *value)
{
	static const char kinds[] = { 'I', 'R', 'S', '\0' };
	bool without = value[0] == '!';
	const char *kind;

	if (without)
		value++;
	if (value[0] == '\0' || value[1] == '\0' ||
	    (kind = strchr(kinds, value[0])) == NULL)
		return false;
	a->select[kind - kinds] = value + 1;
	a->select_not[kind - kinds] = without;
	return true;
}

/*
 * "-q15m" and "-qp" ask for a daemon that runs the queue from time to time:
 * there is one.  The others ask for a run now; "f" (in the foreground), "v"
 * and "G..." (a group of queues) say how.
 */
static const char *
set_queue(struct sendmail_args *a, const char *value)
{
	if ((value[0] >= '0' && value[0] <= '9') || value[0] == 'p') {
		a->interval = true;
		return NULL;
	}
	a->flush = true;
	if (strcmp(value, "Q") == 0 || strcmp(value, "!Q") == 0) {
		a->held = value[0] == 'Q';
		return NULL;
	}
	if (value[0] == '\0' || strchr("fvG", value[0]) != NULL ||
	    set_select(a, value))
		return NULL;
	return "unknown kind of queue run";
}

/* ---- the others ---- */

static const char *
ignore(struct sendmail_args *a, const char *value)
{
	(void)a;
	(void)value;
	return NULL;
}

/* Postfix has another use for it, and what is sent so comes back otherwise. */
static const char *
set_x(struct sendmail_args *a, const char *value)
{
	(void)a;
	if (strcmp(value, "V") == 0 || (value[0] == 'V' && strlen(value) == 3))
		return "there is no VERP in this version";
	return NULL;
}

/* Columns: letter, what follows it, what it does. */
static const struct option options[] = {
	{ 't', NOTHING, set_headers },
	{ 'i', NOTHING, set_dots },
	{ 'v', NOTHING, set_verbose },
	{ 'f', VALUE, set_sender },
	{ 'r', VALUE, set_sender },
	{ 'F', VALUE, set_name },
	{ 'L', VALUE, set_tag },
	{ 'B', VALUE, set_body },
	{ 'N', VALUE, set_notify },
	{ 'R', VALUE, set_dir },
	{ 'V', VALUE, set_envid },
	{ 'o', VALUE, set_letter },
	{ 'O', VALUE, set_long },
	{ 'e', VALUE, set_errors },
	{ 'b', VALUE, set_mode },
	{ 'q', REST, set_queue },
	{ 'I', NOTHING, set_aliases },
	/* Of other MTAs. */
	{ 'A', VALUE, ignore },
	{ 'C', VALUE, ignore },
	{ 'D', VALUE, ignore },
	{ 'E', NOTHING, ignore },
	{ 'G', NOTHING, ignore },
	{ 'J', NOTHING, ignore },
	{ 'U', NOTHING, ignore },
	{ 'X', VALUE, set_x },
	{ '7', NOTHING, ignore },
	{ 'c', NOTHING, ignore },
	{ 'd', REST, ignore },
	{ 'h', VALUE, ignore },
	{ 'm', NOTHING, ignore },
	{ 'n', NOTHING, ignore },
	{ 'p', VALUE, ignore },
	{ 's', NOTHING, ignore },
	{ 'x', NOTHING, ignore },
};

/* What the program does under another name.  Columns: name, mode. */
static const struct {
	const char *name, *mode;
} names[] = {
	{ "mailq", "p" },
	{ "newaliases", "i" },
	{ "hoststat", "h" },
	{ "purgestat", "H" },
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

/* What the words ask for together. */
static const char *
settle(struct sendmail_args *a)
{
	bool mail = a->n_rcpts > 0 || a->headers;

	if (a->mode == MODE_VERIFY && !mail)
		return "no recipients: name them, or give -t";
	if (a->mode != MODE_DELIVER)
		return NULL;
	if (a->flush && mail)
		return "either run the queue with -q, or send a message";
	if (a->flush)
		a->mode = MODE_FLUSH;
	else if (!mail && a->interval)
		a->mode = MODE_NOTHING;
	else if (!mail)
		return "no recipients: name them, or give -t";
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
			(void)set_mode(a, names[n].mode);
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
	a->at = "";
	return settle(a);
}
