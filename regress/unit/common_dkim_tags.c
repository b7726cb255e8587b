/*
 * common/dkim_tags.c: lists of tags, base64, numbers, lists with colons.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "dkim_tags.h"

static const struct {
	const char *name, *in;
	const char *out; /* "name[value]..."; NULL: refused */
} lists[] = {
	{ "one", "a=b", "a[b]" },
	{ "two", "a=b;c=d", "a[b]c[d]" },
	{ "semicolon at the end", "a=b;", "a[b]" },
	{ "white space at the end", "a=b; \r\n\t", "a[b]" },
	{ "white space around", " a = b ; \r\n\tc\t=\r\n d e \t;",
	    "a[b]c[d e]" },
	{ "empty value", "a=;b= ;c=", "a[]b[]c[]" },
	{ "equals within", "a=b=c==", "a[b=c==]" },
	{ "case", "a=b;A=B", "a[b]A[B]" },
	{ "long name", "aZ_9=b", "aZ_9[b]" },
	{ "UTF-8",
	    "d=b\xc3\xbc"
	    "cher",
	    "d[b\xc3\xbc"
	    "cher]" },
	{ "all of ASCII", "a=!\"#$%&'()*+,-./:<=>?@[\\]^_`{|}~",
	    "a[!\"#$%&'()*+,-./:<=>?@[\\]^_`{|}~]" },
	{ "nothing", "", NULL },
	{ "white space", "  \r\n ", NULL },
	{ "semicolon", ";", NULL },
	{ "semicolon first", ";a=b", NULL },
	{ "two semicolons", "a=b;;c=d", NULL },
	{ "two semicolons at the end", "a=b;;", NULL },
	{ "no equals", "a", NULL },
	{ "no equals in the second", "a=b;c", NULL },
	{ "no name", "=b", NULL },
	{ "digit first", "1a=b", NULL },
	{ "underscore first", "_a=b", NULL },
	{ "hyphen", "a-b=c", NULL },
	{ "blank in a name", "a b=c", NULL },
	{ "twice", "a=b;c=d;a=b", NULL },
	{ "control", "a=\x01", NULL },
	{ "DEL", "a=\x7f", NULL },
	{ "vertical tab", "a=\x0b", NULL },
	{ "Latin-1", "a=\xe4", NULL },
	{ "UTF-8 cut short", "a=\xc3;b=c", NULL },
};

static void
print(const struct tags *t, struct buf *out)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		buf_printf(out, "%.*s[%.*s]", (int)t->tag[i].name.len,
		    t->tag[i].name.p, (int)t->tag[i].value.len,
		    t->tag[i].value.p);
}

static void
test_lists(void)
{
	struct tags t;
	struct buf out;
	struct slice in;
	size_t i, cut;
	const char *why;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		in.len = strlen(lists[i].in);
		in.p = unit_guard(lists[i].in, in.len);
		why = tags_parse(in, &t);
		buf_init(&out, 0);
		if (why == NULL)
			print(&t, &out);
		if (lists[i].out == NULL)
			CHECK(lists[i].name, why != NULL);
		else
			CHECK(lists[i].name,
			    why == NULL && out.len == strlen(lists[i].out) &&
				memcmp(buf_data(&out), lists[i].out, out.len) ==
				    0);
		buf_free(&out);
		for (cut = 0; cut < in.len; cut++) {
			struct slice part = { unit_guard(in.p, cut), cut };

			tags_parse(part, &t);
		}
	}
	CHECK("NUL", tags_parse((struct slice){ "a=b\0", 4 }, &t) != NULL);
	buf_init(&out, 0);
	for (i = 0; i < TAGS_MAX; i++)
		buf_printf(&out, "a%zu=b;", i);
	in = (struct slice){ (const char *)buf_data(&out), out.len };
	CHECK("as many as may be",
	    tags_parse(in, &t) == NULL && t.n == TAGS_MAX &&
		slice_eq(*tags_get(&t, "a63"), SLICE("b")) &&
		tags_get(&t, "a64") == NULL && tags_get(&t, "A1") == NULL);
	buf_puts(&out, "b=c");
	in = (struct slice){ (const char *)buf_data(&out), out.len };
	CHECK("too many", tags_parse(in, &t) != NULL);
	buf_free(&out);
}

static const struct {
	const char *in, *out; /* NULL: refused */
} b64[] = {
	{ "", "" },
	{ " \r\n\t", "" },
	{ "YQ==", "a" },
	{ "Y\r\n Q\t= =", "a" },
	{ "YWI=", "ab" },
	{ "YWJj", "abc" },
	{ "YQ", NULL },
	{ "YQ=", NULL },
	{ "YQ===", NULL },
	{ "YR==", NULL },
	{ "YWJ=", NULL },
	{ "Y", NULL },
	{ "=", NULL },
	{ "====", NULL },
	{ "YQ==YQ==", NULL },
	{ "YW-j", NULL },
	{ "YWJj;", NULL },
	{ "YWJj\x80", NULL },
	/* Over the end of what is decoded at once: 64 letters. */
	{ "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj",
	    "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc" },
	{ "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWI=YQ==",
	    NULL },
	{ "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWI= =",
	    NULL },
	{ "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWI= ",
	    "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcab" },
};

static void
test_base64(void)
{
	struct buf out;
	struct slice in;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(b64) / sizeof(b64[0]); i++) {
		in.len = strlen(b64[i].in);
		in.p = unit_guard(b64[i].in, in.len);
		buf_init(&out, 0);
		why = tags_base64(in, &out);
		if (b64[i].out == NULL)
			CHECK("base64 refused", why != NULL);
		else
			CHECK("base64",
			    why == NULL && out.len == strlen(b64[i].out) &&
				memcmp(buf_data(&out), b64[i].out, out.len) ==
				    0);
		buf_free(&out);
	}
	buf_init(&out, 3);
	CHECK("base64: fits", tags_base64(SLICE("YWJj"), &out) == NULL);
	CHECK("base64: does not fit", tags_base64(SLICE("YQ=="), &out) != NULL);
	buf_free(&out);
}

static const struct {
	const char *in;
	unsigned int digits;
	bool good;
	uint64_t n;
} numbers[] = {
	{ "0", 12, true, 0 },
	{ "007", 12, true, 7 },
	{ "999999999999", 12, true, UINT64_C(999999999999) },
	{ "1234567890123", 12, false, 0 },
	{ "18446744073709551614", 76, true, UINT64_MAX - 1 },
	{ "18446744073709551616", 76, true, UINT64_MAX },
	{ "99999999999999999999999999", 76, true, UINT64_MAX },
	{ "", 12, false, 0 },
	{ "-1", 12, false, 0 },
	{ "+1", 12, false, 0 },
	{ "1 2", 12, false, 0 },
	{ "0x1", 12, false, 0 },
	{ "1.", 12, false, 0 },
};

static void
test_numbers(void)
{
	uint64_t n;
	size_t i;
	const char *why;
	struct slice in;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		in.len = strlen(numbers[i].in);
		in.p = unit_guard(numbers[i].in, in.len);
		n = 0;
		why = tags_number(in, numbers[i].digits, &n);
		CHECK(numbers[i].in,
		    (why == NULL) == numbers[i].good && n == numbers[i].n);
	}
}

static void
test_members(void)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "a", "[a]" },
		{ "a:b", "[a][b]" },
		{ " a :\r\n b ", "[a][b]" },
		{ "", "[]" },
		{ ":", "[][]" },
		{ "a::b:", "[a][][b][]" },
	};
	struct slice rest, member;
	struct buf out;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rest.len = strlen(rows[i].in);
		rest.p = unit_guard(rows[i].in, rest.len);
		buf_init(&out, 0);
		while (tags_member(&rest, &member))
			buf_printf(&out, "[%.*s]", (int)member.len, member.p);
		CHECK("members",
		    out.len == strlen(rows[i].out) &&
			memcmp(buf_data(&out), rows[i].out, out.len) == 0);
		buf_free(&out);
	}
}

int
main(void)
{
	test_lists();
	test_base64();
	test_numbers();
	test_members();
	return unit_end();
}
