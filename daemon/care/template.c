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

/*
 * The law's list of what no message about a prescription may claim, and the
 * refusal note that makes an advertisement of a notification.  Words of it
 * that are also part of names and plain speech (第一, 最好) are left out.
 */
static const char *
advertising_word(const char *text)
{
	static const char *const words[] = {"根治", "治愈", "有效率",
	    "疗效最佳", "国家级", "无副作用", "安全无毒", "保证", "药到病除",
	    "无效退款", "专家推荐", "患者见证", "秒杀", "买一送一", "赠药",
	    "拒收请回复", "回T退订", "回TD退订"};

	for (size_t i = 0; i < COUNT(words); i++)
		if (strstr(text, words[i]) != NULL)
			return words[i];
	return NULL;
}

/* NULL, or what is wrong with the text as a whole. */
static const char *
check_characters(const char *text, uint32_t *characters)
{
	const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;

	*characters = 0;
	while (*at != 0) {
		utf8proc_int32_t code;
		utf8proc_ssize_t bytes = utf8proc_iterate(at, -1, &code);
		utf8proc_category_t category;

		if (bytes <= 0)
			return "not UTF-8";
		category = utf8proc_category(code);
		if (category == UTF8PROC_CATEGORY_CC ||
		    category == UTF8PROC_CATEGORY_CF)
			return "a control character";
		if (code == 0x3010 || code == 0x3011)
			return "the signature and its 【】 are the provider's";
		at += bytes;
		++*characters;
	}
	return NULL;
}

/* Text being compiled. */
struct draft {
	struct template_part parts[PARTS_MAX];
	uint32_t count;
	uint32_t seen;           /* bits of the variables */
	uint32_t characters_max; /* of all values together */
	bool has_words;          /* fixed text other than spaces */
};

static const char *
add_fixed(struct draft *draft, const char *text, size_t bytes)
{
	if (memchr(text, '{', bytes) != NULL ||
	    memchr(text, '}', bytes) != NULL)
		return "a stray brace";
	draft->has_words |= strspn(text, " ") < bytes;
	draft->parts[draft->count++] = (struct template_part){
	    .text = text,
	    .bytes = bytes,
	};
	return NULL;
}

static const char *
add_variable(
    struct draft *draft, const char *expression, size_t bytes, enum kind kind)
{
	struct template_part *part = &draft->parts[draft->count];
	const char *wrong = template_part_parse(expression, bytes, kind, part);

	if (wrong != NULL)
		return wrong;
	if (draft->count > 0 && part[-1].variable != VARIABLE_NONE)
		return "two variables side by side";
	if (draft->seen & (1u << part->variable))
		return "a variable that was used before";
	draft->seen |= 1u << part->variable;
	draft->characters_max += part->characters_max;
	draft->count++;
	return NULL;
}

/* Into fixed text and variables; *at is where something is wrong. */
static const char *
split_text(
    struct draft *draft, const char *text, enum kind kind, const char **at)
{
	for (*at = text; **at != '\0';) {
		const char *wrong, *end = strstr(*at, "{{");

		if (end != *at) {
			size_t bytes =
			    end == NULL ? strlen(*at) : (size_t)(end - *at);

			wrong = add_fixed(draft, *at, bytes);
			if (wrong != NULL)
				return wrong;
			*at += bytes;
			continue;
		}
		end = strstr(*at, "}}");
		if (end == NULL)
			return "{{ without }}";
		wrong =
		    add_variable(draft, *at + 2, (size_t)(end - *at - 2), kind);
		if (wrong != NULL)
			return wrong;
		*at = end + 2;
	}
	return draft->has_words ? NULL : "nothing but variables";
}

/* Compile template->text, which lives in the arena; 0, or -1 with error. */
static int
compile(struct template *template, struct arena *arena, const char *file,
    int line, struct conf_error *error)
{
	struct draft draft = {.count = 0};
	const char *text = template->text, *at = text, *wrong;
	uint32_t characters;

	wrong = check_characters(text, &characters);
	if (wrong != NULL)
		return fail(error, file, line, "%s", wrong);
	wrong = advertising_word(text);
	if (wrong != NULL)
		return fail(error, file, line,
		    "\"%s\" has no place in a notification", wrong);
	wrong = split_text(&draft, text, template->kind, &at);
	if (wrong != NULL)
		return fail(error, file, line, "%s, at \"%.32s\"", wrong, at);
	if (characters + draft.characters_max > TEXT_CHARACTERS_MAX)
		return fail(error, file, line,
		    "longer than %d characters with its values",
		    TEXT_CHARACTERS_MAX);
	template->part_count = draft.count;
	template->parts =
	    arena_copy(arena, draft.parts, draft.count * sizeof(*draft.parts));
	crypto_sha256(text, strlen(text), template->text_hash);
	return 0;
}

/* Is it a stage at which this kind has a message?  Programs choose from them.
 */
static bool
stage_fits(enum kind kind, enum stage stage)
{
	switch (kind) {
	case KIND_DOSE:
		return stage == STAGE_DUE;
	case KIND_REFILL:
	case KIND_RENEWAL:
		return stage >= STAGE_M14 && stage <= STAGE_P7;
	case KIND_FOLLOW_UP:
		return (stage >= STAGE_M14 && stage <= STAGE_D0) ||
		       stage == STAGE_MOVED || stage == STAGE_MISSED;
	case KIND_ANSWER:
		break;
	}
	return false;
}

static bool
same_text(const struct template *a, const struct template *b)
{
	return a->channel == b->channel &&
	       strcasecmp(a->locale, b->locale) == 0;
}

/* One entry of a file: a stage's header (nothing to do) or its text. */
static int
add_entry(struct template_set *set, const struct template *file,
    const struct conf_entry *entry, struct conf_error *error)
{
	struct template *template, **first;
	enum stage stage;

	if (strcmp(entry->section, "stage") != 0 || entry->name == NULL)
		return fail(error, entry->file, entry->line,
		    "only [stage \"NAME\"] sections");
	stage = stage_from_word(entry->name);
	if (!stage_fits(file->kind, stage))
		return fail(error, entry->file, entry->line,
		    "%s has no stage \"%s\"", kind_word(file->kind),
		    entry->name);
	if (entry->key == NULL)
		return 0;
	if (strcmp(entry->key, "text") != 0)
		return fail(error, entry->file, entry->line,
		    "unknown key \"%s\"; only text", entry->key);
	first = &set->first[file->kind][stage];
	template = arena_alloc(set->arena, sizeof(*template));
	*template = *file;
	template->stage = stage;
	template->text = arena_text(set->arena, entry->value);
	template->next = *first;
	for (const struct template *t = *first; t != NULL; t = t->next)
		if (same_text(t, template))
			return fail(error, entry->file, entry->line,
			    "a second text for stage \"%s\"", entry->name);
	if (compile(template, set->arena, entry->file, entry->line, error) != 0)
		return -1;
	*first = template;
	return 0;
}

int
template_set_add(struct template_set *set, enum kind kind, const char *locale,
    enum channel channel, const char *name, const char *text,
    struct conf_error *error)
{
	struct template file = {
	    .kind = kind,
	    .channel = channel,
	    .locale = arena_text(set->arena, locale),
	    .words = template_words_find(locale),
	};
	struct conf *conf;
	int result;

	assert(kind >= KIND_DOSE && kind <= KIND_FOLLOW_UP);
	if (strlen(locale) > LOCALE_BYTES_MAX)
		return fail(error, name, 0, "the locale is too long");
	if (file.words == NULL)
		return fail(error, name, 0,
		    "no words for the language of \"%s\"", locale);
	conf = conf_create();
	result = conf_read_text(conf, name, text, error);
	for (size_t i = 0; result == 0 && i < conf->entries.count; i++)
		result = add_entry(set, &file,
		    (const struct conf_entry *)conf->entries.data + i, error);
	conf_free(conf);
	return result;
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
		if (!same(t->locale, locale))
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

/* A stage of one kind, in one locale. */
static int
check_stage(const struct template_set *set, enum kind kind, enum stage stage,
    const char *locale, struct conf_error *error)
{
	const struct template *first = template_set_first(set, kind, stage);

	for (enum channel c = CHANNEL_WECHAT_MINI; c < CHANNEL_COUNT; c++)
		if (choose(first, c, locale, same_locale) == NULL)
			return fail(error, kind_word(kind), 0,
			    "no text for stage \"%s\" in %s by %s",
			    stage_word(stage), locale, channel_word(c));
	return 0;
}

static int
check_locale(const struct template_set *set, const struct rules *rules,
    const char *locale, struct conf_error *error)
{
	static const enum stage visit_stages[] = {STAGE_MOVED, STAGE_MISSED};

	if (check_stage(set, KIND_DOSE, STAGE_DUE, locale, error) != 0)
		return -1;
	for (enum kind kind = KIND_REFILL; kind <= KIND_FOLLOW_UP; kind++) {
		const struct program *program = &rules->kinds[kind];

		for (uint32_t i = 0; i < program->stage_count; i++)
			if (!program->stages[i].task &&
			    check_stage(set, kind, program->stages[i].stage,
				locale, error) != 0)
				return -1;
	}
	for (size_t i = 0; i < COUNT(visit_stages); i++)
		if (check_stage(set, KIND_FOLLOW_UP, visit_stages[i], locale,
			error) != 0)
			return -1;
	return 0;
}

int
template_set_check(const struct template_set *set, const struct rules *rules,
    struct conf_error *error)
{
	if (check_locale(set, rules, set->default_locale, error) != 0)
		return -1;
	for (int kind = 0; kind <= KIND_ANSWER; kind++)
		for (int stage = 0; stage < STAGE_COUNT; stage++)
			for (const struct template *t = set->first[kind][stage];
			     t != NULL; t = t->next)
				if (check_locale(
					set, rules, t->locale, error) != 0)
					return -1;
	return 0;
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
static const char *
parse_parameter(const struct template *template, const char *entry,
    struct arena *arena, const char **name, struct template_part *part)
{
	const char *equals = strchr(entry, '=');
	const char *expression = equals == NULL ? entry : equals + 1;
	const char *wrong;

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
	struct template_parameters *parameters =
	    arena_alloc(arena, sizeof(*parameters));
	const char **names = arena_array(arena, count, sizeof(*names));
	struct template_part *parts = arena_array(arena, count, sizeof(*parts));

	for (uint32_t i = 0; i < count; i++) {
		const char *wrong = strlen(entries[i]) > NAME_BYTES_MAX
					? "too long a name"
					: parse_parameter(template, entries[i],
					      arena, &names[i], &parts[i]);

		if (wrong != NULL) {
			(void)fail(error, kind_word(template->kind), 0,
			    "parameter \"%.*s\": %s", NAME_BYTES_MAX,
			    entries[i], wrong);
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
