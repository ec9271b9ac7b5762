// The mLSTM cell of one sequence, all heads at once, in its chunkwise and its recurrent form.
#pragma once

#include "xlstm/backend/mlx/mlx_runtime.h"

namespace xlstm::backend::mlx {

/// How the tokens of a call go through a recurrent cell: together (prefill), or as one decode step.
enum class Form { chunk, step };

/// float32. The factor 1/sqrt(DHQK) is already in q (large) or in k (research, whose state therefore holds scaled
/// keys).
struct MlstmInputs {
  mx::array q, k;  // [NH, T, DHQK]
  mx::array v;     // [NH, T, DHV]
  mx::array i, f;  // [NH, T] gate pre-activations, soft-capped where the network does so
};

/// Row index of c is the key (the papers write its transpose).
struct MlstmState {
  mx::array c;  // [NH, DHQK, DHV]
  mx::array n;  // [NH, DHQK]
  mx::array m;  // [NH, 1]
};

struct MlstmOutput {
  mx::array h;  // [NH, T, DHV]
  MlstmState state;
};

/// T tokens as one chunk (reference 2.3; arXiv:2503.14376), T >= 1.
MlstmOutput mlstm_chunkwise(const MlstmInputs& in, const MlstmState& old, float eps);
/// One token, T = 1 (reference 2.1).
MlstmOutput mlstm_step(const MlstmInputs& in, const MlstmState& old, float eps);

inline MlstmOutput mlstm(Form form, const MlstmInputs& in, const MlstmState& old, float eps) {
  return form == Form::step ? mlstm_step(in, old, eps) : mlstm_chunkwise(in, old, eps);
}

}  // namespace xlstm::backend::mlx
