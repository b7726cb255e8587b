/*
 * `smtpctl dkim sign`: signs a message on standard input with a key from a
 * file.  Run by an operator; the message waits in a file without a name until
 * its signature can go in front of it, and nothing of it is changed.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <openssl/evp.h>

#include "dkim_sign.h"
#include "smtpctl.h"
#include "smtpctl_asker.h"
#include "smtpctl_copy.h"
#include "smtpctl_dkim.h"
#include "smtpctl_keys.h"

struct job {
	struct mail_read mail;
	int hash;
	struct dkim_wish wish;
	char domain[DOMAIN_MAX + 1], selector[DOMAIN_MAX + 1];
	struct copy copy;
};

/* ---- the message ---- */

static void
raw(void *arg, const uint8_t *p, size_t len)
{
	struct job *j = arg;

	copy_add(&j->copy, p, len);
}

static void
want(struct job *j)
{
	if (j->hash == -1)
		j->hash = mail_read_want(&j->mail, j->wish.body, UINT64_MAX);
}

static void
feed(void *arg, const uint8_t *p, size_t len)
{
	struct job *j = arg;
	size_t used = mail_read_header(&j->mail, p, len);

	if (!j->mail.header_done)
		return;
	want(j);
	mail_read_body(&j->mail, p + used, len - used);
}

/* ---- the signature ---- */

static const char *
make(struct job *j, EVP_PKEY *pkey, struct dkim_made *made)
{
	uint8_t sig[KEY_SIG_MAX];
	const char *why;
	size_t len;

	if ((why = copy_check(&j->copy, &j->mail)) != NULL)
		return why;
	why = dkim_sign_begin(made, &j->mail, j->hash, &j->wish);
	if (why != NULL)
		return why;
	if ((len = keys_sign(pkey, made->digest, sig)) == 0)
		return "OpenSSL cannot sign with this key";
	return dkim_sign_end(made, sig, len) ?
	    NULL :
	    "the signature's field is too large";
}

static int
sign(struct job *j, EVP_PKEY *pkey)
{
	struct dkim_made made = { 0 };
	const char *why;
	int status = EX_OK;

	if (!asker_message_raw(feed, raw, j))
		return EX_IOERR;
	if (!copy_end(&j->copy))
		return EX_IOERR;
	mail_read_finish_header(&j->mail);
	want(j);
	mail_read_end(&j->mail);
	if ((why = make(j, pkey, &made)) != NULL) {
		warnx("not signed: %s", why);
		status = EX_DATAERR;
	} else if (!copy_print(&j->copy, &made.text))
		status = EX_IOERR;
	dkim_made_free(&made);
	return status;
}

/* ---- the arguments ---- */

static bool
read_canon(const char *text, struct dkim_wish *w)
{
	static const struct {
		const char *text;
		enum dkim_canon_form header, body;
	} rows[] = {
		{ "relaxed/relaxed", CANON_RELAXED, CANON_RELAXED },
		{ "relaxed/simple", CANON_RELAXED, CANON_SIMPLE },
		{ "simple/relaxed", CANON_SIMPLE, CANON_RELAXED },
		{ "simple/simple", CANON_SIMPLE, CANON_SIMPLE },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].text, text) != 0)
			continue;
		w->header = rows[i].header;
		w->body = rows[i].body;
		return true;
	}
	return false;
}

static int
run(struct job *j, const char *file)
{
	EVP_PKEY *pkey = dkim_key_load(file);
	int status;

	if (pkey == NULL)
		return EX_NOINPUT;
	if (!keys_alg(pkey, &j->wish.alg)) {
		warnx("%s: neither Ed25519 nor RSA of %u to %u bits", file,
		    DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX);
		status = EX_DATAERR;
	} else if (!copy_open(&j->copy))
		status = EX_CANTCREAT;
	else {
		mail_read_init(&j->mail, MAIL_HEADER_MAX);
		status = sign(j, pkey);
		mail_read_free(&j->mail);
	}
	copy_close(&j->copy);
	EVP_PKEY_free(pkey);
	return status;
}

int
smtpctl_dkim_sign(int argc, char **argv)
{
	struct job j = { .hash = -1, .wish = { .now = time(NULL) } };
	const char *domain = NULL, *selector = NULL, *file = NULL;
	const char *canon = "relaxed/relaxed";
	const struct {
		const char *word;
		const char **value;
	} rows[] = {
		{ "-d", &domain },
		{ "-s", &selector },
		{ "-k", &file },
		{ "--canon", &canon },
	};
	size_t r, n = sizeof(rows) / sizeof(rows[0]);
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		for (r = 0; r < n && strcmp(rows[r].word, argv[i]) != 0;)
			r++;
		if (r == n)
			return smtpctl_dkim_usage();
		*rows[r].value = argv[i + 1];
	}
	if (i != argc || domain == NULL || selector == NULL || file == NULL ||
	    !read_canon(canon, &j.wish))
		return smtpctl_dkim_usage();
	if (!keys_names(domain, selector, j.domain, j.selector))
		return EX_USAGE;
	j.wish.domain = j.domain;
	j.wish.selector = j.selector;
	return run(&j, file);
}
