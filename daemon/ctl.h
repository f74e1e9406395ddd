#ifndef ADHERD_CTL_H
#define ADHERD_CTL_H

#include "base/db.h"
#include "base/keyring.h"
#include "flow/settings.h"

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
	const char *help;  /* one line */
	int (*run)(struct ctl *ctl, int argc, char **argv); /* exit status */
};

/* Configuration, database, key ring on demand; exits with a message. */
const struct settings *ctl_settings(struct ctl *ctl);
struct db *ctl_database(struct ctl *ctl); /* connected */
struct keyring *ctl_keyring(struct ctl *ctl);
/* Run one unit; exits with a message and its SQLSTATE where it fails. */
void ctl_run(struct db_unit *unit);
/* Exit statuses of sysexits(3) beside those of base/log.h. */
enum { EXIT_DATA = 65, EXIT_NO_INPUT = 66 };
/* "adherctl: …" to stderr and exit. */
_Noreturn void ctl_fail(int status, const char *format, ...) printf_like(2, 3);
/* Exit 64 with the verb's usage line. */
_Noreturn void ctl_usage(const struct ctl_verb *verb);
/*
 * The value of `--name VALUE` or `--name=VALUE` at argv[*at], which moves
 * over it; NULL where another word stands there.  Exits without a value.
 */
const char *ctl_option(const struct ctl_verb *verb, int argc, char **argv,
    int *at, const char *name);
/* A whole file, NUL-terminated, in the arena; "-" is stdin. Exits if over max.
 */
char *ctl_read_file(
    struct ctl *ctl, const char *path, size_t bytes_max, size_t *bytes);

/* The verbs, by file. */
extern const struct ctl_verb ctl_migrate, ctl_check_dossiers; /* ctl_schema.c */
extern const struct ctl_verb ctl_import_fhir;                 /* ctl_import.c */
extern const struct ctl_verb ctl_plan; /* ctl_plan.c: --fhir, and PATIENT */
extern const struct ctl_verb ctl_why, ctl_queue,
    ctl_consent; /* ctl_patient.c */
extern const struct ctl_verb ctl_template_list, ctl_template_render,
    ctl_template_register; /* ctl_template.c */
extern const struct ctl_verb ctl_keyring_create,
    ctl_gateway_list; /* ctl_admin.c */

#endif
