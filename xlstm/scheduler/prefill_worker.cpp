#include "xlstm/scheduler/prefill_worker.h"

#include <algorithm>
#include <utility>

namespace xlstm::scheduler {

ThreadPrefillWorker::ThreadPrefillWorker(MakeBackend make) : make_(std::move(make)) {}

ThreadPrefillWorker::~ThreadPrefillWorker() {
  stop_ = true;
  background_.post([this] { backend_.reset(); });
}

std::future<std::optional<HostSnapshot>> ThreadPrefillWorker::submit(PrefillTask task,
                                                                     std::shared_ptr<const std::atomic<bool>> wanted) {
  auto promise = std::make_shared<std::promise<std::optional<HostSnapshot>>>();
  auto future = promise->get_future();
  ++load_;
  background_.post([this, promise, wanted, task = std::make_shared<PrefillTask>(std::move(task))] {
    std::optional<HostSnapshot> done;
    std::exception_ptr fault;
    try {
      done = read(*task, *wanted);
    } catch (...) {
      fault = std::current_exception();
    }
    --load_;
    fault ? promise->set_exception(fault) : promise->set_value(std::move(done));
  });
  return future;
}

/// In pieces of a few segments, so that it can be stopped: where they end changes no bit.
std::optional<HostSnapshot> ThreadPrefillWorker::read(const PrefillTask& task, const std::atomic<bool>& wanted) {
  constexpr std::size_t kSegments = 4;
  if (!wanted || stop_) return std::nullopt;
  if (!backend_) backend_ = make_();
  const std::size_t segment = std::max<std::size_t>(backend_->prefill_segment(), 1);
  const auto state = backend_->make_state();
  if (!task.start.slot.empty()) state->from_host(task.start.slot);
  HostSnapshot done = task.start;
  done.logits.resize(task.last ? static_cast<std::size_t>(backend_->model().config.vocab_size) : 0);
  while (done.tokens < task.ids.size()) {
    if (!wanted || stop_) return std::nullopt;
    const std::size_t lead = segment - done.tokens % segment;
    const std::size_t wanted_tokens = lead < segment ? lead : kSegments * segment;
    const std::size_t tokens = std::min(wanted_tokens, task.ids.size() - done.tokens);
    const bool last = task.last && done.tokens + tokens == task.ids.size();
    const backend::PrefillRow row{std::span(task.ids).subspan(done.tokens, tokens), state.get(),
                                  last ? backend::Logits::last : backend::Logits::none,
                                  std::span(done.logits).first(last ? done.logits.size() : 0)};
    backend_->prefill(std::span(&row, 1));
    done.tokens += tokens;
    done.path = path_after(done.path, done.tokens, last, segment);
  }
  done.slot.resize(static_cast<std::size_t>(backend_->model().state_spec.slot_size));
  state->to_host(done.slot);
  return done;
}

Path path_after(Path before, std::size_t end, bool last, std::size_t segment) noexcept {
  if (before != Path::aligned) return Path::other;
  if (end % segment == 0) return Path::aligned;
  return last ? Path::prompt_end : Path::other;
}

}  // namespace xlstm::scheduler
