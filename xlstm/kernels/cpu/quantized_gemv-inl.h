// The row kernels of quantized_gemv.cpp, for one CPU target: included once for each, and once more for each variant
// with integer dot products (XLSTM_VNNI, XLSTM_NEON_DOTPROD, and that with XLSTM_NEON_I8MM), which Highway 1.0.3 has no
// target for. So no guard. XLSTM_ROWS_ATTR is for lambdas, which the attributes of a namespace do not reach.
#undef XLSTM_ROWS_ATTR
#if XLSTM_VNNI && HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#define XLSTM_ROWS_ATTR __attribute__((target(HWY_TARGET_STR ",avx512vnni")))
#elif XLSTM_VNNI
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avxvnni")
#define XLSTM_ROWS_ATTR __attribute__((target(HWY_TARGET_STR ",avxvnni")))
#elif XLSTM_NEON_I8MM
HWY_PUSH_ATTRIBUTES(XLSTM_TARGET_I8MM)
#define XLSTM_ROWS_ATTR __attribute__((target(XLSTM_TARGET_I8MM)))
#elif XLSTM_NEON_DOTPROD
HWY_PUSH_ATTRIBUTES(XLSTM_TARGET_DOTPROD)
#define XLSTM_ROWS_ATTR __attribute__((target(XLSTM_TARGET_DOTPROD)))
#else
HWY_BEFORE_NAMESPACE();
#define XLSTM_ROWS_ATTR HWY_ATTR
#endif
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
#if XLSTM_VNNI
namespace vnni {
#elif XLSTM_NEON_I8MM
namespace i8mm {
#elif XLSTM_NEON_DOTPROD
namespace dotprod {
#else
namespace plain {
#endif
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;
using VI = hn::Vec<DI>;
constexpr std::int64_t kLanes = hn::MaxLanes(D());
constexpr int kVectors = kLanes == 1 ? 1 : 4;  // of a batch, that share a pass over a row

#if XLSTM_NEON_DOTPROD
#include "xlstm/kernels/cpu/neon_quantized_dot-inl.h"
#else
#include "xlstm/kernels/cpu/quantized_dot-inl.h"
#endif

/// Where a stream of rows of weights stands.
struct Row {
  const std::byte* words;
  const std::byte* scales;
  const std::byte* biases;
};

/// What scales and biases are, and the bytes of one.
struct Parameters {
  DType dtype;
  std::int64_t bytes;
};

/// Where quantised vectors stand, or what is left of them: the first of them, and the next ones `stride` bytes apart.
struct Vectors {
  const std::byte* scales;
  const std::byte* sums;
  const std::byte* q;
  std::int64_t stride;
};

HWY_INLINE V load_floats(const std::byte* at) { return hn::LoadU(D(), reinterpret_cast<const float*>(at)); }

/// Rows of weights with groups of kGroupWords words, so many that a unit is a line of weights, or a group where that is
/// longer.
template <class Dot, std::int64_t kGroupWords>
struct RowKernel {
  static constexpr std::int64_t kUnitWords = std::max(kGroupWords, kLineWords), kUnitBytes = kUnitWords * 4;
  static constexpr std::int64_t kUnitGroups = kUnitWords / kGroupWords, kUnitX = kUnitBytes * Dot::kParts;
  static constexpr std::int64_t kBlockUnits = kBlockGroups / kUnitGroups;
  // A step ends with one vector of sums of products: of a group, or of as many groups as a vector holds.
  static constexpr std::int64_t kStepWords = std::max(kGroupWords, kLanes), kStepGroups = kStepWords / kGroupWords;

  template <int B>
  struct Sums {
    V of[B];
    HWY_INLINE Sums() {
      for (int b = 0; b < B; ++b) of[b] = hn::Zero(D());
    }
  };

  /// The scales of a step, each in the lanes of its group.
  static HWY_INLINE V step_scales(const float* scales) {
    const D d;
    if constexpr (kStepGroups == 1) {
      return hn::Set(d, *scales);
    } else {
      // A broadcast of all of them and one permutation of lanes.
      const auto groups = hn::ShiftRight<hwy::CeilLog2(kGroupWords)>(hn::Iota(DI(), 0));
      V all;
      if constexpr (kStepGroups == 2) {
        double both;
        std::memcpy(&both, scales, sizeof(both));
        all = hn::BitCast(d, hn::Set(hn::Repartition<double, D>(), both));
      } else {
        static_assert(kStepGroups == 4);
        all = hn::LoadDup128(d, scales);
      }
      return hn::TableLookupLanes(all, hn::IndicesFromVec(d, groups));
    }
  }

  /// sums of row r and vector b += the unit at w[r] times that at q + b * stride; scales[r]: [B][kBlockGroups], from
  /// the unit's first group on.
  template <int R, int B>
  static HWY_INLINE void multiply_unit(const std::byte* const (&w)[R], const std::byte* q, std::int64_t stride,
                                       const float* const (&scales)[R], Sums<B> (&sums)[R]) {
    for (std::int64_t step = 0; step < kUnitWords; step += kStepWords) {
      typename Dot::Sum dots[R][B];
      for (std::int64_t word = step; word < step + kStepWords; word += kLanes) {
        const std::byte* x = q + word / kLineWords * kLineBytes * Dot::kParts + word % kLineWords * 4;
        for (int r = 0; r < R; ++r) {
          const auto weights = Dot::unpack(w[r] + word * 4);
          for (int b = 0; b < B; ++b) Dot::add(weights, x + b * stride, dots[r][b]);
        }
      }
      for (int r = 0; r < R; ++r) {
        for (int b = 0; b < B; ++b) {
          const V scale = step_scales(scales[r] + b * kBlockGroups + step / kGroupWords);
          V& sum = sums[r].of[b];
          sum = hn::MulAdd(hn::ConvertTo(D(), Dot::total(dots[r][b])), scale, sum);
        }
      }
    }
  }

  /// Units of a block, whose scales are at scales[r]; what lies kPrefetchBytes behind them is fetched.
  template <int R, int B>
  static HWY_INLINE void multiply_units(const Row (&rows)[R], const Vectors& x,
                                        const float (&scales)[R][B * kBlockGroups], std::int64_t units,
                                        Sums<B> (&sums)[R]) {
    const std::byte* q = x.q;
    const std::byte* w[R];
    const float* scale[R];
    for (int r = 0; r < R; ++r) {
      w[r] = rows[r].words;
      scale[r] = scales[r];
    }
    const auto multiply_next = [&]() XLSTM_ROWS_ATTR {
      for (int r = 0; r < R; ++r) {
        for (std::int64_t line = 0; line < kUnitBytes; line += kLineBytes) fetch_line(w[r] + line);
      }
      multiply_unit<R, B>(w, q, x.stride, scale, sums);
      for (int r = 0; r < R; ++r) {
        w[r] += kUnitBytes;
        scale[r] += kUnitGroups;
      }
      q += kUnitX;
    };
    // Unrolled, 4 % faster from memory, as each unit is cheaper; longer units gain nothing.
    if constexpr (kUnitGroups > 1) {  // NOLINT(bugprone-branch-clone): the pragma is the difference
#pragma GCC unroll 4
      for (; units > 0; --units) multiply_next();
    } else {
      for (; units > 0; --units) multiply_next();
    }
  }

  /// The scales of a block's first `groups` groups, of weights times activations, zeros for the others, and its part of
  /// the bias term.
  template <int B>
  static HWY_INLINE void multiply_parameters(const Row& w, Parameters parameters, const Vectors& x, std::int64_t groups,
                                             float* scales, Sums<B>& sums) {
    for (std::int64_t g = 0; g < kBlockGroups; g += kLanes) {
      V scale = load_parameters(D(), parameters.dtype, w.scales + g * parameters.bytes);
      V bias = load_parameters(D(), parameters.dtype, w.biases + g * parameters.bytes);
      if (groups < kBlockGroups) {  // the others are those of the next row
        const auto own = hn::FirstN(D(), static_cast<std::size_t>(std::max<std::int64_t>(0, groups - g)));
        scale = hn::IfThenElseZero(own, scale);
        bias = hn::IfThenElseZero(own, bias);
      }
      for (int b = 0; b < B; ++b) {
        const V scale_x = load_floats(x.scales + b * x.stride + g * 4),
                sum_x = load_floats(x.sums + b * x.stride + g * 4);
        hn::Store(hn::Mul(scale, scale_x), D(), scales + b * kBlockGroups + g);
        sums.of[b] = hn::MulAdd(bias, sum_x, sums.of[b]);
      }
    }
  }

  /// multiply_parameters() of the last groups of a row, fewer than a block; `at_end`: behind the parameters may be no
  /// memory, so that they are copied first.
  template <int B>
  static HWY_INLINE void multiply_last_parameters(const Row& w, bool at_end, Parameters parameters, const Vectors& x,
                                                  std::int64_t groups, float* scales, Sums<B>& sums) {
    if (!at_end) return multiply_parameters<B>(w, parameters, x, groups, scales, sums);
    alignas(kLineBytes) std::byte last_scales[kBlockGroups * 4] = {}, last_biases[kBlockGroups * 4] = {};
    std::memcpy(last_scales, w.scales, static_cast<std::size_t>(groups * parameters.bytes));
    std::memcpy(last_biases, w.biases, static_cast<std::size_t>(groups * parameters.bytes));
    multiply_parameters<B>({w.words, last_scales, last_biases}, parameters, x, groups, scales, sums);
  }

  /// The last groups of rows, fewer than a block.
  template <int R, int B>
  static HWY_NOINLINE void multiply_rest(const Row (&w)[R], const bool (&at_end)[R], Parameters parameters,
                                         const Vectors& x, std::int64_t groups, Sums<B> (&sums)[R]) {
    alignas(kLineBytes) float scales[R][B * kBlockGroups];
    for (int r = 0; r < R; ++r) multiply_last_parameters<B>(w[r], at_end[r], parameters, x, groups, scales[r], sums[r]);
    const std::int64_t units = groups / kUnitGroups, rest_groups = groups % kUnitGroups;
    multiply_units<R, B>(w, x, scales, units, sums);
    if (rest_groups == 0) return;
    alignas(kLineBytes) std::byte words[R][kUnitBytes] = {};
    const std::byte* from[R];
    const float* unit_scales[R];
    for (int r = 0; r < R; ++r) {
      std::memcpy(words[r], w[r].words + units * kUnitBytes, static_cast<std::size_t>(rest_groups * kGroupWords * 4));
      from[r] = words[r];
      unit_scales[r] = scales[r] + units * kUnitGroups;
    }
    multiply_unit<R, B>(from, x.q + units * kUnitX, x.stride, unit_scales, sums);
  }

  /// R rows times B vectors, block by block, which leaves w at the next rows: y[r][b * y_stride].
  template <int R, int B>
  static HWY_INLINE void multiply_row(Row (&w)[R], const bool (&at_end)[R], Parameters parameters, std::int64_t groups,
                                      Vectors x, float* const (&y)[R], std::int64_t y_stride) {
    Sums<B> sums[R];
    const auto advance = [&](std::int64_t by) XLSTM_ROWS_ATTR {
      for (int r = 0; r < R; ++r) {
        w[r].words += by * kGroupWords * 4;
        w[r].scales += by * parameters.bytes;
        w[r].biases += by * parameters.bytes;
      }
    };
    for (; groups >= kBlockGroups; groups -= kBlockGroups) {
      alignas(kLineBytes) float scales[R][B * kBlockGroups];
      for (int r = 0; r < R; ++r) {
        __builtin_prefetch(w[r].scales + kPrefetchParameters, 0, 2);
        __builtin_prefetch(w[r].biases + kPrefetchParameters, 0, 2);
        for (std::int64_t at = 0; at < kBlockUnits * kUnitBytes; at += kOpenBytes) open_next_page(w[r].words + at);
        multiply_parameters<B>(w[r], parameters, x, kBlockGroups, scales[r], sums[r]);
      }
      multiply_units<R, B>(w, x, scales, kBlockUnits, sums);
      advance(kBlockGroups);
      x.scales += kBlockGroups * 4;
      x.sums += kBlockGroups * 4;
      x.q += kBlockUnits * kUnitX;
    }
    if (groups > 0) {
      Sums<B> rest[R];  // copies, as the sums whose address a call takes leave their registers
      for (int r = 0; r < R; ++r) rest[r] = sums[r];
      multiply_rest<R, B>(w, at_end, parameters, x, groups, rest);
      for (int r = 0; r < R; ++r) sums[r] = rest[r];
      advance(groups);
    }
    for (int r = 0; r < R; ++r) {
      for (int b = 0; b < B; ++b) y[r][b * y_stride] = hn::GetLane(hn::SumOfLanes(D(), sums[r].of[b]));
    }
  }

  /// R streams of rows, each [begin, end) of the product's and so many behind the one before, times vectors
  /// [first, first + B).
  template <int R, int B>
  static HWY_NOINLINE void multiply_rows(const QuantizedProduct& p, std::int64_t begin, std::int64_t end,
                                         std::int64_t offset, std::int64_t first) {
    const MatrixView& w = p.w;
    const Parameters parameters = {w.groups.dtype, static_cast<std::int64_t>(dtype_size(w.groups.dtype))};
    const std::int64_t groups = w.cols / w.groups.group_size;
    const QuantizedLayout layout({p.type, w.groups.bits, w.groups.group_size}, w.cols,
                                 4 * Dot::kParts * w.groups.bits / 32);
    const std::byte* x = p.x + first * p.x_stride;
    const Vectors vectors = {x, x + layout.sums(), x + layout.q(), p.x_stride};
    // Behind the parameters of the rows from here on may be less than a block of memory.
    const std::int64_t last = w.rows - (kBlockGroups + groups - 1) / groups;
    Row rows[R];
    float* y[R];
    for (int r = 0; r < R; ++r) {
      const auto at = [row = begin + r * offset](const void* data, std::int64_t bytes) {
        return static_cast<const std::byte*>(data) + row * bytes;
      };
      rows[r] = {at(w.data, w.row_bytes()), at(w.groups.scales, groups * parameters.bytes),
                 at(w.groups.biases, groups * parameters.bytes)};
      y[r] = p.y + first * p.y_stride + begin + r * offset - p.rows.begin;
    }
    for (std::int64_t row = begin; row < end; ++row) {
      bool at_end[R];
      for (int r = 0; r < R; ++r) at_end[r] = row + r * offset >= last;
      multiply_row<R, B>(rows, at_end, parameters, groups, vectors, y, p.y_stride);
      for (int r = 0; r < R; ++r) ++y[r];
    }
  }

  static void multiply_batch(const QuantizedProduct& p, std::int64_t begin, std::int64_t end) {
    // Rows that stay in the first-level cache for all of a batch that needs more than one pass.
    const std::int64_t block = p.batch <= kVectors ? end - begin : kRowBlockBytes / p.w.row_bytes() + 1;
    for (std::int64_t r = begin; r < end; r += block) {
      const std::int64_t block_end = std::min(r + block, end);
      std::int64_t b = 0;
      for (; b + kVectors <= p.batch; b += kVectors) multiply_rows<1, kVectors>(p, r, block_end, 0, b);
      if constexpr (kVectors > 2) {
        if (b + 2 <= p.batch) {
          multiply_rows<1, 2>(p, r, block_end, 0, b);
          b += 2;
        }
      }
      if (b < p.batch) multiply_rows<1, 1>(p, r, block_end, 0, b);
    }
  }

  static void multiply(const QuantizedProduct& p) {
    const TwoStreams streams(p.rows);
    const std::int64_t end = p.rows.begin + streams.count;
    if (p.batch == 1) {
      multiply_rows<2, 1>(p, p.rows.begin, end, streams.offset, 0);
    } else {
      multiply_batch(p, p.rows.begin, end);
      multiply_batch(p, p.rows.begin + streams.offset, end + streams.offset);
    }
    multiply_batch(p, streams.rest_begin, streams.rest_end);
  }
};

#include "xlstm/kernels/cpu/quantized_short_rows-inl.h"

template <class Dot, std::int64_t kGroupWords>
void multiply_rows(const QuantizedProduct& p) {
  const bool short_rows = p.w.cols < kBlockGroups * p.w.groups.group_size;
  short_rows ? ShortRows<Dot, kGroupWords>::multiply(p) : RowKernel<Dot, kGroupWords>::multiply(p);
}

template <int kBits, class Element>
void multiply_groups(const QuantizedProduct& p) {
  using Product = Dot<kBits, Element>;
  switch (p.w.groups.group_size) {  // 32 columns are kBits words
    case 32:
      return multiply_rows<Product, kBits>(p);
    case 64:
      return multiply_rows<Product, 2 * kBits>(p);
    default:
      return multiply_rows<Product, 4 * kBits>(p);
  }
}

template <int kBits>
void multiply_bits(const QuantizedProduct& p) {
  if constexpr (kMultipliesInt8<kBits>) {
    if (p.type == DType::int8) return multiply_groups<kBits, std::int8_t>(p);
  }
  return multiply_groups<kBits, std::int16_t>(p);
}

std::int64_t element_bytes(DType type, int bits) {
  return type == DType::int8 && (bits == 4 ? kMultipliesInt8<4> : kMultipliesInt8<8>) ? 1 : 2;
}

void multiply(const QuantizedProduct& p) { p.w.groups.bits == 4 ? multiply_bits<4>(p) : multiply_bits<8>(p); }

}  // namespace plain, vnni, dotprod or i8mm
}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
#if XLSTM_VNNI || XLSTM_NEON_DOTPROD
HWY_POP_ATTRIBUTES
#else
HWY_AFTER_NAMESPACE();
#endif
