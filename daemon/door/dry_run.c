/*
 * The dry run: whoever must be looked at first is looked at, until every
 * window is over.  Owns the virtual clock, what was said so far and what
 * each address got; the decisions are plan's.
 */
#include "door/dry_run.h"

#include <assert.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USES_KEPT_US (9 * DAY_US) /* seven days, in any zone */
/*
 * Looks begin so long before what counts as handled, without a line: which
 * products stood on one ladder then decides what was said of each.
 */
#define HANDLED_US (60 * DAY_US)

/* One patient while the clock runs. */
struct player {
	const struct dry_patient *patient;
	struct arena *known; /* memory of the dossier, owned */
	struct dossier dossier;
	int64_t more_at; /* when more is known */
	int64_t next_at;
	int64_t planned_through;
	struct said *said; /* owned */
	uint32_t said_count;
};

/* What an address got, doses apart: its caps count for all who share it. */
struct address {
	enum channel channel;
	const char *text;
	struct list uses; /* struct use, oldest first */
};

struct use {
	const struct player *by;
	int64_t at;
};

struct game {
	struct arena *arena;   /* of the lines */
	struct arena *scratch; /* of one look */
	struct rules rules;
	struct player **heap; /* whoever comes first is heap[0] */
	uint32_t heap_count;
	void *addresses; /* tsearch(3): struct address */
	struct list lines;
};

/* ---- who comes first ---- */

static bool
comes_before(const struct player *a, const struct player *b)
{
	if (a->next_at != b->next_at)
		return a->next_at < b->next_at;
	return a < b; /* players stand by id */
}

/* Let the one at that place sink to where it belongs. */
static void
heap_sink(struct game *game, uint32_t at)
{
	struct player **heap = game->heap;

	for (;;) {
		uint32_t first = at;
		struct player *sinking = heap[at];

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < game->heap_count &&
			    comes_before(heap[child], heap[first]))
				first = child;
		if (first == at)
			return;
		heap[at] = heap[first];
		heap[first] = sinking;
		at = first;
	}
}

/* ---- addresses ---- */

static int
compare_addresses(const void *left, const void *right)
{
	const struct address *a = left, *b = right;

	if (a->channel != b->channel)
		return a->channel < b->channel ? -1 : 1;
	return strcmp(a->text, b->text);
}

static void
keep_address(void *address)
{
	(void)address; /* it lives in the arena */
}

static void
note_use(struct game *game, const struct player *player,
    const struct plan_step *step)
{
	const struct contact *contact = NULL;
	struct address sought, **found;

	if (step->kind == KIND_DOSE)
		return;
	for (uint32_t i = 0; i < player->dossier.contact_count; i++)
		if (player->dossier.contacts[i].no == step->contact_no)
			contact = &player->dossier.contacts[i];
	if (contact == NULL || contact->address == NULL)
		return;
	sought = (struct address){contact->channel, contact->address, {0}};
	found = tfind(&sought, &game->addresses, compare_addresses);
	if (found == NULL) {
		struct address *address =
		    arena_copy(game->arena, &sought, sizeof(sought));

		address->text = arena_text(game->arena, sought.text);
		list_init(&address->uses, game->arena, sizeof(struct use));
		found = tsearch(address, &game->addresses, compare_addresses);
		assert(found != NULL);
	}
	*(struct use *)list_add(&(*found)->uses) =
	    (struct use){player, step->at};
}

/* What the others got lately at the addresses of this one. */
static void
find_uses(struct game *game, const struct player *player)
{
	struct list list;

	list_init(&list, game->scratch, sizeof(struct address_use));
	for (uint32_t i = 0; i < player->dossier.contact_count; i++) {
		const struct contact *c = &player->dossier.contacts[i];
		struct address sought = {c->channel, c->address, {0}};
		struct address **found;
		const struct use *uses;

		if (c->address == NULL)
			continue;
		found = tfind(&sought, &game->addresses, compare_addresses);
		if (found == NULL)
			continue;
		uses = (*found)->uses.data;
		for (size_t k = (*found)->uses.count; k > 0; k--) {
			if (uses[k - 1].at < player->next_at - USES_KEPT_US)
				break;
			if (uses[k - 1].by != player)
				*(struct address_use *)list_add(&list) =
				    (struct address_use){c->no, uses[k - 1].at};
		}
	}
	game->rules.address_uses = list.data;
	game->rules.address_use_count = (uint32_t)list.count;
}

/* ---- one look ---- */

void
dry_line_set(struct dry_line *line, const struct plan_step *step,
    const char *patient, const struct zone *zone, struct arena *arena)
{
	const char **items =
	    arena_array(arena, step->item_count, sizeof(*items));

	for (uint32_t i = 0; i < step->item_count; i++)
		items[i] = arena_text(arena, step->items[i].reference);
	*line = (struct dry_line){
	    .at = step->action == PLAN_HOLD ? step->due_at : step->at,
	    .zone = zone,
	    .patient = patient,
	    .action = step->action,
	    .kind = step->kind,
	    .stage = step->stage,
	    .channel = step->channel,
	    .reason = step->reason,
	    .items = items,
	    .item_count = step->item_count,
	};
}

static void
add_line(struct game *game, const struct player *player,
    const struct plan_step *step)
{
	struct dry_line *line = list_add(&game->lines);

	dry_line_set(
	    line, step, player->patient->id, player->dossier.zone, game->arena);
	line->order = game->lines.count;
}

/* An open delivery that was attempted or closed is over. */
static void
drop_open(struct player *player, enum kind kind, int32_t source,
    int32_t occurrence_on, int32_t slot)
{
	struct open_delivery *open = arena_array(
	    player->known, player->dossier.open_count + 1, sizeof(*open));
	uint32_t kept = 0;

	for (uint32_t i = 0; i < player->dossier.open_count; i++) {
		const struct open_delivery *o = &player->dossier.open[i];

		if (o->kind != kind || o->source != source ||
		    o->occurrence_on != occurrence_on || o->slot != slot)
			open[kept++] = *o;
	}
	player->dossier.open = open;
	player->dossier.open_count = kept;
}

/* Every message counts as delivered at once. */
static void
remember(struct player *player, const struct plan *plan)
{
	player->said =
	    mem_resize(player->said, plan->said_count + 1, sizeof(struct said));
	player->said_count = plan->said_count;
	for (uint32_t i = 0; i < plan->said_count; i++) {
		player->said[i] = plan->said[i];
		if (player->said[i].state == DELIVERY_SENDING)
			player->said[i].state = DELIVERY_DELIVERED;
	}
}

static void
apply(struct game *game, struct player *player, const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		add_line(game, player, step);
		if (step->action == PLAN_SEND)
			note_use(game, player, step);
		if (step->attempt_again)
			drop_open(player, step->kind, step->source,
			    step->occurrence_on, step->slot);
	}
	for (uint32_t i = 0; i < plan->close_count; i++) {
		const struct open_delivery *open = plan->closes[i].delivery;

		drop_open(player, open->kind, open->source, open->occurrence_on,
		    open->slot);
	}
	remember(player, plan);
}

static void
look(struct game *game, struct player *player)
{
	const struct dry_patient *patient = player->patient;
	int64_t now = player->next_at;
	struct plan plan;

	arena_reset(game->scratch);
	if (now >= player->more_at) {
		arena_reset(player->known);
		player->more_at = patient->know(
		    patient->source, now, player->known, &player->dossier);
		assert(player->more_at > now);
	}
	player->dossier.said = player->said;
	player->dossier.said_count = player->said_count;
	game->rules.handled_before = patient->handled_before;
	find_uses(game, player);
	plan_person(&player->dossier, &game->rules,
	    patient->gateways == NULL ? gateways_view_free()
				      : patient->gateways,
	    player->planned_through, now, false, game->scratch, &plan);
	apply(game, player, &plan);
	player->planned_through = now;
	player->next_at =
	    plan.next_at < player->more_at ? plan.next_at : player->more_at;
}

/* ---- the whole ---- */

static void
seat(struct player *player, const struct dry_patient *patient)
{
	bool handled = patient->handled_before != AT_UNKNOWN;

	*player = (struct player){
	    .patient = patient,
	    .known = arena_create(),
	    .more_at = AT_UNKNOWN,
	    .next_at = patient->from - (handled ? HANDLED_US : 0),
	    .planned_through =
		patient->planned_through - (handled ? HANDLED_US : 0),
	    .said = mem_alloc((patient->said_count + 1) * sizeof(struct said)),
	    .said_count = patient->said_count,
	};
	if (patient->said_count > 0)
		memcpy(player->said, patient->said,
		    patient->said_count * sizeof(struct said));
}

static int
compare_lines(const void *left, const void *right)
{
	const struct dry_line *a = left, *b = right;
	int order;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	order = strcmp(a->patient, b->patient);
	return order != 0 ? order
			  : (a->order > b->order) - (a->order < b->order);
}

static void
run_clock(struct game *game)
{
	for (uint32_t i = game->heap_count / 2; i > 0; i--)
		heap_sink(game, i - 1);
	while (game->heap_count > 0) {
		struct player *first = game->heap[0];

		if (first->next_at < first->patient->to)
			look(game, first);
		else
			game->heap[0] = game->heap[--game->heap_count];
		if (game->heap_count > 0)
			heap_sink(game, 0);
	}
}

uint32_t
dry_run(const struct dry_patient *patients, uint32_t count,
    const struct rules *rules, struct arena *arena,
    const struct dry_line **lines)
{
	struct game game = {
	    .arena = arena,
	    .scratch = arena_create(),
	    .rules = *rules,
	    .heap = mem_alloc((count + 1) * sizeof(struct player *)),
	    .heap_count = count,
	};
	struct player *players = mem_alloc((count + 1) * sizeof(*players));

	game.rules.each_hold = true;
	list_init(&game.lines, arena, sizeof(struct dry_line));
	for (uint32_t i = 0; i < count; i++) {
		seat(&players[i], &patients[i]);
		game.heap[i] = &players[i];
	}
	run_clock(&game);
	for (uint32_t i = 0; i < count; i++) {
		arena_free(players[i].known);
		free(players[i].said);
	}
	tdestroy(game.addresses, keep_address);
	free(players);
	free(game.heap);
	arena_free(game.scratch);
	if (game.lines.count > 1)
		qsort(game.lines.data, game.lines.count,
		    sizeof(struct dry_line), compare_lines);
	*lines = game.lines.data;
	return (uint32_t)game.lines.count;
}

/* ---- lines ---- */

static const char *
action_word(enum plan_action action)
{
	static const char *const words[] = {"", "send", "hold", "task"};

	return words[action];
}

void
dry_line_json(const struct dry_line *line, struct buf *out)
{
	struct json_writer w;
	char at[32];

	zone_format(line->zone, line->at, at, sizeof(at));
	json_write_init(&w, out);
	json_write_object(&w);
	json_write_member(&w, "at", at);
	json_write_member(&w, "patient", line->patient);
	json_write_member(&w, "action", action_word(line->action));
	json_write_member(&w, "kind", kind_word(line->kind));
	json_write_member(&w, "stage", stage_word(line->stage));
	json_write_member(&w, "channel", channel_word(line->channel));
	json_write_key(&w, "items");
	json_write_array(&w);
	for (uint32_t i = 0; i < line->item_count; i++)
		json_write_text(&w, line->items[i]);
	json_write_end_array(&w);
	json_write_member(&w, "reason", reason_word(line->reason));
	json_write_end_object(&w);
}

void
dry_line_table(const struct dry_line *line, int patient_width, struct buf *out)
{
	const char *how = line->action == PLAN_SEND
			      ? channel_word(line->channel)
			      : reason_word(line->reason);
	char at[32];

	zone_format(line->zone, line->at, at, sizeof(at));
	at[10] = ' ';
	/* to the minute, and the offset */
	buf_printf(out, "%.16s %s  %-*s  %s  %-9s  %-6s  %-20s ", at, at + 19,
	    patient_width, line->patient, action_word(line->action),
	    kind_word(line->kind), stage_word(line->stage),
	    how == NULL ? "" : how);
	for (uint32_t i = 0; i < line->item_count; i++)
		buf_printf(out, " %s", line->items[i]);
	buf_char(out, '\n');
}
