/*
 * `smtpctl dkim rotate`: the next step of changing the keys of a domain.  Run
 * by an operator; asks the DNS, and a running smtpd to reload.
 *
 *	nothing is under way    keys are made, and their records printed
 *	keys were made          when their records are in the DNS, they sign,
 *	                        and the earlier ones do not any more
 *	keys signed long ago    they are removed, and so may be their records
 *
 * All that it says is a comment of a zone, so that what it prints can be put
 * into one.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <openssl/evp.h>

#include "log.h"
#include "num.h"
#include "smtpctl.h"
#include "smtpctl_dkim.h"
#include "smtpctl_dkim_dns.h"
#include "smtpctl_dkim_folder.h"
#include "smtpctl_print.h"

/* Mail signed with a key waits for `queue ttl` (by default 4 days) at most;
 * who it was for may look a week later still. */
#define KEEP     (11 * 24 * 60 * 60)
#define KEEP_MAX (3650 * 24 * 60 * 60)

#define EXIT_REFUSED 1 /* as of `smtpctl reload` */

struct rotation {
	struct smtpctl *c;
	const char *domain, *dir, *alg, *server;
	bool dry, force, clean;
	uint64_t keep; /* seconds */
	int64_t now;
	struct dkim_folder folder;
	/* Of each file. */
	enum dkim_found found[DKIM_KEYS_MAX];
	const char *why[DKIM_KEYS_MAX];
	bool looked, changed, reloaded;
};

/* ---- what is said ---- */

static const char *const state_names[] = {
	[DKIM_NEXT] = "next",
	[DKIM_KEY] = "key",
	[DKIM_OLD] = "old",
};

static void
say(struct rotation *r, const char *selector, const char *what)
{
	if (!r->c->json)
		buf_printf(&r->c->out, "; %s: %s\n", selector, what);
}

/* The record of a file. */
static void
say_record(struct rotation *r, const struct dkim_file *file)
{
	char name[DKIM_NAME_MAX], path[2048];
	EVP_PKEY *pkey;

	snprintf(path, sizeof path, "%s/%s", r->dir,
	    dkim_file_name(file->selector, file->state, name));
	if ((pkey = dkim_key_load(path)) == NULL)
		return;
	smtpctl_dkim_record(pkey, r->domain, file->selector, &r->c->out);
	EVP_PKEY_free(pkey);
}

/* When the record of a key that signs no more may go. */
static int64_t
record_until(const struct rotation *r, const struct dkim_file *file)
{
	return file->began + (int64_t)r->keep;
}

static void
file_json(struct rotation *r, uint32_t i, const char *begin)
{
	const struct dkim_file *file = &r->folder.file[i];
	struct buf *b = &r->c->out;
	char text[DKIM_BASE64_MAX + 32];

	json_member(b, begin, "selector", file->selector);
	json_member(b, ",", "state",
	    file->gone ? "removed" : state_names[file->state]);
	json_member(b, ",", "algorithm", file->alg);
	snprintf(text, sizeof text, "%s._domainkey.%s", file->selector,
	    r->domain);
	json_member(b, ",", "name", text);
	json_member(b, ",", "type", "TXT");
	snprintf(text, sizeof text, "v=DKIM1; k=%s; p=%s", file->alg,
	    file->b64);
	json_member(b, ",", "value", text);
	if (r->why[i] != NULL)
		json_member(b, ",", "why", r->why[i]);
	if (r->looked && file->state != DKIM_OLD && r->found[i] != DKIM_UNKNOWN)
		json_bool(b, ",", "published", r->found[i] == DKIM_PUBLISHED);
	if (file->state == DKIM_OLD)
		json_time(b, ",", "record_until", record_until(r, file));
	buf_puts(b, "}");
}

static void
say_json(struct rotation *r)
{
	struct buf *b = &r->c->out;
	uint32_t i;

	json_member(b, "{", "domain", r->domain);
	json_bool(b, ",", "changed", r->changed);
	json_bool(b, ",", "reloaded", r->reloaded);
	buf_puts(b, ",\"keys\":[");
	for (i = 0; i < r->folder.n; i++)
		file_json(r, i, i == 0 ? "{" : ",{");
	buf_puts(b, "]}\n");
}

/* ---- keys that signed long ago ---- */

static int
clean(struct rotation *r)
{
	struct dkim_file *file;
	int status;

	for (file = r->folder.file; file < r->folder.file + r->folder.n;
	     file++) {
		if (file->state != DKIM_OLD || record_until(r, file) > r->now)
			continue;
		if (!r->dry) {
			status = dkim_folder_remove(&r->folder, file);
			if (status != EX_OK)
				return status;
			r->changed = true;
		}
		say(r, file->selector,
		    r->dry ?
			"would be removed, and its record may be" :
			"removed; its record may be removed from the DNS now");
	}
	return EX_OK;
}

/* ---- new ones ---- */

static int
make_one(struct rotation *r, const char *alg)
{
	const struct dkim_file *file;
	int status;

	if (r->dry) {
		say(r, alg, "a new key would be made");
		return EX_OK;
	}
	status = dkim_folder_make(&r->folder, alg, r->now);
	if (status != EX_OK)
		return status;
	r->changed = true;
	file = &r->folder.file[r->folder.n - 1];
	say(r, file->selector,
	    "made; to be published, and then this is to be run again");
	if (!r->c->json)
		say_record(r, file);
	return EX_OK;
}

/* One for each algorithm that signs now; of both, where none does. */
static int
make(struct rotation *r)
{
	static const char *const algs[] = { "rsa", "ed25519" };
	bool none = !dkim_folder_has(&r->folder, DKIM_KEY, NULL);
	int i, status;

	for (i = 0; i < 2; i++) {
		if (r->alg != NULL ? strcmp(r->alg, algs[i]) != 0 :
				     !none &&
			    !dkim_folder_has(&r->folder, DKIM_KEY, algs[i]))
			continue;
		if ((status = make_one(r, algs[i])) != EX_OK)
			return status;
	}
	return EX_TEMPFAIL;
}

/* ---- those that were made ---- */

/* Looks each of them up.  True: all are in the DNS. */
static bool
look(struct rotation *r, struct dkim_dns *dns)
{
	const struct dkim_file *file;
	bool all = true;
	uint32_t i;

	r->looked = true;
	for (i = 0; i < r->folder.n; i++) {
		file = &r->folder.file[i];
		r->found[i] = DKIM_UNKNOWN;
		if (file->gone || file->state != DKIM_NEXT)
			continue;
		r->found[i] = dkim_dns_look(dns, r->domain, file->selector,
		    file->alg, file->b64, &r->why[i]);
		if (r->found[i] == DKIM_PUBLISHED)
			continue;
		all = false;
		say(r, file->selector, r->why[i]);
		if (!r->c->json)
			say_record(r, file);
	}
	return all;
}

static int
check(struct rotation *r)
{
	const char *server =
	    r->server != NULL ? r->server : getenv("SMTPCTL_RESOLVER");
	struct dkim_dns *dns;
	bool all;

	if (r->force)
		return EX_OK;
	if ((dns = dkim_dns_open(server)) == NULL)
		return EX_USAGE;
	all = look(r, dns);
	dkim_dns_close(&dns);
	return all ? EX_OK : EX_TEMPFAIL;
}

/* The running smtpd, if there is one, reads the folder again. */
static int
reload(struct rotation *r)
{
	struct parent_is is;
	int status;

	if (smtpctl_connect(r->c) != 0) {
		warnx("smtpd is not running, or not asked: it finds the keys when it starts or reloads");
		return EX_OK;
	}
	status = smtpctl_parent(r->c, PARENT_RELOAD, "", 0, &is);
	if (status != EX_OK)
		return status;
	if (is.outcome.verdict != DONE) {
		warnx("smtpd goes on with the earlier keys: %s",
		    is.outcome.text);
		return EXIT_REFUSED;
	}
	r->reloaded = true;
	return EX_OK;
}

static void
say_changes(struct rotation *r, const enum dkim_state *before)
{
	const struct dkim_file *file;
	char text[128], iso[PRINT_TIME];
	uint32_t i;

	for (i = 0; i < r->folder.n; i++) {
		file = &r->folder.file[i];
		if (file->gone || file->state == before[i])
			continue;
		r->changed = true;
		snprintf(text, sizeof text,
		    "signs no more; its record may be removed after %s",
		    print_iso(record_until(r, file), iso));
		say(r, file->selector,
		    file->state == DKIM_KEY ? "signs from now on" : text);
	}
}

static int
activate(struct rotation *r)
{
	enum dkim_state before[DKIM_KEYS_MAX];
	int status, reloaded;
	uint32_t i;

	if ((status = check(r)) != EX_OK)
		return status;
	if (r->dry) {
		say(r, r->domain, "the new keys would sign from now on");
		return EX_OK;
	}
	for (i = 0; i < r->folder.n; i++)
		before[i] = r->folder.file[i].state;
	status = dkim_folder_activate(&r->folder);
	say_changes(r, before);
	/* Half of it is better than what is not there any more. */
	reloaded = reload(r);
	return status != EX_OK ? status : reloaded;
}

/* ---- the verb ---- */

static int
step(struct rotation *r)
{
	int status = clean(r);

	if (status != EX_OK || r->clean)
		return status;
	if (dkim_folder_has(&r->folder, DKIM_NEXT, NULL) ||
	    dkim_folder_unfinished(&r->folder))
		return activate(r);
	return make(r);
}

static int
usage(const struct rotation *r, const char *why)
{
	return smtpctl_usage(r->c, why);
}

/* An option that takes a value: of which kind, or NULL. */
static const char **
value_of(struct rotation *r, const char *word, const char **keep)
{
	const struct {
		const char *word;
		const char **value;
	} rows[] = {
		{ "-a", &r->alg },
		{ "-r", &r->server },
		{ "--keep", keep },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(word, rows[i].word) == 0)
			return rows[i].value;
	}
	return NULL;
}

static bool *
flag_of(struct rotation *r, const char *word)
{
	const struct {
		const char *word;
		bool *flag;
	} rows[] = {
		{ "--dry-run", &r->dry },
		{ "--force", &r->force },
		{ "--clean", &r->clean },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(word, rows[i].word) == 0)
			return rows[i].flag;
	}
	return NULL;
}

/* NULL, or what is wrong with them. */
static const char *
read_args(struct rotation *r, int argc, char **argv)
{
	const char *words[2], **value, *keep = NULL, *why;
	bool *flag;
	int i, n = 0;

	for (i = 1; i < argc; i++) {
		if ((flag = flag_of(r, argv[i])) != NULL)
			*flag = true;
		else if ((value = value_of(r, argv[i], &keep)) != NULL &&
		    i + 1 < argc)
			*value = argv[++i];
		else if (argv[i][0] == '-' || n == 2)
			return "rotate [--dry-run] [--force] [--clean] [--keep time] [-a rsa|ed25519] [-r address[:port]] domain directory";
		else
			words[n++] = argv[i];
	}
	if (n != 2)
		return "rotate: expected a domain, and the directory of its keys";
	r->domain = words[0];
	r->dir = words[1];
	if (r->alg != NULL && strcmp(r->alg, "rsa") != 0 &&
	    strcmp(r->alg, "ed25519") != 0)
		return "algorithm: rsa or ed25519";
	why = keep == NULL ? NULL : num_parse_time(keep, 0, KEEP_MAX, &r->keep);
	return why == NULL ? NULL : "--keep: expected a time, as 11d";
}

int
smtpctl_dkim_rotate(struct smtpctl *c, int argc, char **argv)
{
	struct rotation *r = xcalloc(1, sizeof *r);
	const char *why;
	int status;

	*r = (struct rotation){ .c = c,
		.keep = KEEP,
		.now = (int64_t)time(NULL) };
	if ((why = read_args(r, argc, argv)) != NULL)
		status = usage(r, why);
	else if ((status = dkim_names_check(r->domain, "20260101r")) == EX_OK &&
	    (status = dkim_folder_open(&r->folder, r->dir)) == EX_OK) {
		status = step(r);
		dkim_folder_close(&r->folder);
		if (c->json)
			say_json(r);
		if (!smtpctl_flush(c))
			status = EX_IOERR;
	}
	free(r);
	return status;
}
