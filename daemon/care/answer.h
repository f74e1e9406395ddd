#ifndef ADHERD_CARE_ANSWER_H
#define ADHERD_CARE_ANSWER_H

#include "care/look.h"

/*
 * Answers: what is said because of a reply, to the address that it came from,
 * to the patient's caregiver, or to the care team, whose members have agenda
 * rows of their own.  Whoever takes up a reply leaves an entry in `said` that
 * says which text is owed (answer_owe()); plan sends it at its instant,
 * whatever status, consent, caps, hours or distance to other messages say, for
 * at most ANSWER_VALID_US.  Operators' stops hold it as all else.
 *
 * Of an emergency one caregiver hears beside the answer, and of silence to the
 * end of a ladder before the care team, where the patient consented to it
 * (TOPIC_CAREGIVER).
 */
#define ANSWER_VALID_US HOUR_US
/* So many in 24 hours to one address; emergencies and harm count apart. */
enum { ANSWERS_A_DAY = 3 };

/* The entry of an answer that is owed from that instant on. */
struct said answer_owe(
    int32_t reply_no, enum stage stage, int32_t contact_no, int64_t at);
/*
 * What was said with that entry behind it, in the arena; the oldest makes
 * room.  *count becomes the new one.
 */
const struct said *answer_owing(const struct said *said, uint32_t *count,
    struct said owed, struct arena *arena);
/* Does this entry count against another answer of that sort at `at`? */
bool answer_counts(const struct said *said, enum stage stage, int64_t at);

void answer_collect(struct look *look);
/*
 * A ladder ended without an answer: one caregiver hears now, where the
 * patient consented to it, at most once a week; source: what it was about.
 * false: nobody hears.
 */
bool answer_tell_silence(struct look *look, int32_t source);
/* An answer that is on its way; false: it is over, as `state` says. */
bool answer_again(struct look *look, const struct open_delivery *open,
    enum delivery_state *state);

#endif
