/*
 * The places of places.h.  The Makefile gives the macros, to this file alone,
 * and makes it anew when one of them has changed.
 *
 * SPDX-License-Identifier: ISC
 */
#include "places.h"

const char places_conf[] = CONFDIR "/smtpd.conf";
const char places_run[] = RUNDIR;
const char places_spool[] = SPOOLDIR;
const char places_sbin[] = SBINDIR;
const char places_libexec[] = LIBEXECDIR;
