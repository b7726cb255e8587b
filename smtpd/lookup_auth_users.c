/*
 * The users of a listener's table: their secrets, what can be done with them,
 * and what the log says of those.  Runs in lookup; keeps no secret but that of
 * the question at work, and one that a program showed.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "log.h"
#include "lookup_auth_parts.h"

#define BY_PASSWORD (1u << SASL_PLAIN | 1u << SASL_LOGIN)
#define BY_TOKEN    (1u << SASL_OAUTHBEARER | 1u << SASL_XOAUTH2)

/* ---- users of a table ---- */

/* Whose password is tried where there is no user, so that it takes as long. */
static const char *
sample_of(const struct auth *a)
{
	const struct auths *as = a->all;
	uint32_t row = a->listen->auth_table;
	const struct secrets *all = table_secrets(tables_row(as->tables, row));

	if (all != NULL && all->sample[0] != '\0')
		return all->sample;
	if (as->rows[row].sample[0] != '\0')
		return as->rows[row].sample;
	return as->setting;
}

/* What a program shows is all that we ever know of its secrets. */
static void
note_program(struct auth *a, const char *secret)
{
	uint32_t i = a->listen->auth_table;
	const struct conf_table *t = CONF_TABLE(a->all->conf, i);
	struct auth_row *row = &a->all->rows[i];

	if (t->kind != TABLE_PROC)
		return;
	if (secret_kind(secret) != SECRET_PLAIN)
		(void)slice_copy(slice_of(secret), row->sample,
		    sizeof row->sample);
	if (secret_is_weak(secret) && !row->said_weak) {
		log_warn("auth-weak", "table=%s",
		    q(conf_text(a->all->conf, t->name)));
		row->said_weak = true;
	}
}

/* The secret is of no form that we know: nobody can say that it is wrong. */
static void
bad_secret(struct auth *a)
{
	uint32_t i = a->listen->auth_table;
	const struct conf_table *t = CONF_TABLE(a->all->conf, i);

	if (!a->all->rows[i].said_bad)
		log_warn("auth-secret",
		    "table=%s error=\"neither crypt(3), SCRAM-SHA-256 nor {PLAIN}\" user=%s",
		    q(conf_text(a->all->conf, t->name)), q(a->name));
	a->all->rows[i].said_bad = true;
	auth_later(a);
}

static void
on_credentials(void *arg, enum table_answer is, const char *value)
{
	struct auth *a = arg;
	const char *secret = secret_of(a->name, value);
	enum secret_kind kind = secret_kind(secret);

	if (is == TABLE_UNKNOWN) {
		auth_later(a);
		return;
	}
	if (is == TABLE_YES && kind == SECRET_BAD) {
		bad_secret(a);
		return;
	}
	a->known = is == TABLE_YES && kind != SECRET_LOCKED;
	snprintf(a->secret, sizeof a->secret, "%s",
	    a->known ? secret : sample_of(a));
	if (a->known)
		note_program(a, secret);
	buf_free(&a->value);
	a->found(a, a->known ? a->secret : NULL);
}

void
auth_credentials(struct auth *a, const char *user,
    void (*found)(struct auth *a, const char *secret))
{
	struct table *t = tables_row(a->all->tables, a->listen->auth_table);
	enum table_answer is;

	a->found = found;
	buf_init(&a->value, 2 * SECRET_MAX);
	a->value.wipe = true;
	is = table_ask(t, SERVICE_CREDENTIALS, user, &a->value, &a->req,
	    on_credentials, a);
	if (is == TABLE_WAIT)
		return;
	if (!buf_add(&a->value, "", 1))
		is = TABLE_UNKNOWN;
	on_credentials(a, is,
	    is == TABLE_YES ? (const char *)buf_data(&a->value) : "");
}

/* ---- what can be checked ---- */

static uint32_t
mechs_of_table(const struct auths *as, uint32_t row)
{
	const struct secrets *all = table_secrets(tables_row(as->tables, row));

	return all == NULL ? BY_PASSWORD : secrets_mechs(all);
}

uint32_t
auths_mechs(const struct auths *as, const struct conf_listen *l)
{
	uint32_t found = BY_PASSWORD;

	if (l->auth == AUTH_NONE)
		return 0;
	if (l->auth_table != CONF_NONE)
		found = mechs_of_table(as, l->auth_table);
	return found | (as->conf->oauth.n > 0 ? BY_TOKEN : 0);
}

void
auths_warn_weak(struct auths *as)
{
	const struct secrets *all;
	uint32_t i, row;

	for (i = 0; i < as->conf->listen.n; i++) {
		row = CONF_LISTEN(as->conf, i)->auth_table;
		if (row == CONF_NONE || as->rows[row].said_weak)
			continue;
		all = table_secrets(tables_row(as->tables, row));
		if (all == NULL || !all->weak)
			continue;
		as->rows[row].said_weak = true;
		log_warn("auth-weak", "table=%s",
		    q(conf_text(as->conf, CONF_TABLE(as->conf, row)->name)));
	}
}
