// One request of a service, as a verb runs it: with a progress bar, and stopped by Ctrl-C.
#pragma once

#include "xlstm/engine/service.h"

namespace xlstm::cli {

/// To the log, once Ctrl-C no longer ends the program.
void announce_reading(const generation::Request& request);

/// Its end, without states; what Ctrl-C stopped before the first token has one sample, cancelled and without text.
/// Errors: those of Service::submit, and the request's own fault.
engine::Outcome run_submission(engine::Service& service, engine::Submission submission);

}  // namespace xlstm::cli
