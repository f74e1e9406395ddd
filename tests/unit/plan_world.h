#ifndef ADHERD_TESTS_PLAN_WORLD_H
#define ADHERD_TESTS_PLAN_WORLD_H

/*
 * A small world for the tests of plan_person(): one patient built by hand,
 * and the loop of the dry run (program.md 3) that prints a line for each
 * decision.  Every run is made with the rows in several orders, twice each,
 * with `said` through its own encoding, and must come out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "care/plan.h"
#include "care/timing.h"

#define ROWS_MAX 24
#define CHANGES_MAX 8

struct change {
	int64_t at;
	void (*apply)(void);
};

struct world {
	struct arena *arena;
	struct dossier d;
	struct rules rules;
	struct gateways_view gateways;
	struct contact contacts[ROWS_MAX];
	struct consent consents[ROWS_MAX];
	struct prescription prescriptions[ROWS_MAX];
	struct dosage dosages[ROWS_MAX][ROWS_MAX];
	struct fill fills[ROWS_MAX];
	struct visit visits[ROWS_MAX];
	struct stay stays[ROWS_MAX];
	struct change changes[CHANGES_MAX];
	uint32_t change_count;
	int64_t planned_through;
};

static struct world w, untouched;

static inline int64_t
at(const char *text) /* "2026-03-02 10:00", local; a date: midnight */
{
	char date[11];
	int hour = 0, minute = 0;
	int32_t date_on;

	memcpy(date, text, 10);
	date[10] = '\0';
	assert_true(civil_parse(date, &date_on));
	if (text[10] != '\0')
		assert_int_equal(
		    sscanf(text + 10, " %d:%d", &hour, &minute), 2);
	return zone_instant(w.d.zone, date_on, hour * 3600 + minute * 60);
}

static inline int32_t
on(const char *date)
{
	int32_t date_on;

	assert_true(civil_parse(date, &date_on));
	return date_on;
}

static inline struct contact *
contact(enum channel channel)
{
	struct contact *c = &w.contacts[w.d.contact_count++];

	*c = (struct contact){
	    .no = (int32_t)w.d.contact_count,
	    .channel = channel,
	    .owner = OWNER_SELF,
	    .from_at = AT_UNKNOWN,
	    .until_at = AT_NEVER,
	    .usable = true,
	};
	return c;
}

static inline struct consent *
consent(const char *given, bool permit, uint32_t topics, uint32_t channels)
{
	struct consent *c = &w.consents[w.d.consent_count++];

	*c = (struct consent){
	    .no = given == NULL ? 0 : (int32_t)w.d.consent_count,
	    .given_at = given == NULL ? AT_UNKNOWN : at(given),
	    .from_at = AT_UNKNOWN,
	    .until_at = AT_NEVER,
	    .permit = permit,
	    .topics = topics,
	    .channels = channels,
	    .actor = OWNER_SELF,
	};
	return c;
}

/* Nobody to write to yet: Asia/Shanghai, alive, no rows. */
static inline void
world_empty(void)
{
	struct arena *arena = w.arena == NULL ? arena_create() : w.arena;

	arena_reset(arena);
	memset(&w, 0, sizeof(w));
	w.arena = arena;
	w.rules = *program_default();
	w.rules.each_hold = true;
	w.gateways = *gateways_view_free();
	w.d = (struct dossier){
	    .patient_id = 7,
	    .id = "p1",
	    .zone = zone_open("Asia/Shanghai"),
	    .active = true,
	    .inactive_at = AT_UNKNOWN,
	    .deceased_at = AT_NEVER,
	    .paused_until = AT_UNKNOWN,
	    .birth_on = ON_UNKNOWN,
	    .profile = DAY_PROFILE_DEFAULT,
	};
	w.planned_through = AT_UNKNOWN;
}

/* The same, with SMS and consent to everything on it. */
static inline void
world(void)
{
	world_empty();
	contact(CHANNEL_SMS);
	consent(NULL, true, TOPIC_ALL, CHANNEL_BIT(CHANNEL_SMS));
}

/* A continuous prescription with refills left and nothing to take. */
static inline struct prescription *
rx(const char *id)
{
	struct prescription *p = &w.prescriptions[w.d.prescription_count++];

	*p = (struct prescription){
	    .no = (int32_t)w.d.prescription_count,
	    .id = id,
	    .status = PRESCRIPTION_ACTIVE,
	    .status_at = AT_UNKNOWN,
	    .course = COURSE_CONTINUOUS,
	    .drug = id,
	    .authored_at = at("2026-01-01 09:00"),
	    .authored_has_time = true,
	    .quantity_micro = -1,
	    .supply_days = -1,
	    .initial_quantity_micro = -1,
	    .initial_days = -1,
	    .repeats_allowed = -1,
	    .valid_from_on = ON_UNKNOWN,
	    .valid_until_on = ON_NEVER,
	    .interval_days = -1,
	    .dosages = w.dosages[w.d.prescription_count - 1],
	};
	return p;
}

/* One more dosage, its Timing as FHIR JSON. */
static inline struct dosage *
dosage(struct prescription *p, const char *timing)
{
	struct dosage *d = &w.dosages[p->no - 1][p->dosage_count++];
	struct json_error json_error;
	struct timing_error error;
	const struct json *json =
	    json_parse(timing, strlen(timing), NULL, w.arena, &json_error);

	assert_non_null(json);
	*d = (struct dosage){.sequence = 1, .dose_micro = -1};
	d->timing = timing_parse(json, w.arena, &error);
	assert_non_null(d->timing);
	return d;
}

/* Every day at these times: "08:00:00\",\"20:00:00". */
static inline struct prescription *
daily(const char *id, const char *times)
{
	struct prescription *p = rx(id);

	dosage(p, arena_printf(w.arena,
		      "{\"repeat\":{\"frequency\":1,\"period\":1,"
		      "\"periodUnit\":\"d\","
		      "\"timeOfDay\":[\"%s\"]}}",
		      times));
	return p;
}

static inline struct fill *
fill(const struct prescription *p, const char *given, int32_t days)
{
	struct fill *f = &w.fills[w.d.fill_count++];

	*f = (struct fill){
	    .no = (int32_t)w.d.fill_count,
	    .prescription_no = p->no,
	    .status = FILL_COMPLETED,
	    .drug = p->drug,
	    .quantity_micro = -1,
	    .days_supply = days,
	    .handed_over_at = at(given),
	};
	return f;
}

static inline struct visit *
visit(const char *id, const char *start)
{
	struct visit *v = &w.visits[w.d.visit_count++];

	*v = (struct visit){
	    .no = (int32_t)w.d.visit_count,
	    .id = id,
	    .status = VISIT_PLANNED,
	    .start_at = at(start),
	    .start_has_time = true,
	    .previous_start_at = AT_NEVER,
	    .moved_at = AT_NEVER,
	    .status_at = AT_UNKNOWN,
	};
	return v;
}

static inline void
stay(const char *from, const char *until)
{
	w.stays[w.d.stay_count++] = (struct stay){1, at(from), at(until)};
}

/* A fact that becomes known then: apply() changes the world. */
static inline void
becomes_known(const char *when, void (*apply)(void))
{
	assert_true(w.change_count < CHANGES_MAX);
	w.changes[w.change_count++] = (struct change){at(when), apply};
}

/* Rows in another order: 0 as they are, 1 backwards, 2 rotated. */
static inline const void *
reordered(const void *rows, uint32_t count, size_t size, int order)
{
	char *out = arena_array(w.arena, count + 1, size);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t from = order == 1   ? count - 1 - i
				: order == 2 ? (i + 1) % count
					     : i;

		memcpy(out + i * size, (const char *)rows + from * size, size);
	}
	return out;
}

#define REORDER(rows, count, order) \
	reordered((rows), (count), sizeof((rows)[0]), (order))

static inline struct dossier
world_dossier(int order)
{
	struct dossier d = w.d;

	d.contacts = REORDER(w.contacts, d.contact_count, order);
	d.consents = REORDER(w.consents, d.consent_count, order);
	d.prescriptions = REORDER(w.prescriptions, d.prescription_count, order);
	d.fills = REORDER(w.fills, d.fill_count, order);
	d.visits = REORDER(w.visits, d.visit_count, order);
	d.stays = REORDER(w.stays, d.stay_count, order);
	return d;
}

static inline int64_t
printed_at(const struct plan_step *step)
{
	return step->action == PLAN_HOLD ? step->due_at : step->at;
}

/* "03-02 10:00 send refill -1d sms a,b" */
static inline void
print_step(const struct plan_step *step, struct buf *out)
{
	static const char *const actions[] = {"", "send", "hold", "task"};
	char when[64];
	const char *word;

	zone_format(w.d.zone, printed_at(step), when, sizeof(when));
	when[10] = ' ';
	when[16] = '\0';
	if (step->action == PLAN_SEND)
		word = channel_word(step->channel);
	else
		word = reason_word(step->reason);
	buf_printf(out, "%s %s %s %s %s ", when + 5, actions[step->action],
	    kind_word(step->kind), stage_word(step->stage),
	    word == NULL ? "-" : word);
	for (uint32_t i = 0; i < step->item_count; i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "",
		    strchr(step->items[i].reference, '/') + 1);
	buf_text(out, "\n");
}

/* Decide once; the same again must give the same. */
static inline void
plan_at(int order, const struct said *said, uint32_t said_count, int64_t now,
    struct plan *plan)
{
	struct dossier d = world_dossier(order);
	struct plan again;
	struct buf one = BUF_INIT(0), two = BUF_INIT(0);

	d.said = said;
	d.said_count = said_count;
	plan_person(&d, &w.rules, &w.gateways, w.planned_through, now, true,
	    w.arena, plan);
	assert_true(plan->next_at > now);
	assert_true(plan->next_at <= now + 7 * DAY_US);
	plan_person(&d, &w.rules, &w.gateways, w.planned_through, now, true,
	    w.arena, &again);
	said_encode(plan->said, plan->said_count, &one);
	said_encode(again.said, again.said_count, &two);
	assert_int_equal(one.bytes, two.bytes);
	assert_int_equal(plan->next_at, again.next_at);
	assert_int_equal(plan->step_count, again.step_count);
	if (one.bytes > 0) {
		assert_memory_equal(one.data, two.data, one.bytes);
		assert_int_equal(
		    said_decode((const uint8_t *)one.data, one.bytes, w.arena,
			&plan->said, &plan->said_count),
		    0);
	}
	buf_free(&one);
	buf_free(&two);
}

/* The dry run: [from, from + days) of local midnights. */
static inline char *
run(int order, const char *from, int days)
{
	int64_t now = at(from), end;
	const struct said *said = NULL;
	uint32_t said_count = 0, next_change = 0;
	struct buf out = BUF_INIT(0);
	char *text;

	end = zone_instant(w.d.zone, on(from) + days, 0);
	w.rules.handled_before = now;
	w.planned_through = now;
	while (now < end) {
		struct plan plan;

		while (next_change < w.change_count &&
		       w.changes[next_change].at <= now)
			w.changes[next_change++].apply();
		plan_at(order, said, said_count, now, &plan);
		for (uint32_t i = 0; i < plan.step_count; i++) {
			assert_true(printed_at(&plan.steps[i]) >= at(from));
			print_step(&plan.steps[i], &out);
		}
		said = plan.said;
		said_count = plan.said_count;
		w.planned_through = now;
		now = plan.next_at;
		if (next_change < w.change_count &&
		    w.changes[next_change].at < now)
			now = w.changes[next_change].at;
	}
	text = arena_text(w.arena, buf_string(&out));
	buf_free(&out);
	return text;
}

/* One look of the daemon; what was said is carried from look to look. */
static inline void
daemon_look(const char *when, struct plan *plan)
{
	w.rules.each_hold = false;
	plan_at(0, w.d.said, w.d.said_count, at(when), plan);
	w.d.said = plan->said;
	w.d.said_count = plan->said_count;
	w.planned_through = at(when);
}

static inline void
expect(const char *from, int days, const char *lines)
{
	untouched = w;
	for (int order = 0; order < 3; order++) {
		const char *text = run(order, from, days);

		assert_string_equal(text, lines);
		w = untouched;
	}
}

#endif
