// What every block of one forward pass works with.
#pragma once

#include <optional>

#include "xlstm/backend/cpu/workspace.h"
#include "xlstm/backend/profile.h"
#include "xlstm/base/dtype.h"
#include "xlstm/base/thread_pool.h"
#include "xlstm/model/model.h"

namespace xlstm::backend {

struct Pass {
  const model::Model& model;
  ThreadPool& pool;
  Workspace& workspace;
  std::optional<DType> activation_dtype;  // as asked for (backend/activation_dtype.h)
  Profile* profile = nullptr;

  /// What was done since the last lap was `op`; a test of a pointer when nobody asks.
  void lap(model::Op op) const noexcept {
    if (profile != nullptr) profile->lap(op);
  }
};

}  // namespace xlstm::backend
