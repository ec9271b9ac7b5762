// The CPU engine: weights where they are mapped, float32 arithmetic, a state of float32 or with a bfloat16 C, one work
// pool.
#pragma once

#include <memory>

#include "xlstm/backend/backend.h"

namespace xlstm::backend {

/// Prefill is chunkwise-parallel over panels of tokens, decode is one pass over the weights.
/// Batch invariance: a row's bits depend on its own tokens, state and how they are cut into calls; not on other rows or
/// threads.
std::unique_ptr<Backend> make_cpu_backend(std::shared_ptr<const model::Model> model, const Options& options);

}  // namespace xlstm::backend
