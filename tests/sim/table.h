#ifndef ADHERD_TESTS_SIM_TABLE_H
#define ADHERD_TESTS_SIM_TABLE_H

#include "base/mem.h"

/*
 * A hash table of fixed size from a 64-bit hash (never 0) to a number.
 * Twice as many slots as it may hold; the caller keeps to the bound.
 */
struct table;

struct table *table_create(size_t held_max);
void table_free(struct table *table);
uint64_t table_get(const struct table *table, uint64_t hash); /* 0: none */
void table_put(struct table *table, uint64_t hash, uint64_t value);
void table_remove(struct table *table, uint64_t hash);

#endif
