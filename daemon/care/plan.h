#ifndef ADHERD_CARE_PLAN_H
#define ADHERD_CARE_PLAN_H

#include "care/program.h"

/*
 * The one decision.  Pure: no I/O, no clock, no globals; the same input
 * gives the same output, whatever the order of the dossier's rows.
 */
struct plan_item {  /* what a message speaks of */
	int32_t no; /* prescription or visit no */
	/* "MedicationRequest/cn-rx-0101", "Appointment/…" */
	const char *reference;
	/* its own occurrence, as recorded in `said` */
	int32_t occurrence_on;
	int32_t slot;
	int32_t run_out_on; /* refill and renewal; else ON_UNKNOWN */
	int64_t at; /* of the dose or visit, else when the stage was due */
	bool held;  /* on record as held already: no second line */
};

enum plan_action { PLAN_SEND = 1, PLAN_HOLD = 2, PLAN_TASK = 3 };

struct plan_step {
	enum plan_action action;
	enum kind kind;
	enum stage stage;
	enum channel channel; /* SEND only; else CHANNEL_NONE */
	enum reason reason;   /* HOLD; TASK: NONE, QUIET_HOURS or CAP */
	/* of the first item: the natural key */
	int32_t source, occurrence_on, slot;
	const struct plan_item *items; /* in id order */
	uint32_t item_count;
	int32_t program_version; /* decided under; 0: the defaults */
	int32_t contact_no;      /* SEND: the address */
	int64_t due_at;          /* what the dry run prints for holds */
	int64_t at;              /* the instant decided for: `now` */
	int64_t not_after;   /* earliest of validity and end of allowed hours */
	int64_t valid_until; /* validity alone: as long a retry may wait */
	bool final;          /* HOLD: closed, never considered again */
	/* HOLD: a standing obstacle (status, consent, channel) */
	bool standing;
	/* SEND: a retry, or the one repeat after unknown */
	bool attempt_again;
	bool repeat;
	bool sensitive;  /* discreet text */
	int64_t team_at; /* TASK: the care team hears then */
};

struct plan_ask { /* ask the provider about an unknown delivery */
	const struct open_delivery *delivery;
};

struct plan_close { /* an open delivery that ends now */
	const struct open_delivery *delivery;
	/* EXPIRED, HELD, UNCONFIRMED; UNKNOWN: it stays so */
	enum delivery_state state;
	enum reason reason;
};

struct plan {
	const struct plan_step *steps; /* in the order they take effect */
	uint32_t step_count;
	const struct plan_close *closes;
	uint32_t close_count;
	const struct plan_ask *asks;
	uint32_t ask_count;
	int64_t next_at; /* when to look again: > now, at most 7 days ahead */
	bool attention;  /* deliveries to load at the next look */
	/* > 0: a send waits for this lane; look when it opens */
	int16_t park_lane;
	enum reason standing; /* the standing obstacle in force, or NONE */
	bool stopped; /* something waits for the end of an operator's stop */
	/* what to remember: the new `recent`, replacing the dossier's said */
	const struct said *said;
	uint32_t said_count;
	/* reasons for people (`why`); NULL unless asked */
	const char *const *trace;
	uint32_t trace_count;
};

/*
 * Decide about one person at `now`.  planned_through: up to when all was
 * considered before; stages that fell due and lost their validity after it
 * are recorded as expired, earlier ones are not mentioned (AT_UNKNOWN: the
 * first look, none is).  A stage that is
 * still valid is sent whenever it fell due; rules->handled_before alone
 * silences what was due before it.  want_trace fills trace.  Output lives
 * in the arena; strings and open deliveries are borrowed from the dossier.
 *
 * A fact with a time of its own (visit.status_at, moved_at, prescription
 * status_at, handed_over_at, consent and contact periods, deceased_at,
 * inactive_at, stays) acts from that time on: the dossier may hold it
 * before, and next_at stops there.
 */
void plan_person(const struct dossier *dossier, const struct rules *rules,
    const struct gateways_view *gateways, int64_t planned_through, int64_t now,
    bool want_trace, struct arena *arena, struct plan *plan);

#endif
