/*
 * smtpd.conf: the image of a file, and its parts, without what only other
 * processes need.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/mman.h>

#include <errno.h>

#include "conf_unit.h"

static const char text[] =
    "srs key srs-secret-0\nsrs key srs-secret-1\n"
    "srs key backup srs-secret-2\nsrs key srs-secret-1\n"
    "queue encryption 0123456789abcdef-queue-secret-0x\n"
    "queue encryption 0123456789abcdef-queue-secret-32\n"
    "table s { alice = wonderland, bob => builder }\n"
    "table f /etc/passwd\n"
    "table p \"proc:/bin/true --password hunter2\"\n"
    "table d { secret.example }\n"
    "token k command \"/bin/true --pass swordfish\" user nobody\n"
    "token l file /etc/token-of-l\n"
    "action r relay host l@smtp.example auth <s>\n"
    "action q relay host l@b.example auth { l = \"u:inline-secret\" }\n"
    "match for domain <d> reject\n"
    "match for domain Inline.EXAMPLE reject\n"
    "match from mail-from B\xc3\xbcro@b\303\274cher.example action r\n"
    "retry domain retried.example 5m\n"
    "dkim domain a.b selector s key $key\n"
    "dnsbl zen.example answer 127.0.0.3\n"
    "listen on 127.0.0.1 port 26 submission { 192.0.2.77/32 }\n"
    "limit except 192.0.2.78\ngreylist except { 192.0.2.79 }\n";

/* In the image at all, also where nothing points. */
static int
has(const struct conf *c, const char *piece)
{
	return memmem(c, c->size, piece, strlen(piece)) != NULL;
}

/* What others than lookup must not see. */
static const char *const secrets[] = { "srs-secret", "queue-secret",
	"wonderland", "bob", "builder", "inline-secret", "secret.example",
	"inline.example", "Inline.EXAMPLE", "b\303\274cher",
	"xn--bcher-kva.example", "192.0.2.7" };

/* ... and what else only the parent and spawn see. */
static const char *const sources[] = { "/etc/passwd", "hunter2", "swordfish",
	"token-of-l" };

/* How many of n pieces it has. */
static size_t
count(const struct conf *c, const char *const *pieces, size_t n)
{
	size_t i, found = 0;

	for (i = 0; i < n; i++) {
		if (!has(c, pieces[i]))
			continue;
		fprintf(stderr, "found %s\n", pieces[i]);
		found++;
	}
	return found;
}

static void
test_parts(const struct conf_image *image)
{
	/* Columns: how many of secrets and sources each part has: two are
	 * looked up in another form. */
	static const struct {
		const char *name;
		size_t secrets, sources;
	} parts[CONF_PARTS] = {
		[CONF_BARE] = { "bare", 0, 0 },
		[CONF_SOURCES] = { "sources", 0, N(sources) },
		[CONF_WHOLE] = { "whole", N(secrets) - 2, N(sources) },
	};
	struct conf_image part;
	const struct conf *c;
	size_t i;

	for (i = 0; i < CONF_PARTS; i++) {
		CHECK(parts[i].name,
		    conf_image_part(image, (enum conf_part)i, &part) == 0);
		CHECK(parts[i].name,
		    count(part.conf, secrets, N(secrets)) == parts[i].secrets);
		CHECK(parts[i].name,
		    count(part.conf, sources, N(sources)) == parts[i].sources);
		CHECK("what was said anew is in none",
		    !has(part.conf, "srs-secret-0") &&
			!has(part.conf, "queue-secret-0"));
		c = conf_map(conf_seal(part.conf, part.size));
		CHECK("each part can be mapped", c != NULL);
		munmap((void *)(uintptr_t)c, part.size);
		conf_image_free(&part);
	}
}

static void
test_bare(const struct conf_image *image)
{
	struct conf_image bare;
	const struct conf *c;

	CHECK("bare", conf_image_part(image, CONF_BARE, &bare) == 0);
	c = bare.conf;
	CHECK("bare has its tables, empty",
	    c->table.n == image->conf->table.n &&
		CONF_TABLE(c, 0)->entries.n == 0 &&
		strcmp(conf_text(c, CONF_TABLE(c, 0)->name), "s") == 0);
	CHECK("bare has its key files",
	    strcmp(conf_text(c, CONF_DKIM(c, 0)->path), key_path) == 0);
	CHECK("bare has the domains of retry",
	    strcmp(conf_text(c,
		       CONF_ENTRY(c, CONF_RETRY(c, 1)->domain, 0)->key),
		"retried.example") == 0);
	CHECK("bare has the lists and their answers",
	    strcmp(conf_text(c, CONF_DNSLIST(c, 0)->domain), "zen.example") ==
		    0 &&
		strcmp(conf_text(c,
			   CONF_ENTRY(c, CONF_DNSLIST(c, 0)->answer, 0)->key),
		    "127.0.0.3") == 0);
	CHECK("bare has the names of tokens",
	    strcmp(conf_text(c, CONF_TOKEN(c, 1)->name), "l") == 0);
	conf_image_free(&bare);
}

static void
test_image(void)
{
	struct conf_errors errors;
	struct conf_image image;
	const struct conf *c;
	int fd;

	CHECK("image",
	    load(text, sizeof(text) - 1, &image, &errors) == CONF_NOT_YET_HERE);
	if (image.conf == NULL) {
		fprintf(stderr, "%s\n", errors.text[0]);
		return;
	}
	CHECK("hostname is known",
	    conf_text(image.conf, image.conf->hostname)[0]);
	CHECK("local addresses", image.conf->local_addr.n > 0);
	CHECK("whole has tables", has(image.conf, "wonderland"));
	CHECK("whole has secrets",
	    has(image.conf, "srs-secret-2") && has(image.conf, "queue-secret"));
	CHECK("whole has what is looked up",
	    has(image.conf, "inline.example") &&
		has(image.conf, "xn--bcher-kva.example"));
	test_parts(&image);
	test_bare(&image);
	fd = conf_seal(image.conf, image.size);
	CHECK("sealed", fd != -1 && write(fd, "x", 1) == -1 && errno == EPERM);
	CHECK("cannot shrink", ftruncate(fd, 0) == -1 && errno == EPERM);
	c = conf_map(fd);
	CHECK("mapped", c != NULL && memcmp(c, image.conf, image.size) == 0);
	CHECK("fd was taken over", fcntl(fd, F_GETFD) == -1);
	munmap((void *)(uintptr_t)c, image.size);
	conf_image_free(&image);
	conf_errors_free(&errors);
}

int
main(void)
{
	conf_unit_begin();
	test_image();
	return conf_unit_end();
}
