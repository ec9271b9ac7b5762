// The sLSTM cell over consecutive tokens, for prefill: one head at a time, since heads do not see each other in it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xlstm::kernels {

/// One head over `tokens` tokens in panels (panel.h). Gates are in the order i, f, z, o; strides in floats.
struct SlstmScan {
  std::int64_t width = 0;  // units of the head
  std::int64_t tokens = 0;
  const float* recurrent = nullptr;  // [4][width (out)][width (in)]
  const float* bias = nullptr;       // gate g [width] at bias + g * bias_stride
  std::int64_t bias_stride = 0;
  const float* raw = nullptr;  // W x: panel p's gate g [width][16] at raw + p * raw_stride + g * gate_stride
  std::int64_t raw_stride = 0, gate_stride = 0;
  float* state = nullptr;  // rows y, c, n, m [width], read and replaced; of the plain LSTM y, c
  std::int64_t state_stride = 0;
  bool plain_lstm = false;
  float* y = nullptr;  // panel p [width][16] at y + p * y_stride; lanes past the last token become 0
  std::int64_t y_stride = 0;
};

/// Floats of scratch that a head of this width needs.
std::size_t slstm_scan_scratch(std::int64_t width);

/// y_t and the state after the last token (reference 3.4). scratch: aligned to 64 bytes. Sums run over the inputs in
/// order, whatever the segment.
void slstm_scan(const SlstmScan& args, float* scratch);

}  // namespace xlstm::kernels
