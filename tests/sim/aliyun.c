/*
 * Aliyun SMS, version 2017-05-25, as a provider sees it: path "/", actions
 * SendSms, SendBatchSms and QuerySendDetails, both signature schemes,
 * parameters in the query or a form.  Checks in the vendor's order: key,
 * time, signature, nonce, version, action, parameters, then business rules.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/acs.h"
#include "tests/sim/fault.h"
#include "tests/sim/ledger.h"
#include "tests/sim/number.h"
#include "tests/sim/receipt.h"
#include "tests/sim/sms_template.h"

#define NUMBERS_MAX 1000
#define BATCH_MAX 100
#define OUT_ID_MAX 255
#define PAGE_MAX 50
#define QUERY_DAYS_MAX 30

struct call { /* one request */
	struct sim *sim;
	const struct door_request *request;
	struct acs_params params;
	struct arena *arena;
	struct door_reply *reply;
	struct fault_choice choice;
};

struct outgoing {            /* one message of a request */
	const char *address; /* E.164 */
	const char *signature;
	const struct sms_template *template;
	const struct json *params;
	const char *params_text;
	const char *text;
	const char *extension; /* NULL: none */
};

struct action {
	const char *name;
	void (*run)(struct call *call);
};

/* ---- answers ---- */

static const char *
request_id(struct call *call)
{
	uint64_t a = sim_random(call->sim), b = sim_random(call->sim);

	return arena_printf(call->arena, "%08X-%04X-%04X-%04X-%012llX",
	    (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
	    (unsigned)(a & 0xffff), (unsigned)(b >> 48),
	    (unsigned long long)(b & 0xffffffffffff));
}

/* An error of the gateway in front: HTTP 4xx, another shape. */
static void
refuse(struct call *call, int status, const char *code, const char *message)
{
	struct json_writer writer;

	call->reply->status = status;
	json_write_init(&writer, &call->reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "RequestId", request_id(call));
	json_write_member(&writer, "HostId", "dysmsapi.aliyuncs.com");
	json_write_member(&writer, "Code", code);
	json_write_member(&writer, "Message", message);
	json_write_member(&writer, "Recommend",
	    "https://api.aliyun.com/troubleshoot?q=Dysmsapi");
	json_write_end_object(&writer);
}

/* A business answer, good or bad: HTTP 200. biz_id NULL: none. */
static void
reply_business(struct call *call, const char *code, const char *message,
    const char *biz_id)
{
	struct json_writer writer;

	json_write_init(&writer, &call->reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "RequestId", request_id(call));
	if (biz_id != NULL)
		json_write_member(&writer, "BizId", biz_id);
	json_write_member(&writer, "Code", code);
	json_write_member(&writer, "Message", message);
	json_write_end_object(&writer);
}

/* The first of these parameters that is absent is refused; true if none. */
static bool
require(struct call *call, const char *const *names)
{
	for (; *names != NULL; names++) {
		const char *value = acs_param(&call->params, *names);

		if (value != NULL && value[0] != '\0')
			continue;
		refuse(call, 400,
		    arena_printf(call->arena, "Missing%s", *names),
		    arena_printf(call->arena,
			"%s is mandatory for this action.", *names));
		return false;
	}
	return true;
}

/* ---- numbers ---- */

/*
 * As E.164, or NULL if it is no number that the vendor takes.  Eleven digits
 * that begin with 1 are a mainland number, unless + or 00 stands before.
 */
static const char *
e164(const char *number, struct arena *arena)
{
	const char *home = number_home(number, arena), *digits = number;

	if (home != NULL)
		return home;
	if (number[0] == '+')
		digits++;
	else if (strncmp(number, "00", 2) == 0)
		digits += 2;
	else if (number[0] == '1')
		return NULL;
	return number_abroad(digits) ? arena_printf(arena, "+%s", digits)
				     : NULL;
}

/* ---- sending ---- */

static struct sms_refusal
illegal_number(void)
{
	return (struct sms_refusal){
	    "isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误"};
}

/* More than so many in 24 hours, by number, signature and template? */
static struct sms_refusal
check_day_limit(struct call *call, const struct outgoing *out)
{
	int64_t limit = call->sim->day_limit;

	if (limit == 0 ||
	    ledger_sent_since(call->sim->ledger, out->address, out->signature,
		out->template->code, clock_wall() - DAY_US, limit) < limit)
		return (struct sms_refusal){0};
	return (struct sms_refusal){"isv.BUSINESS_LIMIT_CONTROL",
	    arena_printf(
		call->arena, "触发天级流控Permits:%lld", (long long)limit)};
}

/* Check one message and render it. */
static struct sms_refusal
prepare(struct call *call, struct outgoing *out)
{
	struct buf text = BUF_INIT(16384);
	struct sms_refusal refusal;

	if (out->address == NULL)
		return illegal_number();
	if (!sms_signature_known(call->sim->templates, out->signature))
		return (struct sms_refusal){
		    "isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名"};
	if (out->template == NULL)
		return (struct sms_refusal){
		    "isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板"};
	refusal = sms_template_render(
	    out->template, out->signature, out->params, &text);
	out->text = arena_text(call->arena, buf_string(&text));
	buf_free(&text);
	return refusal.code != NULL ? refusal : check_day_limit(call, out);
}

static void
accept_one(struct call *call, const struct outgoing *out, const char *biz_id)
{
	const char *out_id = acs_param(&call->params, "OutId");
	struct entry entry = {.at = clock_wall(),
	    .endpoint = ENDPOINT_ALIYUN,
	    .request = call->sim->requests,
	    .reference = out_id != NULL ? out_id : "",
	    .address = out->address,
	    .channel = "sms",
	    .template = out->template->code,
	    .signature = out->signature,
	    .text = out->text,
	    .params = out->params_text,
	    .outcome = fault_outcome_word(&call->choice),
	    .message_id = biz_id,
	    .extension = out->extension};
	struct entry *kept = ledger_add(call->sim->ledger, &entry);
	int64_t wait = receipts_plan(call->sim->receipts, kept);

	if (wait > call->reply->delay_us)
		call->reply->delay_us = wait;
}

/* All or none: one bad message refuses the whole request. */
static void
send_all(struct call *call, struct outgoing *list, size_t count)
{
	struct sms_refusal refusal = {0};
	const char *biz_id;

	for (size_t i = 0; i < count && refusal.code == NULL; i++)
		refusal = prepare(call, &list[i]);
	if (refusal.code == NULL && call->choice.code != NULL)
		refusal = (struct sms_refusal){
		    call->choice.code->code, call->choice.code->message};
	if (refusal.code != NULL) {
		reply_business(call, refusal.code, refusal.message, NULL);
		return;
	}
	call->sim->requests++;
	biz_id = arena_printf(call->arena, "%06llu%012llu^0",
	    (unsigned long long)(clock_wall() / SECOND_US % 900000 + 100000),
	    (unsigned long long)call->sim->requests);
	for (size_t i = 0; i < count; i++)
		accept_one(call, &list[i], biz_id);
	ledger_flush(call->sim->ledger);
	reply_business(call, "OK", "OK", biz_id);
}

static const struct json *
parse_param(struct call *call, const char *name, enum json_type type)
{
	const char *text = acs_param(&call->params, name);
	struct json_error error;
	const struct json *value;

	if (text == NULL)
		return NULL;
	value = json_parse(text, strlen(text), NULL, call->arena, &error);
	return json_is(value, type) ? value : NULL;
}

/* True, or the request was refused. */
static bool
check_out_id(struct call *call)
{
	const char *out_id = acs_param(&call->params, "OutId");

	if (out_id == NULL || strlen(out_id) <= OUT_ID_MAX)
		return true;
	reply_business(
	    call, "isv.PARAM_LENGTH_LIMIT", "OutId超过长度限制", NULL);
	return false;
}

/* An object as JSON text, for the ledger. */
static const char *
object_text(struct call *call, const struct json *object)
{
	struct buf text = BUF_INIT(1u << 20);
	struct json_writer writer;
	const char *copy;

	if (object == NULL)
		return "{}";
	json_write_init(&writer, &text);
	json_write_tree(&writer, object);
	copy = arena_text(call->arena, buf_string(&text));
	buf_free(&text);
	return copy;
}

static void
run_send(struct call *call)
{
	static const char *const needed[] = {
	    "PhoneNumbers", "SignName", "TemplateCode", NULL};
	const struct json *params = NULL;
	struct outgoing *list;
	char *numbers, *number, *rest;
	size_t count = 0;

	if (!require(call, needed) || !check_out_id(call))
		return;
	params = parse_param(call, "TemplateParam", JSON_OBJECT);
	if (params == NULL &&
	    acs_param(&call->params, "TemplateParam") != NULL) {
		reply_business(call, "isv.INVALID_JSON_PARAM",
		    "JSON参数不合法，只接受字符串值", NULL);
		return;
	}
	list = arena_array(call->arena, NUMBERS_MAX, sizeof(*list));
	numbers = rest =
	    arena_text(call->arena, acs_param(&call->params, "PhoneNumbers"));
	while ((number = strsep(&rest, ",")) != NULL) {
		if (count == NUMBERS_MAX) {
			reply_business(call, "isv.MOBILE_COUNT_OVER_LIMIT",
			    "手机号码数量超过限制", NULL);
			return;
		}
		list[count++] = (struct outgoing){
		    .address = e164(number, call->arena),
		    .signature = acs_param(&call->params, "SignName"),
		    .template = sms_template_find(call->sim->templates,
			acs_param(&call->params, "TemplateCode")),
		    .params = params,
		    .params_text = object_text(call, params),
		    .extension = acs_param(&call->params, "SmsUpExtendCode")};
	}
	(void)numbers;
	send_all(call, list, count);
}

/* What is wrong with the arrays of a batch; code NULL: nothing. */
static struct sms_refusal
check_batch(const struct json *numbers, const struct json *signatures,
    const struct json *params, bool params_given)
{
	if (numbers == NULL || signatures == NULL ||
	    (params_given && params == NULL))
		return (struct sms_refusal){
		    "isv.INVALID_JSON_PARAM", "JSON参数不合法，只接受字符串值"};
	if (numbers->count > BATCH_MAX)
		return (struct sms_refusal){
		    "isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制"};
	if (numbers->count == 0 || signatures->count != numbers->count ||
	    (params_given && params->count != numbers->count))
		return (struct sms_refusal){
		    "isv.INVALID_PARAMETERS", "参数异常：数组长度不一致"};
	json_each (item, params)
		if (!json_is(item, JSON_OBJECT))
			return (struct sms_refusal){"isv.INVALID_JSON_PARAM",
			    "JSON参数不合法，只接受字符串值"};
	json_each (item, numbers)
		if (json_text(item) == NULL)
			return illegal_number();
	return (struct sms_refusal){0};
}

static void
run_send_batch(struct call *call)
{
	static const char *const needed[] = {
	    "PhoneNumberJson", "SignNameJson", "TemplateCode", NULL};
	bool given = acs_param(&call->params, "TemplateParamJson") != NULL;
	const struct json *numbers, *signatures, *params, *extensions;
	struct sms_refusal refusal;
	struct outgoing *list;

	if (!require(call, needed) || !check_out_id(call))
		return;
	numbers = parse_param(call, "PhoneNumberJson", JSON_ARRAY);
	signatures = parse_param(call, "SignNameJson", JSON_ARRAY);
	params = parse_param(call, "TemplateParamJson", JSON_ARRAY);
	extensions = parse_param(call, "SmsUpExtendCodeJson", JSON_ARRAY);
	refusal = check_batch(numbers, signatures, params, given);
	if (refusal.code != NULL) {
		reply_business(call, refusal.code, refusal.message, NULL);
		return;
	}
	list = arena_array(call->arena, numbers->count, sizeof(*list));
	for (uint32_t i = 0; i < numbers->count; i++) {
		const char *signature = json_text(json_at(signatures, i));
		const struct json *object = json_at(params, i);

		list[i] = (struct outgoing){
		    .address =
			e164(json_text(json_at(numbers, i)), call->arena),
		    .signature = signature != NULL ? signature : "",
		    .template = sms_template_find(call->sim->templates,
			acs_param(&call->params, "TemplateCode")),
		    .params = object,
		    .params_text = object_text(call, object),
		    .extension = json_text(json_at(extensions, i))};
	}
	send_all(call, list, numbers->count);
}

/* ---- asking ---- */

struct question {
	const char *date; /* yyyyMMdd, China time */
	const char *biz_id;
	int64_t skip;
	int64_t left; /* of the page */
	int64_t found;
};

static void
write_detail(
    struct json_writer *writer, const struct entry *entry, struct arena *arena)
{
	static const int64_t status[] = {1, 3, 2}; /* by enum receipt_state */
	enum receipt_state state = entry_receipt(entry);

	json_write_object(writer);
	json_write_member(writer, "PhoneNum",
	    strncmp(entry->address, "+86", 3) == 0 ? entry->address + 3
						   : entry->address + 1);
	json_write_key(writer, "SendStatus");
	json_write_i64(writer, status[state]);
	json_write_member(writer, "ErrCode",
	    state == RECEIPT_WAITING ? "" : entry->receipt_code);
	json_write_member(writer, "TemplateCode", entry->template);
	json_write_member(writer, "Content", entry->text);
	json_write_member(writer, "SendDate", sim_china_text(entry->at, arena));
	json_write_member(writer, "ReceiveDate",
	    state == RECEIPT_WAITING
		? ""
		: sim_china_text(entry->receipt_at, arena));
	json_write_member(writer, "OutId", entry->reference);
	json_write_end_object(writer);
}

/* The rows of one phone that match, newest first. */
static void
write_details(struct call *call, struct json_writer *writer,
    struct entry *entry, struct question *question)
{
	for (; entry != NULL;
	     entry = ledger_get(call->sim->ledger, entry->previous_of_phone)) {
		if (entry->endpoint != ENDPOINT_ALIYUN ||
		    strcmp(sim_china_date(entry->at, call->arena),
			question->date) != 0)
			continue;
		if (question->biz_id != NULL &&
		    strcmp(question->biz_id, entry->message_id) != 0)
			continue;
		question->found++;
		if (question->found > question->skip && question->left > 0) {
			write_detail(writer, entry, call->arena);
			question->left--;
		}
	}
}

static void
answer_question(
    struct call *call, const char *address, struct question *question)
{
	struct json_writer writer;

	json_write_init(&writer, &call->reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "RequestId", request_id(call));
	json_write_member(&writer, "Code", "OK");
	json_write_member(&writer, "Message", "OK");
	json_write_key(&writer, "SmsSendDetailDTOs");
	json_write_object(&writer);
	json_write_key(&writer, "SmsSendDetailDTO");
	json_write_array(&writer);
	write_details(
	    call, &writer, ledger_phone(call->sim->ledger, address), question);
	json_write_end_array(&writer);
	json_write_end_object(&writer);
	json_write_member(&writer, "TotalCount",
	    arena_printf(call->arena, "%lld", (long long)question->found));
	json_write_end_object(&writer);
}

/* yyyyMMdd, not after today and not more than 30 days before it. */
static bool
date_askable(const char *date, struct arena *arena)
{
	int64_t now = clock_wall();

	if (strlen(date) != 8 || !number_all_digits(date))
		return false;
	return strcmp(date, sim_china_date(now, arena)) <= 0 &&
	       strcmp(date,
		   sim_china_date(now - QUERY_DAYS_MAX * DAY_US, arena)) >= 0;
}

static void
run_query(struct call *call)
{
	static const char *const needed[] = {
	    "PhoneNumber", "SendDate", "PageSize", "CurrentPage", NULL};
	struct question question = {
	    .biz_id = acs_param(&call->params, "BizId")};
	const char *address;
	int64_t page;

	if (!require(call, needed))
		return;
	address = e164(acs_param(&call->params, "PhoneNumber"), call->arena);
	question.date = acs_param(&call->params, "SendDate");
	question.left = atoll(acs_param(&call->params, "PageSize"));
	page = atoll(acs_param(&call->params, "CurrentPage"));
	if (address == NULL) {
		reply_business(call, illegal_number().code,
		    illegal_number().message, NULL);
		return;
	}
	if (question.left < 1 || question.left > PAGE_MAX || page < 1 ||
	    page > LEDGER_KEPT_MAX ||
	    !date_askable(question.date, call->arena)) {
		reply_business(
		    call, "isv.INVALID_PARAMETERS", "参数异常", NULL);
		return;
	}
	question.skip = (page - 1) * question.left;
	answer_question(call, address, &question);
}

/* ---- the door ---- */

static const struct action actions[] = {
    {"SendSms", run_send},
    {"SendBatchSms", run_send_batch},
    {"QuerySendDetails", run_query},
};

/* From the header (ACS3) or the parameter of the older scheme. */
static const char *
named(struct call *call, const char *header, const char *param)
{
	const char *value = door_header(call->request, "authorization") != NULL
				? door_header(call->request, header)
				: acs_param(&call->params, param);

	return value != NULL ? value : "";
}

static void
run_action(struct call *call)
{
	struct acs_refusal refusal =
	    acs_verify(call->sim, call->request, &call->params);
	const char *action = named(call, "x-acs-action", "Action");

	if (refusal.code != NULL) {
		refuse(call, refusal.status, refusal.code, refusal.message);
		return;
	}
	if (strcmp(named(call, "x-acs-version", "Version"), "2017-05-25") !=
	    0) {
		refuse(call, 400, "InvalidVersion",
		    "Specified parameter Version is not valid.");
		return;
	}
	for (size_t i = 0; i < COUNT(actions); i++)
		if (strcmp(actions[i].name, action) == 0) {
			actions[i].run(call);
			return;
		}
	refuse(call, 404, "InvalidAction.NotFound",
	    "Specified api is not found, please check your url and method.");
}

void
aliyun_on_request(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct sim *sim = arg;
	struct call call = {.sim = sim,
	    .request = request,
	    .arena = request->arena,
	    .reply = reply};

	call.choice = fault_choose(sim->faults, ENDPOINT_ALIYUN);
	if (call.choice.refusal != NULL) {
		fault_refuse(&call.choice, reply);
		return;
	}
	call.params = acs_params_read(request);
	run_action(&call);
	fault_spoil(&call.choice, reply);
}
