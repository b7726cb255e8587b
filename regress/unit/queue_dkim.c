/*
 * queue/smtpctl_dkim.c: the key file and the record.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <stdbool.h>
#include <sysexits.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "slice.h"
#include "smtpctl_dkim.h"
#include "smtpctl_dkim_dns.h"
#include "smtpctl_dkim_folder.h"
#include "unit_dir.h"

enum { ARGS_MAX = 9 };

/* Quiet: what it prints is looked at by way of smtpctl_dkim_record(). */
static int
run(const char *const *args)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY), status, argc = 0;
	char *argv[ARGS_MAX];

	while (args[argc] != NULL && argc < ARGS_MAX) {
		argv[argc] = strdup(args[argc]);
		argc++;
	}
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	status = smtpctl_dkim(argc, argv, false);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	close(null);
	while (argc > 0)
		free(argv[--argc]);
	return status;
}

static void
test_usage(void)
{
	static const char *const cases[][ARGS_MAX] = {
		{ "dkim", NULL },
		{ "dkim", "key", NULL },
		{ "dkim", "key", "example.org", NULL },
		{ "dkim", "key", "example.org", "s", "more", NULL },
		{ "dkim", "key", "example.org", "s", "-a", NULL },
		{ "dkim", "key", "example.org", "s", "-a", "dsa", "-o",
		    "/nonexistent/x", NULL },
		{ "dkim", "key", "example.org", "s", "-x", NULL },
		{ "dkim", "key", "exam ple.org", "s", NULL },
		{ "dkim", "key", "example.org", "s_1", NULL },
		{ "dkim", "show", "/nonexistent/x", "example.org", NULL },
		{ "dkim", "sign", "example.org", "s", NULL },
	};
	size_t i;
	char name[64];

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(name, sizeof(name), "usage: row %zu", i);
		CHECK(name, run(cases[i]) == EX_USAGE);
	}
}

static void
test_files(void)
{
	char dir[] = "/tmp/unit-dkim-XXXXXX", file[64], other[64];
	const char *make[] = { "dkim", "key", "example.org", "s1", "-o", file,
		NULL, NULL, NULL };
	const char *show[] = { "dkim", "show", file, "example.org", "s1",
		NULL };
	const char *missing[] = { "dkim", "show", other, "example.org", "s1",
		NULL };
	struct stat before, after;

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(file, sizeof(file), "%s/a.key", dir);
	snprintf(other, sizeof(other), "%s/b.key", dir);
	umask(0);
	CHECK("file: made", run(make) == EX_OK);
	CHECK("file: only its owner reads it",
	    stat(file, &before) == 0 && (before.st_mode & 07777) == 0600);
	CHECK("file: never written over", run(make) == EX_CANTCREAT);
	CHECK("file: still the same",
	    stat(file, &after) == 0 && before.st_size == after.st_size &&
		before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	CHECK("show", run(show) == EX_OK);
	CHECK("show: no such file", run(missing) == EX_NOINPUT);
	unlink(file);
	make[6] = "-a";
	make[7] = "ed25519";
	CHECK("file: Ed25519", run(make) == EX_OK && run(show) == EX_OK);
	if (truncate(file, 40) == -1)
		abort();
	CHECK("show: damaged", run(show) == EX_NOINPUT);
	unlink(file);
	rmdir(dir);
}

/* The quoted strings of a record, joined. */
static bool
join(const struct buf *record, char *out, size_t size)
{
	const char *p = (const char *)buf_data(record), *end = p + record->len;
	size_t n = 0, len = 0;
	bool in = false;

	for (; p < end; p++) {
		if (*p == '"') {
			if (in && len > 255)
				return false;
			in = !in;
			len = 0;
		} else if (in && n + 1 < size) {
			out[n++] = *p;
			len++;
		}
	}
	out[n] = '\0';
	return !in;
}

static void
test_records(void)
{
	static const char ed[] =
	    "s1._domainkey.example.org. IN TXT ( \"v=DKIM1; k=ed25519; p=\"\n\t\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\" )\n";
	static const uint8_t secret[32] = { 0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd,
		0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
		0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b,
		0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60 };
	static const char json[] =
	    "{\"name\":\"s1._domainkey.example.org\",\"type\":\"TXT\",\"value\":\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\",\"domain\":\"example.org\",\"selector\":\"s1\",\"file\":\"/a \\\"b\"}\n";
	static const int bits[] = { 2048, 4096 };
	char text[2048];
	uint8_t der[1024];
	const uint8_t *p = der;
	EVP_PKEY *pkey, *again;
	struct buf b;
	size_t i;
	int n;

	/* RFC 8463 A.2 */
	buf_init(&b, 0);
	pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32);
	CHECK("record: RFC 8463",
	    smtpctl_dkim_record(pkey, "example.org", "s1", &b) &&
		b.len == strlen(ed) && memcmp(buf_data(&b), ed, b.len) == 0);
	buf_free(&b);
	CHECK("record: as JSON",
	    smtpctl_dkim_json(pkey, "example.org", "s1", "/a \"b", &b) &&
		b.len == strlen(json) &&
		memcmp(buf_data(&b), json, b.len) == 0);
	EVP_PKEY_free(pkey);
	buf_free(&b);

	for (i = 0; i < 2; i++) {
		pkey = EVP_RSA_gen((unsigned int)bits[i]);
		CHECK("record: RSA",
		    smtpctl_dkim_record(pkey, "example.org", "s1", &b) &&
			join(&b, text, sizeof(text)) &&
			strncmp(text, "v=DKIM1; k=rsa; p=", 18) == 0);
		n = EVP_DecodeBlock(der, (const uint8_t *)text + 18,
		    (int)strlen(text + 18));
		p = der;
		again = n <= 0 ? NULL : d2i_PUBKEY(NULL, &p, n);
		CHECK("record: the same key",
		    again != NULL && EVP_PKEY_eq(pkey, again) == 1);
		EVP_PKEY_free(again);
		EVP_PKEY_free(pkey);
		buf_free(&b);
	}
	pkey = EVP_RSA_gen(1024);
	CHECK("record: weak", !smtpctl_dkim_record(pkey, "x", "s", &b));
	EVP_PKEY_free(pkey);
	buf_free(&b);
}

/* RFC 6376 3.6.1 */
static void
test_published(void)
{
	/* Columns: record, algorithm, why not (NULL: it is that of the key). */
	static const struct {
		const char *text, *alg, *why;
	} rows[] = {
		{ "v=DKIM1; k=rsa; p=AbC=", "rsa", NULL },
		{ "v=DKIM1; k=ed25519; p=AbC=", "ed25519", NULL },
		{ "p=AbC=", "rsa", NULL },
		{ "v=DKIM1;p=Ab C=;", "rsa", NULL },
		{ " v = DKIM1 ; k = rsa ; t = s ; p = A\tb C = ", "rsa", NULL },
		{ "v=DKIM1; h=sha256; s=email; p=AbC=; n=note; x=1", "rsa",
		    NULL },
		{ "v=DKIM1; p=AbC", "rsa", "it has another key" },
		{ "v=DKIM1; p=AbC==", "rsa", "it has another key" },
		{ "v=DKIM1; p=abc=", "rsa", "it has another key" },
		{ "v=DKIM1; p=AbC=; p=xxxx", "rsa", "it is no record of DKIM" },
		{ "v=DKIM1; p=", "rsa", "it revokes the key" },
		{ "v=DKIM1; p", "rsa", "it is no record of DKIM" },
		{ "v=DKIM1", "rsa", "it has no key" },
		{ "", "rsa", "it is no record of DKIM" },
		{ ";;;=;", "rsa", "it is no record of DKIM" },
		{ "v=spf1 -all", "rsa", "it is no record of DKIM" },
		{ "v=DKIM2; p=AbC=", "rsa", "it is no record of DKIM" },
		{ "p=AbC=", "ed25519", "its key has another algorithm" },
		{ "k=ed25519; p=AbC=", "rsa", "its key has another algorithm" },
	};
	const char *why;
	size_t i, len;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		len = strlen(rows[i].text);
		why = dkim_record_check((struct slice){ unit_guard(rows[i].text,
							    len),
					    len },
		    rows[i].alg, "AbC=");
		CHECK(rows[i].text,
		    rows[i].why == NULL ?
			why == NULL :
			why != NULL && strcmp(why, rows[i].why) == 0);
	}
}

static void
test_servers(void)
{
	/* Columns: as with -r, whether it is one. */
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "127.0.0.1", true },
		{ "127.0.0.1:5353", true },
		{ "::1", true },
		{ "[::1]", true },
		{ "[2001:db8::1]:5353", true },
		{ "", false },
		{ "127.0.0.1:", false },
		{ "127.0.0.1:0", false },
		{ "127.0.0.1:65536", false },
		{ "localhost", false },
		{ "[::1]:x", false },
		{ "[", false },
	};
	int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	struct dkim_dns *d;
	bool good[sizeof rows / sizeof rows[0]];
	size_t i;

	dup2(null, STDERR_FILENO);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		d = dkim_dns_open(rows[i].text);
		good[i] = d != NULL;
		dkim_dns_close(&d);
	}
	dup2(err, STDERR_FILENO);
	close(err);
	close(null);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK(rows[i].text[0] == '\0' ? "no server" : rows[i].text,
		    good[i] == rows[i].good);
}

/* The date, a letter, and a number where that is taken. */
static void
test_folder(void)
{
	static struct dkim_folder f;
	char dir[] = "/tmp/unit-dkim-XXXXXX";
	const int64_t day = 1763718151; /* 2025-11-21 */

	if (mkdtemp(dir) == NULL)
		abort();
	CHECK("folder: empty",
	    dkim_folder_open(&f, dir) == EX_OK && f.n == 0 &&
		!dkim_folder_has(&f, DKIM_KEY, NULL) &&
		!dkim_folder_unfinished(&f));
	CHECK("folder: made",
	    dkim_folder_make(&f, "ed25519", day) == EX_OK &&
		dkim_folder_make(&f, "ed25519", day) == EX_OK &&
		strcmp(f.file[0].selector, "20251121e") == 0 &&
		strcmp(f.file[1].selector, "20251121e2") == 0);
	CHECK("folder: the newest signs, the other is retired",
	    dkim_folder_activate(&f) == EX_OK && f.file[0].state == DKIM_OLD &&
		f.file[1].state == DKIM_KEY && !dkim_folder_unfinished(&f));
	CHECK("folder: one at a time",
	    dkim_folder_open(&(struct dkim_folder){ 0 }, dir) == EX_TEMPFAIL);
	dkim_folder_close(&f);
	CHECK("folder: found again",
	    dkim_folder_open(&f, dir) == EX_OK && f.n == 2 &&
		dkim_folder_has(&f, DKIM_OLD, "ed25519") &&
		!dkim_folder_has(&f, DKIM_OLD, "rsa") &&
		dkim_folder_make(&f, "ed25519", day) == EX_OK &&
		strcmp(f.file[2].selector, "20251121e3") == 0);
	CHECK("folder: removed",
	    dkim_folder_remove(&f, &f.file[0]) == EX_OK &&
		!dkim_folder_has(&f, DKIM_OLD, NULL));
	dkim_folder_close(&f);
	unit_remove(dir);
}

int
main(void)
{
	test_usage();
	test_files();
	test_records();
	test_published();
	test_servers();
	test_folder();
	return unit_end();
}
