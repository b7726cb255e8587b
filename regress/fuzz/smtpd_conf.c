/*
 * conf_file_load(): an error that can be printed, or an image that every
 * process can map, with and without its tables, and whose print is read again
 * as the same.  No name is looked up.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/types.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "conf_file.h"
#include "conf_print.h"
#include "slice.h"
#include "tls_protocols.h"

#define SIZE_MAX_CONF 4096

/* In place of that of libc: no fuzzer talks to a network. */
int
getaddrinfo(const char *restrict node, const char *restrict service,
    const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	struct sockaddr_in6 *in6;
	struct addrinfo *ai = calloc(1, sizeof *ai + sizeof *in6);

	(void)service;
	(void)hints;
	in6 = (void *)(ai + 1);
	in6->sin6_family = AF_INET6;
	ai->ai_addr = (void *)in6;
	ai->ai_addrlen = sizeof *in6;
	*res = ai;
	if (inet_pton(AF_INET6, node, &in6->sin6_addr) == 1)
		return 0;
	freeaddrinfo(ai);
	return EAI_AGAIN;
}

/* Every process can read it: each row is one that it may be. */
static void
must_be_mapped(const struct conf_image *image, enum conf_part part)
{
	const struct conf *c = conf_map(conf_seal(image->conf, image->size));
	uint32_t i, j;

	MUST(c != NULL);
	for (i = 0; i < c->table.n; i++) {
		const struct conf_table *t = CONF_TABLE(c, i);

		for (j = 0; j < t->entries.n; j++)
			(void)strlen(conf_text(c,
			    CONF_ENTRY(c, t->entries, j)->key));
	}
	for (i = 0; i < c->match.n; i++) {
		const struct conf_match *m = CONF_MATCH(c, i);

		MUST(m->reject != 0 || m->action < c->action.n);
		MUST(m->cond.n >= 2);
		for (j = 0; j < m->cond.n; j++)
			MUST(CONF_COND(c, m->cond, j)->kind < CONDS);
	}
	for (i = 0; i < c->retry.n; i++) {
		MUST(CONF_RETRY(c, i)->step.n > 0);
		MUST((i == 0) == (CONF_RETRY(c, i)->domain.n == 0));
	}
	for (i = 0; i < c->limit.n; i++) {
		const struct conf_limit *l = CONF_LIMIT(c, i);

		MUST(l->domain.n == 0 || l->mx.n == 0);
		MUST(l->concurrency != 0 || l->messages != 0 || l->rate != 0 ||
		    l->inet != 0);
		MUST((l->rate == 0) == (l->per == 0));
	}
	for (i = 0; i < c->tls.n; i++) {
		const struct conf_tls *t = CONF_TLS(c, i);

		MUST(t->domain.n > 0 && t->level != TLS_LEVEL_UNSAID);
		MUST(t->name.n == 0 || t->level == TLS_LEVEL_VERIFY);
	}
	for (i = 0; i < c->token.n; i++) {
		const struct conf_token *t = CONF_TOKEN(c, i);

		MUST(t->name != 0);
		MUST(part == CONF_BARE ||
		    ((t->file == 0) != (t->command == 0) &&
			(t->command == 0) == (t->user == 0)));
	}
	for (i = 0; i < c->action.n; i++) {
		const struct conf_action *a = CONF_ACTION(c, i);

		MUST(!a->srs || c->srs_key != 0 || part != CONF_WHOLE);
		MUST(!a->auth_insecure || a->auth != CONF_NONE);
		MUST(!a->backup || a->host.n == 0);
	}
	for (i = 0; i < c->listen.n; i++) {
		const struct conf_listen *l = CONF_LISTEN(c, i);
		unsigned int min, max;

		MUST(l->tls == LISTEN_CLEAR || l->pki.n > 0);
		MUST(l->tls != LISTEN_CLEAR || l->auth == AUTH_NONE ||
		    l->auth_insecure);
		MUST(!l->dnsbl || c->dnslist.n > 0);
		MUST(tls_protocols_parse(slice_of(conf_text(c, l->protocols)),
			 &min, &max) == NULL);
	}
	for (i = 0; i < c->pki.n; i++)
		MUST(CONF_PKI(c, i)->cert != 0 && CONF_PKI(c, i)->key != 0);
	for (i = 0; i < c->dnslist.n; i++)
		MUST(CONF_DNSLIST(c, i)->weight != 0);
	for (i = 0; i < c->oauth.n; i++)
		MUST(CONF_OAUTH(c, i)->issuer != 0 &&
		    CONF_OAUTH(c, i)->audience != 0 &&
		    CONF_OAUTH(c, i)->path != 0);
	MUST(conf_text(c, c->hostname)[0] != '\0');
	munmap((void *)(uintptr_t)c, image->size);
}

static void
must_be_printable(const struct conf_errors *errors)
{
	const char *p;
	size_t i;

	MUST(errors->n > 0 && errors->n <= CONF_ERRORS_MAX);
	for (i = 0; i < errors->n; i++) {
		for (p = errors->text[i]; *p != '\0'; p++)
			MUST((unsigned char)*p >= ' ' && *p != 127);
	}
}

/* A file with what was printed, and its name. */
static int
printed_file(const struct buf *text, char path[32])
{
	int fd = fuzz_file((struct slice){ (const char *)buf_data(text),
	    text->len });

	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void
must_come_back(const struct conf_image *image, enum conf_verdict verdict)
{
	struct conf_errors errors = { 0 };
	struct conf_image again;
	struct buf one, two;
	char path[32];
	int fd;

	buf_init(&one, 0);
	buf_init(&two, 0);
	conf_print(image->conf, &one);
	fd = printed_file(&one, path);
	MUST(conf_file_load(path, NULL, 0, &again, &errors) == verdict);
	conf_print(again.conf, &two);
	MUST(one.len == two.len &&
	    memcmp(buf_data(&one), buf_data(&two), one.len) == 0);
	conf_errors_free(&errors);
	conf_image_free(&again);
	buf_free(&one);
	buf_free(&two);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct conf_macro macro = { "given", "example.org" };
	struct conf_errors errors = { 0 };
	struct conf_image image, rest;
	enum conf_verdict verdict;
	char path[32];
	int fd, part;

	/* What it may name is opened: nothing that could wait. */
	if (len > SIZE_MAX_CONF || memmem(in, len, "/dev", 4) != NULL ||
	    memmem(in, len, "/proc", 5) != NULL)
		return 0;
	fd = fuzz_file((struct slice){ (const char *)in, len });
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	verdict = conf_file_load(path, &macro, 1, &image, &errors);
	MUST((verdict == CONF_GOOD) == (errors.n == 0));
	if (verdict != CONF_GOOD)
		must_be_printable(&errors);
	if (verdict != CONF_WRONG) {
		if (image.warnings.n > 0)
			must_be_printable(&image.warnings);
		must_be_mapped(&image, CONF_WHOLE);
		must_come_back(&image, verdict);
		for (part = 0; part < CONF_PARTS; part++) {
			MUST(conf_image_part(&image, (enum conf_part)part,
				 &rest) == 0);
			must_be_mapped(&rest, (enum conf_part)part);
			conf_image_free(&rest);
		}
		conf_image_free(&image);
	} else {
		MUST(image.conf == NULL);
	}
	conf_errors_free(&errors);
	close(fd);
	return 0;
}
