#ifndef ADHERD_FLOW_STATEMENTS_H
#define ADHERD_FLOW_STATEMENTS_H

#include "base/db.h"

/* Every daemon/sql/NAME.sql, embedded at build; prepared as NAME. */
extern const struct db_statement *const statements[];
extern const size_t statement_count;

#endif
