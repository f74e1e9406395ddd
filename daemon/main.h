#ifndef ADHERD_MAIN_H
#define ADHERD_MAIN_H

#include "base/log.h"
#include "door/admin.h"
#include "door/callback.h"
#include "flow/addresses.h"
#include "flow/clock_sync.h"
#include "flow/copies.h"
#include "flow/escalation.h"
#include "flow/receipts.h"
#include "flow/replies.h"
#include "flow/rescue.h"
#include "flow/worker.h"

/*
 * The daemon from start to stop: main.c reads the command line and the
 * configuration, main_run.c starts the parts and turns them, main_text.c
 * prints, main_state.c tells the world how it is.  struct daemon owns every
 * part; the parts know each other only by what they are given.
 */
enum connection { DB_CLAIM, DB_CLAIM_2, DB_WRITE, DB_CHORES, DB_COUNT };

struct daemon {
	struct settings settings;
	const char *conf_path;
	struct conf *conf; /* of the start; kept: parts borrow its strings */
	struct conf *conf_now; /* of the last reload; else the same */
	const char *copy;
	int64_t start_care_at; /* --care-time; AT_UNKNOWN: none */
	struct loop *loop;
	struct clock clock;
	struct clock_reading reading;
	struct db *db[DB_COUNT];
	struct http_client *client;
	struct keyring *keyring;
	struct template_set *templates;
	struct gateways *gateways;
	struct messages *messages;
	struct outcomes *outcomes;
	struct stop_book *stops;
	struct rule_book *rules;
	struct dispatch *dispatch;
	struct worker *worker;
	struct rescue *rescue;
	struct inbox *inbox;
	struct receipts *receipts;
	struct replies *replies;
	struct addresses *addresses;
	struct escalations *escalations;
	struct copies *copies;
	struct state_file *state; /* NULL: nothing is remembered */
	struct aftermath *aftermath;
	struct http_server *server, *admin_server;
	struct callbacks callbacks;
	struct admin admin;
	struct loop_timer *tick, *chores, *drain, *status, *ping;
	int64_t ticks, turns; /* of tick, of chores */
	bool reading_clock, refreshing, loaded, stopping, leaving;
	int64_t drain_until; /* clock_boot() */
	const char *wrong;   /* of the last status: why it was not ready */
	int status_looks;    /* since then */
	int64_t answered_at; /* clock_boot(): the database's last answer */
};

/* ---- main_end.c ---- */
/* From now on a plug-in that ends the process is remembered there. */
void daemon_watch_end(struct state_file *state);
/* For the watchdog: the loop does not turn, the end follows. */
void daemon_on_stuck(const char *doing);

/* ---- main_load.c ---- */
struct loaded { /* what the configuration names, without the gateways */
	struct conf *conf;
	struct settings settings;
	struct keyring *keyring;
	struct template_set *templates;
};

/* Read and check it all; -1 with error, and nothing to free. */
must_check int loaded_read(
    const char *path, struct loaded *loaded, struct conf_error *error);
void loaded_free(struct loaded *loaded);

struct listen_address {
	char address[64];
	uint16_t port;
};
/* "127.0.0.1:8480" or "[::1]:8480"; -1 if it is not like that. */
must_check int listen_parse(const char *listen, struct listen_address *address);

/* ---- main_reload.c ---- */
void daemon_on_reload(int signal_number, void *daemon);
struct worker_settings daemon_worker_settings(const struct daemon *daemon);

/* ---- main_text.c ---- */
extern const char usage_text[];
/* dir: where plug-ins lie, whose keys are told, too; NULL: as installed. */
_Noreturn void print_example(const char *dir);
_Noreturn void print_manual(const char *dir);
/* The settings in force, as a file that -t takes; secrets stay in files. */
void print_settings(const char *path);

/* ---- main_ready.c ---- */
/* Ask the daemon there; prints its answer, 0 or 1 for the exit status. */
int daemon_ask_ready(const char *admin_listen);

/* ---- main_run.c ---- */
/* Open what the configuration names and arm the timers. */
void daemon_start(struct daemon *daemon);
/* Turn until stopped. */
void daemon_run(struct daemon *daemon);

/* ---- main_state.c ---- */
/* NULL, or a fixed phrase: why it is not ready. */
const char *daemon_not_ready(void *daemon);
/* Tell systemd that the daemon is ready, unless it never was. */
void daemon_tell_ready(const struct daemon *daemon);
/* From now on tell how it is, and that it is alive. */
void daemon_state_start(struct daemon *daemon);

#endif
