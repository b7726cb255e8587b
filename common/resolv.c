/*
 * Reading resolv.conf(5), from a descriptor that the parent opened.  Used by
 * deliver and guard.  Never opens a path.
 *
 * SPDX-License-Identifier: ISC
 */
#include "resolv.h"

#include <arpa/inet.h>

#include <string.h>
#include <unistd.h>

#include "num.h"

#define DNS_PORT   53
#define RESOLV_MAX 16384 /* bytes of a file that are read */

bool
resolv_address(struct slice text, uint16_t port, struct dns_server *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->ss;
	char ip[IP_TEXT_MAX + 1], *scope;
	uint64_t n = 0;

	memset(out, 0, sizeof *out);
	if (!slice_copy(text, ip, sizeof ip))
		return false;
	if ((scope = strchr(ip, '%')) != NULL) {
		*scope++ = '\0';
		if (num_parse(scope, 0, UINT32_MAX, &n) != NULL)
			n = 0; /* a name of an interface: routing decides */
	}
	if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		out->len = sizeof *in;
		return true;
	}
	if (inet_pton(AF_INET6, ip, &in6->sin6_addr) != 1)
		return false;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_scope_id = (uint32_t)n;
	out->len = sizeof *in6;
	return true;
}

/* Cuts the front off s, up to one of the bytes in ends. */
static struct slice
cut(struct slice *s, const char *ends)
{
	struct slice word = { s->p, 0 };

	while (word.len < s->len && strchr(ends, s->p[word.len]) == NULL)
		word.len++;
	s->p += word.len;
	s->len -= word.len;
	return word;
}

unsigned int
resolv_parse(struct slice text, struct dns_server *out, unsigned int max)
{
	struct slice line, word;
	unsigned int n = 0;

	while (text.len > 0 && n < max) {
		line = cut(&text, "\n");
		if (text.len > 0) {
			text.p++;
			text.len--;
		}
		word = cut(&line, " \t");
		if (!slice_eq(word, SLICE("nameserver")))
			continue;
		line = slice_trim(line);
		word = cut(&line, " \t\r#;");
		if (resolv_address(word, DNS_PORT, &out[n]))
			n++;
	}
	if (n == 0 && max > 0 &&
	    resolv_address(SLICE("127.0.0.1"), DNS_PORT, &out[0]))
		n = 1;
	return n;
}

unsigned int
resolv_read(int fd, struct dns_server *out, unsigned int max)
{
	char text[RESOLV_MAX];
	ssize_t n = fd == -1 ? 0 : pread(fd, text, sizeof text, 0);

	return resolv_parse((struct slice){ text, n > 0 ? (size_t)n : 0 }, out,
	    max);
}

bool
resolv_conf(const struct conf *c, struct dns_server *out)
{
	if (c->resolver.ss_family == 0)
		return false;
	*out = (struct dns_server){ .ss = c->resolver };
	out->len = c->resolver.ss_family == AF_INET6 ?
	    sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);
	return true;
}
