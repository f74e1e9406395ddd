/*
 * adherctl import fhir: files → intake, one after another, and what became
 * of them.  Problems go to stderr as `FILE: PATH: what is wrong`; values of
 * patients are never printed.
 */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "door/intake.h"

#define KINDS_MAX 32 /* of skipped resources, named one by one */
#define LINE_BYTES_MAX ((size_t)1 << 20)

struct import {
	struct ctl *ctl;
	struct intake_settings settings;
	struct fhir_options options;
	struct clock clock;
	const char *tenant;
	bool refused;  /* something, in any file */
	bool finished; /* this file */
	enum db_outcome outcome;
};

struct tally { /* of one file */
	uint32_t outcomes[INTAKE_OUTCOME_COUNT];
	struct {
		const char *type;
		uint32_t count;
	} skipped[KINDS_MAX];
	uint32_t kinds, others;
};

static const char *const outcome_words[INTAKE_OUTCOME_COUNT] = {
    [INTAKE_PENDING] = "pending",
    [INTAKE_CREATED] = "created",
    [INTAKE_UPDATED] = "updated",
    [INTAKE_UNCHANGED] = "unchanged",
    [INTAKE_OLDER] = "older",
    [INTAKE_SKIPPED] = "skipped",
    [INTAKE_REFUSED] = "refused",
};

/* What a server would have answered; 0: it is not kept here. */
static int64_t
http_status(enum intake_outcome outcome)
{
	switch (outcome) {
	case INTAKE_CREATED:
		return 201;
	case INTAKE_UPDATED:
	case INTAKE_UNCHANGED:
	case INTAKE_OLDER:
		return 200;
	case INTAKE_REFUSED:
		return 422;
	default:
		return 0;
	}
}

/* ---- output ---- */

/* Names in a file are a stranger's: nothing of them moves the cursor. */
static void
put_clean(const char *text, FILE *out)
{
	for (; *text != '\0'; text++)
		(void)fputc(
		    (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text,
		    out);
}

static void
count_skipped(struct tally *tally, const char *type)
{
	for (uint32_t i = 0; i < tally->kinds; i++) {
		if (strcmp(tally->skipped[i].type, type) == 0) {
			tally->skipped[i].count++;
			return;
		}
	}
	if (tally->kinds == KINDS_MAX) {
		tally->others++;
		return;
	}
	tally->skipped[tally->kinds].type = type;
	tally->skipped[tally->kinds++].count = 1;
}

static struct tally
count_outcomes(const struct fhir *fhir)
{
	struct tally tally = {0};

	for (uint32_t i = 0; i < fhir->record_count; i++) {
		enum intake_outcome outcome = intake_outcome(&fhir->records[i]);

		tally.outcomes[outcome]++;
		if (outcome == INTAKE_SKIPPED)
			count_skipped(&tally, fhir->records[i].type_name);
	}
	return tally;
}

static void
print_problems(const char *path, const struct fhir *fhir)
{
	const struct problem *problems = fhir->problems.data;

	for (size_t i = 0; i < fhir->problems.count; i++) {
		(void)fprintf(stderr, "%s: ", path);
		put_clean(problems[i].path, stderr);
		(void)fprintf(stderr, "%s%s%s\n",
		    *problems[i].path == '\0' ? "" : ": ",
		    problems[i].warning ? "warning: " : "", problems[i].text);
	}
	if (fhir->bundle == BUNDLE_TRANSACTION && fhir->refused_count > 0)
		(void)fprintf(stderr,
		    "%s: a transaction: nothing of it is stored\n", path);
}

static void
print_tally(const char *path, const struct tally *tally)
{
	const char *comma = "";

	(void)printf("%s:", path);
	for (int i = 0; i < INTAKE_OUTCOME_COUNT; i++) {
		if (tally->outcomes[i] == 0)
			continue;
		(void)printf(
		    "%s %u %s", comma, tally->outcomes[i], outcome_words[i]);
		comma = ",";
	}
	if (*comma == '\0')
		(void)printf(" nothing");
	for (uint32_t i = 0; i < tally->kinds; i++) {
		(void)printf("%s", i == 0 ? " (" : ", ");
		put_clean(tally->skipped[i].type, stdout);
		(void)printf(" %u", tally->skipped[i].count);
	}
	if (tally->others > 0)
		(void)printf(", others %u", tally->others);
	(void)printf("%s\n", tally->kinds > 0 ? ")" : "");
}

static void
write_record(struct buf *buf, const char *path, const struct record *record)
{
	enum intake_outcome outcome = intake_outcome(record);
	struct json_writer writer = ctl_line_begin(buf, NULL);

	json_write_member(&writer, "file", path);
	json_write_member(&writer, "path", record->path);
	json_write_member(&writer, "type", record->type_name);
	json_write_member(&writer, "id", record->id);
	json_write_member(&writer, "outcome", outcome_words[outcome]);
	ctl_line_number_if(&writer, "status", http_status(outcome));
	ctl_line_end(&writer);
}

static void
write_problem(struct buf *buf, const char *path, const struct problem *problem)
{
	struct json_writer writer = ctl_line_begin(buf, NULL);

	json_write_member(&writer, "file", path);
	json_write_member(&writer, "path", problem->path);
	json_write_member(
	    &writer, "severity", problem->warning ? "warning" : "error");
	json_write_member(&writer, "code", problem->code);
	json_write_member(&writer, "text", problem->text);
	ctl_line_end(&writer);
}

static void
write_tally(struct buf *buf, const char *path, const struct tally *tally)
{
	struct json_writer writer = ctl_line_begin(buf, NULL);

	json_write_member(&writer, "file", path);
	for (int i = INTAKE_CREATED; i < INTAKE_OUTCOME_COUNT; i++) {
		ctl_line_number(&writer, outcome_words[i], tally->outcomes[i]);
	}
	json_write_key(&writer, "skipped_kinds");
	json_write_object(&writer);
	for (uint32_t i = 0; i < tally->kinds; i++) {
		ctl_line_number(
		    &writer, tally->skipped[i].type, tally->skipped[i].count);
	}
	json_write_end_object(&writer);
	ctl_line_end(&writer);
}

static void
report(const struct import *import, const char *path, const struct fhir *fhir)
{
	const struct problem *problems = fhir->problems.data;
	struct tally tally = count_outcomes(fhir);
	struct buf buf = BUF_INIT(LINE_BYTES_MAX);

	if (!import->ctl->json) {
		(void)fflush(stdout);
		print_problems(path, fhir);
		print_tally(path, &tally);
		return;
	}
	for (uint32_t i = 0; i < fhir->record_count; i++)
		write_record(&buf, path, &fhir->records[i]);
	for (size_t i = 0; i < fhir->problems.count; i++)
		write_problem(&buf, path, &problems[i]);
	write_tally(&buf, path, &tally);
	buf_free(&buf);
}

/* ---- files ---- */

static void
on_stored(enum db_outcome outcome, void *arg)
{
	struct import *import = arg;

	import->outcome = outcome;
	import->finished = true;
}

static void
import_file(struct import *import, const char *path)
{
	/* what a file takes goes with it: there may be many */
	struct ctl borrowed = *import->ctl;
	struct arena *arena = borrowed.arena = arena_create();
	size_t bytes;
	const char *text =
	    ctl_read_file(&borrowed, path, FHIR_BYTES_MAX, &bytes);
	struct fhir *fhir = fhir_parse(text, bytes, &import->options, arena);

	import->finished = false;
	intake_start(&import->settings, fhir, clock_care(&import->clock),
	    on_stored, import);
	loop_run_until(import->ctl->loop, &import->finished);
	if (import->outcome == DB_LOST)
		ctl_fail(EXIT_TRY_AGAIN,
		    "%s: the database went away; import it again", path);
	if (import->outcome == DB_FAILED)
		ctl_fail(EXIT_INTERNAL, "%s: the database refused", path);
	import->refused |= fhir->refused_count > 0;
	report(import, path, fhir);
	arena_free(arena);
}

static void
load_tenant(struct import *import)
{
	struct ctl_tenant tenant = ctl_tenant(import->ctl, import->tenant);

	if (tenant.zone == NULL)
		ctl_fail(EXIT_DATA, "the tenant's time zone is unknown here");
	import->settings.tenant_id = tenant.tenant_id;
	import->settings.zone = import->options.zone = tenant.zone;
	import->settings.locale = tenant.locale;
}

/* How many of argv are no options: they move to its beginning. */
static int
read_options(struct import *import, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_import_fhir;
	int files = 0;

	for (int i = 0; i < argc; i++) {
		const char *value;

		if ((value = ctl_option(verb, argc, argv, &i, "--source")))
			import->settings.source = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			import->tenant = value;
		else if (strcmp(argv[i], "--phone-is-mobile") == 0)
			import->options.phone_is_mobile = true;
		else if (argv[i][0] == '-' && argv[i][1] != '\0')
			ctl_stray(verb, argv[i]);
		else
			argv[files++] = argv[i];
	}
	return files;
}

static int
run_import(struct ctl *ctl, int argc, char **argv)
{
	struct import import = {.ctl = ctl, .tenant = "default"};
	int files = read_options(&import, argc, argv);

	if (files == 0 || import.settings.source == NULL ||
	    *import.settings.source == '\0')
		ctl_usage(&ctl_import_fhir);
	import.settings.keyring = ctl_keyring(ctl);
	import.settings.db = ctl_database(ctl);
	import.settings.loop = ctl->loop;
	load_tenant(&import);
	import.clock = ctl_clock(ctl);
	for (int i = 0; i < files; i++)
		import_file(&import, argv[i]);
	return import.refused ? EXIT_DATA : 0;
}

const struct ctl_verb ctl_import_fhir = {
    .words = "import fhir",
    .usage = "--source NAME [--tenant NAME] [--phone-is-mobile] FILE…",
    .help = "Store FHIR R4 bundles and resources; exit 65 if some are refused.",
    .run = run_import,
};
