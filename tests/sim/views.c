/*
 * What people and checkers look at: the ledger, the callbacks, the switches
 * and the phones page.  The page is phones.html, taken into the program at
 * build; it polls /phones.json.
 */
#include <string.h>

#include "tests/sim/fault.h"
#include "tests/sim/ledger.h"
#include "tests/sim/receipt.h"
#include "tests/sim/reply.h"
#include "tests/sim/wechat.h"
#include "tests/sim/wecom.h"

#define PAGE_STANDARD 1000
#define PAGE_MAX 10000
#define PHONES_MAX 60
#define PHONE_MESSAGES_MAX 50
#define SCAN_MAX 5000

/* Paths are relative to the top of the tree, where make runs. */
__asm__(".pushsection .rodata\n"
	".global phones_page\n"
	".hidden phones_page\n"
	"phones_page:\n"
	".incbin \"tests/sim/phones.html\"\n"
	".byte 0\n"
	".popsection\n");
extern const char phones_page[];

static uint64_t
query_count(const struct door_request *request, const char *name,
    int64_t standard, int64_t max)
{
	int64_t value = door_query_i64(request, name, standard);

	if (value < 0)
		value = 0;
	return (uint64_t)(value > max ? max : value);
}

static void
ledger_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;

	ledger_write(sim->ledger, query_count(request, "since", 0, INT64_MAX),
	    query_count(request, "limit", PAGE_STANDARD, PAGE_MAX),
	    &reply->body, request->arena);
}

static void
duplicates_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;

	ledger_write_duplicates(sim->ledger, &reply->body, request->arena);
}

static void
callbacks_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;

	receipts_write(sim->receipts,
	    query_count(request, "since", 0, INT64_MAX),
	    query_count(request, "limit", PAGE_STANDARD, PAGE_MAX),
	    &reply->body, request->arena);
}

static void
summary_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;
	struct json_writer writer;

	(void)request;
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	ledger_write_summary(sim->ledger, &writer);
	receipts_write_summary(sim->receipts, &writer);
	replies_write_summary(sim->replies, &writer);
	wechat_write_summary(sim->wechat, &writer);
	wecom_write_summary(sim->wecom, &writer);
	json_write_key(&writer, "signed_acs3");
	json_write_i64(&writer, sim->signed_acs3);
	json_write_key(&writer, "signed_rpc");
	json_write_i64(&writer, sim->signed_rpc);
	json_write_end_object(&writer);
}

/* ---- the phones ---- */

static void
write_message(
    struct json_writer *writer, const struct entry *entry, struct arena *arena)
{
	json_write_object(writer);
	json_write_key(writer, "seq");
	json_write_i64(writer, (int64_t)entry->seq);
	json_write_member(writer, "at", sim_time_text(entry->at, arena));
	json_write_member(writer, "channel", entry->channel);
	json_write_member(writer, "gateway", endpoint_word(entry->endpoint));
	json_write_member(writer, "text", entry->text);
	json_write_member(writer, "receipt", entry_receipt_word(entry));
	json_write_key(writer, "receipt_stored");
	json_write_bool(writer, entry->receipt_stored);
	json_write_end_object(writer);
}

/* Where an answer to the newest of these that can be answered goes. */
static void
write_reply_path(const struct sim *sim, struct json_writer *writer,
    const struct entry *const *newest_first, size_t count)
{
	const char *word = NULL;

	for (size_t i = 0; i < count && word == NULL; i++) {
		const struct entry *entry = newest_first[i];

		if (reply_has_path(sim, entry->endpoint, entry->address))
			word = endpoint_word(entry->endpoint);
	}
	json_write_member(writer, "reply", word);
}

/* The last messages and replies of one phone, oldest first. */
static void
write_phone(struct sim *sim, struct json_writer *writer, struct entry *newest,
    struct arena *arena)
{
	const struct entry *list[PHONE_MESSAGES_MAX];
	size_t count = 0;

	for (struct entry *entry = newest;
	     entry != NULL && count < PHONE_MESSAGES_MAX;
	     entry = ledger_get(sim->ledger, entry->previous_of_phone))
		list[count++] = entry;
	json_write_object(writer);
	json_write_member(writer, "address", newest->address);
	write_reply_path(sim, writer, list, count);
	json_write_key(writer, "replies");
	replies_write_phone(sim->replies, writer, newest->address, arena);
	json_write_key(writer, "messages");
	json_write_array(writer);
	while (count > 0)
		write_message(writer, list[--count], arena);
	json_write_end_array(writer);
	json_write_end_object(writer);
}

/* The phones that got something last, latest first. */
static void
phones_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;
	struct json_writer writer;
	uint64_t seq = ledger_last(sim->ledger);
	int phones = 0;

	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_key(&writer, "messages");
	json_write_i64(&writer, (int64_t)seq);
	json_write_key(&writer, "phones");
	json_write_array(&writer);
	for (int scanned = 0; phones < PHONES_MAX && scanned < SCAN_MAX;
	     scanned++, seq--) {
		struct entry *entry = ledger_get(sim->ledger, seq);

		if (entry == NULL)
			break;
		if (ledger_phone(sim->ledger, entry->address) != entry)
			continue;
		write_phone(sim, &writer, entry, request->arena);
		phones++;
	}
	json_write_end_array(&writer);
	json_write_end_object(&writer);
}

static void
page_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	(void)request;
	(void)arg;
	reply->content_type = "text/html; charset=utf-8";
	door_reply_header(reply, "Content-Security-Policy",
	    "default-src 'self' 'unsafe-inline'; img-src data:; "
	    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'");
	buf_text(&reply->body, phones_page);
}

/* A vendor's request, or a person with a browser. */
static void
root_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	const char *accept = door_header(request, "accept");

	if (strcmp(request->method, "GET") == 0 && request->query[0] == '\0' &&
	    accept != NULL && strstr(accept, "text/html") != NULL) {
		reply->status = 302;
		door_reply_header(reply, "Location", "/phones");
	} else if (door_header(request, "x-tc-action") != NULL) {
		tencent_on_request(request, reply, arg);
	} else {
		aliyun_on_request(request, reply, arg);
	}
}

void
views_serve(struct sim *sim)
{
	door_route(sim->door, "/", root_on_request, sim);
	door_route(sim->door, "/reply", reply_on_request, sim->replies);
	door_route(sim->door, "/ledger", ledger_on_request, sim);
	door_route(sim->door, "/ledger/duplicates", duplicates_on_request, sim);
	door_route(sim->door, "/ledger/summary", summary_on_request, sim);
	door_route(sim->door, "/callbacks", callbacks_on_request, sim);
	door_route(sim->door, "/control", fault_control, sim->faults);
	door_route(sim->door, "/phones", page_on_request, sim);
	door_route(sim->door, "/phones.json", phones_on_request, sim);
}
