#!/bin/sh
#
# test_deb.sh: `make deb` makes a package that lintian accepts, that holds what
# it should, and whose programs run from where it is unpacked.  Builds in a
# folder of its own.  Prints TAP.
set -u

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

passes "make deb, lintian included" env -u MAKEFLAGS -u MAKELEVEL make \
    BUILD="$scratch/build" deb
set -- "$scratch"/build/adherd_*.deb
package=$1
dpkg-deb -c "$package" >"$scratch/listing" 2>&1
result "it holds programs, units, pages, texts" "$(for file in \
    ./usr/sbin/adherd ./usr/bin/adherctl \
    ./usr/lib/adherd/gateways/sms_aliyun.so \
    ./usr/lib/adherd/gateways/sms_tencent.so \
    ./usr/lib/adherd/gateways/webhook.so \
    ./usr/lib/adherd/gateways/wechat_oa.so \
    ./usr/lib/adherd/gateways/wechat_mini.so \
    ./usr/lib/adherd/gateways/wecom.so ./lib/systemd/system/adherd.service \
    ./lib/systemd/system/adherd-maintain.timer ./usr/lib/sysusers.d/adherd.conf \
    ./usr/lib/tmpfiles.d/adherd.conf ./usr/share/man/man8/adherd.8.gz \
    ./usr/share/man/man5/adherd.conf.5.gz ./usr/share/adherd/templates/refill/; do
	grep -q " $file\$" "$scratch/listing" || echo "$file"
done)"
result "its configuration is not for everybody" "$(
    grep ' \./etc/adherd/$' "$scratch/listing" | grep -v '^drwxr-x--- root/root')"
result "it is of this version" "$(
    [ "$(dpkg-deb -f "$package" Version)" = \
        "$(sed -n 's/^VERSION := //p' Makefile)" ] ||
        dpkg-deb -f "$package" Version)"

dpkg-deb -e "$package" "$scratch/control"
result "installing makes the users, then the folders" "$(
    sed -n '/systemd-sysusers/{s/.*systemd-sysusers.*/users/p}
        /systemd-tmpfiles/{s/.*systemd-tmpfiles.*/folders/p}' \
        "$scratch/control/postinst" | sort -r -c 2>&1
    grep -c 'systemd-sysusers\|systemd-tmpfiles' "$scratch/control/postinst" |
        grep -vx '[2-9]')"
# an administrator's choice is kept, and only that
result "the listener and the socket are not enabled" "$(
    for unit in adherd-inbox.service adherd.socket; do
	grep -q "if deb-systemd-helper debian-installed '$unit'" \
	    "$scratch/control/postinst" || echo "$unit"
    done)"
result "the daemon and its maintenance are" "$(
    for unit in adherd.service adherd-maintain.timer; do
	grep -q "deb-systemd-helper enable '$unit'" "$scratch/control/postinst" ||
	    echo "$unit"
	grep "debian-installed '$unit'" "$scratch/control/postinst"
    done)"

dpkg-deb -x "$package" "$scratch/root"
result "nothing starts before there is a configuration" "$(
    grep -L '^ConditionPathExists=/etc/adherd' \
        "$scratch"/root/lib/systemd/system/*.service)"
result "adherd runs" "$(
    [ "$("$scratch/root/usr/sbin/adherd" --version)" = \
        "adherd $(dpkg-deb -f "$package" Version)" ] || echo "it does not")"
"$scratch/root/usr/bin/adherctl" keyring create "$scratch/keyring" 2>&1
cat >"$scratch/adherd.conf" <<END
[adherd]
database = host=/nowhere
keyring-file = $scratch/keyring
template-dir = $scratch/root/usr/share/adherd/templates
plugin-dir = $scratch/root/usr/lib/adherd/gateways
[gateway "sms"]
plugin = loopback
channel = sms
url = http://127.0.0.1:1/
plain-http = yes
END
passes "adherd -t" "$scratch/root/usr/sbin/adherd" -t -c "$scratch/adherd.conf"
result "it is compiled for /usr" "$(
    "$scratch/root/usr/sbin/adherd" --example | grep -E '(template|plugin)-dir' |
        grep -v ' /usr/')"
finish
