/*
 * Lists of addresses as people and programs write them.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_address.h"
#include "unit.h"

/*
 * Columns: list; addresses, each with what stands for it: a '|' where it has a
 * domain, '.' where it has none, '?' where the entry cannot be read; NULL: the
 * list cannot be read.
 */
static const struct {
	const char *list, *want;
} lists[] = {
	{ "", "" },
	{ " ", "" },
	{ "a@b", "a@b|" },
	{ "a@b, c@d", "a@b|c@d|" },
	{ "a@b,c@d,", "a@b|c@d|" },
	{ ",, a@b ,,", "a@b|" },
	{ "root", "root." },
	{ "root (Cron Daemon)", "root." },
	{ "(a comment (in a comment)) a@b", "a@b|" },
	{ "(a \\) b) a@b", "a@b|" },
	{ "A B <a@b>", "a@b|" },
	{ "\"B, A\" <a@b>, c", "a@b|c." },
	{ "\"<no@no>\" <a@b>", "a@b|" },
	{ "\"a b\"@c", "\"a b\"@c|" },
	{ "\"a\\\"b\"@c", "\"a\\\"b\"@c|" },
	{ "<a@b>", "a@b|" },
	{ "< a@b >", "a@b|" },
	{ "<@one,@two:a@b>", "a@b|" },
	{ "<\"a>b\"@c>", "\"a>b\"@c|" },
	{ "<>", "" },
	{ "a@[127.0.0.1]", "a@[127.0.0.1]|" },
	{ "a@[IPv6:::1], b", "a@[IPv6:::1]|b." },
	{ "undisclosed-recipients:;", "" },
	{ "group: a@b, c@d;", "a@b|c@d|" },
	{ "group name: a@b;, e@f", "a@b|e@f|" },
	{ "a@b\r\n\t,c@d\r\n", "a@b|c@d|" },
	{ "A. B. <a@b> (x)", "a@b|" },
	{ "a b@c", "a b@c?" },
	{ "a@b c@d, e", "a@b c@d?e." },
	{ "=?x?q?a,b?= <c>", "c." },
	{ "=?x?q?a,b?=", "=?x?q?a,b?=?" },
	{ "=?x?q?a, b@c", "=?x?q?a.b@c|" },
	{ "=?x?q?a?b", "=?x?q?a?b." },
	{ "=?x?q?a?", "=?x?q?a?." },
	{ "a . b @ c", "a . b @ c|" },
	{ "a(x)@b(y)", "a(x)@b|" },
	{ "<a(x)>", "a." },
	{ "<a b>", "a b?" },
	{ "<a> b", "a." },
	{ "<a@b> c d", "a@b|" },
	{ "\"a@b\"", "\"a@b\"." },
	{ "a@", "a@|" },
	{ "@", "@|" },
	{ "<@a:>", "" },
	{ "< @a,@b : c@d >", "c@d|" },
	{ "b\xc3\xb6@c", "b\xc3\xb6@c|" },
	{ "<a@b", NULL },
	{ "<a@b> <c@d>", NULL },
	{ "a@b>", NULL },
	{ "\"a", NULL },
	{ "\"a\\", NULL },
	{ "(a", NULL },
	{ "(a\\", NULL },
	{ "a@[b", NULL },
	{ "<\"a", NULL },
	{ "a)", NULL },
	{ "a]", NULL },
	{ "<a,b>", NULL },
	{ "<a(>", NULL },
	{ "<@a", NULL },
	{ "<@a>:b", NULL },
	{ "<a>:b", NULL },
	{ "a, \x01", NULL },
	{ "a\x7f", NULL },
};

/* An entry is a piece of the list right behind the one before it, and what is
 * found in it lies in it. */
static int
lies_in(struct slice s, struct slice in)
{
	return s.p >= in.p && s.p + s.len <= in.p + in.len;
}

static int
list_ok(size_t row, struct slice list)
{
	struct slice before;
	struct address a;
	char have[256] = "";
	size_t n;

	do {
		before = list;
		if (address_next(&list, &a) != NULL)
			return lists[row].want == NULL;
		if (a.entry.p != before.p ||
		    a.entry.p + a.entry.len != list.p ||
		    !lies_in(a.spec, a.entry) || !lies_in(a.place, a.entry) ||
		    !lies_in(a.spec, a.place))
			return 0;
		n = strlen(have);
		if (a.spec.len > 0)
			snprintf(have + n, sizeof have - n, "%.*s%c",
			    (int)a.spec.len, a.spec.p,
			    a.odd            ? '?' :
				a.has_domain ? '|' :
					       '.');
	} while (a.entry.len > 0);
	if (lists[row].want != NULL && strcmp(have, lists[row].want) != 0)
		printf("# have: %s\n", have);
	return lists[row].want != NULL && strcmp(have, lists[row].want) == 0;
}

int
main(void)
{
	char name[64];
	struct slice list;
	struct address a;
	size_t i, len, cut;

	for (i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		len = strlen(lists[i].list);
		list = (struct slice){ unit_guard(lists[i].list, len), len };
		snprintf(name, sizeof name, "list %zu", i);
		CHECK(name, list_ok(i, list));
		for (cut = 0; cut < len; cut++) {
			list = (struct slice){ unit_guard(lists[i].list, cut),
				cut };
			while (address_next(&list, &a) == NULL &&
			    a.entry.len > 0)
				;
		}
	}
	return unit_end();
}
