/*
 * Where the verbs that look at who sent a message ask the DNS: what names a
 * server, and how standard input becomes content.
 *
 * SPDX-License-Identifier: ISC
 */
#include <netinet/in.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "smtpctl_asker.h"
#include "unit.h"

/* Columns: text, port; 0: it is none. */
static const struct {
	const char *text;
	unsigned int port;
} servers[] = {
	{ "127.0.0.1", 53 },
	{ "127.0.0.1:5353", 5353 },
	{ "[::1]:5353", 5353 },
	{ "[::1]", 53 },
	{ "::1", 53 },
	{ "2001:db8::53", 53 },
	{ "", 0 },
	{ ":53", 0 },
	{ "127.0.0.1:", 0 },
	{ "127.0.0.1:0", 0 },
	{ "127.0.0.1:70000", 0 },
	{ "127.0.0.1:5353x", 0 },
	{ "localhost", 0 },
	{ "[127.0.0.1", 0 },
	{ "[::1]x:53", 0 },
};

static unsigned int
port_of(const struct dns_server *s)
{
	if (s->ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&s->ss)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&s->ss)->sin_port);
}

static void
test_servers(void)
{
	struct dns_server s;
	size_t i;

	for (i = 0; i < sizeof servers / sizeof servers[0]; i++) {
		bool good = asker_server(servers[i].text, &s);

		CHECK(servers[i].text,
		    good == (servers[i].port != 0) &&
			(!good || port_of(&s) == servers[i].port));
	}
}

/* Columns: name, what is read, what becomes of it. */
static const struct {
	const char *name, *in, *out;
} messages[] = {
	{ "nothing", "", "" },
	{ "LF", "a\nb\n", "a\r\nb\r\n" },
	{ "CRLF", "a\r\nb\r\n", "a\r\nb\r\n" },
	{ "LF, no end", "a\n\n\nb", "a\r\n\r\n\r\nb" },
	{ "bare CR", "a\r\r\nb\rc\n", "a\r\r\nb\rc\r\n" },
	{ "an empty line", "\n", "\r\n" },
};

static void
collect(void *arg, const uint8_t *p, size_t len)
{
	buf_add(arg, p, len);
}

static void
test_message(void)
{
	struct buf out;
	size_t i;
	int fd[2];

	for (i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		buf_init(&out, 0);
		if (pipe2(fd, O_CLOEXEC) != 0 ||
		    write(fd[1], messages[i].in, strlen(messages[i].in)) !=
			(ssize_t)strlen(messages[i].in))
			abort();
		close(fd[1]);
		dup2(fd[0], STDIN_FILENO);
		close(fd[0]);
		CHECK(messages[i].name,
		    asker_message(collect, &out) &&
			out.len == strlen(messages[i].out) &&
			memcmp(buf_data(&out), messages[i].out, out.len) == 0);
		buf_free(&out);
	}
}

int
main(void)
{
	test_servers();
	test_message();
	return unit_end();
}
