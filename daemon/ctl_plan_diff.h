#ifndef ADHERD_CTL_PLAN_DIFF_H
#define ADHERD_CTL_PLAN_DIFF_H

#include "ctl.h"
#include "door/dry_run.h"

/*
 * Print what a change of rules would change for these patients: lines that
 * only the old rules give with "-", those that only the new ones give with
 * "+", then counts by kind, stage and action.  Returns whether they differ.
 */
bool ctl_plan_diff(struct ctl *ctl, const struct dry_patient *patients,
    uint32_t count, const struct rules *old_rules,
    const struct rules *new_rules);

#endif
