#!/bin/sh
# Makes the system users that a sysusers.d(5) file names, where they are
# missing: by systemd-sysusers(8) if there is one, else by useradd(8).
# SPDX-License-Identifier: ISC
set -eu
list=$1
missing=
while read -r type name rest; do
	[ "$type" = u ] || continue
	getent passwd "$name" >/dev/null || missing="$missing $name"
done <"$list"
[ -n "$missing" ] || exit 0
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers "$PWD/$list" && exit 0
fi
for name in $missing; do
	useradd --system --user-group --no-create-home \
	    --home-dir /nonexistent --shell /usr/sbin/nologin "$name"
done
