/*
 * Rules that somebody else wrote, as FHIR JSON, as shorthand or as stored
 * bytes: each is refused or expands, within its window, in order, alike
 * however the window is cut, and comes back from its own encoding.
 */
#include <string.h>

#include "base/json.h"
#include "care/timing.h"
#include "fuzz.h"

#define WINDOW_US (40 * DAY_US)

static const char *const zones[] = {
    "Asia/Shanghai", "America/New_York", "Pacific/Apia", "America/St_Johns"};

/* The doses in [from, to); -1 where they are too many. */
static int
expand(const struct timing *timing, const struct zone *zone,
    const struct day_profile *profile, int64_t from, int64_t to,
    struct arena *arena, const int64_t **doses)
{
	struct timing_start start = {
	    .at = 1700000000 * SECOND_US, .has_time = true};
	int count =
	    timing_expand(timing, start, zone, profile, from, to, arena, doses);

	must(count <= 100000);
	for (int i = 0; i < count; i++) {
		must((*doses)[i] >= from && (*doses)[i] < to);
		must(i == 0 || (*doses)[i] > (*doses)[i - 1]);
	}
	return count;
}

static void
check_window(const struct timing *timing, const struct zone *zone,
    const struct day_profile *profile, int64_t from, struct arena *arena)
{
	struct timing_start start = {
	    .at = 1700000000 * SECOND_US, .has_time = true};
	int64_t middle = from + WINDOW_US / 3, end;
	const int64_t *all, *head, *tail;
	int count, first, second;

	count =
	    expand(timing, zone, profile, from, from + WINDOW_US, arena, &all);
	if (count < 0)
		return;
	first = expand(timing, zone, profile, from, middle, arena, &head);
	second = expand(
	    timing, zone, profile, middle, from + WINDOW_US, arena, &tail);
	must(first >= 0 && second >= 0 && first + second == count);
	for (int i = 0; i < count; i++)
		must(all[i] == (i < first ? head[i] : tail[i - first]));
	must(count == 0 || timing_needs_review(timing) == NULL);
	end = timing_end(timing, start, zone, profile);
	must(count == 0 || all[count - 1] < end);
}

static void
check(const struct timing *timing, const uint8_t *data, size_t bytes,
    struct arena *arena)
{
	struct day_profile profile = DAY_PROFILE_DEFAULT;
	const struct zone *zone =
	    zone_open(zones[bytes > 0 ? data[bytes - 1] % 4 : 0]);
	int64_t numerator, denominator;
	struct buf out = BUF_INIT(0), again = BUF_INIT(0);
	const struct timing *same;

	if (bytes > 1 && data[bytes - 2] % 4 == 0)
		profile.sleep = data[bytes - 2] * 300;
	timing_encode(timing, &out);
	same = timing_decode((const uint8_t *)out.data, out.bytes, arena);
	must(same != NULL);
	timing_encode(same, &again);
	must(again.bytes == out.bytes &&
	     memcmp(again.data, out.data, out.bytes) == 0);
	buf_free(&out);
	buf_free(&again);
	if (timing_daily(timing, &profile, &numerator, &denominator))
		must(numerator > 0 && denominator > 0);
	check_window(timing, zone, &profile, 1699900000 * SECOND_US, arena);
	check_window(timing, zone, &profile, 1761000000 * SECOND_US, arena);
	check_window(timing, zone, &profile, -700000 * DAY_US, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct arena *arena = arena_create();
	const struct timing *timing = NULL;
	struct json_error json_error;
	struct timing_error error;
	const struct json *json;
	bool as_needed;

	if (bytes > 0 && data[0] == '{') {
		json = json_parse(
		    (const char *)data, bytes, NULL, arena, &json_error);
		if (json != NULL)
			timing = timing_parse(json, arena, &error);
	} else if (bytes > 0 && data[0] == 1) {
		timing = timing_decode(data, bytes, arena);
	} else {
		timing = timing_parse_text(
		    arena_text_n(arena, (const char *)data, bytes), arena,
		    &as_needed);
	}
	if (timing != NULL)
		check(timing, data, bytes, arena);
	arena_free(arena);
	return 0;
}
