/*
 * A folder of DKIM keys (`dkim domain D keys DIR` of smtpd.conf(5)): what is
 * in it, and what changes when keys are rotated.
 *
 *	SELECTOR.key    signs
 *	SELECTOR.next   is made, and does not sign yet
 *	SELECTOR.old    has signed; its record must stay for a while
 *
 * Of several .key of one algorithm the newest is to sign; the others are what
 * a run that was cut off has left.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_DKIM_FOLDER_H
#define QUEUE_SMTPCTL_DKIM_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "smtpctl_dkim.h"

#define DKIM_KEYS_MAX 64

enum dkim_state { DKIM_NEXT, DKIM_KEY, DKIM_OLD, DKIM_STATES };

struct dkim_file {
	char selector[DOMAIN_MAX + 1];
	enum dkim_state state;
	const char *alg;           /* "rsa", "ed25519" */
	char b64[DKIM_BASE64_MAX]; /* p= of its record */
	int64_t began;             /* to be in this state, at the latest */
	int64_t made;              /* nanoseconds, to find the newest */
	bool gone;                 /* removed by us */
};

struct dkim_folder {
	int fd; /* the folder */
	const char *path;
	uint32_t n;
	struct dkim_file file[DKIM_KEYS_MAX]; /* in the order of their names */
};

/* Opens, locks and reads it.  0, or an exit status; why is on stderr. */
int dkim_folder_open(struct dkim_folder *f, const char *path);
void dkim_folder_close(struct dkim_folder *f);

/* "SELECTOR.next", from the folder on.  size: DOMAIN_MAX + 8 at least. */
#define DKIM_NAME_MAX (DOMAIN_MAX + 8)
const char *dkim_file_name(const char *selector, enum dkim_state state,
    char out[DKIM_NAME_MAX]);

/* Whether a key of this algorithm (NULL: any) stands there in this state. */
bool dkim_folder_has(const struct dkim_folder *f, enum dkim_state state,
    const char *alg);

/* Makes a key that is to sign next, with a selector of its own: the date, a
 * letter, and a number where that is taken.  0, or an exit status. */
int dkim_folder_make(struct dkim_folder *f, const char *alg, int64_t now);

/*
 * Each NEXT becomes KEY, and then each KEY but the newest of its algorithm
 * OLD: whatever ends this half-way, some key signs, and dkim_folder_retire()
 * goes on.  0, or an exit status.
 */
int dkim_folder_activate(struct dkim_folder *f);

/* Whether it would do something. */
bool dkim_folder_unfinished(const struct dkim_folder *f);

/* Removes a file that is OLD.  0, or an exit status. */
int dkim_folder_remove(struct dkim_folder *f, struct dkim_file *file);

#endif
