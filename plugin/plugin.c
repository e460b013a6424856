/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plugin's front door: registers the elements and the metadata they
 * attach, nothing else. */
#include <gst/gst.h>

#include "classify-meta.h"
#include "forge/version.h"
#include "gstforgeclassify.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  gst_forge_classification_meta_register ();
  return GST_ELEMENT_REGISTER (forgeclassify, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, forge,
    "Real-time video classification on the CPU", plugin_init, FORGE_VERSION,
    "LGPL", "gst-forge", "gst-forge")
