/*
 * smtpd/lookup_table.c: keys, files, questions.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <fcntl.h>

#include "log.h"
#include "lookup_table.h"

/* ---- lines of a file ---- */

static const struct {
	const char *line, *key; /* key NULL: refused */
} lines[] = {
	{ "example.org\n", "example.org" },
	{ "example.org", "example.org" },
	{ "example.org\r\n", "example.org" },
	{ "  \texample.org \t \n", "example.org" },
	{ "example.org value\n", "example.org" },
	{ "example.org: value, value\n", "example.org" },
	{ "example.org:value\n", "example.org" },
	{ "example.org:\n", "example.org" },
	{ "example.org # comment\n", "example.org" },
	{ "# comment\n", "" },
	{ "  # @list\n", "" },
	{ "\n", "" },
	{ " \t \n", "" },
	{ "", "" },
	{ "10.0.0.0/8\n", "10.0.0.0/8" },
	{ "::1\n", "::1" },
	{ "2001:db8::/32\n", "2001:db8::/32" },
	{ "2001:db8::\n", "2001:db8::" },
	{ "2001:db8::1: value\n", "2001:db8::1" },
	{ "2001:db8::/32: value\n", "2001:db8::/32" },
	{ "192.0.2.1: value\n", "192.0.2.1" },
	{ "[IPv6:2001:db8::1]\n", "[IPv6:2001:db8::1]" },
	{ "user@example.org\n", "user@example.org" },
	{ "exa\001mple.org\n", NULL },
	{ "\x7f\n", NULL },
	{ ": value\n", NULL },
};

static void
test_lines(void)
{
	struct slice line, key;
	const char *why;
	size_t i, cut;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		line.len = strlen(lines[i].line);
		line.p = unit_guard(lines[i].line, line.len);
		why = table_line(line, &key);
		if (lines[i].key == NULL)
			CHECK("line: refused", why != NULL);
		else
			CHECK(lines[i].key,
			    why == NULL &&
				slice_eq(key, slice_of(lines[i].key)));
		for (cut = 0; cut < line.len; cut++) {
			struct slice part = { unit_guard(line.p, cut), cut };

			table_line(part, &key);
		}
	}
}

/* ---- keys ---- */

static const struct {
	const char *key;
	bool good;
} keys[] = {
	{ "example.org", true },
	{ "*", true },
	{ "m\xc3\xbcnchen.example", true },
	{ "10.0.0.0/0", true },
	{ "10.0.0.0/32", true },
	{ "::/128", true },
	{ "", false },
	{ "a b", false },
	{ "10.0.0.0/33", false },
	{ "10.0.0.0/", false },
	{ "10.0.0.0/-1", false },
	{ "10.0.0.0/8x", false },
	{ "10.0.0/8", false },
	{ "::/129", false },
	{ "example.org/8", false },
};

static void
test_keys(void)
{
	struct table t;
	size_t i;

	table_init(&t, "keys");
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i].key);
		struct slice key = { unit_guard(keys[i].key, len), len };

		CHECK(keys[i].key,
		    (table_add(&t, key) == NULL) == keys[i].good);
	}
	table_free(&t);
}

/* ---- questions ---- */

static const char *const entries[] = { "example.org", "Mixed.Example",
	".below.example", "*.star.example", "mail*.glob.example", "*x.y*",
	"192.0.2.1", "10.0.0.0/8", "172.16.0.0/12", "2001:db8::/32",
	"2001:db9::1", "[198.51.100.7]" };

static const struct {
	const char *domain;
	enum table_answer answer;
} domains[] = {
	{ "example.org", TABLE_YES },
	{ "EXAMPLE.ORG", TABLE_YES },
	{ "mixed.example", TABLE_YES },
	{ "a.example.org", TABLE_NO },
	{ "aexample.org", TABLE_NO },
	{ "example.or", TABLE_NO },
	{ "below.example", TABLE_NO },
	{ "a.below.example", TABLE_YES },
	{ "A.b.Below.example", TABLE_YES },
	{ "abelow.example", TABLE_NO },
	{ "star.example", TABLE_NO },
	{ "a.star.example", TABLE_YES },
	{ "a.b.star.example", TABLE_YES },
	{ "mail.glob.example", TABLE_YES },
	{ "MAIL12.glob.example", TABLE_YES },
	{ "mai.glob.example", TABLE_NO },
	{ "mailglob.example", TABLE_NO },
	{ "ax.yb", TABLE_YES },
	{ "xx.y", TABLE_YES },
	{ "", TABLE_NO },
	{ ".", TABLE_NO },
	{ "..", TABLE_NO },
};

static const struct {
	const char *ip;
	enum table_answer answer;
} addrs[] = {
	{ "192.0.2.1", TABLE_YES },
	{ "192.0.2.2", TABLE_NO },
	{ "10.255.255.255", TABLE_YES },
	{ "11.0.0.0", TABLE_NO },
	{ "172.31.255.255", TABLE_YES },
	{ "172.32.0.0", TABLE_NO },
	{ "198.51.100.7", TABLE_YES },
	{ "2001:db8:ffff::1", TABLE_YES },
	{ "2001:DB8::", TABLE_YES },
	{ "2001:db9::1", TABLE_YES },
	{ "2001:db9::2", TABLE_NO },
	{ "::ffff:10.1.2.3", TABLE_YES },
	{ "::ffff:11.1.2.3", TABLE_NO },
	{ "", TABLE_NO },
	{ "example.org", TABLE_NO },
	{ "10.1.2", TABLE_NO },
	{ "10.1.2.3.4", TABLE_NO },
};

static void
test_questions(void)
{
	char longest[ADDR_MAX + 2];
	struct table t;
	size_t i;

	table_init(&t, "questions");
	CHECK("question: domain before it is ready",
	    table_has_domain(&t, "example.org") == TABLE_UNKNOWN);
	CHECK("question: address before it is ready",
	    table_has_addr(&t, "10.0.0.1") == TABLE_UNKNOWN);
	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (table_add(&t, slice_of(entries[i])) != NULL)
			abort();
	table_ready(&t);
	for (i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
		CHECK(domains[i].domain,
		    table_has_domain(&t, domains[i].domain) ==
			domains[i].answer);
	for (i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++)
		CHECK(addrs[i].ip,
		    table_has_addr(&t, addrs[i].ip) == addrs[i].answer);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	CHECK("question: longest", table_has_domain(&t, longest) == TABLE_NO);
	table_free(&t);
	table_ready(&t);
	CHECK("question: empty",
	    table_has_domain(&t, "a") == TABLE_NO &&
		table_has_addr(&t, "10.0.0.1") == TABLE_NO);
	table_free(&t);
}

static void
test_whole_world(void)
{
	struct table t;

	table_init(&t, "world");
	table_add(&t, SLICE("0.0.0.0/0"));
	table_ready(&t);
	CHECK("net: all of IPv4",
	    table_has_addr(&t, "203.0.113.9") == TABLE_YES);
	CHECK("net: not IPv6", table_has_addr(&t, "2001:db8::1") == TABLE_NO);
	table_free(&t);
}

/* ---- files ---- */

static int
file_with(const void *p, size_t len)
{
	char path[] = "/tmp/unit-table-XXXXXX";
	int fd = mkstemp(path);

	if (fd == -1 || unlink(path) == -1 || write(fd, p, len) != (ssize_t)len)
		abort();
	return fd;
}

static void
test_files(void)
{
	struct table t;
	struct buf b;
	size_t i;
	int fd;

	buf_init(&b, 0);
	buf_puts(&b, "# @list\nexample.org\n\n");
	for (i = 0; i < 3 * TABLE_LINE_MAX; i++)
		buf_puts(&b, "x");
	buf_puts(&b, "\nbad\001key\n10.0.0.0/99\nlast.example: v");
	fd = file_with(buf_data(&b), b.len);
	table_init(&t, "file");
	CHECK("file: read", table_read(&t, fd));
	CHECK("file: bad lines set aside", t.bad == 3 && t.n_keys == 2);
	CHECK("file: first", table_has_domain(&t, "example.org") == TABLE_YES);
	CHECK("file: last", table_has_domain(&t, "last.example") == TABLE_YES);
	table_free(&t);
	close(fd);
	buf_free(&b);

	fd = file_with("", 0);
	CHECK("file: empty",
	    table_read(&t, fd) && table_has_domain(&t, "a") == TABLE_NO);
	table_free(&t);
	close(fd);

	fd = open("/tmp", O_RDONLY | O_DIRECTORY);
	CHECK("file: unreadable", !table_read(&t, fd));
	CHECK("file: then nobody knows",
	    table_has_domain(&t, "example.org") == TABLE_UNKNOWN);
	table_free(&t);
	close(fd);
}

/* Lines of each length up to the bound, so that the ends of what is read at
 * once fall everywhere. */
static void
test_many(void)
{
	char key[32];
	struct table t;
	struct buf b;
	unsigned int i;
	bool good = true;
	int fd;

	buf_init(&b, 0);
	for (i = 0; i < 200000; i++)
		buf_printf(&b, "host%u.example%*s\n", i * 7919u % 200000,
		    (int)(i % 97), "");
	fd = file_with(buf_data(&b), b.len);
	table_init(&t, "many");
	CHECK("many: read", table_read(&t, fd) && t.n_keys == 200000);
	for (i = 0; i < 200000; i++) {
		snprintf(key, sizeof(key), "host%u.example", i);
		good = good && table_has_domain(&t, key) == TABLE_YES;
	}
	CHECK("many: all there", good);
	CHECK("many: no other",
	    table_has_domain(&t, "host200000.example") == TABLE_NO);
	table_free(&t);
	close(fd);
	buf_free(&b);
}

int
main(void)
{
	log_to_stderr("unit", false);
	test_lines();
	test_keys();
	test_questions();
	test_whole_world();
	test_files();
	test_many();
	return unit_end();
}
