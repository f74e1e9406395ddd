#ifndef ADHERD_CTL_H
#define ADHERD_CTL_H

#include "base/clock.h"
#include "base/db.h"
#include "base/json.h"
#include "base/keyring.h"
#include "flow/settings.h"

struct gateways;

/*
 * adherctl: what its verbs share.  A verb is one row of the table in ctl.c
 * and one function in a ctl_*.c; pure verbs never call ctl_database().
 * Output for people by default, one JSON value a line with --json.
 */
struct ctl {
	struct arena *arena;             /* lives as long as the process */
	const char *config_path;         /* -c; NULL: SETTINGS_PATH */
	bool json;                       /* --json anywhere on the line */
	const struct settings *settings; /* after ctl_settings() */
	struct conf *conf;
	struct loop *loop;
	struct db *db;
	struct keyring *keyring;
};

struct ctl_verb {
	const char *words; /* "import fhir" */
	const char *usage; /* what follows the words */
	const char *help;  /* one line; more for `help VERB` after it */
	int (*run)(struct ctl *ctl, int argc, char **argv); /* exit status */
};

/* Configuration, database, key ring on demand; exits with a message. */
const struct settings *ctl_settings(struct ctl *ctl);
struct db *ctl_database(struct ctl *ctl); /* connected */
struct keyring *ctl_keyring(struct ctl *ctl);
/* Of the configuration, without a connection; freed by the caller. */
struct gateways *ctl_gateways(struct ctl *ctl);
struct clock ctl_clock(struct ctl *ctl); /* kept by the database's */
/* Care time: the database's, or the instant given (NULL: none is). */
int64_t ctl_now(struct ctl *ctl, const char *given);
struct ctl_tenant {
	int32_t tenant_id;
	const struct zone *zone; /* NULL: unknown on this machine */
	const char *locale;
};
struct ctl_tenant ctl_tenant(struct ctl *ctl, const char *name);
/* Run one unit; exits with a message and its SQLSTATE where it fails. */
void ctl_run(struct db_unit *unit);
/* Exit statuses of sysexits(3) beside those of base/log.h. */
enum { EXIT_DATA = 65, EXIT_NO_INPUT = 66 };
/* "adherctl: …" to stderr and exit. */
_Noreturn void ctl_fail(int status, const char *format, ...) printf_like(2, 3);
/* Exit 64 with the verb's usage line. */
_Noreturn void ctl_usage(const struct ctl_verb *verb);
/* The same, of a word that does not belong there. */
_Noreturn void ctl_stray(const struct ctl_verb *verb, const char *word);
/*
 * The value of `--name VALUE` or `--name=VALUE` at argv[*at], which moves
 * over it; NULL where another word stands there.  Exits without a value.
 */
const char *ctl_option(const struct ctl_verb *verb, int argc, char **argv,
    int *at, const char *name);
/* A whole number from 1 to max; false where the text is none. */
must_check bool ctl_number(const char *text, int32_t max, int32_t *number);
/* What --days says: ten years at most; exits with a message. */
int32_t ctl_days(const char *text);
/*
 * A whole file in the arena, NUL-terminated, "-" for stdin; or the JSON in
 * it.  Exits with a message where it is over bytes_max.
 */
char *ctl_read_file(
    struct ctl *ctl, const char *path, size_t bytes_max, size_t *bytes);
const struct json *ctl_read_json(
    struct ctl *ctl, const char *path, size_t bytes_max);

/* The verbs: each stands in the file of its name, else in the file named. */
extern const struct ctl_verb ctl_plan, ctl_why, ctl_import_fhir;
extern const struct ctl_verb ctl_stop, ctl_stop_list, ctl_resume;
extern const struct ctl_verb ctl_program_check, ctl_program_list,
    ctl_program_show, ctl_program_store;
extern const struct ctl_verb ctl_product_set, ctl_product_list;
extern const struct ctl_verb ctl_template_list, ctl_template_render,
    ctl_template_register, ctl_template_check;
extern const struct ctl_verb ctl_timing, ctl_supply, ctl_reply;
extern const struct ctl_verb ctl_maintain;
extern const struct ctl_verb ctl_queue;
/* ctl_task.c */
extern const struct ctl_verb ctl_tasks, ctl_task_done, ctl_task_take,
    ctl_release;
/* ctl_staff.c */
extern const struct ctl_verb ctl_staff_add, ctl_staff_list, ctl_staff_end;
/* ctl_patient.c */
extern const struct ctl_verb ctl_consent;
/* ctl_schema.c */
extern const struct ctl_verb ctl_migrate, ctl_check_dossiers;
/* ctl_admin.c */
extern const struct ctl_verb ctl_keyring_create;
/* ctl_gateway.c */
extern const struct ctl_verb ctl_gateway_list, ctl_gateway_pauses,
    ctl_gateway_pause, ctl_gateway_resume;

#endif
