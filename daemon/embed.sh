#!/bin/sh
#
# embed.sh statements|migrations|words|replies OUT.c FILE…: make C out of files.
# Statements are named by their file, daemon/sql/NAME.sql; see
# daemon/flow/statements.h, daemon/migrations.h,
# daemon/flow/template_files.h and daemon/care/reply_rules.h.
set -eu

what=$1
out=$2
shift 2

quote() {
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/	"&\\n"/' "$1"
}

{
	echo "/* Made by daemon/embed.sh; do not edit. */"
	case $what in
	statements)
		echo '#include "flow/statements.h"'
		for file; do
			name=$(basename "$file" .sql)
			echo "static const struct db_statement $name = {\"$name\","
			quote "$file"
			echo "};"
		done
		echo "const struct db_statement *const statements[] = {"
		for file; do
			echo "	&$(basename "$file" .sql),"
		done
		echo "};"
		echo "const size_t statement_count = $#;"
		;;
	migrations)
		echo '#include "migrations.h"'
		echo "const struct migration migrations[] = {"
		for file; do
			name=$(basename "$file" .sql)
			number=$(echo "$name" | sed 's/_.*//; s/^0*//')
			echo "	{$number, \"$name\", \"$(sha256sum "$file" | cut -d' ' -f1)\","
			quote "$file"
			echo "	},"
		done
		echo "};"
		echo "const size_t migration_count = $#;"
		;;
	words)
		echo '#include "flow/template_files.h"'
		echo "const struct word_file word_files[] = {"
		for file; do
			echo "	{\"$(basename "$file" .txt)\","
			quote "$file"
			echo "	},"
		done
		echo "};"
		echo "const size_t word_file_count = $#;"
		;;
	replies)
		echo '#include "care/reply_rules.h"'
		echo "const struct reply_file reply_files[] = {"
		for file; do
			echo "	{\"$(basename "$file" .rules)\","
			quote "$file"
			echo "	},"
		done
		echo "};"
		echo "const size_t reply_file_count = $#;"
		;;
	*)
		exit 64
		;;
	esac
} >"$out.new"
mv "$out.new" "$out"
