// The residual stream while a network runs, for those who measure it.
#pragma once

#include <cstddef>
#include <span>

#include "xlstm/backend/backend.h"

namespace xlstm::backend {

/// Is told of every pass, on the thread that runs it and in the order of evaluation. Rows are the tokens of a prefill
/// segment, or the sequences of a decode batch; they end with the call.
class Observer {
 public:
  virtual ~Observer() = default;
  /// x [rows, D]: the residual stream, behind the embedding (depth 0) or behind block depth - 1.
  virtual void on_stream(std::size_t depth, std::span<const float> x) = 0;
};

/// A backend is observed as long as this lives. Errors: unsupported.
class Observation {
 public:
  Observation(Backend& backend, Observer& observer) : backend_(backend) { backend_.set_observer(&observer); }
  ~Observation() { backend_.set_observer(nullptr); }
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;

 private:
  Backend& backend_;
};

}  // namespace xlstm::backend
