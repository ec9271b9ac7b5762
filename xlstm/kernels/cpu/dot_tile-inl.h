// The register tile of products whose operands are narrower than 32 bits: rows of weights (broadcast) times panels of
// 16 tokens. Included once per CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_DOT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_DOT_TILE_INL_H_
#undef XLSTM_KERNELS_CPU_DOT_TILE_INL_H_
#else
#define XLSTM_KERNELS_CPU_DOT_TILE_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "xlstm/kernels/cpu/micro_gemm-inl.h"
#include "xlstm/kernels/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DI = hn::RebindToSigned<DP>;
using VI = hn::Vec<DI>;

// The dot products. A 32-bit lane of x holds 4 (or 2) features of one token, every lane of w as many weights of one
// row; the products of a lane are added to its Sum, which kWidens says must become int32 (total) after each piece of
// columns. Instructions are written out where g++ would spill a tile of their intrinsics, and where Highway 1.0.3 has
// no target for them: those run only where cpu_extensions() names them.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
#if HWY_TARGET == HWY_AVX2
#define XLSTM_VEX "%{vex%} "
#define XLSTM_XOR "vpxor"
#else
#define XLSTM_VEX ""
#define XLSTM_XOR "vpxord"
#endif
struct Int32Sum {
  using Sum = VI;
  static constexpr bool kWidens = false;
  // An instruction each: g++ copies what it knows to be equal.
  static HWY_INLINE Sum zero() {
    VI zero;
    asm volatile(XLSTM_XOR " %0, %0, %0" : "=v"(zero.raw));
    return zero;
  }
  static HWY_INLINE VI total(Sum sum) { return sum; }
};

struct PairsDot : Int32Sum {
  static constexpr int kColumns = 2;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    VI t;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sum.raw), "=&v"(t.raw) : "v"(w.raw), "v"(x.raw));
  }
};
struct VnniPairsDot : Int32Sum {
  static constexpr int kColumns = 2;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    asm(XLSTM_VEX "vpdpwssd %2, %1, %0" : "+v"(sum.raw) : "v"(w.raw), "v"(x.raw));
  }
};
struct VnniQuadsDot : Int32Sum {
  static constexpr int kColumns = 4;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    asm(XLSTM_VEX "vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(w.raw), "v"(x.raw));
  }
};

/// Four-bit weights: two int16 sums a lane. Two products are at most 2 * 15 * 127, and 8 of those still fit 16 bits:
/// the sums of one piece of columns.
struct NibbleQuadsDot : Int32Sum {
  static constexpr int kColumns = 4;
  static constexpr bool kWidens = true;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    VI t;
    asm("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+v"(sum.raw), "=&v"(t.raw) : "v"(w.raw), "v"(x.raw));
  }
  /// The first of a piece, without the addition: one in eight.
  static HWY_INLINE void begin(VI w, VI x, Sum& sum) {
    asm("vpmaddubsw %2, %1, %0" : "=v"(sum.raw) : "v"(w.raw), "v"(x.raw));
  }
  static HWY_INLINE VI total(Sum sum) {
    const VI ones = hn::Set(DI(), 0x00010001);
    VI wide;
    asm("vpmaddwd %2, %1, %0" : "=v"(wide.raw) : "v"(sum.raw), "v"(ones.raw));
    return wide;
  }
};

#if HWY_TARGET <= HWY_AVX3
/// bfloat16: the sum is float32, and numbers below 2^-126 count as 0.
struct Bfloat16PairsDot : Int32Sum {
  static constexpr int kColumns = 2;
  static HWY_INLINE void add(VI w, VI x, Sum& sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(w.raw), "v"(x.raw));
  }
};
#endif
#undef XLSTM_VEX
#undef XLSTM_XOR

#elif HWY_TARGET != HWY_SCALAR
struct PairsDot {
  struct Sum {  // constructors of its own: the implicit ones lack the target's attributes
    HWY_INLINE Sum() {}
    HWY_INLINE Sum(VI even, VI odd) : a(even), b(odd) {}
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

// Rows of a tile: NEON has two sums a lane and row.
constexpr int kDotRows = HWY_ARCH_ARM ? kRows / 2 : kRows;

// Loops over the sums of a tile are unrolled entirely: that keeps their array in registers.
#define XLSTM_UNROLLED _Pragma("GCC unroll 16") for
// NOLINTNEXTLINE(bugprone-macro-parentheses): the arguments are the names that it declares
#define XLSTM_FOR_TILE(r, v) XLSTM_UNROLLED(int r = 0; r < kDotRows; ++r) XLSTM_UNROLLED(int v = 0; v < kWide; ++v)

/// The sums of kDotRows rows and P panels.
template <class Dot, int P>
struct DotTile {
  static constexpr int kWide = P * kVectors;  // vectors in a line of the panels
  static constexpr int kSteps = static_cast<int>(kPieceColumns) / Dot::kColumns;
  static constexpr int kRowBytes = kSteps * 4;              // of a piece of columns,
  static constexpr int kPieceBytes = kDotRows * kRowBytes;  // and of all rows
  static constexpr int kPanelBytes = kSteps * kPanelWidth * 4;

  typename Dot::Sum sum[kDotRows][kWide];

  HWY_INLINE DotTile() {}
  HWY_INLINE void clear() { XLSTM_FOR_TILE(r, v) sum[r][v] = Dot::zero(); }

  /// Adds the products of one piece, or sets the sums to them where Dot::kWidens: w [kDotRows][kRowBytes], x a line of
  /// 64 bytes a step, the next panel x_panel bytes on.
  HWY_INLINE void multiply(const std::byte* w, const std::byte* x, std::int64_t x_panel) {
    const DI d;
    XLSTM_UNROLLED(int i = 0; i < kPieceBytes; i += 64) __builtin_prefetch(w + kPieceBytes + i);
    XLSTM_UNROLLED(int step = 0; step < kSteps; ++step, w += 4, x += kPanelWidth * 4) {
      VI line[kWide];
      XLSTM_UNROLLED(int v = 0; v < kWide; ++v) {
        const std::byte* from = x + (v / kVectors) * x_panel + (v % kVectors) * kLanes * 4;
        line[v] = hn::Load(d, reinterpret_cast<const std::int32_t*>(from));
      }
      XLSTM_UNROLLED(int r = 0; r < kDotRows; ++r) {
        std::int32_t word;
        std::memcpy(&word, w + r * kRowBytes, sizeof(word));
        const VI weights = hn::Set(d, word);
        XLSTM_UNROLLED(int v = 0; v < kWide; ++v) {
          if constexpr (Dot::kWidens) {
            if (step == 0) {
              Dot::begin(weights, line[v], sum[r][v]);
              continue;
            }
          }
          Dot::add(weights, line[v], sum[r][v]);
        }
      }
    }
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_DOT_TILE_INL_H_
