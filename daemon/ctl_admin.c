/*
 * adherctl for those who set adherd up: the key ring, the gateways.
 */
#include <stdio.h>

#include "base/http_client.h"
#include "base/log.h"
#include "ctl.h"
#include "flow/gateway_host.h"

static int
run_keyring_create(struct ctl *ctl, int argc, char **argv)
{
	char error[256];

	(void)ctl;
	if (argc != 1)
		ctl_usage(&ctl_keyring_create);
	if (keyring_create(argv[0], error, sizeof(error)) != 0)
		ctl_fail(EXIT_CONFIGURATION, "%s", error);
	return 0;
}

const struct ctl_verb ctl_keyring_create = {
    "keyring create",
    "FILE",
    "make the keys of sealed fields and blind indexes",
    run_keyring_create,
};

static int
run_gateway_list(struct ctl *ctl, int argc, char **argv)
{
	struct gateways *gateways;

	(void)argv;
	if (argc != 0)
		ctl_usage(&ctl_gateway_list);
	gateways = ctl_gateways(ctl);
	for (size_t i = 0; i < gateways_count(gateways); i++) {
		const struct gateway *g = gateways_at(gateways, i);

		(void)printf(
		    ctl->json
			? "{\"name\":\"%s\",\"plugin\":\"%s\",\"channel\":"
			  "\"%s\",\"window\":%u,\"batch\":%u,\"lane\":%d}\n"
			: "%-16s %-14s %-12s window %-5u batch %-4u lane %d\n",
		    g->name, g->api->name, channel_word(g->channel), g->window,
		    g->batch_max, g->lane);
	}
	gateways_free(gateways);
	return 0;
}

const struct ctl_verb ctl_gateway_list = {
    "gateway list",
    "[--json]",
    "the gateways of the configuration, loaded and checked",
    run_gateway_list,
};
