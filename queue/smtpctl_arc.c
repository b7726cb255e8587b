/*
 * `smtpctl arc`: the chain of a message on standard input verified, and a set
 * of our own put on top of it (RFC 8617).  Run by an operator; asks the name
 * servers that it was told, and nobody else.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <openssl/evp.h>

#include "arc.h"
#include "auth_field.h"
#include "smtpctl.h"
#include "smtpctl_asker.h"
#include "smtpctl_copy.h"
#include "smtpctl_dkim.h"
#include "smtpctl_keys.h"
#include "smtpctl_print.h"

enum { EXIT_REFUSED = 1 };

struct arc_work {
	struct smtpctl *c;
	const char *conf;
	struct mail_read m;
	struct arc *arc; /* NULL: the header section is not yet known */
	int hash;        /* of the body, relaxed */
	struct copy raw; /* the message as it came, for who prints it */
	/* sealing */
	const char *domain, *selector, *key_file, *authserv;
	char d[DOMAIN_MAX + 1], s[DOMAIN_MAX + 1]; /* as the DNS has them */
	EVP_PKEY *key;
};

/* ---- the message ---- */

static void
take_header(struct arc_work *w)
{
	if (w->arc != NULL)
		return;
	w->arc = arc_begin(&w->m, time(NULL));
	w->hash = mail_read_want(&w->m, CANON_RELAXED, UINT64_MAX);
}

static void
feed(void *arg, const uint8_t *p, size_t len)
{
	struct arc_work *w = arg;
	size_t used = mail_read_header(&w->m, p, len);

	if (w->m.header_done)
		take_header(w);
	mail_read_body(&w->m, p + used, len - used);
}

static void
feed_raw(void *arg, const uint8_t *p, size_t len)
{
	struct arc_work *w = arg;

	copy_add(&w->raw, p, len);
}

static bool
wants(void *arg, unsigned int i, char name[HOST_MAX + 1])
{
	return arc_wants(arg, i, name);
}

static void
give(void *arg, unsigned int i, const struct key_found *found)
{
	arc_key(arg, i, found);
}

/* Reads and verifies.  0, or an exit status. */
static int
verify(struct arc_work *w, bool keep)
{
	struct asker a;
	int status;

	mail_read_init(&w->m, MAIL_HEADER_MAX);
	if (!asker_message_raw(feed, keep ? feed_raw : NULL, w))
		return EX_IOERR;
	mail_read_finish_header(&w->m);
	take_header(w);
	mail_read_end(&w->m);
	if (arc_keys(w->arc) > 0) {
		if ((status = asker_open(&a, w->conf)) != 0)
			return status;
		keys_ask(&a, arc_keys(w->arc), wants, give, w->arc);
		asker_close(&a);
	}
	arc_finish(w->arc);
	return 0;
}

static void
work_free(struct arc_work *w)
{
	arc_free(&w->arc);
	mail_read_free(&w->m);
	copy_close(&w->raw);
	EVP_PKEY_free(w->key);
}

/* ---- options ---- */

static const char **
option_of(struct arc_work *w, int ch)
{
	switch (ch) {
	case 'a':
		return &w->authserv;
	case 'c':
		return &w->conf;
	case 'd':
		return &w->domain;
	case 'k':
		return &w->key_file;
	case 's':
		return &w->selector;
	default:
		return NULL;
	}
}

/* False: that is not how it is used. */
static bool
parse(struct arc_work *w, const char *options, int argc, char **argv)
{
	const char **option;
	int ch;

	/* argv is what stands behind the verb; getopt looks behind the
	 * first. */
	optind = 0;
	opterr = 0;
	while ((ch = getopt(argc + 1, argv - 1, options)) != -1) {
		if ((option = option_of(w, ch)) == NULL)
			return false;
		*option = optarg;
	}
	return optind == argc + 1;
}

/* ---- verify ---- */

static void
print_json(struct buf *b, const struct arc *arc)
{
	const struct arc_is *is = arc_result(arc);

	json_member(b, "{", "result", auth_result_word(is->result));
	json_number(b, ",", "sets", is->sets);
	if (is->result == RES_PASS) {
		json_number(b, ",", "oldest_pass", is->oldest);
		json_member(b, ",", "sealer", arc_sealer(arc, is->sets));
	}
	json_member(b, ",", "reason", is->why == NULL ? "" : is->why);
	buf_puts(b, "}\n");
}

static void
print_line(struct smtpctl *c, const struct arc *arc)
{
	const struct arc_is *is = arc_result(arc);

	asker_put(c, auth_result_word(is->result));
	if (is->sets > 0)
		buf_printf(&c->out, " sets=%u", is->sets);
	if (is->result == RES_PASS) {
		buf_printf(&c->out, " oldest-pass=%u sealer=", is->oldest);
		asker_put(c, arc_sealer(arc, is->sets));
	}
	if (is->why != NULL)
		buf_printf(&c->out, " (%s)", is->why);
	buf_puts(&c->out, "\n");
}

int
do_arc_verify(struct smtpctl *c, int argc, char **argv)
{
	struct arc_work w = { .c = c };
	int status;

	if (!parse(&w, "c:", argc, argv))
		return smtpctl_usage(c, NULL);
	if ((status = verify(&w, false)) == 0) {
		if (c->json)
			print_json(&c->out, w.arc);
		else
			print_line(c, w.arc);
		status = asker_status(arc_result(w.arc)->result);
	}
	work_free(&w);
	return smtpctl_flush(c) ? status : EX_IOERR;
}

/* ---- seal ---- */

/* What our own border found of it: the rest of the topmost
 * Authentication-Results with our authserv-id; nothing if there is none. */
static struct slice
results_of(const struct arc_work *w)
{
	const struct slice name = SLICE("Authentication-Results");
	char text[DOMAIN_MAX + 1];
	struct slice value;
	int row = -1;

	while ((row = mail_read_below(&w->m, name, row)) != -1) {
		value = w->m.field[row].value;
		if (slice_eqcase(auth_field_id(value, text),
			slice_of(w->authserv)))
			return auth_field_rest(value);
	}
	return SLICE("");
}

static const char *
sign_set(struct arc_work *w, struct arc_seal *s, const struct dkim_wish *wish,
    const struct arc_say *say)
{
	static const char no[] = "the key does not sign";
	uint8_t sig[KEY_SIG_MAX];
	const char *why;
	size_t len;

	if ((len = keys_sign(w->key, s->signature.digest, sig)) == 0)
		return no;
	why = arc_seal_middle(s, &w->m, wish, say, sig, len);
	if (why != NULL)
		return why;
	if ((len = keys_sign(w->key, s->seal.digest, sig)) == 0)
		return no;
	return arc_seal_end(s, sig, len) ? NULL : "the seal does not fit";
}

/* Adds the fields to out.  NULL, or why not. */
static const char *
make_set(struct arc_work *w, const struct arc_is *is, struct buf *out)
{
	struct dkim_wish wish = { .domain = w->d,
		.selector = w->s,
		.header = CANON_RELAXED,
		.body = CANON_RELAXED,
		.now = time(NULL) };
	struct arc_say say = { .authserv = w->authserv,
		.results = results_of(w),
		.cv = is->result };
	char arc[64];
	struct arc_seal s;
	const char *why;

	if ((why = copy_check(&w->raw, &w->m)) != NULL)
		return why;
	if (!keys_alg(w->key, &wish.alg))
		return "not a key for DKIM";
	snprintf(arc, sizeof arc, "arc=%s", auth_result_word(is->result));
	if (is->result == RES_PASS)
		snprintf(arc, sizeof arc, "arc=pass header.oldest-pass=%u",
		    is->oldest);
	say.arc = arc;
	why = arc_seal_begin(&s, &w->m, w->hash, &wish, &say);
	if (why == NULL)
		why = sign_set(w, &s, &wish, &say);
	if (why == NULL)
		arc_seal_print(&s, out);
	arc_seal_free(&s);
	return why;
}

static int
seal(struct arc_work *w)
{
	const struct arc_is *is;
	struct buf fields;
	const char *why;
	int status;

	if ((w->key = dkim_key_load(w->key_file)) == NULL)
		return EX_NOINPUT;
	if (!copy_open(&w->raw))
		return EX_CANTCREAT;
	if ((status = verify(w, true)) != 0)
		return status;
	if (!copy_end(&w->raw))
		return EX_IOERR;
	is = arc_result(w->arc);
	if (is->result == RES_TEMPERROR) {
		warnx("not sealed: %s", is->why);
		return EX_TEMPFAIL;
	}
	buf_init(&fields, 0);
	if ((why = make_set(w, is, &fields)) != NULL) {
		warnx("not sealed: %s", why);
		status = EXIT_REFUSED;
	} else if (!copy_print(&w->raw, &fields))
		status = EX_IOERR;
	buf_free(&fields);
	return status;
}

int
do_arc_seal(struct smtpctl *c, int argc, char **argv)
{
	struct arc_work w = { .c = c };
	int status;

	if (!parse(&w, "a:c:d:k:s:", argc, argv) || w.domain == NULL ||
	    w.selector == NULL || w.key_file == NULL || w.authserv == NULL)
		return smtpctl_usage(c, NULL);
	if (!asker_authserv(w.authserv))
		return smtpctl_usage(c,
		    "an authserv-id is letters, digits, '-', '.' and '_'");
	if (!keys_names(w.domain, w.selector, w.d, w.s))
		return EX_USAGE;
	status = seal(&w);
	work_free(&w);
	return status;
}
