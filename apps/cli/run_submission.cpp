#include "apps/cli/run_submission.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <future>
#include <utility>

#include "apps/cli/interrupt.h"
#include "apps/cli/progress_bar.h"
#include "xlstm/base/log.h"

namespace xlstm::cli {
namespace {

/// What was cancelled before its first token has no sample yet.
engine::Outcome ended(engine::Outcome outcome) {
  if (outcome.error) std::rethrow_exception(outcome.error);
  if (outcome.samples.empty())
    outcome.samples.emplace_back().result.finish_reason = generation::FinishReason::cancelled;
  return outcome;
}

}  // namespace

void announce_reading(const generation::Request& request) {
  log(LogLevel::info, fmt::format("reading {} tokens; Ctrl-C stops", request.prompt.size()));
}

engine::Outcome run_submission(engine::Service& service, engine::Submission submission) {
  const InterruptScope interrupt;
  announce_reading(submission.request);
  ProgressBar bar("reading the prompt", 1.0);
  std::promise<engine::Outcome> end;
  submission.listener.on_prefill = [&bar](std::size_t done, std::size_t total) {
    bar.update(static_cast<double>(done) / static_cast<double>(total));
  };
  submission.listener.on_end = [&end](engine::Outcome outcome) {
    for (scheduler::Sample& sample : outcome.samples) sample.state = {};  // it belongs to the engine's thread
    end.set_value(std::move(outcome));
  };
  std::future<engine::Outcome> outcome = end.get_future();
  const engine::RequestId id = service.submit(std::move(submission));
  bool cancelled = false;
  while (outcome.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
    if (interrupt.interrupted() && !std::exchange(cancelled, true)) service.cancel(id);
  }
  return ended(outcome.get());
}

}  // namespace xlstm::cli
