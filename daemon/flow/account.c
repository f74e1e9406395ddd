/*
 * Accounts: shares of a rate, portions of a quota.  Asks the database for
 * portions on a connection that it borrows; each asking is one unit.
 */
#include "flow/account.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PORTION_MAX 1000
#define PORTIONS 100 /* of a day's quota */
#define ASK_AGAIN_US SECOND_US
#define MONTH_READ_US MINUTE_US
#define BUDGET_STEPS 10 /* the journal hears of each tenth of a budget */

struct accounts {
	struct arena *arena;
	struct list list; /* struct account * */
	const struct clock *clock;
	struct db *db;
	int64_t copies;
	bool joining;
	void (*granted)(void *arg);
	void *arg;
};

struct accounts *
accounts_create(const struct clock *clock)
{
	struct arena *arena = arena_create();
	struct accounts *accounts = arena_alloc(arena, sizeof(*accounts));

	accounts->arena = arena;
	accounts->clock = clock;
	accounts->copies = 1;
	list_init(&accounts->list, arena, sizeof(struct account *));
	return accounts;
}

void
accounts_free(struct accounts *accounts)
{
	arena_free(accounts->arena);
}

void
accounts_open(struct accounts *accounts, struct db *db, void (*granted)(void *),
    void *arg)
{
	accounts->db = db;
	accounts->granted = granted;
	accounts->arg = arg;
}

static struct account *
account_at(const struct accounts *accounts, size_t index)
{
	return ((struct account **)accounts->list.data)[index];
}

/* The journal hears of its end, too. */
static void
set_spent(struct account *account, bool spent)
{
	if (account->spent && !spent)
		log_notice("account.quota_again", log_s(GATEWAY, account->name),
		    log_n(COUNT, account->quota));
	account->spent = spent;
}

struct account *
accounts_set(struct accounts *accounts, const char *name, int64_t rate_per_s,
    int64_t quota, int64_t budget, const struct zone *zone)
{
	struct account *account = NULL;

	for (size_t i = 0; i < accounts->list.count && account == NULL; i++)
		if (strcmp(account_at(accounts, i)->name, name) == 0)
			account = account_at(accounts, i);
	if (account == NULL) {
		account = arena_alloc(accounts->arena, sizeof(*account));
		account->name = arena_text(accounts->arena, name);
		account->day_on = ON_UNKNOWN;
		account->asked_at = AT_UNKNOWN;
		account->accounts = accounts;
		*(struct account **)list_add(&accounts->list) = account;
	}
	/* what was drawn from another quota is not worth the same */
	if (quota != account->quota) {
		account->unreported -= account->left;
		account->left = 0;
		account->quota = quota;
		set_spent(account, false);
		account->asked_at = AT_UNKNOWN;
	}
	account->rate_per_s = rate_per_s;
	account->budget = budget;
	account->zone = zone;
	rate_set(&account->rate, rate_per_s, accounts->copies);
	return account;
}

void
accounts_set_copies(struct accounts *accounts, int64_t copies, bool joining)
{
	accounts->copies = copies;
	accounts->joining = joining;
	for (size_t i = 0; i < accounts->list.count; i++) {
		struct account *account = account_at(accounts, i);

		rate_set(&account->rate, account->rate_per_s, copies);
	}
}

/* ---- portions ---- */

static bool
is_counted(const struct account *account)
{
	return account->quota > 0 || account->budget > 0;
}

static int64_t
portion(const struct account *account)
{
	int64_t count = account->quota / PORTIONS;

	return count < 1 ? 1 : count > PORTION_MAX ? PORTION_MAX : count;
}

static void
take_portion(const struct db_result *result, void *arg)
{
	struct account *account = arg;
	int64_t count = db_rows(result) == 1 ? db_i64(result, 0, 0) : 0;

	account->left += count;
	if (count == 0 && !account->spent)
		log_warning("account.quota_spent",
		    log_s(GATEWAY, account->name),
		    log_n(COUNT, account->quota));
	set_spent(account, count == 0);
}

static void
take_month(const struct db_result *result, void *arg)
{
	struct account *account = arg;
	int64_t step = account->budget / BUDGET_STEPS;

	account->month_count = db_i64(result, 0, 0);
	if (account->month_count < account->told_month_count)
		account->told_month_count = 0;
	if (account->budget == 0 ||
	    account->month_count - account->told_month_count <
		(step > 0 ? step : 1))
		return;
	account->told_month_count = account->month_count;
	if (account->month_count * 10 >= account->budget * 8)
		log_warning("account.budget_low", log_s(GATEWAY, account->name),
		    log_n(COUNT, account->budget - account->month_count));
}

static void
on_answered(enum db_outcome outcome, const char *sqlstate, void *arg)
{
	struct account *account = arg;

	account->asking = false;
	if (outcome == DB_FAILED)
		log_warning("account.ask_failed", log_s(GATEWAY, account->name),
		    log_s(SQLSTATE, sqlstate));
	else if (outcome == DB_OK)
		account->accounts->granted(account->accounts->arg);
}

/* Take so many, or below 0 give them back; take may be NULL. */
static void
add_taking(struct account *account, struct db_unit *unit, int64_t count,
    int64_t quota, void (*take)(const struct db_result *, void *))
{
	db_unit_add(unit, "account_begin_day", NULL, NULL);
	db_param_text(unit, account->name);
	db_param_on(unit, account->day_on);
	db_unit_add(unit, "account_take", take, account);
	db_param_text(unit, account->name);
	db_param_on(unit, account->day_on);
	db_param_i64(unit, count);
	db_param_i64(unit, quota);
}

/* What was sent without a portion, and what is given back of one. */
static void
add_report(struct account *account, struct db_unit *unit)
{
	if (account->unreported == 0)
		return;
	add_taking(account, unit, account->unreported, INT64_MAX, NULL);
	account->unreported = 0;
}

static int32_t
month_on(int32_t day_on)
{
	struct civil day = civil_from_days(day_on);

	day.day = 1;
	return civil_to_days(day);
}

static bool
wants_portion(const struct account *account)
{
	return account->quota > 0 && account->left * 2 <= portion(account);
}

static void
ask(struct account *account, int64_t now)
{
	struct db_unit *unit = db_unit_begin(account->accounts->db);

	account->asking = true;
	account->asked_at = now;
	add_report(account, unit);
	if (wants_portion(account))
		add_taking(account, unit, portion(account), account->quota,
		    take_portion);
	db_unit_add(unit, "account_month", take_month, account);
	db_param_text(unit, account->name);
	db_param_on(unit, month_on(account->day_on));
	db_unit_send(unit, on_answered, account);
}

/* A new day: what was left of the one before is gone. */
static void
begin_day(struct account *account, int32_t day_on)
{
	if (account->day_on == day_on)
		return;
	account->day_on = day_on;
	account->left = 0;
	set_spent(account, false);
	account->asked_at = AT_UNKNOWN;
}

/* A spent quota is asked about again: others may give back, or buy more. */
static void
look(struct account *account, int64_t now)
{
	bool soon = (wants_portion(account) && !account->spent) ||
		    account->unreported != 0;

	if (account->asking || !db_ready(account->accounts->db) ||
	    (!is_counted(account) && account->unreported == 0))
		return;
	begin_day(account, zone_local(account->zone, now, NULL));
	if (account->asked_at == AT_UNKNOWN ||
	    now >= account->asked_at + (soon ? ASK_AGAIN_US : MONTH_READ_US))
		ask(account, now);
}

void
accounts_look(struct accounts *accounts)
{
	if (accounts->db == NULL || !accounts->clock->synced)
		return;
	for (size_t i = 0; i < accounts->list.count; i++)
		look(account_at(accounts, i), clock_unmoved(accounts->clock));
}

void
accounts_give_back(struct accounts *accounts, struct db_unit *unit)
{
	for (size_t i = 0; i < accounts->list.count; i++) {
		struct account *account = account_at(accounts, i);

		account->unreported -= account->left;
		account->left = 0;
		if (account->day_on != ON_UNKNOWN)
			add_report(account, unit);
	}
}

/* ---- use ---- */

/* Who only looks, and draws no portions, does not know what is left. */
static uint64_t
counted_free(const struct account *account)
{
	return account->quota > 0 && account->accounts->db != NULL
		   ? (uint64_t)account->left
		   : UINT32_MAX;
}

uint32_t
account_free(const struct account *account, int64_t now)
{
	uint32_t by_rate = rate_free(&account->rate, now);
	uint64_t counted = counted_free(account);

	if (account->accounts->joining && account->rate_per_s > 0)
		return 0;
	return counted < by_rate ? (uint32_t)counted : by_rate;
}

bool
account_is_free(const struct account *account)
{
	return account->rate_per_s == 0 && account->quota == 0;
}

uint64_t
account_room(const struct account *account, int64_t now, int64_t time_us)
{
	uint64_t by_rate = rate_room(&account->rate, now, time_us);
	uint64_t counted = counted_free(account);

	return counted < by_rate ? counted : by_rate;
}

void
account_take(struct account *account, uint32_t count, int64_t now)
{
	rate_take(&account->rate, count, now);
	if (account->quota == 0) {
		account->unreported += account->budget > 0 ? count : 0;
		return;
	}
	assert(account->left >= (int64_t)count);
	account->left -= count;
	/* more before the last of it is gone */
	if (wants_portion(account) && !account->spent && !account->asking &&
	    db_ready(account->accounts->db))
		ask(account, now);
}

int64_t
account_ready_at(const struct account *account, int64_t now)
{
	if (account->accounts->joining && account->rate_per_s > 0)
		return now + SECOND_US;
	if (counted_free(account) == 0)
		return AT_NEVER;
	return rate_ready_at(&account->rate, now);
}

bool
account_spent(const struct account *account)
{
	return account->quota > 0 && account->spent && account->left == 0;
}
