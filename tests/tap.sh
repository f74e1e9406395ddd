# tap.sh: what tests in shell share; sourced, with the tree as the working
# directory.  $scratch is a folder of the test's own, removed at the
# end; BUILD names a built tree.
# shellcheck shell=sh disable=SC2034

here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$here/build}
case $build in /*) ;; *) build=$(pwd)/$build ;; esac
cd "$here" || exit 70
scratch=$(mktemp -d /tmp/adherd-test.XXXXXX)
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT
count=0
failures=0

# result NAME OFFENCES: passes where there are none
result() {
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		failures=$((failures + 1))
		echo "not ok $count - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

# passes NAME COMMAND…: it exits with 0; what it says where it does not
passes() {
	name=$1
	shift
	if said=$("$@" 2>&1); then
		result "$name" ""
	else
		result "$name" "$*: $? $said"
	fi
}

finish() {
	echo "1..$count"
	[ "$failures" -eq 0 ]
	exit
}
