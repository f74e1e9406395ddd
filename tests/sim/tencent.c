/*
 * Tencent Cloud SMS, version 2021-01-11, as a provider sees it: path "/",
 * actions SendSms and PullSmsSendStatusByPhoneNumber, TC3 signatures, JSON
 * bodies.  Checks in the vendor's order: signature, version, action, region,
 * shape, account, then each number.  A request that is wrong is refused
 * whole; what is wrong with a number is said in that number's status.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/sim/fault.h"
#include "tests/sim/ledger.h"
#include "tests/sim/number.h"
#include "tests/sim/receipt.h"
#include "tests/sim/sms_template.h"
#include "tests/sim/tc3.h"

#define NUMBERS_MAX 200
#define CONTEXT_BYTES_MAX 511
#define ROWS_MAX 100
#define PULL_US (7 * DAY_US)
#define SAME_TEXT_US (30 * SECOND_US)
#define BODY_BYTES_MAX (8u << 20)
#define CHINA_OFFSET_US (8 * HOUR_US)

struct call { /* one request */
	struct sim *sim;
	const struct door_request *request;
	const struct json *body; /* an object */
	struct arena *arena;
	struct door_reply *reply;
	struct fault_choice choice;
};

struct member { /* a parameter of an action */
	const char *name;
	enum json_type type;
	bool required;
};

struct action {
	const char *name;
	const struct member *members;
	size_t member_count;
	void (*run)(struct call *call);
};

static const struct member send_members[] = {
    {"PhoneNumberSet", JSON_ARRAY, true},
    {"SmsSdkAppId", JSON_STRING, true},
    {"TemplateId", JSON_STRING, true},
    {"SignName", JSON_STRING, false},
    {"TemplateParamSet", JSON_ARRAY, false},
    {"ExtendCode", JSON_STRING, false},
    {"SessionContext", JSON_STRING, false},
    {"SenderId", JSON_STRING, false},
};

static const struct member pull_members[] = {
    {"BeginTime", JSON_NUMBER, true},
    {"Offset", JSON_NUMBER, true},
    {"Limit", JSON_NUMBER, true},
    {"PhoneNumber", JSON_STRING, true},
    {"SmsSdkAppId", JSON_STRING, true},
    {"EndTime", JSON_NUMBER, false},
};

/* ---- answers ---- */

static const char *
request_id(struct call *call)
{
	uint64_t a = sim_random(call->sim), b = sim_random(call->sim);

	return arena_printf(call->arena, "%08x-%04x-%04x-%04x-%012llx",
	    (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
	    (unsigned)(a & 0xffff), (unsigned)(b >> 48),
	    (unsigned long long)(b & 0xffffffffffff));
}

/* {"Response":{ … ,"RequestId":"…"}} */
static void
begin_answer(struct call *call, struct json_writer *writer)
{
	json_write_init(writer, &call->reply->body);
	json_write_object(writer);
	json_write_key(writer, "Response");
	json_write_object(writer);
}

static void
end_answer(struct call *call, struct json_writer *writer)
{
	json_write_member(writer, "RequestId", request_id(call));
	json_write_end_object(writer);
	json_write_end_object(writer);
}

/* The whole request: HTTP 200 all the same. */
static void
refuse(struct call *call, const char *code, const char *message)
{
	struct json_writer writer;

	begin_answer(call, &writer);
	json_write_key(&writer, "Error");
	json_write_object(&writer);
	json_write_member(&writer, "Code", code);
	json_write_member(&writer, "Message", message);
	json_write_end_object(&writer);
	end_answer(call, &writer);
}

static const char *
text_of(const struct call *call, const char *name)
{
	return json_get_text(call->body, name);
}

static int64_t
number_of(const struct call *call, const char *name, int64_t otherwise)
{
	int64_t value;

	return json_i64(json_get(call->body, name), &value) ? value : otherwise;
}

/* ---- numbers ---- */

/* As E.164, or NULL if it is no number that the vendor takes. */
static const char *
e164(const char *number, struct arena *arena)
{
	const char *home = number_home(number, arena);

	if (home != NULL)
		return home;
	return number[0] == '+' && number_abroad(number + 1)
		   ? arena_text(arena, number)
		   : NULL;
}

static bool
is_home(const char *address)
{
	return strncmp(address, "+86", 3) == 0;
}

/* One request goes to numbers at home, or to such abroad. */
static bool
mixes_countries(struct call *call, const struct json *numbers)
{
	bool home = false, abroad = false;

	json_each (item, numbers) {
		const char *address = e164(json_text(item), call->arena);

		if (address == NULL)
			continue;
		home = home || is_home(address);
		abroad = abroad || !is_home(address);
	}
	return home && abroad;
}

/* ---- one number ---- */

/* When the day began in China. */
static int64_t
china_midnight(int64_t now)
{
	return now - (now + CHINA_OFFSET_US) % DAY_US;
}

/* The same text within 30 s, or too many on one day in China. */
static struct sms_refusal
check_limits(struct call *call, const char *address, const char *text)
{
	struct ledger *ledger = call->sim->ledger;
	int64_t now = clock_wall(), today = 0;

	if (call->sim->day_limit == 0)
		return (struct sms_refusal){0};
	for (struct entry *entry = ledger_phone(ledger, address);
	     entry != NULL && (entry->at >= china_midnight(now) ||
				  entry->at > now - SAME_TEXT_US);
	     entry = ledger_get(ledger, entry->previous_of_phone)) {
		if (entry->endpoint != ENDPOINT_TENCENT)
			continue;
		if (entry->at > now - SAME_TEXT_US &&
		    strcmp(entry->text, text) == 0)
			return (struct sms_refusal){
			    "LimitExceeded.PhoneNumberThirtySecondLimit",
			    "the number of sms messages sent from a single "
			    "mobile number within 30 seconds exceeds the "
			    "upper limit"};
		today += entry->at >= china_midnight(now);
	}
	if (today < call->sim->day_limit)
		return (struct sms_refusal){0};
	return (struct sms_refusal){"LimitExceeded.PhoneNumberDailyLimit",
	    "the number of sms messages sent from a single mobile number "
	    "every day exceeds the upper limit"};
}

/* Check the message to this address and render it. */
static struct sms_refusal
prepare(struct call *call, const char *address, const char **text)
{
	const char *signature = text_of(call, "SignName");
	const char *code = text_of(call, "TemplateId");
	const struct sms_template *template =
	    sms_template_find(call->sim->templates, code);
	struct buf out = BUF_INIT(16384);
	struct sms_refusal refusal;

	if (address == NULL)
		return (struct sms_refusal){
		    "InvalidParameterValue.IncorrectPhoneNumber",
		    "incorrect phone number"};
	if (signature == NULL
		? is_home(address)
		: !sms_signature_known(call->sim->templates, signature))
		return (struct sms_refusal){
		    "FailedOperation.SignatureIncorrectOrUnapproved",
		    "signature is incorrect or unapproved"};
	if (template == NULL || !number_all_digits(code))
		return (struct sms_refusal){
		    "FailedOperation.TemplateIncorrectOrUnapproved",
		    "template is not approved or request content does not "
		    "match the approved template content"};
	refusal = sms_template_render_numbered(template, signature,
	    json_get(call->body, "TemplateParamSet"), &out);
	*text = arena_text(call->arena, buf_string(&out));
	buf_free(&out);
	if (refusal.code == NULL)
		refusal = check_limits(call, address, *text);
	if (refusal.code == NULL && call->choice.code != NULL)
		refusal = (struct sms_refusal){
		    call->choice.code->code, call->choice.code->message};
	return refusal;
}

/* An array as JSON text, for the ledger. */
static const char *
array_text(struct call *call, const struct json *array)
{
	struct buf text = BUF_INIT(1u << 20);
	struct json_writer writer;
	const char *copy;

	if (array == NULL)
		return "[]";
	json_write_init(&writer, &text);
	json_write_tree(&writer, array);
	copy = arena_text(call->arena, buf_string(&text));
	buf_free(&text);
	return copy;
}

/* Take it; returns its SerialNo. */
static const char *
accept_one(struct call *call, const char *address, const char *text)
{
	struct sim *sim = call->sim;
	const char *context = text_of(call, "SessionContext");
	const char *signature = text_of(call, "SignName");
	struct entry entry = {.at = clock_wall(),
	    .endpoint = ENDPOINT_TENCENT,
	    .request = sim->requests,
	    .reference = context != NULL ? context : "",
	    .address = address,
	    .channel = "sms",
	    .template = text_of(call, "TemplateId"),
	    .signature = signature != NULL ? signature : "",
	    .text = text,
	    .params =
		array_text(call, json_get(call->body, "TemplateParamSet")),
	    .outcome = fault_outcome_word(&call->choice),
	    .extension = text_of(call, "ExtendCode")};
	int64_t wait;

	entry.message_id = arena_printf(call->arena, "5000:%010llu%018llu",
	    (unsigned long long)(entry.at / SECOND_US),
	    (unsigned long long)ledger_last(sim->ledger) + 1);
	wait = receipts_plan(sim->receipts, ledger_add(sim->ledger, &entry));
	if (wait > call->reply->delay_us)
		call->reply->delay_us = wait;
	return entry.message_id;
}

static void
write_status(struct call *call, struct json_writer *writer, const char *number)
{
	const char *address = e164(number, call->arena), *text = "";
	const char *context = text_of(call, "SessionContext");
	struct sms_refusal refusal = prepare(call, address, &text);
	bool good = refusal.code == NULL;

	json_write_object(writer);
	json_write_member(
	    writer, "SerialNo", good ? accept_one(call, address, text) : "");
	json_write_member(
	    writer, "PhoneNumber", address != NULL ? address : number);
	json_write_key(writer, "Fee");
	json_write_i64(writer, good ? sms_parts(text) : 0);
	json_write_member(
	    writer, "SessionContext", context != NULL ? context : "");
	json_write_member(writer, "Code", good ? "Ok" : refusal.code);
	json_write_member(
	    writer, "Message", good ? "send success" : refusal.message);
	json_write_member(writer, "IsoCode",
	    address == NULL    ? ""
	    : is_home(address) ? "CN"
			       : "DEF");
	json_write_end_object(writer);
}

/* ---- sending ---- */

/* The account and the set as a whole; code NULL: good. */
static struct sms_refusal
check_request(struct call *call, const struct json *numbers)
{
	const char *context = text_of(call, "SessionContext");

	if (numbers->count == 0)
		return (struct sms_refusal){
		    "MissingParameter.EmptyPhoneNumberSet",
		    "the phone number set is empty"};
	if (numbers->count > NUMBERS_MAX)
		return (struct sms_refusal){
		    "LimitExceeded.PhoneNumberCountLimit",
		    "the number of phone numbers exceeds the upper limit"};
	if (context != NULL && strlen(context) > CONTEXT_BYTES_MAX)
		return (struct sms_refusal){"InvalidParameterValue",
		    "SessionContext: less than 512 bytes"};
	if (mixes_countries(call, numbers))
		return (struct sms_refusal){
		    "UnsupportedOperation."
		    "ContainDomesticAndInternationalPhoneNumber",
		    "the phone number set contains both domestic and "
		    "international numbers"};
	return (struct sms_refusal){0};
}

/* Does this code speak of numbers, not of the request? */
static bool
is_of_number(const char *code)
{
	return strncmp(code, "LimitExceeded.", 14) == 0 ||
	       strncmp(code, "FailedOperation.", 16) == 0 ||
	       strncmp(code, "InvalidParameterValue.", 22) == 0;
}

static void
run_send(struct call *call)
{
	const struct json *numbers = json_get(call->body, "PhoneNumberSet");
	const struct fault *fault = call->choice.code;
	struct sms_refusal refusal = check_request(call, numbers);
	struct json_writer writer;

	if (refusal.code == NULL && fault != NULL && !is_of_number(fault->code))
		refusal = (struct sms_refusal){fault->code, fault->message};
	if (refusal.code != NULL) {
		refuse(call, refusal.code, refusal.message);
		return;
	}
	call->sim->requests++;
	begin_answer(call, &writer);
	json_write_key(&writer, "SendStatusSet");
	json_write_array(&writer);
	json_each (item, numbers)
		write_status(call, &writer, json_text(item));
	json_write_end_array(&writer);
	end_answer(call, &writer);
	ledger_flush(call->sim->ledger);
}

/* ---- asking ---- */

static void
write_row(struct json_writer *writer, const struct entry *entry)
{
	bool home = is_home(entry->address);

	json_write_object(writer);
	json_write_key(writer, "UserReceiveTime");
	json_write_i64(writer, entry->receipt_at / SECOND_US);
	json_write_member(writer, "CountryCode", home ? "86" : "");
	json_write_member(
	    writer, "SubscriberNumber", entry->address + (home ? 3 : 1));
	json_write_member(writer, "PhoneNumber", entry->address);
	json_write_member(writer, "SerialNo", entry->message_id);
	json_write_member(writer, "ReportStatus",
	    entry_receipt(entry) == RECEIPT_DELIVERED ? "SUCCESS" : "FAIL");
	json_write_member(writer, "Description", entry->receipt_code);
	json_write_member(writer, "SessionContext", entry->reference);
	json_write_end_object(writer);
}

/* What a carrier has reported, of one phone, newest first. */
static void
answer_pull(struct call *call, const char *address)
{
	struct ledger *ledger = call->sim->ledger;
	int64_t begin = number_of(call, "BeginTime", 0) * SECOND_US;
	int64_t end = number_of(call, "EndTime", INT32_MAX) * SECOND_US;
	int64_t left = number_of(call, "Limit", 0);
	struct json_writer writer;

	begin_answer(call, &writer);
	json_write_key(&writer, "PullSmsSendStatusSet");
	json_write_array(&writer);
	for (struct entry *entry = ledger_phone(ledger, address);
	     entry != NULL && left > 0;
	     entry = ledger_get(ledger, entry->previous_of_phone)) {
		if (entry->endpoint != ENDPOINT_TENCENT || entry->at < begin ||
		    entry->at > end || entry_receipt(entry) == RECEIPT_WAITING)
			continue;
		write_row(&writer, entry);
		left--;
	}
	json_write_end_array(&writer);
	end_answer(call, &writer);
}

static void
run_pull(struct call *call)
{
	const char *address = e164(text_of(call, "PhoneNumber"), call->arena);
	int64_t limit = number_of(call, "Limit", 0);
	int64_t begin = number_of(call, "BeginTime", 0);

	if (begin < 0 || begin > INT32_MAX ||
	    begin * SECOND_US < clock_wall() - PULL_US)
		refuse(call, "InvalidParameterValue.BeginTimeVerifyFail",
		    "BeginTime: not more than 7 days ago");
	else if (number_of(call, "Offset", -1) != 0)
		refuse(call, "InvalidParameterValue.OffsetVerifyFail",
		    "Offset: 0");
	else if (limit < 1 || limit > ROWS_MAX)
		refuse(call, "InvalidParameterValue.LimitVerifyFail",
		    "Limit: 1 to 100");
	else if (address == NULL)
		refuse(call, "InvalidParameterValue.IncorrectPhoneNumber",
		    "incorrect phone number");
	else
		answer_pull(call, address);
}

/* ---- the door ---- */

static const struct action actions[] = {
    {"SendSms", send_members, COUNT(send_members), run_send},
    {"PullSmsSendStatusByPhoneNumber", pull_members, COUNT(pull_members),
	run_pull},
};

static const struct member *
find_member(const struct action *action, const char *name)
{
	for (size_t i = 0; i < action->member_count; i++)
		if (strcmp(action->members[i].name, name) == 0)
			return &action->members[i];
	return NULL;
}

static bool
all_strings(const struct json *array)
{
	json_each (item, array)
		if (!json_is(item, JSON_STRING))
			return false;
	return true;
}

/* Names, types, and what is missing; true, or it was refused. */
static bool
check_shape(struct call *call, const struct action *action)
{
	json_each (item, call->body) {
		const struct member *member = find_member(action, item->key);

		if (member == NULL) {
			refuse(call, "UnknownParameter",
			    "The request has a parameter that is not known.");
			return false;
		}
		if (!json_is(item, member->type) ||
		    (member->type == JSON_ARRAY && !all_strings(item))) {
			refuse(call, "InvalidParameter",
			    arena_printf(call->arena,
				"The value type of parameter `%s` is not "
				"valid.",
				member->name));
			return false;
		}
	}
	for (size_t i = 0; i < action->member_count; i++)
		if (action->members[i].required &&
		    json_get(call->body, action->members[i].name) == NULL) {
			refuse(call, "MissingParameter",
			    arena_printf(call->arena,
				"The request is missing a required parameter "
				"`%s`.",
				action->members[i].name));
			return false;
		}
	return true;
}

/* The object in the body; false, or it was refused. */
static bool
read_body(struct call *call)
{
	const struct door_request *request = call->request;
	const struct json_limits limits = {.bytes_max = BODY_BYTES_MAX};
	const char *type = door_header(request, "content-type");
	struct json_error error;

	if (type != NULL && strncasecmp(type, "application/json", 16) == 0)
		call->body = json_parse(request->body, request->body_bytes,
		    &limits, request->arena, &error);
	if (json_is(call->body, JSON_OBJECT))
		return true;
	refuse(call, "FailedOperation.JsonParseFail",
	    "the request body is not an object");
	return false;
}

static const char *
header_of(const struct call *call, const char *name)
{
	const char *value = door_header(call->request, name);

	return value != NULL ? value : "";
}

static const struct action *
find_action(const char *name)
{
	for (size_t i = 0; i < COUNT(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static void
run_action(struct call *call)
{
	struct tc3_refusal refusal =
	    tc3_verify(call->sim, call->request, "sms");
	const struct action *action =
	    find_action(header_of(call, "x-tc-action"));

	if (refusal.code != NULL)
		refuse(call, refusal.code, refusal.message);
	else if (strcmp(header_of(call, "x-tc-version"), "2021-01-11") != 0)
		refuse(call, "NoSuchVersion",
		    "The API version is not found for this product.");
	else if (action == NULL)
		refuse(call, "InvalidAction",
		    "The request action is not found for this product.");
	else if (strncmp(header_of(call, "x-tc-region"), "ap-", 3) != 0)
		refuse(call, "UnsupportedRegion",
		    "The region is not supported for this product.");
	else if (!read_body(call) || !check_shape(call, action))
		return;
	else if (strcmp(text_of(call, "SmsSdkAppId"), call->sim->sdk_app_id) !=
		 0)
		refuse(call, "UnauthorizedOperation.SmsSdkAppIdVerifyFail",
		    "sdkAppId verification failed");
	else
		action->run(call);
}

void
tencent_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;
	struct call call = {.sim = sim,
	    .request = request,
	    .arena = request->arena,
	    .reply = reply};

	call.choice = fault_choose(sim->faults, ENDPOINT_TENCENT);
	if (call.choice.refusal != NULL) {
		fault_refuse(&call.choice, reply);
		return;
	}
	if (strcmp(request->method, "POST") != 0)
		refuse(&call, "UnsupportedProtocol", "POST only.");
	else
		run_action(&call);
	fault_spoil(&call.choice, reply);
}
