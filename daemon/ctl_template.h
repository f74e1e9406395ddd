#ifndef ADHERD_CTL_TEMPLATE_H
#define ADHERD_CTL_TEMPLATE_H

#include "care/template_approval.h"
#include "ctl.h"
#include "flow/template_files.h"

/* What the verbs of adherctl template share; internal to ctl_template*.c. */

/*
 * The registrations of a file: a JSON array of kind, stage, locale, code,
 * signature, parameters, and class where it is no notification.  A list of
 * struct template_approval in the process's arena, in the file's order;
 * exits with a message where one is malformed.
 */
void ctl_read_approvals(
    struct ctl *ctl, const char *file, struct list *approvals);
/* The texts of a folder, NULL: of the configuration's; or exits. */
struct template_set *ctl_load_templates(struct ctl *ctl, const char *dir);

#endif
