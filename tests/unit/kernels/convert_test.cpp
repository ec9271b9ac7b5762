// Arrays of weights between dtypes: the bits of the scalar conversions, on every target.
#include "xlstm/kernels/cpu/convert.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"

namespace xlstm::testing {
namespace {

class ConvertTest : public OnEveryTarget {};

TEST_P(ConvertTest, EveryNumberOfSixteenBitsIsWidenedExactly) {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    std::vector<float> found(halves.size(), 1.0f), expected(halves.size());
    kernels::widen(dtype, halves.data(), std::ssize(halves), found.data());
    widen_to_float32(dtype, halves.data(), halves.size(), expected.data());
    for (std::size_t i = 0; i < halves.size(); ++i) {
      const bool same = std::bit_cast<std::uint32_t>(found[i]) == std::bit_cast<std::uint32_t>(expected[i]);
      ASSERT_TRUE(same || (std::isnan(found[i]) && std::isnan(expected[i]))) << dtype_name(dtype) << ' ' << i;
    }
  }
}

// Numbers on, just below and just above every number of the dtype and every point half-way between two.
std::vector<float> hard_to_round(DType dtype) {
  std::vector<float> values = {0.0f, -0.0f, INFINITY, -INFINITY, std::numeric_limits<float>::max(), 1e-45f, 65520.0f};
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = dtype == DType::bfloat16 ? bfloat16_to_float32(bits) : float16_to_float32(bits);
    if (!std::isfinite(value)) continue;
    const auto around = [&](std::uint32_t at) {
      for (const std::uint32_t near : {at - 1, at, at + 1}) values.push_back(std::bit_cast<float>(near));
    };
    around(std::bit_cast<std::uint32_t>(value));
    around(std::bit_cast<std::uint32_t>(value) + (dtype == DType::bfloat16 ? 0x8000u : 0x1000u));
  }
  return values;
}

TEST_P(ConvertTest, NumbersAreRoundedToNearestEven) {
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    const std::vector<float> values = hard_to_round(dtype);
    std::vector<std::uint16_t> found(values.size(), 1), expected(values.size());
    kernels::narrow(dtype, values.data(), std::ssize(values), found.data());
    narrow_from_float32(dtype, values.data(), values.size(), expected.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) {
        float back = 0;
        widen_to_float32(dtype, &found[i], 1, &back);
        ASSERT_TRUE(std::isnan(back)) << dtype_name(dtype) << ' ' << i;
      } else {
        ASSERT_EQ(found[i], expected[i]) << dtype_name(dtype) << ' ' << values[i];
      }
    }
  }
}

TEST_P(ConvertTest, AnySizeAtAnyPlace) {
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
    for (const std::int64_t size : kSizes) {
      const std::vector<float> values = Samples(static_cast<std::uint64_t>(size)).floats(size);
      const auto bytes = static_cast<std::size_t>(size) * dtype_size(dtype);
      std::vector<std::byte> expected(bytes);
      narrow_from_float32(dtype, values.data(), values.size(), expected.data());
      const Shifted<float> from(values, 1);
      Shifted<std::byte> narrow(std::vector<std::byte>(bytes), 4);
      kernels::narrow(dtype, from.data(), size, narrow.data());
      EXPECT_EQ(narrow.values(), expected) << dtype_name(dtype) << ' ' << size;
      const Shifted<std::byte> stored(expected, 2);
      Shifted<float> back(std::vector<float>(values.size(), NAN), 1);
      std::vector<float> wide(values.size());
      kernels::widen(dtype, stored.data(), size, back.data());
      widen_to_float32(dtype, expected.data(), wide.size(), wide.data());
      EXPECT_EQ(back.values(), wide) << dtype_name(dtype) << ' ' << size;
    }
  }
}

XLSTM_ON_EVERY_TARGET(ConvertTest);

}  // namespace
}  // namespace xlstm::testing
