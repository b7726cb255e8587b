/*
 * Groups of interfaces on Linux.  An interface is in `egress` if it holds a
 * default route, which the tables in /proc/net tell; other groups have numbers
 * there, and names in a file of iproute2.  Runs in the parent; opens nothing,
 * gets the lines.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_group.h"

#include <stddef.h>

#include "num.h"

enum { ROUTE_UP = 0x1, ROUTE_REJECT = 0x200, FIELDS_MAX = 11 };

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Splits a line at its blanks; how many fields, at most FIELDS_MAX. */
static size_t
split(struct slice line, struct slice field[FIELDS_MAX])
{
	size_t n = 0, i = 0, from;

	while (n < FIELDS_MAX) {
		while (i < line.len && is_blank(line.p[i]))
			i++;
		from = i;
		while (i < line.len && !is_blank(line.p[i]))
			i++;
		if (i == from)
			break;
		field[n++] = (struct slice){ line.p + from, i - from };
	}
	return n;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A number in hexadecimal of 1 to 8 digits. */
static bool
hex(struct slice s, uint32_t *out)
{
	uint32_t v = 0;
	size_t i;

	if (s.len == 0 || s.len > 8)
		return false;
	for (i = 0; i < s.len; i++) {
		if (hex_digit(s.p[i]) == -1)
			return false;
		v = v << 4 | (uint32_t)hex_digit(s.p[i]);
	}
	*out = v;
	return true;
}

/* Zeros, as many as len. */
static bool
zeros(struct slice s, size_t len)
{
	size_t i;

	for (i = 0; i < s.len && s.p[i] == '0'; i++)
		;
	return i == s.len && s.len == len;
}

/* Columns of a table of routes. */
struct columns {
	size_t fields; /* at least so many */
	size_t name, flags;
	size_t dest, dest_len; /* zero for a default route */
	size_t mask, mask_len; /* or the prefix length: zero too */
};

static bool
is_default(struct slice line, const struct columns *c,
    char name[CONF_IF_MAX + 1])
{
	struct slice field[FIELDS_MAX];
	uint32_t flags;

	if (split(line, field) < c->fields ||
	    !zeros(field[c->dest], c->dest_len) ||
	    !zeros(field[c->mask], c->mask_len) ||
	    !hex(field[c->flags], &flags))
		return false;
	/* Where nothing else leads, Linux has a default route that rejects. */
	if (!(flags & ROUTE_UP) || (flags & ROUTE_REJECT))
		return false;
	return slice_copy(field[c->name], name, CONF_IF_MAX + 1);
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
bool
conf_group_route(struct slice line, char name[CONF_IF_MAX + 1])
{
	static const struct columns c = { .fields = 8,
		.name = 0,
		.flags = 3,
		.dest = 1,
		.dest_len = 8,
		.mask = 7,
		.mask_len = 8 };

	return is_default(line, &c, name);
}

/* destination, length, source, length, next hop, metric, references, use,
 * flags, interface */
bool
conf_group_route6(struct slice line, char name[CONF_IF_MAX + 1])
{
	static const struct columns c = { .fields = 10,
		.name = 9,
		.flags = 8,
		.dest = 0,
		.dest_len = 32,
		.mask = 1,
		.mask_len = 2 };

	return is_default(line, &c, name);
}

bool
conf_group_number(struct slice line, const char *group, uint32_t *number)
{
	struct slice field[FIELDS_MAX];
	char text[16];
	uint64_t v;

	if (split(line, field) < 2 || field[0].p[0] == '#' ||
	    !slice_eq(field[1], slice_of(group)) ||
	    !slice_copy(field[0], text, sizeof(text)))
		return false;
	if (text[0] == '0' && text[1] == 'x')
		return hex((struct slice){ text + 2, field[0].len - 2 },
		    number);
	if (num_parse(text, 0, UINT32_MAX, &v) != NULL)
		return false;
	*number = (uint32_t)v;
	return true;
}
