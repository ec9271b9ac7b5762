// One core's speed in prefill products with affine-quantised weights, beside that core's own float32 fma peak.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "xlstm/base/aligned_floats.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/probe.h"
#include "xlstm/kernels/cpu/quantized_gemm.h"

namespace xlstm {
namespace {

using benchmark::Counter;
using benchmark::State;
constexpr std::int64_t W = kernels::kPanelWidth;

/// Weights with groups of 64 as a file has them; q, scales and biases repeat.
struct Weights {
  Weights(int bits, std::int64_t rows, std::int64_t cols)
      : words(static_cast<std::size_t>(rows * cols * bits / 32), 0x89abcdefu),
        parameters(static_cast<std::size_t>(rows * cols / 64), 0x3c24u) {
    view = {DType::uint32, words.data(), rows, cols, {bits, 64, DType::bfloat16, parameters.data(), parameters.data()}};
  }
  std::vector<std::uint32_t> words;
  std::vector<std::uint16_t> parameters;
  kernels::MatrixView view;
};

// 256 tokens: range(0) bits of weights, range(1) of activations, range(2) columns, range(3) rows.
void quantized_gemm(State& state) {
  const DType type = state.range(1) == 8 ? DType::int8 : DType::int16;
  const std::int64_t cols = state.range(2), rows = state.range(3), panels = 16;
  const Weights weights(static_cast<int>(state.range(0)), rows, cols);
  const kernels::QuantizedFormat format = {type, static_cast<int>(state.range(0)), 64};
  const std::int64_t stride = kernels::quantized_panel_bytes(format, cols);
  AlignedFloats x(static_cast<std::size_t>(panels * cols * W)), y(static_cast<std::size_t>(panels * rows * W));
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = 0.01f * static_cast<float>(i % 97) - 0.48f;
  AlignedFloats quantized(static_cast<std::size_t>(panels * stride / 4));
  AlignedFloats scratch(kernels::kQuantizedGemmScratch / 4);
  auto* const q = reinterpret_cast<std::byte*>(quantized.data());
  ThreadPool pool(1);
  double peak = 0;
  for (int i = 0; i < 3; ++i) peak = std::max(peak, kernels::fma_peak(pool));
  for (auto _ : state) {
    for (std::int64_t p = 0; p < panels; ++p)
      kernels::quantize_panel(format, x.data() + p * cols * W, cols, q + p * stride);
    for (std::int64_t r = 0; r < rows; r += kernels::kQuantizedGemmRows) {
      kernels::quantized_gemm(weights.view, type, r, std::min(r + kernels::kQuantizedGemmRows, rows), q, stride,
                              y.data(), rows * W, panels, false, reinterpret_cast<std::byte*>(scratch.data()));
    }
    benchmark::ClobberMemory();
  }
  const double flops = 2.0 * static_cast<double>(rows * cols * panels * W * state.iterations());
  state.counters["flop"] = {flops, Counter::kIsRate, Counter::kIs1000};
  state.counters["of_peak"] = {flops / peak, Counter::kIsRate};
}
BENCHMARK(quantized_gemm)
    ->ArgNames({"bits", "activation", "cols", "rows"})
    ->ArgsProduct({{4, 8}, {8, 16}, {2048}, {2048}});

}  // namespace
}  // namespace xlstm
