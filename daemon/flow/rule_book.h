#ifndef ADHERD_FLOW_RULE_BOOK_H
#define ADHERD_FLOW_RULE_BOOK_H

#include "base/db.h"
#include "care/program.h"

/*
 * The rule book: the rules of every tenant as the database has them.  Each
 * claim asks, in its own transaction and behind its row locks, whether the
 * book is current; where it is not, it is read before anybody is planned.
 * So a program that was stored before a claim is obeyed by it.
 */
struct rule_book;

/*
 * ask_after_us is that of adherd.conf; stops are borrowed.  Both are the
 * same for every tenant.
 */
struct rule_book *rule_book_create(
    int64_t ask_after_us, const struct stops *stops);
void rule_book_free(struct rule_book *book);
/* Another ask_after_us, after a reload. */
void rule_book_ask_after(struct rule_book *book, int64_t ask_after_us);
/* Add the question to the unit of a claim, behind its row locks. */
void rule_book_ask(struct rule_book *book, struct db_unit *unit);
/*
 * Add the reading to the next unit of that transaction, where the answer
 * asked for it or the book is older than 15 s; now is unmoved.  It is in
 * force when the unit is done.  A document that is not valid is refused
 * with an alarm, and the last good one stays.
 */
void rule_book_read(struct rule_book *book, struct db_unit *unit, int64_t now);
/*
 * Borrowed until the next reading.  A tenant that the book does not know
 * has the defaults.
 */
const struct rules *rules_of(const struct rule_book *book, int32_t tenant_id);

#endif
