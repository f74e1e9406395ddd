#ifndef ADHERD_FLOW_GATEWAY_CALL_H
#define ADHERD_FLOW_GATEWAY_CALL_H

#include "base/mem.h"
#include "gateways/gateway.h"

/*
 * One call into a gateway plug-in: the host functions that it may use, over
 * base/.  All that a call allocates lives in the caller's arena.  No loop,
 * no HTTP and no database here, so that tests and fuzzers link it too.
 */
extern const struct gw_host gateway_call_host;

/*
 * Prepare a call.  Everything is borrowed and must outlive it; what the
 * plug-in returns is in the arena.  token may be NULL.  now_us is unmoved.
 */
void gateway_call_init(struct gw_call *call, struct arena *arena,
    const char *gateway, const struct gw_pair *settings, size_t count,
    int64_t now_us, const char *token);

#define GATEWAY_RETRY_AFTER_S_MAX 3600

/*
 * Seconds of a Retry-After header (RFC 9110: a number, or a date), at most
 * GATEWAY_RETRY_AFTER_S_MAX; 0 if there is none that can be used.  For
 * outcomes to which the plug-in gave no retry_after_s.
 */
int32_t gateway_call_retry_after_s(
    const struct gw_response *response, int64_t now_us);

#endif
