/*
 * adherctl plan: the dry run over FHIR files, without database and
 * configuration, or over what the database knows of one patient.  Writes
 * nothing but its lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl_person.h"
#include "door/dry_run.h"
#include "door/fhir_dossier.h"

#define ZONE_STANDARD "Asia/Shanghai" /* that of a tenant who states none */
#define DAYS_MAX 3660
#define DAYS_OF_PATIENT 14

struct plan_request {
	struct list files; /* const char * */
	const char *patient;
	const char *at;
	struct fhir_options options;
	struct fhir_view view;
	bool has_from;
};

static int run(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_plan = {
    .words = "plan",
    .usage = "--fhir FILE… --from DATE --days N "
	     "[--assume-consent TOPIC,…]\n"
	     "           [--phone-is-mobile] [--zone ZONE] [--json]\n"
	     "       adherctl [-c FILE] plan PATIENT [--days N] [--at INSTANT] "
	     "[--json]",
    .help = "what would be sent, held and given to people, day by day",
    .run = run,
};

/* ---- output ---- */

static int
widest_patient(const struct dry_line *lines, uint32_t count)
{
	int widest = 0;

	for (uint32_t i = 0; i < count; i++) {
		int width = (int)strlen(lines[i].patient);

		if (width > widest)
			widest = width;
	}
	return widest;
}

static void
print_lines(const struct ctl *ctl, const struct dry_line *lines, uint32_t count)
{
	int width = widest_patient(lines, count);
	struct buf out = BUF_INIT(0);

	for (uint32_t i = 0; i < count; i++) {
		buf_clear(&out);
		if (ctl->json) {
			dry_line_json(&lines[i], &out);
			buf_char(&out, '\n');
		} else {
			dry_line_table(&lines[i], width, &out);
		}
		(void)fwrite(out.data, 1, out.bytes, stdout);
	}
	buf_free(&out);
}

static void
print_problems(const struct fhir_file *file)
{
	const struct problem *problems = file->fhir->problems.data;

	for (size_t i = 0; i < file->fhir->problems.count; i++)
		(void)fprintf(stderr, "%s: %s%s%s\n", file->name,
		    problems[i].path, problems[i].path[0] == '\0' ? "" : ": ",
		    problems[i].text);
}

/* ---- files ---- */

static int64_t
know_person(const void *source, int64_t at, struct arena *arena,
    struct dossier *dossier)
{
	return fhir_person_dossier(source, at, arena, dossier);
}

static struct fhir_file *
read_files(struct ctl *ctl, const struct plan_request *request)
{
	const char *const *names = request->files.data;
	struct fhir_file *files =
	    arena_array(ctl->arena, request->files.count, sizeof(*files));

	for (size_t i = 0; i < request->files.count; i++) {
		size_t bytes;
		const char *text =
		    ctl_read_file(ctl, names[i], FHIR_BYTES_MAX, &bytes);

		files[i].name = names[i];
		files[i].fhir =
		    fhir_parse(text, bytes, &request->options, ctl->arena);
	}
	return files;
}

static int
plan_files(struct ctl *ctl, const struct plan_request *request)
{
	struct fhir_file *files = read_files(ctl, request);
	const struct fhir_people *people = fhir_people_create(
	    files, request->files.count, &request->view, ctl->arena);
	struct dry_patient *patients =
	    arena_array(ctl->arena, people->count + 1, sizeof(*patients));
	const struct dry_line *lines;
	uint32_t count;

	for (size_t i = 0; i < request->files.count; i++)
		print_problems(&files[i]);
	if (people->count == 0)
		ctl_fail(EXIT_DATA, "no patient in what was read");
	for (uint32_t i = 0; i < people->count; i++) {
		const struct fhir_person *person = people->persons[i];

		patients[i] = (struct dry_patient){
		    .id = person->id,
		    .from = person->from,
		    .to = person->to,
		    .handled_before = person->from,
		    .planned_through = person->from,
		    .know = know_person,
		    .source = person,
		};
	}
	count = dry_run(patients, people->count, ctl->arena, &lines);
	print_lines(ctl, lines, count);
	return 0;
}

/* ---- the database ---- */

/* All that the database knows it knows now. */
static int64_t
know_stored(const void *source, int64_t at, struct arena *arena,
    struct dossier *dossier)
{
	const struct ctl_person *person = source;
	struct open_delivery *open =
	    arena_array(arena, person->dossier.open_count + 1, sizeof(*open));

	(void)at;
	*dossier = person->dossier;
	dossier->open = open;
	dossier->open_count = 0;
	/* what went out counts as delivered, known or not */
	for (uint32_t i = 0; i < person->dossier.open_count; i++)
		if (person->dossier.open[i].state == DELIVERY_RETRY)
			open[dossier->open_count++] = person->dossier.open[i];
	return AT_NEVER;
}

static int
plan_patient(struct ctl *ctl, const struct plan_request *request)
{
	int32_t days =
	    request->view.days > 0 ? request->view.days : DAYS_OF_PATIENT;
	struct dry_patient patient;
	struct ctl_person person;
	const struct dry_line *lines;
	int64_t now;
	uint32_t count;

	ctl_person_find(ctl, request->patient, &person);
	ctl_person_load(ctl, &person);
	now = ctl_now(ctl, request->at);
	patient = (struct dry_patient){
	    .id = person.label,
	    .from = now,
	    .to = now + days * DAY_US,
	    .handled_before = AT_UNKNOWN,
	    .planned_through =
		person.planned ? person.planned_through : AT_UNKNOWN,
	    .said = person.dossier.said,
	    .said_count = person.dossier.said_count,
	    .know = know_stored,
	    .source = &person,
	};
	count = dry_run(&patient, 1, ctl->arena, &lines);
	print_lines(ctl, lines, count);
	return 0;
}

/* ---- the command line ---- */

static uint32_t
parse_topics(struct ctl *ctl, const char *text)
{
	char *rest = arena_text(ctl->arena, text);
	uint32_t topics = 0;

	for (char *word = strsep(&rest, ","); word != NULL;
	     word = strsep(&rest, ",")) {
		if (topic_from_word(word) == 0)
			ctl_fail(EXIT_USAGE_, "no topic \"%s\"", word);
		topics |= topic_from_word(word);
	}
	return topics;
}

static int32_t
parse_days(const char *text)
{
	char *end;
	long days = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || days < 1 || days > DAYS_MAX)
		ctl_fail(EXIT_USAGE_, "--days takes 1 to %d", DAYS_MAX);
	return (int32_t)days;
}

static const struct zone *
parse_zone(const char *name)
{
	const struct zone *zone = zone_open(name);

	if (zone == NULL)
		ctl_fail(EXIT_USAGE_, "no time zone \"%s\"", name);
	return zone;
}

/* One word of the line, and the value that follows it. */
static void
take_word(struct ctl *ctl, struct plan_request *request, int argc, char **argv,
    int *at, bool *fhir)
{
	struct plan_request *r = request;
	const char *value;

	if ((value = ctl_option(&ctl_plan, argc, argv, at, "--fhir")) != NULL) {
		*fhir = true;
		*(const char **)list_add(&r->files) = value;
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--from")) !=
		   NULL) {
		r->has_from = civil_parse(value, &r->view.from_on);
		if (!r->has_from)
			ctl_fail(EXIT_USAGE_, "\"%s\" is no date", value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--days")) !=
		   NULL) {
		r->view.days = parse_days(value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at,
			"--assume-consent")) != NULL) {
		r->view.assume |= parse_topics(ctl, value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--zone")) !=
		   NULL) {
		r->view.zone = r->options.zone = parse_zone(value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--at")) !=
		   NULL) {
		r->at = value;
	} else if (strcmp(argv[*at], "--phone-is-mobile") == 0) {
		r->options.phone_is_mobile = true;
	} else if (strncmp(argv[*at], "--", 2) == 0) {
		ctl_usage(&ctl_plan);
	} else if (*fhir) {
		*(const char **)list_add(&r->files) = argv[*at];
	} else if (r->patient == NULL) {
		r->patient = argv[*at];
	} else {
		ctl_usage(&ctl_plan);
	}
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct plan_request request = {0};
	bool fhir = false;

	list_init(&request.files, ctl->arena, sizeof(const char *));
	request.view.zone = request.options.zone = zone_open(ZONE_STANDARD);
	for (int i = 0; i < argc; i++)
		take_word(ctl, &request, argc, argv, &i, &fhir);
	if (fhir == (request.patient != NULL) ||
	    (fhir && (!request.has_from || request.view.days == 0)))
		ctl_usage(&ctl_plan);
	return fhir ? plan_files(ctl, &request) : plan_patient(ctl, &request);
}
