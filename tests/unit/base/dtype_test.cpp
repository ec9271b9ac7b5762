// Conversions between storage types, against their definition and over every 16-bit pattern.
#include "xlstm/base/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/random.h"

namespace xlstm {
namespace {

// Value of a 16-bit float with `exponent_bits`, from the definition of the format.
double defined_value(std::uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits & 0x8000 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

struct Format {
  const char* name;
  int exponent_bits;
  DType dtype;
  float (*widen)(std::uint16_t);
  std::uint16_t (*narrow)(float);
};

void PrintTo(const Format& format, std::ostream* out) { *out << format.name; }

class SixteenBit : public testing::TestWithParam<Format> {};

TEST_P(SixteenBit, EveryPatternWidensToItsValueAndComesBack) {
  const Format& format = GetParam();
  for (std::uint32_t i = 0; i < 65'536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const double expected = defined_value(bits, format.exponent_bits);
    const float value = format.widen(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << i;
      ASSERT_TRUE(std::isnan(format.widen(format.narrow(value)))) << i;
      ASSERT_EQ(format.narrow(value) & 0x8000, bits & 0x8000) << i;
    } else {
      ASSERT_EQ(static_cast<double>(value), expected) << i;
      ASSERT_EQ(std::signbit(value), std::signbit(expected)) << i;
      ASSERT_EQ(format.narrow(value), bits) << i;
    }
  }
}

// Between neighbours: below the middle rounds down, above rounds up, the middle itself to the even pattern. The
// neighbour of the largest finite pattern is infinity, which stands for the next power of two.
TEST_P(SixteenBit, RoundsToNearestEven) {
  const Format& format = GetParam();
  const int infinity = ((1 << format.exponent_bits) - 1) << (15 - format.exponent_bits);
  for (int i = 0; i < infinity; ++i) {
    const auto low = static_cast<std::uint16_t>(i), high = static_cast<std::uint16_t>(i + 1);
    const double next =
        i + 1 < infinity ? defined_value(high, format.exponent_bits) : std::ldexp(1.0, 1 << (format.exponent_bits - 1));
    const auto middle = static_cast<float>((defined_value(low, format.exponent_bits) + next) / 2);
    ASSERT_EQ(format.narrow(middle), i % 2 == 0 ? low : high) << i;
    ASSERT_EQ(format.narrow(-middle), (i % 2 == 0 ? low : high) | 0x8000) << i;
    ASSERT_EQ(format.narrow(std::nextafter(middle, 0.0f)), low) << i;
    ASSERT_EQ(format.narrow(std::nextafter(middle, std::numeric_limits<float>::infinity())), high) << i;
  }
}

TEST_P(SixteenBit, NanStaysNanWhateverItsPayload) {
  for (const std::uint32_t payload : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu, 0x7f80ffffu}) {
    EXPECT_TRUE(std::isnan(GetParam().widen(GetParam().narrow(std::bit_cast<float>(payload))))) << std::hex << payload;
  }
}

TEST_P(SixteenBit, ArraysConvertLikeScalarsAtAnyAddress) {
  const Format& format = GetParam();
  for (const std::size_t count : {0, 1, 2, 7, 8, 9, 100}) {
    std::vector<float> values(count), back(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(uniform({1, i}) * 8 - 4);
    std::vector<unsigned char> bytes(2 * count + 1);
    narrow_from_float32(format.dtype, values.data(), count, bytes.data() + 1);
    widen_to_float32(format.dtype, bytes.data() + 1, count, back.data());
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(back[i], format.widen(format.narrow(values[i])));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, SixteenBit,
                         testing::Values(Format{"float16", 5, DType::float16, float16_to_float32, float32_to_float16},
                                         Format{"bfloat16", 8, DType::bfloat16, bfloat16_to_float32,
                                                float32_to_bfloat16}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(DTypeFloat32, CopiesUnchanged) {
  const std::vector<float> values = {1.5f, -0.0f, std::numeric_limits<float>::infinity(), 1e-42f};
  std::vector<unsigned char> bytes(values.size() * 4 + 1);
  narrow_from_float32(DType::float32, values.data(), values.size(), bytes.data() + 1);
  std::vector<float> back(values.size());
  widen_to_float32(DType::float32, bytes.data() + 1, back.size(), back.data());
  EXPECT_EQ(std::memcmp(back.data(), values.data(), values.size() * 4), 0);
}

TEST(DTypeNames, GoThereAndBackWithTheirSizes) {
  const std::vector<std::pair<DType, std::size_t>> sizes = {
      {DType::float32, 4}, {DType::float16, 2}, {DType::bfloat16, 2}, {DType::float64, 8}, {DType::int64, 8},
      {DType::int32, 4},   {DType::int16, 2},   {DType::int8, 1},     {DType::uint8, 1},   {DType::boolean, 1}};
  for (const auto& [dtype, size] : sizes) {
    EXPECT_EQ(dtype_size(dtype), size) << dtype_name(dtype);
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
    EXPECT_EQ(is_weight_dtype(dtype), dtype == DType::float32 || dtype == DType::float16 || dtype == DType::bfloat16);
  }
}

TEST(DTypeNames, UnknownNameIsRefusedByName) {
  try {
    dtype_from_name("float8");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_STREQ(error.what(), "[dtype] expected float32, float16 or bfloat16 but got \"float8\"");
  }
}

}  // namespace
}  // namespace xlstm
