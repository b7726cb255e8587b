/*
 * The tables of the SMTP client.  Used by deliver.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_table.h"

const struct client_row client_table[CLIENT_SAYS] = {
#define X(name, what, wait, on2, on3, on4, on5)                                \
	[SAID_##name] = { what, wait,                                          \
		{ DO_##on2, DO_##on3, DO_##on4, DO_##on5 } },
	CLIENT_TABLE(X)
#undef X
};

const struct client_ext client_exts[] = {
	{ "PIPELINING", EXT_PIPELINING },
	{ "SIZE", EXT_SIZE },
	{ "8BITMIME", EXT_8BITMIME },
	{ "STARTTLS", EXT_STARTTLS },
	{ "DSN", EXT_DSN },
	{ "SMTPUTF8", EXT_SMTPUTF8 },
	{ "CHUNKING", EXT_CHUNKING },
	{ "BINARYMIME", EXT_BINARYMIME },
};

const unsigned int client_n_exts = sizeof client_exts / sizeof client_exts[0];
