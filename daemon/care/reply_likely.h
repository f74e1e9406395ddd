#ifndef ADHERD_CARE_REPLY_LIKELY_H
#define ADHERD_CARE_REPLY_LIKELY_H

#include "care/reply_label.h"
#include "care/reply_text.h"

/*
 * Where no rule says what a reply means: the label that its words make
 * likeliest, by weights that were learned from labelled replies
 * (multinomial logistic regression; Jurafsky and Martin, Speech and Language
 * Processing, 3rd edition, chapter 5).  A table of weights is read with the
 * rules, below `likely LABEL`; tests/replies/learn.py makes it.
 *
 * A feature is up to LIKELY_TOKENS tokens in a row, with blanks between,
 * such as "没 吃"; one token with the question asked, "dose: 没"; or the
 * question alone, "dose:".  `^` and `$` are the reply's ends, `0` is any
 * number, `?` a break with a question mark and `,` another one; blanks count
 * for nothing.  What the features weigh is divided by the square root of their
 * number, so that what is long is not sure of anything.
 */
#define LIKELY_TOKENS 3
#define LIKELY_WEIGHT_MAX 3000 /* hundredths of the logarithm of odds */

struct reply_likely {
	struct list entries; /* by feature, once it is finished */
};

/* drafts: for what is needed until it is finished, into another arena. */
void reply_likely_init(struct reply_likely *likely, struct arena *drafts);
void reply_likely_add(struct reply_likely *likely, const char *feature,
    enum reply_label label, int weight);
void reply_likely_finish(struct reply_likely *likely, struct arena *arena);

/* Call it for each feature of a text, some of them more than once. */
void reply_likely_features(const struct reply_text *text,
    enum reply_context context, void (*each)(void *arg, const char *feature),
    void *arg);
/* How likely each label is by the words; together 1. */
struct reply_odds {
	double of[REPLY_LABEL_COUNT];
	uint32_t barred; /* bits of labels: a `hide` took words from them */
};
/* false: there is no word. */
bool reply_likely_weigh(const struct reply_likely *likely,
    const struct reply_text *text, enum reply_context context,
    struct arena *arena, struct reply_odds *odds);
/*
 * Where no rule holds.  false: none is likely enough, or the likeliest is
 * barred.  An order is never guessed; harm and refusals, which have effects,
 * must be twice as likely as all else together, and an emergency nine times.
 */
bool reply_likely_guess(const struct reply_odds *odds, enum reply_label *label);
/*
 * Beside the labels that rules found (bits): harm that no rule saw, or a
 * refusal, four times as likely as all else together.  Not beside what says
 * otherwise: a part is refused, the number is wrong, or more is ordered.
 */
bool reply_likely_adds(
    const struct reply_odds *odds, uint32_t found, enum reply_label label);

#endif
