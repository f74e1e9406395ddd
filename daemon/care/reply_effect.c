/*
 * The table of effects, and how those of several labels come together.
 */
#include "care/reply_effect.h"

#include <string.h>

#define TASK REPLY_TASK
#define ALL REPLY_OF_ALL

static const struct reply_effect_row rows[] = {
    [REPLY_EMERGENCY] = {REPLY_HOLDS_ALL | TASK | ALL, STAGE_EMERGENCY,
	"safety hold until a person clears it; an urgent task"},
    [REPLY_ADVERSE_EVENT] = {REPLY_HOLDS_REFILLS | TASK | ALL,
	STAGE_ADVERSE_EVENT,
	"refills and orders held until a person clears it; an urgent task"},
    [REPLY_DECEASED] = {REPLY_PAUSES | TASK | ALL, STAGE_SORRY,
	"everything paused; a person or a record sets the status"},
    [REPLY_WRONG_NUMBER] = {REPLY_ENDS_ADDRESS | TASK | ALL, STAGE_SORRY,
	"that address is used no more; a task to find another"},
    [REPLY_OPT_OUT] = {REPLY_DENIES | ALL, STAGE_OPT_OUT,
	"consent withdrawn: all topics and channels, every patient there"},
    [REPLY_OPT_OUT_TOPIC] = {REPLY_DENIES_PART | ALL, STAGE_OPT_OUT,
	"consent withdrawn for that topic, or that channel"},
    [REPLY_OPT_IN] = {REPLY_PERMITS, STAGE_OPT_IN,
	"consent given on the channel that the reply came by"},
    [REPLY_STOPPED] = {REPLY_PAUSES | TASK, STAGE_HANDED_OVER,
	"everything paused; a person or a record ends the prescription"},
    [REPLY_ITEM_CHOICE] = {TASK, STAGE_HANDED_OVER,
	"a task with the items that were chosen"},
    [REPLY_TAKEN] = {0, STAGE_NOTED, "recorded"},
    [REPLY_NOT_TAKEN] = {0, STAGE_NOTED, "recorded"},
    [REPLY_REFILL_YES] = {TASK | REPLY_ORDERS | REPLY_ENDS_CYCLE, STAGE_ORDER,
	"a task: the order, echoed; it waits 15 minutes, cancellable; the "
	"refill is asked for no more"},
    [REPLY_REFILL_NO] = {0, STAGE_NOTED,
	"recorded; an order that waits is cancelled; bought elsewhere: the "
	"refill is asked for no more"},
    [REPLY_FOLLOWUP_CONFIRM] = {0, STAGE_NOTED, "recorded"},
    [REPLY_FOLLOWUP_RESCHEDULE] = {TASK | REPLY_ENDS_VISIT, STAGE_HANDED_OVER,
	"a task: another appointment; until it moves that visit is silent"},
    [REPLY_FOLLOWUP_CANCEL] = {TASK | REPLY_ENDS_VISIT, STAGE_HANDED_OVER,
	"a task: the appointment to cancel; that visit is silent"},
    [REPLY_HAVE_SUPPLY] = {REPLY_CORRECTS_SUPPLY, STAGE_NOTED,
	"supply corrected where one product alone is meant"},
    [REPLY_PRICE_OR_INSURANCE] = {TASK, STAGE_HANDED_OVER,
	"a task: the question"},
    [REPLY_QUESTION] = {TASK, STAGE_HANDED_OVER, "a task: the question"},
    [REPLY_CAREGIVER] = {0, STAGE_NOTED, "recorded: who writes"},
    [REPLY_THANKS_OR_CHITCHAT] = {0, STAGE_NOTED, "recorded"},
    [REPLY_UNCLEAR] = {TASK, STAGE_HANDED_OVER, "a task: a person reads it"},
};

const struct reply_effect_row *
reply_effect_row(enum reply_label label)
{
	return &rows[label];
}

const char *
reply_effect_word(uint32_t effect)
{
	switch (effect) {
	case REPLY_HOLDS_ALL:
		return "safety_hold";
	case REPLY_HOLDS_REFILLS:
		return "adverse_event";
	case REPLY_PAUSES:
		return "paused";
	case REPLY_ENDS_ADDRESS:
		return "address_ended";
	case REPLY_DENIES:
		return "opted_out";
	case REPLY_DENIES_PART:
		return "opted_out_partly";
	case REPLY_PERMITS:
		return "opted_in";
	case REPLY_CORRECTS_SUPPLY:
		return "supply_corrected";
	case REPLY_TASK:
		return "task";
	case REPLY_ORDERS:
		return "order";
	case REPLY_CANCELS:
		return "order_cancelled";
	case REPLY_ENDS_CYCLE:
		return "cycle_ended";
	case REPLY_ENDS_VISIT:
		return "visit_silenced";
	default:
		return NULL;
	}
}

/* What a refusal of a part names; what it does not name is all of it. */
static void
deny_part(const struct reply_slots *slots, struct reply_effects *effects)
{
	uint32_t topic = 0;
	enum channel channel = channel_from_word(slots->channel);

	if (slots->topic != NULL)
		topic = topic_from_word(strcmp(slots->topic, "followup") == 0
					    ? "follow_up"
					    : slots->topic);
	effects->denied_topics |= topic != 0 ? topic : TOPIC_ALL;
	effects->denied_channels |=
	    channel != CHANNEL_NONE ? CHANNEL_BIT(channel) : CHANNEL_ALL;
}

void
reply_effects_ask(struct reply_effects *effects, enum reply_label label)
{
	if ((effects->effects & TASK) == 0)
		effects->task = label;
	effects->effects |= TASK;
	if (effects->answer == STAGE_NOTED || effects->answer == STAGE_ORDER ||
	    effects->answer == STAGE_OPT_IN)
		effects->answer = STAGE_HANDED_OVER;
}

/* The task is about the first label that wants a person. */
static void
add_task(enum reply_label label, struct reply_effects *effects)
{
	if ((rows[label].effects & TASK) == 0 || (effects->effects & TASK) != 0)
		return;
	effects->task = label;
	effects->effects |= TASK;
}

/* No rule said so: harm holds and a refusal is obeyed, else a person looks. */
static bool
is_for_a_person(const struct reply_intent *intent)
{
	return intent->likely && !reply_label_row(intent->label)->harm &&
	       intent->label != REPLY_OPT_OUT;
}

/*
 * Words alone say so.  Beside what rules found it changes no answer but
 * "noted", and where it would have no effect it is only recorded.
 */
static void
take_guess(enum reply_label label, bool beside, struct reply_effects *effects)
{
	if (beside && rows[label].effects == 0)
		return;
	if ((effects->effects & TASK) == 0)
		effects->task = label;
	effects->effects |= TASK;
	if (effects->answer == STAGE_NOTED)
		effects->answer = STAGE_HANDED_OVER;
}

static void
take_intent(const struct reply_intent *intent, bool certain,
    struct reply_effects *effects)
{
	enum reply_label label = intent->label;
	uint32_t row = rows[label].effects;

	/* whose it is has to be found out: it is no order yet */
	if (!certain && (row & ALL) == 0) {
		reply_effects_ask(effects, REPLY_UNCLEAR);
		return;
	}
	add_task(label, effects);
	effects->effects |= row;
}

void
reply_effects_with_order(
    const struct reply *reply, struct reply_effects *effects)
{
	for (unsigned i = 0; i < reply->intent_count; i++)
		if (reply->intents[i].label == REPLY_REFILL_NO &&
		    !reply->intents[i].likely)
			effects->effects |= REPLY_CANCELS;
	if ((effects->effects & REPLY_CANCELS) != 0 &&
	    effects->answer == STAGE_NOTED)
		effects->answer = STAGE_ORDER_CANCELLED;
	if ((effects->effects & REPLY_ORDERS) == 0)
		return;
	/* what else it asks still wants a person */
	effects->effects &= ~(uint32_t)(REPLY_ORDERS | REPLY_ENDS_CYCLE | TASK);
	for (unsigned i = 0; i < reply->intent_count; i++) {
		const struct reply_intent *intent = &reply->intents[i];

		if (is_for_a_person(intent))
			take_guess(intent->label, true, effects);
		else if (intent->label != REPLY_REFILL_YES)
			add_task(intent->label, effects);
	}
}

/* Not declined for now: the tables name the rules that mean it so. */
static bool
has_it_elsewhere(const struct reply_intent *intent)
{
	static const char rule[] = "got-it-elsewhere";
	size_t bytes = strlen(intent->rule);

	return intent->label == REPLY_REFILL_NO && bytes >= sizeof(rule) - 1 &&
	       strcmp(intent->rule + bytes - (sizeof(rule) - 1), rule) == 0;
}

void
reply_effects(
    const struct reply *reply, bool certain, struct reply_effects *effects)
{
	*effects = (struct reply_effects){
	    .answer = is_for_a_person(&reply->intents[0])
			  ? STAGE_HANDED_OVER
			  : rows[reply->primary].answer,
	    .task = REPLY_UNCLEAR,
	};
	for (unsigned i = 0; i < reply->intent_count; i++)
		if (is_for_a_person(&reply->intents[i]))
			take_guess(reply->intents[i].label, i > 0, effects);
		else
			take_intent(&reply->intents[i], certain, effects);
	for (unsigned i = 0; i < reply->intent_count && certain; i++)
		if (has_it_elsewhere(&reply->intents[i]))
			effects->effects |= REPLY_ENDS_CYCLE;
	if ((effects->effects & REPLY_DENIES_PART) != 0)
		deny_part(&reply->slots, effects);
	if ((effects->effects & REPLY_DENIES) != 0) {
		effects->denied_topics = TOPIC_ALL | TOPIC_CAREGIVER;
		effects->denied_channels = CHANNEL_ALL;
	}
}
