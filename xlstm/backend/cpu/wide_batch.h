// Decode of many rows by the panel products of prefill: faster than the products of vectors from a batch on that
// depends on the CPU, at the price that a row's bits depend on how many others are in the call.
#pragma once

#include <cstdint>
#include <span>

#include "xlstm/backend/cpu/pass.h"
#include "xlstm/backend/cpu/projections.h"

namespace xlstm::backend {

/// The least rows of a panel that is faster than as many vectors on the CPU target in use.
std::int64_t panel_crossover(bool quantized);

/// Rows of a batch, from the first on, for which panels are the faster way: whole panels of 16, and the rest too if it
/// has as many as the crossover.
std::int64_t panel_rows(const Pass& pass, std::int64_t batch, std::span<const Projection> projections);

/// As project (projections.h), through panels.
void project_through_panels(const Pass& pass, const float* x, std::int64_t batch,
                            std::span<const Projection> projections);

}  // namespace xlstm::backend
