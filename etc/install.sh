#!/bin/sh
# `make install` and `make uninstall`: which file comes where, as whose mode.
# The Makefile gives the places in the environment; sources name the usual ones,
# which are replaced.  What an operator edits is never written over, and taken
# away only as it came.
# SPDX-License-Identifier: ISC
set -eu
verb=$1
umask 022

# Columns: how, source, place.  How:
#   prog  a program
#   text  the usual places in it are replaced
#   exec  the same, and it can be executed
#   conf  the same, and it is the operator's from then on
#   link  the source is another installed file
rows() {
	for p in $SBIN; do
		echo "prog $B/$p $SBINDIR/$p"
	done
	for p in $LIBEXEC; do
		echo "prog $B/libexec/$p $LIBEXECDIR/$p"
	done
	echo "link $SBINDIR/sendmail $LIBDIR/sendmail"
	echo "link $SBINDIR/sendmail $BINDIR/mailq"
	echo "link $SBINDIR/sendmail $BINDIR/newaliases"
	for f in man/*.[1-9]; do
		echo "text $f $MANDIR/man${f##*.}/${f#man/}"
	done
	echo "conf etc/smtpd.conf $CONFDIR/smtpd.conf"
	echo "conf etc/aliases $SYSCONFDIR/aliases"
	echo "conf etc/pam.smtp $SYSCONFDIR/pam.d/smtp"
	for f in etc/example.*.conf; do
		echo "text $f $DOCDIR/examples/${f#etc/example.}"
	done
	echo "text etc/postern.sysusers $SYSUSERSDIR/postern.conf"
	echo "text etc/postern.tmpfiles $TMPFILESDIR/postern.conf"
	for f in etc/systemd/*.service etc/systemd/*.socket; do
		echo "text $f $UNITDIR/${f##*/}"
	done
	echo "exec etc/postern.init $INITDIR/postern"
	echo "text etc/fail2ban/filter.d/postern.conf $SYSCONFDIR/fail2ban/filter.d/postern.conf"
	echo "conf etc/fail2ban/jail.d/postern.conf $SYSCONFDIR/fail2ban/jail.d/postern.conf"
}

# A rule of sed(1): the usual place, and where it is here.
rule() {
	echo "s,$1,$(echo "$2" | sed 's/[\\&,]/\\&/g'),g"
}

rules=$(
	rule /usr/sbin/ "$SBINDIR/"
	rule /usr/libexec/postern "$LIBEXECDIR"
	rule /usr/share/doc/postern "$DOCDIR"
	rule /etc/postern "$CONFDIR"
	rule /etc/aliases "$SYSCONFDIR/aliases"
	rule /run/postern "$RUNDIR"
	rule /var/spool/postern "$SPOOLDIR"
)

# The source as it is installed.
placed() {
	sed "$rules" "$1"
}

# mode, source, place: a new file is renamed into the place, so that a program
# that runs keeps its old one.
put() {
	mkdir -p "${3%/*}"
	rm -f "$3.new"
	case $1 in
	link) ln -sr "$2" "$3.new" ;;
	prog) install -m 755 "$2" "$3.new" ;;
	*)
		placed "$2" >"$3.new"
		chmod "$1" "$3.new"
		;;
	esac
	mv -f "$3.new" "$3"
}

install_row() {
	case $1 in
	prog) put prog "$2" "$3" ;;
	link) put link "$DESTDIR$2" "$3" ;;
	exec) put 755 "$2" "$3" ;;
	text) put 644 "$2" "$3" ;;
	conf)
		if [ -e "$3" ] || [ -L "$3" ]; then
			echo "kept $3"
		else
			put 644 "$2" "$3"
		fi
		;;
	esac
}

uninstall_row() {
	if [ "$1" = conf ] && [ -e "$3" ] && ! placed "$2" | cmp -s - "$3"; then
		echo "kept $3"
	else
		rm -f "$3"
	fi
}

rows | while read -r how from place; do
	"${verb}_row" "$how" "$from" "$DESTDIR$place"
done
[ "$verb" = install ] ||
	for dir in "$CONFDIR" "$LIBEXECDIR" "$DOCDIR/examples" "$DOCDIR"; do
		[ ! -d "$DESTDIR$dir" ] ||
			rmdir --ignore-fail-on-non-empty "$DESTDIR$dir"
	done
