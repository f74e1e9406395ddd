/*
 * Replies from any bytes, asked anything: whatever comes, the answer has at
 * least one label, each once and with a rule, slots are within their bounds
 * and said of their labels only; the same text means the same twice.  And
 * tables of rules from any text: refused or taken.
 */
#include <string.h>

#include "care/reply.h"
#include "fuzz.h"

static const char *const items[] = {
    "refill:二甲双胍", "dose:阿托伐他汀", "followup", "refill:x", ":", ""};

static const struct reply_rules *rules;

static void
load_once(void)
{
	static struct arena *arena;
	struct findings findings;

	if (arena != NULL)
		return;
	arena = arena_create();
	findings_init(&findings, arena);
	rules = reply_rules_read(reply_files, reply_file_count, &findings);
	must(findings.error_count == 0);
}

static void
check_slots(const struct reply *reply, uint32_t labels,
    const struct reply_question *question)
{
	const struct reply_slots *slots = &reply->slots;
	bool supply = labels >> REPLY_HAVE_SUPPLY & 1;

	must(supply ||
	     (slots->days_left == -1 && slots->units_left_micro == -1 &&
		 slots->unit == NULL && slots->until == NULL));
	must(slots->days_left >= -1 && slots->units_left_micro >= -1);
	must((slots->units_left_micro >= 0) == (slots->unit != NULL));
	must(slots->when == NULL || labels >> REPLY_FOLLOWUP_RESCHEDULE & 1);
	must(!slots->later || labels >> REPLY_NOT_TAKEN & 1);
	must(slots->item_count >= -1 &&
	     slots->item_count <= (int)question->item_count);
	for (int i = 0; i < slots->item_count; i++)
		must(slots->items[i] >= 1 &&
		     slots->items[i] <= (int)question->item_count);
}

static void
check_reply(const struct reply *reply, const struct reply_question *question)
{
	uint32_t labels = 0;

	must(reply->intent_count >= 1 &&
	     reply->intent_count <= REPLY_LABEL_COUNT);
	must(reply->primary == reply->intents[0].label);
	for (unsigned i = 0; i < reply->intent_count; i++) {
		enum reply_label label = reply->intents[i].label;

		must(reply->intents[i].rule != NULL);
		must((labels >> label & 1) == 0);
		must(i == 0 || reply_label_row(label)->rank >=
				   reply_label_row(reply->primary)->rank);
		must(
		    reply->intent_count == 1 || !reply_label_row(label)->alone);
		labels |= UINT32_C(1) << label;
	}
	check_slots(reply, labels, question);
}

static void
understand(const uint8_t *data, size_t bytes, unsigned context)
{
	struct reply_question question = {
	    .context = context % REPLY_CONTEXT_COUNT,
	    .items = items,
	    .item_count = context / REPLY_CONTEXT_COUNT % (COUNT(items) + 1)};
	struct arena *arena = arena_create();
	struct reply reply, again;

	load_once();
	reply_understand(
	    rules, (const char *)data, bytes, &question, arena, &reply);
	check_reply(&reply, &question);
	reply_understand(
	    rules, (const char *)data, bytes, &question, arena, &again);
	must(again.intent_count == reply.intent_count &&
	     memcmp(again.intents, reply.intents,
		 reply.intent_count * sizeof(reply.intents[0])) == 0);
	arena_free(arena);
}

static void
load(const uint8_t *data, size_t bytes)
{
	struct arena *arena = arena_create();
	struct reply_file file = {
	    "x", arena_text_n(arena, (const char *)data, bytes)};
	struct reply_question question = {.context = REPLY_ON_DOSE};
	struct findings findings;
	struct reply reply;
	const struct reply_rules *some;

	findings_init(&findings, arena);
	some = reply_rules_read(&file, 1, &findings);
	reply_understand(some, "吃了 took it 2", strlen("吃了 took it 2"),
	    &question, arena, &reply);
	check_reply(&reply, &question);
	arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes == 0)
		return 0;
	if (data[0] == '#')
		load(data, bytes);
	else
		understand(data + 1, bytes - 1, data[0]);
	return 0;
}
