#!/bin/sh
#
# run-all.sh: all of `make test`, in its order: unit tests by gcc, by clang
# and under the sanitizers, then the simulator, the database and everything
# end to end; beside that, because both wait most of the time, everything end
# to end under the sanitizers.
set -u

build=${BUILD:-build}
case $build in /*) ;; *) build=$(pwd)/$build ;; esac
export BUILD="$build"
export ADHERD_SIM="$build/tests/adherd-sim"
passed=0
failed=0
last=$(mktemp)
beside=$(mktemp)
others=
trap 'rm -f "$last" "$beside"; [ -z "$others" ] || kill -- "-$others"' EXIT
trap 'exit 130' INT TERM

# add up the last line of a file
count() {
	line=$(tail -n 1 "$1")
	passed=$((passed + $(echo "$line" | cut -d' ' -f1)))
	failed=$((failed + $(echo "$line" | cut -d' ' -f3)))
}

group() {
	tests/run.sh "$@" | tee "$last"
	count "$last"
}

group -v gcc "$build"/tests/test_*[!.d]
group -v clang "$build"/clang/tests/test_*[!.d]
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
group -v sanitizers "$build"/san/tests/test_*[!.d]
BUILD="$build/san" ADHERD_SIM="$build/san/tests/adherd-sim" \
    setsid tests/run.sh -v sanitizers tests/e2e/test_*.py >"$beside" 2>&1 &
others=$!
# all but test_service.py, which waits for clocks and watchdogs: that it runs
# beside is enough
group tests/sql/test_* tests/sim/test_*.py tests/e2e/test_[!s]*.py \
    tests/e2e/test_s[!e]*.py
group tests/package/test_pages.sh tests/package/test_install.sh \
    tests/second/compare_*.py
wait "$others"
others=
cat "$beside"
count "$beside"
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
