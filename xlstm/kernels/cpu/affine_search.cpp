#include "xlstm/kernels/cpu/affine_search.h"

#include <cmath>

#include "xlstm/kernels/cpu/affine.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/affine_search.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"

#ifndef XLSTM_KERNELS_CPU_AFFINE_SEARCH_ONCE
#define XLSTM_KERNELS_CPU_AFFINE_SEARCH_ONCE
namespace xlstm::kernels {

/// w = scale * q + bias.
struct Line {
  float scale, bias;
};

// How far the ends of a range move: steps of 1 / 40 of it for 4 bits (1 / 680 for 8), from one step out to so many in.
// A finer grid or more fits gain less than 0.5 % of the squared error.
constexpr float kStepsOfOneQ = 0.375f;
constexpr int kMostSteps4 = 7, kMostSteps8 = 1;
constexpr int kMostLines = (kMostSteps4 + 2) * (kMostSteps4 + 2);
constexpr int kFits = 2;
// Sums of a group are of float32: a smaller gain may be none.
constexpr float kLeastGain = 1e-5f;

constexpr int kSums = 16;  // running sums of a group whatever the width of the vectors, so that no target differs

inline float round_to(DType dtype, float value) {
  if (dtype == DType::bfloat16) return bfloat16_to_float32(float32_to_bfloat16(value));
  if (dtype == DType::float16) return float16_to_float32(float32_to_float16(value));
  return value;
}

inline Line round_to(DType dtype, Line line) { return {round_to(dtype, line.scale), round_to(dtype, line.bias)}; }

inline bool is_usable(Line line) { return std::isfinite(1 / line.scale) && std::isfinite(line.bias); }

}  // namespace xlstm::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, kSums>;
using V = hn::Vec<D>;
constexpr int kVectors = kSums / static_cast<int>(hn::MaxLanes(D()));

/// Sums over a group, in an order that is the same on every target.
struct Sum {
  V parts[kVectors];
  HWY_INLINE Sum() {
    for (V& part : parts) part = hn::Zero(D());
  }
  HWY_INLINE float total() const {
    const D d;
    HWY_ALIGN float lanes[kSums];
    for (int i = 0; i < kVectors; ++i) hn::Store(parts[i], d, lanes + i * static_cast<int>(hn::Lanes(d)));
    float eight[8], four[4];
    for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
  }
};

struct Group {
  const float* w;
  std::int64_t size;
  float largest_q;
  float sum_w;
};

/// What the q nearest to a line miss of the weights, and what the least-squares line through them needs.
struct Fit {
  float error, sum_q, sum_qq, sum_qw;
};

// A division for each weight would take longer than all else.
HWY_INLINE V nearest_q(V w, V inverse_scale, V bias, V largest_q) {
  const D d;
  const V value = hn::Mul(hn::Sub(w, bias), inverse_scale);
  return hn::ConvertTo(d, hn::NearestInt(hn::Min(hn::Max(value, hn::Zero(d)), largest_q)));
}

// Products and sums are rounded one by one: with a fused one, targets would differ.
HWY_INLINE Fit fit(const Group& group, Line line) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const V scale = hn::Set(d, line.scale), inverse = hn::Set(d, 1 / line.scale);
  const V bias = hn::Set(d, line.bias), last = hn::Set(d, group.largest_q);
  Sum error, sum_q, sum_qq, sum_qw;
  for (std::int64_t i = 0; i < group.size; i += kSums) {
    for (int part = 0; part < kVectors; ++part) {
      const V w = hn::LoadU(d, group.w + i + part * lanes), q = nearest_q(w, inverse, bias, last);
      const V miss = hn::Sub(w, hn::Add(hn::Mul(q, scale), bias));
      error.parts[part] = hn::Add(error.parts[part], hn::Mul(miss, miss));
      sum_q.parts[part] = hn::Add(sum_q.parts[part], q);
      sum_qq.parts[part] = hn::Add(sum_qq.parts[part], hn::Mul(q, q));
      sum_qw.parts[part] = hn::Add(sum_qw.parts[part], hn::Mul(q, w));
    }
  }
  return {error.total(), sum_q.total(), sum_qq.total(), sum_qw.total()};
}

/// The least-squares line through the q of a fit; NaN when they are all the same.
HWY_INLINE Line refit(const Group& group, const Fit& fit) {
  const double n = static_cast<double>(group.size), w = static_cast<double>(group.sum_w);
  const double q = static_cast<double>(fit.sum_q), qq = static_cast<double>(fit.sum_qq);
  const double qw = static_cast<double>(fit.sum_qw), spread = n * qq - q * q;
  return {static_cast<float>((n * qw - q * w) / spread), static_cast<float>((qq * w - q * qw) / spread)};
}

struct Best {
  Line line;
  float error;
};

/// Tries a line and replaces it by the one that is fitted to its q.
HWY_INLINE void improve(const Group& group, DType dtype, Line& line, Best& best) {
  line = round_to(dtype, line);
  if (!is_usable(line)) return;
  const Fit found = fit(group, line);
  if (found.error < best.error * (1 - kLeastGain)) best = {line, found.error};
  line = refit(group, found);
}

/// A grid of ranges, as lines; returns how many.
HWY_INLINE int make_lines(float low, float high, float largest_q, int most_steps, Line* lines) {
  const float step = kStepsOfOneQ * (high - low) / largest_q;
  int count = 0;
  for (int below = -1; below <= most_steps; ++below) {
    for (int above = -1; above <= most_steps; ++above) {
      const float from = low + static_cast<float>(below) * step, to = high - static_cast<float>(above) * step;
      lines[count++] = {(to - from) / largest_q, from};
    }
  }
  return count;
}

Line search_target(const float* w, std::int64_t size, int bits, DType dtype, Line start) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  Sum sum_w;
  V least = hn::LoadU(d, w), most = least;
  for (std::int64_t i = 0; i < size; i += kSums) {
    for (int part = 0; part < kVectors; ++part) {
      const V value = hn::LoadU(d, w + i + part * lanes);
      least = hn::Min(least, value);
      most = hn::Max(most, value);
      sum_w.parts[part] = hn::Add(sum_w.parts[part], value);
    }
  }
  const auto largest_q = static_cast<float>((1 << bits) - 1);
  const Group group = {w, size, largest_q, sum_w.total()};
  const float low = hn::GetLane(hn::MinOfLanes(d, least)), high = hn::GetLane(hn::MaxOfLanes(d, most));
  Line lines[kMostLines];
  const int count = make_lines(low, high, largest_q, bits == 4 ? kMostSteps4 : kMostSteps8, lines);
  Best best = {start, fit(group, start).error};
  for (int fits = 0; fits <= kFits; ++fits) {  // line by line would be one long chain of dependent steps
    for (int i = 0; i < count; ++i) improve(group, dtype, lines[i], best);
  }
  return best.line;
}

void pack_target(const float* w, std::int64_t size, int bits, Line line, std::uint32_t* words) {
  const D d;
  const V inverse = hn::Set(d, 1 / line.scale), bias = hn::Set(d, line.bias);
  const V last = hn::Set(d, static_cast<float>((1 << bits) - 1));
  HWY_ALIGN float q[128];
  for (std::int64_t i = 0; i < size; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    hn::Store(nearest_q(hn::LoadU(d, w + i), inverse, bias, last), d, q + i);
  }
  const std::int64_t in_a_word = 32 / bits;
  for (std::int64_t i = 0; i < size; i += in_a_word) {
    std::uint32_t word = 0;
    for (std::int64_t j = 0; j < in_a_word; ++j) word |= static_cast<std::uint32_t>(q[i + j]) << j * bits;
    words[i / in_a_word] = word;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(search_target);
HWY_EXPORT(pack_target);

void affine_search(const float* w, std::int64_t count, int bits, std::int64_t group_size, DType dtype,
                   std::uint32_t* words, float* scales, float* biases) {
  affine_quantize(w, count, bits, group_size, words, scales, biases);
  for (std::int64_t g = 0; g < count / group_size; ++g, w += group_size, words += group_size * bits / 32) {
    const Line start = round_to(dtype, Line{scales[g], biases[g]});
    if (!is_usable(start)) continue;
    const Line best = HWY_DYNAMIC_DISPATCH(search_target)(w, group_size, bits, dtype, start);
    HWY_DYNAMIC_DISPATCH(pack_target)(w, group_size, bits, best, words);
    scales[g] = best.scale;
    biases[g] = best.bias;
  }
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
