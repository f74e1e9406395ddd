#ifndef ADHERD_FLOW_REPLY_SORTING_H
#define ADHERD_FLOW_REPLY_SORTING_H

#include "base/db.h"
#include "base/keyring.h"
#include "care/reply.h"

/*
 * Danger first: where replies wait for each other they are read ahead of
 * their turn, and those that tell of an emergency or of harm go before the
 * rest.  Reading takes a small part of what working on one does.
 */
struct sorting {
	struct db *db;
	struct keyring *keyring;
	const struct reply_rules *rules;
	struct arena *arena;
	struct db_array keys, urgencies; /* of those under way */
	int64_t now;
	int64_t until; /* clock_boot() */
	bool more;     /* others may wait behind them */
	bool urgent;   /* one of them tells of danger */
	bool failed;
	void (*done)(void *arg);
	void *arg;
};

void sorting_init(struct sorting *sorting, struct db *db,
    struct keyring *keyring, const struct reply_rules *rules);
/*
 * Sort what waits at now (unmoved), as long as it is worth it, then call done
 * from the loop, with the connection idle.
 */
void sorting_run(
    struct sorting *sorting, int64_t now, void (*done)(void *arg), void *arg);

#endif
