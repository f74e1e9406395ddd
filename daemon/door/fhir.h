#ifndef ADHERD_DOOR_FHIR_H
#define ADHERD_DOOR_FHIR_H

#include "base/json.h"
#include "care/dossier.h"
#include "care/timing.h"

/*
 * FHIR R4 in: bundles and single resources → records with the structs of
 * care/dossier.h.  Pure: no database, no clock.  What is wrong with a
 * resource becomes a problem with its path and refuses that record only;
 * whoever stores a transaction bundle refuses all of it for one of them.
 */
enum bundle_type {
	BUNDLE_REFUSED = 0, /* nothing in it can be used */
	BUNDLE_SINGLE,
	BUNDLE_TRANSACTION,
	BUNDLE_BATCH,
	BUNDLE_COLLECTION,
	BUNDLE_MESSAGE
};

enum record_type {
	RECORD_OTHER = 0, /* a kind that is skipped, or only referred to */
	RECORD_PATIENT,
	RECORD_RELATED_PERSON,
	RECORD_PRESCRIPTION, /* MedicationRequest */
	RECORD_FILL,         /* MedicationDispense */
	RECORD_VISIT,        /* Appointment */
	RECORD_CONSENT,
	RECORD_STAY, /* Encounter of class IMP */
	RECORD_MEDICATION,
	RECORD_TYPE_COUNT
};

enum record_method {
	RECORD_UPSERT = 0, /* no request: the newer version counts */
	RECORD_POST,
	RECORD_PUT
};

struct identifier {
	const char *system; /* "" for the source's own id, "-" for none */
	const char *value;  /* NULL: none */
};

struct record;

struct reference {
	bool given;
	bool search;      /* written as Type?identifier=… */
	const char *type; /* "Patient"; NULL: not stated */
	const char *display;
	const struct record *record;  /* in the same bundle, or NULL */
	const struct json *contained; /* in the same resource, or NULL */
	struct identifier identifier; /* to look it up elsewhere */
};

struct person_record {           /* Patient, RelatedPerson */
	const struct zone *zone; /* NULL: not stated */
	const char *locale;      /* NULL: not stated */
	const char *name;        /* NULL: not stated */
	bool active;
	int64_t deceased_at; /* AT_NEVER: alive; AT_UNKNOWN: some time ago */
	int32_t birth_on, birth_until_on; /* the last differs where only a month
					     or year is known */
	enum owner owner; /* RelatedPerson: guardian or caregiver */
	const struct contact *contacts; /* address as E.164, openid or token */
	uint32_t contact_count;
};

struct dosage_record {             /* beside prescription->dosages[i] */
	const struct json *timing; /* as it came; NULL */
	const char *needs_review;  /* a phrase; NULL */
};

struct record {
	struct fhir *fhir;
	enum record_type type;
	const char *type_name; /* "MedicationRequest" */
	const char *path;      /* "entry[12].resource"; "" for a single one */
	const struct json *json;
	const char *full_url; /* NULL */
	const char *id;       /* NULL */
	const struct identifier *identifiers;
	uint32_t identifier_count;
	const char *version; /* meta.versionId; NULL */
	int64_t updated_at;  /* meta.lastUpdated; AT_UNKNOWN */
	enum record_method method;
	struct identifier match; /* ifNoneExist, or of a conditional PUT */
	const char *if_match;    /* version; NULL */
	bool refused;
	bool empty; /* nothing to remember: draft consent, cancelled stay */

	const struct zone *zone;  /* that dates without a time were read in */
	struct reference subject; /* the Patient; unset for a Patient */
	struct reference related; /* fill: authorizing; prescription: prior;
				     visit: replaced */
	struct reference actor;   /* consent: who gave it */
	/* one of these, by type; numbers in them are 0 */
	const struct person_record *person;
	const struct prescription *prescription;
	const struct dosage_record *dosages;
	const struct fill *fill;
	const struct visit *visit;
	const struct consent *consents;
	uint32_t consent_count;
	const struct stay *stay;

	void *mark; /* for whoever uses the records */
};

struct problem {
	const char *path; /* "entry[12].resource.dosageInstruction[0].timing" */
	const char *code; /* FHIR issue type: "invariant" */
	const char *text; /* a sentence without any value of the patient's */
	bool warning;     /* nothing was refused for it */
};

struct fhir_options {
	const struct zone *zone; /* the tenant's: where a patient has none */
	bool phone_is_mobile;    /* any phone takes SMS */
};

struct fhir {
	struct arena *arena;
	const struct fhir_options *options; /* borrowed */
	enum bundle_type bundle;
	int64_t timestamp;      /* Bundle.timestamp; AT_UNKNOWN */
	struct record *records; /* of every entry with a resource */
	uint32_t record_count;
	struct list problems;    /* struct problem, in order of discovery */
	uint32_t refused_count;  /* problems that are no warnings */
	struct key_index *index; /* of the references inside */
};

#define FHIR_BYTES_MAX ((size_t)32 << 20)
#define FHIR_ENTRIES_MAX 50000u

/*
 * Read a bundle or a resource.  Never NULL; bundle is BUNDLE_REFUSED where
 * it is of no use at all.  Everything lives in the arena; options and
 * arena must outlive it.
 */
struct fhir *fhir_parse(const char *text, size_t bytes,
    const struct fhir_options *options, struct arena *arena);

/*
 * Read a record again with its patient's zone, which stands elsewhere.
 * Problems were told by fhir_parse() and are not told twice.
 */
void fhir_read_in(struct record *record, const struct zone *zone);

/* lastUpdated, else the bundle's timestamp; AT_UNKNOWN. */
int64_t fhir_source_at(const struct record *record);
/*
 * Is a newer (> 0), older (< 0) than b, versions of one resource?  By
 * lastUpdated, else a numeric versionId, else the bundles' times; 0 where
 * nothing tells.
 */
int fhir_compare(const struct record *a, const struct record *b);
/* Compare numeric version ids; 0 where they say nothing. */
int fhir_compare_versions(const char *a, const char *b);

/* SHA-256 of the resource without meta, keys sorted. */
void fhir_hash(const struct record *record, uint8_t out[32]);

/*
 * E.164 in the arena, or NULL where it is no number that can be dialled.
 * china: an 11-digit mobile number without a prefix gets +86.
 */
const char *fhir_phone(const char *text, bool china, struct arena *arena);
/* Where numbers without a prefix are Chinese. */
bool fhir_zone_is_chinese(const struct zone *zone);

const char *record_type_name(enum record_type type); /* "MedicationRequest" */
/* Where such a resource names its patient: "subject". */
const char *record_subject_element(enum record_type type);
/* The value under which a record without id and identifier is kept. */
struct identifier record_fallback(const struct record *record);

/*
 * A map from text to a pointer, in an arena; the first entry of a key
 * stays unless replaced.
 */
struct key_index;
struct key_index *key_index_create(struct arena *arena, size_t keys_max);
void key_index_add(struct key_index *index, const char *key, void *value);
void key_index_replace(struct key_index *index, const char *key, void *value);
void *key_index_find(const struct key_index *index, const char *key);

#endif
