/*
 * Source addresses.  Used by deliver.  Sends nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "source.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <unistd.h>

static socklen_t
len_of(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					   sizeof(struct sockaddr_in);
}

/* A datagram socket that is connected, from src if it is given; -1 and errno.
 * To connect one only asks the kernel for the way. */
static int
way_to(const struct sockaddr_storage *src, const struct mx_addr *to)
{
	int fd = socket(to->ss.ss_family,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd == -1)
		return -1;
	if ((src->ss_family == 0 ||
		bind(fd, (const struct sockaddr *)src, len_of(src)) == 0) &&
	    connect(fd, (const struct sockaddr *)&to->ss, to->len) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
source_try(const struct sockaddr_storage *src, const struct mx_addr *to)
{
	int fd = way_to(src, to);

	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

bool
source_of(const struct sockaddr_storage *src, const struct mx_addr *to,
    char out[IP_TEXT_MAX + 1])
{
	struct sockaddr_storage ss = *src;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;
	socklen_t len = sizeof ss;
	bool known = true;
	int fd;

	if (src->ss_family == 0) {
		if ((fd = way_to(src, to)) == -1)
			return false;
		known = getsockname(fd, (struct sockaddr *)&ss, &len) == 0;
		close(fd);
	}
	return known &&
	    inet_ntop(ss.ss_family,
		ss.ss_family == AF_INET6 ? (const void *)&in6->sin6_addr :
					   &in->sin_addr,
		out, IP_TEXT_MAX + 1) != NULL;
}
