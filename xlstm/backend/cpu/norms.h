// Norms over a batch or a segment, shared out over the work pool.
#pragma once

#include <cstdint>

#include "xlstm/backend/cpu/projections.h"

namespace xlstm::backend {

/// RMSNorm of each of the batch's vectors.
void decode_rms_norm(const Pass& pass, const model::Norm& norm, std::int64_t batch, const float* x, float* to);
/// LayerNorm, likewise.
void decode_layer_norm(const Pass& pass, const model::Norm& norm, std::int64_t batch, const float* x, float* to);
/// The same over panels [panels][D][16]. to may be x.
void prefill_rms_norm(const Pass& pass, const model::Norm& norm, std::int64_t panels, const float* x, float* to);
void prefill_layer_norm(const Pass& pass, const model::Norm& norm, std::int64_t panels, const float* x, float* to);

}  // namespace xlstm::backend
