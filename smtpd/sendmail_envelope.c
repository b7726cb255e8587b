/*
 * Who sends and who receives, out of the command line, the header and
 * passwd(5).  Runs in sendmail, as whoever calls it.  What has no domain is
 * left so: the daemon knows the mail name.
 *
 * SPDX-License-Identifier: ISC
 */
#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "log.h"
#include "sendmail.h"
#include "session_address.h"
#include "smtp_addr.h"

#define DATE_SIZE 64

/* What an address without a domain is checked with. */
static const char some_domain[] = "@localhost";

/* ---- addresses ---- */

/* A local part with or without a domain.  NULL, or why it is none. */
static const char *
check_address(struct slice in)
{
	char whole[ADDR_MAX + sizeof some_domain];
	const char *why = smtp_mailbox_check_utf8(in);
	int n;

	if (why == NULL)
		return NULL;
	if (in.len == 0 || in.len > LOCAL_PART_MAX)
		return why;
	n = snprintf(whole, sizeof whole, "%.*s%s", (int)in.len, in.p,
	    some_domain);
	if (n < 0 || (size_t)n != in.len + sizeof some_domain - 1 ||
	    smtp_mailbox_check_utf8(slice_of(whole)) != NULL)
		return why;
	return NULL;
}

static struct slice
without_brackets(struct slice in)
{
	if (in.len >= 2 && in.p[0] == '<' && in.p[in.len - 1] == '>')
		return (struct slice){ in.p + 1, in.len - 2 };
	return in;
}

static bool
has_control(struct slice in)
{
	size_t i;

	for (i = 0; i < in.len; i++) {
		if ((unsigned char)in.p[i] < ' ' || in.p[i] == 127)
			return true;
	}
	return false;
}

/* Where an address is, in any case, or belongs. */
static struct rcpt **
find_rcpt(struct sendmail *sm, struct slice address)
{
	char low[ADDR_MAX + 1] = "";
	struct rcpt **r;
	size_t i;

	for (i = 0; i < address.len && i < ADDR_MAX; i++)
		low[i] = (char)tolower((unsigned char)address.p[i]);
	r = &sm->met[XXH3_64bits(low, i) % RCPT_BUCKETS];
	while (*r != NULL && !slice_eqcase(slice_of((*r)->address), address))
		r = &(*r)->hash;
	return r;
}

/* Who is named twice, in To and in Cc, has it once. */
static const char *
add_rcpt(void *arg, struct slice address)
{
	struct sendmail *sm = arg;
	struct rcpt *r, **at;
	const char *why;

	address = without_brackets(address);
	if ((why = check_address(address)) != NULL)
		return why;
	if (*(at = find_rcpt(sm, address)) != NULL)
		return NULL;
	if ((r = arena_alloc(&sm->arena, sizeof *r)) == NULL ||
	    (r->address = arena_copyn(&sm->arena, address.p, address.len)) ==
		NULL)
		return "too many recipients";
	r->hash = NULL;
	*at = r;
	sm->utf8 = sm->utf8 || !slice_is_ascii(address);
	sm->n_rcpts++;
	STAILQ_INSERT_TAIL(&sm->rcpts, r, entry);
	return NULL;
}

/* As in a field: "a@x, b@x" in one argument is two. */
void
envelope_rcpts(struct sendmail *sm)
{
	const char *why = NULL;
	int i;

	for (i = 0; i < sm->args.n_rcpts; i++) {
		why = list_rcpts(slice_of(sm->args.rcpts[i]), add_rcpt, sm);
		if (why != NULL)
			sendmail_die(sm, EX_DATAERR, "%s: %s",
			    q(sm->args.rcpts[i]), why);
	}
	if (sm->args.headers)
		why = message_rcpts(&sm->message, add_rcpt, sm);
	if (why != NULL)
		sendmail_die(sm, EX_DATAERR, "recipients of the header: %s",
		    why);
	if (sm->n_rcpts == 0)
		sendmail_die(sm, sm->args.headers ? EX_DATAERR : EX_USAGE,
		    "no recipients");
}

/* ---- who calls ---- */

/* A user's name as a local part: quoted where it must be (RFC 5321 4.1.2), as
 * that of a user of a domain, "HOME\joe". */
static void
user_address(const char *user, char out[ADDR_MAX + 1])
{
	char quoted[2 * LOCAL_PART_MAX + 3];
	size_t n = 0, i;

	quoted[n++] = '"';
	for (i = 0; user[i] != '\0' && n < sizeof quoted - 3; i++) {
		if (user[i] == '"' || user[i] == '\\')
			quoted[n++] = '\\';
		quoted[n++] = user[i];
	}
	quoted[n++] = '"';
	quoted[n] = '\0';
	if (check_address(slice_of(user)) == NULL)
		(void)slice_copy(slice_of(user), out, ADDR_MAX + 1);
	else if (i > 0 && user[i] == '\0' &&
	    check_address(slice_of(quoted)) == NULL)
		(void)slice_copy(slice_of(quoted), out, ADDR_MAX + 1);
	else
		snprintf(out, ADDR_MAX + 1, "uid%lu", (unsigned long)getuid());
}

/* The first letter of a login name is a capital then. */
static size_t
put_login(const char *login, char *out, size_t size)
{
	size_t len = strlen(login);

	if (len >= size)
		return 0;
	memcpy(out, login, len);
	if (len > 0 && out[0] >= 'a' && out[0] <= 'z')
		out[0] = (char)(out[0] - 'a' + 'A');
	return len;
}

/* passwd(5): the full name is what stands before the first comma, and '&' in
 * it is the login name. */
static void
full_name(const struct passwd *pw, char *out, size_t size)
{
	const char *p = pw == NULL ? "" : pw->pw_gecos;
	size_t n = 0;

	for (; *p != '\0' && *p != ',' && n + 1 < size; p++) {
		if (*p == '&')
			n += put_login(pw->pw_name, out + n, size - n);
		else
			out[n++] = *p;
	}
	out[n] = '\0';
}

/* "user", "<user@host>", "Name <user@host>"; nothing, also between < and >, is
 * the null sender. */
static void
set_sender(struct sendmail *sm, const char *text)
{
	struct slice list = slice_trim(slice_of(text)), spec = list;
	const char *why;
	struct address a;

	if (has_control(list))
		sendmail_die(sm, EX_DATAERR, "%s: a control character",
		    q(text));
	if (address_next(&list, &a) == NULL && !a.odd && a.spec.len > 0 &&
	    list.len == 0)
		spec = a.spec;
	spec = slice_trim(without_brackets(spec));
	if (spec.len == 0)
		return;
	if ((why = check_address(spec)) != NULL ||
	    !slice_copy(spec, sm->sender, sizeof sm->sender))
		sendmail_die(sm, EX_DATAERR, "%s: %s", q(text),
		    why != NULL ? why : "too long");
}

void
envelope_sender(struct sendmail *sm)
{
	const struct passwd *pw;

	if (sm->args.sender != NULL)
		set_sender(sm, sm->args.sender);
	else {
		pw = getpwuid(getuid());
		user_address(pw == NULL ? "" : pw->pw_name, sm->sender);
	}
	sm->utf8 = sm->utf8 || !slice_is_ascii(slice_of(sm->sender));
}

/* RFC 5322 3.3.  No locale was set: the names are those. */
static void
print_date(char out[DATE_SIZE])
{
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL ||
	    strftime(out, DATE_SIZE, "%a, %d %b %Y %H:%M:%S %z", &tm) == 0)
		out[0] = '\0';
}

/* The daemon completes the rest of the header, but knows nobody's name. */
void
envelope_from(struct sendmail *sm)
{
	const struct passwd *pw = getpwuid(getuid());
	char user[ADDR_MAX + 1], name[256], date[DATE_SIZE];
	struct message_sender who = { .address = sm->sender, .name = name };

	full_name(pw, name, sizeof name);
	if (sm->args.name != NULL)
		who.name = sm->args.name;
	else if (sm->args.sender != NULL)
		who.name = ""; /* it is the user's, not the sender's */
	if (sm->sender[0] == '\0') {
		user_address(pw == NULL ? "" : pw->pw_name, user);
		who.address = user;
	}
	print_date(date);
	if (!message_add_from(&sm->message, &who) ||
	    !message_add_resent(&sm->message, &who, date) ||
	    !message_header(&sm->message, &sm->header))
		sendmail_die(sm, EX_DATAERR, "the header is too large");
}
