/*
 * base64.c: both ways, and what is no base64; buffers that secrets go through.
 *
 * SPDX-License-Identifier: ISC
 */
#include "base64.h"
#include "buf.h"
#include "unit.h"

/* Columns: bytes, base64, base64url (RFC 4648 10, and the last letters). */
static const struct {
	const char *bytes, *plain, *url;
} good[] = {
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};

/* Columns: alphabet, text that is none. */
static const struct {
	enum base64_kind kind;
	const char *text;
} bad[] = {
	{ BASE64_PLAIN, "Z" },
	{ BASE64_PLAIN, "Zg" },
	{ BASE64_PLAIN, "Zg=" },
	{ BASE64_PLAIN, "Zg===" },
	{ BASE64_PLAIN, "=" },
	{ BASE64_PLAIN, "====" },
	{ BASE64_PLAIN, "Z===" },
	{ BASE64_PLAIN, "Zg==Zg==" },
	{ BASE64_PLAIN, "Zm9v\r\n" },
	{ BASE64_PLAIN, " Zm9v" },
	{ BASE64_PLAIN, "Zm 9v" },
	{ BASE64_PLAIN, "Zm9\xc3" },
	{ BASE64_PLAIN, "Zh==" }, /* bits beyond the last byte */
	{ BASE64_PLAIN, "Zm9=" },
	{ BASE64_PLAIN, "-_-_" },
	{ BASE64_URL, "+/+/" },
	{ BASE64_URL, "Zg==" },
	{ BASE64_URL, "Z" },
	{ BASE64_URL, "Zh" },
};

static void
test_good(void)
{
	char text[64], name[64];
	uint8_t out[64];
	size_t i, k, len;

	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t n = strlen(good[i].bytes);

		for (k = 0; k < 2; k++) {
			const char *want =
			    k == BASE64_PLAIN ? good[i].plain : good[i].url;
			size_t w = strlen(want);

			snprintf(name, sizeof name, "base64 %zu %zu", i, k);
			CHECK(name,
			    base64_print(k, good[i].bytes, n, text) == w &&
				strcmp(text, want) == 0 &&
				base64_parse(k,
				    (struct slice){ unit_guard(want, w), w },
				    out, n, &len) == NULL &&
				len == n && memcmp(out, good[i].bytes, n) == 0);
			CHECK("no room",
			    n == 0 ||
				base64_parse(k, slice_of(want), out, n - 1,
				    &len) != NULL);
		}
	}
}

static void
test_bad(void)
{
	char name[64];
	uint8_t out[64];
	size_t i, len;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		size_t n = strlen(bad[i].text);

		snprintf(name, sizeof name, "no base64: %zu", i);
		CHECK(name,
		    base64_parse(bad[i].kind,
			(struct slice){ unit_guard(bad[i].text, n), n }, out,
			sizeof out, &len) != NULL);
	}
	CHECK("a NUL",
	    base64_parse(BASE64_PLAIN, (struct slice){ "Zm\0v", 4 }, out,
		sizeof out, &len) != NULL);
}

/* Every byte value, alone and three times. */
static void
test_all(void)
{
	uint8_t in[3], out[3];
	char text[8];
	size_t len, same = 0;
	unsigned int c, n;

	for (c = 0; c < 256; c++) {
		memset(in, (int)c, sizeof in);
		for (n = 1; n <= 3; n++) {
			base64_print(BASE64_PLAIN, in, n, text);
			same += base64_parse(BASE64_PLAIN, slice_of(text), out,
				    sizeof out, &len) == NULL &&
			    len == n && memcmp(in, out, n) == 0;
		}
	}
	CHECK("each byte", same == 768);
}

/* ---- buffers ---- */

static bool
all_zero(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

static void
test_wipe(void)
{
	static const char secret[] = "secret secret secret";
	struct buf b;

	buf_init(&b, 0);
	b.wipe = true;
	buf_add(&b, secret, sizeof secret);
	buf_drain(&b, 7);
	CHECK("drained", all_zero(b.mem, 7) && b.len == sizeof secret - 7);
	while (b.off != 0)
		buf_add(&b, "x", 1);
	CHECK("moved down",
	    memcmp(buf_data(&b), "secret secret", 13) == 0 &&
		all_zero(b.mem + b.len, b.cap - b.len));
	while (b.cap < 4096)
		buf_add(&b, "y", 1);
	CHECK("grown", memcmp(buf_data(&b), "secret secret", 13) == 0);
	buf_drain(&b, b.len);
	CHECK("empty", all_zero(b.mem, b.cap));
	buf_free(&b);
	CHECK("it still wipes", b.wipe);
}

int
main(void)
{
	test_good();
	test_bad();
	test_all();
	test_wipe();
	return unit_end();
}
