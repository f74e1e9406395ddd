#!/bin/sh
#
# test_install.sh: what `make install` leaves works from where it lies: the
# programs, the units, users and folders, completion.  BUILD names a built
# tree, which is copied.  Prints TAP.
set -u

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

root=$scratch/usr
units=$root/lib/systemd/system

# a build of its own: the folders are compiled in
mkdir "$scratch/build"
cp -a "$build"/daemon "$build"/gateways "$build"/gen "$build"/lib*.a \
    "$build"/adherd "$build"/adherctl "$scratch/build" 2>/dev/null
passes "make install" env -u MAKEFLAGS -u MAKELEVEL make -s \
    BUILD="$scratch/build" PREFIX="$root" install

result "everything is there" "$(for file in sbin/adherd bin/adherctl \
    lib/adherd/gateways/sms_aliyun.so lib/adherd/gateways/sms_tencent.so \
    lib/adherd/gateways/webhook.so lib/adherd/gateways/wechat_oa.so \
    lib/adherd/gateways/wechat_mini.so lib/adherd/gateways/wecom.so \
    include/adherd/gateway.h \
    share/adherd/templates/refill share/adherd/listener.sql share/man/man1/adherctl.1 \
    share/man/man3/gateway.3 share/man/man5/adherd.conf.5 \
    share/man/man8/adherd.8 share/doc/adherd/adherd.conf.example \
    share/bash-completion/completions/adherd \
    lib/sysusers.d/adherd.conf lib/tmpfiles.d/adherd.conf \
    lib/systemd/system/adherd.service; do
	[ -s "$root/$file" ] || [ -d "$root/$file" ] || echo "$file"
done)"
result "what systemd/monitoring has is there" "$(
    [ ! -d systemd/monitoring ] ||
        (cd systemd && find monitoring -type f ! -name '*.mdoc') |
            while read -r file; do
	[ -s "$root/share/adherd/$file" ] || echo "$file"
done)"
result "nothing is left to be filled in" \
    "$(grep -rlE '@[A-Z]+@' "$units" "$root/share/man")"
result "nobody else may write anything" "$(find "$root" ! -type l -perm /022)"

# ---- the programs ----

# ends_with STATUS TEXT COMMAND…: or what it did instead
ends_with() {
	status=$1
	text=$2
	shift 2
	said=$("$@" 2>&1)
	got=$?
	if [ "$got" -ne "$status" ] || ! echo "$said" | grep -qF "$text"; then
		echo "$got $said"
	fi
}

"$root/bin/adherctl" keyring create "$scratch/keyring" 2>&1
cat >"$scratch/adherd.conf" <<END
[adherd]
database = host=/nowhere
keyring-file = $scratch/keyring
[gateway "sms"]
plugin = loopback
channel = sms
url = http://127.0.0.1:1/
plain-http = yes
END
passes "adherd finds its plug-ins and texts" \
    "$root/sbin/adherd" -t -c "$scratch/adherd.conf"
passes "adherctl finds its plug-ins" \
    "$root/bin/adherctl" -c "$scratch/adherd.conf" gateway list
passes "adherctl finds its texts" \
    "$root/bin/adherctl" -c "$scratch/adherd.conf" template list
mv "$root/lib/adherd/gateways" "$root/lib/adherd/away"
result "without plug-ins it says where it looked, and ends with 78" "$(
    ends_with 78 "$root/lib/adherd/gateways" \
        "$root/sbin/adherd" -t -c "$scratch/adherd.conf")"
mv "$root/lib/adherd/away" "$root/lib/adherd/gateways"
result "the example is read, and says what is to be filled in" "$(
    ends_with 78 'lacks the key "database"' "$root/sbin/adherd" -t \
        -c "$root/share/doc/adherd/adherd.conf.example")"

# ---- units ----

passes "systemd has nothing against the units" \
    systemd-analyze verify --man=no "$units"/adherd*
for unit in "$units"/*.service; do
	passes "${unit##*/} is exposed 1.5 at most" systemd-analyze security \
	    --offline=yes --threshold=15 "$unit"
done
result "an open unit would be seen" "$(
    grep -vE '^(Protect|Private|Restrict|System|Cap)' "$units/adherd.service" \
        >"$scratch/open.service"
    systemd-analyze security --offline=yes --threshold=15 \
        "$scratch/open.service" >/dev/null 2>&1 && echo "it passes")"
result "what a unit calls is there" "$(
    sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$units"/*.service |
        while read -r program; do
	[ -x "$program" ] || echo "$program"
done)"
result "users of units are made" "$(
    sed -n 's/^User=//p' "$units"/*.service | sort -u | while read -r user; do
	grep -q "^u $user " "$root/lib/sysusers.d/adherd.conf" || echo "$user"
done)"
result "the listener reaches this machine only" "$(
    grep -qx IPAddressDeny=any "$units/adherd-inbox.service" &&
        [ "$(sed -n 's/^IPAddressAllow=//p' \
            "$units/adherd-inbox.service")" = localhost ] ||
        echo "addresses are open")"

# ---- users and folders ----

image=$scratch/image
mkdir -p "$image/etc" "$image/usr/lib"
cp -R "$root/lib/sysusers.d" "$root/lib/tmpfiles.d" "$image/usr/lib"
passes "systemd-sysusers makes the users" systemd-sysusers --root="$image"
result "they may not log in" "$(
    [ "$(grep -c '^adherd.*/nologin$' "$image/etc/passwd")" -eq 2 ] ||
        cat "$image/etc/passwd")"
if [ "$(id -u)" -eq 0 ]; then
	passes "systemd-tmpfiles makes the folders" \
	    systemd-tmpfiles --root="$image" --create
	group=$(sed -n 's/^adherd:x:[0-9]*:\([0-9]*\):.*/\1/p' "$image/etc/passwd")
	result "the configuration is root's, the daemon reads it" "$(
	    stat -c '%a %u %g' "$image/etc/adherd" | grep -vx "750 0 $group"
	    stat -c '%a %u %g' "$image/etc/adherd/credentials" |
	        grep -vx '700 0 0')"
fi

# ---- completion ----

# completed WORD…: what bash offers for the last one
completed() {
	bash -c '
		source "$0" || exit
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		"_${1##*/}"
		printf "%s\n" "${COMPREPLY[@]}"' \
	    "$root/share/bash-completion/completions/adherctl" "$@" |
	    sort | tr '\n' ' '
}

# offers EXPECTED WORD…
offers() {
	expected=$1
	shift
	got=$(completed "$@")
	[ "$got" = "$expected" ] || echo "$*: $got instead of $expected"
}

result "completion of verbs" "$(
    offers 'maintain migrate ' adherctl m
    offers 'program ' adherctl prog
    offers 'show store ' adherctl program s
    offers 'list ' adherctl stop l
    offers 'show store ' adherctl -c file program s
    offers 'maintain migrate ' adherctl help m)"
result "completion of options" "$(
    offers '--source ' adherctl import fhir --s
    offers '--at-rest ' adherctl maintain --at
    offers '--example ' adherd --ex
    offers '--check-config ' adherd --ch)"
touch "$scratch/one.conf"
result "completion of files" "$(
    offers "$scratch/one.conf " adherd -c "$scratch/one"
    offers "$scratch/one.conf " adherctl -c "$scratch/one"
    offers "$scratch/one.conf " adherctl keyring create "$scratch/one")"
result "completion of words that are fixed" "$(
    offers 'refill renewal ' adherctl stop --kind re
    offers 'wechat_mini wechat_oa ' adherctl consent p --channel w
    offers 'dose,follow_up ' adherctl consent p --topic dose,fo
    offers 'wechat_mini ' adherctl consent p --channel = wechat_m
    offers 'all ' adherctl program show a
    offers 'follow_up ' adherctl template render f
    offers 'template: ' adherctl gateway pause sms --scope t)"
cp "$scratch/adherd.conf" "$scratch/two.conf"
printf '[gateway "push-b"]\nplugin = loopback\nchannel = push\n%s\n' \
    'url = https://127.0.0.1/' >>"$scratch/two.conf"
result "completion of what the configuration has" "$(
    program=$root/bin/adherctl
    offers 'push-b sms ' "$program" -c "$scratch/two.conf" gateway pause ''
    offers 'push-b ' "$program" -c "$scratch/two.conf" template check \
        --gateway p
    offers 'sms ' "$program" -c "$scratch/two.conf" gateway resume --by x s
    offers 'refill/+1d refill/+7d ' "$program" -c "$scratch/two.conf" stop \
        --template refill/+
    offers '+1d +7d ' "$program" -c "$scratch/two.conf" template render refill +
    offers ' ' "$program" -c "$scratch/none.conf" gateway pause '')"
result "no files where there are none" "$(
    offers ' ' adherctl why "$scratch/one"
    offers ' ' adherctl stop --reason "$scratch/one"
    offers ' ' adherctl gateway pause sms --until "$scratch/one"
    offers ' ' adherctl plan "$scratch/one"
    offers "$scratch/one.conf " adherctl plan --fhir "$scratch/one"
    offers "$scratch/one.conf " adherctl plan --fhir a "$scratch/one"
    offers "$scratch/one.conf " adherctl template register sms \
        "$scratch/one")"
# shellcheck disable=SC2016 # meant to be passed on
result "completion survives strange words" "$(
    offers ' ' adherctl '/$(x)' --)"
finish
