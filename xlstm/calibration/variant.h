// A network with one of its matrices quantised, in memory.
#pragma once

#include <memory>

#include "xlstm/base/thread_pool.h"
#include "xlstm/model/model.h"
#include "xlstm/quantize/rewrite_chunk.h"

namespace xlstm::calibration {

/// `model`, which has to outlive it, with the matrix that `rewrite` quantises as it would be written, in all its places
/// (rows of a fused tensor, a tied head). Memory: that matrix. Errors: those of quantize::make_chunk. REQUIRES: a
/// rewrite with a format whose source is the model's own tensor.
std::shared_ptr<const model::Model> with_quantized(const model::Model& model, const quantize::Rewrite& rewrite,
                                                   ThreadPool& pool);

}  // namespace xlstm::calibration
