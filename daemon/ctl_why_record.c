/*
 * What is on record of a patient: deliveries, tasks and obstacles of a day
 * or of late, and what is on its way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl_why.h"

#define DECISIONS_MAX 200
#define WAYS_MAX 3 /* numbers of an item: no, date, slot */

enum { WHAT_DELIVERY = 1, WHAT_TASK = 2, WHAT_OBSTACLE = 3 };

static const char *
what_word(int64_t what)
{
	return what == WHAT_DELIVERY ? "delivery"
	       : what == WHAT_TASK   ? "task"
				     : "obstacle";
}

/* References of the things that a row speaks of. */
static const char *const *
read_items(const struct why *why, const struct db_result *result, int row,
    int column, enum kind kind, uint32_t *count)
{
	struct arena *arena = why->ctl->arena;
	int64_t *numbers;
	int all = db_i64_array(result, row, column, arena, &numbers);
	const char **items;

	*count = all > 0 ? (uint32_t)all / WAYS_MAX : 0;
	items = arena_array(arena, *count + 1, sizeof(*items));
	for (uint32_t i = 0; i < *count; i++)
		items[i] =
		    why_reference(why, kind, (int32_t)numbers[i * WAYS_MAX]);
	return items;
}

struct reading {
	const struct why *why;
	struct list *list; /* struct decision */
};

static void
take_decisions(const struct db_result *result, void *arg)
{
	const struct reading *reading = arg;
	const struct why *why = reading->why;
	struct arena *arena = why->ctl->arena;

	for (int row = 0; row < db_rows(result); row++) {
		struct decision *d = list_add(reading->list);

		*d = (struct decision){
		    .what = db_i64(result, row, 0),
		    .at = db_at(result, row, 1),
		    .kind = (enum kind)db_i64(result, row, 2),
		    .stage = (enum stage)db_i64(result, row, 3),
		    .state = (enum delivery_state)db_i64(result, row, 4),
		    .reason = (enum reason)db_i64(result, row, 5),
		    .channel = (enum channel)db_i64(result, row, 6),
		    .due_at = db_at(result, row, 7),
		    .ended_at = db_at_or(result, row, 8, AT_NEVER),
		    .attempts = db_i64(result, row, 9),
		    .gateway = arena_text(arena, db_text(result, row, 10)),
		    .code = arena_text(arena, db_text(result, row, 11)),
		    .program_version = db_i64(result, row, 13),
		    .retry_at = db_at_or(result, row, 14, AT_NEVER),
		    .valid_until = db_at_or(result, row, 15, AT_NEVER),
		};
		d->items =
		    read_items(why, result, row, 12, d->kind, &d->item_count);
	}
}

static void
write_items(
    struct json_writer *w, const char *const *items, uint32_t item_count)
{
	json_write_key(w, "items");
	json_write_array(w);
	for (uint32_t i = 0; i < item_count; i++)
		json_write_text(w, items[i]);
	json_write_end_array(w);
}

static void
print_decision_json(struct why *why, const struct decision *d, const char *what)
{
	struct json_writer w = ctl_line_begin(&why->out, what);

	ctl_line_at(&w, "at", why->zone, d->at);
	json_write_member(&w, "kind", kind_word(d->kind));
	json_write_member(&w, "stage", stage_word(d->stage));
	json_write_member(&w, "state", delivery_state_word(d->state));
	json_write_member(&w, "reason", reason_word(d->reason));
	json_write_member(&w, "channel", channel_word(d->channel));
	ctl_line_at(&w, "due", why->zone, d->due_at);
	ctl_line_at(&w, "ended", why->zone, d->ended_at);
	ctl_line_at(&w, "retry", why->zone, d->retry_at);
	ctl_line_at(&w, "valid_until", why->zone, d->valid_until);
	ctl_line_number(&w, "attempts", d->attempts);
	json_write_member(&w, "gateway", d->gateway);
	json_write_member(&w, "code", d->code);
	ctl_line_number(&w, "program_version", d->program_version);
	write_items(&w, d->items, d->item_count);
	ctl_line_end(&w);
}

/* Every word that there is, two spaces before it. */
static void
add_words(struct buf *out, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (words[i] != NULL && words[i][0] != '\0')
			buf_printf(out, "  %s", words[i]);
}

/* Many of one sort, as after a clock that stood still: from … to …, ×N. */
static void
print_decision(
    struct why *why, const struct decision *d, const struct decision *last)
{
	char at[32], due[32], to[32];
	const char *words[] = {
	    ctl_show_at(why->zone, d->at, at),
	    what_word(d->what),
	    kind_word(d->kind),
	    stage_word(d->stage),
	    delivery_state_word(d->state),
	    reason_word(d->reason),
	    channel_word(d->channel),
	    d->gateway,
	    d->code,
	};

	add_words(&why->out, words, COUNT(words));
	add_words(&why->out, d->items, d->item_count);
	if (last != d)
		buf_printf(&why->out, "  due %s to %s, %d of them",
		    ctl_show_at(why->zone, d->due_at, due),
		    ctl_show_at(why->zone, last->due_at, to),
		    (int)(last - d) + 1);
	else if (d->what != WHAT_OBSTACLE && d->due_at != d->at)
		buf_printf(&why->out, "  due %s",
		    ctl_show_at(why->zone, d->due_at, due));
	if (d->what != WHAT_OBSTACLE)
		buf_printf(&why->out, "  program version %" PRId64,
		    d->program_version);
	if (d->ended_at != AT_NEVER && d->what != WHAT_DELIVERY)
		buf_printf(&why->out, "  ended %s",
		    ctl_show_at(why->zone, d->ended_at, due));
	ctl_line_print(&why->out);
}

/* Doses of one schedule that one look closed for one reason. */
static bool
is_one_sort(const struct decision *a, const struct decision *b)
{
	return a->what == WHAT_DELIVERY && b->what == WHAT_DELIVERY &&
	       a->kind == KIND_DOSE && b->kind == KIND_DOSE && a->at == b->at &&
	       a->state == DELIVERY_HELD && b->state == DELIVERY_HELD &&
	       a->reason == b->reason && a->item_count == 1 &&
	       b->item_count == 1 && strcmp(a->items[0], b->items[0]) == 0;
}

void
why_load_record(struct why *why)
{
	struct db_unit *unit = db_unit_begin(ctl_database(why->ctl));
	struct reading reading = {why, &why->decided};

	db_unit_add(unit, "ctl_why", take_decisions, &reading);
	db_param_i16(unit, why->person->bucket);
	db_param_i64(unit, why->person->patient_id);
	db_param_at(unit, why->from);
	db_param_at(unit, why->until);
	db_param_i32(unit, DECISIONS_MAX);
	ctl_run(unit);
}

void
why_tell_record(struct why *why)
{
	const struct decision *list = why->decided.data;
	size_t count = why->decided.count;

	if (!why->ctl->json)
		(void)printf("decided%s\n", count == 0 ? ": nothing" : "");
	for (size_t i = 0, next; i < count; i = next) {
		next = i + 1;
		if (why->ctl->json) {
			print_decision_json(
			    why, &list[i], what_word(list[i].what));
			continue;
		}
		while (next < count && is_one_sort(&list[i], &list[next]))
			next++;
		print_decision(why, &list[i], &list[next - 1]);
	}
}

/* ---- what is on its way ---- */

static void
print_open(struct why *why, const struct decision *d)
{
	char retry[32], valid[32];

	buf_printf(&why->out, "  %s %s by %s: %s%s%s, attempt %" PRId64,
	    kind_word(d->kind), stage_word(d->stage), channel_word(d->channel),
	    delivery_state_word(d->state), d->code == NULL ? "" : ", ",
	    d->code == NULL ? "" : d->code, d->attempts);
	if (d->state == DELIVERY_RETRY)
		buf_printf(&why->out, ", again from %s until %s",
		    ctl_show_at(why->zone, d->retry_at, retry),
		    ctl_show_at(why->zone, d->valid_until, valid));
	add_words(&why->out, d->items, d->item_count);
	ctl_line_print(&why->out);
}

void
why_tell_open(struct why *why)
{
	struct db_unit *unit = db_unit_begin(ctl_database(why->ctl));
	struct list list;
	struct reading reading = {why, &list};
	const struct decision *open;

	list_init(&list, why->ctl->arena, sizeof(struct decision));
	db_unit_add(unit, "ctl_open", take_decisions, &reading);
	db_param_i16(unit, why->person->bucket);
	db_param_i64(unit, why->person->patient_id);
	db_param_i32(unit, DECISIONS_MAX);
	ctl_run(unit);
	open = list.data;
	if (list.count > 0 && !why->ctl->json)
		(void)puts("on the way");
	for (size_t i = 0; i < list.count; i++) {
		if (why->ctl->json)
			print_decision_json(why, &open[i], "open");
		else
			print_open(why, &open[i]);
	}
}
