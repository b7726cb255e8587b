/*
 * Domains of any script to the form of DNS, by libidn2.  Runs where
 * configuration and addresses are read; keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "idn.h"

#include <ctype.h>
#include <idn2.h>
#include <string.h>

/* In lower case; false: it has bytes that are not ASCII. */
static bool
lower_ascii(struct slice in, char out[DOMAIN_MAX + 1])
{
	size_t i;

	for (i = 0; i < in.len; i++) {
		if ((unsigned char)in.p[i] >= 0x80)
			return false;
		out[i] = (char)tolower((unsigned char)in.p[i]);
	}
	out[i] = '\0';
	return true;
}

/*
 * UTS 46 makes '>', '@' or a blank of their wide forms.  What was there before
 * is for others to judge, who did so; what comes out of it they have not seen.
 */
static bool
is_new_sign(const char *in, char c)
{
	return !isalnum((unsigned char)c) && strchr("-._", c) == NULL &&
	    strchr(in, c) == NULL;
}

/* False: it has a sign that no name has, and that the name in has not. */
static bool
is_clean(const char *in, const char *ascii)
{
	for (; *ascii != '\0'; ascii++) {
		if (is_new_sign(in, *ascii))
			return false;
	}
	return true;
}

const char *
idn_domain(struct slice in, char out[DOMAIN_MAX + 1])
{
	char name[DOMAIN_MAX * 4 + 1], *ascii;
	int rc;

	out[0] = '\0';
	if (in.len == 0)
		return "which is empty";
	if (memchr(in.p, '\0', in.len) != NULL)
		return "which has a NUL byte";
	if (in.len <= DOMAIN_MAX && lower_ascii(in, out))
		return NULL;
	out[0] = '\0';
	/* UTF-8 is at most four bytes for what may be one of a label. */
	if (!slice_copy(in, name, sizeof(name)))
		return "which is too long for a domain";
	rc = idn2_to_ascii_8z(name, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return "which is no name that DNS can have (RFC 5891)";
	if (strlen(ascii) > DOMAIN_MAX) {
		idn2_free(ascii);
		return "which is too long for a domain";
	}
	if (!is_clean(name, ascii)) {
		idn2_free(ascii);
		return "which is no name that DNS can have (RFC 5891)";
	}
	memcpy(out, ascii, strlen(ascii) + 1);
	idn2_free(ascii);
	return NULL;
}
