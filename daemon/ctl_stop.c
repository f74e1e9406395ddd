/*
 * adherctl stop, stop list: nothing leaves that matches, from each copy's
 * next look on.  A stop is a row that is ended later, never deleted: who,
 * when, why.
 */
#include "ctl_stop.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl_line.h"
#include "flow/stop_book.h"
#include "flow/template_files.h"

#define WORDS_MAX 1024 /* bytes of a reason, a name, a key */

static int run_stop(struct ctl *ctl, int argc, char **argv);
static int run_list(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_stop = {
    .words = "stop",
    .usage = "--product DRUG|--kind KIND|--template KIND/STAGE|"
	     "--tenant NAME|--all\n"
	     "           [--reason TEXT] [--by NAME] [--json]",
    .help =
	"let nothing more leave that matches all that is named\n"
	"  --product DRUG         a drug's key, or the code in it: C08CA01\n"
	"  --kind KIND            dose, refill, renewal or follow_up\n"
	"  --template KIND/STAGE  one text: refill/-7d\n"
	"  --tenant NAME          one tenant alone\n"
	"  --all                  everything\n"
	"  --reason, --by         what the trace says; by: who runs this\n"
	"It holds from each copy's next look on, in all copies; what was\n"
	"handed to a provider before has left.  Answers are not stopped.",
    .run = run_stop,
};

const struct ctl_verb ctl_stop_list = {
    .words = "stop list",
    .usage = "[--all] [--json]",
    .help = "the stops that stand; with --all those that were ended, too",
    .run = run_list,
};

/* ---- the command line ---- */

/*
 * --kind and --template both name one: it must be the same.  Answers cannot
 * be stopped: whoever writes to us is told that we heard.
 */
static void
set_kind(struct stop *stop, const char *word)
{
	enum kind kind = kind_from_word(word);

	if (kind == 0 || kind > KIND_FOLLOW_UP)
		ctl_fail(EXIT_USAGE_,
		    "no kind \"%s\" that can be stopped: dose, refill, "
		    "renewal, follow_up",
		    word);
	if (stop->kind != 0 && stop->kind != kind)
		ctl_fail(EXIT_USAGE_, "two kinds: %s and %s",
		    kind_word(stop->kind), word);
	stop->kind = kind;
}

/* "refill/-7d" */
static void
parse_template(struct ctl *ctl, const char *text, struct stop *stop)
{
	const char *slash = strchr(text, '/');

	if (slash == NULL)
		ctl_fail(EXIT_USAGE_,
		    "--template takes KIND/STAGE, like refill/-7d");
	if (stop->stage != STAGE_NONE)
		ctl_fail(EXIT_USAGE_, "--template twice");
	set_kind(stop, arena_text_n(ctl->arena, text, (size_t)(slash - text)));
	stop->stage = stage_from_word(slash + 1);
	if (stop->stage == STAGE_NONE)
		ctl_fail(EXIT_USAGE_, "no stage \"%s\"", slash + 1);
	if (!stage_fits(stop->kind, stop->stage))
		ctl_fail(EXIT_USAGE_, "kind %s has no stage \"%s\"",
		    kind_word(stop->kind), slash + 1);
}

/* Of a sensible length, and fit for a terminal. */
static void
check_text(const char *option, const char *value)
{
	if (*value == '\0' || strlen(value) > WORDS_MAX)
		ctl_fail(EXIT_USAGE_, "%s: 1 to %d bytes", option, WORDS_MAX);
	for (const char *at = value; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			ctl_fail(
			    EXIT_USAGE_, "%s: a control character", option);
}

/* Said once. */
static void
take_text(const char *option, const char *value, const char **text)
{
	if (*text != NULL)
		ctl_fail(EXIT_USAGE_, "%s twice", option);
	check_text(option, value);
	*text = value;
}

static int32_t
parse_number(const char *text)
{
	int32_t number;

	if (!ctl_number(text, INT32_MAX, &number))
		ctl_fail(EXIT_USAGE_, "\"%s\" is no number of a stop", text);
	return number;
}

/* What is stopped; false: it is another word. */
static bool
take_name(struct ctl *ctl, const struct ctl_verb *verb, int argc, char **argv,
    int *at, struct stop_wish *wish)
{
	const char *value;

	if ((value = ctl_option(verb, argc, argv, at, "--product")) != NULL)
		take_text("--product", value, &wish->stop.drug);
	else if ((value = ctl_option(verb, argc, argv, at, "--kind")) != NULL)
		set_kind(&wish->stop, value);
	else if ((value = ctl_option(verb, argc, argv, at, "--template")) !=
		 NULL)
		parse_template(ctl, value, &wish->stop);
	else if ((value = ctl_option(verb, argc, argv, at, "--tenant")) != NULL)
		take_text("--tenant", value, &wish->tenant);
	else
		return false;
	wish->named = true;
	return true;
}

void
stop_wish_read(struct ctl *ctl, const struct ctl_verb *verb, int argc,
    char **argv, struct stop_wish *wish)
{
	const char *value;
	bool all = false;

	*wish = (struct stop_wish){0};
	for (int i = 0; i < argc; i++) {
		if (take_name(ctl, verb, argc, argv, &i, wish))
			continue;
		if ((value = ctl_option(verb, argc, argv, &i, "--reason")))
			take_text("--reason", value, &wish->reason);
		else if ((value = ctl_option(verb, argc, argv, &i, "--by")))
			take_text("--by", value, &wish->by);
		else if (strcmp(argv[i], "--all") == 0)
			all = true;
		else if (strcmp(argv[i], "--yes") == 0)
			wish->yes = true;
		else if (strcmp(argv[i], "--list") == 0)
			wish->list = true;
		else if (argv[i][0] != '-' && wish->number == 0)
			wish->number = parse_number(argv[i]);
		else
			ctl_stray(verb, argv[i]);
	}
	if ((wish->number != 0) + wish->named + all != 1)
		ctl_usage(verb);
	if (wish->tenant != NULL)
		wish->stop.tenant_id = ctl_tenant(ctl, wish->tenant).tenant_id;
}

const char *
stop_by(struct ctl *ctl, const char *by)
{
	const char *user = getenv("SUDO_USER");
	const struct passwd *entry;

	if (by != NULL) {
		check_text("--by", by);
		return by;
	}
	if (user != NULL && *user != '\0')
		return user;
	entry = getpwuid(geteuid());
	return entry != NULL
		   ? arena_text(ctl->arena, entry->pw_name)
		   : arena_printf(ctl->arena, "uid %u", (unsigned)geteuid());
}

/* ---- the verbs ---- */

static void
take_id(const struct db_result *result, void *arg)
{
	if (db_rows(result) == 1)
		*(int32_t *)arg = (int32_t)db_i64(result, 0, 0);
}

/* 0: it stands already, or too many do. */
static int32_t
begin_stop(struct ctl *ctl, const struct stop_wish *wish)
{
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));
	int64_t now = ctl_now(ctl, NULL);
	int32_t stop_id = 0;

	db_unit_add(unit, "stop_begin", take_id, &stop_id);
	db_param_i32(unit, wish->stop.tenant_id);
	db_param_i16(unit, (int16_t)wish->stop.kind);
	db_param_i16(unit, (int16_t)wish->stop.stage);
	db_param_text(unit, wish->stop.drug);
	db_param_text(unit, wish->reason == NULL ? "" : wish->reason);
	db_param_at(unit, now);
	db_param_text(unit, stop_by(ctl, wish->by));
	db_param_i32(unit, STOPS_MAX);
	db_unit_add(unit, "agenda_notify", NULL, NULL);
	ctl_run(unit);
	return stop_id;
}

/* The row that is equal to what was wished for, and stands. */
static const struct stop_row *
standing_row(struct ctl *ctl, const struct stop *stop)
{
	const struct stop_row *rows;
	uint32_t count = stop_rows_load(ctl, false, &rows);

	for (uint32_t i = 0; i < count; i++)
		if (stop_same(&rows[i].stop, stop))
			return &rows[i];
	ctl_fail(EXIT_DATA, "%d stops stand, as many as may: end some first",
	    STOPS_MAX);
}

struct due {
	int64_t people, soon;
};

static void
take_due(const struct db_result *result, void *arg)
{
	*(struct due *)arg =
	    (struct due){db_i64(result, 0, 0), db_i64(result, 0, 1)};
}

/* Whom it may concern: counted when it holds already. */
static struct due
count_due(struct ctl *ctl, const struct stop *stop)
{
	int64_t now = ctl_now(ctl, NULL);
	struct db_unit *unit = db_unit_begin(ctl_database(ctl));
	struct due due = {0};

	db_unit_add(unit, "stop_due", take_due, &due);
	db_param_i32(unit, stop->tenant_id);
	db_param_text(unit, stop->drug);
	db_param_at(unit, now + DAY_US);
	ctl_run(unit);
	return due;
}

static void
print_due(struct ctl *ctl, const struct due *due)
{
	struct buf out = BUF_INIT(0);
	struct json_writer w;

	if (!ctl->json) {
		(void)printf("%" PRId64 " people may be concerned, %" PRId64
			     " of them are looked at within 24 h\n",
		    due->people, due->soon);
		return;
	}
	w = ctl_line_begin(&out, "concerns");
	ctl_line_number(&w, "people", due->people);
	ctl_line_number(&w, "within_24_h", due->soon);
	ctl_line_end(&w);
	buf_free(&out);
}

/*
 * A text that is not there is stopped all the same, for it may come; but
 * whoever typed it meant one that is.  Says which are; false where it is.
 */
static bool
lacks_text(struct ctl *ctl, const struct stop *stop)
{
	struct conf_error error;
	struct template_set *set = template_files_load(
	    ctl_settings(ctl)->template_dir, "zh-CN", &error);
	struct buf near = BUF_INIT(0);
	bool lacks = set != NULL &&
		     template_set_first(set, stop->kind, stop->stage) == NULL;

	if (set == NULL)
		(void)fprintf(stderr,
		    "adherctl: whether there is such a text is not known: %s\n",
		    error.text);
	for (enum stage stage = STAGE_DUE; lacks && stage < STAGE_COUNT;
	     stage++)
		if (template_set_first(set, stop->kind, stage) != NULL)
			buf_printf(&near, "%s%s/%s",
			    near.bytes == 0 ? "" : ", ", kind_word(stop->kind),
			    stage_word(stage));
	if (lacks)
		(void)fprintf(stderr,
		    "adherctl: the stop stands, but there is no text %s/%s; "
		    "there are %s\n",
		    kind_word(stop->kind), stage_word(stop->stage),
		    buf_string(&near));
	buf_free(&near);
	template_set_free(set);
	return lacks;
}

static int
run_stop(struct ctl *ctl, int argc, char **argv)
{
	struct stop_wish wish;
	const struct stop_row *row;
	int32_t begun;
	struct due due;

	stop_wish_read(ctl, &ctl_stop, argc, argv, &wish);
	if (wish.number != 0 || wish.yes || wish.list)
		ctl_usage(&ctl_stop);
	begun = begin_stop(ctl, &wish);
	row = standing_row(ctl, &wish.stop);
	stop_row_print(ctl, row);
	(void)fflush(stdout);
	if (begun == 0)
		(void)fputs("adherctl: it stood already: reason and name "
			    "stay as they were\n",
		    stderr);
	due = count_due(ctl, &wish.stop);
	print_due(ctl, &due);
	if (wish.stop.stage != STAGE_NONE && lacks_text(ctl, &wish.stop))
		return EXIT_DATA;
	if (wish.stop.drug == NULL || due.people > 0)
		return 0;
	(void)fprintf(stderr,
	    "adherctl: the stop stands, but nobody has a prescription of "
	    "\"%s\": it wants the drug's key or the code in it\n",
	    wish.stop.drug);
	return EXIT_DATA;
}

static int
run_list(struct ctl *ctl, int argc, char **argv)
{
	bool all = argc == 1 && strcmp(argv[0], "--all") == 0;
	const struct stop_row *rows;
	uint32_t count;

	if (argc > 1 || (argc == 1 && !all))
		ctl_usage(&ctl_stop_list);
	count = stop_rows_load(ctl, all, &rows);
	for (uint32_t i = 0; i < count; i++)
		stop_row_print(ctl, &rows[i]);
	if (count == 0 && !ctl->json)
		(void)puts(
		    all ? "nothing was ever stopped" : "nothing is stopped");
	return 0;
}
