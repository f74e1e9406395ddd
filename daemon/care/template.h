#ifndef ADHERD_CARE_TEMPLATE_H
#define ADHERD_CARE_TEMPLATE_H

#include "care/finding.h"
#include "care/plan.h"
#include "care/template_value.h"

/*
 * The texts of messages.  One file per kind, locale and, where a channel
 * needs its own words, channel: templates/refill/zh-CN.tpl serves every
 * channel, templates/refill/zh-CN.sms.tpl goes before it for SMS.  A file
 * holds a section for each stage:
 *
 *	[stage "-7d"]
 *	text = {{patient}}，您的{{drug}}预计{{run_out}}用完。…
 *
 * Variables: template_value.h.  A text is checked when it is read: known
 * variables that its kind has, each once, never side by side, not the whole
 * text; no 【】, no braces, at most 500 characters with the longest values.
 * So each can be registered with any provider.  template_check.h has what a
 * text must not say.
 *
 * `class = promotion` before a text makes it an advertisement: it is checked
 * as one, and never sent for a reminder.
 *
 * There is one text for a stage, also where a product is sensitive: what
 * would reveal an illness is then replaced in the values
 * (template_values.discreet), so the provider's registration of the one
 * text serves both, and code and parameters cannot tell more than the text.
 */
struct template
{ /* compiled, immutable, lives as long as its set */
	enum kind kind;
	enum stage stage;
	enum channel channel; /* CHANNEL_NONE: any */
	const char *locale;   /* "zh-CN" */
	const char *text;     /* as written */
	struct place place;   /* of its first character */
	bool promotion;
	bool faulty;           /* some variables are not among the parts */
	uint8_t text_hash[32]; /* SHA-256 of text: what a registration names */
	const struct template_words *words;
	const struct template_part *parts;
	uint32_t part_count;
	const struct template *next; /* of the same kind and stage */
};

struct template_set;

/* default_locale serves patients whose language has no text. */
struct template_set *template_set_create(const char *default_locale);
void template_set_free(struct template_set *set); /* NULL is fine */
/*
 * Add what a file holds; name is the file's, for errors.  Faulty texts are
 * there too, so that a set with errors is good for further checks, not for
 * sending.
 */
void template_set_read(struct template_set *set, enum kind kind,
    const char *locale, enum channel channel, const char *name,
    const char *text, struct findings *findings);
/*
 * The same, -1 with the first error ("refill/zh-CN.tpl:12: …"); the set is
 * then only good to be freed.
 */
must_check int template_set_add(struct template_set *set, enum kind kind,
    const char *locale, enum channel channel, const char *name,
    const char *text, struct conf_error *error);
const char *template_set_default_locale(const struct template_set *set);
/* A file of the set could not be understood: not all of its texts are here. */
bool template_set_torn(const struct template_set *set);
void template_set_tear(struct template_set *set);
/* All of one kind and stage, linked by next; NULL: none. */
const struct template *template_set_first(
    const struct template_set *set, enum kind kind, enum stage stage);
/*
 * The text for a message: the patient's locale, else one that covers it ("en"
 * for "en-GB") or another of the language, else the default locale; in each,
 * the channel's own text goes first. NULL if there is none.  locale may be
 * NULL.
 */
const struct template *template_find(const struct template_set *set,
    enum kind kind, enum stage stage, enum channel channel, const char *locale);

/*
 * The text that this very locale has for a channel: the channel's own, else
 * the common one; NULL if there is none.
 */
const struct template *template_of_locale(const struct template_set *set,
    enum kind kind, enum stage stage, enum channel channel, const char *locale);

/* Append the text with its values: one pass, nothing is read twice. */
void template_render(const struct template *template,
    const struct template_values *values, struct buf *out);

/*
 * What providers take that render a registered text themselves.  Names as
 * in template_registration.parameters, in the provider's order: `run_out`,
 * or `date2=run_out|long_date` where the provider's field has another name
 * or form.  A bare variable has the format that it has in the text.
 */
struct template_parameters {
	const struct template *template;
	uint32_t count;
	const char *const *names; /* the provider's */
	const struct template_part *parts;
};

struct template_parameter {
	const char *name;
	const char *value;
};

/* Everything in the arena; NULL with error for what cannot be filled in. */
must_check const struct template_parameters *template_parameters_parse(
    const struct template *template, const char *const *entries, uint32_t count,
    struct arena *arena, struct conf_error *error);
/* One for each name, in their order, in the arena. */
const struct template_parameter *template_parameters_fill(
    const struct template_parameters *parameters,
    const struct template_values *values, struct arena *arena);

/*
 * What a planned message speaks of.  Names may be NULL.  Everything is
 * borrowed or in the arena.
 */
void template_values_from_step(const struct dossier *dossier,
    const struct plan_step *step, const char *patient_name,
    const char *tenant_name, struct arena *arena,
    struct template_values *values);

#endif
