#!/bin/sh
# Puts an export into the landing folder whole or not at all: land.sh LANDING COMMAND...
# COMMAND writes its files into the folder that it is started in. Until it has ended well nobody sees them there, and
# nadir reads no hidden folder; then they appear as LANDING/2024-01-31, by the day of today, in place of what that holds.
set -eu
landing=$1
shift
umask 027
aside="$landing/.arriving.$$"
trap 'rm -rf "$aside"' EXIT
mkdir "$aside"
(cd "$aside" && "$@")
day="$landing/$(date +%F)"
rm -rf "$day"
mv "$aside" "$day"
