#!/bin/sh
#
# completion.sh ADHERCTL ADHERD: print bash completion for both, made of what
# they say in --help and `help VERB`.  An option's value is completed by the
# word that its usage has for it: files for FILE, kinds for KIND; what the
# configuration or the database knows is asked from the adherctl on the line,
# and where that does not answer nothing is offered.
set -eu

ctl=$1
daemon=$2

# options in a text, once each
options() {
	grep -oE -- '(^|[^-[:alnum:]])--?[a-zA-Z][-a-zA-Z]*' |
	    sed 's/^[^-]*//' | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# "--option WORD" of a verb's usage, which ends with an empty line
values() {
	sed '/^$/q' | grep -oE -- '--[a-z][-a-z]* [A-Z][A-Z/]*' | sort -u
}

verbs=$("$ctl" help | sed -n 's/^  \([a-z]\{1,\}\( [a-z]\{1,\}\)\{0,1\}\)  .*/\1/p')
[ -n "$verbs" ] || exit 70

cat <<'END'
# bash completion for adherd and adherctl; made by systemd/completion.sh

_adherd_files()
{
	local IFS=$'\n'
	compopt -o filenames 2>/dev/null
	COMPREPLY+=($(compgen -f -- "$1"))
}

# of lists with commas the last part is completed
_adherd_words()
{
	local before=
	[[ $2 != *,* ]] || before=${2%,*},
	COMPREPLY+=($(compgen -P "$before" -W "$1" -- "${2##*,}"))
}

# what adherctl says, by the configuration on the line: not for long, and
# nothing where it cannot
_adherctl_ask()
{
	CREDENTIALS_DIRECTORY=${CREDENTIALS_DIRECTORY-/etc/adherd/credentials} \
	    timeout 2 "${COMP_WORDS[0]}" "${config[@]}" --json "$@" 2>/dev/null \
	    </dev/null
}

_adherctl_options()
{
	case $1 in
END
echo "$verbs" | while read -r verb; do
	# shellcheck disable=SC2086 # one or two words
	echo "	\"$verb\") echo '$("$ctl" help $verb |
	    options)' ;;"
done
cat <<'END'
	esac
}

# the word that usage has for the value of an option; none: it takes none
_adherctl_value()
{
	case "$1 $2" in
END
echo "$verbs" | while read -r verb; do
	# shellcheck disable=SC2086 # one or two words
	"$ctl" help $verb | values | while read -r option word; do
		echo "	\"$verb $option\") echo $word ;;"
	done
done
cat <<'END'
	esac
}

# _adherctl_complete WORD CURRENT: what may stand where usage has WORD
_adherctl_complete()
{
	local kinds='dose refill renewal follow_up'
	case $1 in
	FILE | FOLDER | DIR | OLD | NEW) _adherd_files "$2" ;;
	KIND) _adherd_words "$kinds" "$2" ;;
	TOPIC) _adherd_words \
	    'dose refill follow_up marketing any-hour abroad' "$2" ;;
	CHANNEL) _adherd_words 'sms wechat_mini wechat_oa push' "$2" ;;
	SCOPE)
		compopt -o nospace 2>/dev/null
		_adherd_words 'template: sender:' "$2"
		;;
	GATEWAY) _adherd_words "$(_adherctl_ask gateway list |
	    sed -n 's/^{"name":"\([^"]*\)".*/\1/p')" "$2" ;;
	KIND/STAGE) _adherd_words "$(_adherctl_ask template list |
	    sed -n 's/^{"kind":"\([^"]*\)","stage":"\([^"]*\)".*/\1\/\2/p' |
	    sort -u)" "$2" ;;
	STAGE) _adherd_words "$(_adherctl_ask template list |
	    sed -n 's/^{"kind":"'"${words[2]}"'","stage":"\([^"]*\)".*/\1/p' |
	    sort -u)" "$2" ;;
	DRUG) _adherd_words "$(_adherctl_ask product list |
	    sed -n 's/.*"drug":"[^"]*|\([^"|]*\)".*/\1/p' | sort -u)" "$2" ;;
	NUMBER) _adherd_words "$(_adherctl_ask stop list |
	    sed -n 's/.*"stop":\([0-9]*\).*/\1/p')" "$2" ;;
	esac
}

# the word that usage has for the next argument of a verb, after those given
_adherctl_argument()
{
	case "$1 $2" in
	"gateway pause 0" | "gateway resume 0") echo GATEWAY ;;
	"template register 0") echo GATEWAY ;;
	"template register 1" | "keyring create 0" | "template check 0") echo FILE ;;
	"template render 0" | "program show 0") echo KIND ;;
	"template render 1") echo STAGE ;;
	"resume 0") echo NUMBER ;;
	"import fhir "* | "program check "* | "program store "*) echo FILE ;;
	"plan "*) case " ${COMP_WORDS[*]} " in
		*" --fhir"* | *" --diff"*) echo FILE ;;
		esac ;;
	esac
}
END
cat <<END

_adherctl()
{
	local current=\${COMP_WORDS[COMP_CWORD]} words=() config=() i verb= rest
	local option= value
	local verbs='$(echo "$verbs" | tr '\n' '|')'
END
cat <<'END'
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		value=
		case ${COMP_WORDS[i]} in
		-c) option=-c value=FILE ;;
		--*) [ -z "$verb" ] || {
			option=${COMP_WORDS[i]}
			value=$(_adherctl_value "$verb" "$option")
		} ;;
		-*) ;;
		*)
			words+=("${COMP_WORDS[i]}")
			[ "${words[0]}" != help ] || words=("${words[@]:1}")
			;;
		esac
		rest="${words[0]} ${words[1]}"
		if [ ${#words[@]} -ge 2 ] && [[ "|$verbs" == *"|$rest|"* ]]; then
			verb=$rest
		elif [ ${#words[@]} -ge 1 ] &&
		    [[ "|$verbs" == *"|${words[0]}|"* ]]; then
			verb=${words[0]}
		fi
		[ -n "$value" ] || continue
		# its value: --option VALUE, or --option = VALUE as bash splits it
		[ "${COMP_WORDS[i+1]}" != = ] || ((i++))
		((i++))
		[ "$option" != -c ] || config=(-c "${COMP_WORDS[i]}")
		((i >= COMP_CWORD)) || continue
		[ "$current" != = ] || current=
		case $verb$option in
		"template check--gateway") value=GATEWAY ;;
		esac
		_adherctl_complete "$value" "$current"
		return
	done
	[[ ${#words[@]} -eq 0 || ${words[0]} =~ ^[a-z]+$ ]] || return
	if [[ $current == -* ]]; then
		COMPREPLY=($(compgen -W \
		    "-c --json --help --version $(_adherctl_options "$verb")" \
		    -- "$current"))
		return
	fi
	# the first word of a verb, then the second of those that have one
	if [ ${#words[@]} -eq 0 ]; then
		rest=$(printf '%s' "help|$verbs" | tr '|' '\n' | cut -d' ' -f1 |
		    sort -u)
		COMPREPLY=($(compgen -W "$rest" -- "$current"))
		return
	fi
	if [ ${#words[@]} -eq 1 ]; then
		rest=$(printf '%s' "$verbs" | tr '|' '\n' |
		    sed -n "s/^${words[0]} //p")
		COMPREPLY=($(compgen -W "$rest" -- "$current"))
	fi
	[ -n "$verb" ] || return
	rest=($verb)
	i=$((${#words[@]} - ${#rest[@]}))
	[ "$verb" != "program show" ] || [ "$i" -gt 0 ] ||
	    _adherd_words all "$current"
	_adherctl_complete "$(_adherctl_argument "$verb" "$i")" "$current"
}

_adherd()
{
	local current=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	case ${COMP_WORDS[COMP_CWORD-1]} in
	-c | --config) _adherd_files "$current" ;;
	*) COMPREPLY=($(compgen -W \
END
echo "	    '$("$daemon" --help | options)' -- \"\$current\")) ;;"
cat <<'END'
	esac
}

complete -F _adherctl adherctl
complete -F _adherd adherd
END
