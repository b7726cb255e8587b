/*
 * Says a rule of the grammar before OpenSMTPD 6.4 in the new one: there a rule
 * said both what it is for and what becomes of it.  Runs in the parent, for a
 * message; what it makes is shown and never used.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_old.h"

#include <string.h>

#include "conf_lex.h"
#include "conf_print.h"

/* The old rule, and the pieces of the new ones. */
struct rule {
	const struct conf_old_word *word;
	size_t n, at;
	bool reject;
	const char *name;           /* of the action; NULL: none yet */
	struct buf from, for_, if_; /* of `match` */
	struct buf method, option;  /* of `action` */
};

/* Reads what stands after a word; adds to the new rules.  False: it is not as
 * it should be. */
typedef bool reader(struct rule *r, const char *new);

struct row {
	const char *old;
	reader *read;
	const char *new;
};

/* ---- words ---- */

static int
tok(const struct rule *r)
{
	return r->at < r->n ? r->word[r->at].tok : TOK_EOL;
}

static bool
is_text(const struct rule *r)
{
	return tok(r) == TOK_WORD || tok(r) == TOK_STRING;
}

static bool
is(const struct rule *r, const char *word)
{
	return tok(r) == TOK_WORD && strcmp(r->word[r->at].text, word) == 0;
}

static bool
take(struct rule *r, const char *word)
{
	if (!is(r, word))
		return false;
	r->at++;
	return true;
}

static bool
take_tok(struct rule *r, int c)
{
	if (tok(r) != c)
		return false;
	r->at++;
	return true;
}

static bool
take_text(struct rule *r, struct buf *out)
{
	if (!is_text(r))
		return false;
	buf_puts(out, " ");
	conf_print_word(out, r->word[r->at++].text);
	return true;
}

/* `<name>`; before 5.2 the name stood bare. */
static bool
take_table(struct rule *r, struct buf *out)
{
	bool brackets = take_tok(r, '<');

	if (!is_text(r))
		return false;
	buf_puts(out, " <");
	conf_print_word(out, r->word[r->at++].text);
	buf_puts(out, ">");
	return !brackets || take_tok(r, '>');
}

/* `{ a, b }` or `{ k = v }` */
static bool
take_list(struct rule *r, struct buf *out)
{
	buf_puts(out, " {");
	for (r->at++; !take_tok(r, '}');) {
		if (take_tok(r, ','))
			buf_puts(out, ",");
		else if (take_tok(r, '=') || take_tok(r, TOK_ARROW))
			buf_puts(out, " =");
		else if (!take_text(r, out))
			return false;
	}
	buf_puts(out, " }");
	return true;
}

static bool
take_value(struct rule *r, struct buf *out)
{
	if (tok(r) == '{')
		return take_list(r, out);
	return tok(r) == '<' ? take_table(r, out) : take_text(r, out);
}

/* A mapping. */
static bool
take_map(struct rule *r, struct buf *out)
{
	return tok(r) == '{' ? take_list(r, out) : take_table(r, out);
}

/* Does the table know the word at hand?  Steps over it. */
static const struct row *
take_row(struct rule *r, const struct row *rows)
{
	for (; rows->old != NULL; rows++) {
		if (take(r, rows->old))
			return rows;
	}
	return NULL;
}

/* ---- conditions ---- */

static void
add_cond(struct buf *out, bool not_, const char *new)
{
	buf_printf(out, " %s%s", not_ ? "!" : "", new);
}

/* Columns: old, (none), new. */
static const struct row from_words[] = {
	{ "any", NULL, "from any" },
	{ "all", NULL, "from any" },
	{ "local", NULL, "from local" },
	{ "localhost", NULL, "from local" },
	{ NULL, NULL, NULL },
};
static const struct row for_words[] = {
	{ "any", NULL, "for any" },
	{ "all", NULL, "for any" },
	{ "local", NULL, "for local" },
	{ NULL, NULL, NULL },
};

static bool
read_from(struct rule *r, const char *new)
{
	bool not_ = take_tok(r, '!');
	const struct row *row = take_row(r, from_words);

	(void)new;
	if (r->from.len != 0)
		return false;
	add_cond(&r->from, not_, row != NULL ? row->new : "from src");
	if (row != NULL)
		return true;
	take(r, "source"); /* before 5.2 the network stood alone */
	return take_value(r, &r->from);
}

static bool
read_for(struct rule *r, const char *new)
{
	bool not_ = take_tok(r, '!');
	const struct row *row = take_row(r, for_words);

	(void)new;
	if (r->for_.len != 0)
		return false;
	add_cond(&r->for_, not_, row != NULL ? row->new : "for domain");
	return row != NULL || (take(r, "domain") && take_value(r, &r->for_));
}

static bool
read_if(struct rule *r, const char *new)
{
	add_cond(&r->if_, take_tok(r, '!'), new);
	return take_value(r, &r->if_);
}

static bool
read_auth(struct rule *r, const char *new)
{
	add_cond(&r->if_, take_tok(r, '!'), new);
	return true;
}

/* ---- options ---- */

static bool
read_table(struct rule *r, const char *new)
{
	buf_printf(&r->option, " %s", new);
	return take_map(r, &r->option);
}

static bool
read_option(struct rule *r, const char *new)
{
	buf_printf(&r->option, " %s", new);
	return take_text(r, &r->option);
}

static bool
read_source(struct rule *r, const char *new)
{
	buf_printf(&r->option, " %s", new);
	return take_value(r, &r->option);
}

/* Old schemes.  Columns: scheme, (none), what it is now.  `secure` tried TLS
 * from the first byte, then STARTTLS. */
static const struct row schemes[] = {
	{ "smtp", NULL, "smtp" },
	{ "smtp+auth", NULL, "smtp+tls" },
	{ "smtp+tls", NULL, "smtp+tls" },
	{ "smtp+notls", NULL, "smtp+notls" },
	{ "smtps", NULL, "smtps" },
	{ "smtps+auth", NULL, "smtps" },
	{ "tls", NULL, "smtp+tls" },
	{ "tls+auth", NULL, "smtp+tls" },
	{ "ssl", NULL, "smtps" },
	{ "ssl+auth", NULL, "smtps" },
	{ "secure", NULL, "smtps" },
	{ "secure+auth", NULL, "smtps" },
	{ "lmtp", NULL, "lmtp" },
	{ NULL, NULL, NULL },
};

static bool
read_via(struct rule *r, const char *new)
{
	const char *url, *p, *scheme = "smtp";
	const struct row *row = schemes;
	struct buf host;

	if (!is_text(r))
		return false;
	url = r->word[r->at++].text;
	if ((p = strstr(url, "://")) != NULL) {
		while (row->old != NULL &&
		    (strlen(row->old) != (size_t)(p - url) ||
			strncmp(row->old, url, (size_t)(p - url)) != 0))
			row++;
		if (row->old == NULL)
			return false;
		scheme = row->new;
		url = p + 3;
	}
	/* STARTTLS was what `secure` came to on the port that is for it. */
	if ((p = strrchr(url, ':')) != NULL && strcmp(p, ":587") == 0 &&
	    strcmp(scheme, "smtps") == 0)
		scheme = "smtp+tls";
	buf_printf(&r->option, " %s ", new);
	buf_init(&host, 0);
	buf_printf(&host, "%s://%s", scheme, url);
	buf_add(&host, "", 1);
	conf_print_word(&r->option, (const char *)buf_data(&host));
	buf_free(&host);
	return true;
}

/* The old `tls` did not look at the certificate, but with `verify`. */
static bool
read_tls(struct rule *r, const char *new)
{
	buf_printf(&r->option, " %s%s", new,
	    take(r, "verify") ? "" : " no-verify");
	return true;
}

static bool
read_nothing(struct rule *r, const char *new)
{
	(void)r;
	(void)new;
	return true;
}

static const struct row relay_options[] = {
	{ "via", read_via, "host" },
	{ "auth", read_table, "auth" },
	{ "as", read_option, "mail-from" },
	{ "source", read_source, "src" },
	{ "hostname", read_option, "helo" },
	{ "hostnames", read_table, "helo-src" },
	{ "pki", read_option, "pki" },
	{ "ca", read_option, "ca" },
	{ "tls", read_tls, "tls" },
	/* servers that a URL wants TLS of are verified now */
	{ "verify", read_nothing, "" },
	{ "expire", read_option, "ttl" },
	{ NULL, NULL, NULL },
};

/* ---- actions ---- */

static bool
read_backup(struct rule *r)
{
	size_t here = r->at;

	buf_puts(&r->option, " backup");
	if (!is_text(r))
		return true;
	if (tok(r) == TOK_WORD && take_row(r, relay_options) != NULL) {
		r->at = here;
		return true;
	}
	buf_puts(&r->option, " mx");
	return take_text(r, &r->option);
}

static bool
read_relay(struct rule *r, const char *new)
{
	const struct row *row;

	r->name = "relay";
	buf_printf(&r->method, " %s", new);
	while (tok(r) != TOK_EOL) {
		if (take(r, "backup")) {
			if (!read_backup(r))
				return false;
			continue;
		}
		row = take_row(r, relay_options);
		if (row == NULL || !row->read(r, row->new))
			return false;
	}
	return true;
}

/* A command, also one without its quotes, which takes all that is left. */
static bool
read_mda(struct rule *r, const char *new)
{
	struct buf command;
	int last = ' ';

	buf_printf(&r->method, " %s ", new);
	if (tok(r) == TOK_STRING) {
		conf_print_word(&r->method, r->word[r->at++].text);
		return true;
	}
	if (tok(r) != TOK_WORD)
		return false;
	buf_init(&command, 0);
	for (; tok(r) != TOK_EOL; last = r->word[r->at++].tok) {
		if (last != ' ' && last != '{' && tok(r) != '{' &&
		    tok(r) != '}')
			buf_puts(&command, " ");
		if (is_text(r))
			buf_puts(&command, r->word[r->at].text);
		else if (tok(r) < TOK_WORD)
			buf_printf(&command, "%c", tok(r));
	}
	buf_add(&command, "", 1);
	conf_print_word(&r->method, (const char *)buf_data(&command));
	buf_free(&command);
	return true;
}

static bool
read_mbox(struct rule *r, const char *new)
{
	buf_printf(&r->method, " %s", new);
	return true;
}

static bool
read_maildir(struct rule *r, const char *new)
{
	buf_printf(&r->method, " %s", new);
	if (is_text(r) && !is(r, "as") && !is(r, "expire"))
		return take_text(r, &r->method);
	return true;
}

static bool
read_lmtp(struct rule *r, const char *new)
{
	buf_printf(&r->method, " %s", new);
	if (!take_text(r, &r->method))
		return false;
	if (take(r, "rcpt-to"))
		buf_puts(&r->method, " rcpt-to");
	return true;
}

static const struct row methods[] = {
	{ "mbox", read_mbox, "mbox" },
	{ "maildir", read_maildir, "maildir" },
	{ "mda", read_mda, "mda" },
	{ "lmtp", read_lmtp, "lmtp" },
	{ NULL, NULL, NULL },
};
static const struct row local_options[] = {
	{ "as", read_option, "user" },
	{ "expire", read_option, "ttl" },
	{ "alias", read_table, "alias" },
	{ "virtual", read_table, "virtual" },
	{ "userbase", read_table, "userbase" },
	{ NULL, NULL, NULL },
};

static bool
read_deliver(struct rule *r, const char *new)
{
	const struct row *row;

	r->name = new;
	if (!take(r, "to") || (row = take_row(r, methods)) == NULL ||
	    !row->read(r, row->new))
		return false;
	while (tok(r) != TOK_EOL) {
		row = take_row(r, local_options);
		if (row == NULL || !row->read(r, row->new))
			return false;
	}
	return true;
}

static bool
read_forward_only(struct rule *r, const char *new)
{
	r->name = "forward";
	buf_printf(&r->method, " %s", new);
	return true;
}

/* What may stand in a rule.  Columns: old, reader, new. */
static const struct row rule_words[] = {
	{ "from", read_from, NULL },
	{ "for", read_for, NULL },
	{ "tagged", read_if, "tag" },
	{ "sender", read_if, "mail-from" },
	{ "recipient", read_if, "rcpt-to" },
	{ "authenticated", read_auth, "auth" },
	{ "alias", read_table, "alias" },
	{ "virtual", read_table, "virtual" },
	{ "userbase", read_table, "userbase" },
	{ "expire", read_option, "ttl" },
	{ "deliver", read_deliver, "local" },
	{ "relay", read_relay, "relay" },
	{ "forward-only", read_forward_only, "forward-only" },
	{ NULL, NULL, NULL },
};

static bool
read_rule(struct rule *r)
{
	const struct row *row;

	r->reject = take(r, "reject");
	if (!r->reject && !take(r, "accept"))
		return false;
	while (tok(r) != TOK_EOL) {
		row = take_row(r, rule_words);
		if (row == NULL || !row->read(r, row->new))
			return false;
	}
	return r->for_.len != 0 && r->reject == (r->name == NULL);
}

/* ---- the new form ---- */

static void
add(struct buf *out, const struct buf *piece)
{
	buf_add(out, buf_data(piece), piece->len);
}

static void
write_rules(const struct rule *r, struct buf *out)
{
	if (!r->reject) {
		buf_printf(out, "action \"%s\"", r->name);
		add(out, &r->method);
		add(out, &r->option);
		buf_puts(out, "\n");
	}
	buf_puts(out, "match");
	if (r->from.len == 0)
		buf_puts(out, " from local");
	add(out, &r->from);
	add(out, &r->for_);
	add(out, &r->if_);
	if (r->reject)
		buf_puts(out, " reject\n");
	else
		buf_printf(out, " action \"%s\"\n", r->name);
}

bool
conf_old_rule(const struct conf_old_word *words, size_t n, struct buf *out)
{
	struct rule r = { .word = words, .n = n };
	struct buf *pieces[] = { &r.from, &r.for_, &r.if_, &r.method,
		&r.option };
	bool good;
	size_t i;

	if (n > CONF_OLD_WORDS_MAX)
		return false;
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		buf_init(pieces[i], 0);
	good = read_rule(&r);
	if (good)
		write_rules(&r, out);
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		buf_free(pieces[i]);
	return good;
}
