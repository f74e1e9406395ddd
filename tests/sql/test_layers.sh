#!/bin/sh
#
# test_layers.sh: the rooms keep to their directions.  Includes go door →
# flow → care → base; care/ is pure; a gateway knows gateway.h, what its kind
# shares and the C library's freestanding part, WeChat's expat besides; SQL is
# in daemon/sql.
# BUILD names a built tree.  Prints TAP.
set -u

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

# may_include ROOM ALLOWED: what else it includes from our rooms
may_include() {
	grep -En '^#include "' "daemon/$1"/*.[ch] |
	    grep -Ev "\"($2|gateways/gateway\.h)" || true
}

result "base includes base" "$(may_include base 'base/')"
result "care includes care and base" "$(may_include care '(care|base)/')"
result "flow includes flow, care and base" \
    "$(may_include flow '(flow|care|base)/')"
result "door includes all four rooms" \
    "$(may_include door '(door|flow|care|base)/')"
result "base and care do not know the gateways" \
    "$(grep -n '#include "gateways/' daemon/base/*.[ch] daemon/care/*.[ch])"
result "care includes no database, network or event header" \
    "$(grep -En '#include <(libpq|postgres|curl|event|sys/|unistd|fcntl|time|netinet|arpa)' \
        daemon/care/*.[ch])"

# what care/ leaves to be linked: neither I/O nor a clock, nor memory that
# does not come from base/
impure='f?(open|read|write|close|printf|puts|putc|gets|getc|scanf)(64)?'
impure="$impure|openat|lseek|mmap|socket|connect|send|recv|poll|select|puts"
impure="$impure|getenv|secure_getenv|time|clock|clock_gettime|gettimeofday"
impure="$impure|localtime(_r)?|gmtime(_r)?|mktime|tzset|rand|random"
impure="$impure|getrandom|malloc|calloc|realloc|free|strdup|strndup|asprintf"
impure="$impure|PQ.*|curl_.*|event_.*|evhttp_.*|evbuffer_.*"

# undefined FILE…: what of that these objects leave to be linked
undefined() {
	nm -A -u "$@" | grep -E " U (__)?($impure)(_chk)?(@.*)?\$"
}

# writable FILE…: variables of their own outside read-only sections, where
# relocated constants lie too; the compiler's and the sanitizers' are not
# ours
writable() {
	for each; do
		objdump -t "$each" |
		    grep -E ' O (\.data|\.bss|\.tdata|\.tbss|COMMON|\*COM\*)' |
		    grep -Ev '\.data\.rel\.ro|__asan|__ubsan|\.L|completed\.0|__dso_handle|__TMC_END__' |
		    sed "s|^|${each##*/}: |"
	done
}

set -- "$build"/daemon/care/*.o
if [ ! -e "$1" ]; then
	result "care is built" "no objects in $build/daemon/care"
else
	# what utf8proc allocates is freed as it says, by free()
	result "care calls no I/O, clock, environment or allocator" \
	    "$(undefined "$@" | grep -v '/template\.o: *U free$')"
	result "care has no writable globals" "$(writable "$@")"
fi
set -- "$build"/gateways/*.so
if [ ! -e "$1" ]; then
	result "gateways are built" "no plug-ins in $build/gateways"
else
	result "gateways call no I/O, clock, environment or allocator" \
	    "$(undefined "$@")"
	result "gateways have no writable globals" "$(writable "$@")"
fi
result "gateways include their own headers and plain ones of the C library" \
    "$(grep -n '^#include' gateways/*.[ch] |
        grep -Ev '"(gateway|cloud_sms|aliyun_sign|wechat|wechat_account|wechat_xml)\.h"|<(stdbool|stddef|stdint|inttypes|limits|string|stdlib)\.h>|^gateways/wechat_xml\.h:[0-9]*:#include <expat\.h>'
       grep -n '^#include "' gateways/gateway.h)"

# string literals that hold a statement; ctl_schema.c makes the migrations'
# own table before any statement can be prepared
result "SQL is in daemon/sql" \
    "$(grep -En '"[^"]*(SELECT .* FROM|INSERT INTO|UPDATE [a-z_]+ SET|DELETE FROM|CREATE (TABLE|INDEX)|ALTER TABLE) ?' \
        daemon/*.c daemon/*/*.c gateways/*.c | grep -v '^daemon/ctl_schema\.c:')"

finish
