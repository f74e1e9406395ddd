/*
 * adherctl queue: first what keeps messages from leaving and the command that
 * ends it, then who waits, what deliveries came to, and what nobody finished.
 * Reads only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl_line.h"
#include "ctl_pause.h"
#include "ctl_stop.h"
#include "flow/copies.h"
#include "flow/gateway_host.h"
#include "flow/statements.h"

#define QUEUE_DAYS 7 /* of deliveries that are counted */
#define SILENT_US (3 * COPIES_BEAT_US + SECOND_US)

static int run(struct ctl *ctl, int argc, char **argv);

const struct ctl_verb ctl_queue = {
    .words = "queue",
    .usage = "[--json]",
    .help =
	"what is stopped or paused, who waits, what deliveries came to\n"
	"First what keeps messages from leaving, each with the command that\n"
	"ends it.  Then people by class and lane.  Class 0, urgent: answers\n"
	"and emergencies; 1, timed: reminders; 2, bulk: imports and changed\n"
	"programs.  Lane 0: they wait for their time; another lane: for room\n"
	"at that gateway.  due: their time has come; late: a minute ago.",
    .run = run,
};

struct queue {
	struct ctl *ctl;
	const struct zone *zone;
	const struct gateways *gateways; /* NULL: they cannot be loaded here */
	int64_t copies;                  /* that send and are alive */
	int64_t behind;                  /* copies that say so */
	int64_t sent_until;
	bool told; /* something keeps messages from leaving */
	struct buf out;
};

/* ---- what keeps messages from leaving ---- */

static void
take_copies(const struct db_result *result, void *arg)
{
	((struct queue *)arg)->copies = db_i64(result, 0, 0);
}

static void
take_behind(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;

	queue->behind = db_i64(result, 0, 0);
	queue->sent_until = db_at_or(result, 0, 1, AT_UNKNOWN);
}

static void
tell_copies(struct queue *queue)
{
	if (queue->copies > 0)
		return;
	queue->told = true;
	if (queue->ctl->json) {
		struct json_writer w = ctl_line_begin(&queue->out, "no_copy");

		json_write_member(&w, "end", "systemctl start adherd");
		ctl_line_end(&w);
		return;
	}
	(void)printf("nothing is sent: no copy that sends was heard of for "
		     "%d s; start one: systemctl start adherd\n",
	    (int)(SILENT_US / SECOND_US));
}

static void
tell_behind(struct queue *queue, const struct pause_row *of_all)
{
	const char *end = "adherctl resume --assume-sent-until TIME";
	char at[32];

	if (queue->behind == 0 && of_all == NULL)
		return;
	queue->told = true;
	if (queue->ctl->json) {
		struct json_writer w = ctl_line_begin(&queue->out, "behind");

		ctl_line_number(&w, "copies", queue->behind);
		ctl_line_at(&w, "sent_until", queue->zone, queue->sent_until);
		json_write_member(&w, "end", end);
		ctl_line_end(&w);
		return;
	}
	(void)printf("nothing is sent: the database was restored or failed "
		     "over, and lacks what copies had sent until %s; once "
		     "that is accounted for: %s\n",
	    ctl_show_at(queue->zone, queue->sent_until, at), end);
}

static void
tell_pause(struct queue *queue, const struct pause_row *row)
{
	struct json_writer w;

	queue->told = true;
	if (!queue->ctl->json) {
		(void)printf("gateway %s%s%s: %s\n", row->gateway,
		    row->scope[0] == '\0' ? "" : ", ", row->scope,
		    pause_words(queue->ctl, row));
		return;
	}
	w = ctl_line_begin(&queue->out, "pause");
	json_write_member(&w, "gateway", row->gateway);
	json_write_member(&w, "scope", row->scope);
	ctl_line_at(&w, "until", queue->zone, row->until_at);
	json_write_member(&w, "code", row->code);
	json_write_member(&w, "end", pause_end_words(queue->ctl, row));
	ctl_line_end(&w);
}

static void
tell_stops(struct queue *queue)
{
	const struct stop_row *rows;
	uint32_t count = stop_rows_load(queue->ctl, false, &rows);

	for (uint32_t i = 0; i < count; i++) {
		stop_row_print(queue->ctl, &rows[i]);
		if (!queue->ctl->json)
			(void)printf("  until: adherctl resume %d\n",
			    (int)rows[i].stop.stop_id);
	}
	queue->told |= count > 0;
}

static void
tell_obstacles(struct queue *queue, const struct clock *clock)
{
	const char **only_to = ctl_settings(queue->ctl)->only_to;
	struct db_unit *unit = db_unit_begin(ctl_database(queue->ctl));
	const struct pause_row *rows, *of_all = NULL;
	uint32_t count;

	db_unit_add(unit, "copies_live", take_copies, queue);
	db_param_at(unit, clock_unmoved(clock) - SILENT_US);
	db_unit_add(unit, "ctl_behind", take_behind, queue);
	ctl_run(unit);
	count = pause_rows_load(queue->ctl, &rows);
	for (uint32_t i = 0; i < count; i++)
		if (pause_is_of_all(&rows[i]))
			of_all = &rows[i];
	tell_copies(queue);
	tell_behind(queue, of_all);
	tell_stops(queue);
	for (uint32_t i = 0; i < count; i++)
		if (!pause_is_of_all(&rows[i]))
			tell_pause(queue, &rows[i]);
	if (queue->ctl->json)
		return;
	if (only_to != NULL)
		(void)puts("staging: nobody but the addresses of only-to is "
			   "written to");
	if (!queue->told)
		(void)puts("nothing is stopped or paused");
}

/* ---- who waits ---- */

static const char *
class_word(int64_t class)
{
	return class == CLASS_URGENT  ? "urgent"
	       : class == CLASS_TIMED ? "timed"
				      : "bulk";
}

/* NULL: of none, or one that is not known here. */
static const char *
lane_gateway(const struct queue *queue, int64_t lane)
{
	for (size_t i = 0; lane != 0 && queue->gateways != NULL &&
			   i < gateways_count(queue->gateways);
	     i++)
		if (gateways_at(queue->gateways, i)->lane == lane)
			return gateways_at(queue->gateways, i)->name;
	return NULL;
}

static void
print_agenda(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;
	char at[32];

	for (int i = 0; i < db_rows(result); i++) {
		int64_t first_at = db_at_or(result, i, 5, AT_NEVER);
		int64_t class = db_i64(result, i, 0), lane;
		const char *gateway;

		lane = db_i64(result, i, 1);
		gateway = lane_gateway(queue, lane);
		if (queue->ctl->json) {
			struct json_writer w =
			    ctl_line_begin(&queue->out, "agenda");

			ctl_line_number(&w, "class", class);
			json_write_member(&w, "class_name", class_word(class));
			ctl_line_number(&w, "lane", lane);
			json_write_member(&w, "gateway", gateway);
			ctl_line_number(&w, "people", db_i64(result, i, 2));
			ctl_line_number(&w, "due", db_i64(result, i, 3));
			ctl_line_number(&w, "late", db_i64(result, i, 4));
			ctl_line_at(&w, "first", queue->zone, first_at);
			ctl_line_end(&w);
			continue;
		}
		(void)printf("class %" PRId64 " (%s)  lane %" PRId64
			     "%s%s%s  people %" PRId64 "  due %" PRId64
			     "  late %" PRId64 "  first %s\n",
		    class, class_word(class), lane,
		    lane == 0         ? ""
		    : gateway == NULL ? " (wait for room at a gateway"
				      : " (wait for room at ",
		    gateway == NULL ? "" : gateway, lane == 0 ? "" : ")",
		    db_i64(result, i, 2), db_i64(result, i, 3),
		    db_i64(result, i, 4),
		    ctl_show_at(queue->zone, first_at, at));
	}
}

static void
print_deliveries(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;

	for (int i = 0; i < db_rows(result); i++) {
		const char *gateway = db_text(result, i, 0);
		const char *state = delivery_state_word(
		    (enum delivery_state)db_i64(result, i, 1));

		if (queue->ctl->json) {
			struct json_writer w =
			    ctl_line_begin(&queue->out, "deliveries");

			json_write_member(
			    &w, "gateway", gateway[0] == '\0' ? NULL : gateway);
			json_write_member(&w, "state", state);
			ctl_line_number(&w, "count", db_i64(result, i, 2));
			ctl_line_end(&w);
			continue;
		}
		(void)printf("deliveries  %s  %s  %" PRId64 "\n",
		    gateway[0] == '\0' ? "-" : gateway, state,
		    db_i64(result, i, 2));
	}
}

static void
print_batches(const struct db_result *result, void *arg)
{
	struct queue *queue = arg;
	char at[32];

	for (int i = 0; i < db_rows(result); i++) {
		int64_t first_at = db_at(result, i, 2);

		if (queue->ctl->json) {
			struct json_writer w =
			    ctl_line_begin(&queue->out, "lapsed");

			json_write_member(&w, "owner", db_text(result, i, 0));
			ctl_line_number(&w, "count", db_i64(result, i, 1));
			ctl_line_at(&w, "first", queue->zone, first_at);
			ctl_line_end(&w);
			continue;
		}
		(void)printf("lapsed batches  %s  %" PRId64 "  since %s\n",
		    db_text(result, i, 0), db_i64(result, i, 1),
		    ctl_show_at(queue->zone, first_at, at));
	}
}

/* Names for the lanes; without the plug-ins and secrets there are none. */
static struct gateways *
load_gateways(struct ctl *ctl)
{
	static const struct clock no_clock;
	struct conf_error error;

	return gateways_load(
	    ctl->conf, ctl_settings(ctl), NULL, NULL, &no_clock, &error);
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct queue queue = {.ctl = ctl, .zone = zone_open("UTC")};
	struct gateways *gateways;
	struct clock clock;
	struct db_unit *unit;

	(void)argv;
	if (argc != 0)
		ctl_usage(&ctl_queue);
	clock = ctl_clock(ctl);
	tell_obstacles(&queue, &clock);
	queue.gateways = gateways = load_gateways(ctl);
	unit = db_unit_begin(ctl->db);
	db_unit_add(unit, "ctl_queue_agenda", print_agenda, &queue);
	db_param_at(unit, clock_care(&clock));
	db_unit_add(unit, "ctl_queue_deliveries", print_deliveries, &queue);
	db_param_on(unit,
	    zone_local(queue.zone, clock_care(&clock), NULL) - QUEUE_DAYS);
	db_unit_add(unit, "ctl_queue_batches", print_batches, &queue);
	db_param_at(unit, clock_unmoved(&clock));
	ctl_run(unit);
	buf_free(&queue.out);
	if (gateways != NULL)
		gateways_free(gateways);
	return 0;
}
