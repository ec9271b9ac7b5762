// Identity of a network: what a saved state belongs to.
#pragma once

#include <string>

#include "xlstm/base/thread_pool.h"
#include "xlstm/model/model.h"

namespace xlstm::engine {

/// 32 hex digits (XXH3-128) over every field of the config that changes the network's function and every weight's
/// place, dtype, shape and bytes. The network counts, not its files: shards, tensor order, fused or single weights and
/// the spelling of names change nothing; a weight stored as another dtype does. Reads all weights once, on the pool's
/// threads; their number does not change the result.
std::string model_hash(const model::Model& model, ThreadPool& pool);

}  // namespace xlstm::engine
