#ifndef ADHERD_CARE_LOOK_H
#define ADHERD_CARE_LOOK_H

#include "care/plan.h"

/*
 * One look at one person: what plan_person() was given, what is remembered
 * while it decides, and the candidates that dose, ladder and follow_up find
 * due.  Lives in the arena for one call.
 */
enum { SAID_ENTRIES_MAX = 512, CANDIDATE_ITEMS_MAX = 256 };

/* Something due: a message, or a task for people. */
struct candidate {
	enum kind kind;
	const struct program *program; /* of its products: all the same */
	enum stage stage;
	bool task;
	bool past_caps; /* corrections */
	bool any_hour;  /* a dose outside its hours, which the consent allows */
	uint32_t tried; /* CHANNEL_BIT()s that had one of its items before */
	/*
	 * Judged before merging: an obstacle of the item itself; of a task,
	 * what it is about.  `final` closes a held occurrence.
	 */
	enum reason reason;
	bool final;
	int32_t anchor_on; /* run-out, visit or dose date: the order */
	int64_t due_at;
	int64_t ready_at; /* due, or the next allowed hour after it */
	int64_t turn_at;  /* its place in line: ready, or possible only now */
	int64_t valid_until; /* exclusive */
	struct plan_item *items;
	uint32_t item_count;
};

struct look {
	const struct dossier *dossier;
	const struct rules *rules;
	const struct gateways_view *gateways;
	int64_t planned_through;
	int64_t now;
	struct arena *arena;
	struct list said;       /* struct said: the dossier's, then new ones */
	struct list candidates; /* struct candidate */
	struct list steps;      /* struct plan_step */
	struct list closes;     /* struct plan_close */
	struct list asks;       /* struct plan_ask */
	struct list traces;     /* const char * */
	bool want_trace;
	int64_t next_at;
	bool attention; /* deliveries to load at the next look */
	int16_t park_lane;
	bool asleep[KIND_ANSWER + 1]; /* a known standing obstacle: no wake */
	bool stopped; /* something waits for the end of an operator's stop */
	int32_t reserved[CHANNEL_COUNT]; /* sends that wait for the gap */
};

void look_init(struct look *look, const struct dossier *dossier,
    const struct rules *rules, const struct gateways_view *gateways,
    int64_t planned_through, int64_t now, bool want_trace, struct arena *arena);

/* Look again at that instant; what is not after now is ignored. */
void look_wake(struct look *look, int64_t at);
/* The same for messages of one kind, unless that kind is asleep. */
void look_wake_kind(struct look *look, enum kind kind, int64_t at);
/*
 * A zeroed candidate with room for items_max items; ready when due, under
 * the kind's program.
 */
struct candidate *look_add(struct look *look, enum kind kind, enum stage stage,
    int64_t due_at, uint32_t items_max);
void look_trace(struct look *look, const char *format, ...) printf_like(2, 3);

/*
 * The slot of a stage is its number; of what is said once more of the same
 * visit and date, so much more each time.
 */
enum { SLOT_AGAIN = 1000 };
enum stage look_slot_stage(int32_t slot);

/* Local clock time on a date: the instant. */
int64_t look_instant(const struct look *look, int32_t date_on, int32_t time_s);
int32_t look_date(const struct look *look, int64_t at);
/* The program of a kind for what that prescription is of (0: none). */
const struct program *look_program(
    const struct look *look, enum kind kind, int32_t prescription_no);
/* 10:00 of that program on a date, spread by patient where asked for. */
int64_t look_stage_at(
    const struct look *look, const struct program *program, int32_t date_on);

/*
 * A task that fell due long before anybody looked is history, as of an
 * import: a week where it was due before the last look, a month otherwise;
 * in a run that has a beginning (rules->handled_before) two months.
 */
bool look_task_is_stale(const struct look *look, int64_t due_at);

/*
 * What was said about an occurrence.  The pointer lasts until the next
 * entry is added.
 */
const struct said *said_find(const struct look *look, enum kind kind,
    int32_t source, int32_t occurrence_on, int32_t slot, bool task);
/* A hold that may still turn into a message while it is valid. */
/* Are they about one occurrence? */
bool said_same(const struct said *a, const struct said *b);
/* The channels by which it was said, as CHANNEL_BIT()s. */
uint32_t said_tried(const struct look *look, const struct said *item);
bool said_is_open_hold(const struct said *said);
/* It left, or counts as such (rules->handled_before). */
bool said_went_out(const struct said *said);
/* It left on a channel: counts for gaps. */
bool said_was_sent(const struct said *said);
struct said *said_add(struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot);
/*
 * Remember without a line: as told (due before rules->handled_before), or
 * as over.
 */
void said_mark_told(struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot, int64_t due_at);
void said_mark_over(struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot, bool task);
/* The task at the end of a cycle's ladder, whatever its day was then. */
bool said_ladder_task(const struct look *look, enum kind kind, int32_t source,
    int32_t occurrence_on);
/* The task about a whole dose schedule, by what it was about. */
bool said_schedule_task(
    const struct look *look, int32_t source, enum reason reason);
/* The standing obstacle on record for a kind, or REASON_NONE. */
enum reason said_standing(const struct look *look, enum kind kind);
void said_set_standing(struct look *look, enum kind kind, enum reason reason);
/* Drop what can matter no more, oldest first over the bound. */
void said_prune(struct look *look);

/* "MedicationRequest/…", "Appointment/…" */
const char *look_reference(const struct look *look, enum kind kind, int32_t no);
/* Order of resource ids; rows without one by number. */
int look_compare_id(const char *a, int32_t a_no, const char *b, int32_t b_no);
/* Order of writing: authoredOn, then id. */
int look_compare_authored(
    const struct prescription *a, const struct prescription *b);
/* Are they the same text?  NULL is like nothing. */
bool look_same(const char *a, const char *b);

#endif
