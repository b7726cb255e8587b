/*
 * The tables of the SMTP client.  Used by deliver.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_parts.h"

const struct client_row client_table[CLIENT_SAYS] = {
#define X(name, what, stage, wait, on2, on3, on4, on5)                         \
	[SAID_##name] = { what, STAGE_##stage, wait,                           \
		{ DO_##on2, DO_##on3, DO_##on4, DO_##on5 } },
	CLIENT_TABLE(X)
#undef X
};

/* clang-format off */
/* Columns: keyword, flag, who reads its parameters. */
const struct client_ext client_exts[] = {
	{ "PIPELINING", EXT_PIPELINING, NULL },
	{ "SIZE", EXT_SIZE, client_size },
	{ "8BITMIME", EXT_8BITMIME, NULL },
	{ "STARTTLS", EXT_STARTTLS, NULL },
	{ "DSN", EXT_DSN, NULL },
	{ "SMTPUTF8", EXT_SMTPUTF8, NULL },
	{ "CHUNKING", EXT_CHUNKING, NULL },
	{ "BINARYMIME", EXT_BINARYMIME, NULL },
	{ "LIMITS", EXT_LIMITS, client_limits },
};
/* clang-format on */

const unsigned int client_n_exts = sizeof client_exts / sizeof client_exts[0];
