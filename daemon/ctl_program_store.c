/*
 * adherctl program store: rules put in force, as new versions, all of them
 * or none.  A stored program is obeyed by every claim after its COMMIT; only
 * then is it said to be, and those whom it may concern are looked at again.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_program.h"
#include "ctl_template.h"
#include "ctl_touch.h"

struct storing {
	struct ctl *ctl;
	const struct program_document *document; /* on its way */
	const char *tenant;
	int32_t tenant_id;
	int64_t now;
	int32_t *version; /* of each document; 0: it was there */
};

/* The new documents, and of the stored ones those that they do not replace. */
static const struct rules *
rules_to_be(struct ctl *ctl, const struct program_file *files, uint32_t count,
    const struct program_file *old, uint32_t old_count)
{
	struct list all;

	list_init(&all, ctl->arena, sizeof(struct program_file));
	for (uint32_t i = 0; i < count; i++)
		*(struct program_file *)list_add(&all) = files[i];
	for (uint32_t k = 0; k < old_count; k++) {
		bool replaced = false;

		for (uint32_t i = 0; i < count; i++)
			replaced |= program_document_same(
			    &files[i].document, &old[k].document);
		if (!replaced)
			*(struct program_file *)list_add(&all) = old[k];
	}
	return ctl_programs_rules(ctl, all.data, (uint32_t)all.count);
}

/* A stage without a text would be held for ever. */
static void
check_texts(struct ctl *ctl, const struct rules *rules)
{
	struct template_set *set = ctl_load_templates(ctl, NULL);
	struct conf_error error;

	if (template_set_check(set, rules, &error) != 0)
		ctl_fail(EXIT_DATA, "%s", error.text);
	template_set_free(set);
}

static void
take_tenant(const struct db_result *result, void *arg)
{
	struct storing *s = arg;

	if (db_rows(result) == 1)
		s->tenant_id = (int32_t)db_i64(result, 0, 0);
}

static void
take_version(const struct db_result *result, void *arg)
{
	struct storing *s = arg;

	if (db_rows(result) == 1)
		*s->version = (int32_t)db_i64(result, 0, 0);
}

static void
print_stored(
    struct ctl *ctl, const struct program_document *document, int32_t version)
{
	struct buf line = BUF_INIT(0);
	struct json_writer w;

	if (!ctl->json) {
		if (version > 0)
			(void)printf("%s: version %d\n",
			    ctl_program_name(ctl, document), (int)version);
		else
			(void)printf(
			    "%s: unchanged\n", ctl_program_name(ctl, document));
		return;
	}
	w = ctl_line_begin(&line, NULL);
	json_write_member(&w, "kind", program_kind_word(document->kind));
	json_write_member(&w, "product_class", document->product_class);
	ctl_line_number_if(&w, "version", version);
	ctl_line_end(&w);
	buf_free(&line);
}

static void
store_document(struct storing *s)
{
	struct db_unit *unit = db_unit_begin(s->ctl->db);
	struct buf settings = BUF_INIT(PROGRAM_BYTES_MAX);
	struct json_writer w;

	json_write_init(&w, &settings);
	json_write_tree(&w, s->document->settings);
	if (settings.overflow)
		ctl_fail(EXIT_DATA, "%s: over %zu bytes",
		    ctl_program_name(s->ctl, s->document), PROGRAM_BYTES_MAX);
	db_unit_add(unit, "program_insert", take_version, s);
	db_param_i32(unit, s->tenant_id);
	db_param_i16(unit, (int16_t)s->document->kind);
	db_param_text(unit, s->document->product_class);
	db_param_text(unit, buf_string(&settings));
	db_param_at(unit, s->now);
	ctl_run(unit);
	buf_free(&settings);
}

static void
next_people(struct db_unit *unit,
    void (*take)(const struct db_result *, void *), void *taker,
    int16_t after_bucket, int64_t after_patient, int32_t slice, void *arg)
{
	db_unit_add(unit, "program_people", take, taker);
	db_param_i32(unit, ((const struct storing *)arg)->tenant_id);
	db_param_i16(unit, after_bucket);
	db_param_i64(unit, after_patient);
	db_param_i32(unit, slice);
}

static void
begin(struct storing *s)
{
	struct db_unit *unit = db_unit_begin(ctl_database(s->ctl));

	s->now = ctl_now(s->ctl, NULL);
	db_unit_add(unit, "begin", NULL, NULL);
	db_unit_add(unit, "program_lock", take_tenant, s);
	db_param_text(unit, s->tenant);
	ctl_run(unit);
	if (s->tenant_id == 0)
		ctl_fail(EXIT_DATA, "no tenant \"%s\"", s->tenant);
}

/* A COMMIT whose answer is lost may have been obeyed. */
static void
commit(struct storing *s)
{
	struct db_unit *unit = db_unit_begin(s->ctl->db);
	char sqlstate[6] = "";

	db_unit_add(unit, "commit", NULL, NULL);
	switch (db_unit_run(unit, sqlstate)) {
	case DB_OK:
		return;
	case DB_FAILED:
		ctl_fail(EXIT_INTERNAL,
		    "the database refused, nothing is stored: %s", sqlstate);
	case DB_LOST:
		ctl_fail(EXIT_DEPENDENCY,
		    "the database went away: unknown whether stored; look with "
		    "program list");
	}
}

/* All or none of them; how many were new. */
static uint32_t
store_documents(
    struct storing *s, const struct program_file *files, uint32_t count)
{
	int32_t *versions =
	    arena_array(s->ctl->arena, count + 1, sizeof(*versions));
	uint32_t stored = 0;

	for (uint32_t i = 0; i < count; i++) {
		s->document = &files[i].document;
		s->version = &versions[i];
		store_document(s);
	}
	commit(s);
	for (uint32_t i = 0; i < count; i++) {
		print_stored(s->ctl, &files[i].document, versions[i]);
		stored += versions[i] > 0;
	}
	return stored;
}

static int
run_store(struct ctl *ctl, int argc, char **argv)
{
	const struct program_file *files, *old;
	struct program_request r;
	struct storing s = {.ctl = ctl};
	uint32_t count, old_count;

	program_request_read(ctl, &ctl_program_store, argc, argv, &r);
	if (r.paths.count == 0 && !r.touch)
		ctl_usage(&ctl_program_store);
	count = ctl_programs_read(ctl, r.paths.data, r.paths.count, &files);
	s.tenant = r.tenant;
	begin(&s);
	old_count = ctl_programs_load(ctl, s.tenant_id, -1, 0, &old);
	if (count > 0)
		check_texts(
		    ctl, rules_to_be(ctl, files, count, old, old_count));
	if (store_documents(&s, files, count) > 0 || r.touch) {
		uint64_t people = ctl_touch_people(ctl, next_people, &s, false);

		if (!ctl->json)
			(void)printf(
			    "%" PRIu64 " people are looked at again\n", people);
	}
	return 0;
}

const struct ctl_verb ctl_program_store = {
    "program store",
    "[--tenant NAME] [--touch] [FILE|FOLDER…] [--json]",
    "put rules in force, as new versions; --touch: have the tenant's people "
    "looked at again though nothing changed",
    run_store,
};
