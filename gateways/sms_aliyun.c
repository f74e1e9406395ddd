/*
 * Aliyun SMS (Dysmsapi, version 2017-05-25): SendSms for one message,
 * SendBatchSms for up to 100, QuerySendDetails for what is unknown, and the
 * pushes SmsReport and SmsUp.  aliyun_sign.h signs the requests.
 *
 * The provider keeps no idempotency key, takes no time limit, and signs no
 * push: the secret path is what makes those trustworthy.  A batch has one
 * OutId and one BizId, so its receipts are told apart by the phone number.
 */
#include "aliyun_sign.h"
#include "cloud_sms.h"

#include <stdlib.h>

#define API_VERSION "2017-05-25"
#define BATCH_MAX 100
#define PAGE_ROWS 50
#define QUERY_NEAR_S 90 /* our send and its row may be dated so far apart */

/*
 * What a code says.  Retry with a scope above the message: that scope waits,
 * and where an account, template or signature is refused an operator must
 * act.
 */
static const struct rule rules[] = {
    {"InternalError", GW_UNKNOWN, GW_SCOPE_GATEWAY},
    {"InvalidAccessKeyId.NotFound", GW_RETRY, GW_SCOPE_GATEWAY},
    {"InvalidAction.NotFound", GW_RETRY, GW_SCOPE_GATEWAY},
    {"InvalidTimeStamp.Expired", GW_RETRY, GW_SCOPE_GATEWAY},
    {"InvalidVersion", GW_RETRY, GW_SCOPE_GATEWAY},
    {"MissingAccessKeyId", GW_RETRY, GW_SCOPE_GATEWAY},
    {"SignatureDoesNotMatch", GW_RETRY, GW_SCOPE_GATEWAY},
    /* 128 random bits: the same request came before, and may have been taken */
    {"SignatureNonceUsed", GW_UNKNOWN, GW_SCOPE_MESSAGE},
    {"Throttling", GW_RETRY, GW_SCOPE_GATEWAY},
    {"Throttling.User", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isp.GATEWAY_ERROR", GW_UNKNOWN, GW_SCOPE_GATEWAY},
    {"isp.RAM_PERMISSION_DENY", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isp.SYSTEM_ERROR", GW_UNKNOWN, GW_SCOPE_GATEWAY},
    {"isv.ACCOUNT_ABNORMAL", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.ACCOUNT_NOT_EXISTS", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.AMOUNT_NOT_ENOUGH", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.BLACK_KEY_CONTROL_LIMIT", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.BUSINESS_LIMIT_CONTROL", GW_RETRY, GW_SCOPE_RECIPIENT},
    {"isv.CUSTOMER_REFUSED", GW_REJECTED, GW_SCOPE_RECIPIENT},
    {"isv.DAY_LIMIT_CONTROL", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.DENY_IP_RANGE", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.DOMESTIC_NUMBER_NOT_SUPPORTED", GW_RETRY, GW_SCOPE_TEMPLATE},
    {"isv.EXTEND_CODE_ERROR", GW_RETRY, GW_SCOPE_SENDER},
    {"isv.INVALID_JSON_PARAM", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.INVALID_PARAMETERS", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.MOBILE_COUNT_OVER_LIMIT", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.MOBILE_NUMBER_ILLEGAL", GW_REJECTED, GW_SCOPE_RECIPIENT},
    {"isv.MONTH_LIMIT_CONTROL", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.OUT_OF_SERVICE", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.PARAM_LENGTH_LIMIT", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.PARAM_NOT_SUPPORT_URL", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.PRODUCT_UNSUBSCRIBE", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.PRODUCT_UN_SUBSCRIPT", GW_RETRY, GW_SCOPE_GATEWAY},
    {"isv.SIGN_NAME_ILLEGAL", GW_RETRY, GW_SCOPE_SENDER},
    {"isv.SIGN_STATE_ILLEGAL", GW_RETRY, GW_SCOPE_SENDER},
    {"isv.SMS_CONTENT_ILLEGAL", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.SMS_SIGNATURE_ILLEGAL", GW_RETRY, GW_SCOPE_SENDER},
    {"isv.SMS_SIGNATURE_SCENE_ILLEGAL", GW_RETRY, GW_SCOPE_SENDER},
    {"isv.SMS_SIGN_ILLEGAL", GW_RETRY, GW_SCOPE_SENDER},
    {"isv.SMS_TEMPLATE_ILLEGAL", GW_RETRY, GW_SCOPE_TEMPLATE},
    {"isv.SMS_TEST_NUMBER_LIMIT", GW_RETRY, GW_SCOPE_SENDER},
    {"isv.TEMPLATE_MISSING_PARAMETERS", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.TEMPLATE_PARAMS_ILLEGAL", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"isv.UNSUPPORTED_CONTENT", GW_REJECTED, GW_SCOPE_MESSAGE},
};

/* Beside the carriers' own; any other code says nothing about the number. */
static const struct report reports[] = {
    {"INVALID_NUMBER", .address_bad = true},
    {"MOBILE_IN_BLACK", .opted_out = true},
    {"MOBILE_NOT_ON_SERVICE", .address_bad = true},
};

static const struct gw_option options[] = {
    {"access-key-id", GW_OPTION_TEXT, .required = true,
	.help = "Id of the RAM user's access key."},
    {"access-key-secret", GW_OPTION_TEXT, .required = true, .secret = true,
	.help = "Secret of the access key."},
    {"endpoint", GW_OPTION_URL, .standard = "https://dysmsapi.aliyuncs.com",
	.help = "Where requests go, without a path."},
    {"signature", GW_OPTION_TEXT, .standard = "acs3",
	.help = "How requests are signed: acs3 (ACS3-HMAC-SHA256), or rpc "
		"(HMAC-SHA1) for an endpoint that knows the older scheme "
		"only."},
    {"sign-name", GW_OPTION_TEXT,
	.help = "Signature (without brackets) of messages whose template "
		"names none."},
};

/* ---- numbers ---- */

/*
 * E.164 as the provider takes it, or NULL: 11 digits at home, country code
 * and number abroad.  Neither may look like the other, or a stranger gets
 * the message; so North America keeps an international prefix.
 */
static const char *
provider_number(struct gw_call *call, const char *address)
{
	const char *digits = address + 1;

	if (address[0] != '+' || !all_digits(digits) || strlen(digits) > 15)
		return NULL;
	if (strncmp(digits, "86", 2) == 0)
		return is_mainland(digits + 2) ? digits + 2 : NULL;
	if (digits[0] == '1')
		return call->host->format(call, "00%s", digits);
	return digits;
}

/* ---- settings ---- */

static const char *
check(struct gw_call *call)
{
	if (gw_setting(call, "access-key-id")[0] == '\0')
		return "access-key-id is empty";
	if (gw_setting(call, "access-key-secret")[0] == '\0')
		return "access-key-secret is empty";
	if (endpoint_authority(gw_setting(call, "endpoint")) == NULL)
		return "endpoint: scheme, host and port in lower case, no path";
	if (strcmp(gw_setting(call, "signature"), "acs3") != 0 &&
	    strcmp(gw_setting(call, "signature"), "rpc") != 0)
		return "signature: acs3 or rpc";
	return NULL;
}

/* ---- sending ---- */

/* Why this message cannot be sent: rejected, or verdict 0 if it can. */
static struct gw_outcome
obstacle(struct gw_call *call, const struct gw_message *message)
{
	if (provider_number(call, message->address) == NULL)
		return outcome_of(GW_REJECTED, GW_SCOPE_RECIPIENT, "address");
	if (message->template_code == NULL)
		return outcome_of(
		    GW_REJECTED, GW_SCOPE_MESSAGE, "template_code");
	if (signature_of(call, message) == NULL)
		return outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, "signature");
	return (struct gw_outcome){0};
}

/* The parameters as a JSON object; all values are strings. */
static const char *
parameters_json(struct gw_call *call, const struct gw_message *message)
{
	const struct gw_host *host = call->host;
	struct gw_buf *buf = host->buf(call);

	host->buf_text(buf, "{");
	for (size_t i = 0; i < message->parameter_count; i++) {
		host->buf_text(buf, i > 0 ? "," : "");
		host->buf_json(buf, message->parameters[i].name);
		host->buf_text(buf, ":");
		host->buf_json(buf, message->parameters[i].value);
	}
	host->buf_text(buf, "}");
	return host->buf_string(buf);
}

static const char *
number_json(struct gw_call *call, const struct gw_message *message)
{
	return quoted(call, provider_number(call, message->address));
}

static const char *
signature_json(struct gw_call *call, const struct gw_message *message)
{
	return quoted(call, signature_of(call, message));
}

static const char *
extension_json(struct gw_call *call, const struct gw_message *message)
{
	return quoted(
	    call, message->extension != NULL ? message->extension : "");
}

/* As the vendor's SDK does: parameters in the query. */
static void
send_one(struct gw_call *call, const struct gw_message *message,
    struct gw_request *request)
{
	struct gw_pair list[6];
	size_t count = 0;

	list[count++] = (struct gw_pair){"OutId", message->reference};
	list[count++] = (struct gw_pair){
	    "PhoneNumbers", provider_number(call, message->address)};
	list[count++] =
	    (struct gw_pair){"SignName", signature_of(call, message)};
	if (message->extension != NULL)
		list[count++] =
		    (struct gw_pair){"SmsUpExtendCode", message->extension};
	list[count++] =
	    (struct gw_pair){"TemplateCode", message->template_code};
	if (message->parameter_count > 0)
		list[count++] = (struct gw_pair){
		    "TemplateParam", parameters_json(call, message)};
	sign(call, &(struct action){"SendSms", API_VERSION, list, count, false},
	    request);
}

/* A hundred messages would make too long a URL: parameters in a form. */
static void
send_batch(struct gw_call *call, const struct gw_message *messages,
    size_t count, struct gw_request *request)
{
	struct gw_pair list[6];
	size_t used = 0;
	bool extended = false;

	for (size_t i = 0; i < count; i++)
		extended = extended || messages[i].extension != NULL;
	list[used++] = (struct gw_pair){"OutId", messages[0].reference};
	list[used++] = (struct gw_pair){
	    "PhoneNumberJson", json_array(call, messages, count, number_json)};
	list[used++] = (struct gw_pair){
	    "SignNameJson", json_array(call, messages, count, signature_json)};
	if (extended)
		list[used++] = (struct gw_pair){"SmsUpExtendCodeJson",
		    json_array(call, messages, count, extension_json)};
	list[used++] =
	    (struct gw_pair){"TemplateCode", messages[0].template_code};
	list[used++] = (struct gw_pair){"TemplateParamJson",
	    json_array(call, messages, count, parameters_json)};
	sign(call,
	    &(struct action){"SendBatchSms", API_VERSION, list, used, true},
	    request);
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	if (!all_expressible(call, messages, count, outcomes, obstacle))
		return -1;
	if (count == 1)
		send_one(call, messages, request);
	else
		send_batch(call, messages, count, request);
	return 0;
}

/* ---- the answer ---- */

static const struct rule *
find_rule(const char *code)
{
	const struct rule *rule = rule_of(rules, COUNT(rules), code);

	/* Throttling.Api and what else there may be */
	if (rule == NULL && strncmp(code, "Throttling.", 11) == 0)
		return rule_of(rules, COUNT(rules), "Throttling");
	return rule;
}

/*
 * "Limit:1,Remain:0,TimeLeft:2000,Reset:1234": seconds until more may be
 * sent, 0 where some remain or it cannot be read.
 */
static int32_t
limit_wait_s(const char *value)
{
	static const char label[] = "TimeLeft:";
	const char *left = strstr(value, label);
	long ms;

	if (left == NULL || strstr(value, "Remain:0,") == NULL)
		return 0;
	ms = strtol(left + sizeof(label) - 1, NULL, 10);
	if (ms <= 0)
		return 0;
	return ms < DAY_S * 1000L ? (int32_t)((ms + 999) / 1000) : DAY_S;
}

/*
 * The longest wait that the throttle headers name.  Throttling comes with
 * status 400, and where nothing says for how long it is of a second; a 429
 * has its own time.
 */
static int32_t
throttle_wait_s(const struct gw_response *response, const char *code)
{
	int32_t wait_s = 0;

	for (size_t i = 0; i < response->header_count; i++) {
		const struct gw_pair *header = &response->headers[i];
		int32_t this_s;

		if (strcmp(header->name, "x-ratelimit-user") != 0 &&
		    strcmp(header->name, "x-ratelimit-user-api") != 0)
			continue;
		this_s = limit_wait_s(header->value);
		if (this_s > wait_s)
			wait_s = this_s;
	}
	if (wait_s == 0 && response->status != 429 &&
	    strncmp(code, "Throttling", 10) == 0)
		return 1;
	return wait_s;
}

/* Until the number's window opens: the next clock minute or hour, a day. */
static int32_t
window_wait_s(struct gw_call *call, const char *message)
{
	int32_t second = china_second_of_day(call->now_us);

	if (strstr(message, "分钟级") != NULL)
		return 60 - second % 60;
	if (strstr(message, "小时级") != NULL)
		return 3600 - second % 3600;
	return strstr(message, "天级") != NULL ? DAY_S : 0;
}

/* How long to wait before a repeat; 0: the provider does not say. */
static int32_t
wait_s(struct gw_call *call, const struct gw_outcome *outcome,
    const char *message, const struct gw_response *response)
{
	if (strcmp(outcome->code, "isv.BUSINESS_LIMIT_CONTROL") == 0)
		return window_wait_s(call, message != NULL ? message : "");
	if (strcmp(outcome->code, "isv.DAY_LIMIT_CONTROL") == 0)
		return DAY_S - china_second_of_day(call->now_us);
	if (outcome->verdict == GW_RETRY && outcome->scope == GW_SCOPE_GATEWAY)
		return throttle_wait_s(response, outcome->code);
	return 0;
}

/* What the answer says of a request with one message. */
static struct gw_outcome
judge(struct gw_call *call, const struct gw_response *response)
{
	const struct gw_json *body =
	    call->host->json_parse(call, response->body, response->body_bytes);
	const char *code = string_at(call, body, "Code");
	const struct rule *rule = code != NULL ? find_rule(code) : NULL;
	struct gw_outcome outcome;

	if (code != NULL && strcmp(code, "OK") == 0) {
		if (response->status != 200)
			return outcome_of(GW_UNKNOWN, GW_SCOPE_GATEWAY, code);
		outcome = outcome_of(GW_ACCEPTED, GW_SCOPE_MESSAGE, code);
		outcome.provider_id = string_at(call, body, "BizId");
		return outcome;
	}
	if (rule != NULL)
		outcome = outcome_of(rule->verdict, rule->scope, code);
	else
		outcome = judge_status(call, response->status, code);
	outcome.opted_out = strcmp(outcome.code, "isv.CUSTOMER_REFUSED") == 0;
	outcome.retry_after_s =
	    wait_s(call, &outcome, string_at(call, body, "Message"), response);
	return outcome;
}

static void
sent(struct gw_call *call, const struct gw_message *messages, size_t count,
    const struct gw_response *response, struct gw_outcome *outcomes)
{
	struct gw_outcome outcome = judge(call, response);

	(void)messages;
	if (count > 1 && blames_member(&outcome))
		outcome =
		    outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, outcome.code);
	for (size_t i = 0; i < count; i++)
		outcomes[i] = outcome;
}

/* ---- asking ---- */

static void
query(struct gw_call *call, const struct gw_query *question,
    struct gw_request *request)
{
	const char *number = provider_number(call, question->address);
	struct gw_pair list[5];
	size_t count = 0;

	if (question->provider_id != NULL)
		list[count++] =
		    (struct gw_pair){"BizId", question->provider_id};
	list[count++] = (struct gw_pair){"CurrentPage", "1"};
	list[count++] = (struct gw_pair){"PageSize", "50"};
	list[count++] = (struct gw_pair){
	    "PhoneNumber", number != NULL ? number : question->address};
	list[count++] = (struct gw_pair){
	    "SendDate", call->host->time_text(call, question->sent_at_us,
			    CHINA_OFFSET_S, "%Y%m%d")};
	sign(call,
	    &(struct action){
		"QuerySendDetails", API_VERSION, list, count, false},
	    request);
}

/* What a row's SendStatus says. */
static enum gw_found
row_found(struct gw_call *call, const struct gw_json *row)
{
	static const enum gw_found found[] = {
	    GW_FOUND_WAITING, GW_FOUND_UNDELIVERED, GW_FOUND_DELIVERED};
	const char *status = text_at(call, row, "SendStatus");

	if (status == NULL || status[0] < '1' || status[0] > '3' ||
	    status[1] != '\0')
		return GW_FOUND_UNSURE;
	return found[status[0] - '1'];
}

/*
 * Is a row about the message in question?  By OutId, or by the BizId that
 * was asked for.  Unsure where it has the OutId of another message but our
 * number and time: it may have led the batch that ours was in.
 */
static enum gw_found
match_row(struct gw_call *call, const struct gw_query *question,
    const struct gw_json *row)
{
	const char *out_id = string_at(call, row, "OutId");
	const char *date = string_at(call, row, "SendDate");
	int64_t at_us, apart_us;

	if (question->provider_id != NULL ||
	    (out_id != NULL && strcmp(out_id, question->reference) == 0))
		return row_found(call, row);
	if (date == NULL ||
	    !call->host->time_parse(call, date, CHINA_OFFSET_S, &at_us))
		return GW_FOUND_UNSURE;
	apart_us = at_us - question->sent_at_us;
	return apart_us < -QUERY_NEAR_S * SECOND_US ||
		       apart_us > QUERY_NEAR_S * SECOND_US
		   ? GW_FOUND_NOTHING
		   : GW_FOUND_UNSURE;
}

/* Of several rows the one that says most; a repeat has the same OutId. */
static int
weight(enum gw_found found)
{
	static const int weights[] = {[GW_FOUND_NOTHING] = 0,
	    [GW_FOUND_UNSURE] = 1,
	    [GW_FOUND_UNDELIVERED] = 2,
	    [GW_FOUND_WAITING] = 3,
	    [GW_FOUND_DELIVERED] = 4};

	return weights[found];
}

/*
 * Does the page show all that could be ours?  Not if there are more pages,
 * or if the provider may have dated the message on the day before or after.
 */
static bool
page_complete(struct gw_call *call, const struct gw_query *question,
    const struct gw_json *body, size_t rows)
{
	const char *total = text_at(call, body, "TotalCount");
	int32_t second = china_second_of_day(question->sent_at_us);

	return total != NULL && all_digits(total) &&
	       strtoul(total, NULL, 10) <= rows && second >= QUERY_NEAR_S &&
	       second < DAY_S - QUERY_NEAR_S;
}

static void
queried(struct gw_call *call, const struct gw_query *question,
    const struct gw_response *response, struct gw_query_result *result)
{
	const struct gw_host *host = call->host;
	const struct gw_json *body =
	    host->json_parse(call, response->body, response->body_bytes);
	const struct gw_json *rows = host->json_get(
	    host->json_get(body, "SmsSendDetailDTOs"), "SmsSendDetailDTO");
	const char *code = string_at(call, body, "Code");
	size_t count = host->json_count(rows);

	*result =
	    (struct gw_query_result){.found = GW_FOUND_UNSURE, .code = code};
	if (response->status != 200 || code == NULL ||
	    strcmp(code, "OK") != 0 || host->json_type(rows) != GW_JSON_ARRAY ||
	    count > PAGE_ROWS)
		return;
	if (page_complete(call, question, body, count))
		result->found = GW_FOUND_NOTHING;
	for (size_t i = 0; i < count; i++) {
		const struct gw_json *row = host->json_at(rows, i);
		enum gw_found found = match_row(call, question, row);
		const char *date = string_at(call, row, "ReceiveDate");

		if (weight(found) <= weight(result->found))
			continue;
		*result = (struct gw_query_result){
		    .found = found, .code = string_at(call, row, "ErrCode")};
		if (date != NULL && !host->time_parse(call, date,
					CHINA_OFFSET_S, &result->at_us))
			result->at_us = 0;
	}
}

/* ---- pushes ---- */

static const struct report *
find_report(const char *code)
{
	for (size_t i = 0; i < COUNT(reports); i++)
		if (strcmp(reports[i].code, code) == 0)
			return &reports[i];
	return carrier_report(code);
}

/* SmsReport; false if it is none. */
static bool
read_receipt(
    struct gw_call *call, const struct gw_json *item, struct gw_event *event)
{
	const char *success = text_at(call, item, "success");
	const struct report *report = NULL;

	if (success == NULL ||
	    (strcmp(success, "true") != 0 && strcmp(success, "false") != 0))
		return false;
	*event = (struct gw_event){.type = GW_EVENT_RECEIPT,
	    .reference = string_at(call, item, "out_id"),
	    .provider_id = string_at(call, item, "biz_id"),
	    .address = e164(call, text_at(call, item, "phone_number")),
	    .code = string_at(call, item, "err_code"),
	    .at_us = china_instant(call, string_at(call, item, "report_time")),
	    .delivered = strcmp(success, "true") == 0};
	if (!event->delivered && event->code != NULL)
		report = find_report(event->code);
	if (report != NULL) {
		event->address_bad = report->address_bad;
		event->opted_out = report->opted_out;
	}
	return event->address != NULL &&
	       (event->reference != NULL || event->provider_id != NULL);
}

/* The number of a reply, to know it again; NULL where it has none. */
static const char *
reply_id(struct gw_call *call, const struct gw_json *item)
{
	const char *id = text_at(call, item, "sequence_id");

	return id != NULL && all_digits(id) ? id : NULL;
}

/* SmsUp; false if it is none. */
static bool
read_reply(
    struct gw_call *call, const struct gw_json *item, struct gw_event *event)
{
	*event = (struct gw_event){.type = GW_EVENT_REPLY,
	    .id = reply_id(call, item),
	    .address = e164(call, text_at(call, item, "phone_number")),
	    .extension = text_at(call, item, "dest_code"),
	    .text = text_at(call, item, "content"),
	    .at_us = china_instant(call, string_at(call, item, "send_time"))};
	return event->address != NULL && event->text != NULL &&
	       strlen(event->text) <= REPLY_BYTES_MAX;
}

static int
receive(struct gw_call *call, const struct gw_callback *callback,
    const struct gw_event **events, struct gw_answer *reply)
{
	const struct gw_host *host = call->host;
	const struct gw_json *items =
	    host->json_parse(call, callback->body, callback->body_bytes);
	size_t count = host->json_count(items), good = 0;
	struct gw_event *list;

	*reply = answer(400, "{\"code\":400,\"msg\":\"malformed\"}");
	if (strcmp(callback->method, "POST") != 0) {
		reply->status = 405;
		return -1;
	}
	if (host->json_type(items) != GW_JSON_ARRAY || count > EVENTS_MAX)
		return -1;
	list = host->alloc(call, (count + 1) * sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		const struct gw_json *item = host->json_at(items, i);

		good += host->json_get(item, "success") != NULL
			    ? read_receipt(call, item, &list[good])
			    : read_reply(call, item, &list[good]);
	}
	*events = list;
	/* those that can be read are stored; for the others it comes again */
	if (good < count)
		return good > 0 ? (int)good : -1;
	*reply = answer(200, "{\"code\":0,\"msg\":\"接收成功\"}");
	return (int)count;
}

const struct gw_api adherd_gateway = {
    .abi = GW_ABI,
    .size = sizeof(struct gw_api),
    .name = "sms_aliyun",
    .kind = GW_KIND_MESSAGES,
    .flags = GW_RECEIPTS | GW_REPLIES | GW_TEMPLATES,
    .channels = "sms",
    .options = options,
    .option_count = COUNT(options),
    .batch_max = BATCH_MAX,
    .check = check,
    .send = send,
    .sent = sent,
    .query = query,
    .queried = queried,
    .receive = receive,
};
