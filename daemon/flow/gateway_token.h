#ifndef ADHERD_FLOW_GATEWAY_TOKEN_H
#define ADHERD_FLOW_GATEWAY_TOKEN_H

#include "flow/gateway_request.h"

/*
 * Tokens of providers, internal to flow/gateway_*.c.  All copies share one in
 * the table gateway_token, sealed; whoever finds that it ends soon, or was
 * refused, claims its refresh there, so that one is under way at a time.
 */
struct token;

/* A token that a request may take with it now; NULL: wait for one. */
const char *token_text(const struct gateway *gateway);
/* The end of that token: what it is known by. */
int64_t token_end(const struct gateway *gateway);
/*
 * Hold the request until there is a token, then have it written; where none
 * comes in time it is given up.  It must live until then.
 */
void token_wait(struct request *request);
/* The provider refused the token with this end. */
void token_refused(struct gateway *gateway, int64_t end_at);
/* A gateway's token, made with the gateway where its plug-in wants one. */
struct token *token_create(struct gateway *gateway);
void token_free(struct token *token); /* wipes; NULL is fine */

#endif
