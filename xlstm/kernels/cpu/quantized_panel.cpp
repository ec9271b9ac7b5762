// How a panel of activations is quantised, and where its parts lie.
#include <algorithm>
#include <cmath>
#include <limits>

#include "xlstm/kernels/cpu/quantized_gemm.h"
#include "xlstm/kernels/cpu/quantized_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/quantized_panel.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using DP = hn::CappedTag<float, kPanelWidth>;
using VP = hn::Vec<DP>;
using DI = hn::RebindToSigned<DP>;
using VI = hn::Vec<DI>;
constexpr std::int64_t W = kPanelWidth;

/// Nibbles' sums fit 16 bits there (dot_tile-inl.h), which makes int8 twice as fast as int16.
bool has_nibble_quads_target() { return HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2; }

HWY_INLINE VI nearest(VP x) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(DI(), static_cast<std::int32_t>(std::nearbyint(x.raw)));  // Highway's own rounds the sum with 1/2
#else
  return hn::NearestInt(x);
#endif
}

/// The scale of a group in some lanes, and what q is a multiple of.
struct GroupScale {
  VP scale, factor;
  VI used;  // all bits where q is not 0 throughout
};

HWY_INLINE GroupScale scale_of(const float* x, std::int64_t size, float limit) {
  const DP d;
  const DI di;
  VI largest_bits = hn::Zero(di);  // the order of floats without sign is that of their bits, NaN last
  for (std::int64_t c = 0; c < size; ++c) {
    largest_bits = hn::Max(largest_bits, hn::BitCast(di, hn::Abs(hn::LoadU(d, x + c * W))));
  }
  const VP largest = hn::BitCast(d, largest_bits);
  const auto finite = hn::Lt(largest_bits, hn::Set(di, 0x7f800000));
  const auto zero = hn::Lt(largest, hn::Set(d, limit * std::numeric_limits<float>::min()));
  const VP scale = hn::IfThenZeroElse(zero, hn::Div(largest, hn::Set(d, limit)));
  const VP nan = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  return {hn::IfThenElse(hn::RebindMask(d, finite), scale, nan), hn::Div(hn::Set(d, limit), largest),
          hn::AndNot(hn::VecFromMask(di, hn::RebindMask(di, zero)), hn::VecFromMask(di, finite))};
}

HWY_INLINE VI low_bits(VI q, int bits) { return hn::And(q, hn::Set(DI(), (1 << bits) - 1)); }
HWY_INLINE VI quad(VI a, VI b, VI c, VI d) {
  return hn::Or(hn::Or(low_bits(a, 8), hn::ShiftLeft<8>(low_bits(b, 8))),
                hn::Or(hn::ShiftLeft<16>(low_bits(c, 8)), hn::ShiftLeft<24>(d)));
}
HWY_INLINE VI pair(VI a, VI b) { return hn::Or(low_bits(a, 16), hn::ShiftLeft<16>(b)); }

HWY_INLINE void store(VI line, std::byte* to) { hn::StoreU(line, DI(), reinterpret_cast<std::int32_t*>(to)); }

/// Four bytes of each of the tokens from `lane` on. plane: the panel's.
HWY_INLINE void store_quads(const QuantizedPanel& panel, VI quads, std::int64_t feature, std::int64_t lane,
                            std::byte* plane) {
  if (panel.run == 4) return store(quads, plane + feature * W + lane * 4);
  std::byte* const to = plane + feature / 8 * 8 * W + lane * 8 + feature % 8;
  hn::ScatterOffset(quads, DI(), reinterpret_cast<std::int32_t*>(to), hn::ShiftLeft<3>(hn::Iota(DI(), 0)));
}

/// Four features, the first of them `feature`, of the tokens from `lane` on.
HWY_INLINE void store_features(const QuantizedPanel& panel, VI a, VI b, VI c, VI d, std::int64_t feature,
                               std::int64_t lane, std::byte* out) {
  std::byte* const to = out + lane * 4;
  switch (panel.order) {
    case QuantizedOrder::quads:
      return store_quads(panel, quad(a, b, c, d), feature, lane, out);
    case QuantizedOrder::pairs:
      store(pair(a, b), to + feature * W * 2);
      return store(pair(c, d), to + (feature + 2) * W * 2);
    case QuantizedOrder::planes:
      store_quads(panel, quad(hn::ShiftRight<8>(a), hn::ShiftRight<8>(b), hn::ShiftRight<8>(c), hn::ShiftRight<8>(d)),
                  feature, lane, out);
      return store_quads(panel, quad(a, b, c, d), feature, lane, out + panel.low);
  }
}

void quantize_panel_target(const QuantizedFormat& format, const QuantizedPanel& panel, const float* x,
                           std::int64_t cols, std::byte* out) {
  const DP d;
  const float limit = format.type == DType::int8 ? 127.0f : 32767.0f;
  auto* scales = reinterpret_cast<float*>(out + panel.scales);
  auto* sums = reinterpret_cast<float*>(out + panel.sums);
  for (std::int64_t begin = 0; begin < cols; begin += format.group_size, scales += W, sums += W) {
    for (std::int64_t lane = 0; lane < W; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
      const float* group = x + begin * W + lane;
      const GroupScale s = scale_of(group, format.group_size, limit);
      VI sum = hn::Zero(DI()), high = hn::Zero(DI());
      const auto q = [&](std::int64_t c) HWY_ATTR {
        const VI value = hn::And(nearest(hn::Mul(hn::LoadU(d, group + c * W), s.factor)), s.used);
        sum = hn::Add(sum, value);
        if (panel.offsets != 0) high = hn::Add(high, hn::ShiftRight<8>(value));
        return value;
      };
      for (std::int64_t c = 0; c < format.group_size; c += 4) {
        const VI q0 = q(c), q1 = q(c + 1), q2 = q(c + 2), q3 = q(c + 3);
        store_features(panel, q0, q1, q2, q3, begin + c, lane, out);
      }
      if (panel.offsets != 0) {
        const VI signed_bytes = panel.order == QuantizedOrder::planes ? high : sum;
        store(hn::ShiftLeft<7>(signed_bytes), out + panel.offsets + (begin / format.group_size * W + lane) * 4);
      }
      hn::StoreU(s.scale, d, scales + lane);
      hn::StoreU(hn::Mul(s.scale, hn::ConvertTo(d, sum)), d, sums + lane);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "xlstm/kernels/cpu/amx_gemm.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::kernels {

HWY_EXPORT(has_nibble_quads_target);
HWY_EXPORT(quantize_panel_target);

QuantizedOrder quantized_order(const QuantizedFormat& format) {
  const CpuExtensions cpu = cpu_extensions();
  if (format.type == DType::int16) return cpu.amx || cpu.dotprod ? QuantizedOrder::planes : QuantizedOrder::pairs;
  const bool quads = cpu.amx || cpu.avx512_vnni || cpu.avx_vnni || cpu.dotprod ||
                     (format.weight_bits == 4 && HWY_DYNAMIC_DISPATCH(has_nibble_quads_target)());
  return quads ? QuantizedOrder::quads : QuantizedOrder::pairs;
}

QuantizedPanel quantized_panel(const QuantizedFormat& format, std::int64_t cols) {
  const std::int64_t groups = cols / format.group_size, floats = groups * kPanelWidth * 4;
  const CpuExtensions cpu = cpu_extensions();
  QuantizedPanel panel;
  panel.order = quantized_order(format);
  panel.run = cpu.i8mm ? 8 : 4;
  panel.low = cols * kPanelWidth;
  panel.scales = panel.order == QuantizedOrder::quads ? panel.low : 2 * panel.low;
  panel.sums = panel.scales + floats;
  panel.parts = panel.sums + floats;
  panel.bytes = panel.parts + (cpu.amx ? amx_panel_size(groups) * 2 : 0);
  if (cpu.dotprod && !cpu.i8mm && format.weight_bits == 8) {  // usdot needs no signed weights, and 4 bits have a sign
    panel.offsets = panel.bytes;
    panel.bytes += floats;
  }
  return panel;
}

std::int64_t quantized_panel_bytes(const QuantizedFormat& format, std::int64_t cols) {
  return quantized_panel(format, cols).bytes;
}

void quantize_panel(const QuantizedFormat& format, const float* x, std::int64_t cols, std::byte* out) {
  const QuantizedPanel panel = quantized_panel(format, cols);
  HWY_DYNAMIC_DISPATCH(quantize_panel_target)(format, panel, x, cols, out);
  if (cpu_extensions().amx) {
    amx_split_panel(reinterpret_cast<const float*>(out + panel.sums), cols / format.group_size,
                    reinterpret_cast<std::uint16_t*>(out + panel.parts));
  }
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
