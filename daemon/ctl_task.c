/*
 * adherctl tasks, task done, release: what people have to do, that they did
 * it, and the end of what a reply held.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "care/reply_label.h"
#include "ctl_line.h"
#include "ctl_person.h"
#include "flow/seal.h"
#include "flow/statements.h"

#define LIMIT 100
#define LIMIT_MAX 100000
#define DONE_MAX 1000 /* tasks of one command */

static int run_tasks(struct ctl *ctl, int argc, char **argv);
static int run_done(struct ctl *ctl, int argc, char **argv);
static int run_take(struct ctl *ctl, int argc, char **argv);
static int run_release(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_tasks = {
    .words = "tasks",
    .usage = "[PATIENT] [--done] [--text] [--limit N] [--tenant NAME] "
	     "[--json]",
    .help =
	"what people have to do, the urgent first\n"
	"  PATIENT        that one's alone\n"
	"  --done         those that are done, too\n"
	"  --text         what the patient wrote, which the key ring opens\n"
	"  --limit N      at most so many; 100",
    .run = run_tasks,
};
const struct ctl_verb ctl_task_done = {
    .words = "task done",
    .usage = "TASK… --by WHO",
    .help = "somebody did it\n"
	    "  TASK           as `adherctl tasks` names it",
    .run = run_done,
};
const struct ctl_verb ctl_task_take = {
    .words = "task take",
    .usage = "TASK… --by WHO",
    .help = "somebody sees to it: nobody else of the care team is told\n"
	    "  TASK           as `adherctl tasks` names it",
    .run = run_take,
};
const struct ctl_verb ctl_release = {
    .words = "release",
    .usage = "PATIENT [--safety-hold] [--adverse-event] [--pause]\n"
	     "           [--address] --by WHO [--tenant NAME]",
    .help = "end what a reply held, and the tasks about it\n"
	    "  --safety-hold    the patient is out of danger\n"
	    "  --adverse-event  refills and orders may go on\n"
	    "  --pause          it was not so, or is over\n"
	    "  --address        addresses that were given up are right",
    .run = run_release,
};

/* ---- tasks ---- */

struct listing {
	struct ctl *ctl;
	bool text;
	int count;
	struct buf out;
};

/* What it is about: of an answer its label, else the stage. */
static const char *
about(enum kind kind, int64_t slot, enum stage stage)
{
	if (kind == KIND_ANSWER && slot >= 0 && slot < REPLY_LABEL_COUNT)
		return reply_label_row((enum reply_label)slot)->name;
	return stage_word(stage);
}

static const char *
text_of(struct listing *listing, const struct db_result *result, int row)
{
	struct ctl *ctl = listing->ctl;
	size_t bytes, sealed_bytes;
	const uint8_t *key = db_bytes(result, row, 14, &bytes);
	const uint8_t *sealed = db_bytes(result, row, 15, &sealed_bytes);

	if (!listing->text || key == NULL || bytes != 32 || sealed == NULL)
		return NULL;
	return seal_open_inbox_text(ctl_keyring(ctl),
	    (int32_t)db_i64(result, row, 13), key, sealed, sealed_bytes,
	    ctl->arena);
}

/* Nobody else has it: the number of somebody who is in no record. */
static const char *
address_of(struct listing *listing, const struct db_result *result, int row)
{
	struct ctl *ctl = listing->ctl;
	struct seal_person person = {
	    .tenant_id = (int32_t)db_i64(result, row, 13),
	    .bucket = (int16_t)db_i64(result, row, 0),
	    .patient_id = db_i64(result, row, 1),
	};
	size_t bytes;
	const uint8_t *sealed = db_bytes(result, row, 19, &bytes);

	return !listing->text || sealed == NULL
		   ? NULL
		   : seal_open_address(ctl_keyring(ctl), &person, 1, sealed,
			 bytes, ctl->arena);
}

struct task_line {
	const char *id, *patient, *kind, *about, *reason, *text, *address,
	    *done_by, *taken_by;
	int64_t told;      /* how often the care team was */
	bool urgent, held; /* held: an order of somebody unwell */
	const struct zone *zone;
	int64_t due_at, done_at;
};

static void
print_task(struct listing *listing, const struct task_line *task)
{
	char due[32], done[32];

	if (listing->ctl->json) {
		struct json_writer w = ctl_line_begin(&listing->out, NULL);

		json_write_member(&w, "task", task->id);
		json_write_key(&w, "urgent");
		json_write_bool(&w, task->urgent);
		json_write_key(&w, "held");
		json_write_bool(&w, task->held);
		ctl_line_at(&w, "due", task->zone, task->due_at);
		json_write_member(&w, "patient", task->patient);
		json_write_member(&w, "kind", task->kind);
		json_write_member(&w, "about", task->about);
		json_write_member(&w, "reason", task->reason);
		if (listing->text) {
			json_write_member(&w, "text", task->text);
			json_write_member(&w, "address", task->address);
		}
		ctl_line_number(&w, "told", task->told);
		json_write_member(&w, "taken_by", task->taken_by);
		ctl_line_at(&w, "done", task->zone, task->done_at);
		json_write_member(&w, "done_by", task->done_by);
		ctl_line_end(&w);
		return;
	}
	buf_printf(&listing->out, "%s  %s%s  %s  %s%s%s  %s",
	    ctl_show_at(task->zone, task->due_at, due),
	    task->urgent ? "URGENT "
	    : task->held ? "HELD "
			 : "",
	    task->kind, task->about, task->patient,
	    task->reason == NULL ? "" : "  ",
	    task->reason == NULL ? "" : task->reason, task->id);
	if (task->taken_by != NULL) {
		buf_text(&listing->out, "  taken by ");
		ctl_line_foreign(&listing->out, task->taken_by);
	} else if (task->told > 0)
		buf_printf(
		    &listing->out, "  told %" PRId64 " times", task->told);
	if (task->done_at != AT_NEVER) {
		buf_printf(&listing->out, "  done %s by ",
		    ctl_show_at(task->zone, task->done_at, done));
		ctl_line_foreign(&listing->out, task->done_by);
	}
	if (task->text != NULL) {
		buf_text(&listing->out, "\n    ");
		ctl_line_foreign(&listing->out, task->text);
	}
	if (task->address != NULL) {
		buf_text(&listing->out, "\n    from ");
		ctl_line_foreign(&listing->out, task->address);
	}
	ctl_line_print(&listing->out);
}

static void
take_tasks(const struct db_result *result, void *arg)
{
	struct listing *listing = arg;
	struct arena *arena = listing->ctl->arena;

	listing->count = db_rows(result);
	for (int row = 0; row < db_rows(result); row++) {
		enum kind kind = (enum kind)db_i64(result, row, 3);
		int64_t slot = db_i64(result, row, 5);
		struct task_line task = {
		    .kind = kind_word(kind),
		    .about =
			about(kind, slot, (enum stage)db_i64(result, row, 6)),
		    .reason = reason_word((enum reason)db_i64(result, row, 7)),
		    .urgent =
			kind == KIND_ANSWER && slot <= REPLY_ADVERSE_EVENT,
		    .held = kind == KIND_ANSWER && slot == REPLY_REFILL_YES &&
			    db_bool(result, row, 16),
		    .zone = zone_open(db_text(result, row, 12)),
		    .due_at = db_at(result, row, 8),
		    .done_at = db_at_or(result, row, 9, AT_NEVER),
		    .done_by = db_text(result, row, 10),
		    .patient = db_text(result, row, 11),
		    .told = db_i64(result, row, 17),
		    .taken_by = db_text(result, row, 18),
		    .text = text_of(listing, result, row),
		    .address = address_of(listing, result, row),
		};
		char on[11];

		task.id = arena_printf(arena,
		    "%" PRId64 "/%" PRId64 "/%s/%s/%" PRId64 "/%" PRId64,
		    db_i64(result, row, 0), db_i64(result, row, 1),
		    ctl_show_on(db_on(result, row, 2), on), task.kind,
		    db_i64(result, row, 4), slot);
		if (task.patient == NULL)
			task.patient =
			    arena_printf(arena, "%" PRId64 "/%" PRId64,
				db_i64(result, row, 0), db_i64(result, row, 1));
		print_task(listing, &task);
	}
}

static int
run_tasks(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_tasks;
	const char *patient = NULL, *tenant = NULL, *value;
	struct listing listing = {.ctl = ctl, .out = BUF_INIT(0)};
	struct ctl_person person;
	int32_t limit = LIMIT;
	struct db_unit *unit;
	bool done = false;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--limit"))) {
			if (!ctl_number(value, LIMIT_MAX, &limit))
				ctl_fail(EXIT_USAGE_, "--limit takes 1 to %d",
				    LIMIT_MAX);
		} else if ((value = ctl_option(
				verb, argc, argv, &i, "--tenant")))
			tenant = value;
		else if (strcmp(argv[i], "--done") == 0)
			done = true;
		else if (strcmp(argv[i], "--text") == 0)
			listing.text = true;
		else if (patient == NULL && argv[i][0] != '-')
			patient = argv[i];
		else
			ctl_stray(verb, argv[i]);
	}
	if (patient != NULL)
		ctl_person_find(ctl, tenant, patient, &person);
	if (tenant != NULL)
		(void)ctl_tenant(ctl, tenant); /* it must be there */
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "ctl_tasks", take_tasks, &listing);
	if (patient == NULL) {
		db_param_null(unit);
		db_param_null(unit);
	} else {
		db_param_i16(unit, person.bucket);
		db_param_i64(unit, person.patient_id);
	}
	db_param_text(unit, tenant);
	db_param_bool(unit, done);
	db_param_i32(unit, limit);
	ctl_run(unit);
	if (listing.count == 0 && !ctl->json)
		(void)puts("nothing to do");
	else if (listing.count == limit)
		(void)fprintf(stderr,
		    "adherctl: the first %d; --limit shows more\n", limit);
	buf_free(&listing.out);
	return 0;
}

/* ---- done, taken ---- */

struct task_keys {
	struct db_array bucket, patient_id, on, kind, source, slot;
	int count;
};

/* "17/42/2026-03-08/answer/12/0" */
static void
add_task(struct ctl *ctl, const char *name, struct task_keys *keys)
{
	char *rest = arena_text(ctl->arena, name);
	const char *part[6] = {NULL};
	enum kind kind;
	int32_t on;
	int64_t number[6] = {0};
	char end;

	for (unsigned i = 0; i < COUNT(part); i++)
		part[i] = strsep(&rest, "/");
	kind = part[3] == NULL ? 0 : kind_from_word(part[3]);
	if (part[5] == NULL || rest != NULL || kind == 0 ||
	    !civil_parse(part[2], &on))
		ctl_fail(EXIT_USAGE_, "\"%s\" names no task", name);
	for (unsigned i = 0; i < COUNT(part); i++)
		if (i != 2 && i != 3 &&
		    sscanf(part[i], "%" SCNd64 "%c", &number[i], &end) != 1)
			ctl_fail(EXIT_USAGE_, "\"%s\" names no task", name);
	if (number[0] < 0 || number[0] >= BUCKETS || number[4] < 0 ||
	    number[4] > INT32_MAX || number[5] < 0 || number[5] > INT32_MAX)
		ctl_fail(EXIT_USAGE_, "\"%s\" names no task", name);
	if (++keys->count > DONE_MAX)
		ctl_fail(EXIT_USAGE_, "more than %d tasks", DONE_MAX);
	db_array_i64(&keys->bucket, number[0]);
	db_array_i64(&keys->patient_id, number[1]);
	db_array_i64(&keys->on, on);
	db_array_i64(&keys->kind, kind);
	db_array_i64(&keys->source, number[4]);
	db_array_i64(&keys->slot, number[5]);
}

static void
take_affected(const struct db_result *result, void *arg)
{
	*(int64_t *)arg = db_affected(result);
}

static int
change_tasks(struct ctl *ctl, const struct ctl_verb *verb,
    const char *statement, const char *what, int argc, char **argv)
{
	const char *by = NULL, *value;
	struct task_keys keys = {.count = 0};
	struct db_array *arrays[] = {&keys.bucket, &keys.patient_id, &keys.on,
	    &keys.kind, &keys.source, &keys.slot};
	static const enum db_type types[] = {
	    DB_I16, DB_I64, DB_ON, DB_I16, DB_I32, DB_I32};
	int64_t now, done = 0;
	struct db_unit *unit;

	for (unsigned i = 0; i < COUNT(arrays); i++)
		db_array_init(arrays[i], types[i]);
	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--by")))
			by = value;
		else if (argv[i][0] != '-')
			add_task(ctl, argv[i], &keys);
		else
			ctl_stray(verb, argv[i]);
	}
	if (keys.count == 0 || by == NULL || *by == '\0')
		ctl_usage(verb);
	now = ctl_now(ctl, NULL);
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, statement, take_affected, &done);
	for (unsigned i = 0; i < COUNT(arrays); i++) {
		db_param_array(unit, arrays[i]);
		db_array_free(arrays[i]);
	}
	db_param_at(unit, now);
	db_param_text(unit, by);
	ctl_run(unit);
	if (done < keys.count)
		ctl_fail(EXIT_DATA, "%" PRId64 " of %d were open and are %s",
		    done, keys.count, what);
	return 0;
}

static int
run_done(struct ctl *ctl, int argc, char **argv)
{
	return change_tasks(
	    ctl, &ctl_task_done, "ctl_task_done", "done", argc, argv);
}

static int
run_take(struct ctl *ctl, int argc, char **argv)
{
	return change_tasks(
	    ctl, &ctl_task_take, "ctl_task_take", "taken", argc, argv);
}

/* ---- release ---- */

struct release {
	bool safety_hold, adverse_event, pause, address;
	bool stood[4], found;
};

static void
take_stood(const struct db_result *result, void *arg)
{
	struct release *release = arg;

	release->found = db_rows(result) == 1;
	for (int i = 0; i < 4 && release->found; i++)
		release->stood[i] = db_bool(result, 0, i);
}

/* Labels of replies that made what is ended. */
static void
param_labels(struct db_unit *unit, const struct release *release)
{
	struct db_array labels;

	db_array_init(&labels, DB_I32);
	if (release->safety_hold)
		db_array_i64(&labels, REPLY_EMERGENCY);
	if (release->adverse_event)
		db_array_i64(&labels, REPLY_ADVERSE_EVENT);
	if (release->pause) {
		db_array_i64(&labels, REPLY_DECEASED);
		db_array_i64(&labels, REPLY_STOPPED);
	}
	if (release->address)
		db_array_i64(&labels, REPLY_WRONG_NUMBER);
	db_param_array(unit, &labels);
	db_array_free(&labels);
}

static void
end_hold(struct ctl *ctl, const struct ctl_person *person,
    struct release *release, const char *by)
{
	int64_t now = ctl_now(ctl, NULL);
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	db_unit_add(unit, "agenda_touch", NULL, NULL);
	ctl_person_keys(unit, person);
	db_param_at(unit, now);
	db_param_i16(unit, CLASS_TIMED);
	db_unit_add(unit, "ctl_release", take_stood, release);
	db_param_i16(unit, person->bucket);
	db_param_i64(unit, person->patient_id);
	db_param_bool(unit, release->safety_hold);
	db_param_bool(unit, release->adverse_event);
	db_param_bool(unit, release->pause);
	db_param_bool(unit, release->address);
	param_labels(unit, release);
	db_param_at(unit, now);
	db_param_text(unit, by);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	ctl_person_keys(unit, person);
	db_unit_add(unit, "agenda_notify_people", NULL, NULL);
	ctl_person_keys(unit, person);
	ctl_run(unit);
}

static int
run_release(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_release;
	const char *patient = NULL, *tenant = NULL, *by = NULL, *value;
	struct release release = {.found = false};
	struct ctl_person person;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			tenant = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--by")))
			by = value;
		else if (strcmp(argv[i], "--safety-hold") == 0)
			release.safety_hold = true;
		else if (strcmp(argv[i], "--adverse-event") == 0)
			release.adverse_event = true;
		else if (strcmp(argv[i], "--pause") == 0)
			release.pause = true;
		else if (strcmp(argv[i], "--address") == 0)
			release.address = true;
		else if (patient == NULL && argv[i][0] != '-')
			patient = argv[i];
		else
			ctl_stray(verb, argv[i]);
	}
	if (patient == NULL || by == NULL || *by == '\0' ||
	    !(release.safety_hold || release.adverse_event || release.pause ||
		release.address))
		ctl_usage(verb);
	ctl_person_find(ctl, tenant, patient, &person);
	end_hold(ctl, &person, &release, by);
	if (!release.found)
		ctl_fail(EXIT_NO_INPUT, "no patient \"%s\"", patient);
	if ((release.safety_hold && !release.stood[0]) ||
	    (release.adverse_event && !release.stood[1]) ||
	    (release.pause && !release.stood[2]) ||
	    (release.address && !release.stood[3]))
		(void)fputs("adherctl: some of it did not stand\n", stderr);
	if (release.stood[1] && !release.adverse_event)
		(void)fputs("adherctl: refills and orders are still held: "
			    "--adverse-event\n",
		    stderr);
	return 0;
}
