/*
 * What stands in the way of each channel, kind by kind, and what else keeps a
 * message from leaving that is no fact of the patient: an operator's word
 * after a restore, staging.  Reads only.
 */
#include <stdio.h>
#include <string.h>

#include "care/policy.h"
#include "ctl_pause.h"
#include "ctl_why.h"
#include "flow/message.h"

struct telling {
	struct why *why;
	struct look look;
	const struct audience *audience; /* NULL: gateways are taken as free */
	const struct pause_row *pauses;
	uint32_t pause_count;
};

static bool
has_kind(const struct dossier *d, enum kind kind)
{
	return kind == KIND_FOLLOW_UP ? d->visit_count > 0
				      : d->prescription_count > 0;
}

/* The stage that is judged now; else the first of the program. */
static enum stage
stage_of(const struct plan *plan, const struct program *program)
{
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == program->kind &&
		    plan->steps[i].action != PLAN_TASK)
			return plan->steps[i].stage;
	for (uint32_t i = 0; i < program->stage_count; i++)
		if (!program->stages[i].task)
			return program->stages[i].stage;
	return STAGE_DUE;
}

static const struct pause_row *
find_pause(
    const struct telling *telling, const char *gateway, const char *scope)
{
	for (uint32_t i = 0; i < telling->pause_count; i++)
		if (strcmp(telling->pauses[i].gateway, gateway) == 0 &&
		    strcmp(telling->pauses[i].scope, scope) == 0)
			return &telling->pauses[i];
	return NULL;
}

/* The pause behind an obstacle: of all, the gateway, a template, a sender. */
static const struct pause_row *
pause_of(const struct telling *telling, enum kind kind, enum stage stage,
    enum channel channel)
{
	const struct pause_row *row = find_pause(telling, "*", "");
	const struct phrase *phrase;
	const char *gateway;

	if (telling->audience == NULL ||
	    telling->audience->gateways[channel] == NULL || row != NULL)
		return row;
	gateway = telling->audience->gateways[channel]->name;
	phrase = &telling->audience->phrases[channel][kind][stage];
	row = find_pause(telling, gateway, "");
	if (row == NULL && phrase->code != NULL)
		row = find_pause(telling, gateway,
		    arena_printf(
			telling->why->ctl->arena, "template:%s", phrase->code));
	if (row == NULL && phrase->signature != NULL)
		row = find_pause(telling, gateway,
		    arena_printf(telling->why->ctl->arena, "sender:%s",
			phrase->signature));
	return row;
}

/* Where gateways are taken as free, what is stored is told all the same. */
static const struct pause_row *
pause_behind(const struct telling *telling, enum reason reason, enum kind kind,
    enum stage stage, enum channel channel)
{
	return reason == REASON_GATEWAY_PAUSED ||
		       reason == REASON_TEMPLATE_UNAPPROVED ||
		       (reason == REASON_NONE && telling->audience == NULL)
		   ? pause_of(telling, kind, stage, channel)
		   : NULL;
}

static const char *
channel_clause(const struct telling *telling, enum kind kind, enum stage stage,
    enum channel channel)
{
	struct ctl *ctl = telling->why->ctl;
	int32_t contact_no;
	enum reason reason = policy_channel_obstacle(
	    &telling->look, kind, stage, channel, false, false, &contact_no);
	const struct pause_row *pause =
	    pause_behind(telling, reason, kind, stage, channel);
	const struct gateway *gateway =
	    telling->audience == NULL ? NULL
				      : telling->audience->gateways[channel];

	if (pause == NULL)
		return arena_printf(ctl->arena, "%s: %s", channel_word(channel),
		    reason == REASON_NONE ? "can be used"
					  : reason_word(reason));
	return arena_printf(ctl->arena, "%s: gateway %s%s%s, %s",
	    channel_word(channel), gateway == NULL ? "*" : gateway->name,
	    pause->scope[0] == '\0' ? "" : ", ", pause->scope,
	    pause_words(ctl, pause));
}

static void
write_channel(const struct telling *telling, struct json_writer *w,
    enum kind kind, enum stage stage, enum channel channel)
{
	int32_t contact_no;
	enum reason reason = policy_channel_obstacle(
	    &telling->look, kind, stage, channel, false, false, &contact_no);
	const struct pause_row *pause =
	    pause_behind(telling, reason, kind, stage, channel);

	json_write_object(w);
	json_write_member(w, "channel", channel_word(channel));
	json_write_member(w, "obstacle", reason_word(reason));
	if (pause != NULL) {
		json_write_member(w, "gateway", pause->gateway);
		json_write_member(w, "scope", pause->scope);
		json_write_member(w, "code", pause->code);
		ctl_line_at(w, "until", zone_open("UTC"), pause->until_at);
		json_write_member(
		    w, "end", pause_end_words(telling->why->ctl, pause));
	}
	json_write_end_object(w);
}

static void
tell_kind(struct telling *telling, const struct plan *plan, enum kind kind)
{
	struct why *why = telling->why;
	const struct program *program = &why->rules->kinds[kind];
	enum stage stage = stage_of(plan, program);

	if (why->ctl->json) {
		struct json_writer w = ctl_line_begin(&why->out, "channels");

		json_write_member(&w, "kind", kind_word(kind));
		json_write_member(&w, "stage", stage_word(stage));
		json_write_key(&w, "channels");
		json_write_array(&w);
		for (uint32_t i = 0; i < program->channel_count; i++)
			write_channel(
			    telling, &w, kind, stage, program->channels[i]);
		json_write_end_array(&w);
		ctl_line_end(&w);
		return;
	}
	(void)printf("channels for %s %s, the first that can be used\n",
	    kind_word(kind), stage_word(stage));
	for (uint32_t i = 0; i < program->channel_count; i++)
		(void)printf("  %s\n",
		    channel_clause(telling, kind, stage, program->channels[i]));
}

/* What is left of credits, contact by contact and template by template. */
static void
tell_credits(struct why *why)
{
	const struct dossier *d = &why->person->dossier;

	for (uint32_t i = 0; i < d->credit_count; i++) {
		const struct credit *credit = &d->credits[i];

		if (why->ctl->json) {
			struct json_writer w =
			    ctl_line_begin(&why->out, "credit");

			ctl_line_number(&w, "contact", credit->contact_no);
			json_write_member(
			    &w, "template", credit->template_code);
			ctl_line_number(&w, "left", credit->left);
			ctl_line_end(&w);
		} else
			(void)printf("credit of contact %d for template %s: "
				     "%d left\n",
			    (int)credit->contact_no, credit->template_code,
			    (int)credit->left);
	}
}

void
why_tell_channels(struct why *why, const struct plan *plan)
{
	const struct dossier *d = &why->person->dossier;
	struct telling telling = {
	    .why = why,
	    .audience = ctl_world_audience(why->world, d->tenant_id, d->locale),
	};

	telling.pause_count = pause_rows_load(why->ctl, &telling.pauses);
	look_init(&telling.look, d, why->rules, why->gateways, AT_UNKNOWN,
	    why->now, false, why->ctl->arena);
	for (enum kind kind = KIND_DOSE; kind <= KIND_FOLLOW_UP; kind++)
		if (has_kind(d, kind))
			tell_kind(&telling, plan, kind);
	tell_credits(why);
}

/* ---- what is no fact of the patient ---- */

static void
take_assumed(const struct db_result *result, void *arg)
{
	struct why *why = arg;
	char until[32], made[32];

	if (db_rows(result) == 0)
		return;
	if (why->ctl->json) {
		struct json_writer w =
		    ctl_line_begin(&why->out, "assumed_sent");

		ctl_line_at(&w, "until", why->zone, db_at(result, 0, 0));
		ctl_line_at(&w, "made", why->zone, db_at(result, 0, 1));
		json_write_member(&w, "by", db_text(result, 0, 2));
		ctl_line_end(&w);
		return;
	}
	(void)printf("what was due before %s is assumed sent, and is not sent: "
		     "adherctl resume --assume-sent-until, by %s, %s\n",
	    ctl_show_at(why->zone, db_at(result, 0, 0), until),
	    db_text(result, 0, 2),
	    ctl_show_at(why->zone, db_at(result, 0, 1), made));
}

void
why_tell_assumed(struct why *why)
{
	struct db_unit *unit = db_unit_begin(ctl_database(why->ctl));

	db_unit_add(unit, "ctl_assumed", take_assumed, why);
	ctl_run(unit);
	if (ctl_settings(why->ctl)->only_to != NULL && !why->ctl->json)
		(void)puts("staging: a message to another address than those "
			   "of only-to is rejected (only_to)");
}
