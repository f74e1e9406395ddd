#ifndef ADHERD_DOOR_CALLBACK_H
#define ADHERD_DOOR_CALLBACK_H

#include "base/http_server.h"
#include "flow/inbox.h"

/*
 * Providers' callbacks: POST or GET /callback/GATEWAY/SECRET[/…].  The
 * secret is compared before anything is read, the exact bytes go to the
 * gateway, its events are stored, and only then does the provider get its
 * answer; 503 where they could not be stored.
 */
struct callbacks {
	struct gateways *gateways;
	struct inbox *inbox;
};

/* callbacks is borrowed and must outlive the server. */
void callback_serve(struct http_server *server, struct callbacks *callbacks);

#endif
