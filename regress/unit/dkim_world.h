/*
 * The examples of RFC 6376 A and RFC 8463 A, their keys, and a verification of
 * a message against keys that a test makes up.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DKIM_WORLD_H
#define DKIM_WORLD_H

#include "unit.h"

#include "dkim_verify.h"
#include "dns_packet.h"

/* RFC 6376 A.2 (with the white space that the signature was made with) and C.
 */
static const char rfc6376_mail[] =
    "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n"
    "      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
    "      h=Received : From : To : Subject : Date : Message-ID;\r\n"
    "      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    "      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n"
    "      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n"
    "      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n"
    "      4bmp/YzhwvcubU4=;\r\n"
    "Received: from client1.football.example.com  [192.0.2.1]\r\n"
    "      by submitserver.example.com with SUBMISSION;\r\n"
    "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n";

/* RFC 8463 A.3, with the white space of its body. */
static const char rfc8463_mail[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

#define RFC6376_RSA                                                            \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
#define RFC8463_RSA                                                            \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
#define RFC8463_ED25519 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

struct world_key {
	const char *name, *text; /* NULL: the DNS does not say */
};

static const struct world_key world_keys[] = {
	{ "brisbane._domainkey.example.com", "v=DKIM1; p=" RFC6376_RSA },
	{ "brisbane._domainkey.football.example.com",
	    "v=DKIM1; k=ed25519; p=" RFC8463_ED25519 },
	{ "test._domainkey.football.example.com",
	    "v=DKIM1; k=rsa; p=" RFC8463_RSA },
	{ NULL, NULL },
};

static inline struct key_found
world_find(const struct world_key *keys, const char *name)
{
	struct key_found found = { .status = DNS_NXDOMAIN };

	for (; keys->name != NULL; keys++) {
		if (strcmp(keys->name, name) != 0)
			continue;
		found.status = keys->text == NULL ? DNS_LATER : DNS_FOUND;
		found.n = 1;
		found.text = slice_of(keys->text == NULL ? "" : keys->text);
	}
	return found;
}

struct world {
	struct mail_read m;
	struct dkim_verify v;
	int64_t now;
	size_t max;  /* bytes of a header section; 0: 64 K */
	size_t step; /* bytes at once; 0: all */
	unsigned int asked;
};

/* The header is known: signatures are read, keys are asked for. */
static inline void
world_begin(struct world *w, const struct world_key *keys)
{
	char name[HOST_MAX + 1];
	struct key_found found;
	unsigned int i;

	dkim_verify_begin(&w->v, &w->m, w->now);
	for (i = 0; i < w->v.n; i++) {
		if (!dkim_verify_wants(&w->v, i, name))
			continue;
		w->asked++;
		found = world_find(keys, name);
		dkim_verify_key(&w->v, i, &found);
	}
}

/* Verifies all of mail; what was found is in w->v until world_free(). */
static inline void
world_verify(struct world *w, const struct world_key *keys, const void *mail,
    size_t len)
{
	const uint8_t *p = mail;
	size_t step = w->step == 0 ? len : w->step, n, used;
	bool begun = false;

	mail_read_init(&w->m, w->max == 0 ? 65536 : w->max);
	w->asked = 0;
	for (; len > 0; p += n, len -= n) {
		n = step < len ? step : len;
		used = mail_read_header(&w->m, p, n);
		if (w->m.header_done && !begun) {
			begun = true;
			world_begin(w, keys);
		}
		mail_read_body(&w->m, p + used, n - used);
	}
	mail_read_finish_header(&w->m);
	if (!begun)
		world_begin(w, keys);
	mail_read_end(&w->m);
	dkim_verify_finish(&w->v);
}

static inline void
world_free(struct world *w)
{
	dkim_verify_free(&w->v);
	mail_read_free(&w->m);
}

#endif
