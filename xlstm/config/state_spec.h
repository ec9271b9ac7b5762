// Names, shapes and places of every tensor in the recurrent state of one sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "xlstm/base/dtype.h"
#include "xlstm/base/tensor_view.h"
#include "xlstm/config/model_config.h"

namespace xlstm::config {

/// One float32 tensor of the state. Names and shapes are those of the reference (sections 1.8, 3.7):
///   large     "{b}.c" [NH, DHQK, DHV], "{b}.n" [NH, DHQK], "{b}.m" [NH, 1]
///   research  "block_{b}.mlstm_state.0" [1, NH, DH, DH], ".1" [1, NH, DH, 1], ".2" [1, NH, 1, 1],
///             "block_{b}.conv_state.0" [1, KS, Di] (last KS inputs, oldest first, the current one included),
///             "block_{b}.slstm_state.0" [4, 1, D] in the order y, c, n, m ("lstm": [2, 1, D], y, c)
struct StateTensor {
  std::string name;
  Shape shape;
  std::int64_t offset = 0;        // in floats, from the start of the slot; a multiple of 16 (one cache line)
  std::int64_t size = 0;          // in floats
  bool is_matrix_memory = false;  // C of an mLSTM layer: nearly all of the state, and what may be kept narrower

  /// What a backend keeps it in when its matrix memories are `state_dtype`.
  DType stored_dtype(DType state_dtype) const noexcept { return is_matrix_memory ? state_dtype : DType::float32; }
};

/// The state of one sequence is slot_size float32 values; a fresh one is all zeros (m starts at 0: reference Q10).
struct StateSpec {
  std::vector<StateTensor> tensors;
  std::vector<std::size_t> first_tensor;  // per block: index of its first tensor
  std::int64_t slot_size = 0;             // floats, padding included

  /// Bytes of the tensors themselves when matrix memories are `state_dtype`, padding not counted (reference section
  /// 4.1).
  std::size_t nbytes(DType state_dtype = DType::float32) const noexcept;
};

/// Within a block the order is: large c, n, m; research mLSTM mlstm_state.0 .1 .2, conv_state.0;
/// sLSTM slstm_state.0, then conv_state.0 unless the kernel size is 0.
StateSpec make_state_spec(const ModelConfig& config);

}  // namespace xlstm::config
