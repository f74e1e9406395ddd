#!/bin/sh
#
# run.sh DIR: run every fuzzer in DIR for FUZZ_SECONDS (30) each, from a seed
# corpus in a temporary folder; print its executions; fail on a finding,
# whose input is kept in DIR/findings.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(cd "$1" && pwd)
seconds=${FUZZ_SECONDS:-30}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir/findings"

# what a fuzzer begins with: $1 its name, $2 an empty folder
seed() {
	case $1 in
	fuzz_fhir | fuzz_json)
		cp "$here"/tests/samples/*.json "$2"
		;;
	fuzz_timing)
		cp "$here"/tests/vectors/vectors-timing.json "$2"
		# and each text of the tests of shorthand
		grep -o '"[^"\\]*"' "$here"/tests/unit/test_timing_text.c |
		    tr -d '"' | sort -u | split -l 1 -a 4 - "$2/text-"
		;;
	fuzz_program)
		cp "$here"/tests/samples/program-*.json "$2"
		;;
	fuzz_reply)
		# a byte that names the question, then the reply
		sed -n 's/.*"text": "\([^"\\]*\)".*/0\1/p' \
		    "$here"/tests/replies/*.jsonl | split -l 1 -a 4 - "$2/text-"
		# and tables, which begin with a comment
		# shellcheck disable=SC2016 # split's own variable
		split -l 20 -a 4 --filter='{ echo "#"; cat; } >"$FILE"' \
		    "$here/daemon/care/reply/en.rules" "$2/rules-"
		;;
	fuzz_template)
		for each in "$here"/templates/*/*.tpl; do
			cp "$each" "$2/$(basename "$(dirname "$each")")-${each##*/}"
		done
		;;
	fuzz_http_answer)
		for each in 'Content-Length: 5' 'Transfer-Encoding: chunked' \
		    'Connection: close'; do
			printf 'aHTTP/1.1 200 OK\r\n%s\r\nX: y\r\n\r\n%s' \
			    "$each" "$(printf '5\r\nhello\r\n0\r\n\r\n')" \
			    >"$2/${each%%:*}"
		done
		;;
	fuzz_gateway_*)
		# each body, for each of the four things that a fuzzer does
		python3 - "$here/tests/gateways/${1#fuzz_gateway_}" "$2" <<-'END'
			import json, pathlib, sys
			source, out = map(pathlib.Path, sys.argv[1:])
			bodies = {case.get("body", "") for file in source.glob("*.json")
			          for case in json.loads(file.read_text("utf-8"))}
			for number, body in enumerate(sorted(bodies)):
			    for part in "0123":
			        (out / f"{number}-{part}").write_text(part + body, "utf-8")
		END
		;;
	esac
}

status=0
found=0
for fuzzer in "$dir"/fuzz_*; do
	if [ ! -f "$fuzzer" ] || [ ! -x "$fuzzer" ]; then
		continue
	fi
	found=$((found + 1))
	name=${fuzzer##*/}
	mkdir "$work/$name"
	seed "$name" "$work/$name"
	if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
	    -max_len=65536 -print_final_stats=1 \
	    -artifact_prefix="$dir/findings/$name-" "$work/$name" \
	    >"$work/log" 2>&1 </dev/null; then
		printf '%s: %s executions\n' "$name" \
		    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")"
	else
		status=1
		printf '%s: FOUND, see %s\n' "$name" "$dir/findings"
		tail -n 60 "$work/log" | sed 's/^/    /'
	fi
done
[ "$found" -gt 0 ] || {
	echo "no fuzzer in $dir"
	exit 1
}
exit "$status"
