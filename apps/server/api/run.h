// One HTTP request's submissions on their way through the engine, and the answer that hears of them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "apps/server/api/context.h"
#include "apps/server/api/errors.h"

namespace xlstm::server::api {

/// Every method is called on the engine's thread, but for on_accepted; none may wait.
class Answer {
 public:
  virtual ~Answer() = default;
  /// Nothing is refused any more: a stream may begin.
  virtual void on_accepted() {}
  virtual void on_prefill(std::size_t /*done*/, std::size_t /*total*/) {}
  /// choice: sample + submission * samples of each.
  virtual void on_token(std::size_t /*choice*/, const generation::Token& /*token*/) {}
  /// Once, when all submissions have ended without a fault, in their order; a client that is gone hears nothing.
  virtual void on_end(std::vector<engine::Outcome> outcomes) = 0;
  /// Once, in place of on_end.
  virtual void on_error(const ApiError& error) = 0;
  /// Bytes that the client has not taken yet.
  virtual std::size_t pending_bytes() const { return 0; }
};

/// Submits all of them, or none. They are cancelled when the client goes, when one of them fails, and when the answer's
/// pending bytes grow beyond the limit. Errors: those of Service::submit.
void run(Context& context, const std::shared_ptr<Exchange>& exchange, std::vector<engine::Submission> submissions,
         std::shared_ptr<Answer> answer);

}  // namespace xlstm::server::api
