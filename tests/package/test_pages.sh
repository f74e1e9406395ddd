#!/bin/sh
#
# test_pages.sh: the manual pages are well-formed, and name every verb, every
# option and every exit status that the programs have.  BUILD names a built
# tree.  Prints TAP.
set -u

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

ctl=$build/adherctl
daemon=$build/adherd

# options TEXT…: those in the text, once each
options() {
	echo "$*" | grep -oE -- '(^|[^-[:alnum:]])--?[a-zA-Z][-a-zA-Z]*' |
	    sed 's/^[^-]*//' | sort -u
}

# shown PAGE: as people see it, in one line
shown() {
	mandoc -Tutf8 -O width=1000 "$1" | sed 's/.\x08//g' | tr -s ' \n' '  '
}

# missing PAGE WORD…: those that the page does not have
missing() {
	page=$(shown "$1")
	shift
	for word; do
		case " $page " in
		*[\ \|\[]"$word"[\ ,\|\[\].]*) ;;
		*) echo "$word" ;;
		esac
	done
}

verbs() {
	"$ctl" help | sed -n 's/^  \([a-z]\{1,\}\( [a-z]\{1,\}\)\{0,1\}\)  .*/\1/p'
}

make -s BUILD="$build" "$build/gen/adherd.8" "$build/gen/adherd.conf.5" \
    >"$scratch/made" 2>&1 || sed 's/^/# /' "$scratch/made"
for page in "$build/gen/adherd.8" "$build/gen/adherd.conf.5" \
    daemon/adherctl.1 gateways/gateway.3; do
	passes "mandoc has nothing against ${page##*/}" \
	    mandoc -Tlint -W warning "$page"
done

result "there are verbs" "$([ "$(verbs | wc -l)" -gt 20 ] || echo "$ctl help")"
result "adherctl(1) names every verb" "$(verbs | while read -r verb; do
	missing daemon/adherctl.1 "$verb"
done)"
result "adherctl(1) names every option of every verb" "$(
    verbs | while read -r verb; do
	# shellcheck disable=SC2046,SC2086 # words
	missing daemon/adherctl.1 $(options "$("$ctl" help $verb)") |
	    sed "s/^/$verb: /"
done)"
# shellcheck disable=SC2046 # words
result "adherd(8) names every option" \
    "$(missing "$build/gen/adherd.8" $(options "$("$daemon" --help)"))"
# shellcheck disable=SC2046 # words
result "adherd(8) names every exit status" "$(
    missing "$build/gen/adherd.8" $(grep -oE 'EXIT_[A-Z_]+ = [0-9]+' \
        daemon/base/log.h | sed 's/.* //'))"
# shellcheck disable=SC2046 # words
result "adherd.conf(5) names every key of every plug-in" "$(
    missing "$build/gen/adherd.conf.5" $(sed -n \
        's/^    {"\([a-z-]*\)", GW_OPTION_.*\.secret.*/\1-file/p
            t
            s/^    {"\([a-z-]*\)", GW_OPTION_.*/\1/p' gateways/*.c))"
result "adherd.conf(5) has what a page has" "$(
    for head in DESCRIPTION FILES EXAMPLES 'SEE ALSO'; do
	grep -qx "\.Sh $head" "$build/gen/adherd.conf.5" || echo "$head"
    done)"
result "an option that is not there would be missed" \
    "$([ "$(missing daemon/adherctl.1 --no-such-option)" = --no-such-option ] ||
        echo "it is found")"
if [ -e systemd/monitoring/alarms.mdoc ]; then
	result "adherd(8) has the alarms" "$(
	    grep '^\.Ss' systemd/monitoring/alarms.mdoc |
	        grep -vxFf "$build/gen/adherd.8")"
fi
finish
