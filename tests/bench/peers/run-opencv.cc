// SPDX-License-Identifier: LGPL-2.1-or-later
//
// OpenCV's DNN module, for compare-run: its own ONNX reader, its own CPU
// backend with fusion and (from 4.7 on) Winograd, as they are by default.
#include <cstring>
#include <exception>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <string>

#include "runner.h"

static cv::dnn::Net net;
static cv::Mat input, output;

void
runner_open (const RunnerJob *job)
{
  cv::setNumThreads (job->threads);
  const int extents[] = { job->batch, 3, job->side, job->side };
  input.create (4, extents, CV_32F);
  std::memcpy (input.data, job->input, job->n_inputs * sizeof (float));
  try {
    net = cv::dnn::readNetFromONNX (std::string (job->model) + ".onnx");
    net.setPreferableBackend (cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget (cv::dnn::DNN_TARGET_CPU);
    runner_run ();
  } catch (const std::exception &problem) {
    std::string text = problem.what ();
    for (char &letter : text)
      letter = letter == '\n' ? ' ' : letter;
    runner_fail ("%s", text.c_str ());
  }
}

void
runner_run (void)
{
  net.setInput (input);
  output = net.forward ();
}

const float *
runner_output (size_t *n_outputs)
{
  *n_outputs = output.total ();
  return output.ptr<float> ();
}

const char *
runner_version (void)
{
  return CV_VERSION;
}

double
runner_flops (void)
{
  return 0;
}
