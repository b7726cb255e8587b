/*
 * Messages as they cross a SOCK_SEQPACKET socket: what each row of the table
 * looks like, what a receiver checks.  Used by ipc.c, and by smtpctl, which
 * has no loop.
 *
 * SPDX-License-Identifier: ISC
 */
#include "ipc_wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const struct ipc_row ipc_rows[IPC_TYPES] = {
#define X(NAME, name, from, to, fd, answer)                                    \
	[IPC_##NAME] = { #name, sizeof(struct name), PROC_##from, PROC_##to,   \
		fd, IPC_##answer },
	IPC_TABLE(X)
#undef X
};

#define X(NAME, name, ...)                                                     \
	_Static_assert(sizeof(struct name) + sizeof(struct ipc_hdr) <=         \
		IPC_MAX,                                                       \
	    "a message is at most 4 KiB");
IPC_TABLE(X)
#undef X

/* Columns: type, offset and size of a text in its body. */
struct text_row {
	enum ipc_type type;
	size_t off, size;
};

static const struct text_row texts[] = {
#define X(NAME, name, field)                                                   \
	{ IPC_##NAME, offsetof(struct name, field),                            \
		sizeof(((struct name *)0)->field) },
	IPC_TEXT(X)
#undef X
};

const char *
ipc_name(enum ipc_type type)
{
	return type > IPC_NONE && type < IPC_TYPES ? ipc_rows[type].name : "?";
}

/* To be counted up when a message or a row of the configuration means another
 * thing, and neither its name nor its size says so. */
static const char meaning[] = "postern-ipc-1";

/* Columns: sizes of what is in the image of the configuration. */
static const size_t images[] = { sizeof(struct conf), sizeof(struct conf_table),
	sizeof(struct conf_entry), sizeof(struct conf_pki),
	sizeof(struct conf_ca), sizeof(struct conf_proc),
	sizeof(struct conf_filter), sizeof(struct conf_listen),
	sizeof(struct conf_action), sizeof(struct conf_host),
	sizeof(struct conf_match), sizeof(struct conf_cond),
	sizeof(struct conf_dkim), sizeof(struct conf_retry),
	sizeof(struct conf_step), sizeof(struct conf_limit),
	sizeof(struct conf_other), sizeof(struct conf_oauth),
	sizeof(struct conf_dnslist), sizeof(struct conf_tls),
	sizeof(struct conf_token) };

/* FNV-1a */
static uint64_t
mix(uint64_t hash, const void *p, size_t len)
{
	const uint8_t *byte = p;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3;
	return hash;
}

uint64_t
ipc_hash(void)
{
	const struct ipc_row *row;
	uint64_t hash = 0xcbf29ce484222325, n[5];
	enum ipc_type t;
	unsigned int k;

	hash = mix(hash, meaning, sizeof meaning);
	hash = mix(hash, images, sizeof images);
	for (t = IPC_NONE + 1; t < IPC_TYPES; t++) {
		row = &ipc_rows[t];
		n[0] = row->size;
		n[1] = row->from;
		n[2] = row->to;
		n[3] = row->fd;
		n[4] = row->answer;
		hash = mix(hash, row->name, strlen(row->name));
		hash = mix(hash, n, sizeof n);
	}
	for (k = 0; k < PROC_KINDS; k++)
		hash = mix(hash, proc_table[k].program,
		    strlen(proc_table[k].program));
	return hash;
}

bool
ipc_related(enum proc_kind a, enum proc_kind b)
{
	enum ipc_type t;

	for (t = IPC_NONE + 1; t < IPC_TYPES; t++) {
		if ((ipc_rows[t].from == a && ipc_rows[t].to == b) ||
		    (ipc_rows[t].from == b && ipc_rows[t].to == a))
			return true;
	}
	return false;
}

/* One message to the kernel; errno when -1. */
int
ipc_put(int sock, const void *hdr, size_t hdr_len, const void *body, size_t len,
    int fd, int flags)
{
	struct iovec iov[2] = {
		{ .iov_base = (void *)hdr, .iov_len = hdr_len },
		{ .iov_base = (void *)body, .iov_len = len },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len == 0 ? 1 : 2 };
	union ipc_control control;
	struct cmsghdr *c;
	ssize_t n;

	if (fd != -1) {
		memset(&control, 0, sizeof control);
		m.msg_control = control.buf;
		m.msg_controllen = sizeof control.buf;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	do
		n = sendmsg(sock, &m, MSG_EOR | MSG_NOSIGNAL | flags);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

const char *
ipc_check(const struct ipc_chan *c, const struct ipc_hdr *hdr, size_t got,
    const uint8_t *body, bool has_fd)
{
	const struct ipc_row *row;
	size_t i;

	if (got < sizeof *hdr)
		return "shorter than a header";
	if (hdr->type <= IPC_NONE || hdr->type >= IPC_TYPES)
		return "no such message";
	row = &ipc_rows[hdr->type];
	if (row->from != PROC_ANY && row->from != c->peer)
		return "not its message to send";
	if (row->to != PROC_ANY && row->to != c->me)
		return "not for us";
	if (hdr->len != row->size || got != sizeof *hdr + row->size)
		return "wrong length";
	if ((row->fd == IPC_FD && !has_fd) || (row->fd == IPC_NOFD && has_fd))
		return "a descriptor too many or too few";
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (texts[i].type == hdr->type &&
		    memchr(body + texts[i].off, '\0', texts[i].size) == NULL)
			return "a text without end";
	}
	return NULL;
}

bool
ipc_is_secret(enum ipc_type type)
{
	return type == IPC_AUTH_DATA || type == IPC_TICKET_KEY ||
	    type == IPC_SASL_ASK || type == IPC_SASL_DATA ||
	    type == IPC_SASL_IS;
}

bool
ipc_is_answer(enum ipc_type type)
{
	enum ipc_type t;

	for (t = IPC_NONE + 1; t < IPC_TYPES; t++) {
		if (ipc_rows[t].answer == type)
			return true;
	}
	return false;
}

int
ipc_control_fd(struct msghdr *m)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd, first = -1;

	for (c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		/* A message has at most one; what else came is not kept. */
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof fd;
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (first == -1)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

/* ---- blocking: before the loop runs, and in smtpctl ---- */

long
ipc_recv_block(int sock, enum ipc_type *type, void *body, size_t size, int *fd)
{
	_Alignas(16) uint8_t bytes[IPC_MAX];
	struct iovec iov = { .iov_base = bytes, .iov_len = sizeof bytes };
	union ipc_control control;
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof control.buf };
	struct ipc_hdr hdr;
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return n;
	*fd = ipc_control_fd(&m);
	if ((size_t)n >= sizeof hdr)
		memcpy(&hdr, bytes, sizeof hdr);
	if ((size_t)n < sizeof hdr || hdr.type <= IPC_NONE ||
	    hdr.type >= IPC_TYPES || hdr.len != ipc_rows[hdr.type].size ||
	    (size_t)n != sizeof hdr + hdr.len || hdr.len > size) {
		if (*fd != -1)
			close(*fd);
		*fd = -1;
		errno = EPROTO;
		return -1;
	}
	memcpy(body, bytes + sizeof hdr, hdr.len);
	*type = hdr.type;
	return (long)hdr.len;
}

bool
ipc_send_block(int sock, enum ipc_type type, const void *body, int fd)
{
	struct ipc_hdr hdr = { .type = type,
		.len = (uint32_t)ipc_rows[type].size };

	return ipc_put(sock, &hdr, sizeof hdr, body, hdr.len, fd, 0) == 0;
}
