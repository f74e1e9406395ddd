/*
 * adherctl staff: who is of the care team, and where they hear of tasks.  A
 * member has an agenda row as everybody has who is written to.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "care/escalation.h"
#include "ctl_line.h"
#include "ctl_person.h"
#include "door/fhir.h"
#include "flow/person.h"
#include "flow/statements.h"

#define SOURCE "staff" /* of the identity */
#define ID_BYTES_MAX 64
#define ADDRESS_BYTES_MAX 128

static int run_add(struct ctl *ctl, int argc, char **argv);
static int run_list(struct ctl *ctl, int argc, char **argv);
static int run_end(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_staff_add = {
    .words = "staff add",
    .usage = "ID --role ROLE --address CHANNEL:ADDRESS… [--zone ZONE]\n"
	     "           [--locale LOCALE] [--tenant NAME]",
    .help =
	"somebody of the care team, who hears of tasks\n"
	"  ID           as tasks will name them\n"
	"  --role       nurse, pharmacist or doctor\n"
	"  --address    wecom:USERID, sms:+8613800000000; the first is used",
    .run = run_add,
};
const struct ctl_verb ctl_staff_list = {
    .words = "staff list",
    .usage = "[--tenant NAME] [--json]",
    .help = "the care team",
    .run = run_list,
};
const struct ctl_verb ctl_staff_end = {
    .words = "staff end",
    .usage = "ID [--again] [--tenant NAME]",
    .help = "write to that one no more\n"
	    "  --again      or again",
    .run = run_end,
};

/* ---- add ---- */

struct joining {
	const char *zone, *locale, *tenant;
	struct new_person person;
};

static void
add_address(struct ctl *ctl, const char *text, struct joining *joining)
{
	const char *colon = strchr(text, ':');
	enum channel channel = colon == NULL
				   ? CHANNEL_NONE
				   : channel_from_word(arena_text_n(ctl->arena,
					 text, (size_t)(colon - text)));
	const char *address = colon == NULL ? NULL : colon + 1;

	if (channel == CHANNEL_NONE || *address == '\0' ||
	    strlen(address) > ADDRESS_BYTES_MAX)
		ctl_fail(EXIT_USAGE_,
		    "--address takes CHANNEL:ADDRESS, such as "
		    "sms:+8613800000000");
	if (channel == CHANNEL_SMS)
		address = fhir_phone(address, true, ctl->arena);
	if (address == NULL)
		ctl_fail(EXIT_USAGE_, "--address: no telephone number");
	if (joining->person.address_count == PERSON_ADDRESSES_MAX)
		ctl_fail(EXIT_USAGE_, "more than %d addresses",
		    PERSON_ADDRESSES_MAX);
	joining->person.addresses[joining->person.address_count++] =
	    (struct person_address){channel, address};
}

static void
take_id(const struct db_result *result, void *arg)
{
	*(int64_t *)arg = db_i64(result, 0, 0);
}

static int64_t
draw_number(struct ctl *ctl)
{
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));
	int64_t number = 0;

	db_unit_add(unit, "intake_patient_ids", take_id, &number);
	db_param_i32(unit, 1);
	ctl_run(unit);
	return number;
}

static void
take_same(const struct db_result *result, void *arg)
{
	*(bool *)arg = db_rows(result) > 0;
}

/* A name is for one: a patient's would make two of whom `why` is asked. */
static void
refuse_taken(struct ctl *ctl, const struct joining *joining)
{
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));
	bool taken = false;

	db_unit_add(unit, "ctl_find_patient", take_same, &taken);
	db_param_text(unit, "");
	db_param_text(unit, joining->person.id);
	db_param_text(unit, joining->tenant);
	ctl_run(unit);
	if (taken)
		ctl_fail(EXIT_DATA, "\"%s\" is somebody already",
		    joining->person.id);
}

/* Where two join at once the identity decides: it is not made twice. */
static void
join(struct ctl *ctl, struct joining *joining)
{
	struct ctl_tenant tenant = ctl_tenant(ctl, joining->tenant);
	struct new_person *new = &joining->person;
	struct ctl_person person = {.label = new->id};
	struct db_unit *unit;

	refuse_taken(ctl, joining);
	new->tenant_id = tenant.tenant_id;
	new->source = SOURCE;
	new->zone = joining->zone != NULL ? joining->zone
		    : tenant.zone != NULL ? zone_name(tenant.zone)
					  : "UTC";
	new->locale = joining->locale != NULL ? joining->locale : tenant.locale;
	new->now = ctl_now(ctl, NULL);
	new->bucket = person.bucket = person_draw_bucket();
	new->patient_id = person.patient_id = draw_number(ctl);
	unit = db_unit_begin(ctl_database(ctl));
	person_add(new, ctl_keyring(ctl), unit);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	ctl_person_keys(unit, &person);
	ctl_run(unit);
}

static int
run_add(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_staff_add;
	struct joining joining = {.tenant = "default"};
	const char *value;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--role"))) {
			joining.person.role = care_role_from_word(value);
			if (joining.person.role == 0)
				ctl_fail(EXIT_USAGE_, "no role \"%s\"", value);
		} else if ((value = ctl_option(
				verb, argc, argv, &i, "--address")))
			add_address(ctl, value, &joining);
		else if ((value = ctl_option(verb, argc, argv, &i, "--zone")))
			joining.zone = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--locale")))
			joining.locale = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			joining.tenant = value;
		else if (joining.person.id == NULL && argv[i][0] != '-')
			joining.person.id = argv[i];
		else
			ctl_stray(verb, argv[i]);
	}
	if (joining.person.id == NULL || joining.person.role == 0 ||
	    joining.person.address_count == 0)
		ctl_usage(verb);
	if (*joining.person.id == '\0' ||
	    strlen(joining.person.id) > ID_BYTES_MAX ||
	    strpbrk(joining.person.id, "/|\n") != NULL)
		ctl_fail(EXIT_USAGE_, "ID: 1 to %d bytes, without / or |",
		    ID_BYTES_MAX);
	if (joining.zone != NULL && zone_open(joining.zone) == NULL)
		ctl_fail(EXIT_USAGE_, "no zone \"%s\"", joining.zone);
	join(ctl, &joining);
	return 0;
}

/* ---- list ---- */

static void
print_member(
    struct ctl *ctl, const struct db_result *result, int row, struct buf *out)
{
	enum care_role role = (enum care_role)db_i64(result, row, 2);
	bool active = db_bool(result, row, 3);
	int64_t channels = db_i64(result, row, 4);
	struct buf words = BUF_INIT(0);

	for (enum channel c = CHANNEL_WECHAT_MINI; c < CHANNEL_COUNT; c++)
		if ((channels & CHANNEL_BIT(c)) != 0)
			buf_printf(&words, "%s%s", words.bytes > 0 ? "," : "",
			    channel_word(c));
	if (ctl->json) {
		struct json_writer w = ctl_line_begin(out, NULL);

		json_write_member(&w, "tenant", db_text(result, row, 0));
		json_write_member(&w, "id", db_text(result, row, 1));
		json_write_member(&w, "role", care_role_word(role));
		json_write_key(&w, "active");
		json_write_bool(&w, active);
		json_write_member(&w, "channels", buf_string(&words));
		ctl_line_number(&w, "open", db_i64(result, row, 5));
		ctl_line_end(&w);
	} else {
		buf_printf(out, "%s  %s  ", db_text(result, row, 0),
		    care_role_word(role));
		ctl_line_foreign(out, db_text(result, row, 1));
		buf_printf(out, "  %s  %" PRId64 " open%s",
		    words.bytes > 0 ? buf_string(&words) : "no address",
		    db_i64(result, row, 5), active ? "" : "  ended");
		ctl_line_print(out);
	}
	buf_free(&words);
}

static void
take_members(const struct db_result *result, void *arg)
{
	struct ctl *ctl = arg;
	struct buf out = BUF_INIT(0);

	for (int row = 0; row < db_rows(result); row++)
		print_member(ctl, result, row, &out);
	if (db_rows(result) == 0 && !ctl->json)
		(void)puts("nobody");
	buf_free(&out);
}

static int
run_list(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_staff_list;
	const char *tenant = NULL, *value;
	struct db_unit *unit;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			tenant = value;
		else
			ctl_stray(verb, argv[i]);
	}
	if (tenant != NULL)
		(void)ctl_tenant(ctl, tenant); /* it must be there */
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "ctl_staff_list", take_members, ctl);
	db_param_text(unit, tenant);
	ctl_run(unit);
	return 0;
}

/* ---- end ---- */

static void
take_ended(const struct db_result *result, void *arg)
{
	*(bool *)arg = db_rows(result) == 1;
}

static int
run_end(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_verb *verb = &ctl_staff_end;
	const char *id = NULL, *tenant = NULL, *value;
	bool again = false, found = false;
	struct ctl_person person;
	struct db_unit *unit;
	int64_t now;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			tenant = value;
		else if (strcmp(argv[i], "--again") == 0)
			again = true;
		else if (id == NULL && argv[i][0] != '-')
			id = argv[i];
		else
			ctl_stray(verb, argv[i]);
	}
	if (id == NULL)
		ctl_usage(verb);
	ctl_person_find(ctl, tenant, id, &person);
	now = ctl_now(ctl, NULL);
	unit = db_unit_begin(ctl_database(ctl));
	db_unit_add(unit, "agenda_touch", NULL, NULL);
	ctl_person_keys(unit, &person);
	db_param_at(unit, now);
	db_param_i16(unit, CLASS_TIMED);
	db_unit_add(unit, "ctl_staff_end", take_ended, &found);
	db_param_i16(unit, person.bucket);
	db_param_i64(unit, person.patient_id);
	db_param_bool(unit, again);
	db_unit_add(unit, "dossier_rebuild", NULL, NULL);
	ctl_person_keys(unit, &person);
	ctl_run(unit);
	if (!found)
		ctl_fail(EXIT_DATA, "\"%s\" is not of the care team", id);
	return 0;
}
