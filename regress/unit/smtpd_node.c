/*
 * smtpd/lookup_node.c: values of alias tables, good, bad and cut short.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "lookup_node.h"

static const char kinds[] = {
	[NODE_END] = '.',
	[NODE_ADDRESS] = '@',
	[NODE_USER] = 'u',
	[NODE_SAME] = 's',
	[NODE_ERROR] = 'e',
	[NODE_DEFER] = 'd',
	[NODE_NOTHING] = 'n',
	[NODE_FILE] = 'f',
	[NODE_PIPE] = 'p',
	[NODE_INCLUDE] = 'i',
};

/* Columns: list; its elements, each as kind and text with a blank behind, '!'
 * for one that is bad. */
static const struct {
	const char *list, *nodes;
} lists[] = {
	{ "", "" },
	{ " , ,, ", "" },
	{ "joe", "ujoe " },
	{ "Joe", "ujoe " },
	{ "joe,ann", "ujoe uann " },
	{ " joe ,\tann\r", "ujoe uann " },
	{ "\\joe, \\ann", "sjoe sann " },
	{ "joe+lists", "ujoe+lists " },
	{ "first.last", "ufirst.last " },
	{ "Joe@Example.ORG", "@Joe@example.org " },
	{ "joe@b\xc3\xbc"
	  "cher.example",
	    "@joe@xn--bcher-kva.example " },
	{ "joe@B\xc3\x9c"
	  "CHER.example",
	    "@joe@xn--bcher-kva.example " },
	{ "joe@[192.0.2.1]", "@joe@[192.0.2.1] " },
	{ "\"joe\"@example.org", "@joe@example.org " },
	{ "\"a b\"@example.org, c", "@\"a b\"@example.org uc " },
	{ "\"a,b\"@example.org", "@\"a,b\"@example.org " },
	{ "\"a@b\"@example.org", "@\"a@b\"@example.org " },
	{ "\"joe\"", "ujoe " },
	{ "\"joe@example.org\"", "@joe@example.org " },
	{ "/var/mail/joe", "f/var/mail/joe " },
	{ "\"/a b\"", "f/a b " },
	{ "~/Mail/in, ~joe, \"~/a b/\"", "! u~joe ! " },
	{ "|/bin/prog", "p/bin/prog " },
	{ "|\"/bin/prog a, b\"", "p/bin/prog a, b " },
	{ "|\"/bin/prog \\\"x\\\"\", joe", "p/bin/prog \"x\" ujoe " },
	{ "| \"a\" b", "p\"a\" b " },
	{ "|/bin/prog\tx", "p/bin/prog\tx " },
	{ "|/bin/prog\001", "! " },
	{ "/a\x7f", "! " },
	{ "|", "p " },
	{ "\"|/bin/prog a, b\", joe", "p/bin/prog a, b ujoe " },
	{ "\"| prog \\\"x\\\"\"", "pprog \"x\" " },
	{ ":include:/etc/list", "i/etc/list " },
	{ ":Include: /etc/list", "i/etc/list " },
	{ "error:550 no", "e550 no " },
	{ "ERROR: gone", "egone " },
	{ "\"error:550 5.1.1 a, b\"", "e550 5.1.1 a, b " },
	{ "error:", "e " },
	{ "error:550 gone, sorry, \"bye", "e550 gone, sorry, \"bye " },
	{ "joe, Error: 550 no, ann ", "ujoe e550 no, ann " },
	{ ":fail: gone, sorry", "egone, sorry " },
	{ ":Fail:550 5.1.1 no", "e550 5.1.1 no " },
	{ ":unknown:", "e " },
	{ ":defer: later, please", "dlater, please " },
	{ ":blackhole:", "n " },
	{ ":blackhole: joe, ann", "njoe, ann " },
	{ "joe, :blackhole:", "ujoe n " },
	{ "\":fail: no\"", "eno " },
	{ ":failure:", "! " },
	{ "joe, , b@", "ujoe ! " },
	{ "@example.org", "! " },
	{ "joe@", "! " },
	{ "joe@-bad.example", "! " },
	{ "joe@a..b", "! " },
	{ "joe@[1.2.3]", "! " },
	{ "joe ann", "! " },
	{ "joe blow@example.org", "! " },
	{ "\xc3\xa9@example.org", "@\xc3\xa9@example.org " },
	{ "\xff\xfe", "! " },
	{ "j\xe4n", "! " },
	{ "J\xc3\xb6rg", "uj\xc3\xb6rg " },
	{ "\\", "! " },
	{ "\"joe", "! " },
	{ "joe, \"ann, bob", "ujoe ! " },
	{ "\"\"", "! " },
	{ "\"a\"\"b\"", "! " },
	{ "joe\001", "! " },
	{ "ok, joe@\x80.example, fine", "uok ! ufine " },
};

/* All elements of in, in the form of the table. */
static void
read_all(struct slice in, char *out, size_t size)
{
	struct node node;
	size_t n = 0, left;
	const char *why;

	out[0] = '\0';
	for (;;) {
		left = in.len;
		why = node_next(&in, &node);
		if (why == NULL && node.kind == NODE_END)
			return;
		/* Each call takes something, so it comes to an end. */
		if (in.len >= left)
			abort();
		n += (size_t)snprintf(out + n, size - n, "%c%s ",
		    why != NULL ? '!' : kinds[node.kind],
		    why != NULL ? "" : node.text);
		if (n + NODE_TEXT_MAX + 2 > size)
			return;
	}
}

static void
test_lists(void)
{
	char out[8192];
	struct slice in;
	size_t i, cut;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		in.len = strlen(lists[i].list);
		in.p = unit_guard(lists[i].list, in.len);
		read_all(in, out, sizeof(out));
		CHECK(lists[i].list, strcmp(out, lists[i].nodes) == 0);
		/* Cut short anywhere: no byte behind the end is read. */
		for (cut = 0; cut < in.len; cut++)
			read_all((struct slice){ unit_guard(in.p, cut), cut },
			    out, sizeof(out));
	}
}

static void
test_long(void)
{
	char big[2 * NODE_TEXT_MAX], out[4096];
	struct slice in = { big, sizeof(big) };
	struct node node;

	memset(big, 'a', sizeof(big));
	CHECK("an element that is too long",
	    node_next(&in, &node) != NULL && in.len == 0);
	memset(big, ',', sizeof(big));
	in = (struct slice){ big, sizeof(big) };
	read_all(in, out, sizeof(out));
	CHECK("only commas", out[0] == '\0');
	memset(big, 'a', 70);
	memcpy(big + 70, "@b.example", 11);
	in = slice_of(big);
	CHECK("a local part that is too long", node_next(&in, &node) != NULL);
	memset(big, 0, sizeof(big));
	in = (struct slice){ big, 4 };
	CHECK("NUL bytes", node_next(&in, &node) != NULL);
}

/* Columns: address, domain for one without, result ("": bad). */
static const struct {
	const char *in, *domain, *out;
} addrs[] = {
	{ "joe@Example.org", "x", "joe@example.org" },
	{ "postmaster", "mx.example.org", "postmaster@mx.example.org" },
	{ "Postmaster", "MX.example.org", "Postmaster@mx.example.org" },
	{ "\"joe\"@a.example", "", "joe@a.example" },
	{ "\"j@e\"@a.example", "", "\"j@e\"@a.example" },
	{ "\"j\\\"e\"@a.example", "", "\"j\\\"e\"@a.example" },
	{ "\"j.\"@a.example", "", "\"j.\"@a.example" },
	{ "\"\"@a.example", "", "\"\"@a.example" },
	{ "joe@[IPv6:2001:db8::1]", "", "joe@[IPv6:2001:db8::1]" },
	{ "joe@xn--bcher-kva.example", "", "joe@xn--bcher-kva.example" },
	{ "", "a.example", "" },
	{ "joe", "", "" },
	{ "joe@", "a.example", "" },
	{ "@a.example", "", "" },
	{ "joe@@a.example", "", "" },
};

static void
test_addresses(void)
{
	char out[ADDR_MAX + 1];
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		why = node_address((struct slice){ unit_guard(addrs[i].in,
						       strlen(addrs[i].in)),
				       strlen(addrs[i].in) },
		    addrs[i].domain, out);
		CHECK(addrs[i].in,
		    strcmp(out, addrs[i].out) == 0 &&
			(why == NULL) == (addrs[i].out[0] != '\0'));
	}
}

/* Columns: text of an error, outcome. */
static const struct {
	const char *text;
	enum verdict verdict;
	const char *printed;
} errors[] = {
	{ "550 5.1.1 no such person", NEVER, "550 5.1.1 no such person" },
	{ "550 gone", NEVER, "550 5.2.1 gone" },
	{ "554 5.7.1", NEVER, "554 5.7.1 this mailbox takes no mail" },
	{ "gone for good", NEVER, "550 5.2.1 gone for good" },
	{ "", NEVER, "550 5.2.1 this mailbox takes no mail" },
	{ "5", NEVER, "550 5.2.1 5" },
	{ "55", NEVER, "550 5.2.1 55" },
	{ "550", NEVER, "550 5.2.1 this mailbox takes no mail" },
	{ "5500 x", NEVER, "550 5.2.1 5500 x" },
	{ "421 4.2.1 busy", LATER, "451 4.2.1 busy" },
	{ "451 4.2.1 moving", LATER, "451 4.2.1 moving" },
	{ "450 moving", LATER, "450 4.2.1 moving" },
	{ "450", LATER, "450 4.2.1 try again later" },
	{ "550 4.1.1 x", NEVER, "550 5.2.1 4.1.1 x" },
	{ "550 5.1 x", NEVER, "550 5.2.1 5.1 x" },
	{ "550 5.1. x", NEVER, "550 5.2.1 5.1. x" },
	{ "550 5..1 x", NEVER, "550 5.2.1 5..1 x" },
	{ "550 5.1.1x", NEVER, "550 5.2.1 5.1.1x" },
	{ "550 5.1234.1 x", NEVER, "550 5.2.1 5.1234.1 x" },
	{ "550 a\r\nb\xc3\xa9", NEVER, "550 5.2.1 a??b??" },
	{ "250 2.0.0 ok", LATER,
	    "451 4.3.5 an error that a table has for this recipient has a wrong code" },
	{ "999 x", LATER,
	    "451 4.3.5 an error that a table has for this recipient has a wrong code" },
};

static void
test_errors(void)
{
	char text[OUTCOME_TEXT_MAX + 64];
	struct outcome o;
	struct node node;
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		node.kind = NODE_ERROR;
		snprintf(node.text, sizeof(node.text), "%s", errors[i].text);
		node_error(&node, &o);
		CHECK(errors[i].printed,
		    o.verdict == errors[i].verdict &&
			strcmp(outcome_print(&o, text, sizeof(text)),
			    errors[i].printed) == 0);
	}
	node.kind = NODE_DEFER;
	snprintf(node.text, sizeof(node.text), "moving");
	node_error(&node, &o);
	CHECK("a delay is later",
	    o.verdict == LATER && o.code == 451 &&
		strcmp(o.text, "moving") == 0);
}

/* Columns: file; its lines, each as number and text. */
static const struct {
	const char *file, *lines;
} files[] = {
	{ "", "" },
	{ "\n\n", "" },
	{ "joe", "1:joe;" },
	{ "joe\n", "1:joe;" },
	{ "\n# a\n joe, ann \r\n\t#b\nbob", "3:joe, ann;5:bob;" },
	{ "joe # ann\n", "1:joe # ann;" },
};

static void
test_lines(void)
{
	struct slice rest, line;
	char out[256];
	uint32_t number;
	size_t i, n, len;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		len = strlen(files[i].file);
		rest = (struct slice){ unit_guard(files[i].file, len), len };
		number = 0;
		out[0] = '\0';
		for (n = 0; node_line(&rest, &line, &number);)
			n += (size_t)snprintf(out + n, sizeof(out) - n,
			    "%u:%.*s;", number, (int)line.len, line.p);
		CHECK(out[0] != '\0' ? files[i].lines : "no lines",
		    strcmp(out, files[i].lines) == 0);
	}
}

int
main(void)
{
	test_lists();
	test_long();
	test_addresses();
	test_errors();
	test_lines();
	return unit_end();
}
