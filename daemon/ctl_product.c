/*
 * adherctl product: what is known of a product beyond the prescription's
 * own words: its class, whose programs apply, and whether its name is kept
 * out of texts.  Whoever has it is looked at again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_program.h"
#include "ctl_touch.h"

#define LIST_MAX 10000
#define WORDS_MAX 512 /* bytes of a drug, a name */

struct product_wish {
	struct ctl *ctl;
	const char *tenant, *drug, *product_class, *name;
	int sensitive; /* -1: as it was */
	int32_t tenant_id;
};

static void
read_wish(const struct ctl_verb *verb, int argc, char **argv,
    struct product_wish *wish)
{
	const char *value;

	for (int i = 0; i < argc; i++) {
		if ((value = ctl_option(verb, argc, argv, &i, "--tenant")))
			wish->tenant = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--class")))
			wish->product_class = value;
		else if ((value = ctl_option(verb, argc, argv, &i, "--name")))
			wish->name = value;
		else if (strcmp(argv[i], "--sensitive") == 0)
			wish->sensitive = 1;
		else if (strcmp(argv[i], "--not-sensitive") == 0)
			wish->sensitive = 0;
		else if (argv[i][0] != '-' && wish->drug == NULL)
			wish->drug = argv[i];
		else
			ctl_stray(verb, argv[i]);
	}
}

static void
check_wish(const struct product_wish *wish)
{
	if (wish->drug == NULL ||
	    (wish->product_class == NULL && wish->name == NULL &&
		wish->sensitive < 0))
		ctl_usage(&ctl_product_set);
	if (wish->product_class != NULL &&
	    !program_class_valid(wish->product_class))
		ctl_fail(EXIT_USAGE_,
		    "--class takes up to %d letters, digits, \"-\", \"_\" "
		    "and \".\"",
		    PROGRAM_CLASS_BYTES_MAX);
	if (*wish->drug == '\0' || strlen(wish->drug) > WORDS_MAX ||
	    (wish->name != NULL && strlen(wish->name) > WORDS_MAX))
		ctl_fail(EXIT_USAGE_, "DRUG and --name take up to %d bytes",
		    WORDS_MAX);
}

static void
print_product(struct ctl *ctl, const char *drug, const char *name,
    const char *product_class, bool sensitive, int64_t prescriptions)
{
	struct buf line = BUF_INIT(0);
	bool named = strcmp(name, drug) != 0; /* or nothing but its key */
	struct json_writer w;

	if (!ctl->json) {
		(void)printf("%-24s %-12s %-10s %6" PRId64 "%s%s\n", drug,
		    product_class[0] == '\0' ? "-" : product_class,
		    sensitive ? "sensitive" : "", prescriptions,
		    named ? "  " : "", named ? name : "");
		return;
	}
	w = ctl_line_begin(&line, NULL);
	json_write_member(&w, "drug", drug);
	json_write_member(&w, "name", name);
	json_write_member(&w, "product_class", product_class);
	json_write_key(&w, "sensitive");
	json_write_bool(&w, sensitive);
	ctl_line_number(&w, "prescriptions", prescriptions);
	ctl_line_end(&w);
	buf_free(&line);
}

static void
next_people(struct db_unit *unit,
    void (*take)(const struct db_result *, void *), void *taker,
    int16_t after_bucket, int64_t after_patient, int32_t slice, void *arg)
{
	const struct product_wish *wish = arg;

	db_unit_add(unit, "product_people", take, taker);
	db_param_i32(unit, wish->tenant_id);
	db_param_text(unit, wish->drug);
	db_param_i16(unit, after_bucket);
	db_param_i64(unit, after_patient);
	db_param_i32(unit, slice);
}

static void
store_product(const struct product_wish *wish)
{
	struct db_unit *unit = db_unit_begin(wish->ctl->db);

	db_unit_add(unit, "product_store", NULL, NULL);
	db_param_i32(unit, wish->tenant_id);
	db_param_text(unit, wish->drug);
	db_param_text(unit, wish->product_class);
	if (wish->sensitive < 0)
		db_param_null(unit);
	else
		db_param_bool(unit, wish->sensitive == 1);
	db_param_text(unit, wish->name);
	ctl_run(unit);
}

static int
run_set(struct ctl *ctl, int argc, char **argv)
{
	struct product_wish wish = {
	    .ctl = ctl, .tenant = "default", .sensitive = -1};
	uint64_t people;

	read_wish(&ctl_product_set, argc, argv, &wish);
	check_wish(&wish);
	wish.tenant_id = ctl_tenant(ctl, wish.tenant).tenant_id;
	store_product(&wish);
	people = ctl_touch_people(ctl, next_people, &wish, true);
	(void)printf(ctl->json ? "{\"people\":%" PRIu64 "}\n"
			       : "%" PRIu64
				 " people have it; they are looked at "
				 "again\n",
	    people);
	return 0;
}

const struct ctl_verb ctl_product_set = {
    "product set",
    "DRUG [--class CLASS] [--sensitive|--not-sensitive] [--name NAME]\n"
    "           [--tenant NAME] [--json]",
    "say what class a product is of; DRUG as product list has it",
    run_set,
};

static void
print_products(const struct db_result *result, void *arg)
{
	for (int row = 0; row < db_rows(result); row++)
		print_product(arg, db_text(result, row, 0),
		    db_text(result, row, 1), db_text(result, row, 2),
		    db_bool(result, row, 3), db_i64(result, row, 4));
}

static int
run_list(struct ctl *ctl, int argc, char **argv)
{
	struct product_wish wish = {
	    .ctl = ctl, .tenant = "default", .sensitive = -1};
	struct db_unit *unit;

	read_wish(&ctl_product_list, argc, argv, &wish);
	if (wish.drug != NULL)
		ctl_usage(&ctl_product_list);
	wish.tenant_id = ctl_tenant(ctl, wish.tenant).tenant_id;
	unit = db_unit_begin(ctl->db);
	db_unit_add(unit, "product_list", print_products, ctl);
	db_param_i32(unit, wish.tenant_id);
	db_param_i32(unit, LIST_MAX);
	ctl_run(unit);
	return 0;
}

const struct ctl_verb ctl_product_list = {
    "product list",
    "[--tenant NAME] [--json]",
    "products: key, class, how often prescribed, name",
    run_list,
};
