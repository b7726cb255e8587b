/*
 * pam: checks one password by PAM (service "smtp"), says so with one byte,
 * ends.  Started by spawn.
 *
 *   runs as  root, in /: the modules of PAM read what only root may
 *   holds    one user's name and password, for the time of the check
 *   asks     nobody; lookup is at the other end of its standard input
 *   never    reads a configuration or a message, lives longer than the check
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <errno.h>
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"

#define SERVICE      "smtp"
#define PASSWORD_MAX 1024
#define LIFE         18 /* seconds; spawn ends us soon after */

/* What lookup is told. */
enum { IS_GOOD = '0', IS_NOT = '1', NOBODY_KNOWS = '2' };

/* user NUL password NUL */
struct asked {
	char bytes[ADDR_MAX + 1 + PASSWORD_MAX + 1];
	size_t len;
	const char *user, *password;
};

/* ---- the question ---- */

/* Whole when its second NUL has come. */
static bool
is_whole(struct asked *q)
{
	const char *nul = memchr(q->bytes, '\0', q->len);
	size_t used = nul == NULL ? 0 : (size_t)(nul - q->bytes) + 1;

	if (nul == NULL || memchr(nul + 1, '\0', q->len - used) == NULL)
		return false;
	q->user = q->bytes;
	q->password = nul + 1;
	return true;
}

static bool
read_question(struct asked *q)
{
	ssize_t n;

	while (!is_whole(q) && q->len < sizeof q->bytes) {
		/* Blocks: alarm(2) is the deadline. */
		n = read(STDIN_FILENO, q->bytes + q->len,
		    sizeof q->bytes - q->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		q->len += (size_t)n;
	}
	return q->password != NULL;
}

/* ---- the conversation ---- */

/* Only the password is ours to give; what a module wants to show is shown to
 * nobody. */
static int
converse(int n, const struct pam_message **msg, struct pam_response **out,
    void *arg)
{
	const struct asked *q = arg;
	struct pam_response *r;
	int i;

	if (n <= 0 || n > PAM_MAX_NUM_MSG ||
	    (r = calloc((size_t)n, sizeof *r)) == NULL)
		return PAM_CONV_ERR;
	for (i = 0; i < n; i++) {
		if (msg[i]->msg_style == PAM_ERROR_MSG ||
		    msg[i]->msg_style == PAM_TEXT_INFO)
			continue;
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF &&
		    (r[i].resp = strdup(q->password)) != NULL)
			continue;
		while (i-- > 0)
			free(r[i].resp);
		free(r);
		return PAM_CONV_ERR;
	}
	*out = r;
	return PAM_SUCCESS;
}

/* Failures cost the client a delay already, and a helper is one of few. */
static void
no_delay(int rc, unsigned int usec, void *arg)
{
	(void)rc;
	(void)usec;
	(void)arg;
}

/* What PAM says of a user and not of itself. */
static const int refusals[] = { PAM_AUTH_ERR, PAM_USER_UNKNOWN, PAM_MAXTRIES,
	PAM_PERM_DENIED, PAM_ACCT_EXPIRED, PAM_NEW_AUTHTOK_REQD,
	PAM_AUTHTOK_EXPIRED };

static char
meaning(int rc)
{
	size_t i;

	if (rc == PAM_SUCCESS)
		return IS_GOOD;
	for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		if (refusals[i] == rc)
			return IS_NOT;
	}
	return NOBODY_KNOWS;
}

static char
check(struct asked *q)
{
	struct pam_conv conv = { converse, q };
	pam_handle_t *pam = NULL;
	int rc = pam_start(SERVICE, q->user, &conv, &pam);

	if (rc != PAM_SUCCESS)
		return NOBODY_KNOWS;
	pam_set_item(pam, PAM_FAIL_DELAY, (const void *)no_delay);
	rc = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (rc == PAM_SUCCESS)
		rc = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	pam_end(pam, rc);
	return meaning(rc);
}

int
main(void)
{
	struct asked q = { 0 };
	struct rlimit none = { 0, 0 };
	char said = NOBODY_KNOWS;

	alarm(LIFE);
	closefrom(STDERR_FILENO + 1);
	/* No core file may hold what is asked here. */
	if (setrlimit(RLIMIT_CORE, &none) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		_exit(71);
	if (read_question(&q))
		said = check(&q);
	explicit_bzero(&q, sizeof q);
	/* The other end may be gone: then nobody needs to know. */
	(void)!write(STDOUT_FILENO, &said, 1);
	return 0;
}
