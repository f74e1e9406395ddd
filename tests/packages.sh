#!/bin/sh
#
# packages.sh [build] [test] [deb] [oracles] [learn]: install the Debian packages that
# are missing for these, after saying which.  A second run installs nothing.
set -eu

build='gcc make pkg-config libc6-dev libpq-dev libcurl4-openssl-dev
	libevent-dev libexpat1-dev libmbedtls-dev libjsmn-dev libglib2.0-dev libutf8proc-dev
	postgresql-15 postgresql-client-15 curl python3 tzdata'
test='libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy cppcheck
	shellcheck mandoc procps util-linux pgbouncer systemd libfaketime
	openssl'
deb='debhelper dpkg-dev lintian'
oracles=prometheus
learn=python3-sklearn
node='nodejs npm'

wanted=
for set; do
	case $set in
	build) wanted="$wanted $build" ;;
	test) wanted="$wanted $test" ;;
	deb) wanted="$wanted $deb" ;;
	learn) wanted="$wanted $learn" ;;
	oracles)
		wanted="$wanted $oracles"
		# any Node.js will do, packaged or not
		command -v npm >/dev/null || wanted="$wanted $node"
		;;
	*) exit 64 ;;
	esac
done
command -v dpkg-query >/dev/null || {
	echo "packages: no dpkg here; needed are:$wanted" >&2
	exit 0
}

missing=
for package in $wanted; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
	    missing="$missing $package"
done
# evhttp before this build lets requests be smuggled (CVE-2026-63382)
event=$(dpkg-query -W -f '${Version}' libevent-dev 2>/dev/null || echo 0)
dpkg --compare-versions "$event" ge 2.1.12-stable-8+deb12u1 ||
    case $missing in *libevent-dev*) ;; *) missing="$missing libevent-dev" ;; esac
[ -n "$missing" ] || exit 0

echo "packages: installing$missing"
sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "packages: not root and no sudo: install them first" >&2
		exit 69
	}
	sudo=sudo
fi
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends $missing >/dev/null
