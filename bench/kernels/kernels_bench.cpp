// One core's speed in the CPU kernels that prefill and decode spend their time in, beside that core's own fma peak.
// Run it twice, XLSTM_CPU_TARGET=AVX2 and not, to see both targets of a machine that has AVX-512.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "xlstm/base/aligned_floats.h"
#include "xlstm/base/huge_memory.h"
#include "xlstm/kernels/cpu/affine_gemv.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/gemv.h"
#include "xlstm/kernels/cpu/mlstm_chunkwise.h"
#include "xlstm/kernels/cpu/mlstm_step.h"
#include "xlstm/kernels/cpu/panel_gemm.h"
#include "xlstm/kernels/cpu/probe.h"
#include "xlstm/kernels/cpu/quantized_gemv.h"

namespace xlstm {
namespace {

using benchmark::Counter;
using benchmark::State;

Counter per_second(double total) { return {total, Counter::kIsRate, Counter::kIs1000}; }

/// Memory of small numbers that are finite in every dtype: the bytes of bfloat16 0.01 over and over.
std::shared_ptr<std::byte> weights_of(std::size_t bytes) {
  std::shared_ptr<std::byte> memory = allocate_huge(bytes);
  const std::uint16_t value = 0x3c24;
  for (std::size_t i = 0; i + 2 <= bytes; i += 2) std::memcpy(memory.get() + i, &value, 2);
  return memory;
}

AlignedFloats floats_of(std::int64_t size) {
  AlignedFloats values(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) values.data()[i] = 0.01f * static_cast<float>(i % 97 - 48);
  return values;
}

void fma_peak(State& state) {
  ThreadPool pool(1);
  double flops = 0;
  for (auto _ : state) flops += kernels::fma_peak(pool);
  state.counters["flop"] = {flops, Counter::kAvgIterations, Counter::kIs1000};
}
BENCHMARK(fma_peak);

// A projection of 256 tokens: range(0) is the dtype, range(1) the columns, range(2) the rows.
void panel_gemm(State& state) {
  const auto dtype = static_cast<DType>(state.range(0));
  const std::int64_t cols = state.range(1), rows = state.range(2), panels = 16, W = kernels::kPanelWidth;
  const auto weights = weights_of(static_cast<std::size_t>(rows * cols) * dtype_size(dtype));
  const AlignedFloats x = floats_of(panels * cols * W);
  AlignedFloats y(static_cast<std::size_t>(panels * rows * W));
  AlignedFloats scratch(static_cast<std::size_t>(kernels::kGemmScratch));
  const kernels::MatrixView w = {dtype, weights.get(), rows, cols};
  for (auto _ : state) {
    for (std::int64_t r = 0; r < rows; r += kernels::kGemmRows) {
      kernels::panel_gemm(w, r, std::min(r + kernels::kGemmRows, rows), x.data(), cols * W, y.data(), rows * W, panels,
                          false, scratch.data());
    }
    benchmark::ClobberMemory();
  }
  state.counters["flop"] = per_second(2.0 * static_cast<double>(rows * cols * panels * W * state.iterations()));
}
BENCHMARK(panel_gemm)
    ->ArgNames({"dtype", "cols", "rows"})
    ->Args({static_cast<int>(DType::bfloat16), 256, 96})
    ->Args({static_cast<int>(DType::bfloat16), 256, 704})
    ->Args({static_cast<int>(DType::bfloat16), 704, 256})
    ->Args({static_cast<int>(DType::bfloat16), 256, 256})
    ->Args({static_cast<int>(DType::bfloat16), 2048, 96})
    ->Args({static_cast<int>(DType::bfloat16), 2048, 2048})
    ->Args({static_cast<int>(DType::float32), 2048, 2048});

// A matrix of range(2) rows, range(1) columns and dtype range(0), times range(3) vectors.
void gemv(State& state) {
  const auto dtype = static_cast<DType>(state.range(0));
  const std::int64_t cols = state.range(1), rows = state.range(2), batch = state.range(3);
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * dtype_size(dtype);
  const auto weights = weights_of(bytes);
  const AlignedFloats x = floats_of(batch * cols);
  AlignedFloats y(static_cast<std::size_t>(batch * rows));
  const kernels::MatrixView w = {dtype, weights.get(), rows, cols};
  for (auto _ : state) {
    kernels::gemv(w, {0, rows}, x.data(), cols, batch, y.data(), rows);
    benchmark::ClobberMemory();
  }
  state.counters["bytes"] = per_second(static_cast<double>(bytes) * static_cast<double>(state.iterations()));
  state.counters["flop"] = per_second(2.0 * static_cast<double>(rows * cols * batch * state.iterations()));
}
BENCHMARK(gemv)
    ->ArgNames({"dtype", "cols", "rows", "batch"})
    ->Args({static_cast<int>(DType::bfloat16), 2048, 64, 1})  // second-level cache
    ->Args({static_cast<int>(DType::bfloat16), 2048, 65536, 1})
    ->Args({static_cast<int>(DType::bfloat16), 256, 1024, 1})
    ->Args({static_cast<int>(DType::float32), 2048, 32, 1})
    ->Args({static_cast<int>(DType::float32), 2048, 32768, 1})
    ->Args({static_cast<int>(DType::bfloat16), 2048, 65536, 4});

/// A quantised matrix with groups of 64 and bfloat16 scales.
struct AffineWeights {
  AffineWeights(int bits, std::int64_t cols, std::int64_t rows)
      : words(weights_of(static_cast<std::size_t>(rows * cols * bits / 8))),
        scales(weights_of(static_cast<std::size_t>(rows * cols / 64 * 2))),
        biases(weights_of(static_cast<std::size_t>(rows * cols / 64 * 2))) {
    view = {DType::uint32, words.get(), rows, cols, {bits, 64, DType::bfloat16, scales.get(), biases.get()}};
  }
  double bytes() const { return static_cast<double>(view.rows * (view.row_bytes() + view.cols / 64 * 4)); }

  std::shared_ptr<std::byte> words, scales, biases;
  kernels::MatrixView view;
};

void count(State& state, const AffineWeights& w, std::int64_t batch) {
  const auto calls = static_cast<double>(state.iterations());
  state.counters["bytes"] = per_second(w.bytes() * calls);
  state.counters["flop"] = per_second(2.0 * static_cast<double>(w.view.rows * w.view.cols * batch) * calls);
}

// The same with weights of range(0) bits and activations of range(4) bits.
void quantized_gemv(State& state) {
  const AffineWeights w(static_cast<int>(state.range(0)), state.range(1), state.range(2));
  const kernels::QuantizedFormat format = {state.range(4) == 8 ? DType::int8 : DType::int16, w.view.groups.bits, 64};
  const std::int64_t batch = state.range(3), stride = kernels::quantized_vector_bytes(format, w.view.cols);
  const AlignedFloats x = floats_of(w.view.cols);
  const auto q = allocate_huge(static_cast<std::size_t>(batch * stride));
  for (std::int64_t b = 0; b < batch; ++b) {
    kernels::quantize_vector(format, x.data(), w.view.cols, q.get() + b * stride);
  }
  AlignedFloats y(static_cast<std::size_t>(batch * w.view.rows));
  for (auto _ : state) {
    kernels::quantized_gemv(w.view, format.type, {0, w.view.rows}, q.get(), stride, batch, y.data(), w.view.rows);
    benchmark::ClobberMemory();
  }
  count(state, w, batch);
}
BENCHMARK(quantized_gemv)
    ->ArgNames({"bits", "cols", "rows", "batch", "x_bits"})
    ->ArgsProduct({{4}, {2048}, {512, 262144}, {1, 4, 16}, {8}})  // second-level cache, memory
    ->ArgsProduct({{8}, {2048}, {256, 131072}, {1, 4, 16}, {16}});

// The same with float32 activations.
void affine_gemv(State& state) {
  const AffineWeights w(static_cast<int>(state.range(0)), state.range(1), state.range(2));
  const std::int64_t batch = state.range(3);
  const AlignedFloats x = floats_of(batch * w.view.cols);
  AlignedFloats y(static_cast<std::size_t>(batch * w.view.rows));
  for (auto _ : state) {
    kernels::affine_gemv(w.view, {0, w.view.rows}, x.data(), w.view.cols, batch, y.data(), w.view.rows);
    benchmark::ClobberMemory();
  }
  count(state, w, batch);
}
BENCHMARK(affine_gemv)
    ->ArgNames({"bits", "cols", "rows", "batch"})
    ->ArgsProduct({{4}, {2048}, {512}, {1, 4}})
    ->ArgsProduct({{8}, {2048}, {256}, {1, 4}});

// What it takes to quantise an input of a projection to range(0) bits for weights of range(1) bits.
void quantize_vector(State& state) {
  const kernels::QuantizedFormat format = {state.range(0) == 8 ? DType::int8 : DType::int16,
                                           static_cast<int>(state.range(1)), 64};
  const std::int64_t cols = 2048;
  const AlignedFloats x = floats_of(cols);
  const auto q = allocate_huge(static_cast<std::size_t>(kernels::quantized_vector_bytes(format, cols)));
  for (auto _ : state) {
    kernels::quantize_vector(format, x.data(), cols, q.get());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(quantize_vector)->ArgNames({"x_bits", "bits"})->Args({8, 4})->Args({16, 4})->Args({8, 8})->Args({16, 8});

// A head of 256 tokens; range(0) is the key width, the value is twice as wide.
void mlstm_chunkwise(State& state) {
  kernels::cpu_target_name();  // applies XLSTM_CPU_TARGET
  const std::int64_t qk = state.range(0), v = 2 * qk, tokens = 256, W = kernels::kPanelWidth;
  const AlignedFloats q = floats_of(tokens * qk), k = floats_of(tokens * qk), value = floats_of(tokens * v);
  const AlignedFloats gates = floats_of(tokens);
  AlignedFloats c(static_cast<std::size_t>(qk * v)), n(static_cast<std::size_t>(qk)), m(1);
  AlignedFloats h(static_cast<std::size_t>(tokens * v)), scratch(kernels::mlstm_chunkwise_scratch(qk, v));
  kernels::MlstmChunkwise args;
  args.qk = qk;
  args.v = v;
  args.tokens = tokens;
  args.chunk_size = kernels::kMaxChunk;
  args.q = q.data();
  args.k = k.data();
  args.value = value.data();
  args.i_raw = args.f_raw = gates.data();
  args.q_stride = args.k_stride = qk * W;
  args.value_stride = args.h_stride = v * W;
  args.gate_stride = W;
  args.q_scale = args.k_scale = 1.0f;
  args.eps = 1e-6f;
  args.c = c.data();
  args.n = n.data();
  args.m = m.data();
  args.h = h.data();
  for (auto _ : state) {
    kernels::mlstm_chunkwise(args, scratch.data());
    benchmark::ClobberMemory();
  }
  state.counters["tokens"] = per_second(static_cast<double>(tokens * state.iterations()));
}
BENCHMARK(mlstm_chunkwise)->ArgName("qk")->Arg(32)->Arg(256);

// A token in each of range(2) heads; range(0) is the dtype of C, range(1) the key width, the value is twice as wide.
// Slices as the backend cuts them. bytes: C read and written.
void mlstm_step(State& state) {
  const auto dtype = static_cast<DType>(state.range(0));
  const std::int64_t qk = state.range(1), v = 2 * qk, heads = state.range(2), slice = std::min<std::int64_t>(v, 128);
  const AlignedFloats q = floats_of(qk), k = floats_of(qk), value = floats_of(v);
  AlignedFloats h(static_cast<std::size_t>(v));
  const std::int64_t size = qk * v;
  const std::size_t bytes = static_cast<std::size_t>(heads * size) * dtype_size(dtype);
  const auto memory = weights_of(bytes);
  const kernels::MatrixMemory c(dtype, memory.get());
  const kernels::MlstmGates gates = {0.999f, 0.5f, 0.0f};
  for (auto _ : state) {
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t b = 0; b < v; b += slice) {
        kernels::mlstm_step_slice(gates, q.data(), k.data(), value.data() + b, qk, slice, v, c + (head * size + b),
                                  h.data() + b);
      }
    }
    benchmark::ClobberMemory();
  }
  state.counters["bytes"] = per_second(2.0 * static_cast<double>(bytes) * static_cast<double>(state.iterations()));
  state.counters["heads"] = per_second(static_cast<double>(heads * state.iterations()));
}
BENCHMARK(mlstm_step)
    ->ArgNames({"dtype", "qk", "heads"})
    ->Args({static_cast<int>(DType::float32), 32, 32})  // bard-8m: in the second-level cache
    ->Args({static_cast<int>(DType::bfloat16), 32, 32})
    ->Args({static_cast<int>(DType::float32), 256, 96})  // 1.3b: from memory
    ->Args({static_cast<int>(DType::bfloat16), 256, 96});

}  // namespace
}  // namespace xlstm
