#ifndef ADHERD_FLOW_STOP_BOOK_H
#define ADHERD_FLOW_STOP_BOOK_H

#include "base/db.h"
#include "care/stop.h"

/*
 * The stops that stand, as last read.  Each claim reads them behind its row
 * locks, so that a stop committed before is obeyed, and dispatch holds them
 * against what still waits in memory.  So the bound is one look: after the
 * commit of a stop only that leaves which was handed to a gateway before
 * this copy's next claim; it claims every `look`, even where nobody is due,
 * and at once when it is notified, or after the round under way.
 */
struct stop_book;

#define STOPS_MAX 1000 /* that stand at once */

struct stop_book *stop_book_create(void);
void stop_book_free(struct stop_book *book);
/* Add the reading to a unit of an open transaction. */
void stop_book_read(struct stop_book *book, struct db_unit *unit);
/* Borrowed; what it says changes with the next reading. */
const struct stops *stop_book_stops(const struct stop_book *book);

#endif
