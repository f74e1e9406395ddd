#ifndef ADHERD_CARE_REPLY_LIKELY_H
#define ADHERD_CARE_REPLY_LIKELY_H

#include "care/reply_label.h"
#include "care/reply_text.h"

/*
 * Which labels hold, by the words of a reply and by what rules found: for each
 * label a logistic regression of its own, learned from labelled replies
 * (Jurafsky and Martin, Speech and Language Processing, 3rd edition, chapter
 * 5).  Its logarithm of odds is a base, what the reply's features weigh, and
 * two terms more: one where a rule found the label, one where a `hide` took
 * words from it.  How far rules are to be trusted was learned from replies
 * that no rule was made from.  The numbers are read with the rules, below
 * `likely LABEL BASE FOUND HIDDEN`; tests/replies/learn.py makes them.
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
	struct likely_label {
		bool known; /* else it holds where a rule found it */
		int base, found, hidden;
	} labels[REPLY_LABEL_COUNT];
};

/* drafts: for what is needed until it is finished, into another arena. */
void reply_likely_init(struct reply_likely *likely, struct arena *drafts);
void reply_likely_label(struct reply_likely *likely, enum reply_label label,
    int base, int found, int hidden);
void reply_likely_add(struct reply_likely *likely, const char *feature,
    enum reply_label label, int weight);
void reply_likely_finish(struct reply_likely *likely, struct arena *arena);

/* Call it for each feature of a text, some of them more than once. */
void reply_likely_features(const struct reply_text *text,
    enum reply_context context, void (*each)(void *arg, const char *feature),
    void *arg);
/* The labels that a `hide` took words from, as bits. */
uint32_t reply_likely_hidden(const struct reply_text *text);
/*
 * found: bits of the labels that rules found; those that hold are returned.
 * Most hold where they are likelier than not, and likelier still where rules
 * found others only; harm by words holds where it is a little less likely than
 * not.  Harm and a death that a rule found stand; an order holds only where a
 * rule found it.  Where none would hold the likeliest does, but an emergency, a
 * death or an order; 0 if that is `unclear`.  A text without words is what
 * rules found.
 */
uint32_t reply_likely_hold(const struct reply_likely *likely,
    const struct reply_text *text, enum reply_context context, uint32_t found,
    struct arena *arena);

#endif
