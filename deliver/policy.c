/*
 * What the configuration wants of a host, as to TLS.  Used by deliver; asks
 * nobody, connects to nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "deliver.h"
#include "dest.h"

/* What a URL wants by its scheme.  Columns: level, from the first byte, who
 * says so. */
static const struct {
	enum conf_tls_level level;
	bool implicit;
	const char *source;
} schemes[] = {
	[SCHEME_SMTP] = { TLS_LEVEL_MAY, false, "default" },
	[SCHEME_SMTP_TLS] = { TLS_LEVEL_VERIFY, false, "url" },
	[SCHEME_SMTP_NOTLS] = { TLS_LEVEL_NO, false, "url" },
	[SCHEME_SMTPS] = { TLS_LEVEL_VERIFY, true, "url" },
	[SCHEME_LMTP] = { TLS_LEVEL_MAY, false, "default" },
};

/* `tls` of an action. */
static const enum conf_tls_level action_levels[] = {
	[RELAY_TLS_UNSAID] = TLS_LEVEL_UNSAID,
	[RELAY_TLS] = TLS_LEVEL_VERIFY,
	[RELAY_TLS_NO_VERIFY] = TLS_LEVEL_REQUIRE,
};

/* Columns: source, as a sentence has it. */
static const struct {
	const char *source, *words;
} sources[] = {
	{ "default", "the default" },
	{ "action", "tls of the action" },
	{ "url", "the scheme of the URL" },
	{ "tls", "tls domain" },
	{ "login", "auth, which needs to know who listens" },
};

static const char *const level_names[] = {
#define X(name, word) [TLS_LEVEL_##name] = word,
	CONF_TLS_LEVELS(X)
#undef X
};

/* Columns, by level: STARTTLS, and TLS from the first byte. */
static const char *const sentences[][2] = {
	[TLS_LEVEL_NO] = { "never", "never" },
	[TLS_LEVEL_MAY] = { "by STARTTLS if it is offered, else without; certificates are judged and decide nothing",
	    "" },
	[TLS_LEVEL_REQUIRE] = { "by STARTTLS or not at all, whoever answers",
	    "from the first byte, whoever answers" },
	[TLS_LEVEL_VERIFY] = { "by STARTTLS or not at all, with a good certificate for",
	    "from the first byte, with a good certificate for" },
};

/* ---- rows that options name ---- */

/* CONF_NONE: there is none of that name. */
static uint32_t
find_ca(const struct conf *c, const char *name)
{
	uint32_t i;

	for (i = 0; i < c->ca.n; i++) {
		if (strcmp(conf_text(c, CONF_CA(c, i)->name), name) == 0)
			return i;
	}
	return CONF_NONE;
}

/* The first of its rows.  Its name is one of the DNS. */
static uint32_t
find_pki(const struct conf *c, const char *name)
{
	uint32_t i;

	for (i = 0; i < c->pki.n; i++) {
		if (strcasecmp(conf_text(c, CONF_PKI(c, i)->name), name) == 0)
			return i;
	}
	return CONF_NONE;
}

/* ---- from the weakest word to the strongest ---- */

static void
say(struct tls_want *w, enum conf_tls_level level, const char *source,
    const struct conf_at *at)
{
	w->level = level;
	w->source = source;
	w->at = at;
}

static void
choose_level(const struct policy_about *about, const struct conf_action *a,
    const struct conf_tls *rule, struct tls_want *w)
{
	enum conf_scheme scheme = about->mx ? SCHEME_SMTP : about->scheme;

	w->implicit = schemes[scheme].implicit;
	say(w, schemes[scheme].level, schemes[scheme].source,
	    strcmp(schemes[scheme].source, "url") == 0 ? &a->at : NULL);
	if (action_levels[a->tls] != TLS_LEVEL_UNSAID)
		say(w, action_levels[a->tls], "action", &a->at);
	if (rule != NULL && rule->level != TLS_LEVEL_UNSAID)
		say(w, rule->level, "tls", &rule->at);
	/* Where TLS is from the first byte there is nothing without it. */
	if (w->implicit && w->level < TLS_LEVEL_REQUIRE)
		w->level = TLS_LEVEL_REQUIRE;
	/* A password is told to nobody who has not proved who he is. */
	if (about->login && !a->auth_insecure && w->level < TLS_LEVEL_VERIFY)
		say(w, TLS_LEVEL_VERIFY, "login", &a->at);
}

static conf_str
either(conf_str rule, conf_str action)
{
	return rule != 0 ? rule : action;
}

/* How TLS is spoken, whatever the level.  Returns the name of a `ca` or `pki`
 * that does not exist, or NULL; *what is which. */
static const char *
choose_how(const struct conf *c, const struct conf_action *a,
    const struct conf_tls *rule, struct tls_want *w, const char **what)
{
	static const struct conf_tls none;
	conf_str ca, pki;

	if (rule == NULL)
		rule = &none;
	w->ca = w->pki = CONF_NONE;
	w->ciphers = conf_text(c, either(rule->ciphers, a->ciphers));
	w->protocols = conf_text(c, either(rule->protocols, a->protocols));
	ca = either(rule->ca, a->ca);
	pki = either(rule->pki, a->pki);
	*what = "ca";
	if (ca != 0 && (w->ca = find_ca(c, conf_text(c, ca))) == CONF_NONE)
		return conf_text(c, ca);
	*what = "pki";
	if (pki != 0 && (w->pki = find_pki(c, conf_text(c, pki))) == CONF_NONE)
		return conf_text(c, pki);
	return NULL;
}

/* As policy_conf(); returns as choose_how(). */
static const char *
conf_want(const struct conf *c, const struct policy_about *about,
    struct tls_want *w, const char **what)
{
	const struct conf_action *a = CONF_ACTION(c, about->action);
	const struct conf_tls *rule = dest_tls(c, about->dest);
	const char *missing;

	*w = (struct tls_want){ 0 };
	choose_level(about, a, rule, w);
	if (w->level == TLS_LEVEL_VERIFY && rule != NULL)
		w->name = rule->name;
	missing = choose_how(c, a, rule, w, what);
	return w->level == TLS_LEVEL_NO ? NULL : missing;
}

/* ---- for people ---- */

static void __attribute__((format(printf, 3, 4)))
add(char *out, size_t size, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, size - n, fmt, ap);
	va_end(ap);
}

/* ---- public ---- */

void
policy_conf(const struct conf *c, const struct policy_about *about,
    struct tls_want *want)
{
	const char *what;

	(void)conf_want(c, about, want, &what);
}

static void
on_soon(void *arg)
{
	struct policy_ask *a = arg;

	a->fn(a->arg, &a->want, a->why.text[0] != '\0' ? &a->why : NULL);
}

void
policy_ask(struct deliver *d, struct policy_ask *a,
    const struct policy_about *about, policy_fn *fn, void *arg)
{
	const char *missing, *what;
	char at[CONF_AT_MAX];

	timer_clear(&a->soon);
	*a = (struct policy_ask){ .fn = fn, .arg = arg };
	missing = conf_want(d->conf, about, &a->want, &what);
	if (missing != NULL) {
		outcome_set(&a->why, LATER, WIDTH_SITE, 0, "4.3.5",
		    "%s: there is no %s \"%s\"",
		    conf_at_print(d->conf,
			&CONF_ACTION(d->conf, about->action)->at, at,
			sizeof at),
		    what, missing);
		outcome_of_us(&a->why, CAUSE_CONFIG, STAGE_POLICY);
	}
	timer_set(d->p->loop, &a->soon, 0, on_soon, a);
}

void
policy_cancel(struct policy_ask *a)
{
	timer_clear(&a->soon);
}

/* A rule that changes nothing but the level is as none. */
static bool
changes_how(const struct conf_tls *rule)
{
	return rule == NULL || rule->ca != 0 || rule->pki != 0 ||
	    rule->ciphers != 0 || rule->protocols != 0;
}

/* Its mail leaves by us. */
static bool
may_talk(const struct conf_action *a)
{
	return a->method == METHOD_RELAY || a->method == METHOD_LMTP;
}

void
policy_each(const struct conf *c, policy_each_fn *fn, void *arg)
{
	const struct conf_action *a;
	const struct conf_tls *rule;
	struct tls_want w;
	const char *what;
	uint32_t i, r;

	for (i = 0; i < c->action.n; i++) {
		a = CONF_ACTION(c, i);
		for (r = 0; r <= c->tls.n && may_talk(a); r++) {
			rule = r == 0 ? NULL : CONF_TLS(c, r - 1);
			w = (struct tls_want){ .at = rule == NULL ? &a->at :
								    &rule->at };
			/* What names nothing is put off when it is used. */
			if (!changes_how(rule) ||
			    choose_how(c, a, rule, &w, &what) != NULL)
				continue;
			w.level = TLS_LEVEL_MAY;
			if (!fn(arg, &w))
				return;
			w.level = TLS_LEVEL_VERIFY;
			if (!fn(arg, &w))
				return;
		}
	}
}

bool
policy_same(const struct tls_want *a, const struct tls_want *b)
{
	return a->level == b->level && a->implicit == b->implicit &&
	    a->name.off == b->name.off && a->name.n == b->name.n &&
	    a->ca == b->ca && a->pki == b->pki &&
	    strcmp(a->ciphers, b->ciphers) == 0 &&
	    strcmp(a->protocols, b->protocols) == 0;
}

const char *
policy_level(const struct tls_want *want)
{
	return level_names[want->level];
}

const char *
policy_print(const struct conf *c, const struct tls_want *want, char *out,
    size_t size)
{
	const char *words = want->source == NULL ? "" : want->source;
	char at[CONF_AT_MAX] = "";
	size_t i;

	for (i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		if (strcmp(sources[i].source, words) == 0)
			words = sources[i].words;
	}
	if (want->at != NULL && c != NULL)
		conf_at_print(c, want->at, at, sizeof at);
	snprintf(out, size, "%s by %s%s%s%s", policy_level(want), words,
	    at[0] == '\0' ? "" : " (", at, at[0] == '\0' ? "" : ")");
	return out;
}

const char *
policy_say(const struct conf *c, const struct tls_want *want, char *out,
    size_t size)
{
	uint32_t i;

	snprintf(out, size, "%s", sentences[want->level][want->implicit]);
	if (want->level == TLS_LEVEL_VERIFY && want->name.n == 0)
		add(out, size, " the host's own name");
	for (i = 0; i < want->name.n; i++)
		add(out, size, "%s%s", i == 0 ? " " : " or ",
		    conf_text(c, CONF_ENTRY(c, want->name, i)->key));
	if (want->ca != CONF_NONE)
		add(out, size, "; ca %s",
		    conf_text(c, CONF_CA(c, want->ca)->name));
	if (want->pki != CONF_NONE)
		add(out, size, "; pki %s",
		    conf_text(c, CONF_PKI(c, want->pki)->name));
	if (want->protocols[0] != '\0')
		add(out, size, "; protocols %s", want->protocols);
	if (want->ciphers[0] != '\0')
		add(out, size, "; ciphers %s", want->ciphers);
	for (i = 0; i < sizeof sources / sizeof sources[0]; i++) {
		if (strcmp(sources[i].source, want->source) == 0)
			add(out, size, "; said by %s", sources[i].words);
	}
	return out;
}
