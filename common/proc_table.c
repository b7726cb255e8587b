/*
 * The table of processes as an array.
 *
 * SPDX-License-Identifier: ISC
 */
#include "proc_table.h"

const struct proc_row proc_table[PROC_KINDS] = {
#define X(name, program, user, root, count, net, trust, check, files, tasks)   \
	[PROC_##name] = { program, user, root, count, net, trust, check,       \
		files, tasks },
	PROC_TABLE(X)
#undef X
};
