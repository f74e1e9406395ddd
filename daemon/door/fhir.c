/*
 * FHIR R4 in: a bundle or a resource becomes records.  First every entry
 * gets its record with what all resources have in common, then all are
 * indexed, then each is read by the reader of its kind: patients first, for
 * dates without a time are read in the patient's zone, and carers before
 * the consents that they gave.
 */
#include "door/fhir.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "door/fhir_read.h"

#define DEPTH_MAX 32
#define VALUES_MAX 2000000
#define PROBLEMS_MAX 10000 /* listed; all are counted */
/* of a record: its fullUrl and its target, each with its version, and its id */
#define KEYS_OF_RECORD 5

struct type {
	const char *name;
	void (*read)(struct reading *reading);
};

static const struct type types[RECORD_TYPE_COUNT] = {
    [RECORD_PATIENT] = {"Patient", fhir_read_patient},
    [RECORD_RELATED_PERSON] = {"RelatedPerson", fhir_read_related_person},
    [RECORD_PRESCRIPTION] = {"MedicationRequest", fhir_read_prescription},
    [RECORD_FILL] = {"MedicationDispense", fhir_read_fill},
    [RECORD_VISIT] = {"Appointment", fhir_read_visit},
    [RECORD_CONSENT] = {"Consent", fhir_read_consent},
    [RECORD_STAY] = {"Encounter", fhir_read_stay},
    [RECORD_MEDICATION] = {"Medication", NULL},
};

const char *
record_type_name(enum record_type type)
{
	assert(type < RECORD_TYPE_COUNT);
	return types[type].name;
}

const char *
record_subject_element(enum record_type type)
{
	switch (type) {
	case RECORD_RELATED_PERSON:
	case RECORD_CONSENT:
		return "patient";
	case RECORD_VISIT:
		return "participant";
	default:
		return "subject";
	}
}

static void
add_problem(struct fhir *fhir, const char *path, const char *code,
    const char *text, bool warning)
{
	fhir->refused_count += !warning;
	if (fhir->problems.count < PROBLEMS_MAX)
		*(struct problem *)list_add(&fhir->problems) =
		    (struct problem){path, code, text, warning};
}

static void
add_record_problem(struct reading *reading, const char *code, const char *text,
    bool warning, const char *path)
{
	const char *base = reading->record->path;

	if (reading->quiet)
		return;
	add_problem(reading->fhir,
	    arena_printf(reading->fhir->arena, "%s%s%s", base,
		*base == '\0' ? "" : ".", path),
	    code, text, warning);
}

void
fhir_refuse(struct reading *reading, const char *code, const char *text,
    const char *path, ...)
{
	char whole[512];
	va_list arguments;

	va_start(arguments, path);
	(void)vsnprintf(whole, sizeof(whole), path, arguments);
	va_end(arguments);
	reading->record->refused = true;
	add_record_problem(reading, code, text, false, whole);
}

void
fhir_warn(struct reading *reading, const char *code, const char *text,
    const char *path, ...)
{
	char whole[512];
	va_list arguments;

	va_start(arguments, path);
	(void)vsnprintf(whole, sizeof(whole), path, arguments);
	va_end(arguments);
	add_record_problem(reading, code, text, true, whole);
}

/* Where a walk through a resource stands. */
struct place {
	const struct place *above;
	const char *key; /* NULL: an element of an array */
	uint32_t index;
};

static const char *
place_path(struct arena *arena, const struct place *place)
{
	const char *above;

	if (place == NULL)
		return "";
	above = place_path(arena, place->above);
	if (place->key == NULL)
		return arena_printf(arena, "%s[%u]", above, place->index);
	return arena_printf(
	    arena, "%s%s%s", above, *above == '\0' ? "" : ".", place->key);
}

/* A modifierExtension may turn the meaning round, and none is known here. */
static void
refuse_modifiers(struct reading *reading, const struct json *value,
    const struct place *above)
{
	struct place place = {.above = above};

	json_each (member, value) {
		place.key = member->key;
		if (member->key != NULL &&
		    strcmp(member->key, "modifierExtension") == 0)
			fhir_refuse(reading, "extension",
			    "a modifier extension is not known here", "%s",
			    place_path(reading->fhir->arena, &place));
		else
			refuse_modifiers(reading, member, &place);
		place.index++;
	}
}

static void
read_identifiers(struct reading *reading)
{
	struct record *record = reading->record;
	const struct json *array =
	    fhir_array(reading, record->json, "identifier", "identifier");
	struct identifier *list;
	uint32_t index = 0;

	if (array == NULL)
		return;
	list =
	    arena_array(reading->fhir->arena, array->count + 1, sizeof(*list));
	record->identifiers = list;
	json_each (item, array) {
		list[record->identifier_count] = fhir_identifier(item);
		if (list[record->identifier_count].value != NULL)
			record->identifier_count++;
		else if (json_get(item, "value") != NULL)
			fhir_refuse(reading, "value",
			    "is no identifier that can be kept",
			    "identifier[%u]", index);
		index++;
	}
}

static void
read_meta(struct reading *reading)
{
	struct record *record = reading->record;
	const struct json *meta = json_get(record->json, "meta");
	struct moment updated;

	record->version = fhir_text(
	    reading, meta, "versionId", "meta.versionId", FHIR_TEXT_MAX);
	if (!fhir_moment(
		reading, meta, "lastUpdated", "meta.lastUpdated", &updated))
		return;
	if (updated.has_time)
		record->updated_at = updated.at;
	else
		fhir_refuse(reading, "value", "must have a time", "%s",
		    "meta.lastUpdated");
}

/* What all resources have in common. */
static void
read_head(struct reading *reading)
{
	struct record *record = reading->record;

	record->id =
	    fhir_text(reading, record->json, "id", "id", FHIR_TEXT_MAX);
	if (record->id != NULL && !fhir_is_id(record->id)) {
		fhir_refuse(reading, "value", "is no id", "id");
		record->id = NULL;
	}
	read_identifiers(reading);
	read_meta(reading);
	if (record->type == RECORD_OTHER) {
		record->refused = false;
		return;
	}
	if (json_get(record->json, "implicitRules") != NULL)
		fhir_refuse(reading, "not-supported",
		    "rules outside the resource are not known here",
		    "implicitRules");
	refuse_modifiers(reading, record->json, NULL);
}

static enum record_type
find_type(const struct json *resource)
{
	const char *name = json_get_text(resource, "resourceType");

	for (enum record_type type = 1; type < RECORD_TYPE_COUNT; type++)
		if (name != NULL && strcmp(types[type].name, name) == 0)
			return type == RECORD_STAY && !fhir_is_stay(resource)
				   ? RECORD_OTHER
				   : type;
	return RECORD_OTHER;
}

/* The record of a resource, with its head read. */
static struct record *
add_record(struct fhir *fhir, const struct json *resource, const char *path)
{
	struct record *record = &fhir->records[fhir->record_count++];
	struct reading reading = {fhir, record, fhir->options->zone, false};

	*record = (struct record){
	    .fhir = fhir,
	    .type = find_type(resource),
	    .type_name = json_get_text(resource, "resourceType"),
	    .path = path,
	    .json = resource,
	    .updated_at = AT_UNKNOWN,
	    .zone = fhir->options->zone,
	};
	if (record->type_name == NULL) {
		record->type_name = "";
		fhir_refuse(
		    &reading, "structure", "is missing", "resourceType");
	}
	reading.quiet = record->type == RECORD_OTHER;
	read_head(&reading);
	return record;
}

/* Refuse a record for something beside it in its entry. */
static void
refuse_entry(struct record *record, const char *code, const char *text,
    const char *entry, const char *path)
{
	struct fhir *fhir = record->fhir;

	record->refused = true;
	add_problem(fhir, arena_printf(fhir->arena, "%s.%s", entry, path), code,
	    text, false);
}

/* The rest of an entry's url behind the record's own type, or NULL. */
static const char *
url_rest(const struct record *record, const char *url)
{
	size_t bytes = strlen(record->type_name);

	if (url == NULL || bytes == 0 ||
	    strncmp(url, record->type_name, bytes) != 0)
		return NULL;
	return url + bytes;
}

/* PUT Type/id or PUT Type?identifier=… */
static bool
read_put_url(struct record *record, const char *rest)
{
	if (*rest == '?')
		return fhir_search(
		    rest + 1, record->fhir->arena, &record->match);
	return *rest == '/' && record->id != NULL &&
	       strcmp(rest + 1, record->id) == 0;
}

static bool
read_if_none_exist(struct record *record, const char *query)
{
	const char *rest = url_rest(record, query);

	if (rest != NULL && *rest == '?')
		query = rest;
	return fhir_search(
	    query + (*query == '?'), record->fhir->arena, &record->match);
}

/* W/"3" */
static bool
read_if_match(struct record *record, const char *tag)
{
	size_t bytes;

	if (strncmp(tag, "W/", 2) == 0)
		tag += 2;
	bytes = strlen(tag);
	if (bytes < 3 || bytes > FHIR_TEXT_MAX || tag[0] != '"' ||
	    tag[bytes - 1] != '"')
		return false;
	record->if_match =
	    arena_text_n(record->fhir->arena, tag + 1, bytes - 2);
	return true;
}

static void
read_conditions(
    struct record *record, const struct json *request, const char *entry)
{
	const char *query = json_get_text(request, "ifNoneExist");
	const char *tag = json_get_text(request, "ifMatch");

	if (record->type == RECORD_OTHER)
		return;
	if (query != NULL && record->method == RECORD_POST &&
	    !read_if_none_exist(record, query))
		refuse_entry(record, "not-supported",
		    "only identifier=system|value is understood", entry,
		    "request.ifNoneExist");
	if (tag != NULL && !read_if_match(record, tag))
		refuse_entry(record, "value", "is no version tag", entry,
		    "request.ifMatch");
}

static void
read_request(
    struct record *record, const struct json *request, const char *entry)
{
	const char *method = json_get_text(request, "method");
	const char *rest = url_rest(record, json_get_text(request, "url"));
	bool post = method != NULL && strcmp(method, "POST") == 0;

	if (method == NULL) {
		refuse_entry(
		    record, "required", "is missing", entry, "request.method");
		return;
	}
	if (!post && strcmp(method, "PUT") != 0) {
		refuse_entry(record, "not-supported",
		    "only POST and PUT are taken", entry, "request.method");
		return;
	}
	record->method = post ? RECORD_POST : RECORD_PUT;
	if (rest == NULL || (post && *rest != '\0'))
		refuse_entry(record, "value", "does not go with the resource",
		    entry, "request.url");
	else if (!post && record->type != RECORD_OTHER &&
		 !read_put_url(record, rest))
		refuse_entry(record, "value",
		    "is neither the resource's id nor one identifier", entry,
		    "request.url");
	read_conditions(record, request, entry);
}

static bool
has_requests(const struct fhir *fhir)
{
	return fhir->bundle == BUNDLE_TRANSACTION ||
	       fhir->bundle == BUNDLE_BATCH;
}

static void
read_entry(struct fhir *fhir, const struct json *entry, uint32_t index)
{
	const char *path = arena_printf(fhir->arena, "entry[%u]", index);
	const struct json *resource = json_get(entry, "resource");
	const struct json *request = json_get(entry, "request");
	struct record *record;

	if (!json_is(resource, JSON_OBJECT)) {
		add_problem(fhir, path,
		    request != NULL ? "not-supported" : "structure",
		    "has no resource: only POST and PUT are taken", false);
		return;
	}
	record = add_record(
	    fhir, resource, arena_printf(fhir->arena, "%s.resource", path));
	record->full_url = json_get_text(entry, "fullUrl");
	if (record->full_url != NULL &&
	    (*record->full_url == '\0' ||
		strlen(record->full_url) > FHIR_NOTE_MAX)) {
		refuse_entry(record, "value", "is no address", path, "fullUrl");
		record->full_url = NULL;
	}
	if (has_requests(fhir) && request == NULL)
		refuse_entry(record, "required", "is missing", path, "request");
	else if (has_requests(fhir))
		read_request(record, request, path);
	else if (request != NULL)
		refuse_entry(record, "invariant",
		    "goes with transactions and batches only", path, "request");
}

/*
 * Versions of one resource, told apart by meta.versionId, may stand in one
 * bundle; anything else under one key is two entries for one place.
 */
static bool
index_version(struct fhir *fhir, const char *key, struct record *record)
{
	const struct record *first = key_index_find(fhir->index, key);
	const char *versioned = NULL;
	bool versions = true;

	if (record->version != NULL)
		versioned = arena_printf(
		    fhir->arena, "version %s of %s", record->version, key);
	if (first != NULL)
		versions = versioned != NULL && first->version != NULL &&
			   key_index_find(fhir->index, versioned) == NULL;
	key_index_add(fhir->index, key, record);
	if (versioned != NULL)
		key_index_add(fhir->index, versioned, record);
	return versions;
}

static void
index_full_url(struct fhir *fhir, struct record *record)
{
	if (record->full_url == NULL ||
	    index_version(fhir, record->full_url, record))
		return;
	record->refused = true;
	add_problem(fhir, record->path, "invariant",
	    "has the fullUrl of another entry", false);
}

/* In a transaction no two entries may write to one resource. */
static void
index_target(struct fhir *fhir, struct record *record)
{
	const char *key = NULL;

	if (fhir->bundle != BUNDLE_TRANSACTION)
		return;
	if (record->match.value != NULL)
		key = fhir_identifier_key(
		    fhir->arena, record->type_name, &record->match);
	else if (record->method == RECORD_PUT && record->id != NULL)
		key = fhir_id_key(fhir->arena, record->type_name, record->id);
	if (key == NULL || index_version(fhir,
			       arena_printf(fhir->arena, "to %s", key), record))
		return;
	record->refused = true;
	add_problem(fhir, record->path, "duplicate",
	    "is written by another entry too", false);
}

static void
index_records(struct fhir *fhir)
{
	size_t keys_max = 0;

	for (uint32_t i = 0; i < fhir->record_count; i++)
		keys_max += KEYS_OF_RECORD + fhir->records[i].identifier_count;
	fhir->index = key_index_create(fhir->arena, keys_max);
	for (uint32_t i = 0; i < fhir->record_count; i++) {
		struct record *record = &fhir->records[i];
		const char *type = record->type_name;

		index_full_url(fhir, record);
		index_target(fhir, record);
		if (record->id != NULL)
			key_index_add(fhir->index,
			    fhir_id_key(fhir->arena, type, record->id), record);
		for (uint32_t k = 0; k < record->identifier_count; k++)
			key_index_add(fhir->index,
			    fhir_identifier_key(
				fhir->arena, type, &record->identifiers[k]),
			    record);
	}
}

static void
read_records_of(
    struct fhir *fhir, enum record_type from, enum record_type until)
{
	for (uint32_t i = 0; i < fhir->record_count; i++) {
		struct record *record = &fhir->records[i];
		struct reading reading = {
		    fhir, record, fhir->options->zone, false};

		if (record->type >= from && record->type <= until &&
		    types[record->type].read != NULL)
			types[record->type].read(&reading);
	}
}

static void
read_records(struct fhir *fhir)
{
	index_records(fhir);
	read_records_of(fhir, RECORD_PATIENT, RECORD_PATIENT);
	read_records_of(fhir, RECORD_RELATED_PERSON, RECORD_RELATED_PERSON);
	read_records_of(fhir, RECORD_PRESCRIPTION, RECORD_TYPE_COUNT - 1);
}

static void
read_timestamp(struct fhir *fhir, const struct json *bundle)
{
	const struct json *value = json_get(bundle, "timestamp");

	if (value != NULL &&
	    (json_text(value) == NULL ||
		!instant_parse(json_text(value), &fhir->timestamp))) {
		fhir->timestamp = AT_UNKNOWN;
		add_problem(fhir, "timestamp", "value",
		    "is no instant and is left out", true);
	}
}

static void
read_bundle(struct fhir *fhir, const struct json *bundle)
{
	static const struct word kinds[] = {
	    {"transaction", BUNDLE_TRANSACTION},
	    {"batch", BUNDLE_BATCH},
	    {"collection", BUNDLE_COLLECTION},
	    {"searchset", BUNDLE_COLLECTION},
	    {"message", BUNDLE_MESSAGE},
	    {"document", BUNDLE_MESSAGE},
	};
	const struct json *entries = json_get(bundle, "entry");
	int kind =
	    word_value(kinds, COUNT(kinds), json_get_text(bundle, "type"));
	uint32_t index = 0;

	if (kind < 0) {
		add_problem(fhir, "type", "not-supported",
		    "bundles of this type are not taken", false);
		return;
	}
	if (entries != NULL && !json_is(entries, JSON_ARRAY)) {
		add_problem(
		    fhir, "entry", "structure", "must be an array", false);
		return;
	}
	if (entries != NULL && entries->count > FHIR_ENTRIES_MAX) {
		add_problem(
		    fhir, "entry", "too-costly", "has too many entries", false);
		return;
	}
	fhir->bundle = (enum bundle_type)kind;
	read_timestamp(fhir, bundle);
	fhir->records = arena_array(fhir->arena,
	    entries != NULL ? entries->count + 1 : 1, sizeof(*fhir->records));
	json_each (entry, entries)
		read_entry(fhir, entry, index++);
	read_records(fhir);
}

static void
read_single(struct fhir *fhir, const struct json *resource)
{
	fhir->records = arena_array(fhir->arena, 1, sizeof(*fhir->records));
	if (add_record(fhir, resource, "")->type == RECORD_OTHER) {
		add_problem(fhir, "resourceType", "not-supported",
		    "resources of this kind are not taken", false);
		return;
	}
	fhir->bundle = BUNDLE_SINGLE;
	read_records(fhir);
}

struct fhir *
fhir_parse(const char *text, size_t bytes, const struct fhir_options *options,
    struct arena *arena)
{
	static const struct json_limits limits = {
	    FHIR_BYTES_MAX, DEPTH_MAX, VALUES_MAX};
	struct fhir *fhir = arena_alloc(arena, sizeof(*fhir));
	struct json_error error;
	const struct json *json;
	const char *type;

	assert(options->zone != NULL);
	fhir->arena = arena;
	fhir->options = options;
	fhir->timestamp = AT_UNKNOWN;
	list_init(&fhir->problems, arena, sizeof(struct problem));
	if (bytes > FHIR_BYTES_MAX) {
		add_problem(fhir, "", "too-costly", "is too long", false);
		return fhir;
	}
	json = json_parse(text, bytes, &limits, arena, &error);
	if (json == NULL) {
		add_problem(fhir, "", "structure",
		    arena_printf(arena, "is no JSON: %s in line %d",
			error.reason, error.line),
		    false);
		return fhir;
	}
	type = json_get_text(json, "resourceType");
	if (type == NULL)
		add_problem(fhir, "", "structure", "is no resource", false);
	else if (strcmp(type, "Bundle") == 0)
		read_bundle(fhir, json);
	else
		read_single(fhir, json);
	return fhir;
}

void
fhir_read_in(struct record *record, const struct zone *zone)
{
	struct reading reading = {record->fhir, record, zone, true};

	if (zone != record->zone && !record->refused &&
	    types[record->type].read != NULL)
		types[record->type].read(&reading);
}

int64_t
fhir_source_at(const struct record *record)
{
	return record->updated_at != AT_UNKNOWN ? record->updated_at
						: record->fhir->timestamp;
}

static int
compare_at(int64_t a, int64_t b)
{
	if (a == AT_UNKNOWN || b == AT_UNKNOWN)
		return 0;
	return (a > b) - (a < b);
}

int
fhir_compare(const struct record *a, const struct record *b)
{
	int order = compare_at(a->updated_at, b->updated_at);

	if (order == 0)
		order = fhir_compare_versions(a->version, b->version);
	if (order == 0)
		order = compare_at(a->fhir->timestamp, b->fhir->timestamp);
	return order;
}

static bool
is_numeric(const char *text)
{
	return text != NULL && *text != '\0' &&
	       text[strspn(text, "0123456789")] == '\0';
}

int
fhir_compare_versions(const char *a, const char *b)
{
	size_t a_bytes, b_bytes;

	if (!is_numeric(a) || !is_numeric(b))
		return 0;
	a += strspn(a, "0");
	b += strspn(b, "0");
	a_bytes = strlen(a);
	b_bytes = strlen(b);
	if (a_bytes != b_bytes)
		return a_bytes > b_bytes ? 1 : -1;
	return strcmp(a, b);
}

static int
compare_keys(const void *left, const void *right)
{
	const struct json *const *a = left, *const *b = right;

	return strcmp((*a)->key, (*b)->key);
}

/* Write with the keys of every object in order; not the member `without`. */
static void
write_sorted(struct json_writer *writer, const struct json *value,
    const char *without, struct arena *arena)
{
	const struct json **members;
	uint32_t count = 0;

	if (json_is(value, JSON_ARRAY)) {
		json_write_array(writer);
		json_each (item, value)
			write_sorted(writer, item, NULL, arena);
		json_write_end_array(writer);
		return;
	}
	if (!json_is(value, JSON_OBJECT)) {
		json_write_tree(writer, value);
		return;
	}
	members =
	    arena_array(arena, value->count + 1, sizeof(const struct json *));
	json_each (member, value)
		members[count++] = member;
	qsort(members, count, sizeof(const struct json *), compare_keys);
	json_write_object(writer);
	for (uint32_t i = 0; i < count; i++) {
		if (without != NULL && strcmp(members[i]->key, without) == 0)
			continue;
		json_write_key(writer, members[i]->key);
		write_sorted(writer, members[i], NULL, arena);
	}
	json_write_end_object(writer);
}

void
fhir_hash(const struct record *record, uint8_t out[32])
{
	/* escaping makes it longer, at most sixfold */
	struct buf buf = BUF_INIT(6 * FHIR_BYTES_MAX);
	struct arena *arena = arena_create();
	struct json_writer writer;

	json_write_init(&writer, &buf);
	write_sorted(&writer, record->json, "meta", arena);
	assert(!buf.overflow);
	crypto_sha256(buf.data, buf.bytes, out);
	arena_free(arena);
	buf_free(&buf);
}

struct identifier
record_fallback(const struct record *record)
{
	uint8_t digest[32];
	char hex[65];

	if (record->full_url != NULL)
		return (struct identifier){"", record->full_url};
	fhir_hash(record, digest);
	crypto_hex(digest, sizeof(digest), hex);
	return (struct identifier){
	    "-", arena_printf(record->fhir->arena, "sha256:%s", hex)};
}
