/*
 * What a patient answered: what it was taken for, by which rule, and what
 * followed.
 */
#include <stdio.h>
#include <string.h>

#include "care/reply_effect.h"
#include "ctl_why.h"

#define REPLIES_MAX 50

struct answered { /* one row of ctl_why_replies.sql */
	int64_t at;
	bool certain;
	enum kind asked;
	int64_t *labels;
	int label_count;
	char *rules; /* a line each */
	const char *slots, *gateway;
	uint32_t effects;
	enum stage answer;
};

static const char *
label_name(int64_t label)
{
	return label >= 0 && label < REPLY_LABEL_COUNT
		   ? reply_label_row((enum reply_label)label)->name
		   : "?";
}

static void
print_json(struct why *why, struct answered *reply)
{
	struct json_writer w = ctl_line_begin(&why->out, "reply");

	ctl_line_at(&w, "at", why->zone, reply->at);
	json_write_member(&w, "gateway", reply->gateway);
	json_write_member(&w, "asked", kind_word(reply->asked));
	json_write_key(&w, "certain");
	json_write_bool(&w, reply->certain);
	json_write_key(&w, "intents");
	json_write_array(&w);
	for (int i = 0; i < reply->label_count; i++)
		json_write_text(&w, label_name(reply->labels[i]));
	json_write_end_array(&w);
	json_write_key(&w, "rules");
	json_write_array(&w);
	for (char *rule = strsep(&reply->rules, "\n"); rule != NULL;
	     rule = strsep(&reply->rules, "\n"))
		json_write_text(&w, rule);
	json_write_end_array(&w);
	json_write_key(&w, "slots");
	json_write_raw(&w, reply->slots);
	json_write_key(&w, "effects");
	json_write_array(&w);
	for (unsigned i = 0; i < 32; i++)
		if (reply_effect_word(reply->effects & 1u << i) != NULL)
			json_write_text(
			    &w, reply_effect_word(reply->effects & 1u << i));
	json_write_end_array(&w);
	json_write_member(&w, "answer", stage_word(reply->answer));
	ctl_line_end(&w);
}

static void
print_text(struct why *why, struct answered *reply)
{
	char at[32];

	buf_printf(&why->out, "  %s  %s  to %s%s",
	    ctl_show_at(why->zone, reply->at, at), reply->gateway,
	    reply->asked == 0 ? "no question" : kind_word(reply->asked),
	    reply->certain ? "" : "  not certain who");
	for (int i = 0; i < reply->label_count; i++) {
		const char *rule = strsep(&reply->rules, "\n");

		buf_printf(&why->out, "  %s (%s)", label_name(reply->labels[i]),
		    rule == NULL ? "" : rule);
	}
	if (strcmp(reply->slots, "{}") != 0)
		buf_printf(&why->out, "  %s", reply->slots);
	for (unsigned i = 0; i < 32; i++)
		if (reply_effect_word(reply->effects & 1u << i) != NULL)
			buf_printf(&why->out, "  %s",
			    reply_effect_word(reply->effects & 1u << i));
	if (reply->answer != STAGE_NONE)
		buf_printf(&why->out, "  answer %s", stage_word(reply->answer));
	ctl_line_print(&why->out);
}

static void
take_replies(const struct db_result *result, void *arg)
{
	struct why *why = arg;
	struct arena *arena = why->ctl->arena;

	if (db_rows(result) > 0 && !why->ctl->json)
		(void)puts("replies");
	for (int row = 0; row < db_rows(result); row++) {
		struct answered reply = {
		    .at = db_at(result, row, 1),
		    .gateway = db_text(result, row, 2),
		    .certain = db_bool(result, row, 3),
		    .asked = (enum kind)db_i64(result, row, 4),
		    .rules = arena_text(arena, db_text(result, row, 6)),
		    .slots = db_text(result, row, 7),
		    .effects = (uint32_t)db_i64(result, row, 8),
		    .answer = (enum stage)db_i64(result, row, 9),
		};

		reply.label_count =
		    db_i64_array(result, row, 5, arena, &reply.labels);
		if (why->ctl->json)
			print_json(why, &reply);
		else
			print_text(why, &reply);
	}
}

void
why_tell_replies(struct why *why)
{
	struct db_unit *unit = db_unit_begin(ctl_database(why->ctl));

	db_unit_add(unit, "ctl_why_replies", take_replies, why);
	db_param_i16(unit, why->person->bucket);
	db_param_i64(unit, why->person->patient_id);
	db_param_at(unit, why->from);
	db_param_at(unit, why->until);
	db_param_i32(unit, REPLIES_MAX);
	ctl_run(unit);
}
