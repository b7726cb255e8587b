/*
 * common/table_key.c, table_line.c, table_file.c: keys as they are compared,
 * lines as they become entries, and files that are whole.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <fcntl.h>
#include <xxhash.h>

#include "log.h"
#include "table_file.h"
#include "table_key.h"
#include "table_line.h"

/* ---- keys ---- */

/* Columns: as written; its forms with blanks between ("" : refused); marks:
 * g for a pattern, n for a network. */
static const struct {
	const char *key, *forms, *marks;
} keys[] = {
	{ "example.org", "example.org", "" },
	{ "Example.ORG", "example.org", "" },
	{ "Joe", "joe", "" },
	{ "\"Joe Doe\"@Example.org", "joe_doe@example.org", "" },
	{ "\"a\\\"b\"@x", "a\"b@x", "" },
	{ "\"open@x", "\"open@x", "" },
	{ "*.example.org", "*.example.org .example.org", "" },
	{ ".example.org", ".example.org", "" },
	{ "user@*.example.org", "user@*.example.org user@.example.org", "" },
	{ "@*.example.org", "@*.example.org @.example.org", "" },
	{ "mail*.example.org", "mail*.example.org", "g" },
	{ "*", "*", "g" },
	{ "*.", "*.", "g" },
	{ "*.a.*", "*.a.*", "g" },
	{ "a*.b@x", "a*.b@x", "g" },
	{ "M\xc3\xbcnchen.example",
	    "m\xc3\xbcnchen.example xn--mnchen-3ya.example", "" },
	{ "*.m\xc3\xbcnchen.example",
	    "*.m\xc3\xbcnchen.example *.xn--mnchen-3ya.example "
	    ".xn--mnchen-3ya.example",
	    "" },
	{ "\xc3\xbc@M\xc3\xbcnchen.example", "\xc3\xbc@xn--mnchen-3ya.example",
	    "" },
	{ "10.0.0.0/8", "10.0.0.0/8", "n" },
	{ "192.0.2.1", "192.0.2.1", "n" },
	{ "[192.0.2.1]", "[192.0.2.1]", "n" },
	{ "[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]", "n" },
	{ "2001:db8::/32", "2001:db8::/32", "n" },
	{ "10.0.0.0/33", "10.0.0.0/33", "" },
	{ "10.0.0.0/", "10.0.0.0/", "" },
	{ "10.0.0.0/-1", "10.0.0.0/-1", "" },
	{ "10.0.0.0/8x", "10.0.0.0/8x", "" },
	{ "10.0.0/8", "10.0.0/8", "" },
	{ "::/129", "::/129", "" },
	{ "::/0", "::/0", "n" },
	{ "", "", "" },
	{ "a\001b", "", "" },
	{ "a\x7f", "", "" },
	{ "a\tb", "", "" },
	{ "\"\"", "", "" },
};

static void
print_forms(const struct table_forms *f, char *out, size_t size)
{
	unsigned int i;
	char *p;

	out[0] = '\0';
	for (i = 0; i < f->n_exact; i++) {
		char form[TABLE_KEY_MAX + 1];

		memcpy(form, f->exact[i], sizeof(form));
		for (p = form; *p != '\0'; p++)
			if (*p == ' ')
				*p = '_';
		snprintf(out + strlen(out), size - strlen(out), "%s%s",
		    i == 0 ? "" : " ", form);
	}
}

static void
test_keys(void)
{
	char forms[2048], marks[4], longest[TABLE_KEY_MAX + 2];
	struct table_forms f;
	const char *why;
	size_t i, cut;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i].key);
		struct slice key = { unit_guard(keys[i].key, len), len };

		why = table_forms(key, &f);
		if (keys[i].forms[0] == '\0') {
			CHECK("key: refused", why != NULL);
			continue;
		}
		print_forms(&f, forms, sizeof(forms));
		snprintf(marks, sizeof(marks), "%s%s", f.glob ? "g" : "",
		    f.is_net ? "n" : "");
		CHECK(keys[i].key,
		    why == NULL && strcmp(forms, keys[i].forms) == 0 &&
			strcmp(marks, keys[i].marks) == 0);
		for (cut = 0; cut < len; cut++) {
			key =
			    (struct slice){ unit_guard(keys[i].key, cut), cut };
			table_forms(key, &f);
		}
	}
	memset(longest, 'a', sizeof(longest));
	CHECK("key: longest",
	    table_forms((struct slice){ longest, TABLE_KEY_MAX }, &f) == NULL);
	CHECK("key: too long",
	    table_forms((struct slice){ longest, TABLE_KEY_MAX + 1 }, &f) !=
		NULL);
}

/* ---- one line ---- */

static const struct {
	enum table_text text;
	const char *line;
	const char *key; /* NULL: refused */
	const char *value;
} lines[] = {
	{ TABLE_TEXT_MAP, "example.org", "example.org", "" },
	{ TABLE_TEXT_MAP, "  \texample.org \t ", "example.org", "" },
	{ TABLE_TEXT_MAP, "example.org\r", "example.org", "" },
	{ TABLE_TEXT_MAP, "key value", "key", "value" },
	{ TABLE_TEXT_MAP, "key :include:/a b", "key", ":include:/a b" },
	{ TABLE_TEXT_MAP, "key: :include:/a", "key", ":include:/a" },
	{ TABLE_TEXT_MAP, "key : value", "key", "value" },
	{ TABLE_TEXT_MAP, "key :value", "key", "value" },
	{ TABLE_TEXT_MAP, "key ::", "key", ":" },
	{ TABLE_TEXT_MAP, "key\tvalue of more  words ", "key",
	    "value of more  words" },
	{ TABLE_TEXT_MAP, "key: a, b", "key", "a, b" },
	{ TABLE_TEXT_MAP, "key:a", "key", "a" },
	{ TABLE_TEXT_MAP, "key : a", "key", "a" },
	{ TABLE_TEXT_MAP, "key:", "key", "" },
	{ TABLE_TEXT_MAP, "key # comment", "key", "" },
	{ TABLE_TEXT_MAP, "key: a # comment", "key", "a" },
	{ TABLE_TEXT_MAP, "key: error:550 bug #5", "key", "error:550 bug #5" },
	{ TABLE_TEXT_MAP, "key: \"|a # b\"", "key", "\"|a # b\"" },
	{ TABLE_TEXT_MAP, "# comment", "", "" },
	{ TABLE_TEXT_MAP, "  # @list", "", "" },
	{ TABLE_TEXT_MAP, "", "", "" },
	{ TABLE_TEXT_MAP, " \t ", "", "" },
	{ TABLE_TEXT_MAP, "10.0.0.0/8", "10.0.0.0/8", "" },
	{ TABLE_TEXT_MAP, "::1", "::1", "" },
	{ TABLE_TEXT_MAP, "2001:db8::/32 v", "2001:db8::/32", "v" },
	{ TABLE_TEXT_MAP, "2001:db8::", "2001:db8::", "" },
	{ TABLE_TEXT_MAP, "2001:db8::1: value", "2001:db8::1", "value" },
	{ TABLE_TEXT_MAP, "2001:db8::/32: value", "2001:db8::/32", "value" },
	{ TABLE_TEXT_MAP, "192.0.2.1: value", "192.0.2.1", "value" },
	{ TABLE_TEXT_MAP, "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", "" },
	{ TABLE_TEXT_MAP, "[::1]: v", "[::1]", "v" },
	{ TABLE_TEXT_MAP, "smtp+tls://l@host:25", "smtp+tls://l@host:25", "" },
	{ TABLE_TEXT_MAP, "user@example.org x", "user@example.org", "x" },
	{ TABLE_TEXT_MAP, "\"a: b\": v", "\"a: b\"", "v" },
	{ TABLE_TEXT_MAP, "\"a \\\" b\"@x v", "\"a \\\" b\"@x", "v" },
	{ TABLE_TEXT_MAP, "@ catch", "@", "catch" },
	{ TABLE_TEXT_MAP, "label user:pa:ss", "label", "user:pa:ss" },
	{ TABLE_TEXT_MAP, "exa\001mple.org", NULL, "" },
	{ TABLE_TEXT_MAP, "\x7f", NULL, "" },
	{ TABLE_TEXT_MAP, ": value", NULL, "" },
	{ TABLE_TEXT_MAP, "\"open: v", NULL, "" },
	{ TABLE_TEXT_MAP, "[open v", NULL, "" },
	{ TABLE_TEXT_WHOLE, " ^a.* b: c$ ", "^a.* b: c$", "" },
	{ TABLE_TEXT_WHOLE, "::1 # here", "::1", "" },
	{ TABLE_TEXT_PASSWD, "joe:$2b$x:1000:1000:Joe:/home/joe:/bin/sh", "joe",
	    "$2b$x:1000:1000:Joe:/home/joe:/bin/sh" },
	{ TABLE_TEXT_PASSWD, "joe:", "joe", "" },
	{ TABLE_TEXT_PASSWD, "#joe:x", "", "" },
	{ TABLE_TEXT_PASSWD, "joe", NULL, "" },
	{ TABLE_TEXT_PASSWD, ":x:1", NULL, "" },
};

static void
test_lines(void)
{
	struct table_entry e;
	struct slice line;
	const char *why;
	size_t i, cut;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		line.len = strlen(lines[i].line);
		line.p = unit_guard(lines[i].line, line.len);
		why = table_entry_parse(lines[i].text, line, &e);
		if (lines[i].key == NULL)
			CHECK("line: refused", why != NULL);
		else
			CHECK(lines[i].line,
			    why == NULL &&
				slice_eq(e.key, slice_of(lines[i].key)) &&
				slice_eq(e.value, slice_of(lines[i].value)));
		for (cut = 0; cut < line.len; cut++) {
			struct slice part = { unit_guard(line.p, cut), cut };

			table_entry_parse(lines[i].text, part, &e);
		}
	}
}

/* ---- lines that go on, files ---- */

/* "LINE:KEY=VALUE;" of each entry, "LINE!;" of each that is bad. */
static bool
print_entry(void *arg, const struct table_entry *e, const char *why)
{
	struct buf *out = arg;

	if (why != NULL)
		buf_printf(out, "%llu!;", (unsigned long long)e->line);
	else
		buf_printf(out, "%llu:%.*s=%.*s;", (unsigned long long)e->line,
		    (int)e->key.len, e->key.p, (int)e->value.len, e->value.p);
	return true;
}

static const struct {
	enum table_text text;
	const char *in, *out;
} files[] = {
	{ TABLE_TEXT_MAP, "", "" },
	{ TABLE_TEXT_MAP, "a\nb\n", "1:a=;2:b=;" },
	{ TABLE_TEXT_MAP, "a\nb", "1:a=;2:b=;" },
	{ TABLE_TEXT_MAP, "\n\n# c\na: b\n", "4:a=b;" },
	{ TABLE_TEXT_MAP, "a: b,\n c,\n\td\ne: f\n", "1:a=b, c, d;4:e=f;" },
	{ TABLE_TEXT_MAP, "a:\n b\n", "1:a=b;" },
	{ TABLE_TEXT_MAP, "a: b\n , c\n", "1:a=b , c;" },
	{ TABLE_TEXT_MAP, "a: b,\n# not now\n\n c\n", "1:a=b, c;" },
	{ TABLE_TEXT_MAP, "a b \\\nc\nd\n", "1:a=b  c;3:d=;" },
	{ TABLE_TEXT_MAP, "a: b,\nc: d\n", "1:a=b,;2:c=d;" },
	/* As in OpenSMTPD: an indented line is an entry. */
	{ TABLE_TEXT_MAP, "  a\n  b\n", "1:a=;2:b=;" },
	{ TABLE_TEXT_MAP, "a v\n  b w\n", "1:a=v;2:b=w;" },
	{ TABLE_TEXT_MAP, "# @list\na b: c\n d\\\n", "2:a b: c=;3:d\\=;" },
	{ TABLE_TEXT_MAP, "a\n# @list\nb c\n", "1:a=;3:b=c;" },
	{ TABLE_TEXT_MAP, "a\001\nb\n", "1!;2:b=;" },
	{ TABLE_TEXT_PASSWD, "a:x:1:1::/:,\n b:y\n", "1:a=x:1:1::/:,;2:b=y;" },
	{ TABLE_TEXT_WHOLE, "a,\n b\n", "1:a,=;2:b=;" },
};

/* Fed at once, byte by byte, and in two parts of each size. */
static void
test_files(void)
{
	struct table_lines t;
	struct buf out;
	size_t i, cut, len, used;
	bool good;

	buf_init(&out, 0);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		len = strlen(files[i].in);
		good = true;
		for (cut = 0; cut <= len; cut++) {
			char *all = unit_guard(files[i].in, len);

			t = (struct table_lines){ .text = files[i].text,
				.fn = print_entry,
				.arg = &out };
			used = table_lines_feed(&t,
			    (struct slice){ unit_guard(all, cut), cut }, false);
			table_lines_feed(&t,
			    (struct slice){ all + used, len - used }, true);
			table_lines_free(&t);
			buf_add(&out, "", 1);
			good = good &&
			    strcmp((const char *)buf_data(&out),
				files[i].out) == 0;
			buf_drain(&out, out.len);
		}
		CHECK(files[i].out, good);
	}
	buf_free(&out);
}

static int
file_with(const void *p, size_t len)
{
	char path[] = "/tmp/unit-table-XXXXXX";
	int fd = mkstemp(path);

	if (fd == -1 || unlink(path) == -1 || write(fd, p, len) != (ssize_t)len)
		abort();
	return fd;
}

static bool
count_entry(void *arg, const struct table_entry *e, const char *why)
{
	size_t *n = arg;

	n[why != NULL]++;
	return e->line < 300000;
}

static void
test_reading(void)
{
	struct table_lines t = { .fn = count_entry };
	size_t n[2] = { 0, 0 };
	struct buf b;
	unsigned int i;
	int fd, pipes[2];

	buf_init(&b, 0);
	for (i = 0; i < 200000; i++)
		buf_printf(&b, "host%u.example%*s\n", i, (int)(i % 97), "");
	fd = file_with(buf_data(&b), b.len);
	t.arg = n;
	CHECK("file: read", table_lines_read(&t, fd) == NULL);
	table_lines_free(&t);
	CHECK("file: each line an entry", n[0] == 200000 && n[1] == 0);
	close(fd);
	buf_drain(&b, b.len);

	/* A line over the bound is one bad line, and what follows is read. */
	buf_puts(&b, "a\n");
	for (i = 0; i < TABLE_ENTRY_MAX + 10; i++)
		buf_puts(&b, "x");
	buf_puts(&b, "\nb\nc: ");
	for (i = 0; i < TABLE_ENTRY_MAX / 8 + 10; i++)
		buf_puts(&b, "y@x.org,\n ");
	buf_puts(&b, "z\nd\n");
	fd = file_with(buf_data(&b), b.len);
	t = (struct table_lines){ .fn = count_entry, .arg = n };
	n[0] = n[1] = 0;
	CHECK("file: too long, read", table_lines_read(&t, fd) == NULL);
	table_lines_free(&t);
	CHECK("file: too long, set aside", n[0] == 3 && n[1] == 2);
	close(fd);
	buf_free(&b);

	fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	t = (struct table_lines){ .fn = count_entry, .arg = n };
	CHECK("file: a folder", table_lines_read(&t, fd) != NULL);
	close(fd);

	if (pipe(pipes) == -1 || write(pipes[1], "a\nb", 3) != 3)
		abort();
	close(pipes[1]);
	n[0] = 0;
	CHECK("file: a pipe",
	    table_lines_read(&t, pipes[0]) == NULL && n[0] == 2);
	table_lines_free(&t);
	close(pipes[0]);
}

/* ---- the end of a db: file ---- */

static void
test_ends(void)
{
	enum { LEN = 5000 };
	char all[LEN + sizeof(struct table_file_end)];
	struct table_file_end end;
	const char *why;
	uint64_t n = 0;
	bool refused = true;
	size_t i, cut;
	int fd;

	for (i = 0; i < LEN; i++)
		all[i] = (char)(i * 7);
	table_file_end_set(&end, LEN, 42, XXH3_64bits(all, LEN));
	memcpy(all + LEN, &end, sizeof(end));
	fd = file_with(all, sizeof(all));
	why = table_file_copy(fd, -1, &n);
	CHECK("end: whole", why == NULL && n == 42);
	close(fd);
	for (cut = 0; cut < sizeof(all); cut += 7) {
		fd = file_with(all, cut);
		refused = refused && table_file_copy(fd, -1, &n) != NULL;
		close(fd);
	}
	CHECK("end: cut short", refused);
	for (i = 0, refused = true; i < sizeof(all); i += 13) {
		/* The number of entries is not part of what is summed. */
		if (i >= LEN + 24 && i < LEN + 32)
			continue;
		all[i] ^= 1;
		fd = file_with(all, sizeof(all));
		refused = refused && table_file_copy(fd, -1, &n) != NULL;
		close(fd);
		all[i] ^= 1;
	}
	CHECK("end: damaged", refused);
	fd = open("/dev/zero", O_RDONLY);
	CHECK("end: no file", table_file_copy(fd, -1, &n) != NULL);
	close(fd);
}

int
main(void)
{
	log_to_stderr("unit", false);
	test_keys();
	test_lines();
	test_files();
	test_reading();
	test_ends();
	return unit_end();
}
