/*
 * The slots of a reply as JSON, for `adherctl reply` and the reply's row.
 */
#include "care/reply_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MICRO 1000000

/* Millionths as a number without needless noughts. */
static void
write_micro(struct json_writer *w, int64_t micro)
{
	char text[40];
	size_t bytes;

	(void)snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64,
	    micro / MICRO, micro % MICRO);
	bytes = strlen(text);
	while (text[bytes - 1] == '0')
		bytes--;
	bytes -= text[bytes - 1] == '.';
	text[bytes] = '\0';
	json_write_raw(w, text);
}

static void
write_text_if(struct json_writer *w, const char *key, const char *text)
{
	if (text != NULL)
		json_write_member(w, key, text);
}

static void
write_items(struct json_writer *w, const struct reply_slots *slots)
{
	json_write_key(w, "items");
	if (slots->items_all) {
		json_write_text(w, "all");
		return;
	}
	json_write_array(w);
	for (int i = 0; i < slots->item_count; i++)
		json_write_i64(w, slots->items[i]);
	json_write_end_array(w);
}

void
reply_slots_write(const struct reply_slots *slots, struct json_writer *w)
{
	json_write_object(w);
	if (slots->days_left >= 0) {
		json_write_key(w, "days_left");
		json_write_i64(w, slots->days_left);
	}
	if (slots->units_left_micro >= 0) {
		json_write_key(w, "units_left");
		write_micro(w, slots->units_left_micro);
	}
	write_text_if(w, "unit", slots->unit);
	write_text_if(w, "until", slots->until);
	write_text_if(w, "when", slots->when);
	if (slots->item_count >= 0)
		write_items(w, slots);
	write_text_if(w, "topic", slots->topic);
	write_text_if(w, "channel", slots->channel);
	if (slots->later) {
		json_write_key(w, "later");
		json_write_bool(w, true);
	}
	json_write_end_object(w);
}

void
reply_slots_json(const struct reply_slots *slots, struct buf *out)
{
	struct json_writer w;

	json_write_init(&w, out);
	reply_slots_write(slots, &w);
}
