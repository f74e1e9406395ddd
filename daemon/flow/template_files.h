#ifndef ADHERD_FLOW_TEMPLATE_FILES_H
#define ADHERD_FLOW_TEMPLATE_FILES_H

#include "care/template.h"

/*
 * Read templates/: KIND/LOCALE.tpl and KIND/LOCALE.CHANNEL.tpl, all of them
 * or none.  NULL with error for a file that cannot be read or is not right.
 * Whether every message has a text is template_set_check()'s to say.
 */
must_check struct template_set *template_files_load(const char *directory,
    const char *default_locale, struct conf_error *error);

#endif
