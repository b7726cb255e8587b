/*
 * `smtpctl dkim`: makes a key for DKIM and prints what to publish and to
 * configure.  Run by an operator; asks no process, reads no spool, and never
 * writes over a file.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_dkim.h"

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "slice.h"
#include "smtp_addr.h"
#include "smtpctl_print.h"

enum {
	PEM_MAX = 65536, /* bytes of a key file */
	RSA_BITS = 2048, /* RFC 8301 3.2 */
	RSA_BITS_MAX = 4096,
	STRING_MAX = 255, /* RFC 1035 3.3: one string of a TXT record */
	OWNER_MAX = 253
};

struct dkim_args {
	const char *alg, *file, *domain, *selector;
	bool json;
};

int
smtpctl_dkim_usage(void)
{
	fprintf(stderr,
	    "usage: smtpctl dkim key domain selector [-a rsa|ed25519] [-o file]\n"
	    "       smtpctl dkim show file domain selector\n"
	    "       smtpctl dkim rotate [--dry-run] [--force] [--clean] [--keep time]\n"
	    "           [-a rsa|ed25519] [-r address[:port]] domain directory\n"
	    "       smtpctl dkim sign -d domain -s selector -k file\n"
	    "           [--canon form]\n"
	    "       smtpctl dkim verify [-c conf]\n");
	return EX_USAGE;
}

/* ---- the record ---- */

const char *
dkim_key_public(EVP_PKEY *pkey, char *out, const char **alg)
{
	unsigned char *der = NULL, raw[32];
	size_t raw_len = sizeof(raw);
	int len, bits = EVP_PKEY_get_bits(pkey);

	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*alg = "ed25519";
		if (EVP_PKEY_get_raw_public_key(pkey, raw, &raw_len) != 1)
			return "its public half cannot be had";
		EVP_EncodeBlock((unsigned char *)out, raw, (int)raw_len);
		return NULL;
	}
	if (!EVP_PKEY_is_a(pkey, "RSA"))
		return "neither an RSA nor an Ed25519 key";
	if (bits < RSA_BITS || bits > RSA_BITS_MAX)
		return "an RSA key must have 2048 to 4096 bits";
	*alg = "rsa";
	len = i2d_PUBKEY(pkey, &der);
	if (len <= 0 || ((size_t)len + 2) / 3 * 4 + 1 > DKIM_BASE64_MAX) {
		OPENSSL_free(der);
		return "its public half cannot be had";
	}
	EVP_EncodeBlock((unsigned char *)out, der, len);
	OPENSSL_free(der);
	return NULL;
}

bool
smtpctl_dkim_record(struct evp_pkey_st *pkey, const char *domain,
    const char *selector, struct buf *out)
{
	char b64[DKIM_BASE64_MAX];
	const char *alg, *p, *why;
	size_t n;

	if ((why = dkim_key_public(pkey, b64, &alg)) != NULL) {
		warnx("%s", why);
		return false;
	}
	if (!buf_printf(out, "%s._domainkey.%s. IN TXT ( \"v=DKIM1; k=%s; p=\"",
		selector, domain, alg))
		return false;
	for (p = b64; *p != '\0'; p += n) {
		n = strnlen(p, STRING_MAX);
		if (!buf_printf(out, "\n\t\"%.*s\"", (int)n, p))
			return false;
	}
	return buf_puts(out, " )\n");
}

bool
smtpctl_dkim_json(struct evp_pkey_st *pkey, const char *domain,
    const char *selector, const char *file, struct buf *out)
{
	char b64[DKIM_BASE64_MAX], name[OWNER_MAX + 1], value[sizeof(b64) + 32];
	const char *alg, *why;

	if ((why = dkim_key_public(pkey, b64, &alg)) != NULL) {
		warnx("%s", why);
		return false;
	}
	snprintf(name, sizeof(name), "%s._domainkey.%s", selector, domain);
	snprintf(value, sizeof(value), "v=DKIM1; k=%s; p=%s", alg, b64);
	json_member(out, "{", "name", name);
	json_member(out, ",", "type", "TXT");
	json_member(out, ",", "value", value);
	json_member(out, ",", "domain", domain);
	json_member(out, ",", "selector", selector);
	json_member(out, ",", "file", file);
	return buf_puts(out, "}\n");
}

/* ---- files ---- */

/* Writes all of it to a new file that only its owner may read. */
static int
write_new(const char *path, const void *p, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = -1;

	if (fd == -1) {
		warn("%s", path);
		return EX_CANTCREAT;
	}
	/* Nobody else's umask or default ACL: exactly this mode. */
	if (fchmod(fd, 0600) == 0)
		n = write(fd, p, len);
	if (n == (ssize_t)len && fsync(fd) == 0 && close(fd) == 0)
		return EX_OK;
	warn("%s", path);
	close(fd);
	unlink(path);
	return EX_IOERR;
}

static int
write_key(EVP_PKEY *pkey, const char *path)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long len;
	int status = EX_SOFTWARE;

	if (bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) ==
		1) {
		len = BIO_get_mem_data(bio, &pem);
		status = write_new(path, pem, (size_t)len);
	} else
		warnx("the key cannot be written");
	BIO_free(bio);
	return status;
}

static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

EVP_PKEY *
dkim_key_load(const char *path)
{
	char pem[PEM_MAX];
	EVP_PKEY *pkey = NULL;
	BIO *bio;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1) {
		warn("%s", path);
		return NULL;
	}
	n = read(fd, pem, sizeof(pem));
	if (n == -1)
		warn("%s", path);
	close(fd);
	if (n == -1)
		return NULL;
	bio = BIO_new_mem_buf(pem, (int)n);
	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	OPENSSL_cleanse(pem, (size_t)n);
	if (pkey == NULL)
		warnx("%s: no private key in PEM form without passphrase",
		    path);
	return pkey;
}

/* ---- the verbs ---- */

/* What goes into the zone, the rest as its comments. */
static bool
put_zone(EVP_PKEY *pkey, const struct dkim_args *a, const char *path,
    struct buf *out)
{
	return buf_printf(out,
		   "; private key: %s\n"
		   "; smtpd.conf:  dkim domain %s selector %s key \"%s\"\n",
		   path, a->domain, a->selector, path) &&
	    smtpctl_dkim_record(pkey, a->domain, a->selector, out);
}

static int
print_record(EVP_PKEY *pkey, const struct dkim_args *a, const char *path)
{
	struct buf out;
	int status = EX_DATAERR;
	bool good;

	buf_init(&out, 0);
	if (a->json)
		good =
		    smtpctl_dkim_json(pkey, a->domain, a->selector, path, &out);
	else
		good = put_zone(pkey, a, path, &out);
	if (good) {
		fwrite(buf_data(&out), 1, out.len, stdout);
		status = EX_OK;
		if (fflush(stdout) != 0) {
			warn("standard output");
			status = EX_IOERR;
		}
	}
	buf_free(&out);
	return status;
}

int
dkim_names_check(const char *domain, const char *selector)
{
	const char *why;

	if ((why = smtp_domain_check(slice_of(domain))) != NULL) {
		warnx("domain \"%s\": %s", domain, why);
		return EX_USAGE;
	}
	if ((why = smtp_domain_check(slice_of(selector))) != NULL) {
		warnx("selector \"%s\": %s", selector, why);
		return EX_USAGE;
	}
	if (strlen(selector) + strlen("._domainkey.") + strlen(domain) >
	    OWNER_MAX) {
		warnx("selector and domain are too long for a name in the DNS");
		return EX_USAGE;
	}
	return EX_OK;
}

/* The file as smtpd.conf needs it: from the root. */
static bool
full_path(const char *file, const struct dkim_args *a, char *out, size_t size)
{
	char cwd[PATH_MAX] = "";
	int n;

	if (file == NULL || file[0] != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL) {
			warn("current directory");
			return false;
		}
	}
	if (file == NULL)
		n = snprintf(out, size, "%s/%s.%s.key", cwd, a->domain,
		    a->selector);
	else if (file[0] == '/')
		n = snprintf(out, size, "%s", file);
	else
		n = snprintf(out, size, "%s/%s", cwd, file);
	if (n < 0 || (size_t)n >= size) {
		warnx("the path is too long");
		return false;
	}
	return true;
}

/* NULL: status says what went wrong. */
static EVP_PKEY *
new_key(const char *alg, int *status)
{
	EVP_PKEY *pkey;

	*status = EX_USAGE;
	if (strcmp(alg, "rsa") == 0)
		pkey = EVP_RSA_gen(RSA_BITS);
	else if (strcmp(alg, "ed25519") == 0)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else {
		warnx("algorithm \"%s\": rsa or ed25519", alg);
		return NULL;
	}
	*status = pkey == NULL ? EX_SOFTWARE : EX_OK;
	if (pkey == NULL)
		warnx("OpenSSL could not make a key");
	return pkey;
}

int
dkim_key_make(const char *alg, const char *path)
{
	EVP_PKEY *pkey;
	int status;

	if ((pkey = new_key(alg, &status)) == NULL)
		return status;
	status = write_key(pkey, path);
	EVP_PKEY_free(pkey);
	return status;
}

static int
verb_key(const struct dkim_args *a)
{
	char path[2 * PATH_MAX];
	EVP_PKEY *pkey;
	int status;

	if (!full_path(a->file, a, path, sizeof(path)))
		return EX_USAGE;
	if ((pkey = new_key(a->alg, &status)) == NULL)
		return status;
	status = write_key(pkey, path);
	if (status == EX_OK)
		status = print_record(pkey, a, path);
	EVP_PKEY_free(pkey);
	return status;
}

static int
verb_show(const struct dkim_args *a)
{
	char path[2 * PATH_MAX];
	EVP_PKEY *pkey;
	int status;

	if (!full_path(a->file, a, path, sizeof(path)))
		return EX_USAGE;
	if ((pkey = dkim_key_load(path)) == NULL)
		return EX_NOINPUT;
	status = print_record(pkey, a, path);
	EVP_PKEY_free(pkey);
	return status;
}

int
smtpctl_dkim(int argc, char **argv, bool json)
{
	struct dkim_args a = { .alg = "rsa", .json = json };
	const char *word[3];
	bool key, show;
	int i, status, n = 0;

	if (argc < 2)
		return smtpctl_dkim_usage();
	key = strcmp(argv[1], "key") == 0;
	show = strcmp(argv[1], "show") == 0;
	for (i = 2; i < argc; i++) {
		if (key && strcmp(argv[i], "-a") == 0 && i + 1 < argc)
			a.alg = argv[++i];
		else if (key && strcmp(argv[i], "-o") == 0 && i + 1 < argc)
			a.file = argv[++i];
		else if (argv[i][0] == '-' || n == 3)
			return smtpctl_dkim_usage();
		else
			word[n++] = argv[i];
	}
	if (!(key && n == 2) && !(show && n == 3))
		return smtpctl_dkim_usage();
	a.domain = word[n - 2];
	a.selector = word[n - 1];
	if (show)
		a.file = word[0];
	if ((status = dkim_names_check(a.domain, a.selector)) != EX_OK)
		return status;
	return key ? verb_key(&a) : verb_show(&a);
}
