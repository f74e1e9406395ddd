#!/bin/sh
#
# migrations/local-cluster: makes, restarts, revives and removes a private
# cluster, keeps strangers out, leaks nothing into its log, and removes
# nothing that it did not make.  TAP.
# shellcheck disable=SC2317 # called through ok()

set -u
umask 022

local_cluster=$(cd "$(dirname "$0")/../../migrations" && pwd)/local-cluster
bin=${LOCAL_CLUSTER_BIN:-/usr/lib/postgresql/15/bin}
base=$(mktemp -d /tmp/lc.XXXXXX)
chmod 755 "$base"
dir=$base/c
number=0
failed=0
unset LOCAL_CLUSTER_OPTIONS LOCAL_CLUSTER_TEMPLATE

cleanup() {
	[ ! -e "$dir/made-by" ] || "$local_cluster" destroy "$dir"
	rm -rf "$base"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ok() {	# name, then a command that must succeed
	name=$1
	shift
	number=$((number + 1))
	if "$@" >"$base/out" 2>&1; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		sed 's/^/# /' "$base/out"
		failed=1
	fi
}

not() {
	! "$@"
}

sql() {	# dsn, statement, expected output
	got=$("$bin/psql" -XAtq "$1" -c "$2") && [ "$got" = "$3" ]
}

says() {	# expected text, then a command that must fail
	want=$1
	shift
	if "$@" >"$base/says" 2>&1; then
		return 1
	fi
	cat "$base/says"
	grep -q -- "$want" "$base/says"
}

postmaster() {
	head -n 1 "$dir/data/postmaster.pid"
}

crash() {	# kill -9 and wait until the process is gone
	pid=$(postmaster)
	kill -9 "$pid"
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
	done
}

exit_is() {
	want=$1
	shift
	"$@"
	[ $? -eq "$want" ]
}

gone() {	# within 5 s; a server's parent may be slow to reap it
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.5
	done
	return 1
}

stranger() {	# psql as a user who is neither root nor the owner
	setpriv --reuid=65533 --regid=65533 --clear-groups -- \
	    "$bin/psql" -XAtq "$1" -c 'select 1'
}

dsn="host=$dir/run dbname=adherd user=adherd"
# all programs but one: a cluster that is copied needs no initdb
mkdir "$base/no-initdb"
ln -s "$bin"/* "$base/no-initdb"
rm "$base/no-initdb/initdb"

ok "status of a missing cluster is an error" \
    not "$local_cluster" status "$dir"
started=$(date +%s)
ok "start prints the connection string" \
    test "$("$local_cluster" start "$dir")" = "$dsn"
ok "the first start takes less than 20 s" \
    test $(($(date +%s) - started)) -lt 20
ok "dsn prints it too" test "$("$local_cluster" dsn "$dir")" = "$dsn"
ok "status says running" test "$("$local_cluster" status "$dir")" = running
ok "one can connect as adherd" sql "$dsn" 'select current_user' adherd
ok "adherd is no superuser" \
    sql "$dsn" 'select usesuper from pg_user where usename = current_user' f
ok "adherd owns the database" sql "$dsn" 'create schema one' ''
ok "the superuser is postgres" sql "host=$dir/run dbname=adherd user=postgres" \
    'select usesuper from pg_user where usename = current_user' t
ok "it is UTF-8 with C order" sql "$dsn" \
    "select current_setting('server_encoding') || (U&'\\4E00' > 'z')" UTF8true
ok "fsync is on" sql "$dsn" 'show fsync' on

before=$(postmaster)
ok "start again prints the same" \
    test "$("$local_cluster" start "$dir")" = "$dsn"
ok "and leaves the same server running" test "$(postmaster)" = "$before"

ok "the socket's directory is its owner's alone" \
    test "$(stat -c %a "$dir/run")" = 700
ok "so is the socket" \
    test "$(stat -c %a "$dir/run/.s.PGSQL.5432")" = 700
ok "so are the data" test "$(stat -c %a "$dir/data")" = 700
if [ "$(id -u)" -eq 0 ]; then
	ok "a stranger does not get in" says 'Permission denied' \
	    stranger "$dsn"
	ok "the server does not run as root" \
	    not test "$(stat -c %u "/proc/$(postmaster)")" = 0
fi
ok "no TCP port is open" sql "$dsn" 'show listen_addresses' ''

# Row contents and parameters stay out of the log.
"$bin/psql" -XAtq "$dsn" >/dev/null 2>&1 <<'END'
create table one.t (a text primary key, b date check (b > '1900-01-01'));
insert into one.t values ('planted-13800138000', null);
insert into one.t values ('planted-13800138000', null);
insert into one.t values ('planted-x', '1800-01-01');
select 'planted-y'::date;
select count(*) from one.t where a = 'planted-z' and 1 / (length(a) - 9) = 0;
prepare p as select $1::text::int;
execute p('planted-w');
do $$ begin raise warning 'planted-v'; end $$;
END
ok "errors happened and their contents are not logged" \
    not grep -r planted "$dir/data/log" "$dir/data/start.log"
ok "start and stop are logged" \
    grep -rq 'ready to accept connections' "$dir/data/log"

ok "what was committed is there" sql "$dsn" 'select count(*) from one.t' 1
crash
ok "after kill -9 status says stopped" \
    exit_is 3 "$local_cluster" status "$dir"
ok "start revives it" test "$("$local_cluster" start "$dir")" = "$dsn"
ok "with what was committed" sql "$dsn" 'select count(*) from one.t' 1

# A backend that is busy outlives its postmaster for a moment.
"$bin/psql" -XAtq "$dsn" -c 'select count(*) from generate_series(1, 4000000)
    g, lateral (select md5(g::text)) m' >/dev/null 2>&1 &
busy=$!
sleep 0.3
crash
ok "start waits for the backends of a killed postmaster" \
    "$local_cluster" start "$dir"
wait $busy

crash
sleep 600 &
other=$!
sed -i "1s/.*/$other/" "$dir/data/postmaster.pid"
ok "a pid file that names somebody else's process is no obstacle" \
    "$local_cluster" start "$dir"
kill $other

ok "stop immediate stops" "$local_cluster" stop "$dir" immediate
ok "status says stopped" \
    test "$("$local_cluster" status "$dir")" = stopped
ok "stop twice is fine" "$local_cluster" stop "$dir"

ok "options from the environment" env \
    LOCAL_CLUSTER_OPTIONS='-c shared_buffers=32MB -c max_connections=33' \
    "$local_cluster" restart "$dir"
ok "are in force" sql "$dsn" \
    "select current_setting('shared_buffers') ||
     current_setting('max_connections')" 32MB33
ok "a bad option fails with the reason" \
    says 'no_such_setting' env LOCAL_CLUSTER_OPTIONS='-c no_such_setting=1' \
    "$local_cluster" restart "$dir"
ok "start without it works" "$local_cluster" start "$dir"
ok "restart works" "$local_cluster" restart "$dir" fast
ok "PGHOST and friends mislead nobody" env PGHOST=/nowhere PGPORT=1 \
    PGOPTIONS='-c no_such=1' "$local_cluster" restart "$dir"

# A start that died inside initdb is made afresh.
ok "stop" "$local_cluster" stop "$dir"
rm "$dir/data/complete" "$dir/data/PG_VERSION"
ok "a half-made cluster is made again" "$local_cluster" start "$dir"
ok "and is usable" sql "$dsn" 'select 1' 1

template=$base/template.tar
ok "destroy the first" "$local_cluster" destroy "$dir"
ok "a template that is missing is made" env LOCAL_CLUSTER_TEMPLATE="$template" \
    "$local_cluster" start "$dir"
ok "and kept" tar -tf "$template" ./PG_VERSION
ok "what is done later" sql "$dsn" 'create schema later' ''
ok "and the cluster goes" "$local_cluster" destroy "$dir"
ok "the next is made from the template" env LOCAL_CLUSTER_TEMPLATE="$template" \
    LOCAL_CLUSTER_BIN="$base/no-initdb" "$local_cluster" start "$dir"
ok "as new" sql "$dsn" "select count(*) from pg_namespace
    where nspname = 'later'" 0
ok "destroy the copy" "$local_cluster" destroy "$dir"
truncate -s 1000000 "$template"
ok "half a template is an error" says 'cannot make a cluster from' \
    env LOCAL_CLUSTER_TEMPLATE="$template" "$local_cluster" start "$dir"
ok "that leaves nothing of it" "$local_cluster" start "$dir"
ok "to the next" sql "$dsn" 'select 1' 1

long=$base/$(printf '%0100d' 0)
ok "a path too long for a socket is refused" says 'too long' \
    "$local_cluster" start "$long"
ok "and nothing was made" not test -e "$long"
ok "a path that needs quoting is refused" says 'DIR may hold' \
    "$local_cluster" start "$base/it's"
mkdir -p "$base/other/data"
ok "start refuses a directory with other files" says 'not a cluster' \
    "$local_cluster" start "$base/other"
ok "destroy refuses what it did not make" says 'not a cluster' \
    "$local_cluster" destroy "$base/other"
ok "which is still there" test -d "$base/other/data"
ok "unknown verbs are a usage error" \
    exit_is 64 "$local_cluster" explode "$dir"

pid=$(postmaster)
ok "destroy" "$local_cluster" destroy "$dir"
ok "leaves no directory" not test -e "$dir"
ok "and no server" gone "$pid"

echo "1..$number"
exit $failed
