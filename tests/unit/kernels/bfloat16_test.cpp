// Conversions in vectors against the scalar ones of base/dtype.h, bit by bit.
#include "xlstm/kernels/cpu/bfloat16.h"

#include <bit>
#include <cstring>

#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/base/dtype.h"

namespace xlstm::testing {
namespace {

using Bits = std::vector<std::uint16_t>;

class Bfloat16Test : public OnEveryTarget {};

TEST_P(Bfloat16Test, EveryPatternWidensToItsValue) {
  Bits patterns(65'536);
  for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<std::uint16_t>(i);
  std::vector<float> wide(patterns.size());
  kernels::widen_bfloat16(patterns.data(), std::ssize(patterns), wide.data());
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[i]), static_cast<std::uint32_t>(i) << 16) << i;
  }
}

// Round the middle between every two neighbours: subnormals, infinities and quiet NaNs of every payload among them.
TEST_P(Bfloat16Test, NarrowsToNearestEvenAndKeepsNaN) {
  std::vector<float> values;
  for (std::uint32_t high = 0; high < 65'536; ++high) {
    for (const std::uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const bool is_nan = (high & 0x7fffu) > 0x7f80u || ((high & 0x7fffu) == 0x7f80u && low != 0);
      values.push_back(std::bit_cast<float>((high | (is_nan ? 0x40u : 0u)) << 16 | low));
    }
  }
  Bits narrow(values.size());
  kernels::narrow_to_bfloat16(values.data(), std::ssize(values), narrow.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(narrow[i], float32_to_bfloat16(values[i])) << std::hex << std::bit_cast<std::uint32_t>(values[i]);
  }
}

TEST_P(Bfloat16Test, EverySizeAtEveryOffsetWritesWhatItShouldAndNoMore) {
  for (const std::int64_t size : kSizes) {
    for (const std::int64_t offset : {0, 1}) {
      Samples samples(static_cast<std::uint64_t>(size));
      const Shifted<float> values(samples.floats(size), offset);
      Shifted<std::uint16_t> narrow(Bits(static_cast<std::size_t>(size)), offset);
      Shifted<float> wide(std::vector<float>(static_cast<std::size_t>(size)), offset);
      kernels::narrow_to_bfloat16(values.data(), size, narrow.data());
      kernels::widen_bfloat16(narrow.data(), size, wide.data());
      for (std::int64_t i = 0; i < size; ++i) {
        ASSERT_EQ(wide.data()[i], bfloat16_to_float32(float32_to_bfloat16(values.data()[i]))) << i << " of " << size;
      }
    }
  }
}

XLSTM_ON_EVERY_TARGET(Bfloat16Test);

}  // namespace
}  // namespace xlstm::testing
