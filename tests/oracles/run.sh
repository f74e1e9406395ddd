#!/bin/sh
# The vendors' own SDKs as witnesses of the simulator and of the gateways:
# run.sh [BUILD].  Installs them by the lock file into BUILD/oracles, starts
# BUILD/tests/adherd-sim (or $ADHERD_SIM), prints TAP: aliyun.js, tencent.js,
# webhooks.py, wechat.py, wecom.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-${BUILD:-build}}
sim=${ADHERD_SIM:-$build/tests/adherd-sim}
mkdir -p "$build/oracles"
build=$(cd "$build" && pwd)

if ! cmp -s "$here/package-lock.json" "$build/oracles/installed-lock.json"
then
	cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" \
	    "$build/oracles/"
	(cd "$build/oracles" &&
	    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
	cp "$here/package-lock.json" "$build/oracles/installed-lock.json"
fi

work=$(mktemp -d)
pid=
trap 'test -z "$pid" || kill "$pid" 2>/dev/null || :; rm -rf "$work"' EXIT
secret=oracleAccessKeySecret
(umask 077 && printf '%s\n' "$secret" >"$work/secret")
"$sim" --port 0 --templates "$here/../sim/templates.json" \
    --access-key-id oracleAccessKeyId --access-key-secret-file "$work/secret" \
    >"$work/out" &
pid=$!
tries=0
until port=$(sed -n 's|.*127\.0\.0\.1:\([0-9]*\)/.*|\1|p' "$work/out") &&
    test -n "$port"
do
	tries=$((tries + 1))
	if test "$tries" -gt 100 || ! kill -0 "$pid" 2>/dev/null
	then
		echo "Bail out! the simulator did not start"
		exit 1
	fi
	sleep 0.05
done
export NODE_PATH="$build/oracles/node_modules" BUILD="$build"
status=0
for each in aliyun tencent
do
	node "$here/$each.js" "$port" oracleAccessKeyId "$secret" || status=1
done
"$here/webhooks.py" || status=1
"$here/wechat.py" || status=1
"$here/wecom.py" || status=1
exit "$status"
