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
#include "base/metric.h"
#include "flow/hold.h"

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
	struct hold *hold;
	int64_t care_offset;      /* when what is held was held */
	size_t turn;              /* of queues that share an account */
	uint32_t on_the_way;      /* requests, questions included */
	struct loop_timer *timer; /* an account has messages free again */
	int64_t timer_at;         /* unmoved; AT_NEVER: not armed */
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
static void on_timer(void *arg);
static void on_released(struct delivery *first, void *arg);
static void give_back_held(struct dispatch *dispatch,
    bool (*wanted)(const struct delivery *delivery, const void *arg),
    const void *arg, const char *code);
static bool is_retired(const struct delivery *delivery, const void *arg);
static void empty_queue(struct dispatch *dispatch, struct queue *queue);
static void question_on_result(const struct gw_query_result *result,
    const struct gateway_rest *rest, void *arg);

struct dispatch *
dispatch_create(struct loop *loop, const struct clock *clock,
    struct gateways *gateways, struct outcomes *outcomes,
    const struct rule_book *rules, const struct stop_book *stops,
    int64_t request_us)
{
	struct dispatch *dispatch = mem_alloc(sizeof(*dispatch));

	dispatch->loop = loop;
	dispatch->clock = clock;
	dispatch->gateways = gateways;
	dispatch->outcomes = outcomes;
	dispatch->rules = rules;
	dispatch->stops = stops;
	dispatch->request_us = request_us;
	dispatch->queues =
	    mem_alloc(GATEWAYS_EVER_MAX * sizeof(*dispatch->queues));
	dispatch->hold = hold_create(loop, clock, on_released, dispatch);
	dispatch_reload(dispatch, request_us);
	dispatch->timer = loop_timer_create(loop, on_timer, dispatch);
	dispatch->timer_at = AT_NEVER;
	return dispatch;
}

static bool
has_queue(const struct dispatch *dispatch, const struct gateway *gateway)
{
	for (size_t i = 0; i < dispatch->queue_count; i++)
		if (dispatch->queues[i].gateway == gateway)
			return true;
	return false;
}

/* A queue once made stays where it is: parcels under way know it. */
void
dispatch_reload(struct dispatch *dispatch, int64_t request_us)
{
	dispatch->request_us = request_us;
	for (size_t i = 0; i < gateways_count(dispatch->gateways); i++) {
		struct gateway *gateway = gateways_at(dispatch->gateways, i);

		if (has_queue(dispatch, gateway))
			continue;
		assert(dispatch->queue_count < GATEWAYS_EVER_MAX);
		dispatch->queues[dispatch->queue_count++].gateway = gateway;
	}
	give_back_held(dispatch, is_retired, NULL, "gateway_paused");
	for (size_t i = 0; i < dispatch->queue_count; i++)
		if (dispatch->queues[i].gateway->retired)
			empty_queue(dispatch, &dispatch->queues[i]);
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
	return dispatch->on_the_way == 0 && hold_empty(dispatch->hold);
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
	    .credit = delivery->credit,
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
	metric_add(METRIC_GIVEN_BACK, delivery->gateway->name, code, 1);
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

/* Here at once, and stored for the other copies. */
static void
pause_until(struct dispatch *dispatch, const char *gateway, const char *scope,
    const char *code, const char *why, int64_t wait_us)
{
	int64_t until = clock_unmoved(dispatch->clock) + wait_us;

	gateways_pause(dispatch->gateways, gateway, scope, until);
	outcomes_add_pause(dispatch->outcomes, gateway, scope, code, until);
	log_warning("gateway.paused", log_s(GATEWAY, gateway),
	    log_s(SCOPE, scope), log_s(REASON, why), log_s(CODE, code),
	    log_n(MS, wait_us / 1000));
}

/* What else waits where the verdict speaks of a template or a sender. */
static void
pause_scope(struct dispatch *dispatch, const struct delivery *delivery,
    const struct gw_outcome *o)
{
	const struct gw_message *message = delivery->message;
	bool template = o->scope == GW_SCOPE_TEMPLATE;
	const char *name =
	    template ? message->template_code : message->signature;
	int64_t told_us =
	    (o->retry_after_s > PAUSE_S_MAX ? PAUSE_S_MAX : o->retry_after_s) *
	    SECOND_US;
	char scope[160];

	if (!template && o->scope != GW_SCOPE_SENDER)
		return;
	(void)snprintf(scope, sizeof(scope), "%s:%s",
	    template ? "template" : "sender", name == NULL ? "" : name);
	if (!gateway_paused(delivery->gateway, scope))
		pause_until(dispatch, delivery->gateway->name, scope, o->code,
		    "refused",
		    told_us > 0 ? told_us
				: gateways_probe_us(dispatch->gateways));
}

/* The gateway as a whole: its breaker, or what the provider asked for. */
static void
pause_gateway(struct dispatch *dispatch, struct gateway *gateway,
    const struct gateway_rest *rest)
{
	if (rest->pause_us > 0 && !gateway_paused(gateway, "")) {
		metric_add(
		    METRIC_GATEWAY_PAUSED_FOR, gateway->name, rest->why, 1);
		pause_until(dispatch, gateway->name, "", rest->code, rest->why,
		    rest->pause_us);
	}
}

static enum delivery_state
state_of(const struct delivery *delivery, const struct gw_outcome *o)
{
	switch (o->verdict) {
	case GW_ACCEPTED:
		return (delivery->gateway->api->flags & GW_RECEIPTS) != 0 &&
			       !o->no_receipt
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
	struct outcome outcome =
	    begin_outcome(delivery, state_of(delivery, o), o->code, sent_at);

	outcome.provider_id = o->provider_id;
	metric_add(METRIC_MESSAGES, delivery->gateway->name,
	    o->verdict == GW_ACCEPTED ? "accepted"
				      : delivery_state_word(outcome.state),
	    1);
	if (o->verdict == GW_RETRY)
		outcome.retry_at =
		    clock_care(dispatch->clock) +
		    retry_delay(rules_of(dispatch->rules, delivery->tenant_id),
			delivery->attempts, o->retry_after_s);
	if (o->verdict == GW_REJECTED && o->scope == GW_SCOPE_RECIPIENT)
		outcome.contact_bad = true;
	outcome.credits_gone = o->credits_gone;
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
parcel_on_outcomes(const struct gw_outcome *outcomes,
    const struct gateway_rest *rest, void *arg)
{
	struct parcel *parcel = arg;
	struct dispatch *dispatch = parcel->dispatch;
	struct queue *queue = parcel->queue;

	metric_observe(METRIC_SEND_TIME, queue->gateway->name,
	    (double)(clock_unmoved(dispatch->clock) - parcel->sent_at) /
		SECOND_US);
	dispatch->on_the_way--;
	pause_gateway(dispatch, queue->gateway, rest);
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

/* Last, but an urgent one before all that are not. */
static void
queue_push(struct queue *queue, struct delivery *delivery)
{
	struct delivery **link = &queue->first;

	if (!delivery->urgent && queue->last != NULL)
		link = &queue->last->next;
	while (delivery->urgent && *link != NULL && (*link)->urgent)
		link = &(*link)->next;
	delivery->next = *link;
	*link = delivery;
	if (delivery->next == NULL)
		queue->last = delivery;
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

		metric_add(METRIC_GIVEN_BACK, delivery->gateway->name,
		    delivery->problem, 1);
		finish(dispatch, delivery, &outcome);
		return false;
	}
	if (!clock_agrees(dispatch->clock)) {
		give_back(dispatch, delivery, "clocks_apart", care_now);
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

static bool
same_parameters(const struct gw_message *a, const struct gw_message *b)
{
	if (a->parameter_count != b->parameter_count)
		return false;
	for (size_t i = 0; i < a->parameter_count; i++)
		if (!same_text(a->parameters[i].value, b->parameters[i].value))
			return false;
	return same_text(a->extension, b->extension);
}

/* What has no code is known by what it says. */
static bool
says_the_same(const struct gw_message *a, const struct gw_message *b)
{
	return same_parameters(a, b) &&
	       (a->template_code != NULL || (same_text(a->text, b->text) &&
						same_text(a->link, b->link)));
}

/* One request takes one template, or one text, and no address twice. */
static bool
fits(const struct parcel *parcel, const struct delivery *delivery)
{
	const struct gw_message *first = parcel->deliveries[0]->message;
	const struct gw_message *message = delivery->message;
	bool one_text =
	    (parcel->queue->gateway->api->flags & GW_SAME_TEXT) != 0;

	if (delivery->alone || message == NULL ||
	    !same_text(first->template_code, message->template_code) ||
	    !same_text(first->signature, message->signature) ||
	    !same_text(first->locale, message->locale) ||
	    (one_text && !says_the_same(first, message)))
		return false;
	for (size_t i = 0; i < parcel->count; i++)
		if (strcmp(parcel->deliveries[i]->message->address,
			message->address) == 0)
			return false;
	return true;
}

/* Take from further back in the queue what can travel along. */
static void
fill_parcel(struct dispatch *dispatch, struct parcel *parcel, size_t most)
{
	struct queue *queue = parcel->queue;
	size_t looked = 0;
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

/* How late does it leave, of what leaves for the first time? */
static void
note_lag(const struct dispatch *dispatch, const struct delivery *delivery)
{
	int64_t lag = clock_care(dispatch->clock) - delivery->due_at;

	if (delivery->attempts == 1 && !delivery->alone)
		metric_observe(
		    METRIC_LAG, NULL, lag > 0 ? (double)lag / SECOND_US : 0);
}

/* The first of its deliveries' leases and times to end. */
static int64_t
begin_until(const struct dispatch *dispatch, const struct parcel *parcel)
{
	int64_t until = AT_NEVER;

	for (size_t i = 0; i < parcel->count; i++) {
		const struct delivery *delivery = parcel->deliveries[i];
		int64_t lease =
		    delivery->round->lease_until - dispatch->request_us;

		until = lease < until ? lease : until;
		until =
		    delivery->not_after < until ? delivery->not_after : until;
	}
	return until;
}

/* As many messages as the account has free, at most one batch. */
static void
send_parcel(struct dispatch *dispatch, struct queue *queue,
    struct delivery *first, uint32_t free_count)
{
	struct arena *arena = arena_create();
	struct parcel *parcel = arena_alloc(arena, sizeof(*parcel));
	size_t most = queue->gateway->batch_max;

	if (most > free_count)
		most = free_count;
	parcel->dispatch = dispatch;
	parcel->queue = queue;
	parcel->arena = arena;
	parcel->sent_at = clock_unmoved(dispatch->clock);
	parcel->deliveries =
	    arena_array(arena, most, sizeof(struct delivery *));
	parcel->deliveries[parcel->count++] = first;
	fill_parcel(dispatch, parcel, most);
	parcel->messages =
	    arena_array(arena, parcel->count, sizeof(*parcel->messages));
	for (size_t i = 0; i < parcel->count; i++) {
		const struct delivery *delivery = parcel->deliveries[i];
		int64_t left =
		    (delivery->not_after - parcel->sent_at) / SECOND_US;

		note_lag(dispatch, delivery);
		parcel->messages[i] = *delivery->message;
		parcel->messages[i].valid_s = left > 3 * 86400 ? 3 * 86400
					      : left < 1       ? 1
							       : (int32_t)left;
	}
	dispatch->on_the_way++;
	account_take(
	    queue->gateway->account, (uint32_t)parcel->count, parcel->sent_at);
	gateway_send(queue->gateway, parcel->messages, parcel->count,
	    begin_until(dispatch, parcel), parcel_on_outcomes, parcel);
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

/* Its account has nothing free now: go on when it has. */
static void
wait_for_account(struct dispatch *dispatch, const struct queue *queue)
{
	int64_t now = clock_unmoved(dispatch->clock);
	int64_t at = account_ready_at(queue->gateway->account, now);

	if (at >= dispatch->timer_at)
		return;
	dispatch->timer_at = at;
	loop_timer_arm(dispatch->timer, at - now);
}

/* The first that may leave; NULL where none may, or must wait. */
static struct delivery *
next_to_leave(
    struct dispatch *dispatch, struct queue *queue, uint32_t *free_count)
{
	while (queue->first != NULL) {
		struct delivery *delivery = queue->first;

		*free_count = account_free(
		    queue->gateway->account, clock_unmoved(dispatch->clock));
		if (*free_count == 0 && !dispatch->draining &&
		    !gateway_paused(queue->gateway, "")) {
			wait_for_account(dispatch, queue);
			return NULL;
		}
		(void)queue_pop(queue);
		if (may_leave(dispatch, delivery))
			return delivery;
	}
	return NULL;
}

/* Send one request, a message's before a question's; false: none can leave. */
static bool
pump_one(struct dispatch *dispatch, struct queue *queue)
{
	uint32_t free_count;
	struct delivery *delivery;

	if (queue->gateway->in_flight >= queue->gateway->pace.window)
		return false;
	delivery = next_to_leave(dispatch, queue, &free_count);
	if (delivery != NULL)
		send_parcel(dispatch, queue, delivery, free_count);
	else if (queue->questions != NULL &&
		 !gateway_paused(queue->gateway, ""))
		send_question(dispatch, queue);
	else
		return false;
	return true;
}

/* Gateways that share a limited account take turns, a request each. */
static void
pump_account(struct dispatch *dispatch, const struct account *account)
{
	size_t count = dispatch->queue_count, vain = 0;

	while (vain < count) {
		struct queue *queue =
		    &dispatch->queues[dispatch->turn++ % count];

		if (queue->gateway->account == account &&
		    pump_one(dispatch, queue))
			vain = 0;
		else
			vain++;
	}
}

/* Fill the window. */
static void
pump(struct dispatch *dispatch, struct queue *queue)
{
	if (!account_is_free(queue->gateway->account)) {
		pump_account(dispatch, queue->gateway->account);
		return;
	}
	while (pump_one(dispatch, queue))
		continue;
}

/* ---- what is held until its instant ---- */

static void
queue_up(struct dispatch *dispatch, struct delivery *delivery)
{
	delivery->next = NULL;
	queue_push(queue_of(dispatch, delivery->gateway), delivery);
}

static void
pump_all(struct dispatch *dispatch)
{
	for (size_t i = 0; i < dispatch->queue_count; i++)
		pump(dispatch, &dispatch->queues[i]);
}

static void
on_released(struct delivery *first, void *arg)
{
	struct dispatch *dispatch = arg;

	while (first != NULL) {
		struct delivery *delivery = first;

		first = first->next;
		queue_up(dispatch, delivery);
	}
	pump_all(dispatch);
}

/* Not before their instant either. */
static void
give_back_held(struct dispatch *dispatch,
    bool (*wanted)(const struct delivery *delivery, const void *arg),
    const void *arg, const char *code)
{
	struct delivery *taken = hold_take(dispatch->hold, wanted, arg);

	while (taken != NULL) {
		struct delivery *delivery = taken;

		taken = delivery->next;
		delivery->next = NULL;
		give_back(dispatch, delivery, code,
		    delivery->not_before + dispatch->care_offset);
	}
}

static bool
is_any(const struct delivery *delivery, const void *arg)
{
	(void)delivery;
	(void)arg;
	return true;
}

static bool
is_retired(const struct delivery *delivery, const void *arg)
{
	(void)arg;
	return delivery->gateway->retired;
}

static bool
is_of(const struct delivery *delivery, const void *arg)
{
	const struct delivery_key *key = arg;

	return delivery->key.bucket == key->bucket &&
	       delivery->key.patient_id == key->patient_id;
}

void
dispatch_touched(struct dispatch *dispatch, int16_t bucket, int64_t patient_id)
{
	const struct delivery_key key = {
	    .bucket = bucket, .patient_id = patient_id};

	give_back_held(dispatch, bucket < 0 ? is_any : is_of, &key, "touched");
}

/* Care time was moved: their instants are not what they were. */
static void
mind_clock(struct dispatch *dispatch)
{
	if (dispatch->care_offset == dispatch->clock->care_offset)
		return;
	give_back_held(dispatch, is_any, NULL, "clock_moved");
	dispatch->care_offset = dispatch->clock->care_offset;
}

void
dispatch_pump(struct dispatch *dispatch)
{
	pump_all(dispatch);
	if (dispatch->room != NULL)
		dispatch->room(dispatch->room_arg);
}

void
dispatch_look(struct dispatch *dispatch)
{
	int64_t until = clock_unmoved(dispatch->clock) + dispatch->request_us;

	mind_clock(dispatch);
	for (size_t i = 0; i < dispatch->queue_count; i++) {
		struct queue *queue = &dispatch->queues[i];

		while (queue->first != NULL &&
		       until >= queue->first->round->lease_until) {
			bool leaves = may_leave(dispatch, queue_pop(queue));

			assert(!leaves);
			(void)leaves;
		}
	}
}

static void
on_timer(void *arg)
{
	struct dispatch *dispatch = arg;

	dispatch->timer_at = AT_NEVER;
	dispatch_pump(dispatch);
}

void
dispatch_round(struct dispatch *dispatch, struct round *round,
    struct delivery *const *deliveries, size_t count)
{
	int64_t now = clock_unmoved(dispatch->clock);
	struct delivery *held = NULL;

	mind_clock(dispatch);
	round->open = (uint32_t)count;
	assert(count > 0);
	for (size_t i = count; i-- > 0;) {
		struct delivery *delivery = deliveries[i];

		delivery->round = round;
		if (delivery->not_before <= now)
			continue;
		delivery->next = held;
		held = delivery;
	}
	for (size_t i = 0; i < count; i++)
		if (deliveries[i]->not_before <= now)
			queue_up(dispatch, deliveries[i]);
	if (held != NULL)
		hold_add(dispatch->hold, held);
	pump_all(dispatch);
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

/* Nothing of it may leave: stopping, or the gateway is retired. */
static void
empty_queue(struct dispatch *dispatch, struct queue *queue)
{
	struct delivery *delivery;

	while ((delivery = queue_pop(queue)) != NULL) {
		bool leaves = may_leave(dispatch, delivery);

		assert(!leaves);
	}
}

void
dispatch_drain(struct dispatch *dispatch)
{
	dispatch->draining = true;
	give_back_held(dispatch, is_any, NULL, "stopping");
	for (size_t i = 0; i < dispatch->queue_count; i++) {
		empty_queue(dispatch, &dispatch->queues[i]);
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
question_on_result(const struct gw_query_result *result,
    const struct gateway_rest *rest, void *arg)
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
	pause_gateway(dispatch, question->gateway, rest);
	if (result->found != GW_FOUND_UNSURE)
		outcomes_add_asked(dispatch->outcomes, &asked);
	pump(dispatch, queue_of(dispatch, question->gateway));
	arena_free(question->arena);
}

/* It takes each reference once: a repeat does what an answer would do. */
static bool
needs_no_answer(const struct gateway *gateway)
{
	return gateway->api->query == NULL &&
	       (gateway->api->flags & GW_DEDUPLICATES) != 0;
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

	if (needs_no_answer(gateway) && !dispatch->draining)
		outcomes_add_asked(
		    dispatch->outcomes, &(struct asked){.key = *key,
					    .state = DELIVERY_UNKNOWN,
					    .nothing = true});
	if (gateway->api->query == NULL || dispatch->draining ||
	    queue->question_count >= QUESTIONS_MAX ||
	    gateway_paused(gateway, ""))
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
