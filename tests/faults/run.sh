#!/bin/sh
#
# run.sh BUILD SANITIZED: every test of faults on a build with -DADHERD_FAULTS,
# the n-th failures on one with sanitizers (BUILDsan) as well; then what nobody
# reached, and the table of what was recorded; at last everything end to end on
# SANITIZED, a build without faults but with sanitizers.  Most of them wait, so
# several run at a time; what measures delays or fills both cores runs alone.
# FAULT_SEED repeats a run.
set -eu

here=$(dirname "$0")
top=$(cd "$here/../.." && pwd)

# absolute PATH
absolute() {
	case $1 in /*) echo "$1" ;; *) echo "$top/$1" ;; esac
}

build=$(absolute "$1")
sanitized=$(absolute "$2")
export BUILD="$build" FAULT_COUNTS="$build/counts" TRANSITIONS="$build/transitions"
: >"$TRANSITIONS"
rm -f "$FAULT_COUNTS"
out=$build/faults.out
: >"$out"
second=$build/faults.second
others=
trap '[ -z "$others" ] || kill -- "-$others"' EXIT
trap 'exit 130' INT TERM

# path NAME…: of their programs
path() {
	for name; do
		echo "$here/test_$name.py"
	done
}

# group PROGRAM…: shown, and kept for the table and the sum
group() {
	"$top/tests/run.sh" -c "$@" | tee -a "$out"
}

alone='lanes lives'
# shellcheck disable=SC2086 # a list of words
others_of=$(path clinic_days $alone)
first=
for program in "$here"/test_*.py; do
	case $others_of in *"$program"*) ;; *) first="$first $program" ;; esac
done

# a row of its own: the first of these mostly waits
# shellcheck disable=SC2016 # expanded over there
setsid sh -c '"$1/tests/run.sh" -c "$2/test_clinic_days.py"
	BUILD=${BUILD}san "$1/tests/run.sh" -c -v sanitizers "$2/test_nth.py"' \
    - "$top" "$top/tests/faults" >"$second" 2>&1 &
others=$!
# shellcheck disable=SC2086 # a list of words
group -j 2 $first
wait "$others" || :
others=
tee -a "$out" <"$second"
# shellcheck disable=SC2046,SC2086 # lists of words
group $(path $alone)
group "$here/reached.py"
"$here/table.sh" "$out"
unset FAULT_COUNTS TRANSITIONS
BUILD=$sanitized "$top/tests/run.sh" -j 3 -v sanitizers \
    "$top"/tests/e2e/test_*.py | tee -a "$out"
echo
# of all six groups, as tests/run.sh says it; one without that line failed
awk '/^[0-9]+ passed, [0-9]+ failed$/ { good += $1; bad += $3; groups++ }
	END {
		bad += 6 - groups
		printf "%d passed, %d failed\n", good, bad
		exit bad > 0 || good == 0
	}' "$out"
