#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs what is missing of the named sections of packages.txt: packages.sh build container
set -eu

list=$(dirname "$0")/packages.txt
missing=
for section in "$@"; do
	for package in $(sed -n "s/^$section: //p" "$list"); do
		state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
		[ "$state" = installed ] || missing="$missing $package"
	done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "packages.sh: root is needed to install:$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A list of packages may be older than the archive: renew it, once, before anything is asked for.
install="apt-get install -q -y --no-install-recommends"
if ! { apt-get update -q && $install $missing; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "packages.sh: apt-get could not install:$missing" >&2
	exit 1
fi
