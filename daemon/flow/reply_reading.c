/*
 * What a reply means, beside what was asked and ordered.
 */
#include <string.h>

#include "care/reply_rules.h"
#include "flow/reply_work.h"
#include "flow/seal.h"

/* Is an order known of, of whom the code names, or of anybody there? */
static bool
any_ordered(const struct reply_work *work)
{
	const struct reply_person *people = work->people.data;

	if (reply_dialled(work) != NULL)
		return reply_dialled(work)->ordered;
	for (size_t i = 0; i < work->people.count; i++)
		if (people[i].ordered)
			return true;
	return false;
}

/*
 * A refusal of what was ordered, in words: a digit answers one question, and
 * so does "not yet" where something else is asked; "cancel" means the order.
 */
static bool
says_no(const struct reply *reply, const struct reply *first,
    enum reply_context asked)
{
	static const char cancel[] = "cancel";
	const struct reply_intent *intent = &reply->intents[0];

	if (reply->primary != REPLY_REFILL_NO || intent->likely ||
	    strcmp(intent->rule, "menu") == 0)
		return false;
	return asked == REPLY_ON_REFILL || first->intents[0].likely ||
	       reply_label_row(first->primary)->answers != (int)asked ||
	       strncmp(intent->rule, cancel, sizeof(cancel) - 1) == 0;
}

/*
 * Our echo of an order says how to cancel it: that word means the order, for
 * as long as a question is open, whatever was asked since.
 */
static void
read_text(struct reply_work *work, const struct reply_rules *rules,
    const char *text, const struct reply_person *meant)
{
	enum reply_context asked = reply_asked(meant);
	struct reply_question question = {.context = asked};
	struct reply other;

	reply_understand(
	    rules, text, strlen(text), &question, work->arena, &work->reply);
	work->cancels = false;
	if (!any_ordered(work))
		return;
	question.context = REPLY_ON_REFILL;
	reply_understand(
	    rules, text, strlen(text), &question, work->arena, &other);
	if (!says_no(&other, &work->reply, asked))
		return;
	work->reply = other;
	work->cancels = true;
}

void
reply_read(struct reply_work *work, const struct reply_rules *rules,
    struct keyring *keyring, const struct reply_person *meant)
{
	const char *text = work->text_sealed == NULL
			       ? NULL
			       : seal_open_inbox_text(keyring, work->tenant_id,
				     work->event_key, work->text_sealed,
				     work->text_bytes, work->arena);
	struct reply *reply = &work->reply;

	read_text(work, rules, text == NULL ? "" : text, meant);
	if (!work->opted_out || reply_label_row(reply->primary)->harm)
		return;
	*reply = (struct reply){
	    .primary = REPLY_OPT_OUT,
	    .intents = {{.label = REPLY_OPT_OUT, .rule = "provider"}},
	    .intent_count = 1,
	    .slots = reply->slots,
	};
}
