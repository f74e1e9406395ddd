#!/bin/sh
#
# run.sh [-j JOBS] [-c] [-v VARIANT] PROGRAM…: run test programs that speak TAP,
# JOBS at a time, show what fails, and end on a line `N passed, N failed`.  A
# program that dies, hangs for 20 minutes or reports no test counts as a
# failure.  VARIANT is printed with each name; -c shows what good programs say
# besides (`# …`).
set -u

jobs=1
comments=
variant=
while getopts cj:v: option; do
	case $option in
	c) comments=yes ;;
	j) jobs=$OPTARG ;;
	v) variant=" ($OPTARG)" ;;
	*) exit 64 ;;
	esac
done
shift $((OPTIND - 1))
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
trap 'exit 130' INT TERM

if [ "$#" -gt 0 ]; then
	printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" \
	    "${0%/*}/run-one.sh" "$counts" "$variant" "$comments"
fi
# a program that is not there, or that nobody could begin, is no success
awk -v programs="$#" '{ good += $1; bad += $2 }
	END {
		bad += programs - NR
		printf "%d passed, %d failed\n", good, bad
		exit bad > 0
	}' "$counts"
