#!/bin/sh
#
# The demo: a private PostgreSQL cluster, the provider simulator and adherd,
# all on loopback and in one temporary folder; real prescriptions go in,
# reminders arrive on simulated phones.  Ctrl-C ends everything and leaves
# nothing behind.
#
#	demo.sh BUILD		run until Ctrl-C
#	demo.sh BUILD check	run, see reminders and receipts, kill the daemon,
#				see that nothing is lost or doubled, end

set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
case $1 in
/*) build=$1 ;;
*) build=$here/$1 ;;
esac
mode=${2:-run}
base=$(mktemp -d /tmp/adherd-demo.XXXXXX)
chmod 711 "$base"
sim_port=${DEMO_SIM_PORT:-8490}
port=${DEMO_PORT:-8480}
admin_port=${DEMO_ADMIN_PORT:-8481}
sim=http://127.0.0.1:$sim_port
admin=http://127.0.0.1:$admin_port
# half a minute before the reminders of that morning
begin=2026-03-02T09:59:45+08:00
daemon_pid=
sim_pid=

say() {
	printf '%s\n' "$*"
}

cleanup() {
	trap '' INT TERM EXIT
	[ -z "$daemon_pid" ] || kill "$daemon_pid" 2>/dev/null || true
	[ -z "$daemon_pid" ] || wait "$daemon_pid" 2>/dev/null || true
	# one that was started again by hand knows this folder, too
	for process in /proc/[0-9]*; do
		grep -q "$base/adherd.conf" "$process/cmdline" 2>/dev/null || continue
		[ "${process#/proc/}" = $$ ] || kill "${process#/proc/}" 2>/dev/null || true
	done
	[ -z "$sim_pid" ] || kill "$sim_pid" 2>/dev/null || true
	[ ! -e "$base/pg/made-by" ] || "$here/migrations/local-cluster" destroy "$base/pg"
	rm -rf "$base"
	say "demo: ended, nothing is left behind"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
	say "demo: $*" >&2
	[ ! -s "$base/adherd.log" ] || tail -n 20 "$base/adherd.log" >&2
	exit 1
}

random_word() {
	od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# until the command succeeds, at most that many seconds
wait_for() {
	limit=$1
	shift
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt $((limit * 10)) ] || return 1
		sleep 0.1
	done
}

configure() {
	umask 077
	random_word >"$base/aliyun-secret"
	random_word >"$base/callback-secret"
	cat >"$base/adherd.conf" <<-END
		[adherd]
		database = $dsn
		keyring-file = $base/keyring
		template-dir = $here/templates
		plugin-dir = $build/gateways
		listen = 127.0.0.1:$port
		admin-listen = 127.0.0.1:$admin_port
		lease = 15s
		request = 8s
		test-clock = yes

		[gateway "sms-demo"]
		plugin = sms_aliyun
		access-key-id = demo
		access-key-secret-file = $base/aliyun-secret
		endpoint = $sim
		plain-http = yes
		callback-secret-file = $base/callback-secret
	END
	umask 022
}

ctl() {
	"$build/adherctl" -c "$base/adherd.conf" "$@"
}

start_simulator() {
	"$build/tests/adherd-sim" --port "$sim_port" \
	    --templates "$base/sim-templates.json" --access-key-id demo \
	    --access-key-secret-file "$base/aliyun-secret" \
	    --ledger "$base/ledger.jsonl" --receipt-delay-ms 1500 \
	    --callback "http://127.0.0.1:$port/callback/sms-demo/$(cat "$base/callback-secret")" \
	    >"$base/sim.log" 2>&1 &
	sim_pid=$!
	wait_for 10 curl -sf "$sim/ledger/summary" || die "the simulator did not start: $(cat "$base/sim.log")"
}

start_daemon() {
	"$build/adherd" -c "$base/adherd.conf" --care-time "$begin" \
	    >>"$base/adherd.log" 2>&1 &
	daemon_pid=$!
	wait_for 15 curl -sf "$admin/-/ready" || die "adherd did not start"
}

taken() {
	curl -sf "$sim/ledger?limit=1000" | grep -o '"seq":' | wc -l
}

at_least() {
	[ "$(taken)" -ge "$1" ]
}

deliveries() {	# of one state
	psql -qAtX -d "$dsn" -c "SELECT count(*) FROM delivery WHERE state = $1"
}

is_count() {	# state, count
	[ "$(deliveries "$1")" -ge "$2" ]
}

say "demo: PostgreSQL, simulator and daemon in $base"
dsn=$("$here/migrations/local-cluster" start "$base/pg")
configure
"$build/adherctl" keyring create "$base/keyring"
ctl migrate
"$build/adherctl" template list --dir "$here/templates" --json |
    "$here/tests/demo/registrations.py" "$base/sim-templates.json" "$base/registrations.json"
ctl template register sms-demo "$base/registrations.json"
start_simulator
start_daemon
samples=$here/tests/samples
ctl import fhir --source clinic "$samples/cn-clinic-transaction.json"
ctl import fhir --source synthea "$samples/synthea-transaction-rufus.json"

say ""
say "It is $begin for the patients. Reminders arrive on their phones:"
say "    $sim/phones"
wait_for 40 at_least 2 || die "no reminder arrived"
wait_for 20 is_count 7 2 || die "no receipt came back"
ctl queue
say ""

if [ "$mode" = check ]; then
	kill -9 "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null || true
	say "demo: adherd killed; starting it again"
	start_daemon
	curl -sf -d +24h "$admin/-/care-time" || die "the clock did not move"
	before=$(taken)
	wait_for 40 at_least $((before + 1)) || die "nothing arrived after the restart"
	curl -sf "$sim/ledger/duplicates" | grep -q '"by_reference":\[\]' || die "a message was doubled"
	say "demo: checked"
	exit 0
fi

cat <<END
Try: a day passes, and what is due by then arrives.

    curl -d +24h $admin/-/care-time

What was decided about a patient, and why:

    $build/adherctl -c $base/adherd.conf why cn-p01

Kill the daemon (kill -9 $daemon_pid) and start it again; nothing is lost,
nothing comes twice:

    $build/adherd -c $base/adherd.conf

Ctrl-C ends the demo.
END
# a daemon that was killed may be started again by hand: stay until Ctrl-C
while kill -0 "$sim_pid" 2>/dev/null; do
	sleep 1
done
