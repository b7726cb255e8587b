/*
 * Routes as queue names them, and whether one leads back to ourselves.  Used
 * by deliver.  Asks no DNS.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mx.h"

#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "helo.h"
#include "idn.h"
#include "num.h"
#include "resolv.h"
#include "smtp_addr.h"

#define SMTP_PORT 25

/* ---- routes ---- */

/* By enum conf_scheme. */
static const char *const schemes[] = {
#define X(name, word) [SCHEME_##name] = (word),
	CONF_SCHEMES(X)
#undef X
};

/* "[...]" or a bare address becomes an address as text, a name one of DNS. */
static const char *
name_of(struct mx_route *r)
{
	struct dns_server server;
	struct slice name = slice_of(r->name);
	char ip[IP_TEXT_MAX + 1], ascii[DOMAIN_MAX + 1];
	const char *why = NULL;

	if (r->name[0] == '[') {
		if (name.len > 2 && r->name[name.len - 1] == ']' &&
		    resolv_address((struct slice){ name.p + 1, name.len - 2 },
			0, &server)) {
			r->name[name.len - 1] = '\0';
			memmove(r->name, r->name + 1, name.len - 1);
		} else if ((why = smtp_literal_parse(name, ip)) == NULL)
			strlcpy(r->name, ip, sizeof r->name);
		r->literal = why == NULL;
		return why;
	}
	r->literal = resolv_address(name, 0, &server);
	if (r->literal)
		return NULL;
	/* DNS is asked for A-labels alone (RFC 5890 2.3.2.1). */
	if ((why = idn_domain(name, ascii)) != NULL)
		return why;
	if (ascii[0] == '\0')
		return "a name of which nothing is left";
	strlcpy(r->name, ascii, sizeof r->name);
	return NULL;
}

static const char *
set_name(struct mx_route *r, struct slice name)
{
	if (name.len == 0 || !slice_copy(name, r->name, sizeof r->name))
		return "a name of a wrong length";
	return name_of(r);
}

const char *
mx_url_parse(const char *url, struct mx_route *r)
{
	const size_t n = sizeof schemes / sizeof schemes[0];
	const char *p = strstr(url, "://"), *at, *colon, *why;
	struct slice scheme = { url, p == NULL ? 0 : (size_t)(p - url) };
	uint64_t port;
	size_t i;

	memset(r, 0, sizeof *r);
	for (i = 0; i < n && !slice_eq(scheme, slice_of(schemes[i])); i++)
		;
	if (i == n)
		return "a host of no scheme that is known";
	r->scheme = (uint8_t)i;
	p += strlen("://");
	if ((at = strrchr(p, '@')) != NULL) {
		if (!slice_copy((struct slice){ p, (size_t)(at - p) }, r->label,
			sizeof r->label))
			return "a label that is too long";
		p = at + 1;
	}
	if ((colon = strrchr(p, ':')) == NULL)
		return "a host without a port";
	if ((why = num_parse(colon + 1, 1, UINT16_MAX, &port)) != NULL)
		return why;
	r->port = (uint16_t)port;
	return set_name(r, (struct slice){ p, (size_t)(colon - p) });
}

const char *
mx_route_parse(const char *text, struct mx_route *r)
{
	static const char mx[] = "mx:", host[] = "host:", list[] = "hosts:",
			  lmtp[] = "lmtp:";

	if (strncmp(text, host, strlen(host)) == 0)
		return mx_url_parse(text + strlen(host), r);
	memset(r, 0, sizeof *r);
	r->list = strncmp(text, list, strlen(list)) == 0;
	r->lmtp = strncmp(text, lmtp, strlen(lmtp)) == 0;
	if (r->list || r->lmtp)
		return NULL;
	if (strncmp(text, mx, strlen(mx)) != 0)
		return "a route of no kind that is known";
	r->mx = true;
	return set_name(r, slice_of(text + strlen(mx)));
}

const char *
mx_route_server(const struct conf *conf, uint32_t action, struct mx_route *r)
{
	const struct conf_action *a = CONF_ACTION(conf, action);
	const char *arg = conf_text(conf, a->arg), *why;
	char url[sizeof("lmtp://") + RELAY_MAX];
	int n;

	if (!r->lmtp)
		return NULL;
	if (a->method != METHOD_LMTP)
		return "the action of the route has no LMTP server";
	if (arg[0] == '/') {
		r->socket = true;
		r->scheme = SCHEME_LMTP;
		return slice_copy(slice_of(arg), r->name, sizeof r->name) ?
		    NULL :
		    "a path that is too long";
	}
	n = snprintf(url, sizeof url, "lmtp://%s", arg);
	if (n < 0 || (size_t)n >= sizeof url)
		return "a name of a wrong length";
	why = mx_url_parse(url, r);
	r->lmtp = true;
	return why;
}

bool
mx_socket(const struct mx_route *r, struct mx_addr *a)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->ss;

	memset(a, 0, sizeof *a);
	un->sun_family = AF_UNIX;
	a->len = sizeof *un;
	strlcpy(a->name, r->name, sizeof a->name);
	return strlcpy(un->sun_path, r->name, sizeof un->sun_path) <
	    sizeof un->sun_path;
}

/* ---- ourselves ---- */

void
mx_self_of(const struct conf *conf, uint32_t action, struct mx_self *self)
{
	const struct conf_action *a = CONF_ACTION(conf, action);

	*self = (struct mx_self){ .conf = conf,
		.helo = conf_text(conf, a->helo),
		.port = a->port };
	if (a->backup)
		self->backup = conf_text(conf,
		    a->backup_mx != 0 ? a->backup_mx : conf->hostname);
}

bool
mx_own_name(const struct mx_self *self, const char *name)
{
	const struct conf *c = self->conf;
	uint32_t i;

	if (name[0] == '\0')
		return false;
	if (strcasecmp(name, conf_text(c, c->hostname)) == 0 ||
	    (self->helo != NULL && strcasecmp(name, self->helo) == 0) ||
	    (self->helos != NULL && helo_is_ours(self->helos, name)))
		return true;
	for (i = 0; i < c->listen.n; i++) {
		if (strcasecmp(name,
			conf_text(c, CONF_LISTEN(c, i)->hostname)) == 0)
			return true;
	}
	return false;
}

/* The address without its port; a mapped one as the IPv4 address it means.
 * Returns its length, 0 if there is none. */
static size_t
addr_bytes(const struct sockaddr_storage *ss, uint8_t out[16])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	switch (ss->ss_family) {
	case AF_INET:
		memcpy(out, &in->sin_addr, 4);
		return 4;
	case AF_INET6:
		memcpy(out, &in6->sin6_addr, 16);
		if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			return 16;
		memmove(out, out + 12, 4);
		return 4;
	default:
		return 0;
	}
}

static uint16_t
addr_port(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

	/* Both families keep it in the same place. */
	return ntohs(in->sin_port);
}

static bool
addr_any(const uint8_t *a, size_t len)
{
	static const uint8_t zero[16];

	return memcmp(a, zero, len) == 0;
}

static bool
addr_loopback(const uint8_t *a, size_t len)
{
	return len == 4 ? a[0] == 127 : a[15] == 1 && addr_any(a, 15);
}

/* An address of this host, as the parent found them. */
static bool
addr_local(const struct conf *c, const uint8_t *a, size_t len)
{
	struct dns_server have;
	uint8_t bytes[16];
	const char *text;
	uint32_t i;

	if (addr_loopback(a, len))
		return true;
	for (i = 0; i < c->local_addr.n; i++) {
		text = conf_text(c, CONF_ENTRY(c, c->local_addr, i)->key);
		if (resolv_address(slice_of(text), 0, &have) &&
		    addr_bytes(&have.ss, bytes) == len &&
		    memcmp(bytes, a, len) == 0)
			return true;
	}
	return false;
}

/* "This network", multicast and reserved are nobody's. */
static bool
usable4(const uint8_t *a)
{
	return a[0] != 0 && a[0] < 224;
}

bool
mx_usable(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	uint8_t a[16];

	switch (addr_bytes(ss, a)) {
	case 4:
		return usable4(a);
	case 16:
		return !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) &&
		    !IN6_IS_ADDR_MULTICAST(&in6->sin6_addr) &&
		    !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) &&
		    !IN6_IS_ADDR_V4COMPAT(&in6->sin6_addr);
	default:
		return false;
	}
}

bool
mx_own_addr(const struct mx_self *self, const struct sockaddr_storage *ss)
{
	const struct conf *c = self->conf;
	const struct conf_listen *l;
	uint8_t a[16], there[16];
	size_t len = addr_bytes(ss, a), n;
	bool local = addr_local(c, a, len);
	uint32_t i;

	/* RFC 5321 5.1 speaks of hosts; where it names another port on this
	 * host, it is another server. */
	if (local && addr_port(ss) == SMTP_PORT)
		return true;
	for (i = 0; i < c->listen.n; i++) {
		l = CONF_LISTEN(c, i);
		if (l->local || addr_port(&l->ss) != addr_port(ss))
			continue;
		n = addr_bytes(&l->ss, there);
		if ((n != 0 && addr_any(there, n) && local) ||
		    (n == len && memcmp(there, a, len) == 0))
			return true;
	}
	return false;
}

const char *
mx_addr_print(const struct mx_addr *a, char *out)
{
	char ip[INET6_ADDRSTRLEN] = "";
	uint8_t bytes[16];
	size_t len = addr_bytes(&a->ss, bytes);

	if (a->ss.ss_family == AF_UNIX) {
		snprintf(out, RELAY_MAX + 1, "%s", a->name);
		return out;
	}
	if (len != 0)
		inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, ip, sizeof ip);
	snprintf(out, RELAY_MAX + 1, "%s[%s]:%u", a->name, ip,
	    addr_port(&a->ss));
	return out;
}
