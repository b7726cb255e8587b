/*
 * Addresses, ports, names and URLs for the parser of smtpd.conf; what `listen
 * on` means is in conf_where.c.  Runs in the parent at start and reload; asks
 * no DNS.
 *
 * SPDX-License-Identifier: ISC
 */
#include "conf_net.h"

#include <sys/types.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "idn.h"
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

/* ---- the name of this host ---- */

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
	const char *end, *why;

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
	if (host.len > 0 && memchr(host.p, '$', host.len) != NULL)
		return "a macro is read only where a word begins";
	if ((why = smtp_domain_check(host)) == NULL || slice_is_ascii(host))
		return slice_copy(host, url->host, sizeof(url->host)) ?
		    why :
		    "the host's name is too long";
	if (idn_domain(host, url->host) != NULL)
		return "the host has a name that DNS cannot have";
	return smtp_domain_check(slice_of(url->host));
}

/* Columns: scheme, word, port. */
static const struct conf_net_scheme schemes[] = {
	{ SCHEME_SMTP, "", 25 },
	{ SCHEME_SMTP, "smtp", 25 },
	{ SCHEME_SMTP_TLS, "smtp+tls", 25 },
	{ SCHEME_SMTP_NOTLS, "smtp+notls", 25 },
	{ SCHEME_SMTPS, "smtps", 465 },
	{ SCHEME_LMTP, "lmtp", 0 },
};

const struct conf_net_scheme *
conf_net_scheme(const char *word)
{
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strcasecmp(schemes[i].word, word) == 0)
			return &schemes[i];
	}
	return NULL;
}

/* It stands in routes, which stand in lists and logs. */
static const char *
label_check(const char *label, size_t len)
{
	size_t i;

	if (len > LABEL_MAX)
		return "a label of more than 63 bytes";
	for (i = 0; i < len; i++) {
		if (label[i] <= ' ' || label[i] > '~')
			return "a character in the label that is not printable ASCII";
	}
	return NULL;
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
		if ((why = label_check(text, (size_t)(p - text))) != NULL)
			return why;
		url->label = (struct slice){ text, (size_t)(p - text) };
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
