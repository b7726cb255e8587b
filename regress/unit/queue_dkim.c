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

#include "smtpctl_dkim.h"

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

int
main(void)
{
	test_usage();
	test_files();
	test_records();
	return unit_end();
}
