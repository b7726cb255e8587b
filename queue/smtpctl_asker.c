/*
 * The DNS and a message, for verbs that look at who sent it.  Run by an
 * operator; asks the name servers that it was told and no others, and runs
 * smtpd(8) to read a configuration, which nothing else does.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtpctl_asker.h"

#include <sys/wait.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "num.h"
#include "places.h"
#include "resolv.h"

enum {
	DNS_PORT = 53,
	TIMEOUT_MS = 10000, /* as `resolver` has it */
	ACTIVE_MAX = 64,    /* questions under way */
	PIECE = 32768
};

/* ---- which servers ---- */

bool
asker_server(const char *text, struct dns_server *out)
{
	struct slice host = slice_of(text);
	const char *colon = strrchr(text, ':');
	uint64_t port = DNS_PORT;

	/* An IPv6 address without a port has several. */
	if (colon != NULL &&
	    (text[0] == '[' ? colon > text && colon[-1] == ']' :
			      colon == strchr(text, ':'))) {
		if (num_parse(colon + 1, 1, UINT16_MAX, &port) != NULL)
			return false;
		host.len = (size_t)(colon - text);
	}
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
		host.p++;
		host.len -= 2;
	}
	return resolv_address(host, (uint16_t)port, out);
}

bool
asker_program(const char *name, char *out, size_t size)
{
	char *slash;
	ssize_t n = readlink("/proc/self/exe", out, size - 1);

	if (n > 0) {
		out[n] = '\0';
		if ((slash = strrchr(out, '/')) != NULL &&
		    (size_t)(slash - out) + strlen(name) + 2 <= size) {
			memcpy(slash + 1, name, strlen(name) + 1);
			if (access(out, X_OK) == 0)
				return true;
		}
	}
	n = snprintf(out, size, "%s/%s", places_sbin, name);
	return n > 0 && (size_t)n < size;
}

/* What `smtpd -P resolver` prints.  0, or an exit status, and smtpd has said
 * why. */
static int
read_conf(const char *conf, char *out, size_t size)
{
	char path[PATH_MAX];
	char *const argv[] = { (char *)"smtpd", (char *)"-P",
		(char *)"resolver", (char *)"-f", (char *)conf, NULL };
	extern char **environ;
	posix_spawn_file_actions_t act;
	size_t len = 0;
	int fd[2], error, status = 0;
	ssize_t n;
	pid_t pid;

	if (!asker_program("smtpd", path, sizeof path) ||
	    pipe2(fd, O_CLOEXEC) == -1) {
		warn("smtpd");
		return EX_OSERR;
	}
	posix_spawn_file_actions_init(&act);
	posix_spawn_file_actions_adddup2(&act, fd[1], STDOUT_FILENO);
	error = posix_spawn(&pid, path, &act, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&act);
	close(fd[1]);
	while (error == 0 && len < size - 1 &&
	    ((n = read(fd[0], out + len, size - 1 - len)) > 0 ||
		(n == -1 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	out[len] = '\0';
	close(fd[0]);
	if (error != 0) {
		warnx("%s: %s", path, strerror(error));
		return EX_UNAVAILABLE;
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EX_CONFIG;
}

/* "ADDRESS PORT TIMEOUT"; false: it says nothing. */
static bool
take_conf(const char *text, struct dns_server *out, msec *timeout)
{
	char ip[IP_TEXT_MAX + 1], port[8], seconds[16];
	uint64_t n, t;

	if (sscanf(text, "%63s %7s %15s", ip, port, seconds) != 3 ||
	    num_parse(port, 1, UINT16_MAX, &n) != NULL ||
	    num_parse(seconds, 1, INT_MAX / 1000, &t) != NULL)
		return false;
	*timeout = (msec)t * 1000;
	return resolv_address(slice_of(ip), (uint16_t)n, out);
}

static unsigned int
system_servers(struct dns_server out[DNS_SERVERS_MAX])
{
	int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
	unsigned int n = resolv_read(fd, out, DNS_SERVERS_MAX);

	if (fd != -1)
		close(fd);
	return n;
}

int
asker_open(struct asker *a, const char *conf)
{
	const char *env = getenv("SMTPCTL_RESOLVER");
	struct dns_server server[DNS_SERVERS_MAX];
	char text[IP_TEXT_MAX + 32] = "";
	msec timeout = TIMEOUT_MS;
	unsigned int n = 1;
	int status;

	if (conf != NULL && (status = read_conf(conf, text, sizeof text)) != 0)
		return status;
	if (!take_conf(text, &server[0], &timeout)) {
		if (env == NULL || env[0] == '\0')
			n = system_servers(server);
		else if (!asker_server(env, &server[0])) {
			warnx("SMTPCTL_RESOLVER \"%s\": expected an address, "
			      "and maybe a port",
			    env);
			return EX_USAGE;
		}
	}
	a->loop = loop_new();
	a->dns = dns_new(a->loop, timeout, ACTIVE_MAX);
	dns_servers(a->dns, server, n);
	return 0;
}

void
asker_close(struct asker *a)
{
	dns_free(&a->dns);
	loop_free(&a->loop);
}

void
asker_wait(struct asker *a, const bool *done)
{
	while (!*done)
		event_base_loop(a->loop->base, EVLOOP_ONCE);
}

/* ---- arguments ---- */

bool
asker_address(const char *text)
{
	struct in6_addr in;

	return inet_pton(AF_INET, text, &in) == 1 ||
	    inet_pton(AF_INET6, text, &in) == 1;
}

bool
asker_rules(const char *word, enum conf_dmarc_rules *rules)
{
	static const char *const words[] = {
#define X(name, text) [DMARC_##name] = (text),
		CONF_DMARC_RULES(X)
#undef X
	};
	size_t i;

	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(words[i], word) == 0) {
			*rules = (enum conf_dmarc_rules)i;
			return true;
		}
	}
	return false;
}

bool
asker_authserv(const char *text)
{
	return text[0] != '\0' &&
	    text[strspn(text,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] ==
	    '\0';
}

const char *
asker_sender(char *text)
{
	size_t len = strlen(text);

	if (len < 2 || text[0] != '<' || text[len - 1] != '>')
		return text;
	text[len - 1] = '\0';
	return text + 1;
}

/* ---- the message ---- */

/* Adds a CR before each LF that has none; out has room for 2 * len bytes. */
static size_t
to_crlf(const uint8_t *in, size_t len, uint8_t *out, bool *was_cr)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (in[i] == '\n' && !*was_cr)
			out[n++] = '\r';
		out[n++] = in[i];
		*was_cr = in[i] == '\r';
	}
	return n;
}

bool
asker_message_raw(asker_feed *feed, asker_feed *raw, void *arg)
{
	static uint8_t in[PIECE], out[2 * PIECE];
	bool was_cr = false;
	ssize_t n;

	for (;;) {
		n = read(STDIN_FILENO, in, sizeof in);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (raw != NULL)
			raw(arg, in, (size_t)n);
		feed(arg, out, to_crlf(in, (size_t)n, out, &was_cr));
	}
	if (n == -1)
		warn("standard input");
	return n == 0;
}

bool
asker_message(asker_feed *feed, void *arg)
{
	return asker_message_raw(feed, NULL, arg);
}

/* ---- what is printed ---- */

int
asker_status(enum auth_result r)
{
	if (r == RES_PASS)
		return 0;
	return r == RES_TEMPERROR ? EX_TEMPFAIL : 1;
}

void
asker_put(struct smtpctl *c, const char *text)
{
	for (; *text != '\0'; text++)
		buf_add(&c->out, *text >= ' ' && *text < 127 ? text : "?", 1);
}
