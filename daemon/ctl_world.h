#ifndef ADHERD_CTL_WORLD_H
#define ADHERD_CTL_WORLD_H

#include "care/program.h"
#include "ctl.h"

/*
 * What a decision needs besides the patient, as the daemon has it now: the
 * tenants' rules, operators' stops, gateways with their registrations and
 * pauses.
 */
struct ctl_world;
struct audience; /* flow/message.h */

struct ctl_world *ctl_world_load(struct ctl *ctl);
void ctl_world_free(struct ctl_world *world);
/* A tenant's, with the stops that stand; lives as long as the world. */
const struct rules *ctl_world_rules(
    const struct ctl_world *world, int32_t tenant_id);
/*
 * Who can take a message of that tenant's patients now; all are free where
 * the configuration names no gateway, or one that cannot be loaded.  Until
 * the next call.
 */
const struct gateways_view *ctl_world_gateways(
    struct ctl_world *world, int32_t tenant_id, const char *locale);
/* Their gateways and texts; NULL where gateways are taken as free. */
const struct audience *ctl_world_audience(
    struct ctl_world *world, int32_t tenant_id, const char *locale);
/* Say on stderr why gateways are taken as free, where they are. */
void ctl_world_warn(const struct ctl_world *world);

#endif
