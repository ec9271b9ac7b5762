// Storage types of tensors, and the scalar conversions between them (round to nearest even).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace xlstm {

enum class DType : std::uint8_t {
  float32,
  float16,
  bfloat16,
  float64,
  int64,
  int32,
  int16,
  int8,
  uint8,
  boolean,
  uint32
};

/// Bytes of one element.
std::size_t dtype_size(DType dtype) noexcept;
/// "float32", "bfloat16", ...
std::string_view dtype_name(DType dtype) noexcept;
/// Inverse of dtype_name. Errors: invalid_argument.
DType dtype_from_name(std::string_view name);
/// True for the types that weights may have: float32, float16, bfloat16.
bool is_weight_dtype(DType dtype) noexcept;

float bfloat16_to_float32(std::uint16_t bits) noexcept;
std::uint16_t float32_to_bfloat16(float value) noexcept;
float float16_to_float32(std::uint16_t bits) noexcept;
std::uint16_t float32_to_float16(float value) noexcept;

/// Widens count elements of a weight dtype to float32; exact. `from` needs no alignment.
void widen_to_float32(DType dtype, const void* from, std::size_t count, float* to) noexcept;
/// Rounds count float32 values to a weight dtype.
void narrow_from_float32(DType dtype, const float* from, std::size_t count, void* to) noexcept;

}  // namespace xlstm
