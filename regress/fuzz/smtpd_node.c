/*
 * node_next(), node_line(), node_address(), node_error(): whatever a table's
 * value, a .forward file or a recipient is, reading it comes to an end, and what
 * is read has the form that it must have.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lookup_node.h"
#include "smtp_addr.h"

static void
must_be_address(const char *addr)
{
	char again[ADDR_MAX + 1];

	MUST(smtp_mailbox_check_utf8(slice_of(addr)) == NULL);
	/* The one form: reading it again changes nothing. */
	MUST(node_address(slice_of(addr), "a.example", again) == NULL);
	MUST(strcmp(addr, again) == 0);
}

static void
must_be_outcome(const struct node *node)
{
	struct outcome o;
	const char *p;

	node_error(node, &o);
	MUST(o.verdict != DONE);
	MUST(o.code >= 400 && o.code <= 599);
	MUST(o.ecode[0] == o.code / 100);
	MUST((o.verdict == LATER) == (o.code < 500));
	for (p = o.text; *p != '\0'; p++)
		MUST(*p >= ' ' && *p <= '~');
}

static void
must_be_node(const struct node *node)
{
	const char *p;

	MUST(strlen(node->text) <= NODE_TEXT_MAX);
	if (node->kind == NODE_ADDRESS)
		must_be_address(node->text);
	if (node->kind == NODE_USER || node->kind == NODE_SAME)
		MUST(node->text[0] != '\0' &&
		    strlen(node->text) <= LOCAL_PART_MAX);
	if (node->kind == NODE_ERROR || node->kind == NODE_DEFER)
		must_be_outcome(node);
	for (p = node->text; *p != '\0'; p++)
		MUST(((unsigned char)*p >= ' ' || *p == '\t') && *p != 0x7f);
}

/* All elements of a value, or of a line. */
static void
read_list(struct slice rest)
{
	struct node node;
	const char *why;
	size_t left;

	for (;;) {
		left = rest.len;
		why = node_next(&rest, &node);
		if (why == NULL && node.kind == NODE_END)
			break;
		MUST(rest.len < left);
		if (why == NULL)
			must_be_node(&node);
	}
	MUST(rest.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = { (const char *)data, size }, rest = all, line;
	char addr[ADDR_MAX + 1];
	const char *why;
	uint32_t number = 0;

	read_list(all);
	while (node_line(&rest, &line, &number)) {
		MUST(line.len > 0 && line.p[0] != '#');
		MUST(memchr(line.p, '\n', line.len) == NULL);
		read_list(line);
	}
	MUST(rest.len == 0);
	why = node_address((struct slice){ (const char *)data, size },
	    "mx.example", addr);
	MUST((why == NULL) == (addr[0] != '\0'));
	if (why == NULL)
		must_be_address(addr);
	return 0;
}
