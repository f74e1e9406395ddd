#ifndef ADHERD_CARE_REPLY_QUANTITY_H
#define ADHERD_CARE_REPLY_QUANTITY_H

#include "care/reply_text.h"

/*
 * Numbers in a reply and what they count: "两三天", "半瓶", "2 weeks".
 * Of a range the lower end counts.
 */
struct quantity {
	size_t begin, end; /* tokens, with its unit */
	int64_t micro;     /* millionths of the unit; of days: of a day */
	bool days;
	uint32_t unit_from, unit_to; /* bytes of the text, where not days */
};

struct quantities {
	struct list list; /* struct quantity, by begin */
};

void quantities_find(const struct reply_text *text, struct arena *arena,
    struct quantities *quantities);
/*
 * The number at a token, in millionths, and the token after it; 0 tokens
 * where none stands there.
 */
size_t quantity_number(
    const struct reply_text *text, size_t at, int64_t *micro);

#endif
