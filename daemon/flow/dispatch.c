/*
 * One queue a gateway, in the order of commit; a pump that fills the
 * gateway's window from it.  Verdict and scope become states, pauses and
 * retry times here and nowhere else.
 */
#include "flow/dispatch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/log.h"

#define PAUSE_S 60 /* where the provider names no time: probe each minute */
#define PAUSE_S_MAX 3600
#define QUESTIONS_MAX 1000 /* of one gateway; plan asks again for the rest */
#define LOOK_AHEAD 4       /* batches' worth of queue looked through for one */

struct question { /* about an unknown delivery */
	struct dispatch *dispatch;
	struct gateway *gateway;
	struct arena *arena;
	struct delivery_key key;
	struct gw_query query;
	struct question *next;
};

struct queue { /* one gateway's */
	struct gateway *gateway;
	struct delivery *first, *last;
	struct question *questions; /* newest first: they wait for nobody */
	uint32_t question_count;
};

struct dispatch {
	struct loop *loop;
	const struct clock *clock;
	struct gateways *gateways;
	struct outcomes *outcomes;
	const struct rule_book *rules;
	const struct stop_book *stops;
	int64_t request_us;
	struct queue *queues;
	size_t queue_count;
	uint32_t on_the_way; /* requests, questions included */
	bool draining;
	void (*room)(void *arg);
	void *room_arg;
};

struct parcel { /* one request: a delivery, or a batch of them */
	struct dispatch *dispatch;
	struct queue *queue;
	struct arena *arena;
	struct delivery **deliveries;
	struct gw_message *messages;
	size_t count;
	int64_t sent_at; /* unmoved */
};

static void pump(struct dispatch *dispatch, struct queue *queue);
static void question_on_result(const struct gw_query_result *result, void *arg);

struct dispatch *
dispatch_create(struct loop *loop, const struct clock *clock,
    struct gateways *gateways, struct outcomes *outcomes,
    const struct rule_book *rules, const struct stop_book *stops,
    int64_t request_us)
{
	struct dispatch *dispatch = mem_alloc(sizeof(*dispatch));
	size_t count = gateways_count(gateways);

	dispatch->loop = loop;
	dispatch->clock = clock;
	dispatch->gateways = gateways;
	dispatch->outcomes = outcomes;
	dispatch->rules = rules;
	dispatch->stops = stops;
	dispatch->request_us = request_us;
	dispatch->queues = mem_alloc((count + 1) * sizeof(*dispatch->queues));
	dispatch->queue_count = count;
	for (size_t i = 0; i < count; i++)
		dispatch->queues[i].gateway = gateways_at(gateways, i);
	return dispatch;
}

void
dispatch_on_room(struct dispatch *dispatch, void (*room)(void *arg), void *arg)
{
	dispatch->room = room;
	dispatch->room_arg = arg;
}

bool
dispatch_idle(const struct dispatch *dispatch)
{
	for (size_t i = 0; i < dispatch->queue_count; i++)
		if (dispatch->queues[i].first != NULL ||
		    dispatch->queues[i].questions != NULL)
			return false;
	return dispatch->on_the_way == 0;
}

static struct queue *
queue_of(struct dispatch *dispatch, const struct gateway *gateway)
{
	size_t i = 0;

	while (
	    i < dispatch->queue_count && dispatch->queues[i].gateway != gateway)
		i++;
	assert(i < dispatch->queue_count);
	return &dispatch->queues[i];
}

/* ---- outcomes ---- */

/* The delivery is over for this attempt; the round ends with its last. */
static void
finish(struct dispatch *dispatch, struct delivery *delivery,
    const struct outcome *outcome)
{
	struct round *round = delivery->round;

	assert(delivery->gateway->queued > 0 && round->open > 0);
	delivery->gateway->queued--;
	outcomes_add(dispatch->outcomes, outcome);
	if (--round->open > 0)
		return;
	outcomes_round_done(dispatch->outcomes, round->batch_ref);
	arena_free(round->arena);
}

static struct outcome
begin_outcome(const struct delivery *delivery, enum delivery_state state,
    const char *code, int64_t sent_at)
{
	return (struct outcome){
	    .key = delivery->key,
	    .batch_ref = delivery->round->batch_ref,
	    .state = state,
	    .code = code,
	    .sent_at = sent_at,
	    .contact_no = delivery->contact_no,
	};
}

/* It surely did not leave: plan decides anew, at once or at retry_at. */
static void
give_back(struct dispatch *dispatch, struct delivery *delivery,
    const char *code, int64_t retry_at)
{
	struct outcome outcome = begin_outcome(
	    delivery, DELIVERY_RETRY, code, clock_unmoved(dispatch->clock));

	outcome.retry_at = retry_at;
	finish(dispatch, delivery, &outcome);
}

/* 1, 5, 15, 60 minutes, each a quarter more or less; never sooner than told. */
static int64_t
retry_delay(const struct rules *rules, int32_t attempts, int32_t told_s)
{
	size_t steps = COUNT(rules->retry_us);
	size_t step = attempts < 1 ? 0 : (size_t)attempts - 1;
	int64_t delay = rules->retry_us[step < steps ? step : steps - 1];
	int64_t told =
	    (told_s > PAUSE_S_MAX ? PAUSE_S_MAX : told_s) * SECOND_US;
	uint32_t random;

	crypto_random(&random, sizeof(random));
	delay += delay / 4 * (int64_t)(random % 2001) / 1000 - delay / 4;
	return delay > told ? delay : told;
}

/* What else waits: the scope of a verdict that asks for patience. */
static void
pause_scope(struct dispatch *dispatch, const struct delivery *delivery,
    const struct gw_outcome *o)
{
	const char *gateway = delivery->gateway->name;
	int32_t wait_s = o->retry_after_s > 0 ? o->retry_after_s : PAUSE_S;
	int64_t until;
	char scope[160] = "";

	if (o->scope == GW_SCOPE_TEMPLATE)
		(void)snprintf(scope, sizeof(scope), "template:%s",
		    delivery->message->template_code == NULL
			? ""
			: delivery->message->template_code);
	else if (o->scope == GW_SCOPE_SENDER)
		(void)snprintf(scope, sizeof(scope), "sender:%s",
		    delivery->message->signature == NULL
			? ""
			: delivery->message->signature);
	else if (o->scope != GW_SCOPE_GATEWAY)
		return;
	if (gateway_paused(delivery->gateway, scope))
		return;
	until = clock_unmoved(dispatch->clock) +
		(wait_s > PAUSE_S_MAX ? PAUSE_S_MAX : wait_s) * SECOND_US;
	gateways_pause(dispatch->gateways, gateway, scope, until);
	outcomes_add_pause(dispatch->outcomes, gateway, scope, o->code, until);
	log_warning("gateway.paused", log_s(GATEWAY, gateway),
	    log_s(CODE, o->code), log_n(SCOPE, o->scope), log_n(COUNT, wait_s));
}

static enum delivery_state
state_of(const struct delivery *delivery, enum gw_verdict verdict)
{
	switch (verdict) {
	case GW_ACCEPTED:
		return (delivery->gateway->api->flags & GW_RECEIPTS) != 0
			   ? DELIVERY_ACCEPTED
			   : DELIVERY_UNCONFIRMED;
	case GW_REJECTED:
		return DELIVERY_REJECTED;
	case GW_RETRY:
		return DELIVERY_RETRY;
	default:
		return DELIVERY_UNKNOWN;
	}
}

static void
judge(struct dispatch *dispatch, struct delivery *delivery,
    const struct gw_outcome *o, int64_t sent_at)
{
	struct outcome outcome = begin_outcome(
	    delivery, state_of(delivery, o->verdict), o->code, sent_at);

	outcome.provider_id = o->provider_id;
	if (o->verdict == GW_RETRY)
		outcome.retry_at =
		    clock_care(dispatch->clock) +
		    retry_delay(rules_of(dispatch->rules, delivery->tenant_id),
			delivery->attempts, o->retry_after_s);
	if (o->verdict == GW_REJECTED && o->scope == GW_SCOPE_RECIPIENT)
		outcome.contact_bad = true;
	if (o->verdict == GW_UNKNOWN && outcome.code == NULL)
		outcome.code = "no_answer";
	if (o->verdict != GW_ACCEPTED) {
		log_info("delivery.outcome",
		    log_s(GATEWAY, delivery->gateway->name),
		    log_s(DELIVERY, delivery->message->reference),
		    log_s(STATE, delivery_state_word(outcome.state)),
		    log_s(CODE, outcome.code));
		if (o->verdict == GW_RETRY)
			pause_scope(dispatch, delivery, o);
	}
	finish(dispatch, delivery, &outcome);
}

/* Was the batch refused for what one of its members is? */
static bool
refused_as_a_whole(
    const struct parcel *parcel, const struct gw_outcome *outcomes)
{
	if (parcel->count < 2)
		return false;
	for (size_t i = 0; i < parcel->count; i++)
		if (outcomes[i].verdict != GW_REJECTED ||
		    (outcomes[i].scope != GW_SCOPE_MESSAGE &&
			outcomes[i].scope != GW_SCOPE_RECIPIENT))
			return false;
	return true;
}

static void
send_singly(struct parcel *parcel)
{
	struct queue *queue = parcel->queue;

	for (size_t i = parcel->count; i > 0; i--) {
		struct delivery *delivery = parcel->deliveries[i - 1];

		delivery->alone = true;
		delivery->next = queue->first;
		queue->first = delivery;
		if (queue->last == NULL)
			queue->last = delivery;
	}
}

static void
parcel_on_outcomes(const struct gw_outcome *outcomes, void *arg)
{
	struct parcel *parcel = arg;
	struct dispatch *dispatch = parcel->dispatch;
	struct queue *queue = parcel->queue;

	dispatch->on_the_way--;
	if (refused_as_a_whole(parcel, outcomes))
		send_singly(parcel);
	else
		for (size_t i = 0; i < parcel->count; i++)
			judge(dispatch, parcel->deliveries[i], &outcomes[i],
			    parcel->sent_at);
	arena_free(parcel->arena);
	pump(dispatch, queue);
	if (dispatch->room != NULL)
		dispatch->room(dispatch->room_arg);
}

/* ---- the pump ---- */

static struct delivery *
queue_pop(struct queue *queue)
{
	struct delivery *delivery = queue->first;

	if (delivery != NULL) {
		queue->first = delivery->next;
		if (queue->first == NULL)
			queue->last = NULL;
		delivery->next = NULL;
	}
	return delivery;
}

/* A stop that was read after this was planned reaches what still waits. */
static bool
is_stopped(const struct dispatch *dispatch, const struct delivery *delivery)
{
	const struct stops *stops = stop_book_stops(dispatch->stops);

	for (uint32_t i = 0; i < delivery->drug_count; i++)
		if (stops_find(stops, delivery->tenant_id, delivery->key.kind,
			delivery->stage, delivery->drugs[i]) != NULL)
			return true;
	return false;
}

/* May it leave now?  If not, it is over for this attempt. */
static bool
may_leave(struct dispatch *dispatch, struct delivery *delivery)
{
	int64_t now = clock_unmoved(dispatch->clock);
	int64_t care_now = clock_care(dispatch->clock);

	if (delivery->message == NULL) {
		struct outcome outcome = begin_outcome(
		    delivery, DELIVERY_REJECTED, delivery->problem, now);

		finish(dispatch, delivery, &outcome);
		return false;
	}
	if (now >= delivery->not_after) {
		give_back(dispatch, delivery, "too_late", care_now);
		return false;
	}
	if (now + dispatch->request_us >= delivery->round->lease_until) {
		give_back(dispatch, delivery, "lease_short", care_now);
		return false;
	}
	if (dispatch->draining) {
		give_back(dispatch, delivery, "stopping", care_now);
		return false;
	}
	if (gateway_paused(delivery->gateway, "")) {
		give_back(dispatch, delivery, "gateway_paused", care_now);
		return false;
	}
	if (is_stopped(dispatch, delivery)) {
		give_back(dispatch, delivery, "stopped_by_operator", care_now);
		return false;
	}
	return true;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* One request takes one template, and no address twice. */
static bool
fits(const struct parcel *parcel, const struct delivery *delivery)
{
	const struct gw_message *first = parcel->deliveries[0]->message;
	const struct gw_message *message = delivery->message;

	if (delivery->alone || message == NULL ||
	    !same_text(first->template_code, message->template_code) ||
	    !same_text(first->signature, message->signature) ||
	    !same_text(first->locale, message->locale))
		return false;
	for (size_t i = 0; i < parcel->count; i++)
		if (strcmp(parcel->deliveries[i]->message->address,
			message->address) == 0)
			return false;
	return true;
}

/* Take from further back in the queue what can travel along. */
static void
fill_parcel(struct dispatch *dispatch, struct parcel *parcel)
{
	struct queue *queue = parcel->queue;
	size_t most = queue->gateway->batch_max, looked = 0;
	struct delivery **link = &queue->first, *before = NULL;

	if (parcel->deliveries[0]->alone)
		return;
	while (*link != NULL && parcel->count < most &&
	       looked++ < LOOK_AHEAD * most) {
		struct delivery *delivery = *link;

		if (!fits(parcel, delivery)) {
			before = delivery;
			link = &delivery->next;
			continue;
		}
		*link = delivery->next;
		if (queue->last == delivery)
			queue->last = before;
		delivery->next = NULL;
		if (may_leave(dispatch, delivery))
			parcel->deliveries[parcel->count++] = delivery;
	}
}

static void
send_parcel(
    struct dispatch *dispatch, struct queue *queue, struct delivery *first)
{
	struct arena *arena = arena_create();
	struct parcel *parcel = arena_alloc(arena, sizeof(*parcel));
	size_t most = queue->gateway->batch_max;

	parcel->dispatch = dispatch;
	parcel->queue = queue;
	parcel->arena = arena;
	parcel->sent_at = clock_unmoved(dispatch->clock);
	parcel->deliveries =
	    arena_array(arena, most, sizeof(struct delivery *));
	parcel->deliveries[parcel->count++] = first;
	fill_parcel(dispatch, parcel);
	parcel->messages =
	    arena_array(arena, parcel->count, sizeof(*parcel->messages));
	for (size_t i = 0; i < parcel->count; i++) {
		const struct delivery *delivery = parcel->deliveries[i];
		int64_t left =
		    (delivery->not_after - parcel->sent_at) / SECOND_US;

		parcel->messages[i] = *delivery->message;
		parcel->messages[i].valid_s = left > 3 * 86400 ? 3 * 86400
					      : left < 1       ? 1
							       : (int32_t)left;
	}
	dispatch->on_the_way++;
	gateway_send(queue->gateway, parcel->messages, parcel->count,
	    parcel_on_outcomes, parcel);
}

static void
send_question(struct dispatch *dispatch, struct queue *queue)
{
	struct question *question = queue->questions;

	queue->questions = question->next;
	queue->question_count--;
	dispatch->on_the_way++;
	gateway_query(
	    queue->gateway, &question->query, question_on_result, question);
}

/* Fill the window: messages first, questions with what is left of it. */
static void
pump(struct dispatch *dispatch, struct queue *queue)
{
	while (queue->gateway->in_flight < queue->gateway->window) {
		struct delivery *delivery = queue_pop(queue);

		if (delivery != NULL) {
			if (may_leave(dispatch, delivery))
				send_parcel(dispatch, queue, delivery);
		} else if (queue->questions != NULL)
			send_question(dispatch, queue);
		else
			return;
	}
}

void
dispatch_round(struct dispatch *dispatch, struct round *round,
    struct delivery *const *deliveries, size_t count)
{
	round->open = (uint32_t)count;
	assert(count > 0);
	for (size_t i = 0; i < count; i++) {
		struct queue *queue =
		    queue_of(dispatch, deliveries[i]->gateway);

		deliveries[i]->round = round;
		deliveries[i]->next = NULL;
		if (queue->last != NULL)
			queue->last->next = deliveries[i];
		else
			queue->first = deliveries[i];
		queue->last = deliveries[i];
	}
	for (size_t i = 0; i < dispatch->queue_count; i++)
		pump(dispatch, &dispatch->queues[i]);
}

/* Plan asks again in five minutes. */
static void
drop_question(struct queue *queue)
{
	struct question *question = queue->questions;

	queue->questions = question->next;
	queue->question_count--;
	arena_free(question->arena);
}

void
dispatch_drain(struct dispatch *dispatch)
{
	dispatch->draining = true;
	for (size_t i = 0; i < dispatch->queue_count; i++) {
		struct delivery *delivery;

		while ((delivery = queue_pop(&dispatch->queues[i])) != NULL) {
			bool leaves = may_leave(dispatch, delivery);

			assert(!leaves);
		}
		while (dispatch->queues[i].questions != NULL)
			drop_question(&dispatch->queues[i]);
	}
}

/* ---- asking ---- */

static enum delivery_state
state_found(enum gw_found found)
{
	switch (found) {
	case GW_FOUND_WAITING:
		return DELIVERY_ACCEPTED;
	case GW_FOUND_DELIVERED:
		return DELIVERY_DELIVERED;
	case GW_FOUND_UNDELIVERED:
		return DELIVERY_UNDELIVERED;
	default:
		return DELIVERY_UNKNOWN;
	}
}

static void
question_on_result(const struct gw_query_result *result, void *arg)
{
	struct question *question = arg;
	struct dispatch *dispatch = question->dispatch;
	struct asked asked = {
	    .key = question->key,
	    .state = state_found(result->found),
	    .nothing = result->found == GW_FOUND_NOTHING,
	    .provider_id = result->provider_id,
	    .code = result->code,
	};

	dispatch->on_the_way--;
	if (result->found != GW_FOUND_UNSURE)
		outcomes_add_asked(dispatch->outcomes, &asked);
	pump(dispatch, queue_of(dispatch, question->gateway));
	arena_free(question->arena);
}

void
dispatch_ask(struct dispatch *dispatch, struct gateway *gateway,
    const struct delivery_key *key, const char *address,
    const char *provider_id, int64_t sent_at)
{
	struct queue *queue = queue_of(dispatch, gateway);
	struct question *question;
	struct arena *arena;
	char reference[DELIVERY_REFERENCE_MAX + 1];

	if (gateway->api->query == NULL || dispatch->draining ||
	    queue->question_count >= QUESTIONS_MAX)
		return;
	arena = arena_create();
	question = arena_alloc(arena, sizeof(*question));
	delivery_reference(key, reference);
	*question = (struct question){
	    .dispatch = dispatch,
	    .gateway = gateway,
	    .arena = arena,
	    .key = *key,
	    .query =
		{
		    .reference = arena_text(arena, reference),
		    .address = arena_text(arena, address),
		    .provider_id = arena_text(arena, provider_id),
		    .sent_at_us = sent_at,
		},
	};
	question->next = queue->questions;
	queue->questions = question;
	queue->question_count++;
	pump(dispatch, queue);
}
