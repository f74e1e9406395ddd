#ifndef ADHERD_DOOR_FHIR_READ_H
#define ADHERD_DOOR_FHIR_READ_H

#include "door/fhir.h"

/*
 * What the readers of single resources share; internal to door/fhir*.c.
 */
#define FHIR_TEXT_MAX 200  /* characters of a name, id, code */
#define FHIR_NOTE_MAX 1000 /* characters of a description */
#define FHIR_ITEMS_MAX 100 /* dosages, telecoms, rules of one resource */
#define FHIR_DAYS_MAX 3660

#define SYSTEM_ATC "http://www.whocc.no/atc"
#define SYSTEM_UCUM "http://unitsofmeasure.org"
#define SYSTEM_FORM "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm"
#define SYSTEM_TOPIC "https://adherd.example/fhir/topic"
#define SYSTEM_CHANNEL "https://adherd.example/fhir/channel"

struct reading { /* of one record */
	struct fhir *fhir;
	struct record *record;
	const struct zone *zone; /* for dates without a time */
	bool quiet; /* read before: tell no problems, keep the zone */
};

struct moment {           /* date, partial date or dateTime */
	int64_t at;       /* its first instant */
	int64_t until_at; /* exclusive end of what it names */
	int32_t on;       /* first local date */
	int32_t until_on; /* last local date */
	bool has_time;
};

struct period {
	bool has_start, has_end;
	struct moment start, end;
	int64_t from_at, until_at; /* exclusive; AT_UNKNOWN, AT_NEVER */
};

struct quantity {
	int64_t micro;    /* -1: absent */
	const char *unit; /* NULL */
};

struct word { /* a code and its meaning */
	const char *word;
	int value;
};

/*
 * Refuse the record, or only tell of something.  Paths are relative to the
 * resource, here as printf, elsewhere as text that names the value itself.
 */
void fhir_refuse(struct reading *reading, const char *code, const char *text,
    const char *path, ...) printf_like(4, 5);
void fhir_warn(struct reading *reading, const char *code, const char *text,
    const char *path, ...) printf_like(4, 5);

/* fhir_value.c: each refuses what is wrong, and is false where absent too. */
bool moment_parse(
    const struct zone *zone, const char *text, struct moment *moment);
bool fhir_moment(struct reading *reading, const struct json *owner,
    const char *key, const char *path, struct moment *moment);
bool fhir_period(struct reading *reading, const struct json *period,
    const char *path, struct period *out);
struct quantity fhir_quantity(
    struct reading *reading, const struct json *quantity, const char *path);
/* A duration as whole days; -1 where absent, refused or no such number. */
int32_t fhir_days(
    struct reading *reading, const struct json *duration, const char *path);
/* An integer of 0..max; -1 where absent or refused. */
int32_t fhir_integer(struct reading *reading, const struct json *owner,
    const char *key, const char *path, int32_t max);
bool fhir_boolean(struct reading *reading, const struct json *owner,
    const char *key, const char *path, bool absent);
/* A code out of the list; -1 where refused or absent. */
int fhir_code(struct reading *reading, const struct json *owner,
    const char *key, const struct word *words, size_t count);
/* Its value in the list; -1 if it is not there. */
int word_value(const struct word *words, size_t count, const char *word);
/* An array, or NULL; refuses another type, and more than FHIR_ITEMS_MAX. */
const struct json *fhir_array(struct reading *reading, const struct json *owner,
    const char *key, const char *path);
/* Text of at most max characters; NULL where absent or refused. */
const char *fhir_text(struct reading *reading, const struct json *owner,
    const char *key, const char *path, uint32_t max);
size_t fhir_characters(const char *text);
/* Is it UTF-8? */
bool fhir_utf8(const char *text);
/* text, else the first display, else the first code of a CodeableConcept. */
const char *fhir_concept_text(const struct json *concept);
/* The code of the first coding of this system, NULL: of none; or NULL. */
const char *fhir_concept_code(const struct json *concept, const char *system);

/* fhir_reference.c: resolve a Reference; expected may be NULL. */
void fhir_reference(struct reading *reading, const struct json *json,
    const char *path, const char *expected, struct reference *reference);
/* The Patient that the record is about: refused without one. */
void fhir_subject(
    struct reading *reading, const struct json *json, const char *path);
/* Key of a practitioner: the same in every bundle that names them so. */
const char *fhir_reference_key(
    const struct reading *reading, const struct reference *reference);
/* An Identifier; value NULL where it has none. */
struct identifier fhir_identifier(const struct json *identifier);
/* "identifier=system|value" of a search, decoded; false if it is another. */
bool fhir_search(
    const char *query, struct arena *arena, struct identifier *identifier);
bool fhir_is_id(const char *text); /* [A-Za-z0-9.-]{1,64} */
/* Keys of the index of records. */
const char *fhir_id_key(struct arena *arena, const char *type, const char *id);
const char *fhir_identifier_key(
    struct arena *arena, const char *type, const struct identifier *identifier);

/* One reader a kind of resource; results go to the record. */
void fhir_read_patient(struct reading *reading); /* fhir_people.c */
void fhir_read_related_person(struct reading *reading);
void fhir_read_prescription(struct reading *reading); /* fhir_medication.c */
void fhir_read_fill(struct reading *reading);
void fhir_read_visit(struct reading *reading); /* fhir_care.c */
void fhir_read_consent(struct reading *reading);
void fhir_read_stay(struct reading *reading);
bool fhir_is_stay(const struct json *encounter); /* class IMP */

/* R, V, or a sensitivity code, in meta.security. */
bool fhir_sensitive(const struct json *resource);
/* Guardian for parents and guardians, else caregiver. */
enum owner fhir_owner(const struct json *relationship);

#endif
