/*
 * Documents of programs to rules, and back for people.  What settings must
 * be to each other is checked on the whole program, for a class takes over
 * what it does not name.
 */
#include "care/program_read.h"

#include <stdlib.h>
#include <string.h>

#include "care/program_setting.h"

#define VALUE_BYTES_MAX 1024
#define KEYS_MAX 32 /* settings of one kind */

/* ---- kinds ---- */

const char *
program_kind_word(enum kind kind)
{
	return kind == 0 ? "all" : kind_word(kind);
}

bool
program_kind_parse(const char *word, enum kind *kind)
{
	*kind = kind_from_word(word);
	return strcmp(word, "all") == 0 ||
	       (*kind >= KIND_DOSE && *kind <= KIND_FOLLOW_UP);
}

/* ---- documents ---- */

static const struct program_setting *
find_setting(const char *key, uint32_t kinds)
{
	for (size_t i = 0; i < program_setting_count; i++)
		if ((program_settings[i].kinds & kinds) != 0 &&
		    strcmp(program_settings[i].key, key) == 0)
			return &program_settings[i];
	return NULL;
}

static int
refuse_key(const char *key, enum kind kind, struct conf_error *error)
{
	const char *known[KEYS_MAX], *nearest;
	size_t count = 0;

	if (find_setting(key, ~0u) != NULL)
		return program_fail(error, "settings.%s: no setting of \"%s\"",
		    key, program_kind_word(kind));
	for (size_t i = 0; i < program_setting_count; i++)
		if ((program_settings[i].kinds & PROGRAM_KIND(kind)) != 0 &&
		    count < KEYS_MAX)
			known[count++] = program_settings[i].key;
	nearest = conf_nearest(key, known, count);
	return program_fail(error, "settings.%.64s: unknown%s%s%s", key,
	    nearest == NULL ? "" : "; did you mean \"",
	    nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

static int
read_settings(const struct program_document *document, void *target,
    struct conf_error *error)
{
	json_each (value, document->settings) {
		const struct program_setting *row =
		    find_setting(value->key, PROGRAM_KIND(document->kind));

		if (row == NULL)
			return refuse_key(value->key, document->kind, error);
		if (document->product_class[0] != '\0' && !row->by_class)
			return program_fail(error,
			    "settings.%s: the same for all products: it "
			    "belongs to the document without product_class",
			    row->key);
		if (program_setting_read(row, value, target, error) != 0)
			return -1;
	}
	return 0;
}

bool
program_class_valid(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	return strlen(text) <= PROGRAM_CLASS_BYTES_MAX &&
	       text[strspn(text, allowed)] == '\0';
}

int
program_document_check(
    const struct program_document *document, struct conf_error *error)
{
	if (document->kind > KIND_FOLLOW_UP)
		return program_fail(
		    error, "kind: not dose, refill, renewal, follow_up or all");
	if (document->product_class == NULL ||
	    !program_class_valid(document->product_class))
		return program_fail(error,
		    "product_class: not a word of up to %d letters, digits, "
		    "\"-\", \"_\" and \".\"",
		    PROGRAM_CLASS_BYTES_MAX);
	if (document->product_class[0] != '\0' &&
	    (document->kind == 0 || document->kind == KIND_FOLLOW_UP))
		return program_fail(error,
		    "product_class: \"%s\" speaks of no product",
		    program_kind_word(document->kind));
	if (!json_is(document->settings, JSON_OBJECT))
		return program_fail(error, "settings: not an object");
	return 0;
}

static int
check_keys(const struct json *json, struct conf_error *error)
{
	static const char *const known[] = {
	    "kind", "product_class", "settings"};

	json_each (member, json) {
		const char *nearest =
		    conf_nearest(member->key, known, COUNT(known));
		bool found = false;

		for (size_t i = 0; i < COUNT(known); i++)
			found |= strcmp(member->key, known[i]) == 0;
		if (!found)
			return program_fail(error, "%.64s: unknown%s%s",
			    member->key,
			    nearest == NULL ? "" : "; did you mean ",
			    nearest == NULL ? "" : nearest);
	}
	return 0;
}

int
program_document_read(const struct json *json,
    struct program_document *document, struct conf_error *error)
{
	const struct json *product_class = json_get(json, "product_class");
	const char *kind = json_get_text(json, "kind");

	*document = (struct program_document){
	    .product_class =
		product_class == NULL ? "" : json_text(product_class),
	    .settings = json_get(json, "settings"),
	};
	if (!json_is(json, JSON_OBJECT))
		return program_fail(
		    error, "not an object with kind and settings");
	if (check_keys(json, error) != 0)
		return -1;
	if (kind == NULL || !program_kind_parse(kind, &document->kind))
		return program_fail(
		    error, "kind: not dose, refill, renewal, follow_up or all");
	return program_document_check(document, error);
}

/* ---- what settings must be to each other ---- */

static int
check_ladder(const struct program *program, struct conf_error *error)
{
	const struct program_stage *stages = program->stages;
	uint32_t last = program->stage_count - 1;

	if (last > 0 && stages[last].day <= stages[last - 1].day)
		return program_fail(error,
		    "settings.task: \"%s\" does not come after the last "
		    "stage, \"%s\"",
		    stage_word(stages[last].stage),
		    stage_word(stages[last - 1].stage));
	for (uint32_t i = 0; i < last; i++)
		if (program->fallback_us >=
		    (stages[i + 1].day - stages[i].day) * DAY_US)
			return program_fail(error,
			    "settings.fallback: not shorter than from stage "
			    "\"%s\" to the next",
			    stage_word(stages[i].stage));
	return 0;
}

static int
check_time(
    const struct program *program, int32_t spread_min, struct conf_error *error)
{
	if (program->stage_time_s < program->hours_from_s ||
	    program->stage_time_s >= program->hours_until_s)
		return program_fail(error, "settings.time: outside the hours");
	if (program->stage_time_s + spread_min * 60 > program->hours_until_s)
		return program_fail(error,
		    "the time of \"%s\" and a spread of %d min reach beyond "
		    "its hours",
		    kind_word(program->kind), (int)spread_min);
	return 0;
}

static int
check_program(
    const struct program *program, int32_t spread_min, struct conf_error *error)
{
	if (program->kind != KIND_DOSE &&
	    (check_ladder(program, error) != 0 ||
		check_time(program, spread_min, error) != 0))
		return -1;
	if (program->kind != KIND_FOLLOW_UP && program->valid_us > 0 &&
	    program->fallback_us >= program->valid_us)
		return program_fail(error,
		    "settings.fallback: not shorter than the message is valid");
	if (program->repeat_after_unknown && program->fallback_us == 0)
		return program_fail(error,
		    "settings.repeat_after_unknown: needs a fallback, the time "
		    "after which it is repeated");
	return 0;
}

static int
check_rules(const struct rules *rules, struct conf_error *error)
{
	if (rules->caps.sms_day > rules->caps.sms_week)
		return program_fail(
		    error, "settings.sms_per_7_days: less than sms_per_day");
	return 0;
}

/* ---- rules ---- */

static const struct program_document *
find_document(const struct program_document *documents, uint32_t count,
    enum kind kind, const char *product_class)
{
	for (uint32_t i = 0; i < count; i++)
		if (documents[i].kind == kind &&
		    strcmp(documents[i].product_class, product_class) == 0)
			return &documents[i];
	return NULL;
}

static int
compose_kind(const struct program_document *document, struct program *program,
    int32_t spread_min, struct conf_error *error)
{
	if (document != NULL) {
		if (read_settings(document, program, error) != 0)
			return -1;
		if (document->version > program->version)
			program->version = document->version;
	}
	return check_program(program, spread_min, error);
}

/* The programs of product classes: their kind's, then their own settings. */
static int
compose_classes(const struct program_document *documents, uint32_t count,
    struct arena *arena, struct rules *rules, uint32_t *culprit,
    struct conf_error *error)
{
	struct program *classes =
	    arena_array(arena, count + 1, sizeof(*classes));

	rules->classes = classes;
	for (uint32_t i = 0; i < count; i++) {
		struct program *program = &classes[rules->class_count];

		if (documents[i].product_class[0] == '\0')
			continue;
		*culprit = i;
		if (rules->class_count == PROGRAM_CLASSES_MAX)
			return program_fail(error,
			    "over %d programs of classes", PROGRAM_CLASSES_MAX);
		*program = rules->kinds[documents[i].kind];
		program->product_class =
		    arena_text(arena, documents[i].product_class);
		if (compose_kind(
			&documents[i], program, rules->spread_min, error) != 0)
			return -1;
		rules->class_count++;
	}
	return 0;
}

/* By kind and class; of the same those that stand first go first. */
static int
compare_documents(const void *left, const void *right)
{
	const struct program_document *const *a = left, *const *b = right;
	int classes = strcmp((*a)->product_class, (*b)->product_class);

	if ((*a)->kind != (*b)->kind)
		return (*a)->kind < (*b)->kind ? -1 : 1;
	if (classes != 0)
		return classes;
	return (*a > *b) - (*a < *b);
}

/* At most one of each kind and class: by sorting, for there may be many. */
static int
check_unique(const struct program_document *documents, uint32_t count,
    struct arena *arena, uint32_t *culprit, struct conf_error *error)
{
	const struct program_document **sorted =
	    arena_array(arena, count + 1, sizeof(*sorted));

	for (uint32_t i = 0; i < count; i++)
		sorted[i] = &documents[i];
	qsort(sorted, count, sizeof(*sorted), compare_documents);
	for (uint32_t i = 1; i < count; i++) {
		const struct program_document *a = sorted[i - 1];
		const struct program_document *b = sorted[i];

		if (a->kind != b->kind ||
		    strcmp(a->product_class, b->product_class) != 0)
			continue;
		*culprit = (uint32_t)(b - documents);
		return program_fail(
		    error, "a second document of this kind and class");
	}
	return 0;
}

int
program_compose(const struct program_document *documents, uint32_t count,
    struct arena *arena, struct rules *rules, uint32_t *culprit,
    struct conf_error *error)
{
	const struct program_document *all =
	    find_document(documents, count, 0, "");

	*rules = *program_default();
	*culprit = 0;
	if (check_unique(documents, count, arena, culprit, error) != 0)
		return -1;
	if (all != NULL) {
		*culprit = (uint32_t)(all - documents);
		if (read_settings(all, rules, error) != 0 ||
		    check_rules(rules, error) != 0)
			return -1;
		rules->version = all->version;
	}
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++) {
		const struct program_document *document =
		    find_document(documents, count, kind, "");

		/* without one of its own, a kind fails by that of all */
		if (document != NULL)
			*culprit = (uint32_t)(document - documents);
		else if (all != NULL)
			*culprit = (uint32_t)(all - documents);
		if (compose_kind(document, &rules->kinds[kind],
			rules->spread_min, error) != 0)
			return -1;
	}
	return compose_classes(documents, count, arena, rules, culprit, error);
}

/* ---- for people ---- */

uint32_t
program_rows(const struct rules *rules, enum kind kind,
    const char *product_class, struct arena *arena,
    const struct program_row **rows)
{
	struct program_row *list =
	    arena_array(arena, program_setting_count, sizeof(*list));
	struct buf value = BUF_INIT(VALUE_BYTES_MAX);
	uint32_t count = 0;

	for (size_t i = 0; i < program_setting_count; i++) {
		const struct program_setting *row = &program_settings[i];

		if ((row->kinds & PROGRAM_KIND(kind)) == 0)
			continue;
		buf_clear(&value);
		if (kind == 0)
			program_setting_write(row, rules, &value);
		else
			program_setting_write(row,
			    program_for(rules, kind, product_class), &value);
		list[count++] = (struct program_row){
		    row->key, arena_text(arena, buf_string(&value)), row->help};
	}
	buf_free(&value);
	*rows = list;
	return count;
}

/* mdoc wants each sentence on a line of its own. */
static void
write_sentences(const char *text, struct buf *out)
{
	for (char before = '\0'; *text != '\0'; before = *text++)
		buf_char(out, before == '.' && *text == ' ' ? '\n' : *text);
	buf_char(out, '\n');
}

void
program_manual(struct buf *out)
{
	struct arena *arena = arena_create();

	for (enum kind kind = 0; kind <= KIND_FOLLOW_UP; kind++) {
		const struct program_row *rows;
		uint32_t count =
		    program_rows(program_default(), kind, "", arena, &rows);

		buf_printf(out, ".Ss kind %s\n.Bl -tag -width Ds\n",
		    program_kind_word(kind));
		for (uint32_t i = 0; i < count; i++) {
			buf_printf(out, ".It Ic %s\n", rows[i].key);
			write_sentences(rows[i].help, out);
			buf_printf(out, "The default is %s.\n", rows[i].value);
		}
		buf_text(out, ".El\n");
	}
	arena_free(arena);
}
