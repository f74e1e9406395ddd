#!/bin/sh
#
# run-all.sh: all of `make test`: unit tests by gcc, by clang and under the
# sanitizers, then the simulator, the database and everything end to end,
# several at a time, because these wait most of the time.
set -u

build=${BUILD:-build}
case $build in /*) ;; *) build=$(pwd)/$build ;; esac
export BUILD="$build"
export ADHERD_SIM="$build/tests/adherd-sim"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
passed=0
failed=0
last=$(mktemp)
trap 'rm -f "$last"' EXIT
trap 'exit 130' INT TERM

group() {
	tests/run.sh "$@" | tee "$last"
	line=$(tail -n 1 "$last")
	passed=$((passed + $(echo "$line" | cut -d' ' -f1)))
	failed=$((failed + $(echo "$line" | cut -d' ' -f3)))
}

group -j 2 -v gcc "$build"/tests/test_*[!.d]
group -j 2 -v clang "$build"/clang/tests/test_*[!.d]
group -j 2 -v sanitizers "$build"/san/tests/test_*[!.d]
# those that take a minute and more begin first
slow='tests/e2e/test_service.py tests/e2e/test_replies.py
    tests/e2e/test_reply_limits.py
    tests/e2e/test_wechat_oa.py tests/e2e/test_fallback.py
    tests/e2e/test_daemon.py tests/e2e/test_operator.py
    tests/e2e/test_escalation.py'
# shellcheck disable=SC2046,SC2086 # lists of paths
group -j 4 $(printf '%s\n' $slow tests/e2e/test_*.py tests/sim/test_*.py \
    tests/sql/test_* tests/package/test_pages.sh tests/package/test_install.sh \
    tests/second/compare_*.py | awk '!seen[$0]++')
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
