/*
 * Timing as stored in dosage.rule: a format byte, a word of flags that
 * says which fields follow, and these, big endian.  Decoding accepts what
 * encoding writes and is safe on anything else.  Pure.
 */
#include <assert.h>

#include "care/timing_rule.h"

#define RULE_FORMAT 1

enum flag {
	HAS_FREQUENCY = 1,
	HAS_PERIOD = 2,
	HAS_UNIT = 4,
	HAS_COUNT = 8,
	HAS_WEEKDAYS = 16,
	HAS_WHEN = 32,
	HAS_OFFSET = 64,
	HAS_TIMES = 128,
	HAS_EVENTS = 256,
	HAS_FROM = 512,
	HAS_UNTIL = 1024,
	HAS_BOUND = 2048,
	HAS_UNCLEAR = 4096,
	IS_AS_NEEDED = 8192,
	FLAGS_ALL = 16383
};

static uint16_t
flags_of(const struct timing *t)
{
	unsigned flags = 0;

	flags |= t->frequency > 0 ? HAS_FREQUENCY : 0;
	flags |= t->period_micro >= 0 ? HAS_PERIOD : 0;
	flags |= t->unit != UNIT_NONE ? HAS_UNIT : 0;
	flags |= t->count > 0 ? HAS_COUNT : 0;
	flags |= t->weekdays != 0 ? HAS_WEEKDAYS : 0;
	flags |= t->when != 0 ? HAS_WHEN : 0;
	flags |= t->offset_min >= 0 ? HAS_OFFSET : 0;
	flags |= t->time_count > 0 ? HAS_TIMES : 0;
	flags |= t->event_count > 0 ? HAS_EVENTS : 0;
	flags |= t->from.given ? HAS_FROM : 0;
	flags |= t->until.given ? HAS_UNTIL : 0;
	flags |= t->bound_micro >= 0 ? HAS_BOUND : 0;
	flags |= t->unclear != UNCLEAR_NOT ? HAS_UNCLEAR : 0;
	flags |= t->as_needed ? IS_AS_NEEDED : 0;
	return (uint16_t)flags;
}

static void
write_moment(const struct moment_rule *moment, struct buf *out)
{
	buf_char(out, moment->has_time ? 1 : 0);
	if (moment->has_time)
		buf_u64(out, (uint64_t)moment->at);
	else
		buf_u32(out, (uint32_t)moment->on);
}

static void
write_lists(const struct timing *t, struct buf *out)
{
	if (t->time_count > 0)
		buf_u16(out, (uint16_t)t->time_count);
	for (uint32_t i = 0; i < t->time_count; i++)
		buf_u32(out, (uint32_t)t->times[i]);
	if (t->event_count > 0)
		buf_u16(out, (uint16_t)t->event_count);
	for (uint32_t i = 0; i < t->event_count; i++)
		write_moment(&t->events[i], out);
}

void
timing_encode(const struct timing *timing, struct buf *out)
{
	const struct timing *t = timing;

	assert(t->time_count <= TIMES_MAX && t->event_count <= EVENTS_MAX);
	buf_char(out, RULE_FORMAT);
	buf_u16(out, flags_of(t));
	if (t->frequency > 0)
		buf_u32(out, (uint32_t)t->frequency);
	if (t->period_micro >= 0)
		buf_u64(out, (uint64_t)t->period_micro);
	if (t->unit != UNIT_NONE)
		buf_char(out, (char)t->unit);
	if (t->count > 0)
		buf_u32(out, (uint32_t)t->count);
	if (t->weekdays != 0)
		buf_char(out, (char)t->weekdays);
	if (t->when != 0)
		buf_u32(out, t->when);
	if (t->offset_min >= 0)
		buf_u32(out, (uint32_t)t->offset_min);
	write_lists(t, out);
	if (t->from.given)
		write_moment(&t->from, out);
	if (t->until.given)
		write_moment(&t->until, out);
	if (t->bound_micro >= 0) {
		buf_u64(out, (uint64_t)t->bound_micro);
		buf_char(out, (char)t->bound_unit);
	}
	if (t->unclear != UNCLEAR_NOT)
		buf_char(out, (char)t->unclear);
}

/* A number that must not be negative, nor below least. */
static int32_t
read_number(struct reader *in, int32_t least)
{
	uint32_t number = reader_u32(in);

	if (number > INT32_MAX || (int32_t)number < least) {
		in->bad = true;
		return least;
	}
	return (int32_t)number;
}

static int64_t
read_micro(struct reader *in)
{
	uint64_t micro = reader_u64(in);

	if (micro > INT64_MAX) {
		in->bad = true;
		return 0;
	}
	return (int64_t)micro;
}

/* A stored value from 1 below its count. */
static uint32_t
read_enum(struct reader *in, uint32_t count)
{
	uint32_t value = reader_u8(in);

	if (value == 0 || value >= count) {
		in->bad = true;
		return 1;
	}
	return value;
}

static struct moment_rule
read_moment(struct reader *in)
{
	struct moment_rule moment = {.given = true};
	uint8_t has_time = reader_u8(in);

	moment.has_time = has_time == 1;
	if (has_time > 1)
		in->bad = true;
	else if (moment.has_time)
		moment.at = (int64_t)reader_u64(in);
	else
		moment.on = (int32_t)reader_u32(in);
	return moment;
}

static uint32_t
read_count(struct reader *in, uint32_t max)
{
	uint32_t count = reader_u16(in);

	if (count == 0 || count > max || count > in->left) {
		in->bad = true;
		return 0;
	}
	return count;
}

static void
read_times(struct reader *in, struct arena *arena, struct timing *t)
{
	uint32_t count = read_count(in, TIMES_MAX);
	int32_t *times = arena_array(arena, count + 1, sizeof(*times));

	for (uint32_t i = 0; i < count; i++) {
		uint32_t time_s = reader_u32(in);

		if (time_s >= 24 * 3600)
			in->bad = true;
		else
			times[i] = (int32_t)time_s;
	}
	t->times = times;
	t->time_count = count;
}

static void
read_events(struct reader *in, struct arena *arena, struct timing *t)
{
	uint32_t count = read_count(in, EVENTS_MAX);
	struct moment_rule *events =
	    arena_array(arena, count + 1, sizeof(*events));

	for (uint32_t i = 0; i < count; i++)
		events[i] = read_moment(in);
	t->events = events;
	t->event_count = count;
}

static void
read_fields(
    struct reader *in, unsigned flags, struct arena *arena, struct timing *t)
{
	if (flags & HAS_FREQUENCY)
		t->frequency = read_number(in, 1);
	if (flags & HAS_PERIOD)
		t->period_micro = read_micro(in);
	if (flags & HAS_UNIT)
		t->unit = (enum unit)read_enum(in, UNIT_COUNT);
	if (flags & HAS_COUNT)
		t->count = read_number(in, 1);
	if (flags & HAS_WEEKDAYS)
		t->weekdays = read_enum(in, 128);
	if (flags & HAS_WHEN)
		t->when = reader_u32(in);
	if (flags & HAS_OFFSET)
		t->offset_min = read_number(in, 0);
	if (flags & HAS_TIMES)
		read_times(in, arena, t);
	if (flags & HAS_EVENTS)
		read_events(in, arena, t);
	if (flags & HAS_FROM)
		t->from = read_moment(in);
	if (flags & HAS_UNTIL)
		t->until = read_moment(in);
	if (flags & HAS_BOUND) {
		t->bound_micro = read_micro(in);
		t->bound_unit = (enum unit)read_enum(in, UNIT_COUNT);
	}
	if (flags & HAS_UNCLEAR)
		t->unclear = (enum unclear)read_enum(in, UNCLEAR_COUNT);
	t->as_needed = (flags & IS_AS_NEEDED) != 0;
}

const struct timing *
timing_decode(const uint8_t *rule, size_t bytes, struct arena *arena)
{
	struct reader in = {.at = rule, .left = bytes};
	struct timing *t;
	unsigned flags;

	if (reader_u8(&in) != RULE_FORMAT)
		return NULL;
	t = arena_alloc(arena, sizeof(*t));
	*t = (struct timing)TIMING_INIT;
	flags = reader_u16(&in);
	read_fields(&in, flags, arena, t);
	if (in.bad || in.left != 0 || flags > FLAGS_ALL ||
	    t->when >= WHEN_BIT(WHEN_COUNT))
		return NULL;
	timing_settle(t);
	return t;
}
