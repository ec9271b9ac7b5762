// Speed of prefill products whose operands are narrower than float32, beside the float32 fma peak of as many threads.
// One run a target: XLSTM_CPU_TARGET=AVX2, AVX_VNNI, AVX512_VNNI, AMX, ...
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "xlstm/base/aligned_floats.h"
#include "xlstm/kernels/cpu/bf16_gemm.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/panel_gemm.h"
#include "xlstm/kernels/cpu/probe.h"
#include "xlstm/kernels/cpu/quantized_gemm.h"

namespace xlstm {
namespace {

using benchmark::Counter;
using benchmark::State;
constexpr std::int64_t W = kernels::kPanelWidth, kPanels = 16, kGroupSize = 64;

/// Weights of `bits` with bfloat16 scales and biases, or with 16 bits bfloat16 themselves, as a file has them.
struct Weights {
  Weights(int bits, std::int64_t rows, std::int64_t cols)
      : words(static_cast<std::size_t>(rows * cols * bits / 32)),
        parameters(static_cast<std::size_t>(rows * cols / kGroupSize), 0x3c24u) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = bits == 16 ? 0x3c24bc24u : static_cast<std::uint32_t>(i) * 2654435761u;
    }
    view = {bits == 16 ? DType::bfloat16 : DType::uint32, words.data(), rows, cols};
    if (bits != 16) view.groups = {bits, kGroupSize, DType::bfloat16, parameters.data(), parameters.data()};
  }
  std::vector<std::uint32_t> words;
  std::vector<std::uint16_t> parameters;
  kernels::MatrixView view;
};

AlignedFloats activations(std::int64_t cols) {
  AlignedFloats x(static_cast<std::size_t>(kPanels * cols * W));
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = 0.01f * static_cast<float>(i % 97) - 0.48f;
  return x;
}

std::byte* scratch_of_this_thread() {
  thread_local AlignedFloats scratch(static_cast<std::size_t>(
      std::max({kernels::kQuantizedGemmScratch / 4, kernels::kBf16GemmScratch / 2, kernels::kGemmScratch})));
  return reinterpret_cast<std::byte*>(scratch.data());
}

/// 256 tokens; range(0) bits of weights, range(1) of activations, range(2) columns, range(3) rows, range(4) threads.
/// prepare(panel) makes what multiply(row_begin, row_end, first panel, panels, y) reads; both are timed.
template <class Prepare, class Multiply>
void run(State& state, std::int64_t rows_at_a_time, const Prepare& prepare, const Multiply& multiply) {
  const std::int64_t cols = state.range(2), rows = state.range(3), threads = state.range(4);
  ThreadPool pool(static_cast<int>(threads));
  AlignedFloats y(static_cast<std::size_t>(kPanels * rows * W));
  const std::int64_t blocks = (rows + rows_at_a_time - 1) / rows_at_a_time, panels = kPanels / threads;
  double peak = kernels::fma_peak(pool);
  for (auto _ : state) {
    pool.parallel_for(kPanels, prepare);
    pool.parallel_for(blocks * threads, [&](std::int64_t task) {
      const std::int64_t r = task % blocks * rows_at_a_time, p = task / blocks * panels;
      multiply(r, std::min(r + rows_at_a_time, rows), p, panels, y.data() + p * rows * W);
    });
    benchmark::ClobberMemory();
  }
  peak = std::max(peak, kernels::fma_peak(pool));
  const double flops = 2.0 * static_cast<double>(rows * cols * kPanels * W * state.iterations());
  state.counters["flop"] = {flops, Counter::kIsRate, Counter::kIs1000};
  state.counters["of_peak"] = {flops / peak, Counter::kIsRate};
  state.SetLabel(kernels::cpu_target_name());
}

void quantized_gemm(State& state) {
  const std::int64_t cols = state.range(2), rows = state.range(3);
  const DType type = state.range(1) == 8 ? DType::int8 : DType::int16;
  const kernels::QuantizedFormat format = {type, static_cast<int>(state.range(0)), kGroupSize};
  const Weights weights(format.weight_bits, rows, cols);
  const AlignedFloats x = activations(cols);
  const std::int64_t stride = kernels::quantized_panel_bytes(format, cols);
  AlignedFloats room(static_cast<std::size_t>(kPanels * stride / 4));
  auto* const q = reinterpret_cast<std::byte*>(room.data());
  run(
      state, kernels::kQuantizedGemmRows,
      [&](std::int64_t p) { kernels::quantize_panel(format, x.data() + p * cols * W, cols, q + p * stride); },
      [&](std::int64_t begin, std::int64_t end, std::int64_t p, std::int64_t panels, float* y) {
        kernels::quantized_gemm(weights.view, type, begin, end, q + p * stride, stride, y, rows * W, panels, false,
                                scratch_of_this_thread());
      });
}

// Float32 activations, weights unpacked to float32.
void panel_gemm(State& state) {
  const std::int64_t cols = state.range(2), rows = state.range(3);
  const Weights weights(static_cast<int>(state.range(0)), rows, cols);
  const AlignedFloats x = activations(cols);
  run(
      state, kernels::kGemmRows, [](std::int64_t) {},
      [&](std::int64_t begin, std::int64_t end, std::int64_t p, std::int64_t panels, float* y) {
        kernels::panel_gemm(weights.view, begin, end, x.data() + p * cols * W, cols * W, y, rows * W, panels, false,
                            reinterpret_cast<float*>(scratch_of_this_thread()));
      });
}

void bf16_gemm(State& state) {
  if (!kernels::cpu_extensions().avx512_bf16) return state.SkipWithError("not a target for bf16_gemm");
  const std::int64_t cols = state.range(2), rows = state.range(3), stride = kernels::bf16_panel_size(cols);
  const Weights weights(16, rows, cols);
  const AlignedFloats x = activations(cols);
  AlignedFloats room(static_cast<std::size_t>(kPanels * stride / 2));
  auto* const rounded = reinterpret_cast<std::uint16_t*>(room.data());
  run(
      state, kernels::kBf16GemmRows,
      [&](std::int64_t p) { kernels::bf16_round_panel(x.data() + p * cols * W, cols, rounded + p * stride); },
      [&](std::int64_t begin, std::int64_t end, std::int64_t p, std::int64_t panels, float* y) {
        kernels::bf16_gemm(weights.view, begin, end, rounded + p * stride, stride, y, rows * W, panels, false,
                           reinterpret_cast<std::uint16_t*>(scratch_of_this_thread()));
      });
}

const std::vector<std::string> kNames = {"bits", "activation", "cols", "rows", "threads"};
BENCHMARK(quantized_gemm)
    ->ArgNames(kNames)
    ->ArgsProduct({{4, 8}, {8, 16}, {2048}, {2048}, {1, 2}})
    ->Args({4, 8, 4096, 4096, 1})
    ->Args({8, 16, 4096, 4096, 1})
    ->UseRealTime();
BENCHMARK(panel_gemm)->ArgNames(kNames)->ArgsProduct({{4, 8, 16}, {32}, {2048}, {2048}, {1}})->UseRealTime();
BENCHMARK(bf16_gemm)->ArgNames(kNames)->ArgsProduct({{16}, {16}, {2048}, {2048}, {1}})->UseRealTime();

}  // namespace
}  // namespace xlstm
