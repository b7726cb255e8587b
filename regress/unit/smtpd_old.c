/*
 * Rules of the grammar before OpenSMTPD 6.4, and what they are in the new one.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_lex.h"
#include "conf_old.h"
#include "unit.h"

enum { WORDS = 64 };

static char dir[] = "/tmp/postern-old-XXXXXX";

static void
put(const char *text)
{
	FILE *f = fopen("rule", "we");

	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		abort();
}

/* Columns: old, new (NULL: it is no whole rule). */
static const struct {
	const char *old, *new;
} rules[] = {
	{ "accept for local alias <aliases> deliver to mbox",
	    "action \"local\" mbox alias <aliases>\n"
	    "match from local for local action \"local\"\n" },
	{ "accept from any for domain \"example.org\" alias <aliases> deliver to maildir",
	    "action \"local\" maildir alias <aliases>\n"
	    "match from any for domain example.org action \"local\"\n" },
	{ "accept from local for any relay",
	    "action \"relay\" relay\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept for any relay via smtps+auth://me@mail.example.org auth <secrets> as info@example.org",
	    "action \"relay\" relay host smtps://me@mail.example.org auth <secrets> mail-from info@example.org\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept for any relay via secure+auth://me@mail.example.org:587 auth <secrets>",
	    "action \"relay\" relay host smtp+tls://me@mail.example.org:587 auth <secrets>\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept for any relay via secure://mail.example.org:465",
	    "action \"relay\" relay host smtps://mail.example.org:465\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept for any relay via mail.example.org",
	    "action \"relay\" relay host smtp://mail.example.org\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept for any relay via \"tls+auth://l@[2001:db8::1]:587\" auth <a> verify",
	    "action \"relay\" relay host smtp+tls://l@[2001:db8::1]:587 auth <a>\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept tagged DKIM for any relay source <sources> hostnames <helonames> pki mx.example.org",
	    "action \"relay\" relay src <sources> helo-src <helonames> pki mx.example.org\n"
	    "match from local for any tag DKIM action \"relay\"\n" },
	{ "accept tagged DKIM for any relay source 203.0.113.5 hostname mx.example.org",
	    "action \"relay\" relay src 203.0.113.5 helo mx.example.org\n"
	    "match from local for any tag DKIM action \"relay\"\n" },
	{ "accept from any for domain <bdomains> relay backup mx1.example.org",
	    "action \"relay\" relay backup mx mx1.example.org\n"
	    "match from any for domain <bdomains> action \"relay\"\n" },
	{ "accept from any for domain <bdomains> relay backup hostname mx.example.org",
	    "action \"relay\" relay backup helo mx.example.org\n"
	    "match from any for domain <bdomains> action \"relay\"\n" },
	{ "accept for any relay backup",
	    "action \"relay\" relay backup\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept for any relay tls",
	    "action \"relay\" relay tls no-verify\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept for any relay tls verify expire 4d",
	    "action \"relay\" relay tls ttl 4d\n"
	    "match from local for any action \"relay\"\n" },
	{ "accept from source <allowed> for any relay",
	    "action \"relay\" relay\n"
	    "match from src <allowed> for any action \"relay\"\n" },
	{ "accept from source { 192.0.2.0/24, 2001:db8::/32 } for any relay",
	    "action \"relay\" relay\n"
	    "match from src { 192.0.2.0/24, 2001:db8::/32 } for any action \"relay\"\n" },
	{ "accept from 192.0.2.0/24 for all relay",
	    "action \"relay\" relay\n"
	    "match from src 192.0.2.0/24 for any action \"relay\"\n" },
	{ "accept from any for domain <vd> virtual <vu> deliver to lmtp \"/run/dovecot/lmtp\" rcpt-to",
	    "action \"local\" lmtp \"/run/dovecot/lmtp\" rcpt-to virtual <vu>\n"
	    "match from any for domain <vd> action \"local\"\n" },
	{ "accept for local virtual <v> userbase <u> deliver to lmtp localhost:24 as vmail",
	    "action \"local\" lmtp localhost:24 virtual <v> userbase <u> user vmail\n"
	    "match from local for local action \"local\"\n" },
	{ "accept for local virtual { \"@\" = root } deliver to maildir \"~/mail\"",
	    "action \"local\" maildir \"~/mail\" virtual { \"@\" = root }\n"
	    "match from local for local action \"local\"\n" },
	{ "accept for any deliver to mda \"/usr/bin/lda -f %{sender}\" as vmail",
	    "action \"local\" mda \"/usr/bin/lda -f %{sender}\" user vmail\n"
	    "match from local for any action \"local\"\n" },
	{ "accept for any deliver to mda program %{rcpt.user}",
	    "action \"local\" mda \"program %{rcpt.user}\"\n"
	    "match from local for any action \"local\"\n" },
	{ "accept for local alias aliases deliver to mbox",
	    "action \"local\" mbox alias <aliases>\n"
	    "match from local for local action \"local\"\n" },
	{ "accept sender \"@example.org\" for any forward-only",
	    "action \"forward\" forward-only\n"
	    "match from local for any mail-from \"@example.org\" action \"forward\"\n" },
	{ "accept from local sender ! <ours> for ! local relay via smtp://127.0.0.1:10027",
	    "action \"relay\" relay host smtp://127.0.0.1:10027\n"
	    "match from local !for local !mail-from <ours> action \"relay\"\n" },
	{ "accept authenticated recipient { a@example.org b@example.org } for any relay",
	    "action \"relay\" relay\n"
	    "match from local for any auth rcpt-to { a@example.org b@example.org } action \"relay\"\n" },
	{ "reject from any sender <bad> for domain <domains>",
	    "match from any for domain <domains> mail-from <bad> reject\n" },
	{ "reject tagged MTA from ! source <ok> sender <s> for any",
	    "match !from src <ok> for any tag MTA mail-from <s> reject\n" },
	{ "reject for any", "match from local for any reject\n" },
	/* what the old grammar did not take either, or what is cut short */
	{ "accept", NULL },
	{ "reject", NULL },
	{ "accept for any", NULL },
	{ "accept relay", NULL },
	{ "accept from", NULL },
	{ "accept from any for", NULL },
	{ "accept from any from local for any relay", NULL },
	{ "accept from any for domain relay", NULL },
	{ "accept for domain { a, b", NULL },
	{ "accept for domain { a b } relay via", NULL },
	{ "accept for domain < relay", NULL },
	{ "accept for domain <d relay", NULL },
	{ "accept for any deliver", NULL },
	{ "accept for any deliver to", NULL },
	{ "accept for any deliver to nowhere", NULL },
	{ "accept for any deliver to mda", NULL },
	{ "accept for any deliver to lmtp", NULL },
	{ "accept for any deliver to mbox mbox", NULL },
	{ "accept for any relay via gopher://example.org", NULL },
	{ "accept for any relay auth", NULL },
	{ "accept for any relay auth <", NULL },
	{ "accept for any relay as", NULL },
	{ "accept for any relay via example.org nonsense", NULL },
	{ "reject for any relay", NULL },
	{ "match from any for any reject", NULL },
	{ "!", NULL },
};

int
main(void)
{
	struct conf_old_word words[WORDS + CONF_OLD_WORDS_MAX];
	struct conf_errors errors = { 0 };
	static struct conf_lex lex;
	struct buf out;
	size_t i, n;
	bool good;

	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		abort();
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		put(rules[i].old);
		conf_lex_init(&lex, &errors);
		if (!conf_lex_open(&lex, "rule", NULL, 0))
			abort();
		for (n = 0; n < WORDS; n++) {
			conf_lex_next(&lex);
			if (lex.tok == TOK_EOL || lex.tok == TOK_EOF)
				break;
			words[n].tok = lex.tok;
			words[n].text = strdup(lex.text);
		}
		buf_init(&out, 0);
		buf_puts(&out, ".");
		good = conf_old_rule(words, n, &out);
		buf_add(&out, "", 1);
		if (rules[i].new == NULL)
			CHECK(rules[i].old,
			    !good && strcmp((char *)out.mem, ".") == 0);
		else
			CHECK(rules[i].old,
			    good &&
				strcmp((char *)out.mem + 1, rules[i].new) == 0);
		if (unit_failed > 0 && rules[i].new != NULL)
			fprintf(stderr, "%s\n", (char *)out.mem);
		buf_free(&out);
		while (n > 0)
			free((void *)(uintptr_t)words[--n].text);
		conf_lex_free(&lex);
		conf_errors_free(&errors);
	}

	/* More than anybody wrote. */
	for (i = 0; i <= CONF_OLD_WORDS_MAX; i++)
		words[i] =
		    (struct conf_old_word){ TOK_WORD, i == 0 ? "accept" : "x" };
	buf_init(&out, 0);
	CHECK("too many words",
	    !conf_old_rule(words, CONF_OLD_WORDS_MAX + 1, &out));
	CHECK("no words", !conf_old_rule(words, 0, &out) && out.len == 0);

	unlink("rule");
	if (chdir("/") == -1 || rmdir(dir) == -1)
		abort();
	return unit_end();
}
