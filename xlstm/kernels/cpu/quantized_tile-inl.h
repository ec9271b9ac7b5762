// The register tile of products with quantised weights: rows of unsigned weights (broadcast) times panels of 16 tokens.
// Included once per CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_QUANTIZED_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_QUANTIZED_TILE_INL_H_
#undef XLSTM_KERNELS_CPU_QUANTIZED_TILE_INL_H_
#else
#define XLSTM_KERNELS_CPU_QUANTIZED_TILE_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "xlstm/kernels/cpu/micro_gemm-inl.h"
#include "xlstm/kernels/cpu/quantized_tile.h"
#include "xlstm/kernels/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DI = hn::RebindToSigned<DP>;
using VI = hn::Vec<DI>;

// The dot products. A 32-bit lane of x holds 4 (or 2) features of one token, every lane of w as many weights of one row;
// the products of a lane are added to its sum. total() of a sum is int32; where kWidens, after each piece of columns.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
// Written out: g++ spills a tile of these when they are intrinsics, and Highway 1.0.3 has no target for some, which run
// only where cpu_extensions() names them.
#if HWY_TARGET == HWY_AVX2
#define XLSTM_ZERO "vpxor %0, %0, %0"
#else
#define XLSTM_ZERO "vpxord %0, %0, %0"
#endif
HWY_INLINE VI opaque_zero() {
  VI zero;
  asm volatile(XLSTM_ZERO : "=v"(zero.raw));
  return zero;
}
#undef XLSTM_ZERO
struct OneInt32 {
  using Sum = VI;
  static constexpr bool kWidens = false;
  static HWY_INLINE Sum zero() { return opaque_zero(); }
  static HWY_INLINE VI total(Sum sum) { return sum; }
};

struct PairsDot : OneInt32 {
  static constexpr int kColumns = 2;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    VI products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+&v"(sum.raw), "=&v"(products.raw) : "v"(w.raw), "v"(x.raw));
  }
};

#define XLSTM_VEX "%{vex%} "
#if HWY_TARGET != HWY_AVX2
#undef XLSTM_VEX
#define XLSTM_VEX ""
#endif
struct VnniQuadsDot : OneInt32 {
  static constexpr int kColumns = 4;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    asm(XLSTM_VEX "vpdpbusd %2, %1, %0" : "+&v"(sum.raw) : "v"(w.raw), "v"(x.raw));
  }
};
struct VnniPairsDot : OneInt32 {
  static constexpr int kColumns = 2;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    asm(XLSTM_VEX "vpdpwssd %2, %1, %0" : "+&v"(sum.raw) : "v"(w.raw), "v"(x.raw));
  }
};
#undef XLSTM_VEX

// Four-bit weights: two products are at most 2 * 15 * 127, and the sums of a piece, 8 of them, still fit 16 bits.
struct NibbleQuadsDot {
  using Sum = VI;  // two int16 a lane
  static constexpr int kColumns = 4;
  static constexpr bool kWidens = true;
  static HWY_INLINE Sum zero() { return opaque_zero(); }
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    VI products;
    asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+v"(sum.raw), "=&v"(products.raw) : "v"(w.raw), "v"(x.raw));
  }
  static HWY_INLINE VI total(Sum sum) {
    const hn::Repartition<std::int16_t, DI> d16;
    VI none = hn::Zero(DI());
    return hn::ReorderWidenMulAccumulate(DI(), hn::BitCast(d16, sum), hn::Set(d16, 1), none, none);
  }
};
#elif HWY_TARGET != HWY_SCALAR
struct PairsDot {
  struct Sum {
    VI a, b;
  };
  static constexpr int kColumns = 2;
  static constexpr bool kWidens = false;
  static HWY_INLINE Sum zero() { return {hn::Zero(DI()), hn::Zero(DI())}; }
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    const hn::Repartition<std::int16_t, DI> d16;
    sum.a = hn::ReorderWidenMulAccumulate(DI(), hn::BitCast(d16, w), hn::BitCast(d16, x), sum.a, sum.b);
  }
  static HWY_INLINE VI total(Sum sum) { return hn::RearrangeToOddPlusEven(sum.a, sum.b); }
};
#else
struct PairsDot {
  using Sum = VI;
  static constexpr int kColumns = 2;
  static constexpr bool kWidens = false;
  static HWY_INLINE Sum zero() { return hn::Zero(DI()); }
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    std::int16_t pair_w[2], pair_x[2];
    std::memcpy(pair_w, &w.raw, sizeof(pair_w));
    std::memcpy(pair_x, &x.raw, sizeof(pair_x));
    sum.raw += pair_w[0] * pair_x[0] + pair_w[1] * pair_x[1];
  }
  static HWY_INLINE VI total(Sum sum) { return sum; }
};
#endif

// Two sums a lane and row on NEON, where kRows would spill.
constexpr int kDotRows = HWY_ARCH_ARM ? kRows / 2 : kRows;

// Loops over the sums of a tile are unrolled entirely: that keeps their array in registers.
#define XLSTM_UNROLLED _Pragma("GCC unroll 16") for
#define XLSTM_FOR_SUMS(r, v) XLSTM_UNROLLED(int r = 0; r < kDotRows; ++r) XLSTM_UNROLLED(int v = 0; v < kWide; ++v)

template <class Dot, int P>
struct DotTile {
  static constexpr int kWide = P * kVectors;  // vectors in a line of the panels
  static constexpr int kSteps = static_cast<int>(kPieceColumns) / Dot::kColumns;
  static constexpr int kRowBytes = kSteps * 4;  // of a piece
  typename Dot::Sum sum[kDotRows][kWide];

  HWY_INLINE void clear() { XLSTM_FOR_SUMS(r, v) sum[r][v] = Dot::zero(); }

  /// The products of one piece. x_panel: bytes from a panel to the next.
  HWY_INLINE void multiply(const std::byte* w, const std::byte* x, std::int64_t x_panel) {
    const DI d;
    XLSTM_UNROLLED(int line = 0; line < kDotRows * kRowBytes; line += 64) __builtin_prefetch(w + kDotRows * kRowBytes + line);
    XLSTM_UNROLLED(int step = 0; step < kSteps; ++step) {
      VI line[kWide];
      XLSTM_UNROLLED(int v = 0; v < kWide; ++v) {
        const std::byte* from = x + (v / kVectors) * x_panel + (v % kVectors) * kLanes * 4;
        line[v] = hn::Load(d, reinterpret_cast<const std::int32_t*>(from));
      }
      XLSTM_UNROLLED(int r = 0; r < kDotRows; ++r) {
        std::int32_t word;
        std::memcpy(&word, w + r * kRowBytes, sizeof(word));
        const VI weights = hn::Set(d, word);
        XLSTM_UNROLLED(int v = 0; v < kWide; ++v) Dot::add(weights, line[v], sum[r][v]);
      }
      w += 4;
      x += kPanelWidth * 4;
    }
  }
};

/// y += scale_w * scale_x * sum
HWY_INLINE void add_scaled(VI sum, const float* w_scale, VP x_scale, float* y) {
  const DP d;
  const VP scaled = hn::Mul(hn::ConvertTo(d, sum), x_scale);
  hn::StoreU(hn::MulAdd(scaled, hn::Set(d, *w_scale), hn::LoadU(d, y)), d, y);
}

/// kDotRows rows of P panels.
template <class Dot, int P>
void quantized_tile(const QuantizedTile& t) {
  using T = DotTile<Dot, P>;
  constexpr int kWide = T::kWide;
  const DI d;
  const std::byte* w = t.w;
  const std::byte* x = t.x;
  const float* x_scales = t.x_scales;
  for (std::int64_t g = 0; g < t.groups; ++g, x_scales += kPanelWidth) {
    T tile;
    tile.clear();
    alignas(64) std::int32_t totals[kDotRows][kWide][kLanes];
    if constexpr (Dot::kWidens) XLSTM_FOR_SUMS(r, v) hn::Store(hn::Zero(d), d, totals[r][v]);
    for (std::int64_t c = 0; c < t.group_size; c += kPieceColumns) {
      tile.multiply(w, x, t.x_stride);
      w += kDotRows * T::kRowBytes;
      x += T::kSteps * kPanelWidth * 4;
      if constexpr (Dot::kWidens) {
        XLSTM_FOR_SUMS(r, v) {
          hn::Store(hn::Add(hn::Load(d, totals[r][v]), Dot::total(tile.sum[r][v])), d, totals[r][v]);
        }
        tile.clear();
      }
    }
    XLSTM_UNROLLED(int v = 0; v < kWide; ++v) {
      const int panel = v / kVectors, lane = v % kVectors * kLanes;
      const VP x_scale = hn::Load(DP(), x_scales + panel * (t.x_stride / 4) + lane);
      XLSTM_UNROLLED(int r = 0; r < kDotRows; ++r) {
        const VI sum = Dot::kWidens ? hn::Load(d, totals[r][v]) : Dot::total(tile.sum[r][v]);
        add_scaled(sum, t.w_scales + r * kTileGroups + g, x_scale,
                   t.y + panel * t.y_stride + r * kPanelWidth + lane);
      }
    }
  }
}
#undef XLSTM_FOR_SUMS
#undef XLSTM_UNROLLED

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_QUANTIZED_TILE_INL_H_
