#ifndef ADHERD_FLOW_GATEWAY_CHECK_H
#define ADHERD_FLOW_GATEWAY_CHECK_H

#include "base/mem.h"
#include "gateways/gateway.h"

/*
 * Are the values of a gateway's section usable?  Internal to
 * flow/gateway_*.c: gateway_load.c says where in the file they stand.
 */

/*
 * What is wrong with an option's value, a lasting text; NULL: it fits.
 * plain: http:// will do, where it stays on this machine.
 */
must_check const char *gateway_check_value(
    const struct gw_option *option, const char *value, bool plain);
/* Is this a file with certificates?  -1 with error. */
must_check int gateway_check_certificates(
    const char *path, char *error, size_t bytes);

#endif
