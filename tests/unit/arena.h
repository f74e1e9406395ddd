/*
 * For unit tests: `arena`, made anew for each test by these two.
 */
#ifndef ADHERD_UNIT_ARENA_H
#define ADHERD_UNIT_ARENA_H

#include "base/mem.h"

static struct arena *arena;

static inline int
arena_set_up(void **state)
{
	(void)state;
	arena = arena_create();
	return 0;
}

static inline int
arena_tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

#endif
