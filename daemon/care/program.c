/*
 * The default program: the numbers of the table in program.md 2, and the
 * gateways of a dry run, which are free and approve of everything.
 */
#include "care/program.h"

#include <string.h>

#define CLOCK(h, m) ((h)*3600 + (m)*60)
#define TEN true, true, true, true, true, true, true, true, true, true
#define ALL_APPROVED \
	{ \
		TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, \
		    TEN, TEN, true, true, true, true, true, true, true, true, \
		    true \
	}
#define EVERY_CHANNEL \
	.channels = {CHANNEL_WECHAT_MINI, CHANNEL_WECHAT_OA, CHANNEL_PUSH, \
	    CHANNEL_SMS}, \
	.channel_count = 4
#define FREE \
	{ \
		.exists = true, \
		.approved = {ALL_APPROVED, ALL_APPROVED, ALL_APPROVED, \
		    ALL_APPROVED, ALL_APPROVED, ALL_APPROVED}, \
	}

static const struct rules defaults =
    {
	.kinds =
	    {
		[KIND_DOSE] =
		    {
			.kind = KIND_DOSE,
			.product_class = "",
			.hours_from_s = CLOCK(6, 0),
			.hours_until_s = CLOCK(22, 30),
			.valid_us = 60 * MINUTE_US,
			.credit_reserve = 2,
			.merge_s = 15 * 60,
			.cap_day = 6,
			EVERY_CHANNEL,
		    },
		[KIND_REFILL] =
		    {
			.kind = KIND_REFILL,
			.product_class = "",
			.stages = {{STAGE_M7, -7, false}, {STAGE_M3, -3, false},
			    {STAGE_M1, -1, false}, {STAGE_P1, 1, false},
			    {STAGE_P7, 7, false}, {STAGE_P14, 14, true}},
			.stage_count = 6,
			.stage_time_s = CLOCK(10, 0),
			.hours_from_s = CLOCK(8, 0),
			.hours_until_s = CLOCK(21, 0),
			.fallback_us = 4 * HOUR_US,
			.repeat_after_unknown = true,
			.merge_days = 7,
			.cycle_shift_days = 3,
			EVERY_CHANNEL,
		    },
		[KIND_RENEWAL] =
		    {
			.kind = KIND_RENEWAL,
			.product_class = "",
			.stages = {{STAGE_M14, -14, false},
			    {STAGE_M7, -7, false}, {STAGE_D0, 0, false},
			    {STAGE_P7, 7, false}, {STAGE_P14, 14, true}},
			.stage_count = 5,
			.stage_time_s = CLOCK(10, 0),
			.hours_from_s = CLOCK(8, 0),
			.hours_until_s = CLOCK(21, 0),
			.fallback_us = 4 * HOUR_US,
			.repeat_after_unknown = true,
			.merge_days = 7,
			.cycle_shift_days = 3,
			EVERY_CHANNEL,
		    },
		[KIND_FOLLOW_UP] =
		    {
			.kind = KIND_FOLLOW_UP,
			.product_class = "",
			.stages = {{STAGE_M3, -3, false}, {STAGE_M1, -1, false},
			    {STAGE_P14, 14, true}},
			.stage_count = 3,
			.stage_time_s = CLOCK(10, 0),
			.hours_from_s = CLOCK(8, 0),
			.hours_until_s = CLOCK(21, 0),
			.valid_us = 7 * DAY_US, /* the missed notice */
			.fallback_us = 2 * HOUR_US,
			.credit_reserve = 1,
			.repeat_after_unknown = true,
			EVERY_CHANNEL,
		    },
		[KIND_ANSWER] =
		    {
			.kind = KIND_ANSWER,
			.product_class = "",
			.hours_from_s = 0,
			.hours_until_s = CLOCK(24, 0),
			EVERY_CHANNEL,
		    },
	    },
	.caps = {.sms_day = 3, .sms_week = 10, .other_day = 8},
	.gap_us = 2 * MINUTE_US,
	.retry_us = {MINUTE_US, 5 * MINUTE_US, 15 * MINUTE_US, 60 * MINUTE_US},
	.ask_after_us = 5 * MINUTE_US,
	.look_max_us = 7 * DAY_US,
	.spread_min = 0,
	.guardian_age = 14,
	.handled_before = AT_UNKNOWN,
};

static const struct gateways_view free_view = {
    .channels = {[CHANNEL_WECHAT_MINI] = FREE,
	[CHANNEL_WECHAT_OA] = FREE,
	[CHANNEL_PUSH] = FREE,
	[CHANNEL_SMS] = FREE},
};

_Static_assert(STAGE_COUNT == 149, "ALL_APPROVED names every stage");
_Static_assert(KIND_ANSWER == 5, "FREE names every kind");

const struct rules *
program_default(void)
{
	return &defaults;
}

const struct gateways_view *
gateways_view_free(void)
{
	return &free_view;
}

const struct program *
program_for(
    const struct rules *rules, enum kind kind, const char *product_class)
{
	if (product_class == NULL || product_class[0] == '\0')
		return &rules->kinds[kind];
	for (uint32_t i = 0; i < rules->class_count; i++)
		if (rules->classes[i].kind == kind &&
		    strcmp(rules->classes[i].product_class, product_class) == 0)
			return &rules->classes[i];
	return &rules->kinds[kind];
}
