#include "apps/server/api/run.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace xlstm::server::api {
namespace {

class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(Context& context, std::shared_ptr<Exchange> exchange, std::shared_ptr<Answer> answer, std::size_t count)
      : context_(context),
        exchange_(std::move(exchange)),
        answer_(std::move(answer)),
        active_(context.active.add(exchange_->request().request_id, exchange_->request().path)),
        outcomes_(count),
        left_(count) {}

  void submit(std::vector<engine::Submission> submissions) {
    try {
      for (std::size_t i = 0; i < submissions.size(); ++i) {
        listen(submissions[i], i);
        add(context_.service.submit(std::move(submissions[i])));
      }
    } catch (...) {  // the caller answers
      stop();
      throw;
    }
    answer_->on_accepted();
  }

  /// Nobody waits for the answer any more.
  void stop() {
    std::vector<engine::RequestId> ids;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      ids = ids_;
    }
    for (const engine::RequestId id : ids) context_.service.cancel(id);
  }

 private:
  void listen(engine::Submission& submission, std::size_t index) {
    const std::size_t first = index * std::max(submission.num_samples, submission.best_of);
    const auto self = shared_from_this();
    submission.listener.on_prefill = [self](std::size_t done, std::size_t total) {
      self->active_->prompt_done = done;
      self->active_->prompt_total = total;
      if (!self->stopped_) self->answer_->on_prefill(done, total);
    };
    submission.listener.on_token = [self, first](std::size_t sample, const generation::Token& token) {
      ++self->active_->generated;
      if (self->stopped_) return;
      self->answer_->on_token(first + sample, token);
      if (self->answer_->pending_bytes() > self->context_.options.limits.pending_bytes) self->stop();
    };
    submission.listener.on_end = [self, index](engine::Outcome outcome) noexcept {
      self->end(index, std::move(outcome));
    };
  }

  void add(engine::RequestId id) {
    {
      const std::lock_guard lock(mutex_);
      ids_.push_back(id);
    }
    if (stopped_) context_.service.cancel(id);
  }

  void end(std::size_t index, engine::Outcome outcome) noexcept {
    if (outcome.error != nullptr && !is_cancelled(outcome.error)) fault(outcome.error);
    outcomes_[index] = std::move(outcome);
    if (--left_ > 0) return;
    if (stopped_) {
      exchange_->end();  // of a stream that was not taken, without its last words
    } else if (std::any_of(outcomes_.begin(), outcomes_.end(), is_cut_off)) {
      fault(std::make_exception_ptr(ApiError(503, "stopping", "", "the server stops before the request could end")));
    } else {
      try {
        answer_->on_end(std::move(outcomes_));
      } catch (...) {
        fault(std::current_exception());
      }
    }
    outcomes_.clear();  // their states
  }

  /// Nobody but the server itself has ended it.
  static bool is_cut_off(const engine::Outcome& outcome) {
    const auto cancelled = [](const scheduler::Sample& sample) {
      return sample.result.finish_reason == generation::FinishReason::cancelled;
    };
    return outcome.samples.empty() || !outcome.rest.empty() ||
           std::any_of(outcome.samples.begin(), outcome.samples.end(), cancelled);
  }

  void fault(const std::exception_ptr& error) noexcept {
    if (stopped_) return;
    answer_->on_error(to_api_error(error, exchange_->request().request_id));
    stop();
  }

  Context& context_;
  std::shared_ptr<Exchange> exchange_;
  std::shared_ptr<Answer> answer_;
  std::shared_ptr<ActiveRequest> active_;
  std::vector<engine::Outcome> outcomes_;  // the engine's thread's
  std::size_t left_;                       // so is this
  std::mutex mutex_;
  std::vector<engine::RequestId> ids_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

void run(Context& context, const std::shared_ptr<Exchange>& exchange, std::vector<engine::Submission> submissions,
         std::shared_ptr<Answer> answer) {
  const auto made = std::make_shared<Run>(context, exchange, std::move(answer), submissions.size());
  exchange->on_gone([weak = std::weak_ptr(made)] {
    if (const auto alive = weak.lock()) alive->stop();
  });
  made->submit(std::move(submissions));
}

}  // namespace xlstm::server::api
