#ifndef ADHERD_FLOW_ACCOUNT_H
#define ADHERD_FLOW_ACCOUNT_H

#include "base/db.h"
#include "base/zone.h"
#include "flow/pace.h"

/*
 * Accounts with providers: one or several gateways use the same one.  Its
 * rate is shared by the live copies, its daily quota is counted in the
 * database: each copy takes a portion of what is left beforehand, so that
 * all of them together never send more; an orderly stop gives back what was
 * not used.  A monthly budget stops nothing, it is for an alarm: where there
 * is no quota, what was sent is added up each second.
 */
struct accounts;

struct account {
	const char *name;
	int64_t rate_per_s;      /* messages; 0: no limit */
	int64_t quota;           /* messages a day; 0: no limit */
	int64_t budget;          /* messages a month; 0: none */
	const struct zone *zone; /* whose days and months */
	struct rate rate;
	int32_t day_on;           /* to which `left` and `spent` belong */
	int64_t left;             /* our portion, not used yet */
	int64_t unreported;       /* sent, or below 0 to be given back */
	bool spent;               /* the day's quota is used up */
	int64_t month_count;      /* taken this month, by all copies */
	int64_t told_month_count; /* … of which the journal knows */
	bool asking;
	int64_t asked_at; /* unmoved */
	struct accounts *accounts;
};

/* clock is borrowed. */
struct accounts *accounts_create(const struct clock *clock);
void accounts_free(struct accounts *accounts);
/* Before anything is sent; granted is called when there is more to send. */
void accounts_open(struct accounts *accounts, struct db *db,
    void (*granted)(void *), void *arg);
/*
 * The account of that name, made where there is none, with these settings
 * from now on.
 */
struct account *accounts_set(struct accounts *accounts, const char *name,
    int64_t rate_per_s, int64_t quota, int64_t budget, const struct zone *zone);
/*
 * So many copies are alive.  Until the others can have seen a new copy,
 * which is what joining says, it sends nothing on accounts with a rate.
 */
void accounts_set_copies(
    struct accounts *accounts, int64_t copies, bool joining);
/* Day and month may have changed, portions run out: call each second. */
void accounts_look(struct accounts *accounts);
/* Add the return of what was not used to a unit. */
void accounts_give_back(struct accounts *accounts, struct db_unit *unit);

/* Messages that may leave now. */
uint32_t account_free(const struct account *account, int64_t now);
/* Messages that can leave within this time. */
uint64_t account_room(
    const struct account *account, int64_t now, int64_t time_us);
/* May it never have to wait? */
bool account_is_free(const struct account *account);
void account_take(struct account *account, uint32_t count, int64_t now);
/* When to look again after account_free() said 0; AT_NEVER: granted() tells. */
int64_t account_ready_at(const struct account *account, int64_t now);
/* Is its quota of today used up? */
bool account_spent(const struct account *account);

#endif
