// How float32 activations become the bfloat16 parts that AMX multiplies. Its products are tested with the other
// targets' (panel_gemm_test.cpp).
#include "xlstm/kernels/cpu/amx_gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/unit/kernels/samples.h"
#include "xlstm/base/aligned_floats.h"
#include "xlstm/base/dtype.h"

namespace xlstm::testing {
namespace {

using kernels::kPanelWidth;

class AmxSplitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kernels::amx_supported()) GTEST_SKIP() << "this CPU has no AMX, or the system does not grant it";
  }

  /// Part `part` of feature c of token t, as a double.
  static double part_of(const AlignedFloats& parts, std::int64_t c, std::int64_t t, std::int64_t part) {
    const auto* values = reinterpret_cast<const std::uint16_t*>(parts.data());
    return bfloat16_to_float32(values[(c / 32 * 3 + part) * 512 + c % 32 / 2 * 32 + t * 2 + c % 2]);
  }

  static AlignedFloats split(const std::vector<float>& x, std::int64_t cols) {
    AlignedFloats parts(static_cast<std::size_t>(kernels::amx_panel_size(cols) / 2));
    std::fill_n(parts.data(), parts.size(), NAN);
    kernels::amx_split_panel(x.data(), cols, reinterpret_cast<std::uint16_t*>(parts.data()));
    return parts;
  }
};

TEST_F(AmxSplitTest, ThePartsOfANumberAddUpToIt) {
  for (const std::int64_t cols : {0, 1, 2, 31, 32, 33, 70}) {
    Samples samples(static_cast<std::uint64_t>(cols));
    std::vector<float> x = samples.floats(cols * kPanelWidth);
    if (cols > 1) {
      x[0] = std::numeric_limits<float>::max();
      x[1] = std::numeric_limits<float>::lowest();
      x[2] = 0x1.fffffep-100f;
      x[3] = -0.0f;
    }
    const AlignedFloats parts = split(x, cols);
    for (std::int64_t c = 0; c < (cols + 31) / 32 * 32; ++c) {
      for (std::int64_t t = 0; t < kPanelWidth; ++t) {
        const double expected = c < cols ? x[static_cast<std::size_t>(c * kPanelWidth + t)] : 0.0;  // zeros at the end
        const double sum = part_of(parts, c, t, 0) + part_of(parts, c, t, 1) + part_of(parts, c, t, 2);
        ASSERT_EQ(sum, expected) << "cols " << cols << " feature " << c << " token " << t;
      }
    }
  }
}

TEST_F(AmxSplitTest, WhatIsLostOfTinyNumbersIsBelowTheSmallestNormalOne) {
  std::vector<float> x(kPanelWidth, 0.0f);
  x[0] = 1e-45f;
  x[1] = 0x1.fffffep-126f;
  x[2] = -0x1.fffffep-112f;
  const AlignedFloats parts = split(x, 1);
  for (std::int64_t t = 0; t < 3; ++t) {
    const double sum = part_of(parts, 0, t, 0) + part_of(parts, 0, t, 1) + part_of(parts, 0, t, 2);
    EXPECT_LT(std::abs(sum - x[static_cast<std::size_t>(t)]), 0x1p-126) << t;
  }
}

TEST_F(AmxSplitTest, InfinityAndNotANumberLeaveNothing) {
  std::vector<float> x(2 * kPanelWidth, 1.0f);
  x[0] = INFINITY;
  x[1] = -INFINITY;
  x[2] = NAN;
  const std::uint32_t hidden = 0x7f800001;  // a NaN whose upper half alone would be infinity
  std::memcpy(&x[3], &hidden, sizeof(hidden));
  const AlignedFloats parts = split(x, 2);
  EXPECT_EQ(part_of(parts, 0, 0, 0), INFINITY);
  EXPECT_EQ(part_of(parts, 0, 1, 0), -INFINITY);
  EXPECT_TRUE(std::isnan(part_of(parts, 0, 2, 0)));
  EXPECT_TRUE(std::isnan(part_of(parts, 0, 3, 0)));
  for (std::int64_t t = 0; t < 4; ++t) {
    EXPECT_EQ(part_of(parts, 0, t, 1), 0) << t;
    EXPECT_EQ(part_of(parts, 0, t, 2), 0) << t;
  }
}

}  // namespace
}  // namespace xlstm::testing
