/*
 * adherctl plan: the dry run over FHIR files, without database and
 * configuration, or over what the database knows of one patient.  Writes
 * nothing but its lines.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_person.h"
#include "ctl_plan_diff.h"
#include "ctl_program.h"
#include "ctl_world.h"
#include "door/dry_run.h"
#include "door/fhir_dossier.h"

#define ZONE_STANDARD "Asia/Shanghai" /* that of a tenant who states none */
#define DAYS_OF_PATIENT 14

struct product_class {
	const char *drug, *word;
	bool used; /* somebody takes it */
};

struct plan_request {
	struct list files;    /* const char * */
	struct list programs; /* const char *: files and folders of rules */
	struct list products; /* struct product_class */
	struct list *words;   /* where a word without option belongs */
	const char *diff_old, *diff_new;
	const char *patient, *tenant;
	const char *at;
	struct fhir_options options;
	struct fhir_view view;
	bool has_from;
};

static int run(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_plan = {
    .words = "plan",
    .usage =
	"--fhir FILE… --from DATE --days N "
	"[--assume-consent TOPIC,…]\n"
	"           [--phone-is-mobile] [--zone ZONE] [--json]\n"
	"           [--program FILE|FOLDER…] [--product DRUG=CLASS]\n"
	"       adherctl plan --diff OLD NEW --fhir FILE… --from DATE "
	"--days N\n"
	"           (OLD and NEW: files or folders of rules, or default; "
	"exit 1\n"
	"           where they differ)\n"
	"       adherctl [-c FILE] plan PATIENT [--days N] [--at INSTANT]\n"
	"           [--tenant NAME] [--json]",
    .help = "what would be sent, held and given to people, day by day\n"
	    "  --fhir FILE…      bundles: the dossier, without a database\n"
	    "  --from, --days    the window, from local midnight on\n"
	    "  --assume-consent  to dose, refill, follow_up: where none is "
	    "recorded\n"
	    "  --phone-is-mobile any phone takes SMS\n"
	    "  --zone ZONE       of patients whose bundle names none\n"
	    "  --program         rules to plan by; --diff: what they change\n"
	    "  --product         the class of a drug, by its key or code\n"
	    "  PATIENT           one out of the database, by what is stored\n"
	    "Exits with 65 if some of a file is refused.",
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

/* A name that nobody's drug has is a slip. */
static void
warn_unused(const struct list *products)
{
	const struct product_class *classes = products->data;

	for (size_t i = 0; i < products->count; i++)
		if (!classes[i].used)
			(void)fprintf(stderr,
			    "adherctl: nobody has a prescription of \"%s\": "
			    "--product wants the drug's key or the code in "
			    "it\n",
			    classes[i].drug);
}

/* ---- files ---- */

/* Whom a dry run asks about, and the classes of what they take. */
struct known_person {
	const struct fhir_person *person;
	struct list *products; /* struct product_class */
};

/* Files say nothing of classes: --product does. */
static void
set_classes(struct list *products, struct arena *arena, struct dossier *dossier)
{
	struct product_class *classes = products->data;
	struct prescription *list =
	    arena_array(arena, dossier->prescription_count + 1, sizeof(*list));

	for (uint32_t i = 0; i < dossier->prescription_count; i++) {
		list[i] = dossier->prescriptions[i];
		for (size_t k = 0; k < products->count; k++)
			if (drug_is_named(list[i].drug, classes[k].drug)) {
				list[i].product_class = classes[k].word;
				classes[k].used = true;
			}
	}
	dossier->prescriptions = list;
}

static int64_t
know_person(const void *source, int64_t at, struct arena *arena,
    struct dossier *dossier)
{
	const struct known_person *known = source;
	int64_t more_at =
	    fhir_person_dossier(known->person, at, arena, dossier);

	if (known->products->count > 0)
		set_classes(known->products, arena, dossier);
	return more_at;
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

static const struct rules *
read_rules(struct ctl *ctl, const char *const *paths, size_t count)
{
	const struct program_file *files;
	uint32_t file_count = ctl_programs_read(ctl, paths, count, &files);

	return ctl_programs_rules(ctl, files, file_count);
}

static bool
print_diff(struct ctl *ctl, const struct plan_request *request,
    const struct dry_patient *patients, uint32_t count)
{
	return ctl_plan_diff(ctl, patients, count,
	    read_rules(ctl, &request->diff_old, 1),
	    read_rules(ctl, &request->diff_new, 1));
}

static int
plan_files(struct ctl *ctl, struct plan_request *request)
{
	struct fhir_file *files = read_files(ctl, request);
	const struct fhir_people *people = fhir_people_create(
	    files, request->files.count, &request->view, ctl->arena);
	struct dry_patient *patients =
	    arena_array(ctl->arena, people->count + 1, sizeof(*patients));
	struct known_person *known =
	    arena_array(ctl->arena, people->count + 1, sizeof(*known));
	const struct dry_line *lines;
	uint32_t count, refused_count = 0;
	bool differs = false;

	for (size_t i = 0; i < request->files.count; i++) {
		print_problems(&files[i]);
		refused_count += files[i].fhir->refused_count;
	}
	if (people->count == 0)
		ctl_fail(EXIT_DATA, "no patient in what was read");
	for (uint32_t i = 0; i < people->count; i++) {
		const struct fhir_person *person = people->persons[i];

		known[i] = (struct known_person){person, &request->products};
		patients[i] = (struct dry_patient){
		    .id = person->id,
		    .from = person->from,
		    .to = person->to,
		    .handled_before = person->from,
		    .planned_through = person->from,
		    .know = know_person,
		    .source = &known[i],
		};
	}
	if (request->diff_new != NULL) {
		differs = print_diff(ctl, request, patients, people->count);
	} else {
		count = dry_run(patients, people->count,
		    read_rules(
			ctl, request->programs.data, request->programs.count),
		    ctl->arena, &lines);
		print_lines(ctl, lines, count);
	}
	(void)fflush(stdout);
	warn_unused(&request->products);
	return refused_count > 0 ? EXIT_DATA : differs;
}

/* ---- the database ---- */

static int
plan_patient(struct ctl *ctl, const struct plan_request *request)
{
	int32_t days =
	    request->view.days > 0 ? request->view.days : DAYS_OF_PATIENT;
	struct ctl_world *world = ctl_world_load(ctl);
	struct dry_patient patient;
	struct ctl_person person;
	const struct rules *rules;
	const struct dry_line *lines;
	int64_t now;
	uint32_t count;

	ctl_person_find(ctl, request->tenant, request->patient, &person);
	ctl_person_load(ctl, &person);
	now = ctl_now(ctl, request->at);
	rules = ctl_world_rules(world, person.dossier.tenant_id);
	ctl_person_dry(
	    &person, rules, now, now + days * DAY_US, ctl->arena, &patient);
	patient.gateways = ctl_world_gateways(
	    world, person.dossier.tenant_id, person.dossier.locale);
	count = dry_run(&patient, 1, rules, ctl->arena, &lines);
	print_lines(ctl, lines, count);
	ctl_world_warn(world);
	ctl_world_free(world);
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

static const struct zone *
parse_zone(const char *name)
{
	const struct zone *zone = zone_open(name);

	if (zone == NULL)
		ctl_fail(EXIT_USAGE_, "no time zone \"%s\"", name);
	return zone;
}

static void
parse_product(struct ctl *ctl, const char *text, struct product_class *product)
{
	const char *equals = strrchr(text, '=');

	if (equals == NULL || !program_class_valid(equals + 1))
		ctl_fail(EXIT_USAGE_, "--product takes DRUG=CLASS");
	product->drug = arena_text_n(ctl->arena, text, (size_t)(equals - text));
	product->word = equals + 1;
}

/* Under which rules?  False where the word says nothing of that. */
static bool
take_rules_word(
    struct ctl *ctl, struct plan_request *r, int argc, char **argv, int *at)
{
	const struct ctl_verb *verb = &ctl_plan;
	const char *value;

	if ((value = ctl_option(verb, argc, argv, at, "--program")) != NULL) {
		r->words = &r->programs;
		*(const char **)list_add(&r->programs) = value;
	} else if ((value = ctl_option(verb, argc, argv, at, "--product")) !=
		   NULL) {
		parse_product(ctl, value, list_add(&r->products));
	} else if ((value = ctl_option(verb, argc, argv, at, "--diff")) !=
		   NULL) {
		if (++*at >= argc || argv[*at][0] == '-')
			ctl_usage(verb);
		r->diff_old = value;
		r->diff_new = argv[*at];
	} else {
		return false;
	}
	return true;
}

/* One word of the line, and the value that follows it. */
static void
take_word(struct ctl *ctl, struct plan_request *request, int argc, char **argv,
    int *at, bool *fhir)
{
	struct plan_request *r = request;
	bool option = strncmp(argv[*at], "--", 2) == 0;
	const char *value;

	if ((value = ctl_option(&ctl_plan, argc, argv, at, "--fhir")) != NULL) {
		*fhir = true;
		r->words = &r->files;
		*(const char **)list_add(&r->files) = value;
	} else if (take_rules_word(ctl, r, argc, argv, at)) {
		return;
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--from")) !=
		   NULL) {
		r->has_from = civil_parse(value, &r->view.from_on);
		if (!r->has_from)
			ctl_fail(EXIT_USAGE_, "\"%s\" is no date", value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--days")) !=
		   NULL) {
		r->view.days = ctl_days(value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at,
			"--assume-consent")) != NULL) {
		r->view.assume |= parse_topics(ctl, value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--zone")) !=
		   NULL) {
		r->view.zone = r->options.zone = parse_zone(value);
	} else if ((value = ctl_option(&ctl_plan, argc, argv, at, "--at")) !=
		   NULL) {
		r->at = value;
	} else if ((value = ctl_option(
			&ctl_plan, argc, argv, at, "--tenant")) != NULL) {
		r->tenant = value;
	} else if (strcmp(argv[*at], "--phone-is-mobile") == 0) {
		r->options.phone_is_mobile = true;
	} else if (!option && r->words != NULL) {
		*(const char **)list_add(r->words) = argv[*at];
	} else if (!option && r->patient == NULL) {
		r->patient = argv[*at];
	} else {
		ctl_stray(&ctl_plan, argv[*at]);
	}
}

/* What is missing, where something is. */
static void
check_request(const struct plan_request *r, bool fhir)
{
	const char *wrong = NULL;

	if (!fhir && r->patient == NULL)
		wrong = "--fhir FILE or PATIENT is missing";
	else if (fhir && r->patient != NULL)
		wrong = "either --fhir or PATIENT";
	else if (fhir && !r->has_from)
		wrong = "--from DATE is missing";
	else if (fhir && r->view.days == 0)
		wrong = "--days N is missing";
	else if (!fhir && (r->programs.count > 0 || r->diff_new != NULL))
		wrong = "--program and --diff go with --fhir";
	else if (r->programs.count > 0 && r->diff_new != NULL)
		wrong = "either --program or --diff";
	if (wrong == NULL)
		return;
	(void)fprintf(stderr, "adherctl: %s\n", wrong);
	ctl_usage(&ctl_plan);
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct plan_request request = {0};
	bool fhir = false;

	list_init(&request.files, ctl->arena, sizeof(const char *));
	list_init(&request.programs, ctl->arena, sizeof(const char *));
	list_init(&request.products, ctl->arena, sizeof(struct product_class));
	request.view.zone = request.options.zone = zone_open(ZONE_STANDARD);
	for (int i = 0; i < argc; i++)
		take_word(ctl, &request, argc, argv, &i, &fhir);
	check_request(&request, fhir);
	return fhir ? plan_files(ctl, &request) : plan_patient(ctl, &request);
}
