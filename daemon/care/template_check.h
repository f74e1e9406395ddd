#ifndef ADHERD_CARE_TEMPLATE_CHECK_H
#define ADHERD_CARE_TEMPLATE_CHECK_H

#include "care/template_sample.h"
#include "care/word_list.h"

/*
 * What texts must have and must not say.  Rules by name, errors unless said
 * otherwise; those of reading one text are template.h's, those of providers
 * template_approval.h's.
 *
 *	missing-stage       no text for a stage that the program sends
 *	missing-locale      one locale has a stage that this one lacks
 *	missing-channel     a locale has a stage for some channels only
 *	advertising-word    a claim, a guarantee, an absolute: in no text
 *	promotion-word      an offer in a notification
 *	opt-out-forbidden   a refusal note in a notification
 *	opt-out-missing     none in a promotion
 *	promotion-drug      a promotion that names medicines
 *	promotion-unused    warning: reminders never use a promotion
 *	sensitive-name      words that reveal an illness; warning: {{visit}};
 *	                    with `discreet`, every variable that reveals one
 *	reproach            after a run-out, in doses and on missed visits
 *	no-question         a text after a run-out that asks nothing
 *	purchase-word       in a renewal: it asks for a visit
 *	segments            warning: more than one SMS as one may expect it;
 *	                    error: more than SEGMENTS_LONGEST_MAX at worst
 *	not-gsm7            warning: one character makes a Latin text UCS-2
 */
#define SEGMENTS_LONGEST_MAX 4

struct template_check {
	const struct template_set *set;
	const struct word_lists *words;
	const struct rules *rules; /* whose stages must have texts */
	bool even_locales; /* a stage of one locale must be in the others */
	bool discreet;     /* no text may have a variable that reveals */
	struct findings *findings;
};

/* All of the above. */
void template_check_set(const struct template_check *check);
/* Only what the law forbids to say: the daemon does not load such texts. */
void template_check_law(const struct template_check *check);
/*
 * Has each locale that is there, and the default one, a text for every
 * message that these rules send, over every channel?  -1 with error.
 */
must_check int template_set_check(const struct template_set *set,
    const struct rules *rules, struct conf_error *error);

/* The end of a promotion tells how to refuse, perhaps with a letter: "R". */
bool template_ends_in_opt_out(
    const struct template *template, const struct word_lists *words);

#endif
