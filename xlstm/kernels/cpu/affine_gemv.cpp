#include "xlstm/kernels/cpu/affine_gemv.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/affine_gemv.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/affine_parameters-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;
using DU = hn::RebindToUnsigned<D>;
constexpr std::int64_t kLanes = hn::MaxLanes(D());

constexpr std::int64_t kPrefetchBytes = 2048;  // as in quantized_gemv.cpp
constexpr std::int64_t kBlockGroups = 16;      // whose parameters are widened together

/// scale * q + bias of consecutive columns of one group.
template <int kBits>
struct Group;

template <>
struct Group<8> {
  V scale, bias;
  Group(float s, float b) : scale(hn::Set(D(), s)), bias(hn::Set(D(), b)) {}
  HWY_INLINE V columns(const std::byte* group, std::int64_t c) const {
    const hn::Rebind<std::uint8_t, D> d8;
    const auto q = hn::PromoteTo(DI(), hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(group + c)));
    return hn::MulAdd(hn::ConvertTo(D(), q), scale, bias);
  }
};

HWY_INLINE hn::Vec<DU> broadcast_word(const std::byte* at) {
  float bits;  // not an integer: those go by way of a general register
  std::memcpy(&bits, at, sizeof(bits));
  return hn::BitCast(DU(), hn::Set(D(), bits));
}

/// In every lane the word of its column, shifted so that its q is at the bottom.
HWY_INLINE hn::Vec<DU> shifted_words(const std::byte* group, std::int64_t c) {
  const DU d;
  const auto shifts = hn::ShiftLeft<2>(hn::And(hn::Iota(d, static_cast<std::uint32_t>(c)), hn::Set(d, 7)));
  auto words = broadcast_word(group + c / 8 * 4);
  if constexpr (kLanes == 16) words = hn::IfThenElse(hn::FirstN(d, 8), words, broadcast_word(group + c / 8 * 4 + 4));
  return hn::Shr(words, shifts);
}

#if HWY_TARGET == HWY_AVX3

// 16 values of q: the weights of a group are a table of one register. The permutation looks at four bits of an index.
template <>
struct Group<4> {
  V table;
  Group(float s, float b) : table(hn::MulAdd(hn::Iota(D(), 0.0f), hn::Set(D(), s), hn::Set(D(), b))) {}
  HWY_INLINE V columns(const std::byte* group, std::int64_t c) const {
    return V{_mm512_permutexvar_ps(shifted_words(group, c).raw, table.raw)};
  }
};

#else

template <>
struct Group<4> {
  V scale, bias;
  Group(float s, float b) : scale(hn::Set(D(), s)), bias(hn::Set(D(), b)) {}
  HWY_INLINE V columns(const std::byte* group, std::int64_t c) const {
    const auto q = hn::BitCast(DI(), hn::And(shifted_words(group, c), hn::Set(DU(), 15)));
    return hn::MulAdd(hn::ConvertTo(D(), q), scale, bias);
  }
};

#endif

/// Where a row of weights stands, or what is left of it.
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

/// Running sums of one row with B vectors: of the even and of the odd vectors of a group.
template <int B>
struct Sums {
  V even[B], odd[B];
  HWY_INLINE Sums() {  // an implicit constructor would not carry the target's attribute
    for (int b = 0; b < B; ++b) even[b] = odd[b] = hn::Zero(D());
  }
};

/// sums += `groups` <= kBlockGroups groups of a row times B vectors; the parameters of kBlockGroups must be readable.
template <int kBits, std::int64_t kGroupSize, int B>
HWY_INLINE void multiply_block(const Row& w, Parameters parameters, std::int64_t groups, const float* x,
                               std::int64_t x_stride, Sums<B>& sums) {
  constexpr std::int64_t kGroupBytes = kGroupSize * kBits / 8;
  const D d;
  alignas(64) float scales[kBlockGroups], biases[kBlockGroups];
  for (std::int64_t g = 0; g < kBlockGroups; g += kLanes) {
    hn::Store(load_parameters(d, parameters.dtype, w.scales + g * parameters.bytes), d, scales + g);
    hn::Store(load_parameters(d, parameters.dtype, w.biases + g * parameters.bytes), d, biases + g);
  }
  const std::byte* words = w.words;
  for (std::int64_t g = 0; g < groups; ++g, words += kGroupBytes, x += kGroupSize) {
    for (std::int64_t line = 0; line < kGroupBytes; line += 64) hwy::Prefetch(words + kPrefetchBytes + line);
    const Group<kBits> group(scales[g], biases[g]);
    for (std::int64_t c = 0; c < kGroupSize; c += 2 * kLanes) {
      const V even = group.columns(words, c), odd = group.columns(words, c + kLanes);
      for (int b = 0; b < B; ++b) {
        sums.even[b] = hn::MulAdd(even, hn::LoadU(d, x + b * x_stride + c), sums.even[b]);
        sums.odd[b] = hn::MulAdd(odd, hn::LoadU(d, x + b * x_stride + c + kLanes), sums.odd[b]);
      }
    }
  }
}

/// One row times B vectors.
template <int kBits, std::int64_t kGroupSize, int B>
HWY_INLINE void multiply_row(Row w, Parameters parameters, std::int64_t groups, const float* x, std::int64_t x_stride,
                             float* y, std::int64_t y_stride) {
  const D d;
  Sums<B> sums;
  for (; groups >= kBlockGroups; groups -= kBlockGroups) {
    multiply_block<kBits, kGroupSize>(w, parameters, kBlockGroups, x, x_stride, sums);
    w.words += kBlockGroups * kGroupSize * kBits / 8;
    w.scales += kBlockGroups * parameters.bytes;
    w.biases += kBlockGroups * parameters.bytes;
    x += kBlockGroups * kGroupSize;
  }
  if (groups > 0) {  // behind the parameters lies another row, or no memory at all
    alignas(64) std::byte scales[kBlockGroups * 4] = {}, biases[kBlockGroups * 4] = {};
    std::memcpy(scales, w.scales, static_cast<std::size_t>(groups * parameters.bytes));
    std::memcpy(biases, w.biases, static_cast<std::size_t>(groups * parameters.bytes));
    multiply_block<kBits, kGroupSize>({w.words, scales, biases}, parameters, groups, x, x_stride, sums);
  }
  for (int b = 0; b < B; ++b) {
    y[b * y_stride] = hn::GetLane(hn::SumOfLanes(d, hn::Add(sums.even[b], sums.odd[b])));
  }
}

struct Product {
  const MatrixView& w;
  RowRange rows;
  const float* x;
  std::int64_t x_stride, batch;
  float* y;
  std::int64_t y_stride;
};

/// Vectors [first, first + B).
template <int kBits, std::int64_t kGroupSize, int B>
HWY_INLINE void multiply_vectors(const Product& p, std::int64_t r, std::int64_t first) {
  const AffineGroupsView& groups = p.w.groups;
  const std::int64_t row_groups = p.w.cols / kGroupSize;
  const Parameters parameters = {groups.dtype, static_cast<std::int64_t>(dtype_size(groups.dtype))};
  const std::int64_t skipped = r * row_groups * parameters.bytes;
  const Row row = {static_cast<const std::byte*>(p.w.data) + r * p.w.row_bytes(),
                   static_cast<const std::byte*>(groups.scales) + skipped,
                   static_cast<const std::byte*>(groups.biases) + skipped};
  multiply_row<kBits, kGroupSize, B>(row, parameters, row_groups, p.x + first * p.x_stride, p.x_stride,
                                     p.y + first * p.y_stride + (r - p.rows.begin), p.y_stride);
}

template <int kBits, std::int64_t kGroupSize>
void multiply_rows(const Product& p, std::int64_t begin, std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r) {  // a row stays in the first-level cache for all of the batch
    std::int64_t b = 0;
    for (; b + 4 <= p.batch; b += 4) multiply_vectors<kBits, kGroupSize, 4>(p, r, b);
    if (b + 2 <= p.batch) {
      multiply_vectors<kBits, kGroupSize, 2>(p, r, b);
      b += 2;
    }
    if (b < p.batch) multiply_vectors<kBits, kGroupSize, 1>(p, r, b);
  }
}

template <int kBits, std::int64_t kGroupSize>
void multiply_range(const Product& p) {
  multiply_rows<kBits, kGroupSize>(p, p.rows.begin, p.rows.end);
  if (p.rows.offset == 0) return;
  multiply_rows<kBits, kGroupSize>(p, p.rows.begin + p.rows.offset, p.rows.end + p.rows.offset);
}

template <int kBits>
void multiply(const Product& p) {
  switch (p.w.groups.group_size) {
    case 32:
      return multiply_range<kBits, 32>(p);
    case 64:
      return multiply_range<kBits, 64>(p);
    default:
      return multiply_range<kBits, 128>(p);
  }
}

void affine_gemv_target(const MatrixView& w, const RowRange& rows, const float* x, std::int64_t x_stride,
                        std::int64_t batch, float* y, std::int64_t y_stride) {
  const Product product = {w, rows, x, x_stride, batch, y, y_stride};
  w.groups.bits == 4 ? multiply<4>(product) : multiply<8>(product);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(affine_gemv_target);

void affine_gemv(const MatrixView& w, const RowRange& rows, const float* x, std::int64_t x_stride, std::int64_t batch,
                 float* y, std::int64_t y_stride) {
  HWY_DYNAMIC_DISPATCH(affine_gemv_target)(w, rows, x, x_stride, batch, y, y_stride);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
