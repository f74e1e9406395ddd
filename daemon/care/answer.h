#ifndef ADHERD_CARE_ANSWER_H
#define ADHERD_CARE_ANSWER_H

#include "care/look.h"

/*
 * Answers: what is said back to a reply, to the address that it came from.
 * Whoever takes up a reply leaves an entry in `said` that says which text is
 * owed (answer_owe()); plan sends it at once, whatever status, consent, caps,
 * hours or distance to other messages say, for at most ANSWER_VALID_US.
 * Operators' stops hold it as all else.
 */
#define ANSWER_VALID_US HOUR_US
/* So many in 24 hours to one address; emergencies and harm count apart. */
enum { ANSWERS_A_DAY = 3 };

/* The entry of an answer that is owed. */
struct said answer_owe(
    int32_t reply_no, enum stage stage, int32_t contact_no, int64_t at);
/* Does this entry count against another answer of that sort at `at`? */
bool answer_counts(const struct said *said, enum stage stage, int64_t at);

void answer_collect(struct look *look);
/* An answer that is on its way; false: it is over, as `state` says. */
bool answer_again(struct look *look, const struct open_delivery *open,
    enum delivery_state *state);

#endif
