#!/bin/sh
#
# table.sh FILE: the rows that tests of faults recorded, as a table.
set -eu

{
	echo 'fault|what|runs|seed|lost|doubled|repeats|worst|bound'
	grep -o '# row|.*' "$1" | cut -d'|' -f2- | sort -t'|' -k1,1V || :
} | column -t -s '|'
