// Shows what flows through a pass to its observer, as plain rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "xlstm/backend/cpu/projections.h"

namespace xlstm::backend {

/// The input of projections: x [pass.rows, cols], or panels of pass.rows tokens, `stride` floats apart. REQUIRES:
/// pass.observer.
void observe_input(const Pass& pass, const float* x, std::span<const Projection> projections);
void observe_panel_input(const Pass& pass, const float* x, std::int64_t stride,
                         std::span<const Projection> projections);

/// The residual stream behind block depth - 1: x [pass.rows, D], or panels. Nothing when nobody observes.
void observe_stream(const Pass& pass, std::size_t depth, const float* x);
void observe_panel_stream(const Pass& pass, std::size_t depth, const float* x);

}  // namespace xlstm::backend
