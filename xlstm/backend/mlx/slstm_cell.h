// The sLSTM cell (and the plain LSTM in its place): a scan, one token after the other.
#pragma once

#include "xlstm/backend/mlx/mlx_runtime.h"
#include "xlstm/config/model_config.h"

namespace xlstm::backend::mlx {

struct SlstmOutput {
  mx::array y;      // [T, NH, DH]
  mx::array state;  // [4, 1, D] in the order y, c, n, m; "lstm": [2, 1, D], y, c
};

/// raw [T, NH, 1, 4*DH]: what the input and the bias give to the gates i, f, z, o; recurrent [NH, DH, 4*DH];
/// state as in SlstmOutput (reference 3.4; arXiv:2405.04517 section 2.2).
SlstmOutput slstm_scan(config::SlstmFunction function, const mx::array& raw, const mx::array& recurrent,
                       const mx::array& state);

}  // namespace xlstm::backend::mlx
