/*
 * Channels on which a message spends a credit: who has none is skipped, and
 * the last ones are kept for the kinds that matter most.
 */
#include "plan_world.h"

static struct credit_needs needs;
static struct credit credits[2];

/* Mini program before SMS; one template for all that is said. */
static void
world_with_credits(int32_t left)
{
	world_empty();
	consent(NULL, true, TOPIC_ALL, CHANNEL_ALL);
	contact(CHANNEL_WECHAT_MINI);
	contact(CHANNEL_SMS);
	memset(&needs, 0, sizeof(needs));
	w.gateways.channels[CHANNEL_WECHAT_MINI].credits = &needs;
	credits[0] = (struct credit){w.contacts[0].no, "T", left};
	w.d.credits = credits;
	w.d.credit_count = 1;
}

static void
spends(enum kind kind, const char *code, uint32_t sharers)
{
	for (enum stage stage = STAGE_DUE; stage < STAGE_COUNT; stage++) {
		needs.code[kind][stage] = code;
		needs.sharers[kind][stage] = (uint8_t)sharers;
	}
}

#define BIT(kind) (1u << (kind))

static void
who_has_none_gets_it_another_way(void **state)
{
	(void)state;
	world_with_credits(0);
	spends(KIND_DOSE, "T", BIT(KIND_DOSE));
	daily("a", "08:00:00");
	expect("2026-03-01", 1, "03-01 08:00 send dose due sms a\n");
	credits[0].left = 1;
	expect("2026-03-01", 1, "03-01 08:00 send dose due wechat_mini a\n");
	/* of another template, or another contact */
	credits[0].template_code = "U";
	expect("2026-03-01", 1, "03-01 08:00 send dose due sms a\n");
	credits[0] = (struct credit){w.contacts[1].no, "T", 1};
	expect("2026-03-01", 1, "03-01 08:00 send dose due sms a\n");
}

static void
without_another_way_it_is_held(void **state)
{
	(void)state;
	world_with_credits(0);
	spends(KIND_DOSE, "T", BIT(KIND_DOSE));
	w.d.contact_count = 1;
	daily("a", "08:00:00");
	expect("2026-03-01", 1, "03-01 08:00 hold dose due no_credit a\n");
}

static void
what_needs_none_spends_none(void **state)
{
	(void)state;
	world_with_credits(0);
	daily("a", "08:00:00");
	expect("2026-03-01", 1, "03-01 08:00 send dose due wechat_mini a\n");
}

/* Doses leave 2 and visits 1 to refills, where they share a template. */
static void
the_last_are_kept_for_what_matters_most(void **state)
{
	uint32_t all = BIT(KIND_DOSE) | BIT(KIND_REFILL) | BIT(KIND_FOLLOW_UP);
	struct prescription *p;

	(void)state;
	world_with_credits(2);
	spends(KIND_DOSE, "T", all);
	spends(KIND_REFILL, "T", all);
	spends(KIND_FOLLOW_UP, "T", all);
	p = daily("a", "08:00:00");
	p->repeats_allowed = 2;
	fill(p, "2026-02-09", 28);
	visit("v", "2026-03-05 09:00");
	expect("2026-03-02", 1,
	    "03-02 08:00 send dose due sms a\n"
	    "03-02 10:00 send follow_up -3d wechat_mini v\n"
	    "03-02 10:02 send refill -7d wechat_mini a\n");
	credits[0].left = 1;
	expect("2026-03-02", 1,
	    "03-02 08:00 send dose due sms a\n"
	    "03-02 10:00 send follow_up -3d sms v\n"
	    "03-02 10:02 send refill -7d wechat_mini a\n");
	/* each its own template: nothing is kept from anybody */
	spends(KIND_DOSE, "T", BIT(KIND_DOSE));
	spends(KIND_REFILL, "U", BIT(KIND_REFILL));
	spends(KIND_FOLLOW_UP, "U", BIT(KIND_FOLLOW_UP));
	expect("2026-03-02", 1,
	    "03-02 08:00 send dose due wechat_mini a\n"
	    "03-02 10:00 send follow_up -3d sms v\n"
	    "03-02 10:02 send refill -7d sms a\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_has_none_gets_it_another_way),
	    cmocka_unit_test(without_another_way_it_is_held),
	    cmocka_unit_test(what_needs_none_spends_none),
	    cmocka_unit_test(the_last_are_kept_for_what_matters_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
