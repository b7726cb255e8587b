/*
 * What `listen on` means: addresses, interfaces of this host and groups of
 * them, host names.  Runs in the parent at start and reload; asks DNS only for
 * a host name with a dot.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/types.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_group.h"
#include "conf_net.h"
#include "num.h"
#include "slice.h"
#include "smtp_addr.h"

/* ---- what this host has ---- */

static bool
is_inet(const struct sockaddr *sa)
{
	return sa != NULL &&
	    (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
}

/* Once, if two ways lead to it. */
static void
add_addr(struct buf *out, const struct sockaddr *sa)
{
	const struct sockaddr_storage *have;
	struct sockaddr_storage ss;
	size_t i;

	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, sa,
	    sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					sizeof(struct sockaddr_in));
	conf_net_set_port(&ss, 0);
	have = (const void *)buf_data(out);
	for (i = 0; i < out->len / sizeof(ss); i++) {
		if (memcmp(&have[i], &ss, sizeof(ss)) == 0)
			return;
	}
	buf_add(out, &ss, sizeof(ss));
}

void
conf_net_local(void (*add)(void *self, const char *ip), void *self)
{
	struct ifaddrs *all, *i;
	char ip[IP_TEXT_MAX + 1];
	const void *addr;

	if (getifaddrs(&all) == -1)
		return;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (!is_inet(i->ifa_addr))
			continue;
		addr = i->ifa_addr->sa_family == AF_INET ?
		    (const void *)&((struct sockaddr_in *)(void *)i->ifa_addr)
			->sin_addr :
		    (const void *)&((struct sockaddr_in6 *)(void *)i->ifa_addr)
			->sin6_addr;
		if (inet_ntop(i->ifa_addr->sa_family, addr, ip, sizeof(ip)) !=
		    NULL)
			add(self, ip);
	}
	freeifaddrs(all);
}

/* The addresses of the interface; false: it has none, or is not there. */
static bool
interface(const char *name, struct buf *out)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all) == -1)
		return false;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (!is_inet(i->ifa_addr) || strcmp(i->ifa_name, name) != 0)
			continue;
		add_addr(out, i->ifa_addr);
		found = true;
	}
	freeifaddrs(all);
	return found;
}

/* What OpenBSD calls lo0, by whatever name it goes here. */
static bool
loopback(struct buf *out)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all) == -1)
		return false;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (!is_inet(i->ifa_addr) || !(i->ifa_flags & IFF_LOOPBACK))
			continue;
		add_addr(out, i->ifa_addr);
		found = true;
	}
	freeifaddrs(all);
	return found;
}

/* 127.0.0.1, and ::1 if an interface has it. */
static void
localhost(struct buf *out)
{
	struct sockaddr_storage ss;
	struct ifaddrs *all, *i;

	conf_net_addr("127.0.0.1", &ss);
	buf_add(out, &ss, sizeof(ss));
	if (getifaddrs(&all) == -1)
		return;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET6 &&
		    IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)(void *)
					       i->ifa_addr)
					      ->sin6_addr))
			add_addr(out, i->ifa_addr);
	}
	freeifaddrs(all);
}

/* Where IPv6 is switched off, there is nothing to bind to. */
static bool
has_inet6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

/* "lo, eth0" */
static void
interface_names(char *out, size_t size)
{
	struct if_nameindex *all, *i;
	size_t n = 0, len;

	out[0] = '\0';
	if ((all = if_nameindex()) == NULL)
		return;
	for (i = all; i->if_index != 0; i++) {
		len = strlen(i->if_name);
		if (n + len + 3 > size)
			break;
		n += (size_t)snprintf(out + n, size - n, "%s%s",
		    n == 0 ? "" : ", ", i->if_name);
	}
	if_freenameindex(all);
}

/* ---- groups ---- */

typedef bool line_reader(void *self, struct slice line);

/* Reads a file of the system line by line, until the reader says true. */
static bool
read_lines(const char *path, line_reader *fn, void *self)
{
	char *line = NULL;
	bool done = false;
	size_t size = 0;
	ssize_t n;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		return false;
	while (!done && (n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			n--;
		done = fn(self, (struct slice){ line, (size_t)n });
	}
	free(line);
	fclose(f);
	return done;
}

static bool
add_route(void *self, struct slice line)
{
	char name[CONF_IF_MAX + 1];

	if (conf_group_route(line, name))
		interface(name, self);
	return false;
}

static bool
add_route6(void *self, struct slice line)
{
	char name[CONF_IF_MAX + 1];

	if (conf_group_route6(line, name))
		interface(name, self);
	return false;
}

struct group {
	const char *name;
	uint32_t number;
};

static bool
find_number(void *self, struct slice line)
{
	struct group *g = self;

	return conf_group_number(line, g->name, &g->number);
}

/* In /sys/class/net/NAME/netdev_group there is a number alone. */
static bool
is_number(void *self, struct slice line)
{
	struct group *g = self;
	char text[16];
	uint64_t v;

	return slice_copy(line, text, sizeof(text)) &&
	    num_parse(text, 0, UINT32_MAX, &v) == NULL && v == g->number;
}

/* A group of ip-link(8); number 0 is that of all interfaces in no other. */
static bool
linux_group(const char *name, struct buf *out)
{
	struct group g = { .name = name };
	struct if_nameindex *all, *i;
	char path[64];

	if (!read_lines("/etc/iproute2/group", find_number, &g) &&
	    !read_lines("/usr/share/iproute2/group", find_number, &g))
		return false;
	if (g.number == 0 || (all = if_nameindex()) == NULL)
		return false;
	for (i = all; i->if_index != 0; i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/netdev_group",
		    i->if_name);
		if (read_lines(path, is_number, &g))
			interface(i->if_name, out);
	}
	if_freenameindex(all);
	return true;
}

/* Groups that OpenBSD makes of interfaces of one kind. */
static const char *const openbsd_groups[] = { "bridge", "carp", "enc", "gif",
	"gre", "pflog", "ppp", "pppoe", "trunk", "tun", "vether", "vlan", "wg",
	"wlan", "vport", "veb", "aggr" };

static bool
is_openbsd_group(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(openbsd_groups) / sizeof(openbsd_groups[0]);
	     i++) {
		if (strcmp(openbsd_groups[i], text) == 0)
			return true;
	}
	return false;
}

/* The text is no interface; is it a group?  NULL: no.  Else what is wrong,
 * empty if nothing is. */
static const char *
group(const char *text, struct buf *out)
{
	size_t before = out->len;

	if (strcmp(text, "egress") == 0) {
		read_lines("/proc/net/route", add_route, out);
		read_lines("/proc/net/ipv6_route", add_route6, out);
		return out->len > before ?
		    "" :
		    "the group of interfaces that hold a default route, but none here does";
	}
	if (linux_group(text, out))
		return out->len > before ?
		    "" :
		    "a group in which no interface has an address";
	return is_openbsd_group(text) ?
	    "a group of interfaces on OpenBSD, but not on Linux, expected `egress`, a group of ip-link(8), or interfaces by name" :
	    NULL;
}

/* ---- names ---- */

/* With a dot, and a last label that is not a number: what looks like part of
 * an address is not looked up. */
static bool
is_host_name(const char *text)
{
	const char *dot = strrchr(text, '.');

	return dot != NULL && (dot[1] < '0' || dot[1] > '9') &&
	    smtp_domain_check(slice_of(text)) == NULL;
}

/* As 192.0.2.xx or 2001:db8::x: something is left to be filled in. */
static bool
is_placeholder(const char *text)
{
	size_t dots = 0, colons = 0, x = 0;

	for (; *text != '\0'; text++) {
		dots += *text == '.';
		colons += *text == ':';
		x += *text == 'x' || *text == 'X';
		if (strchr("0123456789abcdefABCDEFxX.:", *text) == NULL)
			return false;
	}
	return x > 0 && (colons > 1 || dots == 3);
}

static bool
host_name(const char *name, struct buf *out, char why[CONF_WHY_SIZE])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *i;
	int error = getaddrinfo(name, NULL, &hints, &all);

	if (error != 0) {
		snprintf(why, CONF_WHY_SIZE, "a host name, but: %s",
		    gai_strerror(error));
		return false;
	}
	for (i = all; i != NULL; i = i->ai_next) {
		if (is_inet(i->ai_addr))
			add_addr(out, i->ai_addr);
	}
	freeaddrinfo(all);
	return true;
}

static bool
all_addresses(struct buf *out)
{
	struct sockaddr_storage ss;

	conf_net_addr("0.0.0.0", &ss);
	buf_add(out, &ss, sizeof(ss));
	conf_net_addr("::", &ss);
	if (has_inet6())
		buf_add(out, &ss, sizeof(ss));
	return true;
}

bool
conf_net_where(const char *text, struct buf *out, char why[CONF_WHY_SIZE])
{
	struct sockaddr_storage ss;
	const char *said;
	char have[256];

	if (strcmp(text, "all") == 0)
		return all_addresses(out);
	if (strcmp(text, "localhost") == 0) {
		localhost(out);
		return true;
	}
	if (conf_net_addr(text, &ss)) {
		buf_add(out, &ss, sizeof(ss));
		return true;
	}
	if (interface(text, out))
		return true;
	if (if_nametoindex(text) != 0) {
		snprintf(why, CONF_WHY_SIZE, "an interface without an address");
		return false;
	}
	if (strcmp(text, "lo0") == 0 && loopback(out))
		return true;
	if ((said = group(text, out)) != NULL) {
		snprintf(why, CONF_WHY_SIZE, "%s", said);
		return said[0] == '\0';
	}
	if (is_placeholder(text)) {
		snprintf(why, CONF_WHY_SIZE,
		    "an address with `x` in it: fill it in");
		return false;
	}
	if (is_host_name(text))
		return host_name(text, out, why);
	interface_names(have, sizeof(have));
	snprintf(why, CONF_WHY_SIZE,
	    "expected an address without brackets or prefix length, `all`, `localhost`, `socket`, `egress`, a host name or an interface (this host has: %s)",
	    have);
	return false;
}

bool
conf_net_only(struct buf *addrs, unsigned int inet)
{
	struct sockaddr_storage *ss;
	size_t i, n = addrs->len / sizeof(*ss), kept = 0;
	sa_family_t family = inet == 4 ? AF_INET : AF_INET6;

	if (inet == 0 || n == 0)
		return n > 0;
	ss = (struct sockaddr_storage *)(void *)(addrs->mem + addrs->off);
	for (i = 0; i < n; i++) {
		if (ss[i].ss_family == family)
			ss[kept++] = ss[i];
	}
	addrs->len = kept * sizeof(*ss);
	return kept > 0;
}
