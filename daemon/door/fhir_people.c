/*
 * Patient and RelatedPerson: zone, name, life and death, and the addresses
 * at which they and their carers are reached.
 */
#include <string.h>

#include "door/fhir_read.h"

#define EXTENSION_ZONE "http://hl7.org/fhir/StructureDefinition/timezone"
#define SYSTEM_ROLE "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
#define RANK_UNSTATED INT32_MAX /* comes after every rank */
#define CONTACTS_MAX 200
#define DIGITS_MIN 8
#define DIGITS_MAX 15

bool
fhir_zone_is_chinese(const struct zone *zone)
{
	static const char *const names[] = {"Asia/Shanghai", "Asia/Urumqi",
	    "Asia/Chongqing", "Asia/Chungking", "Asia/Harbin", "Asia/Kashgar",
	    "PRC"};

	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(zone_name(zone), names[i]) == 0)
			return true;
	return false;
}

/* The digits of a number without what people write between; or false. */
static bool
collect_digits(
    const char *text, bool international, char digits[DIGITS_MAX + 3])
{
	size_t count = 0;

	for (; *text != '\0'; text++) {
		/* "+49 (0)171": the zero is for callers inside */
		if (international && strncmp(text, "(0)", 3) == 0)
			text += 2;
		if (strchr(" -().", *text) != NULL)
			continue;
		/* "00" may stand before the fifteen */
		if (*text < '0' || *text > '9' || count == DIGITS_MAX + 2)
			return false;
		digits[count++] = *text;
	}
	digits[count] = '\0';
	return true;
}

static bool
is_chinese_mobile(const char *digits)
{
	return strlen(digits) == 11 && digits[0] == '1' && digits[1] >= '3';
}

const char *
fhir_phone(const char *text, bool china, struct arena *arena)
{
	char digits[DIGITS_MAX + 3] = "";
	const char *number = digits;
	bool international;

	text += strspn(text, " ");
	if (strncmp(text, "tel:", 4) == 0)
		text += 4;
	international = *text == '+';
	if (!collect_digits(text + international, international, digits))
		return NULL;
	if (!international && strncmp(digits, "00", 2) == 0) {
		international = true;
		number += 2;
	}
	if (!international && china && strncmp(digits, "86", 2) == 0 &&
	    is_chinese_mobile(digits + 2))
		international = true;
	if (international)
		return *number == '0' || strlen(number) < DIGITS_MIN ||
			       strlen(number) > DIGITS_MAX
			   ? NULL
			   : arena_printf(arena, "+%s", number);
	return china && is_chinese_mobile(digits)
		   ? arena_printf(arena, "+86%s", digits)
		   : NULL;
}

/* The value of an extension with a code, or NULL. */
static const char *
extension_code(const struct json *owner, const char *url)
{
	json_each (extension, json_get(owner, "extension")) {
		const char *its = json_get_text(extension, "url");

		if (its != NULL && strcmp(its, url) == 0)
			return json_get_text(extension, "valueCode");
	}
	return NULL;
}

/* Is this a relation of a parent, or of whom the law makes one? */
static bool
is_guardian_code(const struct json *coding)
{
	static const char *const codes[] = {"GUARD", "PRN", "MTH", "FTH",
	    "NMTH", "NFTH", "NPRN", "ADOPTP", "ADOPTM", "ADOPTF", "STPPRN",
	    "STPMTH", "STPFTH", "PRNFOST", "MTHFOST", "FTHFOST", "GESTM"};
	const char *system = json_get_text(coding, "system");
	const char *code = json_get_text(coding, "code");

	if (code == NULL ||
	    (system != NULL && strcmp(system, SYSTEM_ROLE) != 0))
		return false;
	for (size_t i = 0; i < COUNT(codes); i++)
		if (strcmp(codes[i], code) == 0)
			return true;
	return false;
}

enum owner
fhir_owner(const struct json *relationship)
{
	json_each (concept, relationship) {
		const char *text = json_get_text(concept, "text");

		json_each (coding, json_get(concept, "coding"))
			if (is_guardian_code(coding))
				return OWNER_GUARDIAN;
		if (text != NULL && strstr(text, "监护") != NULL)
			return OWNER_GUARDIAN;
	}
	return OWNER_CAREGIVER;
}

/* The channel that a ContactPoint serves, CHANNEL_NONE for others. */
static enum channel
telecom_channel(
    struct reading *reading, const struct json *telecom, const char *path)
{
	const char *system = json_get_text(telecom, "system");
	const char *use = json_get_text(telecom, "use");
	const char *word;
	enum channel channel;

	if (system == NULL || (use != NULL && strcmp(use, "old") == 0))
		return CHANNEL_NONE;
	if (strcmp(system, "sms") == 0)
		return CHANNEL_SMS;
	if (strcmp(system, "phone") == 0)
		return (use != NULL && strcmp(use, "mobile") == 0) ||
			       reading->fhir->options->phone_is_mobile
			   ? CHANNEL_SMS
			   : CHANNEL_NONE;
	word = extension_code(telecom, SYSTEM_CHANNEL);
	if (strcmp(system, "other") != 0 || word == NULL)
		return CHANNEL_NONE;
	channel = patient_channel_from_word(word);
	if (channel == CHANNEL_NONE)
		fhir_warn(reading, "code-invalid",
		    "names no channel and is left out", "%s.extension", path);
	return channel;
}

/* The address as it is kept, or NULL. */
static const char *
telecom_address(struct reading *reading, const struct json *telecom,
    enum channel channel, const char *path)
{
	const char *value = fhir_text(reading, telecom, "value",
	    arena_printf(reading->fhir->arena, "%s.value", path),
	    FHIR_NOTE_MAX);

	if (value == NULL)
		return NULL;
	if (channel == CHANNEL_SMS)
		value = fhir_phone(value, fhir_zone_is_chinese(reading->zone),
		    reading->fhir->arena);
	else if (value[strcspn(value, " \t\r\n")] != '\0')
		value = NULL;
	if (value == NULL)
		fhir_warn(reading, "value",
		    "is no address that can be reached and is left out",
		    "%s.value", path);
	return value;
}

struct contacts {
	struct contact list[CONTACTS_MAX];
	uint32_t count;
};

/*
 * One row an address and owner: said twice, it holds as long as either says
 * without a break; of two times apart, the later one counts.
 */
static void
join_contact(struct contact *c, const struct contact *again)
{
	bool joined =
	    c->from_at <= again->until_at && again->from_at <= c->until_at;

	if (!joined && again->until_at > c->until_at)
		*c = *again;
	if (!joined)
		return;
	if (again->from_at < c->from_at)
		c->from_at = again->from_at;
	if (again->until_at > c->until_at)
		c->until_at = again->until_at;
	if (again->rank < c->rank)
		c->rank = again->rank;
}

static void
add_contact(struct reading *reading, const struct contact *contact,
    const char *path, struct contacts *contacts)
{
	for (uint32_t i = 0; i < contacts->count; i++) {
		struct contact *c = &contacts->list[i];

		if (c->channel != contact->channel ||
		    c->owner != contact->owner ||
		    strcmp(c->address, contact->address) != 0)
			continue;
		join_contact(c, contact);
		return;
	}
	if (contacts->count < CONTACTS_MAX)
		contacts->list[contacts->count++] = *contact;
	else
		fhir_refuse(reading, "too-costly", "is one address too many",
		    "%s", path);
}

/* The telecoms of a person, within the period of the person's own role. */
static void
read_telecoms(struct reading *reading, const struct json *owner,
    const char *path, enum owner whose, const struct period *role,
    struct contacts *contacts)
{
	struct arena *arena = reading->fhir->arena;
	const struct json *telecoms =
	    fhir_array(reading, owner, "telecom", path);
	uint32_t index = 0;

	json_each (telecom, telecoms) {
		const char *at = arena_printf(arena, "%s[%u]", path, index++);
		struct contact contact = {.owner = whose, .usable = true};
		struct period period;

		contact.channel = telecom_channel(reading, telecom, at);
		if (contact.channel == CHANNEL_NONE)
			continue;
		contact.address =
		    telecom_address(reading, telecom, contact.channel, at);
		contact.rank = fhir_integer(reading, telecom, "rank",
		    arena_printf(arena, "%s.rank", at), INT32_MAX);
		if (contact.rank < 0)
			contact.rank = RANK_UNSTATED;
		(void)fhir_period(reading, json_get(telecom, "period"),
		    arena_printf(arena, "%s.period", at), &period);
		contact.from_at = period.from_at > role->from_at
				      ? period.from_at
				      : role->from_at;
		contact.until_at = period.until_at < role->until_at
				       ? period.until_at
				       : role->until_at;
		if (contact.address != NULL &&
		    contact.from_at < contact.until_at)
			add_contact(reading, &contact, at, contacts);
	}
}

/* Patient.contact: carers without a resource of their own. */
static void
read_carers(struct reading *reading, struct contacts *contacts)
{
	struct arena *arena = reading->fhir->arena;
	const struct json *carers =
	    fhir_array(reading, reading->record->json, "contact", "contact");
	uint32_t index = 0;

	json_each (carer, carers) {
		struct period role;

		(void)fhir_period(reading, json_get(carer, "period"),
		    arena_printf(arena, "contact[%u].period", index), &role);
		read_telecoms(reading, carer,
		    arena_printf(arena, "contact[%u].telecom", index),
		    fhir_owner(json_get(carer, "relationship")), &role,
		    contacts);
		index++;
	}
}

static void
keep_contacts(struct reading *reading, const struct contacts *contacts,
    struct person_record *person)
{
	person->contact_count = contacts->count;
	person->contacts = arena_copy(reading->fhir->arena, contacts->list,
	    contacts->count * sizeof(contacts->list[0]));
}

/* The official name, else the first that is not a former one. */
static const struct json *
choose_name(const struct json *names)
{
	const struct json *first = NULL;

	json_each (name, names) {
		const char *use = json_get_text(name, "use");

		if (use != NULL && strcmp(use, "official") == 0)
			return name;
		if (first == NULL &&
		    (use == NULL || (strcmp(use, "old") != 0 &&
					strcmp(use, "maiden") != 0)))
			first = name;
	}
	return first;
}

static const char *
read_name(struct reading *reading)
{
	const struct json *name = choose_name(
	    fhir_array(reading, reading->record->json, "name", "name"));
	const char *text =
	    fhir_text(reading, name, "text", "name.text", FHIR_TEXT_MAX);
	const char *family =
	    fhir_text(reading, name, "family", "name.family", FHIR_TEXT_MAX);
	const char *given = json_text(json_at(json_get(name, "given"), 0));

	if (text != NULL)
		return text;
	if (given == NULL || fhir_characters(given) > FHIR_TEXT_MAX)
		return family;
	if (family == NULL)
		return given;
	/* in the scripts of East Asia the family comes first */
	if ((unsigned char)family[0] >= 0xe3)
		return arena_printf(
		    reading->fhir->arena, "%s%s", family, given);
	return arena_printf(reading->fhir->arena, "%s %s", given, family);
}

/* The preferred language, else the first. */
static const char *
read_locale(struct reading *reading)
{
	const struct json *languages = fhir_array(
	    reading, reading->record->json, "communication", "communication");
	const struct json *chosen = NULL;
	const char *code;

	json_each (item, languages)
		if (chosen == NULL ||
		    json_is(json_get(item, "preferred"), JSON_TRUE))
			chosen = item;
	code = json_get_text(
	    json_at(json_get(json_get(chosen, "language"), "coding"), 0),
	    "code");
	if (code == NULL || strlen(code) > 35 || !fhir_is_id(code))
		return NULL;
	return code;
}

static const struct zone *
read_zone(struct reading *reading)
{
	const char *name =
	    extension_code(reading->record->json, EXTENSION_ZONE);
	const struct zone *zone;

	if (name == NULL)
		return NULL;
	zone = zone_open(name);
	if (zone == NULL)
		fhir_refuse(reading, "value", "is no time zone", "extension");
	return zone;
}

static void
read_birth(struct reading *reading, struct person_record *person)
{
	struct moment birth;

	person->birth_on = person->birth_until_on = ON_UNKNOWN;
	if (!fhir_moment(reading, reading->record->json, "birthDate",
		"birthDate", &birth))
		return;
	if (birth.has_time) {
		fhir_refuse(reading, "value", "must be a date", "birthDate");
		return;
	}
	person->birth_on = birth.on;
	person->birth_until_on = birth.until_on;
}

static int64_t
read_death(struct reading *reading)
{
	const struct json *json = reading->record->json;
	struct moment death;

	if (json_get(json, "deceasedBoolean") != NULL &&
	    json_get(json, "deceasedDateTime") != NULL)
		fhir_refuse(reading, "structure", "is given in two ways",
		    "deceasedBoolean");
	if (fhir_moment(
		reading, json, "deceasedDateTime", "deceasedDateTime", &death))
		return death.at;
	return fhir_boolean(
		   reading, json, "deceasedBoolean", "deceasedBoolean", false)
		   ? AT_UNKNOWN
		   : AT_NEVER;
}

void
fhir_read_patient(struct reading *reading)
{
	static const struct period always = {
	    .from_at = AT_UNKNOWN, .until_at = AT_NEVER};
	struct record *record = reading->record;
	struct person_record *person =
	    arena_alloc(reading->fhir->arena, sizeof(*person));
	struct contacts contacts = {.count = 0};

	person->zone = read_zone(reading);
	if (person->zone != NULL)
		reading->zone = person->zone;
	record->zone = reading->zone;
	person->locale = read_locale(reading);
	person->name = read_name(reading);
	person->active =
	    fhir_boolean(reading, record->json, "active", "active", true);
	person->deceased_at = read_death(reading);
	read_birth(reading, person);
	person->owner = OWNER_SELF;
	read_telecoms(
	    reading, record->json, "telecom", OWNER_SELF, &always, &contacts);
	read_carers(reading, &contacts);
	keep_contacts(reading, &contacts, person);
	record->person = person;
}

void
fhir_read_related_person(struct reading *reading)
{
	struct record *record = reading->record;
	struct person_record *person =
	    arena_alloc(reading->fhir->arena, sizeof(*person));
	struct contacts contacts = {.count = 0};
	struct period role;

	fhir_subject(reading, json_get(record->json, "patient"), "patient");
	person->locale = read_locale(reading);
	person->name = read_name(reading);
	person->active =
	    fhir_boolean(reading, record->json, "active", "active", true);
	person->deceased_at = AT_NEVER;
	read_birth(reading, person);
	person->owner = fhir_owner(
	    fhir_array(reading, record->json, "relationship", "relationship"));
	(void)fhir_period(
	    reading, json_get(record->json, "period"), "period", &role);
	read_telecoms(
	    reading, record->json, "telecom", person->owner, &role, &contacts);
	keep_contacts(reading, &contacts, person);
	record->person = person;
}
