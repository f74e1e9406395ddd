/*
 * Program documents: from files and folders, from the database, and the
 * rules that they make.  Reads only.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl_program.h"

#define FILES_MAX 1000
#define DOCUMENTS_MAX 1000
#define FILE_BYTES_MAX ((size_t)4 << 20)
#define STORED_MAX 10000 /* documents of a tenant in force */

struct reading {
	struct ctl *ctl;
	struct list files; /* struct program_file */
};

static void
take_document(
    struct reading *reading, const char *where, const struct json *json)
{
	struct program_file *file = list_add(&reading->files);
	struct conf_error error;

	if (reading->files.count > DOCUMENTS_MAX)
		ctl_fail(EXIT_DATA, "over %d documents", DOCUMENTS_MAX);
	file->where = where;
	if (program_document_read(json, &file->document, &error) != 0)
		ctl_fail(EXIT_DATA, "%s: %s", where, error.text);
}

static void
read_file(struct reading *reading, const char *path)
{
	struct arena *arena = reading->ctl->arena;
	const struct json *json =
	    ctl_read_json(reading->ctl, path, FILE_BYTES_MAX);
	uint32_t index = 0;

	if (!json_is(json, JSON_ARRAY)) {
		take_document(reading, path, json);
		return;
	}
	if (json->count == 0)
		ctl_fail(EXIT_DATA, "%s: an array without a document", path);
	json_each (item, json)
		take_document(reading,
		    arena_printf(arena, "%s[%u]", path, index++), item);
}

static bool
ends_in_json(const char *name)
{
	size_t bytes = strlen(name);

	return name[0] != '.' && bytes > 5 &&
	       strcmp(name + bytes - 5, ".json") == 0;
}

/* A folder's own: what is no file there could be waited for for ever. */
static void
read_entry(struct reading *reading, const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		ctl_fail(EXIT_NO_INPUT, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		ctl_fail(EXIT_DATA, "%s: not a regular file", path);
	read_file(reading, path);
}

/* NAME.json, by name. */
static void
read_folder(struct reading *reading, const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort), found = 0;

	if (count < 0)
		ctl_fail(EXIT_NO_INPUT, "%s: %s", path, strerror(errno));
	for (int i = 0; i < count; i++) {
		if (ends_in_json(entries[i]->d_name)) {
			if (found++ == FILES_MAX)
				ctl_fail(EXIT_DATA, "%s: over %d files", path,
				    FILES_MAX);
			read_entry(
			    reading, arena_printf(reading->ctl->arena, "%s/%s",
					 path, entries[i]->d_name));
		}
		free(entries[i]);
	}
	free(entries);
	if (found == 0)
		ctl_fail(EXIT_NO_INPUT, "%s: no file NAME.json", path);
}

uint32_t
ctl_programs_read(struct ctl *ctl, const char *const *paths, size_t count,
    const struct program_file **files)
{
	struct reading reading = {.ctl = ctl};

	list_init(&reading.files, ctl->arena, sizeof(struct program_file));
	for (size_t i = 0; i < count; i++) {
		struct stat status;

		if (strcmp(paths[i], "default") == 0)
			continue;
		if (stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode))
			read_folder(&reading, paths[i]);
		else
			read_file(&reading, paths[i]);
	}
	*files = reading.files.data;
	return (uint32_t)reading.files.count;
}

/* ---- stored ---- */

static void
take_stored(const struct db_result *result, void *arg)
{
	struct reading *reading = arg;
	struct arena *arena = reading->ctl->arena;

	for (int row = 0;
	     row < db_rows(result) && reading->files.count < STORED_MAX;
	     row++) {
		struct program_document document;
		struct conf_error conf_error;
		const char *text = arena_text(arena, db_text(result, row, 3));
		struct json_error error;

		document = (struct program_document){
		    .kind = (enum kind)db_i64(result, row, 0),
		    .product_class = arena_text(arena, db_text(result, row, 1)),
		    .version = (int32_t)db_i64(result, row, 2),
		    .settings =
			json_parse(text, strlen(text), NULL, arena, &error),
		};
		/* somebody's own row: the daemon leaves it out, too */
		if (program_document_check(&document, &conf_error) != 0) {
			(void)fprintf(stderr,
			    "adherctl: a stored program of kind %d: %s\n",
			    (int)document.kind, conf_error.text);
			continue;
		}
		*(struct program_file *)list_add(&reading->files) =
		    (struct program_file){
			arena_printf(arena, "stored %s version %d",
			    ctl_program_name(reading->ctl, &document),
			    (int)document.version),
			document};
	}
}

uint32_t
ctl_programs_load(struct ctl *ctl, int32_t tenant_id, int16_t kind,
    int32_t version, const struct program_file **files)
{
	struct reading reading = {.ctl = ctl};
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	list_init(&reading.files, ctl->arena, sizeof(struct program_file));
	db_unit_add(unit, "program_of_tenant", take_stored, &reading);
	db_param_i32(unit, tenant_id);
	db_param_i16(unit, kind);
	db_param_i32(unit, version);
	ctl_run(unit);
	*files = reading.files.data;
	return (uint32_t)reading.files.count;
}

/* ---- documents ---- */

const char *
ctl_program_name(struct ctl *ctl, const struct program_document *document)
{
	return arena_printf(ctl->arena, "%s%s%s",
	    program_kind_word(document->kind),
	    document->product_class[0] == '\0' ? "" : " ",
	    document->product_class);
}

bool
program_document_same(
    const struct program_document *a, const struct program_document *b)
{
	return a->kind == b->kind &&
	       strcmp(a->product_class, b->product_class) == 0;
}

const struct rules *
ctl_programs_rules(
    struct ctl *ctl, const struct program_file *files, uint32_t count)
{
	struct program_document *documents =
	    arena_array(ctl->arena, count + 1, sizeof(*documents));
	struct rules *rules = arena_alloc(ctl->arena, sizeof(*rules));
	struct conf_error error;
	uint32_t culprit;

	for (uint32_t i = 0; i < count; i++)
		documents[i] = files[i].document;
	if (program_compose(
		documents, count, ctl->arena, rules, &culprit, &error) != 0)
		ctl_fail(EXIT_DATA, "%s: %s", files[culprit].where, error.text);
	return rules;
}
