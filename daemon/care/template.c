/*
 * Texts of messages: reading and checking them, finding the one for a
 * message, and filling in the values.  A set owns its templates; they are
 * compiled once and never change.  No side effects.
 */
#include "care/template.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "base/crypto.h"

#define TEXT_CHARACTERS_MAX 500
#define NAME_BYTES_MAX 64
#define LOCALE_BYTES_MAX 35 /* BCP 47 says: enough for all */
/* each variable once, fixed text around each */
#define PARTS_MAX (2 * VARIABLE_LAST)

struct template_set {
	struct arena *arena;
	const char *default_locale;
	bool torn;
	struct template *first[KIND_ANSWER + 1][STAGE_COUNT];
};

struct template_set *
template_set_create(const char *default_locale)
{
	struct template_set *set = mem_alloc(sizeof(*set));

	set->arena = arena_create();
	set->default_locale = arena_text(set->arena, default_locale);
	return set;
}

void
template_set_free(struct template_set *set)
{
	if (set == NULL)
		return;
	arena_free(set->arena);
	free(set);
}

static int fail(struct conf_error *error, const char *file, int line,
    const char *format, ...) printf_like(4, 5);

static int
fail(struct conf_error *error, const char *file, int line, const char *format,
    ...)
{
	size_t used;
	va_list args;

	if (line > 0)
		(void)snprintf(
		    error->text, sizeof(error->text), "%s:%d: ", file, line);
	else
		(void)snprintf(error->text, sizeof(error->text), "%s: ", file);
	used = strlen(error->text);
	va_start(args, format);
	(void)vsnprintf(
	    error->text + used, sizeof(error->text) - used, format, args);
	va_end(args);
	return -1;
}

/* ---- reading a text ---- */

/* Text being compiled. */
struct draft {
	const struct template *template;
	struct findings *findings;
	struct template_part parts[PARTS_MAX];
	uint32_t count;
	uint32_t seen;           /* bits of the variables */
	uint32_t characters_max; /* of all values together */
	bool has_words;          /* fixed text other than spaces */
	bool faulty;
};

/* Told at the place in the text, of which at most 12 characters are shown. */
static void
add_fault(
    struct draft *draft, const char *at, const char *rule, const char *text)
{
	struct place place = draft->template->place;
	const char *end = at;
	const char *near = NULL;

	if (place.column > 0)
		place.column += (int)(at - draft->template->text);
	for (int i = 0; i < 12 && *end != '\0'; i++)
		do
			end++;
		while ((*end & 0xc0) == 0x80);
	if (strcmp(rule, "unknown-variable") == 0 && strncmp(at, "{{", 2) == 0)
		near = template_variable_nearest(
		    at + 2, strcspn(at + 2, "|}"), draft->template->kind);
	findings_add(draft->findings, &place, SEVERITY_ERROR, rule,
	    near == NULL ? "%s, at \"%.*s\"%s"
			 : "%s, at \"%.*s\"; did you mean \"%s\"?",
	    text, (int)(end - at), at, near == NULL ? "" : near);
	draft->faulty = true;
}

static const struct template_fault *
wrong_character(int32_t code)
{
	static const struct template_fault control = {
	    "control-character", "a control character"};
	static const struct template_fault signature = {"signature-in-text",
	    "the signature and its 【】 are the provider's"};
	utf8proc_category_t category = utf8proc_category(code);

	if (category == UTF8PROC_CATEGORY_CC ||
	    category == UTF8PROC_CATEGORY_CF)
		return &control;
	return code == 0x3010 || code == 0x3011 ? &signature : NULL;
}

/* The number of characters; tells the first that may not be there. */
static uint32_t
check_characters(struct draft *draft)
{
	const utf8proc_uint8_t *at =
	    (const utf8proc_uint8_t *)draft->template->text;
	uint32_t characters = 0;

	while (*at != 0) {
		utf8proc_int32_t code;
		utf8proc_ssize_t bytes = utf8proc_iterate(at, -1, &code);
		const struct template_fault *wrong;

		if (bytes <= 0) {
			add_fault(
			    draft, (const char *)at, "not-utf8", "not UTF-8");
			return characters;
		}
		wrong = draft->faulty ? NULL : wrong_character(code);
		if (wrong != NULL)
			add_fault(
			    draft, (const char *)at, wrong->rule, wrong->text);
		at += bytes;
		characters++;
	}
	return characters;
}

static void
add_fixed(struct draft *draft, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (text[i] == '{' || text[i] == '}') {
			add_fault(
			    draft, text + i, "stray-brace", "a stray brace");
			break;
		}
	draft->has_words |= strspn(text, " ") < bytes;
	draft->parts[draft->count++] = (struct template_part){
	    .text = text,
	    .bytes = bytes,
	};
}

/* The variable between {{ at `at` and }} at `end`. */
static void
add_variable(struct draft *draft, const char *at, const char *end)
{
	static const struct template_fault adjacent = {
	    "adjacent-variables", "two variables side by side"};
	static const struct template_fault repeated = {
	    "repeated-variable", "a variable that was used before"};
	struct template_part *part = &draft->parts[draft->count];
	const struct template_fault *wrong = template_part_parse(
	    at + 2, (size_t)(end - at - 2), draft->template->kind, part);

	if (wrong == NULL && draft->count > 0 &&
	    part[-1].variable != VARIABLE_NONE)
		wrong = &adjacent;
	if (wrong == NULL && (draft->seen & (1u << part->variable)))
		wrong = &repeated;
	if (wrong != NULL) {
		add_fault(draft, at, wrong->rule, wrong->text);
		return;
	}
	draft->seen |= 1u << part->variable;
	draft->characters_max += part->characters_max;
	draft->count++;
}

/* Into fixed text and variables. */
static void
split_text(struct draft *draft)
{
	const char *at = draft->template->text;

	while (*at != '\0') {
		const char *end = strstr(at, "{{");

		if (draft->count == PARTS_MAX) {
			add_fault(draft, at, "repeated-variable",
			    "more variables than there are");
			return;
		}
		if (end != at) {
			size_t bytes =
			    end == NULL ? strlen(at) : (size_t)(end - at);

			add_fixed(draft, at, bytes);
			at += bytes;
			continue;
		}
		end = strstr(at, "}}");
		if (end == NULL) {
			add_fault(draft, at, "stray-brace", "{{ without }}");
			return;
		}
		add_variable(draft, at, end);
		at = end + 2;
	}
	if (!draft->has_words)
		add_fault(draft, draft->template->text, "only-variables",
		    "nothing but variables");
}

/* Compile template->text, which lives in the arena. */
static void
compile(
    struct template *template, struct arena *arena, struct findings *findings)
{
	struct draft draft = {.template = template, .findings = findings};
	const char *text = template->text;
	uint32_t characters = check_characters(&draft);

	split_text(&draft);
	if (characters + draft.characters_max > TEXT_CHARACTERS_MAX)
		findings_add(findings, &template->place, SEVERITY_ERROR,
		    "text-length", "longer than %d characters with its values",
		    TEXT_CHARACTERS_MAX);
	template->faulty = draft.faulty;
	template->part_count = draft.count;
	template->parts =
	    arena_copy(arena, draft.parts, draft.count * sizeof(*draft.parts));
	crypto_sha256(text, strlen(text), template->text_hash);
}

/* ---- reading a file ---- */

static bool
same_text(const struct template *a, const struct template *b)
{
	return a->channel == b->channel && a->promotion == b->promotion &&
	       strcasecmp(a->locale, b->locale) == 0;
}

/* A file being read: what its sections say applies to the texts below. */
struct reading {
	struct template_set *set;
	struct findings *findings;
	struct template file; /* what all of its texts share */
	bool promotion;       /* of the present section */
};

/* The text of a stage. */
static void
add_text(struct reading *reading, const struct conf_entry *entry,
    enum stage stage, const struct place *place)
{
	struct template_set *set = reading->set;
	struct template **first = &set->first[reading->file.kind][stage];
	struct template *template = arena_alloc(set->arena, sizeof(*template));

	*template = reading->file;
	template->stage = stage;
	template->promotion = reading->promotion;
	template->text = arena_text(set->arena, entry->value);
	template->place.line = entry->line;
	template->place.column = entry->column;
	template->next = *first;
	for (const struct template *t = *first; t != NULL; t = t->next)
		if (same_text(t, template)) {
			findings_add(reading->findings, place, SEVERITY_ERROR,
			    "repeated-text", "a second text for stage \"%s\"",
			    entry->name);
			return;
		}
	compile(template, set->arena, reading->findings);
	*first = template;
}

/* One entry of a file: a stage's header, its class or its text. */
static void
add_entry(struct reading *reading, const struct conf_entry *entry)
{
	const struct place place = {
	    .file = reading->file.place.file, .line = entry->line};
	enum kind kind = reading->file.kind;
	struct findings *findings = reading->findings;
	enum stage stage;

	if (strcmp(entry->section, "stage") != 0 || entry->name == NULL) {
		findings_add(findings, &place, SEVERITY_ERROR, "syntax",
		    "only [stage \"NAME\"] sections");
		return;
	}
	stage = stage_from_word(entry->name);
	if (entry->key == NULL)
		reading->promotion = false;
	if (!stage_fits(kind, stage)) {
		if (entry->key == NULL)
			findings_add(findings, &place, SEVERITY_ERROR,
			    "unknown-stage", "%s has no stage \"%s\"",
			    kind_word(kind), entry->name);
	} else if (entry->key == NULL) {
		return;
	} else if (strcmp(entry->key, "text") == 0) {
		add_text(reading, entry, stage, &place);
	} else if (strcmp(entry->key, "class") == 0) {
		reading->promotion = strcmp(entry->value, "promotion") == 0;
		if (!reading->promotion &&
		    strcmp(entry->value, "notification") != 0)
			findings_add(findings, &place, SEVERITY_ERROR, "class",
			    "a class is notification or promotion");
	} else {
		findings_add(findings, &place, SEVERITY_ERROR, "unknown-key",
		    "unknown key \"%s\"; only class and text", entry->key);
	}
}

/* Where the parser stopped stands in its message: "FILE:LINE: …". */
static void
add_syntax(struct findings *findings, const struct place *file,
    const struct conf_error *error)
{
	size_t bytes = strlen(file->file);
	struct place place = *file;
	const char *text = error->text;

	if (strncmp(text, file->file, bytes) == 0 && text[bytes] == ':') {
		char *rest;
		long line = strtol(text + bytes + 1, &rest, 10);

		place.line = line > 0 && *rest == ':' ? (int)line : 0;
		text = place.line > 0 ? rest + 1 : text + bytes + 1;
		text += *text == ' ';
	}
	findings_add(findings, &place, SEVERITY_ERROR,
	    strcmp(text, "not UTF-8") == 0 ? "not-utf8" : "syntax", "%s", text);
}

void
template_set_read(struct template_set *set, enum kind kind, const char *locale,
    enum channel channel, const char *name, const char *text,
    struct findings *findings)
{
	struct reading reading = {.set = set,
	    .findings = findings,
	    .file = {.kind = kind,
		.channel = channel,
		.locale = arena_text(set->arena, locale),
		.words = template_words_find(locale),
		.place = {.file = arena_text(set->arena, name)}}};
	const struct place *place = &reading.file.place;
	struct conf_error error;
	struct conf *conf;

	assert(kind >= KIND_DOSE && kind <= KIND_ANSWER);
	if (strlen(locale) > LOCALE_BYTES_MAX || reading.file.words == NULL) {
		findings_add(findings, place, SEVERITY_ERROR, "unknown-locale",
		    strlen(locale) > LOCALE_BYTES_MAX
			? "the locale is too long"
			: "no words for the language of \"%s\"",
		    locale);
		return;
	}
	conf = conf_create();
	if (conf_read_text(conf, name, text, &error) != 0) {
		add_syntax(findings, place, &error);
		set->torn = true;
	}
	for (size_t i = 0; i < conf->entries.count; i++)
		add_entry(&reading,
		    (const struct conf_entry *)conf->entries.data + i);
	conf_free(conf);
}

int
template_set_add(struct template_set *set, enum kind kind, const char *locale,
    enum channel channel, const char *name, const char *text,
    struct conf_error *error)
{
	struct findings findings;

	findings_init(&findings, set->arena);
	template_set_read(set, kind, locale, channel, name, text, &findings);
	return findings_fail(&findings, error);
}

const char *
template_set_default_locale(const struct template_set *set)
{
	return set->default_locale;
}

bool
template_set_torn(const struct template_set *set)
{
	return set->torn;
}

void
template_set_tear(struct template_set *set)
{
	set->torn = true;
}

const struct template *
template_set_first(
    const struct template_set *set, enum kind kind, enum stage stage)
{
	assert(kind <= KIND_ANSWER && stage < STAGE_COUNT);
	return set->first[kind][stage];
}

static bool
same_locale(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

/* "en" covers "en-GB". */
static bool
covers_locale(const char *wide, const char *narrow)
{
	size_t bytes = strlen(wide);

	return strncasecmp(wide, narrow, bytes) == 0 && narrow[bytes] == '-';
}

static bool
same_language(const char *a, const char *b)
{
	size_t bytes = strcspn(a, "-");

	return bytes == strcspn(b, "-") && strncasecmp(a, b, bytes) == 0;
}

/* Among those of a fitting locale: the channel's own, else the common one. */
static const struct template *
choose(const struct template *first, enum channel channel, const char *locale,
    bool (*same)(const char *, const char *))
{
	const struct template *common = NULL;

	for (const struct template *t = first; t != NULL; t = t->next) {
		if (t->promotion || !same(t->locale, locale))
			continue;
		if (t->channel == channel)
			return t;
		if (t->channel == CHANNEL_NONE)
			common = t;
	}
	return common;
}

const struct template *
template_find(const struct template_set *set, enum kind kind, enum stage stage,
    enum channel channel, const char *locale)
{
	static bool (*const nearness[])(const char *, const char *) = {
	    same_locale, covers_locale, same_language};
	const struct template *first = template_set_first(set, kind, stage);
	const struct template *found = NULL;

	for (size_t i = 0;
	     locale != NULL && found == NULL && i < COUNT(nearness); i++)
		found = choose(first, channel, locale, nearness[i]);
	return found != NULL
		   ? found
		   : choose(first, channel, set->default_locale, same_locale);
}

const struct template *
template_of_locale(const struct template_set *set, enum kind kind,
    enum stage stage, enum channel channel, const char *locale)
{
	const struct template *first = template_set_first(set, kind, stage);
	const struct template *found =
	    choose(first, channel, locale, same_locale);

	return found;
}

void
template_render(const struct template *template,
    const struct template_values *values, struct buf *out)
{
	for (uint32_t i = 0; i < template->part_count; i++) {
		const struct template_part *part = &template->parts[i];

		if (part->variable == VARIABLE_NONE)
			buf_add(out, part->text, part->bytes);
		else
			template_value_add(template->words, part, values, out);
	}
}

/* `name`, `name|format` or `key=name|format` of a registration. */
static const struct template_fault *
parse_parameter(const struct template *template, const char *entry,
    struct arena *arena, const char **name, struct template_part *part)
{
	const char *equals = strchr(entry, '=');
	const char *expression = equals == NULL ? entry : equals + 1;
	const struct template_fault *wrong;

	wrong = template_part_parse(
	    expression, strlen(expression), template->kind, part);
	if (wrong != NULL)
		return wrong;
	*name = equals != NULL
		    ? arena_text_n(arena, entry, (size_t)(equals - entry))
		    : arena_text_n(arena, entry, strcspn(entry, "|"));
	if (strchr(expression, '|') != NULL)
		return NULL;
	for (uint32_t i = 0; i < template->part_count; i++)
		if (template->parts[i].variable == part->variable)
			*part = template->parts[i];
	return NULL;
}

const struct template_parameters *
template_parameters_parse(const struct template *template,
    const char *const *entries, uint32_t count, struct arena *arena,
    struct conf_error *error)
{
	static const struct template_fault too_long = {
	    "parameter-name", "too long a name"};
	struct template_parameters *parameters =
	    arena_alloc(arena, sizeof(*parameters));
	const char **names = arena_array(arena, count, sizeof(*names));
	struct template_part *parts = arena_array(arena, count, sizeof(*parts));

	for (uint32_t i = 0; i < count; i++) {
		const struct template_fault *wrong =
		    strlen(entries[i]) > NAME_BYTES_MAX
			? &too_long
			: parse_parameter(template, entries[i], arena,
			      &names[i], &parts[i]);

		if (wrong != NULL) {
			(void)fail(error, kind_word(template->kind), 0,
			    "parameter \"%.*s\": %s", NAME_BYTES_MAX,
			    entries[i], wrong->text);
			return NULL;
		}
	}
	*parameters = (struct template_parameters){
	    .template = template,
	    .count = count,
	    .names = names,
	    .parts = parts,
	};
	return parameters;
}

const struct template_parameter *
template_parameters_fill(const struct template_parameters *parameters,
    const struct template_values *values, struct arena *arena)
{
	struct template_parameter *list =
	    arena_array(arena, parameters->count, sizeof(*list));
	struct buf buf = {0};

	for (uint32_t i = 0; i < parameters->count; i++) {
		buf_clear(&buf);
		template_value_add(parameters->template->words,
		    &parameters->parts[i], values, &buf);
		list[i].name = parameters->names[i];
		list[i].value = arena_text(arena, buf_string(&buf));
	}
	buf_free(&buf);
	return list;
}

/* The item's drug or visit; the first of all in time gives the dates. */
static void
take_item(const struct dossier *dossier, const struct plan_step *step,
    const struct plan_item *item, bool first, const char **drugs,
    struct template_values *values)
{
	const struct visit *visit = NULL;
	const struct prescription *prescription = NULL;

	if (step->kind == KIND_FOLLOW_UP)
		visit = dossier_visit(dossier, item->no);
	else
		prescription = dossier_prescription(dossier, item->no);
	if (prescription != NULL)
		drugs[values->drug_count++] = prescription->name;
	if (item->run_out_on != ON_UNKNOWN &&
	    (values->run_out_on == ON_UNKNOWN ||
		item->run_out_on < values->run_out_on))
		values->run_out_on = item->run_out_on;
	if (!first && item->at >= values->at)
		return;
	values->at = item->at;
	values->at_has_time = visit == NULL || visit->start_has_time;
	values->visit = visit == NULL ? NULL : visit->description;
}

void
template_values_from_step(const struct dossier *dossier,
    const struct plan_step *step, const char *patient_name,
    const char *tenant_name, struct arena *arena,
    struct template_values *values)
{
	const char **drugs =
	    arena_array(arena, step->item_count, sizeof(*drugs));
	int32_t today_on = zone_local(dossier->zone, step->at, NULL);

	assert(step->item_count > 0);
	*values = (struct template_values){
	    .patient = patient_name,
	    .clinic = tenant_name,
	    .drugs = drugs,
	    .count = step->item_count,
	    .run_out_on = ON_UNKNOWN,
	    .zone = dossier->zone,
	    .discreet = step->sensitive,
	};
	for (uint32_t i = 0; i < step->item_count; i++)
		take_item(
		    dossier, step, &step->items[i], i == 0, drugs, values);
	/* the cycle's own date is near enough where no other is known */
	if (values->run_out_on == ON_UNKNOWN)
		values->run_out_on = step->occurrence_on;
	values->date_on = zone_local(dossier->zone, values->at, NULL);
	values->days =
	    abs((step->kind == KIND_REFILL || step->kind == KIND_RENEWAL
			? values->run_out_on
			: values->date_on) -
		today_on);
}
