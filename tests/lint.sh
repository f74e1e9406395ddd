#!/bin/sh
#
# lint.sh: formatting, clang-tidy, cppcheck, shellcheck and mandoc over the
# tree.  Changes nothing; prints what is wrong; fails if anything is.
set -u

cd "$(dirname "$0")/.." || exit 70
status=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# check NAME COMMAND…
check() {
	name=$1
	shift
	if "$@" >"$out" 2>&1; then
		echo "$name: good"
	else
		status=1
		echo "$name: wrong"
		grep -v ' warnings\? generated\.$' "$out" | head -n 200 | sed 's/^/    /'
	fi
}

find_files() {
	find "$@" -type f | sort
}

# shellcheck disable=SC2317,SC2016 # called by check; expands over there
tidy() {
	flags=$(pkg-config --cflags libpq libcurl libevent glib-2.0 libutf8proc)
	# shellcheck disable=SC2086,SC2046 # lists of words
	find_files daemon gateways -name '*.c' |
	    timeout 900 xargs -P 2 -n 4 sh -c \
	        'flags=$1; shift; clang-tidy --quiet "$@" -- $flags' - \
	        "-std=c11 -D_GNU_SOURCE -Idaemon -I. -DADHERD_VERSION=\"lint\" $(
	            echo "$flags" | sed 's/-I/-isystem /g')"
}

# shellcheck disable=SC2046 # our paths have no spaces
{
	check clang-format clang-format --dry-run -Werror \
	    $(find_files daemon gateways tests -name '*.[ch]')
	check clang-tidy tidy
	# the suppressed checks do not know that fatal(), ctl_fail() and
	# ctl_usage() do not return, nor that errors are filled in by who fails
	check cppcheck timeout 600 cppcheck --quiet -j 2 --std=c11 \
	    --enable=warning,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
	    --suppress=nullPointerArithmeticRedundantCheck \
	    --suppress=ctunullpointer --suppress=ctuuninitvar \
	    -D_GNU_SOURCE -DADHERD_VERSION='"lint"' -Idaemon -I. daemon gateways
	check shellcheck shellcheck .ci/run daemon/embed.sh \
	    migrations/local-cluster $(find_files tests systemd -name '*.sh')
	check mandoc mandoc -Tlint -W warning gateways/gateway.3 \
	    daemon/adherd.8 daemon/adherctl.1
}
exit "$status"
