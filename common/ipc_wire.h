/*
 * What ipc.c shares with ipc_wire.c: the table of messages as an array, and
 * single messages to and from the kernel.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_WIRE_H
#define COMMON_IPC_WIRE_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc.h"

/* Columns: name, size of the body, from, to, descriptor, answer. */
struct ipc_row {
	const char *name;
	size_t size;
	enum proc_kind from, to;
	enum ipc_fd fd;
	enum ipc_type answer;
};

extern const struct ipc_row ipc_rows[IPC_TYPES];

/* Room for one descriptor beside a message. */
union ipc_control {
	struct cmsghdr hdr;
	char buf[CMSG_SPACE(sizeof(int))];
};

/* One message to the kernel, header and body (len may be 0), with a
 * descriptor unless fd is -1.  0, or -1 and errno. */
int ipc_put(int sock, const void *hdr, size_t hdr_len, const void *body,
    size_t len, int fd, int flags);

/* The descriptor that came with a message, -1 for none. */
int ipc_control_fd(struct msghdr *m);

/* NULL if the message may come here from this peer, else the rule it broke.
 * got: bytes that came; body is behind the header. */
const char *ipc_check(const struct ipc_chan *c, const struct ipc_hdr *hdr,
    size_t got, const uint8_t *body, bool has_fd);

/* Whether bodies of this type hold secrets: no copy of them stays. */
bool ipc_is_secret(enum ipc_type type);

/* Whether the type is an answer to some question. */
bool ipc_is_answer(enum ipc_type type);

#endif
