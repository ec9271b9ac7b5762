#include "xlstm/kernels/cpu/gemv.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/gemv.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Rows are read by two streams, one in each half of the rows and each in memory order, and fetched this far ahead into
// the second-level cache. From memory that is 15 to 25 % more a second than neighbouring rows side by side, one row
// after the other, or no prefetch; half the distance or twice as much loses 5 to 10 %.
constexpr std::int64_t kPrefetchBytes = 3072;

// Four running sums a row hide the latency of fma behind the loads.
struct Sums {
  V a, b, c, d;
};

HWY_INLINE Sums zero_sums() { return {hn::Zero(D()), hn::Zero(D()), hn::Zero(D()), hn::Zero(D())}; }

HWY_INLINE float total(const Sums& s) {
  return hn::GetLane(hn::SumOfLanes(D(), hn::Add(hn::Add(s.a, s.b), hn::Add(s.c, s.d))));
}

// Four vectors of weights, unpacked. A block is 4 * lanes columns; half a block 2 * lanes.
struct Unpacked {
  V a, b, c, d;
};

struct Float32Weights {
  using T = float;
  static HWY_INLINE Unpacked block(const T* w) {
    const D d;
    const std::size_t n = hn::Lanes(d);
    return {hn::LoadU(d, w), hn::LoadU(d, w + n), hn::LoadU(d, w + 2 * n), hn::LoadU(d, w + 3 * n)};
  }
  static HWY_INLINE void half(const T* w, V& a, V& b) {
    a = hn::LoadU(D(), w);
    b = hn::LoadU(D(), w + hn::Lanes(D()));
  }
  static HWY_INLINE float scalar(const T* w) { return *w; }
};

struct Float16Weights {
  using T = std::uint16_t;
  static HWY_INLINE V load(const T* w) {
#if HWY_TARGET == HWY_SCALAR
    return hn::Set(D(), float16_to_float32(*w));  // Highway's own takes Inf and NaN for large numbers
#else
    const hn::Rebind<hwy::float16_t, D> d16;
    return hn::PromoteTo(D(), hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(w)));
#endif
  }
  static HWY_INLINE Unpacked block(const T* w) {
    const std::size_t n = hn::Lanes(D());
    return {load(w), load(w + n), load(w + 2 * n), load(w + 3 * n)};
  }
  static HWY_INLINE void half(const T* w, V& a, V& b) {
    a = load(w);
    b = load(w + hn::Lanes(D()));
  }
  static HWY_INLINE float scalar(const T* w) { return float16_to_float32(*w); }
};

// One 32-bit lane holds two bfloat16: the low half becomes a float by a shift, the high half by a mask.
struct Bfloat16Weights {
  using T = std::uint16_t;
  static HWY_INLINE void half(const T* w, V& even, V& odd) {
#if HWY_TARGET == HWY_SCALAR
    even = hn::Set(D(), bfloat16_to_float32(w[0]));
    odd = hn::Set(D(), bfloat16_to_float32(w[1]));
#else
    const hn::RebindToUnsigned<D> du;
    const hn::Repartition<std::uint16_t, D> d16;
    const auto pair = hn::BitCast(du, hn::LoadU(d16, w));
    even = hn::BitCast(D(), hn::ShiftLeft<16>(pair));
    odd = hn::BitCast(D(), hn::And(pair, hn::Set(du, 0xffff0000u)));
#endif
  }
  static HWY_INLINE Unpacked block(const T* w) {
    Unpacked u;
    half(w, u.a, u.b);
    half(w + 2 * hn::Lanes(D()), u.c, u.d);
    return u;
  }
  static HWY_INLINE float scalar(const T* w) { return bfloat16_to_float32(*w); }
};

HWY_INLINE void multiply_add(const Unpacked& w, const float* x, Sums& s) {
  const D d;
  const std::size_t n = hn::Lanes(d);
  s.a = hn::MulAdd(w.a, hn::LoadU(d, x), s.a);
  s.b = hn::MulAdd(w.b, hn::LoadU(d, x + n), s.b);
  s.c = hn::MulAdd(w.c, hn::LoadU(d, x + 2 * n), s.c);
  s.d = hn::MulAdd(w.d, hn::LoadU(d, x + 3 * n), s.d);
}

HWY_INLINE void multiply_add_half(V wa, V wb, const float* x, Sums& s) {
  const D d;
  s.a = hn::MulAdd(wa, hn::LoadU(d, x), s.a);
  s.b = hn::MulAdd(wb, hn::LoadU(d, x + hn::Lanes(d)), s.b);
}

// Whole blocks are followed by half a block if it fits, then by single columns. The same for every row and batch.

// The single columns. Summed first: a call between the vectors' sums would cost those their registers.
template <class W>
HWY_INLINE float tail(const typename W::T* w, const float* x, std::int64_t cols) {
  const auto half = static_cast<std::int64_t>(2 * hn::Lanes(D()));
  float sum = 0;
  for (std::int64_t c = cols / half * half; c < cols; ++c) sum += W::scalar(w + c) * x[c];
  return sum;
}

// The rest of the sums, which stand at column c.
template <class W>
HWY_INLINE float finish(const typename W::T* w, const float* x, std::int64_t c, std::int64_t cols, Sums& s) {
  if (c + static_cast<std::int64_t>(2 * hn::Lanes(D())) <= cols) {
    V a, b;
    W::half(w + c, a, b);
    multiply_add_half(a, b, x + c, s);
  }
  return total(s);
}

template <class T>
HWY_INLINE void prefetch_block(const T* w) {
  const char* ahead = reinterpret_cast<const char*>(w) + kPrefetchBytes;
  for (std::size_t i = 0; i < 4 * hn::Lanes(D()) * sizeof(T); i += 64) __builtin_prefetch(ahead + i, 0, 2);
}

// Two rows of weights, one x.
template <class W>
HWY_INLINE void two_rows(const typename W::T* w0, const typename W::T* w1, std::int64_t cols, const float* x, float& y0,
                         float& y1) {
  const auto step = static_cast<std::int64_t>(4 * hn::Lanes(D()));
  y0 = tail<W>(w0, x, cols);
  y1 = tail<W>(w1, x, cols);
  Sums s0 = zero_sums(), s1 = zero_sums();
  std::int64_t c = 0;
  for (; c + step <= cols; c += step) {
    prefetch_block(w0 + c);
    prefetch_block(w1 + c);
    multiply_add(W::block(w0 + c), x + c, s0);
    multiply_add(W::block(w1 + c), x + c, s1);
  }
  y0 += finish<W>(w0, x, c, cols, s0);
  y1 += finish<W>(w1, x, c, cols, s1);
}

// One row of weights, B of x.
template <class W, int B>
HWY_INLINE void one_row(const typename W::T* w, std::int64_t cols, const float* x, std::int64_t x_stride, float* y,
                        std::int64_t y_stride) {
  const auto step = static_cast<std::int64_t>(4 * hn::Lanes(D()));
  y[0] = tail<W>(w, x, cols);
  if constexpr (B > 1) y[y_stride] = tail<W>(w, x + x_stride, cols);
  if constexpr (B > 2) y[2 * y_stride] = tail<W>(w, x + 2 * x_stride, cols);
  Sums s0 = zero_sums(), s1 = zero_sums(), s2 = zero_sums();
  std::int64_t c = 0;
  for (; c + step <= cols; c += step) {
    prefetch_block(w + c);
    const Unpacked u = W::block(w + c);
    multiply_add(u, x + c, s0);
    if constexpr (B > 1) multiply_add(u, x + x_stride + c, s1);
    if constexpr (B > 2) multiply_add(u, x + 2 * x_stride + c, s2);
  }
  y[0] += finish<W>(w, x, c, cols, s0);
  if constexpr (B > 1) y[y_stride] += finish<W>(w, x + x_stride, c, cols, s1);
  if constexpr (B > 2) y[2 * y_stride] += finish<W>(w, x + 2 * x_stride, c, cols, s2);
}

/// The rows of one stream.
template <class W>
void batch_rows(const MatrixView& m, std::int64_t begin, std::int64_t end, const float* x, std::int64_t x_stride,
                std::int64_t batch, float* y, std::int64_t y_stride) {
  for (std::int64_t r = begin; r < end; ++r) {
    // Stays in the first-level cache for all of the batch.
    const auto* w = static_cast<const typename W::T*>(m.data) + r * m.cols;
    float* const out = y + (r - begin);
    std::int64_t b = 0;
    for (; b + 3 <= batch; b += 3) one_row<W, 3>(w, m.cols, x + b * x_stride, x_stride, out + b * y_stride, y_stride);
    if (b + 2 == batch) {
      one_row<W, 2>(w, m.cols, x + b * x_stride, x_stride, out + b * y_stride, y_stride);
    } else if (b + 1 == batch) {
      one_row<W, 1>(w, m.cols, x + b * x_stride, 0, out + b * y_stride, 0);
    }
  }
}

template <class W>
void gemv_rows(const MatrixView& m, const RowRange& rows, const float* x, std::int64_t x_stride, std::int64_t batch,
               float* y, std::int64_t y_stride) {
  const TwoStreams streams(rows);
  if (batch == 1) {
    const auto* w = static_cast<const typename W::T*>(m.data) + rows.begin * m.cols;
    for (std::int64_t r = 0; r < streams.count; ++r) {
      const std::int64_t second = streams.offset + r;
      two_rows<W>(w + r * m.cols, w + second * m.cols, m.cols, x, y[r], y[second]);
    }
  } else {
    for (const std::int64_t from : {std::int64_t{0}, streams.offset}) {
      const std::int64_t begin = rows.begin + from;
      batch_rows<W>(m, begin, begin + streams.count, x, x_stride, batch, y + from, y_stride);
    }
  }
  batch_rows<W>(m, streams.rest_begin, streams.rest_end, x, x_stride, batch, y + (streams.rest_begin - rows.begin),
                y_stride);
}

void gemv_target(const MatrixView& w, const RowRange& rows, const float* x, std::int64_t x_stride, std::int64_t batch,
                 float* y, std::int64_t y_stride) {
  switch (w.dtype) {
    case DType::bfloat16:
      return gemv_rows<Bfloat16Weights>(w, rows, x, x_stride, batch, y, y_stride);
    case DType::float16:
      return gemv_rows<Float16Weights>(w, rows, x, x_stride, batch, y, y_stride);
    default:
      return gemv_rows<Float32Weights>(w, rows, x, x_stride, batch, y, y_stride);
  }
}

void gemv_prepare_target(DType dtype, const float* x, std::int64_t cols, float* out) {
  const D d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t c = 0;
  if (HWY_TARGET != HWY_SCALAR && dtype == DType::bfloat16) {  // one lane is in order already
    for (; c + 2 * n <= cols; c += 2 * n) {
#if HWY_TARGET != HWY_SCALAR
      V even, odd;
      hn::LoadInterleaved2(d, x + c, even, odd);
      hn::StoreU(even, d, out + c);
      hn::StoreU(odd, d, out + c + n);
#endif
    }
  }
  if (c < cols) std::memcpy(out + c, x + c, static_cast<std::size_t>(cols - c) * sizeof(float));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "xlstm/kernels/cpu/affine_gemv.h"

namespace xlstm::kernels {

HWY_EXPORT(gemv_target);
HWY_EXPORT(gemv_prepare_target);

void gemv(const MatrixView& w, const RowRange& rows, const float* x, std::int64_t x_stride, std::int64_t batch,
          float* y, std::int64_t y_stride) {
  if (w.quantized()) return affine_gemv(w, rows, x, x_stride, batch, y, y_stride);
  HWY_DYNAMIC_DISPATCH(gemv_target)(w, rows, x, x_stride, batch, y, y_stride);
}

void gemv_prepare(DType dtype, const float* x, std::int64_t cols, float* out) {
  HWY_DYNAMIC_DISPATCH(gemv_prepare_target)(dtype, x, cols, out);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
