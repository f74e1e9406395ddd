/*
 * A plug-in that was built for another version of the interface.  For tests
 * of the loader; never installed.
 */
#include "gateway.h"

const struct gw_api adherd_gateway = {
    .abi = GW_ABI + 1,
    .size = sizeof(struct gw_api),
    .name = "old_abi",
};
