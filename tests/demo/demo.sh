#!/bin/sh
#
# The demo: a private PostgreSQL cluster, the provider simulator and adherd,
# all on loopback and in one temporary folder; real prescriptions go in,
# reminders arrive on simulated phones, and what is answered there comes back.
# Ctrl-C ends everything and leaves nothing behind.
#
#	demo.sh BUILD		run until Ctrl-C
#	demo.sh BUILD check	run, see reminders, receipts and replies, kill the
#				daemon, see that nothing is lost or doubled, end

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

reply() {	# from, text
	curl -sf -H 'Content-Type: application/json' -o "$base/answer" \
	    -d "{\"endpoint\":\"aliyun\",\"from\":\"$1\",\"text\":\"$2\"}" "$sim/reply" ||
	    die "the reply of $1 was refused"
}

tasks_are() {
	[ "$(ctl tasks --json | wc -l)" -ge "$1" ]
}

answers_are() {	# that reached a phone
	[ "$(psql -qAtX -d "$dsn" -c "SELECT count(*) FROM delivery WHERE kind = 5 AND state = 7")" -ge "$1" ]
}

# the lines of `why` about replies
why_replies() {
	ctl why "$1" | sed -n '/^replies$/,/^[^ ]/s/^ /&/p'
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
ctl staff add nurse-1 --role nurse --address sms:+8619900000090
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
say "Two of them answer: +8619900000002 says 1, +8619900000001 吃了头晕."
say "What people have to do now:"
reply +8619900000002 1
reply +8619900000001 吃了头晕
wait_for 20 tasks_are 2 || die "no reply led to a task"
ctl tasks --text
say "and why, of cn-p02 and of cn-p01:"
why_replies cn-p02
why_replies cn-p01
wait_for 20 answers_are 3 || die "no answer went back, or no nurse heard"
say "The nurse, +8619900000090, hears of the tasks; any reply there takes them."
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
Try: type a reply under a phone of that page, or send one,

    curl -H 'Content-Type: application/json' $sim/reply \\
      -d '{"endpoint":"aliyun","from":"+8619900000002","text":"能和阿司匹林一起吃吗"}'

then see what people have to do, and what was decided about a patient and why:

    $build/adherctl -c $base/adherd.conf tasks --text
    $build/adherctl -c $base/adherd.conf why cn-p02

A day passes, and what is due by then arrives; a suspected adverse event holds
refills until somebody says otherwise:

    curl -d +24h $admin/-/care-time
    $build/adherctl -c $base/adherd.conf why cn-p01
    $build/adherctl -c $base/adherd.conf release cn-p01 --adverse-event --by nurse

Kill the daemon (kill -9 $daemon_pid) and start it again; nothing is lost,
nothing comes twice:

    $build/adherd -c $base/adherd.conf

Ctrl-C ends the demo.
END
# a daemon that was killed may be started again by hand: stay until Ctrl-C
while kill -0 "$sim_pid" 2>/dev/null; do
	sleep 1
done
