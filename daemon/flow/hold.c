/*
 * One list, the next to leave first, and a timer for it.  A claim brings at
 * most a round's people, so sorting those and merging is all the order that
 * is needed.
 */
#include "flow/hold.h"

#include <stdlib.h>

struct hold {
	const struct clock *clock;
	struct loop_timer *timer;
	struct delivery *first;
	void (*released)(struct delivery *first, void *arg);
	void *arg;
};

static void on_timer(void *arg);

struct hold *
hold_create(struct loop *loop, const struct clock *clock,
    void (*released)(struct delivery *first, void *arg), void *arg)
{
	struct hold *hold = mem_alloc(sizeof(*hold));

	hold->clock = clock;
	hold->timer = loop_timer_create(loop, on_timer, hold);
	hold->released = released;
	hold->arg = arg;
	return hold;
}

void
hold_free(struct hold *hold)
{
	loop_timer_free(hold->timer);
	free(hold);
}

static void
wait_for_first(struct hold *hold)
{
	if (hold->first == NULL)
		loop_timer_disarm(hold->timer);
	else
		loop_timer_arm(hold->timer,
		    hold->first->not_before - clock_unmoved(hold->clock));
}

/* Two sorted chains as one; of equals, those of a first. */
static struct delivery *
merge(struct delivery *a, struct delivery *b)
{
	struct delivery *first = NULL, **end = &first;

	while (a != NULL && b != NULL) {
		struct delivery **from =
		    b->not_before < a->not_before ? &b : &a;

		*end = *from;
		end = &(*end)->next;
		*from = *end;
	}
	*end = a != NULL ? a : b;
	return first;
}

static struct delivery *
sort(struct delivery *chain)
{
	struct delivery *middle = chain, *second;

	if (chain == NULL || chain->next == NULL)
		return chain;
	for (struct delivery *end = chain->next;
	     end != NULL && end->next != NULL; end = end->next->next)
		middle = middle->next;
	second = middle->next;
	middle->next = NULL;
	return merge(sort(chain), sort(second));
}

void
hold_add(struct hold *hold, struct delivery *chain)
{
	hold->first = merge(hold->first, sort(chain));
	wait_for_first(hold);
}

bool
hold_empty(const struct hold *hold)
{
	return hold->first == NULL;
}

struct delivery *
hold_take(struct hold *hold,
    bool (*wanted)(const struct delivery *delivery, const void *arg),
    const void *arg)
{
	struct delivery *taken = NULL, **end = &taken;
	struct delivery **link = &hold->first;

	while (*link != NULL) {
		struct delivery *delivery = *link;

		if (!wanted(delivery, arg)) {
			link = &delivery->next;
			continue;
		}
		*link = delivery->next;
		delivery->next = NULL;
		*end = delivery;
		end = &delivery->next;
	}
	wait_for_first(hold);
	return taken;
}

static bool
is_due(const struct delivery *delivery, const void *now)
{
	return delivery->not_before <= *(const int64_t *)now;
}

static void
on_timer(void *arg)
{
	struct hold *hold = arg;
	int64_t now = clock_unmoved(hold->clock);
	struct delivery *due = hold_take(hold, is_due, &now);

	if (due != NULL)
		hold->released(due, hold->arg);
}
