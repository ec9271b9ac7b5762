// A request on its way: what the engine's thread has said of it and nobody has taken yet.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "python/src/wakes.h"
#include "xlstm/engine/service.h"

namespace xlstm::python {

/// A drawn token with the text that became whole with it (perhaps none), or text without one: the end of what was held
/// back.
struct Piece {
  std::size_t sample = 0;
  std::optional<TokenId> id;
  std::string text;
};

/// Tokens of the prompt that are read.
struct PrefillProgress {
  std::size_t done = 0, total = 0;
};

using Event = std::variant<Piece, PrefillProgress>;

/// One text of a request that has ended.
struct Answer {
  generation::Result result;
  std::size_t sample = 0;
  double score = 0;
  bool drained = false;
  std::optional<engine::Session> session;  // none: not kept
  std::optional<TokenId> unread;           // the last id, which the session has not read
};

struct Ended {
  std::vector<Answer> answers;  // the best first
  std::size_t prompt_tokens = 0, cached_tokens = 0;
  double queue_seconds = 0;
  std::vector<std::optional<generation::TokenLogProbs>> prompt_logprobs;
  std::exception_ptr error;
};

/// Thread-safe. The engine's thread tells, any other takes.
class Ticket {
 public:
  Ticket(std::shared_ptr<Wakes> wakes, std::shared_ptr<std::atomic<bool>> cancel);

  void tell(Event event);
  /// The first end counts.
  void end(Ended ended);
  void fail(std::exception_ptr error);

  /// Waits at most so long for an event or the end, or for the end alone. Needs no GIL.
  void wait(std::chrono::milliseconds time, bool for_end);
  /// The next event; none: there is none now.
  std::optional<Event> take();
  bool ended() const;
  /// REQUIRES: ended.
  std::shared_ptr<Ended> outcome() const;
  /// True: there is news already. Else `key` goes to the wakes with the next news.
  bool arm(std::uint64_t key);

  /// Read by the plain loop between tokens.
  std::atomic<bool>& cancelled() const noexcept { return *cancel_; }
  /// Of a service's request, from its submission on.
  std::atomic<engine::RequestId> id{0};

 private:
  void wake(std::unique_lock<std::mutex>& lock);
  bool has_news() const { return !events_.empty() || outcome_ != nullptr; }

  const pid_t process_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::deque<Event> events_;
  std::shared_ptr<Ended> outcome_;
  std::shared_ptr<Wakes> wakes_;
  std::shared_ptr<std::atomic<bool>> cancel_;
  std::vector<std::uint64_t> armed_;  // of all who wait
};

/// What drain() has left, until it is fetched; told by the engine's thread.
struct Drained {
  std::mutex mutex;
  std::vector<std::pair<std::shared_ptr<Ticket>, scheduler::Rest>> rests;
};

/// Ends a ticket that nothing else has ended: its work was dropped when the engine closed.
class TicketGuard {
 public:
  explicit TicketGuard(std::shared_ptr<Ticket> ticket) : ticket_(std::move(ticket)) {}
  TicketGuard(TicketGuard&&) = default;
  ~TicketGuard();
  Ticket& operator*() const noexcept { return *ticket_; }
  Ticket* operator->() const noexcept { return ticket_.get(); }

 private:
  std::shared_ptr<Ticket> ticket_;
};

}  // namespace xlstm::python
