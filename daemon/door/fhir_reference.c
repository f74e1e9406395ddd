/*
 * References between resources, and the identifiers that they lead to: in
 * the same resource, in the same bundle, or to be looked up elsewhere.
 * Owns the map that finds records by fullUrl, id and identifier.
 */
#include <assert.h>
#include <string.h>

#include "base/crypto.h"
#include "door/fhir_read.h"

struct slot {
	const char *key; /* NULL: free */
	void *value;
};

struct key_index {
	struct arena *arena;
	struct slot *slots;
	size_t slot_count; /* a power of two */
	size_t count;
	size_t keys_max;
};

struct key_index *
key_index_create(struct arena *arena, size_t keys_max)
{
	struct key_index *index = arena_alloc(arena, sizeof(*index));

	index->arena = arena;
	index->keys_max = keys_max;
	index->slot_count = 8;
	while (index->slot_count / 2 < keys_max)
		index->slot_count *= 2;
	index->slots =
	    arena_array(arena, index->slot_count, sizeof(*index->slots));
	return index;
}

/*
 * The slot of a key, or the free one where it belongs.  Strangers choose
 * the keys, so the hash is one whose collisions nobody can make.
 */
static struct slot *
find_slot(const struct key_index *index, const char *key)
{
	uint8_t digest[32];
	uint64_t at;

	crypto_sha256(key, strlen(key), digest);
	memcpy(&at, digest, sizeof(at));
	for (;; at++) {
		struct slot *slot = &index->slots[at & (index->slot_count - 1)];

		if (slot->key == NULL || strcmp(slot->key, key) == 0)
			return slot;
	}
}

void
key_index_replace(struct key_index *index, const char *key, void *value)
{
	struct slot *slot = find_slot(index, key);

	if (slot->key == NULL) {
		assert(index->count < index->keys_max);
		index->count++;
		slot->key = arena_text(index->arena, key);
	}
	slot->value = value;
}

void
key_index_add(struct key_index *index, const char *key, void *value)
{
	if (find_slot(index, key)->key == NULL)
		key_index_replace(index, key, value);
}

void *
key_index_find(const struct key_index *index, const char *key)
{
	return find_slot(index, key)->value;
}

const char *
fhir_id_key(struct arena *arena, const char *type, const char *id)
{
	return arena_printf(arena, "%s/%s", type, id);
}

const char *
fhir_identifier_key(
    struct arena *arena, const char *type, const struct identifier *identifier)
{
	return arena_printf(
	    arena, "%s?%s|%s", type, identifier->system, identifier->value);
}

bool
fhir_is_id(const char *text)
{
	size_t bytes = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return bytes > 0 && bytes <= 64 && text[bytes] == '\0';
}

static bool
is_type_name(const char *text)
{
	size_t bytes = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz");

	return bytes > 0 && bytes <= 64 && text[bytes] == '\0';
}

struct identifier
fhir_identifier(const struct json *identifier)
{
	struct identifier out = {
	    .system = json_get_text(identifier, "system"),
	    .value = json_get_text(identifier, "value"),
	};

	if (out.system == NULL || *out.system == '\0')
		out.system = "-";
	if (out.value != NULL &&
	    (*out.value == '\0' || fhir_characters(out.value) > FHIR_TEXT_MAX ||
		fhir_characters(out.system) > FHIR_TEXT_MAX))
		out.value = NULL;
	return out;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo percent-encoding in place; false if it is none. */
static bool
percent_decode(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		if (*in == '%') {
			int high = hex_digit(in[1]);
			int low = high < 0 ? -1 : hex_digit(in[2]);

			if (low < 0 || (high | low) == 0)
				return false;
			*out++ = (char)(high << 4 | low);
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return fhir_utf8(text);
}

/*
 * Split "system|value" in place at the first bar that is not escaped; NULL
 * unless there is exactly one such pair.
 */
static char *
split_token(char *token)
{
	char *out = token, *value = NULL;

	for (const char *in = token; *in != '\0'; in++) {
		if (*in == ',')
			return NULL;
		if (*in == '|' && value == NULL) {
			*out++ = '\0';
			value = out;
			continue;
		}
		if (*in == '\\' && in[1] != '\0')
			in++;
		*out++ = *in;
	}
	*out = '\0';
	return value;
}

bool
fhir_search(
    const char *query, struct arena *arena, struct identifier *identifier)
{
	static const char name[] = "identifier=";
	char *system, *value;

	if (strncmp(query, name, sizeof(name) - 1) != 0 ||
	    strchr(query, '&') != NULL)
		return false;
	system = arena_text(arena, query + sizeof(name) - 1);
	if (!percent_decode(system))
		return false;
	value = split_token(system);
	if (value == NULL || *value == '\0' ||
	    fhir_characters(value) > FHIR_TEXT_MAX ||
	    fhir_characters(system) > FHIR_TEXT_MAX)
		return false;
	identifier->system = *system == '\0' ? "-" : system;
	identifier->value = value;
	return true;
}

static const struct record *
find_record(const struct reading *reading, const char *key)
{
	return key_index_find(reading->fhir->index, key);
}

/* "#id": something that the resource carries with it. */
static bool
follow_contained(
    const struct reading *reading, const char *id, struct reference *ref)
{
	json_each (contained, json_get(reading->record->json, "contained")) {
		const char *its = json_get_text(contained, "id");

		if (its == NULL || strcmp(its, id) != 0)
			continue;
		ref->contained = contained;
		ref->type = json_get_text(contained, "resourceType");
		if (ref->identifier.value == NULL)
			ref->identifier = fhir_identifier(
			    json_at(json_get(contained, "identifier"), 0));
		return ref->type != NULL;
	}
	return false;
}

/* "Type?identifier=…" */
static bool
follow_search(const struct reading *reading, char *text, size_t type_bytes,
    struct reference *ref)
{
	struct arena *arena = reading->fhir->arena;

	text[type_bytes] = '\0';
	ref->search = true;
	ref->type = text;
	return is_type_name(text) &&
	       fhir_search(text + type_bytes + 1, arena, &ref->identifier);
}

/* "Type/id", with an address before it, a version after it. */
static bool
follow_literal(const struct reading *reading, char *text, struct reference *ref)
{
	char *history = strstr(text, "/_history/");
	char *id, *type;
	bool absolute = strncmp(text, "http://", 7) == 0 ||
			strncmp(text, "https://", 8) == 0;

	if (history != NULL)
		*history = '\0';
	ref->record = find_record(reading, text);
	id = strrchr(text, '/');
	if (id == NULL)
		return false;
	*id++ = '\0';
	type = absolute ? strrchr(text, '/') : NULL;
	type = type == NULL ? text : type + 1;
	if (!is_type_name(type) || !fhir_is_id(id))
		return false;
	ref->type = type;
	if (ref->identifier.value == NULL)
		ref->identifier = (struct identifier){"", id};
	return true;
}

/* Where Reference.reference leads; false if it cannot be read. */
static bool
follow(
    const struct reading *reading, const char *written, struct reference *ref)
{
	struct arena *arena = reading->fhir->arena;
	char *text;
	size_t query;

	if (strlen(written) > FHIR_NOTE_MAX)
		return false;
	if (*written == '#')
		return follow_contained(reading, written + 1, ref);
	if (strncmp(written, "urn:", 4) == 0) {
		ref->record = find_record(reading, written);
		/* perhaps kept under its fullUrl: record_fallback() */
		if (ref->record == NULL && ref->identifier.value == NULL)
			ref->identifier = (struct identifier){"", written};
		return true;
	}
	text = arena_text(arena, written);
	query = strcspn(text, "?");
	if (text[query] == '?')
		return follow_search(reading, text, query, ref);
	return follow_literal(reading, text, ref);
}

/* By its identifier alone; where the type is not said, of any that acts. */
static const struct record *
find_identified(struct reading *reading, const char *type,
    const struct identifier *identifier)
{
	static const char *const actors[] = {
	    "Patient", "Practitioner", "PractitionerRole", "RelatedPerson"};
	struct arena *arena = reading->fhir->arena;
	const struct record *record = NULL;

	if (type != NULL)
		return find_record(
		    reading, fhir_identifier_key(arena, type, identifier));
	for (unsigned i = 0; i < COUNT(actors) && record == NULL; i++)
		record = find_record(
		    reading, fhir_identifier_key(arena, actors[i], identifier));
	return record;
}

void
fhir_reference(struct reading *reading, const struct json *json,
    const char *path, const char *expected, struct reference *reference)
{
	const struct json *written = json_get(json, "reference");

	*reference = (struct reference){.given = json != NULL};
	if (json == NULL)
		return;
	if (!json_is(json, JSON_OBJECT) ||
	    (written != NULL && json_text(written) == NULL)) {
		fhir_refuse(
		    reading, "structure", "is no Reference", "%s", path);
		return;
	}
	reference->type = json_get_text(json, "type");
	reference->display = json_get_text(json, "display");
	reference->identifier = fhir_identifier(json_get(json, "identifier"));
	if (written != NULL &&
	    !follow(reading, json_text(written), reference)) {
		fhir_refuse(reading, "value",
		    "is no reference that can be read", "%s.reference", path);
		return;
	}
	if (reference->type == NULL && reference->record == NULL)
		reference->type = expected;
	if (reference->record == NULL && reference->contained == NULL &&
	    reference->identifier.value != NULL)
		reference->record = find_identified(
		    reading, reference->type, &reference->identifier);
	if (reference->type == NULL && reference->record != NULL)
		reference->type = reference->record->type_name;
	if (expected != NULL &&
	    (strcmp(reference->type, expected) != 0 ||
		(reference->record != NULL &&
		    strcmp(reference->record->type_name, expected) != 0)))
		fhir_refuse(reading, "value",
		    "refers to another kind of resource", "%s", path);
}

void
fhir_subject(struct reading *reading, const struct json *json, const char *path)
{
	struct record *record = reading->record;
	const struct reference *subject = &record->subject;

	fhir_reference(reading, json, path, "Patient", &record->subject);
	if (subject->record == NULL && subject->identifier.value == NULL &&
	    !record->refused)
		fhir_refuse(
		    reading, "required", "names no patient", "%s", path);
	if (!reading->quiet && subject->record != NULL &&
	    subject->record->person != NULL &&
	    subject->record->person->zone != NULL)
		reading->zone = subject->record->person->zone;
	record->zone = reading->zone;
}

/* A key is one word. */
static const char *
one_word(struct arena *arena, const char *text)
{
	char *key = arena_text(arena, text);

	for (char *c = key; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ')
			*c = '_';
	return key;
}

const char *
fhir_reference_key(
    const struct reading *reading, const struct reference *reference)
{
	struct arena *arena = reading->fhir->arena;
	const struct record *record = reference->record;
	struct identifier its = reference->identifier;
	uint8_t digest[32];
	char hex[17];

	if (record != NULL && record->identifier_count > 0)
		its = record->identifiers[0];
	else if (record != NULL && record->id != NULL)
		its = (struct identifier){"", record->id};
	if (its.value != NULL && *its.system != '\0')
		return one_word(
		    arena, arena_printf(arena, "%s|%s", its.system, its.value));
	/* a urn: means something in its own bundle only */
	if (its.value != NULL && fhir_is_id(its.value))
		return fhir_id_key(arena, reference->type, its.value);
	if (reference->display == NULL)
		return NULL;
	/* a name is personal, and may be long */
	crypto_sha256(reference->display, strlen(reference->display), digest);
	crypto_hex(digest, 8, hex);
	return arena_printf(arena, "name:%s", hex);
}
