/*
 * Checking texts as a whole: is every message worded, and does no text say
 * what it must not.  Pure; what is wrong goes to the findings.
 */
#include "care/template_check.h"

#include <string.h>
#include <strings.h>

#include "care/segment.h"

#define SIGNATURE_USUAL "示例医院" /* as long as most */

/* ---- every message has its text ---- */

/* Does a program of these rules send this stage? */
static bool
program_sends(const struct program *program, enum kind kind, enum stage stage)
{
	if (program->kind != kind)
		return false;
	for (uint32_t i = 0; i < program->stage_count; i++)
		if (program->stages[i].stage == stage)
			return !program->stages[i].task;
	return false;
}

static bool
rules_send(const struct rules *rules, enum kind kind, enum stage stage)
{
	if (kind == KIND_DOSE)
		return stage == STAGE_DUE;
	if (kind == KIND_ANSWER)
		return stage_fits(kind, stage);
	if (kind == KIND_FOLLOW_UP &&
	    (stage == STAGE_MOVED || stage == STAGE_MISSED))
		return true;
	if (program_sends(&rules->kinds[kind], kind, stage))
		return true;
	for (uint32_t i = 0; i < rules->class_count; i++)
		if (program_sends(&rules->classes[i], kind, stage))
			return true;
	return false;
}

/* Has any locale a text that reminders use? */
static bool
is_worded(const struct template *first)
{
	while (first != NULL && first->promotion)
		first = first->next;
	return first != NULL;
}

/* The file of a locale's texts of this kind, as far as one is there. */
static const char *
find_file(
    const struct template_check *check, enum kind kind, const char *locale)
{
	for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++)
		for (const struct template *t =
			 template_set_first(check->set, kind, stage);
		     t != NULL; t = t->next)
			if (strcasecmp(t->locale, locale) == 0)
				return t->place.file;
	return arena_printf(
	    check->findings->arena, "%s/%s.tpl", kind_word(kind), locale);
}

/* Channels of a locale without a text for this stage, as "sms, push". */
static uint32_t
list_missing(const struct template_check *check, enum kind kind,
    enum stage stage, const char *locale, struct buf *names)
{
	uint32_t missing = 0;

	for (enum channel c = CHANNEL_WECHAT_MINI; c < CHANNEL_PATIENT_END; c++)
		if (template_of_locale(check->set, kind, stage, c, locale) ==
		    NULL)
			buf_printf(names, "%s%s", missing++ > 0 ? ", " : "",
			    channel_word(c));
	return missing;
}

static void
check_stage(const struct template_check *check, enum kind kind,
    enum stage stage, const char *locale)
{
	bool worded = is_worded(template_set_first(check->set, kind, stage));
	struct buf names = {0};
	struct place place = {.line = 0};
	uint32_t missing;

	if (!rules_send(check->rules, kind, stage) &&
	    !(worded && check->even_locales))
		return;
	missing = list_missing(check, kind, stage, locale, &names);
	if (missing > 0)
		place.file = find_file(check, kind, locale);
	if (missing == CHANNEL_PATIENT_END - CHANNEL_WECHAT_MINI)
		findings_add(check->findings, &place, SEVERITY_ERROR,
		    worded ? "missing-locale" : "missing-stage",
		    "no text for stage \"%s\" of %s in %s", stage_word(stage),
		    kind_word(kind), locale);
	else if (missing > 0)
		findings_add(check->findings, &place, SEVERITY_ERROR,
		    "missing-channel",
		    "no text for stage \"%s\" of %s in %s by %s",
		    stage_word(stage), kind_word(kind), locale,
		    buf_string(&names));
	buf_free(&names);
}

static void
check_locale(const struct template_check *check, const char *locale)
{
	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++)
			check_stage(check, kind, stage, locale);
}

static void
each_text(const struct template_check *check,
    void (*visit)(
	const struct template_check *check, const struct template *template))
{
	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++)
			for (const struct template *t =
				 template_set_first(check->set, kind, stage);
			     t != NULL; t = t->next)
				visit(check, t);
}

/* Add the locale to the list of those that were met. */
static void
add_locale(struct list *locales, const char *locale)
{
	const char *const *known = locales->data;

	for (size_t i = 0; i < locales->count; i++)
		if (strcasecmp(known[i], locale) == 0)
			return;
	*(const char **)list_add(locales) = locale;
}

/* Nothing is missing where a file could not be read to its end. */
static void
check_coverage(const struct template_check *check)
{
	struct list locales;

	if (template_set_torn(check->set))
		return;
	list_init(&locales, check->findings->arena, sizeof(const char *));
	add_locale(&locales, template_set_default_locale(check->set));
	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++)
			for (const struct template *t =
				 template_set_first(check->set, kind, stage);
			     t != NULL; t = t->next)
				add_locale(&locales, t->locale);
	for (size_t i = 0; i < locales.count; i++)
		check_locale(check, ((const char *const *)locales.data)[i]);
}

int
template_set_check(const struct template_set *set, const struct rules *rules,
    struct conf_error *error)
{
	struct arena *arena = arena_create();
	struct findings findings;
	struct template_check check = {
	    .set = set, .rules = rules, .findings = &findings};
	int result;

	findings_init(&findings, arena);
	check_coverage(&check);
	result = findings_fail(&findings, error);
	arena_free(arena);
	return result;
}

/* ---- words ---- */

static struct place
place_in(const struct template *template, const char *at)
{
	struct place place = template->place;

	if (place.column > 0)
		place.column += (int)(at - template->text);
	return place;
}

/* Tell each word of the list in the text; how many there are. */
static uint32_t
check_words(const struct template_check *check, const struct template *t,
    enum word_list_name name, const char *rule, const char *why)
{
	const struct word_list *list = &check->words->lists[name];
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->part_count; i++) {
		const struct template_part *part = &t->parts[i];
		const char *word;
		size_t at = 0;

		if (part->variable != VARIABLE_NONE)
			continue;
		while ((word = word_list_find(
			    list, part->text, part->bytes, &at)) != NULL) {
			struct place place = place_in(t, part->text + at);

			if (rule != NULL)
				findings_add(check->findings, &place,
				    SEVERITY_ERROR, rule, "\"%s\" %s", word,
				    why);
			at += strlen(word);
			count++;
		}
	}
	return count;
}

bool
template_ends_in_opt_out(
    const struct template *template, const struct word_lists *words)
{
	static const char reply[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789 .";
	const struct template_part *last =
	    template->part_count == 0
		? NULL
		: &template->parts[template->part_count - 1];
	const char *word;
	size_t at = 0, end = 0;

	if (last == NULL || last->variable != VARIABLE_NONE)
		return false;
	while ((word = word_list_find(&words->lists[WORDS_OPT_OUT], last->text,
		    last->bytes, &at)) != NULL)
		end = at += strlen(word);
	return end > 0 && strspn(last->text + end, reply) == last->bytes - end;
}

static bool
has_variable(const struct template *t, enum template_variable variable)
{
	for (uint32_t i = 0; i < t->part_count; i++)
		if (t->parts[i].variable == variable)
			return true;
	return false;
}

static void
check_promotion(const struct template_check *check, const struct template *t)
{
	if (check_words(check, t, WORDS_OPT_OUT, NULL, NULL) == 0)
		findings_add(check->findings, &t->place, SEVERITY_ERROR,
		    "opt-out-missing",
		    "a promotion says how to refuse it: 拒收请回复R");
	if (has_variable(t, VARIABLE_DRUG))
		findings_add(check->findings, &t->place, SEVERITY_ERROR,
		    "promotion-drug",
		    "no promotion may name a prescription medicine");
	findings_add(check->findings, &t->place, SEVERITY_WARNING,
	    "promotion-unused", "reminders never use a promotion");
}

static void
check_law(const struct template_check *check, const struct template *t)
{
	(void)check_words(check, t, WORDS_ADVERTISING, "advertising-word",
	    "has no place in any message");
	if (t->promotion) {
		check_promotion(check, t);
		return;
	}
	(void)check_words(check, t, WORDS_PROMOTION, "promotion-word",
	    "has no place in a notification");
	(void)check_words(check, t, WORDS_OPT_OUT, "opt-out-forbidden",
	    "has no place in a notification: it makes it an advertisement");
}

void
template_check_law(const struct template_check *check)
{
	each_text(check, check_law);
}

/* ---- manners ---- */

static bool
is_after_run_out(const struct template *t)
{
	int32_t day;

	return (t->kind == KIND_REFILL || t->kind == KIND_RENEWAL) &&
	       stage_day(t->stage, &day) && day > 0;
}

static void
check_manners(const struct template_check *check, const struct template *t)
{
	if (is_after_run_out(t) || t->kind == KIND_DOSE ||
	    t->stage == STAGE_MISSED)
		(void)check_words(check, t, WORDS_REPROACH, "reproach",
		    "reproaches: this text asks, or says nothing of it");
	if (is_after_run_out(t) && strstr(t->text, "？") == NULL &&
	    strchr(t->text, '?') == NULL)
		findings_add(check->findings, &t->place, SEVERITY_ERROR,
		    "no-question", "a text after the run-out is a question");
	if (t->kind == KIND_RENEWAL)
		(void)check_words(check, t, WORDS_PURCHASE, "purchase-word",
		    "asks for a purchase: a renewal asks for a visit");
}

static void
check_discretion(const struct template_check *check, const struct template *t)
{
	(void)check_words(check, t, WORDS_SENSITIVE, "sensitive-name",
	    "may reveal an illness to whoever sees it");
	for (uint32_t i = 0; i < t->part_count; i++) {
		enum template_variable variable = t->parts[i].variable;

		if (variable == VARIABLE_NONE)
			continue;
		if (check->discreet && template_variable_revealing(variable))
			findings_add(check->findings, &t->place, SEVERITY_ERROR,
			    "sensitive-name", "a discreet text has no {{%s}}",
			    template_variable_word(variable));
		else if (variable == VARIABLE_VISIT)
			findings_add(check->findings, &t->place,
			    SEVERITY_WARNING, "sensitive-name",
			    "{{visit}} may name a department; no visit is "
			    "marked as sensitive");
	}
}

/* ---- segments ---- */

/* Does this text go out by SMS? */
static bool
serves_sms(const struct template_check *check, const struct template *t)
{
	return template_of_locale(
		   check->set, t->kind, t->stage, CHANNEL_SMS, t->locale) == t;
}

/* Parts of the text with these values; 0 where it cannot be split. */
static uint32_t
count_segments(const struct template *t, enum template_sample which)
{
	bool chinese = t->words == template_words_find("zh");
	struct template_values values = template_sample(t->words, which);
	struct buf text = {0};
	struct segments segments;
	int result;

	template_render(t, &values, &text);
	result =
	    segment_text(chinese ? SEGMENT_MAINLAND : SEGMENT_INTERNATIONAL,
		chinese ? SIGNATURE_USUAL : NULL, buf_string(&text), &segments);
	buf_free(&text);
	return result == 0 ? segments.count : 0;
}

/* Copy the character at `at`; its bytes. */
static size_t
take_character(const char *at, char character[8])
{
	size_t bytes = 0;

	do
		character[bytes] = at[bytes];
	while (++bytes < 4 && (at[bytes] & 0xc0) == 0x80);
	character[bytes] = '\0';
	return bytes;
}

/* The first character of the fixed text that GSM 03.38 lacks; NULL: none. */
static const char *
find_foreign(const struct template *t, char character[8])
{
	struct segments segments;

	for (uint32_t i = 0; i < t->part_count; i++) {
		const char *at = t->parts[i].text;
		const char *end = at == NULL ? NULL : at + t->parts[i].bytes;

		for (; at < end; at += take_character(at, character)) {
			(void)take_character(at, character);
			if (segment_text(SEGMENT_INTERNATIONAL, NULL, character,
				&segments) == 0 &&
			    segments.encoding != SEGMENT_GSM7)
				return at;
		}
	}
	return NULL;
}

static void
check_segments(const struct template_check *check, const struct template *t)
{
	uint32_t usual, longest;
	char character[8];
	const char *foreign;

	if (t->faulty || !serves_sms(check, t))
		return;
	usual = count_segments(t, SAMPLE_USUAL);
	longest = count_segments(t, SAMPLE_LONGEST);
	if (longest > SEGMENTS_LONGEST_MAX)
		findings_add(check->findings, &t->place, SEVERITY_ERROR,
		    "segments", "%u SMS with the longest values, over %d",
		    longest, SEGMENTS_LONGEST_MAX);
	else if (usual > 1)
		findings_add(check->findings, &t->place, SEVERITY_WARNING,
		    "segments", "%u SMS with the usual values", usual);
	foreign = find_foreign(t, character);
	if (foreign != NULL && t->words != template_words_find("zh")) {
		struct place place = place_in(t, foreign);

		findings_add(check->findings, &place, SEVERITY_WARNING,
		    "not-gsm7",
		    "\"%s\" is not in the SMS alphabet: 70 characters an SMS, "
		    "not 160",
		    character);
	}
}

static void
check_text(const struct template_check *check, const struct template *t)
{
	check_law(check, t);
	check_manners(check, t);
	check_discretion(check, t);
	check_segments(check, t);
}

void
template_check_set(const struct template_check *check)
{
	check_coverage(check);
	each_text(check, check_text);
}
