#include "xlstm/base/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "xlstm/base/error.h"

namespace xlstm {
namespace {

struct DTypeInfo {
  std::string_view name;
  std::size_t size;
};

// In the order of the enumeration.
constexpr std::array<DTypeInfo, 11> kDTypes = {{{"float32", 4},
                                                {"float16", 2},
                                                {"bfloat16", 2},
                                                {"float64", 8},
                                                {"int64", 8},
                                                {"int32", 4},
                                                {"int16", 2},
                                                {"int8", 1},
                                                {"uint8", 1},
                                                {"bool", 1},
                                                {"uint32", 4}}};

}  // namespace

std::size_t dtype_size(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)].size; }

std::string_view dtype_name(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)].name; }

DType dtype_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (kDTypes[i].name == name) return static_cast<DType>(i);
  }
  fail(ErrorCode::invalid_argument, "dtype", "expected float32, float16 or bfloat16 but got \"", name, "\"");
}

bool is_weight_dtype(DType dtype) noexcept {
  return dtype == DType::float32 || dtype == DType::float16 || dtype == DType::bfloat16;
}

float bfloat16_to_float32(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t float32_to_bfloat16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);  // quiet, never rounded to infinity
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float float16_to_float32(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24 is exact
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

std::uint16_t float32_to_float16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // >= 65536: infinity
  if (magnitude < 0x38800000u) {                                                    // subnormal: a multiple of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24f;
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(scaled)));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

void widen_to_float32(DType dtype, const void* from, std::size_t count, float* to) noexcept {
  if (dtype == DType::float32) {
    if (count != 0) std::memcpy(to, from, count * sizeof(float));
    return;
  }
  const auto* bytes = static_cast<const unsigned char*>(from);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, 2);
    to[i] = dtype == DType::bfloat16 ? bfloat16_to_float32(bits) : float16_to_float32(bits);
  }
}

void narrow_from_float32(DType dtype, const float* from, std::size_t count, void* to) noexcept {
  if (dtype == DType::float32) {
    if (count != 0) std::memcpy(to, from, count * sizeof(float));
    return;
  }
  auto* bytes = static_cast<unsigned char*>(to);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t bits = dtype == DType::bfloat16 ? float32_to_bfloat16(from[i]) : float32_to_float16(from[i]);
    std::memcpy(bytes + 2 * i, &bits, 2);
  }
}

}  // namespace xlstm
