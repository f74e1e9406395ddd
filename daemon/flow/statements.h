#ifndef ADHERD_FLOW_STATEMENTS_H
#define ADHERD_FLOW_STATEMENTS_H

#include "base/db.h"

/* Every daemon/sql/NAME.sql, embedded at build; prepared as NAME. */
extern const struct db_statement *const statements[];
extern const size_t statement_count;

#define BUCKETS 1024 /* of people; `bucket` is first in their keys */

/* agenda.class, as statements take it: who is looked at first. */
enum { CLASS_URGENT, CLASS_TIMED, CLASS_BULK };

#endif
