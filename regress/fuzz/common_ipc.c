/*
 * ipc_check(): what passes is a message of the table, from who may send it to
 * who may get it, and its texts end.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "ipc_wire.h"

/* Columns: type, offset and size of a text. */
static const struct {
	enum ipc_type type;
	size_t off, size;
} texts[] = {
#define X(NAME, name, field)                                                   \
	{ IPC_##NAME, offsetof(struct name, field),                            \
		sizeof(((struct name *)0)->field) },
	IPC_TEXT(X)
#undef X
};

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	struct ipc_chan c = { .peer = fuzz_byte(&all) % PROC_KINDS,
		.me = fuzz_byte(&all) % PROC_KINDS };
	struct ipc_hdr hdr = { .type = fuzz_byte(&all) };
	uint8_t choice = fuzz_byte(&all);
	bool has_fd = choice & 1, fits = choice & 2;
	size_t size = all.len, i;
	uint8_t *body;

	if (fits && hdr.type < IPC_TYPES)
		size = ipc_rows[hdr.type].size;
	body = calloc(1, size + 1);
	memcpy(body, all.p, all.len < size ? all.len : size);
	body = realloc(body, size == 0 ? 1 : size);
	hdr.len = (uint32_t)size + (choice >> 6);
	if (ipc_check(&c, &hdr, sizeof hdr + size, body, has_fd) == NULL) {
		const struct ipc_row *row = &ipc_rows[hdr.type];

		MUST(hdr.type > IPC_NONE && hdr.type < IPC_TYPES);
		MUST(size == row->size && hdr.len == size);
		MUST(row->from == PROC_ANY || row->from == c.peer);
		MUST(row->to == PROC_ANY || row->to == c.me);
		MUST(ipc_name(hdr.type)[0] != '?');
		for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
			MUST(texts[i].type != hdr.type ||
			    strnlen((char *)body + texts[i].off,
				texts[i].size) < texts[i].size);
	}
	MUST(ipc_check(&c, &hdr, sizeof hdr - 1 - choice % 16, body, has_fd) !=
	    NULL);
	free(body);
	return 0;
}
