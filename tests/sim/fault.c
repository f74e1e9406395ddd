/*
 * The fault switches and the page that sets them.  Owns the table of
 * switches; decides by the simulator's seeded numbers which strike.
 */
#include "tests/sim/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/garbage.h"

#define MILLION 1000000

struct faults {
	struct sim *sim;
	struct fault table[FAULT_COUNT];
};

static const char *const fault_words[FAULT_COUNT] = {
    [FAULT_DELAY] = "delay",
    [FAULT_STATUS] = "status",
    [FAULT_RESET_BEFORE] = "reset_before",
    [FAULT_SILENT_BEFORE] = "silent_before",
    [FAULT_CODE] = "code",
    [FAULT_RESET_AFTER] = "reset_after",
    [FAULT_SILENT] = "silent",
    [FAULT_GARBAGE] = "garbage",
    [FAULT_TRICKLE] = "trickle",
    [FAULT_RECEIPTS_OFF] = "receipts_off",
    [FAULT_RECEIPTS_DOUBLE] = "receipts_double",
    [FAULT_RECEIPTS_TRIPLE] = "receipts_triple",
    [FAULT_RECEIPTS_SHUFFLED] = "receipts_shuffled",
    [FAULT_RECEIPTS_LATE] = "receipts_late",
    [FAULT_RECEIPTS_EARLY] = "receipts_early",
    [FAULT_RECEIPTS_UNKNOWN] = "receipts_unknown",
    [FAULT_RECEIPTS_UNDELIVERED] = "receipts_undelivered",
};

static const char *const control_keys[] = {"fault", "endpoint", "rate", "count",
    "ms", "status", "code", "message", "retry_after", "ratelimit", "form",
    "seed", "clear"};

struct faults *
faults_create(struct sim *sim)
{
	struct faults *faults = mem_alloc(sizeof(*faults));

	faults->sim = sim;
	return faults;
}

void
faults_free(struct faults *faults)
{
	free(faults);
}

const struct fault *
fault_strikes(
    struct faults *faults, enum fault_kind kind, enum endpoint endpoint)
{
	struct fault *fault = &faults->table[kind];

	if (!fault->on[endpoint] || fault->count == 0)
		return NULL;
	if (fault->rate_micro < MILLION &&
	    (int64_t)(sim_random(faults->sim) % MILLION) >= fault->rate_micro)
		return NULL;
	if (fault->count > 0)
		fault->count--;
	fault->taken++;
	return fault;
}

/* The first of these kinds that strikes, in order, or NULL. */
static const struct fault *
first_strike(struct faults *faults, enum endpoint endpoint,
    enum fault_kind first, enum fault_kind last, enum fault_kind *found)
{
	for (enum fault_kind kind = first; kind <= last; kind++) {
		const struct fault *fault =
		    fault_strikes(faults, kind, endpoint);

		if (fault != NULL) {
			*found = kind;
			return fault;
		}
	}
	return NULL;
}

struct fault_choice
fault_choose(struct faults *faults, enum endpoint endpoint)
{
	struct fault_choice choice = {.endpoint = endpoint};
	const struct fault *delay =
	    fault_strikes(faults, FAULT_DELAY, endpoint);

	if (delay != NULL)
		choice.delay_us = delay->ms * 1000;
	choice.refusal = first_strike(faults, endpoint, FAULT_STATUS,
	    FAULT_SILENT_BEFORE, &choice.refusal_kind);
	if (choice.refusal != NULL)
		return choice;
	choice.code = fault_strikes(faults, FAULT_CODE, endpoint);
	choice.spoil = first_strike(faults, endpoint, FAULT_RESET_AFTER,
	    FAULT_TRICKLE, &choice.spoil_kind);
	return choice;
}

const char *
fault_outcome_word(const struct fault_choice *choice)
{
	if (choice->spoil != NULL)
		return fault_words[choice->spoil_kind];
	return choice->delay_us > 0 ? "delay" : "answered";
}

static void
write_tencent(struct json_writer *writer, const struct fault *fault)
{
	json_write_key(writer, "Response");
	json_write_object(writer);
	json_write_key(writer, "Error");
	json_write_object(writer);
	json_write_member(writer, "Code", fault->code);
	json_write_member(writer, "Message", fault->message);
	json_write_end_object(writer);
	json_write_member(writer, "RequestId", "SIMULATED-FAULT");
	json_write_end_object(writer);
}

void
fault_refuse(const struct fault_choice *choice, struct door_reply *reply)
{
	const struct fault *fault = choice->refusal;
	struct json_writer writer;

	reply->delay_us = choice->delay_us;
	if (choice->refusal_kind == FAULT_RESET_BEFORE)
		reply->manner = DOOR_RESET;
	if (choice->refusal_kind == FAULT_SILENT_BEFORE)
		reply->manner = DOOR_SILENT;
	if (choice->refusal_kind != FAULT_STATUS)
		return;
	reply->status = fault->status;
	if (fault->retry_after[0] != '\0')
		door_reply_header(reply, "Retry-After", fault->retry_after);
	if (fault->ratelimit[0] != '\0')
		door_reply_header(reply, "x-ratelimit-user", fault->ratelimit);
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	if (choice->endpoint == ENDPOINT_TENCENT) {
		write_tencent(&writer, fault);
	} else if (choice->endpoint == ENDPOINT_ALIYUN) {
		json_write_member(&writer, "RequestId", "SIMULATED-FAULT");
		json_write_member(&writer, "HostId", "dysmsapi.aliyuncs.com");
		json_write_member(&writer, "Code", fault->code);
		json_write_member(&writer, "Message", fault->message);
	} else {
		json_write_member(&writer, "code", fault->code);
		json_write_member(&writer, "message", fault->message);
	}
	json_write_end_object(&writer);
}

void
fault_spoil(const struct fault_choice *choice, struct door_reply *reply)
{
	reply->delay_us += choice->delay_us;
	if (choice->spoil == NULL)
		return;
	if (choice->spoil_kind == FAULT_RESET_AFTER)
		reply->manner = DOOR_RESET;
	else if (choice->spoil_kind == FAULT_SILENT)
		reply->manner = DOOR_SILENT;
	else if (choice->spoil_kind == FAULT_TRICKLE)
		reply->manner = DOOR_TRICKLE;
	else
		garbage_fill(choice->spoil->form, reply);
}

/* ---- /control ---- */

static void
write_fault(struct json_writer *writer, const struct fault *fault)
{
	json_write_object(writer);
	json_write_key(writer, "endpoints");
	json_write_array(writer);
	for (int i = 0; i < ENDPOINT_COUNT; i++)
		if (fault->on[i])
			json_write_text(writer, endpoint_word(i));
	json_write_end_array(writer);
	json_write_key(writer, "rate_ppm");
	json_write_i64(writer, fault->rate_micro);
	json_write_key(writer, "count");
	json_write_i64(writer, fault->count);
	json_write_key(writer, "taken");
	json_write_i64(writer, fault->taken);
	json_write_key(writer, "ms");
	json_write_i64(writer, fault->ms);
	json_write_key(writer, "status");
	json_write_i64(writer, fault->status);
	json_write_member(writer, "code", fault->code);
	json_write_member(writer, "message", fault->message);
	json_write_member(writer, "retry_after", fault->retry_after);
	json_write_member(writer, "ratelimit", fault->ratelimit);
	json_write_member(writer, "form", fault->form);
	json_write_end_object(writer);
}

/* For any endpoint? */
static bool
is_on(const struct fault *fault)
{
	for (int i = 0; i < ENDPOINT_COUNT; i++)
		if (fault->on[i])
			return true;
	return false;
}

static void
write_state(const struct faults *faults, struct door_reply *reply)
{
	struct json_writer writer;

	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_key(&writer, "faults");
	json_write_object(&writer);
	for (int kind = 0; kind < FAULT_COUNT; kind++) {
		if (!is_on(&faults->table[kind]))
			continue;
		json_write_key(&writer, fault_words[kind]);
		write_fault(&writer, &faults->table[kind]);
	}
	json_write_end_object(&writer);
	json_write_end_object(&writer);
}

static void
refuse_control(struct door_reply *reply, const char *reason)
{
	struct json_writer writer;

	reply->status = 400;
	json_write_init(&writer, &reply->body);
	json_write_object(&writer);
	json_write_member(&writer, "code", "invalid_control");
	json_write_member(&writer, "message", reason);
	json_write_end_object(&writer);
}

static bool
known_key(const char *key)
{
	for (size_t i = 0; i < COUNT(control_keys); i++)
		if (strcmp(control_keys[i], key) == 0)
			return true;
	return false;
}

static int
kind_from_word(const char *word)
{
	for (int kind = 0; kind < FAULT_COUNT && word != NULL; kind++)
		if (strcmp(fault_words[kind], word) == 0)
			return kind;
	return -1;
}

/* Copy a text member, or the default; false if it is too long. */
static bool
take_text(const struct json *object, const char *key, const char *standard,
    char *out, size_t bytes)
{
	const char *text = json_get_text(object, key);

	if (text == NULL)
		text = standard;
	return snprintf(out, bytes, "%s", text) < (int)bytes;
}

static bool
take_number(
    const struct json *object, const char *key, int64_t min, int64_t *out)
{
	const struct json *value = json_get(object, key);

	return value == NULL || (json_i64(value, out) && *out >= min);
}

static bool
take_rate(const struct json *object, int64_t *out)
{
	const struct json *value = json_get(object, "rate");

	return value == NULL ||
	       (json_micro(value, out) && *out >= 0 && *out <= MILLION);
}

static bool
take_endpoints(const struct json *object, struct fault *fault)
{
	const char *word = json_get_text(object, "endpoint");
	bool found = false;

	for (int i = 0; i < ENDPOINT_COUNT; i++) {
		fault->on[i] =
		    word == NULL || strcmp(word, endpoint_word(i)) == 0;
		found = found || fault->on[i];
	}
	return found;
}

/* NULL, or why this is no usable switch. */
static const char *
read_fault(const struct json *object, int kind, struct fault *fault)
{
	int64_t status = 503;

	*fault = (struct fault){.rate_micro = MILLION, .count = -1, .ms = 1000};
	if (!take_endpoints(object, fault))
		return "endpoint: aliyun, loopback, tencent, webhook, wechat, "
		       "wechat_token, wecom or wecom_token";
	if (!take_rate(object, &fault->rate_micro))
		return "rate: 0 to 1";
	if (!take_number(object, "count", 0, &fault->count) ||
	    !take_number(object, "ms", 0, &fault->ms) ||
	    !take_number(object, "status", 200, &status) || status > 599)
		return "count, ms, status: out of range";
	fault->status = (int)status;
	if (!take_text(object, "code",
		kind == FAULT_RECEIPTS_UNDELIVERED ? "UNDELIV"
		: status == 429                    ? "Throttling.User"
						   : "ServiceUnavailable",
		fault->code, sizeof(fault->code)) ||
	    !take_text(object, "message", "simulated fault", fault->message,
		sizeof(fault->message)) ||
	    !take_text(object, "retry_after", "", fault->retry_after,
		sizeof(fault->retry_after)) ||
	    !take_text(object, "ratelimit", "", fault->ratelimit,
		sizeof(fault->ratelimit)) ||
	    !take_text(
		object, "form", "html", fault->form, sizeof(fault->form)))
		return "a text is too long";
	if (!garbage_known(fault->form))
		return "form: html cut types big gzip headers charset";
	return NULL;
}

/* NULL, or why the request cannot be followed; then nothing changed. */
static const char *
apply_control(struct faults *faults, const struct json *object)
{
	struct fault fault = {0};
	const char *word, *error = NULL;
	int64_t seed = -1;
	int kind;

	if (!json_is(object, JSON_OBJECT))
		return "not an object";
	json_each (member, object)
		if (!known_key(member->key))
			return "unknown key";
	word = json_get_text(object, "fault");
	kind = kind_from_word(word);
	if (kind < 0 && json_get(object, "fault") != NULL)
		return "unknown fault";
	if (!take_number(object, "seed", 0, &seed))
		return "seed: a whole number";
	if (kind >= 0)
		error = read_fault(object, kind, &fault);
	if (error != NULL)
		return error;
	if (json_is(json_get(object, "clear"), JSON_TRUE))
		memset(faults->table, 0, sizeof(faults->table));
	if (seed >= 0)
		faults->sim->random = (uint64_t)seed;
	if (kind >= 0)
		faults->table[kind] = fault;
	return NULL;
}

void
fault_control(
    const struct door_request *request, struct door_reply *reply, void *arg)
{
	struct faults *faults = arg;
	struct json_error error;
	const struct json *object;
	const char *reason;

	if (strcmp(request->method, "POST") == 0) {
		object = json_parse(request->body, request->body_bytes, NULL,
		    request->arena, &error);
		reason = object == NULL ? error.reason
					: apply_control(faults, object);
		if (reason != NULL) {
			refuse_control(reply, reason);
			return;
		}
	}
	write_state(faults, reply);
}
