#!/bin/sh
#
# run-one.sh COUNTS VARIANT COMMENTS PROGRAM: run.sh for one program; its report
# is shown in one piece when it is over, and how many tests of it passed and
# failed is one more line of COUNTS.
set -u

counts=$1
variant=$2
comments=$3
program=$4
export CMOCKA_MESSAGE_OUTPUT=TAP
out=$(mktemp)
report=$(mktemp)
trap 'rm -f "$out" "$report"' EXIT
trap 'exit 130' INT TERM

start=$(date +%s)
timeout --foreground -k 20 1200 "$program" </dev/null >"$out" 2>&1
status=$?
ok=$(grep -c '^ok ' "$out")
bad=$(grep -c '^not ok ' "$out")
if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$ok" -eq 0 ]; }; then
	bad=1
fi
{
	printf '%s%s: %d passed, %d failed, %ds\n' "${program##*/}" "$variant" \
	    "$ok" "$bad" "$(($(date +%s) - start))"
	[ -z "$comments" ] || [ "$bad" -gt 0 ] ||
	    grep '^# ' "$out" | sed 's/^/    /'
	if [ "$bad" -gt 0 ]; then
		grep -v '^ok ' "$out" | head -n 200 | sed 's/^/    /'
		[ "$status" -eq 0 ] || echo "    exit status $status"
	fi
} >"$report"
{
	flock 9
	cat "$report"
	echo "$ok $bad" >&9
} 9>>"$counts"
# xargs goes on to the next, whatever came of this one
exit 0
