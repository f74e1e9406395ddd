#!/bin/sh
#
# run.sh [-c] [-v VARIANT] PROGRAM…: run test programs that speak TAP, show what
# fails, and end on a line `N passed, N failed`.  A program that dies, hangs
# for 15 minutes or reports no test counts as a failure.  VARIANT is printed
# with each name; -c shows what good programs say besides (`# …`).
set -u

variant=
comments=
if [ "${1:-}" = -c ]; then
	comments=yes
	shift
fi
if [ "${1:-}" = -v ]; then
	variant=" ($2)"
	shift 2
fi
passed=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
export CMOCKA_MESSAGE_OUTPUT=TAP

for program; do
	start=$(date +%s)
	timeout --foreground -k 20 900 "$program" >"$out" 2>&1
	status=$?
	ok=$(grep -c '^ok ' "$out")
	bad=$(grep -c '^not ok ' "$out")
	if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$ok" -eq 0 ]; }; then
		bad=1
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	printf '%s%s: %d passed, %d failed, %ds\n' "${program##*/}" "$variant" \
	    "$ok" "$bad" "$(($(date +%s) - start))"
	[ -z "$comments" ] || [ "$bad" -gt 0 ] || grep '^# ' "$out" | sed 's/^/    /'
	if [ "$bad" -gt 0 ]; then
		grep -v '^ok ' "$out" | head -n 200 | sed 's/^/    /'
		[ "$status" -eq 0 ] || echo "    exit status $status"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
