/*
 * What smtpctl(8) understands: the dispatcher, `smtpctl help` and the check
 * of the manual read this one list.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_TABLE_H
#define QUEUE_SMTPCTL_TABLE_H

/* clang-format off */
/*
 * Columns: words, arguments, what it needs (NOTHING; SPOOL: to read the
 * spool; DAEMON: a running smtpd), verb for the daemon, function, one line.
 */
#define SMTPCTL_TABLE(X) \
	X("show queue",    "[selector] [filter ...]", SPOOL, NONE, show_queue, \
	    "list the recipients that wait") \
	X("show message",  "id", SPOOL, NONE, show_message, \
	    "print a message: envelope and content") \
	X("show envelope", "id", SPOOL, NONE, show_envelope, \
	    "print a message's envelope") \
	X("show routes",   "", SPOOL, NONE, show_routes, \
	    "list the routes that are down or held") \
	X("show status",   "", SPOOL, STATUS, show_status, \
	    "say whether it runs, and what it holds") \
	X("show greylist", "[text]", SPOOL, NONE, show_greylist, \
	    "list who has to come again, and who has") \
	X("report list",   "", SPOOL, NONE, report_list, \
	    "list what will be reported to the domains of authors") \
	X("report show",   "domain [day]", SPOOL, NONE, report_show, \
	    "print a report as it would be sent now") \
	X("report send", \
	    "[--dry-run] [--day day | --until day] [--domain domain]", \
	    SPOOL, NONE, report_send, \
	    "send the reports of days that are over") \
	X("explain", \
	    "[-v] [--from address] [--auth user] [--src ip] [--helo name] " \
	    "[--rdns name] [--tag tag] [--port port] [--tls] address", \
	    DAEMON, NONE, do_explain, \
	    "say what would become of mail for an address, and why") \
	X("trace",         "address|id", SPOOL, NONE, do_trace, \
	    "print what became of a message, or of an address's mail") \
	X("flush",         "selector", DAEMON, FLUSH, ask_selected, \
	    "try recipients now") \
	X("requeue",       "selector", DAEMON, REQUEUE, ask_selected, \
	    "try recipients now, as if they were new") \
	X("hold",          "selector", DAEMON, HOLD, ask_selected, \
	    "keep recipients, or a route, until released") \
	X("release",       "selector", DAEMON, RELEASE, ask_selected, \
	    "undo hold") \
	X("remove",        "selector", DAEMON, REMOVE, ask_selected, \
	    "forget recipients; nobody is told") \
	X("pause",         "[deliveries]", DAEMON, PAUSE, ask_plain, \
	    "start no deliveries until resumed") \
	X("resume",        "[deliveries]", DAEMON, RESUME, ask_plain, \
	    "start deliveries again") \
	X("rebuild",       "", NOTHING, REBUILD, do_rebuild, \
	    "make the index from the files") \
	X("reload",        "", DAEMON, NONE, do_reload, \
	    "read configuration, tables and keys anew") \
	X("update table",  "[name]", DAEMON, NONE, do_update, \
	    "read the file of a table, or of all, anew") \
	X("stop",          "", DAEMON, STOP, do_stop, \
	    "stop smtpd") \
	X("dkim",          "key|show|rotate|sign|verify ...", NOTHING, NONE, \
	    do_dkim, "keys that sign, and signatures of a message") \
	X("spf",           "[-c conf] ip helo mailfrom", NOTHING, NONE, do_spf, \
	    "check a client and a sender by SPF") \
	X("dmarc", \
	    "[-c conf] [-m rfc9989|rfc7489] [--spf result:domain] " \
	    "[--dkim result:domain] [--roll number] domain|-", \
	    NOTHING, NONE, do_dmarc, \
	    "check an author's domain by DMARC") \
	X("arc verify",    "[-c file]", NOTHING, NONE, do_arc_verify, \
	    "verify the chain of a message on standard input") \
	X("arc seal", \
	    "-d domain -s selector -k key -a authserv-id [-c file]", \
	    NOTHING, NONE, do_arc_seal, \
	    "print a message with a set of ARC on top of it") \
	X("auth", \
	    "[-a authserv-id] [-c conf] [-m rfc9989|rfc7489] ip helo mailfrom", \
	    NOTHING, NONE, do_auth, \
	    "say all that is found about a message on standard input") \
	X("makemap",       "[-U] [-o file] [-t map|set|aliases] [source]", \
	    NOTHING, NONE, do_makemap, \
	    "make the file of a db: table") \
	X("encrypt",       "[-m method] [password]", NOTHING, NONE, do_encrypt, \
	    "print what stands for a password in a table") \
	X("help",          "", NOTHING, NONE, do_help, \
	    "print this list")
/* clang-format on */

#endif
