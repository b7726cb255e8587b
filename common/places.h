/*
 * Where an installed Postern keeps what it has, as `make` was told: see
 * "where things go" in the Makefile.  `-R dir` of the programs says otherwise.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_PLACES_H
#define COMMON_PLACES_H

extern const char places_conf[];    /* the configuration, a file */
extern const char places_run[];     /* sockets, the pid file */
extern const char places_spool[];   /* the queue */
extern const char places_sbin[];    /* smtpd(8), sendmail(8), smtpctl(8) */
extern const char places_libexec[]; /* the programs of the processes */

#endif
