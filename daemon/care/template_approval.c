/*
 * Checking texts against a provider: its limits, by sample values, and what
 * it approved.  Pure; what is wrong goes to the findings.
 */
#include "care/template_approval.h"

#include <string.h>
#include <strings.h>

#include "care/segment.h"

/* One text on its way through one gateway. */
struct passage {
	const struct template_check *check;
	const struct template_gateway *gateway;
	const struct template *template;
	const struct template_approval *approval; /* or NULL */
	const struct template_parameters *parameters;
};

#define TELL(passage, severity, rule, format, ...) \
	findings_add((passage)->check->findings, &(passage)->template->place, \
	    SEVERITY_##severity, rule, "%s: " format, \
	    (passage)->gateway->name, __VA_ARGS__)

/* ---- approval ---- */

static const struct template_approval *
find_approval(const struct template *t,
    const struct template_approval *approvals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (approvals[i].kind == t->kind &&
		    approvals[i].stage == t->stage &&
		    strcmp(approvals[i].locale, t->locale) == 0)
			return &approvals[i];
	return NULL;
}

static void
check_approval(const struct passage *p)
{
	const struct template_approval *a = p->approval;
	const struct template *t = p->template;

	if (a == NULL) {
		if (p->gateway->approval_needed && !t->promotion)
			TELL(p, ERROR, "template-unapproved", "%s",
			    "not registered; held as template_unapproved");
		return;
	}
	if (a->promotion != t->promotion)
		TELL(p, ERROR, "registration-class",
		    "the text is a %s, approved as a %s",
		    t->promotion ? "promotion" : "notification",
		    a->promotion ? "promotion" : "notification");
	if (a->text_hash != NULL &&
	    memcmp(a->text_hash, t->text_hash, sizeof(t->text_hash)) != 0)
		TELL(p, ERROR, "template-unapproved",
		    "not the text that was approved as %s; held as "
		    "template_unapproved",
		    a->code);
}

static void
check_signature(const struct passage *p)
{
	const struct template_limits *limits = p->gateway->limits;
	const struct word_list *list = &p->check->words->lists[WORDS_SENSITIVE];
	const char *signature, *word;
	uint32_t characters;
	size_t at = 0;

	if (p->approval == NULL || p->approval->signature == NULL)
		return;
	signature = p->approval->signature;
	word = word_list_find(list, signature, strlen(signature), &at);
	if (word != NULL)
		TELL(p, ERROR, "sensitive-name",
		    "the sender's name \"%s\" says \"%s\" to whoever sees it",
		    signature, word);
	characters = value_characters(VALUE_ANY, signature);
	if (limits != NULL && limits->signature_max > 0 &&
	    (characters < limits->signature_min ||
		characters > limits->signature_max))
		TELL(p, ERROR, "signature-length",
		    "the sender's name \"%s\" has %u characters, not %u to %u",
		    signature, characters, limits->signature_min,
		    limits->signature_max);
}

/* ---- parameters ---- */

/* The registration's names, else the text's own variables in their order. */
static const char *const *
list_names(const struct passage *p, uint32_t *count)
{
	const struct template *t = p->template;
	const char **names;

	if (p->approval != NULL) {
		*count = p->approval->parameter_count;
		return p->approval->parameters;
	}
	names = arena_array(
	    p->check->findings->arena, t->part_count + 1, sizeof(*names));
	*count = 0;
	for (uint32_t i = 0; i < t->part_count; i++)
		if (t->parts[i].variable != VARIABLE_NONE)
			names[(*count)++] =
			    template_variable_word(t->parts[i].variable);
	return names;
}

static bool
has_part(const struct template_part *parts, uint32_t count,
    enum template_variable variable)
{
	for (uint32_t i = 0; i < count; i++)
		if (parts[i].variable == variable)
			return true;
	return false;
}

/* Are they the variables of the text? */
static bool
check_variables(const struct passage *p)
{
	const struct template_parameters *list = p->parameters;
	const struct template *t = p->template;
	/* WeChat's template is a form of its own: it need not have all */
	bool form =
	    p->gateway->limits != NULL && p->gateway->limits->rule_count > 0;
	bool same = true;

	for (uint32_t i = 0; i < list->count; i++)
		if (!has_part(
			t->parts, t->part_count, list->parts[i].variable)) {
			TELL(p, ERROR, "parameter-extra",
			    "parameter \"%s\": the text has no {{%s}}",
			    list->names[i],
			    template_variable_word(list->parts[i].variable));
			same = false;
		}
	for (uint32_t i = 0; i < t->part_count && !form; i++)
		if (t->parts[i].variable != VARIABLE_NONE &&
		    !has_part(list->parts, list->count, t->parts[i].variable)) {
			TELL(p, ERROR, "parameter-missing",
			    "{{%s}} of the text is no parameter",
			    template_variable_word(t->parts[i].variable));
			same = false;
		}
	return same;
}

/* By position: parameter {n} is the n-th variable of the text. */
static void
check_order(const struct passage *p)
{
	const struct template_parameters *list = p->parameters;
	const struct template *t = p->template;
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->part_count && n < list->count; i++) {
		enum template_variable variable = t->parts[i].variable;

		if (variable == VARIABLE_NONE)
			continue;
		if (list->parts[n].variable != variable) {
			TELL(p, ERROR, "parameter-order",
			    "{%u} is {{%s}} in the text, %s as registered",
			    n + 1, template_variable_word(variable),
			    list->names[n]);
			return;
		}
		n++;
	}
}

static void
check_count(const struct passage *p)
{
	const struct template_limits *limits = p->gateway->limits;
	uint32_t count = p->parameters->count;

	if (limits->parameters_max > 0 && count > limits->parameters_max)
		TELL(p, ERROR, "parameter-count", "%u parameters, at most %u",
		    count, limits->parameters_max);
	if (limits->plain_promotion && p->template->promotion && count > 0)
		TELL(p, ERROR, "parameter-count", "%s",
		    "a promotion takes no parameters");
}

/* What a field takes, for people. */
static const char *
form_text(enum value_form form)
{
	static const char *const texts[] = {
	    [VALUE_NUMBER] = "digits",
	    [VALUE_LETTER] = "Latin letters",
	    [VALUE_SYMBOL] = "symbols",
	    [VALUE_ASCII] = "digits, letters and symbols, no Chinese",
	    [VALUE_TIME] = "a time, as 10:00 or 2026年3月8日 10:00",
	    [VALUE_DATE] = "a date with its year (|long_date, in Chinese)",
	    [VALUE_AMOUNT] = "an amount",
	    [VALUE_PHONE] = "a phone number",
	    [VALUE_PHRASE] = "Chinese characters only",
	    [VALUE_APPROVED] = "one of its registered values",
	};

	return texts[form];
}

/* How parameter i comes out with these sample values. */
static const char *
sample_value(const struct passage *p, uint32_t i, enum template_sample which)
{
	struct template_values values =
	    template_sample(p->template->words, which);

	return template_parameters_fill(
	    p->parameters, &values, p->check->findings->arena)[i]
	    .value;
}

static void
check_form(const struct passage *p, uint32_t i, enum value_form form)
{
	for (enum template_sample s = 0; s < SAMPLE_COUNT; s++) {
		const char *value = sample_value(p, i, s);

		if (value_has_form(form, value))
			continue;
		TELL(p, ERROR, "parameter-type",
		    "parameter \"%s\": takes %s, not \"%s\"",
		    p->parameters->names[i], form_text(form), value);
		return;
	}
}

static void
check_length(const struct passage *p, uint32_t i, enum value_form form,
    uint32_t characters_max)
{
	uint32_t usual = p->gateway->limits->value_characters_usual;
	const struct template_part *part = &p->parameters->parts[i];
	uint32_t characters =
	    value_characters(form, sample_value(p, i, SAMPLE_LONGEST));

	if (characters_max > 0 && characters > characters_max)
		TELL(p, ERROR, "parameter-length",
		    "parameter \"%s\": up to %u characters, at most %u%s",
		    p->parameters->names[i], characters, characters_max,
		    part->format == FORMAT_TEXT ? "; shorten it with |text:N"
						: "");
	else if (usual > 0 && characters > usual)
		TELL(p, WARNING, "parameter-length",
		    "parameter \"%s\": up to %u characters; reviewers ask "
		    "about more than %u",
		    p->parameters->names[i], characters, usual);
}

static void
check_parameter(const struct passage *p, uint32_t i)
{
	const struct template_limits *limits = p->gateway->limits;
	const char *name = p->parameters->names[i];
	const struct value_rule *rule = template_limits_rule(limits, name);

	for (uint32_t j = 0; j < i; j++)
		if (strcmp(p->parameters->names[j], name) == 0)
			TELL(p, ERROR, "parameter-name",
			    "parameter \"%s\" is given twice", name);
	if (limits->rule_count > 0 && rule == NULL) {
		TELL(p, ERROR, "parameter-name",
		    "parameter \"%s\": a field is a type and a number, as "
		    "thing1",
		    name);
		return;
	}
	if (rule != NULL)
		check_form(p, i, rule->form);
	check_length(p, i, rule == NULL ? VALUE_ANY : rule->form,
	    rule == NULL ? limits->value_characters_max : rule->characters_max);
}

static void
check_parameters(struct passage *p)
{
	const struct template_limits *limits = p->gateway->limits;
	struct conf_error error;
	const char *const *names;
	uint32_t count;

	/* how the fields of a form are called, only the registration knows */
	if (p->approval == NULL && limits != NULL && limits->rule_count > 0)
		return;
	names = list_names(p, &count);
	p->parameters = template_parameters_parse(
	    p->template, names, count, p->check->findings->arena, &error);
	if (p->parameters == NULL) {
		TELL(p, ERROR, "parameter-unknown", "%s", error.text);
		return;
	}
	if (check_variables(p) && limits != NULL && limits->ordered)
		check_order(p);
	if (limits == NULL)
		return;
	check_count(p);
	for (uint32_t i = 0; i < count; i++)
		check_parameter(p, i);
}

/* ---- the text as a whole ---- */

/* A mainland gateway counts a Latin letter like a Chinese character. */
static void
check_latin_segments(const struct passage *p)
{
	struct template_values values =
	    template_sample(p->template->words, SAMPLE_USUAL);
	struct segments segments;
	struct buf text = {0};

	template_render(p->template, &values, &text);
	if (segment_text(SEGMENT_MAINLAND,
		p->approval == NULL ? "" : p->approval->signature,
		buf_string(&text), &segments) == 0 &&
	    segments.count > SEGMENTS_LATIN_MAX)
		TELL(p, WARNING, "segments",
		    "%u SMS with the usual values, over %d", segments.count,
		    SEGMENTS_LATIN_MAX);
	buf_free(&text);
}

static void
check_limits(const struct passage *p)
{
	const struct template_limits *limits = p->gateway->limits;

	if (limits->mainland && p->template->words != template_words_find("zh"))
		check_latin_segments(p);
	if (limits->opt_out_ends && p->template->promotion &&
	    !template_ends_in_opt_out(p->template, p->check->words))
		TELL(p, ERROR, "opt-out-missing", "%s",
		    "a promotion must end with it: 拒收请回复R");
}

/* ---- from the outside in ---- */

/* Is it the text that this gateway would use, or a promotion for it? */
static bool
passes(const struct template_check *check,
    const struct template_gateway *gateway, const struct template *t)
{
	if (t->faulty)
		return false;
	if (t->promotion)
		return t->channel == CHANNEL_NONE ||
		       t->channel == gateway->channel;
	return template_of_locale(check->set, t->kind, t->stage,
		   gateway->channel, t->locale) == t;
}

static void
check_template(const struct template_check *check,
    const struct template_gateway *gateway, const struct template *t,
    const struct template_approval *approvals, size_t approval_count)
{
	struct passage passage = {
	    .check = check,
	    .gateway = gateway,
	    .template = t,
	    .approval = find_approval(t, approvals, approval_count),
	};

	check_approval(&passage);
	check_signature(&passage);
	check_parameters(&passage);
	if (gateway->limits != NULL)
		check_limits(&passage);
}

/* Is the text of this registration still there? */
static bool
has_text(const struct template_check *check,
    const struct template_gateway *gateway, const struct template_approval *a)
{
	for (const struct template *t =
		 template_set_first(check->set, a->kind, a->stage);
	     t != NULL; t = t->next)
		if (strcmp(t->locale, a->locale) == 0 &&
		    (t->channel == CHANNEL_NONE ||
			t->channel == gateway->channel))
			return true;
	return false;
}

/* A registration whose text is gone. */
static void
check_unused(const struct template_check *check,
    const struct template_gateway *gateway, const struct template_approval *a)
{
	const struct place place = {.file = gateway->source};

	if (!template_set_torn(check->set) && !has_text(check, gateway, a))
		findings_add(check->findings, &place, SEVERITY_WARNING,
		    "registration-unused", "%s: %s: no text for %s %s in %s",
		    gateway->name, a->code, kind_word(a->kind),
		    stage_word(a->stage), a->locale);
}

void
template_check_gateway(const struct template_check *check,
    const struct template_gateway *gateway,
    const struct template_approval *approvals, size_t approval_count)
{
	for (enum kind kind = KIND_DOSE; kind <= KIND_ANSWER; kind++)
		for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++)
			for (const struct template *t =
				 template_set_first(check->set, kind, stage);
			     t != NULL; t = t->next)
				if (passes(check, gateway, t))
					check_template(check, gateway, t,
					    approvals, approval_count);
	for (size_t i = 0; i < approval_count; i++)
		check_unused(check, gateway, &approvals[i]);
}
