#ifndef ADHERD_TESTS_LABELLED_H
#define ADHERD_TESTS_LABELLED_H

#include "base/json.h"
#include "care/reply.h"

/*
 * What a labelled reply answers; items has room for REPLY_ITEMS_MAX texts,
 * which are the record's.  False: it is no labelled reply.
 */
static inline bool
labelled_question(const struct json *record, struct reply_question *question,
    const char **items)
{
	*question = (struct reply_question){.items = items};
	json_each (item, json_get(record, "open_items")) {
		if (question->item_count == REPLY_ITEMS_MAX ||
		    json_text(item) == NULL)
			return false;
		items[question->item_count++] = json_text(item);
	}
	return json_get_text(record, "text") != NULL &&
	       reply_context_find(
		   json_get_text(record, "context"), &question->context);
}

/* The labels that it has, as bits; 0: some are none. */
static inline uint32_t
labelled_intents(const struct json *record)
{
	uint32_t labels = 0;

	json_each (name, json_get(record, "intents")) {
		enum reply_label label;

		if (json_text(name) == NULL ||
		    !reply_label_find(json_text(name), &label))
			return 0;
		labels |= UINT32_C(1) << label;
	}
	return labels;
}

#endif
