#include "python/src/ticket.h"

#include <unistd.h>

#include "xlstm/base/error.h"

namespace xlstm::python {

Ticket::Ticket(std::shared_ptr<Wakes> wakes, std::shared_ptr<std::atomic<bool>> cancel)
    : process_(getpid()), wakes_(std::move(wakes)), cancel_(std::move(cancel)) {}

void Ticket::wake(std::unique_lock<std::mutex>& lock) {
  const std::vector<std::uint64_t> keys = std::exchange(armed_, {});
  lock.unlock();
  news_.notify_all();
  for (const std::uint64_t key : keys) wakes_->push(key);
}

void Ticket::tell(Event event) {
  std::unique_lock lock(mutex_);
  events_.push_back(std::move(event));
  wake(lock);
}

void Ticket::end(Ended ended) {
  std::unique_lock lock(mutex_);
  if (outcome_) return;
  outcome_ = std::make_shared<Ended>(std::move(ended));
  wake(lock);
}

void Ticket::fail(std::exception_ptr error) {
  Ended ended;
  ended.error = std::move(error);
  end(std::move(ended));
}

void Ticket::wait(std::chrono::milliseconds time, bool for_end) {
  if (getpid() != process_) {
    xlstm::fail(ErrorCode::unsupported, "request", "expected the process that made the request but this one was ",
                "forked off it");
  }
  std::unique_lock lock(mutex_);
  news_.wait_for(lock, time, [&] { return for_end ? outcome_ != nullptr : has_news(); });
}

std::optional<Event> Ticket::take() {
  const std::lock_guard lock(mutex_);
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

bool Ticket::ended() const {
  const std::lock_guard lock(mutex_);
  return outcome_ != nullptr;
}

std::shared_ptr<Ended> Ticket::outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_;
}

bool Ticket::arm(std::uint64_t key) {
  const std::lock_guard lock(mutex_);
  if (has_news()) return true;
  armed_.push_back(key);
  return false;
}

TicketGuard::~TicketGuard() {
  if (!ticket_ || ticket_->ended()) return;
  ticket_->fail(std::make_exception_ptr(
      Error(ErrorCode::cancelled, "[request] expected an engine that stays open but it was closed meanwhile")));
}

}  // namespace xlstm::python
