#ifndef ADHERD_CTL_WHY_H
#define ADHERD_CTL_WHY_H

#include "ctl_line.h"
#include "ctl_person.h"
#include "ctl_world.h"

/*
 * adherctl why, in parts: what is known of a patient (ctl_why_facts.c), what
 * is on record (ctl_why_record.c, ctl_why_replies.c), what stands in the
 * way of each channel (ctl_why_channels.c), and what plan says now, next or
 * of a day (ctl_why.c).
 */
struct why {
	struct ctl *ctl;
	struct ctl_person *person;
	struct ctl_world *world;
	const struct rules *rules; /* the tenant's, with stops */
	const struct gateways_view *gateways;
	const struct zone *zone;
	int64_t now;
	int64_t as_of;   /* for the facts: the end of a past day, else now */
	int32_t days;    /* looked ahead */
	bool of_a_day;   /* --on */
	int32_t date_on; /* that day, else today */
	int64_t from, until; /* that day, else always */
	struct list decided; /* struct decision: the rows of that day */
	struct buf out;
};

struct decision { /* one row of ctl_why.sql */
	int64_t what;
	int64_t at, due_at, ended_at, retry_at, valid_until;
	enum kind kind;
	enum stage stage;
	enum delivery_state state;
	enum reason reason;
	enum channel channel;
	int64_t attempts, program_version;
	const char *gateway, *code;
	const char *const *items; /* references */
	uint32_t item_count;
};

/* Status, consents, stops; products with their supply and cycle; visits. */
void why_tell_facts(struct why *why);
/* Read what was decided on that day, or lately: why->decided. */
void why_load_record(struct why *why);
void why_tell_record(struct why *why);
/*
 * Each channel of this patient's programs, in their order, with what stands
 * in its way now, a pause by its name.
 */
void why_tell_channels(struct why *why, const struct plan *plan);
/* What an operator said may be assumed as sent, and staging. */
void why_tell_assumed(struct why *why);
/* What the patient answered, that day or lately. */
void why_tell_replies(struct why *why);
/* What is on its way. */
void why_tell_open(struct why *why);
/* "MedicationRequest/ID", by number where it is no longer known. */
const char *why_reference(const struct why *why, enum kind kind, int32_t no);

#endif
