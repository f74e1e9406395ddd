#ifndef ADHERD_CTL_TOUCH_H
#define ADHERD_CTL_TOUCH_H

#include "ctl.h"

/*
 * People of whom a verb changes what is decided.
 */

/*
 * Add the statement that returns bucket and patient_id of at most `slice`
 * people after those given, in key order.
 */
typedef void ctl_people_query(struct db_unit *unit,
    void (*take)(const struct db_result *, void *), void *taker,
    int16_t after_bucket, int64_t after_patient, int32_t slice, void *arg);

/*
 * Have them looked at again, in slices, as what is not urgent; with rebuild
 * their dossiers are compiled anew.  Returns how many they were.
 */
uint64_t ctl_touch_people(
    struct ctl *ctl, ctl_people_query *query, void *arg, bool rebuild);

#endif
