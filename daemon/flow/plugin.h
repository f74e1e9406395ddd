#ifndef ADHERD_FLOW_PLUGIN_H
#define ADHERD_FLOW_PLUGIN_H

#include "base/buf.h"
#include "gateways/gateway.h"

/*
 * The shared objects of the plug-in folder: opened after a look at the file,
 * believed after a look at what they export.  Never closed again.
 */

/*
 * The interface of the plug-in of that name in the file; NULL with error.
 * Fields after its size are not there.
 */
must_check const struct gw_api *plugin_open(
    const char *path, const char *name, char *error, size_t bytes);
/*
 * Append what all plug-ins of the folder take in a [gateway] section, by
 * name: as mdoc, a subsection each, or as comments of an example.  One that
 * cannot be believed is left out, and so is a folder that is not there.
 */
void plugins_manual(const char *dir, struct buf *out);
void plugins_example(const char *dir, struct buf *out);

#endif
