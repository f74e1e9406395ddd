/*
 * adherctl template register: what a provider approved of our texts, from a
 * file into the database.  A text that changes afterwards is held until it
 * is registered anew.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_template.h"
#include "flow/gateway_host.h"

#define REGISTRATIONS_BYTES_MAX ((size_t)4 << 20)
#define REGISTRATIONS_MAX 5000
#define NAMES_BYTES_MAX 4096 /* of the parameters of one text */

/* One row of the file, for what is read from it and its errors. */
struct row {
	struct ctl *ctl;
	const char *file;
	uint32_t index;
	const struct json *json;
};

#define REFUSE(row, format, ...) \
	ctl_fail(EXIT_DATA, "%s: [%u]" format, (row)->file, (row)->index, \
	    __VA_ARGS__)

static const char *
read_text(const struct row *row, const char *key)
{
	const char *text = json_get_text(row->json, key);

	if (text == NULL)
		REFUSE(row,
		    ": no \"%s\": kind, stage, locale, code, signature and "
		    "parameters are needed",
		    key);
	return text;
}

static const char *
read_word(const struct row *row, const char *key)
{
	const char *text = read_text(row, key);

	if (text[0] == '\0')
		REFUSE(row, ".%s: is empty", key);
	return text;
}

/* The parameter names of one registration. */
static void
read_names(const struct row *row, struct template_approval *approval)
{
	const struct json *list = json_get(row->json, "parameters");
	const char **names = arena_array(row->ctl->arena,
	    (list == NULL ? 0 : list->count) + 1, sizeof(*names));

	if (!json_is(list, JSON_ARRAY))
		REFUSE(row, ".parameters: %s", "not an array of names");
	json_each (name, list) {
		if (json_text(name) == NULL || *json_text(name) == '\0' ||
		    strchr(json_text(name), ' ') != NULL)
			REFUSE(row, ".parameters: %s", "not names");
		names[approval->parameter_count++] = json_text(name);
	}
	approval->parameters = names;
}

static bool
read_class(const struct row *row)
{
	const struct json *json = json_get(row->json, "class");
	const char *class = json == NULL ? "notification" : json_text(json);

	if (class == NULL || (strcmp(class, "notification") != 0 &&
				 strcmp(class, "promotion") != 0))
		REFUSE(row, ".class: %s", "not notification or promotion");
	return strcmp(class, "promotion") == 0;
}

static bool
read_long_term(const struct row *row)
{
	const struct json *json = json_get(row->json, "long_term");

	if (json != NULL && !json_is(json, JSON_TRUE) &&
	    !json_is(json, JSON_FALSE))
		REFUSE(row, ".long_term: %s", "not true or false");
	return json_is(json, JSON_TRUE);
}

static void
read_approval(const struct row *row, struct template_approval *approval)
{
	const char *kind = read_word(row, "kind");
	const char *stage = read_word(row, "stage");

	*approval = (struct template_approval){
	    .kind = kind_from_word(kind),
	    .stage = stage_from_word(stage),
	    .locale = read_word(row, "locale"),
	    .code = read_word(row, "code"),
	    .signature = read_text(row, "signature"),
	    .promotion = read_class(row),
	    .long_term = read_long_term(row),
	};
	if (approval->kind == 0 || approval->stage == STAGE_NONE)
		REFUSE(row, ": no text for %s %s %s", kind, stage,
		    approval->locale);
	read_names(row, approval);
}

/* One text has one approval; which of two would be a matter of luck. */
static void
check_new(const struct row *row, const struct template_approval *approvals)
{
	const struct template_approval *own = &approvals[row->index];

	for (uint32_t i = 0; i < row->index; i++)
		if (approvals[i].kind == own->kind &&
		    approvals[i].stage == own->stage &&
		    strcmp(approvals[i].locale, own->locale) == 0)
			REFUSE(row, ": %s %s %s is registered by [%u] already",
			    kind_word(own->kind), stage_word(own->stage),
			    own->locale, i);
}

void
ctl_read_approvals(struct ctl *ctl, const char *file, struct list *approvals)
{
	const struct json *list =
	    ctl_read_json(ctl, file, REGISTRATIONS_BYTES_MAX);
	struct row row = {.ctl = ctl, .file = file};

	if (!json_is(list, JSON_ARRAY) || list->count == 0)
		ctl_fail(EXIT_DATA, "%s: not an array of registrations", file);
	if (list->count > REGISTRATIONS_MAX)
		ctl_fail(EXIT_DATA, "%s: over %d registrations", file,
		    REGISTRATIONS_MAX);
	list_init(approvals, ctl->arena, sizeof(struct template_approval));
	json_each (json, list) {
		row.json = json;
		read_approval(&row, list_add(approvals));
		check_new(&row, approvals->data);
		row.index++;
	}
}

struct registering {
	struct ctl *ctl;
	struct template_set *set;
	enum channel channel; /* of the gateway: its own texts go first */
	const char *file;
	struct db_array kind, stage, locale, code, signature, parameters, hash,
	    long_term;
};

/* The parameter names as one text, checked against the template. */
static const char *
join_parameters(struct registering *r, const struct template *template,
    const struct template_approval *approval, uint32_t index)
{
	struct conf_error error = {""};
	struct buf joined = BUF_INIT(NAMES_BYTES_MAX);
	char *text;

	for (uint32_t i = 0; i < approval->parameter_count; i++)
		buf_printf(
		    &joined, "%s%s", i > 0 ? " " : "", approval->parameters[i]);
	if (template_parameters_parse(template, approval->parameters,
		approval->parameter_count, r->ctl->arena, &error) == NULL)
		ctl_fail(EXIT_DATA, "%s: [%u].parameters: %s", r->file, index,
		    error.text);
	text = arena_text(r->ctl->arena, buf_string(&joined));
	buf_free(&joined);
	return text;
}

static void
take_registration(struct registering *r,
    const struct template_approval *approval, uint32_t index)
{
	const struct template *template = template_of_locale(r->set,
	    approval->kind, approval->stage, r->channel, approval->locale);

	if (template == NULL)
		ctl_fail(EXIT_DATA, "%s: [%u]: no text for %s %s %s", r->file,
		    index, kind_word(approval->kind),
		    stage_word(approval->stage), approval->locale);
	if (approval->promotion)
		ctl_fail(EXIT_DATA,
		    "%s: [%u]: a promotion; reminders are notifications",
		    r->file, index);
	db_array_i64(&r->kind, template->kind);
	db_array_i64(&r->stage, template->stage);
	db_array_text(&r->locale, template->locale);
	db_array_text(&r->code, approval->code);
	db_array_text(&r->signature, approval->signature);
	db_array_text(
	    &r->parameters, join_parameters(r, template, approval, index));
	db_array_bytes(
	    &r->hash, template->text_hash, sizeof(template->text_hash));
	db_array_bool(&r->long_term, approval->long_term);
}

/* The channel of a gateway of the configuration, or exits. */
static enum channel
channel_of(struct ctl *ctl, const char *name)
{
	struct gateways *gateways = ctl_gateways(ctl);
	const struct gateway *gateway = gateways_find(gateways, name);
	enum channel channel;

	if (gateway == NULL)
		ctl_fail(EXIT_DATA, "no [gateway \"%s\"] in the configuration",
		    name);
	channel = gateway->channel;
	gateways_free(gateways);
	return channel;
}

static void
store_registrations(struct registering *r, const char *gateway)
{
	struct clock clock = ctl_clock(r->ctl);
	struct db_unit *unit = db_unit_begin(ctl_database(r->ctl));

	db_unit_add(unit, "registration_store", NULL, NULL);
	db_param_i32(unit, 1);
	db_param_text(unit, gateway);
	db_param_array(unit, &r->kind);
	db_param_array(unit, &r->stage);
	db_param_array(unit, &r->locale);
	db_param_array(unit, &r->code);
	db_param_array(unit, &r->signature);
	db_param_array(unit, &r->parameters);
	db_param_array(unit, &r->hash);
	db_param_at(unit, clock_unmoved(&clock));
	db_param_array(unit, &r->long_term);
	ctl_run(unit);
}

static int
run_register(struct ctl *ctl, int argc, char **argv)
{
	struct registering r = {.ctl = ctl};
	struct list approvals;
	uint32_t index = 0;

	if (argc != 2)
		ctl_usage(&ctl_template_register);
	r.file = argv[1];
	r.channel = channel_of(ctl, argv[0]);
	r.set = ctl_load_templates(ctl, NULL);
	ctl_read_approvals(ctl, r.file, &approvals);
	db_array_init(&r.kind, DB_I16);
	db_array_init(&r.stage, DB_I16);
	db_array_init(&r.locale, DB_TEXT);
	db_array_init(&r.code, DB_TEXT);
	db_array_init(&r.signature, DB_TEXT);
	db_array_init(&r.parameters, DB_TEXT);
	db_array_init(&r.hash, DB_BYTES);
	db_array_init(&r.long_term, DB_BOOL);
	for (; index < approvals.count; index++)
		take_registration(&r,
		    (const struct template_approval *)approvals.data + index,
		    index);
	store_registrations(&r, argv[0]);
	(void)printf("%u texts registered for %s\n", index, argv[0]);
	db_array_free(&r.kind);
	db_array_free(&r.stage);
	db_array_free(&r.locale);
	db_array_free(&r.code);
	db_array_free(&r.signature);
	db_array_free(&r.parameters);
	db_array_free(&r.hash);
	db_array_free(&r.long_term);
	template_set_free(r.set);
	return 0;
}

const struct ctl_verb ctl_template_register = {
    "template register",
    "GATEWAY FILE",
    "record what a provider approved: a JSON array of kind, stage, locale, "
    "code, signature, parameters",
    run_register,
};
