// Networks of a few thousand random weights, in both layouts, made in memory.
#pragma once

#include <memory>

#include "xlstm/model/model.h"

namespace xlstm::testing {

/// xLSTM-large: 2 blocks, D 16, 2 heads, chunk_size 4, vocabulary of 32, bfloat16, with biases and soft caps.
std::shared_ptr<const model::Model> tiny_large_model();

/// Research layout: mLSTM, sLSTM with FFN, sLSTM without FFN and norm weight; D 16, 2 heads, chunk_size 4, float32,
/// tied head.
std::shared_ptr<const model::Model> tiny_research_model(config::SlstmFunction function = config::SlstmFunction::slstm);

}  // namespace xlstm::testing
