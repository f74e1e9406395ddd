/*
 * adherctl template check: all that is wrong with a folder of texts, before
 * a provider's reviewer, a patient or a court says it.  Needs no database;
 * with a configuration it takes its gateways and compares with what they
 * approved.  Changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_template.h"
#include "flow/gateway_host.h"

#define GATEWAYS_MAX 64
#define PARAMETERS_MAX 32
#define LINE_BYTES_MAX 4096

/* What was asked for, and what it is done with. */
struct checking {
	struct ctl *ctl;
	const char *directory;          /* NULL: the configuration's */
	const char *registrations_file; /* NULL: the database's */
	const char *wanted[GATEWAYS_MAX];
	uint32_t wanted_count;
	bool discreet;
	bool configured; /* gateways and database come from the configuration */
	struct template_check check;
};

/* ---- gateways ---- */

/* The name of a gateway or of its plug-in was given, or none at all. */
static bool
is_wanted(const struct checking *c, const char *name, const char *plugin)
{
	for (uint32_t i = 0; i < c->wanted_count; i++)
		if (strcmp(c->wanted[i], name) == 0 ||
		    strcmp(c->wanted[i], plugin) == 0)
			return true;
	return c->wanted_count == 0;
}

/* The approvals of one gateway, on their way out of the database. */
struct loading {
	struct checking *checking;
	const struct gateway *gateway;
	struct list approvals; /* struct template_approval */
};

static void
split_names(struct arena *arena, const char *names, struct template_approval *a)
{
	char *text = arena_text(arena, names), *save = NULL;
	const char **list = arena_array(arena, PARAMETERS_MAX, sizeof(*list));

	for (char *name = strtok_r(text, " ", &save);
	     name != NULL && a->parameter_count < PARAMETERS_MAX;
	     name = strtok_r(NULL, " ", &save))
		list[a->parameter_count++] = name;
	a->parameters = list;
}

/* Is it a row of this gateway, of a kind and stage that we know? */
static bool
is_its_row(const struct db_result *result, int row, const struct gateway *g)
{
	int64_t kind = db_i64(result, row, 2), stage = db_i64(result, row, 3);

	return db_i64(result, row, 0) == g->tenant_id &&
	       strcmp(db_text(result, row, 1), g->name) == 0 &&
	       kind >= KIND_DOSE && kind <= KIND_ANSWER && stage >= STAGE_DUE &&
	       stage < STAGE_COUNT;
}

static void
take_approvals(const struct db_result *result, void *arg)
{
	struct loading *loading = arg;
	struct arena *arena = loading->checking->ctl->arena;

	for (int row = 0; row < db_rows(result); row++) {
		struct template_approval *a;
		const uint8_t *hash;
		size_t bytes;

		if (!is_its_row(result, row, loading->gateway))
			continue;
		hash = db_bytes(result, row, 8, &bytes);
		a = list_add(&loading->approvals);
		*a = (struct template_approval){
		    .kind = (enum kind)db_i64(result, row, 2),
		    .stage = (enum stage)db_i64(result, row, 3),
		    .locale = arena_text(arena, db_text(result, row, 4)),
		    .code = arena_text(arena, db_text(result, row, 5)),
		    .signature = arena_text(arena, db_text(result, row, 6)),
		    .text_hash = arena_copy(arena, hash, bytes),
		    .promotion =
			strcmp(db_text(result, row, 9), "promotion") == 0,
		};
		split_names(arena, db_text(result, row, 7), a);
	}
}

static void
load_approvals(struct loading *loading)
{
	struct ctl *ctl = loading->checking->ctl;
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));

	db_unit_add(unit, "registration_load", take_approvals, loading);
	ctl_run(unit);
}

static void
check_configured(struct checking *c, const struct gateway *gateway)
{
	struct loading loading = {.checking = c, .gateway = gateway};
	bool approves = (gateway->api->flags & GW_TEMPLATES) != 0;
	const struct template_gateway check = {
	    .name = gateway->name,
	    .channel = gateway->channel,
	    .limits = template_limits_find(gateway->api->name),
	    .source = c->registrations_file != NULL ? c->registrations_file
						    : "template_registration",
	    .approval_needed = approves && c->registrations_file == NULL,
	};

	list_init(&loading.approvals, c->ctl->arena,
	    sizeof(struct template_approval));
	if (c->registrations_file != NULL)
		ctl_read_approvals(
		    c->ctl, c->registrations_file, &loading.approvals);
	else if (approves)
		load_approvals(&loading);
	template_check_gateway(
	    &c->check, &check, loading.approvals.data, loading.approvals.count);
}

/* A provider of the table, without a configuration. */
static void
check_provider(struct checking *c, const char *plugin)
{
	const struct template_limits *limits = template_limits_find(plugin);
	struct list approvals = {.count = 0};
	struct template_gateway check = {
	    .name = plugin, .limits = limits, .source = c->registrations_file};

	if (limits == NULL) {
		const char *near = template_limits_nearest(plugin);

		ctl_fail(EXIT_USAGE_,
		    near == NULL ? "no gateway \"%s\""
				 : "no gateway \"%s\"; did you mean \"%s\"?",
		    plugin, near);
	}
	if (c->registrations_file != NULL)
		ctl_read_approvals(c->ctl, c->registrations_file, &approvals);
	for (enum channel channel = CHANNEL_WECHAT_MINI;
	     channel < CHANNEL_COUNT; channel++) {
		check.channel = channel;
		if (limits->channels & CHANNEL_BIT(channel))
			template_check_gateway(
			    &c->check, &check, approvals.data, approvals.count);
	}
}

/* Those of the configuration; what it does not know is a provider's name. */
static void
check_gateways(struct checking *c)
{
	struct gateways *gateways = c->configured ? ctl_gateways(c->ctl) : NULL;
	size_t count = gateways == NULL ? 0 : gateways_count(gateways);

	for (size_t i = 0; i < count; i++) {
		const struct gateway *gateway = gateways_at(gateways, i);

		if (gateway->channel != CHANNEL_NONE &&
		    is_wanted(c, gateway->name, gateway->api->name))
			check_configured(c, gateway);
	}
	for (uint32_t i = 0; i < c->wanted_count; i++) {
		bool known = false;

		for (size_t j = 0; j < count && !known; j++) {
			const struct gateway *g = gateways_at(gateways, j);

			known = strcmp(c->wanted[i], g->name) == 0 ||
				strcmp(c->wanted[i], g->api->name) == 0;
		}
		if (!known)
			check_provider(c, c->wanted[i]);
	}
	if (gateways != NULL)
		gateways_free(gateways);
}

/* ---- output ---- */

static void
print_json(const struct finding *finding)
{
	struct buf out = BUF_INIT(LINE_BYTES_MAX * 4);
	struct json_writer w = ctl_line_begin(&out, NULL);

	json_write_member(&w, "file", finding->place.file);
	ctl_line_number_if(&w, "line", finding->place.line);
	ctl_line_number_if(&w, "column", finding->place.column);
	json_write_member(&w, "severity", severity_word(finding->severity));
	json_write_member(&w, "rule", finding->rule);
	json_write_member(&w, "message", finding->text);
	ctl_line_end(&w);
	buf_free(&out);
}

/* A finding about a whole file stands at its first line. */
static void
print_finding(const struct finding *finding)
{
	(void)printf("%s:%d", finding->place.file,
	    finding->place.line > 0 ? finding->place.line : 1);
	if (finding->place.column > 0)
		(void)printf(":%d", finding->place.column);
	(void)printf(" %s %s %s\n", severity_word(finding->severity),
	    finding->rule, finding->text);
}

static int
print_findings(const struct ctl *ctl, struct findings *findings)
{
	const struct finding *list = findings->list.data;

	findings_sort(findings);
	for (size_t i = 0; i < findings->list.count; i++)
		if (ctl->json)
			print_json(&list[i]);
		else
			print_finding(&list[i]);
	return findings->error_count > 0 ? 1 : 0;
}

/* ---- the verb ---- */

static void
take_arguments(struct checking *c, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_template_check;
	const char *value;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--gateway")) !=
		    NULL) {
			if (c->wanted_count == GATEWAYS_MAX)
				ctl_usage(verb);
			c->wanted[c->wanted_count++] = value;
		} else if ((value = ctl_option(verb, argc, argv, &i,
				"--registrations")) != NULL) {
			c->registrations_file = value;
		} else if (strcmp(argv[i], "--discreet") == 0) {
			c->discreet = true;
		} else if (argv[i][0] == '-' || c->directory != NULL) {
			ctl_stray(verb, argv[i]);
		} else {
			c->directory = argv[i];
		}
	}
	/* a file does not say whose registrations it has */
	if (c->registrations_file != NULL && c->wanted_count != 1)
		ctl_usage(verb);
}

static int
run_check(struct ctl *ctl, int argc, char **argv)
{
	struct checking c = {.ctl = ctl};
	struct findings findings;
	struct word_lists words;
	struct template_set *set;
	struct conf_error error;
	int status;

	take_arguments(&c, argc, argv);
	c.configured = ctl->config_path != NULL || c.directory == NULL;
	if (c.directory == NULL)
		c.directory = ctl_settings(ctl)->template_dir;
	findings_init(&findings, ctl->arena);
	set = template_files_read(c.directory, "zh-CN", &findings, &error);
	if (set == NULL)
		ctl_fail(EXIT_DATA, "%s", error.text);
	template_files_words(c.directory, &words, &findings);
	c.check = (struct template_check){
	    .set = set,
	    .words = &words,
	    .rules = program_default(),
	    .even_locales = true,
	    .discreet = c.discreet,
	    .findings = &findings,
	};
	template_check_set(&c.check);
	check_gateways(&c);
	status = print_findings(ctl, &findings);
	template_set_free(set);
	return status;
}

const struct ctl_verb ctl_template_check = {
    "template check",
    "[DIR] [--gateway NAME]… [--registrations FILE] [--discreet] [--json]",
    "what is wrong with the texts, and with what providers approved of them",
    run_check,
};
