#!/bin/sh
# `make run`: a throw-away instance in the foreground, all of it under ./run,
# gone when it is stopped.
# SPDX-License-Identifier: ISC
set -eu
build=$1
dir=$PWD/run
port=2525
smtpd=
viewer=

finish() {
	trap '' INT TERM HUP
	if [ -n "$smtpd" ] && kill -TERM "$smtpd" 2>/dev/null; then
		echo "Stopping."
		wait "$smtpd" || true
	fi
	[ -z "$viewer" ] || kill "$viewer" 2>/dev/null || true
	rm -rf "$dir"
}

# smtpd locks the file while it lives, whoever started it.
if [ -e "$dir/smtpd.pid" ] && ! flock -n "$dir/smtpd.pid" true; then
	echo "make run: it runs already, as process $(cat "$dir/smtpd.pid")" >&2
	exit 1
fi
rm -rf "$dir"
mkdir -m 755 "$dir"
trap finish EXIT
trap 'exit 0' INT TERM HUP

[ "$(id -u)" = 0 ] ||
	echo "Not root: all processes run as $(id -un), without the separation of privileges."

# A session of its own: ^C comes to us, and we stop it in order.
setsid "$build/smtpd" -d -R "$dir" -f etc/run.conf >"$dir/log" 2>&1 &
smtpd=$!
tail -q -n +1 -f --pid="$smtpd" "$dir/log" 2>/dev/null &
viewer=$!

n=0
until "$build/smtpctl" -R "$dir" show status >/dev/null 2>&1; do
	if ! kill -0 "$smtpd" 2>/dev/null || [ $((n = n + 1)) -gt 100 ]; then
		sleep 0.3
		echo "make run: smtpd did not start; see above" >&2
		exit 1
	fi
	sleep 0.1
done

cat <<END

Postern runs: SMTP on 127.0.0.1 port $port, all it keeps is under ./run.
Now try, in another terminal:

  printf 'Subject: hello\\n\\nIt works.\\n' | curl --crlf -T - smtp://127.0.0.1:$port --mail-from you@example.org --mail-rcpt friend@example.net
  $build/smtpctl -R run show queue
  grep delivery run/log

^C stops it and takes ./run away.

END
wait "$smtpd" || { smtpd=; echo "make run: smtpd ended" >&2; exit 1; }
smtpd=
