/*
 * Addresses, interfaces and names for the parser of smtpd.conf.  Runs in the
 * parent at start and reload; asks DNS only where `listen on` has a host name
 * with a dot.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_net.h"

#include <sys/types.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "num.h"
#include "slice.h"
#include "smtp_addr.h"

/* Columns: name, port.  services(5) may be missing on a small system. */
static const struct {
	const char *name;
	uint16_t port;
} services[] = {
	{ "smtp", 25 },
	{ "submission", 587 },
	{ "submissions", 465 },
	{ "smtps", 465 },
};

uint16_t
conf_net_service(const char *name)
{
	const struct servent *s;
	size_t i;

	for (i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].name, name) == 0)
			return services[i].port;
	}
	s = getservbyname(name, "tcp");
	return s == NULL ? 0 : ntohs((uint16_t)s->s_port);
}

/* ---- addresses ---- */

uint32_t
conf_net_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					   sizeof(struct sockaddr_in);
}

void
conf_net_set_port(struct sockaddr_storage *ss, uint16_t port)
{
	if (ss->ss_family == AF_INET6)
		((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)ss)->sin_port = htons(port);
}

bool
conf_net_addr(const char *text, struct sockaddr_storage *ss)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
		.ai_family = AF_INET6,
		.ai_socktype = SOCK_STREAM },
			*ai;
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	/* getaddrinfo(3) would take "25" for an IPv4 address. */
	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		ss->ss_family = AF_INET;
		return true;
	}
	/* For the scope, as in fe80::1%eth0. */
	if (strchr(text, ':') == NULL ||
	    getaddrinfo(text, NULL, &hints, &ai) != 0)
		return false;
	memcpy(ss, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return true;
}

const char *
conf_net_prefix_check(const char *text)
{
	const char *slash = strchr(text, '/');
	struct slice addr = slice_of(text);
	char copy[IP_TEXT_MAX + 1];
	unsigned char bytes[16];
	uint64_t bits, most;

	if (slash != NULL)
		addr.len = (size_t)(slash - text);
	if (addr.len >= 2 && addr.p[0] == '[' && addr.p[addr.len - 1] == ']') {
		addr.p++;
		addr.len -= 2;
	}
	if (!slice_copy(addr, copy, sizeof(copy)))
		return "not an address";
	if (inet_pton(AF_INET, copy, bytes) == 1)
		most = 32;
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		most = 128;
	else
		return "not an address";
	if (slash != NULL && num_parse(slash + 1, 0, most, &bits) != NULL)
		return "not a prefix length of that address";
	return NULL;
}

static void
add_addr(struct buf *out, const struct sockaddr *sa)
{
	struct sockaddr_storage ss;

	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, sa,
	    sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					sizeof(struct sockaddr_in));
	conf_net_set_port(&ss, 0);
	buf_add(out, &ss, sizeof(ss));
}

static bool
is_inet(const struct sockaddr *sa)
{
	return sa != NULL &&
	    (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
}

/* ---- what this host has ---- */

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

/* The addresses of the interface; with ip, only that one if some interface
 * has it. */
static bool
interface(const char *name, const struct in6_addr *ip, struct buf *out)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all) == -1)
		return false;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (!is_inet(i->ifa_addr))
			continue;
		if (ip != NULL &&
		    (i->ifa_addr->sa_family != AF_INET6 ||
			memcmp(&((struct sockaddr_in6 *)(void *)i->ifa_addr)
				    ->sin6_addr,
			    ip, sizeof(*ip)) != 0))
			continue;
		if (ip == NULL && strcmp(i->ifa_name, name) != 0)
			continue;
		add_addr(out, i->ifa_addr);
		found = true;
		if (ip != NULL)
			break;
	}
	freeifaddrs(all);
	return found;
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

/* With a dot, and a last label that is not a number: what looks like part of
 * an address is not looked up. */
static bool
is_host_name(const char *text)
{
	const char *dot = strrchr(text, '.');

	return dot != NULL && (dot[1] < '0' || dot[1] > '9') &&
	    smtp_domain_check(slice_of(text)) == NULL;
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

bool
conf_net_where(const char *text, struct buf *out, char why[CONF_WHY_SIZE])
{
	struct sockaddr_storage ss;
	char have[256];

	if (strcmp(text, "all") == 0) {
		conf_net_addr("0.0.0.0", &ss);
		buf_add(out, &ss, sizeof(ss));
		conf_net_addr("::", &ss);
		if (has_inet6())
			buf_add(out, &ss, sizeof(ss));
		return true;
	}
	if (strcmp(text, "localhost") == 0) {
		conf_net_addr("127.0.0.1", &ss);
		buf_add(out, &ss, sizeof(ss));
		interface(NULL, &in6addr_loopback, out);
		return true;
	}
	if (conf_net_addr(text, &ss)) {
		buf_add(out, &ss, sizeof(ss));
		return true;
	}
	if (interface(text, NULL, out))
		return true;
	if (if_nametoindex(text) != 0) {
		snprintf(why, CONF_WHY_SIZE, "an interface without an address");
		return false;
	}
	if (is_host_name(text))
		return host_name(text, out, why);
	interface_names(have, sizeof(have));
	snprintf(why, CONF_WHY_SIZE,
	    "expected an address without brackets or prefix length, `all`, `localhost`, `socket`, a host name or an interface (this host has: %s)",
	    have);
	return false;
}

/* /etc/hosts, as `127.0.1.1 host.example.org host`.  Asks no DNS, which may
 * not be there yet when we start. */
static void
add_domain(char out[HOST_MAX + 1])
{
	const struct hostent *h;
	char **alias;

	sethostent(1);
	while ((h = gethostent()) != NULL) {
		if (strchr(h->h_name, '.') == NULL ||
		    strlen(h->h_name) > HOST_MAX)
			continue;
		for (alias = h->h_aliases; *alias != NULL; alias++) {
			if (strcasecmp(*alias, out) != 0)
				continue;
			snprintf(out, HOST_MAX + 1, "%s", h->h_name);
			endhostent();
			return;
		}
	}
	endhostent();
}

bool
conf_net_hostname(char out[HOST_MAX + 1])
{
	if (gethostname(out, HOST_MAX + 1) == -1)
		return false;
	out[HOST_MAX] = '\0';
	if (out[0] != '\0' && strchr(out, '.') == NULL)
		add_domain(out);
	return out[0] != '\0';
}

/* ---- URLs ---- */

/* "host", with its brackets taken off; s goes on behind it. */
static const char *
url_host(struct slice *s, struct conf_url *url)
{
	unsigned char bytes[16];
	struct slice host = *s;
	const char *end;

	if (s->len > 0 && s->p[0] == '[') {
		if ((end = memchr(s->p, ']', s->len)) == NULL)
			return "no `]` after the address";
		host = (struct slice){ s->p + 1, (size_t)(end - s->p) - 1 };
		s->len -= (size_t)(end + 1 - s->p);
		s->p = end + 1;
		if (!slice_copy(host, url->host, sizeof(url->host)) ||
		    (inet_pton(AF_INET6, url->host, bytes) != 1 &&
			inet_pton(AF_INET, url->host, bytes) != 1))
			return "not an address in the brackets";
		return NULL;
	}
	if ((end = memchr(s->p, ':', s->len)) != NULL)
		host.len = (size_t)(end - s->p);
	s->p += host.len;
	s->len -= host.len;
	if (s->len > 1 && memchr(s->p + 1, ':', s->len - 1) != NULL)
		return "more than one colon: an IPv6 address stands in brackets";
	if (!slice_copy(host, url->host, sizeof(url->host)))
		return "the host's name is too long";
	if (memchr(host.p, '$', host.len) != NULL)
		return "a macro is read only where a word begins";
	return smtp_domain_check(host);
}

const char *
conf_net_url(const char *text, struct conf_url *url)
{
	const char *p = strstr(text, "://"), *why;
	struct slice scheme = { text, 0 }, rest;
	char digits[8];
	uint64_t port;

	memset(url, 0, sizeof(*url));
	if (p != NULL) {
		scheme.len = (size_t)(p - text);
		text = p + 3;
		if (scheme.len == 0)
			return "no scheme before `://`";
		if (!slice_copy(scheme, url->scheme, sizeof(url->scheme)))
			return "an unknown scheme";
	}
	if ((p = strrchr(text, '@')) != NULL) {
		url->label = true;
		text = p + 1;
	}
	rest = slice_of(text);
	if (rest.len > 1 && rest.p[rest.len - 1] == '/')
		rest.len--;
	if (rest.len == 0)
		return "no host";
	if ((why = url_host(&rest, url)) != NULL)
		return why;
	if (rest.len == 0)
		return NULL;
	if (rest.p[0] != ':')
		return "something behind the host that is not `:port`";
	rest.p++;
	rest.len--;
	if (!slice_copy(rest, digits, sizeof(digits)) ||
	    num_parse(digits, 1, 65535, &port) != NULL)
		return "not a port from 1 to 65535 behind the colon";
	url->port = (uint16_t)port;
	return NULL;
}
