/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A calibration in words and as JSON. */
#pragma once

#include "forge/calibrate.h"
#include "output.h"

/* @written: the file that has it now. */
void calibration_report_print (
    FILE *out, const ForgeCalibration *calibration, const char *written);
/* Member "calibration" of the object being built. */
void calibration_report_add_json (JsonBuilder *builder,
    const ForgeCalibration *calibration, const char *written);
