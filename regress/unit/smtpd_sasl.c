/*
 * SASL messages: good, bad and cut short; secrets and passwords; the vectors
 * of the RFCs.
 *
 * SPDX-License-Identifier: ISC
 */
#include <crypt.h>

#include "base64.h"
#include "ipc_table.h"
#include "lookup_auth_secret.h"
#include "lookup_sasl.h"
#include "unit.h"

/* With its length, NULs and all. */
#define TEXT(s)                                                                \
	{                                                                      \
		(s), sizeof(s) - 1                                             \
	}

/* A copy before a page that nobody may touch. */
static struct slice
guarded(struct slice s)
{
	return (struct slice){ unit_guard(s.p, s.len), s.len };
}

/* ---- names ---- */

static void
test_names(void)
{
	static const struct slice good[] = { TEXT("alice"),
		TEXT("alice@example.org"), TEXT("j\xc3\xbcrgen"), TEXT("a b"),
		TEXT("\xf0\x9f\x93\xa7") };
	static const struct slice bad[] = { TEXT(""), TEXT("a\nb"),
		TEXT("a\0b"), TEXT("a\x7f"), TEXT("\xff"), TEXT("a\xc3"),
		TEXT("\xed\xa0\x80"), TEXT("\xc0\xaf") };
	char longest[ADDR_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK("a name", sasl_name_check(guarded(good[i])) == NULL);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK("no name", sasl_name_check(guarded(bad[i])) != NULL);
	memset(longest, 'a', sizeof longest);
	CHECK("the longest",
	    sasl_name_check((struct slice){ longest, ADDR_MAX }) == NULL);
	CHECK("too long",
	    sasl_name_check((struct slice){ longest, ADDR_MAX + 1 }) != NULL);
}

/* ---- PLAIN ---- */

/* Columns: message; authzid, authcid, password; NULL: it is none. */
static const struct {
	struct slice message;
	const char *authzid, *authcid, *password;
} plains[] = {
	{ TEXT("\0tim\0tanstaaftanstaaf"), "", "tim", "tanstaaftanstaaf" },
	{ TEXT("Ursel\0Kurt\0xipj3plmq"), "Ursel", "Kurt", "xipj3plmq" },
	{ TEXT("\0a\0\xc3\xa4"), "", "a", "\xc3\xa4" },
	{ TEXT("\0a b\0 "), "", "a b", " " },
	{ TEXT("\0a\0p:=,\t"), "", "a", "p:=,\t" },
	{ TEXT(""), NULL, NULL, NULL },
	{ TEXT("\0"), NULL, NULL, NULL },
	{ TEXT("\0\0"), NULL, NULL, NULL },
	{ TEXT("\0a\0"), NULL, NULL, NULL },
	{ TEXT("\0\0p"), NULL, NULL, NULL },
	{ TEXT("a\0p"), NULL, NULL, NULL },
	{ TEXT("\0a\0p\0"), NULL, NULL, NULL },
	{ TEXT("\0a\0\0p"), NULL, NULL, NULL },
	{ TEXT("\0\xff\0p"), NULL, NULL, NULL },
	{ TEXT("\0a\0\xff"), NULL, NULL, NULL },
	{ TEXT("\xff\0a\0p"), NULL, NULL, NULL },
	{ TEXT("\0a\nb\0p"), NULL, NULL, NULL },
};

static bool
is(struct slice s, const char *text)
{
	return slice_eq(s, slice_of(text));
}

static void
test_plain(void)
{
	struct sasl_plain p;
	char name[32];
	size_t i;

	for (i = 0; i < sizeof plains / sizeof plains[0]; i++) {
		const char *why =
		    sasl_plain_parse(guarded(plains[i].message), &p);

		snprintf(name, sizeof name, "PLAIN %zu", i);
		if (plains[i].authcid == NULL)
			CHECK(name, why != NULL);
		else
			CHECK(name,
			    why == NULL && is(p.authzid, plains[i].authzid) &&
				is(p.authcid, plains[i].authcid) &&
				is(p.password, plains[i].password));
	}
}

/* ---- CRAM-MD5 ---- */

static void
test_cram(void)
{
	static const struct slice bad[] = { TEXT(""), TEXT("tim"), TEXT("tim "),
		TEXT(" b913a602c7eda7a495b4e6e7334d3890"),
		TEXT("tim b913a602c7eda7a495b4e6e7334d389"),
		TEXT("tim B913A602C7EDA7A495B4E6E7334D3890"),
		TEXT("timb913a602c7eda7a495b4e6e7334d3890"),
		TEXT("tim b913a602c7eda7a495b4e6e7334d389g"),
		TEXT("b913a602c7eda7a495b4e6e7334d3890"),
		TEXT("t\0m b913a602c7eda7a495b4e6e7334d3890") };
	struct slice good = TEXT("tim b913a602c7eda7a495b4e6e7334d3890");
	struct slice blank = TEXT("tim tam b913a602c7eda7a495b4e6e7334d3890");
	char digest[CRAM_DIGEST + 1];
	struct sasl_cram c;
	size_t i;

	/* RFC 2195 2 */
	CHECK("the digest of the RFC",
	    sasl_cram_digest("tanstaaftanstaaf",
		SLICE("<1896.697170952@postoffice.reston.mci.net>"), digest) &&
		strcmp(digest, "b913a602c7eda7a495b4e6e7334d3890") == 0);
	CHECK("its message",
	    sasl_cram_parse(guarded(good), &c) == NULL && is(c.user, "tim") &&
		is(c.digest, digest));
	CHECK("a name with a blank",
	    sasl_cram_parse(guarded(blank), &c) == NULL &&
		is(c.user, "tim tam"));
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK("no CRAM-MD5",
		    sasl_cram_parse(guarded(bad[i]), &c) != NULL);
}

/* ---- SCRAM ---- */

#define CLIENT_BARE "n=user,r=rOprNGfwEbeRWgbNEkqO"
#define SERVER_FIRST                                                           \
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define WITHOUT_PROOF                                                          \
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF     "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

/* RFC 7677 3 */
static void
test_scram_vector(void)
{
	static const char message[] =
	    CLIENT_BARE "," SERVER_FIRST "," WITHOUT_PROOF;
	struct scram_secret s = { .iter = 4096 }, again;
	struct scram_first first;
	struct scram_final final;
	uint8_t signature[SCRAM_KEY];
	char text[SCRAM_TEXT_MAX], b64[BASE64_LEN(SCRAM_KEY) + 1];

	CHECK("the client's first",
	    scram_first_parse(guarded(SLICE("n,," CLIENT_BARE)), &first) ==
		    NULL &&
		first.binding == BINDING_NONE && is(first.header, "n,,") &&
		is(first.bare, CLIENT_BARE) &&
		is(first.nonce, "rOprNGfwEbeRWgbNEkqO") &&
		strcmp(first.user, "user") == 0 && first.authzid[0] == '\0');
	CHECK("its last",
	    scram_final_parse(guarded(SLICE(WITHOUT_PROOF ",p=" PROOF)),
		&final) == NULL &&
		is(final.binding, "biws") &&
		is(final.without_proof, WITHOUT_PROOF) &&
		is(final.nonce,
		    "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
	base64_parse(BASE64_PLAIN, SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="), s.salt,
	    sizeof s.salt, &s.n_salt);
	CHECK("keys", scram_derive(&s, "pencil"));
	CHECK("the proof",
	    scram_proof_is_good(&s, message, sizeof message - 1, final.proof,
		signature));
	base64_print(BASE64_PLAIN, signature, sizeof signature, b64);
	CHECK("the signature", strcmp(b64, SIGNATURE) == 0);
	final.proof[5] ^= 1;
	CHECK("a wrong proof",
	    !scram_proof_is_good(&s, message, sizeof message - 1, final.proof,
		signature));
	scram_secret_print(&s, text);
	CHECK("as text and back",
	    scram_secret_parse(text, &again) == NULL &&
		memcmp(&s, &again, sizeof s) == 0);
	CHECK("by PLAIN",
	    secret_check(text, "pencil") == DONE &&
		secret_check(text, "Pencil") == NEVER);
}

/* Columns: a client's first message, its user (NULL: it is none). */
static const struct {
	struct slice message;
	const char *user, *authzid;
} firsts[] = {
	{ TEXT("n,,n=user,r=abc"), "user", "" },
	{ TEXT("y,,n=user,r=abc"), "user", "" },
	{ TEXT("p=tls-exporter,,n=user,r=abc"), "user", "" },
	{ TEXT("n,a=user,n=user,r=abc"), "user", "user" },
	{ TEXT("n,a=b=2Cc,n=user,r=abc"), "user", "b,c" },
	{ TEXT("n,,n=a=2Cb=3Dc,r=abc"), "a,b=c", "" },
	{ TEXT("n,,n=user,r=abc,x=y"), "user", "" },
	{ TEXT("n,,n=I\xc2\xadX,r=abc"), "IX", "" }, /* RFC 4013 3 */
	{ TEXT("n,,n=\xe2\x85\xa8,r=abc"), "IX", "" },
	{ TEXT(""), NULL, NULL },
	{ TEXT("n"), NULL, NULL },
	{ TEXT("n,"), NULL, NULL },
	{ TEXT("n,,"), NULL, NULL },
	{ TEXT("x,,n=user,r=abc"), NULL, NULL },
	{ TEXT("p,,n=user,r=abc"), NULL, NULL },
	{ TEXT("p=,,n=user,r=abc"), NULL, NULL },
	{ TEXT("p=a b,,n=user,r=abc"), NULL, NULL },
	{ TEXT("p=tls-exporter"), NULL, NULL },
	{ TEXT("n,a=user"), NULL, NULL },
	{ TEXT("n,a=,n=user,r=abc"), NULL, NULL },
	{ TEXT("n,b=user,n=user,r=abc"), NULL, NULL },
	{ TEXT("n,,m=ext,n=user,r=abc"), NULL, NULL },
	{ TEXT("n,,r=abc,n=user"), NULL, NULL },
	{ TEXT("n,,n=user"), NULL, NULL },
	{ TEXT("n,,n=user,"), NULL, NULL },
	{ TEXT("n,,n=user,r="), NULL, NULL },
	{ TEXT("n,,n=,r=abc"), NULL, NULL },
	{ TEXT("n,,n=a=2,r=abc"), NULL, NULL },
	{ TEXT("n,,n=a=2c,r=abc"), NULL, NULL },
	{ TEXT("n,,n=a=,r=abc"), NULL, NULL },
	{ TEXT("n,,n=a\nb,r=abc"), NULL, NULL },
	{ TEXT("n,,n=\xff,r=abc"), NULL, NULL },
	{ TEXT("n,,n=\x07,r=abc"), NULL, NULL },
	{ TEXT("n,,n=\xd8\xa7\x31,r=abc"), NULL, NULL }, /* RFC 4013 3 */
	{ TEXT("n,,n=user,r=a c"), NULL, NULL },
	{ TEXT("n,,n=us\0er,r=abc"), NULL, NULL },
	{ TEXT("n,,n=user,r=abc,1=y"), NULL, NULL },
	{ TEXT("n,,n=user,r=abc,x"), NULL, NULL },
	{ TEXT("n,,n=user,r=abc,x="), NULL, NULL },
};

static void
test_scram_first(void)
{
	struct scram_first f;
	char name[32], text[1000];
	size_t i;

	for (i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
		const char *why =
		    scram_first_parse(guarded(firsts[i].message), &f);

		snprintf(name, sizeof name, "SCRAM first %zu", i);
		if (firsts[i].user == NULL)
			CHECK(name, why != NULL);
		else
			CHECK(name,
			    why == NULL &&
				strcmp(f.user, firsts[i].user) == 0 &&
				strcmp(f.authzid, firsts[i].authzid) == 0);
	}
	snprintf(text, sizeof text, "n,,n=u,r=%0200d", 0);
	CHECK("the longest nonce",
	    scram_first_parse(slice_of(text), &f) == NULL);
	snprintf(text, sizeof text, "n,,n=u,r=%0201d", 0);
	CHECK("too long a nonce",
	    scram_first_parse(slice_of(text), &f) != NULL);
}

static void
test_scram_final(void)
{
	static const struct slice bad[] = { TEXT(""), TEXT(","), TEXT("p="),
		TEXT(",p=" PROOF), TEXT("c=biws,r=abc"),
		TEXT("c=biws,p=" PROOF), TEXT("r=abc,c=biws,p=" PROOF),
		TEXT("c=biws,r=abc,p="), TEXT("c=biws,r=abc,p=dHzbZapWIk4="),
		TEXT("c=biws,r=abc,p=" PROOF "="),
		TEXT("c=biws,r=abc,p=" PROOF ",x=y"),
		TEXT("c=biws,r=a\0c,p=" PROOF), TEXT("c=biws,r=,p=" PROOF),
		TEXT("c=biws,r=abc,x,p=" PROOF) };
	struct scram_final f;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK("no last message",
		    scram_final_parse(guarded(bad[i]), &f) != NULL);
	CHECK("with an extension",
	    scram_final_parse(guarded(SLICE("c=biws,r=abc,x=y,p=" PROOF)),
		&f) == NULL &&
		is(f.without_proof, "c=biws,r=abc,x=y"));
}

static void
test_scram_secret(void)
{
	static const char good[] =
	    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
	static const char *const bad[] = {
		"", "SCRAM-SHA-256$",
		"SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$1000001:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7A==:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
	};
	struct scram_secret s;
	size_t i;

	CHECK("a secret", scram_secret_parse(good, &s) == NULL);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK("no secret", scram_secret_parse(bad[i], &s) != NULL);
}

/* ---- OAUTHBEARER, XOAUTH2 ---- */

/* Columns: message, user (NULL: it is none), token. */
struct oauth_row {
	struct slice message;
	const char *user, *token;
};

static const struct oauth_row bearers[] = {
	/* RFC 7628 4.1 */
	{ TEXT("n,a=user@example.com,\001host=server.example.com\001port=143\001auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001"),
	    "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" },
	{ TEXT("n,,\001auth=Bearer abc\001\001"), "", "abc" },
	{ TEXT("y,,\001auth=bearer a.b-c_d~e+f/g==\001\001"), "",
	    "a.b-c_d~e+f/g==" },
	{ TEXT("n,,\001auth=Bearer abc\001user=bob\001\001"), "", "abc" },
	{ TEXT(""), NULL, NULL },
	{ TEXT("n"), NULL, NULL },
	{ TEXT("n,"), NULL, NULL },
	{ TEXT("n,,"), NULL, NULL },
	{ TEXT("n,,\001"), NULL, NULL },
	{ TEXT("n,,\001\001"), NULL, NULL },
	{ TEXT("p=tls-exporter,,\001auth=Bearer abc\001\001"), NULL, NULL },
	{ TEXT("n,b=x,\001auth=Bearer abc\001\001"), NULL, NULL },
	{ TEXT("n,a=,\001auth=Bearer abc\001\001"), NULL, NULL },
	{ TEXT("n,a=x\ny,\001auth=Bearer abc\001\001"), NULL, NULL },
	{ TEXT("n,,\001auth=Bearer abc\001"), NULL, NULL },
	{ TEXT("n,,\001auth=Bearer abc"), NULL, NULL },
	{ TEXT("n,,\001auth=Bearer abc\001\001x"), NULL, NULL },
	{ TEXT("n,,\001auth=Bearer \001\001"), NULL, NULL },
	{ TEXT("n,,\001auth=Basic abc\001\001"), NULL, NULL },
	{ TEXT("n,,\001auth=Bearer a c\001\001"), NULL, NULL },
	{ TEXT("n,,\001auth=Bearer a\0c\001\001"), NULL, NULL },
	{ TEXT("n,,\001auth=Bearer a\001auth=Bearer b\001\001"), NULL, NULL },
	{ TEXT("n,,\001host\001auth=Bearer abc\001\001"), NULL, NULL },
};

static const struct oauth_row xoauths[] = {
	{ TEXT("user=someuser@example.com\001auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\001\001"),
	    "someuser@example.com",
	    "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg" },
	{ TEXT("user=\001auth=Bearer abc\001\001"), "", "abc" },
	{ TEXT("auth=Bearer abc\001\001"), "", "abc" },
	{ TEXT(""), NULL, NULL },
	{ TEXT("\001"), NULL, NULL },
	{ TEXT("user=a\001\001"), NULL, NULL },
	{ TEXT("user=a\001user=b\001auth=Bearer abc\001\001"), NULL, NULL },
	{ TEXT("user=a\tb\001auth=Bearer abc\001\001"), NULL, NULL },
	{ TEXT("user=a\001auth=Bearer abc\001"), NULL, NULL },
	{ TEXT("user=a\001auth=Bearer abc"), NULL, NULL },
};

static void
oauth_rows(const char *what, const struct oauth_row *rows, size_t n,
    const char *(*parse)(struct slice message, struct sasl_oauth *out))
{
	struct sasl_oauth o;
	char name[32];
	size_t i;

	for (i = 0; i < n; i++) {
		const char *why = parse(guarded(rows[i].message), &o);

		snprintf(name, sizeof name, "%s %zu", what, i);
		if (rows[i].user == NULL)
			CHECK(name, why != NULL);
		else
			CHECK(name,
			    why == NULL && strcmp(o.user, rows[i].user) == 0 &&
				is(o.token, rows[i].token));
	}
}

/* ---- secrets ---- */

/* Columns: text, kind, weak. */
static const struct {
	const char *text;
	enum secret_kind kind;
	bool weak;
} secrets[] = {
	{ "$y$j9T$W6xn47J8x8cL/Nj/uZ54L0$TX7E5tsNYCNyOu28i9K5/525QBdyfBN9AiXaNNcnVA6",
	    SECRET_CRYPT, false },
	{ "$2b$05$QYw5cpv5rim9nVt5zYAHX./JxXVgc9P2/skg1OP4t3aRgSSntH6IW",
	    SECRET_CRYPT, false },
	{ "{BLF-CRYPT}$2b$05$QYw5cpv5rim9nVt5zYAHX./JxXVgc9P2/skg1OP4t3aRgSSntH6IW",
	    SECRET_CRYPT, false },
	{ "$1$salt$qJH7.N4xYta3aEG/dfqo/0", SECRET_CRYPT, true },
	{ "ab1Y.5I1.X8Jo", SECRET_CRYPT, true },
	{ "*", SECRET_LOCKED, false },
	{ "!", SECRET_LOCKED, false },
	{ "!$y$j9T$W6xn47J8x8cL/Nj/uZ54L0$TX7E5tsNYCNyOu28i9K5/525QBdyfBN9AiXaNNcnVA6",
	    SECRET_LOCKED, false },
	{ "{CRYPT}*", SECRET_LOCKED, false },
	{ "{PLAIN}secret", SECRET_PLAIN, false },
	{ "{plain}secret", SECRET_PLAIN, false },
	{ "{PLAIN}", SECRET_BAD, false },
	{ "", SECRET_BAD, false },
	{ "x", SECRET_BAD, false },
	{ "secret", SECRET_BAD, false },
	{ "{SSHA}abc", SECRET_BAD, false },
	{ "SCRAM-SHA-256$4096:x", SECRET_BAD, false },
	{ "$nothing$", SECRET_BAD, false },
};

static void
test_secrets(void)
{
	char name[32], text[SECRET_MAX + 8] = "{PLAIN}";
	size_t i;

	for (i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		snprintf(name, sizeof name, "secret %zu", i);
		CHECK(name,
		    secret_kind(secrets[i].text) == secrets[i].kind &&
			secret_is_weak(secrets[i].text) == secrets[i].weak);
	}
	memset(text + 7, 'a', SECRET_MAX - 6);
	CHECK("too long", secret_kind(text) == SECRET_BAD);
}

/* Columns: key, a table's answer, the secret in it. */
static const struct {
	const char *key, *value, *secret;
} values[] = {
	{ "alice", "alice:{PLAIN}a", "{PLAIN}a" },
	{ "Alice", "alice:{PLAIN}a:b", "{PLAIN}a:b" },
	{ "alice", "{PLAIN}a:b", "{PLAIN}a:b" },
	{ "alice", "bob:{PLAIN}a:b", "{PLAIN}a:b" },
	{ "a:b", "a:b:*", "*" },
	{ "alice", "", "" },
	{ "alice", "alice:", "" },
};

static void
test_values(void)
{
	size_t i;

	for (i = 0; i < sizeof values / sizeof values[0]; i++)
		CHECK("a secret of a value",
		    strcmp(secret_of(values[i].key, values[i].value),
			values[i].secret) == 0);
}

static void
test_check(void)
{
	static const char *const methods[] = { "$y$", "$2b$", "$6$", "$5$",
		"$1$", "" };
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE];
	static struct crypt_data data;
	char longest[600];
	size_t i;

	for (i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		crypt_gensalt_rn(methods[i], i == 1 ? 4 : 0, NULL, 0, setting,
		    sizeof setting);
		snprintf(hash, sizeof hash, "%s",
		    crypt_r("secret", setting, &data));
		CHECK(methods[i],
		    secret_check(hash, "secret") == DONE &&
			secret_check(hash, "secres") == NEVER &&
			secret_check(hash, "") == NEVER);
		hash[strlen(hash) - 1] = '\0';
		CHECK("cut short", secret_check(hash, "secret") != DONE);
	}
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	CHECK("longer than any",
	    secret_check(secrets[0].text, longest) == NEVER);
	CHECK("locked",
	    secret_check("*", "*") == NEVER && secret_check("!", "") == NEVER);
	CHECK("unknown", secret_check("x", "x") == LATER);
	CHECK("plain",
	    secret_check("{PLAIN}secret", "secret") == DONE &&
		secret_check("{PLAIN}secret", "secre") == NEVER &&
		secret_check("{PLAIN}secret", "secrets") == NEVER);
	CHECK("plain, prepared",
	    secret_check("{PLAIN}\xe2\x85\xa8", "IX") == DONE);
}

static void
test_mechs(void)
{
	static const char scram[] =
	    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
	uint32_t password = 1u << SASL_PLAIN | 1u << SASL_LOGIN;
	uint32_t with_scram =
	    password | 1u << SASL_SCRAM | 1u << SASL_SCRAM_PLUS;
	struct secrets all = { 0 };

	CHECK("of an empty table", secrets_mechs(&all) == password);
	secrets_note(&all, "{PLAIN}a");
	CHECK("of passwords",
	    secrets_mechs(&all) == (with_scram | 1u << SASL_CRAM_MD5) &&
		strcmp(all.sample, "{PLAIN}a") == 0);
	secrets_note(&all, "*");
	secrets_note(&all, "nonsense");
	CHECK("locked ones change nothing",
	    secrets_mechs(&all) == (with_scram | 1u << SASL_CRAM_MD5));
	secrets_note(&all, scram);
	CHECK("and SCRAM",
	    secrets_mechs(&all) == with_scram &&
		strcmp(all.sample, scram) == 0 && !all.weak);
	secrets_note(&all, "$1$salt$qJH7.N4xYta3aEG/dfqo/0");
	CHECK("and a hash",
	    secrets_mechs(&all) == password && all.weak &&
		strncmp(all.sample, "$1$", 3) == 0);
	secrets_note(&all, scram);
	CHECK("the slowest stays", strncmp(all.sample, "$1$", 3) == 0);
}

int
main(void)
{
	test_names();
	test_plain();
	test_cram();
	test_scram_vector();
	test_scram_first();
	test_scram_final();
	test_scram_secret();
	oauth_rows("OAUTHBEARER", bearers, sizeof bearers / sizeof bearers[0],
	    sasl_oauth_parse);
	oauth_rows("XOAUTH2", xoauths, sizeof xoauths / sizeof xoauths[0],
	    sasl_xoauth2_parse);
	test_secrets();
	test_values();
	test_check();
	test_mechs();
	return unit_end();
}
