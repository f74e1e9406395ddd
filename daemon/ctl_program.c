/*
 * adherctl program check, list, show: rules as documents, in files and in
 * force.  Changes nothing; ctl_program_store.c does.
 */
#include "ctl_program.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/zone.h"
#include "ctl_line.h"

/* ---- the command line ---- */

static int32_t
parse_version(const char *text)
{
	int32_t version;

	if (!ctl_number(text, INT32_MAX, &version))
		ctl_fail(EXIT_USAGE_, "\"%s\" is no version", text);
	return version;
}

void
program_request_read(struct ctl *ctl, const struct ctl_verb *verb, int argc,
    char **argv, struct program_request *r)
{
	const char *value;

	*r = (struct program_request){.tenant = "default", .product_class = ""};
	list_init(&r->paths, ctl->arena, sizeof(const char *));
	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			r->tenant = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--class")))
			r->product_class = value;
		else if ((value =
				 ctl_option(verb, argc, argv, &i, "--version")))
			r->version = parse_version(value);
		else if (strcmp(argv[i], "--touch") == 0)
			r->touch = true;
		else if (strcmp(argv[i], "--default") == 0)
			r->standard = true;
		else if (argv[i][0] == '-' && argv[i][1] != '\0')
			ctl_stray(verb, argv[i]);
		else
			*(const char **)list_add(&r->paths) = argv[i];
	}
}

/* ---- check ---- */

static int
run_check(struct ctl *ctl, int argc, char **argv)
{
	const struct program_file *files;
	struct program_request r;
	uint32_t count;

	program_request_read(ctl, &ctl_program_check, argc, argv, &r);
	if (r.paths.count == 0)
		ctl_usage(&ctl_program_check);
	count = ctl_programs_read(ctl, r.paths.data, r.paths.count, &files);
	(void)ctl_programs_rules(ctl, files, count);
	for (uint32_t i = 0; i < count && !ctl->json; i++)
		(void)printf("%s: %s: good\n", files[i].where,
		    ctl_program_name(ctl, &files[i].document));
	return 0;
}

const struct ctl_verb ctl_program_check = {
    "program check",
    "FILE|FOLDER…",
    "are these rules valid? exit 65 if not; needs no database",
    run_check,
};

/* ---- list ---- */

static void
print_version_json(const struct db_result *result, int row)
{
	struct buf line = BUF_INIT(0);
	struct json_writer w = ctl_line_begin(&line, NULL);

	json_write_member(
	    &w, "kind", program_kind_word((enum kind)db_i64(result, row, 0)));
	json_write_member(&w, "product_class", db_text(result, row, 1));
	ctl_line_number(&w, "version", db_i64(result, row, 2));
	ctl_line_at(&w, "stored_at", zone_open("UTC"), db_at(result, row, 3));
	json_write_key(&w, "settings");
	json_write_raw(&w, db_text(result, row, 4));
	ctl_line_end(&w);
	buf_free(&line);
}

static void
print_versions(const struct db_result *result, void *arg)
{
	struct ctl *ctl = arg;
	const struct zone *utc = zone_open("UTC");

	for (int row = 0; row < db_rows(result); row++) {
		const char *kind =
		    program_kind_word((enum kind)db_i64(result, row, 0));
		char at[32];

		if (ctl->json) {
			print_version_json(result, row);
			continue;
		}
		zone_format(utc, db_at(result, row, 3), at, sizeof(at));
		(void)printf("%-10s %-12s version %-4" PRId64 " %s  %s\n",
		    kind == NULL ? "?" : kind, db_text(result, row, 1),
		    db_i64(result, row, 2), at, db_text(result, row, 4));
	}
}

static int
run_list(struct ctl *ctl, int argc, char **argv)
{
	struct db_unit *unit;
	struct program_request r;
	int32_t tenant_id;

	program_request_read(ctl, &ctl_program_list, argc, argv, &r);
	if (r.paths.count > 0)
		ctl_usage(&ctl_program_list);
	tenant_id = ctl_tenant(ctl, r.tenant).tenant_id;
	unit = db_unit_begin(ctl->db);
	db_unit_add(unit, "program_list", print_versions, ctl);
	db_param_i32(unit, tenant_id);
	ctl_run(unit);
	return 0;
}

const struct ctl_verb ctl_program_list = {
    "program list",
    "[--tenant NAME] [--json]",
    "every version of every program, with the settings it names",
    run_list,
};

/* ---- show ---- */

/* Whose word a setting is: the class's, the kind's, or the defaults'. */
static int32_t
source_version(const struct program_file *files, uint32_t count,
    const struct program_document *shown, const char *key)
{
	int32_t version = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct program_document *d = &files[i].document;

		if (json_get(d->settings, key) == NULL ||
		    d->kind != shown->kind)
			continue;
		if (program_document_same(d, shown))
			return d->version;
		if (d->product_class[0] == '\0')
			version = d->version;
	}
	return version;
}

static void
print_rows(struct ctl *ctl, const struct program_row *rows, uint32_t row_count,
    const struct program_file *files, uint32_t count,
    const struct program_document *shown)
{
	for (uint32_t i = 0; i < row_count; i++) {
		int32_t version =
		    source_version(files, count, shown, rows[i].key);
		const char *source =
		    version == 0
			? "default"
			: arena_printf(ctl->arena, "version %d", (int)version);

		(void)printf(
		    "%-21s %-36s %s\n", rows[i].key, rows[i].value, source);
	}
}

/* As a document, which can be stored again. */
static void
print_document(const struct program_row *rows, uint32_t count,
    const struct program_document *shown)
{
	struct buf out = BUF_INIT(0);
	struct json_writer w = ctl_line_begin(&out, NULL);

	json_write_member(&w, "kind", program_kind_word(shown->kind));
	if (shown->product_class[0] != '\0')
		json_write_member(&w, "product_class", shown->product_class);
	json_write_key(&w, "settings");
	json_write_object(&w);
	for (uint32_t i = 0; i < count; i++) {
		json_write_key(&w, rows[i].key);
		json_write_raw(&w, rows[i].value);
	}
	json_write_end_object(&w);
	ctl_line_end(&w);
	buf_free(&out);
}

static int
run_show(struct ctl *ctl, int argc, char **argv)
{
	struct program_document shown = {0};
	const struct program_row *rows;
	const struct program_file *files = NULL;
	uint32_t count = 0, row_count;
	struct program_request r;

	program_request_read(ctl, &ctl_program_show, argc, argv, &r);
	if (r.paths.count != 1)
		ctl_usage(&ctl_program_show);
	r.kind = *(const char **)r.paths.data;
	if (!program_kind_parse(r.kind, &shown.kind))
		ctl_fail(EXIT_USAGE_,
		    "no kind \"%s\": dose, refill, renewal, follow_up, all",
		    r.kind);
	shown.product_class = r.product_class;
	if (!r.standard)
		count =
		    ctl_programs_load(ctl, ctl_tenant(ctl, r.tenant).tenant_id,
			(int16_t)(r.version > 0 ? (int16_t)shown.kind : -1),
			r.version, &files);
	row_count = program_rows(ctl_programs_rules(ctl, files, count),
	    shown.kind, shown.product_class, ctl->arena, &rows);
	if (ctl->json)
		print_document(rows, row_count, &shown);
	else
		print_rows(ctl, rows, row_count, files, count, &shown);
	return 0;
}

const struct ctl_verb ctl_program_show = {
    "program show",
    "dose|refill|renewal|follow_up|all [--class CLASS] [--version N]\n"
    "           [--tenant NAME] [--default] [--json]",
    "the settings in force and where each comes from; --default: without "
    "database; --json: a document to change and store",
    run_show,
};
