/*
 * The rules of every tenant.  Owns what was last read, all in one arena
 * that the next reading replaces; alarms where a document is refused.
 */
#include "flow/rule_book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "care/program_read.h"

#define READ_US (15 * SECOND_US) /* what was edited by hand turns up */
#define ROWS_MAX 20000           /* tenants and documents */

/* A document that may come into force: first those that are preferred. */
struct candidate {
	struct program_document document;
	const char *text; /* of its settings */
	bool refused;
};

struct tenant_rules {
	int32_t tenant_id;
	bool attendance_fed;
	struct rules rules;
	struct list candidates; /* struct candidate, by kind and class */
	uint32_t class_count;   /* kinds of product classes among them */
	uint32_t left_out;      /* rows of more such kinds */
};

struct rule_book {
	struct rules standard;
	struct arena *arena;   /* owned; of the tenants */
	struct list tenants;   /* struct tenant_rules, by id */
	int64_t rows[2];       /* programs and tenants as last asked */
	int64_t rows_known[2]; /* … when it was last read */
	int64_t read_at;       /* unmoved */
};

struct rule_book *
rule_book_create(int64_t ask_after_us, const struct stops *stops)
{
	struct rule_book *book = mem_alloc(sizeof(*book));

	book->standard = *program_default();
	book->standard.ask_after_us = ask_after_us;
	book->standard.stops = stops;
	book->arena = arena_create();
	list_init(&book->tenants, book->arena, sizeof(struct tenant_rules));
	book->read_at = AT_UNKNOWN;
	return book;
}

void
rule_book_free(struct rule_book *book)
{
	arena_free(book->arena);
	free(book);
}

void
rule_book_ask_after(struct rule_book *book, int64_t ask_after_us)
{
	struct tenant_rules *tenants = book->tenants.data;

	book->standard.ask_after_us = ask_after_us;
	for (size_t i = 0; i < book->tenants.count; i++)
		tenants[i].rules.ask_after_us = ask_after_us;
}

static int
compare_tenants(const void *left, const void *right)
{
	const struct tenant_rules *a = left, *b = right;

	return (a->tenant_id > b->tenant_id) - (a->tenant_id < b->tenant_id);
}

static const struct tenant_rules *
find_tenant(const struct list *tenants, int32_t tenant_id)
{
	struct tenant_rules key = {.tenant_id = tenant_id};

	if (tenants->count == 0)
		return NULL;
	return bsearch(
	    &key, tenants->data, tenants->count, sizeof(key), compare_tenants);
}

const struct rules *
rules_of(const struct rule_book *book, int32_t tenant_id)
{
	const struct tenant_rules *tenant =
	    find_tenant(&book->tenants, tenant_id);

	return tenant == NULL ? &book->standard : &tenant->rules;
}

/* ---- documents ---- */

/* The order of the candidates. */
static int
compare_keys(const struct candidate *a, const struct candidate *b)
{
	int left = (int)a->document.kind, right = (int)b->document.kind;

	if (left != right)
		return left < right ? -1 : 1;
	return strcmp(a->document.product_class, b->document.product_class);
}

static bool
same_key(const struct candidate *a, const struct candidate *b)
{
	return compare_keys(a, b) == 0;
}

/*
 * The candidates of that key among those of the tenant that are in force,
 * if any: from the one returned up to *end.
 */
static const struct candidate *
find_before(const struct rule_book *book, const struct tenant_rules *tenant,
    const struct candidate *key, const struct candidate **end)
{
	const struct tenant_rules *before =
	    find_tenant(&book->tenants, tenant->tenant_id);
	const struct candidate *list =
	    before == NULL ? NULL : before->candidates.data;
	size_t count = before == NULL ? 0 : before->candidates.count;
	size_t low = 0, high = count;

	*end = NULL;
	if (count == 0)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_keys(&list[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (high < count && same_key(&list[high], key))
		high++;
	*end = list + high;
	return list + low;
}

/* An alarm, once for each text that is not valid. */
static void
refuse(const struct rule_book *book, const struct tenant_rules *tenant,
    struct candidate *candidate, const struct conf_error *error)
{
	const struct candidate *end;
	const struct candidate *old =
	    find_before(book, tenant, candidate, &end);

	candidate->refused = true;
	for (; old < end; old++)
		if (old->refused && strcmp(old->text, candidate->text) == 0)
			return;
	log_error("program.refused", log_n(TENANT, tenant->tenant_id),
	    log_s(KIND, program_kind_word(candidate->document.kind)),
	    log_n(VERSION, candidate->document.version),
	    log_s(ERROR, error->text));
}

static struct candidate *
add_candidate(struct tenant_rules *tenant, const struct candidate *from)
{
	struct candidate *c = list_add(&tenant->candidates);
	struct arena *arena = tenant->candidates.arena;
	struct json_error error;

	*c = *from;
	c->refused = false;
	c->text = arena_text(arena, from->text);
	c->document.product_class =
	    arena_text(arena, from->document.product_class);
	c->document.settings =
	    json_parse(c->text, strlen(c->text), NULL, arena, &error);
	return c;
}

/* The document of that key that is in force: it may have to stay so. */
static void
add_last_good(const struct rule_book *book, struct tenant_rules *tenant,
    const struct candidate *newest)
{
	const struct candidate *end;
	const struct candidate *old = find_before(book, tenant, newest, &end);

	while (old < end && old->refused)
		old++;
	if (old < end)
		(void)add_candidate(tenant, old);
}

/* Is there room for one more key?  A class takes some. */
static bool
take_room(struct tenant_rules *tenant, const struct candidate *row)
{
	if (row->document.product_class[0] == '\0')
		return true;
	if (tenant->class_count == PROGRAM_CLASSES_MAX) {
		tenant->left_out++;
		return false;
	}
	tenant->class_count++;
	return true;
}

static void
take_document(const struct rule_book *book, struct tenant_rules *tenant,
    const struct candidate *row)
{
	const struct candidate *list = tenant->candidates.data;
	bool newest = tenant->candidates.count == 0 ||
		      !same_key(&list[tenant->candidates.count - 1], row);
	struct candidate *c;
	struct conf_error error;

	if (newest && !take_room(tenant, row))
		return;
	c = add_candidate(tenant, row);
	if (program_document_check(&c->document, &error) != 0)
		refuse(book, tenant, c, &error);
	if (newest)
		add_last_good(book, tenant, row);
}

/* An alarm, once for each number of them. */
static void
tell_left_out(const struct rule_book *book, const struct tenant_rules *tenant)
{
	const struct tenant_rules *before =
	    find_tenant(&book->tenants, tenant->tenant_id);

	if (tenant->left_out == 0 ||
	    (before != NULL && before->left_out == tenant->left_out))
		return;
	log_error("program.refused", log_n(TENANT, tenant->tenant_id),
	    log_n(COUNT, tenant->left_out),
	    log_s(ERROR, "more classes have programs than a tenant may have"));
}

/* Those that are first of their key and not refused; where they stand. */
static uint32_t
choose_documents(const struct tenant_rules *tenant, struct arena *arena,
    struct program_document **documents, struct candidate ***chosen)
{
	struct candidate *list = tenant->candidates.data, *last = NULL;
	uint32_t count = 0;

	*documents = arena_array(
	    arena, tenant->candidates.count + 1, sizeof(**documents));
	*chosen =
	    arena_array(arena, tenant->candidates.count + 1, sizeof(**chosen));
	for (size_t i = 0; i < tenant->candidates.count; i++) {
		struct candidate *c = &list[i];

		if (c->refused || (last != NULL && same_key(last, c)))
			continue;
		last = c;
		(*chosen)[count] = c;
		(*documents)[count++] = c->document;
	}
	return count;
}

/*
 * One document less with each failure: none at all never fails.  There are
 * few, for a tenant has few classes and few versions of each are read.
 */
static void
compose(const struct rule_book *book, struct tenant_rules *tenant)
{
	struct arena *scratch = arena_create();
	struct program_document *documents;
	struct conf_error error;
	uint32_t count, culprit;
	int result;

	for (;;) {
		struct candidate **chosen;

		arena_reset(scratch);
		count = choose_documents(tenant, scratch, &documents, &chosen);
		if (program_compose(documents, count, scratch, &tenant->rules,
			&culprit, &error) == 0)
			break;
		assert(culprit < count);
		refuse(book, tenant, chosen[culprit], &error);
	}
	/* once more, to last */
	result = program_compose(documents, count, tenant->candidates.arena,
	    &tenant->rules, &culprit, &error);
	assert(result == 0);
	arena_free(scratch);
	tenant->rules.ask_after_us = book->standard.ask_after_us;
	tenant->rules.stops = book->standard.stops;
	tenant->rules.attendance_fed = tenant->attendance_fed;
	tenant->rules.handled_before = book->standard.handled_before;
}

/* ---- reading ---- */

static struct tenant_rules *
take_tenant(struct list *tenants, const struct db_result *result, int row)
{
	int32_t tenant_id = (int32_t)db_i64(result, row, 0);
	struct tenant_rules *tenant = tenants->data;

	if (tenants->count > 0 &&
	    tenant[tenants->count - 1].tenant_id == tenant_id)
		return &tenant[tenants->count - 1];
	tenant = list_add(tenants);
	tenant->tenant_id = tenant_id;
	tenant->attendance_fed = db_bool(result, row, 1);
	list_init(
	    &tenant->candidates, tenants->arena, sizeof(struct candidate));
	return tenant;
}

static void
take_programs(const struct db_result *result, void *arg)
{
	struct rule_book *book = arg;
	struct arena *arena = arena_create();
	struct tenant_rules *list;
	struct list tenants;

	list_init(&tenants, arena, sizeof(struct tenant_rules));
	for (int row = 0; row < db_rows(result); row++) {
		struct tenant_rules *tenant =
		    take_tenant(&tenants, result, row);

		if (db_null(result, row, 2))
			continue;
		take_document(book, tenant,
		    &(struct candidate){
			.document =
			    {
				.kind = (enum kind)db_i64(result, row, 2),
				.product_class = db_text(result, row, 3),
				.version = (int32_t)db_i64(result, row, 4),
			    },
			.text = db_text(result, row, 5),
		    });
	}
	list = tenants.data;
	for (size_t i = 0; i < tenants.count; i++) {
		compose(book, &list[i]);
		tell_left_out(book, &list[i]);
	}
	if (db_rows(result) == ROWS_MAX)
		log_error("program.too_many", log_n(COUNT, ROWS_MAX));
	arena_free(book->arena);
	book->arena = arena;
	book->tenants = tenants;
	memcpy(book->rows_known, book->rows, sizeof(book->rows));
}

/* In force at once, for all that this claim plans. */
static void
set_handled_before(struct rule_book *book, int64_t at)
{
	struct tenant_rules *tenants = book->tenants.data;

	if (book->standard.handled_before == at)
		return;
	book->standard.handled_before = at;
	for (size_t i = 0; i < book->tenants.count; i++)
		tenants[i].rules.handled_before = at;
}

static void
take_count(const struct db_result *result, void *arg)
{
	struct rule_book *book = arg;

	for (int i = 0; i < 2; i++)
		book->rows[i] = db_i64(result, 0, i);
	set_handled_before(book, db_at_or(result, 0, 2, AT_UNKNOWN));
}

void
rule_book_ask(struct rule_book *book, struct db_unit *unit)
{
	db_unit_add(unit, "program_count", take_count, book);
}

void
rule_book_read(struct rule_book *book, struct db_unit *unit, int64_t now)
{
	if (memcmp(book->rows, book->rows_known, sizeof(book->rows)) == 0 &&
	    book->read_at != AT_UNKNOWN && now < book->read_at + READ_US)
		return;
	book->read_at = now;
	db_unit_add(unit, "program_load", take_programs, book);
	db_param_i32(unit, ROWS_MAX);
}
