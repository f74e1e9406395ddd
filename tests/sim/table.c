/*
 * Open addressing with linear probing; a removal shifts back what follows.
 */
#include "tests/sim/table.h"

#include <stdlib.h>

struct slot {
	uint64_t hash; /* 0: empty */
	uint64_t value;
};

struct table {
	struct slot *slots;
	size_t mask;
	size_t held;
	size_t held_max;
};

struct table *
table_create(size_t held_max)
{
	struct table *table = mem_alloc(sizeof(*table));
	size_t count = 16;

	while (count < 2 * held_max)
		count *= 2;
	table->slots = mem_alloc(count * sizeof(*table->slots));
	table->mask = count - 1;
	table->held_max = held_max;
	return table;
}

void
table_free(struct table *table)
{
	free(table->slots);
	free(table);
}

/* The slot of this hash, or the empty one where it would go. */
static size_t
table_find(const struct table *table, uint64_t hash)
{
	size_t at = hash & table->mask;

	while (table->slots[at].hash != 0 && table->slots[at].hash != hash)
		at = (at + 1) & table->mask;
	return at;
}

uint64_t
table_get(const struct table *table, uint64_t hash)
{
	return table->slots[table_find(table, hash)].value;
}

void
table_put(struct table *table, uint64_t hash, uint64_t value)
{
	struct slot *slot = &table->slots[table_find(table, hash)];

	if (slot->hash == 0 && table->held++ == table->held_max)
		abort();
	*slot = (struct slot){hash, value};
}

void
table_remove(struct table *table, uint64_t hash)
{
	size_t hole = table_find(table, hash);
	size_t at = hole;

	if (table->slots[hole].hash == 0)
		return;
	table->held--;
	for (;;) {
		size_t home;

		at = (at + 1) & table->mask;
		if (table->slots[at].hash == 0)
			break;
		home = table->slots[at].hash & table->mask;
		if (((at - home) & table->mask) >=
		    ((at - hole) & table->mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole] = (struct slot){0};
}
