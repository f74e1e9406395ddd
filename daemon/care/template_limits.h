#ifndef ADHERD_CARE_TEMPLATE_LIMITS_H
#define ADHERD_CARE_TEMPLATE_LIMITS_H

#include "care/dossier.h"

/*
 * What providers take of texts and of the values in them: what their
 * reviewers and their interfaces refuse.  A provider goes by the name of its
 * plug-in.  0 or NULL: no such limit.  What all of them ask of a text (500
 * characters, each variable once, …) is asked of every text: template.h.
 */
enum value_form {
	VALUE_ANY,
	VALUE_THING,    /* any mix */
	VALUE_NUMBER,   /* digits and a decimal point */
	VALUE_LETTER,   /* Latin letters */
	VALUE_SYMBOL,   /* no letter, no digit */
	VALUE_ASCII,    /* digits, letters, symbols; no Chinese */
	VALUE_TIME,     /* 24-hour HH:MM, with or without a date */
	VALUE_DATE,     /* a date with its year, with or without a time */
	VALUE_AMOUNT,   /* a currency sign, digits, 元 */
	VALUE_PHONE,    /* digits and symbols */
	VALUE_NAME,     /* Chinese, or twice as many Latin letters */
	VALUE_PHRASE,   /* Chinese characters, nothing else */
	VALUE_APPROVED, /* one of the values that were registered */
};

struct value_rule { /* fields thing1, thing2, … */
	const char *type;
	enum value_form form;
	uint32_t characters_max;
};

struct template_limits {
	const char *plugin;
	const struct value_rule *rules; /* by the name of the field */
	uint32_t rule_count;
	uint32_t channels; /* CHANNEL_BIT() of those that it serves */
	uint32_t parameters_max;
	uint32_t value_characters_max;
	uint32_t value_characters_usual; /* reviewers ask about longer ones */
	uint32_t signature_min, signature_max; /* characters */
	bool ordered;         /* by position, in the text's order */
	bool mainland;        /* SMS: UCS-2, the signature counts */
	bool plain_promotion; /* promotions take no parameters */
	bool opt_out_ends;    /* a promotion must end with it */
};

/* NULL for a plug-in whose provider is not in the table. */
const struct template_limits *template_limits_find(const char *plugin);
/* The plug-in of the table that is nearest to this name, or NULL. */
const char *template_limits_nearest(const char *plugin);
/* The rule for a field: "thing" for "thing12"; NULL: no field of that name. */
const struct value_rule *template_limits_rule(
    const struct template_limits *limits, const char *field);
/* Has the value this form? What it may be long is not asked. */
bool value_has_form(enum value_form form, const char *value);
/* Characters as that form counts them: a Latin letter of a name is half. */
uint32_t value_characters(enum value_form form, const char *value);

#endif
