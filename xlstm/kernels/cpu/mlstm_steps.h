// Several mLSTM decode steps of one head with C read once (reference section 2.4): the bits of as many single steps.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/matrix_memory.h"
#include "xlstm/kernels/cpu/mlstm_step.h"

namespace xlstm::kernels {

inline constexpr std::int64_t kMaxMlstmSteps = 16;

/// Consecutive tokens of one head; token t is at t * stride. q carries the scale. The first `kept` are folded into C,
/// which is written only if there are any; the others give h. q and h of a kept token are not looked at.
struct MlstmSteps {
  std::int64_t tokens = 0, kept = 0;  // kept <= tokens <= kMaxMlstmSteps
  const MlstmGates* gates = nullptr;
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  float* h = nullptr;
  std::int64_t gate_stride = 0, q_stride = 0, k_stride = 0, v_stride = 0, h_stride = 0;
};

/// Columns [0, width) of C [qk, c_stride] starting at `c`, of every token's v and h. Between tokens C is rounded to
/// c.dtype, as mlstm_step_slice rounds it.
void mlstm_steps_slice(const MlstmSteps& steps, std::int64_t qk, std::int64_t width, std::int64_t c_stride,
                       MatrixMemory c);

}  // namespace xlstm::kernels
