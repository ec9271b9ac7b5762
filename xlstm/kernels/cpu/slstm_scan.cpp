#include "xlstm/kernels/cpu/slstm_scan.h"

#include <algorithm>

#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/slstm_scan.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/transpose-inl.h"

#ifndef XLSTM_SLSTM_SCAN_BUFFERS
#define XLSTM_SLSTM_SCAN_BUFFERS
namespace xlstm::kernels {

constexpr std::int64_t kGates = 4;

/// The working set of a head, cut out of the caller's scratch. G = 4 width.
struct ScanBuffers {
  float* recurrent;  // [width (in)][G]: a product with y is then a sum of rows, without horizontal sums
  float* input;      // [16][G]: W x + bias of a panel, token by token
  float* gates;      // [G]: of one token
  float* y;          // [16][width]: outputs of a panel

  ScanBuffers(float* scratch, std::int64_t width)
      : recurrent(scratch),
        input(recurrent + width * kGates * width),
        gates(input + kPanelWidth * kGates * width),
        y(gates + kGates * width) {}
};

}  // namespace xlstm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t W = kPanelWidth;

/// V vectors of gates: input + R y, a row of R for each y.
template <int V, class D>
HWY_INLINE void add_rows(D d, const float* rows, std::int64_t stride, const float* y, std::int64_t width,
                         const float* input, float* gates) {
  constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(D()));
  hn::Vec<D> sum[V];  // in registers: every loop over it is unrolled
#define XLSTM_FOR_VECTORS _Pragma("GCC unroll 12") for (int v = 0; v < V; ++v)
  XLSTM_FOR_VECTORS sum[v] = hn::LoadU(d, input + v * kLanes);
  for (std::int64_t k = 0; k < width; ++k, rows += stride) {
    const auto y_k = hn::Set(d, y[k]);
    XLSTM_FOR_VECTORS sum[v] = hn::MulAdd(y_k, hn::LoadU(d, rows + v * kLanes), sum[v]);
  }
  XLSTM_FOR_VECTORS hn::StoreU(sum[v], d, gates + v * kLanes);
#undef XLSTM_FOR_VECTORS
}

/// gates [G] = input + R y. Twelve sums at a time hide the latency of fma and fit 16 registers: no spills (g++ 12).
void recurrent_product(const ScanBuffers& s, std::int64_t width, const float* y, const float* input) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, kGates> d4;  // G is a multiple of it
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d)), few = static_cast<std::int64_t>(hn::Lanes(d4));
  const std::int64_t G = kGates * width;
  std::int64_t at = 0;
  for (; at + 12 * lanes <= G; at += 12 * lanes)
    add_rows<12>(d, s.recurrent + at, G, y, width, input + at, s.gates + at);
  for (; at + 4 * lanes <= G; at += 4 * lanes) add_rows<4>(d, s.recurrent + at, G, y, width, input + at, s.gates + at);
  for (; at + lanes <= G; at += lanes) add_rows<1>(d, s.recurrent + at, G, y, width, input + at, s.gates + at);
  for (; at < G; at += few) add_rows<1>(d4, s.recurrent + at, G, y, width, input + at, s.gates + at);
}

/// W x + bias of one panel, token by token.
void load_panel(const SlstmScan& args, const ScanBuffers& s, std::int64_t panel, std::int64_t count) {
  const std::int64_t G = kGates * args.width;
  for (std::int64_t g = 0; g < kGates; ++g) {
    float* input = s.input + g * args.width;
    transpose(args.raw + panel * args.raw_stride + g * args.gate_stride, args.width, W, W, input, G);
    const float* bias = args.bias + g * args.bias_stride;
    for (std::int64_t t = 0; t < count; ++t) {
      for (std::int64_t u = 0; u < args.width; ++u) input[t * G + u] += bias[u];
    }
  }
}

void scan_target(const SlstmScan& args, float* scratch) {
  const std::int64_t width = args.width, G = kGates * width;
  const ScanBuffers s(scratch, width);
  transpose(args.recurrent, G, width, width, s.recurrent, G);
  float *y = args.state, *c = y + args.state_stride;
  const float *i = s.gates, *f = i + width, *z = f + width, *o = z + width;
  for (std::int64_t panel = 0; panel * W < args.tokens; ++panel) {
    const std::int64_t count = std::min(W, args.tokens - panel * W);
    load_panel(args, s, panel, count);
    for (std::int64_t t = 0; t < count; ++t) {
      recurrent_product(s, width, y, s.input + t * G);
      if (args.plain_lstm) {
        lstm_pointwise(i, f, z, o, width, y, c);
      } else {
        slstm_pointwise(i, f, z, o, width, y, c, c + args.state_stride, c + 2 * args.state_stride);
      }
      std::copy_n(y, width, s.y + t * width);
    }
    std::fill(s.y + count * width, s.y + W * width, 0.0f);
    transpose(s.y, W, width, width, args.y + panel * args.y_stride, W);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(scan_target);

std::size_t slstm_scan_scratch(std::int64_t width) {
  return static_cast<std::size_t>(width * (kGates * width + kPanelWidth * kGates + kGates + kPanelWidth));
}

void slstm_scan(const SlstmScan& args, float* scratch) { HWY_DYNAMIC_DISPATCH(scan_target)(args, scratch); }

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
