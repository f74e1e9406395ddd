/*
 * Tencent Cloud SMS (version 2021-01-11): SendSms for up to 200 numbers,
 * PullSmsSendStatusByPhoneNumber for what is unknown, and the pushes of
 * status and replies.  Requests are signed by TC3-HMAC-SHA256.
 *
 * A request has one set of parameters, one extension and one SessionContext
 * for all its numbers, so a batch is of one text, and its receipts are told
 * apart by the number; each number has its own code and SerialNo.  The
 * provider keeps no idempotency key, takes no time limit, and signs no push:
 * the secret path is what makes those trustworthy.
 */
#include "cloud_sms.h"

#include <stdlib.h>

#define API_VERSION "2021-01-11"
#define SERVICE "sms"
#define CONTENT_TYPE "application/json; charset=utf-8"
#define BATCH_MAX 200
#define PULL_ROWS 100
#define PULL_BEFORE_S 90 /* their clock may be behind ours by so much */
#define MORNING_S (8 * 3600)
#define HALF_MINUTE_S 30
#define HOUR_S 3600
#define EPOCH_DIGITS_MAX 11

enum wait { /* before a repeat */
	WAIT_SECOND,
	WAIT_HALF_MINUTE,
	WAIT_HOUR,
	WAIT_MORNING, /* 08:00 in China */
	WAIT_TOMORROW
};

struct window { /* a limit that ends by itself */
	const char *code;
	enum wait wait;
};

struct statuses { /* of an answer, read once */
	size_t count;
	struct status {
		const char *address; /* NULL: unreadable */
		const char *code;
		const char *serial_no;
	} list[BATCH_MAX];
};

/*
 * What a code says, of one number or of a whole request.  Retry with a scope
 * above the message: that scope waits, and where an account, template or
 * signature is refused an operator must act.  A code that is not here means
 * what the part before its first dot means, if that is here.
 */
static const struct rule rules[] = {
    /* key, signature, clock */
    {"AuthFailure", GW_RETRY, GW_SCOPE_GATEWAY},
    {"AuthFailure.InvalidSecretId", GW_RETRY, GW_SCOPE_GATEWAY},
    {"AuthFailure.SecretIdNotFound", GW_RETRY, GW_SCOPE_GATEWAY},
    {"AuthFailure.SignatureExpire", GW_RETRY, GW_SCOPE_GATEWAY},
    {"AuthFailure.SignatureFailure", GW_RETRY, GW_SCOPE_GATEWAY},
    {"AuthFailure.UnauthorizedOperation", GW_RETRY, GW_SCOPE_GATEWAY},
    /* texts, templates, signatures, the number */
    {"FailedOperation.ContainSensitiveWord", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"FailedOperation.FailResolvePacket", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"FailedOperation.InsufficientBalanceInSmsPackage", GW_RETRY,
	GW_SCOPE_GATEWAY},
    {"FailedOperation.JsonParseFail", GW_REJECTED, GW_SCOPE_MESSAGE},
    /* of promotions: other texts go on */
    {"FailedOperation.MarketingSendTimeConstraint", GW_RETRY,
	GW_SCOPE_TEMPLATE},
    {"FailedOperation.MissingSignatureList", GW_RETRY, GW_SCOPE_SENDER},
    {"FailedOperation.MissingTemplateList", GW_RETRY, GW_SCOPE_TEMPLATE},
    {"FailedOperation.PhoneNumberInBlacklist", GW_REJECTED, GW_SCOPE_RECIPIENT},
    {"FailedOperation.SignatureIncorrectOrUnapproved", GW_RETRY,
	GW_SCOPE_SENDER},
    {"FailedOperation.TemplateIncorrectOrUnapproved", GW_RETRY,
	GW_SCOPE_TEMPLATE},
    {"FailedOperation.TemplateParamSetNotMatchApprovedTemplate", GW_RETRY,
	GW_SCOPE_TEMPLATE},
    {"FailedOperation.TemplateUnapprovedOrNotExist", GW_RETRY,
	GW_SCOPE_TEMPLATE},
    /* may have been sent */
    {"InternalError", GW_UNKNOWN, GW_SCOPE_GATEWAY},
    {"InternalError.OtherError", GW_UNKNOWN, GW_SCOPE_GATEWAY},
    {"InternalError.RequestTimeException", GW_RETRY,
	GW_SCOPE_GATEWAY}, /* the clock, too */
    {"InternalError.SendAndRecvFail", GW_UNKNOWN, GW_SCOPE_MESSAGE},
    {"InternalError.Timeout", GW_UNKNOWN, GW_SCOPE_MESSAGE},
    {"InternalError.UnknownError", GW_UNKNOWN, GW_SCOPE_GATEWAY},
    /* values */
    {"InvalidParameterValue.ContentLengthLimit", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"InvalidParameterValue.IncorrectPhoneNumber", GW_REJECTED,
	GW_SCOPE_RECIPIENT},
    {"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", GW_REJECTED,
	GW_SCOPE_MESSAGE},
    {"InvalidParameterValue.SdkAppIdNotExist", GW_RETRY, GW_SCOPE_GATEWAY},
    {"InvalidParameterValue.TemplateParameterFormatError", GW_REJECTED,
	GW_SCOPE_MESSAGE},
    {"InvalidParameterValue.TemplateParameterLengthLimit", GW_REJECTED,
	GW_SCOPE_MESSAGE},
    /* a number's windows, and the account's day */
    {"LimitExceeded.AppDailyLimit", GW_RETRY, GW_SCOPE_GATEWAY},
    {"LimitExceeded.AppMainlandChinaDailyLimit", GW_RETRY, GW_SCOPE_GATEWAY},
    {"LimitExceeded.DailyLimit", GW_RETRY, GW_SCOPE_GATEWAY},
    {"LimitExceeded.DeliveryFrequencyLimit", GW_RETRY, GW_SCOPE_RECIPIENT},
    {"LimitExceeded.PhoneNumberCountLimit", GW_REJECTED, GW_SCOPE_MESSAGE},
    {"LimitExceeded.PhoneNumberDailyLimit", GW_RETRY, GW_SCOPE_RECIPIENT},
    {"LimitExceeded.PhoneNumberOneHourLimit", GW_RETRY, GW_SCOPE_RECIPIENT},
    {"LimitExceeded.PhoneNumberSameContentDailyLimit", GW_RETRY,
	GW_SCOPE_RECIPIENT},
    {"LimitExceeded.PhoneNumberThirtySecondLimit", GW_RETRY,
	GW_SCOPE_RECIPIENT},
    {"RequestLimitExceeded", GW_RETRY, GW_SCOPE_GATEWAY},
    /* the account; arrears are spelt in two ways */
    {"UnauthorizedOperation", GW_RETRY, GW_SCOPE_GATEWAY},
    {"UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny", GW_RETRY,
	GW_SCOPE_TEMPLATE},
    {"UnauthorizedOperation.RequestIpNotInWhitelist", GW_RETRY,
	GW_SCOPE_GATEWAY},
    {"UnauthorizedOperation.RequestPermissionDeny", GW_RETRY, GW_SCOPE_GATEWAY},
    {"UnauthorizedOperation.SdkAppIdIsDisabled", GW_RETRY, GW_SCOPE_GATEWAY},
    {"UnauthorizedOperation.SerivceSuspendDueToArrears", GW_RETRY,
	GW_SCOPE_GATEWAY},
    {"UnauthorizedOperation.ServiceSuspendDueToArrears", GW_RETRY,
	GW_SCOPE_GATEWAY},
    {"UnauthorizedOperation.SmsSdkAppIdVerifyFail", GW_RETRY, GW_SCOPE_GATEWAY},
    /* a text of the mainland for one number abroad: those at home go on */
    {"UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", GW_REJECTED,
	GW_SCOPE_MESSAGE},
    {"UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
	GW_REJECTED, GW_SCOPE_MESSAGE},
    /* the vendor spells it so */
    {"UnsupportedOperation.UnsuportedRegion", GW_RETRY, GW_SCOPE_GATEWAY},
    {"UnsupportedOperation.UnsupportedRegion", GW_RETRY, GW_SCOPE_GATEWAY},
    {"UnsupportedRegion", GW_RETRY, GW_SCOPE_GATEWAY},
};

/* How long the numbers and the account wait; other codes do not say. */
static const struct window windows[] = {
    {"FailedOperation.MarketingSendTimeConstraint", WAIT_MORNING},
    {"LimitExceeded.AppDailyLimit", WAIT_TOMORROW},
    {"LimitExceeded.AppMainlandChinaDailyLimit", WAIT_TOMORROW},
    {"LimitExceeded.DailyLimit", WAIT_TOMORROW},
    {"LimitExceeded.PhoneNumberDailyLimit", WAIT_TOMORROW},
    {"LimitExceeded.PhoneNumberOneHourLimit", WAIT_HOUR},
    {"LimitExceeded.PhoneNumberSameContentDailyLimit", WAIT_TOMORROW},
    {"LimitExceeded.PhoneNumberThirtySecondLimit", WAIT_HALF_MINUTE},
    /* so many requests a second, told with status 200 and no header */
    {"RequestLimitExceeded", WAIT_SECOND},
};

static const struct gw_option options[] = {
    {"secret-id", GW_OPTION_TEXT, .required = true,
	.help = "Id of the API key of a CAM user."},
    {"secret-key", GW_OPTION_TEXT, .required = true, .secret = true,
	.help = "Secret of the API key."},
    {"sdk-app-id", GW_OPTION_TEXT, .required = true,
	.help = "SmsSdkAppId of the application in the SMS console, digits."},
    {"region", GW_OPTION_TEXT, .standard = "ap-guangzhou",
	.help = "Region that serves the account."},
    {"endpoint", GW_OPTION_URL, .standard = "https://sms.tencentcloudapi.com",
	.help = "Where requests go, without a path."},
    {"sign-name", GW_OPTION_TEXT,
	.help = "Signature (without brackets) of messages whose template "
		"names none."},
};

/* ---- signing ---- */

static void
hmac_text(struct gw_call *call, const void *key, size_t key_bytes,
    const char *text, uint8_t out[32])
{
	call->host->hmac_sha256(call, key, key_bytes, text, strlen(text), out);
}

/* Of a canonical request whose headers are named; now is the time. */
static const char *
authorization(struct gw_call *call, const char *service, const char *canonical,
    const char *names)
{
	const struct gw_host *host = call->host;
	const char *key =
	    host->format(call, "TC3%s", gw_setting(call, "secret-key"));
	const char *date = host->time_text(call, call->now_us, 0, "%Y-%m-%d");
	const char *scope =
	    host->format(call, "%s/%s/tc3_request", date, service);
	const char *to_sign =
	    host->format(call, "TC3-HMAC-SHA256\n%lld\n%s\n%s",
		(long long)(call->now_us / SECOND_US), scope,
		hex_sha256(call, canonical));
	uint8_t of_date[32], of_service[32], signing[32], digest[32];

	hmac_text(call, key, strlen(key), date, of_date);
	hmac_text(call, of_date, sizeof(of_date), service, of_service);
	hmac_text(call, of_service, sizeof(of_service), "tc3_request", signing);
	hmac_text(call, signing, sizeof(signing), to_sign, digest);
	return host->format(call,
	    "TC3-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
	    gw_setting(call, "secret-id"), scope, names,
	    host->hex(call, digest, sizeof(digest)));
}

/* Values are signed in lower case. */
static const char *
lower(struct gw_call *call, const char *text)
{
	char *copy = call->host->format(call, "%s", text);

	for (char *at = copy; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	return copy;
}

/* Make the signed request of an action. */
static void
sign(struct gw_call *call, const char *action, const char *body,
    struct gw_request *request)
{
	const struct gw_host *host = call->host;
	const char *endpoint = gw_setting(call, "endpoint");
	const struct gw_pair signed_headers[] = {
	    {"content-type", CONTENT_TYPE},
	    {"host", endpoint_host(call, endpoint)},
	    {"x-tc-action", lower(call, action)},
	};
	const size_t signed_count = COUNT(signed_headers);
	const char *signature = authorization(call, SERVICE,
	    canonical_request(call, "", signed_headers, signed_count, body),
	    signed_names(call, signed_headers, signed_count));
	const struct gw_pair list[] = {
	    signed_headers[0],
	    signed_headers[1],
	    {"x-tc-action", action},
	    {"x-tc-version", API_VERSION},
	    {"x-tc-timestamp", host->format(call, "%lld",
				   (long long)(call->now_us / SECOND_US))},
	    {"x-tc-region", gw_setting(call, "region")},
	    {"authorization", signature},
	};
	struct gw_pair *headers = host->alloc(call, sizeof(list));

	memcpy(headers, list, sizeof(list));
	*request = (struct gw_request){.method = "POST",
	    .url = endpoint_url(call, endpoint),
	    .headers = headers,
	    .header_count = COUNT(list),
	    .body = body,
	    .body_bytes = strlen(body)};
}

static const char *
check(struct gw_call *call)
{
	const char *region = gw_setting(call, "region");

	if (gw_setting(call, "secret-id")[0] == '\0')
		return "secret-id is empty";
	if (gw_setting(call, "secret-key")[0] == '\0')
		return "secret-key is empty";
	if (!all_digits(gw_setting(call, "sdk-app-id")))
		return "sdk-app-id: digits, such as 1400006666";
	if (region[0] == '\0' ||
	    region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")] !=
		'\0')
		return "region: a-z 0-9 - only, such as ap-guangzhou";
	if (endpoint_authority(gw_setting(call, "endpoint")) == NULL)
		return "endpoint: scheme, host and port in lower case, no path";
	return NULL;
}

/* ---- sending ---- */

static bool
is_home(const char *address)
{
	return strncmp(address, "+86", 3) == 0;
}

/* E.164, which the provider takes as it is. */
static bool
is_number(const char *address)
{
	if (address[0] != '+' || !all_digits(address + 1) ||
	    strlen(address) > 16)
		return false;
	return !is_home(address) || is_mainland(address + 3);
}

/* Why this message cannot be sent: rejected, or verdict 0 if it can. */
static struct gw_outcome
obstacle(struct gw_call *call, const struct gw_message *message)
{
	if (!is_number(message->address))
		return outcome_of(GW_REJECTED, GW_SCOPE_RECIPIENT, "address");
	if (message->template_code == NULL)
		return outcome_of(
		    GW_REJECTED, GW_SCOPE_MESSAGE, "template_code");
	/* abroad a text needs none */
	if (is_home(message->address) && signature_of(call, message) == NULL)
		return outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, "signature");
	return (struct gw_outcome){0};
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* May they share a request?  It says everything but the number once. */
static bool
travel_together(struct gw_call *call, const struct gw_message *a,
    const struct gw_message *b)
{
	if (is_home(a->address) != is_home(b->address) ||
	    !same(a->template_code, b->template_code) ||
	    !same(signature_of(call, a), signature_of(call, b)) ||
	    !same(a->extension, b->extension) ||
	    a->parameter_count != b->parameter_count)
		return false;
	for (size_t i = 0; i < a->parameter_count; i++)
		if (strcmp(a->parameters[i].value, b->parameters[i].value) != 0)
			return false;
	return true;
}

static const char *
address_json(struct gw_call *call, const struct gw_message *message)
{
	return quoted(call, message->address);
}

static void
add_member(struct gw_call *call, struct gw_buf *body, const char *key,
    const char *json)
{
	call->host->buf_text(body, call->host->buf_bytes(body) > 1 ? "," : "");
	call->host->buf_json(body, key);
	call->host->buf_text(body, ":");
	call->host->buf_text(body, json);
}

static void
add_text(struct gw_call *call, struct gw_buf *body, const char *key,
    const char *text)
{
	if (text != NULL)
		add_member(call, body, key, quoted(call, text));
}

static const char *
parameters_json(struct gw_call *call, const struct gw_message *message)
{
	const struct gw_host *host = call->host;
	struct gw_buf *buf = host->buf(call);

	host->buf_text(buf, "[");
	for (size_t i = 0; i < message->parameter_count; i++) {
		host->buf_text(buf, i > 0 ? "," : "");
		host->buf_json(buf, message->parameters[i].value);
	}
	host->buf_text(buf, "]");
	return host->buf_string(buf);
}

static const char *
send_body(struct gw_call *call, const struct gw_message *messages, size_t count)
{
	const struct gw_host *host = call->host;
	const struct gw_message *first = &messages[0];
	struct gw_buf *body = host->buf(call);

	host->buf_text(body, "{");
	add_member(call, body, "PhoneNumberSet",
	    json_array(call, messages, count, address_json));
	add_text(call, body, "SmsSdkAppId", gw_setting(call, "sdk-app-id"));
	add_text(call, body, "TemplateId", first->template_code);
	add_text(call, body, "SignName", signature_of(call, first));
	add_member(
	    call, body, "TemplateParamSet", parameters_json(call, first));
	add_text(call, body, "ExtendCode", first->extension);
	add_text(call, body, "SessionContext", first->reference);
	host->buf_text(body, "}");
	return host->buf_string(body);
}

static int
send(struct gw_call *call, const struct gw_message *messages, size_t count,
    struct gw_request *request, struct gw_outcome *outcomes)
{
	bool together = true;

	if (!all_expressible(call, messages, count, outcomes, obstacle))
		return -1;
	for (size_t i = 1; i < count; i++)
		together = together &&
			   travel_together(call, &messages[0], &messages[i]);
	for (size_t i = 0; i < count && !together; i++)
		outcomes[i] =
		    outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, "batch");
	if (together)
		sign(
		    call, "SendSms", send_body(call, messages, count), request);
	return together ? 0 : -1;
}

/* ---- the answer ---- */

/* By the code, or else by what stands before its first dot. */
static const struct rule *
find_rule(struct gw_call *call, const char *code)
{
	const struct rule *rule = rule_of(rules, COUNT(rules), code);

	if (rule != NULL)
		return rule;
	return rule_of(rules, COUNT(rules),
	    call->host->format(call, "%.*s", (int)strcspn(code, "."), code));
}

static int32_t
window_s(struct gw_call *call, enum wait wait)
{
	int32_t second = china_second_of_day(call->now_us);

	switch (wait) {
	case WAIT_SECOND:
		return 1;
	case WAIT_HALF_MINUTE:
		return HALF_MINUTE_S;
	case WAIT_HOUR:
		return HOUR_S;
	case WAIT_MORNING:
		return second < MORNING_S ? MORNING_S - second
					  : DAY_S - second + MORNING_S;
	case WAIT_TOMORROW:
		break;
	}
	return DAY_S - second;
}

/* How long to wait before a repeat; 0: the provider does not say. */
static int32_t
wait_s(struct gw_call *call, const char *code)
{
	for (size_t i = 0; i < COUNT(windows); i++)
		if (strcmp(windows[i].code, code) == 0)
			return window_s(call, windows[i].wait);
	return 0;
}

/* What a code says, of a number or of a request; NULL: there was none. */
static struct gw_outcome
judge(struct gw_call *call, int status, const char *code)
{
	const struct rule *rule = code != NULL ? find_rule(call, code) : NULL;
	struct gw_outcome outcome;

	if (rule == NULL)
		return judge_status(call, status, code);
	outcome = outcome_of(rule->verdict, rule->scope, code);
	/* a status 429 has its own time */
	if (status != 429)
		outcome.retry_after_s = wait_s(call, rule->code);
	outcome.opted_out =
	    strcmp(rule->code, "FailedOperation.PhoneNumberInBlacklist") == 0;
	return outcome;
}

static void
read_statuses(
    struct gw_call *call, const struct gw_json *set, struct statuses *out)
{
	const struct gw_host *host = call->host;
	size_t count = host->json_count(set);

	out->count = count < BATCH_MAX ? count : BATCH_MAX;
	for (size_t i = 0; i < out->count; i++) {
		const struct gw_json *item = host->json_at(set, i);

		out->list[i] = (struct status){
		    .address = e164(call, string_at(call, item, "PhoneNumber")),
		    .code = string_at(call, item, "Code"),
		    .serial_no = string_at(call, item, "SerialNo")};
	}
}

/* Its status, which stands at its own place, but need not. */
static const struct status *
status_of(const struct statuses *statuses, const char *address, size_t place)
{
	for (size_t i = 0; i < statuses->count; i++) {
		const struct status *status =
		    &statuses->list[(place + i) % statuses->count];

		if (same(status->address, address))
			return status;
	}
	return NULL;
}

/* A number without a status, or without a code, may have been sent to. */
static struct gw_outcome
judge_member(struct gw_call *call, const struct status *status)
{
	struct gw_outcome outcome;

	if (status == NULL || status->code == NULL)
		return outcome_of(GW_UNKNOWN, GW_SCOPE_MESSAGE, "no_status");
	if (strcmp(status->code, "Ok") != 0)
		return judge(call, 200, status->code);
	outcome = outcome_of(GW_ACCEPTED, GW_SCOPE_MESSAGE, status->code);
	outcome.provider_id = status->serial_no;
	return outcome;
}

/* Of a whole request that was refused, or whose answer says nothing. */
static struct gw_outcome
judge_whole(struct gw_call *call, const struct gw_json *answer, int status,
    size_t count)
{
	const char *code =
	    string_at(call, call->host->json_get(answer, "Error"), "Code");
	struct gw_outcome outcome = judge(call, status, code);

	if (count > 1 && blames_member(&outcome))
		outcome =
		    outcome_of(GW_REJECTED, GW_SCOPE_MESSAGE, outcome.code);
	return outcome;
}

static void
sent(struct gw_call *call, const struct gw_message *messages, size_t count,
    const struct gw_response *response, struct gw_outcome *outcomes)
{
	const struct gw_host *host = call->host;
	const struct gw_json *answer = host->json_get(
	    host->json_parse(call, response->body, response->body_bytes),
	    "Response");
	const struct gw_json *set = host->json_get(answer, "SendStatusSet");
	struct statuses *statuses;
	struct gw_outcome whole;

	if (response->status != 200 ||
	    host->json_get(answer, "Error") != NULL ||
	    host->json_type(set) != GW_JSON_ARRAY) {
		whole = judge_whole(call, answer, response->status, count);
		for (size_t i = 0; i < count; i++)
			outcomes[i] = whole;
		return;
	}
	statuses = host->alloc(call, sizeof(*statuses));
	read_statuses(call, set, statuses);
	for (size_t i = 0; i < count; i++)
		outcomes[i] = judge_member(
		    call, status_of(statuses, messages[i].address, i));
}

/* ---- asking ---- */

static const char *
number_text(struct gw_call *call, int64_t number)
{
	return call->host->format(call, "%lld", (long long)number);
}

static void
query(struct gw_call *call, const struct gw_query *question,
    struct gw_request *request)
{
	const struct gw_host *host = call->host;
	struct gw_buf *body = host->buf(call);

	host->buf_text(body, "{");
	add_member(call, body, "BeginTime",
	    number_text(
		call, question->sent_at_us / SECOND_US - PULL_BEFORE_S));
	add_member(call, body, "Offset", "0");
	add_member(call, body, "Limit", number_text(call, PULL_ROWS));
	add_text(call, body, "PhoneNumber", question->address);
	add_text(call, body, "SmsSdkAppId", gw_setting(call, "sdk-app-id"));
	host->buf_text(body, "}");
	sign(call, "PullSmsSendStatusByPhoneNumber", host->buf_string(body),
	    request);
}

/* Seconds since 1970 as microseconds; 0 if it is no such number. */
static int64_t
epoch_us(const char *text)
{
	if (text == NULL || !all_digits(text) ||
	    strlen(text) > EPOCH_DIGITS_MAX)
		return 0;
	return strtoll(text, NULL, 10) * SECOND_US;
}

/* What a row says of the message in question; unsure if it is another's. */
static enum gw_found
row_found(struct gw_call *call, const struct gw_query *question,
    const struct gw_json *row)
{
	const char *context = string_at(call, row, "SessionContext");
	const char *serial_no = string_at(call, row, "SerialNo");
	const char *status = string_at(call, row, "ReportStatus");
	bool ours = question->provider_id != NULL
			? same(serial_no, question->provider_id)
			: same(context, question->reference);

	if (ours && same(status, "SUCCESS"))
		return GW_FOUND_DELIVERED;
	if (ours && same(status, "FAIL"))
		return GW_FOUND_UNDELIVERED;
	return GW_FOUND_UNSURE;
}

/*
 * Only what a carrier reported has a row, and a row names the message only
 * where the account's SessionContext is switched on, or its SerialNo is
 * known.  So no row is no proof that nothing was sent.
 */
static void
queried(struct gw_call *call, const struct gw_query *question,
    const struct gw_response *response, struct gw_query_result *result)
{
	const struct gw_host *host = call->host;
	const struct gw_json *answer = host->json_get(
	    host->json_parse(call, response->body, response->body_bytes),
	    "Response");
	const struct gw_json *rows =
	    host->json_get(answer, "PullSmsSendStatusSet");
	size_t count = host->json_count(rows);

	*result = (struct gw_query_result){.found = GW_FOUND_UNSURE,
	    .code = string_at(call, host->json_get(answer, "Error"), "Code")};
	if (response->status != 200 || result->code != NULL ||
	    host->json_type(rows) != GW_JSON_ARRAY || count > PULL_ROWS)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct gw_json *row = host->json_at(rows, i);
		enum gw_found found = row_found(call, question, row);

		if (found == GW_FOUND_UNSURE ||
		    result->found == GW_FOUND_DELIVERED)
			continue;
		*result = (struct gw_query_result){.found = found,
		    .code = string_at(call, row, "ReportStatus"),
		    .at_us = epoch_us(text_at(call, row, "UserReceiveTime")),
		    .provider_id = string_at(call, row, "SerialNo")};
	}
}

/* ---- pushes ---- */

/* nationcode and mobile as E.164, or NULL. */
static const char *
pushed_number(struct gw_call *call, const struct gw_json *item)
{
	const char *nation = text_at(call, item, "nationcode");
	const char *mobile = text_at(call, item, "mobile");

	if (nation == NULL || mobile == NULL || !all_digits(nation) ||
	    !all_digits(mobile))
		return NULL;
	return e164(call, call->host->format(call, "+%s%s", nation, mobile));
}

/* A status; false if it is none. */
static bool
read_receipt(
    struct gw_call *call, const struct gw_json *item, struct gw_event *event)
{
	const char *status = string_at(call, item, "report_status");
	const struct report *report = NULL;

	if (!same(status, "SUCCESS") && !same(status, "FAIL"))
		return false;
	*event = (struct gw_event){.type = GW_EVENT_RECEIPT,
	    .reference = string_at(call, item, "ext"),
	    .provider_id = string_at(call, item, "sid"),
	    .address = pushed_number(call, item),
	    .code = string_at(call, item, "errmsg"),
	    .at_us =
		china_instant(call, string_at(call, item, "user_receive_time")),
	    .delivered = same(status, "SUCCESS")};
	if (!event->delivered && event->code != NULL)
		report = carrier_report(event->code);
	if (report != NULL) {
		event->address_bad = report->address_bad;
		event->opted_out = report->opted_out;
	}
	return event->address != NULL &&
	       (event->reference != NULL || event->provider_id != NULL);
}

/* A reply; false if it is none. */
static bool
read_reply(
    struct gw_call *call, const struct gw_json *item, struct gw_event *event)
{
	int64_t at_us = epoch_us(text_at(call, item, "time"));

	*event = (struct gw_event){.type = GW_EVENT_REPLY,
	    .address = pushed_number(call, item),
	    .extension = text_at(call, item, "extend"),
	    .text = text_at(call, item, "text"),
	    .at_us = at_us != 0 ? at_us : call->now_us};
	return event->address != NULL && event->text != NULL &&
	       strlen(event->text) <= REPLY_BYTES_MAX;
}

static bool
read_item(
    struct gw_call *call, const struct gw_json *item, struct gw_event *event)
{
	return call->host->json_get(item, "report_status") != NULL
		   ? read_receipt(call, item, event)
		   : read_reply(call, item, event);
}

/* Statuses come as an array, a reply as one object. */
static int
receive(struct gw_call *call, const struct gw_callback *callback,
    const struct gw_event **events, struct gw_answer *reply)
{
	const struct gw_host *host = call->host;
	const struct gw_json *body =
	    host->json_parse(call, callback->body, callback->body_bytes);
	bool single = host->json_type(body) == GW_JSON_OBJECT;
	size_t count = single ? 1 : host->json_count(body), good = 0;
	struct gw_event *list;

	*reply = answer(400, "{\"result\":1,\"errmsg\":\"malformed\"}");
	if (strcmp(callback->method, "POST") != 0) {
		reply->status = 405;
		return -1;
	}
	if ((!single && host->json_type(body) != GW_JSON_ARRAY) ||
	    count > EVENTS_MAX)
		return -1;
	list = host->alloc(call, (count + 1) * sizeof(*list));
	for (size_t i = 0; i < count; i++)
		good += read_item(
		    call, single ? body : host->json_at(body, i), &list[good]);
	*events = list;
	/* those that can be read are stored; for the others it comes again */
	if (good < count)
		return good > 0 ? (int)good : -1;
	*reply = answer(200, "{\"result\":0,\"errmsg\":\"OK\"}");
	return (int)count;
}

const struct gw_api adherd_gateway = {
    .abi = GW_ABI,
    .size = sizeof(struct gw_api),
    .name = "sms_tencent",
    .kind = GW_KIND_MESSAGES,
    .flags = GW_RECEIPTS | GW_REPLIES | GW_TEMPLATES | GW_SAME_TEXT,
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
